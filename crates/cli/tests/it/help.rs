//! Manual pages, usage errors and colours.

use crate::support::{Folder, program, to_end};

#[test]
fn every_manual_page_has_examples_and_exit_codes() {
    for page in [vec!["--help"], vec!["demo", "--help"], vec!["run", "--help"], vec!["gateway", "send", "--help"]] {
        let shown = to_end(&mut program(page.iter().copied()));
        assert_eq!((shown.code, shown.stderr.as_str()), (0, ""), "{page:?}");
        for part in ["Usage: mqtt-device", "Examples:", "Exit status:"] {
            assert!(shown.stdout.contains(part), "{page:?}: no {part}\n{}", shown.stdout);
        }
    }
}

#[test]
fn what_cannot_be_used_is_code_2_and_says_what_to_do() {
    let folder = Folder::new();
    let keys = folder.file("keys.txt", "acme:pump");
    let empty = folder.file("empty.txt", "\n");
    let url = "mqtt://127.0.0.1:1";
    for (arguments, says) in [
        (vec!["gateway"], "add --url"),
        (vec!["gateway", "--url", url], "--keys FILE"),
        (vec!["gateway", "--url", url, "--keys", &keys], "line 1: there is no key"),
        (vec!["gateway", "--url", "wss://x", "--accept-any-key"], "not built yet"),
        (vec!["gateway", "--url", "lua", "--accept-any-key"], "not built yet"),
        (vec!["gateway", "--url", "mqtt://me:secret@x", "list"], "do not belong in a URL"),
        (vec!["gateway", "--url", url, "--username", "me", "list"], "MQTT_DEVICE_PASSWORD"),
        (vec!["gateway", "--url", url, "--username", "me", "--password-file", &empty, "list"], "is empty"),
        (vec!["gateway", "--url", url, "send", "pump", "echo"], "agentId:deviceName"),
        (vec!["gateway", "--url", url, "send", "acme:pump", "echo", "{"], "not JSON"),
        (vec!["run", "--config", "no-such-file.toml"], "no-such-file.toml: cannot be read"),
        (vec!["demo", "--agent", "a/b"], "leave out /"),
        (vec!["dance"], "unrecognized subcommand"),
    ] {
        let ended = to_end(&mut program(arguments.iter().copied()));
        assert_eq!(ended.code, 2, "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{arguments:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains("secret@") && ended.stdout.is_empty(), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn colours_appear_where_they_are_wanted_only() {
    let coloured = |command: &mut std::process::Command| to_end(command).stderr.contains('\u{1b}');
    let failing = || program(["gateway"]);
    assert!(!coloured(&mut failing()), "a pipe is no terminal");
    assert!(coloured(failing().env("CLICOLOR_FORCE", "1")));
    assert!(!coloured(failing().env("NO_COLOR", "1")));
}
