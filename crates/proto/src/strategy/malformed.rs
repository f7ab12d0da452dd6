//! Packets with one defect, and packets that were changed without a plan.

use core::fmt;

use alloc::vec::Vec;

use proptest::arbitrary::any;
use proptest::collection::vec;
use proptest::prop_oneof;
use proptest::strategy::{BoxedStrategy, Strategy, Union};

use super::defects::{Context, Defect};
use super::layout::{Length, push_varint};
use super::packets::{of_type, packet, types};
use crate::error::DecodeErrorKind;
use crate::owned::{Bytes, Packet};
use crate::types::{PacketType, Role, Version};

/// A packet that was valid before one defect was made in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The packet, whole but for its defect.
    pub bytes: Bytes,
    /// The type that it was made from, which is the one in its first byte unless the type is the defect.
    pub packet: PacketType,
    /// The defect. Where this crate's decoder would say the same of two defects, both are made.
    pub kind: DecodeErrorKind,
}

impl fmt::Debug for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Malformed {{ {}, {}: {:02x?} }}", self.packet, self.kind, &self.bytes[..])
    }
}

/// Every packet of `role` with exactly one defect.
///
/// The defects: flags, type, remaining length and sender in the fixed header; ill-formed UTF-8, U+0000 and wildcards in
/// strings; filters and their options; identifiers and codes; CONNECT's name, level and flags; a field cut short, bytes
/// behind the last; and with MQTT 5 everything that can be wrong with properties. Not among them is a packet that is
/// incomplete, since it may become one yet.
pub fn malformed(version: Version, role: Role) -> BoxedStrategy<Malformed> {
    let other = if role == Role::Client { Role::Server } else { Role::Client };
    let strategies = types().flat_map(|packet| {
        let sent = packet.is_sent_by(role, version);
        let sender = if sent { role } else { other };
        let exists = packet.is_sent_by(sender, version);
        let context = Context { version, role: sender, packet };
        let defects: Vec<Defect> = if sent {
            Defect::all(context)
        } else if exists {
            alloc::vec![Defect::WrongDirection]
        } else {
            alloc::vec![Defect::ReservedPacketType]
        };
        // Made once, since it is much larger than what is done with it.
        let source = of_type(if exists { packet } else { PacketType::PingReq }, version, sender);
        defects.into_iter().map(move |defect| one(source.clone(), context, defect))
    });
    Union::new(strategies).boxed()
}

fn one(source: BoxedStrategy<Packet>, context: Context, defect: Defect) -> BoxedStrategy<Malformed> {
    (source, any::<(u16, u16)>())
        .prop_filter_map("a packet that can have this defect", move |(packet, choices)| {
            let (bytes, kind) = defect.make(packet, context, choices)?;
            Some(Malformed { bytes: bytes.into(), packet: context.packet, kind })
        })
        .boxed()
}

#[derive(Clone, Debug)]
enum Change {
    Set(u16, u8),
    Flip(u16, u8),
    Insert(u16, u8),
    Remove(u16),
    Repeat(u16, u8),
    Cut(u16),
}

/// Packets of `role` in which some bytes were changed, added, repeated or left out. Most are malformed and some are not;
/// half of them have the remaining length that they should have, so that what is behind it is looked at.
pub fn neighbour(version: Version, role: Role) -> BoxedStrategy<Bytes> {
    let (at, byte) = (any::<u16>, any::<u8>);
    let change = prop_oneof![
        (at(), byte()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (at(), 0..8u8).prop_map(|(at, bit)| Change::Flip(at, 1u8.wrapping_shl(bit.into()))),
        (at(), byte()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        at().prop_map(Change::Remove),
        (at(), byte()).prop_map(|(at, count)| Change::Repeat(at, count)),
        at().prop_map(Change::Cut),
    ];
    (packet(version, role), vec(change, 1..4), any::<bool>())
        .prop_filter_map("a packet that can be encoded", move |(packet, changes, mend)| {
            let mut bytes = encoded(&packet, version)?;
            changes.iter().try_for_each(|change| change.make(&mut bytes))?;
            if mend {
                bytes = mended(&bytes)?;
            }
            Some(bytes.into())
        })
        .boxed()
}

fn encoded(packet: &Packet, version: Version) -> Option<Vec<u8>> {
    let mut bytes = alloc::vec![0; packet.encoded_len(version).ok()?];
    packet.encode(version, &mut bytes).ok()?;
    Some(bytes)
}

impl Change {
    fn make(&self, bytes: &mut Vec<u8>) -> Option<()> {
        let len = bytes.len();
        let place = |at: u16| usize::from(at).checked_rem(len);
        match *self {
            Self::Set(at, byte) => *bytes.get_mut(place(at)?)? = byte,
            Self::Flip(at, bit) => *bytes.get_mut(place(at)?)? ^= bit,
            Self::Insert(at, byte) => bytes.insert(place(at)?, byte),
            Self::Remove(at) => drop(bytes.remove(place(at)?)),
            Self::Repeat(at, count) => {
                let at = place(at)?;
                let again: Vec<u8> = bytes.iter().skip(at).take(count.into()).copied().collect();
                drop(bytes.splice(at..at, again));
            }
            Self::Cut(at) => bytes.truncate(place(at)?),
        }
        Some(())
    }
}

/// The same with the remaining length that it should have.
fn mended(bytes: &[u8]) -> Option<Vec<u8>> {
    let (first, rest) = bytes.split_first()?;
    let header = rest.iter().take(3).take_while(|byte| **byte >= 0x80).count().saturating_add(1);
    let body = rest.get(header..).unwrap_or_default();
    let mut out = alloc::vec![*first];
    push_varint(&mut out, body.len(), Length::Shortest);
    out.extend(body);
    Some(out)
}
