//! The declared subscriptions on one connection: which are asked for, granted, refused.

use mqtt_device_proto::PacketId;

/// How many subscriptions a source may declare.
pub const MAX_DECLARED: u16 = 32;

/// One SUBSCRIBE for each declared filter, so that a refusal names its filter and memory stays constant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Declared {
    /// Whether they are to be asked for on this connection.
    wanted: bool,
    /// How many were asked for so far; all, once `complete`.
    asked: u16,
    complete: bool,
    excess: bool,
    answered: u32,
    refused: u32,
    /// To be asked for once more, as soon as all answers are in: identifiers must not be in use twice.
    again: bool,
}

impl Declared {
    pub(crate) fn want(&mut self) {
        if self.wanted && self.answered.count_ones() < u32::from(self.asked) {
            self.again = true;
            self.complete = true;
        } else {
            *self = Self { wanted: true, ..Self::default() };
        }
    }

    /// The next one to ask for.
    pub(crate) fn due(&self) -> Option<u16> {
        (self.wanted && !self.complete).then_some(self.asked)
    }

    /// SUBSCRIBE for the one that was due is taken.
    pub(crate) fn asked(&mut self) {
        self.asked = self.asked.saturating_add(1);
    }

    /// The source has no more, or, with `excess`, more than can be asked for: those count as refused.
    pub(crate) fn complete(&mut self, excess: bool) {
        self.complete = true;
        self.excess = excess;
    }

    /// The server answered; false when this one was not waiting for an answer.
    pub(crate) fn answer(&mut self, index: u16, refused: bool) -> bool {
        let bit = 1u32.checked_shl(u32::from(index)).unwrap_or(0);
        if !self.wanted || index >= self.asked || bit == 0 || self.answered & bit != 0 {
            return false;
        }
        self.answered |= bit;
        if refused {
            self.refused |= bit;
        }
        if self.again && self.answered.count_ones() >= u32::from(self.asked) {
            *self = Self { wanted: true, ..Self::default() };
        }
        true
    }

    /// Whether all are answered; with whether all are granted.
    pub(crate) fn result(&self) -> Option<bool> {
        let all = self.complete && self.answered.count_ones() == u32::from(self.asked);
        (self.wanted && all && !self.again).then_some(self.refused == 0 && !self.excess)
    }
}

/// The packet identifier of the declared subscription `index` stands behind those of all slots.
pub(crate) fn packet_id(modulus: u32, index: u16) -> Option<PacketId> {
    // The highest MAX_DECLARED places below the modulus; slots fill it from below.
    let place = modulus.checked_sub(u32::from(MAX_DECLARED))?.checked_add(u32::from(index))?;
    PacketId::new(u16::try_from(place.checked_add(1)?).ok()?)
}

/// The declared subscription that a packet identifier stands for, if any.
pub(crate) fn index(modulus: u32, id: PacketId) -> Option<u16> {
    let place = u32::from(id.get()).checked_sub(1)?;
    let index = place.checked_sub(modulus.checked_sub(u32::from(MAX_DECLARED))?)?;
    u16::try_from(index).ok().filter(|&i| i < MAX_DECLARED)
}
