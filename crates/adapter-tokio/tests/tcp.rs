//! The client over TCP on loopback: addresses, credentials, failures.

mod support;

use mqtt_device_tokio::{Client, ClientEvent, Delivery, DisconnectReason, Failure, QoS};
use support::{Got, Peer};
use tokio::net::TcpListener;

#[tokio::test]
async fn speaks_over_tcp_and_loopback_is_no_network() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("mqtt://localhost:{}", listener.local_addr().unwrap().port());
    let server = tokio::spawn(async move {
        let mut peer = Peer::new(listener.accept().await.unwrap().0, 0);
        let connect = peer.open(false).await;
        let (_, payload, id) = peer.publish().await;
        peer.puback(id).await;
        peer.message("large", &payload, 1).await;
        assert_eq!(peer.expect().await, Got::PubAck(1));
        assert_eq!(peer.recv().await, Some(Got::Disconnect));
        assert_eq!(peer.recv().await, None);
        connect
    });
    let builder = Client::builder(url).client_id("me").credentials("user", "secret");
    let (client, mut messages) = builder.connect().await.unwrap();
    let large: Vec<u8> = (0..500_000u32).map(|n| n.to_le_bytes()[0]).collect();
    let sent = client.publish("large", large.clone(), QoS::AtLeastOnce, false);
    assert!(messages.next().await.unwrap().payload == large);
    assert_eq!(sent.await.unwrap(), Delivery::Acked);
    assert!(client.stop(core::time::Duration::from_secs(30)).await.clean);
    let Got::Connect { password, .. } = server.await.unwrap() else { panic!() };
    assert_eq!(password.as_deref(), Some(&b"secret"[..]));
}

async fn failure(url: String) -> Option<Failure> {
    let (client, _messages) = Client::builder(url).client_id("me").start().unwrap();
    let mut events = client.events();
    match events.next().await {
        Some(ClientEvent::Disconnected { reason: DisconnectReason::ConnectFailed(f), detail: Some(_), .. }) => Some(f),
        _ => None,
    }
}

#[tokio::test]
async fn says_why_a_server_cannot_be_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert_eq!(failure(address.to_string()).await, Some(Failure::Refused));
    // A name with an empty label is none that a resolver could know, wherever it asks.
    assert_eq!(failure("mqtt://no..name".into()).await, Some(Failure::Dns));
}
