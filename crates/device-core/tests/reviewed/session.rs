//! Faults of a session or a client that a review found, each as the behaviour that is right.

use super::*;

/// clean though the goodbye never left
#[test]
fn not_clean_when_the_goodbye_never_left() {
    let mut c = Client::new(Config::new(1), Fixed::<512, 8, 8>::new());
    let me = support::Me::default();
    let now = Instant::from_millis(1000);
    c.poll(now);
    c.connected(now, Security::Local);
    let mut out = [0; 512];
    let n = c.take_transmit(now, &me, &mut out).len;
    c.transmitted(now, n);
    c.handle_input(now, &encode(connack(false))).unwrap();
    c.poll(now);
    c.stop(now, Duration::from_secs(5));
    c.poll(now);
    c.disconnected(now); // the transport fails before DISCONNECT is even taken
    c.poll(now);
    let notices: Vec<_> = std::iter::from_fn(|| c.poll_notice()).collect();
    assert!(notices.contains(&Notice::Stopped { clean: false }), "{notices:?}");
}

/// Heap: NoRoom for ever in an empty arena
#[test]
fn an_empty_heap_takes_what_fits_its_limit() {
    fn run<S: Storage>(s: S) -> Result<MessageKey, PublishError> {
        let mut t = STable::new(Config::new(1), s);
        t.connect(false);
        t.session.publish(t.now, &Publication::new("a", QoS::AtLeastOnce), &[0; 600]).unwrap();
        let said = t.say();
        let Said::Publish { id: Some(id), .. } = said[0] else { panic!() };
        t.puback(id);
        t.outcomes();
        t.session.publish(t.now, &Publication::new("a", QoS::AtLeastOnce), &[0; 700])
    }
    assert!(run(Fixed::<1024, 16, 8>::new()).is_ok());
    assert!(run(Heap::<Vec<u8>>::new(HeapLimits { arena: 1024, out: 16, inbound: 8 })).is_ok());
}

/// the pong deadline is given again and again to a driver whose timer is coarse
#[test]
fn a_coarse_timer_still_finds_a_dead_link() {
    let mut t = STable::new(Config::new(1), Fixed::<1024, 16, 8>::new());
    t.connect(false);
    t.pass(55_000);
    assert_eq!(t.say(), [Said::PingReq]);
    for _ in 0..1000 {
        t.pass(3_000);
        if t.session.poll(t.now).close {
            return;
        }
    }
    panic!("no answer for {} s", 2000);
}

/// a body generated from the wall clock is torn between two chunks
#[test]
fn a_timestamp_is_not_torn() {
    let mut t = fixed();
    t.device.set_wall_clock(t.now, 1_736_937_000_000);
    t.turn();
    t.said.clear();
    t.raw(connack(false));
    let base = Instant::from_millis(t.now.as_millis());
    // every size of the buffer from tx_min on; a second passes between two writes
    for size in t.device.tx_min(&Me)..600 {
        let mut d = t.device.clone();
        let (mut now, mut all) = (base, vec![]);
        for _ in 0..200 {
            if !d.poll(now).transmit {
                break;
            }
            let mut out = vec![0; size];
            let n = d.take_transmit(now, &Me, &mut out).len;
            all.extend_from_slice(&out[..n]);
            d.transmitted(now, n);
            now = now + Duration::from_millis(59_999);
        }
        for s in decode(&all) {
            if let Said::Publish { topic: _, payload, retain: true, .. } = s {
                let text = String::from_utf8(payload).unwrap();
                let at = |ms: u64| {
                    let ms = 1_736_937_000_000 + ms;
                    mqtt_device_core::device::Timestamp { unix_ms: ms }.to_string()
                };
                let ok = (0..200).any(|n| text.contains(&at(n * 59_999)));
                assert!(ok, "buffer of {size}: {text} was no time at all");
            }
        }
    }
}

/// b. the wall clock is set while such a body is half out: the connection is closed as "internal error"
#[test]
fn setting_the_wall_clock_does_not_end_the_connection() {
    let mut t = fixed();
    t.turn();
    t.said.clear();
    t.raw(connack(false));
    // find a chunk size that cuts the body of `online`
    let mut bad = vec![];
    for size in t.device.tx_min(&Me)..700 {
        let mut d = t.device.clone();
        let mut out = vec![0; size];
        let now = t.now;
        let mut first = true;
        for _ in 0..100 {
            let a = d.poll(now);
            if a.close {
                bad.push(size);
                break;
            }
            if !a.transmit {
                break;
            }
            let n = d.take_transmit(now, &Me, &mut out).len;
            d.transmitted(now, n);
            if first {
                first = false;
                d.set_wall_clock(now, 1_736_937_000_999);
            }
        }
        if let Some(Notice::Disconnected { .. }) = d.poll_notice() {}
    }
    assert!(bad.is_empty(), "closed with buffers of {bad:?}; tx_min {}", t.device.tx_min(&Me));
}

/// class limits: a response is dropped by policy
#[test]
fn responses_are_never_dropped_by_policy() {
    let identity = Identity::new("a1", "d1").unwrap();
    let mut config = Config::new(1);
    config.classes = [ClassLimits { count: 8, bytes: 4096, when_full: WhenFull::Latest, ttl: None }; CLASSES];
    let mut t = fixed();
    t.device = Device::new(config, DeviceConfig::new(), identity, Fixed::new(), FixedTables::new());
    t.connect(false);
    t.command("c1");
    t.command("c2");
    t.device.respond(t.now, t.tokens[0], Ok(b"1")).unwrap();
    t.device.respond(t.now, t.tokens[1], Ok(b"1")).unwrap();
    t.turn();
    assert_eq!(t.responses().len(), 2);
}

/// class bytes do not count owned bodies
#[test]
fn the_bytes_of_a_class_bound_owned_bodies() {
    let mut config = Config::new(1);
    config.classes[0].bytes = 1000;
    let mut t = STable::new(config, Heap::<Vec<u8>>::new(HeapLimits::default()));
    let n = (0..4000)
        .take_while(|_| {
            t.session.publish_owned(t.now, &Publication::new("a", QoS::AtLeastOnce), vec![0; 10_000]).is_ok()
        })
        .count();
    assert!(n == 0, "{n} messages of 10 kB in a class of 1000 bytes");
}

/// a message is dropped for one that is then refused
#[test]
fn when_publish_fails_nothing_has_changed() {
    let mut config = Config::new(1);
    config.classes[0].when_full = WhenFull::Latest;
    let mut t = STable::new(config, Fixed::<256, 8, 8>::new());
    t.session.publish(t.now, &Publication::new("a", QoS::AtLeastOnce), b"old").unwrap();
    let r = t.session.publish(t.now, &Publication::new("a", QoS::AtLeastOnce), &[0; 400]);
    assert!(r.is_err());
    assert_eq!(t.session.pending(), 1, "{r:?} {:?}", t.outcomes());
}

/// oversize with nothing to skip
#[test]
fn nothing_is_left_to_skip() {
    let mut config = Config::new(1);
    config.maximum_packet_size = 64;
    let mut t = STable::new(config, Fixed::<256, 8, 8>::new());
    t.connect(false);
    let topic: &'static str = Box::leak("t".repeat(100).into_boxed_str());
    let mut bytes = encode(smessage(topic, b"", 0));
    bytes.extend(encode(smessage("x", b"next", 0)));
    let mut at = 0;
    let mut events = 0;
    loop {
        let p = t.session.handle_input(t.now, &bytes[at..]).unwrap();
        at += p.consumed;
        events += usize::from(p.event.is_some());
        if p.consumed == 0 {
            break;
        }
    }
    assert_eq!((at, events), (bytes.len(), 2));
}

/// tx_min is not enough for a declared filter
#[test]
fn a_buffer_of_tx_min_is_enough() {
    let mut c = Client::new(Config::new(1), Fixed::<512, 8, 8>::new());
    let filters = vec!["a/rather/long/filter/that/is/not/so/unusual/for/a/fleet/of/devices/in/a/greenhouse/+/+/+/#"];
    let me = support::Me { filters, ..support::Me::default() };
    let now = Instant::from_millis(1000);
    c.poll(now);
    c.connected(now, Security::Local);
    let min = c.tx_min(&me);
    let mut out = vec![0; min];
    let n = c.take_transmit(now, &me, &mut out).len;
    c.transmitted(now, n);
    c.handle_input(now, &encode(connack(false))).unwrap();
    assert!(c.poll(now).transmit);
    let n = c.take_transmit(now, &me, &mut out).len;
    assert!(n > 0 && !c.poll(now).close, "tx_min {min}, closed");
}

/// send window 0
#[test]
fn a_send_window_of_0_does_not_wedge() {
    let mut config = Config::new(1);
    config.send_window = 0;
    let mut t = STable::new(config, Fixed::<256, 8, 8>::new());
    t.session.publish(t.now, &Publication::new("a", QoS::AtLeastOnce), b"1").unwrap();
    assert_eq!(t.connect(false).len(), 1);
}

/// failed handshakes between short connections
#[test]
fn a_failed_handshake_is_a_failed_attempt() {
    let mut t = fixed();
    for _n in 0..3 {
        t.connect(true);
        t.lose();
        t.turn();
        // a restarting server behind a proxy: the transport opens, CONNACK never comes
        let (at, _) = t.device.next_timer().unwrap();
        t.now = at;
        t.turn();
        t.lose();
        t.turn();
    }
    assert!(!t.notices.contains(&Notice::PossibleDuplicateClient), "{:?}", t.notices);
}

/// one byte after the topic: no identifier
#[test]
fn oversize_with_half_an_identifier_is_malformed() {
    let mut config = Config::new(1);
    config.maximum_packet_size = 64;
    let mut t = STable::new(config, Fixed::<256, 8, 8>::new());
    t.connect(false);
    let mut bytes = vec![0x32, 103, 0, 100];
    bytes.extend([b't'; 100]);
    bytes.push(7);
    let mut at = 0;
    let mut error = None;
    while at < bytes.len() {
        match t.session.handle_input(t.now, &bytes[at..]) {
            Ok(p) => at += p.consumed,
            Err(e) => {
                error = Some(e);
                break;
            }
        }
    }
    assert!(error.is_some(), "acknowledged {:?}", t.say());
}

/// Fixed with more slots than identifiers allow
#[test]
fn many_slots() {
    let mut config = Config::new(1);
    config.send_window = u16::MAX;
    config.keep_alive = 0;
    let mut t = Box::new(STable::new(
        config,
        Lent::<NoPayload>::new(
            vec![0; 1 << 20].leak(),
            vec![OutSlot::EMPTY; 33_000].leak(),
            vec![InSlot::EMPTY; 4].leak(),
        ),
    ));
    t.tx = 1 << 20;
    for _ in 0..32_000 {
        t.session.publish(t.now, &Publication::new("a", QoS::AtLeastOnce), b"").unwrap();
    }
    let said = t.connect(false);
    let mut ids: Vec<u16> =
        said.iter().filter_map(|s| if let Said::Publish { id, .. } = s { *id } else { None }).collect();
    for id in &ids {
        t.puback(*id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), t.session.pending()), (32_000, 0));
}

/// the client: at the deadline of stop no DISCONNECT leaves although the link is fine
#[test]
fn the_goodbye_leaves_even_if_a_message_is_never_acknowledged() {
    let mut c = Client::new(Config::new(1), Fixed::<512, 8, 8>::new());
    let me = support::Me::default();
    let mut now = Instant::from_millis(1000);
    c.poll(now);
    c.connected(now, Security::Local);
    let mut out = [0; 512];
    let mut all = vec![];
    let mut pump = |c: &mut Client<Fixed<512, 8, 8>>, now| {
        let n = c.take_transmit(now, &me, &mut out).len;
        c.transmitted(now, n);
        all.extend(decode(&out[..n]));
    };
    pump(&mut c, now);
    c.handle_input(now, &encode(connack(false))).unwrap();
    c.publish(now, &Publication::new("a", QoS::AtLeastOnce), b"1").unwrap();
    c.poll(now);
    pump(&mut c, now);
    c.stop(now, Duration::from_secs(5));
    for _ in 0..60 {
        now = now + Duration::from_millis(100);
        if c.poll(now).transmit {
            pump(&mut c, now);
        }
        if c.poll(now).close {
            break;
        }
    }
    assert!(all.contains(&Said::Disconnect), "{all:?}");
}

/// notices that matter are pushed out by strays
#[test]
fn a_flood_of_strays_does_not_push_out_ready() {
    let mut c = Client::new(Config::new(1), Fixed::<512, 8, 8>::new());
    let me = support::Me::default();
    let now = Instant::from_millis(1000);
    c.poll(now);
    c.connected(now, Security::Local);
    let mut out = [0; 512];
    let n = c.take_transmit(now, &me, &mut out).len;
    c.transmitted(now, n);
    c.handle_input(now, &encode(connack(false))).unwrap();
    c.take_transmit(now, &me, &mut out);
    c.poll(now); // Ready
    for id in 1..40 {
        c.handle_input(now, &encode(puback(id))).unwrap();
    }
    let notices: Vec<_> = std::iter::from_fn(|| c.poll_notice()).collect();
    assert!(notices.iter().any(|n| matches!(n, Notice::Ready { .. })), "{notices:?}");
}

/// random life of a session: outcomes exactly once, bytes as given.
#[test]
fn random_lives() {
    fn run<S: Storage<Payload = P>, P: AsRef<[u8]> + Clone>(
        make: impl Fn() -> S,
        own: Option<fn(Vec<u8>) -> P>,
        seeds: u64,
    ) {
        for seed in 0..seeds {
            let mut r = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            let mut rnd = |n: u64| {
                r ^= r << 13;
                r ^= r >> 7;
                r ^= r << 17;
                (r >> 11) % n
            };
            let mut config = Config::new(seed);
            config.send_window = 1 + rnd(6) as u16;
            config.keep_alive = 20;
            config.on_session_loss = if rnd(2) == 0 { OnSessionLoss::Republish } else { OnSessionLoss::Fail };
            config.classes[1] = ClassLimits {
                count: 3,
                bytes: 120,
                when_full: WhenFull::DropOldest,
                ttl: Some(Duration::from_secs(3)),
            };
            config.classes[2] = ClassLimits { count: 4, bytes: 200, when_full: WhenFull::Latest, ttl: None };
            let mut s = Session::new(config, make());
            let me = support::Me::default();
            let mut now = Instant::from_millis(1000);
            let mut live: std::collections::BTreeMap<u32, (MessageKey, Vec<u8>)> = Default::default();
            let mut ended = 0;
            let mut accepted = 0;
            let mut n = 0u32;
            let mut stream: Vec<u8> = vec![];
            let mut unacked: Vec<u16> = vec![];
            let mut up = false;
            let mut open = false;
            let mut unflushed = 0;
            for _step in 0..600 {
                match rnd(12) {
                    0..=3 => {
                        n += 1;
                        let len = 4 + rnd(60) as usize;
                        let mut body = n.to_be_bytes().to_vec();
                        body.extend((0..len).map(|i| (n as u8).wrapping_add(i as u8)));
                        let mut p = Publication::new(
                            ["a", "bb", "ccc"][rnd(3) as usize],
                            if rnd(3) == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce },
                        );
                        p.class = rnd(3) as u8;
                        let key = match own {
                            Some(own) if rnd(3) == 0 => s.publish_owned(now, &p, own(body.clone())),
                            _ => s.publish(now, &p, &body),
                        };
                        if let Ok(key) = key {
                            accepted += 1;
                            live.insert(key.as_u32(), (key, body));
                        }
                    }
                    4 | 5 if up => {
                        let size = 24 + rnd(200) as usize;
                        if s.poll(now).transmit {
                            let mut out = vec![0; size.max(64)];
                            let t = s.take_transmit(now, &me, &mut out);
                            stream.extend_from_slice(&out[..t.len]);
                            unflushed += t.len;
                            if let Some(b) = t.body {
                                stream.extend_from_slice(b.as_ref());
                                unflushed += b.as_ref().len();
                            }
                        }
                    }
                    6 if up => {
                        let f = rnd(unflushed as u64 + 1) as usize;
                        s.transmitted(now, f);
                        unflushed -= f;
                    }
                    7 if !unacked.is_empty() => {
                        let id = unacked.remove(rnd(unacked.len() as u64) as usize);
                        let b = encode(puback(id));
                        s.handle_input(now, &b).unwrap();
                    }
                    8 if rnd(4) == 0 => {
                        if up {
                            s.disconnected();
                            stream.clear();
                            unacked.clear();
                            unflushed = 0;
                            up = false;
                            open = false;
                        } else {
                            s.connected(now, Security::Local);
                            up = true;
                        }
                    }
                    9 => {
                        let i = rnd(live.len().max(1) as u64) as usize;
                        if let Some((_, (k, _))) = live.iter().nth(i) {
                            s.cancel(*k);
                        }
                    }
                    10 => {
                        now = now + Duration::from_millis(rnd(700));
                        if s.poll(now).close {
                            s.disconnected();
                            stream.clear();
                            unacked.clear();
                            unflushed = 0;
                            up = false;
                            open = false;
                        }
                    }
                    _ => {}
                }
                // the server reads whole packets
                while let Ok(proto::Status::Complete(k)) = proto::frame_len(&stream, u32::MAX) {
                    let pkt: Vec<u8> = stream.drain(..k).collect();
                    for said in decode(&pkt) {
                        match said {
                            Said::Connect { .. } => {
                                let b = encode(connack(rnd(2) == 0));
                                s.handle_input(now, &b).unwrap();
                                open = true;
                            }
                            Said::Publish { payload, id, .. } => {
                                let m = u32::from_be_bytes(payload[..4].try_into().unwrap());
                                for (i, b) in payload[4..].iter().enumerate() {
                                    assert_eq!(*b, (m as u8).wrapping_add(i as u8), "seed {seed}");
                                }
                                if let Some(id) = id {
                                    assert!(!unacked.contains(&id), "seed {seed} id {id} in use");
                                    unacked.push(id);
                                }
                            }
                            Said::PingReq => {
                                s.handle_input(now, &encode(Packet::PingResp)).unwrap();
                            }
                            o => panic!("{o:?}"),
                        }
                    }
                }
                while let Some((k, _)) = s.poll_outcome() {
                    assert!(live.remove(&k.as_u32()).is_some(), "seed {seed}: twice");
                    ended += 1;
                }
                while s.poll_notice().is_some() {}
                assert_eq!(accepted, ended + s.pending(), "seed {seed}");
            }
            // at the end everything leaves
            for _ in 0..400 {
                if !up {
                    s.connected(now, Security::Local);
                    up = true;
                    stream.clear();
                    unacked.clear();
                    unflushed = 0;
                }
                if s.poll(now).close {
                    s.disconnected();
                    up = false;
                    continue;
                }
                let mut out = vec![0; 300];
                let t = s.take_transmit(now, &me, &mut out);
                stream.extend_from_slice(&out[..t.len]);
                let b = t.body.as_ref().map_or(&[][..], |b| b.as_ref());
                stream.extend_from_slice(b);
                s.transmitted(now, unflushed + t.len + b.len());
                unflushed = 0;
                while let Ok(proto::Status::Complete(k)) = proto::frame_len(&stream, u32::MAX) {
                    let pkt: Vec<u8> = stream.drain(..k).collect();
                    for said in decode(&pkt) {
                        match said {
                            Said::Connect { .. } => {
                                s.handle_input(now, &encode(connack(true))).unwrap();
                            }
                            Said::Publish { id: Some(id), .. } => unacked.push(id),
                            Said::PingReq => {
                                s.handle_input(now, &encode(Packet::PingResp)).unwrap();
                            }
                            _ => {}
                        }
                    }
                }
                for id in unacked.drain(..) {
                    s.handle_input(now, &encode(puback(id))).unwrap();
                }
                while s.poll_outcome().is_some() {
                    ended += 1;
                }
            }
            assert_eq!((s.pending(), accepted), (0, ended), "seed {seed}: stuck; open {open}");
        }
    }
    run(Fixed::<400, 12, 4>::new, None, 300);
    run(
        || Heap::<Vec<u8>>::new(HeapLimits { arena: 400, out: 12, inbound: 4 }),
        Some(|v| {
            let mut v = v;
            let m = u32::from_be_bytes(v[..4].try_into().unwrap());
            if m % 4 == 0 {
                let base = v.len() - 4;
                v.extend((base..base + 1500).map(|i| (m as u8).wrapping_add(i as u8)));
            }
            v
        }),
        300,
    );
}

/// the instant is at its end
#[test]
fn the_end_of_the_clock() {
    let mut t = fixed();
    t.now = Instant::from_millis(u64::MAX - 10);
    t.connect(false);
    assert_eq!(t.spins(), None);
}
