//! A whole client on a blocking socket, of nothing but the codec: subscribes, prints each message, acknowledges it. Usage,
//! from a clone: `cargo run -p mqtt-device-proto --example subscribe -- 127.0.0.1:1883 'pump/+' 3` for three messages.

use core::error::Error;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;

use mqtt_device_proto::{
    Connect, Disconnect, Filters, Framed, Framer, Packet, PacketId, PubAck, QoS, ReasonCode, Role, Subscribe,
    Subscription, TopicFilter, Version,
};

const VERSION: Version = Version::V311;

/// Shows the first `count` messages that match `filter`, and says goodbye.
///
/// # Errors
/// The link fails or ends, the server refuses or sends what nobody asked for, or a message cannot be shown.
pub(crate) fn subscribe(
    link: &mut (impl Read + Write),
    filter: &str,
    count: usize,
    mut show: impl FnMut(&str, &[u8]) -> io::Result<()>,
) -> Result<(), Box<dyn Error>> {
    let filters = [Subscription::new(TopicFilter::new(filter)?, QoS::AtLeastOnce)];
    let packet_id = PacketId::new(1).ok_or("0 is none")?;
    // Without a name, which the server chooses then, and without a keep alive: a silent server may keep us waiting for ever.
    send(link, Connect::new("").into())?;

    let mut buffer = vec![0; 4096];
    let mut framer = Framer::new(&mut buffer, u32::MAX, VERSION);
    let mut shown = 0;
    while shown < count {
        let received = link.read(framer.space())?;
        if received == 0 {
            return Err("the server has closed the connection".into());
        }
        framer.filled(received);
        while shown < count
            && let Some(framed) = framer.next()?
        {
            let frame = match framed {
                Framed::Frame(frame) => frame,
                Framed::Skipped(long) => {
                    // Without an identifier if not even the topic fits: the server will send such a message again.
                    let of = long.head.map_or("", |head| head.topic.as_str());
                    eprintln!("{} {of:?}: {} bytes are too long for the buffer", long.packet, long.total);
                    acknowledge(link, long.packet_id)?;
                    continue;
                }
            };
            match frame.decode(VERSION, Role::Server)? {
                Packet::ConnAck(answer) if answer.reason == ReasonCode::SUCCESS => {
                    send(link, Subscribe::new(packet_id, Filters::from_slice(&filters)).into())?;
                }
                Packet::ConnAck(answer) => return Err(format!("connection refused: {}", answer.reason).into()),
                Packet::SubAck(answer) if answer.packet_id == packet_id => {
                    if let Some(reason) = answer.codes.iter().find(|code| code.is_error()) {
                        return Err(format!("subscription refused: {reason}").into());
                    }
                }
                Packet::Publish(message) if message.qos != QoS::ExactlyOnce => {
                    show(message.topic.as_str(), message.payload)?;
                    acknowledge(link, message.packet_id)?;
                    shown += 1;
                }
                other => return Err(format!("nobody asked for this {}", other.packet_type()).into()),
            }
        }
    }
    send(link, Disconnect::NORMAL.into())
}

/// There is an identifier with QoS 1, the highest that was asked for, and none with QoS 0.
fn acknowledge(link: &mut impl Write, packet_id: Option<PacketId>) -> Result<(), Box<dyn Error>> {
    packet_id.map_or(Ok(()), |id| send(link, PubAck::new(id).into()))
}

fn send(link: &mut impl Write, packet: Packet<'_>) -> Result<(), Box<dyn Error>> {
    let mut out = vec![0; packet.encoded_len(VERSION)?];
    packet.encode(VERSION, &mut out)?;
    Ok(link.write_all(&out)?)
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, filter, count] = arguments.as_slice() else {
        return Err("usage: subscribe HOST:PORT FILTER COUNT".into());
    };
    let mut link = TcpStream::connect(server)?;
    subscribe(&mut link, filter, count.parse()?, |topic, payload| {
        // Whoever publishes must not be able to move the cursor of a terminal.
        writeln!(io::stdout(), "{}: {}", topic.escape_debug(), String::from_utf8_lossy(payload).escape_debug())
    })
}

#[allow(dead_code, reason = "a test uses the rest of it")]
fn main() -> ExitCode {
    run().map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}
