//! The same core without async and without this crate's driver: one thread, `std::net`, a loop.
//!
//! Run it against a broker: `cargo run -p mqtt-device-embedded --example blocking -- 127.0.0.1:1883`

use mqtt_device_core::{
    Attempt, Client, Config, Credentials, Event, Failure, Fixed, Instant, Machine, MessageKey, Notice, Outcome,
    Publication, Security, Source, Storage,
};
use mqtt_device_proto::QoS;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant as StdInstant};

/// The longest time for which the loop does not look up.
const NAP: Duration = Duration::from_millis(250);

/// What the loop tells the application, which gets the machine to answer with.
pub enum Told<'b, M: Machine> {
    Event(M::Event<'b>),
    Outcome(MessageKey, Outcome),
    Notice(Notice),
}

/// Runs `machine` until it is stopped. `on` may call the machine.
pub fn run<M: Machine>(
    machine: &mut M,
    source: &M::Source,
    servers: &[SocketAddr],
    mut on: impl FnMut(&mut M, Instant, Told<'_, M>),
) -> io::Result<()> {
    let mut rx = vec![0; machine.rx_min()];
    let mut tx = vec![0; machine.tx_min(source).max(1024)];
    let epoch = StdInstant::now();
    let now = || Instant::from_millis(u64::try_from(epoch.elapsed().as_millis()).unwrap_or(u64::MAX));
    let (mut stream, mut filled) = (None::<TcpStream>, 0);
    loop {
        // What is due, and all that is wanted.
        let actions = machine.poll(now());
        while let Some((key, outcome)) = machine.poll_outcome() {
            on(machine, now(), Told::Outcome(key, outcome));
        }
        while let Some(notice) = machine.poll_notice() {
            on(machine, now(), Told::Notice(notice));
        }
        if machine.is_stopped() {
            return Ok(());
        }
        let until = actions.deadline.map_or(NAP, |at| at.since(now()).into());
        let nap = until.clamp(Duration::from_millis(1), NAP);
        if actions.close {
            stream = None;
            machine.disconnected(now());
        } else if let (Some(Attempt { server, .. }), None) = (actions.connect, &stream) {
            match open(servers, server, until.max(NAP)) {
                Ok(open) => {
                    let security = if open.peer_addr()?.ip().is_loopback() { Security::Local } else { Security::Plain };
                    (stream, filled) = (Some(open), 0);
                    machine.connected(now(), security);
                }
                Err(why) => machine.connect_failed(now(), why),
            }
        } else if let Some(open) = &mut stream {
            let mut turn = || -> io::Result<()> {
                // Out: everything that waits. `write_all` blocks, and so does keep alive with it: at most a timeout.
                loop {
                    let taken = machine.take_transmit(now(), source, &mut tx);
                    let body = taken.body.as_ref().map_or(&[][..], AsRef::as_ref);
                    if taken.len + body.len() == 0 {
                        break;
                    }
                    open.write_all(&tx[..taken.len])?;
                    open.write_all(body)?;
                    machine.transmitted(now(), taken.len + body.len());
                }
                // In: what came, packet by packet, and then a nap until more comes.
                let mut used = 0;
                loop {
                    match machine.handle_input(now(), &rx[used..filled]) {
                        Err(_) => used = filled, // the machine will ask to close
                        Ok(progress) => {
                            used += progress.consumed;
                            if let Some(event) = progress.event {
                                on(machine, now(), Told::Event(event));
                            }
                            if progress.consumed > 0 {
                                continue;
                            }
                        }
                    }
                    break;
                }
                rx.copy_within(used..filled, 0);
                filled -= used;
                if used > 0 || machine.poll(now()).transmit {
                    return Ok(());
                }
                open.set_read_timeout(Some(nap))?;
                match open.read(&mut rx[filled..]) {
                    Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
                    Ok(n) => Ok(filled += n),
                    Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(()),
                    Err(e) => Err(e),
                }
            };
            if turn().is_err() {
                stream = None;
                machine.disconnected(now());
            }
        } else {
            std::thread::sleep(nap);
        }
    }
}

fn open(servers: &[SocketAddr], server: u8, within: Duration) -> Result<TcpStream, Failure> {
    let address = servers.get(usize::from(server)).ok_or(Failure::Dns)?;
    let stream = TcpStream::connect_timeout(address, within).map_err(|e| match e.kind() {
        ErrorKind::ConnectionRefused => Failure::Refused,
        ErrorKind::TimedOut => Failure::Timeout,
        _ => Failure::Other,
    })?;
    let set = || stream.set_nodelay(true).and_then(|()| stream.set_write_timeout(Some(Duration::from_secs(5))));
    set().map_err(|_| Failure::Other)?;
    Ok(stream)
}
