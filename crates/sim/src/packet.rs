//! What the server received, in packets that own their bytes, so that a test can look at them afterwards.

use core::fmt;

use mqtt_device_proto::{Packet, PacketType, QoS, Will};

/// A message on its way through the server.
#[derive(Clone, PartialEq, Eq)]
pub struct ApplicationMessage {
    /// The topic.
    pub topic: String,
    /// The body.
    pub payload: Vec<u8>,
    /// The quality of service.
    pub qos: QoS,
    /// Whether the server keeps it, or gives it because it kept it.
    pub retain: bool,
}

impl ApplicationMessage {
    /// A message that is not retained.
    #[must_use]
    pub fn new(topic: &str, payload: &[u8], qos: QoS) -> Self {
        Self { topic: topic.into(), payload: payload.into(), qos, retain: false }
    }

    /// The body as text; empty when it is none.
    #[must_use]
    pub fn text(&self) -> &str {
        core::str::from_utf8(&self.payload).unwrap_or_default()
    }

    pub(crate) fn of_will(will: &Will<'_>) -> Self {
        Self { topic: will.topic.as_str().into(), payload: will.payload.into(), qos: will.qos, retain: will.retain }
    }
}

impl fmt::Debug for ApplicationMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(&self.payload);
        let shown: String = text.chars().take(80).collect();
        let more = if shown.len() < text.len() { "…" } else { "" };
        let retain = if self.retain { " retain" } else { "" };
        write!(f, "{} qos{}{retain} {shown:?}{more} ({} B)", self.topic, self.qos.as_u8(), self.payload.len())
    }
}

/// CONNECT, as far as a test may want to know. The password is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The Client Identifier.
    pub client_id: String,
    /// Clean Start, or Clean Session before MQTT 5.
    pub clean_start: bool,
    /// Keep Alive in seconds.
    pub keep_alive: u16,
    /// The user name.
    pub username: Option<String>,
    /// Whether there was a password.
    pub has_password: bool,
    /// The will.
    pub will: Option<ApplicationMessage>,
}

/// A packet that the server received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// CONNECT
    Connect(Hello),
    /// PUBLISH
    Publish {
        /// The packet identifier; none at QoS 0.
        id: Option<u16>,
        /// Whether it says that it is a repetition.
        dup: bool,
        /// What is published.
        message: ApplicationMessage,
    },
    /// PUBACK
    PubAck(u16),
    /// SUBSCRIBE
    Subscribe {
        /// The packet identifier.
        id: u16,
        /// The filters, with the QoS asked for.
        filters: Vec<(String, QoS)>,
    },
    /// UNSUBSCRIBE
    Unsubscribe {
        /// The packet identifier.
        id: u16,
        /// The filters.
        filters: Vec<String>,
    },
    /// PINGREQ
    PingReq,
    /// DISCONNECT
    Disconnect,
    /// Any other.
    Other(PacketType),
}

impl Seen {
    pub(crate) fn of(packet: &Packet<'_>) -> Self {
        match packet {
            Packet::Connect(c) => Self::Connect(Hello {
                client_id: c.client_id.into(),
                clean_start: c.clean_start,
                keep_alive: c.keep_alive,
                username: c.username.map(Into::into),
                has_password: c.password.is_some(),
                will: c.will.as_ref().map(ApplicationMessage::of_will),
            }),
            Packet::Publish(p) => Self::Publish {
                id: p.packet_id.map(|id| id.get()),
                dup: p.dup,
                message: ApplicationMessage {
                    topic: p.topic.as_str().into(),
                    payload: p.payload.into(),
                    qos: p.qos,
                    retain: p.retain,
                },
            },
            Packet::PubAck(ack) => Self::PubAck(ack.packet_id.get()),
            Packet::Subscribe(s) => Self::Subscribe {
                id: s.packet_id.get(),
                filters: s.filters.iter().map(|s| (s.filter.as_str().into(), s.options.qos())).collect(),
            },
            Packet::Unsubscribe(u) => Self::Unsubscribe {
                id: u.packet_id.get(),
                filters: u.filters.iter().map(|f| f.as_str().into()).collect(),
            },
            Packet::PingReq => Self::PingReq,
            Packet::Disconnect(_) => Self::Disconnect,
            other => Self::Other(other.packet_type()),
        }
    }

    /// The message of a PUBLISH.
    #[must_use]
    pub const fn message(&self) -> Option<&ApplicationMessage> {
        match self {
            Self::Publish { message, .. } => Some(message),
            _ => None,
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(c) => {
                write!(f, "CONNECT {} keep alive {} s", c.client_id, c.keep_alive)?;
                f.write_str(if c.clean_start { " clean" } else { "" })
            }
            Self::Publish { id, dup, message } => {
                let dup = if *dup { " DUP" } else { "" };
                match id {
                    Some(id) => write!(f, "PUBLISH #{id}{dup} {message:?}"),
                    None => write!(f, "PUBLISH{dup} {message:?}"),
                }
            }
            Self::PubAck(id) => write!(f, "PUBACK #{id}"),
            Self::Subscribe { id, filters } => {
                write!(f, "SUBSCRIBE #{id}")?;
                filters.iter().try_for_each(|(filter, qos)| write!(f, " {filter} qos{}", qos.as_u8()))
            }
            Self::Unsubscribe { id, filters } => write!(f, "UNSUBSCRIBE #{id} {}", filters.join(" ")),
            Self::PingReq => f.write_str("PINGREQ"),
            Self::Disconnect => f.write_str("DISCONNECT"),
            Self::Other(packet) => write!(f, "{packet}"),
        }
    }
}
