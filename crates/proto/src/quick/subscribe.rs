//! SUBSCRIBE as nearly every client sends it.

use crate::fields::{Wire, take_binary};
use crate::filters::{Filters, Items};
use crate::packet::Packet;
use crate::properties::Properties;
use crate::quick::filter;
use crate::subscribe::Subscribe;
use crate::text;
use crate::types::{PacketId, Version};

/// Without properties, and with filters and options as nearly every client sends them: all checked, but without a word
/// on what is wrong.
#[inline(always)]
pub(crate) fn read(body: &[u8], version: Version) -> Option<Packet<'_>> {
    let (packet_id, mut rest) = body.split_first_chunk()?;
    let packet_id = PacketId::new(u16::from_be_bytes(*packet_id))?;
    if version.has_properties() {
        let [0, behind @ ..] = rest else { return None };
        rest = behind;
    }
    let filters = Wire::of(rest);
    if rest.is_empty() || matches!(filters, Wire::Bytes(_)) {
        return None;
    }
    while let Some(filter) = take_binary(&mut rest) {
        let [0..=2, behind @ ..] = rest else { return None };
        let is_good = match filter {
            [] => false,
            [b'$', ..] if version.has_properties() => false,
            _ => text::is_plain_filter(filter) || filter::is_good_filter(filter, rest),
        };
        if !is_good {
            return None;
        }
        rest = behind;
    }
    if !rest.is_empty() {
        return None;
    }
    let filters = Filters(Items::Wire(filters));
    Some(Packet::Subscribe(Subscribe { packet_id, properties: Properties::EMPTY, filters }))
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use crate::reader::Reader;
    use crate::subscribe::Subscribe;
    use crate::types::{PacketType, Version};

    #[cfg(feature = "v5")]
    const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];
    #[cfg(not(feature = "v5"))]
    const VERSIONS: [Version; 2] = [Version::V31, Version::V311];

    /// What is read at a look is what is read one by one, and is refused there if it is wrong.
    #[test]
    fn the_quick_look_takes_nothing_that_the_other_refuses() {
        let bodies: [&[u8]; 6] = [
            b"\0\x01\0\x05a/b/#\x01\0\x01+\x02\0\x03a/b\0",
            b"\x12\x34\0\x11a/long/+/filter/x\0\0\x08a\xC3\xA9/+/b/\x01",
            b"\0\x01\0\0\x03a/b\x01",
            b"\0\x01\0\0\x0A$share/g/t\x01\0\x03$SY\0",
            b"\0\x01\0\0\x01#\x2C",
            b"\0\x01\x02\x0B\x05\0\x01#\0",
        ];
        let (mut good, mut quick) = (0, 0);
        let mut judge = |body: &[u8]| {
            for version in VERSIONS {
                let each = Subscribe::read_any(Reader::new(body, body.len(), PacketType::Subscribe), version);
                let quickly = super::read(body, version);
                assert!(quickly.is_none() || quickly == each.ok(), "{body:02x?} {version:?}: {quickly:?}, {each:?}");
                good += u32::from(each.is_ok());
                quick += u32::from(quickly.is_some());
            }
        };
        for body in bodies {
            judge(body);
            for at in 0..body.len() {
                let mut changed = Vec::from(body);
                for byte in (0..=255).step_by(if cfg!(miri) { 43 } else { 1 }) {
                    changed[at] = byte;
                    judge(&changed);
                }
                judge(&body[..at]);
                changed.remove(at);
                judge(&changed);
            }
        }
        assert!(cfg!(miri) || quick > 1000 && quick <= good, "{quick} of {good}");
    }
}
