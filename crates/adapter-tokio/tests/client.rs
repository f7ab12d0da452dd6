//! The client over a scripted server, in virtual time: operations, messages, connecting and ending.

mod support;

use core::time::Duration;
use std::io::ErrorKind;

use mqtt_device_proto::Packet;
use mqtt_device_tokio::{
    Client, ClientEvent, Delivery, DisconnectReason, DropReason, Error, Failure, Outcome, PublishError, QoS,
    ReasonCode, Security, Will,
};
use support::{Got, Net};

const SOON: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn says_who_it_is_and_subscribes_to_what_was_declared() {
    let (connector, mut net) = Net::local();
    let builder = Client::over(connector)
        .client_id("me")
        .credentials("user", "secret")
        .will(Will::new("gone", "bye", QoS::AtLeastOnce))
        .subscribe("a/+", QoS::AtLeastOnce)
        .subscribe("b", QoS::AtMostOnce);
    let server = tokio::spawn(async move {
        let mut peer = net.accept().await;
        let connect = peer.open(false).await;
        (connect, peer.grant(2).await, peer)
    });
    let (client, _messages) = builder.connect().await.unwrap();
    assert!(client.is_ready() && client.is_connected());
    let (connect, filters, _peer) = server.await.unwrap();
    let expected = Got::Connect {
        client_id: "me".into(),
        username: Some("user".into()),
        password: Some(b"secret".to_vec()),
        clean: false,
        will: Some("gone".into()),
    };
    assert_eq!((connect, filters), (expected, vec!["a/+".to_owned(), "b".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn an_operation_ends_as_the_server_says() {
    let (connector, mut net) = Net::local();
    let (client, _messages) = Client::over(connector).client_id("me").start().unwrap();
    let mut peer = net.accept().await;
    peer.open(false).await;

    let sent = client.publish("t", "0", QoS::AtMostOnce, false).await;
    assert_eq!(sent.unwrap(), Delivery::Sent);
    assert_eq!(peer.publish().await.1, b"0");

    let acked = client.publish("t", "1", QoS::AtLeastOnce, true);
    let (_, _, id) = peer.publish().await;
    peer.puback(id).await;
    assert_eq!(acked.await.unwrap(), Delivery::Acked);

    let refused = client.subscribe("forbidden/#", QoS::AtLeastOnce);
    let Got::Subscribe { id, .. } = peer.expect().await else { panic!() };
    peer.suback(id, ReasonCode::UNSPECIFIED_ERROR).await;
    assert!(matches!(refused.await, Err(Error::NotDelivered(Outcome::Refused(ReasonCode::UNSPECIFIED_ERROR)))));

    let removed = client.unsubscribe("a");
    let Got::Unsubscribe { id, filters } = peer.expect().await else { panic!() };
    assert_eq!(filters, ["a"]);
    peer.unsuback(id).await;
    assert_eq!(removed.await.unwrap(), Delivery::Acked);

    let bad = client.publish("no/+/name", "", QoS::AtMostOnce, false);
    assert_eq!(bad.key(), None);
    assert!(matches!(bad.await, Err(Error::Publish(PublishError::Topic(_)))));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_future_cancels_nothing() {
    let (connector, mut net) = Net::local();
    let (client, _messages) = Client::over(connector).client_id("me").start().unwrap();
    drop(client.publish("t", "still sent", QoS::AtLeastOnce, false));
    let mut peer = net.accept().await;
    peer.open(false).await;
    assert_eq!(peer.publish().await.1, b"still sent");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_operation_never_leaves() {
    let (connector, mut net) = Net::local();
    let (client, _messages) = Client::over(connector).client_id("me").start().unwrap();
    let one = client.publish("t", "one", QoS::AtLeastOnce, false);
    let two = client.publish("t", "two", QoS::AtLeastOnce, false);
    assert!(client.cancel(one.key().unwrap()));
    assert!(!client.cancel(one.key().unwrap()), "it has ended");
    let mut peer = net.accept().await;
    peer.open(false).await;
    let (_, payload, id) = peer.publish().await;
    assert_eq!(payload, b"two");
    peer.puback(id).await;
    assert!(matches!(one.await, Err(Error::NotDelivered(Outcome::Dropped(DropReason::Cancelled)))));
    assert_eq!(two.await.unwrap(), Delivery::Acked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handles_publish_from_many_tasks_at_once() {
    let (connector, mut net) = Net::local();
    let (client, _messages) = Client::over(connector).client_id("me").start().unwrap();
    let server = tokio::spawn(async move {
        let mut peer = net.accept().await;
        peer.open(false).await;
        let mut seen = std::collections::HashMap::<String, Vec<u32>>::new();
        for _ in 0..8 * 50 {
            let (topic, payload, id) = peer.publish().await;
            peer.puback(id).await;
            seen.entry(topic).or_default().push(String::from_utf8(payload).unwrap().parse().unwrap());
        }
        seen
    });
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let client = client.clone();
            tokio::spawn(async move {
                for n in 0..50 {
                    let done = client.publish(&format!("t/{task}"), n.to_string(), QoS::AtLeastOnce, false).await;
                    assert_eq!(done.unwrap(), Delivery::Acked);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let seen = server.await.unwrap();
    assert_eq!(seen.len(), 8);
    assert!(seen.values().all(|numbers| *numbers == (0..50).collect::<Vec<_>>()), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_is_acknowledged_when_it_is_taken() {
    let (connector, mut net) = Net::local();
    let (_client, mut messages) = Client::over(connector).client_id("me").start().unwrap();
    let mut peer = net.accept().await;
    peer.open(false).await;
    peer.message("a", b"first", 7).await;
    peer.message("b", b"second", 8).await;
    peer.send(&Packet::PingResp).await;
    let first = messages.next().await.unwrap();
    assert_eq!((first.topic.as_str(), &first.payload[..], first.qos), ("a", &b"first"[..], QoS::AtLeastOnce));
    assert!(first.ack.is_none());
    assert_eq!(peer.expect().await, Got::PubAck(7));
    assert_eq!(&messages.next().await.unwrap().payload[..], b"second");
    assert_eq!(peer.expect().await, Got::PubAck(8));
}

#[tokio::test(start_paused = true)]
async fn manual_acknowledgements_leave_in_order_of_receipt() {
    let (connector, mut net) = Net::local();
    let (_client, mut messages) = Client::over(connector).client_id("me").manual_ack().start().unwrap();
    let mut peer = net.accept().await;
    peer.open(false).await;
    peer.message("a", b"first", 7).await;
    peer.message("a", b"second", 8).await;
    let first = messages.next().await.unwrap().ack.unwrap();
    let second = messages.next().await.unwrap().ack.unwrap();
    assert!(second.ack());
    assert!(first.ack());
    assert_eq!((peer.expect().await, peer.expect().await), (Got::PubAck(7), Got::PubAck(8)));
    // On another connection the token is worth nothing.
    peer.message("a", b"third", 9).await;
    let third = messages.next().await.unwrap().ack.unwrap();
    drop(peer);
    let mut peer = net.accept().await;
    peer.open(true).await;
    assert!(!third.ack());
}

#[tokio::test(start_paused = true)]
async fn large_payloads_arrive_whole_and_share_the_packet() {
    let (connector, mut net) = Net::local();
    let (_client, mut messages) = Client::over(connector).client_id("me").start().unwrap();
    let mut peer = net.accept().await;
    peer.open(false).await;
    let large: Vec<u8> = (0..200_000u32).map(|n| n.to_le_bytes()[0]).collect();
    let sent = large.clone();
    let server = tokio::spawn(async move {
        peer.message("large", &sent, 1).await;
        peer.message("small", b"s", 2).await;
        peer
    });
    let first = messages.next().await.unwrap();
    assert!(first.payload == large, "{} bytes", first.payload.len());
    assert_eq!(&messages.next().await.unwrap().payload[..], b"s");
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_oversized_message_is_skipped_and_reported() {
    let (connector, mut net) = Net::local();
    let (client, mut messages) =
        Client::over(connector).client_id("me").configure(|c| c.maximum_packet_size = 1000).start().unwrap();
    let mut events = client.events();
    let mut peer = net.accept().await;
    peer.open(false).await;
    // Its body looks like packets, which must not be taken for any.
    let body: Vec<u8> = [0x30, 0x03, 0, 1, b'x'].repeat(20_000);
    peer.message("huge", &body, 1).await;
    peer.message("after", b"it", 2).await;
    assert_eq!(peer.expect().await, Got::PubAck(1));
    assert_eq!(messages.next().await.unwrap().topic, "after");
    let over = loop {
        if let ClientEvent::Oversize { topic, total } = events.next().await.unwrap() {
            break (topic, total);
        }
    };
    assert_eq!(over, (Some("huge".into()), 100_000 + 2 + 4 + 2 + 4));
}

#[tokio::test(start_paused = true)]
async fn messages_of_qos_0_that_nobody_takes_are_dropped_and_counted() {
    let (connector, mut net) = Net::local();
    let (client, mut messages) = Client::over(connector).client_id("me").queue(4).start().unwrap();
    let mut events = client.events();
    let mut peer = net.accept().await;
    peer.open(false).await;
    for n in 0..10 {
        peer.message("t", &[n], 0).await;
    }
    peer.message("t", b"end", 3).await;
    let dropped = loop {
        if let ClientEvent::MessagesDropped { count: count @ 6.. } = events.next().await.unwrap() {
            break count;
        }
    };
    assert_eq!(dropped, 6);
    for n in 0..4 {
        assert_eq!(messages.next().await.unwrap().payload[..], [n]);
    }
    assert_eq!(messages.next().await.unwrap().payload[..], *b"end", "QoS 1 is never dropped");
}

#[tokio::test(start_paused = true)]
async fn a_lagging_consumer_of_events_is_told_what_it_missed() {
    let (connector, mut net) = Net::local();
    let (client, mut messages) = Client::over(connector).client_id("me").queue(3).start().unwrap();
    let mut events = client.events();
    let mut peer = net.accept().await;
    peer.open(false).await;
    assert!(matches!(events.next().await, Some(ClientEvent::Connected { .. })));
    assert!(matches!(events.next().await, Some(ClientEvent::Ready { .. })));
    for n in 0..20 {
        peer.message("t", &[n], 0).await;
    }
    peer.message("t", b"end", 3).await;
    while messages.next().await.unwrap().payload[..] != *b"end" {}
    // Three messages fit in their queue, 17 were dropped; three of the events that say so fit in theirs.
    assert!(matches!(events.next().await, Some(ClientEvent::Lagged(14))));
    assert!(matches!(events.next().await, Some(ClientEvent::MessagesDropped { count: 15 })));
}

#[tokio::test(start_paused = true)]
async fn stops_gracefully() {
    let (connector, mut net) = Net::local();
    let (client, mut messages) = Client::over(connector).client_id("me").start().unwrap();
    let mut peer = net.accept().await;
    peer.open(false).await;
    let last = client.publish("t", "last", QoS::AtLeastOnce, false);
    let server = tokio::spawn(async move {
        let (_, payload, id) = peer.publish().await;
        assert_eq!(payload, b"last");
        peer.puback(id).await;
        assert_eq!(peer.recv().await, Some(Got::Disconnect));
        assert_eq!(peer.recv().await, None);
    });
    assert!(client.stop(SOON).await.clean);
    server.await.unwrap();
    assert_eq!(last.await.unwrap(), Delivery::Acked);
    assert!(messages.next().await.is_none());
    assert!(matches!(client.publish("t", "", QoS::AtMostOnce, false).await, Err(Error::Closed)));
    assert!(client.stop(SOON).await.clean, "asked twice, answered twice");
}

#[tokio::test(start_paused = true)]
async fn a_stop_has_a_deadline() {
    let (connector, mut net) = Net::local();
    let (client, _messages) = Client::over(connector).client_id("me").start().unwrap();
    let mut peer = net.accept().await;
    peer.open(false).await;
    let never = client.publish("t", "never acknowledged", QoS::AtLeastOnce, false);
    peer.publish().await;
    assert!(!client.stop(SOON).await.clean);
    assert!(matches!(never.await, Err(Error::NotDelivered(Outcome::Dropped(DropReason::Stopped)))));
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_cuts_the_connection_without_a_goodbye() {
    let (connector, mut net) = Net::local();
    let (client, mut messages) = Client::over(connector).client_id("me").start().unwrap();
    let mut peer = net.accept().await;
    peer.open(false).await;
    let pending = client.publish("t", "", QoS::AtLeastOnce, false);
    peer.publish().await;
    drop(client);
    peer.message("t", b"still here", 1).await;
    assert!(messages.next().await.is_some());
    assert_eq!(peer.expect().await, Got::PubAck(1), "the stream of messages is a handle, too");
    drop(messages);
    assert_eq!(peer.recv().await, None);
    assert!(matches!(pending.await, Err(Error::Closed)));
}

#[tokio::test(start_paused = true)]
async fn tries_again_until_the_server_is_there() {
    let (connector, mut net) = Net::local();
    net.fail(&[ErrorKind::ConnectionRefused, ErrorKind::TimedOut, ErrorKind::Other]);
    let (client, _messages) = Client::over(connector).client_id("me").start().unwrap();
    let mut events = client.events();
    for failure in [Failure::Refused, Failure::Timeout, Failure::Other] {
        let Some(ClientEvent::Disconnected { reason, detail, retry_in }) = events.next().await else { panic!() };
        assert_eq!(reason, DisconnectReason::ConnectFailed(failure));
        assert!(detail.is_some() && retry_in.is_some());
    }
    let mut peer = net.accept().await;
    peer.open(false).await;
    assert!(matches!(events.next().await, Some(ClientEvent::Connected { session_present: false })));
    assert!(matches!(events.next().await, Some(ClientEvent::Ready { again: false })));
    drop(peer);
    assert!(matches!(events.next().await, Some(ClientEvent::Disconnected { reason: DisconnectReason::Transport, .. })));
    net.accept().await.open(true).await;
    assert!(matches!(events.next().await, Some(ClientEvent::Connected { session_present: true })));
    assert!(matches!(events.next().await, Some(ClientEvent::Ready { again: true })));
}

#[tokio::test(start_paused = true)]
async fn connect_gives_up_where_trying_again_is_of_no_use() {
    let (connector, mut net) = Net::local();
    let builder = Client::over(connector).client_id("me").credentials("user", "wrong");
    tokio::spawn(async move {
        let mut peer = net.accept().await;
        peer.expect().await;
        peer.connack(false, ReasonCode::BAD_USER_NAME_OR_PASSWORD).await;
        peer.recv().await;
    });
    let error = builder.connect().await.unwrap_err();
    let refused = DisconnectReason::Refused(ReasonCode::BAD_USER_NAME_OR_PASSWORD);
    assert!(matches!(error, Error::Connect { reason: Some(reason), .. } if reason == refused));
    assert_eq!(error.to_string(), "could not connect: the server refused the connection: Bad User Name or Password");
}

#[tokio::test(start_paused = true)]
async fn connect_gives_up_in_time() {
    let (connector, net) = Net::local();
    net.fail(&[ErrorKind::ConnectionRefused; 1000]);
    let error = Client::over(connector).client_id("me").connect_within(SOON).connect().await.unwrap_err();
    let refused = DisconnectReason::ConnectFailed(Failure::Refused);
    assert!(matches!(error, Error::Connect { reason: Some(reason), .. } if reason == refused), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_hanging_connector_is_given_up() {
    let connector = |_| core::future::pending();
    let (client, _messages) = Client::over(connector).client_id("me").start().unwrap();
    let mut events = client.events();
    let Some(ClientEvent::Disconnected { reason, .. }) = events.next().await else { panic!() };
    assert_eq!(reason, DisconnectReason::ConnectTimeout);
    assert!(!client.stop(SOON).await.clean);
}

#[tokio::test(start_paused = true)]
async fn servers_are_tried_in_turn() {
    let (connector, mut net) = Net::local();
    net.fail(&[ErrorKind::ConnectionRefused]);
    let (_client, _messages) = Client::over(connector).server("second").client_id("me").start().unwrap();
    assert_eq!(net.accept().await.server, 1);
}

#[tokio::test(start_paused = true)]
async fn credentials_stay_here_on_a_plain_transport() {
    let (connector, mut net) = Net::new(Security::Plain);
    let builder = Client::over(connector).client_id("me").credentials("user", "secret");
    let error = builder.connect().await.unwrap_err();
    let withheld = DisconnectReason::CredentialsWithheld(Security::Plain);
    assert!(matches!(error, Error::Connect { reason: Some(reason), .. } if reason == withheld));
    assert_eq!(net.accept().await.recv().await, None, "not one byte");

    let (connector, mut net) = Net::new(Security::Plain);
    let builder = Client::over(connector).client_id("me").credentials("user", "secret").allow_insecure_credentials();
    let (_client, _messages) = builder.start().unwrap();
    let Got::Connect { password, .. } = net.accept().await.open(false).await else { panic!() };
    assert_eq!(password.as_deref(), Some(&b"secret"[..]));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_breaks_the_protocol_is_left() {
    let (connector, mut net) = Net::local();
    let (client, _messages) = Client::over(connector).client_id("me").start().unwrap();
    let mut events = client.events();
    let mut peer = net.accept().await;
    peer.open(false).await;
    peer.raw(&[0xF7, 0xFF, 0xFF, 0xFF, 0xFF]).await;
    assert_eq!(peer.recv().await, None);
    drop(peer);
    let reason = loop {
        if let ClientEvent::Disconnected { reason, .. } = events.next().await.unwrap() {
            break reason;
        }
    };
    assert!(matches!(reason, DisconnectReason::Protocol(_)), "{reason:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_left_after_the_keep_alive() {
    let (connector, mut net) = Net::local();
    let (client, _messages) = Client::over(connector).client_id("me").start().unwrap();
    let mut events = client.events();
    let mut peer = net.accept().await;
    peer.open(false).await;
    assert_eq!(peer.expect().await, Got::PingReq);
    peer.send(&Packet::PingResp).await;
    assert_eq!(peer.expect().await, Got::PingReq);
    let reason = loop {
        if let ClientEvent::Disconnected { reason, .. } = events.next().await.unwrap() {
            break reason;
        }
    };
    assert_eq!(reason, DisconnectReason::KeepAliveTimeout);
}

#[test]
fn a_client_needs_a_runtime() {
    assert!(matches!(Client::builder("mqtt://localhost").start(), Err(Error::NoRuntime)));
}
