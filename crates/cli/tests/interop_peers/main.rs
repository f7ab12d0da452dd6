//! The program and real peers: mosquitto, its command line clients, and the official Python client.

mod counts;
mod python;
mod restarts;
#[path = "../support/mod.rs"]
mod support;
