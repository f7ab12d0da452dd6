//! The program `mqtt-device` as people use it: the real binary, a real broker, its output and its exit codes.

mod decode;
mod demo;
mod gateway;
mod help;
mod run;
mod stalls;
#[path = "../support/mod.rs"]
mod support;
mod triggers;
