//! Tables on the heap; and a random server, over both kinds of tables: no command runs twice.

use super::*;

#[cfg(feature = "alloc")]
mod heap {
    use super::*;
    use mqtt_device_core::device::tables::HeapTables;

    #[test]
    fn heap_tables_grow_to_their_bound_before_anything_is_forgotten() {
        let mut commands = Commands::new(HeapTables::new(3, 256, usize::MAX));
        for n in 1..=3 {
            confirmed(&mut commands, n, u64::from(n));
        }
        assert_eq!((commands.len(), commands.counters().evicted), (3, 0));
        confirmed(&mut commands, 4, 4);
        assert_eq!((commands.len(), commands.counters().evicted), (3, 1));
        assert_eq!(commands.lookup(&id(1)), None);
    }

    #[test]
    fn room_for_the_response_is_reserved_before_a_command_is_accepted() {
        let mut commands = Commands::new(HeapTables::new(100, 1000, 2500));
        let (first, _second) = (new(&mut commands, 1), new(&mut commands, 2));
        assert_eq!(commands.receive(&id(3), 0, QOS1), Err(Full), "a third response of 1000 might not fit");
        finish(&mut commands, first, "short");
        new(&mut commands, 3);
        assert_eq!(commands.counters().evicted, 0);
    }

    #[test]
    fn the_bound_on_all_responses_is_kept_by_forgetting_confirmed_ones() {
        let mut commands = Commands::new(HeapTables::new(100, 1000, 2500));
        for n in 1..=10 {
            let token = new(&mut commands, n);
            finish(&mut commands, token, &"x".repeat(700));
            assert!(commands.ack_written(token, n.into()));
            commands.confirm_upto(n.into());
        }
        let kept: usize =
            (0..100).filter_map(|n| commands.token_at(n)).filter_map(|t| commands.response(t)).map(<[u8]>::len).sum();
        assert!(kept <= 2500, "{kept}");
        assert!(commands.counters().evicted >= 7 && commands.lookup(&id(10)).is_some());
    }

    #[test]
    fn bounds_too_small_to_work_are_raised() {
        let mut commands = Commands::new(HeapTables::new(0, 0, 0));
        let token = new(&mut commands, 1);
        assert!(commands.finish(token, &|out| out.string(&"x".repeat(300))).is_err());
        assert!(commands.response(token).is_some_and(|response| validate(response).is_ok()));
    }

    #[test]
    fn a_random_server_never_makes_a_command_run_twice_on_the_heap() {
        for entries in [1, 3, 16] {
            random_server("heap", Commands::new(HeapTables::new(entries, 256, 256 * 8)));
        }
    }
}

#[test]
fn a_random_server_never_makes_a_command_run_twice() {
    random_server("fixed 1", fixed::<1>());
    random_server("fixed 3", fixed::<3>());
    random_server("fixed 16", fixed::<16>());
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

/// A message that the server keeps until it has read a PUBACK.
#[derive(Clone, Copy)]
struct Message {
    command: u32,
    /// On this connection.
    sent: bool,
    /// On any, and the device did not say that it was busy.
    delivered: bool,
}

/// What the device transmits: a PUBACK of a message, at its position; read by the server or lost with the connection.
struct Puback {
    message: usize,
    position: u64,
}

/// A server that delivers at QoS 1, repeats what it has no PUBACK for after each connect and loses connections at any
/// point, and a sender that sends some commands more than once. A message that comes again must never be new, and a
/// command of the sender's retries only when it was forgotten for need.
fn random_server<D: Tables + Clone>(name: &str, start: Commands<D>) {
    let from_time = || std::time::UNIX_EPOCH.elapsed().map_or(1, |time| time.as_nanos() as u64);
    let seed = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(from_time);
    println!("random_server on {name}: TEST_SEED={seed}");
    let mut random = Random(seed);
    let (mut ran, mut repeats, mut busy) = (0, 0, 0);
    for _ in 0..300 {
        let mut commands = start.clone();
        let mut messages: Vec<Option<Message>> = Vec::new();
        let mut owed: Vec<(usize, CommandToken)> = Vec::new();
        let mut wire: Vec<Puback> = Vec::new();
        let mut running: Vec<(u32, CommandToken)> = Vec::new();
        let mut runs = std::collections::BTreeMap::<u32, String>::new();
        let (mut position, mut next, mut now) = (0, 0, 0);
        for _ in 0..300 {
            now += 1;
            assert_eq!(commands.executing_len(), running.len());
            assert!(commands.executing().all(|one| running.iter().any(|&(_, token)| token == one.token)));
            match random.below(9) {
                0 => {
                    next += 1;
                    messages.push(Some(Message { command: next, sent: false, delivered: false }));
                }
                // A sender's retry under the same id, of a command whose message is still there.
                1 => {
                    if let Some(message) = messages.iter().flatten().next().copied() {
                        messages.push(Some(Message { sent: false, delivered: false, ..message }));
                    }
                }
                2 | 3 => {
                    let unsent = messages.iter().position(|message| message.is_some_and(|message| !message.sent));
                    let Some(at) = unsent else { continue };
                    let Some(message) = messages[at].as_mut() else { continue };
                    message.sent = true;
                    let again = core::mem::replace(&mut message.delivered, true);
                    match commands.receive(&id(message.command), now, QOS1) {
                        Ok(Received::New(token)) => {
                            let ran_before = runs.insert(message.command, String::new()).is_some();
                            let forgotten = commands.counters().evicted > 0;
                            assert!(!again && (!ran_before || forgotten), "{} ran twice", message.command);
                            running.push((message.command, token));
                            owed.push((at, token));
                            ran += 1;
                        }
                        Ok(Received::Executing(token)) => {
                            assert!(running.contains(&(message.command, token)));
                            owed.push((at, token));
                            repeats += 1;
                        }
                        Ok(Received::Done(token)) => {
                            let expected = runs.get(&message.command).expect("it ran");
                            assert_eq!(commands.response(token), Some(expected.as_bytes()));
                            owed.push((at, token));
                            repeats += 1;
                        }
                        // Answered `busy`; the sender gives up, and the PUBACK is read at once.
                        Err(Full) => {
                            assert!(!again, "what was delivered is known");
                            messages[at] = None;
                            busy += 1;
                        }
                    }
                }
                4 => {
                    if !running.is_empty() {
                        let (command, token) = running.swap_remove(random.below(running.len()));
                        let text = "r".repeat(1 + random.below(200));
                        finish(&mut commands, token, &text);
                        runs.insert(command, format!("\"{text}\""));
                    }
                }
                5 | 6 => {
                    // In order of receipt: the oldest, early or not.
                    if !owed.is_empty() {
                        let (message, token) = owed.remove(0);
                        position += 4;
                        assert!(commands.ack_written(token, position));
                        wire.push(Puback { message, position });
                    }
                }
                7 => {
                    // The server reads a part of what was sent, and answers something behind it, or not.
                    let read = random.below(wire.len() + 1);
                    let upto = wire.get(..read).and_then(<[_]>::last).map(|last| last.position);
                    for puback in wire.drain(..read) {
                        messages[puback.message] = None;
                    }
                    if let (Some(upto), 0) = (upto, random.below(2)) {
                        commands.confirm_upto(upto);
                    }
                }
                _ => {
                    // Connected time shorter than the server needs to repeat: it does so at once.
                    commands.tick(random.below(1000) as u64);
                    if random.below(4) == 0 {
                        let read = random.below(wire.len() + 1);
                        for puback in wire.drain(..).take(read) {
                            messages[puback.message] = None;
                        }
                        owed.clear();
                        position = 0;
                        commands.connection_lost();
                        let session_present = random.below(4) > 0;
                        if !session_present {
                            // The server has lost its messages; their senders do not know them any more either.
                            messages.iter_mut().for_each(|message| *message = None);
                        }
                        commands.resumed(session_present);
                        messages.iter_mut().flatten().for_each(|message| message.sent = false);
                    }
                }
            }
        }
    }
    println!("{name}: {ran} runs, {repeats} repeats, {busy} busy");
    assert!(ran > 100 && repeats > 100);
}
