//! The JSON reader and writer: the standard's grammar, hostile input, and every split of the output.

use mqtt_device_core::json::{JsonErrorKind, JsonStr, MAX_DEPTH, Object, Value, Window, validate};

/// A generator of its own, so that a printed seed is enough to see a failure again.
struct Random(u64);

impl Random {
    fn seeded(test: &str) -> Self {
        let from_time = || std::time::UNIX_EPOCH.elapsed().map_or(1, |time| time.as_nanos() as u64);
        let seed = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(from_time);
        println!("{test}: TEST_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

fn kind(json: impl AsRef<[u8]>) -> Option<JsonErrorKind> {
    validate(json.as_ref()).err().map(|error| error.kind)
}

fn text(json: &'static str) -> JsonStr<'static> {
    Value::parse(json.as_bytes()).expect(json).as_str().expect(json)
}

#[test]
fn what_the_grammar_allows_is_accepted() {
    for json in [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "12",
        "-1.5",
        "1e5",
        "1E+5",
        "0.0e-0",
        "9007199254740993e999",
        "\"\"",
        r#""a\"\\\/\b\f\n\r\tA""#,
        "\"\u{7f}\u{2028}é€😀\"",
        r#""\uD83D\uDE00 \uDEAD""#,
        "[]",
        "{}",
        "[1,2]",
        " \t\r\n1 ",
        "{\"\":0}",
        "[[],{},\"\"]",
        "{\"a\":{\"b\":[1,{\"c\":null}]},\"a\":2}",
        "[ 1 , 2 ]",
        "{ \"a\" : 1 , \"b\" : 2 }",
    ] {
        assert_eq!(validate(json.as_bytes()), Ok(()), "{json}");
    }
}

#[test]
fn what_the_grammar_forbids_is_refused_with_its_defect_and_place() {
    use JsonErrorKind::*;
    for (json, kind, at) in [
        ("", UnexpectedEnd, 0),
        ("  ", UnexpectedEnd, 2),
        ("nul", UnexpectedEnd, 3),
        ("nuLl", UnexpectedByte, 2),
        ("True", UnexpectedByte, 0),
        ("NaN", UnexpectedByte, 0),
        ("Infinity", UnexpectedByte, 0),
        ("+1", UnexpectedByte, 0),
        (".5", UnexpectedByte, 0),
        ("01", BadNumber, 1),
        ("-01", BadNumber, 2),
        ("-", UnexpectedEnd, 1),
        ("-a", BadNumber, 1),
        ("1.", UnexpectedEnd, 2),
        ("[1.]", BadNumber, 3),
        ("1e", UnexpectedEnd, 2),
        ("[1e+]", BadNumber, 4),
        ("0x1", TrailingBytes, 1),
        ("1 2", TrailingBytes, 2),
        ("{} x", TrailingBytes, 3),
        ("null\0", TrailingBytes, 4),
        ("\u{feff}{}", UnexpectedByte, 0),
        ("\u{a0}1", UnexpectedByte, 0),
        ("\"a", UnexpectedEnd, 2),
        ("\"a\n\"", ControlCharacter, 2),
        ("\"\0\"", ControlCharacter, 1),
        (r#""\x41""#, BadEscape, 2),
        (r#""\"#, UnexpectedEnd, 2),
        (r#""\u12"#, UnexpectedEnd, 5),
        (r#""\u12G4""#, BadEscape, 5),
        ("'a'", UnexpectedByte, 0),
        ("[", UnexpectedEnd, 1),
        ("[1", UnexpectedEnd, 2),
        ("[1,", UnexpectedEnd, 3),
        ("[1,]", UnexpectedByte, 3),
        ("[,1]", UnexpectedByte, 1),
        ("[1 2]", UnexpectedByte, 3),
        ("[1}", UnexpectedByte, 2),
        ("]", UnexpectedByte, 0),
        ("{", UnexpectedEnd, 1),
        ("{\"a\"", UnexpectedEnd, 4),
        ("{\"a\":", UnexpectedEnd, 5),
        ("{\"a\":1", UnexpectedEnd, 6),
        ("{\"a\":1,}", UnexpectedByte, 7),
        ("{,}", UnexpectedByte, 1),
        ("{\"a\" 1}", UnexpectedByte, 5),
        ("{a:1}", UnexpectedByte, 1),
        ("{1:1}", UnexpectedByte, 1),
        ("{\"a\":1]", UnexpectedByte, 6),
        ("{\"a\":1 \"b\":2}", UnexpectedByte, 7),
        ("[\"a\":1]", UnexpectedByte, 4),
        ("// x\n1", UnexpectedByte, 0),
        ("[1]]", TrailingBytes, 3),
    ] {
        let error = validate(json.as_bytes()).expect_err(json);
        assert_eq!((error.kind, error.at), (kind, at), "{json:?}");
    }
}

#[test]
fn strings_that_are_not_utf8_are_refused_where_they_break() {
    for (json, at) in [
        (&b"\"\xff\""[..], 1),
        (b"\"ab\xc3\"", 3),
        (b"\"\xc0\xaf\"", 1),
        (b"\"\xed\xa0\x80\"", 1),
        (b"[\"ok\",\"\xf4\x90\x80\x80\"]", 7),
    ] {
        let error = validate(json).expect_err("not UTF-8");
        assert_eq!((error.kind, error.at), (JsonErrorKind::NotUtf8, at), "{json:?}");
    }
    assert_eq!(kind(b"\xff"), Some(JsonErrorKind::UnexpectedByte));
}

#[test]
fn nesting_is_bounded_at_exactly_the_depth_stated() {
    let depth = MAX_DEPTH as usize;
    for (open, inner, close) in [("[", "", "]"), ("{\"a\":", "1", "}")] {
        let deep = |n: usize| open.repeat(n) + inner + &close.repeat(n);
        assert_eq!(kind(deep(depth)), None, "{}", deep(depth));
        assert_eq!(kind(deep(depth + 1)), Some(JsonErrorKind::TooDeep));
    }
    let mixed = "[{\"a\":".repeat(depth / 2) + "1" + &"}]".repeat(depth / 2);
    assert_eq!(kind(&mixed), None);
    assert_eq!(kind(mixed.replacen("}]", "]}", 1)), Some(JsonErrorKind::UnexpectedByte));
    // What has ended is not open: as many brackets as one likes beside each other.
    assert_eq!(kind(format!("[{}1]", "[[]],".repeat(1000))), None);
    assert_eq!(kind("[".repeat(1 << 20)), Some(JsonErrorKind::TooDeep));
    assert_eq!(kind("{\"a\":".repeat(1 << 18)), Some(JsonErrorKind::TooDeep));
}

#[test]
fn members_are_lent_as_slices_of_the_document() {
    let json = br#" { "a" : [ 1, 2 ] ,"b":{"c":"d"}, "e":null } "#;
    let object = Object::parse(json).expect("valid");
    let members: Vec<_> = object.members().map(|(key, value)| (key.to_string(), value.raw(), value.at())).collect();
    let expected: [(String, &[u8], usize); 3] =
        [("a".into(), b"[ 1, 2 ]", 9), ("b".into(), br#"{"c":"d"}"#, 23), ("e".into(), b"null", 38)];
    assert_eq!(members, expected.to_vec());
    for (_, raw, at) in members {
        assert!(core::ptr::eq(raw, &json[at..at + raw.len()]));
    }
    let inner = object.get("b").and_then(Value::as_object).expect("an object");
    let c = inner.get("c").expect("c");
    assert_eq!((c.at(), c.as_str().is_some_and(|c| c == "d")), (28, true));
    assert_eq!(object.raw(), json.trim_ascii());
    assert!(object.get("e").is_some_and(Value::is_null));
    assert_eq!(object.get("missing"), None);
    assert_eq!(Object::parse(b"{}").expect("valid").members().next(), None);
}

#[test]
fn an_iterator_that_has_ended_stays_at_its_end() {
    let mut members = Object::parse(b"{\"a\":1}").expect("valid").members();
    assert!(members.next().is_some());
    assert!((0..3).all(|_| members.next().is_none()));
}

#[test]
fn of_several_members_of_one_name_the_last_wins_however_it_is_written() {
    let object = Object::parse(br#"{"id":1,"x":0,"\u0069d":2}"#).expect("valid");
    assert_eq!(object.get("id").map(Value::raw), Some(&b"2"[..]));
    let object = Object::parse(br#"{"\u0069d":2,"id":3}"#).expect("valid");
    assert_eq!(object.get("id").map(Value::raw), Some(&b"3"[..]));
}

#[test]
fn a_document_that_is_no_object_is_not_taken_for_one() {
    for json in ["[]", "1", "\"{}\"", "null", " true"] {
        let error = Object::parse(json.as_bytes()).expect_err(json);
        assert_eq!((error.kind, error.at), (JsonErrorKind::NotAnObject, json.len() - json.trim_start().len()));
    }
    assert_eq!(Object::parse(b"{}{}").map_err(|error| error.kind), Err(JsonErrorKind::TrailingBytes));
}

#[test]
fn values_answer_only_to_their_own_type() {
    let value = |json: &'static str| Value::parse(json.as_bytes()).expect(json);
    assert_eq!(value("true").as_bool(), Some(true));
    assert_eq!(value(" false ").as_bool(), Some(false));
    assert_eq!(value("\"true\"").as_bool(), None);
    assert_eq!(value("null").as_bool(), None);
    assert_eq!(value("0").as_u64(), Some(0));
    assert_eq!(value("18446744073709551615").as_u64(), Some(u64::MAX));
    for not in ["18446744073709551616", "99999999999999999999999", "-0", "-1", "1.0", "1e3", "\"1\"", "null", "[1]"] {
        assert_eq!(value(not).as_u64(), None, "{not}");
    }
    assert!(value("1").as_str().is_none() && value("null").as_str().is_none() && value("[\"a\"]").as_str().is_none());
    assert!(value("[]").as_object().is_none() && value("{}").as_object().is_some());
}

#[test]
fn strings_read_unescaped() {
    for (json, expected) in [
        (r#""""#, ""),
        (r#""plain""#, "plain"),
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""\u0041\u00e9\u20AC\u0000""#, "Aé€\0"),
        (r#""\uD83D\uDE00""#, "😀"),
        (r#""\ud83d\ude00x""#, "😀x"),
        (r#""\uDBFF\uDFFF\uD800\uDC00""#, "\u{10FFFF}\u{10000}"),
        (r#""\uD83D""#, "\u{FFFD}"),
        (r#""\uDE00""#, "\u{FFFD}"),
        (r#""\uD83Dx""#, "\u{FFFD}x"),
        (r#""\uD83D\n""#, "\u{FFFD}\n"),
        (r#""\uD83D\u0041""#, "\u{FFFD}A"),
        (r#""\uD83D\uD83D\uDE00""#, "\u{FFFD}😀"),
        (r#""\uDE00\uD83D""#, "\u{FFFD}\u{FFFD}"),
        (r#""\uD83D\\uDE00""#, "\u{FFFD}\\uDE00"),
        (r#""\uD83DuDE00""#, "\u{FFFD}uDE00"),
    ] {
        let string = text(json);
        assert_eq!(string.chars().collect::<String>(), expected, "{json}");
        assert_eq!(string.to_string(), expected);
        assert_eq!(string.unescaped_len(), expected.len());
        assert!(string == expected && string == *expected, "{json}");
        assert!(string != *format!("{expected}x"));
        let mut room = [0; 64];
        assert_eq!(string.unescape_into(&mut room), Some(expected));
        assert_eq!(string.unescape_into(&mut room[..expected.len()]).map(str::len), Some(expected.len()));
        if let Some(less) = expected.len().checked_sub(1) {
            assert_eq!(string.unescape_into(&mut room[..less]), None, "{json}");
        }
        assert_eq!(string.as_plain().is_some(), !json.contains('\\'));
        assert_eq!(format!("{string:?}"), json);
    }
    assert!(text(r#""A\n""#) == text(r#""\u0041\u000A""#));
}

#[test]
fn what_is_written_reads_back_as_it_was() {
    let hostile: String = (0..=0x9F_u8).map(char::from).chain("\u{2028}\u{FFFF}\u{10FFFF}".chars()).collect();
    for text in ["", "plain", "\"", "\\", "\\\\\"", "a\nb", hostile.as_str()] {
        let mut by_string = [0; 2048];
        let mut window = Window::new(0, &mut by_string);
        window.string(text);
        let len = window.filled();
        assert_eq!(window.total() as usize, len);
        let mut by_display = [0; 2048];
        let mut window = Window::new(0, &mut by_display);
        window.display(&text);
        assert_eq!(by_string, by_display);
        let value = Value::parse(&by_string[..len]).expect("valid");
        assert!(value.as_str().is_some_and(|read| read == text));
        let mut again = [0; 2048];
        let mut window = Window::new(0, &mut again);
        window.json_str(value.as_str().expect("a string"));
        assert_eq!(by_string, again);
    }
}

#[test]
fn numbers_are_written_in_digits() {
    for number in [0, 1, 9, 10, 99, 100, 1_000_000_007, u64::MAX / 10, u64::MAX - 1, u64::MAX] {
        let mut out = [0; 20];
        let mut window = Window::new(0, &mut out);
        window.u64(number);
        let len = window.filled();
        assert_eq!(out[..len], *number.to_string().as_bytes());
    }
}

fn body(window: &mut Window<'_>) {
    use core::fmt::Write as _;
    window.raw(b"{\"a\":");
    window.string("x\u{1}\"y");
    window.raw(b",\"b\":");
    window.u64(1234);
    window.raw(b",\"c\":");
    window.display(&format_args!("{}-\n-{}", 1, "é"));
    write!(window, ",{:?}:{}", "d", 5).expect("a window takes all");
    window.raw(b"}");
}

#[test]
fn every_chunking_of_a_body_gives_the_same_bytes() {
    let mut whole = [0; 256];
    let mut window = Window::new(0, &mut whole);
    body(&mut window);
    let filled = window.filled();
    let whole = whole[..filled].to_vec();
    assert_eq!(whole, "{\"a\":\"x\\u0001\\\"y\",\"b\":1234,\"c\":\"1-\\n-é\",\"d\":5}".as_bytes());
    let mut count = Window::count();
    body(&mut count);
    assert_eq!((count.total() as usize, count.filled()), (whole.len(), 0));
    for size in 1..=whole.len() + 1 {
        let mut joined = Vec::new();
        loop {
            let mut chunk = vec![0xEE; size];
            let mut window = Window::new(joined.len() as u32, &mut chunk);
            body(&mut window);
            assert_eq!(window.total() as usize, whole.len());
            let filled = window.filled();
            assert!(chunk[filled..].iter().all(|&byte| byte == 0xEE));
            joined.extend_from_slice(&chunk[..filled]);
            if filled < size {
                break;
            }
        }
        assert_eq!(joined, whole, "chunks of {size}");
    }
    let mut out = [0; 4];
    for offset in [whole.len() as u32, whole.len() as u32 + 1, u32::MAX] {
        let mut window = Window::new(offset, &mut out);
        body(&mut window);
        assert_eq!(window.filled(), 0);
    }
}

#[test]
fn a_counter_past_its_range_stays_at_the_end() {
    let mut window = Window::count();
    let block = vec![0; 1 << 20];
    for _ in 0..4097 {
        window.write(&block);
    }
    assert_eq!(window.total(), u32::MAX);
}

/// Writes a random valid document, and gives its nesting back.
fn document(random: &mut Random, depth: u32, out: &mut String) {
    const SPACE: [&str; 6] = ["", "", "", " ", "\n\t", "\r"];
    const SCALARS: [&str; 12] = [
        "null",
        "true",
        "false",
        "0",
        "-1.5e+3",
        "12",
        "\"\"",
        "\"a\"",
        r#""\u00e9""#,
        r#""\"\\""#,
        "\"é😀\"",
        r#""\uD83D\uDE00""#,
    ];
    out.push_str(SPACE[random.below(6)]);
    let which = if depth == 0 { 2 } else { random.below(3) };
    if which == 2 {
        out.push_str(SCALARS[random.below(SCALARS.len())]);
    } else {
        let members = random.below(4);
        out.push(['[', '{'][which]);
        for index in 0..members {
            if index > 0 {
                out.push(',');
            }
            if which == 1 {
                out.push_str(SPACE[random.below(6)]);
                out.push_str(SCALARS[6 + random.below(6)]);
                out.push_str(SPACE[random.below(6)]);
                out.push(':');
            }
            document(random, depth - 1, out);
        }
        out.push_str(SPACE[random.below(6)]);
        out.push([']', '}'][which]);
    }
    out.push_str(SPACE[random.below(6)]);
}

/// Reads everything that can be read, so that a panic or an endless loop would show.
fn visit(value: Value<'_>) -> usize {
    let string = value.as_str().map_or(0, |string| {
        let mut room = [0; 4096];
        assert_eq!(string.unescape_into(&mut room).map(str::len), Some(string.unescaped_len()));
        1
    });
    assert_eq!(Value::parse(value.raw()).map(Value::raw), Ok(value.raw()));
    string + value.as_object().map_or(0, |object| object.members().map(|(_, value)| visit(value)).sum())
}

#[test]
fn random_documents_are_accepted_and_damaged_ones_never_panic() {
    const MARKS: &[u8] = b"{}[]\",:\\u0 \x00";
    let mut random = Random::seeded("random_documents");
    for _ in 0..4000 {
        let mut json = String::new();
        document(&mut random, 5, &mut json);
        let value = Value::parse(json.as_bytes()).unwrap_or_else(|error| panic!("{error}: {json}"));
        assert_eq!(value.raw(), json.as_bytes().trim_ascii());
        visit(value);
        // No proper prefix of an object, array or string is a document.
        let end = json.trim_ascii_end().len();
        if matches!(value.raw().first(), Some(b'{' | b'[' | b'"')) {
            let cut = random.below(end);
            assert!(validate(&json.as_bytes()[..cut]).is_err(), "{cut} of {json}");
        }
        let mut damaged = json.into_bytes();
        for _ in 0..=random.below(3) {
            let at = random.below(damaged.len());
            match random.below(3) {
                0 => damaged[at] = random.next() as u8,
                1 => damaged[at] = MARKS[random.below(MARKS.len())],
                _ => damaged.insert(at, MARKS[random.below(MARKS.len())]),
            }
        }
        match Value::parse(&damaged) {
            Ok(value) => drop(visit(value)),
            Err(error) => assert!(error.at <= damaged.len()),
        }
    }
}

#[test]
fn random_bytes_never_panic() {
    const BYTES: &[u8] = b"{}[]\",:\\ue0-1.\x80 tn";
    let mut random = Random::seeded("random_bytes");
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..random.below(40)).map(|_| BYTES[random.below(BYTES.len())]).collect();
        if let Ok(value) = Value::parse(&bytes) {
            visit(value);
        }
    }
}
