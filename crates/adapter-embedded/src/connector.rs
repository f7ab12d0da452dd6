//! Connecting, again and again, as the machine asks for it.

use crate::clock::Clock;
use crate::driver::Driver;
use crate::error::{Busy, SetupError};
use crate::fact::Fact;
use crate::shared::{Shared, hand_over};
use crate::wait::{Either, first};
use core::cell::RefCell;
use embedded_io_async::{Read, Write};
use mqtt_device_core::{Duration, Failure, Machine, NoPayload, Security, Storage};

/// An open transport: two halves, and how far it is to be trusted.
#[derive(Debug)]
pub struct Link<R, W> {
    /// From the server.
    pub reader: R,
    /// To the server.
    pub writer: W,
    /// The machine decides with it whether credentials may be sent.
    pub security: Security,
}

/// Opens transports for [`Driver::serve`].
///
/// The halves may borrow from the connector, as those of a socket that is used again and again do.
#[expect(async_fn_in_trait, reason = "the futures stay on the executor that runs the driver")]
pub trait Connector {
    /// The error of both halves.
    type Error: embedded_io_async::Error;
    /// The half from the server.
    type Reader<'c>: Read<Error = Self::Error>
    where
        Self: 'c;
    /// The half to the server.
    type Writer<'c>: Write<Error = Self::Error>
    where
        Self: 'c;

    /// Opens a transport to the server with this index. Begin with clearing away what an earlier one left.
    ///
    /// It needs no deadline of its own: when the machine's is over, the future is dropped.
    ///
    /// # Errors
    /// Why it could not be opened; the machine decides with it when to try again.
    async fn connect(&mut self, server: u8) -> Result<Link<Self::Reader<'_>, Self::Writer<'_>>, Failure>;

    /// Closes what `connect` opened or began to open; both halves are dropped before. What takes longer than
    /// [`CLOSE_WITHIN`] is dropped.
    async fn close(&mut self) {}
}

/// How long [`Connector::close`] may take.
pub const CLOSE_WITHIN: Duration = Duration::from_secs(1);

impl Driver<'_> {
    /// Runs the machine until it is stopped: connects when it asks for it, drives the connection, closes it, and
    /// waits as long as it says. Tells `sink` every [`Fact`].
    ///
    /// Returns `Ok` after [`Shared::stop`]. The future may be dropped at any time; the connection is lost with it, and
    /// a later call of `serve`, of this driver or of another, goes on with a new one.
    ///
    /// # Errors
    /// A buffer is too small for this machine, or the machine was in use. Nothing that the network does is an error.
    pub async fn serve<M, C, K, F>(
        &mut self,
        shared: &Shared<M, C>,
        source: &M::Source,
        connector: &mut K,
        sink: F,
    ) -> Result<(), SetupError>
    where
        M: Machine,
        M::Storage: Storage<Payload = NoPayload>,
        C: Clock,
        K: Connector,
        F: FnMut(Fact<M::Event<'_>>),
    {
        let sink = RefCell::new(sink);
        // Whatever connection the machine believes in went with an earlier call that was dropped, or with its driver.
        self.disconnected(shared)?;
        if shared.act(&sink)?.connect.is_none() {
            self.lost(shared)?;
        }
        loop {
            let actions = shared.act(&sink)?;
            if shared.is_stopped() {
                shared.tell(&sink)?;
                return Ok(());
            }
            match actions.connect {
                Some(attempt) => self.attempt(shared, source, connector, attempt.server, &sink).await?,
                None => shared.changed(actions.deadline).await,
            }
        }
    }

    /// One attempt to connect and, if it succeeds, one connection.
    async fn attempt<M, C, K, F>(
        &mut self,
        shared: &Shared<M, C>,
        source: &M::Source,
        connector: &mut K,
        server: u8,
        sink: &RefCell<F>,
    ) -> Result<(), SetupError>
    where
        M: Machine,
        M::Storage: Storage<Payload = NoPayload>,
        C: Clock,
        K: Connector,
        F: FnMut(Fact<M::Event<'_>>),
    {
        self.check(shared, source)?;
        match first(connector.connect(server), given_up(shared, sink)).await {
            Either::Left(Ok(link)) => {
                self.connected(shared, source, link.security)?;
                if let Err(error) = self.drive(shared, source, link.reader, link.writer, sink).await {
                    hand_over(sink, Fact::Ended(error.kind()))?;
                }
            }
            Either::Left(Err(why)) => {
                shared.machine()?.connect_failed(shared.now(), why);
                return Ok(shared.tell(sink)?);
            }
            Either::Right(given_up) => given_up?,
        }
        let deadline = shared.now() + CLOSE_WITHIN;
        first(connector.close(), shared.clock().until(Some(deadline))).await;
        self.lost(shared)?;
        Ok(shared.tell(sink)?)
    }
}

/// Returns when the machine no longer wants to be connected.
async fn given_up<M, C, F>(shared: &Shared<M, C>, sink: &RefCell<F>) -> Result<(), Busy>
where
    M: Machine,
    C: Clock,
    F: FnMut(Fact<M::Event<'_>>),
{
    loop {
        let actions = shared.act(sink)?;
        if actions.close || actions.connect.is_none() {
            return Ok(());
        }
        shared.changed(actions.deadline).await;
    }
}
