//! `Driver::serve`: connecting as the machine asks for it, giving up in time, coming back, ending.

use crate::support::log::{Entry, Log};
use crate::support::net::{Answer, Net, NetConnector};
use crate::support::{Me, RX, Small, TX, client, client_with};
use mqtt_device_core::{
    DisconnectReason, Duration, Failure, Instant, Notice, Outcome, Publication, QoS, ReasonCode, Security,
};
use mqtt_device_embedded::{CLOSE_WITHIN, Driver, Error, SetupError, Shared};
use mqtt_device_sim::link::LinkConfig;
use mqtt_device_sim::packet::{ApplicationMessage, Seen};
use mqtt_device_sim::server::{Memory, ServerConfig};
use std::future::Future;

fn net() -> Net {
    Net::new(LinkConfig::good(), ServerConfig::default(), 5)
}

async fn serve(net: &Net, shared: &Shared<Small, &Net>, log: &Log) -> Result<(), SetupError> {
    let (mut rx, mut tx) = ([0; RX], [0; TX]);
    Driver::new(&mut rx, &mut tx).serve(shared, &Me, &mut NetConnector(net), |fact| log.add(fact)).await
}

/// Serves until the script has run and stopped the client.
fn run(net: &Net, shared: &Shared<Small, &Net>, log: &Log, script: impl Future<Output = ()>) {
    assert_eq!(net.run(serve(net, shared, log), script).0, Ok(()));
    assert!(shared.is_stopped());
    net.block_on(net.sleep(Duration::from_secs(1))); // what was flushed arrives
    assert_eq!(net.server(|server, _| server.take_violations()), []);
}

fn stop(shared: &Shared<Small, &Net>) {
    shared.stop(Duration::from_secs(10)).unwrap();
}

fn gaps(attempts: &[(Instant, u8)]) -> Vec<u64> {
    attempts.windows(2).map(|pair| pair[1].0.since(pair[0].0).as_millis()).collect()
}

fn is_stopped(clean: bool) -> impl Fn(&Entry) -> bool {
    move |entry| *entry == Entry::Notice(Notice::Stopped { clean })
}

#[test]
fn stops_in_order() {
    let (net, log) = (net(), Log::default());
    let shared = Shared::new(client(), &net);
    run(&net, &shared, &log, async {
        net.until(|| log.ready() == 1).await;
        shared.publish(&Publication::new("from/me", QoS::AtLeastOnce), b"last words").unwrap();
        stop(&shared);
        assert!(shared.publish(&Publication::new("from/me", QoS::AtLeastOnce), b"too late").is_err());
    });
    assert_eq!(log.outcomes().iter().map(|(_, outcome)| *outcome).collect::<Vec<_>>(), [Outcome::Acked]);
    assert_eq!((log.count(is_stopped(true)), net.closes()), (1, 1));
    net.server(|server, _| {
        assert_eq!(server.received().last().map(|r| &r.packet), Some(&Seen::Disconnect));
        assert_eq!(server.published().len(), 1);
    });
}

#[test]
fn a_stop_has_a_deadline() {
    let (net, log) = (net(), Log::default());
    let shared = Shared::new(client(), &net);
    let mut took = Duration::ZERO;
    run(&net, &shared, &log, async {
        net.until(|| log.ready() == 1).await;
        net.server(|server, _| server.faults.withhold_acks = true);
        shared.publish(&Publication::new("from/me", QoS::AtLeastOnce), b"never acknowledged").unwrap();
        stop(&shared);
        let begun = shared.now();
        net.until(|| shared.is_stopped()).await;
        took = shared.now().since(begun);
    });
    assert!((5_000..=10_500).contains(&took.as_millis()), "{took}");
    assert_eq!(log.count(is_stopped(false)), 1);
    assert_eq!(log.outcomes().len(), 1);
}

#[test]
fn tries_again_until_the_server_is_there() {
    let (net, log) = (net(), Log::default());
    for why in [Failure::Dns, Failure::Refused, Failure::Refused, Failure::Other, Failure::Refused, Failure::Refused] {
        net.answer(Answer::Fails(why));
    }
    let shared = Shared::new(client(), &net);
    run(&net, &shared, &log, async {
        shared.publish(&Publication::new("from/me", QoS::AtLeastOnce), b"waits").unwrap();
        net.until(|| log.outcomes().len() == 1).await;
        stop(&shared);
    });
    assert_eq!(log.ends().first(), Some(&DisconnectReason::ConnectFailed(Failure::Dns)));
    assert_eq!(net.attempts().len(), 7);
    let gaps = gaps(&net.attempts());
    assert!(gaps.iter().enumerate().all(|(n, gap)| *gap <= 1000 << n), "within the bounds of the backoff: {gaps:?}");
    assert!(gaps.iter().any(|gap| *gap > 100), "no storm: {gaps:?}");
}

#[test]
fn a_connector_that_hangs_is_dropped_at_the_deadline() {
    let (net, log) = (net(), Log::default());
    net.answer(Answer::Hangs);
    let shared = Shared::new(client_with(|config| config.connect_timeout = Duration::from_secs(7)), &net);
    run(&net, &shared, &log, async {
        net.until(|| net.closes() == 1).await;
        assert_eq!(shared.now().since(net.attempts()[0].0), Duration::from_secs(7));
        net.until(|| log.ready() == 1).await;
        stop(&shared);
    });
    assert_eq!(log.ends()[0], DisconnectReason::ConnectTimeout);
    assert_eq!(net.attempts().len(), 2);
}

#[test]
fn a_server_that_says_nothing_is_left_at_the_same_deadline() {
    let (net, log) = (net(), Log::default());
    net.server(|server, _| server.faults.ignore_connects = true);
    let shared = Shared::new(client_with(|config| config.connect_timeout = Duration::from_secs(7)), &net);
    run(&net, &shared, &log, async {
        net.until(|| log.ends().len() == 1).await;
        assert_eq!(shared.now().since(net.attempts()[0].0), Duration::from_secs(7));
        net.server(|server, _| server.faults.ignore_connects = false);
        net.until(|| log.ready() == 1).await;
        stop(&shared);
    });
    assert_eq!(log.ends()[0], DisconnectReason::ConnectTimeout);
}

#[test]
fn comes_back_after_a_cut_and_loses_nothing() {
    let (net, log) = (net(), Log::default());
    let shared = Shared::new(client(), &net);
    run(&net, &shared, &log, async {
        net.until(|| log.ready() == 1).await;
        for round in 2..=4 {
            shared.publish(&Publication::new("from/me", QoS::AtLeastOnce), b"on its way").unwrap();
            net.cut();
            net.until(|| log.ends().len() == round - 1).await;
            shared.publish(&Publication::new("from/me", QoS::AtLeastOnce), b"while away").unwrap();
            net.server(|server, now| {
                server.publish(now, ApplicationMessage::new("to/me", b"waited for you", QoS::AtLeastOnce))
            });
            net.until(|| log.ready() == round && log.messages().len() >= round - 1).await;
            net.until(|| log.outcomes().len() == 2 * (round - 1)).await;
        }
        stop(&shared);
    });
    assert!(log.outcomes().iter().all(|(_, outcome)| *outcome == Outcome::Acked));
    let sessions = log.count(|entry| *entry == Entry::Connected { session_present: true });
    assert_eq!((net.attempts().len(), sessions), (4, 3));
    assert_eq!(log.count(|entry| matches!(entry, Entry::Ended(Error::Eof | Error::Transport(_)))), 3);
    net.server(|server, _| {
        let ours = server.published().iter().filter(|p| p.client_id.is_some()).map(|p| p.message.text());
        assert!(ours.filter(|text| *text == "while away").count() == 3, "each once, whole");
    });
}

#[test]
fn half_a_packet_is_forgotten_with_its_connection() {
    let (net, log) = (net(), Log::default());
    let shared = Shared::new(client(), &net);
    run(&net, &shared, &log, async {
        for round in 1..=3 {
            net.until(|| log.ready() == round).await;
            // A PUBLISH of which most never comes.
            net.server(|server, now| server.inject(now, "me", b"\x30\x3C\x00\x05to/me and the first half"));
            net.sleep(Duration::from_secs(1)).await;
            net.server(|server, now| server.kick(now, "me"));
        }
        net.until(|| log.ready() == 4).await;
        net.server(|server, now| server.publish(now, ApplicationMessage::new("to/me", b"whole", QoS::AtLeastOnce)));
        net.until(|| log.messages().len() == 1).await;
        stop(&shared);
    });
    assert_eq!(log.messages(), ["whole"]);
    assert_eq!(log.ends()[..3], [DisconnectReason::Transport; 3], "and the next begins clean");
    assert_eq!(net.attempts().len(), 4);
}

#[test]
fn a_connection_after_a_breach_of_the_protocol_is_heard_again() {
    let (net, log) = (net(), Log::default());
    let shared = Shared::new(client(), &net);
    run(&net, &shared, &log, async {
        net.until(|| log.ready() == 1).await;
        net.server(|server, now| server.inject(now, "me", &[0xF0, 0x00]));
        net.until(|| log.ready() == 2).await;
        net.server(|server, now| server.publish(now, ApplicationMessage::new("to/me", b"heard", QoS::AtLeastOnce)));
        net.until(|| log.messages().len() == 1).await;
        stop(&shared);
    });
    assert!(matches!(log.ends()[0], DisconnectReason::Protocol(_)), "{:?}", log.ends());
}

#[test]
fn credentials_stay_here_on_a_plain_transport() {
    let (net, log) = (net(), Log::default());
    net.secured(Security::Plain);
    let shared = Shared::new(client(), &net);
    run(&net, &shared, &log, async {
        net.until(|| log.ends().len() == 2).await;
        stop(&shared);
    });
    assert_eq!(log.ends()[0], DisconnectReason::CredentialsWithheld(Security::Plain));
    assert!(gaps(&net.attempts())[0] >= 15_000, "slow lane: {:?}", net.attempts());
    net.server(|server, _| assert_eq!(server.received(), [], "not even CONNECT"));
}

#[test]
fn credentials_go_over_a_plain_transport_where_the_configuration_says_so() {
    let (net, log) = (net(), Log::default());
    net.secured(Security::Plain);
    let shared = Shared::new(client_with(|config| config.allow_insecure_credentials = true), &net);
    run(&net, &shared, &log, async {
        net.until(|| log.ready() == 1).await;
        stop(&shared);
    });
}

#[test]
fn a_wrong_password_is_tried_slowly() {
    let users = [("user".to_owned(), b"another".to_vec())].into();
    let config = ServerConfig { users: Some(users), refusal: ReasonCode::NOT_AUTHORIZED, ..ServerConfig::default() };
    let (net, log) = (Net::new(LinkConfig::good(), config, 5), Log::default());
    let shared = Shared::new(client(), &net);
    run(&net, &shared, &log, async {
        net.sleep(Duration::from_secs(3600)).await;
        stop(&shared);
    });
    assert!(matches!(log.ends()[0], DisconnectReason::Refused(_)), "{:?}", log.ends());
    assert!((10..=60).contains(&net.attempts().len()), "{} attempts in an hour", net.attempts().len());
}

#[test]
fn servers_are_tried_in_turn() {
    let (net, log) = (net(), Log::default());
    net.answer(Answer::Fails(Failure::Refused));
    net.answer(Answer::Fails(Failure::Refused));
    let shared = Shared::new(client_with(|config| config.servers = 3), &net);
    run(&net, &shared, &log, async {
        net.until(|| log.ready() == 1).await;
        stop(&shared);
    });
    assert_eq!(net.attempts().iter().map(|(_, server)| *server).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn stops_while_a_connector_hangs() {
    let (net, log) = (net(), Log::default());
    net.answer(Answer::Hangs);
    let shared = Shared::new(client(), &net);
    run(&net, &shared, &log, async {
        net.until(|| net.attempts().len() == 1).await;
        stop(&shared);
        net.until(|| shared.is_stopped()).await;
        assert!(shared.now().as_millis() < 2000, "it does not wait for the connector");
    });
    assert_eq!(net.closes(), 1, "what was half open is closed");
}

#[test]
fn stops_between_two_attempts() {
    let (net, log) = (net(), Log::default());
    net.server(|server, now| server.kill(now));
    let shared = Shared::new(client(), &net);
    run(&net, &shared, &log, async {
        net.until(|| net.attempts().len() == 5).await;
        stop(&shared);
        net.until(|| shared.is_stopped()).await;
    });
    assert_eq!(net.attempts().len(), 5);
}

#[test]
fn a_server_that_is_killed_is_found_again() {
    let (net, log) = (net(), Log::default());
    let shared = Shared::new(client(), &net);
    run(&net, &shared, &log, async {
        for (round, memory) in [(1, Memory::Kept), (2, Memory::Lost), (3, Memory::Kept)] {
            net.until(|| log.ready() == round).await;
            net.server(|server, now| server.kill(now));
            net.cut();
            shared.publish(&Publication::new("from/me", QoS::AtLeastOnce), b"meanwhile").unwrap();
            net.sleep(Duration::from_secs(100)).await;
            net.server(|server, now| server.start(now, memory));
        }
        net.until(|| log.outcomes().len() == 3).await;
        stop(&shared);
    });
    assert!(log.outcomes().iter().all(|(_, outcome)| *outcome == Outcome::Acked));
}

#[test]
fn closing_takes_no_longer_than_it_may() {
    /// A connector whose `close` never ends.
    struct Stuck<'n>(NetConnector<'n>);
    impl<'n> mqtt_device_embedded::Connector for Stuck<'n> {
        type Error = embedded_io_async::ErrorKind;
        type Reader<'c>
            = crate::support::net::NetReader<'n>
        where
            Self: 'c;
        type Writer<'c>
            = crate::support::net::NetWriter<'n>
        where
            Self: 'c;

        async fn connect(
            &mut self,
            server: u8,
        ) -> Result<mqtt_device_embedded::Link<Self::Reader<'_>, Self::Writer<'_>>, Failure> {
            self.0.connect(server).await
        }

        async fn close(&mut self) {
            std::future::pending().await
        }
    }
    let (net, log) = (net(), Log::default());
    let shared = Shared::new(client(), &net);
    let (mut rx, mut tx) = ([0; RX], [0; TX]);
    let mut driver = Driver::new(&mut rx, &mut tx);
    let mut connector = Stuck(NetConnector(&net));
    let mut took = Duration::ZERO;
    let script = async {
        net.until(|| log.ready() == 1).await;
        let begun = shared.now();
        stop(&shared);
        net.until(|| shared.is_stopped()).await;
        took = shared.now().since(begun);
    };
    let (end, ()) = net.run(driver.serve(&shared, &Me, &mut connector, |fact| log.add(fact)), script);
    assert_eq!(end, Ok(()));
    assert!(took >= CLOSE_WITHIN && took < CLOSE_WITHIN + Duration::from_secs(1), "{took}");
}

#[test]
fn a_buffer_that_is_too_small_ends_it_before_anything_is_opened() {
    let (net, log) = (net(), Log::default());
    let shared = Shared::new(client(), &net);
    let (mut rx, mut tx) = ([0; RX], [0; 8]);
    let mut driver = Driver::new(&mut rx, &mut tx);
    let mut connector = NetConnector(&net);
    let end = net.block_on(driver.serve(&shared, &Me, &mut connector, |fact| log.add(fact)));
    assert!(matches!(end, Err(SetupError::TransmitBuffer { len: 8, .. })), "{end:?}");
    assert_eq!(net.attempts(), []);
}

#[test]
fn withheld_credentials_are_told_at_once() {
    let (net, log) = (net(), Log::default());
    net.secured(Security::Plain);
    let shared = Shared::new(client(), &net);
    let began = shared.now();
    let mut took = Duration::ZERO;
    run(&net, &shared, &log, async {
        net.until(|| log.ends().len() == 1).await;
        took = shared.now().since(began);
        stop(&shared);
    });
    assert_eq!(log.ends()[0], DisconnectReason::CredentialsWithheld(Security::Plain));
    assert_eq!(took, Duration::ZERO);
}
