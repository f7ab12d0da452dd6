//! The embedded driver over links in memory and over TCP, against the model server, in virtual time where it can be.

mod clock;
mod connecting;
mod connection;
mod device;
mod dropped_anywhere;
mod examples;
mod support;
