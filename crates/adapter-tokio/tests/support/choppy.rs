//! A transport that reads, writes and flushes in bits and after delays, with a server of a few lines behind it.
#![allow(unreachable_pub, reason = "a module of a test")]

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use mqtt_device_proto::{Packet, Role, Status, frame_len};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::support::{Got, V, own};

/// What a server answers to a packet.
pub type React = Box<dyn FnMut(&Got) -> Vec<u8> + Send>;

/// The server's side: it sees bytes once they are flushed.
pub struct Server {
    react: React,
    written: Vec<u8>,
    flushed: Vec<u8>,
    to_client: VecDeque<u8>,
    /// Every packet, in order.
    pub got: Vec<Got>,
    closed: bool,
}

impl Server {
    pub fn new(react: React) -> Arc<Mutex<Self>> {
        let (written, flushed, to_client) = (Vec::new(), Vec::new(), VecDeque::new());
        Arc::new(Mutex::new(Self { react, written, flushed, to_client, got: Vec::new(), closed: false }))
    }

    fn flush(&mut self) {
        self.flushed.append(&mut self.written);
        while let Status::Complete(n) = frame_len(&self.flushed, 1 << 24).unwrap() {
            let frame: Vec<u8> = self.flushed.drain(..n).collect();
            let got = own(Packet::decode(&frame, V, Role::Client).unwrap());
            self.to_client.extend((self.react)(&got));
            self.got.push(got);
        }
    }
}

/// The client's end. Each call goes a little way, and the next one must wait for a while.
pub struct Choppy {
    server: Arc<Mutex<Server>>,
    calls: usize,
    pause: Option<Pin<Box<Sleep>>>,
    vectored: bool,
}

impl Choppy {
    pub fn new(server: &Arc<Mutex<Server>>, vectored: bool) -> Self {
        Self { server: Arc::clone(server), calls: 0, pause: None, vectored }
    }

    /// How much may pass now.
    fn portion(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
        }
        self.pause = Some(Box::pin(sleep(Duration::from_millis(1))));
        self.calls += 1;
        Poll::Ready([1, 2, 7, 64, 1500][self.calls % 5])
    }
}

impl AsyncRead for Choppy {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (nothing, closed) = {
            let server = self.server.lock().unwrap();
            (server.to_client.is_empty(), server.closed)
        };
        if closed {
            return Poll::Ready(Ok(()));
        }
        if nothing {
            // The answers come when the driver has flushed something; it polls then.
            return Poll::Pending;
        }
        let portion = ready!(self.portion(cx));
        let mut server = self.server.lock().unwrap();
        let n = portion.min(server.to_client.len()).min(buf.remaining());
        let bytes: Vec<u8> = server.to_client.drain(..n).collect();
        buf.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Choppy {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let portion = ready!(self.portion(cx));
        let n = portion.min(buf.len());
        self.server.lock().unwrap().written.extend(&buf[..n]);
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let portion = ready!(self.portion(cx));
        let all: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        let n = portion.min(all.len());
        self.server.lock().unwrap().written.extend(&all[..n]);
        Poll::Ready(Ok(n))
    }

    fn is_write_vectored(&self) -> bool {
        self.vectored
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.portion(cx));
        self.server.lock().unwrap().flush();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.portion(cx));
        let mut server = self.server.lock().unwrap();
        server.flush();
        server.closed = true;
        Poll::Ready(Ok(()))
    }
}
