//! The server against a hand-made client, well behaved and not.

use mqtt_device_proto::{
    Connect, Disconnect, Filters, PacketId, PubAck, Publish, QoS, ReasonCode, Role, Status, Subscribe, Subscription,
    TopicFilter, TopicFilters, TopicName, Unsubscribe, Will, frame_len,
};

use super::*;

/// A client by hand: it says what the test says, and shows what the server answered.
struct Hand<'s> {
    server: &'s mut Server,
    connection: ConnectionId,
    now: Instant,
}

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn topic(text: &str) -> TopicName<'_> {
    TopicName::new(text).unwrap()
}

fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

fn message(topic: &str, payload: &str, qos: QoS) -> ApplicationMessage {
    ApplicationMessage::new(topic, payload.as_bytes(), qos)
}

fn will() -> Will<'static> {
    let (topic, properties) = (topic("status"), Default::default());
    Will { qos: QoS::AtLeastOnce, retain: false, topic, payload: b"offline", properties }
}

const NAME: &str = "me";

impl<'s> Hand<'s> {
    fn silent(server: &'s mut Server, now: u64) -> Self {
        let connection = server.accept(at(now)).expect("the server runs");
        Self { server, connection, now: at(now) }
    }

    fn connected(server: &'s mut Server, now: u64) -> (Self, Vec<String>) {
        Self::connected_as(server, now, Connect { clean_start: false, keep_alive: 10, ..Connect::new(NAME) })
    }

    fn connected_as(server: &'s mut Server, now: u64, connect: Connect<'_>) -> (Self, Vec<String>) {
        let mut hand = Self::silent(server, now);
        let answer = hand.says(&Packet::Connect(connect));
        (hand, answer)
    }

    fn says(&mut self, packet: &Packet<'_>) -> Vec<String> {
        self.says_bytes(&encoded(packet))
    }

    fn says_bytes(&mut self, bytes: &[u8]) -> Vec<String> {
        self.server.receive(self.now, self.connection, bytes);
        self.hears()
    }

    /// The packets that the server wrote since.
    fn hears(&mut self) -> Vec<String> {
        let bytes = self.server.take(self.connection, usize::MAX);
        let mut rest = bytes.as_slice();
        let mut heard = Vec::new();
        while let Ok(Status::Complete(len)) = frame_len(rest, u32::MAX) {
            heard.push(match Packet::decode(&rest[..len], VERSION, Role::Server).unwrap() {
                Packet::ConnAck(ack) => format!("CONNACK {} {:?}", ack.session_present, ack.reason),
                Packet::SubAck(ack) => format!("SUBACK {:?}", ack.codes.iter().map(|c| c.as_u8()).collect::<Vec<_>>()),
                other => Seen::of(&other).to_string(),
            });
            rest = &rest[len..];
        }
        assert!(rest.is_empty(), "whole packets");
        heard
    }

    fn subscribes(&mut self, packet_id: u16, filter: &str) -> Vec<String> {
        let one = [Subscription::new(TopicFilter::new(filter).unwrap(), QoS::AtLeastOnce)];
        let filters = Filters::from_slice(&one);
        self.says(&Packet::Subscribe(Subscribe { packet_id: id(packet_id), properties: Default::default(), filters }))
    }

    fn publishes(&mut self, packet_id: u16, dup: bool, name: &str, payload: &[u8]) -> Vec<String> {
        let publish = Publish {
            dup,
            qos: QoS::AtLeastOnce,
            packet_id: Some(id(packet_id)),
            ..Publish::new(topic(name), payload)
        };
        self.says(&Packet::Publish(publish))
    }

    fn acks(&mut self, packet_id: u16) -> Vec<String> {
        self.says(&Packet::PubAck(PubAck::new(id(packet_id))))
    }

    fn leaves(self) {
        self.server.lost(self.now, self.connection);
    }

    fn broke(&mut self) -> Vec<Rule> {
        self.server.take_violations().iter().map(|v| v.rule).collect()
    }
}

fn server() -> Server {
    Server::new(ServerConfig::default())
}

#[test]
fn a_session_outlives_the_connection_unless_it_is_clean() {
    let mut server = server();
    for (clean, present) in [(false, "false"), (false, "true"), (true, "false"), (false, "false"), (false, "true")] {
        let connect = Connect { clean_start: clean, ..Connect::new(NAME) };
        let (hand, answer) = Hand::connected_as(&mut server, 0, connect);
        assert_eq!(answer, [format!("CONNACK {present} 0x00 Success")]);
        hand.leaves();
    }
    assert_eq!(server.violations(), []);
}

#[test]
fn messages_go_to_matching_subscriptions_at_the_lower_qos() {
    let mut server = server();
    let (mut hand, _) = Hand::connected(&mut server, 0);
    assert_eq!(hand.subscribes(1, "a/+"), ["SUBACK [1]"]);
    assert!(hand.server.publish(at(0), message("a/b", "x", QoS::AtLeastOnce)));
    assert!(!hand.server.publish(at(0), message("b/b", "x", QoS::AtLeastOnce)));
    assert_eq!(hand.hears(), ["PUBLISH #1 a/b qos1 \"x\" (1 B)"]);
    assert!(hand.server.publish(at(0), message("a/c", "y", QoS::AtMostOnce)));
    assert_eq!(hand.hears(), ["PUBLISH a/c qos0 \"y\" (1 B)"]);
    hand.acks(1);
    let filters = [TopicFilter::new("a/+").unwrap()];
    let filters = TopicFilters::from_slice(&filters);
    let packet_id = id(9);
    hand.says(&Packet::Unsubscribe(Unsubscribe { packet_id, properties: Default::default(), filters }));
    assert!(!hand.server.publish(at(0), message("a/b", "x", QoS::AtLeastOnce)));
    assert_eq!(hand.broke(), []);
}

#[test]
fn retained_messages_come_with_the_subscription_and_go_when_empty() {
    let mut server = server();
    let mut kept = message("a", "kept", QoS::AtLeastOnce);
    kept.retain = true;
    server.publish(at(0), kept.clone());
    let (mut hand, _) = Hand::connected(&mut server, 0);
    assert_eq!(hand.subscribes(1, "#"), ["SUBACK [1]", "PUBLISH #1 a qos1 retain \"kept\" (4 B)"]);
    hand.server.publish(at(0), ApplicationMessage { payload: Vec::new(), ..kept });
    assert!(hand.server.retained().is_empty());
}

#[test]
fn what_was_not_acknowledged_comes_again_in_order_with_dup() {
    let mut server = server();
    let (mut hand, _) = Hand::connected(&mut server, 0);
    hand.subscribes(1, "#");
    for n in 1..=3 {
        hand.server.publish(at(0), message("a", &n.to_string(), QoS::AtLeastOnce));
    }
    hand.hears();
    hand.acks(1);
    hand.leaves();
    server.publish(at(0), message("a", "4", QoS::AtLeastOnce));
    server.publish(at(0), message("a", "lost", QoS::AtMostOnce));
    let (mut hand, heard) = Hand::connected(&mut server, 9);
    let expected = [
        "CONNACK true 0x00 Success",
        "PUBLISH #2 DUP a qos1 \"2\" (1 B)",
        "PUBLISH #3 DUP a qos1 \"3\" (1 B)",
        "PUBLISH #4 a qos1 \"4\" (1 B)",
    ];
    assert_eq!(heard, expected);
    (2..=4).for_each(|n| drop(hand.acks(n)));
    assert_eq!(hand.broke(), []);
    assert_eq!(server.unfinished_to(NAME), (0, 0));
}

#[test]
fn no_more_than_the_window_is_in_flight() {
    let mut server = Server::new(ServerConfig { window: 2, queue: 3, ..ServerConfig::default() });
    let (mut hand, _) = Hand::connected(&mut server, 0);
    hand.subscribes(1, "#");
    for n in 0..9 {
        hand.server.publish(at(0), message("a", &n.to_string(), QoS::AtLeastOnce));
    }
    assert_eq!((hand.hears().len(), hand.server.unfinished_to(NAME), hand.server.lost_to(NAME)), (2, (2, 3), 4));
    assert_eq!(hand.acks(1), ["PUBLISH #3 a qos1 \"2\" (1 B)"]);
}

#[test]
fn the_will_is_published_unless_the_client_said_goodbye() {
    for goodbye in [false, true] {
        let mut server = server();
        let connect = Connect { will: Some(Will { retain: true, ..will() }), ..Connect::new(NAME) };
        let (mut hand, _) = Hand::connected_as(&mut server, 0, connect);
        if goodbye {
            hand.says(&Packet::Disconnect(Disconnect::new(ReasonCode::SUCCESS)));
        }
        hand.leaves();
        assert_eq!(server.published().iter().any(|p| p.is_will), !goodbye);
        assert_eq!(server.retained().contains_key("status"), !goodbye);
    }
}

#[test]
fn a_second_client_of_the_name_takes_over_and_the_will_may_come_late() {
    let mut server = Server::new(ServerConfig { will_delay: Duration::from_secs(3), ..ServerConfig::default() });
    let connect = Connect { will: Some(will()), clean_start: false, ..Connect::new(NAME) };
    let (first, _) = Hand::connected_as(&mut server, 0, connect);
    let first = first.connection;
    let (second, answer) = Hand::connected(&mut server, 10);
    assert_eq!(answer, ["CONNACK true 0x00 Success"]);
    assert!(second.server.wants_close(first) && !second.server.wants_close(second.connection));
    assert!(server.published().is_empty());
    assert_eq!(server.deadline(), Some(at(3010)));
    server.tick(at(3010));
    assert!(server.published()[0].is_will);
}

#[test]
fn wrong_credentials_are_refused() {
    let users = Some([("u".to_owned(), b"p".to_vec())].into());
    let mut server = Server::new(ServerConfig { users, ..ServerConfig::default() });
    for (username, password, answer) in [
        (Some("u"), Some(&b"p"[..]), "CONNACK false 0x00 Success"),
        (Some("u"), Some(b"q"), "CONNACK false 0x86 Bad User Name or Password"),
        (Some("v"), Some(b"p"), "CONNACK false 0x86 Bad User Name or Password"),
        (None, None, "CONNACK false 0x86 Bad User Name or Password"),
    ] {
        let connect = Connect { clean_start: true, username, password, ..Connect::new(NAME) };
        let (hand, heard) = Hand::connected_as(&mut server, 0, connect);
        assert_eq!(heard, [answer]);
        assert_eq!(hand.server.wants_close(hand.connection), answer.contains("Bad"));
    }
}

#[test]
fn a_silent_client_is_closed_after_one_and_a_half_keep_alives() {
    let mut server = server();
    let (hand, _) = Hand::connected(&mut server, 0);
    let connection = hand.connection;
    assert_eq!(server.deadline(), Some(at(15_000)));
    server.tick(at(14_999));
    assert!(!server.wants_close(connection));
    server.tick(at(15_000));
    assert!(server.wants_close(connection));
    assert_eq!(server.violations()[0].rule, Rule::KeepAlive);
}

#[test]
fn a_client_whose_link_is_cut_is_closed_and_not_blamed() {
    let mut server = server();
    let (hand, _) = Hand::connected(&mut server, 0);
    let connection = hand.connection;
    server.excuse(connection);
    server.tick(at(15_000));
    assert!(server.wants_close(connection));
    assert_eq!(server.violations(), []);
}

#[test]
fn faults_are_as_asked_for() {
    let mut server = server();
    server.faults.refuse_transports = 1;
    assert_eq!(server.accept(at(0)), None);
    server.faults.refuse_connects.push_back(ReasonCode::SERVER_UNAVAILABLE);
    let (_, heard) = Hand::connected(&mut server, 0);
    assert_eq!(heard, ["CONNACK false 0x88 Server unavailable"]);
    server.faults.refuse_filters.insert("secret/#".into());
    server.faults.ignore_pings = true;
    server.faults.withhold_acks = true;
    let (mut hand, _) = Hand::connected(&mut server, 0);
    assert_eq!(hand.subscribes(1, "secret/#"), ["SUBACK [128]"]);
    assert!(hand.says(&Packet::PingReq).is_empty());
    assert!(hand.publishes(1, false, "a", b"1").is_empty() && hand.publishes(2, false, "a", b"2").is_empty());
    assert_eq!(hand.server.live_ids(NAME), [1, 2]);
    hand.server.release_acks(at(0), NAME, Order::Reversed);
    assert_eq!(hand.hears(), ["PUBACK #2", "PUBACK #1"]);
    assert!(hand.server.live_ids(NAME).is_empty());
    assert_eq!(hand.broke(), []);
    server.faults.ignore_subscribes = true;
    server.faults.ignore_connects = true;
    assert!(Hand::connected(&mut server, 0).1.is_empty());
}

#[test]
fn a_killed_server_remembers_everything_or_nothing() {
    for (memory, present) in [(Memory::Kept, "true"), (Memory::Lost, "false")] {
        let mut server = server();
        let connect = Connect { will: Some(will()), clean_start: false, ..Connect::new(NAME) };
        let (mut hand, _) = Hand::connected_as(&mut server, 0, connect);
        hand.subscribes(1, "a");
        let connection = hand.connection;
        server.kill(at(5));
        assert!(server.wants_close(connection) && server.accept(at(6)).is_none());
        server.start(at(7), memory);
        let (mut hand, heard) = Hand::connected(&mut server, 8);
        assert_eq!(heard, [format!("CONNACK {present} 0x00 Success")]);
        assert_eq!(hand.server.publish(at(9), message("a", "x", QoS::AtLeastOnce)), memory == Memory::Kept);
        assert_eq!(hand.hears().len(), usize::from(memory == Memory::Kept));
        assert!(server.published().iter().all(|p| !p.is_will), "the dead publish no will");
    }
}

#[test]
fn breaches_of_the_connection_are_seen() {
    let mut server = server();
    let mut hand = Hand::silent(&mut server, 0);
    hand.says(&Packet::PingReq);
    assert_eq!(hand.broke(), [Rule::ConnectFirst]);
    let (mut hand, _) = Hand::connected(&mut server, 0);
    hand.says(&Packet::Connect(Connect::new(NAME)));
    assert_eq!(hand.broke(), [Rule::ConnectOnce]);
    let (mut hand, _) = Hand::connected(&mut server, 0);
    hand.says_bytes(&[0x61, 2, 0, 1]);
    assert_eq!(hand.broke(), [Rule::Undecodable]);
    let (mut hand, _) = Hand::connected(&mut server, 0);
    hand.says(&Packet::Disconnect(Disconnect::new(ReasonCode::SUCCESS)));
    hand.says(&Packet::PingReq);
    assert_eq!(hand.broke(), [Rule::NothingAfterDisconnect]);
    let (mut hand, _) = Hand::connected(&mut server, 0);
    hand.says(&Packet::PingReq);
    hand.now = at(1000);
    hand.says(&Packet::PingReq);
    assert_eq!(hand.broke(), [Rule::PingTooOften]);
    hand.now = at(14_000);
    hand.says(&Packet::PingReq);
    assert_eq!(hand.broke(), [Rule::KeepAlive]);
    let publish = Publish { qos: QoS::ExactlyOnce, packet_id: Some(id(1)), ..Publish::new(topic("a"), b"") };
    hand.says(&Packet::Publish(publish));
    assert_eq!(hand.broke(), [Rule::QosNotOffered]);
}

#[test]
fn breaches_of_identifiers_and_repetitions_are_seen() {
    let config = ServerConfig { confirms_delivery: true, ..ServerConfig::default() };
    let mut server = Server::new(config);
    let (mut hand, _) = Hand::connected(&mut server, 0);
    hand.publishes(1, false, "a", b"1");
    hand.publishes(1, false, "a", b"other");
    assert_eq!(hand.broke(), [Rule::PacketIdInUse], "the PUBACK is not received");
    hand.server.delivered(hand.connection, 4 + 4 + 4);
    hand.publishes(1, false, "a", b"1");
    assert_eq!(hand.broke(), []);
    hand.publishes(1, true, "a", b"1");
    assert_eq!(hand.broke(), [Rule::ResentWhileConnected]);
    hand.subscribes(1, "x");
    assert_eq!(hand.broke(), [Rule::PacketIdInUse]);
    hand.publishes(2, false, "a", b"2");
    hand.publishes(3, false, "a", b"3");
    hand.publishes(4, true, "a", b"4");
    assert_eq!(hand.broke(), [Rule::Dup, Rule::ResendOrder], "nothing was sent before this session");
    hand.leaves();
    for (say, broken) in [
        (
            &[(1, true, "1"), (2, true, "2"), (3, true, "3"), (4, true, "4"), (5, true, "5"), (6, false, "6")][..],
            &[][..],
        ),
        (&[(1, false, "1")], &[Rule::Dup]),
        (&[(1, true, "changed")], &[Rule::ResendChanged]),
        (&[(2, true, "2")], &[Rule::ResendOrder]),
        (&[(9, false, "9")], &[Rule::ResendOrder]),
    ] {
        let mut copy = server.clone();
        let (mut hand, _) = Hand::connected(&mut copy, 100);
        for (id, dup, text) in say {
            hand.publishes(*id, *dup, "a", text.as_bytes());
        }
        assert_eq!(hand.broke(), broken, "{say:?}");
    }
}

#[test]
fn breaches_of_acknowledgements_are_seen() {
    let mut server = Server::new(ServerConfig { confirms_delivery: true, ..ServerConfig::default() });
    let (mut hand, _) = Hand::connected(&mut server, 0);
    hand.subscribes(1, "a");
    for _ in 0..3 {
        hand.server.publish(at(0), message("a", "x", QoS::AtLeastOnce));
    }
    hand.hears();
    hand.acks(1);
    assert_eq!(hand.broke(), [Rule::UnknownAck], "not received yet");
    hand.server.delivered(hand.connection, 1000);
    hand.acks(3);
    hand.acks(2);
    assert_eq!(hand.broke(), [Rule::AckOrder]);
    hand.acks(2);
    assert_eq!(hand.broke(), [Rule::UnknownAck]);
}

#[test]
fn breaches_of_confidence_are_seen() {
    let secrets = vec![b"hunter2".to_vec()];
    let mut server = Server::new(ServerConfig { secrets, checks_resubscription: true, ..ServerConfig::default() });
    let connect = Connect {
        username: Some("me"),
        password: Some(b"hunter2"),
        will: Some(Will { topic: topic("my/status"), ..will() }),
        ..Connect::new(NAME)
    };
    let (mut hand, _) = Hand::connected_as(&mut server, 0, connect);
    hand.publishes(1, false, "auth", b"hunter2");
    assert_eq!(hand.broke(), [], "a message that is not kept may hold it");
    let publish = Publish { retain: true, ..Publish::new(topic("auth"), b"the key hunter2!") };
    hand.says(&Packet::Publish(publish));
    assert_eq!(hand.broke(), [Rule::Secret]);
    hand.subscribes(2, "my/+");
    assert_eq!(hand.broke(), [Rule::OwnStatus]);
    hand.subscribes(2, "other");
    hand.subscribes(2, "other");
    assert_eq!(hand.broke(), [Rule::SubscribedAgain]);
}
