//! The embedded driver over links in memory and over TCP, against the model server and against mosquitto.

mod connecting;
mod connection;
mod device;
mod dropped_anywhere;
mod support;
