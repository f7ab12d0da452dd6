//! What the tests share: a link, a server and a clock in memory, and an executor that polls only who was woken.

pub(crate) mod executor;
pub(crate) mod net;
