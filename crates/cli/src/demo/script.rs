//! The acts of the demo, and what each adds to the counts.

use core::time::Duration;

use serde_json::json;

use super::counts::Counts;
use super::stage::Stage;
use super::timeline::Actor;
use crate::exit::{Failure, Outcome};
use crate::gateway::Outgoing;

/// How long the graceful stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Adds what is certain to follow.
fn expect(expected: &mut Counts, what: &[(&str, u64)]) {
    what.iter().for_each(|(name, n)| expected.add(name, *n));
}

/// What one connection of the device leads to.
const ARRIVAL: [(&str, u64); 6] =
    [("connections", 1), ("status", 2), ("heartbeat", 1), ("pong", 1), ("connected", 1), ("manifests", 1)];

/// Whether everything that is expected to be seen by now was seen.
fn all_seen(stage: &Stage, expected: &Counts) -> bool {
    ["status", "heartbeat", "pong", "connected", "command", "response", "trigger", "trigger_ack", "trigger_result"]
        .iter()
        .all(|name| stage.facts.seen.of(name) >= expected.of(name))
}

/// The device appears, and says what it can do.
pub(super) async fn arrive(stage: &mut Stage, expected: &mut Counts) -> Outcome {
    stage.timeline.act("1  The device connects and announces its commands")?;
    stage.proxy.mend().await?;
    expect(expected, &ARRIVAL);
    let goal = expected.clone();
    stage
        .until("the device and its manifest", |stage| {
            stage.facts.ready && stage.facts.welcomes == 1 && all_seen(stage, &goal)
        })
        .await
}

/// One command, one answer.
pub(super) async fn command(stage: &mut Stage, expected: &mut Counts) -> Outcome {
    stage.timeline.act("2  A command and its answer")?;
    ask(stage, expected, "read_environment", "{}").await.map(drop)
}

/// The same command delivered twice.
pub(super) async fn twice(stage: &mut Stage, expected: &mut Counts) -> Outcome {
    stage.timeline.act("3  The same command delivered twice: run once, answered twice")?;
    let sent = ask(stage, expected, "toggle_irrigation", r#"{"enabled":true}"#).await?;
    stage.timeline.say(Actor::Gateway, "sends it again, under the same commandId")?;
    stage.link.publish(sent);
    expect(expected, &[("command", 1), ("response", 1), ("repeats", 1)]);
    let goal = expected.clone();
    stage
        .until("the second answer", |stage| {
            stage.facts.seen.of("repeats") == goal.of("repeats") && all_seen(stage, &goal)
        })
        .await?;
    match stage.facts.answers.as_slice() {
        [.., first, second] if first == second => Ok(()),
        _ => Err(Failure::failed("the second answer differs from the first")),
    }
}

/// The connection is cut, a command waits, the device returns.
pub(super) async fn cut(stage: &mut Stage, expected: &mut Counts) -> Outcome {
    stage.timeline.act("4  The connection is cut; a command waits at the broker; the device returns")?;
    stage.settle().await?;
    stage.timeline.say(Actor::Network, "cut, and every new connection refused")?;
    stage.facts.cut = true;
    stage.proxy.cut();
    expect(expected, &[("status", 1), ("wills", 1)]);
    stage.until("the will", |stage| !stage.facts.ready && !stage.facts.cut).await?;
    let before = stage.ran();
    stage.send("toggle_irrigation", r#"{"enabled":false}"#)?;
    expect(expected, &[("command", 1)]);
    let goal = expected.clone();
    stage.until("the command at the broker", |stage| stage.facts.seen.of("command") == goal.of("command")).await?;
    if stage.ran() != before {
        return Err(Failure::failed("the command ran while the device was cut off"));
    }
    stage.timeline.say(Actor::Broker, "keeps the command for the device")?;
    stage.timeline.say(Actor::Network, "mended")?;
    stage.proxy.mend().await?;
    expect(expected, &ARRIVAL);
    expect(expected, &[("response", 1), ("answers", 1), ("runs", 1)]);
    let goal = expected.clone();
    stage
        .until("the device and its answer", |stage| {
            let answered = stage.facts.seen.of("answers") == goal.of("answers");
            answered && stage.facts.ready && stage.facts.welcomes == 2 && all_seen(stage, &goal)
        })
        .await
}

/// A trigger, its acknowledgement, and its result.
pub(super) async fn trigger(stage: &mut Stage, expected: &mut Counts) -> Outcome {
    stage.timeline.act("5  A trigger and its acknowledgement")?;
    stage.timeline.say(Actor::Device, "fires humidity_alert")?;
    let payload = json!({"humidity": 91, "threshold": 80, "sensor": stage.id.device()});
    let fired = stage.device.trigger("humidity_alert", &payload);
    expect(expected, &[("trigger", 1), ("trigger_ack", 1), ("trigger_result", 1), ("triggers", 1)]);
    let goal = expected.clone();
    let acked = stage.until("the acknowledgement and the result", |stage| {
        stage.facts.acks == goal.of("triggers") && stage.facts.results == 1 && all_seen(stage, &goal)
    });
    acked.await?;
    // It has ended with the event above.
    fired.await.map(drop).map_err(Failure::failed)
}

/// The device says goodbye; what it left at the broker is cleared.
pub(super) async fn stop(stage: &mut Stage, expected: &mut Counts) -> Outcome {
    stage.timeline.act("6  The device stops in an orderly way")?;
    let device = stage.device.clone();
    let stopping = tokio::spawn(async move { device.stop(STOP_WITHIN).await });
    expect(expected, &[("status", 1), ("goodbyes", 1)]);
    stage.until("the end of the connection", |stage| !stage.wire.borrow().open).await?;
    let stopped = stopping.await.map_err(Failure::failed)?;
    if !stopped.clean {
        return Err(Failure::failed("the device stopped, but not in an orderly way"));
    }
    // The retained status would stay for ever; a will that came now, after the goodbye, would be counted.
    let (topic, payload) = (stage.id.topic("status"), Vec::new());
    stage.link.publish(Outgoing { topic, payload, at_least_once: true, retain: true });
    expect(expected, &[("status", 1)]);
    let goal = expected.clone();
    stage.until("the cleared status", |stage| all_seen(stage, &goal)).await?;
    stage.timeline.say(Actor::Gateway, "clears what the device left at the broker")?;
    stage.catch_up().await
}

/// What was counted elsewhere than at the observer.
pub(super) fn tally(stage: &mut Stage) {
    let wire = *stage.wire.borrow();
    let (runs, acks) = (stage.ran(), stage.facts.acks);
    let seen = &mut stage.facts.seen;
    seen.add("connections", u64::from(wire.connections));
    seen.add("goodbyes", u64::from(wire.goodbyes));
    seen.add("runs", runs);
    seen.add("triggers", acks);
}

async fn ask(stage: &mut Stage, expected: &mut Counts, command: &str, payload: &str) -> Outcome<Outgoing> {
    let sent = stage.send(command, payload)?;
    expect(expected, &[("command", 1), ("response", 1), ("answers", 1), ("runs", 1)]);
    let goal = expected.clone();
    stage
        .until("the answer", |stage| stage.facts.seen.of("answers") == goal.of("answers") && all_seen(stage, &goal))
        .await?;
    Ok(sent)
}
