//! The demo's own broker: in memory, on a free loopback port, a password for the device.

use core::future::Future;
use core::net::SocketAddr;
use core::pin::Pin;

use std::sync::Arc;

use mqtt5::broker::{
    AuthProvider, AuthResult, BrokerConfig, BrokerShutdownHandle, MqttBroker, StorageBackendType, StorageConfig,
};
use mqtt5::packet::connect::ConnectPacket;
use mqtt5::protocol::v5::reason_codes::ReasonCode;

use crate::broker::Hidden;
use crate::exit::{Failure, Outcome};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Lets the device in with its key, and anybody who gives no name at all: nobody but this machine can reach it.
struct Doorman {
    user: String,
    key: Hidden,
}

impl AuthProvider for Doorman {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        _: SocketAddr,
    ) -> Boxed<'a, mqtt5::error::Result<AuthResult>> {
        let welcome = connect.username.as_deref().is_none_or(|user| {
            user == self.user && connect.password.as_deref().is_some_and(|key| key == self.key.0.as_bytes())
        });
        let result = match connect.username.as_deref() {
            _ if !welcome => AuthResult::fail(ReasonCode::BadUsernameOrPassword),
            Some(user) => AuthResult::success_with_user(user),
            None => AuthResult::success(),
        };
        Box::pin(async move { Ok(result) })
    }

    fn authorize_publish<'a>(&'a self, _: &str, _: Option<&'a str>, _: &'a str) -> Boxed<'a, bool> {
        Box::pin(async { true })
    }

    fn authorize_subscribe<'a>(&'a self, _: &str, _: Option<&'a str>, _: &'a str) -> Boxed<'a, bool> {
        Box::pin(async { true })
    }
}

/// A running broker.
pub(super) struct Embedded {
    pub(super) address: SocketAddr,
    stop: BrokerShutdownHandle,
    task: tokio::task::JoinHandle<mqtt5::error::Result<()>>,
}

impl Embedded {
    /// Starts one and waits until it accepts connections.
    ///
    /// # Errors
    /// No loopback port can be had.
    pub(super) async fn start(user: String, key: Hidden) -> Outcome<Self> {
        let failed =
            |error: &dyn core::fmt::Display| Failure::failed(format_args!("the broker does not start: {error}"));
        let mut config = BrokerConfig::new().with_bind_address(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.storage_config = StorageConfig::new().with_backend(StorageBackendType::Memory);
        config.sys_topics_enabled = false;
        let broker = MqttBroker::with_config(config).await.map_err(|error| failed(&error))?;
        let mut broker = broker.with_auth_provider(Arc::new(Doorman { user, key }));
        let address = broker.local_addr().ok_or_else(|| failed(&"it has no address"))?;
        let stop = broker.shutdown_handle();
        let mut ready = broker.ready_receiver();
        let task = tokio::spawn(async move { broker.run().await });
        // An error here means that it has ended already; connecting will say so.
        let _ = ready.wait_for(|up| *up).await;
        Ok(Self { address, stop, task })
    }

    /// Ends it, once every connection is closed.
    pub(super) async fn stop(self) {
        self.stop.shutdown();
        let _ = self.task.await;
    }
}
