//! What the device sends and receives, byte by byte, and the time in it.

use mqtt_device_core::device::bodies;
use mqtt_device_core::device::message::{
    CommandId, CommandMessage, Connected, Expected, MessageError, ServerError, TriggerAck, TriggerResult,
};
use mqtt_device_core::device::profile::{COMMANDS_MAX, CommandSpec, Profile, Retry, SpecErrorKind, validate_profile};
use mqtt_device_core::device::timestamp::Timestamp;
use mqtt_device_core::json::{JsonErrorKind, Value, Window, validate};

fn written(body: impl Fn(&mut Window<'_>)) -> String {
    let mut count = Window::count();
    body(&mut count);
    let mut out = vec![0; count.total() as usize];
    let mut window = Window::new(0, &mut out);
    body(&mut window);
    assert_eq!(window.filled(), window.total() as usize);
    assert_eq!(validate(&out), Ok(()), "{}", String::from_utf8_lossy(&out));
    String::from_utf8(out).expect("UTF-8")
}

struct Greenhouse(Vec<CommandSpec<'static>>);

impl Profile for Greenhouse {
    fn api_key(&self) -> &str {
        "key-\"1\""
    }

    fn command(&self, index: usize) -> Option<CommandSpec<'_>> {
        self.0.get(index).copied()
    }
}

fn spec(name: &'static str) -> CommandSpec<'static> {
    CommandSpec::new(name, "does it")
}

#[test]
fn status_says_online_or_offline_with_the_time_or_null() {
    let ms = Some(1_736_937_000_000);
    assert_eq!(
        written(|out| bodies::status(true, ms, None, out)),
        r#"{"status":"online","timestamp":"2025-01-15T10:30:00.000Z"}"#
    );
    assert_eq!(written(|out| bodies::status(false, None, None, out)), r#"{"status":"offline","timestamp":null}"#);
    assert_eq!(
        written(|out| bodies::status(false, None, Some("north \"A\""), out)),
        r#"{"status":"offline","timestamp":null,"group":"north \"A\""}"#
    );
}

#[test]
fn auth_has_key_group_and_manifest() {
    let schema = r#" {"type":"object"} "#;
    let profile = Greenhouse(vec![
        CommandSpec { input_schema: Some(schema), timeout_ms: Some(30_000), ..spec("read") },
        CommandSpec {
            timeout_ms: Some(60_000),
            retry: Some(Retry { max_attempts: 3, backoff_ms: 500 }),
            ..spec("toggle")
        },
    ]);
    assert_eq!(
        written(|out| bodies::auth(&profile, Some("north"), out)),
        concat!(
            r#"{"status":"online","apiKey":"key-\"1\"","group":"north","commands":["#,
            r#"{"name":"read","description":"does it","inputSchema":{"type":"object"}},"#,
            r#"{"name":"toggle","description":"does it","timeoutMs":60000,"retry":{"maxAttempts":3,"backoffMs":500}}]}"#
        )
    );
    assert_eq!(
        written(|out| bodies::auth(&Greenhouse(vec![]), None, out)),
        r#"{"status":"online","apiKey":"key-\"1\"","group":null,"commands":[]}"#
    );
}

#[test]
fn only_auth_has_the_key() {
    assert!(!written(|out| bodies::status(true, Some(0), Some("g"), out)).contains("key"));
}

#[test]
fn responses_and_triggers_are_the_protocols() {
    assert_eq!(
        written(|out| bodies::response_ok("c-1", Some(br#"{"led":"on"}"#), out)),
        r#"{"commandId":"c-1","success":true,"data":{"led":"on"}}"#
    );
    assert_eq!(written(|out| bodies::response_ok("a\"b", None, out)), r#"{"commandId":"a\"b","success":true}"#);
    let name = Value::parse(br#""a\"\u0042""#).ok().and_then(Value::as_str).expect("a string");
    assert_eq!(
        written(|out| bodies::response_error("c-1", &format_args!("Unknown command: {name}"), out)),
        r#"{"commandId":"c-1","success":false,"error":"Unknown command: a\"B"}"#
    );
    assert_eq!(
        written(|out| bodies::trigger("humidity_alert", Some(b"[1]"), out)),
        r#"{"triggerName":"humidity_alert","payload":[1]}"#
    );
    assert_eq!(written(|out| bodies::trigger("t", None, out)), r#"{"triggerName":"t","payload":{}}"#);
}

#[test]
fn a_profile_is_checked_before_it_is_sent() {
    let check = |commands: Vec<CommandSpec<'static>>| validate_profile(&Greenhouse(commands)).err();
    let error = |commands| check(commands).map(|error| (error.command, error.kind));
    let is = |command, kind| Some((command, kind));
    assert_eq!(error(vec![]), None);
    assert_eq!(error(vec![spec("a"), spec("b"), CommandSpec { input_schema: Some(" {} "), ..spec("c") }]), None);
    assert_eq!(error(vec![spec("a"), spec("")]), is(1, SpecErrorKind::NameEmpty));
    assert_eq!(error(vec![spec("a"), spec("b"), spec("a")]), is(2, SpecErrorKind::Duplicate { first: 0 }));
    assert_eq!(error(vec![spec("é\n")]), is(0, SpecErrorKind::NameControl { at: 2 }));
    let long = "x".repeat(65).leak();
    assert_eq!(error(vec![spec(long)]), is(0, SpecErrorKind::NameTooLong(65)));
    assert_eq!(error(vec![spec(&long[1..])]), None);
    for (schema, kind, at) in [
        ("", JsonErrorKind::UnexpectedEnd, 0),
        ("[]", JsonErrorKind::NotAnObject, 0),
        ("{\"a\":}", JsonErrorKind::UnexpectedByte, 5),
    ] {
        let found = check(vec![CommandSpec { input_schema: Some(schema), ..spec("a") }]).expect(schema);
        assert!(matches!(found.kind, SpecErrorKind::Schema(json) if json.kind == kind && json.at == at), "{found}");
    }
    let found = check(vec![CommandSpec { input_schema: Some("[]"), ..spec("a") }]).expect("no object");
    assert_eq!(
        found.to_string(),
        "command 0: the input schema must be a JSON object: the JSON is not an object at byte 0"
    );
}

#[test]
fn a_profile_without_end_is_bounded() {
    struct Endless(Vec<String>);
    impl Profile for Endless {
        fn api_key(&self) -> &str {
            ""
        }
        fn command(&self, index: usize) -> Option<CommandSpec<'_>> {
            Some(CommandSpec::new(self.0.get(index).map_or("more", |name| name), ""))
        }
    }
    let endless = Endless((0..COMMANDS_MAX).map(|n| n.to_string()).collect());
    let error = validate_profile(&endless).expect_err("no end");
    assert_eq!((error.command, error.kind), (COMMANDS_MAX, SpecErrorKind::TooMany));
    assert!(written(|out| bodies::auth(&endless, None, out)).contains(r#""name":"1023""#));
}

#[test]
fn a_manifest_longer_than_any_buffer_streams_through_a_small_one() {
    let profile = Greenhouse((0..50).map(|n| spec(format!("command_{n}").leak())).collect());
    let whole = written(|out| bodies::auth(&profile, None, out));
    for size in [3, 64, 1000] {
        let mut joined = Vec::new();
        while joined.len() < whole.len() {
            let mut chunk = vec![0; size];
            let mut window = Window::new(joined.len() as u32, &mut chunk);
            bodies::auth(&profile, None, &mut window);
            let filled = window.filled();
            joined.extend_from_slice(&chunk[..filled]);
        }
        assert_eq!(joined, whole.as_bytes());
    }
}

#[test]
fn a_command_is_read_with_all_its_fields() {
    let json = br#"{"commandId":"c\u002d1","command":"blink","payload":{"times": 3},"timeout":30000,"other":1}"#;
    let command = CommandMessage::parse(json).expect("valid");
    assert_eq!(command.id.as_str(), "c-1");
    assert!(command.name == "blink");
    assert_eq!((command.payload, command.timeout), (Some(&br#"{"times": 3}"#[..]), Some(30_000)));
    let command = CommandMessage::parse(br#"{"command":"x","commandId":"1","timeout":null}"#).expect("valid");
    assert_eq!((command.payload, command.timeout), (None, None));
    let command = CommandMessage::parse(br#"{"command":"x","commandId":"1","payload":null}"#).expect("valid");
    assert_eq!(command.payload, Some(&b"null"[..]));
}

#[test]
fn a_command_that_is_wrong_says_which_field_and_where() {
    let wrong = |field, at, expected| MessageError::Wrong { field, at, expected };
    for (json, expected) in [
        (r#"{}"#, MessageError::Missing { field: "commandId" }),
        (r#"{"commandId":"1"}"#, MessageError::Missing { field: "command" }),
        (r#"{"commandId":1,"command":"x"}"#, wrong("commandId", 13, Expected::Id)),
        (r#"{"commandId":null,"command":"x"}"#, wrong("commandId", 13, Expected::Id)),
        (r#"{"commandId":"","command":"x"}"#, wrong("commandId", 13, Expected::Id)),
        (r#"{"commandId":"\u0000","command":"x"}"#, wrong("commandId", 13, Expected::Id)),
        (r#"{"commandId":"1","command":""}"#, wrong("command", 27, Expected::Name)),
        (r#"{"commandId":"1","command":["x"]}"#, wrong("command", 27, Expected::Name)),
        (r#"{"commandId":"1","command":"x","timeout":-1}"#, wrong("timeout", 41, Expected::Milliseconds)),
        (r#"{"commandId":"1","command":"x","timeout":"5"}"#, wrong("timeout", 41, Expected::Milliseconds)),
    ] {
        assert_eq!(CommandMessage::parse(json.as_bytes()), Err(expected), "{json}");
    }
    for json in ["", "[]", "null", "{\"commandId\":\"1\"", "{\"commandId\":\"\u{1}\"}"] {
        assert!(matches!(CommandMessage::parse(json.as_bytes()), Err(MessageError::Json(_))), "{json}");
    }
    assert_eq!(
        wrong("commandId", 13, Expected::Id).to_string(),
        "\"commandId\" at byte 13 must be a string of 1 to 64 bytes without control characters"
    );
    assert_eq!(MessageError::Missing { field: "command" }.to_string(), "\"command\" is missing");
}

#[test]
fn an_id_is_compared_unescaped_and_bounded_unescaped() {
    let parse = |id: &str| {
        CommandMessage::parse(format!("{{\"commandId\":\"{id}\",\"command\":\"x\"}}").as_bytes()).map(|c| c.id)
    };
    assert_eq!(parse("aA"), parse(r"\u0061\u0041"));
    assert_eq!(parse(&r"\u0061".repeat(64)).ok(), CommandId::new(&"a".repeat(64)));
    assert!(parse(&r"\u0061".repeat(65)).is_err() && parse(&"é".repeat(33)).is_err());
    assert!(CommandId::new(&"a".repeat(300)).is_none());
}

#[test]
fn acks_results_errors_and_greetings_are_read() {
    let ack = TriggerAck::parse(br#"{"triggerId":"t1","received":false,"error":"no \"x\""}"#).expect("valid");
    assert!(!ack.received && ack.trigger_id.is_some_and(|id| id == "t1") && ack.error.is_some_and(|e| e == "no \"x\""));
    let ack =
        TriggerAck::parse(br#"{"triggerId":17,"received":true,"error":null}"#).expect("what only informs may be odd");
    assert!(ack.received && ack.trigger_id.is_none() && ack.error.is_none());
    assert_eq!(TriggerAck::parse(b"{}"), Err(MessageError::Missing { field: "received" }));
    let wrong = MessageError::Wrong { field: "received", at: 12, expected: Expected::Bool };
    assert_eq!(TriggerAck::parse(br#"{"received":1}"#), Err(wrong));

    let result = TriggerResult::parse(br#"{"triggerName":"t","result":[1, 2]}"#).expect("valid");
    assert!(result.name == "t" && result.result == b"[1, 2]");
    assert_eq!(TriggerResult::parse(br#"{"triggerName":"t"}"#).map(|result| result.result), Ok(&b"null"[..]));
    assert_eq!(TriggerResult::parse(br#"{"result":1}"#), Err(MessageError::Missing { field: "triggerName" }));

    let error = ServerError::parse(br#"{"code":401,"message":"key"}"#).expect("valid");
    assert!(error.code.is_some_and(|code| code.as_u64() == Some(401)) && error.message.is_some_and(|m| m == "key"));
    let error = ServerError::parse(br#"{"code":"AUTH"}"#).expect("valid");
    assert!(error.code.and_then(Value::as_str).is_some_and(|code| code == "AUTH") && error.message.is_none());
    assert_eq!(ServerError::parse(br#"{"code":null}"#).map(|error| error.code), Ok(None));
    assert!(ServerError::parse(b"oops").is_err());

    assert!(Connected::parse(br#"{"message":"hello"}"#).is_ok_and(|c| c.message.is_some_and(|m| m == "hello")));
    assert!(Connected::parse(b"{}").is_ok_and(|c| c.message.is_none()));
    assert!(Connected::parse(b"").is_err());
}

#[test]
fn timestamps_are_iso_8601_in_utc() {
    for (unix_ms, expected) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_736_937_000_000, "2025-01-15T10:30:00.000Z"),
        (951_782_399_999, "2000-02-28T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (951_868_800_000, "2000-03-01T00:00:00.000Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (1_709_164_800_001, "2024-02-29T00:00:00.001Z"),
        (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, "9999-12-31T23:59:59.999Z"),
        (u64::MAX, "9999-12-31T23:59:59.999Z"),
    ] {
        assert_eq!(Timestamp { unix_ms }.to_string(), expected);
    }
}

/// Against a calendar that counts day by day: each day of the first 400 years (after which the calendar repeats), and
/// the ends of each month up to the year 9999.
#[test]
fn every_month_from_1970_to_9999_is_right() {
    let mut days = 0_u64;
    for year in 1970..=9999 {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        for (month, len) in (1..).zip([31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
            for day in (1..=len).filter(|&day| year < 2370 || day == 1 || day == len) {
                let days = days + day - 1;
                let text = Timestamp { unix_ms: days * 86_400_000 + 3_723_004 }.to_ascii();
                let expected = format!("{year:04}-{month:02}-{day:02}T01:02:03.004Z");
                assert_eq!(text, expected.as_bytes());
            }
            days += len;
        }
    }
    assert_eq!(days, 2_932_897);
}
