//! `decode`: packets, defects, and their exit codes.

use std::process::Stdio;

use crate::support::{Folder, program, to_end};

#[test]
fn packets_are_shown_and_the_first_defect_ends_it_with_code_1() {
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
    assert_eq!(to_end(&mut program(["decode", "xyz"])).code, 2);
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
