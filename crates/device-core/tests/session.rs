//! One session, packet by packet, on each kind of storage.

mod support;

use mqtt_device_core::proto::{Packet, PacketId, Properties, PubRel, ReasonCode};
use mqtt_device_core::*;
use support::*;

/// Runs one test body on fixed arrays and on the heap.
macro_rules! on_both {
    ($($(#[$doc:meta])* fn $name:ident($table:ident, $config:ident $(, $setup:stmt)*) $body:block)*) => { $(
        mod $name {
            use super::*;
            $(#[$doc])* #[test] fn fixed() { run(Fixed::<1024, 16, 8>::new()) }
            #[cfg(feature = "alloc")]
            $(#[$doc])* #[test] fn heap() {
                run(Heap::<Vec<u8>>::new(HeapLimits { arena: 1024, out: 16, inbound: 8 }))
            }
            #[allow(unused_mut)]
            fn run<S: Storage>(storage: S) {
                let mut $config = Config::new(1);
                $($setup)*
                let mut $table = Table::new($config, storage);
                $body
            }
        }
    )* };
}

const QOS1: QoS = QoS::AtLeastOnce;

fn publish<S: Storage>(t: &mut Table<S>, topic: &str, payload: &[u8], qos: QoS) -> u32 {
    t.session.publish(t.now, &Publication::new(topic, qos), payload).expect("room").as_u32()
}

fn ids(said: &[Said]) -> Vec<(u16, bool)> {
    said.iter()
        .filter_map(|s| if let Said::Publish { id: Some(id), dup, .. } = s { Some((*id, *dup)) } else { None })
        .collect()
}

on_both! {
    fn messages_wait_until_the_server_has_accepted(t, config) {
        let key = publish(&mut t, "a", b"1", QOS1);
        assert!(!t.session.poll(t.now).transmit);
        let said = t.connect(false);
        assert_eq!(said.len(), 1);
        let [(id, false)] = ids(&said)[..] else { panic!("{said:?}") };
        assert_eq!(t.outcomes(), []);
        t.puback(id);
        assert_eq!(t.outcomes(), [(key, Outcome::Acked)]);
    }

    fn qos_0_ends_when_it_is_flushed_and_not_before(t, config) {
        t.connect(false);
        let key = publish(&mut t, "a", b"x", QoS::AtMostOnce);
        let bytes = t.take();
        assert_eq!(t.outcomes(), []);
        t.session.transmitted(t.now, bytes.len() - 1);
        assert_eq!(t.outcomes(), []);
        t.session.transmitted(t.now, 1);
        assert_eq!(t.outcomes(), [(key, Outcome::Sent)]);
    }

    /// Trap 7, trap 8.
    fn on_resume_original_identifiers_in_original_order_with_dup_before_all_else(t, config) {
        t.connect(false);
        let keys: Vec<_> = (0..3u8).map(|n| publish(&mut t, "a", &[n], QOS1)).collect();
        let first = ids(&t.say());
        t.lose();
        let late = publish(&mut t, "a", b"late", QOS1);
        let again = t.connect(true);
        let got = ids(&again);
        assert_eq!(got[..3].iter().map(|x| x.0).collect::<Vec<_>>(), first.iter().map(|x| x.0).collect::<Vec<_>>());
        assert!(got[..3].iter().all(|x| x.1) && !got[3].1, "{got:?}");
        assert!(!first.iter().any(|x| x.0 == got[3].0));
        for (id, _) in got { t.puback(id); }
        assert_eq!(t.outcomes(), keys.iter().chain([&late]).map(|&k| (k, Outcome::Acked)).collect::<Vec<_>>());
    }

    /// Trap 1.
    fn when_the_session_is_lost_messages_are_new_ones(t, config) {
        t.connect(false);
        publish(&mut t, "a", b"1", QOS1);
        let [(old, _)] = ids(&t.say())[..] else { panic!() };
        t.lose();
        let [(new, dup)] = ids(&t.connect(false))[..] else { panic!() };
        assert!(!dup && new != old, "{old} {new} {dup}");
    }

    /// Trap 1.
    fn or_they_end_as_lost_when_so_configured(t, config, config.on_session_loss = OnSessionLoss::Fail) {
        t.connect(false);
        let sent = publish(&mut t, "a", b"1", QOS1);
        t.say();
        let unsent = { t.lose(); publish(&mut t, "a", b"2", QOS1) };
        let said = t.connect(false);
        assert_eq!(t.outcomes(), [(sent, Outcome::SessionLost)]);
        assert_eq!(ids(&said).len(), 1);
        let _ = unsent;
    }

    /// Trap 3.
    fn an_acknowledgement_must_match_identifier_kind_and_written_state(t, config) {
        t.connect(false);
        let key = publish(&mut t, "a", b"1", QOS1);
        let bytes = t.take();
        let Said::Publish { id: Some(id), .. } = decode(&bytes)[0] else { panic!() };
        t.puback(id + 1);
        t.suback(id, ReasonCode::SUCCESS);
        assert_eq!(t.outcomes(), []);
        t.puback(id);
        assert_eq!(t.outcomes(), [(key, Outcome::Acked)]);
        t.puback(id);
        assert_eq!(t.outcomes(), []);
        let stray: Vec<_> = std::iter::from_fn(|| t.session.poll_notice()).collect();
        assert_eq!(stray, [Notice::StrayAck { count: 3 }], "a flood of one kind takes one place");
    }

    /// Trap 3: what was not written on this connection cannot be acknowledged on it.
    fn an_acknowledgement_before_the_repetition_is_stray(t, config, config.send_window = 1) {
        t.connect(false);
        publish(&mut t, "a", b"1", QOS1);
        let [(id, _)] = ids(&t.say())[..] else { panic!() };
        t.lose();
        t.session.connected(t.now, Security::Local);
        t.say();
        t.hear(Packet::ConnAck(proto::ConnAck { session_present: true, reason: ReasonCode::SUCCESS, properties: Properties::EMPTY }));
        t.puback(id);
        assert_eq!(t.outcomes(), []);
        assert_eq!(ids(&t.say()), [(id, true)]);
    }

    /// Trap 2.
    fn identifiers_in_use_are_never_given_out_again(t, config, config.send_window = 8) {
        t.connect(false);
        let mut live = std::collections::BTreeSet::new();
        let mut random = 1u64;
        for n in 0..5000u32 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if live.len() < 8 {
                publish(&mut t, "a", &n.to_be_bytes(), QOS1);
                let [(id, _)] = ids(&t.say())[..] else { panic!() };
                assert!(live.insert(id), "{id} is in use");
            }
            if live.len() > (random >> 40) as usize % 8 {
                let id = *live.iter().nth((random >> 33) as usize % live.len()).unwrap();
                live.remove(&id);
                t.puback(id);
                assert_eq!(t.outcomes().len(), 1);
            }
        }
    }

    /// Trap 19: the window holds back what stands behind it, and nothing is lost.
    fn the_send_window_is_kept(t, config, config.send_window = 2) {
        t.connect(false);
        for n in 0..5u8 { publish(&mut t, "a", &[n], QOS1); }
        let first = ids(&t.say());
        assert_eq!(first.len(), 2);
        t.puback(first[1].0);
        assert_eq!(ids(&t.say()).len(), 1);
        t.puback(first[0].0);
        assert_eq!(ids(&t.say()).len(), 1);
    }

    /// Trap 22.
    fn acknowledgements_leave_in_order_of_receipt(t, config, config.auto_ack = false) {
        t.connect(false);
        let tokens: Vec<_> = [7, 3, 9].into_iter().map(|id| token(t.hear(message("a", b"x", id)))).collect();
        assert!(t.session.acknowledge(tokens[1]));
        assert!(t.session.acknowledge(tokens[2]));
        assert_eq!(t.say(), []);
        assert!(t.session.acknowledge(tokens[0]));
        assert_eq!(t.say(), [7, 3, 9].map(Said::PubAck));
        assert!(!t.session.acknowledge(tokens[0]));
    }

    /// Trap 22.
    fn an_acknowledgement_never_leaves_on_a_later_connection(t, config, config.auto_ack = false) {
        t.connect(false);
        let token = token(t.hear(message("a", b"x", 7)));
        t.lose();
        t.connect(true);
        assert!(!t.session.acknowledge(token));
        assert_eq!(t.say(), []);
    }

    /// Trap 10: a full ring blocks reading only until something is written.
    fn a_full_ring_withholds_what_comes_and_goes_on(t, config, config.auto_ack = false) {
        t.connect(false);
        let held: Vec<_> = (1..=8).map(|id| token(t.hear(message("a", b"x", id)))).collect();
        let void = token(t.hear(message("a", b"x", 9)));
        assert_eq!(t.session.poll_notice(), Some(Notice::Unacknowledged { count: 1 }));
        assert!(!t.session.acknowledge(void));
        assert_eq!(t.say(), []);
        assert!(held.into_iter().all(|token| t.session.acknowledge(token)));
        // A new connection has the ninth delivered again.
        let said = (1..=8).map(Said::PubAck).chain([Said::Disconnect]);
        assert_eq!(t.say(), said.collect::<Vec<_>>());
        assert!(t.session.poll(t.now).close);
    }

    /// Those behind one that is given up come again with it [MQTT-4.6.0-2].
    fn what_is_forgone_is_not_acknowledged_nor_what_stands_behind_it(t, config, config.auto_ack = false) {
        t.connect(false);
        let held: Vec<_> = (1..=4).map(|id| token(t.hear(message("a", b"x", id)))).collect();
        assert!(t.session.acknowledge(held[3]));
        assert!(t.session.forgo(held[2]) && !t.session.forgo(held[2]) && !t.session.acknowledge(held[2]));
        let late = token(t.hear(message("a", b"x", 5)));
        assert!(!t.session.acknowledge(late));
        assert_eq!(t.say(), []);
        assert!(t.session.acknowledge(held[0]) && t.session.acknowledge(held[1]));
        assert_eq!(t.session.poll_notice(), Some(Notice::Unacknowledged { count: 2 }));
        assert_eq!(t.say(), [Said::PubAck(1), Said::PubAck(2), Said::Disconnect]);
        assert!(t.session.poll(t.now).close);
    }

    /// Nothing comes again on a session that ends with its connection.
    fn on_a_clean_session_nothing_is_withheld(t, config, config.auto_ack = false, config.clean_start = true) {
        t.connect(false);
        let held: Vec<_> = (1..=8).map(|id| token(t.hear(message("a", b"x", id)))).collect();
        assert!(t.session.forgo(held[0]));
        assert_eq!(t.say(), [Said::PubAck(1)]);
        t.hear(message("a", b"x", 9));
        let tenth = encode(message("a", b"x", 10));
        let progress = t.session.handle_input(t.now, &tenth).unwrap();
        assert_eq!((progress.consumed, progress.blocked), (0, Some(Blocked::Tx)));
        assert_eq!(t.say(), [Said::PubAck(2)]);
        assert_eq!(t.session.poll_notice(), Some(Notice::AcknowledgedEarly { count: 1 }));
    }

    /// Trap 10, where the oldest may be given up.
    fn a_full_ring_acknowledges_the_oldest_early_if_told_to(t, config, config.auto_ack = false, config.when_held = WhenHeld::AcknowledgeEarly) {
        t.connect(false);
        for id in 1..=8 { t.hear(message("a", b"x", id)); }
        let ninth = encode(message("a", b"x", 9));
        let progress = t.session.handle_input(t.now, &ninth).unwrap();
        assert_eq!((progress.consumed, progress.blocked), (0, Some(Blocked::Tx)));
        assert_eq!(t.say(), [Said::PubAck(1)]);
        assert!(matches!(t.hear_bytes(&ninth), Some(Heard::Message(..))));
        assert_eq!(t.session.poll_notice(), Some(Notice::AcknowledgedEarly { count: 1 }));
    }

    /// Trap 11: what comes in does not put off PINGREQ.
    fn inbound_traffic_does_not_keep_a_connection_alive(t, config, config.keep_alive = 10) {
        t.connect(false);
        for _ in 0..8 { t.pass(1_000); t.hear(message("a", b"x", 0)); assert_eq!(t.say(), []); }
        t.pass(1_000);
        assert_eq!(t.say(), [Said::PingReq]);
    }

    /// Trap 11: what goes out does not put off the deadline of the PINGRESP.
    fn outbound_traffic_does_not_hide_a_dead_link(t, config, config.keep_alive = 10) {
        t.connect(false);
        t.pass(9_000);
        assert_eq!(t.say(), [Said::PingReq]);
        for _ in 0..9 { t.pass(1_000); publish(&mut t, "a", b"x", QoS::AtMostOnce); t.say(); t.outcomes(); assert!(!t.session.poll(t.now).close); }
        t.pass(1_000);
        assert!(t.session.poll(t.now).close);
        assert_eq!(t.session.disconnected(), Some(DisconnectReason::KeepAliveTimeout));
    }

    /// Trap 11: a link on which only we speak is asked, too.
    fn a_silent_server_is_asked_although_we_speak(t, config, config.keep_alive = 10) {
        t.connect(false);
        let mut pings = 0;
        for _ in 0..10 { t.pass(1_000); publish(&mut t, "a", b"x", QoS::AtMostOnce); pings += t.say().iter().filter(|s| **s == Said::PingReq).count(); t.outcomes(); }
        assert_eq!(pings, 1);
    }

    /// The deadline of the PINGRESP runs from the flush.
    fn a_ping_that_is_not_flushed_has_no_deadline_but_the_write_has(t, config, config.keep_alive = 10) {
        t.connect(false);
        t.pass(9_000);
        let bytes = t.take();
        t.pass(11_000);
        assert!(!t.session.poll(t.now).close);
        t.session.transmitted(t.now, bytes.len());
        t.pass(9_999);
        assert!(!t.session.poll(t.now).close);
        t.pass(1);
        assert!(t.session.poll(t.now).close);
    }

    fn a_write_that_never_ends_closes_the_connection(t, config, config.keep_alive = 10) {
        t.connect(false);
        publish(&mut t, "a", b"x", QOS1);
        t.take();
        t.pass(19_000);
        assert!(t.session.poll(t.now).close);
    }

    /// Trap 12.
    fn nothing_of_a_connection_survives_it(t, config, config.keep_alive = 10) {
        t.connect(false);
        t.pass(9_000);
        assert_eq!(t.say(), [Said::PingReq]);
        t.lose();
        t.pass(100_000);
        t.connect(true);
        assert!(!t.session.poll(t.now).close);
        t.pass(9_000);
        assert_eq!(t.say(), [Said::PingReq]);
    }

    /// Trap 16.
    fn an_oversized_message_is_skipped_and_acknowledged(t, config, config.maximum_packet_size = 64) {
        t.connect(false);
        let big = encode(Packet::Publish(proto::Publish {
            dup: false, qos: QOS1, retain: false, topic: TopicName::new("a/b").unwrap(), packet_id: PacketId::new(77),
            properties: Properties::EMPTY, payload: &[b'z'; 1000],
        }));
        let mut bytes = big.clone();
        bytes.extend(encode(message("c", b"next", 0)));
        let (mut at, mut heard) = (0, vec![]);
        while at < bytes.len() {
            let p = t.session.handle_input(t.now, &bytes[at..bytes.len().min(at + 64)]).unwrap();
            assert!(p.consumed > 0 && p.blocked.is_none());
            at += p.consumed;
            heard.extend(p.event.map(|e| format!("{e:?}").contains("Oversize")));
        }
        assert_eq!(heard, [true, false]);
        assert_eq!(t.say(), [Said::PubAck(77)]);
    }

    /// Trap 16: not even the topic fits.
    fn a_message_whose_topic_does_not_fit_is_skipped_too(t, config, config.maximum_packet_size = 64) {
        t.connect(false);
        let topic = "t".repeat(300);
        let big = encode(Packet::Publish(proto::Publish {
            dup: false, qos: QOS1, retain: false, topic: TopicName::new(&topic).unwrap(), packet_id: PacketId::new(0x1234),
            properties: Properties::EMPTY, payload: &[b'z'; 10],
        }));
        let (mut at, mut oversize) = (0, 0);
        while at < big.len() {
            let p = t.session.handle_input(t.now, &big[at..big.len().min(at + 64)]).unwrap();
            assert!(p.consumed > 0);
            at += p.consumed;
            oversize += usize::from(matches!(p.event, Some(Event::Oversize(Oversize { topic: None, .. }))));
        }
        assert_eq!(oversize, 1);
        assert_eq!(t.say(), [Said::PubAck(0x1234)]);
    }

    /// Trap 4.
    fn a_pubrel_nobody_waits_for_is_answered(t, config) {
        t.connect(true);
        let packet_id = PacketId::new(5).unwrap();
        t.hear(Packet::PubRel(PubRel { packet_id, reason: ReasonCode::SUCCESS, properties: Properties::EMPTY }));
        assert_eq!(t.say(), [Said::PubComp(5)]);
    }

    /// Trap 21.
    fn a_refused_subscription_is_no_success(t, config) {
        t.connect(false);
        let options = SubscribeOptions::new(QOS1);
        let key = t.session.subscribe(t.now, "x/#", options).unwrap().as_u32();
        let [Said::Subscribe(id, _)] = &t.say()[..] else { panic!() };
        t.suback(*id, ReasonCode::UNSPECIFIED_ERROR);
        assert_eq!(t.outcomes(), [(key, Outcome::Refused(ReasonCode::UNSPECIFIED_ERROR))]);
    }

    fn a_subscription_cut_off_is_asked_for_again_under_another_identifier_of_the_connection(t, config) {
        t.connect(false);
        let options = SubscribeOptions::new(QOS1);
        t.session.subscribe(t.now, "x/#", options).unwrap();
        assert!(matches!(&t.say()[..], [Said::Subscribe(..)]));
        t.lose();
        let [Said::Subscribe(id, _)] = t.connect(true)[..] else { panic!() };
        t.suback(id, ReasonCode::SUCCESS);
        assert_eq!(t.outcomes().len(), 1);
    }

    /// Trap 24.
    fn a_full_class_rejects_or_makes_room_as_it_says(t, config, config.classes[1] = ClassLimits { count: 2, bytes: 100, when_full: WhenFull::Reject, ttl: None }, config.classes[2] = ClassLimits { count: 2, bytes: 100, when_full: WhenFull::DropOldest, ttl: None }, config.classes[3] = ClassLimits { count: 9, bytes: 100, when_full: WhenFull::Latest, ttl: None }) {
        let mut put = |class: u8, topic: &str, body: &[u8]| {
            let mut p = Publication::new(topic, QOS1);
            p.class = class;
            t.session.publish(t.now, &p, body).map(|k| k.as_u32())
        };
        put(1, "r", b"1").unwrap();
        put(1, "r", b"2").unwrap();
        assert_eq!(put(1, "r", b"3"), Err(PublishError::Full));
        let oldest = put(2, "d", b"1").unwrap();
        put(2, "d", b"2").unwrap();
        put(2, "d", b"3").unwrap();
        let old = put(3, "l/1", b"1").unwrap();
        put(3, "l/2", b"1").unwrap();
        put(3, "l/1", b"2").unwrap();
        assert_eq!(put(2, "d", &[0; 200]), Err(PublishError::TooLarge { total: 210 }), "no outcome makes room for it");
        assert_eq!(put(4, "d", b""), Err(PublishError::NoSuchClass));
        let dropped = Outcome::Dropped(DropReason::Policy);
        assert_eq!(t.outcomes(), [(oldest, dropped), (old, dropped)]);
        let said = t.connect(false);
        let bodies: Vec<_> = said.iter().map(|s| if let Said::Publish { topic, payload, .. } = s { format!("{topic}{}", String::from_utf8_lossy(payload)) } else { panic!() }).collect();
        assert_eq!(bodies, ["r1", "r2", "d2", "d3", "l/21", "l/12"]);
    }

    /// Trap 24.
    fn time_to_live_counts_on_3_1_1_and_only_while_unsent(t, config) {
        let mut p = Publication::new("a", QOS1);
        p.ttl = Some(Duration::from_secs(10));
        let key = t.session.publish(t.now, &p, b"x").unwrap().as_u32();
        assert_eq!(t.session.next_timer(), Some((t.now + Duration::from_secs(10), Timer::Expiry)));
        t.pass(10_000);
        t.session.poll(t.now);
        assert_eq!(t.outcomes(), [(key, Outcome::Expired)]);
        t.connect(false);
        let key = t.session.publish(t.now, &p, b"y").unwrap().as_u32();
        let [(id, _)] = ids(&t.say())[..] else { panic!() };
        t.pass(20_000);
        t.session.poll(t.now);
        t.puback(id);
        assert_eq!(t.outcomes(), [(key, Outcome::Acked)]);
    }

    fn cancel_calls_back_only_what_has_not_left(t, config) {
        let key = t.session.publish(t.now, &Publication::new("a", QOS1), b"x").unwrap();
        assert!(t.session.cancel(key));
        assert!(!t.session.cancel(key));
        assert_eq!(t.outcomes(), [(key.as_u32(), Outcome::Dropped(DropReason::Cancelled))]);
        t.connect(false);
        let key = t.session.publish(t.now, &Publication::new("a", QOS1), b"x").unwrap();
        t.say();
        assert!(!t.session.cancel(key));
    }

    fn a_body_larger_than_the_buffer_leaves_in_pieces(t, config) {
        t.me.body = (0..2000u32).map(|n| n as u8).collect();
        t.connect(false);
        t.tx = 64;
        t.session.publish_from_source(t.now, &Publication::new("a", QOS1), BodyToken(1)).unwrap();
        publish(&mut t, "b", b"after", QOS1);
        let said = t.say();
        let [Said::Publish { payload, .. }, Said::Publish { payload: after, .. }] = &said[..] else { panic!("{said:?}") };
        assert_eq!((payload, &after[..]), (&t.me.body, &b"after"[..]));
    }

    fn a_half_sent_message_starts_again_on_the_next_connection(t, config) {
        t.me.body = vec![7; 300];
        t.connect(false);
        t.tx = 64;
        t.session.publish_from_source(t.now, &Publication::new("a", QOS1), BodyToken(1)).unwrap();
        let mut out = [0; 64];
        assert_eq!(t.session.take_transmit(t.now, &t.me, &mut out).len, 64);
        t.lose();
        t.tx = 512;
        let said = t.connect(true);
        assert!(matches!(&said[..], [Said::Publish { payload, .. }] if *payload == t.me.body), "{said:?}");
    }

    fn credentials_stay_here_when_the_transport_is_in_clear_text(t, config) {
        t.me.password = Some("s3cret");
        t.session.connected(t.now, Security::Plain);
        assert_eq!(t.take(), []);
        assert!(t.session.poll(t.now).close);
        assert_eq!(t.session.disconnected(), Some(DisconnectReason::CredentialsWithheld(Security::Plain)));
    }

    fn a_packet_before_connack_ends_the_connection(t, config) {
        t.session.connected(t.now, Security::Local);
        t.say();
        let early = encode(message("a", b"x", 0));
        let error = t.session.handle_input(t.now, &early);
        assert_eq!(error, Err(ProtocolError::Unexpected(proto::PacketType::Publish)));
        assert!(t.session.poll(t.now).close);
        assert_eq!(t.session.handle_input(t.now, b"whatever"), Ok(Progress { consumed: 8, event: None, blocked: None }));
    }

    fn disconnect_follows_the_acknowledgements_and_closes_when_flushed(t, config) {
        t.connect(false);
        t.hear(message("a", b"x", 4));
        t.session.disconnect();
        let bytes = t.take();
        assert_eq!(decode(&bytes), [Said::PubAck(4), Said::Disconnect]);
        assert!(!t.session.poll(t.now).close);
        t.session.transmitted(t.now, bytes.len());
        assert!(t.session.poll(t.now).close);
    }

    /// One CONNACK may end many; nothing ends twice, nothing is forgotten.
    fn accepted_is_the_sum_of_outcomes_and_pending(t, config, config.on_session_loss = OnSessionLoss::Fail) {
        let (mut accepted, mut ended) = (0usize, 0usize);
        let mut random = 42u64;
        let mut connected = false;
        let mut live: Vec<u16> = vec![];
        for _ in 0..3000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            match (random >> 33) % 8 {
                0..=3 => {
                    let qos = if random & 1 << 50 == 0 { QOS1 } else { QoS::AtMostOnce };
                    let body = vec![1; (random >> 20) as usize % 90];
                    accepted += usize::from(t.session.publish(t.now, &Publication::new("a/b", qos), &body).is_ok());
                }
                4 if !connected => { live = ids(&t.connect(random & 1 << 51 == 0)).iter().map(|x| x.0).collect(); connected = true; }
                5 if connected => { t.lose(); connected = false; live.clear(); }
                6 if connected => live.extend(ids(&t.say()).iter().map(|x| x.0)),
                7 if !live.is_empty() => { let id = live.swap_remove((random >> 40) as usize % live.len()); t.puback(id); }
                _ => {}
            }
            ended += t.outcomes().len();
            assert_eq!(accepted, ended + t.session.pending());
        }
        assert!(accepted > 500, "{accepted}");
    }
}
