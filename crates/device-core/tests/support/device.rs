//! A device on a table, packet by packet, with a server that answers what it is told to answer.

use super::{Said, decode, encode};
use mqtt_device_core::proto::{
    ConnAck, Packet, PacketId, Properties, PubAck, Publish, ReasonCode, ReasonCodes, SubAck,
};
use mqtt_device_core::*;

pub struct Me;

impl Profile for Me {
    fn api_key(&self) -> &str {
        "s3cret"
    }
    fn command(&self, index: usize) -> Option<CommandSpec<'_>> {
        [CommandSpec::new("read", "Read it"), CommandSpec::new("set", "Set it")].get(index).copied()
    }
}

pub struct Table<S: Storage, D: Tables> {
    pub device: Device<S, D>,
    pub now: Instant,
    pub next_id: u16,
    /// What was said, except acknowledgements of the server's messages.
    pub said: Vec<Said>,
    pub acks: Vec<u16>,
    pub heard: Vec<String>,
    pub tokens: Vec<CommandToken>,
    pub notices: Vec<Notice>,
    pub outcomes: Vec<(MessageKey, Outcome)>,
}

pub const PREFIX: &str = "lua/devices/a1/d1/";

pub type FixedTable = Table<Fixed<2048, 24, 24>, FixedTables<6, 256>>;

pub fn fixed() -> FixedTable {
    Table::new(Fixed::new(), FixedTables::new())
}

impl<S: Storage, D: Tables> Table<S, D> {
    pub fn new(storage: S, tables: D) -> Self {
        let identity = Identity::new("a1", "d1").unwrap().with_group("g").unwrap();
        let mut config = Config::new(1);
        config.keep_alive = 60;
        let device = Device::new(config, DeviceConfig::new(), identity, storage, tables);
        Self {
            device,
            now: Instant::from_millis(5_000),
            next_id: 100,
            said: vec![],
            acks: vec![],
            heard: vec![],
            tokens: vec![],
            notices: vec![],
            outcomes: vec![],
        }
    }

    /// Does what the machine wants until it wants nothing more now.
    pub fn turn(&mut self) {
        loop {
            let actions = self.device.poll(self.now);
            if let (Some(_), false) = (actions.connect, actions.close) {
                self.device.connected(self.now, Security::Local);
                continue;
            }
            if actions.transmit {
                let mut out = [0; 1024];
                let n = self.device.take_transmit(self.now, &Me, &mut out).len;
                assert!(n > 0);
                self.device.transmitted(self.now, n);
                for said in decode(&out[..n]) {
                    if let Said::PubAck(id) = said { self.acks.push(id) } else { self.said.push(said) }
                }
                continue;
            }
            if actions.notify {
                self.notices.extend(std::iter::from_fn(|| self.device.poll_notice()));
                self.outcomes.extend(std::iter::from_fn(|| self.device.poll_outcome()));
                continue;
            }
            if actions.close {
                self.device.disconnected(self.now);
                continue;
            }
            return;
        }
    }

    pub fn hear(&mut self, packet: Packet<'_>) {
        let bytes = encode(packet);
        let progress = self.device.handle_input(self.now, &bytes).unwrap();
        assert_eq!((progress.consumed, progress.blocked), (bytes.len(), None));
        if let Some(event) = progress.event {
            if let DeviceEvent::Command(command) = event {
                self.tokens.push(command.token);
            }
            self.heard.push(format!("{event:?}").split([' ', '(', '{']).next().unwrap().to_owned());
        }
        self.turn();
    }

    pub fn message(&mut self, suffix: &str, payload: &str, qos: QoS) -> u16 {
        let id = self.next_id;
        self.next_id += u16::from(qos != QoS::AtMostOnce);
        self.redeliver(suffix, payload, qos, id, false);
        id
    }

    pub fn redeliver(&mut self, suffix: &str, payload: &str, qos: QoS, id: u16, dup: bool) {
        let topic = format!("{PREFIX}{suffix}");
        let packet_id = PacketId::new(id).filter(|_| qos != QoS::AtMostOnce);
        let topic = TopicName::new(&topic).unwrap();
        let properties = Properties::EMPTY;
        let payload = payload.as_bytes();
        self.hear(Packet::Publish(Publish { dup, qos, retain: false, topic, packet_id, properties, payload }));
    }

    pub fn command(&mut self, id: &str) -> u16 {
        self.message("command", &format!(r#"{{"commandId":"{id}","command":"read"}}"#), QoS::AtLeastOnce)
    }

    pub fn answer(&mut self, index: usize, json: &str) {
        self.device.respond(self.now, self.tokens[index], Ok(json.as_bytes())).unwrap();
        self.turn();
    }

    /// Connects; the server answers everything that is asked.
    pub fn connect(&mut self, session_present: bool) {
        self.turn();
        if self.said.is_empty() {
            // The delay before the next attempt.
            let (at, timer) = self.device.next_timer().unwrap();
            assert_eq!(timer, Timer::Retry);
            self.now = at;
            self.turn();
        }
        assert!(matches!(self.said.pop(), Some(Said::Connect { clean_start: false })));
        let reason = ReasonCode::SUCCESS;
        self.hear(Packet::ConnAck(ConnAck { session_present, reason, properties: Properties::EMPTY }));
        self.grant();
    }

    /// Acknowledges what was said and is not acknowledged, and forgets it; the bodies by topic.
    pub fn grant(&mut self) -> Vec<(String, String)> {
        let mut bodies = vec![];
        while !self.said.is_empty() {
            for said in std::mem::take(&mut self.said) {
                match said {
                    Said::Subscribe(id, _) => {
                        let codes = [ReasonCode::GRANTED_QOS_1];
                        let codes = ReasonCodes::from_slice(&codes);
                        let packet_id = PacketId::new(id).unwrap();
                        self.hear(Packet::SubAck(SubAck { packet_id, properties: Properties::EMPTY, codes }));
                    }
                    Said::Publish { topic, payload, id, retain, .. } => {
                        let suffix = topic.strip_prefix(PREFIX).unwrap();
                        let retained = if retain { " retained" } else { "" };
                        bodies.push((format!("{suffix}{retained}"), String::from_utf8(payload).unwrap()));
                        if let Some(packet_id) = id.and_then(PacketId::new) {
                            let (reason, properties) = (ReasonCode::SUCCESS, Properties::EMPTY);
                            self.hear(Packet::PubAck(PubAck { packet_id, reason, properties }));
                        }
                    }
                    Said::PingReq => self.hear(Packet::PingResp),
                    other => panic!("{other:?}"),
                }
            }
        }
        bodies
    }

    pub fn responses(&mut self) -> Vec<String> {
        self.grant().into_iter().filter(|(topic, _)| topic == "response").map(|(_, body)| body).collect()
    }

    pub fn lose(&mut self) {
        self.device.disconnected(self.now);
        self.said.clear();
        self.acks.clear();
    }

    pub fn pass(&mut self, ms: u64) {
        self.now = self.now + Duration::from_millis(ms);
        self.turn();
    }
}

impl<S: Storage, D: Tables> Table<S, D> {
    pub fn with(config: Config, dc: DeviceConfig, storage: S, tables: D) -> Self {
        let identity = Identity::new("a1", "d1").unwrap().with_group("g").unwrap();
        let t = Self::new(storage, tables);
        // replaced below by the caller's configuration
        let _ = (config, dc, identity);
        t
    }
    pub fn raw(&mut self, packet: Packet<'_>) -> Progress<()> {
        let bytes = encode(packet);
        let p = self.device.handle_input(self.now, &bytes).unwrap();
        Progress { consumed: p.consumed, event: None, blocked: p.blocked }
    }
    pub fn spins(&mut self) -> Option<(Instant, Timer)> {
        self.turn();
        let a = self.device.poll(self.now);
        let busy =
            !a.transmit && !a.notify && !a.close && a.connect.is_none() && a.deadline.is_some_and(|at| at <= self.now);
        busy.then(|| self.device.next_timer().unwrap())
    }
}
pub fn puback(id: u16) -> Packet<'static> {
    Packet::PubAck(PubAck {
        packet_id: PacketId::new(id).unwrap(),
        reason: ReasonCode::SUCCESS,
        properties: Properties::EMPTY,
    })
}
pub fn connack(session_present: bool) -> Packet<'static> {
    Packet::ConnAck(ConnAck { session_present, reason: ReasonCode::SUCCESS, properties: Properties::EMPTY })
}
pub fn cmd<'a>(topic: &'a str, payload: &'a str, id: u16, dup: bool) -> Packet<'a> {
    Packet::Publish(Publish {
        dup,
        qos: QoS::AtLeastOnce,
        retain: false,
        topic: TopicName::new(topic).unwrap(),
        packet_id: PacketId::new(id),
        properties: Properties::EMPTY,
        payload: payload.as_bytes(),
    })
}
