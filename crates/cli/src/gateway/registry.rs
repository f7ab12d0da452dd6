//! The devices a gateway knows, within bounds.

use std::collections::BTreeMap;

use super::manifest::Manifest;
use super::names::DeviceId;

/// How many devices are known at most.
pub(crate) const MAX_DEVICES: usize = 10_000;

/// How many bytes of manifests, as they came, are kept at most.
pub(crate) const MAX_MANIFEST_BYTES: usize = 64 << 20;

/// Whether a device is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Presence {
    #[default]
    Unknown,
    Online,
    Offline,
}

/// What a device's API key is worth here. Only the device itself takes back what it did: a record never overrules it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has shown no key to this run, and no record proves that it showed a valid one to an earlier run.
    #[default]
    Unproven,
    /// The same, and a heartbeat of it came. Messages of QoS 0 may overtake its key: the answer waits for that.
    Heard,
    /// It has shown no valid key, and that has been told.
    Told,
    /// It has shown a valid key.
    Accepted,
    /// The last key that it has shown is wrong.
    Refused,
}

/// What is known of one device.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) presence: Presence,
    pub(crate) group: Option<String>,
    pub(crate) standing: Standing,
    /// As it announced it to this run or, as its record says, to an earlier one.
    pub(crate) manifest: Option<Manifest>,
    manifest_bytes: usize,
}

/// All that is known.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    devices: BTreeMap<DeviceId, Known>,
    manifest_bytes: usize,
}

impl Registry {
    /// What is known of that device.
    pub(crate) fn known(&self, id: &DeviceId) -> Option<&Known> {
        self.devices.get(id)
    }

    /// Its manifest, as far as it is known.
    pub(crate) fn manifest(&self, id: &DeviceId) -> Option<&Manifest> {
        self.known(id)?.manifest.as_ref()
    }

    /// What its key is worth.
    pub(crate) fn standing(&self, id: &DeviceId) -> Standing {
        self.known(id).map_or(Standing::Unproven, |known| known.standing)
    }

    /// All devices in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&DeviceId, &Known)> {
        self.devices.iter()
    }

    /// Notes that a device is there or not.
    ///
    /// # Errors
    /// There is no room for one more device.
    pub(crate) fn set_presence(
        &mut self,
        id: &DeviceId,
        presence: Presence,
        group: Option<String>,
    ) -> Result<(), &'static str> {
        let known = self.entry(id)?;
        known.presence = presence;
        if presence == Presence::Online {
            known.group = group;
        }
        Ok(())
    }

    /// Notes what became of a device's key.
    ///
    /// # Errors
    /// There is no room for one more device.
    pub(crate) fn set_standing(&mut self, id: &DeviceId, standing: Standing) -> Result<(), &'static str> {
        self.entry(id)?.standing = standing;
        Ok(())
    }

    /// Notes the manifest of a device; `bytes` is the size of the message.
    ///
    /// # Errors
    /// There is no room for one more device, or for so large a manifest.
    pub(crate) fn set_manifest(&mut self, id: &DeviceId, manifest: Manifest, bytes: usize) -> Result<(), &'static str> {
        let before = self.known(id).map_or(0, |known| known.manifest_bytes);
        let total = self.manifest_bytes.saturating_sub(before).saturating_add(bytes);
        if total > MAX_MANIFEST_BYTES {
            return Err("manifest not kept: the gateway has no room for one so large");
        }
        if self.devices.len() >= MAX_DEVICES && !self.devices.contains_key(id) {
            // One that never showed a key makes room for one that did.
            let stranger = self.devices.iter().find(|(_, known)| known.manifest.is_none()).map(|(id, _)| id.clone());
            stranger.iter().for_each(|stranger| self.forget(stranger));
        }
        let known = self.entry(id)?;
        known.group.clone_from(&manifest.group);
        known.manifest = Some(manifest);
        known.manifest_bytes = bytes;
        self.manifest_bytes = total;
        Ok(())
    }

    /// Forgets a device.
    pub(crate) fn forget(&mut self, id: &DeviceId) {
        if let Some(known) = self.devices.remove(id) {
            self.manifest_bytes = self.manifest_bytes.saturating_sub(known.manifest_bytes);
        }
    }

    /// The entry of a device, made if there is room.
    fn entry(&mut self, id: &DeviceId) -> Result<&mut Known, &'static str> {
        if self.devices.len() >= MAX_DEVICES && !self.devices.contains_key(id) {
            return Err("device not noted: the gateway knows as many devices as it can");
        }
        Ok(self.devices.entry(id.clone()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> DeviceId {
        DeviceId::new("a", &n.to_string()).unwrap()
    }

    #[test]
    fn a_full_table_refuses_strangers_and_keeps_its_devices() {
        let mut registry = Registry::default();
        for n in 0..MAX_DEVICES {
            registry.set_presence(&id(n), Presence::Online, None).unwrap();
        }
        assert!(registry.set_presence(&id(MAX_DEVICES), Presence::Online, None).is_err());
        registry.set_presence(&id(7), Presence::Offline, None).unwrap();
        registry.set_manifest(&id(MAX_DEVICES + 1), Manifest::default(), 1).unwrap(); // in the place of a stranger
        assert_eq!(registry.iter().count(), MAX_DEVICES);
        assert_eq!(registry.known(&id(7)).unwrap().presence, Presence::Offline);
        registry.forget(&id(8));
        registry.set_presence(&id(MAX_DEVICES), Presence::Online, None).unwrap();
        assert_eq!(registry.iter().count(), MAX_DEVICES);
    }

    #[test]
    fn manifests_are_bounded_in_bytes() {
        let mut registry = Registry::default();
        let half = MAX_MANIFEST_BYTES / 2;
        registry.set_manifest(&id(1), Manifest::default(), half).unwrap();
        registry.set_manifest(&id(1), Manifest::default(), half).unwrap(); // replaces
        registry.set_manifest(&id(2), Manifest::default(), half).unwrap();
        assert!(registry.set_manifest(&id(3), Manifest::default(), 1).is_err());
        registry.forget(&id(1));
        registry.set_manifest(&id(3), Manifest::default(), 1).unwrap();
    }
}
