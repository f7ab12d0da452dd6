//! Faults of a device that a review found, each as the behaviour that is right.

use super::*;

/// a response goes missing when the outbox is full of repeated answers
#[test]
fn a_response_is_never_lost() {
    let mut t: Table<Fixed<512, 16, 24>, FixedTables<6, 256>> = Table::new(Fixed::new(), FixedTables::new());
    t.connect(false);
    t.command("done");
    t.answer(0, "1");
    t.grant();
    t.command("slow");
    // the server repeats "done" under new identifiers, and does not acknowledge our answers for a while
    for _ in 0..18 {
        t.command("done");
    }
    let said = t.said.len();
    t.device.respond(t.now, t.tokens[1], Ok(b"2")).unwrap();
    t.turn();
    let bodies = t.responses();
    assert!(bodies.iter().any(|b| b.contains("slow")), "{said} answers of the other; acks {:?}; {bodies:?}", t.acks);
}

/// one PUBACK for two deliveries under one identifier on one connection: pinned for ever
#[test]
fn a_repeat_under_one_identifier_owes_one_ack() {
    let mut t: Table<Fixed<1024, 24, 24>, FixedTables<1, 256>> = Table::new(Fixed::new(), FixedTables::new());
    t.connect(false);
    let id = t.command("c1");
    t.redeliver("command", r#"{"commandId":"c1","command":"read"}"#, QoS::AtLeastOnce, id, true);
    t.answer(0, "1");
    t.grant();
    assert_eq!(t.acks, [id]);
    // much later: everything was confirmed by pings, and the time to live is over
    for _ in 0..60 {
        t.pass(15_000);
        t.grant();
    }
    t.command("c2");
    let g = t.grant();
    assert_eq!(t.tokens.len(), 2, "{:?} {g:?}", t.heard);
}

/// a stale trigger_ack at connect is taken for a trigger that never left
#[test]
fn an_ack_is_not_matched_to_a_trigger_that_never_left() {
    let mut t = fixed();
    t.device.trigger(t.now, "hot", b"{}").unwrap();
    t.turn();
    assert!(matches!(t.said.pop(), Some(Said::Connect { .. })));
    // CONNACK and a queued message in one segment: nothing was written in between
    t.raw(connack(true));
    let topic = format!("{PREFIX}trigger_ack");
    let bytes = encode(cmd(&topic, r#"{"triggerId":"old","received":true}"#, 9, false));
    let p = t.device.handle_input(t.now, &bytes).unwrap();
    let Some(DeviceEvent::TriggerAck { key, .. }) = p.event else { panic!() };
    assert_eq!(key, None);
}

/// resend: what is new must not overtake what is sent again, when a parked trigger stands before it
#[test]
fn online_does_not_overtake_what_is_sent_again() {
    let mut t = fixed();
    t.connect(false);
    t.device.trigger(t.now, "a", b"{}").unwrap();
    t.device.trigger(t.now, "b", b"{}").unwrap(); // parked
    t.turn();
    t.command("c1");
    t.answer(0, "1");
    let sent: Vec<_> = t
        .said
        .iter()
        .filter_map(|s| if let Said::Publish { topic, .. } = s { Some(topic.clone()) } else { None })
        .collect();
    t.lose();
    t.turn();
    let (at, _) = t.device.next_timer().unwrap();
    t.now = at;
    t.turn();
    t.said.clear();
    t.hear(connack(true));
    let dups: Vec<_> = t
        .said
        .iter()
        .filter_map(|s| {
            if let Said::Publish { topic, dup, .. } = s {
                Some((topic.strip_prefix(PREFIX).unwrap().to_owned(), *dup))
            } else {
                None
            }
        })
        .collect();
    let last_dup = dups.iter().rposition(|d| d.1).unwrap();
    assert!(dups[..=last_dup].iter().all(|d| d.1), "sent {sent:?}, then {dups:?}");
}

/// b. resend order is not the order of sending
#[test]
fn the_order_of_resending_is_that_of_sending() {
    let mut t = fixed();
    t.connect(false);
    t.device.trigger(t.now, "a", b"{}").unwrap();
    t.device.trigger(t.now, "b", b"{}").unwrap(); // parked
    t.turn();
    t.command("c1");
    t.answer(0, "1");
    t.pass(0);
    let order = |said: &[Said]| {
        said.iter()
            .filter_map(|s| if let Said::Publish { id: Some(id), .. } = s { Some(*id) } else { None })
            .collect::<Vec<_>>()
    };
    // the second `online`, 90 s on; pings are answered, publications are not acknowledged
    for _ in 0..9 {
        t.pass(10_000);
        if let Some(i) = t.said.iter().position(|s| *s == Said::PingReq) {
            t.said.remove(i);
            t.hear(Packet::PingResp);
        }
        t.message("pong", "", QoS::AtMostOnce);
    }
    let sent = order(&t.said);
    assert_eq!(sent.len(), 3, "{:?}", t.said);
    t.lose();
    t.turn();
    let (at, _) = t.device.next_timer().unwrap();
    t.now = at;
    t.turn();
    t.said.clear();
    t.hear(connack(true));
    let again: Vec<u16> = t
        .said
        .iter()
        .filter_map(|s| if let Said::Publish { id: Some(id), dup: true, .. } = s { Some(*id) } else { None })
        .collect();
    assert_eq!(again, sent);
}

/// heartbeat 0
#[test]
fn a_heartbeat_of_0_is_no_flood() {
    let mut dc = DeviceConfig::new();
    dc.heartbeat = Duration::ZERO;
    let mut t = fixed();
    t.device = Device::new(Config::new(1), dc, Identity::new("a1", "d1").unwrap(), Fixed::new(), FixedTables::new());
    t.device.poll(t.now);
    t.device.connected(t.now, Security::Local);
    let mut out = [0; 1024];
    t.device.poll(t.now);
    let n = t.device.take_transmit(t.now, &Me, &mut out).len;
    t.device.transmitted(t.now, n);
    t.raw(connack(false));
    for _ in 0..1000 {
        if !t.device.poll(t.now).transmit {
            return;
        }
        let n = t.device.take_transmit(t.now, &Me, &mut out).len;
        t.device.transmitted(t.now, n);
        while t.device.poll_notice().is_some() {}
    }
    panic!("no end");
}

/// one entry: the server has confirmed, and the next command is answered busy
#[test]
fn the_puback_of_a_response_confirms_the_commands_ack() {
    let mut t: Table<Fixed<1024, 24, 24>, FixedTables<1, 256>> = Table::new(Fixed::new(), FixedTables::new());
    t.connect(false);
    t.command("c1");
    t.answer(0, "1");
    t.grant(); // the PUBACK of the response, which was written after c1's PUBACK
    t.command("c2");
    assert_eq!(t.tokens.len(), 2, "{:?}", t.grant());
}

/// busy count
#[test]
fn busy_is_counted() {
    let mut t: Table<Fixed<1024, 9, 24>, FixedTables<8, 256>> = Table::new(Fixed::new(), FixedTables::new());
    t.connect(false);
    t.grant();
    t.command("c1");
    t.command("c2");
    t.turn();
    let counts: Vec<_> = t.notices.iter().filter(|n| matches!(n, Notice::CommandBusy { .. })).collect();
    println!("{:?} {:?} tokens {}", counts, t.heard, t.tokens.len());
    assert!(!counts.contains(&&Notice::CommandBusy { count: 0 }), "{counts:?}");
}

/// online and key are not said when the outbox was full at CONNACK
#[test]
fn the_key_is_said_although_the_outbox_was_full() {
    let mut t: Table<Fixed<512, 16, 24>, FixedTables<6, 256>> = Table::new(Fixed::new(), FixedTables::new());
    t.connect(false);
    t.command("done");
    t.answer(0, "1");
    t.grant();
    for _ in 0..18 {
        t.command("done");
    }
    t.lose();
    t.turn();
    let (at, _) = t.device.next_timer().unwrap();
    t.now = at;
    t.turn();
    t.said.clear();
    t.hear(connack(true));
    let mut bodies = t.grant();
    for _ in 0..20 {
        t.pass(10_000);
        bodies.extend(t.grant());
    }
    assert!(
        bodies.iter().any(|(s, b)| s == "status" && b.contains("apiKey")),
        "{:?}",
        bodies.iter().map(|b| &b.0).collect::<Vec<_>>()
    );
}

fn executed_with_its_puback_lost(dc: DeviceConfig) -> FixedTable {
    let mut t = fixed();
    t.device = Device::new(Config::new(1), dc, Identity::new("a1", "d1").unwrap(), Fixed::new(), FixedTables::new());
    t.connect(false);
    t.command("c1"); // packet 100
    t.answer(0, "1");
    t.lose(); // the PUBACK was flushed and is not confirmed
    t.connect(true);
    t
}

/// remember = 0
#[test]
fn remember_0_does_not_run_twice() {
    let mut dc = DeviceConfig::new();
    dc.remember = Duration::ZERO;
    let mut t = executed_with_its_puback_lost(dc);
    t.redeliver("command", r#"{"commandId":"c1","command":"read"}"#, QoS::AtLeastOnce, 100, true);
    assert_eq!(t.tokens.len(), 1);
}

/// a suspended process finds the repetition in its transport
#[test]
fn a_suspended_process_does_not_run_twice() {
    let mut t = executed_with_its_puback_lost(DeviceConfig::new());
    t.now = t.now + Duration::from_secs(301); // suspended right after CONNACK; the repetition waits in the socket
    t.redeliver("command", r#"{"commandId":"c1","command":"read"}"#, QoS::AtLeastOnce, 100, true);
    assert_eq!(t.tokens.len(), 1);
}

/// the latency of a heartbeat that is not flushed
#[test]
fn a_pong_before_the_flush_is_measured() {
    let mut t = fixed();
    t.connect(false);
    t.pass(30_000);
    t.said.clear();
    t.pass(29_000);
    // next heartbeat: taken, its pong comes before `transmitted`
    t.now = t.now + Duration::from_millis(1_000);
    assert!(t.device.poll(t.now).transmit);
    let mut out = [0; 1024];
    let n = t.device.take_transmit(t.now, &Me, &mut out).len;
    let topic = format!("{PREFIX}pong");
    let bytes = encode(Packet::Publish(Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: TopicName::new(&topic).unwrap(),
        packet_id: None,
        properties: Properties::EMPTY,
        payload: b"",
    }));
    t.device.handle_input(t.now, &bytes).unwrap();
    t.device.transmitted(t.now, n);
    let notices: Vec<_> = std::iter::from_fn(|| t.device.poll_notice()).collect();
    assert!(notices.iter().any(|n| matches!(n, Notice::Pong { .. })), "{notices:?}");
}

/// twenty repeats, ring full, in one connection: the response of the executing command gets a slot in Heap as well
#[test]
fn the_same_on_the_heap() {
    let mut t: Table<Heap<Vec<u8>>, HeapTables> =
        Table::new(Heap::new(HeapLimits { arena: 512, out: 16, inbound: 64 }), HeapTables::default());
    t.connect(false);
    t.command("done");
    t.answer(0, "1");
    t.grant();
    t.command("slow");
    for _ in 0..30 {
        t.command("done");
    }
    t.device.respond(t.now, t.tokens[1], Ok(b"2")).unwrap();
    t.turn();
    let bodies = t.responses();
    assert!(bodies.iter().any(|b| b.contains("slow")));
}
