//! Names of devices and the topics made of them.

use core::fmt;
use core::str::FromStr;

use mqtt_device_core::Identity;

/// What the topics of all devices begin with.
pub(crate) const DEVICES: &str = "lua/devices/";

/// What the gateway's own topics begin with: what it knows of each device (retained), and its markers.
pub(crate) const GATEWAY: &str = "lua/gateway/";

/// A device as the gateway names it: `agentId:deviceName`, both valid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct DeviceId {
    agent: String,
    device: String,
}

impl DeviceId {
    /// Checks the names as the device does.
    ///
    /// # Errors
    /// Which name, and what is wrong with it.
    pub(crate) fn new(agent: &str, device: &str) -> Result<Self, String> {
        Identity::new(agent, device).map_err(|error| error.to_string())?;
        Ok(Self { agent: agent.to_owned(), device: device.to_owned() })
    }

    pub(crate) fn agent(&self) -> &str {
        &self.agent
    }

    pub(crate) fn device(&self) -> &str {
        &self.device
    }

    /// One of the device's topics.
    pub(crate) fn topic(&self, suffix: &str) -> String {
        format!("{DEVICES}{}/{}/{suffix}", self.agent, self.device)
    }

    /// Where the gateway keeps what it knows of the device for its other runs.
    pub(crate) fn record_topic(&self) -> String {
        format!("{GATEWAY}devices/{}/{}", self.agent, self.device)
    }

    /// The device and the rest of the topic, which begins with `prefix`; a topic of another shape is an error.
    pub(crate) fn from_topic<'t>(prefix: &str, topic: &'t str) -> Result<(Self, Option<&'t str>), String> {
        let mut levels = topic.strip_prefix(prefix).ok_or("it is no topic of the protocol")?.splitn(3, '/');
        let (Some(agent), Some(device)) = (levels.next(), levels.next()) else {
            return Err("it names no device".to_owned());
        };
        Ok((Self::new(agent, device)?, levels.next()))
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.agent, self.device)
    }
}

impl FromStr for DeviceId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (agent, device) = text.split_once(':').ok_or("write a device as agentId:deviceName")?;
        Self::new(agent, device)
    }
}

impl serde::Serialize for DeviceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_names_its_device_and_suffix() {
        let (id, suffix) = DeviceId::from_topic(DEVICES, "lua/devices/acme/sensor 1/status").unwrap();
        assert_eq!((id.to_string().as_str(), suffix), ("acme:sensor 1", Some("status")));
        assert_eq!(id.topic("command"), "lua/devices/acme/sensor 1/command");
        assert_eq!(DeviceId::from_topic(GATEWAY, "lua/gateway/x/y").unwrap().1, None);
    }

    #[test]
    fn names_that_could_be_another_devices_are_refused() {
        for topic in ["lua/devices/a", "lua/devices//d/status", "lua/devices/a:b/d/status", "other/a/d/status"] {
            assert!(DeviceId::from_topic(DEVICES, topic).is_err(), "{topic}");
        }
        for name in ["plain", "a:", ":d", "a:b:c", "a:b/c", "a:+", "a:#", "a:\0"] {
            assert!(name.parse::<DeviceId>().is_err(), "{name:?}");
        }
    }
}
