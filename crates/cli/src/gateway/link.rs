//! A gateway's connection: carries out actions, and hands over what comes in.

use core::hash::{BuildHasher as _, Hasher as _};
use core::time::Duration;
use std::hash::RandomState;

use mqtt_device_tokio::{Client, ClientEvent, DisconnectReason, Error, Events, Message, Messages, QoS};
use tokio::time::Instant;

use super::names::{DEVICES, DeviceId, GATEWAY};
use super::state::Outgoing;
use crate::broker::Broker;
use crate::exit::{Failure, Outcome};

/// How long a broker may take to let us in, and to let us go.
pub(crate) const BROKER_PATIENCE: Duration = Duration::from_secs(10);

/// A connection of a gateway, with a clock that begins with it.
pub(crate) struct Link {
    pub(crate) client: Client,
    messages: Messages,
    events: Events<ClientEvent>,
    began: Instant,
    marker: String,
}

/// What a link has to say.
pub(crate) enum News {
    Message(Message),
    Event(ClientEvent),
    End,
}

impl Link {
    /// Starts connecting. Without `client_id` one is made up, and the broker keeps no session.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub(crate) fn start(broker: &Broker, client_id: Option<&str>, filters: &[String]) -> Outcome<Self> {
        // The same for every run of a named client: its session remembers subscriptions.
        let name = client_id.map_or_else(|| format!("{:016x}", random()), |id| id.replace(['/', '+', '#', '\0'], "_"));
        let marker = format!("{GATEWAY}markers/{name}");
        let mut builder = broker.client().configure(|config| {
            // Few gateways come back at once, and devices wait for them.
            config.backoff.base = Duration::from_millis(200).into();
            config.backoff.cap = Duration::from_secs(5).into();
        });
        if let Some(id) = client_id {
            builder = builder.client_id(id);
        }
        for filter in filters.iter().chain([&marker]) {
            let qos = if filter.ends_with("/heartbeat") { QoS::AtMostOnce } else { QoS::AtLeastOnce };
            builder = builder.subscribe(filter.clone(), qos);
        }
        let (client, messages) = builder.start().map_err(Failure::usage)?;
        let events = client.events();
        Ok(Self { client, messages, events, began: Instant::now(), marker })
    }

    /// Starts, and waits until every subscription is granted.
    ///
    /// # Errors
    /// The configuration cannot be used, or the broker refuses or does not answer.
    pub(crate) async fn open(broker: &Broker, client_id: Option<&str>, filters: &[String]) -> Outcome<Self> {
        let mut link = Self::start(broker, client_id, filters)?;
        let mut last = None;
        let ready = async {
            while let Some(event) = link.events.next().await {
                match event {
                    ClientEvent::Ready { .. } => return Ok(()),
                    ClientEvent::SubscriptionRefused { filter, reason } => {
                        let why = format!("the broker refuses to let this user read {filter} ({reason})");
                        return Err(Failure::failed(why));
                    }
                    ClientEvent::Disconnected { reason, detail, .. } => {
                        let error = Error::Connect { reason: Some(reason), detail };
                        if is_refusal(reason) {
                            return Err(Failure::failed(format_args!("{}: {error}", broker.server)));
                        }
                        last = Some(error);
                    }
                    _ => {}
                }
            }
            Err(Failure::failed("the connection ended"))
        };
        match tokio::time::timeout(BROKER_PATIENCE, ready).await {
            Ok(outcome) => outcome.map(|()| link),
            Err(_) => {
                let why = last.map_or_else(|| "it does not answer".to_owned(), |error| error.to_string());
                Err(Failure::no_answer(format_args!("{}: {why}: is a broker running there?", broker.server)))
            }
        }
    }

    /// Milliseconds since the link was made.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// When [`Self::now`] is `ms`.
    pub(crate) fn at(&self, ms: u64) -> Instant {
        self.began + Duration::from_millis(ms)
    }

    /// Queues a message. That it could not be queued or did not arrive is in the log: commands are sent again, and all
    /// else answers something that a device will say again.
    pub(crate) fn publish(&self, Outgoing { topic, payload, at_least_once, retain }: Outgoing) {
        let qos = if at_least_once { QoS::AtLeastOnce } else { QoS::AtMostOnce };
        let operation = self.client.publish(&topic, payload, qos, retain);
        tokio::spawn(async move {
            if let Err(error) = operation.await {
                tracing::warn!("not published on {topic}: {error}");
            }
        });
    }

    /// The next thing that happens. Cancel-safe.
    pub(crate) async fn next(&mut self) -> News {
        tokio::select! {
            biased;
            event = self.events.next() => event.map_or(News::End, News::Event),
            message = self.messages.next() => message.map_or(News::End, News::Message),
        }
    }

    /// Asks the broker to hand back a marker. It comes behind every retained message that the subscriptions brought,
    /// since brokers send those while they grant the subscription.
    pub(crate) fn mark(&self) {
        let (topic, payload) = (self.marker.clone(), b"end of retained".to_vec());
        self.publish(Outgoing { topic, payload, at_least_once: true, retain: false });
    }

    /// Whether this is the marker.
    pub(crate) fn is_marker(&self, message: &Message) -> bool {
        message.topic == self.marker
    }

    /// Lets what was queued leave, and says goodbye.
    pub(crate) async fn close(self) -> bool {
        self.client.stop(BROKER_PATIENCE).await.clean
    }
}

/// Whether trying again cannot help.
pub(crate) const fn is_refusal(reason: DisconnectReason) -> bool {
    matches!(reason, DisconnectReason::Refused(_) | DisconnectReason::CredentialsWithheld(_))
}

/// How a connection, or an attempt at one, ended, in words.
pub(crate) fn why(reason: DisconnectReason, detail: Option<&String>) -> String {
    if let DisconnectReason::CredentialsWithheld(_) = reason {
        return "password and API key were not sent, since this network carries them in clear text: if you trust it, add \
                --allow-insecure, or allow_insecure = true in the file of a device"
            .to_owned();
    }
    let error = Error::Connect { reason: Some(reason), detail: detail.cloned() }.to_string();
    error.strip_prefix("could not connect: ").map(str::to_owned).unwrap_or(error)
}

/// What devices say.
const SAID: [&str; 4] = ["status", "heartbeat", "response", "trigger"];

/// What a serving gateway listens to: devices, and what gateways kept of them.
pub(crate) fn served_filters() -> Vec<String> {
    let devices = SAID.map(|suffix| format!("{DEVICES}+/+/{suffix}"));
    devices.into_iter().chain([format!("{GATEWAY}devices/+/+")]).collect()
}

/// What a gateway of one device listens to.
pub(crate) fn served_filters_of(device: &DeviceId) -> Vec<String> {
    SAID.map(|suffix| device.topic(suffix)).to_vec()
}

/// Differs in every process and at every call: from the keys with which the standard library guards its hash maps.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
