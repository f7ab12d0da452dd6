//! Scenarios of the client on the simulator: virtual time, a model server that lists breaches, links that fail.
//!
//! Each scenario runs on both storages. A failure prints the trace and the seed.

mod acks;
mod basics;
mod connecting;
mod credentials;
mod keep_alive;
mod outbox;
mod random;
mod resend;
mod rig;
mod stop;
mod stray;
mod subscriptions;
mod time;
