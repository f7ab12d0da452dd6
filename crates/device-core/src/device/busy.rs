//! Answers to commands that could not be taken up, from a reserve of their own.

use super::message::CommandId;

/// How many such answers may be on their way at once.
const PLACES: usize = 4;

/// The commands that are being answered `busy`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Busy {
    places: [Option<CommandId>; PLACES],
}

impl Busy {
    /// A place for one more; `None` when all are in use.
    pub(crate) fn take(&mut self, id: CommandId) -> Option<u16> {
        let (index, place) = (0..).zip(&mut self.places).find(|(_, place)| place.is_none())?;
        *place = Some(id);
        Some(index)
    }

    pub(crate) fn free(&mut self, index: u16) {
        if let Some(place) = self.places.get_mut(usize::from(index)) {
            *place = None;
        }
    }

    pub(crate) fn id(&self, index: u16) -> Option<&CommandId> {
        self.places.get(usize::from(index))?.as_ref()
    }

    /// Slots that must be kept for places that are not in use.
    pub(crate) fn free_slots(&self) -> u16 {
        u16::try_from(self.places.iter().filter(|place| place.is_none()).count()).unwrap_or(0)
    }
}
