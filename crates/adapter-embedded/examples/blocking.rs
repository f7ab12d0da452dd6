//! The same core without async and without this crate's driver: one thread, `std::net`, a loop.
//!
//! Run it against a broker: `cargo run -p mqtt-device-embedded --example blocking -- 127.0.0.1:1883`

use mqtt_device_core::{
    Attempt, Client, Config, Credentials, Duration, Event, Failure, Fixed, Instant, Machine, MessageKey, NoRoom,
    Notice, Outcome, Publication, QoS, Security, Source, Subscription, TopicFilter,
};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time;

/// The longest time for which the loop does not look up.
const NAP: time::Duration = time::Duration::from_millis(250);

/// What the loop tells the application, which gets the machine to answer with.
pub(crate) enum Told<'b, M: Machine> {
    /// A packet from the server.
    Event(M::Event<'b>),
    /// The end of an operation.
    Outcome(MessageKey, Outcome),
    /// What no packet carries.
    Notice(Notice),
}

/// Runs `machine` until it is stopped. `on` may call the machine.
pub(crate) fn run<M: Machine>(
    machine: &mut M,
    source: &M::Source,
    servers: &[SocketAddr],
    mut on: impl FnMut(&mut M, Instant, Told<'_, M>),
) -> io::Result<()> {
    let mut rx = vec![0; machine.rx_min()];
    let mut tx = vec![0; machine.tx_min(source).max(1024)];
    let epoch = time::Instant::now();
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
        let nap = until.clamp(time::Duration::from_millis(1), NAP);
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
                    Ok(n) => {
                        filled += n;
                        Ok(())
                    }
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

fn open(servers: &[SocketAddr], server: u8, within: time::Duration) -> Result<TcpStream, Failure> {
    let address = servers.get(usize::from(server)).ok_or(Failure::Dns)?;
    let stream = TcpStream::connect_timeout(address, within).map_err(|e| match e.kind() {
        ErrorKind::ConnectionRefused => Failure::Refused,
        ErrorKind::TimedOut => Failure::Timeout,
        _ => Failure::Other,
    })?;
    let set = || stream.set_nodelay(true).and_then(|()| stream.set_write_timeout(Some(time::Duration::from_secs(5))));
    set().map_err(|_| Failure::Other)?;
    Ok(stream)
}

/// Who we are, and what we want to hear.
pub(crate) struct Me;

impl Source for Me {
    fn credentials<'s>(&'s self, _: Option<u64>, _: &'s mut [u8]) -> Result<Credentials<'s>, NoRoom> {
        Ok(Credentials { client_id: "blocking", username: None, password: None, will: None })
    }

    fn subscription<'s>(&'s self, index: u16, _: &'s mut [u8]) -> Option<Subscription<'s>> {
        let filter = TopicFilter::new("blocking/in").ok().filter(|_| index == 0)?;
        Some(Subscription::new(filter, QoS::AtLeastOnce))
    }
}

/// Sends every message of `blocking/in` back on `blocking/out`, until one says `stop`.
pub(crate) fn echo(server: SocketAddr) -> io::Result<u32> {
    let mut client = Client::new(Config::new(u64::from(std::process::id())), Fixed::<8192, 32, 32>::new());
    let mut echoed = 0;
    run(&mut client, &Me, &[server], |client, now, told| match told {
        Told::Event(Event::Message(message)) => {
            let publication = Publication::new("blocking/out", QoS::AtLeastOnce);
            match client.publish(now, &publication, message.payload) {
                Ok(_) => echoed += 1,
                Err(error) => eprintln!("not echoed: {error}"),
            }
            if message.payload == b"stop" {
                client.stop(now, Duration::from_secs(5));
            }
        }
        Told::Event(event) => println!("{event:?}"),
        Told::Outcome(key, outcome) => println!("{key:?} ended: {outcome:?}"),
        Told::Notice(notice) => println!("{notice:?}"),
    })?;
    Ok(echoed)
}

#[allow(dead_code, reason = "the test that includes this file has a main of its own")]
fn main() -> io::Result<()> {
    let usage = || io::Error::new(ErrorKind::InvalidInput, "the address of a broker, as in 127.0.0.1:1883");
    let address = std::env::args().nth(1).and_then(|text| text.parse().ok()).ok_or_else(usage)?;
    println!("echoed {} messages", echo(address)?);
    Ok(())
}
