//! MQTT 3.1, where it is not MQTT 3.1.1. The standard of that time has no numbered statements.

use mqtt_device_proto::{
    ConnAck, Connect, DecodeErrorKind as Kind, EncodeError, Properties, ReasonCode, Role, Version,
};

use crate::{Checks, frame};
use Role::{Client, Server};

#[test]
fn v31() {
    let mut c = Checks::new(Version::V31, "");
    c.accepts("", Client, "10 .. <MQIsdp> 03 02 000A <p>");
    c.accepts("", Client, "10 .. <MQIsdp> 03 00 000A <p>");
    c.accepts("", Client, "10 .. <MQIsdp> 03 F6 000A <p> <will> <payload> <user> <password>");
    c.refuses("", Client, "10 .. <MQTT> 04 02 000A <p>", Kind::BadProtocolName, 2);
    c.refuses("", Client, "10 .. <MQTT> 03 02 000A <p>", Kind::BadProtocolName, 2);
    c.refuses("", Client, "10 .. <MQIsdp> 04 02 000A <p>", Kind::BadProtocolLevel(4), 10);
    // The length has precedence over the flags of user name and password.
    c.accepts_as("", Client, "10 .. <MQIsdp> 03 82 000A <p>", &frame("10 .. <MQIsdp> 03 02 000A <p>"));
    c.accepts_as("", Client, "10 .. <MQIsdp> 03 C2 000A <p>", &frame("10 .. <MQIsdp> 03 02 000A <p>"));
    c.accepts_as("", Client, "10 .. <MQIsdp> 03 C2 000A <p> <user>", &frame("10 .. <MQIsdp> 03 82 000A <p> <user>"));
    c.refuses("", Client, "10 .. <MQIsdp> 03 C2 000A <p> 00", Kind::FieldTruncated, 17);
    // The server is never asked to choose an identifier.
    c.refuses("", Client, "10 .. <MQIsdp> 03 02 000A <>", Kind::EmptyClientId, 14);
    c.cannot_send("", Connect::new(""), EncodeError::EmptyClientId);

    // The first byte of CONNACK is reserved, and nothing is asked of it.
    c.accepts("", Server, "20 .. 00 00");
    c.accepts("", Server, "20 .. 00 05");
    c.accepts_as("", Server, "20 .. 01 00", &[0x20, 2, 0, 0]);
    c.cannot_send(
        "",
        ConnAck { session_present: true, reason: ReasonCode::SUCCESS, properties: Properties::EMPTY },
        EncodeError::SessionPresentNotInThisVersion,
    );

    // A repeated request is marked with DUP.
    c.accepts_as("", Client, "8A .. 0001 <a> 00", &[0x82, 6, 0, 1, 0, 1, b'a', 0]);
    c.accepts_as("", Client, "AA .. 0001 <a>", &[0xA2, 5, 0, 1, 0, 1, b'a']);
    c.accepts_as("", Server, "6A .. 0001", &[0x62, 2, 0, 1]);
    c.refuses("", Server, "68 .. 0001", Kind::ReservedFlags, 0);
    c.finish();
}
