//! The device's strings and bodies, put together at the moment of writing.

use super::bodies;
use super::busy::Busy;
use super::commands::Commands;
use super::identity::Identity;
use super::profile::Profile;
use super::suffix::Suffix;
use super::tables::Tables;
use crate::json::Window;
use crate::source::{BodyToken, Credentials, NoRoom, Source, TopicToken};
use mqtt_device_proto::{Subscription, TopicFilter, TopicName, Will};

/// The bodies that are made when they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Response,
    Busy,
    Online,
    Auth,
    Offline,
    Heartbeat,
}

impl Kind {
    const ALL: [Self; 6] = [Self::Response, Self::Busy, Self::Online, Self::Auth, Self::Offline, Self::Heartbeat];

    /// The body of this kind with this index.
    pub(crate) const fn token(self, index: u16) -> BodyToken {
        BodyToken((self as u32) << 16 | index as u32)
    }

    /// The topic on which it is published.
    pub(crate) const fn suffix(self) -> Suffix {
        match self {
            Self::Response | Self::Busy => Suffix::Response,
            Self::Online | Self::Offline => Suffix::Status,
            Self::Auth => Suffix::Auth,
            Self::Heartbeat => Suffix::Heartbeat,
        }
    }
}

/// What a token stands for.
pub(crate) fn body_of(token: BodyToken) -> (Option<Kind>, u16) {
    let kind = usize::try_from(token.0 >> 16).ok().and_then(|kind| Kind::ALL.get(kind)).copied();
    (kind, u16::try_from(token.0 & 0xFFFF).unwrap_or(u16::MAX))
}

/// The topic of a suffix.
pub(crate) const fn topic(suffix: Suffix) -> TopicToken {
    TopicToken(suffix as u16)
}

const OUTBOUND: [Suffix; 5] = [Suffix::Status, Suffix::Auth, Suffix::Heartbeat, Suffix::Response, Suffix::Trigger];

/// All that the device can write, for the length of one call.
pub(crate) struct DeviceSource<'d, D> {
    pub(crate) identity: &'d Identity,
    pub(crate) commands: &'d Commands<D>,
    pub(crate) busy: &'d Busy,
    pub(crate) profile: &'d dyn Profile,
}

impl<D: Tables> Source for DeviceSource<'_, D> {
    fn credentials<'s>(&'s self, unix_ms: Option<u64>, scratch: &'s mut [u8]) -> Result<Credentials<'s>, NoRoom> {
        let cut = |room: &'s mut [u8], at: usize| room.split_at_mut_checked(at).ok_or(NoRoom);
        let identity = self.identity;
        let (room, scratch) = cut(scratch, identity.client_id_len())?;
        let client_id = identity.write_client_id(room).ok_or(NoRoom)?;
        let (room, scratch) = cut(scratch, identity.username_len())?;
        let username = identity.write_username(room).ok_or(NoRoom)?;
        let (room, scratch) = cut(scratch, identity.topic_len(Suffix::Status.as_str()))?;
        let topic = identity.write_topic(Suffix::Status.as_str(), room).ok_or(NoRoom)?;
        let mut count = Window::count();
        bodies::status(false, unix_ms, identity.group(), &mut count);
        let (room, _) = cut(scratch, count.total() as usize)?;
        bodies::status(false, unix_ms, identity.group(), &mut Window::new(0, room));
        let topic = TopicName::new(topic).map_err(|_| NoRoom)?;
        let will = Will { qos: Suffix::Status.qos(), retain: Suffix::Status.retain(), ..Will::new(topic, room) };
        let password = Some(self.profile.api_key().as_bytes());
        Ok(Credentials { client_id, username: Some(username), password, will: Some(will) })
    }

    fn subscription<'s>(&'s self, index: u16, scratch: &'s mut [u8]) -> Option<Subscription<'s>> {
        let suffix = Suffix::SUBSCRIBED.get(usize::from(index))?;
        let filter = TopicFilter::new(self.identity.write_topic(suffix.as_str(), scratch)?).ok()?;
        Some(Subscription::new(filter, suffix.qos()))
    }

    fn topic<'s>(&'s self, token: TopicToken, scratch: &'s mut [u8]) -> Option<TopicName<'s>> {
        let suffix = OUTBOUND.into_iter().find(|&suffix| topic(suffix) == token)?;
        TopicName::new(self.identity.write_topic(suffix.as_str(), scratch)?).ok()
    }

    fn body(&self, token: BodyToken, unix_ms: Option<u64>, window: &mut Window<'_>) {
        let (kind, index) = body_of(token);
        let group = self.identity.group();
        match kind {
            Some(Kind::Response) => {
                if let Some(response) = self.commands.token_at(index).and_then(|token| self.commands.response(token)) {
                    window.write(response);
                }
            }
            Some(Kind::Busy) => {
                if let Some(id) = self.busy.id(index) {
                    bodies::response_error(id.as_str(), &"busy: too many commands at once; try again later", window);
                }
            }
            Some(Kind::Online) => bodies::status(true, unix_ms, group, window),
            Some(Kind::Auth) => bodies::auth(self.profile, group, window),
            Some(Kind::Offline) => bodies::status(false, unix_ms, group, window),
            Some(Kind::Heartbeat) | None => {}
        }
    }
}
