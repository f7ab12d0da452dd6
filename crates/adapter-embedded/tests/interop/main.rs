//! The embedded and the tokio adapter against mosquitto, by the same scenarios.

mod scenarios;
mod subjects;
#[path = "../../examples/support/tcp.rs"]
mod tcp;
