//! Programs of all kinds, run by the real thing.

use core::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::config::{CommandConfig, KeySource};
use super::program::{Launcher, run};

const FAR: Duration = Duration::from_secs(60);

fn command(script: &str) -> CommandConfig {
    CommandConfig {
        name: "test".to_owned(),
        description: String::new(),
        input_schema: None,
        timeout: FAR,
        retry: None,
        program: ["sh", "-c", script].map(str::to_owned).to_vec(),
        max_output: 1000,
    }
}

fn launcher() -> Launcher {
    Launcher::new(std::env::temp_dir(), &KeySource::Variable("PATH_TO_NOWHERE".to_owned()), 1)
}

async fn answer(command: &CommandConfig, payload: Value) -> Result<Value, String> {
    raw_answer(command, payload.to_string().as_bytes()).await.map(|text| serde_json::from_str(&text).unwrap())
}

async fn raw_answer(command: &CommandConfig, payload: &[u8]) -> Result<String, String> {
    run(&launcher(), command, "id-1", payload, Instant::now() + FAR).await.map(|json| json.get().to_owned())
}

#[tokio::test]
async fn payload_and_result_are_not_touched() {
    let text = r#"{"z": 12345678901234567890123,"a" :1.50, "u":"\u00fc","a":1e999}"#;
    assert_eq!(raw_answer(&command("cat"), text.as_bytes()).await.as_deref(), Ok(text));
    let spread = "[1,\n\t2]";
    let script = "input=$(cat); printf '  %s\n\n' \"$input\"";
    assert_eq!(raw_answer(&command(script), spread.as_bytes()).await.as_deref(), Ok(spread));
    // None at all is null, for programs that expect JSON; a line end stands behind it, for those that read lines.
    assert_eq!(raw_answer(&command("read -r line; echo \"[$line]\""), b"").await.as_deref(), Ok("[null]"));
}

#[tokio::test]
async fn the_payload_goes_in_and_the_result_comes_out() {
    let got = answer(&command("cat"), json!({"n": 1, "text": "ü\n"})).await;
    assert_eq!(got, Ok(json!({"n": 1, "text": "ü\n"})));
    assert_eq!(answer(&command("echo ' [1, 2] '"), Value::Null).await, Ok(json!([1, 2])));
}

#[tokio::test]
async fn no_output_is_success_without_data() {
    assert_eq!(answer(&command("true"), json!({})).await, Ok(Value::Null));
}

#[tokio::test]
async fn a_program_knows_its_command_and_no_secret() {
    let script = r#"printf '"%s %s %s"' "$MQTT_DEVICE_COMMAND" "$MQTT_DEVICE_COMMAND_ID" "${CARGO_MANIFEST_DIR-gone}""#;
    let launcher = Launcher::new(std::env::temp_dir(), &KeySource::Variable("CARGO_MANIFEST_DIR".to_owned()), 1);
    let got = run(&launcher, &command(script), "id-1", b"", Instant::now() + FAR).await.unwrap();
    assert_eq!(got.get(), r#""test id-1 gone""#);
}

#[tokio::test]
async fn a_non_zero_exit_says_the_code_and_the_end_of_standard_error() {
    let script = "i=0; while [ $i -lt 500 ]; do echo noise >&2; i=$((i+1)); done; echo no water >&2; exit 7";
    let error = answer(&command(script), json!({})).await.unwrap_err();
    assert!(error.starts_with("sh failed with exit code 7: ") && error.contains("no water"), "{error}");
    assert!(error.len() < 1000);
    let error = answer(&command("kill -9 $$"), json!({})).await.unwrap_err();
    assert_eq!(error, "sh was ended by signal 9");
}

#[tokio::test]
async fn anything_but_json_is_an_error_that_shows_it() {
    let error = answer(&command("echo 21 degrees; echo sensor warm >&2"), json!({})).await.unwrap_err();
    for part in ["something else than JSON", "21 degrees", "sensor warm"] {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn too_much_output_is_cut_off() {
    let error = answer(&command("while :; do echo 0123456789; done"), json!({})).await.unwrap_err();
    assert_eq!(error, "sh wrote more than 1000 bytes and was stopped");
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_ended_with_all_that_it_started() {
    // The grandchild says who it is; when it is gone, signalling it fails.
    let folder = std::env::temp_dir().join(format!("mqtt-device-group-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let pipe = folder.join("pid");
    // Opened for writing by the grandchild alone: the reader's end of file is the proof that it is gone.
    let script = format!("mkfifo {0}; (echo here; exec sleep 600) >{0} & echo working >&2; wait", pipe.display());
    let mut slow = command(&script);
    slow.timeout = Duration::from_millis(300);
    let error = answer(&slow, json!({}));
    let reader = async {
        while !pipe.exists() {
            tokio::task::yield_now().await;
        }
        tokio::fs::read_to_string(&pipe).await.unwrap()
    };
    let (error, told) = tokio::join!(error, reader);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(error.unwrap_err(), "sh took longer than 300 ms and was stopped: working");
    assert_eq!(told, "here\n");
}

#[tokio::test]
async fn the_callers_deadline_holds_when_it_is_earlier() {
    let soon = Instant::now() + Duration::from_millis(200);
    let error = run(&launcher(), &command("sleep 600"), "id", b"", soon).await.unwrap_err();
    assert!(error.contains("took longer than"), "{error}");
}

#[tokio::test]
async fn output_that_a_background_process_holds_open_does_not_hold_up_the_answer() {
    let got = answer(&command("sleep 600 & echo 1"), json!({})).await;
    assert_eq!(got, Ok(json!(1)));
}

#[tokio::test]
async fn input_that_is_not_read_is_no_error() {
    let large = json!("x".repeat(1 << 20));
    assert_eq!(answer(&command("exec 0<&-; echo 1"), large).await, Ok(json!(1)));
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_answer() {
    let mut gone = command("");
    gone.program = vec!["./no-such-program".to_owned()];
    let error = answer(&gone, json!({})).await.unwrap_err();
    assert!(error.contains("is not there"), "{error}");
}

#[tokio::test]
async fn no_more_programs_run_at_once_than_allowed() {
    let launcher = launcher();
    let far = Instant::now() + FAR;
    // Each one finds the mark of another if they overlap.
    let mark = std::env::temp_dir().join(format!("mqtt-device-alone-{}", std::process::id()));
    let alone = command(&format!("mkdir {0} && rmdir {0}", mark.display()));
    let runs = (0..8).map(|_| run(&launcher, &alone, "id", b"", far));
    for run in join_all(runs).await {
        assert_eq!(run.unwrap().get(), "null");
    }
    // While one runs, another that cannot wait is told so.
    let mut slow = command("sleep 600");
    slow.timeout = Duration::from_millis(500);
    let mut hasty = command("true");
    hasty.timeout = Duration::from_millis(50);
    let both = [run(&launcher, &slow, "1", b"", far), run(&launcher, &hasty, "2", b"", far)];
    let told = join_all(both).await.remove(1).unwrap_err();
    assert!(told.contains("too many other commands"), "{told}");
}

/// Polls all of them, in order, until each has ended.
async fn join_all<T>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    core::future::poll_fn(|cx| {
        for (future, done) in futures.iter_mut().filter(|(_, done)| done.is_none()) {
            if let core::task::Poll::Ready(value) = future.as_mut().poll(cx) {
                *done = Some(value);
            }
        }
        if futures.iter().all(|(_, done)| done.is_some()) {
            core::task::Poll::Ready(())
        } else {
            core::task::Poll::Pending
        }
    })
    .await;
    futures.into_iter().filter_map(|(_, done)| done).collect()
}
