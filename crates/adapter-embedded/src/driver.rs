//! One connection: reader, timer and writer as straight loops in one future, with all progress outside of it.

use crate::bell::Loop;
use crate::clock::Clock;
use crate::error::{Busy, Error, SetupError};
use crate::fact::Fact;
use crate::shared::{Shared, hand_over};
use crate::wait::{join, pause};
use core::cell::RefCell;
use core::pin::pin;
use embedded_io_async::{Read, Write};
use mqtt_device_core::{Machine, NoPayload, Security, Storage};

/// Runs a machine over transports: owns nothing but progress, and works in two buffers that are lent to it.
///
/// [`Driver::serve`] does everything, connecting included. [`Driver::run`] drives one connection that somebody else
/// made, between [`Driver::connected`] and its end.
///
/// No read and no write is ever cancelled by the driver itself, so transports that do not bear it are fine. Whoever
/// drops the future of [`Driver::run`] may call it again on the same two halves and nothing is lost or doubled, if
/// *their* `read` and `write` bear being dropped, as `embedded_io_async` encourages.
#[derive(Debug)]
pub struct Driver<'m> {
    receive: Receive<'m>,
    transmit: Transmit<'m>,
    open: bool,
}

/// What came and is not handled yet: the first `filled` bytes of `buffer`.
#[derive(Debug)]
struct Receive<'m> {
    buffer: &'m mut [u8],
    filled: usize,
    /// The server broke the protocol: what it sends is read, so that it can read us, and thrown away.
    deaf: bool,
}

/// What was taken from the machine and is not flushed yet: `taken` bytes, of which `written` went to the transport.
#[derive(Debug)]
struct Transmit<'m> {
    buffer: &'m mut [u8],
    taken: usize,
    written: usize,
}

impl<'m> Driver<'m> {
    /// A driver that receives into `rx` and sends from `tx`; how large they must be, the machine says
    /// ([`Machine::rx_min`], [`Machine::tx_min`], checked by [`Driver::check`]).
    #[must_use]
    pub const fn new(rx: &'m mut [u8], tx: &'m mut [u8]) -> Self {
        Self {
            receive: Receive { buffer: rx, filled: 0, deaf: false },
            transmit: Transmit { buffer: tx, taken: 0, written: 0 },
            open: false,
        }
    }

    /// Whether both buffers are large enough for this machine and what its source lends. Every connection begins
    /// with this check, since a source may change.
    ///
    /// # Errors
    /// The buffer that is too small, with the length that it needs.
    pub fn check<M: Machine, C: Clock>(&self, shared: &Shared<M, C>, source: &M::Source) -> Result<(), SetupError> {
        let machine = shared.machine()?;
        let (rx, tx) = (self.receive.buffer.len(), self.transmit.buffer.len());
        let (rx_min, tx_min) = (machine.rx_min(), machine.tx_min(source));
        if rx < rx_min {
            return Err(SetupError::ReceiveBuffer { len: rx, needed: rx_min });
        }
        if tx < tx_min {
            return Err(SetupError::TransmitBuffer { len: tx, needed: tx_min });
        }
        Ok(())
    }

    /// A transport is open, as trustworthy as `security` says. Forgets all progress on an earlier one.
    ///
    /// # Errors
    /// See [`Driver::check`]. Then the transport is of no use and the machine knows nothing of it.
    pub fn connected<M: Machine, C: Clock>(
        &mut self,
        shared: &Shared<M, C>,
        source: &M::Source,
        security: Security,
    ) -> Result<(), SetupError> {
        self.check(shared, source)?;
        self.disconnected(shared)?;
        shared.machine()?.connected(shared.now(), security);
        self.open = true;
        Ok(())
    }

    /// The transport is gone, and with it the progress on it. [`Driver::run`] says so itself when it returns; call
    /// this when its future was dropped and the transport given up. Without a connection it does nothing.
    ///
    /// # Errors
    /// [`Busy`] inside a call of [`Shared::with`].
    pub fn disconnected<M: Machine, C: Clock>(&mut self, shared: &Shared<M, C>) -> Result<(), Busy> {
        if self.open { self.lost(shared) } else { Ok(()) }
    }

    /// The transport, or the attempt to open one, is over.
    pub(crate) fn lost<M: Machine, C: Clock>(&mut self, shared: &Shared<M, C>) -> Result<(), Busy> {
        shared.machine()?.disconnected(shared.now());
        self.open = false;
        self.receive.filled = 0;
        self.receive.deaf = false;
        self.transmit.taken = 0;
        self.transmit.written = 0;
        Ok(())
    }

    /// Drives the connection to its end, and tells `sink` every [`Fact`].
    ///
    /// Returns `Ok` when the machine has done with the connection: drop the transport then. If the future is dropped
    /// instead, call `run` again on the same halves, or [`Driver::disconnected`].
    ///
    /// # Errors
    /// Why the connection ended otherwise.
    pub async fn run<M, C, R, W, F>(
        &mut self,
        shared: &Shared<M, C>,
        source: &M::Source,
        reader: R,
        writer: W,
        sink: F,
    ) -> Result<(), Error<R::Error>>
    where
        M: Machine,
        M::Storage: Storage<Payload = NoPayload>,
        C: Clock,
        R: Read,
        W: Write<Error = R::Error>,
        F: FnMut(Fact<M::Event<'_>>),
    {
        let sink = RefCell::new(sink);
        let end = self.drive(shared, source, reader, writer, &sink).await;
        self.disconnected(shared)?;
        shared.tell(&sink)?;
        end
    }

    /// As `run`, but leaves it to the caller to say `disconnected`.
    pub(crate) async fn drive<M, C, R, W, F>(
        &mut self,
        shared: &Shared<M, C>,
        source: &M::Source,
        reader: R,
        writer: W,
        sink: &RefCell<F>,
    ) -> Result<(), Error<R::Error>>
    where
        M: Machine,
        M::Storage: Storage<Payload = NoPayload>,
        C: Clock,
        R: Read,
        W: Write<Error = R::Error>,
        F: FnMut(Fact<M::Event<'_>>),
    {
        if !self.open {
            return Err(Error::NotConnected);
        }
        let reading = pin!(read_loop(&mut self.receive, shared, reader, sink));
        let timing = pin!(timer_loop(shared, sink));
        let writing = pin!(write_loop(&mut self.transmit, shared, source, writer));
        // The timer goes before the writer, which then finds what became due in the same turn.
        join(reading, timing, writing).await
    }
}

/// Handles what came, then reads more. Waits for the bell while the machine cannot take what is there.
async fn read_loop<M, C, R, F>(
    receive: &mut Receive<'_>,
    shared: &Shared<M, C>,
    mut reader: R,
    sink: &RefCell<F>,
) -> Result<(), Error<R::Error>>
where
    M: Machine,
    C: Clock,
    R: Read,
    F: FnMut(Fact<M::Event<'_>>),
{
    let bell = shared.bell();
    loop {
        bell.hush(Loop::Reader);
        let blocked = receive.handle(shared, sink)?;
        if blocked {
            bell.wait(Loop::Reader).await;
            continue;
        }
        let Some(room @ [_, ..]) = receive.buffer.get_mut(receive.filled..) else {
            return Err(Error::ReceiveBufferFull);
        };
        let most = room.len();
        match reader.read(room).await {
            Ok(0) => return Err(Error::Eof),
            Ok(n) => receive.filled = receive.filled.saturating_add(n.min(most)),
            Err(e) => return Err(Error::Transport(e)),
        }
        pause().await;
    }
}

impl Receive<'_> {
    /// Handles as many packets as there are, without an await, and moves what is left to the front. True when the
    /// machine must write or store something before it can go on.
    fn handle<M, C, F>(&mut self, shared: &Shared<M, C>, sink: &RefCell<F>) -> Result<bool, Busy>
    where
        M: Machine,
        C: Clock,
        F: FnMut(Fact<M::Event<'_>>),
    {
        let (mut used, mut blocked) = (0_usize, false);
        while let Some(bytes @ [_, ..]) = self.buffer.get(used..self.filled) {
            // Bound, then matched: the machine is free again before the event is handed over.
            let input = if self.deaf { None } else { shared.machine()?.handle_input(shared.now(), bytes).ok() };
            let Some(progress) = input else {
                self.deaf = true;
                used = self.filled;
                break;
            };
            if let Some(event) = progress.event {
                hand_over(sink, Fact::Event(event))?;
            }
            shared.tell(sink)?;
            used = used.saturating_add(progress.consumed);
            blocked = progress.blocked.is_some();
            if progress.consumed == 0 {
                break;
            }
        }
        if used > 0 {
            let used = used.min(self.filled);
            if let Some(bytes) = self.buffer.get_mut(..self.filled) {
                bytes.copy_within(used.., 0);
            }
            self.filled = self.filled.saturating_sub(used);
        }
        if used > 0 || blocked {
            shared.bell().ring_for(Loop::Timer); // which rings for the writer, if there is something to write
        }
        Ok(blocked)
    }
}

/// Does what is due, wakes the writer, ends when the machine wants to close.
async fn timer_loop<M, C, E, F>(shared: &Shared<M, C>, sink: &RefCell<F>) -> Result<(), Error<E>>
where
    M: Machine,
    C: Clock,
    F: FnMut(Fact<M::Event<'_>>),
{
    loop {
        let actions = shared.act(sink)?;
        if actions.close {
            return Ok(());
        }
        if actions.transmit {
            shared.bell().ring_for(Loop::Writer);
        }
        shared.changed(actions.deadline).await;
    }
}

/// Takes, writes, flushes, in this order and never two at once.
async fn write_loop<M, C, W>(
    transmit: &mut Transmit<'_>,
    shared: &Shared<M, C>,
    source: &M::Source,
    mut writer: W,
) -> Result<(), Error<W::Error>>
where
    M: Machine,
    M::Storage: Storage<Payload = NoPayload>,
    C: Clock,
    W: Write,
{
    let Transmit { buffer, taken, written } = transmit;
    let bell = shared.bell();
    // The bell has rung since the last take.
    let mut called = false;
    loop {
        if *taken == 0 {
            called |= bell.hush(Loop::Writer);
            *taken = shared.machine()?.take_transmit(shared.now(), source, buffer).len;
            *written = 0;
        }
        if *taken == 0 {
            if core::mem::take(&mut called) {
                // The machine had something, and gave nothing: it has ended an operation, or wants to close.
                bell.ring_for(Loop::Timer);
                pause().await;
            } else {
                bell.wait(Loop::Writer).await;
                called = true;
            }
            continue;
        }
        called = false;
        while let Some(rest @ [_, ..]) = buffer.get(*written..*taken) {
            match writer.write(rest).await {
                Ok(0) => return Err(Error::WriteZero),
                Ok(n) => *written = written.saturating_add(n),
                Err(e) => return Err(Error::Transport(e)),
            }
        }
        writer.flush().await.map_err(Error::Transport)?;
        shared.machine()?.transmitted(shared.now(), core::mem::take(taken));
        bell.ring_for(Loop::Reader);
        bell.ring_for(Loop::Timer);
        pause().await; // they were polled before this loop: another turn for them
    }
}
