//! Many filters at once: which of them match a topic, without looking at each.

use core::fmt;

use crate::topic::{TopicError, TopicFilter, TopicName};

#[path = "route_order.rs"]
mod order;

use order::{Look, count_before, is_before, key, key_of, look};

/// A filter and what it stands for: a handler, a client, an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Route<F, V> {
    /// The text of a topic filter.
    pub filter: F,
    /// Whatever the caller wants to find.
    pub value: V,
}

/// Where a [`Router`] keeps its routes: `[Slot; N]`, `&mut [Slot]`, or with feature `alloc` a `Vec<Slot>`, which grows.
pub trait Slots: sealed::Sealed {
    /// A filter, in the caller's form: [`TopicFilter`] for a text that lives elsewhere, `String`, `Arc<str>`, …
    type Filter: AsRef<str>;
    /// What a filter stands for.
    type Value;
    /// All the room that there is.
    fn slots(&self) -> &[Slot<Self::Filter, Self::Value>];
    /// The same to be changed.
    fn slots_mut(&mut self) -> &mut [Slot<Self::Filter, Self::Value>];
    /// Makes room for one more, if that can be had.
    fn grow(&mut self) {}
}

/// Room for one route.
pub type Slot<F, V> = Option<Route<F, V>>;

mod sealed {
    pub trait Sealed {}
}

impl<F, V, const N: usize> sealed::Sealed for [Slot<F, V>; N] {}
impl<F: AsRef<str>, V, const N: usize> Slots for [Slot<F, V>; N] {
    type Filter = F;
    type Value = V;

    fn slots(&self) -> &[Slot<F, V>] {
        self
    }

    fn slots_mut(&mut self) -> &mut [Slot<F, V>] {
        self
    }
}

impl<F, V> sealed::Sealed for &mut [Slot<F, V>] {}
impl<F: AsRef<str>, V> Slots for &mut [Slot<F, V>] {
    type Filter = F;
    type Value = V;

    fn slots(&self) -> &[Slot<F, V>] {
        self
    }

    fn slots_mut(&mut self) -> &mut [Slot<F, V>] {
        self
    }
}

#[cfg(feature = "alloc")]
impl<F, V> sealed::Sealed for alloc::vec::Vec<Slot<F, V>> {}
#[cfg(feature = "alloc")]
impl<F: AsRef<str>, V> Slots for alloc::vec::Vec<Slot<F, V>> {
    type Filter = F;
    type Value = V;

    fn slots(&self) -> &[Slot<F, V>] {
        self
    }

    fn slots_mut(&mut self) -> &mut [Slot<F, V>] {
        self
    }

    fn grow(&mut self) {
        self.push(None);
    }
}

/// Finds the filters that match a topic, among many.
///
/// ```
/// use mqtt_device_proto::{Router, Slot, TopicFilter, TopicName};
/// # #[derive(Clone, Copy, Debug, PartialEq)]
/// enum Task { Lamp, Log }
///
/// let mut router: Router<[Slot<TopicFilter<'_>, Task>; 8]> = Router::new();
/// router.insert(TopicFilter::new("house/+/lamp")?, Task::Lamp)?;
/// router.insert(TopicFilter::new("house/#")?, Task::Log)?;
///
/// let topic = TopicName::new("house/kitchen/lamp")?;
/// let tasks: Vec<Task> = router.matches(&topic).map(|route| route.value).collect();
/// assert_eq!(tasks, [Task::Log, Task::Lamp]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
/// The routes lie in one slice, sorted so that filters with the same first levels are neighbours, and nothing else is kept:
/// no nodes, no copies of the filters. A search leaps from one filter that may match to the next, and needs neither
/// recursion nor memory. For most topics that is a few leaps, each of which looks at about 2 log₂ N routes of the N that it
/// leaps over. In the worst case, whatever the topic and the filters are, each route is looked at twice; a look reads no
/// more than the filter and the topic.
///
/// [`insert`](Self::insert) and [`remove`](Self::remove) move the routes that are behind: cheap for thousands. They look at
/// all routes of the same filter: where very many subscribe to one, keep a list of them as its value. A router that grows
/// does not give memory back.
#[derive(Clone)]
pub struct Router<S> {
    slots: S,
    /// How many slots are in use: those at the front.
    len: usize,
}

/// Why a route was not taken in. The router is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum InsertError {
    /// All slots are in use.
    Full,
    /// The text is no topic filter.
    BadFilter(TopicError),
}

impl fmt::Display for InsertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("no room for one more filter"),
            Self::BadFilter(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for InsertError {}

impl<F, V, const N: usize> Router<[Slot<F, V>; N]> {
    /// Room for `N` routes.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: [const { None }; N], len: 0 }
    }
}

impl<F, V, const N: usize> Default for Router<[Slot<F, V>; N]> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'m, F, V> Router<&'m mut [Slot<F, V>]> {
    /// Room for as many routes as there are slots. What is in them is dropped.
    pub fn lent(slots: &'m mut [Slot<F, V>]) -> Self {
        slots.fill_with(|| None);
        Self { slots, len: 0 }
    }
}

#[cfg(feature = "alloc")]
impl<F, V> Router<alloc::vec::Vec<Slot<F, V>>> {
    /// Room for as many routes as the allocator has. With feature `alloc`.
    #[must_use]
    pub const fn growing() -> Self {
        Self { slots: alloc::vec::Vec::new(), len: 0 }
    }
}

#[cfg(feature = "alloc")]
impl<F, V> Default for Router<alloc::vec::Vec<Slot<F, V>>> {
    fn default() -> Self {
        Self::growing()
    }
}

impl<S: Slots> Router<S> {
    /// How many routes there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes in a route. Any number of routes may have the same filter: they stay apart, and each of them is found. Where
    /// a client may have a filter once only, ask [`find_mut`](Self::find_mut) first.
    ///
    /// # Errors
    /// [`InsertError::Full`]; [`InsertError::BadFilter`] for a text that no [`TopicFilter`] is made of. Nothing has changed
    /// then.
    pub fn insert(&mut self, filter: S::Filter, value: S::Value) -> Result<(), InsertError> {
        let text = TopicFilter::new_unshared(filter.as_ref()).map_err(InsertError::BadFilter)?;
        let key = key_of(text.as_str());
        let at = count_before(self.used(), |other| !is_before(key, other));
        if self.len == self.slots.slots().len() {
            self.slots.grow();
        }
        if self.len >= self.slots.slots().len() {
            return Err(InsertError::Full);
        }
        let mut moved = Some(Route { filter, value });
        for slot in self.slots.slots_mut().iter_mut().skip(at) {
            core::mem::swap(slot, &mut moved);
            if moved.is_none() {
                break;
            }
        }
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// Removes the first route with exactly this filter, `$share/` and all, of which `is_it` says that it is the one.
    pub fn remove(&mut self, filter: &str, is_it: impl FnMut(&S::Value) -> bool) -> Option<Route<S::Filter, S::Value>> {
        let at = self.position(filter, is_it)?;
        let mut moved = None;
        for slot in self.slots.slots_mut().get_mut(at..self.len)?.iter_mut().rev() {
            core::mem::swap(slot, &mut moved);
        }
        self.len = self.len.saturating_sub(1);
        moved
    }

    /// Removes all routes of which `keep` does not say to keep them, such as those of a client that is gone.
    pub fn retain(&mut self, mut keep: impl FnMut(&Route<S::Filter, S::Value>) -> bool) {
        // Were `keep` to panic, the routes would be gone, and none of them be found twice.
        let len = core::mem::take(&mut self.len);
        let mut kept = 0usize;
        for at in 0..len {
            let route = self.slots.slots_mut().get_mut(at).and_then(Option::take);
            if let Some(route) = route.filter(|route| keep(route))
                && let Some(slot) = self.slots.slots_mut().get_mut(kept)
            {
                *slot = Some(route);
                kept = kept.saturating_add(1);
            }
        }
        self.len = kept;
    }

    /// The value of the first route with exactly this filter of which `is_it` says that it is the one.
    pub fn find_mut(&mut self, filter: &str, is_it: impl FnMut(&S::Value) -> bool) -> Option<&mut S::Value> {
        let at = self.position(filter, is_it)?;
        self.slots.slots_mut().get_mut(at)?.as_mut().map(|route| &mut route.value)
    }

    /// All routes, in no order that is promised.
    pub fn iter(&self) -> impl Iterator<Item = &Route<S::Filter, S::Value>> {
        self.used().iter().flatten()
    }

    /// The routes whose filter matches `topic`, each once, as [`TopicFilter::matches`] would find them one by one: with
    /// the rules for `$` in the first level `[MQTT-4.7.2-1]` and for shared subscriptions. In no order that is promised.
    ///
    /// Of a shared subscription every member is found: to choose one of them is the caller's part. So is finding the name
    /// that a topic alias stands for.
    pub fn matches<'r>(&'r self, topic: &TopicName<'r>) -> Matches<'r, S::Filter, S::Value> {
        let topic = topic.as_str().as_bytes();
        let mut rest = self.used();
        if let [b'$', ..] = topic {
            // No wildcard in the first level: past all of them.
            let level = topic.split(|byte| *byte == b'/').next().unwrap_or_default();
            rest = leap(rest, &[], level);
        }
        Matches { rest, topic }
    }

    fn used(&self) -> &[Slot<S::Filter, S::Value>] {
        self.slots.slots().get(..self.len).unwrap_or_default()
    }

    fn position(&self, filter: &str, mut is_it: impl FnMut(&S::Value) -> bool) -> Option<usize> {
        let key = key_of(filter);
        let at = count_before(self.used(), |other| is_before(other, key));
        let same = self.used().get(at..)?.iter().map_while(|slot| slot.as_ref());
        let mut same = same.take_while(|route| key_of(route.filter.as_ref()) == key);
        let behind = same.position(|route| route.filter.as_ref() == filter && is_it(&route.value))?;
        Some(at.saturating_add(behind))
    }
}

impl<S: Slots> fmt::Debug for Router<S>
where
    S::Filter: fmt::Debug,
    S::Value: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|route| (&route.filter, &route.value))).finish()
    }
}

/// The routes that match a topic.
pub struct Matches<'r, F, V> {
    /// What was not looked at.
    rest: &'r [Slot<F, V>],
    topic: &'r [u8],
}

impl<F, V> Clone for Matches<'_, F, V> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<F: fmt::Debug + AsRef<str>, V: fmt::Debug> fmt::Debug for Matches<'_, F, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<'r, F: AsRef<str>, V> Iterator for Matches<'r, F, V> {
    type Item = &'r Route<F, V>;

    fn next(&mut self) -> Option<&'r Route<F, V>> {
        while let Some((slot, behind)) = self.rest.split_first() {
            self.rest = match look(key(slot), self.topic) {
                Look::Matches => {
                    self.rest = behind;
                    return slot.as_ref();
                }
                Look::Leap { prefix, level } => leap(behind, prefix, level),
                Look::End => &[],
            };
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.rest.len()))
    }
}

impl<F: AsRef<str>, V> core::iter::FusedIterator for Matches<'_, F, V> {}

/// Without the slots that come before the filter that `prefix` and `level` make together.
fn leap<'r, F: AsRef<str>, V>(slots: &'r [Slot<F, V>], prefix: &[u8], level: &[u8]) -> &'r [Slot<F, V>] {
    let before = count_before(slots, |filter| order::is_before_joined(filter, prefix, level));
    slots.get(before..).unwrap_or_default()
}
