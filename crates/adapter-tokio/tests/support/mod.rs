//! A scripted server over in-memory pipes, spoken to packet by packet.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use core::future::{Ready, ready};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use mqtt_device_proto::{
    ConnAck, Packet, PacketId, Properties, PubAck, Publish, QoS, ReasonCode, ReasonCodes, Role, Status, SubAck,
    TopicName, UnsubAck, Version, frame_len,
};
use mqtt_device_tokio::{ConnectError, Link, Security, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

pub const V: Version = Version::V311;

/// The far end of a connector: every attempt that is not refused arrives here as a [`Peer`].
pub struct Net {
    incoming: mpsc::UnboundedReceiver<Peer>,
    failures: Arc<Mutex<VecDeque<io::ErrorKind>>>,
}

impl Net {
    /// A connector and its far end.
    pub fn new(security: Security) -> (impl FnMut(usize) -> Ready<Result<Link, ConnectError>> + Send + 'static, Self) {
        let (sender, incoming) = mpsc::unbounded_channel();
        let failures = Arc::new(Mutex::new(VecDeque::new()));
        let script = Arc::clone(&failures);
        let connector = move |server| {
            if let Some(kind) = script.lock().unwrap().pop_front() {
                return ready(Err(io::Error::from(kind).into()));
            }
            let (near, far) = tokio::io::duplex(64 * 1024);
            match sender.send(Peer::new(far, server)) {
                Ok(()) => ready(Ok(Link::new(near, security))),
                Err(_) => ready(Err(io::Error::from(io::ErrorKind::ConnectionRefused).into())),
            }
        };
        (connector, Self { incoming, failures })
    }

    pub fn local() -> (impl FnMut(usize) -> Ready<Result<Link, ConnectError>> + Send + 'static, Self) {
        Self::new(Security::Local)
    }

    /// The next attempts fail.
    pub fn fail(&self, kinds: &[io::ErrorKind]) {
        self.failures.lock().unwrap().extend(kinds);
    }

    /// The next connection.
    pub async fn accept(&mut self) -> Peer {
        self.incoming.recv().await.expect("the client still lives")
    }

    /// A connection that has come already.
    pub fn try_accept(&mut self) -> Option<Peer> {
        self.incoming.try_recv().ok()
    }
}

/// A packet from the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    Connect {
        client_id: String,
        username: Option<String>,
        password: Option<Vec<u8>>,
        clean: bool,
        will: Option<String>,
    },
    Publish {
        topic: String,
        payload: Vec<u8>,
        qos: QoS,
        retain: bool,
        dup: bool,
        id: u16,
    },
    PubAck(u16),
    Subscribe {
        id: u16,
        filters: Vec<String>,
    },
    Unsubscribe {
        id: u16,
        filters: Vec<String>,
    },
    PingReq,
    Disconnect,
}

/// The server's end of one connection.
pub struct Peer {
    stream: Box<dyn Transport>,
    read: Vec<u8>,
    /// Which server was asked for.
    pub server: usize,
    /// How many were passed over.
    pub heartbeats: u32,
}

pub fn id(id: u16) -> PacketId {
    PacketId::new(id).expect("not zero")
}

impl Peer {
    pub fn new(stream: impl Transport + 'static, server: usize) -> Self {
        Self { stream: Box::new(stream), read: Vec::new(), server, heartbeats: 0 }
    }

    /// The next packet; `None` when the client has closed.
    pub async fn recv(&mut self) -> Option<Got> {
        loop {
            if let Status::Complete(n) = frame_len(&self.read, 1 << 24).expect("a valid frame") {
                let frame: Vec<u8> = self.read.drain(..n).collect();
                let got = own(Packet::decode(&frame, V, Role::Client).expect("a valid packet"));
                if !matches!(&got, Got::Publish { topic, .. } if topic.ends_with("/heartbeat")) {
                    return Some(got);
                }
                self.heartbeats += 1;
                continue;
            }
            if self.stream.read_buf(&mut self.read).await.unwrap_or(0) == 0 {
                assert!(self.read.is_empty(), "the client closed within a packet: {:?}", self.read);
                return None;
            }
        }
    }

    /// The next packet, which must come.
    pub async fn expect(&mut self) -> Got {
        self.recv().await.expect("the client should not have closed")
    }

    /// The next PUBLISH, over pings.
    pub async fn publish(&mut self) -> (String, Vec<u8>, u16) {
        loop {
            match self.expect().await {
                Got::Publish { topic, payload, id, .. } => return (topic, payload, id),
                Got::PingReq => self.send(&Packet::PingResp).await,
                other => panic!("expected PUBLISH, got {other:?}"),
            }
        }
    }

    pub async fn send(&mut self, packet: &Packet<'_>) {
        self.raw(&encode(packet)).await;
    }

    pub async fn raw(&mut self, bytes: &[u8]) {
        // A client that is gone is the business of the next `recv`.
        let _ = self.stream.write_all(bytes).await;
    }

    pub async fn connack(&mut self, session_present: bool, reason: ReasonCode) {
        self.send(&Packet::ConnAck(ConnAck { session_present, reason, properties: Properties::EMPTY })).await;
    }

    pub async fn puback(&mut self, packet: u16) {
        self.raw(&puback(packet)).await;
    }

    pub async fn suback(&mut self, packet: u16, code: ReasonCode) {
        self.raw(&suback(packet, code)).await;
    }

    pub async fn unsuback(&mut self, packet: u16) {
        let codes = ReasonCodes::from_slice(&[]);
        self.send(&Packet::UnsubAck(UnsubAck { packet_id: id(packet), properties: Properties::EMPTY, codes })).await;
    }

    /// Sends a message: QoS 1 when `packet` is not zero.
    pub async fn message(&mut self, topic: &str, payload: &[u8], packet: u16) {
        self.raw(&message(topic, payload, packet)).await;
    }

    /// CONNECT is answered; returns it.
    pub async fn open(&mut self, session_present: bool) -> Got {
        let connect = self.expect().await;
        assert!(matches!(connect, Got::Connect { .. }), "{connect:?}");
        self.connack(session_present, ReasonCode::SUCCESS).await;
        connect
    }

    /// So many SUBSCRIBEs are granted; returns their filters.
    pub async fn grant(&mut self, n: usize) -> Vec<String> {
        let mut all = Vec::new();
        while all.len() < n {
            let Got::Subscribe { id, filters } = self.expect().await else { panic!("expected SUBSCRIBE") };
            assert_eq!(filters.len(), 1, "one filter a SUBSCRIBE");
            all.extend(filters);
            self.suback(id, ReasonCode::GRANTED_QOS_1).await;
        }
        all
    }
}

pub fn encode(packet: &Packet<'_>) -> Vec<u8> {
    let mut out = vec![0; packet.encoded_len(V).unwrap()];
    packet.encode(V, &mut out).unwrap();
    out
}

pub fn connack(session_present: bool) -> Vec<u8> {
    let reason = ReasonCode::SUCCESS;
    encode(&Packet::ConnAck(ConnAck { session_present, reason, properties: Properties::EMPTY }))
}

pub fn puback(packet: u16) -> Vec<u8> {
    encode(&Packet::PubAck(PubAck::new(id(packet))))
}

pub fn suback(packet: u16, code: ReasonCode) -> Vec<u8> {
    let codes = ReasonCodes::from_slice(core::slice::from_ref(&code));
    encode(&Packet::SubAck(SubAck { packet_id: id(packet), properties: Properties::EMPTY, codes }))
}

/// A message with QoS 1 when `packet` is not zero.
pub fn message(topic: &str, payload: &[u8], packet: u16) -> Vec<u8> {
    let mut publish = Publish::new(TopicName::new(topic).unwrap(), payload);
    if packet > 0 {
        publish.qos = QoS::AtLeastOnce;
        publish.packet_id = Some(id(packet));
    }
    encode(&Packet::Publish(publish))
}

pub fn own(packet: Packet<'_>) -> Got {
    match packet {
        Packet::Connect(c) => Got::Connect {
            client_id: c.client_id.to_owned(),
            username: c.username.map(str::to_owned),
            password: c.password.map(<[u8]>::to_vec),
            clean: c.clean_start,
            will: c.will.map(|w| w.topic.as_str().to_owned()),
        },
        Packet::Publish(p) => Got::Publish {
            topic: p.topic.as_str().to_owned(),
            payload: p.payload.to_vec(),
            qos: p.qos,
            retain: p.retain,
            dup: p.dup,
            id: p.packet_id.map_or(0, PacketId::get),
        },
        Packet::PubAck(a) => Got::PubAck(a.packet_id.get()),
        Packet::Subscribe(s) => Got::Subscribe {
            id: s.packet_id.get(),
            filters: s.filters.iter().map(|s| s.filter.as_str().to_owned()).collect(),
        },
        Packet::Unsubscribe(u) => Got::Unsubscribe {
            id: u.packet_id.get(),
            filters: u.filters.iter().map(|f| f.as_str().to_owned()).collect(),
        },
        Packet::PingReq => Got::PingReq,
        Packet::Disconnect(_) => Got::Disconnect,
        other => panic!("a client does not send {other:?}"),
    }
}
