//! A packet as the fields it is made of on the wire, so that one of them can be spoilt. Written apart from the encoder.

use alloc::vec::Vec;

use super::properties::Place;
use crate::filters::{Filters, TopicFilters};
use crate::properties::Properties;
#[cfg(feature = "v5")]
use crate::property::{Property, PropertyId};
use crate::types::{PacketType, Version};
use crate::{Packet, ReasonCodes};

/// What a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    ProtocolName,
    ProtocolLevel,
    ConnectFlags,
    KeepAlive,
    PacketId,
    /// A string of which nothing more is asked.
    Text,
    ClientId,
    /// A topic name.
    Name,
    Filter,
    Options,
    Binary,
    ConnAckFlags,
    /// A return code or a reason code.
    Code,
    Properties,
    Payload,
}

/// How a length is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Length {
    #[default]
    Shortest,
    /// In a byte more than is needed.
    Padded,
    /// In five bytes.
    TooLong,
    /// Of so many bytes more than there are.
    #[cfg(feature = "v5")]
    More(usize),
}

/// One field, its length in front included.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) what: What,
    pub(super) bytes: Vec<u8>,
    /// Of properties alone.
    #[cfg_attr(not(feature = "v5"), expect(dead_code))]
    pub(super) set: Option<Set>,
}

/// A set of properties, each with its identifier in front.
#[derive(Clone, Debug)]
pub(super) struct Set {
    #[cfg_attr(not(feature = "v5"), expect(dead_code))]
    pub(super) place: Place,
    #[cfg(feature = "v5")]
    pub(super) items: Vec<(PropertyId, Vec<u8>)>,
    /// What stands behind them.
    #[cfg(feature = "v5")]
    pub(super) rest: Vec<u8>,
    #[cfg(feature = "v5")]
    pub(super) length: Length,
}

#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) first: u8,
    pub(super) length: Length,
    pub(super) fields: Vec<Field>,
}

/// `value` as a Variable Byte Integer.
pub(super) fn push_varint(out: &mut Vec<u8>, value: usize, length: Length) {
    #[cfg(feature = "v5")]
    let value = if let Length::More(more) = length { value.saturating_add(more) } else { value };
    let mut rest = value;
    let mut septets = Vec::new();
    loop {
        septets.push(u8::try_from(rest & 0x7F).unwrap_or(0));
        rest >>= 7;
        if rest == 0 {
            break;
        }
    }
    let len = match length {
        Length::Padded => septets.len().saturating_add(1),
        Length::TooLong => 5,
        _ => septets.len(),
    };
    septets.resize(len, 0);
    for (behind, septet) in (0..len).rev().zip(septets) {
        out.push(if behind == 0 { septet } else { septet | 0x80 });
    }
}

/// `content` with its two-byte length in front; `None` if that cannot say it.
pub(super) fn framed(content: &[u8]) -> Option<Vec<u8>> {
    let len = u16::try_from(content.len()).ok()?;
    let mut bytes = Vec::from(len.to_be_bytes());
    bytes.extend(content);
    Some(bytes)
}

impl Field {
    /// What is behind the length of a string or of binary data.
    pub(super) fn content(&self) -> &[u8] {
        self.bytes.get(2..).unwrap_or_default()
    }

    pub(super) fn set_content(&mut self, content: &[u8]) -> Option<()> {
        self.bytes = framed(content)?;
        Some(())
    }
}

impl Layout {
    /// The fields of a packet that can be encoded. What MQTT 5 lets one leave out is there, but for an empty AUTH.
    pub(super) fn of(packet: &Packet<'_>, version: Version) -> Option<Self> {
        let packet_type = packet.packet_type();
        let mut first = packet_type.first_byte();
        let mut fields = Fields { fields: Vec::new(), version, place: Place::Packet(packet_type) };
        match packet {
            Packet::Connect(p) => {
                fields.framed(What::ProtocolName, version.protocol_name().as_bytes())?;
                fields.byte(What::ProtocolLevel, version.level());
                let will = p.will.map_or(0, |will| 0x04 | will.qos.as_u8() << 3 | u8::from(will.retain) << 5);
                let secrets = u8::from(p.password.is_some()) << 6 | u8::from(p.username.is_some()) << 7;
                fields.byte(What::ConnectFlags, will | secrets | u8::from(p.clean_start) << 1);
                fields.short(What::KeepAlive, p.keep_alive);
                fields.properties(&p.properties)?;
                fields.framed(What::ClientId, p.client_id.as_bytes())?;
                if let Some(will) = &p.will {
                    fields.place = Place::Will;
                    fields.properties(&will.properties)?;
                    fields.framed(What::Name, will.topic.as_str().as_bytes())?;
                    fields.framed(What::Binary, will.payload)?;
                }
                if let Some(username) = p.username {
                    fields.framed(What::Text, username.as_bytes())?;
                }
                if let Some(password) = p.password {
                    fields.framed(What::Binary, password)?;
                }
            }
            Packet::ConnAck(p) => {
                fields.byte(What::ConnAckFlags, u8::from(p.session_present));
                let code = if version.has_properties() { Some(p.reason.as_u8()) } else { p.reason.as_return_code() };
                fields.byte(What::Code, code?);
                fields.properties(&p.properties)?;
            }
            Packet::Publish(p) => {
                first |= u8::from(p.dup) << 3 | p.qos.as_u8() << 1 | u8::from(p.retain);
                fields.framed(What::Name, p.topic.as_str().as_bytes())?;
                if let Some(packet_id) = p.packet_id {
                    fields.short(What::PacketId, packet_id.get());
                }
                fields.properties(&p.properties)?;
                fields.push(What::Payload, p.payload.into());
            }
            Packet::PubAck(p) => fields.ack(p.packet_id.get(), p.reason.as_u8(), &p.properties)?,
            Packet::PubRec(p) => fields.ack(p.packet_id.get(), p.reason.as_u8(), &p.properties)?,
            Packet::PubRel(p) => fields.ack(p.packet_id.get(), p.reason.as_u8(), &p.properties)?,
            Packet::PubComp(p) => fields.ack(p.packet_id.get(), p.reason.as_u8(), &p.properties)?,
            Packet::Subscribe(p) => {
                fields.short(What::PacketId, p.packet_id.get());
                fields.properties(&p.properties)?;
                fields.filters(&p.filters)?;
            }
            Packet::Unsubscribe(p) => {
                fields.short(What::PacketId, p.packet_id.get());
                fields.properties(&p.properties)?;
                fields.topic_filters(&p.filters)?;
            }
            Packet::SubAck(p) => {
                fields.short(What::PacketId, p.packet_id.get());
                fields.properties(&p.properties)?;
                fields.codes(&p.codes);
            }
            Packet::UnsubAck(p) => {
                fields.short(What::PacketId, p.packet_id.get());
                fields.properties(&p.properties)?;
                fields.codes(&p.codes);
            }
            Packet::PingReq | Packet::PingResp => {}
            Packet::Disconnect(p) => {
                if version.has_properties() {
                    fields.byte(What::Code, p.reason.as_u8());
                    fields.properties(&p.properties)?;
                }
            }
            Packet::Auth(p) => {
                if !p.properties.is_empty() {
                    fields.byte(What::Code, p.reason.as_u8());
                    fields.properties(&p.properties)?;
                }
            }
        }
        Some(Self { first, length: Length::Shortest, fields: fields.fields })
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let body = self.fields.iter().map(Field::bytes).collect::<Vec<_>>().concat();
        let mut out = alloc::vec![self.first];
        push_varint(&mut out, body.len(), self.length);
        out.extend(body);
        out
    }

    /// Where the fields are that `wanted` is true of.
    pub(super) fn all(&self, wanted: impl Fn(&Field) -> bool) -> Vec<usize> {
        (0..).zip(&self.fields).filter(|(_, field)| wanted(field)).map(|(at, _)| at).collect()
    }

    /// One of those.
    pub(super) fn any(&mut self, choice: u16, wanted: impl Fn(&Field) -> bool) -> Option<&mut Field> {
        let at = super::text::pick(&self.all(wanted), choice)?;
        self.fields.get_mut(at)
    }

    /// One of this kind.
    pub(super) fn field(&mut self, choice: u16, what: What) -> Option<&mut Field> {
        self.any(choice, |field| field.what == what)
    }
}

impl Field {
    pub(super) fn bytes(&self) -> Vec<u8> {
        #[cfg(feature = "v5")]
        if let Some(set) = &self.set {
            let mut body: Vec<u8> = set.items.iter().flat_map(|(_, bytes)| bytes).copied().collect();
            body.extend(&set.rest);
            let mut out = Vec::new();
            push_varint(&mut out, body.len(), set.length);
            out.extend(body);
            return out;
        }
        self.bytes.clone()
    }
}

/// Fields that are being put together.
struct Fields {
    fields: Vec<Field>,
    version: Version,
    place: Place,
}

impl Fields {
    fn push(&mut self, what: What, bytes: Vec<u8>) {
        self.fields.push(Field { what, bytes, set: None });
    }

    fn byte(&mut self, what: What, byte: u8) {
        self.push(what, Vec::from([byte]));
    }

    fn short(&mut self, what: What, value: u16) {
        self.push(what, value.to_be_bytes().into());
    }

    fn framed(&mut self, what: What, content: &[u8]) -> Option<()> {
        self.push(what, framed(content)?);
        Some(())
    }

    fn ack(&mut self, packet_id: u16, code: u8, properties: &Properties<'_>) -> Option<()> {
        self.short(What::PacketId, packet_id);
        if self.version.has_properties() {
            self.byte(What::Code, code);
            self.properties(properties)?;
        }
        Some(())
    }

    fn filters(&mut self, filters: &Filters<'_>) -> Option<()> {
        filters.iter().try_for_each(|subscription| {
            self.framed(What::Filter, subscription.filter.as_str().as_bytes())?;
            self.byte(What::Options, subscription.options.as_u8());
            Some(())
        })
    }

    fn topic_filters(&mut self, filters: &TopicFilters<'_>) -> Option<()> {
        filters.iter().try_for_each(|filter| self.framed(What::Filter, filter.as_str().as_bytes()))
    }

    fn codes(&mut self, codes: &ReasonCodes<'_>) {
        codes.iter().for_each(|code| self.byte(What::Code, code.as_u8()));
    }

    fn properties(&mut self, properties: &Properties<'_>) -> Option<()> {
        if !self.version.has_properties() {
            return Some(());
        }
        let set = Set {
            place: self.place,
            #[cfg(feature = "v5")]
            items: properties
                .iter()
                .map(|property| property_bytes(&property).map(|bytes| (property.id(), bytes)))
                .collect::<Option<_>>()?,
            #[cfg(feature = "v5")]
            rest: Vec::new(),
            #[cfg(feature = "v5")]
            length: Length::Shortest,
        };
        let _ = properties;
        self.fields.push(Field { what: What::Properties, bytes: Vec::new(), set: Some(set) });
        Some(())
    }
}

/// A property with its identifier in front.
#[cfg(feature = "v5")]
pub(super) fn property_bytes(property: &Property<'_>) -> Option<Vec<u8>> {
    let value: Vec<u8> = match *property {
        Property::PayloadFormatIndicator(flag)
        | Property::RequestProblemInformation(flag)
        | Property::RequestResponseInformation(flag)
        | Property::RetainAvailable(flag)
        | Property::WildcardSubscriptionAvailable(flag)
        | Property::SubscriptionIdentifiersAvailable(flag)
        | Property::SharedSubscriptionAvailable(flag) => alloc::vec![u8::from(flag)],
        Property::MaximumQoS(qos) => alloc::vec![qos.as_u8()],
        Property::ServerKeepAlive(number) | Property::TopicAliasMaximum(number) => number.to_be_bytes().into(),
        Property::ReceiveMaximum(number) | Property::TopicAlias(number) => number.get().to_be_bytes().into(),
        Property::MessageExpiryInterval(number)
        | Property::SessionExpiryInterval(number)
        | Property::WillDelayInterval(number) => number.to_be_bytes().into(),
        Property::MaximumPacketSize(number) => number.get().to_be_bytes().into(),
        Property::SubscriptionIdentifier(number) => {
            let mut bytes = Vec::new();
            push_varint(&mut bytes, usize::try_from(number.get()).ok()?, Length::Shortest);
            bytes
        }
        Property::ContentType(text)
        | Property::AssignedClientIdentifier(text)
        | Property::AuthenticationMethod(text)
        | Property::ResponseInformation(text)
        | Property::ServerReference(text)
        | Property::ReasonString(text) => framed(text.as_bytes())?,
        Property::ResponseTopic(name) => framed(name.as_str().as_bytes())?,
        Property::CorrelationData(data) | Property::AuthenticationData(data) => framed(data)?,
        Property::UserProperty(name, value) => [framed(name.as_bytes())?, framed(value.as_bytes())?].concat(),
    };
    Some([&[property.id().as_u8()][..], &value].concat())
}

/// The packet types of which the last field is not a list and not a payload: what is behind it is too many.
pub(super) fn ends(packet: PacketType, version: Version) -> bool {
    match packet {
        PacketType::Publish | PacketType::Subscribe | PacketType::Unsubscribe | PacketType::SubAck => false,
        PacketType::UnsubAck => !version.has_properties(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::test_runner::{Config, TestRunner};

    use super::*;
    use crate::Role;

    #[test]
    fn what_is_laid_out_is_the_packet() {
        let versions = [
            Version::V31,
            Version::V311,
            #[cfg(feature = "v5")]
            Version::V5,
        ];
        for (version, role) in versions.into_iter().flat_map(|v| [Role::Client, Role::Server].map(|role| (v, role))) {
            // Without a seed of its own: what fails here fails for the shortest packet of its kind.
            let mut runner = TestRunner::new(Config {
                cases: if cfg!(miri) { 2 } else { 1_000 },
                failure_persistence: None,
                ..Config::default()
            });
            let strategy = crate::strategy::packet(version, role);
            let result = runner.run(&strategy, |packet| {
                let bytes = Layout::of(&packet.as_borrowed(), version).unwrap().bytes();
                assert_eq!(Packet::decode(&bytes, version, role), Ok(packet.as_borrowed()));
                Ok(())
            });
            assert_eq!(result.map_err(|error| alloc::format!("{error}")), Ok(()), "{version} {role:?}");
        }
    }
}
