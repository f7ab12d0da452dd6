//! `decode`: packets, defects, and their exit codes.

use std::process::Stdio;

use crate::support::{Folder, program, to_end};

#[test]
fn packets_are_shown_and_a_defect_makes_the_code_1() {
    let good = to_end(&mut program(["decode", "30 07 00 04", "64:6f:6f:72", "31c000"]));
    assert_eq!(good.code, 0, "{good:?}");
    assert_eq!(good.stdout.lines().count(), 2, "{good:?}");
    assert!(
        good.stdout.contains(r#"PUBLISH  "#)
            && good.stdout.contains(r#"topic="door""#)
            && good.stdout.contains("     9      2 bytes  PINGREQ"),
        "{good:?}"
    );
    let bad = to_end(&mut program(["decode", "c000", "c100"]));
    assert_eq!(bad.code, 1, "{bad:?}");
    assert!(bad.stdout.contains("byte 2: PINGREQ: ") && bad.stdout.contains("[MQTT-2.2.2-2]"), "{bad:?}");
    let short = to_end(&mut program(["decode", "--json", "--mqtt", "5", "--from", "server", "40"]));
    assert_eq!((short.code, &short.json()[0]["verdict"]), (1, &"incomplete".into()), "{short:?}");
    assert_eq!(short.json()[0]["missing"], 1);
    assert!(short.json()[0].get("reasonCode").is_none(), "what is not there yet is not answered: {short:?}");
    // Behind a packet whose end is known it goes on; behind any other it cannot.
    let both = to_end(&mut program(["decode", "c100", "c000", "30 05 00 01 61 68 69", "40 03 00"]));
    assert_eq!(both.code, 1, "{both:?}");
    let lines: Vec<&str> = both.stdout.lines().collect();
    assert!(lines[0].contains("reserved") || lines[0].contains("flags"), "{both:?}");
    assert_eq!(to_end(&mut program(["decode", "xyz"])).code, 2);
    assert_eq!(to_end(&mut program(["decode", ""])).code, 2);
    assert_eq!(to_end(&mut program(["decode"])).code, 2);
}

#[test]
fn a_file_and_lines_of_json_are_read() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("capture"), [0xd0, 0]).unwrap();
    let file = folder.path().join("capture");
    let ended = to_end(&mut program(["decode", "--from", "server", "--json", "--file", file.to_str().unwrap()]));
    assert_eq!((ended.code, &ended.json()[0]["type"]), (0, &"PINGRESP".into()), "{ended:?}");
    let line = r#"{"id":"1","hex":"c000","version":"5.0","direction":"c2s"}"#;
    let lines = std::fs::File::open(folder.file("lines", &format!("{line}\n"))).unwrap();
    let ended = to_end(program(["decode", "--jsonl"]).stdin(Stdio::from(lines)));
    assert_eq!((ended.code, ended.stdout.as_str()), (0, r#"{"id":"1","verdict":"valid","type":"PINGREQ"}"#));
}

#[test]
fn the_version_is_that_of_the_connect() {
    let connect = "10 0e 0004 4d515454 05 02 003c 00 0001 63";
    let publish = "30 08 0001 61 02 01 01 6869";
    let both = to_end(&mut program(["decode", "--json", connect, publish]));
    assert_eq!(both.code, 0, "{both:?}");
    assert_eq!(both.json()[1]["packet"]["payload"], "hi", "{both:?}");
    let given = to_end(&mut program(["decode", "--mqtt", "4", connect, "c000", "d000"]));
    assert_eq!(given.code, 1, "{given:?}");
    let lines: Vec<&str> = given.stdout.lines().collect();
    assert!(lines[0].contains("return code 1; it was read as MQTT 3.1.1: try --mqtt 5"), "{given:?}");
    assert!(lines[1].contains("PINGREQ") && lines[2].contains("try --from server"), "{given:?}");
    let auth = to_end(&mut program(["decode", "--mqtt", "3", "d0 00"]));
    assert!(auth.stdout.contains("try --from server") && !auth.stdout.contains("code"), "{auth:?}");
}

#[test]
fn what_is_shown_is_harmless() {
    for text in ["30 08 0004 c29b3248 6869", "30 07 0003 e280ae 6869"] {
        let shown = to_end(&mut program(["decode", text]));
        assert_eq!(shown.code, 0, "{shown:?}");
        assert!(
            shown.stdout.contains(r"topic=") && shown.stdout.chars().all(|c| c == '\n' || matches!(c, ' '..='~')),
            "{shown:?}"
        );
    }
}

#[test]
fn digits_come_from_standard_input() {
    let folder = Folder::new();
    let digits = std::fs::File::open(folder.file("digits", "c0 00\nc000\n")).unwrap();
    let ended = to_end(program(["decode", "-"]).stdin(Stdio::from(digits)));
    assert_eq!((ended.code, ended.stdout.lines().count()), (0, 2), "{ended:?}");
}
