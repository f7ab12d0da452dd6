//! To the stream: a whole packet into the write buffer, or nothing.

use bytes::BytesMut;
use mqtt_device_proto::{EncodeError, Packet, Role, owned};
use tokio_util::codec::Encoder;

use super::{Codec, CodecError};

impl Codec {
    fn write(&self, packet: &Packet<'_>, dst: &mut BytesMut) -> Result<(), CodecError> {
        let version = self.version.ok_or(CodecError::NoVersion)?;
        let own = if self.peer == Role::Server { Role::Client } else { Role::Server };
        packet.check_sender(own, version).map_err(|error| match error {
            EncodeError::WrongDirection => CodecError::WrongDirection(packet.packet_type()),
            error => error.into(),
        })?;
        let total = packet.encoded_len(version)?;
        if u32::try_from(total).is_ok_and(|total| total > self.peer_limit) {
            return Err(CodecError::TooLargeForPeer { total, limit: self.peer_limit });
        }
        // A payload is appended, so that its place is not filled with zeros first.
        let payload = match packet {
            Packet::Publish(publish) => publish.payload,
            _ => &[],
        };
        let start = dst.len();
        dst.reserve(total);
        dst.resize(start + (total - payload.len()), 0);
        let head = dst.get_mut(start..).unwrap_or_default();
        let written = match packet {
            Packet::Publish(publish) => u32::try_from(payload.len())
                .map_err(|_| EncodeError::PacketTooLarge)
                .and_then(|len| publish.encode_head(version, len, head)),
            _ => packet.encode(version, head),
        };
        match written {
            Ok(_) => {
                dst.extend_from_slice(payload);
                Ok(())
            }
            // All was asked of `encoded_len` before; if this fails all the same, nothing stays.
            Err(error) => {
                dst.truncate(start);
                Err(error.into())
            }
        }
    }
}

macro_rules! encoders {
    ($($packet:ident: $type:ty => $borrowed:expr;)*) => {$(
        impl Encoder<$type> for Codec {
            type Error = CodecError;

            fn encode(&mut self, $packet: $type, dst: &mut BytesMut) -> Result<(), CodecError> {
                self.write($borrowed, dst)
            }
        }
    )*};
}

encoders! {
    packet: Packet<'_> => &packet;
    packet: &Packet<'_> => packet;
    packet: owned::Packet => &packet.as_borrowed();
    packet: &owned::Packet => &packet.as_borrowed();
}
