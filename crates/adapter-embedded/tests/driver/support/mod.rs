//! What the tests share: a link, a server and a clock in memory, and an executor that polls only who was woken.

pub(crate) mod executor;
pub(crate) mod log;
pub(crate) mod net;

use mqtt_device_core::{Client, Config, Credentials, Fixed, NoRoom, QoS, Source, Subscription, TopicFilter};

/// A client named `me` with a password, which wants to hear `to/me`.
pub(crate) struct Me;

impl Source for Me {
    fn credentials<'s>(&'s self, _: Option<u64>, _: &'s mut [u8]) -> Result<Credentials<'s>, NoRoom> {
        Ok(Credentials { client_id: "me", username: Some("user"), password: Some(b"secret"), will: None })
    }

    fn subscription<'s>(&'s self, index: u16, _: &'s mut [u8]) -> Option<Subscription<'s>> {
        let filter = ["to/me", "also/+/me"].get(usize::from(index))?;
        Some(Subscription::new(TopicFilter::new(filter).unwrap(), QoS::AtLeastOnce))
    }
}

/// Packets of up to this many bytes are taken whole.
pub(crate) const RX: usize = 96;
/// A transmit buffer that is enough for [`Me`].
pub(crate) const TX: usize = 96;

pub(crate) type Small = Client<Fixed<512, 12, 8>>;

/// A client that has room for a dozen small messages.
pub(crate) fn client() -> Small {
    client_with(|_| ())
}

/// The same with other settings.
pub(crate) fn client_with(set: impl FnOnce(&mut Config)) -> Small {
    let mut config = Config::new(1);
    config.maximum_packet_size = RX as u32;
    set(&mut config);
    Client::new(config, Fixed::new())
}

/// Shows a line even when the test passes: what libtest captures it shows only of those that fail.
pub(crate) fn show(line: core::fmt::Arguments<'_>) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}
