//! The memory of commands: each rule of "never twice" by name, on both storages, and a random server against it.

mod random;

use mqtt_device_core::device::commands::{CommandToken, Commands, FinishError, Full, Received, TTL_MS};
use mqtt_device_core::device::message::CommandId;
use mqtt_device_core::device::tables::{FixedTables, RESPONSE_MIN, Tables};
use mqtt_device_core::json::{Window, validate};
use mqtt_device_proto::QoS;

const QOS1: QoS = QoS::AtLeastOnce;

fn id(n: impl core::fmt::Display) -> CommandId {
    CommandId::new(&format!("command-{n}")).expect("valid")
}

fn fixed<const ENTRIES: usize>() -> Commands<FixedTables<ENTRIES, 256>> {
    Commands::new(FixedTables::new())
}

fn new<D: Tables>(commands: &mut Commands<D>, n: u32) -> CommandToken {
    match commands.receive(&id(n), u64::from(n), QOS1) {
        Ok(Received::New(token)) => token,
        other => panic!("command {n} must be new, is {other:?}"),
    }
}

fn finish<D: Tables>(commands: &mut Commands<D>, token: CommandToken, text: &str) {
    commands.finish(token, &|out| out.string(text)).expect("it fits");
}

/// Received, run, answered, acknowledged at `position`, confirmed.
fn confirmed<D: Tables>(commands: &mut Commands<D>, n: u32, position: u64) -> CommandToken {
    let token = new(commands, n);
    finish(commands, token, "done");
    assert!(commands.ack_written(token, position));
    commands.confirm_upto(position);
    token
}

#[test]
fn a_new_command_is_to_be_run_once() {
    let mut commands = fixed::<2>();
    let token = new(&mut commands, 1);
    assert_eq!(commands.lookup(&id(1)), Some(Received::Executing(token)));
    assert_eq!(commands.lookup(&id(2)), None);
    assert_eq!((commands.id(token), commands.is_executing(token), commands.len()), (Some("command-1"), true, 1));
}

#[test]
fn a_repeat_while_executing_is_not_run() {
    let mut commands = fixed::<2>();
    let token = new(&mut commands, 1);
    for _ in 0..3 {
        assert_eq!(commands.receive(&id(1), 5, QOS1), Ok(Received::Executing(token)));
    }
    assert_eq!(commands.response(token), None);
    assert_eq!((commands.counters().new, commands.counters().repeated_executing), (1, 3));
}

#[test]
fn a_repeat_after_is_answered_with_the_same_bytes() {
    let mut commands = fixed::<2>();
    let token = new(&mut commands, 1);
    finish(&mut commands, token, "the answer");
    assert_eq!(commands.receive(&id(1), 5, QOS1), Ok(Received::Done(token)));
    assert_eq!(commands.response(token), Some(&b"\"the answer\""[..]));
    assert_eq!(commands.counters().repeated_done, 1);
}

#[test]
fn the_same_id_escaped_or_not_is_one_command() {
    use mqtt_device_core::device::message::CommandMessage;
    let parse = |json: &'static [u8]| CommandMessage::parse(json).expect("valid").id;
    let mut commands = fixed::<2>();
    let first = commands.receive(&parse(br#"{"commandId":"a/b","command":"x"}"#), 0, QOS1).expect("room");
    let again = commands.receive(&parse(br#"{"commandId":"\u0061\/b","command":"x"}"#), 0, QOS1).expect("known");
    assert_eq!(again, Received::Executing(first.token()));
}

#[test]
fn a_pinned_entry_is_never_evicted() {
    let mut commands = fixed::<4>();
    let executing = new(&mut commands, 1);
    let unacked = new(&mut commands, 2);
    finish(&mut commands, unacked, "2");
    let unconfirmed = new(&mut commands, 3);
    finish(&mut commands, unconfirmed, "3");
    assert!(commands.ack_written(unconfirmed, 10));
    let redelivered = confirmed(&mut commands, 4, 5);
    assert_eq!(commands.receive(&id(4), 9, QOS1), Ok(Received::Done(redelivered)));
    commands.tick(100 * TTL_MS);
    for n in 5..50 {
        assert_eq!(commands.receive(&id(n), 10, QOS1), Err(Full));
    }
    for (n, token) in [(1, executing), (2, unacked), (3, unconfirmed), (4, redelivered)] {
        assert_eq!(commands.lookup(&id(n)).map(Received::token), Some(token), "{n}");
    }
    assert_eq!((commands.counters().busy, commands.counters().evicted), (45, 0));
}

#[test]
fn a_full_table_forgets_the_confirmed_command_used_least_recently() {
    let mut commands = fixed::<3>();
    confirmed(&mut commands, 1, 1);
    confirmed(&mut commands, 2, 2);
    confirmed(&mut commands, 3, 3);
    // At QoS 0 nothing is owed: the entry is used, and stays confirmed.
    assert!(matches!(commands.receive(&id(1), 9, QoS::AtMostOnce), Ok(Received::Done(_))));
    new(&mut commands, 4);
    assert_eq!(commands.lookup(&id(2)), None);
    assert!([1, 3, 4].into_iter().all(|n| commands.lookup(&id(n)).is_some()));
    assert_eq!(commands.counters().evicted, 1);
}

#[test]
fn an_ack_counts_as_confirmed_only_up_to_the_position_that_was_answered() {
    let mut commands = fixed::<2>();
    let (first, second) = (new(&mut commands, 1), new(&mut commands, 2));
    finish(&mut commands, first, "1");
    finish(&mut commands, second, "2");
    assert!(commands.ack_written(first, 100));
    assert!(commands.ack_written(second, 200));
    commands.confirm_upto(99);
    assert_eq!(commands.receive(&id(3), 0, QOS1), Err(Full));
    commands.confirm_upto(199);
    new(&mut commands, 3);
    assert_eq!(commands.lookup(&id(1)), None);
    assert_eq!(commands.receive(&id(4), 0, QOS1), Err(Full));
    commands.confirm_upto(200);
    new(&mut commands, 4);
    assert_eq!(commands.lookup(&id(2)), None);
}

#[test]
fn a_command_delivered_twice_is_pinned_until_both_acks_are_confirmed() {
    let mut commands = fixed::<1>();
    let token = new(&mut commands, 1);
    assert!(commands.receive(&id(1), 0, QOS1).is_ok());
    finish(&mut commands, token, "1");
    assert!(commands.ack_written(token, 10));
    commands.confirm_upto(10);
    assert_eq!(commands.receive(&id(2), 0, QOS1), Err(Full), "one PUBACK is still owed");
    assert!(commands.ack_written(token, 20));
    commands.confirm_upto(10);
    assert_eq!(commands.receive(&id(2), 0, QOS1), Err(Full), "the second PUBACK is not confirmed");
    commands.confirm_upto(20);
    new(&mut commands, 2);
}

#[test]
fn an_ack_that_nobody_owes_is_refused() {
    let mut commands = fixed::<1>();
    let token = new(&mut commands, 1);
    assert!(commands.ack_written(token, 1));
    assert!(!commands.ack_written(token, 2));
    finish(&mut commands, token, "1");
    assert!(commands.receive(&id(1), 0, QOS1).is_ok());
    commands.connection_lost();
    assert!(!commands.ack_written(token, 3), "it went with its connection");
}

#[test]
fn a_confirmed_command_is_forgotten_after_its_time_connected() {
    let mut commands = fixed::<2>();
    let token = confirmed(&mut commands, 1, 1);
    commands.tick(TTL_MS - 1);
    assert_eq!(commands.lookup(&id(1)), Some(Received::Done(token)));
    commands.tick(1);
    assert_eq!(commands.lookup(&id(1)), None);
    assert_eq!((commands.len(), commands.is_empty()), (0, true));
    commands.sweep();
    assert_eq!(commands.counters().expired, 1);
    assert_eq!(commands.response(token), None);
}

#[test]
fn time_away_does_not_make_a_command_old() {
    let mut commands = fixed::<2>();
    let token = new(&mut commands, 1);
    finish(&mut commands, token, "1");
    assert!(commands.ack_written(token, 1));
    commands.connection_lost();
    // 24 h later: no connected time, no tick.
    commands.resumed(true);
    assert_eq!(commands.receive(&id(1), 86_400_000, QOS1), Ok(Received::Done(token)));
    assert_eq!(commands.response(token), Some(&b"\"1\""[..]));
}

#[test]
fn the_time_of_a_command_begins_when_it_is_done() {
    let mut commands = fixed::<2>();
    let token = new(&mut commands, 1);
    assert!(commands.ack_early(token) && commands.ack_written(token, 1));
    commands.confirm_upto(1);
    commands.tick(10 * TTL_MS);
    assert_eq!(commands.lookup(&id(1)), Some(Received::Executing(token)), "executing, however long");
    finish(&mut commands, token, "late");
    commands.tick(TTL_MS - 1);
    assert_eq!(commands.lookup(&id(1)), Some(Received::Done(token)));
    commands.tick(1);
    assert_eq!(commands.lookup(&id(1)), None);
}

#[test]
fn an_ack_lost_with_its_connection_keeps_the_entry() {
    let mut commands = fixed::<1>();
    let token = new(&mut commands, 1);
    finish(&mut commands, token, "1");
    assert!(commands.ack_written(token, 1));
    commands.connection_lost();
    commands.confirm_upto(u64::MAX);
    commands.tick(10 * TTL_MS);
    assert_eq!(commands.receive(&id(2), 0, QOS1), Err(Full));
    assert_eq!(commands.lookup(&id(1)), Some(Received::Done(token)));
}

#[test]
fn a_session_that_is_new_has_forgotten_the_message() {
    let mut commands = fixed::<1>();
    let token = new(&mut commands, 1);
    finish(&mut commands, token, "1");
    commands.connection_lost();
    commands.resumed(false);
    assert_eq!(commands.lookup(&id(1)), Some(Received::Done(token)), "kept for the sender's retries");
    new(&mut commands, 2);
    assert_eq!(commands.lookup(&id(1)), None, "but not against need");
}

#[test]
fn a_session_that_is_resumed_may_repeat_within_the_time_and_is_not_evicted() {
    let mut commands = fixed::<1>();
    let token = new(&mut commands, 1);
    finish(&mut commands, token, "1");
    commands.connection_lost();
    commands.resumed(true);
    commands.tick(TTL_MS - 1);
    assert_eq!(commands.receive(&id(2), 0, QOS1), Err(Full));
    // Cut again before it came: the server repeats after each connect, so the time begins anew.
    commands.connection_lost();
    commands.resumed(true);
    commands.tick(TTL_MS - 1);
    assert_eq!(commands.lookup(&id(1)), Some(Received::Done(token)));
    commands.tick(1);
    new(&mut commands, 2);
    assert_eq!((commands.lookup(&id(1)), commands.counters().expired), (None, 1));
}

#[test]
fn a_redelivery_after_a_resume_is_pinned_again() {
    let mut commands = fixed::<1>();
    let token = new(&mut commands, 1);
    finish(&mut commands, token, "1");
    commands.connection_lost();
    commands.resumed(true);
    assert_eq!(commands.receive(&id(1), 0, QOS1), Ok(Received::Done(token)));
    commands.tick(10 * TTL_MS);
    assert_eq!(commands.receive(&id(2), 0, QOS1), Err(Full));
    assert!(commands.ack_written(token, 7));
    commands.confirm_upto(7);
    new(&mut commands, 2);
}

#[test]
fn a_command_executing_over_a_reconnect_is_not_run_again() {
    for session_present in [true, false] {
        let mut commands = fixed::<1>();
        let token = new(&mut commands, 1);
        commands.connection_lost();
        commands.resumed(session_present);
        commands.tick(10 * TTL_MS);
        assert_eq!(commands.receive(&id(1), 9, QOS1), Ok(Received::Executing(token)));
        finish(&mut commands, token, "1");
        assert_eq!(commands.receive(&id(1), 9, QOS1), Ok(Received::Done(token)));
    }
}

#[test]
fn a_command_that_finishes_long_after_a_resume_is_kept_for_its_whole_time() {
    let mut commands = fixed::<1>();
    let token = new(&mut commands, 1);
    commands.connection_lost();
    commands.resumed(true);
    commands.tick(TTL_MS + 1);
    finish(&mut commands, token, "1");
    commands.tick(TTL_MS - 1);
    assert_eq!(commands.lookup(&id(1)), Some(Received::Done(token)));
}

#[test]
fn a_delivery_at_qos_0_owes_no_ack() {
    let mut commands = fixed::<1>();
    let Ok(Received::New(token)) = commands.receive(&id(1), 0, QoS::AtMostOnce) else { panic!("new") };
    assert_eq!((commands.held(), commands.oldest_held(), commands.ack_early(token)), (0, None, false));
    assert!(!commands.ack_written(token, 1));
    assert_eq!(commands.receive(&id(2), 0, QOS1), Err(Full), "it executes");
    finish(&mut commands, token, "1");
    commands.tick(TTL_MS - 1);
    assert_eq!(commands.lookup(&id(1)), Some(Received::Done(token)));
    new(&mut commands, 2);
}

#[test]
fn a_response_larger_than_its_room_becomes_an_error_that_says_so() {
    let mut commands = fixed::<1>();
    let token = new(&mut commands, 1);
    let too_large = FinishError::TooLarge { len: 302, room: 256 };
    assert_eq!(commands.finish(token, &|out| out.string(&"x".repeat(300))), Err(too_large));
    let expected = r#"{"commandId":"command-1","success":false,"error":"response of 302 bytes is larger than the 256 bytes this device keeps"}"#;
    assert_eq!(commands.response(token), Some(expected.as_bytes()));
    assert_eq!(commands.lookup(&id(1)), Some(Received::Done(token)));
    assert_eq!((commands.counters().too_large, too_large.to_string().starts_with("response of 302")), (1, true));
    // To the byte.
    let mut commands = fixed::<1>();
    let token = new(&mut commands, 1);
    finish(&mut commands, token, &"x".repeat(254));
    assert_eq!(commands.response(token).map(<[u8]>::len), Some(256));
}

#[test]
fn the_least_room_holds_that_error_for_the_longest_id() {
    let mut commands: Commands<FixedTables<1, RESPONSE_MIN>> = Commands::new(FixedTables::new());
    let longest = CommandId::new(&"\"".repeat(64)).expect("valid");
    let token = commands.receive(&longest, 0, QOS1).expect("room").token();
    let block = vec![b' '; 1 << 20];
    let endless = |out: &mut Window<'_>| (0..4096).for_each(|_| out.raw(&block));
    assert_eq!(commands.finish(token, &endless), Err(FinishError::TooLarge { len: u32::MAX, room: 256 }));
    let kept = commands.response(token).expect("an answer");
    assert_eq!(validate(kept), Ok(()), "{}", String::from_utf8_lossy(kept));
    assert!(kept.ends_with(b"keeps\"}"));
}

#[test]
fn a_body_that_writes_something_else_the_second_time_is_not_kept_in_part() {
    let mut commands = fixed::<1>();
    let token = new(&mut commands, 1);
    let runs = core::cell::Cell::new(0);
    let changing = |out: &mut Window<'_>| {
        runs.set(runs.get() + 1);
        out.string(&"x".repeat(runs.get()));
    };
    assert!(commands.finish(token, &changing).is_err());
    assert_eq!(validate(commands.response(token).expect("an answer")), Ok(()));
}

#[test]
fn a_command_is_answered_once() {
    let mut commands = fixed::<1>();
    let token = new(&mut commands, 1);
    finish(&mut commands, token, "first");
    assert_eq!(commands.finish(token, &|out| out.string("second")), Err(FinishError::Answered));
    assert_eq!(commands.response(token), Some(&b"\"first\""[..]));
}

#[test]
fn a_token_of_an_earlier_command_is_refused() {
    let mut commands = fixed::<1>();
    let old = confirmed(&mut commands, 1, 1);
    let token = new(&mut commands, 2);
    assert_eq!(old.index(), token.index());
    assert_eq!(commands.token_at(token.index()), Some(token));
    assert_ne!(old, token);
    assert_eq!(commands.finish(old, &|out| out.string("stale")), Err(FinishError::Stale));
    assert!(!commands.ack_written(old, 1) && !commands.ack_early(old) && !commands.abort(old) && !commands.lend(old));
    assert_eq!((commands.id(old), commands.response(old), commands.is_executing(old)), (None, None, false));
    assert!(commands.is_executing(token));
}

#[test]
fn an_aborted_command_was_never_received() {
    let mut commands = fixed::<1>();
    let token = new(&mut commands, 1);
    assert!(commands.abort(token));
    assert_eq!((commands.executing_len(), commands.executing().count()), (0, 0));
    assert!(!commands.abort(token) && commands.lookup(&id(1)).is_none() && commands.token_at(0).is_none());
    assert_eq!(commands.finish(token, &|_| ()), Err(FinishError::Stale));
    assert_ne!(new(&mut commands, 1), token);
}

#[test]
fn a_command_that_may_have_run_or_was_acknowledged_cannot_be_aborted() {
    let mut commands = fixed::<4>();
    let acked = new(&mut commands, 1);
    assert!(commands.ack_written(acked, 1));
    let early = new(&mut commands, 2);
    assert!(commands.ack_early(early));
    let repeated = new(&mut commands, 3);
    assert!(commands.receive(&id(3), 0, QOS1).is_ok());
    let done = new(&mut commands, 4);
    finish(&mut commands, done, "4");
    for token in [acked, early, repeated, done] {
        assert!(!commands.abort(token));
    }
    assert_eq!(commands.len(), 4);
    commands.connection_lost();
    commands.resumed(true);
    assert_eq!(commands.receive(&id(1), 0, QOS1), Ok(Received::Executing(acked)));
    assert!(!commands.abort(acked), "it ran on the last connection");
}

#[test]
fn a_lent_response_stays_where_it_is() {
    let mut commands = fixed::<1>();
    let token = new(&mut commands, 1);
    assert!(!commands.lend(token), "there is no response yet");
    finish(&mut commands, token, "1");
    assert!(commands.ack_written(token, 1));
    commands.confirm_upto(1);
    assert!(commands.lend(token) && commands.lend(token));
    commands.tick(2 * TTL_MS);
    assert_eq!(commands.receive(&id(2), 0, QOS1), Err(Full));
    commands.returned(token);
    assert_eq!(commands.receive(&id(2), 0, QOS1), Err(Full));
    assert_eq!(commands.response(token), Some(&b"\"1\""[..]));
    commands.returned(token);
    new(&mut commands, 2);
}

#[test]
fn executing_commands_are_listed_in_order_of_receipt() {
    let mut commands = fixed::<4>();
    let first = confirmed(&mut commands, 1, 1);
    let tokens = [2, 3, 4].map(|n| new(&mut commands, n));
    // Into the first place of the table, after all others.
    let last = new(&mut commands, 5);
    assert_eq!(last.index(), first.index());
    finish(&mut commands, tokens[1], "3");
    let listed: Vec<_> = commands.executing().map(|one| (one.token, one.id.to_owned(), one.held_since)).collect();
    let expected = [(tokens[0], 2), (tokens[2], 4), (last, 5)];
    assert_eq!(listed, expected.map(|(token, n)| (token, format!("command-{n}"), Some(n))).to_vec());
}

#[test]
fn acks_are_held_until_answered_or_let_go_early() {
    let mut commands = fixed::<4>();
    let tokens = [1, 2, 3].map(|n| new(&mut commands, n));
    assert_eq!((commands.held(), commands.oldest_held()), (3, Some((tokens[0], 1))));
    assert!(commands.ack_early(tokens[0]));
    assert!(!commands.ack_early(tokens[0]), "once");
    assert_eq!((commands.held(), commands.oldest_held()), (2, Some((tokens[1], 2))));
    finish(&mut commands, tokens[1], "2");
    assert!(!commands.ack_early(tokens[1]), "its ack waits for nothing");
    assert_eq!((commands.held(), commands.oldest_held()), (1, Some((tokens[2], 3))));
    assert_eq!(commands.counters().acked_early, 1);
}

#[test]
fn a_redelivery_is_held_from_its_own_receipt_on() {
    let mut commands = fixed::<2>();
    let token = new(&mut commands, 1);
    assert!(commands.ack_early(token));
    commands.connection_lost();
    assert_eq!((commands.held(), commands.oldest_held()), (0, None));
    commands.resumed(true);
    assert!(commands.receive(&id(1), 60_000, QOS1).is_ok());
    assert_eq!(commands.oldest_held(), Some((token, 60_000)));
    assert!(commands.receive(&id(1), 70_000, QOS1).is_ok());
    assert_eq!(commands.oldest_held(), Some((token, 60_000)), "the first of two that are held counts");
}

#[test]
fn of_held_acks_the_one_that_waits_longest_is_the_oldest_not_the_oldest_command() {
    let mut commands = fixed::<2>();
    let old = new(&mut commands, 1);
    commands.connection_lost();
    commands.resumed(true);
    let waits = new(&mut commands, 2);
    assert!(commands.receive(&id(1), 100, QOS1).is_ok());
    assert_eq!(commands.oldest_held(), Some((waits, 2)));
    assert!(commands.ack_early(waits));
    assert_eq!(commands.oldest_held(), Some((old, 100)));
}

#[test]
fn the_clock_may_reach_its_end() {
    let mut commands = fixed::<1>();
    commands.tick(u64::MAX);
    commands.tick(u64::MAX);
    confirmed(&mut commands, 1, u64::MAX);
    assert_eq!(commands.lookup(&id(1)), None, "over at once");
    new(&mut commands, 2);
}

#[test]
fn fixed_tables_can_be_a_static() {
    static TABLES: FixedTables<2, 256> = FixedTables::new();
    let mut commands = Commands::with_ttl(TABLES.clone(), 10);
    let token = confirmed(&mut commands, 1, 1);
    commands.tick(9);
    assert_eq!(commands.lookup(&id(1)), Some(Received::Done(token)));
    commands.tick(1);
    assert_eq!(commands.lookup(&id(1)), None);
}
