//! Publishes one message with QoS 1 and says how that ended. Usage: `publish URL TOPIC MESSAGE`.

use core::time::Duration;
use std::process::ExitCode;

use mqtt_device_tokio::{Client, Error, QoS};

async fn publish(url: String, topic: &str, message: String) -> Result<(), Error> {
    let (client, _messages) = Client::builder(url).connect_within(Duration::from_secs(10)).connect().await?;
    client.publish(topic, message, QoS::AtLeastOnce, false).await?;
    client.stop(Duration::from_secs(5)).await;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Ok([url, topic, message]) = <[String; 3]>::try_from(arguments) else {
        eprintln!("usage: publish URL TOPIC MESSAGE");
        return ExitCode::from(2);
    };
    match publish(url, &topic, message).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
