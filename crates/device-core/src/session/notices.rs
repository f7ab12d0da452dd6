//! Notices that wait to be drained: a small ring in which older ones make room.

use crate::event::Notice;

const fn is_counter(notice: &Notice) -> bool {
    matches!(
        notice,
        Notice::StrayAck { .. }
            | Notice::AcknowledgedEarly { .. }
            | Notice::Unacknowledged { .. }
            | Notice::CommandDropped { .. }
            | Notice::CommandBusy { .. }
    )
}

#[derive(Clone, Debug)]
pub(crate) struct Notices {
    waiting: [Option<Notice>; Notice::BOUND],
    first: usize,
    len: usize,
}

impl Notices {
    pub(crate) const NEW: Self = Self { waiting: [None; Notice::BOUND], first: 0, len: 0 };

    /// A counter that waits already is brought up to date, so that a flood of one kind pushes out no other.
    pub(crate) fn push(&mut self, notice: Notice) {
        let same = |waiting: &&mut Notice| {
            core::mem::discriminant(*waiting) == core::mem::discriminant(&notice) && is_counter(&notice)
        };
        if let Some(waiting) = self.waiting.iter_mut().flatten().find(same) {
            *waiting = notice;
            return;
        }
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
