//! A router finds what its filters match one by one, in a bounded number of looks.

mod common;

use core::cell::Cell;

use common::{Random, rounds};
use mqtt_device_proto::{InsertError, Router, Slot, TopicError, TopicFilter, TopicName};

/// A filter that counts how often it is looked at.
#[derive(Clone, Debug)]
struct Counted<'c>(String, &'c Cell<usize>);

impl AsRef<str> for Counted<'_> {
    fn as_ref(&self) -> &str {
        self.1.set(self.1.get() + 1);
        &self.0
    }
}

fn topic(text: &str) -> TopicName<'_> {
    TopicName::new(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::new(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// The values of `model` whose filter matches, found one by one.
fn expected(model: &[(String, usize)], name: &TopicName<'_>) -> Vec<usize> {
    let mut found: Vec<usize> =
        model.iter().filter(|(text, _)| filter(text).matches(name)).map(|(_, value)| *value).collect();
    found.sort_unstable();
    found
}

fn levels(random: &mut Random, words: &[&str], most: usize) -> String {
    (0..=random.below(most)).map(|_| random.pick(words)).collect::<Vec<_>>().join("/")
}

const NAMES: &[&str] = &["", "a", "b", "ab", "a!", "!", "\u{1}", "$a", "é", "\"", "0"];

fn any_topic(random: &mut Random) -> String {
    loop {
        let words: &[&str] = if random.flip() { &["", "a"] } else { NAMES };
        let text = levels(random, words, 6);
        if !text.is_empty() {
            return text;
        }
    }
}

fn any_filter(random: &mut Random) -> String {
    loop {
        let words: &[&str] = match random.below(3) {
            0 => &["a", "+"],
            1 => &["", "a", "+", "b"],
            _ => &["", "a", "b", "ab", "a!", "!", "\u{1}", "$a", "é", "\"", "+", "+", "0"],
        };
        let mut text = levels(random, words, 5);
        match random.below(8) {
            0 | 1 => text.push_str("/#"),
            2 => text = "#".into(),
            3 => text = format!("$share/{}/{text}", random.pick(&["crew", "a", "!"])),
            _ => {}
        }
        if TopicFilter::new(&text).is_ok() {
            return text;
        }
    }
}

#[test]
fn a_router_finds_what_the_filters_match_one_by_one() {
    let mut random = Random::new("a_router_finds_what_the_filters_match_one_by_one");
    let mut found = 0;
    for _ in 0..rounds(1_000) {
        let mut router: Router<[Slot<String, usize>; 60]> = Router::new();
        let mut model: Vec<(String, usize)> = Vec::new();
        for value in 0..random.below(120) {
            match random.below(8) {
                0 if !model.is_empty() => {
                    let (text, value) = model.swap_remove(random.below(model.len()));
                    let removed = router.remove(&text, |other| *other == value).expect("it is there");
                    assert_eq!((removed.filter, removed.value), (text, value));
                }
                1 if random.below(10) == 0 => {
                    let kept = random.below(3);
                    model.retain(|(_, value)| value % 3 != kept);
                    router.retain(|route| route.value % 3 != kept);
                }
                _ => {
                    let text = match random.below(4) {
                        0 if !model.is_empty() => model[random.below(model.len())].0.clone(),
                        _ => any_filter(&mut random),
                    };
                    let inserted = router.insert(text.clone(), value);
                    if model.len() < 60 {
                        assert_eq!(inserted, Ok(()));
                        model.push((text, value));
                    } else {
                        assert_eq!(inserted, Err(InsertError::Full));
                    }
                }
            }
            assert_eq!((router.len(), router.is_empty()), (model.len(), model.is_empty()));
        }
        for _ in 0..30 {
            let text = any_topic(&mut random);
            let name = topic(&text);
            let mut routes: Vec<usize> = router.matches(&name).map(|route| route.value).collect();
            routes.sort_unstable();
            assert_eq!(routes, expected(&model, &name), "{text:?} in {router:?}");
            found += routes.len();
        }
        let mut all: Vec<_> = router.iter().map(|route| (route.filter.clone(), route.value)).collect();
        all.sort_unstable();
        model.sort_unstable();
        assert_eq!(all, model);
    }
    assert!(cfg!(miri) || found > 10_000, "hardly anything matched: {found}");
}

fn all_of(words: &[&str], most: usize) -> Vec<String> {
    let mut all: Vec<String> = words.iter().map(|word| (*word).into()).collect();
    let mut last = all.clone();
    for _ in 1..most {
        last = last.iter().flat_map(|text| words.iter().map(move |word| format!("{text}/{word}"))).collect();
        all.extend(last.clone());
    }
    all
}

#[test]
fn all_filters_at_once_on_all_topics() {
    let most = if cfg!(miri) { 2 } else { 4 };
    let filters: Vec<String> =
        all_of(&["", "a", "$b", "+", "#"], most).into_iter().filter(|text| TopicFilter::new(text).is_ok()).collect();
    let mut slots: Vec<Slot<TopicFilter<'_>, usize>> = filters.iter().map(|_| None).collect();
    let mut router = Router::lent(&mut slots[..]);
    // In an order that is neither sorted nor the reverse.
    for at in 0..filters.len() {
        let at = at * 7919 % filters.len();
        router.insert(filter(&filters[at]), at).unwrap();
    }
    let model: Vec<(String, usize)> = filters.iter().cloned().zip(0..).collect();
    for text in all_of(&["", "a", "$b", "c"], most + 1) {
        let Ok(name) = TopicName::new(&text) else { continue };
        let mut found: Vec<usize> = router.matches(&name).map(|route| route.value).collect();
        found.sort_unstable();
        assert_eq!(found, expected(&model, &name), "{text:?}");
    }
}

/// Looks at the filters while the topic is searched for, and how many are found.
fn looks(router: &Router<&mut [Slot<Counted<'_>, ()>]>, looked: &Cell<usize>, text: &str) -> (usize, usize) {
    looked.set(0);
    let found = router.matches(&topic(text)).count();
    (looked.get(), found)
}

#[test]
fn no_filter_is_looked_at_more_than_twice() {
    let mut random = Random::new("no_filter_is_looked_at_more_than_twice");
    let looked = Cell::new(0);
    // All ways to put `a` and `+` into ten levels, and none of them matches a topic that ends in another level.
    let mut slots = vec![None; 1024];
    let mut hostile = Router::lent(&mut slots[..]);
    for bits in 0..1u32 << if cfg!(miri) { 5 } else { 10 } {
        let levels = (0..10).map(|level| if bits >> level & 1 == 0 { "a" } else { "+" });
        hostile.insert(Counted(levels.chain(["x"]).collect::<Vec<_>>().join("/"), &looked), ()).unwrap();
    }
    let text = ["a"; 10].join("/");
    for (text, expected) in [(text.clone(), 0), (format!("{text}/b"), 0), (format!("{text}/x"), hostile.len())] {
        let (looks, found) = looks(&hostile, &looked, &text);
        assert_eq!(found, expected, "{text}");
        assert!(looks <= 2 * hostile.len() + 1, "{looks} looks at {} filters for {text}", hostile.len());
    }
    // And whatever else.
    for _ in 0..rounds(2_000) {
        let mut router = Router::lent(&mut slots[..100]);
        for _ in 0..random.below(100) {
            router.insert(Counted(any_filter(&mut random), &looked), ()).unwrap();
        }
        let text = any_topic(&mut random);
        let (looks, found) = looks(&router, &looked, &text);
        assert!(found <= router.len());
        assert!(looks <= 2 * router.len() + 1, "{looks} looks at {} filters for {text:?}: {router:?}", router.len());
    }
}

#[test]
fn a_search_leaps_over_most_filters() {
    let looked = Cell::new(0);
    let mut slots = vec![None; 2001];
    let mut router = Router::lent(&mut slots[..]);
    for device in 0..if cfg!(miri) { 100 } else { 1000 } {
        for last in ["state", "+/set"] {
            router.insert(Counted(format!("plant/{device:04}/{last}"), &looked), ()).unwrap();
        }
    }
    router.insert(Counted("plant/+/alarm".into(), &looked), ()).unwrap();
    for (text, expected) in
        [("plant/0050/state", 1), ("plant/0050/lamp/set", 1), ("plant/0999/alarm", 1), ("elsewhere/x", 0)]
    {
        let (looks, found) = looks(&router, &looked, text);
        assert_eq!(found, expected, "{text}");
        assert!(looks <= 60, "{looks} looks for {text}");
    }
}

#[test]
fn a_full_router_refuses_and_stays_as_it_was() {
    let mut router: Router<[Slot<TopicFilter<'_>, u8>; 2]> = Router::default();
    router.insert(filter("b"), 1).unwrap();
    router.insert(filter("#"), 2).unwrap();
    let before = format!("{router:?}");
    assert_eq!(router.insert(filter("a"), 3), Err(InsertError::Full));
    assert_eq!(format!("{router:?}"), before);
    assert_eq!(before, r##"{TopicFilter("#"): 2, TopicFilter("b"): 1}"##);
    assert!(router.remove("#", |_| true).is_some());
    assert_eq!(router.insert(filter("a"), 3), Ok(()));
    let mut none: Router<[Slot<TopicFilter<'_>, u8>; 0]> = Router::new();
    assert_eq!(none.insert(filter("a"), 3), Err(InsertError::Full));
    assert_eq!(none.matches(&topic("a")).count(), 0);
}

#[test]
fn what_is_found_can_be_shown_and_counted_beforehand() {
    let mut router: Router<[Slot<&str, u8>; 4]> = Router::new();
    for (at, text) in (0..).zip(["a/+", "#", "b"]) {
        router.insert(text, at).unwrap();
    }
    let name = topic("a/x");
    let mut found = router.matches(&name);
    assert_eq!(format!("{found:?}"), r##"[Route { filter: "#", value: 1 }, Route { filter: "a/+", value: 0 }]"##);
    assert_eq!(found.size_hint(), (0, Some(3)));
    found.next();
    assert_eq!(found.size_hint(), (0, Some(2)));
    assert_eq!(InsertError::Full.to_string(), "no room for one more filter");
    assert_eq!(InsertError::BadFilter(TopicError::EmptyFilter).to_string(), TopicError::EmptyFilter.to_string());
}

#[test]
fn what_is_no_filter_is_refused() {
    let mut router: Router<[Slot<&str, ()>; 2]> = Router::new();
    for (text, error) in [
        ("", TopicError::EmptyFilter),
        ("a/#/b", TopicError::MisplacedMultiLevelWildcard),
        ("a+", TopicError::MisplacedSingleLevelWildcard),
        ("\0", TopicError::NulCharacter),
    ] {
        assert_eq!(router.insert(text, ()), Err(InsertError::BadFilter(error)), "{text:?}");
    }
    assert!(router.is_empty());
    // Before MQTT 5 it is a filter like any other.
    router.insert("$share/x", ()).unwrap();
    assert_eq!(router.matches(&topic("$share/x")).count(), 1);
}

#[test]
fn routes_of_one_filter_are_told_apart_by_their_values() {
    let mut router: Router<[Slot<&str, (char, u8)>; 8]> = Router::new();
    for (text, client) in [("a/+", 'x'), ("$share/crew/a/+", 'x'), ("a/+", 'y'), ("$share/gang/a/+", 'z')] {
        router.insert(text, (client, 0)).unwrap();
    }
    let found = |router: &Router<_>| {
        let mut found: Vec<(char, u8)> = router
            .matches(&topic("a/b"))
            .map(|route: &mqtt_device_proto::Route<&str, (char, u8)>| route.value)
            .collect();
        found.sort_unstable();
        found
    };
    assert_eq!(found(&router), [('x', 0), ('x', 0), ('y', 0), ('z', 0)]);
    router.find_mut("$share/gang/a/+", |_| true).unwrap().1 = 2;
    router.find_mut("a/+", |value| value.0 == 'y').unwrap().1 = 1;
    assert_eq!(router.find_mut("a/+", |value| value.0 == 'z'), None);
    assert_eq!(router.find_mut("a/b", |_| true), None);
    assert_eq!(found(&router), [('x', 0), ('x', 0), ('y', 1), ('z', 2)]);
    assert_eq!(router.remove("a/+", |value| value.0 == 'z'), None);
    assert_eq!(router.remove("a/+", |value| value.0 == 'x').unwrap().value, ('x', 0));
    assert_eq!(router.remove("a/+", |value| value.0 == 'x'), None);
    router.retain(|route| route.filter.starts_with("$share/"));
    assert_eq!(found(&router), [('x', 0), ('z', 2)]);
}

#[cfg(feature = "alloc")]
#[test]
fn a_growing_router_is_never_full() {
    let mut router: Router<Vec<Slot<String, i32>>> = Router::default();
    for value in 0..if cfg!(miri) { 100 } else { 1000 } {
        router.insert(format!("a/{value}"), value).unwrap();
    }
    assert_eq!(router.insert("a/".into(), 1000), Ok(()));
    assert_eq!(router.matches(&topic("a/78")).map(|route| route.value).collect::<Vec<_>>(), [78]);
    router.retain(|_| false);
    assert!(router.is_empty());
}
