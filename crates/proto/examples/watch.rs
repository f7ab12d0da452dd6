//! A proxy that shows the packets which go through it, or what is wrong with them. Usage, from a clone:
//! `cargo run -p mqtt-device-proto --features v5 --example watch -- 127.0.0.1:1884 127.0.0.1:1883`
//! where clients connect to the first address, and the second is their server's.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::thread;

use mqtt_device_proto::{Connect, DecodeError, DecodeErrorKind, Framed, Framer, Packet, Role, Version};

/// Passes on all bytes that `sender` sends, and shows each packet before it is passed on, unless it is longer than 64 KiB.
/// From where the bytes cannot be understood, nothing more is shown: the client's first packet is no CONNECT of a known
/// version, the server speaks before it, or a packet's beginning is not known. The client's side sets the `version`.
///
/// # Errors
/// Reading or writing failed.
pub(crate) fn watch(
    sender: Role,
    mut from: impl Read,
    mut to: impl Write,
    version: &OnceLock<Version>,
    mut show: impl FnMut(Result<Packet<'_>, DecodeError>),
) -> io::Result<()> {
    let mut buffer = vec![0; 65_536];
    let mut framer = Framer::new(&mut buffer, u32::MAX, Version::V311);
    let mut chunk = [0; 4096];
    loop {
        let received = from.read(&mut chunk)?;
        let Some(received) = chunk.get(..received).filter(|received| !received.is_empty()) else { return Ok(()) };
        let mut rest = received;
        while let Some(more) = fill(&mut framer, rest) {
            rest = more;
            if !look(&mut framer, sender, version, &mut show) {
                to.write_all(received)?;
                return io::copy(&mut from, &mut to).map(|_| ());
            }
        }
        to.write_all(received)?;
    }
}

/// Takes as many bytes as there is room for, and gives back the others; `None` when there was nothing to take.
fn fill<'r>(framer: &mut Framer<'_>, bytes: &'r [u8]) -> Option<&'r [u8]> {
    let space = framer.space();
    let (now, later) = bytes.split_at_checked(space.len()).unwrap_or((bytes, &[]));
    space.get_mut(..now.len())?.copy_from_slice(now);
    framer.filled(now.len());
    (!now.is_empty()).then_some(later)
}

/// Shows the packets that are there. `false`: what is behind them cannot be understood.
fn look(
    framer: &mut Framer<'_>,
    sender: Role,
    version: &OnceLock<Version>,
    show: &mut impl FnMut(Result<Packet<'_>, DecodeError>),
) -> bool {
    loop {
        if let Some(version) = version.get() {
            framer.set_version(*version);
        }
        let frame = match framer.next() {
            Ok(Some(Framed::Frame(frame))) => frame,
            // A CONNECT that is too long has not said what is spoken.
            Ok(Some(Framed::Skipped(_))) if version.get().is_none() => return false,
            Ok(Some(Framed::Skipped(_))) => continue,
            Ok(None) => return true,
            Err(error) => {
                show(Err(error));
                return false;
            }
        };
        if sender == Role::Client && version.get().is_none() {
            match Connect::version(frame.bytes()) {
                Ok(Some(announced)) => _ = version.set(announced),
                Ok(None) => return false,
                Err(error) => {
                    show(Err(error));
                    return false;
                }
            }
        }
        let Some(version) = version.get() else { return false };
        show(frame.decode(*version, sender));
    }
}

/// Both directions of a connection, each to its end.
fn connect(number: u64, client: TcpStream, server: TcpStream) -> io::Result<()> {
    let version = Arc::new(OnceLock::new());
    let (client_in, server_out, version_too) = (client.try_clone()?, server.try_clone()?, Arc::clone(&version));
    thread::spawn(move || one_way(number, Role::Client, &client_in, &server_out, &version_too));
    thread::spawn(move || one_way(number, Role::Server, &server, &client, &version));
    Ok(())
}

fn one_way(number: u64, sender: Role, from: &TcpStream, to: &TcpStream, version: &OnceLock<Version>) {
    let arrow = if sender == Role::Client { "->" } else { "<-" };
    let ended = watch(sender, from, to, version, |packet| print(&format!("{number} {arrow} {}", described(packet))));
    print(&match ended {
        Ok(()) => format!("{number} {arrow} end"),
        Err(error) => format!("{number} {arrow} {error}"),
    });
    // The other side hears of it; whether it still listens does not matter.
    let _ = to.shutdown(Shutdown::Write);
}

fn described(packet: Result<Packet<'_>, DecodeError>) -> String {
    match packet {
        Ok(Packet::Publish(message)) => {
            let (topic, payload) = (message.topic.as_str(), String::from_utf8_lossy(message.payload));
            format!("PUBLISH {topic:?} with QoS {}: {}", message.qos.as_u8(), payload.escape_debug())
        }
        Ok(packet) => format!("{packet:?}"),
        Err(DecodeError { kind: DecodeErrorKind::BadProtocolLevel(5), .. }) if !cfg!(feature = "v5") => {
            "this is MQTT 5: build with --features v5".to_owned()
        }
        Err(error) => error.to_string(),
    }
}

fn print(line: &str) {
    if writeln!(io::stdout().lock(), "{line}").is_err() {
        // Nobody looks any more.
        std::process::exit(1);
    }
}

fn serve() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, server] = arguments.as_slice() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "usage: watch LISTEN:PORT SERVER:PORT"));
    };
    for (number, client) in (1..).zip(TcpListener::bind(listen)?.incoming()) {
        let started = client.and_then(|client| connect(number, client, TcpStream::connect(server)?));
        if let Err(error) = started {
            eprintln!("{error}");
        }
    }
    Ok(())
}

#[allow(dead_code, reason = "a test uses the rest of it")]
fn main() -> ExitCode {
    serve().map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}
