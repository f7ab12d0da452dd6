//! Quick ways to read and write what nearly every packet is, beside the precise ways, which know everything: what is wrong, at
//! which byte, and what is rare.
//!
//! A quick way answers `None` for whatever it does not know to be good, and then the precise one is asked. It is only for
//! machines on which memory for the code of both is no matter; a test holds each against the precise one.

// What is called once, or is to be known with its arguments.
#![allow(clippy::inline_always)]

pub(crate) mod connect;
pub(crate) mod filter;
#[cfg(feature = "v5")]
pub(crate) mod properties;
#[cfg(feature = "v5")]
pub(crate) mod publish;
pub(crate) mod subscribe;
