//! A session on a table: what it says is decoded, what it is told is encoded; no link, no server, no time of its own.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

pub mod device;

use mqtt_device_core::proto::{
    ConnAck, Filters, Packet, PacketId, Properties, PubAck, Publish, ReasonCode, ReasonCodes, Role, Status, SubAck,
    Will, frame_len,
};
use mqtt_device_core::{
    Config, Credentials, Event, Instant, NoRoom, QoS, Security, Session, Source, Storage, Subscription, TopicFilter,
    TopicName, Version,
};

pub const V: Version = Version::V311;

/// Who the tests are.
#[derive(Default)]
pub struct Me {
    pub filters: Vec<&'static str>,
    pub password: Option<&'static str>,
    pub body: Vec<u8>,
}

impl Source for Me {
    fn credentials<'s>(&'s self, _: Option<u64>, _: &'s mut [u8]) -> Result<Credentials<'s>, NoRoom> {
        let will = Some(Will {
            qos: QoS::AtLeastOnce,
            retain: true,
            topic: TopicName::new("me/status").unwrap(),
            payload: b"gone",
            properties: Properties::EMPTY,
        });
        let password = self.password.map(str::as_bytes);
        Ok(Credentials { client_id: "me", username: password.map(|_| "user"), password, will })
    }
    fn subscription<'s>(&'s self, index: u16, _: &'s mut [u8]) -> Option<Subscription<'s>> {
        let filter = TopicFilter::new(self.filters.get(usize::from(index))?).unwrap();
        Some(Subscription::new(filter, QoS::AtLeastOnce))
    }
    fn body(&self, _: mqtt_device_core::BodyToken, _: Option<u64>, window: &mut mqtt_device_core::json::Window<'_>) {
        window.write(&self.body);
    }
}

/// A packet that the session said, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Connect { clean_start: bool },
    Publish { topic: String, payload: Vec<u8>, qos: QoS, retain: bool, dup: bool, id: Option<u16> },
    PubAck(u16),
    PubComp(u16),
    Subscribe(u16, Vec<String>),
    Unsubscribe(u16, Vec<String>),
    PingReq,
    Disconnect,
}

/// One session and the bytes on the table.
pub struct Table<S: Storage> {
    pub session: Session<S>,
    pub me: Me,
    pub now: Instant,
    pub tx: usize,
}

impl<S: Storage> Table<S> {
    pub fn new(config: Config, storage: S) -> Self {
        Self { session: Session::new(config, storage), me: Me::default(), now: Instant::from_millis(1_000), tx: 512 }
    }

    /// A connection that the server has accepted.
    pub fn connect(&mut self, session_present: bool) -> Vec<Said> {
        self.session.connected(self.now, Security::Local);
        assert!(matches!(self.say()[..], [Said::Connect { .. }]));
        self.accept(session_present)
    }

    pub fn accept(&mut self, session_present: bool) -> Vec<Said> {
        let reason = ReasonCode::SUCCESS;
        let ack = ConnAck { session_present, reason, properties: Properties::EMPTY };
        self.hear(Packet::ConnAck(ack));
        self.say()
    }

    /// Takes, flushes and decodes all that is to be said.
    pub fn say(&mut self) -> Vec<Said> {
        let bytes = self.take();
        self.session.transmitted(self.now, bytes.len());
        decode(&bytes)
    }

    /// Takes all that is to be said, without flushing it.
    pub fn take(&mut self) -> Vec<u8> {
        let mut all = vec![];
        while self.session.poll(self.now).transmit {
            let mut out = vec![0; self.tx];
            let taken = self.session.take_transmit(self.now, &self.me, &mut out);
            let body = taken.body.as_ref().map_or(&[][..], |b| b.as_ref());
            let actions = self.session.poll(self.now);
            assert!(taken.len + body.len() > 0 || actions.close, "transmit was promised");
            all.extend_from_slice(&out[..taken.len]);
            all.extend_from_slice(body);
        }
        all
    }

    /// Gives the session one packet; the messages and facts that come of it.
    pub fn hear(&mut self, packet: Packet<'_>) -> Option<Heard> {
        let bytes = encode(packet);
        self.hear_bytes(&bytes)
    }

    pub fn hear_bytes(&mut self, bytes: &[u8]) -> Option<Heard> {
        let progress = self.session.handle_input(self.now, bytes).expect("no protocol error");
        assert_eq!((progress.consumed, progress.blocked), (bytes.len(), None));
        progress.event.map(|event| match event {
            Event::Connected { session_present } => Heard::Connected(session_present),
            Event::Message(m) => Heard::Message(m.payload.to_vec(), m.dup, m.ack),
            Event::Oversize(o) => Heard::Oversize(o.topic.map(|t| t.as_str().to_owned()), o.total),
            other => panic!("{other:?}"),
        })
    }

    pub fn puback(&mut self, id: u16) {
        let packet_id = PacketId::new(id).unwrap();
        let ack = PubAck { packet_id, reason: ReasonCode::SUCCESS, properties: Properties::EMPTY };
        assert_eq!(self.hear(Packet::PubAck(ack)), None);
    }

    pub fn suback(&mut self, id: u16, code: ReasonCode) {
        let codes = [code];
        let codes = ReasonCodes::from_slice(&codes);
        let ack = SubAck { packet_id: PacketId::new(id).unwrap(), properties: Properties::EMPTY, codes };
        assert_eq!(self.hear(Packet::SubAck(ack)), None);
    }

    pub fn lose(&mut self) {
        self.session.disconnected();
    }

    pub fn outcomes(&mut self) -> Vec<(u32, mqtt_device_core::Outcome)> {
        std::iter::from_fn(|| self.session.poll_outcome()).map(|(key, o)| (key.as_u32(), o)).collect()
    }

    pub fn pass(&mut self, ms: u64) {
        self.now = Instant::from_millis(self.now.as_millis() + ms);
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Connected(bool),
    Message(Vec<u8>, bool, Option<mqtt_device_core::AckToken>),
    Oversize(Option<String>, u32),
}

pub fn message(topic: &'static str, payload: &'static [u8], id: u16) -> Packet<'static> {
    Packet::Publish(Publish {
        dup: false,
        qos: if id == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce },
        retain: false,
        topic: TopicName::new(topic).unwrap(),
        packet_id: PacketId::new(id),
        properties: Properties::EMPTY,
        payload,
    })
}

pub fn encode(packet: Packet<'_>) -> Vec<u8> {
    let mut out = vec![0; packet.encoded_len(V).unwrap()];
    let n = packet.encode(V, &mut out).unwrap();
    assert_eq!(n, out.len());
    out
}

pub fn decode(mut bytes: &[u8]) -> Vec<Said> {
    let mut said = vec![];
    while !bytes.is_empty() {
        let Ok(Status::Complete(n)) = frame_len(bytes, u32::MAX) else { panic!("not a packet: {bytes:02x?}") };
        said.push(match Packet::decode(&bytes[..n], V, Role::Client).expect("valid packets only") {
            Packet::Connect(c) => Said::Connect { clean_start: c.clean_start },
            Packet::Publish(p) => Said::Publish {
                topic: p.topic.as_str().to_owned(),
                payload: p.payload.to_vec(),
                qos: p.qos,
                retain: p.retain,
                dup: p.dup,
                id: p.packet_id.map(PacketId::get),
            },
            Packet::PubAck(a) => Said::PubAck(a.packet_id.get()),
            Packet::PubComp(a) => Said::PubComp(a.packet_id.get()),
            Packet::Subscribe(s) => Said::Subscribe(s.packet_id.get(), names(s.filters)),
            Packet::Unsubscribe(u) => {
                Said::Unsubscribe(u.packet_id.get(), u.filters.iter().map(|f| f.as_str().to_owned()).collect())
            }
            Packet::PingReq => Said::PingReq,
            Packet::Disconnect(_) => Said::Disconnect,
            other => panic!("a client never says {other:?}"),
        });
        bytes = &bytes[n..];
    }
    said
}

fn names(filters: Filters<'_>) -> Vec<String> {
    filters.iter().map(|s| s.filter.as_str().to_owned()).collect()
}

/// The tokens of a list of messages.
pub fn token(heard: Option<Heard>) -> mqtt_device_core::AckToken {
    match heard {
        Some(Heard::Message(_, _, Some(token))) => token,
        other => panic!("no message to acknowledge: {other:?}"),
    }
}
