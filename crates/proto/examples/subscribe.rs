//! A whole client on a blocking socket, of nothing but the codec: subscribes, prints each message, acknowledges it.
//! Usage: `subscribe HOST:PORT FILTER COUNT`.

use core::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;

use mqtt_device_proto::{
    Connect, Disconnect, Filters, Framed, Framer, Packet, PacketId, PubAck, QoS, ReasonCode, Role, Subscribe,
    Subscription, TopicFilter, Version,
};

const VERSION: Version = Version::V311;

/// Shows the first `count` messages that match `filter`, and says goodbye.
///
/// # Errors
/// The link fails or ends, the server refuses, or it sends what is no MQTT.
pub(crate) fn subscribe(
    link: &mut (impl Read + Write),
    filter: &str,
    count: usize,
    mut show: impl FnMut(&str, &[u8]),
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
                    let of = long.head.map_or("", |head| head.topic.as_str());
                    eprintln!("{} {of}: {} bytes are too long for the buffer", long.packet, long.total);
                    acknowledge(link, long.packet_id)?;
                    continue;
                }
            };
            match frame.decode(VERSION, Role::Server)? {
                Packet::ConnAck(answer) if answer.reason == ReasonCode::SUCCESS => {
                    send(link, Subscribe::new(packet_id, Filters::from_slice(&filters)).into())?;
                }
                Packet::ConnAck(answer) => return Err(format!("connection refused: {}", answer.reason).into()),
                Packet::SubAck(answer) => {
                    if let Some(reason) = answer.codes.iter().find(|code| code.is_error()) {
                        return Err(format!("subscription refused: {reason}").into());
                    }
                }
                Packet::Publish(message) => {
                    show(message.topic.as_str(), message.payload);
                    acknowledge(link, message.packet_id)?;
                    shown += 1;
                }
                other => return Err(format!("nobody asked for a {}", other.packet_type()).into()),
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

#[allow(dead_code, reason = "a test uses the rest of it")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, filter, count] = arguments.as_slice() else {
        return Err("usage: subscribe HOST:PORT FILTER COUNT".into());
    };
    let mut link = TcpStream::connect(server)?;
    subscribe(&mut link, filter, count.parse()?, |topic, payload| println!("{topic}: {}", payload.escape_ascii()))
}
