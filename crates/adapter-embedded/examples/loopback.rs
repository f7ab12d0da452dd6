//! A device without a heap on the host: the embedded driver over TCP on one thread.
//!
//! `cargo run -p mqtt-device-embedded --example loopback` starts the model server beside it, sends two commands, shows
//! what happens and ends. With an address, as in `… --example loopback -- 127.0.0.1:1883`, it is a device on that broker
//! until it gets the command `stop`.

pub(crate) mod support;

use mqtt_device_core::{
    CommandSpec, Config, Device, DeviceConfig, DeviceEvent, Duration, Fixed, FixedTables, Identity, Notice, Profile,
};
use mqtt_device_embedded::{Driver, Fact, Shared};
use mqtt_device_sim::gateway::Gateway;
use std::error::Error;
use support::{broker::Broker, tcp};

struct Lamp;

impl Profile for Lamp {
    fn api_key(&self) -> &str {
        "loopback-key"
    }

    fn command(&self, index: usize) -> Option<CommandSpec<'_>> {
        const COMMANDS: [CommandSpec<'_>; 3] = [
            CommandSpec::new("led_on", "Switches the lamp on"),
            CommandSpec::new("led_off", "Switches the lamp off"),
            CommandSpec::new("stop", "Ends the program"),
        ];
        COMMANDS.get(index).copied()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    if let Some(address) = std::env::args().nth(1) {
        return lamp(tcp::Tcp(address.parse()?), || ()).await;
    }
    match demo().await? {
        3 => Ok(()),
        _ => Err("not every command was answered".into()),
    }
}

/// The device with a server of its own; how many commands were answered.
pub(crate) async fn demo() -> Result<usize, Box<dyn Error>> {
    let broker = Broker::start(Gateway::new("demo", "lamp").with_key("loopback-key"))?;
    let send = || {
        for command in ["led_on", "led_off", "stop"] {
            broker.with(|server, gateway, now| gateway.send(now, server, command, ""));
        }
    };
    lamp(tcp::Tcp(broker.address()), send).await?;
    let answers = broker.with(|_, gateway, _| gateway.responses().len());
    println!("the gateway has {answers} answers");
    Ok(answers)
}

async fn lamp(mut tcp: tcp::Tcp, on_ready: impl Fn()) -> Result<(), Box<dyn Error>> {
    let mut config = Config::new(std::process::id().into());
    config.maximum_packet_size = 1024;
    let identity = Identity::new("demo", "lamp")?;
    let storage = Fixed::<2048, 24, 8>::new();
    let device = Device::new(config, DeviceConfig::default(), identity, storage, FixedTables::<16, 256>::new());
    let shared = Shared::new(device, tcp::clock());
    let (mut rx, mut tx) = ([0; 1024], [0; 1024]);
    let mut driver = Driver::new(&mut rx, &mut tx);
    let on = |fact: Fact<DeviceEvent<'_>>| match fact {
        Fact::Event(DeviceEvent::Command(command)) => {
            println!("runs {} ({})", command.name, command.id);
            if let Err(error) = shared.respond(command.token, Ok(br#"{"done":true}"#)) {
                eprintln!("could not answer {}: {error}", command.id);
            }
            if command.name == "stop" && shared.stop(Duration::from_secs(5)).is_err() {
                eprintln!("could not stop");
            }
        }
        Fact::Notice(Notice::Ready { .. }) => {
            println!("ready for commands");
            on_ready();
        }
        other => println!("{other:?}"),
    };
    driver.serve(&shared, &Lamp, &mut tcp, on).await?;
    println!("stopped");
    Ok(())
}
