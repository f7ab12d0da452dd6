//! Faults that a review found, each as the behaviour that is right.

mod device;
mod session;
mod stop;
#[path = "../support/mod.rs"]
mod support;

use mqtt_device_core::proto::{Packet, Properties, Publish};
use mqtt_device_core::*;
use support::device::*;
use support::{Said, Table as STable, decode, encode, message as smessage};
