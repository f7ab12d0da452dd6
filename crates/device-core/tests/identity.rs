//! Names, topics, suffixes, secrets: what is refused, and what is made of the rest.

use mqtt_device_core::device::identity::{Identity, NameErrorKind, NameOf};
use mqtt_device_core::device::secret::Secret;
use mqtt_device_core::device::suffix::{Direction, Suffix};
use mqtt_device_proto::QoS;

fn greenhouse() -> Identity {
    Identity::new("agent-1", "greenhouse").expect("valid")
}

#[test]
fn the_names_make_client_id_username_and_topics() {
    let identity = greenhouse();
    let mut room = [0; 256];
    assert_eq!(identity.write_client_id(&mut room), Some("lua-agent-1-greenhouse"));
    assert_eq!(identity.client_id_len(), "lua-agent-1-greenhouse".len());
    assert_eq!(identity.write_username(&mut room), Some("agent-1:greenhouse"));
    assert_eq!(identity.username_len(), "agent-1:greenhouse".len());
    assert_eq!(identity.write_topic("command", &mut room), Some("lua/devices/agent-1/greenhouse/command"));
    assert_eq!(identity.topic_len("command"), "lua/devices/agent-1/greenhouse/command".len());
    assert_eq!((identity.agent(), identity.device(), identity.group()), ("agent-1", "greenhouse", None));
    let grouped = identity.with_group("north wing / A").expect("valid");
    assert_eq!(grouped.group(), Some("north wing / A"));
}

#[test]
fn what_does_not_fit_is_not_written_in_part() {
    let identity = greenhouse();
    for len in 0..identity.topic_len("trigger_ack") {
        assert_eq!(identity.write_topic("trigger_ack", &mut vec![0; len]), None);
    }
    assert!(identity.write_topic("trigger_ack", &mut vec![0; identity.topic_len("trigger_ack")]).is_some());
    assert_eq!(identity.write_client_id(&mut [0; 21]), None);
    assert_eq!(identity.write_username(&mut [0; 17]), None);
}

#[test]
fn names_that_could_reach_another_topic_are_refused_with_the_place() {
    for (name, kind, at) in [
        ("", NameErrorKind::Empty, 0),
        ("a/b", NameErrorKind::Forbidden('/'), 1),
        ("a+", NameErrorKind::Forbidden('+'), 1),
        ("#", NameErrorKind::Forbidden('#'), 0),
        ("é:b", NameErrorKind::Forbidden(':'), 2),
        ("a\0b", NameErrorKind::Control('\0'), 1),
        ("a\n", NameErrorKind::Control('\n'), 1),
        ("a\u{7f}", NameErrorKind::Control('\u{7f}'), 1),
        ("\u{85}", NameErrorKind::Control('\u{85}'), 0),
        (" a", NameErrorKind::OuterSpace, 0),
        ("ab ", NameErrorKind::OuterSpace, 2),
        ("a\u{2003}", NameErrorKind::OuterSpace, 1),
        (" ", NameErrorKind::OuterSpace, 0),
    ] {
        let error = Identity::new(name, "d").expect_err(name);
        assert_eq!((error.which, error.kind, error.at), (NameOf::Agent, kind, at), "{name:?}");
        let error = Identity::new("a", name).expect_err(name);
        assert_eq!((error.which, error.kind, error.at), (NameOf::Device, kind, at), "{name:?}");
    }
}

#[test]
fn names_have_at_most_64_bytes() {
    let most = "é".repeat(32);
    let identity = Identity::new(&most, &most).and_then(|identity| identity.with_group(&most)).expect("64 bytes");
    assert_eq!((identity.agent(), identity.device(), identity.group()), (&*most, &*most, Some(&*most)));
    for len in [65, 255, 256, 257, 320, 100_000] {
        let error = Identity::new(&"a".repeat(len), "d").expect_err("too long");
        assert_eq!((error.kind, error.at), (NameErrorKind::TooLong(len), 64));
    }
}

#[test]
fn a_group_may_have_what_is_no_topic_but_no_control_characters() {
    for group in ["a/b", "+", "#", "a:b", " a "] {
        assert_eq!(
            greenhouse().with_group(group).map(|identity| identity.group().map(str::len)),
            Ok(Some(group.len()))
        );
    }
    for (group, kind) in
        [("", NameErrorKind::Empty), ("a\0", NameErrorKind::Control('\0')), ("\t", NameErrorKind::Control('\t'))]
    {
        let error = greenhouse().with_group(group).expect_err(group);
        assert_eq!((error.which, error.kind), (NameOf::Group, kind));
    }
}

#[test]
fn an_error_says_which_name_what_is_wrong_where_and_what_to_do() {
    for (error, expected) in [
        (
            Identity::new("a/b", "d"),
            "the agent id has a '/' at byte 1, which has a meaning in topics or user names: leave out / + # and :",
        ),
        (Identity::new("a", ""), "the device name is empty: give it 1 to 64 bytes"),
        (Identity::new("a", &"x".repeat(70)), "the device name has 70 bytes: shorten it to at most 64"),
        (Identity::new("a", "b\0"), "the device name has the control character '\\0' at byte 1: leave it out"),
        (Identity::new("a ", "b"), "the agent id has white space at byte 1, at its end or beginning: trim it"),
    ] {
        assert_eq!(error.expect_err(expected).to_string(), expected);
    }
}

#[test]
fn a_suffix_is_what_follows_exactly_this_prefix() {
    let identity = greenhouse();
    let mut room = [0; 128];
    for suffix in ["command", "x", "", "a/b", "lua/devices/agent-1/greenhouse/command"] {
        let topic = identity.write_topic(suffix, &mut room).expect("it fits");
        assert_eq!(identity.suffix_of(topic), Some(suffix));
    }
    for other in [
        "",
        "command",
        "lua/devices/agent-1/greenhouse",
        "/lua/devices/agent-1/greenhouse/command",
        "x/lua/devices/agent-1/greenhouse/command",
        "lua/devices/agent-1/greenhouse2/command",
        "lua/devices/agent-1/green/house/command",
        "lua/devices/agent-1//greenhouse/command",
        "lua/devices/agent-11/greenhouse/command",
        "Lua/devices/agent-1/greenhouse/command",
        "lua/devices/agent-1/Greenhouse/command",
        "lua/device/agent-1/greenhouse/command",
    ] {
        assert_eq!(identity.suffix_of(other), None, "{other}");
    }
}

#[test]
fn the_table_of_suffixes_is_the_protocols() {
    use Direction::{In, Out};
    let (q0, q1) = (QoS::AtMostOnce, QoS::AtLeastOnce);
    for (suffix, text, direction, qos, retain) in [
        (Suffix::Status, "status", Out, q1, true),
        (Suffix::Auth, "status", Out, q1, false),
        (Suffix::Heartbeat, "heartbeat", Out, q0, false),
        (Suffix::Response, "response", Out, q1, false),
        (Suffix::Trigger, "trigger", Out, q1, false),
        (Suffix::Command, "command", In, q1, false),
        (Suffix::Connected, "connected", In, q1, false),
        (Suffix::TriggerAck, "trigger_ack", In, q1, false),
        (Suffix::TriggerResult, "trigger_result", In, q1, false),
        (Suffix::Error, "error", In, q1, false),
        (Suffix::Pong, "pong", In, q0, false),
    ] {
        assert_eq!(
            (suffix.as_str(), suffix.direction(), suffix.qos(), suffix.retain()),
            (text, direction, qos, retain)
        );
        assert_eq!(Suffix::parse(text), Some(if suffix == Suffix::Auth { Suffix::Status } else { suffix }));
    }
    for unknown in ["", "Command", "command ", "commands", "command/x", "trigger-ack"] {
        assert_eq!(Suffix::parse(unknown), None, "{unknown}");
    }
    let subscribed = Suffix::SUBSCRIBED.map(Suffix::as_str);
    assert_eq!(subscribed, ["command", "connected", "trigger_ack", "trigger_result", "error", "pong"]);
    assert!(Suffix::SUBSCRIBED.iter().all(|suffix| suffix.direction() == In));
}

#[test]
fn a_secret_prints_nowhere_and_is_exposed_by_name() {
    let secret = Secret::new("hunter2");
    assert_eq!(
        (format!("{secret}"), format!("{secret:?}"), format!("{:#?}", Some(secret))),
        ("<redacted>".into(), "<redacted>".into(), "Some(\n    <redacted>,\n)".into())
    );
    assert_eq!(secret.expose(), "hunter2");
}
