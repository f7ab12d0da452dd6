//! TCP of tokio behind the embedded traits: a stand-in for the socket and the timer of a board.

use embedded_hal_async::delay::DelayNs;
use embedded_io_async::{ErrorType, Read, Write};
use mqtt_device_core::{Failure, Instant, Security};
use mqtt_device_embedded::{Clock, Connector, DelayClock, Link};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// One half of a stream. The orphan rule asks for it.
#[derive(Debug)]
pub(crate) struct Half<T>(pub(crate) T);

impl<T> ErrorType for Half<T> {
    type Error = io::Error;
}

impl Read for Half<OwnedReadHalf> {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).await
    }
}

impl Write for Half<OwnedWriteHalf> {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).await
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.0.flush().await
    }
}

/// Connects to one server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tcp(pub(crate) SocketAddr);

impl Connector for Tcp {
    type Error = io::Error;
    type Reader<'c> = Half<OwnedReadHalf>;
    type Writer<'c> = Half<OwnedWriteHalf>;

    async fn connect(&mut self, _server: u8) -> Result<Link<Half<OwnedReadHalf>, Half<OwnedWriteHalf>>, Failure> {
        let stream = TcpStream::connect(self.0).await.map_err(|e| match e.kind() {
            io::ErrorKind::ConnectionRefused => Failure::Refused,
            io::ErrorKind::TimedOut => Failure::Timeout,
            _ => Failure::Other,
        })?;
        // Small packets and their answers must not wait for each other.
        stream.set_nodelay(true).map_err(|_| Failure::Other)?;
        let (reader, writer) = stream.into_split();
        let security = if self.0.ip().is_loopback() { Security::Local } else { Security::Plain };
        Ok(Link { reader: Half(reader), writer: Half(writer), security })
    }
}

/// A delay that a board's timer would make.
#[derive(Debug)]
pub(crate) struct Delay;

impl DelayNs for Delay {
    async fn delay_ns(&mut self, ns: u32) {
        tokio::time::sleep(Duration::from_nanos(ns.into())).await;
    }

    async fn delay_ms(&mut self, ms: u32) {
        tokio::time::sleep(Duration::from_millis(ms.into())).await;
    }
}

/// The clock made of it.
pub(crate) fn clock() -> impl Clock {
    let began = tokio::time::Instant::now();
    let now = move || Instant::from_millis(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
    DelayClock::new(Delay, now)
}
