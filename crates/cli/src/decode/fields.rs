//! A packet as JSON: the standard's names, bytes as text where they are text.

use mqtt_device_proto::{
    Packet, Properties, Property, Publish, ReasonCode, ReasonCodes, RetainHandling, SubscribeOptions, Version, Will,
};
use serde_json::{Map, Value, json};

/// The fields of a packet, under the standard's names. Passwords and authentication data show their length alone.
pub(super) fn of(packet: &Packet<'_>, version: Version) -> Map<String, Value> {
    let (mut fields, properties) = match packet {
        Packet::Connect(p) => (
            object(json!({
                "cleanStart": p.clean_start, "keepAlive": p.keep_alive, "clientId": p.client_id,
                "will": p.will.as_ref().map(will), "username": p.username,
                "passwordBytes": p.password.map(<[u8]>::len),
            })),
            p.properties,
        ),
        Packet::ConnAck(p) => {
            let code = if version.has_properties() { Some(p.reason.as_u8()) } else { p.reason.as_return_code() };
            let fields = json!({"sessionPresent": p.session_present, "code": code, "reason": p.reason.to_string()});
            (object(fields), p.properties)
        }
        Packet::Publish(p) => (publish(p), p.properties),
        Packet::PubAck(p) => (answer(p.packet_id.get(), p.reason, version), p.properties),
        Packet::PubRec(p) => (answer(p.packet_id.get(), p.reason, version), p.properties),
        Packet::PubRel(p) => (answer(p.packet_id.get(), p.reason, version), p.properties),
        Packet::PubComp(p) => (answer(p.packet_id.get(), p.reason, version), p.properties),
        Packet::Subscribe(p) => {
            let filters = p.filters.iter().map(|s| options(s.filter.as_str(), s.options, version));
            let fields = json!({"packetId": p.packet_id.get(), "filters": filters.collect::<Vec<_>>()});
            (object(fields), p.properties)
        }
        Packet::SubAck(p) => (codes(p.packet_id.get(), &p.codes), p.properties),
        Packet::Unsubscribe(p) => {
            let filters: Vec<_> = p.filters.iter().map(|filter| filter.as_str()).collect();
            (object(json!({"packetId": p.packet_id.get(), "filters": filters})), p.properties)
        }
        Packet::UnsubAck(p) => (codes(p.packet_id.get(), &p.codes), p.properties),
        Packet::PingReq | Packet::PingResp => (Map::new(), Properties::EMPTY),
        Packet::Disconnect(p) => (reason(p.reason, version), p.properties),
        Packet::Auth(p) => (reason(p.reason, version), p.properties),
    };
    if version.has_properties() && !properties.is_empty() {
        fields.insert("properties".to_owned(), all(&properties));
    }
    fields.retain(|_, value| !value.is_null());
    fields
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}

fn publish(p: &Publish<'_>) -> Map<String, Value> {
    let mut fields = object(json!({
        "topic": p.topic.as_str(), "qos": p.qos.as_u8(), "retain": p.retain, "dup": p.dup,
        "packetId": p.packet_id.map(|id| id.get()),
    }));
    let (name, value) = payload(p.payload);
    fields.insert(name.to_owned(), value);
    fields
}

fn will(will: &Will<'_>) -> Value {
    let mut fields = object(json!({"topic": will.topic.as_str(), "qos": will.qos.as_u8(), "retain": will.retain}));
    let (name, value) = payload(will.payload);
    fields.insert(name.to_owned(), value);
    if !will.properties.is_empty() {
        fields.insert("properties".to_owned(), all(&will.properties));
    }
    fields.into()
}

/// A payload that is text, as text; any other as hexadecimal digits.
fn payload(bytes: &[u8]) -> (&'static str, Value) {
    match core::str::from_utf8(bytes) {
        Ok(text) => ("payload", text.into()),
        Err(_) => ("payloadHex", hex(bytes)),
    }
}

fn hex(bytes: &[u8]) -> Value {
    super::hex::write(bytes).into()
}

fn reason(reason: ReasonCode, version: Version) -> Map<String, Value> {
    if version.has_properties() {
        object(json!({"code": reason.as_u8(), "reason": reason.to_string()}))
    } else {
        Map::new()
    }
}

fn answer(packet_id: u16, code: ReasonCode, version: Version) -> Map<String, Value> {
    let mut fields = object(json!({"packetId": packet_id}));
    fields.append(&mut reason(code, version));
    fields
}

fn codes(packet_id: u16, codes: &ReasonCodes<'_>) -> Map<String, Value> {
    let (codes, reasons): (Vec<_>, Vec<_>) = codes.iter().map(|code| (code.as_u8(), code.to_string())).unzip();
    object(json!({"packetId": packet_id, "codes": codes, "reasons": reasons}))
}

fn options(filter: &str, options: SubscribeOptions, version: Version) -> Value {
    let mut fields = object(json!({"filter": filter, "qos": options.qos().as_u8()}));
    if version.has_properties() {
        let handling = match options.retain_handling() {
            RetainHandling::Send => 0,
            RetainHandling::SendIfNew => 1,
            RetainHandling::DoNotSend => 2,
        };
        fields.append(&mut object(json!({
            "noLocal": options.no_local(), "retainAsPublished": options.retain_as_published(), "retainHandling": handling,
        })));
    }
    fields.into()
}

/// A list of pairs, since user properties repeat and their order counts.
fn all(properties: &Properties<'_>) -> Value {
    properties.iter().map(|property| json!([property.id().name(), value(&property)])).collect()
}

fn value(property: &Property<'_>) -> Value {
    match *property {
        Property::PayloadFormatIndicator(is)
        | Property::RequestProblemInformation(is)
        | Property::RequestResponseInformation(is)
        | Property::RetainAvailable(is)
        | Property::WildcardSubscriptionAvailable(is)
        | Property::SubscriptionIdentifiersAvailable(is)
        | Property::SharedSubscriptionAvailable(is) => is.into(),
        Property::MessageExpiryInterval(n) | Property::SessionExpiryInterval(n) | Property::WillDelayInterval(n) => {
            n.into()
        }
        Property::ServerKeepAlive(n) | Property::TopicAliasMaximum(n) => n.into(),
        Property::ReceiveMaximum(n) | Property::TopicAlias(n) => n.get().into(),
        Property::SubscriptionIdentifier(n) | Property::MaximumPacketSize(n) => n.get().into(),
        Property::ContentType(text)
        | Property::AssignedClientIdentifier(text)
        | Property::AuthenticationMethod(text)
        | Property::ResponseInformation(text)
        | Property::ServerReference(text)
        | Property::ReasonString(text) => text.into(),
        Property::ResponseTopic(topic) => topic.as_str().into(),
        Property::CorrelationData(bytes) => hex(bytes),
        Property::AuthenticationData(secret) => format!("{} bytes", secret.len()).into(),
        Property::MaximumQoS(qos) => qos.as_u8().into(),
        Property::UserProperty(name, value) => json!([name, value]),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use mqtt_device_proto::Role;

    use super::*;

    fn shown(hex: &str, version: Version, role: Role) -> Value {
        let mut bytes = Vec::new();
        super::super::hex::read(hex, &mut bytes).unwrap();
        Value::Object(of(&Packet::decode(&bytes, version, role).unwrap(), version))
    }

    #[test]
    fn a_password_is_a_number_of_bytes() {
        let connect = "10 16 0004 4d515454 04 c2 003c 0001 63 0001 75 0004 68756768";
        let fields = json!({"cleanStart": true, "clientId": "c", "keepAlive": 60, "passwordBytes": 4, "username": "u"});
        assert_eq!(shown(connect, Version::V311, Role::Client), fields);
    }

    #[test]
    fn properties_stay_in_order_and_bytes_that_are_no_text_are_digits() {
        let publish = "32 16 0001 74 0007 0e 26 0001 61 0001 62 26 0001 61 0001 63 ff00";
        let fields = json!({
            "topic": "t", "qos": 1, "retain": false, "dup": false, "packetId": 7, "payloadHex": "ff00",
            "properties": [["User Property", ["a", "b"]], ["User Property", ["a", "c"]]],
        });
        assert_eq!(shown(publish, Version::V5, Role::Client), fields);
        assert_eq!(shown("e0 00", Version::V311, Role::Client), json!({}), "3.1.1 has no reason");
    }
}
