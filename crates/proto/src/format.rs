//! `defmt::Format` where it cannot be derived: lists, and what must not be shown. It shows what `Debug` shows.

use defmt::{Format, Formatter, write};

use crate::connect::{Connect, Redacted};
use crate::filters::{Filters, FiltersIter, TopicFilters, TopicFiltersIter};
use crate::frame::Frame;
use crate::framer::Framer;
use crate::properties::{Properties, PropertyIter};
use crate::property::Property;
use crate::reason::ReasonCode;
use crate::router::{Matches, Router, Slots};
use crate::suback::{ReasonCodes, ReasonCodesIter};
use crate::subscription::SubscribeOptions;
use crate::types::PacketId;

/// Item by item, as a slice is shown.
fn list<T: Format>(items: impl Iterator<Item = T>, f: Formatter<'_>) {
    write!(f, "[");
    for (at, item) in items.enumerate() {
        if at != 0 {
            write!(f, ", ");
        }
        write!(f, "{}", item);
    }
    write!(f, "]");
}

macro_rules! lists {
    ($($name:ident $iter:ident)*) => {$(
        impl Format for $name<'_> {
            fn format(&self, f: Formatter<'_>) {
                list(self.iter(), f);
            }
        }

        impl Format for $iter<'_> {
            fn format(&self, f: Formatter<'_>) {
                list(self.clone(), f);
            }
        }
    )*};
}

lists! {
    Properties PropertyIter
    Filters FiltersIter
    TopicFilters TopicFiltersIter
    ReasonCodes ReasonCodesIter
}

impl<S: Slots> Format for Router<S>
where
    S::Filter: Format,
    S::Value: Format,
{
    fn format(&self, f: Formatter<'_>) {
        list(self.iter(), f);
    }
}

impl<F: AsRef<str> + Format, V: Format> Format for Matches<'_, F, V> {
    fn format(&self, f: Formatter<'_>) {
        list(self.clone(), f);
    }
}

impl Format for Connect<'_> {
    fn format(&self, f: Formatter<'_>) {
        write!(
            f,
            "Connect {{ clean_start: {=bool}, keep_alive: {=u16}, client_id: {=str}, will: {}, username: {}, password: {}, \
             properties: {} }}",
            self.clean_start,
            self.keep_alive,
            self.client_id,
            self.will,
            self.username,
            self.password.map(Redacted),
            self.properties,
        );
    }
}

impl Format for Redacted<'_> {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "[{=usize} bytes]", self.0.len());
    }
}

impl Format for PacketId {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "PacketId({=u16})", self.get());
    }
}

impl Format for ReasonCode {
    fn format(&self, f: Formatter<'_>) {
        match self.name() {
            Some(name) => write!(f, "0x{=u8:02X} {=str}", self.as_u8(), name),
            None => write!(f, "0x{=u8:02X}", self.as_u8()),
        }
    }
}

impl Format for SubscribeOptions {
    fn format(&self, f: Formatter<'_>) {
        write!(
            f,
            "SubscribeOptions {{ qos: {}, no_local: {=bool}, retain_as_published: {=bool}, retain_handling: {} }}",
            self.qos(),
            self.no_local(),
            self.retain_as_published(),
            self.retain_handling(),
        );
    }
}

impl Format for Frame<'_> {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "Frame({}, {} bytes)", self.packet_type(), self.bytes().len());
    }
}

impl Format for Framer<'_> {
    fn format(&self, f: Formatter<'_>) {
        let (received, skip, limit) = self.state();
        write!(f, "Framer {{ received: {=usize}, skip: {=u32}, limit: {=u32}, .. }}", received, skip, limit);
    }
}

impl Format for Property<'_> {
    fn format(&self, f: Formatter<'_>) {
        match *self {
            Self::PayloadFormatIndicator(value) => write!(f, "PayloadFormatIndicator({=bool})", value),
            Self::MessageExpiryInterval(value) => write!(f, "MessageExpiryInterval({=u32})", value),
            Self::ContentType(value) => write!(f, "ContentType({=str})", value),
            Self::ResponseTopic(value) => write!(f, "ResponseTopic({})", value),
            Self::CorrelationData(value) => write!(f, "CorrelationData({=[u8]})", value),
            Self::SubscriptionIdentifier(value) => write!(f, "SubscriptionIdentifier({})", value),
            Self::SessionExpiryInterval(value) => write!(f, "SessionExpiryInterval({=u32})", value),
            Self::AssignedClientIdentifier(value) => write!(f, "AssignedClientIdentifier({=str})", value),
            Self::ServerKeepAlive(value) => write!(f, "ServerKeepAlive({=u16})", value),
            Self::AuthenticationMethod(value) => write!(f, "AuthenticationMethod({=str})", value),
            Self::AuthenticationData(secret) => write!(f, "AuthenticationData({})", Redacted(secret)),
            Self::RequestProblemInformation(value) => write!(f, "RequestProblemInformation({=bool})", value),
            Self::WillDelayInterval(value) => write!(f, "WillDelayInterval({=u32})", value),
            Self::RequestResponseInformation(value) => write!(f, "RequestResponseInformation({=bool})", value),
            Self::ResponseInformation(value) => write!(f, "ResponseInformation({=str})", value),
            Self::ServerReference(value) => write!(f, "ServerReference({=str})", value),
            Self::ReasonString(value) => write!(f, "ReasonString({=str})", value),
            Self::ReceiveMaximum(value) => write!(f, "ReceiveMaximum({})", value),
            Self::TopicAliasMaximum(value) => write!(f, "TopicAliasMaximum({=u16})", value),
            Self::TopicAlias(value) => write!(f, "TopicAlias({})", value),
            Self::MaximumQoS(value) => write!(f, "MaximumQoS({})", value),
            Self::RetainAvailable(value) => write!(f, "RetainAvailable({=bool})", value),
            Self::UserProperty(name, value) => write!(f, "UserProperty({=str}, {=str})", name, value),
            Self::MaximumPacketSize(value) => write!(f, "MaximumPacketSize({})", value),
            Self::WildcardSubscriptionAvailable(value) => write!(f, "WildcardSubscriptionAvailable({=bool})", value),
            Self::SubscriptionIdentifiersAvailable(value) => {
                write!(f, "SubscriptionIdentifiersAvailable({=bool})", value);
            }
            Self::SharedSubscriptionAvailable(value) => write!(f, "SharedSubscriptionAvailable({=bool})", value),
        }
    }
}

/// The owned types, each shown as its borrowed form.
#[cfg(feature = "bytes")]
mod owned {
    use super::{Format, Formatter, write};
    use crate::owned::{
        Auth, ConnAck, Connect, Disconnect, Filters, Packet, Properties, Property, PubAck, PubComp, PubRec, PubRel,
        Publish, PublishHead, ReasonCodes, Skipped, SubAck, Subscribe, Subscription, TopicFilter, TopicFilters,
        TopicName, UnsubAck, Unsubscribe, Will,
    };

    macro_rules! as_borrowed {
        ($($name:ident)*) => {$(
            impl Format for $name {
                fn format(&self, f: Formatter<'_>) {
                    write!(f, "{}", self.as_borrowed());
                }
            }
        )*};
    }

    as_borrowed! {
        Packet Connect ConnAck Publish PubAck PubRec PubRel PubComp Subscribe SubAck Unsubscribe UnsubAck Disconnect Auth
        Will PublishHead Skipped Filters TopicFilters Subscription ReasonCodes Properties Property TopicName TopicFilter
    }
}
