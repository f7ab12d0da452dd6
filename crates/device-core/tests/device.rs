//! A device on a table, packet by packet: what it says about itself, and the life of a command.

mod support;

use mqtt_device_core::proto::{ConnAck, Packet, PacketId, Properties, PubAck, ReasonCode};
use mqtt_device_core::*;
use support::Said;
use support::device::*;

#[test]
fn it_subscribes_then_says_online_then_sends_its_key_then_beats() {
    let mut t = fixed();
    t.device.set_wall_clock(t.now, 1_736_937_000_000);
    t.turn();
    assert_eq!(t.said.pop(), Some(Said::Connect { clean_start: false }));
    let (reason, properties) = (ReasonCode::SUCCESS, Properties::EMPTY);
    t.hear(Packet::ConnAck(ConnAck { session_present: false, reason, properties }));
    let order: Vec<_> = t
        .said
        .iter()
        .map(|said| match said {
            Said::Subscribe(_, filters) => filters[0].strip_prefix(PREFIX).unwrap().to_owned(),
            Said::Publish { topic, payload, qos, retain, .. } => {
                let suffix = topic.strip_prefix(PREFIX).unwrap();
                format!("{suffix} {} {retain} {}", qos.as_u8(), std::str::from_utf8(payload).unwrap())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        order,
        [
            "command",
            "connected",
            "trigger_ack",
            "trigger_result",
            "error",
            "pong",
            r#"status 1 true {"status":"online","timestamp":"2025-01-15T10:30:00.000Z","group":"g"}"#,
            r#"status 1 false {"status":"online","apiKey":"s3cret","group":"g","commands":[{"name":"read","description":"Read it"},{"name":"set","description":"Set it"}]}"#,
            "heartbeat 0 false ",
        ]
    );
    assert!(!t.device.is_ready());
    t.grant();
    assert!(t.device.is_ready());
    assert!(t.notices.contains(&Notice::Ready { again: false }));
}

#[test]
fn a_command_is_acknowledged_when_its_response_is_in_the_outbox() {
    let mut t = fixed();
    t.connect(false);
    let id = t.command("c1");
    assert_eq!((t.heard.last().map(String::as_str), t.acks.len()), (Some("Command"), 0));
    t.answer(0, r#"{"v":1}"#);
    assert_eq!(t.acks, [id]);
    assert_eq!(t.responses(), [r#"{"commandId":"c1","success":true,"data":{"v":1}}"#]);
    assert_eq!(t.device.respond(t.now, t.tokens[0], Ok(b"1")), Err(PublishError::UnknownCommand));
}

#[test]
fn a_repeat_while_running_is_not_run_and_a_repeat_after_gets_the_same_answer() {
    let mut t = fixed();
    t.connect(false);
    let first = t.command("c1");
    let second = t.command("c1");
    assert_eq!(t.tokens.len(), 1);
    t.answer(0, "1");
    assert_eq!(t.acks, [first, second]);
    let answer = t.responses();
    t.command("c1");
    assert_eq!((t.tokens.len(), t.responses()), (1, answer));
}

#[test]
fn an_executed_command_whose_puback_was_lost_is_answered_again_a_day_later() {
    let mut t = fixed();
    t.connect(false);
    let id = t.command("c1");
    t.answer(0, "1");
    // Neither the PUBACK nor the response has reached the server.
    t.lose();
    t.now = t.now + Duration::from_secs(24 * 3600);
    t.turn();
    t.connect(true);
    t.redeliver("command", r#"{"commandId":"c1","command":"read"}"#, QoS::AtLeastOnce, id, true);
    assert_eq!(t.tokens.len(), 1, "run once");
    assert_eq!(t.acks, [id]);
    assert!(t.responses().contains(&r#"{"commandId":"c1","success":true,"data":1}"#.to_owned()));
}

#[test]
fn at_most_four_are_held_for_at_most_five_seconds() {
    let mut t = fixed();
    t.connect(false);
    let ids: Vec<_> = (0..5).map(|n| t.command(&format!("c{n}"))).collect();
    assert_eq!(t.acks, ids[..1], "the fifth lets the first go");
    t.pass(4_999);
    assert_eq!(t.acks.len(), 1);
    t.pass(1);
    assert_eq!(t.acks, ids);
    assert!(t.notices.contains(&Notice::AcknowledgedEarly { count: 5 }), "{:?}", t.notices);
    for n in 0..5 {
        t.answer(n, "1");
    }
    assert_eq!(t.responses().len(), 5);
}

#[test]
fn a_full_table_answers_busy_and_forgets_nothing() {
    let mut t = fixed();
    t.connect(false);
    for n in 0..7 {
        t.command(&format!("c{n}"));
    }
    assert_eq!(t.tokens.len(), 6);
    let busy = t.responses();
    assert!(busy.len() == 1 && busy[0].starts_with(r#"{"commandId":"c6","success":false,"error":"busy"#), "{busy:?}");
    assert!(t.notices.contains(&Notice::CommandBusy { count: 1 }), "{:?}", t.notices);
    for n in 0..6 {
        t.answer(n, "1");
    }
    assert_eq!(t.responses().len(), 6);
    t.command("c6");
    assert_eq!(t.tokens.len(), 7, "now there is room");
}

#[test]
fn nonsense_is_acknowledged_reported_and_dropped() {
    let mut t = fixed();
    t.connect(false);
    let bad = ["", "{", "[]", "{}", r#"{"commandId":1,"command":"x"}"#, r#"{"commandId":"i"}"#, r#"{"command":"x"}"#];
    let ids: Vec<_> = bad.iter().map(|payload| t.message("command", payload, QoS::AtLeastOnce)).collect();
    assert_eq!(t.acks, ids);
    assert_eq!(t.heard.iter().filter(|h| *h == "Rejected").count(), bad.len());
    t.message("nothing", "x", QoS::AtLeastOnce);
    assert_eq!(t.heard.last().map(String::as_str), Some("Unrelated"));
    assert!(t.device.is_connected());
}

#[test]
fn triggers_go_one_at_a_time_and_an_acknowledgement_belongs_to_the_one_on_its_way() {
    let mut t = fixed();
    let a = t.device.trigger(t.now, "hot", br#"{"t":30}"#).unwrap();
    let b = t.device.trigger(t.now, "cold", b"").unwrap();
    t.connect(false);
    assert_eq!(t.outcomes, [(a, Outcome::Acked)]);
    t.message("trigger_ack", r#"{"triggerId":"t1","received":true}"#, QoS::AtLeastOnce);
    assert_eq!(t.grant(), [("trigger".to_owned(), r#"{"triggerName":"cold","payload":{}}"#.to_owned())]);
    assert_eq!(t.outcomes, [(a, Outcome::Acked), (b, Outcome::Acked)]);
    t.pass(10_000);
    assert!(t.notices.contains(&Notice::TriggerTimeout { key: b }));
    // A late one is still b's, not the next one's.
    t.device.trigger(t.now, "late", b"1").unwrap();
    t.turn();
    assert!(t.said.iter().all(|s| !matches!(s, Said::Publish { topic, .. } if topic.ends_with("trigger"))));
    t.message("trigger_ack", r#"{"triggerId":"t2","received":true}"#, QoS::AtLeastOnce);
    assert!(t.grant().iter().any(|(topic, _)| topic == "trigger"));
}

#[test]
fn a_trigger_must_have_a_name_and_a_json_payload() {
    let mut t = fixed();
    assert_eq!(t.device.trigger(t.now, "", b""), Err(PublishError::BadName));
    assert_eq!(t.device.trigger(t.now, "x", b"{\"a\":}"), Err(PublishError::NotJson { at: 5 }));
}

#[test]
fn it_beats_every_thirty_seconds_and_measures_the_round_trip() {
    let mut t = fixed();
    t.connect(false);
    t.pass(30_000);
    assert!(t.grant().contains(&("heartbeat".to_owned(), String::new())));
    t.pass(40);
    t.message("pong", "", QoS::AtMostOnce);
    t.turn();
    assert!(t.notices.contains(&Notice::Pong { latency: Duration::from_millis(40) }), "{:?}", t.notices);
}

#[test]
fn online_is_said_once_more_when_a_late_will_may_have_landed() {
    let mut t = fixed();
    t.connect(false);
    let mut again = 0;
    for _ in 0..40 {
        t.pass(5_000);
        again += t.grant().iter().filter(|(topic, _)| topic == "status retained").count();
    }
    assert_eq!(again, 1);
}

#[test]
fn it_stops_in_order_offline_puback_disconnect_close() {
    let mut t = fixed();
    t.connect(false);
    t.command("c1");
    t.device.stop(t.now, Duration::from_secs(10));
    t.turn();
    assert_eq!(t.said, [], "a running command is waited for");
    assert_eq!(t.device.trigger(t.now, "x", b""), Err(PublishError::Stopped));
    let held = t.command("c2");
    assert_eq!(t.tokens.len(), 1, "not taken up any more");
    t.answer(0, "1");
    let said = std::mem::take(&mut t.said);
    let [Said::Publish { topic, id: Some(id), .. }] = &said[..] else { panic!("{said:?}") };
    assert_eq!(topic, &format!("{PREFIX}response"));
    let puback = |t: &mut FixedTable, id: u16| {
        let (reason, properties) = (ReasonCode::SUCCESS, Properties::EMPTY);
        t.hear(Packet::PubAck(PubAck { packet_id: PacketId::new(id).unwrap(), reason, properties }));
    };
    puback(&mut t, *id);
    let said = std::mem::take(&mut t.said);
    let [Said::Publish { topic, payload, retain: true, id: Some(id), .. }] = &said[..] else { panic!("{said:?}") };
    assert_eq!(topic, &format!("{PREFIX}status"));
    assert!(String::from_utf8_lossy(payload).contains("offline"));
    assert!(!t.device.is_stopped());
    puback(&mut t, *id);
    assert_eq!(t.said, [Said::Disconnect]);
    assert!(t.device.is_stopped());
    assert!(!t.acks.contains(&held), "the broker keeps it for the next start");
    assert!(t.notices.contains(&Notice::Stopped { clean: true }), "{:?}", t.notices);
}

#[test]
fn a_response_too_large_for_the_table_becomes_an_error_answer() {
    let mut t = fixed();
    t.connect(false);
    t.command("c1");
    let data = format!("\"{}\"", "x".repeat(400));
    let error = t.device.respond(t.now, t.tokens[0], Ok(data.as_bytes()));
    assert!(matches!(error, Err(PublishError::TooLarge { .. })), "{error:?}");
    t.turn();
    let responses = t.responses();
    assert!(responses.len() == 1 && responses[0].contains(r#""success":false"#), "{responses:?}");
}

#[test]
fn what_is_not_json_is_no_answer_and_changes_nothing() {
    let mut t = fixed();
    t.connect(false);
    t.command("c1");
    assert_eq!(t.device.respond(t.now, t.tokens[0], Ok(b"{")), Err(PublishError::NotJson { at: 1 }));
    t.answer(0, "{}");
    assert_eq!(t.responses().len(), 1);
}
