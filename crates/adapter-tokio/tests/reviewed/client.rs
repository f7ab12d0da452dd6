//! The plain client: nothing acknowledged that was not taken, nothing told late, nothing sized by the peer.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use mqtt_device_tokio::{
    Client, ClientEvent, DisconnectReason, Error, HeapLimits, Link, Messages, QoS, ReasonCode, Security,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::collect;
use super::support::{Got, Net, Peer, message, suback};

/// A server with a window that sends messages 1 to `last`, each until it is acknowledged.
struct Feeder {
    window: usize,
    unacknowledged: BTreeSet<u16>,
    /// On this connection.
    sent: BTreeSet<u16>,
    acknowledged: Vec<u16>,
    /// The client has closed this connection.
    closed: bool,
}

impl Feeder {
    fn new(window: usize, last: u16) -> Self {
        Self {
            window,
            unacknowledged: (1..=last).collect(),
            sent: BTreeSet::new(),
            acknowledged: Vec::new(),
            closed: false,
        }
    }

    /// The next connection.
    async fn accept(&mut self, net: &mut Net) -> Peer {
        self.sent.clear();
        self.closed = false;
        let mut peer = net.accept().await;
        peer.open(true).await;
        peer
    }

    /// Sends for as long as `within`.
    async fn feed(&mut self, peer: &mut Peer, within: Duration) {
        let end = tokio::time::Instant::now() + within;
        loop {
            let open = self.sent.intersection(&self.unacknowledged).count();
            let next: Vec<u16> = self.unacknowledged.difference(&self.sent).copied().take(self.window - open).collect();
            for n in next {
                peer.raw(&message("t", format!("m{n}").as_bytes(), n)).await;
                self.sent.insert(n);
            }
            match tokio::time::timeout_at(end, peer.recv()).await {
                Ok(Some(Got::PubAck(n))) => {
                    assert!(self.unacknowledged.remove(&n), "{n} is acknowledged twice");
                    self.acknowledged.push(n);
                }
                Ok(Some(_)) => {}
                Ok(None) => {
                    self.closed = true;
                    return;
                }
                Err(_) => return,
            }
        }
    }
}

async fn take_all(messages: &mut Messages) -> Vec<String> {
    let mut all = Vec::new();
    while let Ok(Some(message)) = tokio::time::timeout(Duration::from_millis(10), messages.next()).await {
        all.push(String::from_utf8(message.payload.to_vec()).unwrap());
    }
    all
}

fn names(range: core::ops::RangeInclusive<u16>) -> Vec<String> {
    range.map(|n| format!("m{n}")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_lagging_consumer_makes_a_server_with_a_large_window_wait() {
    let (connector, mut net) = Net::local();
    let (client, mut messages) = Client::over(connector).client_id("me").start().unwrap();
    let mut events = client.events();
    let mut feeder = Feeder::new(1000, 3000);
    let mut peer = feeder.accept(&mut net).await;
    feeder.feed(&mut peer, Duration::from_secs(40)).await;
    assert_eq!(feeder.acknowledged.len(), 0, "nobody has taken anything");
    let mut taken = Vec::new();
    for _ in 0..3 {
        taken.extend(take_all(&mut messages).await);
        feeder.feed(&mut peer, Duration::from_secs(1)).await;
    }
    assert_eq!(taken, names(1..=3000));
    assert_eq!(feeder.acknowledged, (1..=3000).collect::<Vec<_>>());
    while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(5), events.next()).await {
        let expected = matches!(event, ClientEvent::Connected { .. } | ClientEvent::Ready { .. });
        assert!(expected, "{event:?}");
    }
}

/// A server that never gets its acknowledgements stops for ever, once its window is full of them: what found no place is
/// fetched by a new connection, as soon as all that did is dealt with.
#[tokio::test(start_paused = true)]
async fn what_found_no_place_is_fetched_by_a_new_connection() {
    let limits = HeapLimits { inbound: 8, ..HeapLimits::default() };
    for bytes in [16 << 20, 10] {
        let (connector, mut net) = Net::local();
        let builder = Client::over(connector).client_id("me").limits(limits).queue_bytes(bytes);
        let (client, mut messages) = builder.start().unwrap();
        let mut events = client.events();
        let mut feeder = Feeder::new(20, 60);
        let mut seen = BTreeSet::new();
        for _ in 0..60 {
            let mut peer = feeder.accept(&mut net).await;
            while !feeder.unacknowledged.is_empty() && !feeder.closed {
                feeder.feed(&mut peer, Duration::from_millis(50)).await;
                seen.extend(take_all(&mut messages).await);
            }
            if feeder.unacknowledged.is_empty() {
                break;
            }
        }
        assert_eq!(feeder.acknowledged.len(), 60);
        assert_eq!(seen, names(1..=60).into_iter().collect());
        let (mut told, mut duplicate) = (0, 0);
        while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(5), events.next()).await {
            told += u32::from(matches!(
                event,
                ClientEvent::Disconnected { reason: DisconnectReason::Redelivery, retry_in: Some(_), .. }
            ));
            duplicate += u32::from(matches!(event, ClientEvent::PossibleDuplicateClient));
        }
        assert!(told > 0 && duplicate == 0, "{told} new connections");
    }
}

/// Nothing comes again on a session that ends with its connection: so it is not ended for that, and what finds no room is
/// dropped, counted and acknowledged.
#[tokio::test(start_paused = true)]
async fn a_session_that_is_not_kept_is_not_ended_for_what_found_no_place() {
    let limits = HeapLimits { inbound: 8, ..HeapLimits::default() };
    // Three topics and payloads of three bytes each fit into ten.
    for (bytes, dropped) in [(16 << 20, 0), (10, 60 - 3)] {
        let (connector, mut net) = Net::local();
        let (client, mut messages) = Client::over(connector).limits(limits).queue_bytes(bytes).start().unwrap();
        let mut events = client.events();
        let mut feeder = Feeder::new(20, 60);
        let mut peer = net.accept().await;
        peer.open(false).await;
        feeder.feed(&mut peer, Duration::from_secs(1)).await;
        let mut seen = take_all(&mut messages).await;
        feeder.feed(&mut peer, Duration::from_secs(1)).await;
        seen.extend(take_all(&mut messages).await);
        assert_eq!(feeder.acknowledged.len(), 60);
        assert_eq!(seen.len(), 60 - dropped, "{bytes} bytes: {seen:?}");
        let mut told = 0;
        while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(5), events.next()).await {
            assert!(!matches!(event, ClientEvent::Disconnected { .. }), "{event:?}");
            if let ClientEvent::MessagesDropped { count } = event {
                told = count;
            }
        }
        assert_eq!(told, dropped as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_taken_comes_again_once_and_in_order() {
    let (connector, mut net) = Net::local();
    let stable = |c: &mut mqtt_device_tokio::Config| c.stable_after = Duration::from_millis(1).into();
    let (_client, mut messages) = Client::over(connector).client_id("me").queue(4).configure(stable).start().unwrap();
    let mut feeder = Feeder::new(20, 40);
    for round in 0..6 {
        let mut peer = feeder.accept(&mut net).await;
        for _ in 0..100 {
            peer.message("noise", b"x", 0).await;
        }
        feeder.feed(&mut peer, Duration::from_millis(500)).await;
        assert_eq!(feeder.acknowledged.len(), 0, "round {round}");
    }
    let mut peer = feeder.accept(&mut net).await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        feeder.feed(&mut peer, Duration::from_millis(500)).await;
        seen.extend(take_all(&mut messages).await.into_iter().filter(|text| text != "x"));
    }
    feeder.feed(&mut peer, Duration::from_millis(500)).await;
    assert_eq!(seen, names(1..=40), "stale copies of earlier connections are gone");
    assert_eq!(feeder.acknowledged, (1..=40).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn with_manual_ack_nothing_is_acknowledged_that_the_application_holds() {
    let (connector, mut net) = Net::local();
    let (_client, mut messages) = Client::over(connector).client_id("me").manual_ack().start().unwrap();
    let mut peer = net.accept().await;
    peer.open(true).await;
    for n in 1..=80 {
        peer.message("t", b"x", n).await;
    }
    let mut held = Vec::new();
    for _ in 0..80 {
        held.push(messages.next().await.unwrap().ack.unwrap());
    }
    assert_eq!(collect(&mut peer, Duration::from_secs(1)).await, []);
    let given = held.into_iter().map(|ack| ack.ack()).filter(|&in_time| in_time).count();
    assert_eq!(given, 80);
    let acks = collect(&mut peer, Duration::from_secs(1)).await;
    assert_eq!(acks, (1..=80).map(Got::PubAck).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_stream_acknowledges_nothing() {
    for manual in [false, true] {
        let (connector, mut net) = Net::local();
        let builder = Client::over(connector).client_id("me");
        let builder = if manual { builder.manual_ack() } else { builder };
        let (client, messages) = builder.start().unwrap();
        let mut peer = net.accept().await;
        peer.open(true).await;
        for n in 1..=3 {
            peer.message("t", b"precious", n).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(messages);
        peer.message("t", b"late", 4).await;
        let got = collect(&mut peer, Duration::from_secs(1)).await;
        assert_eq!(got, [], "manual: {manual}");
        drop(client);
    }
}

/// Trap 22: a token that is lost is no silent stall.
#[tokio::test(start_paused = true)]
async fn a_dropped_ack_handle_is_told() {
    let (connector, mut net) = Net::local();
    let (client, mut messages) = Client::over(connector).client_id("me").manual_ack().start().unwrap();
    let mut peer = net.accept().await;
    peer.open(true).await;
    for n in 1..=2 {
        peer.message("t", b"x", n).await;
    }
    let (first, second) = (messages.next().await.unwrap(), messages.next().await.unwrap());
    let mut events = client.events();
    assert!(second.ack.unwrap().ack());
    drop(first);
    assert!(matches!(events.next().await, Some(ClientEvent::Unacknowledged { count: 1 })));
    let got = collect(&mut peer, Duration::from_secs(1)).await;
    assert_eq!(got, [Got::Disconnect], "it is to come again, and what stands behind it with it");
}

#[tokio::test(start_paused = true)]
async fn withheld_credentials_are_told_at_once() {
    let (connector, _net) = Net::new(Security::Plain);
    let began = tokio::time::Instant::now();
    let error = Client::over(connector).client_id("me").credentials("u", "p").connect().await.unwrap_err();
    assert!(matches!(error, Error::Connect { reason: Some(DisconnectReason::CredentialsWithheld(_)), .. }), "{error}");
    // The transport has half a second to close.
    assert!(began.elapsed() <= Duration::from_millis(500), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_topic_longer_than_a_buffer_is_published_at_once() {
    let (connector, mut net) = Net::local();
    let (client, _messages) = Client::over(connector).client_id("me").start().unwrap();
    let mut peer = net.accept().await;
    peer.open(false).await;
    let began = tokio::time::Instant::now();
    for len in [5000, 65_535] {
        let topic = "t".repeat(len);
        let published = client.publish(&topic, "x", QoS::AtLeastOnce, false);
        let (got, _, id) = peer.publish().await;
        assert!(got == topic, "{len}");
        peer.puback(id).await;
        published.await.unwrap();
    }
    assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn events_end_when_the_start_fails() {
    let builder = Client::builder("nonsense://x").client_id("me");
    let mut events = builder.events();
    assert!(builder.start().is_err());
    assert!(events.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn every_refused_subscription_is_told() {
    let (connector, mut net) = Net::local();
    let builder = Client::over(connector).client_id("me");
    let builder = (0..32).fold(builder, |builder, n| builder.subscribe(format!("f/{n}"), QoS::AtLeastOnce));
    let (client, _messages) = builder.start().unwrap();
    let mut events = client.events();
    let mut peer = net.accept().await;
    peer.open(false).await;
    let mut answers = Vec::new();
    for _ in 0..32 {
        let Got::Subscribe { id, .. } = peer.expect().await else { panic!() };
        answers.extend(suback(id, ReasonCode::UNSPECIFIED_ERROR));
    }
    peer.raw(&answers).await;
    assert!(matches!(events.next().await, Some(ClientEvent::Connected { .. })));
    for n in 0..32 {
        let Some(ClientEvent::SubscriptionRefused { filter, .. }) = events.next().await else { panic!("{n}") };
        assert_eq!(filter, format!("f/{n}"));
    }
}

/// What is sent in one write is told in its order: the last SUBACK makes the client ready, then messages come.
#[tokio::test(start_paused = true)]
async fn readiness_is_told_before_what_stands_behind_it() {
    let (connector, mut net) = Net::local();
    let (client, _messages) =
        Client::over(connector).client_id("me").queue(1).subscribe("f", QoS::AtLeastOnce).start().unwrap();
    let mut events = client.events();
    let mut peer = net.accept().await;
    peer.open(false).await;
    let Got::Subscribe { id, .. } = peer.expect().await else { panic!() };
    assert!(matches!(events.next().await, Some(ClientEvent::Connected { .. })));
    let mut all = suback(id, ReasonCode::SUCCESS);
    all.extend(message("t", b"1", 0));
    all.extend(message("t", b"2", 0));
    peer.raw(&all).await;
    let mut events = [events.next().await.unwrap(), events.next().await.unwrap()];
    // The queue of events is one long, so what was told first made room, and is counted.
    let last = events.last_mut().unwrap();
    assert!(matches!(last, ClientEvent::MessagesDropped { count: 1 }), "{events:?}");
    assert!(matches!(events[0], ClientEvent::Lagged(1)), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn connect_tries_every_server_before_it_gives_up() {
    let (connector, mut net) = Net::local();
    let server = tokio::spawn(async move {
        let mut asked = Vec::new();
        loop {
            let mut peer = net.accept().await;
            let _ = peer.expect().await;
            asked.push(peer.server);
            if peer.server == 0 {
                peer.connack(false, ReasonCode::NOT_AUTHORIZED).await;
            } else {
                peer.connack(false, ReasonCode::SUCCESS).await;
                return (asked, peer, net);
            }
        }
    });
    let long = Duration::from_secs(600);
    let connected = Client::over(connector).server("second").client_id("me").connect_within(long).connect().await;
    assert!(connected.is_ok(), "{:?}", connected.err());
    assert_eq!(server.await.unwrap().0, [0, 1]);
}

/// Records how much room its reader offers.
struct Sizes(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Sizes {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.1.fetch_max(buf.remaining(), Ordering::Relaxed);
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Sizes {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn no_length_that_a_peer_sends_sizes_anything() {
    let most = Arc::new(AtomicUsize::new(0));
    let (near, far) = tokio::io::duplex(4096);
    let (sizes, near) = (Arc::clone(&most), Mutex::new(Some(near)));
    let connect = move |_| {
        let near = near.lock().unwrap().take();
        let sizes = Arc::clone(&sizes);
        async move {
            let near = near.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            Ok(Link::new(Sizes(near, sizes), Security::Local))
        }
    };
    let (_client, mut messages) = Client::over(connect).client_id("me").start().unwrap();
    let mut peer = Peer::new(far, 0);
    peer.open(true).await;
    // PUBLISH of 1,000,000 bytes to "t", and for now no more than that.
    peer.raw(&[0x30, 0xC0, 0x84, 0x3D, 0, 1, b't']).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(most.load(Ordering::Relaxed) <= 4096, "{most:?}");
    peer.raw(&vec![7; 1_000_000 - 3]).await;
    assert_eq!(messages.next().await.unwrap().payload.len(), 1_000_000 - 3, "it is taken all the same");
    assert!(most.load(Ordering::Relaxed) <= 1 << 20, "{most:?}");
}

#[tokio::test(start_paused = true)]
async fn messages_that_wait_are_bounded_in_bytes() {
    let (connector, mut net) = Net::local();
    let (client, mut messages) = Client::over(connector).client_id("me").queue_bytes(100_000).start().unwrap();
    let mut events = client.events();
    let mut peer = net.accept().await;
    peer.open(false).await;
    for n in 0..10 {
        peer.message("t", &[n; 30_000], 0).await;
    }
    while !matches!(events.next().await, Some(ClientEvent::MessagesDropped { count: 7 })) {}
    for n in 0..3 {
        assert_eq!(messages.next().await.unwrap().payload[0], n);
    }
}

/// A copy of which the server knows nothing any more is the only one.
#[tokio::test(start_paused = true)]
async fn what_waits_survives_a_lost_session() {
    let (connector, mut net) = Net::local();
    let (_client, mut messages) = Client::over(connector).client_id("me").start().unwrap();
    for (present, text) in [(true, "first"), (false, "second"), (true, "third")] {
        let mut peer = net.accept().await;
        peer.open(present).await;
        peer.message("t", text.as_bytes(), 7).await;
        assert_eq!(collect(&mut peer, Duration::from_millis(100)).await, []);
    }
    let mut peer = net.accept().await;
    peer.open(true).await;
    // The server that lost its session with the first delivers the second and the third again.
    for (text, id) in [("second", 8), ("third", 9)] {
        peer.message("t", text.as_bytes(), id).await;
    }
    assert_eq!(collect(&mut peer, Duration::from_millis(100)).await, []);
    assert_eq!(take_all(&mut messages).await, ["first", "second", "third"]);
}

/// A full queue makes no reconnecting loop: what must be acknowledged takes the place of what need not be.
#[tokio::test(start_paused = true)]
async fn a_message_of_qos_1_finds_room_among_those_of_qos_0() {
    let (connector, mut net) = Net::local();
    let (client, mut messages) = Client::over(connector).client_id("me").queue_bytes(10_000).start().unwrap();
    let mut events = client.events();
    let mut peer = net.accept().await;
    peer.open(true).await;
    for _ in 0..20 {
        peer.message("noise", &[b'x'; 1000], 0).await;
    }
    peer.message("t", &[b'y'; 2000], 1).await;
    assert_eq!(collect(&mut peer, Duration::from_secs(100)).await, [Got::PingReq], "no DISCONNECT");
    let seen = take_all(&mut messages).await;
    assert_eq!(seen.iter().filter(|text| text.starts_with('y')).count(), 1);
    let mut dropped = 0;
    while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(5), events.next()).await {
        if let ClientEvent::MessagesDropped { count } = event {
            dropped = count;
        }
    }
    assert_eq!(seen.len() as u64 - 1 + dropped, 20, "the others are there, or were counted");
}

/// What is owed to the server's window does not cut a stop short.
#[tokio::test(start_paused = true)]
async fn a_stop_after_a_dropped_handle_lets_what_was_accepted_leave() {
    let (connector, mut net) = Net::local();
    let (client, mut messages) = Client::over(connector).client_id("me").manual_ack().start().unwrap();
    let mut peer = net.accept().await;
    peer.open(true).await;
    peer.message("t", b"x", 1).await;
    let message = messages.next().await.unwrap();
    let published = client.publish("out", "y", QoS::AtLeastOnce, false);
    drop(message);
    let server = async {
        let (topic, _, id) = peer.publish().await;
        assert_eq!(topic, "out");
        peer.puback(id).await;
        assert_eq!(peer.expect().await, Got::Disconnect);
        drop(peer);
    };
    let (stopped, ()) = tokio::join!(client.stop(Duration::from_secs(10)), server);
    published.await.unwrap();
    assert!(stopped.clean);
}
