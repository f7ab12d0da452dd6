//! The proof, kept in a device's record, that the device has shown its API key to a gateway.

use core::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::names::DeviceId;

/// HMAC-SHA-256 of a salt and the device's names under its API key: whoever knows the key can check it, and nobody
/// without the key can make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proof {
    salt: String,
    tag: String,
}

impl Proof {
    /// That this device has shown this key.
    pub(crate) fn new(device: &DeviceId, key: &str, salt: u64) -> Self {
        let salt = format!("{salt:016x}");
        let tag = tag(device, key, &salt);
        Self { salt, tag }
    }

    /// Whether it was this key.
    pub(crate) fn is_of(&self, device: &DeviceId, key: &str) -> bool {
        // What a record says is not compared with a secret, but with what follows from it and from the record.
        tag(device, key, &self.salt) == self.tag
    }
}

fn tag(device: &DeviceId, key: &str, salt: &str) -> String {
    let digest = hmac(key.as_bytes(), format!("mqtt-device key proof\n{salt}\n{device}").as_bytes());
    digest.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// RFC 2104 over SHA-256.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let mut block = [0; BLOCK];
    let hashed = Sha256::digest(key);
    let key = if key.len() > BLOCK { hashed.as_slice() } else { key };
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_that_of_rfc_4231() {
        let hex = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        // Test cases 2 and 6: a short key, and one longer than a block.
        let short = hmac(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(short), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long = hmac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(hex(long), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn a_proof_is_of_one_device_and_one_key() {
        let (device, other) = ("a:d".parse().unwrap(), "a:e".parse().unwrap());
        let proof = Proof::new(&device, "sekrit", 7);
        assert!(proof.is_of(&device, "sekrit"));
        assert!(!proof.is_of(&other, "sekrit") && !proof.is_of(&device, "sekrit2"));
        assert_ne!(proof, Proof::new(&device, "sekrit", 8));
        assert!(!format!("{proof:?}").contains("sekrit"));
    }
}
