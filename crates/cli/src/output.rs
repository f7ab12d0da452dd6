//! Standard output for people and for programs, and the log on standard error.

use std::io::{self, Write as _};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How much is said: -1 (`-q`), 0, 1 (`-v`), 2 (`-vv`) …
pub(crate) type Verbosity = i8;

/// Starts the log. Problems are always in it; `-v` adds what happens, `-vv` and `-vvv` how.
pub(crate) fn start_log(verbosity: Verbosity) {
    let (ours, brokers) = match verbosity {
        ..=-1 => (LevelFilter::ERROR, LevelFilter::OFF),
        0 => (LevelFilter::WARN, LevelFilter::OFF),
        1 => (LevelFilter::INFO, LevelFilter::WARN),
        2 => (LevelFilter::DEBUG, LevelFilter::INFO),
        3.. => (LevelFilter::TRACE, LevelFilter::DEBUG),
    };
    let filter = Targets::new().with_default(ours).with_target("mqtt5", brokers).with_target("mqtt5_protocol", brokers);
    let colour = !matches!(AutoStream::choice(&io::stderr()), anstream::ColorChoice::Never);
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(colour).without_time();
    // A second call, in tests, finds a log there already.
    let _ = tracing_subscriber::registry().with(layer).with(filter).try_init();
}

/// The colours of the program.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tone {
    Plain,
    Dim,
    Heading,
    Good,
    Bad,
    Actor(AnsiColor),
}

impl Tone {
    const fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Dim => Style::new().dimmed(),
            Self::Heading => Style::new().bold(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Actor(colour) => colour.on_default(),
        }
    }

    /// The text in this tone, padded to `width` on the right.
    pub(crate) fn paint(self, text: &str, width: usize) -> String {
        let style = self.style();
        format!("{style}{text:<width$}{style:#}")
    }
}

/// Standard output. Colours appear on a terminal only, and never with `NO_COLOR`.
pub(crate) struct Output {
    stream: AutoStream<io::Stdout>,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { stream: AutoStream::auto(io::stdout()) }
    }

    /// Writes a line, at once.
    ///
    /// # Errors
    /// Nobody reads any more, or the disk is full.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.stream, "{text}")?;
        self.stream.flush()
    }

    /// Writes a value as one line of JSON.
    ///
    /// # Errors
    /// As [`Self::line`].
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value)?;
        self.line(&text)
    }
}
