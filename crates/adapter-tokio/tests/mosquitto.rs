//! A device behind a mosquitto that is stopped and killed again and again: each command runs once and is answered.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use mqtt_device_testkit::Mosquitto;
use mqtt_device_tokio::{Client, Command, Config, Device, Messages, QoS};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

const COMMANDS: usize = 500;
/// How many commands wait for their answer at once.
const WIDTH: usize = 40;
/// When so many commands are answered, the broker goes down: first by SIGTERM, then by SIGKILL, and so on.
const BREAKS: [usize; 6] = [50, 120, 190, 260, 330, 400];
/// A gateway's patience; the test fails by itself long after all is lost.
const ATTEMPTS: usize = 120;

/// Comes back quickly, and does not take a broker that restarts for a twin that pushes us out.
fn nimble(config: &mut Config) {
    config.backoff.base = Duration::from_millis(20).into();
    config.backoff.cap = Duration::from_millis(200).into();
    config.backoff.slow_base = config.backoff.base;
    config.backoff.slow_cap = config.backoff.cap;
}

type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<Value>>>>;

/// Gives each response to whoever waits for it; a second one must be the same as the first.
async fn dispatch(mut messages: Messages, waiting: Waiting) {
    let mut seen = HashMap::new();
    while let Some(message) = messages.next().await {
        let response: Value = serde_json::from_slice(&message.payload).expect("responses are JSON");
        let id = response["commandId"].as_str().expect("with their command's id").to_owned();
        let first = seen.entry(id.clone()).or_insert_with(|| message.payload.clone());
        assert_eq!(*first, message.payload, "the same answer again");
        if let Some(waiter) = waiting.lock().unwrap().remove(&id) {
            let _ = waiter.send(response);
        }
    }
}

/// Sends one command until it is answered: under the same id, as a gateway does.
async fn send(gateway: Client, waiting: Waiting, n: usize) -> (Value, usize) {
    let id = format!("command-{n}");
    let command = json!({ "commandId": id, "command": "count", "payload": n }).to_string();
    let (sender, mut answer) = oneshot::channel();
    waiting.lock().unwrap().insert(id, sender);
    for attempt in 1..=ATTEMPTS {
        drop(gateway.publish("lua/devices/agent/counter/command", command.clone(), QoS::AtLeastOnce, false));
        if let Ok(answer) = tokio::time::timeout(Duration::from_secs(1), &mut answer).await {
            return (answer.expect("the dispatcher lives"), attempt);
        }
    }
    panic!("command {n} was never answered");
}

/// Breaks the broker each time enough commands are answered.
async fn break_and_mend(mut broker: Mosquitto, mut answered: watch::Receiver<usize>) -> Mosquitto {
    for (n, at) in BREAKS.into_iter().enumerate() {
        answered.wait_for(|&count| count >= at).await.expect("the commands are still being sent");
        broker = tokio::task::spawn_blocking(move || {
            if n % 2 == 0 { broker.stop() } else { broker.kill() }.expect("mosquitto goes down");
            broker.restart().expect("mosquitto comes up");
            broker
        })
        .await
        .unwrap();
    }
    broker
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_500_commands_runs_once_while_mosquitto_is_stopped_and_killed() {
    let broker = Mosquitto::builder().persistent().start().expect("mosquitto starts");
    let url = broker.url();
    let runs: Arc<Vec<AtomicU32>> = Arc::new((0..COMMANDS).map(|_| AtomicU32::new(0)).collect());
    let counters = Arc::clone(&runs);
    let device = Device::builder(&url)
        .identity("agent", "counter")
        .api_key("key")
        .configure(nimble)
        .command(Command::new("count").description("Counts its runs"))
        .on_command("count", move |call| {
            let counters = Arc::clone(&counters);
            async move {
                let n: usize = call.parse()?;
                Ok(json!({ "n": n, "run": counters[n].fetch_add(1, Ordering::SeqCst) }))
            }
        })
        .connect()
        .await
        .unwrap();
    let (gateway, messages) = Client::builder(&url)
        .client_id("gateway")
        .subscribe("lua/devices/agent/counter/response", QoS::AtLeastOnce)
        .configure(nimble)
        .connect()
        .await
        .unwrap();
    let waiting = Waiting::default();
    let dispatcher = tokio::spawn(dispatch(messages, Arc::clone(&waiting)));
    let (progress, answered) = watch::channel(0);
    let breaker = tokio::spawn(break_and_mend(broker, answered));

    let (mut tasks, mut next, mut resent) = (tokio::task::JoinSet::new(), 0, 0);
    let mut answers = HashMap::new();
    while answers.len() < COMMANDS {
        while next < COMMANDS && tasks.len() < WIDTH {
            let one = send(gateway.clone(), Arc::clone(&waiting), next);
            tasks.spawn(async move { (next, one.await) });
            next += 1;
        }
        let (n, (answer, attempts)) = tasks.join_next().await.expect("some are under way").unwrap();
        resent += attempts - 1;
        answers.insert(n, answer);
        progress.send_replace(answers.len());
    }
    let _broker = breaker.await.unwrap();

    for n in 0..COMMANDS {
        assert_eq!(runs[n].load(Ordering::SeqCst), 1, "command {n} ran once");
        let expected = json!({ "commandId": format!("command-{n}"), "success": true, "data": { "n": n, "run": 0 } });
        assert_eq!(answers[&n], expected);
    }
    println!("{COMMANDS} commands, {resent} sent again, {} breaks: each ran once and was answered", BREAKS.len());
    let within = Duration::from_secs(20);
    assert!(device.stop(within).await.clean);
    assert!(gateway.stop(within).await.clean);
    drop(gateway);
    dispatcher.await.unwrap();
}
