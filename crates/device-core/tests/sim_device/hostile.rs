//! A gateway that is broken or hostile: clear events, bounded memory, and the device stays up.

use mqtt_device_core::{MessageError, Notice, QoS};
use mqtt_device_sim::app::{Rejection, Told};
use mqtt_device_sim::link::LinkConfig;
use mqtt_device_sim::packet::ApplicationMessage;
use mqtt_device_sim::rng::{Rng, seeds};
use mqtt_device_sim::server::Rule;

use crate::rig::*;

on_both_storages!(
    invalid_json_is_rejected_with_its_place,
    missing_and_wrong_fields_are_named,
    an_unknown_command_is_the_applications_business,
    a_payload_of_a_megabyte_is_skipped,
    deep_nesting_is_rejected,
    messages_on_wrong_topics_are_not_the_devices,
    a_flood_of_commands_is_survived,
    a_flood_of_nonsense_is_survived,
    ids_without_end_do_not_fill_the_memory,
    mutilated_messages_never_break_it,
);

/// Still connected, still answering, and nothing half done.
fn is_well<K: Kit>(world: &mut DeviceWorld<K>) {
    let id = command(world, "echo", "42");
    world.run_for(secs(2));
    assert_eq!(gateway(world).responses_to(&id).len(), 1, "it answers");
    assert_eq!(world.app().count(|n| matches!(n, Notice::Disconnected { .. })), 0, "it stayed up");
    assert_eq!(
        world.net.server.unfinished_to(ID),
        (0, 0),
        "everything is acknowledged: no message comes back for ever"
    );
    assert!(world.host().errors().is_empty());
    world.assert_clean();
}

fn rejections<K: Kit>(world: &DeviceWorld<K>) -> Vec<Rejection> {
    told(world).into_iter().filter_map(|t| if let Told::Rejected(r) = t { Some(r) } else { None }).collect()
}

fn invalid_json_is_rejected_with_its_place<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    let bad = [
        &b""[..],
        b"{",
        b"nope",
        b"[]",
        b"\"text\"",
        b"{\"commandId\":\"x\",}",
        b"{\"commandId\":\"a\" \"command\":\"b\"}",
        b"\xFF\xFE",
        b"{\"commandId\":\"\xC3\"}",
        b"{\"a\":1}{\"b\":2}",
        b"{\"commandId\":\"\\u12\",\"command\":\"x\"}",
    ];
    for suffix in ["command", "connected", "trigger_ack", "trigger_result", "error"] {
        for body in bad {
            raw(&mut world, suffix, body);
        }
    }
    world.run_for(SECOND);
    let all = rejections::<K>(&world);
    assert!(all.iter().all(|r| matches!(r.error, MessageError::Json(_))), "{all:?}");
    assert_eq!(all.len(), 5 * bad.len());
    assert!(all[6].error.to_string().contains("byte 17"), "the place is told: {}", all[6].error);
    assert!(world.app().calls.is_empty());
    is_well::<K>(&mut world);
}

fn missing_and_wrong_fields_are_named<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    let long = format!(r#"{{"commandId":"{}","command":"echo"}}"#, "i".repeat(65));
    for (body, named) in [
        ("{}", "commandId"),
        (r#"{"command":"echo"}"#, "commandId"),
        (r#"{"commandId":"x"}"#, "\"command\""),
        (r#"{"commandId":7,"command":"echo"}"#, "commandId"),
        (r#"{"commandId":null,"command":"echo"}"#, "commandId"),
        (r#"{"commandId":"","command":"echo"}"#, "commandId"),
        (r#"{"commandId":"a\u0000b","command":"echo"}"#, "commandId"),
        (long.as_str(), "commandId"),
        (r#"{"commandId":"x","command":["echo"]}"#, "\"command\""),
        (r#"{"commandId":"x","command":""}"#, "\"command\""),
        (r#"{"commandId":"x","command":"echo","timeout":"soon"}"#, "timeout"),
        (r#"{"commandId":"x","command":"echo","timeout":-1}"#, "timeout"),
    ] {
        let before = rejections::<K>(&world).len();
        raw(&mut world, "command", body.as_bytes());
        world.run_for(ms(10));
        let all = rejections::<K>(&world);
        assert_eq!(all.len(), before + 1, "{body}");
        assert!(all[before].error.to_string().contains(named), "{body}: {}", all[before].error);
    }
    raw(&mut world, "trigger_ack", br#"{"triggerId":"t"}"#);
    raw(&mut world, "trigger_result", br#"{"result":1}"#);
    world.run_for(ms(10));
    let named: Vec<_> = rejections::<K>(&world).iter().rev().take(2).map(|r| r.error.to_string()).collect();
    assert!(named[1].contains("received") && named[0].contains("triggerName"), "{named:?}");
    assert!(world.app().calls.is_empty());
    is_well::<K>(&mut world);
}

fn an_unknown_command_is_the_applications_business<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    raw(&mut world, "command", br#"{"commandId":"u","command":"self_destruct","payload":null,"extra":[{}]}"#);
    world.run_for(ms(10));
    assert_eq!(
        (world.app().calls[0].1.name.as_str(), world.app().calls[0].1.payload.as_deref()),
        ("self_destruct", Some("null"))
    );
    is_well::<K>(&mut world);
}

/// Trap 16, on the device's topics.
fn a_payload_of_a_megabyte_is_skipped<K: Kit>() {
    let mut setup = Setup::new();
    setup.host.link = LinkConfig { delay: 0..=1, piece: 1..=1400, ..LinkConfig::perfect() };
    let mut world = setup.ready::<K>();
    let body = format!(r#"{{"commandId":"big","command":"echo","payload":"{}"}}"#, "x".repeat(1 << 20));
    raw(&mut world, "command", body.as_bytes());
    raw(&mut world, "trigger_ack", &vec![b'['; 1 << 16]);
    world.run_for(secs(5));
    let topics = ["command", "trigger_ack"].map(|suffix| Some(gateway(&world).topic(suffix)));
    let sizes: Vec<_> = told(&world)
        .into_iter()
        .filter_map(|t| if let Told::Oversize(topic, size) = t { Some((topic, size)) } else { None })
        .collect();
    assert_eq!(sizes.iter().map(|(topic, _)| topic.clone()).collect::<Vec<_>>(), topics);
    assert!(sizes[0].1 > 1 << 20 && sizes[1].1 > 1 << 16);
    assert!(world.app().calls.is_empty());
    is_well::<K>(&mut world);
}

fn deep_nesting_is_rejected<K: Kit>() {
    let mut setup = Setup::new();
    setup.config.maximum_packet_size = 1 << 16;
    let mut world = setup.ready::<K>();
    let open = "[".repeat(30_000);
    raw(&mut world, "command", open.as_bytes());
    let body = format!(r#"{{"commandId":"deep","command":"echo","payload":{open}{}}}"#, "]".repeat(30_000));
    raw(&mut world, "command", body.as_bytes());
    let objects = format!("{}1{}", r#"{"a":"#.repeat(5_000), "}".repeat(5_000));
    raw(&mut world, "error", objects.as_bytes());
    world.run_for(SECOND);
    assert_eq!(rejections::<K>(&world).len(), 3);
    is_well::<K>(&mut world);
}

fn messages_on_wrong_topics_are_not_the_devices<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    // A server may have subscriptions of an earlier life of this session: anything can come.
    world.call(|_, _, _| ());
    let body = br#"{"commandId":"x","command":"echo"}"#;
    let topics = [
        "lua/devices/agent-7/greenhouse/status",
        "lua/devices/agent-7/greenhouse/response",
        "lua/devices/agent-7/other/command",
        "lua/devices/agent-7/greenhouse/command/more",
        "lua/devices/agent-7/greenhouse/commands",
        "command",
        "x/lua/devices/agent-7/greenhouse/command",
        "$SYS/x",
        "lua/devices/agent-7//greenhouse/command",
    ];
    for topic in topics {
        let publish = mqtt_device_core::proto::Publish {
            qos: QoS::AtMostOnce,
            ..mqtt_device_core::proto::Publish::new(mqtt_device_core::TopicName::new(topic).expect("valid"), body)
        };
        let mut bytes = [0; 256];
        let len = publish.encode(mqtt_device_core::Version::V311, &mut bytes).expect("it fits");
        let now = world.now();
        assert!(world.net.server.inject(now, ID, &bytes[..len]));
    }
    world.run_for(SECOND);
    let unrelated: Vec<_> = told(&world)
        .into_iter()
        .filter_map(|t| if let Told::Unrelated(topic) = t { Some(topic) } else { None })
        .collect();
    assert_eq!(unrelated, topics);
    assert!(world.app().calls.is_empty());
    is_well::<K>(&mut world);
}

/// A thousand commands at once; the server's window, the device's tables and its outbox are all far smaller.
fn a_flood_of_commands_is_survived<K: Kit>() {
    let mut setup = Setup::new();
    setup.host.link.delay = 1..=3;
    setup.server.queue = 2000;
    let mut world = setup.ready::<K>();
    let ids: Vec<_> = (0..1000).map(|n| command(&mut world, "echo", &n.to_string())).collect();
    world.run_until("all taken", secs(120), |w| w.net.server.unfinished_to(ID) == (0, 0));
    world.run_for(SECOND);
    assert!(world.app().runs().values().all(|&n| n == 1));
    let busy = |id: &&String| gateway(&world).responses_to(id).first().is_some_and(|text| text.contains("busy"));
    let (ran, refused) = (world.app().runs().len(), ids.iter().filter(busy).count());
    let dropped = highest(&world, |n| if let Notice::CommandDropped { count } = n { Some(*count) } else { None });
    assert_eq!(ran + refused + dropped as usize, 1000, "{ran} ran, {refused} were told busy, {dropped} were dropped");
    assert!(ran >= 500, "{ran} ran, {refused} were told busy, {dropped} were dropped");
    world.tolerates = vec![Rule::PingTooOften];
    is_well::<K>(&mut world);
}

fn a_flood_of_nonsense_is_survived<K: Kit>() {
    let mut setup = Setup::new();
    setup.server.queue = 10_000;
    let mut world = setup.ready::<K>();
    for n in 0..5000 {
        let suffix = ["command", "connected", "trigger_ack", "trigger_result", "error"][n % 5];
        raw(&mut world, suffix, b"{]");
        let now = world.now();
        let pong = ApplicationMessage::new(&gateway(&world).topic("pong"), b"x", QoS::AtMostOnce);
        world.net.server.publish(now, pong);
    }
    world.run_for(secs(10));
    assert_eq!(rejections::<K>(&world).len(), 5000);
    is_well::<K>(&mut world);
}

/// Every command has a new id of the full length, and the gateway never takes a response.
fn ids_without_end_do_not_fill_the_memory<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    world.net.server.faults.withhold_acks = true;
    for n in 0..500 {
        let body = format!(r#"{{"commandId":"{n:064}","command":"echo"}}"#);
        raw(&mut world, "command", body.as_bytes());
        world.run_for(ms(20));
    }
    assert!(world.host().machine.client().pending() <= 64, "{} wait", world.host().machine.client().pending());
    assert!(world.app().runs().values().all(|&n| n == 1));
    world.net.server.faults.withhold_acks = false;
    let now = world.now();
    world.net.server.release_acks(now, ID, mqtt_device_sim::server::Order::Received);
    world.run_for(secs(10));
    world.tolerates = vec![Rule::PingTooOften];
    is_well::<K>(&mut world);
}

/// Trap 23. Valid messages with bytes changed, cut off or doubled: an event or a rejection, never a closed connection.
fn mutilated_messages_never_break_it<K: Kit>() {
    let templates = [
        (
            "command",
            &br#"{"commandId":"c-1","command":"echo","payload":{"a":[1,2.5e3,true,null,"\u00e4\n"]},"timeout":30000}"#
                [..],
        ),
        ("trigger_ack", br#"{"triggerId":"t-1","received":true,"error":"none"}"#),
        ("trigger_result", br#"{"triggerName":"door","result":{"deep":{"er":[[[]]]}}}"#),
        ("error", br#"{"code":"E","message":"m"}"#),
        ("connected", br#"{"message":"welcome"}"#),
    ];
    for seed in seeds(20) {
        let mut rng = Rng::new(seed);
        let mut setup = Setup::new();
        setup.seed = seed;
        let mut world = setup.ready::<K>();
        for _ in 0..100 {
            let (suffix, template) = templates[rng.below(templates.len())];
            let mut body = template.to_vec();
            for _ in 0..=rng.below(3) {
                let at = rng.below(body.len().max(1)).min(body.len());
                match rng.below(4) {
                    0 => body.truncate(at),
                    1 => body.insert(at, rng.next_u64() as u8),
                    2 if at < body.len() => body[at] = rng.next_u64() as u8,
                    _ => body.extend_from_within(at..),
                }
            }
            raw(&mut world, suffix, &body);
            world.run_for(ms(rng.within(&(0..=5))));
        }
        world.run_for(SECOND);
        world.check(world.app().runs().values().all(|&n| n == 1), "each id ran once");
        is_well::<K>(&mut world);
    }
}
