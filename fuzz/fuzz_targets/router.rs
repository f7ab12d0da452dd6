//! A router finds what the filters match one by one. Each line of an input is a filter that goes in; or with `-` in front one
//! that goes out, with `?` a topic that is looked for, with `~` a digit: the routes of which the number ends in it go out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mqtt_device_proto::{InsertError, Router, Slot, TopicError, TopicFilter, TopicName};

const ROOM: usize = 64;

/// Begins like a shared subscription and is none, which MQTT 3.1.1 takes as it stands. Such a filter may have wildcards too,
/// but then it is not tried.
fn is_no_share(filter: &str) -> bool {
    matches!(TopicFilter::new(filter), Err(TopicError::EmptyShareName | TopicError::BadShare))
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let mut router: Router<[Slot<&str, usize>; ROOM]> = Router::new();
    let mut model: Vec<(&str, usize)> = Vec::new();
    for (number, line) in text.split('\n').enumerate() {
        if let Some(topic) = line.strip_prefix('?') {
            let Ok(topic) = TopicName::new(topic) else { continue };
            let mut found: Vec<usize> = router.matches(&topic).map(|route| route.value).collect();
            found.sort_unstable();
            let is_match = |filter: &str| {
                let now = TopicFilter::new(filter).is_ok_and(|filter| filter.matches(&topic));
                now || is_no_share(filter) && filter == topic.as_str()
            };
            let expected: Vec<usize> = model.iter().filter(|(f, _)| is_match(f)).map(|(_, value)| *value).collect();
            assert_eq!(found, expected, "{topic:?}");
        } else if let Some(filter) = line.strip_prefix('-') {
            let removed = router.remove(filter, |_| true);
            assert_eq!(removed.is_some(), model.iter().any(|(f, _)| *f == filter));
            if let Some(removed) = removed {
                model.retain(|entry| *entry != (removed.filter, removed.value));
            }
        } else if let Some(digit) = line.strip_prefix('~') {
            let keeps = |value: usize| !value.to_string().ends_with(digit);
            router.retain(|route| keeps(route.value));
            model.retain(|(_, value)| keeps(*value));
        } else if !(is_no_share(line) && line.contains(['+', '#'])) {
            match router.insert(line, number) {
                Ok(()) => model.push((line, number)),
                Err(InsertError::Full) => assert_eq!(model.len(), ROOM),
                Err(InsertError::BadFilter(error)) => assert_eq!(TopicFilter::new(line), Err(error)),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(router.len(), model.len());
    }
});
