//! Texts, topics and bytes.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proptest::arbitrary::any;
use proptest::collection::vec;
use proptest::prop_oneof;
use proptest::strategy::{BoxedStrategy, Just, Strategy};

use crate::owned::{ByteString, Bytes, TopicFilter, TopicName};

/// The longest string.
const MAX: usize = shorter(0xFFFF);

/// Miri would take minutes for what is long: it gets what is not short.
const fn shorter(len: usize) -> usize {
    if cfg!(miri) && len > 300 { 300 } else { len }
}

/// The first and the last of each length in UTF-8, and what codecs have stumbled over.
const EDGES: &[char] = &[
    '\u{1}',
    '\u{7F}',
    '\u{80}',
    '\u{7FF}',
    '\u{800}',
    '\u{D7FF}',
    '\u{E000}',
    '\u{FEFF}',
    '\u{FFFD}',
    '\u{FFFF}',
    '\u{10000}',
    '\u{10FFFF}',
    '$',
    '/',
    ' ',
    '+',
    '#',
];

/// Any character but U+0000, most of them ASCII, and `a` when it has shrunk. One number: a choice between strategies would
/// take most of the time that a packet takes.
fn character() -> BoxedStrategy<char> {
    any::<u32>()
        .prop_map(|number| match number >> 29 {
            0..6 => {
                let printable = (number & 0x7F).wrapping_add(u32::from(b'a'));
                char::from_u32(if printable < 0x7F { printable } else { printable & 0x3F | 0x20 }).unwrap_or('a')
            }
            6 => char::from_u32(number & 0x1F_FFFF).filter(|c| *c != '\0').unwrap_or('\u{FFFD}'),
            _ => pick(EDGES, u16::try_from(number & 0xFFFF).unwrap_or(0)).unwrap_or('a'),
        })
        .boxed()
}

/// Any character of one level of a topic.
fn level_character() -> BoxedStrategy<char> {
    character().prop_map(|c| if matches!(c, '+' | '#' | '/') { '_' } else { c }).boxed()
}

fn level() -> BoxedStrategy<String> {
    vec(level_character(), 0..8).prop_map(String::from_iter).boxed()
}

/// `characters` over and over, as long as a string may be, or somewhat less.
fn long(characters: BoxedStrategy<char>) -> BoxedStrategy<String> {
    (vec(characters, 1..4), prop_oneof![1..=MAX, Just(MAX)])
        .prop_map(|(characters, most)| {
            let mut text = String::new();
            for c in characters.iter().cycle() {
                if text.len().saturating_add(c.len_utf8()) > most {
                    break;
                }
                text.push(*c);
            }
            text
        })
        .boxed()
}

/// Any string that MQTT allows, up to the 65,535 bytes that it may have.
pub fn text() -> BoxedStrategy<ByteString> {
    prop_oneof![
        40 => vec(character(), 0..20).prop_map(String::from_iter),
        1 => long(character()),
    ]
    .prop_map(ByteString::from)
    .boxed()
}

/// Any Binary Data, up to the 65,535 bytes that it may have.
pub fn binary() -> BoxedStrategy<Bytes> {
    prop_oneof![40 => short_bytes(), 1 => repeated(MAX)].boxed()
}

/// Any payload, up to one that makes the remaining length four bytes long.
pub fn payload() -> BoxedStrategy<Bytes> {
    prop_oneof![400 => short_bytes(), 8 => repeated(shorter(20_000)), 1 => repeated(shorter(2_200_000))].boxed()
}

fn short_bytes() -> BoxedStrategy<Bytes> {
    vec(any::<u8>(), 0..32).prop_map(Bytes::from).boxed()
}

fn repeated(most: usize) -> BoxedStrategy<Bytes> {
    (any::<u8>(), prop_oneof![0..=most, Just(most)]).prop_map(|(byte, len)| Bytes::from(alloc::vec![byte; len])).boxed()
}

/// Any topic name but the empty one: levels that are empty, that begin with `$`, that are not ASCII, and names as long as
/// they may be.
pub fn topic_name() -> BoxedStrategy<TopicName> {
    let levels = (proptest::bool::weighted(0.1), vec(level(), 1..6))
        .prop_map(|(dollar, levels)| not_empty(format!("{}{}", if dollar { "$" } else { "" }, levels.join("/"))));
    prop_oneof![40 => levels, 1 => long(level_character())]
        .prop_filter_map("a topic name", |name| TopicName::new(name).ok())
        .boxed()
}

/// Any topic filter, with wildcards in all places where they may stand, and shared subscriptions.
pub fn topic_filter() -> BoxedStrategy<TopicFilter> {
    let some_level = prop_oneof![3 => level(), 2 => Just(String::from("+"))];
    let share = vec(level_character(), 1..5).prop_map(String::from_iter);
    let levels = (proptest::option::weighted(0.2, share), vec(some_level, 0..5), proptest::bool::weighted(0.3))
        .prop_map(|(share, mut levels, multi)| {
            if multi {
                levels.push(String::from("#"));
            }
            let filter = not_empty(levels.join("/"));
            share.map_or_else(|| filter.clone(), |share| format!("$share/{share}/{filter}"))
        });
    prop_oneof![40 => levels, 1 => long(level_character())]
        .prop_filter_map("a topic filter", |filter| TopicFilter::new(filter).ok())
        .boxed()
}

fn not_empty(text: String) -> String {
    if text.is_empty() { String::from("/") } else { text }
}

/// One of `items`, if there are any.
pub(super) fn pick<T: Copy>(items: &[T], pick: u16) -> Option<T> {
    items.get(usize::from(pick).checked_rem(items.len())?).copied()
}

/// The same of those for which `wanted` holds.
pub(super) fn pick_of<T: Copy>(
    items: impl IntoIterator<Item = T>,
    wanted: impl Fn(&T) -> bool,
    choice: u16,
) -> Option<T> {
    let items: Vec<T> = items.into_iter().filter(wanted).collect();
    pick(&items, choice)
}
