//! Scenarios of the device on the simulator, with a model of the gateway on the other side of the broker.
//!
//! Each scenario runs on both storages. A failure prints the trace and the seed.

mod commands;
mod cuts;
mod failures;
mod holding;
mod hostile;
mod presence;
mod random;
mod repeats;
mod rig;
mod stop;
mod triggers;
