//! The settings of a device beyond those of its connection.

use crate::config::{ClassLimits, WhenFull};
use crate::time::Duration;

/// The settings of a [`Device`](crate::Device); the defaults are those of the protocol.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct DeviceConfig {
    /// How often a heartbeat is sent.
    pub heartbeat: Duration,
    /// How long the acknowledgement of a trigger may take, in connected time.
    pub trigger_ack_timeout: Duration,
    /// How many executing commands hold their PUBACK back at most. A server stops sending at so many unacknowledged
    /// messages (mosquitto: 20), and a command must not stop the others.
    pub hold_max: u8,
    /// How long a command holds its PUBACK back at most; then it is acknowledged before it is answered, and counted.
    pub hold_for: Duration,
    /// How long a command that is done is remembered, in connected time.
    pub remember: Duration,
    /// Bounds of triggers that wait.
    pub triggers: ClassLimits,
}

impl DeviceConfig {
    /// Heartbeat 30 s, trigger acknowledgement 10 s, at most 4 commands held for at most 5 s, commands remembered for
    /// 5 min, at most 32 triggers waiting for at most an hour, of which the oldest makes room.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            heartbeat: Duration::from_secs(30),
            trigger_ack_timeout: Duration::from_secs(10),
            hold_max: 4,
            hold_for: Duration::from_secs(5),
            remember: Duration::from_millis(super::commands::TTL_MS),
            triggers: ClassLimits {
                count: 32,
                bytes: 64 * 1024,
                when_full: WhenFull::DropOldest,
                ttl: Some(Duration::from_secs(3600)),
            },
        }
    }
}

impl Default for DeviceConfig {
    fn default() -> Self {
        Self::new()
    }
}
