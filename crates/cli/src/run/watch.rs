//! A program that is watched: each line that it prints fires a trigger, and when it ends it is started again.

use core::cell::RefCell;
use core::time::Duration;
use std::collections::VecDeque;

use mqtt_device_tokio::Device;
use tokio::io::{AsyncRead, BufReader};
use tokio::process::Child;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::program::{AFTER_EXIT, Group, Launcher};
use super::triggers::{MAX_LINE, Next, Places, TriggerLine, next_trigger};
use crate::lines::{Line, Lines};
use crate::seldom::Seldom;
use crate::text::excerpt;

/// The pause before the program is started again: doubled after each short run.
const RESTART: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How many triggers wait for a place, and with how many bytes; of more, the oldest go.
const WAITING: (usize, usize) = (256, 1 << 20);

/// A watched program, and what it printed.
///
/// It is never held up: a sensor that prints for hours while the device is offline goes on, and so does what it may do
/// beside printing. The latest lines are worth most, so the oldest that waits makes room, and the log tells how many
/// went.
pub(super) struct Watched<'a> {
    device: &'a Device,
    launcher: &'a Launcher,
    program: &'a [String],
    places: Places,
    state: RefCell<State>,
    /// Something came, or was lost.
    more: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<TriggerLine>,
    bytes: usize,
    lost: Seldom,
}

impl State {
    fn push(&mut self, line: TriggerLine) {
        self.bytes += line.len();
        self.waiting.push_back(line);
    }

    fn pop(&mut self) -> Option<TriggerLine> {
        self.waiting.pop_front().inspect(|line| self.bytes -= line.len())
    }

    /// Drops the oldest until the rest is within the bounds.
    fn shrink(&mut self) {
        while self.waiting.len() > WAITING.0 || self.bytes > WAITING.1 {
            self.pop();
            self.lost.add(1);
        }
    }
}

impl<'a> Watched<'a> {
    pub(super) fn new(device: &'a Device, launcher: &'a Launcher, program: &'a [String]) -> Self {
        let (places, state) = (Places::default(), RefCell::default());
        Self { device, launcher, program, places, state, more: Notify::new() }
    }

    /// Watches and fires for ever.
    pub(super) async fn run(&self) {
        tokio::select! {
            () = self.keep_running() => {}
            () = self.fire() => {}
            () = self.tell() => {}
        }
    }

    /// Tells what was lost and not yet told: the device stops.
    pub(super) fn last_words(&self) {
        let mut state = self.state.borrow_mut();
        let waiting = u64::try_from(state.waiting.len()).unwrap_or(u64::MAX);
        state.lost.add(waiting);
        if let Some(n) = state.lost.rest() {
            tracing::error!("{}: triggers dropped: {n}: the device stops", self.name());
        }
    }

    fn name(&self) -> &str {
        self.program.first().map_or("", String::as_str)
    }

    fn push(&self, line: TriggerLine) {
        let mut state = self.state.borrow_mut();
        state.push(line);
        // A burst is read in one go: what finds a place does not wait, so that it makes no other go.
        while !state.waiting.is_empty()
            && let Some(place) = self.places.try_next()
            && let Some(line) = state.pop()
        {
            place.fire(self.device, line);
        }
        state.shrink();
        self.more.notify_waiters();
    }

    /// Fires the oldest that waits whenever a place becomes free.
    async fn fire(&self) {
        loop {
            let more = self.more.notified();
            if self.state.borrow().waiting.is_empty() {
                more.await;
                continue;
            }
            let place = self.places.next().await;
            if let Some(line) = self.state.borrow_mut().pop() {
                place.fire(self.device, line);
            }
        }
    }

    /// Tells of losses, not of each.
    async fn tell(&self) {
        loop {
            let more = self.more.notified();
            let now = Instant::now();
            let (told, due) = {
                let lost = &mut self.state.borrow_mut().lost;
                (lost.take(now), lost.due(now))
            };
            if let Some(n) = told {
                let why = "they come faster than they leave, and the latest are kept";
                tracing::error!("{}: triggers dropped: {n}: {why}", self.name());
            }
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => more.await,
            }
        }
    }

    /// Starts the program, and again when it has ended.
    async fn keep_running(&self) {
        let mut pause = RESTART.0;
        loop {
            let began = Instant::now();
            match self.launcher.start(self.program, &[]) {
                Err(why) => tracing::error!("watched program: {why}"),
                Ok((child, group)) => match self.read(child, group).await {
                    Ok(status) => {
                        tracing::warn!("watched program {} ended ({status}): started again soon", self.name());
                    }
                    Err(error) => tracing::error!("watched program {}: {error}", self.name()),
                },
            }
            pause = if began.elapsed() > RESTART.1 { RESTART.0 } else { pause };
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RESTART.1);
        }
    }

    /// Reads one run of it to the end: of the program, or of its output, whatever comes first.
    async fn read(&self, mut child: Child, group: Group) -> std::io::Result<std::process::ExitStatus> {
        drop(child.stdin.take());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let triggers = async {
            let Some(stdout) = stdout else { return };
            let mut lines = Lines::new(BufReader::new(stdout), MAX_LINE);
            loop {
                match next_trigger(&mut lines, self.name()).await {
                    Next::Trigger(line) => self.push(line),
                    Next::Bad => {}
                    Next::End => return,
                }
            }
        };
        let complaints = async {
            if let Some(stderr) = stderr {
                forward(self.name(), stderr).await;
            }
        };
        let mut output = core::pin::pin!(async { tokio::join!(triggers, complaints) });
        let exited = tokio::select! {
            _ = &mut output => None,
            exited = child.wait() => Some(exited),
        };
        match exited {
            None => {
                drop(group); // its output has ended: nothing can come of it any more
                child.wait().await
            }
            Some(exited) => {
                // What it wrote is still read; a process that it left behind and that holds the pipe is ended.
                let _ = tokio::time::timeout(AFTER_EXIT, output).await;
                drop(group);
                exited
            }
        }
    }
}

/// What a watched program writes to standard error goes into the log.
async fn forward(name: &str, stderr: impl AsyncRead + Unpin) {
    let mut lines = Lines::new(BufReader::new(stderr), MAX_LINE);
    while let Ok(Some(line)) = lines.next().await {
        match line {
            Line::Text(text) => tracing::warn!("{name}: {}", excerpt(text.as_bytes())),
            Line::TooLong => tracing::warn!("{name}: a line of more than {MAX_LINE} bytes"),
        }
    }
}
