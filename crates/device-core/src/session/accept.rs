//! What the application gives to be sent: checked, given room, and queued.

use super::outbound::{self, Publication, PublicationTopic, Request};
use super::slot::{Body, Kind, Owner, Text};
use super::{MAX_PACKET, NO_CLASS, Session};
use crate::event::MessageKey;
use crate::json::Window;
use crate::source::BodyToken;
use crate::storage::Storage;
use crate::time::Instant;
use crate::{PublishError, SubscribeError};
use mqtt_device_proto::{QoS, SubscribeOptions, TopicFilter, TopicName};

/// Who publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    App,
    /// The layer above, something for which it has reserved a slot.
    Device,
    /// The layer above, something that it says once more.
    Repeat,
}

/// The body of a publication that is being accepted.
enum NewBody<'a, P> {
    /// `len` bytes, written into the arena by `fill`; the first `same` of them count as a part of the topic.
    Copied {
        len: usize,
        fill: &'a dyn Fn(&mut Window<'_>),
        same: usize,
    },
    Owned(P),
    Source(BodyToken),
}

impl<S: Storage> Session<S> {
    /// Accepts a publication; the payload is copied.
    ///
    /// # Errors
    /// See [`PublishError`]; nothing has changed then.
    pub fn publish(
        &mut self,
        now: Instant,
        publication: &Publication<'_>,
        payload: &[u8],
    ) -> Result<MessageKey, PublishError> {
        self.publish_with(now, publication, payload.len(), &|window| window.write(payload))
    }

    /// Accepts a publication whose payload of `len` bytes is written in place by `fill`.
    ///
    /// # Errors
    /// See [`PublishError`]; nothing has changed then.
    pub fn publish_with(
        &mut self,
        now: Instant,
        publication: &Publication<'_>,
        len: usize,
        fill: &dyn Fn(&mut Window<'_>),
    ) -> Result<MessageKey, PublishError> {
        self.accept_publication(now, publication, &NewBody::Copied { len, fill, same: 0 }, Asker::App)
    }

    /// The same; [`WhenFull::Latest`](crate::WhenFull::Latest) compares the first `same` bytes of the body, too.
    pub(crate) fn publish_named(
        &mut self,
        now: Instant,
        publication: &Publication<'_>,
        (same, len): (usize, usize),
        fill: &dyn Fn(&mut Window<'_>),
    ) -> Result<MessageKey, PublishError> {
        self.accept_publication(now, publication, &NewBody::Copied { len, fill, same }, Asker::App)
    }

    /// Accepts a publication whose payload is kept by handle and never copied.
    ///
    /// # Errors
    /// See [`PublishError`]; nothing has changed then.
    pub fn publish_owned(
        &mut self,
        now: Instant,
        publication: &Publication<'_>,
        payload: S::Payload,
    ) -> Result<MessageKey, PublishError> {
        self.accept_publication(now, publication, &NewBody::Owned(payload), Asker::App)
    }

    /// Accepts a publication whose payload the source writes when it is sent.
    ///
    /// # Errors
    /// See [`PublishError`]; nothing has changed then.
    pub fn publish_from_source(
        &mut self,
        now: Instant,
        publication: &Publication<'_>,
        body: BodyToken,
    ) -> Result<MessageKey, PublishError> {
        self.accept_publication(now, publication, &NewBody::Source(body), Asker::App)
    }

    /// The same for the layer above: in no class, with its outcome by `take_inner_outcome`, and `reserved` slots if it
    /// says so.
    pub(crate) fn publish_inner(
        &mut self,
        now: Instant,
        publication: &Publication<'_>,
        body: BodyToken,
        reserved: bool,
    ) -> Result<MessageKey, PublishError> {
        let owner = if reserved { Asker::Device } else { Asker::Repeat };
        self.accept_publication(now, publication, &NewBody::Source(body), owner)
    }

    fn accept_publication(
        &mut self,
        now: Instant,
        publication: &Publication<'_>,
        body: &NewBody<'_, S::Payload>,
        asker: Asker,
    ) -> Result<MessageKey, PublishError> {
        let Publication { topic, qos, retain, ttl, class } = *publication;
        if qos == QoS::ExactlyOnce {
            return Err(PublishError::QosNotSupported);
        }
        let (text, name) = match topic {
            PublicationTopic::Name(name) => {
                TopicName::new(name).map_err(PublishError::Topic)?;
                (Text::Arena(u16::try_from(name.len()).unwrap_or(u16::MAX)), name.as_bytes())
            }
            PublicationTopic::Token(token) => (Text::Source(token), &[][..]),
        };
        let (len, copied) = match body {
            NewBody::Copied { len, .. } => (*len, *len),
            NewBody::Owned(payload) => (payload.as_ref().len(), 0),
            NewBody::Source(_) => (0, 0),
        };
        // Fixed header, topic length, packet identifier.
        let total = (len as u64).saturating_add(name.len() as u64).saturating_add(9);
        let kept = name.len().saturating_add(copied);
        let weight = name.len().saturating_add(len);
        if total > MAX_PACKET || kept > self.storage.arena_limit() {
            return Err(PublishError::TooLarge { total });
        }
        // What the layer above says has bounds of its own, and no policy may drop it.
        let (class, owner) = if asker == Asker::App { (class, Owner::App) } else { (NO_CLASS, Owner::Inner) };
        if asker == Asker::App {
            let limits = self.core.config.classes.get(usize::from(class)).ok_or(PublishError::NoSuchClass)?;
            if u32::try_from(weight).map_or(true, |weight| weight > limits.bytes) {
                return Err(PublishError::TooLarge { total });
            }
            if !self.core.class_takes(&self.storage.parts(), class, weight) {
                return Err(PublishError::Full);
            }
        }
        let request = || Request {
            kind: Kind::Publish { qos, retain },
            text,
            name,
            len: copied,
            fill: if let NewBody::Copied { fill, .. } = body { *fill } else { &|_| () },
            body: match body {
                NewBody::Copied { .. } => Body::Arena,
                NewBody::Owned(payload) => Body::Owned(payload.clone()),
                NewBody::Source(token) => Body::Source(*token),
            },
            class,
            ttl,
            owner,
            reserved: asker == Asker::Device,
            weight,
        };
        let (key, i) = loop {
            match self.accept(now, request) {
                Ok(accepted) => break accepted,
                Err(short) => {
                    let parts = &mut self.storage.parts();
                    let bytes = short.arena > parts.arena.len();
                    // Dropping makes room for bytes at once; a slot is free only when its outcome was drained.
                    if bytes && kept <= parts.arena.len() && self.core.drop_oldest(parts, class) {
                        continue;
                    }
                    return Err(if bytes { PublishError::NoRoom { needed: kept } } else { PublishError::Full });
                }
            }
        };
        let same = if let NewBody::Copied { same, .. } = body { *same } else { 0 };
        self.core.enforce_class(&mut self.storage.parts(), class, (i, same));
        Ok(key)
    }

    fn accept<'r>(
        &mut self,
        now: Instant,
        request: impl Fn() -> Request<'r, S::Payload>,
    ) -> Result<(MessageKey, u16), outbound::Short> {
        self.core.fit(self.storage.out_limit());
        let mut accepted = self.core.accept(&mut self.storage.parts(), now, request());
        // Slots and bytes may both be short: each is grown once at most.
        for _ in 0..2 {
            match &accepted {
                Err(short) if self.storage.grow(short.arena, short.slots) => {
                    accepted = self.core.accept(&mut self.storage.parts(), now, request());
                }
                _ => break,
            }
        }
        accepted
    }

    /// Asks for a subscription; the server's answer is its outcome, and a refusal is `Refused`.
    ///
    /// It is not asked for again when the server loses the session: what is always wanted is declared in the
    /// [`Source`](crate::Source).
    ///
    /// # Errors
    /// See [`SubscribeError`]; nothing has changed then.
    pub fn subscribe(
        &mut self,
        now: Instant,
        filter: &str,
        options: SubscribeOptions,
    ) -> Result<MessageKey, SubscribeError> {
        if options.qos() == QoS::ExactlyOnce {
            return Err(SubscribeError::QosNotSupported);
        }
        self.accept_filter(now, filter, Kind::Subscribe(options))
    }

    /// Asks to end a subscription.
    ///
    /// # Errors
    /// See [`SubscribeError`]; nothing has changed then.
    pub fn unsubscribe(&mut self, now: Instant, filter: &str) -> Result<MessageKey, SubscribeError> {
        self.accept_filter(now, filter, Kind::Unsubscribe)
    }

    fn accept_filter(&mut self, now: Instant, filter: &str, kind: Kind) -> Result<MessageKey, SubscribeError> {
        TopicFilter::new(filter).map_err(SubscribeError::Filter)?;
        let request = || Request {
            kind,
            text: Text::Arena(u16::try_from(filter.len()).unwrap_or(u16::MAX)),
            name: filter.as_bytes(),
            len: 0,
            fill: &|_| (),
            body: Body::Arena,
            class: NO_CLASS,
            ttl: None,
            owner: Owner::App,
            reserved: false,
            weight: 0,
        };
        self.accept(now, request).map(|(key, _)| key).map_err(|_| SubscribeError::Full)
    }
}
