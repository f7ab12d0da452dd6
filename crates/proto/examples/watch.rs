//! A proxy that shows the packets which go through it, or what is wrong with them. Usage: `watch LISTEN:PORT SERVER:PORT`.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use std::thread;

use mqtt_device_proto::{Connect, DecodeError, Framed, Framer, Packet, Role, Version};

/// Passes on all bytes that `sender` sends, and shows each packet before it is passed on. What is longer than 64 KiB is
/// passed on, and not shown; behind a fixed header that is none nothing is, since no packet's beginning is known then.
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
            loop {
                match framer.next() {
                    Ok(Some(Framed::Frame(frame))) => {
                        // A client's first packet says what is spoken. No server speaks before it was passed on.
                        let announced = || Connect::version(frame.bytes()).ok().flatten().unwrap_or(Version::V311);
                        show(frame.decode(*version.get_or_init(announced), sender));
                    }
                    Ok(Some(Framed::Skipped(_))) => {}
                    Ok(None) => break,
                    Err(error) => {
                        show(Err(error));
                        to.write_all(received)?;
                        return io::copy(&mut from, &mut to).map(|_| ());
                    }
                }
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

/// Both directions of a connection, each to its end.
fn connect(client: TcpStream, server: TcpStream) -> io::Result<()> {
    let version = Arc::new(OnceLock::new());
    let (client_in, server_out, version_too) = (client.try_clone()?, server.try_clone()?, Arc::clone(&version));
    thread::spawn(move || one_way(Role::Client, &client_in, &server_out, &version_too));
    thread::spawn(move || one_way(Role::Server, &server, &client, &version));
    Ok(())
}

fn one_way(sender: Role, from: &TcpStream, to: &TcpStream, version: &OnceLock<Version>) {
    let arrow = if sender == Role::Client { "->" } else { "<-" };
    let ended = watch(sender, from, to, version, |packet| match packet {
        Ok(packet) => println!("{arrow} {packet:?}"),
        Err(error) => println!("{arrow} {error}"),
    });
    if let Err(error) = ended {
        println!("{arrow} {error}");
    }
    // The other side hears of it; whether it still listens does not matter.
    let _ = to.shutdown(Shutdown::Write);
}

#[allow(dead_code, reason = "a test uses the rest of it")]
fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, server] = arguments.as_slice() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "usage: watch LISTEN:PORT SERVER:PORT"));
    };
    for client in TcpListener::bind(listen)?.incoming() {
        let started = client.and_then(|client| connect(client, TcpStream::connect(server)?));
        if let Err(error) = started {
            eprintln!("{error}");
        }
    }
    Ok(())
}
