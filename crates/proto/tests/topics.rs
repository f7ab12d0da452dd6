//! Which filter matches which topic; what debug output shows.

mod common;

use common::{Random, rounds};
use mqtt_device_proto::{Connect, Packet, Role, TopicError, TopicFilter, TopicName, Version};

#[track_caller]
fn matches(filter: &str, topic: &str) -> bool {
    TopicFilter::new(filter).unwrap().matches(&TopicName::new(topic).unwrap())
}

#[test]
fn filters_match_as_the_standard_says() {
    for (filter, topic) in [
        ("a", "a"),
        ("a/b", "a/b"),
        ("#", "a"),
        ("#", "a/b/c"),
        ("#", "/"),
        ("sport/tennis/player1/#", "sport/tennis/player1"),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking"),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"),
        ("sport/#", "sport"),
        ("sport/tennis/+", "sport/tennis/player1"),
        ("sport/+", "sport/"),
        ("+/+", "/finance"),
        ("/+", "/finance"),
        ("+", "finance"),
        ("+/tennis/#", "sport/tennis"),
        ("+/+/+", "//"),
        ("a/+/#", "a/b"),
        ("a/+/#", "a/"),
        ("$SYS/#", "$SYS/broker/load"),
        ("$SYS/monitor/+", "$SYS/monitor/clients"),
        ("a/$b", "a/$b"),
        ("a/+", "a/$b"),
        ("$share/crew/sport/+", "sport/tennis"),
        ("$share/crew/#", "sport"),
        ("$share/crew//+", "/finance"),
    ] {
        assert!(matches(filter, topic), "{filter} should match {topic}");
    }
    for (filter, topic) in [
        ("a", "b"),
        ("a", "A"),
        ("a", "a/"),
        ("a", "ab"),
        ("ab", "a"),
        ("a/", "a"),
        ("/a", "a"),
        ("sport/tennis/+", "sport/tennis/player1/ranking"),
        ("sport/+", "sport"),
        ("+", "/finance"),
        ("sport/#", "sports"),
        ("sport/#", "spor"),
        ("+/+", "a"),
        ("+/+/+", "a/b"),
        ("#", "$SYS/broker"),
        ("+/monitor/clients", "$SYS/monitor/clients"),
        ("+", "$a"),
        ("$share/crew/#", "$SYS/x"),
        ("$share/crew/+/x", "$SYS/x"),
        ("$share/crew/a", "$share/crew/a"),
        // Nothing is normalised.
        ("a//b", "a/b"),
        ("\u{E9}", "e\u{301}"),
    ] {
        assert!(!matches(filter, topic), "{filter} should not match {topic}");
    }
}

#[test]
fn shared_subscriptions_have_a_name_and_a_filter() {
    for bad in ["$share/", "$share//a", "$share/a", "$share/a/", "$share/+/a", "$share/a+/b", "$share/#", "$share/a#/b"]
    {
        let error = TopicFilter::new(bad).unwrap_err();
        assert!(
            matches!(
                error,
                TopicError::EmptyShareName
                    | TopicError::BadShare
                    | TopicError::MisplacedSingleLevelWildcard
                    | TopicError::MisplacedMultiLevelWildcard
            ),
            "{bad}: {error}"
        );
    }
    // MQTT 3.1.1 takes what begins like one and is none, as a filter like any other.
    let packet = Packet::decode(b"\x82\x0F\0\x01\0\x0A$share/+/a\0", Version::V311, Role::Client).unwrap();
    let Packet::Subscribe(subscribe) = packet else { panic!() };
    let filter = subscribe.filters.iter().next().unwrap().filter;
    assert_eq!((filter.share(), filter.share_name()), (None, None));
    assert!(filter.matches(&TopicName::new("$share/x/a").unwrap()) && !filter.matches(&TopicName::new("a").unwrap()));
    assert_eq!(TopicFilter::new("$share/crew/a/b").unwrap().share(), Some(("crew", "a/b")));
    assert_eq!(TopicFilter::new("$share/crew//").unwrap().share(), Some(("crew", "/")));
    assert_eq!(TopicFilter::new("$share/é/#").unwrap().share_name(), Some("é"));
    for plain in ["$share", "$shared/a/b", "share/a/b", "$SHARE/a/b", "a/$share/b/c"] {
        assert_eq!(TopicFilter::new(plain).unwrap().share(), None, "{plain}");
    }
}

/// The rules again, by levels and with recursion: slow, and nothing like the crate's own way.
fn reference(filter: &[&str], topic: &[&str]) -> bool {
    match (filter.split_first(), topic.split_first()) {
        (Some((&"#", _)), _) | (None, None) => true,
        (Some((&"+", filter)), Some((_, topic))) => reference(filter, topic),
        (Some((f, filter)), Some((t, topic))) => f == t && reference(filter, topic),
        _ => false,
    }
}

#[test]
fn matching_agrees_with_the_reference() {
    let mut random = Random::new("matching_agrees_with_the_reference");
    let mut matched = 0;
    for _ in 0..rounds(200_000) {
        let word = |random: &mut Random, words: &[&'static str]| -> Vec<&'static str> {
            (0..=random.below(4)).map(|_| random.pick(words)).collect()
        };
        let topic = word(&mut random, &["", "a", "b", "ab", "$a"]);
        let mut filter = word(&mut random, &["", "a", "b", "ab", "+", "+", "$a"]);
        if random.flip() {
            filter.push("#");
        }
        let (filter_text, topic_text) = (filter.join("/"), topic.join("/"));
        let (Ok(whole), Ok(name)) = (TopicFilter::new(&filter_text), TopicName::new(&topic_text)) else { continue };
        let hidden = topic_text.starts_with('$') && filter_text.starts_with(['+', '#']);
        assert_eq!(whole.matches(&name), !hidden && reference(&filter, &topic), "{filter_text} on {topic_text}");
        matched += usize::from(whole.matches(&name));
    }
    assert!(cfg!(miri) || matched > 1_000);
}

#[test]
fn topics_are_their_text() {
    let (name, filter) = (TopicName::new("a/b").unwrap(), TopicFilter::new("a/+").unwrap());
    assert_eq!((name.as_ref(), filter.as_ref()), ("a/b", "a/+"));
    assert_eq!((name.to_string(), filter.to_string()), ("a/b".to_owned(), "a/+".to_owned()));
}

#[test]
fn a_password_is_never_shown() {
    let connect = Connect { username: Some("user"), password: Some(b"s3cret"), ..Connect::new("device") };
    let shown = format!("{connect:?} {:#?}", Packet::Connect(connect));
    assert!(shown.contains("[6 bytes]") && shown.contains("device"));
    assert!(!shown.contains("s3cret") && !shown.contains("115"));
}
