//! Links that die in odd ways, and what the driver still makes of them.

mod support;

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::collections::VecDeque;
use std::io;

use mqtt_device_tokio::{Client, ClientEvent, DisconnectReason, Error, Link, QoS, Security};
use support::{Got, Net, connack, message, puback, suback};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Once CONNECT is flushed it gives its script in portions, whatever is written; then `end`s. Fails writes after so many
/// bytes.
struct Scripted {
    script: VecDeque<Vec<u8>>,
    end: fn() -> Poll<io::Result<()>>,
    writable: usize,
    flushed: bool,
}

impl AsyncRead for Scripted {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.flushed {
            // The driver reads again after each write.
            return Poll::Pending;
        }
        match self.script.pop_front() {
            Some(mut bytes) => {
                let rest = bytes.split_off(bytes.len().min(buf.remaining()));
                buf.put_slice(&bytes);
                if !rest.is_empty() {
                    self.script.push_front(rest);
                }
                Poll::Ready(Ok(()))
            }
            None => (self.end)(),
        }
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.writable == 0 {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::BrokenPipe)));
        }
        let n = buf.len().min(self.writable);
        self.writable -= n;
        Poll::Ready(Ok(n))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushed = true;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

/// One scripted link; after it the connector hangs.
fn once(script: Vec<Vec<u8>>, end: fn() -> Poll<io::Result<()>>, writable: usize) -> mqtt_device_tokio::ClientBuilder {
    let mut link = Some(Scripted { script: script.into(), end, writable, flushed: false });
    Client::over(move |_| {
        let link = link.take();
        async move {
            match link {
                Some(link) => Ok(Link::new(link, Security::Local)),
                None => core::future::pending().await,
            }
        }
    })
    .client_id("me")
}

fn nothing_more() -> Poll<io::Result<()>> {
    Poll::Pending
}

fn reset() -> Poll<io::Result<()>> {
    Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
}

async fn lost(events: &mut mqtt_device_tokio::Events<ClientEvent>) -> (DisconnectReason, Option<String>) {
    loop {
        if let ClientEvent::Disconnected { reason, detail, .. } = events.next().await.unwrap() {
            return (reason, detail);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_came_before_a_broken_write_is_still_read() {
    let script = vec![connack(false), message("t", b"one", 0), message("t", b"two", 0)];
    // CONNECT goes through; what follows it does not.
    let builder = once(script, nothing_more, 16);
    let mut events = builder.events();
    let (client, mut messages) = builder.start().unwrap();
    let _pending = client.publish("t", "x", QoS::AtLeastOnce, false);
    assert_eq!(&messages.next().await.unwrap().payload[..], b"one");
    assert_eq!(&messages.next().await.unwrap().payload[..], b"two");
    let (reason, detail) = lost(&mut events).await;
    assert_eq!((reason, detail.as_deref()), (DisconnectReason::Transport, Some("broken pipe")));
}

#[tokio::test(start_paused = true)]
async fn a_reset_is_reported_in_the_words_of_the_system() {
    let builder = once(vec![connack(false)], reset, usize::MAX);
    let mut events = builder.events();
    let (_client, _messages) = builder.start().unwrap();
    assert_eq!(lost(&mut events).await, (DisconnectReason::Transport, Some("connection reset".into())));
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_does_not_close_does_not_hold_the_end_up() {
    let (client, _messages) = once(vec![connack(false)], nothing_more, usize::MAX).start().unwrap();
    let start = tokio::time::Instant::now();
    client.stop(Duration::from_secs(5)).await;
    assert!(start.elapsed() <= Duration::from_secs(6), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn packets_may_be_cut_anywhere() {
    let whole: Vec<u8> = [
        connack(false),
        suback(1, mqtt_device_tokio::ReasonCode::GRANTED_QOS_1),
        puback(9),
        message("t", &[1; 300], 0),
        message("t", &[2; 5000], 0),
        message("t", b"", 0),
    ]
    .concat();
    for at in (1..400).chain((400..whole.len()).step_by(97)) {
        let pieces = whole.chunks(at).map(<[u8]>::to_vec).collect();
        let (_client, mut messages) = once(pieces, nothing_more, usize::MAX).start().unwrap();
        for expected in [vec![1; 300], vec![2; 5000], Vec::new()] {
            assert!(messages.next().await.unwrap().payload == expected, "cut every {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_outlives_its_connection() {
    let (connector, mut net) = Net::local();
    let (client, _messages) = Client::over(connector).client_id("me").start().unwrap();
    let acked = client.publish("t", "x", QoS::AtLeastOnce, false);
    let mut peer = net.accept().await;
    peer.open(false).await;
    let (_, _, first) = peer.publish().await;
    drop(peer);
    let mut peer = net.accept().await;
    peer.open(true).await;
    let Got::Publish { dup: true, id, .. } = peer.expect().await else { panic!() };
    assert_eq!(id, first);
    peer.puback(id).await;
    acked.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_abrupt_end_leaves_no_future_hanging() {
    let (connector, mut net) = Net::local();
    let (client, messages) = Client::over(connector).client_id("me").start().unwrap();
    let events = client.events();
    let pending = client.subscribe("t", QoS::AtLeastOnce);
    net.accept().await.open(false).await;
    drop((client, messages));
    assert!(matches!(pending.await, Err(Error::Closed)));
    let all: Vec<ClientEvent> = tokio_stream::StreamExt::collect(events).await;
    assert!(all.iter().all(|event| !matches!(event, ClientEvent::Stopped { .. })), "{all:?}");
}
