//! The kit on itself: what the other tests take for granted.

use mqtt_device_testkit::{Mosquitto, python};
use std::io::ErrorKind;
use std::net::TcpStream;

type Outcome = Result<(), Box<dyn core::error::Error>>;

#[test]
fn a_recorder_sees_what_is_published_in_order_and_byte_for_byte() -> Outcome {
    let broker = Mosquitto::anonymous()?;
    let mut recorder = broker.record(&["a/#", "b"])?;
    broker.publish("a/b", b"one\ntwo\0three")?;
    broker.endpoint().retain("b", "")?;
    broker.endpoint().publish_lines("a", "1\n2\n3\n")?;
    assert_eq!(recorder.next(|_| true)?.payload, b"one\ntwo\0three");
    assert_eq!(recorder.next(|m| m.text() == "3")?.topic, "a");
    assert_eq!(recorder.messages().len(), 5);
    Ok(())
}

#[test]
fn a_large_payload_arrives_whole() -> Outcome {
    let broker = Mosquitto::anonymous()?;
    let mut recorder = broker.record(&["big"])?;
    let payload = vec![b'x'; 1 << 20];
    broker.publish("big", &payload)?;
    assert!(recorder.next_on("big")?.payload == payload);
    Ok(())
}

#[test]
fn retained_messages_survive_a_stop_and_the_port_stays() -> Outcome {
    let mut broker = Mosquitto::builder().persistent().start()?;
    broker.endpoint().retain("state", "kept")?;
    for _ in 0..3 {
        broker.stop()?;
        let refused = TcpStream::connect(broker.addr()).map(drop).map_err(|error| error.kind());
        assert_eq!(refused, Err(ErrorKind::ConnectionRefused));
        broker.restart()?;
    }
    let message = broker.record(&["state"])?.next_on("state")?;
    assert!(message.retain);
    assert_eq!(message.text(), "kept");
    Ok(())
}

#[test]
fn a_recorder_keeps_its_session_over_a_kill() -> Outcome {
    let mut broker = Mosquitto::anonymous()?;
    let mut recorder = broker.record(&["after"])?;
    broker.kill()?;
    broker.restart()?;
    broker.log().wait(|line| line.contains("Sending SUBACK to recorder-"))?;
    broker.publish("after", "back")?;
    assert_eq!(recorder.next_on("after")?.text(), "back");
    Ok(())
}

#[test]
fn a_kill_forgets_what_was_not_saved() -> Outcome {
    let mut broker = Mosquitto::builder().persistent().start()?;
    broker.endpoint().retain("state", "saved")?;
    broker.save()?;
    // Saving is announced before it is done; a connection served afterwards is served behind it.
    broker.endpoint().retain("state", "lost")?;
    broker.kill()?;
    broker.restart()?;
    assert_eq!(broker.record(&["state"])?.next_on("state")?.text(), "saved");
    Ok(())
}

#[test]
fn a_broker_that_runs_is_not_started_twice() -> Outcome {
    let mut broker = Mosquitto::anonymous()?;
    assert!(broker.restart().is_err());
    Ok(())
}

#[test]
fn a_password_file_lets_only_its_users_in() -> Outcome {
    only_named_users("gateway", "right")
}

#[test]
fn user_names_with_a_colon_work_as_well() -> Outcome {
    only_named_users("agent:device", "right \"key\"")
}

fn only_named_users(name: &str, password: &str) -> Outcome {
    let mut broker = Mosquitto::builder().user(name, password).persistent().start()?;
    for _ in 0..2 {
        let right = broker.endpoint().with_user(name, password);
        let mut recorder = right.record(&["t"])?;
        broker.publish("t", "x")?;
        recorder.next_on("t")?;
        let wrong = broker.endpoint().with_user(name, "wrong");
        let refused = wrong.publish("t", "x").map_err(|error| error.to_string());
        assert!(refused.is_err_and(|text| text.contains("not authorised")));
        // Users are known again after a kill.
        broker.kill()?;
        broker.restart()?;
    }
    Ok(())
}

#[test]
fn a_missing_python_environment_says_what_to_run() {
    // Whether or not it is there: the message is what counts where it is not.
    if let Err(error) = python::interpreter() {
        assert!(error.to_string().contains("./ci.sh interop"), "{error}");
    }
}
