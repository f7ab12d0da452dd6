//! The packets, written by hand from the standards.

/// Where messages are published.
pub const TOPIC: &str = "factory/line-07/cell-12/sensor/temp-0042";
/// The packet identifier of every packet that has one.
pub const ID: u16 = 0x1234;
/// What is subscribed to, with the QoS.
pub const FILTERS: [(&str, u8); 5] = [
    ("factory/line-07/+/sensor/#", 1),
    ("factory/line-08/cell-01/cmd", 2),
    ("factory/alarms/#", 0),
    ("factory/line-07/cell-12/cfg/+", 1),
    ("factory/time", 0),
];
/// Fields of CONNECT.
pub const CLIENT_ID: &str = "device-000000042";
pub const KEEP_ALIVE: u16 = 60;
pub const WILL_TOPIC: &str = "factory/line-07/cell-12/state";
pub const WILL_PAYLOAD: &[u8] = b"{\"state\":\"offline\"}";
pub const USERNAME: &str = "device-user-42";
pub const PASSWORD: &str = "s3cr3t-passw0rd-0123456789";
/// Properties of the MQTT 5 PUBLISH: with the Payload Format Indicator there are six.
pub const EXPIRY: u32 = 3600;
pub const CONTENT_TYPE: &str = "application/json";
pub const RESPONSE_TOPIC: &str = "factory/line-07/resp/0042";
pub const CORRELATION: &[u8] = &[1, 2, 3, 4, 5, 6, 7, 8];
pub const USER_PROPERTY: (&str, &str) = ("site", "plant-7");

/// What is measured. The name in the tables has `v5-` in front for MQTT 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    Publish { qos: u8, payload: usize },
    PublishWithProperties,
    PubAck,
    Subscribe,
    Connect,
    Stream,
}

pub const CASES: [Case; 11] = [
    Case::Publish { qos: 0, payload: 64 },
    Case::Publish { qos: 0, payload: 1024 },
    Case::Publish { qos: 0, payload: 65536 },
    Case::Publish { qos: 1, payload: 64 },
    Case::Publish { qos: 1, payload: 1024 },
    Case::Publish { qos: 1, payload: 65536 },
    Case::PublishWithProperties,
    Case::PubAck,
    Case::Subscribe,
    Case::Connect,
    Case::Stream,
];

impl Case {
    /// The name in the tables.
    pub fn name(self, v5: bool) -> String {
        let prefix = if v5 { "v5-" } else { "" };
        let name = match self {
            Self::Publish { qos, payload: 1024 } => format!("publish-qos{qos}-1k"),
            Self::Publish { qos, payload: 65536 } => format!("publish-qos{qos}-64k"),
            Self::Publish { qos, payload } => format!("publish-qos{qos}-{payload}"),
            Self::PublishWithProperties => "publish-6-properties".to_owned(),
            Self::PubAck => "puback".to_owned(),
            Self::Subscribe => "subscribe-5".to_owned(),
            Self::Connect => "connect".to_owned(),
            Self::Stream => "stream".to_owned(),
        };
        format!("{prefix}{name}")
    }

    /// The bytes and the number of packets in them; `None` where the version has no such packet.
    pub fn wire(self, v5: bool) -> Option<(Vec<u8>, usize)> {
        Some(match self {
            Self::Publish { qos, payload } => (publish(v5, TOPIC, qos, payload), 1),
            Self::PublishWithProperties if v5 => (publish_with_properties(), 1),
            Self::PublishWithProperties => return None,
            Self::PubAck => (vec![0x40, 2, 0x12, 0x34], 1),
            Self::Subscribe => (subscribe(v5), 1),
            Self::Connect => (connect(v5), 1),
            Self::Stream => stream(v5),
        })
    }
}

/// Letters.
pub fn payload(len: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(len).collect()
}

fn field(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(u16::try_from(bytes.len()).unwrap().to_be_bytes());
    out.extend(bytes);
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut len = body.len();
    while len >= 128 {
        out.push(u8::try_from(len % 128).unwrap() | 0x80);
        len /= 128;
    }
    out.push(u8::try_from(len).unwrap());
    out.extend(body);
    out
}

fn publish(v5: bool, topic: &str, qos: u8, len: usize) -> Vec<u8> {
    let mut body = Vec::new();
    field(&mut body, topic.as_bytes());
    if qos > 0 {
        body.extend(ID.to_be_bytes());
    }
    if v5 {
        body.push(0);
    }
    body.extend(payload(len));
    packet(0x30 | qos << 1, &body)
}

fn publish_with_properties() -> Vec<u8> {
    let mut set = vec![0x01, 1, 0x02];
    set.extend(EXPIRY.to_be_bytes());
    for (id, value) in [(0x03, CONTENT_TYPE.as_bytes()), (0x08, RESPONSE_TOPIC.as_bytes()), (0x09, CORRELATION)] {
        set.push(id);
        field(&mut set, value);
    }
    set.push(0x26);
    field(&mut set, USER_PROPERTY.0.as_bytes());
    field(&mut set, USER_PROPERTY.1.as_bytes());
    let mut body = Vec::new();
    field(&mut body, TOPIC.as_bytes());
    body.extend(ID.to_be_bytes());
    body.push(u8::try_from(set.len()).unwrap());
    body.extend(set);
    body.extend(payload(64));
    packet(0x32, &body)
}

fn subscribe(v5: bool) -> Vec<u8> {
    let mut body = ID.to_be_bytes().to_vec();
    if v5 {
        body.push(0);
    }
    for (filter, qos) in FILTERS {
        field(&mut body, filter.as_bytes());
        body.push(qos);
    }
    packet(0x82, &body)
}

fn connect(v5: bool) -> Vec<u8> {
    let mut body = Vec::new();
    field(&mut body, b"MQTT");
    // User name, password, will with QoS 1, clean.
    body.extend([if v5 { 5 } else { 4 }, 0xCE]);
    body.extend(KEEP_ALIVE.to_be_bytes());
    if v5 {
        body.push(0);
    }
    field(&mut body, CLIENT_ID.as_bytes());
    if v5 {
        body.push(0);
    }
    for value in [WILL_TOPIC.as_bytes(), WILL_PAYLOAD, USERNAME.as_bytes(), PASSWORD.as_bytes()] {
        field(&mut body, value);
    }
    packet(0x10, &body)
}

/// One MiB of what a server sends to a busy client.
fn stream(v5: bool) -> (Vec<u8>, usize) {
    let suback: &[u8] = if v5 { &[0x12, 0x34, 0, 1, 1] } else { &[0x12, 0x34, 1, 1] };
    let ack = |first| packet(first, &ID.to_be_bytes());
    let round = [
        publish(v5, TOPIC, 0, 64),
        publish(v5, TOPIC, 1, 64),
        ack(0x40),
        ack(0x40),
        publish(v5, "a/b/c", 1, 16),
        packet(0xD0, &[]),
        ack(0x50),
        ack(0x62),
        ack(0x70),
        packet(0x90, suback),
        publish(v5, TOPIC, 0, 200),
    ];
    let bytes = round.concat();
    let rounds = (1usize << 20).div_ceil(bytes.len());
    (bytes.repeat(rounds), round.len() * rounds)
}
