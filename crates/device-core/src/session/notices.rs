//! Notices that wait to be drained: a small ring in which older ones make room.

use crate::event::Notice;

#[derive(Clone, Debug)]
pub(crate) struct Notices {
    waiting: [Option<Notice>; Notice::BOUND],
    first: usize,
    len: usize,
}

impl Notices {
    pub(crate) const NEW: Self = Self { waiting: [None; Notice::BOUND], first: 0, len: 0 };

    pub(crate) fn push(&mut self, notice: Notice) {
        if self.len == Notice::BOUND {
            let _ = self.pop();
        }
        let at = self.first.wrapping_add(self.len) % Notice::BOUND;
        if let Some(place) = self.waiting.get_mut(at) {
            *place = Some(notice);
            self.len = self.len.saturating_add(1);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Notice> {
        let notice = self.waiting.get_mut(self.first)?.take()?;
        self.first = self.first.wrapping_add(1) % Notice::BOUND;
        self.len = self.len.saturating_sub(1);
        Some(notice)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }
}
