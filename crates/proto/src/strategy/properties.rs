//! Property sets, by the place where they stand.

use proptest::strategy::{BoxedStrategy, Just, Strategy};

use crate::owned::Properties;
use crate::types::{PacketType, Role};
#[cfg(feature = "v5")]
use {
    super::text::{binary, text, topic_name},
    crate::owned::Property,
    crate::property::{Places, PropertyId},
    crate::types::QoS,
    alloc::vec::Vec,
    proptest::{arbitrary::any, collection::vec, num::u16 as any_u16, option::weighted, prop_oneof},
};

/// Where a set of properties stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In the will of a CONNECT.
    Will,
    /// In the variable header of a packet.
    Packet(PacketType),
}

#[cfg(feature = "v5")]
impl Place {
    /// The properties that may stand here when `sender` sends them.
    pub(super) fn allowed(self, sender: Role) -> impl Iterator<Item = PropertyId> {
        all().filter(move |id| self.has(*id) && !self.misdirects(*id, sender))
    }

    /// Whether the property is one of this place, for one side at least.
    pub(super) fn has(self, id: PropertyId) -> bool {
        let place = match self {
            Self::Will => Places::WILL,
            Self::Packet(packet) => Places::from(packet),
        };
        id.rules().0.contains(place)
    }

    /// Whether only the other side may send it here.
    pub(super) fn misdirects(self, id: PropertyId, sender: Role) -> bool {
        matches!(
            (self, id, sender),
            (Self::Packet(PacketType::Publish), PropertyId::SubscriptionIdentifier, Role::Client)
                | (Self::Packet(PacketType::Disconnect), PropertyId::SessionExpiryInterval, Role::Server)
        )
    }

    /// Whether a set may have the property more than once.
    pub(super) fn repeats(self, id: PropertyId) -> bool {
        id == PropertyId::UserProperty
            || id == PropertyId::SubscriptionIdentifier && self == Self::Packet(PacketType::Publish)
    }
}

/// Every property that there is.
#[cfg(feature = "v5")]
pub(super) fn all() -> impl Iterator<Item = PropertyId> {
    (0..0x40).filter_map(PropertyId::from_u8)
}

/// Any set of properties for this place, in any order, sent by `sender`. Always empty without feature `v5`.
pub fn properties(place: Place, sender: Role) -> BoxedStrategy<Properties> {
    #[cfg(feature = "v5")]
    return list(place, sender)
        .prop_filter_map("properties that can be written", |list| Properties::try_from_iter(&list).ok())
        .boxed();
    #[cfg(not(feature = "v5"))]
    {
        let _ = (place, sender);
        Just(Properties::EMPTY).boxed()
    }
}

/// The same for a version that has them, or none.
pub(super) fn of(version: crate::Version, place: Place, sender: Role) -> BoxedStrategy<Properties> {
    if version.has_properties() { properties(place, sender) } else { Just(Properties::EMPTY).boxed() }
}

#[cfg(feature = "v5")]
fn list(place: Place, sender: Role) -> BoxedStrategy<Vec<Property>> {
    let method_needed = place == Place::Packet(PacketType::Auth);
    let once: Vec<_> = place
        .allowed(sender)
        .filter(|id| !place.repeats(*id))
        .map(|id| {
            if method_needed && id == PropertyId::AuthenticationMethod {
                property(id).prop_map(Some).boxed()
            } else {
                weighted(0.3, property(id)).boxed()
            }
        })
        .collect();
    let repeated: Vec<_> =
        place.allowed(sender).filter(|id| place.repeats(*id)).map(|id| vec(property(id), 0..3)).collect();
    (once, repeated)
        .prop_map(|(once, repeated)| {
            let mut list: Vec<Property> = once.into_iter().flatten().chain(repeated.into_iter().flatten()).collect();
            if !list.iter().any(|property| property.id() == PropertyId::AuthenticationMethod) {
                list.retain(|property| property.id() != PropertyId::AuthenticationData);
            }
            list
        })
        .prop_shuffle()
        .boxed()
}

/// One property with any value that it may have.
#[cfg(feature = "v5")]
pub fn property(id: PropertyId) -> BoxedStrategy<Property> {
    let flag = any::<bool>;
    let number = || prop_oneof![any::<u32>(), 0..300u32, Just(u32::MAX)];
    let non_zero = || number().prop_map(|n| n.try_into().unwrap_or(core::num::NonZeroU32::MIN));
    let short = || prop_oneof![any_u16::ANY, Just(0), Just(u16::MAX)];
    let non_zero_short = || short().prop_map(|n| n.try_into().unwrap_or(core::num::NonZeroU16::MIN));
    match id {
        PropertyId::PayloadFormatIndicator => flag().prop_map(Property::PayloadFormatIndicator).boxed(),
        PropertyId::MessageExpiryInterval => number().prop_map(Property::MessageExpiryInterval).boxed(),
        PropertyId::ContentType => text().prop_map(Property::ContentType).boxed(),
        PropertyId::ResponseTopic => topic_name().prop_map(Property::ResponseTopic).boxed(),
        PropertyId::CorrelationData => binary().prop_map(Property::CorrelationData).boxed(),
        PropertyId::SubscriptionIdentifier => prop_oneof![1..300u32, 1..=crate::writer::VARINT_MAX]
            .prop_map(|n| Property::SubscriptionIdentifier(n.try_into().unwrap_or(core::num::NonZeroU32::MIN)))
            .boxed(),
        PropertyId::SessionExpiryInterval => number().prop_map(Property::SessionExpiryInterval).boxed(),
        PropertyId::AssignedClientIdentifier => text().prop_map(Property::AssignedClientIdentifier).boxed(),
        PropertyId::ServerKeepAlive => short().prop_map(Property::ServerKeepAlive).boxed(),
        PropertyId::AuthenticationMethod => text().prop_map(Property::AuthenticationMethod).boxed(),
        PropertyId::AuthenticationData => binary().prop_map(Property::AuthenticationData).boxed(),
        PropertyId::RequestProblemInformation => flag().prop_map(Property::RequestProblemInformation).boxed(),
        PropertyId::WillDelayInterval => number().prop_map(Property::WillDelayInterval).boxed(),
        PropertyId::RequestResponseInformation => flag().prop_map(Property::RequestResponseInformation).boxed(),
        PropertyId::ResponseInformation => text().prop_map(Property::ResponseInformation).boxed(),
        PropertyId::ServerReference => text().prop_map(Property::ServerReference).boxed(),
        PropertyId::ReasonString => text().prop_map(Property::ReasonString).boxed(),
        PropertyId::ReceiveMaximum => non_zero_short().prop_map(Property::ReceiveMaximum).boxed(),
        PropertyId::TopicAliasMaximum => short().prop_map(Property::TopicAliasMaximum).boxed(),
        PropertyId::TopicAlias => non_zero_short().prop_map(Property::TopicAlias).boxed(),
        PropertyId::MaximumQoS => {
            flag().prop_map(|one| Property::MaximumQoS(if one { QoS::AtLeastOnce } else { QoS::AtMostOnce })).boxed()
        }
        PropertyId::RetainAvailable => flag().prop_map(Property::RetainAvailable).boxed(),
        PropertyId::UserProperty => {
            (text(), text()).prop_map(|(name, value)| Property::UserProperty(name, value)).boxed()
        }
        PropertyId::MaximumPacketSize => non_zero().prop_map(Property::MaximumPacketSize).boxed(),
        PropertyId::WildcardSubscriptionAvailable => flag().prop_map(Property::WildcardSubscriptionAvailable).boxed(),
        PropertyId::SubscriptionIdentifiersAvailable => {
            flag().prop_map(Property::SubscriptionIdentifiersAvailable).boxed()
        }
        PropertyId::SharedSubscriptionAvailable => flag().prop_map(Property::SharedSubscriptionAvailable).boxed(),
    }
}
