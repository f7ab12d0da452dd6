//! Faults of an orderly end that a review found, each as the behaviour that is right.

use super::*;

/// DISCONNECT taken and never flushed: the deadline of `stop` must close.
#[test]
fn stop_ends_though_disconnect_is_never_flushed() {
    let mut c = Client::new(Config::new(1), Fixed::<512, 8, 8>::new());
    let me = support::Me::default();
    let mut now = Instant::from_millis(1000);
    assert!(c.poll(now).connect.is_some());
    c.connected(now, Security::Local);
    let mut out = [0; 512];
    let n = c.take_transmit(now, &me, &mut out).len;
    c.transmitted(now, n);
    c.handle_input(now, &encode(connack(false))).unwrap();
    c.poll(now);
    c.take_transmit(now, &me, &mut out);
    c.stop(now, Duration::from_secs(5));
    assert!(c.poll(now).transmit);
    let n = c.take_transmit(now, &me, &mut out).len;
    assert!(n > 0); // DISCONNECT; the write never ends
    for _ in 0..100 {
        now = now + Duration::from_secs(10);
        let a = c.poll(now);
        if a.close {
            return;
        }
    }
    let a = c.poll(now);
    panic!("1000 s after a stop within 5 s: {a:?} {:?}", c.next_timer());
}

/// b. the same with DISCONNECT owed behind a body that never gets out (nothing is taken any more).
#[test]
fn stop_ends_though_disconnect_is_owed() {
    let mut c = Client::new(Config::new(1), Fixed::<512, 8, 8>::new());
    let me = support::Me::default();
    let mut now = Instant::from_millis(1000);
    c.poll(now);
    c.connected(now, Security::Local);
    let mut out = [0; 512];
    let n = c.take_transmit(now, &me, &mut out).len;
    c.transmitted(now, n);
    c.handle_input(now, &encode(connack(false))).unwrap();
    c.poll(now);
    c.take_transmit(now, &me, &mut out);
    let ping = {
        now = now + Duration::from_secs(55);
        assert!(c.poll(now).transmit);
        c.take_transmit(now, &me, &mut out).len
    };
    assert!(ping > 0); // the driver is stuck in this write
    c.stop(now, Duration::from_secs(5));
    c.poll(now);
    now = now + Duration::from_secs(6);
    let a = c.poll(now);
    assert!(a.close, "{a:?} {:?}", c.next_timer());
}

/// the hold of ring and stop
#[test]
fn stop_is_clean_with_commands_waiting_at_the_server() {
    let mut t: Table<Fixed<1024, 24, 8>, FixedTables<6, 256>> = Table::new(Fixed::new(), FixedTables::new());
    t.connect(false);
    t.grant();
    t.device.stop(t.now, Duration::from_secs(10));
    let topic = format!("{PREFIX}command");
    let mut blocked = None;
    // 20 commands are in the server's window; the PUBACK of `offline` comes behind them
    for n in 0..20u16 {
        let payload = format!(r#"{{"commandId":"c{n}","command":"read"}}"#);
        let p = t.raw(cmd(&topic, &payload, 500 + n, false));
        if p.blocked.is_some() {
            blocked = Some(n);
            break;
        }
    }
    t.turn();
    let transmit = t.device.poll(t.now).transmit;
    assert!(
        blocked.is_none() || transmit,
        "command {blocked:?} blocks all reading, nothing to write; said {:?}",
        t.said
    );
}

/// spin: a heartbeat due while draining
#[test]
fn no_spin_when_a_heartbeat_is_due_while_stopping() {
    let mut t = fixed();
    t.connect(false);
    t.command("c1");
    t.device.stop(t.now, Duration::from_secs(120));
    t.pass(31_000);
    assert_eq!(t.spins(), None);
}

/// spin: draining over while CONNACK is awaited
#[test]
fn no_spin_when_draining_ends_in_the_handshake() {
    let mut t = fixed();
    t.turn();
    t.device.stop(t.now, Duration::from_secs(10));
    t.pass(6_000);
    assert_eq!(t.spins(), None);
}

/// b. spin after the end
#[test]
fn no_deadline_after_the_end() {
    let mut t = fixed();
    t.connect(false);
    t.lose();
    t.turn();
    t.device.stop(t.now, Duration::from_secs(10));
    t.pass(6_000);
    assert!(t.device.is_stopped());
    assert_eq!(t.spins(), None);
}

/// respond while the goodbye is owed: acked and never answered
#[test]
fn no_puback_without_its_response_at_the_end() {
    let mut t = fixed();
    t.connect(false);
    t.command("c1");
    t.device.stop(t.now, Duration::from_secs(10));
    t.pass(5_001);
    let responses = |said: &[Said]| {
        said.iter().filter(|s| matches!(s, Said::Publish { topic, .. } if topic.ends_with("response"))).count()
    };
    assert_eq!((responses(&t.said), t.acks.len()), (1, 1), "interrupted, and acknowledged: {:?}", t.said);
    // offline is out; its PUBACK comes, and in the same turn the handler ends
    let Some(Said::Publish { id: Some(id), .. }) = t.said.last().cloned() else { panic!("{:?}", t.said) };
    t.said.clear();
    t.raw(puback(id));
    t.device.poll(t.now);
    assert!(t.device.respond(t.now, t.tokens[0], Ok(b"1")).is_err());
    t.turn();
    assert_eq!((responses(&t.said), t.acks.len()), (0, 1), "{:?}", t.said);
}

/// respond after the end
#[test]
fn respond_after_the_end_is_refused() {
    let mut t = fixed();
    t.connect(false);
    t.command("c1");
    t.lose();
    t.device.stop(t.now, Duration::from_secs(1));
    t.turn();
    assert!(t.device.is_stopped());
    assert!(t.device.respond(t.now, t.tokens[0], Ok(b"1")).is_err());
}

/// the lane's deadline while closing
#[test]
fn no_spin_on_the_lane_while_the_goodbye_waits() {
    let mut t = fixed();
    t.connect(false);
    t.grant();
    t.device.trigger(t.now, "a", b"{}").unwrap();
    t.turn();
    t.grant();
    t.turn();
    t.device.stop(t.now, Duration::from_secs(60));
    t.device.poll(t.now);
    let mut out = [0; 1024];
    let n = t.device.take_transmit(t.now, &Me, &mut out).len;
    t.device.transmitted(t.now, n);
    let Some(Said::Publish { id: Some(id), .. }) = decode(&out[..n]).pop() else { panic!("{:?}", decode(&out[..n])) };
    t.raw(puback(id));
    t.device.poll(t.now);
    assert!(t.device.take_transmit(t.now, &Me, &mut out).len > 0); // DISCONNECT, slow to flush
    t.now = t.now + Duration::from_secs(11);
    t.device.poll(t.now);
    while t.device.poll_notice().is_some() {}
    let a = t.device.poll(t.now);
    assert!(
        a.close || a.transmit || a.notify || a.deadline.is_none_or(|at| at > t.now),
        "{a:?} {:?}",
        t.device.next_timer()
    );
}
