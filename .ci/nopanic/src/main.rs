//! An image that calls every decode, encode, iterate and match entry point of the codec, and whose panic handler calls a
//! function that does not exist: it links only if no panic can be reached. `deliberate` reaches one on purpose.
#![no_std]
#![no_main]

use core::hint::black_box;

#[cfg(feature = "v5")]
use mqtt_device_proto::Property;
use mqtt_device_proto::{
    Connect, Filters, Frame, Framer, Packet, PacketId, PacketType, Properties, PubAck, Publish, PublishHead, QoS,
    ReasonCode, ReasonCodes, Role, Router, Slot, Status, SubAck, Subscribe, Subscription, TopicFilter, TopicFilters, TopicName,
    Unsubscribe, Verdict, Version, frame_len,
};

unsafe extern "C" {
    fn a_panic_can_be_reached() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe { a_panic_can_be_reached() }
}

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    // What nobody can see through: any bytes, of any number.
    let bytes: &[u8] = black_box(&[]);
    let out: &mut [u8] = black_box(&mut []);
    let role = if black_box(true) { Role::Client } else { Role::Server };
    let version = black_box(Version::V311);
    decode(bytes, version, role, out);
    let mut rest = bytes;
    if let Ok(Status::Complete(frame)) = Frame::take(&mut rest, 1000) {
        let _ = black_box((frame.packet_type(), frame.decode(version, role)));
    }
    encode(bytes, version, out);
    stream(out, version);
    topics(bytes);
    #[cfg(feature = "deliberate")]
    black_box(bytes.first().unwrap());
    loop {}
}

fn decode(bytes: &[u8], version: Version, role: Role, out: &mut [u8]) {
    let _ = black_box((frame_len(bytes, 1000), PublishHead::decode(bytes, version), Connect::version(bytes)));
    let result = Packet::decode(bytes, version, role);
    black_box(Verdict::of(&result));
    match result {
        Ok(packet) => {
            iterate(&packet, version, out);
            let _ = black_box((packet.encoded_len(version), packet.encode(version, out)));
        }
        Err(error) => {
            black_box((error.reason_code(), error.statement(version), error.reason_code().name()));
        }
    }
}

/// Packets that were built and not decoded.
fn encode(bytes: &[u8], version: Version, out: &mut [u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let (Ok(topic), Ok(filter), Some(packet_id)) = (TopicName::new(text), TopicFilter::new(text), PacketId::new(1)) else {
        return;
    };
    #[cfg(feature = "v5")]
    let properties = [Property::ContentType(text), Property::UserProperty(text, text)];
    #[cfg(feature = "v5")]
    let properties = Properties::from_slice(black_box(&properties));
    #[cfg(not(feature = "v5"))]
    let properties = Properties::EMPTY;
    let publish = Publish { properties, packet_id: black_box(None), ..Publish::new(topic, bytes) };
    let _ = black_box((publish.encoded_len(version), publish.encode(version, out), publish.encode_head(version, 9, out)));
    let filters = &[Subscription::new(filter, QoS::AtLeastOnce)];
    let subscribe = Subscribe { packet_id, properties, filters: Filters::from_slice(black_box(filters)) };
    let _ = black_box((subscribe.encoded_len(version), subscribe.encode(version, out)));
    let filters = [filter];
    let filters = TopicFilters::from_slice(black_box(&filters));
    let _ = black_box(Unsubscribe { packet_id, properties, filters }.encode(version, out));
    let codes = ReasonCodes::from_slice(black_box(&[ReasonCode::SUCCESS]));
    let _ = black_box(SubAck { packet_id, properties, codes }.encode(version, out));
    let connect = Connect { username: Some(text), password: Some(bytes), properties, ..Connect::new(text) };
    let _ = black_box(connect.encode(version, out));
    let _ = black_box(PubAck { packet_id, reason: ReasonCode::new(black_box(0)), properties }.encode(version, out));
}

fn iterate(packet: &Packet<'_>, version: Version, out: &mut [u8]) {
    match packet {
        Packet::Connect(p) => {
            properties(&p.properties);
            p.will.iter().for_each(|will| properties(&will.properties));
        }
        Packet::ConnAck(p) => properties(&p.properties),
        Packet::Publish(p) => {
            properties(&p.properties);
            let _ = black_box((p.head_len(version, 10), p.encode_head(version, 10, out)));
        }
        Packet::PubAck(p) => properties(&p.properties),
        Packet::PubRec(p) => properties(&p.properties),
        Packet::PubRel(p) => properties(&p.properties),
        Packet::PubComp(p) => properties(&p.properties),
        Packet::Subscribe(p) => {
            properties(&p.properties);
            p.filters.iter().for_each(|subscription| {
                black_box((subscription.filter.share(), subscription.options));
            });
            black_box(p.filters.count());
        }
        Packet::Unsubscribe(p) => {
            properties(&p.properties);
            p.filters.iter().for_each(|filter| {
                black_box(filter.share_name());
            });
            black_box(p.filters.count());
        }
        Packet::SubAck(p) => codes(&p.properties, &p.codes),
        Packet::UnsubAck(p) => codes(&p.properties, &p.codes),
        Packet::Disconnect(p) => properties(&p.properties),
        Packet::Auth(p) => properties(&p.properties),
        Packet::PingReq | Packet::PingResp => {}
    }
}

fn properties(properties: &Properties<'_>) {
    properties.iter().for_each(|property| {
        black_box((property, property.id().name()));
    });
    properties.user_properties().for_each(|pair| {
        black_box(pair);
    });
}

fn codes(all: &Properties<'_>, codes: &ReasonCodes<'_>) {
    properties(all);
    codes.iter().for_each(|code| {
        black_box((code.name(), code.as_return_code(), code.is_listed_in(PacketType::SubAck, Some(Role::Server))));
    });
    black_box((codes.len(), ReasonCode::from_return_code(codes.is_empty().into())));
}

fn stream(buffer: &mut [u8], version: Version) {
    let mut framer = Framer::new(buffer, 100, version);
    black_box(framer.space());
    framer.filled(black_box(7));
    while let Ok(Some(framed)) = framer.next() {
        black_box(&framed);
    }
    framer.reset(version);
    black_box(&mut framer);
}

fn topics(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let (name, filter) = (TopicName::new(text), TopicFilter::new(text));
    if let (Ok(name), Ok(filter)) = (name, filter) {
        black_box(filter.matches(&name));
        let _ = black_box(Publish::new(name, bytes));
        routes(name, filter);
        let _ = black_box((Filters::from_slice(&[]), TopicFilters::from_slice(black_box(&[filter]))));
    }
}

fn routes(name: TopicName<'_>, filter: TopicFilter<'_>) {
    let mut fixed: Router<[Slot<TopicFilter<'_>, usize>; 4]> = Router::new();
    let mut slots = [const { None }; 9];
    let mut lent = Router::lent(black_box(&mut slots[..]));
    for value in 0..black_box(20) {
        let _ = black_box((fixed.insert(filter, value), lent.insert(black_box(filter), value)));
    }
    fixed.retain(|route| black_box(route.value) != 1);
    black_box((fixed.remove(filter.as_str(), |value| black_box(*value) == 3), fixed.len(), fixed.is_empty()));
    black_box((lent.remove(name.as_str(), |_| black_box(true)), lent.find_mut(name.as_str(), |_| black_box(true))));
    fixed.matches(&name).chain(lent.matches(&name)).chain(lent.iter()).for_each(|route| {
        black_box(route);
    });
}
