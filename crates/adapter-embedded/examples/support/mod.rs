//! What the examples, and the tests that run them, share.

pub(crate) mod broker;
pub(crate) mod tcp;
