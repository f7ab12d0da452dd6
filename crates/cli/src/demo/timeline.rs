//! The timeline of the demo: when, who, what.

use anstyle::AnsiColor;
use tokio::time::Instant;

use crate::exit::Outcome;
use crate::output::{Output, Tone};

/// Who does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Actor {
    Broker,
    Gateway,
    Device,
    Network,
}

impl Actor {
    const fn name(self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::Gateway => "gateway",
            Self::Device => "device",
            Self::Network => "network",
        }
    }

    const fn tone(self) -> Tone {
        match self {
            Self::Broker => Tone::Actor(AnsiColor::Magenta),
            Self::Gateway => Tone::Actor(AnsiColor::Cyan),
            Self::Device => Tone::Actor(AnsiColor::Green),
            Self::Network => Tone::Actor(AnsiColor::Yellow),
        }
    }
}

/// Prints as things happen.
pub(super) struct Timeline {
    output: Output,
    began: Instant,
    silent: bool,
}

impl Timeline {
    pub(super) fn new(silent: bool) -> Self {
        Self { output: Output::new(), began: Instant::now(), silent }
    }

    /// A new act.
    pub(super) fn act(&mut self, title: &str) -> Outcome {
        if self.silent {
            return Ok(());
        }
        self.output.line("")?;
        Ok(self.output.line(&Tone::Heading.paint(title, 0))?)
    }

    /// Something happened.
    pub(super) fn say(&mut self, who: Actor, what: &str) -> Outcome {
        if self.silent {
            return Ok(());
        }
        let ms = self.began.elapsed().as_millis();
        let when = Tone::Dim.paint(&format!("{:>3}.{:03}", ms / 1000, ms % 1000), 0);
        Ok(self.output.line(&format!("{when}  {}  {what}", who.tone().paint(who.name(), 8)))?)
    }

    /// Lines that are printed in any case.
    pub(super) fn result(&mut self, lines: &[String]) -> Outcome {
        lines.iter().try_for_each(|line| Ok(self.output.line(line)?))
    }
}
