//! From the stream: whole packets out of the read buffer, and nothing reserved on the peer's word.

use std::io;

use bytes::{Buf, BytesMut};
use mqtt_device_proto::{Connect, DecodeErrorKind, Packet, PacketType, Skipped, Status, Version, frame_len, owned};
use tokio_util::codec::Decoder;

use super::{Codec, CodecError, Incoming};

/// The least that is reserved at a time for a packet that is not complete.
const CHUNK: usize = 4096;
/// The longest fixed header.
const HEADER: usize = 5;

impl Decoder for Codec {
    type Item = Incoming;
    type Error = CodecError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Incoming>, CodecError> {
        if let Some(error) = self.failed {
            return Err(error.into());
        }
        self.drop_skipped(src);
        if src.is_empty() {
            return Ok(None);
        }
        let status = frame_len(src, self.limit)?;
        let packet = src.first().and_then(|first| PacketType::from_first_byte(*first));
        // A CONNECT is never skipped: nothing could be said to its client.
        if let (Status::Oversize { total }, Some(packet)) = (status, packet)
            && (!self.skips || packet == PacketType::Connect)
        {
            return Err(CodecError::TooLarge { packet, total, limit: self.limit });
        }
        let Some(version) = self.learn_version(src)? else {
            reserve(src, src.len() + 1);
            return Ok(None);
        };
        match status {
            Status::Complete(len) => {
                let frame = src.split_to(len).freeze();
                match owned::Packet::decode(frame, version, self.peer) {
                    Ok(packet) => Ok(Some(Incoming::Packet(packet))),
                    Err(error) => {
                        self.failed = Some(error);
                        Err(error.into())
                    }
                }
            }
            Status::Partial { need } => {
                reserve(src, need);
                Ok(None)
            }
            Status::Oversize { total } => self.skip(src, total, version),
        }
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Incoming>, CodecError> {
        match self.decode(src)? {
            Some(incoming) => Ok(Some(incoming)),
            None if src.is_empty() && self.skip == 0 => Ok(None),
            None => {
                Err(CodecError::Io(io::Error::new(io::ErrorKind::UnexpectedEof, "the stream ends inside a packet")))
            }
        }
    }
}

impl Codec {
    /// The version, from the CONNECT at the front of `src` if it is not known yet; `None` while too little of that is there.
    fn learn_version(&mut self, src: &BytesMut) -> Result<Option<Version>, CodecError> {
        if self.version.is_none() {
            self.version = Connect::version(src)?;
        }
        Ok(self.version)
    }

    /// Skips a packet of `total` bytes, once it is known what it is about.
    fn skip(&mut self, src: &mut BytesMut, total: u32, version: Version) -> Result<Option<Incoming>, CodecError> {
        let Some(packet) = src.first().and_then(|first| PacketType::from_first_byte(*first)) else { return Ok(None) };
        // Its fixed header is judged all the same: the type by its sender, the flags and the length by the version.
        match Packet::decode(src.get(..HEADER).unwrap_or(src), version, self.peer) {
            Err(error) if error.kind != DecodeErrorKind::Incomplete => {
                self.failed = Some(error);
                return Err(error.into());
            }
            _ => {}
        }
        // Not more than is allowed is looked at, however much a read brings.
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let prefix = src.get(..limit).unwrap_or(src);
        let Some(skipped) = Skipped::decode(prefix, version, prefix.len() >= limit)? else {
            reserve(src, if packet == PacketType::Publish { limit } else { HEADER + 2 });
            return Ok(None);
        };
        // Copied, so that the read buffer is free again.
        let skipped = owned::Skipped::copy_from(&skipped)?;
        self.skip = total;
        self.drop_skipped(src);
        Ok(Some(Incoming::Skipped(skipped)))
    }

    /// Lets go of what is here of a packet that is skipped.
    fn drop_skipped(&mut self, src: &mut BytesMut) {
        let here = u32::try_from(src.len()).unwrap_or(u32::MAX).min(self.skip);
        src.advance(usize::try_from(here).unwrap_or(src.len()));
        self.skip -= here;
    }
}

/// Makes room for a packet of `need` bytes, yet at most for as much again as is here: a peer that announces much and sends
/// little costs little.
fn reserve(src: &mut BytesMut, need: usize) {
    let missing = need.saturating_sub(src.len());
    src.reserve(missing.min(src.len().max(CHUNK)));
}
