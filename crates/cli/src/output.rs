//! Standard output for people and for programs, and the log on standard error.
//!
//! What has nothing else to do than to print waits for its reader. What serves others does not: its output is spooled.

use std::io::{self, Write as _};
use std::sync::OnceLock;

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::spool::{FLUSH_WITHIN, Spool};

/// How much is said: -1 (`-q`), 0, 1 (`-v`), 2 (`-vv`) …
pub(crate) type Verbosity = i8;

/// Standard error, when it is spooled.
static LOG: OnceLock<Spool> = OnceLock::new();

/// Starts the log. Problems are always in it; `-v` adds what happens, `-vv` and `-vvv` how. `spooled` says that a
/// reader that stalls must not hold up the program.
pub(crate) fn start_log(verbosity: Verbosity, spooled: bool) {
    let (ours, brokers) = match verbosity {
        ..=-1 => (LevelFilter::ERROR, LevelFilter::OFF),
        0 => (LevelFilter::WARN, LevelFilter::OFF),
        1 => (LevelFilter::INFO, LevelFilter::WARN),
        2 => (LevelFilter::DEBUG, LevelFilter::INFO),
        3.. => (LevelFilter::TRACE, LevelFilter::DEBUG),
    };
    let filter = Targets::new().with_default(ours).with_target("mqtt5", brokers).with_target("mqtt5_protocol", brokers);
    let colour = !matches!(AutoStream::choice(&io::stderr()), anstream::ColorChoice::Never);
    if spooled && let Ok(spool) = Spool::start(AutoStream::auto(io::stderr()), gap) {
        let _ = LOG.set(spool);
    }
    let writer = match LOG.get() {
        Some(spool) => BoxMakeWriter::new(|| LogLine(spool)),
        None => BoxMakeWriter::new(io::stderr),
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colour).without_time();
    // A second call, in tests, finds a log there already.
    let _ = tracing_subscriber::registry().with(layer).with(filter).try_init();
}

/// Where a line of the log goes, which comes in one piece.
struct LogLine(&'static Spool);

impl io::Write for LogLine {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(String::from_utf8_lossy(line).into_owned())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The last line on standard error, if there is something to say; what was logged before it has left then, or is late.
pub(crate) fn close_log(complaint: &str) {
    let bad = AnsiColor::Red.on_default().bold();
    let line = if complaint.is_empty() { String::new() } else { format!("{bad}error:{bad:#} {complaint}\n") };
    match LOG.get() {
        Some(spool) => {
            // Nobody is left to be told that nobody reads.
            let _ = if line.is_empty() { Ok(()) } else { spool.push(line) };
            let _ = spool.flush(FLUSH_WITHIN);
        }
        None => anstream::eprint!("{line}"),
    }
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

/// Standard output of what serves others: lines that a reader does not take in time are lost, counted and told.
pub(crate) struct Spooled(Spool);

impl Spooled {
    /// `notice` makes a line of the number of lines lost.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(crate) fn new(notice: fn(u64) -> String) -> io::Result<Self> {
        Ok(Self(Spool::start(AutoStream::auto(io::stdout()), notice)?))
    }

    /// Queues a line.
    ///
    /// # Errors
    /// Nobody reads any more, or the disk is full.
    pub(crate) fn line(&self, text: &str) -> io::Result<()> {
        self.0.push(format!("{text}\n"))
    }

    /// Queues a value as one line of JSON.
    ///
    /// # Errors
    /// As [`Self::line`].
    pub(crate) fn json(&self, value: &impl Serialize) -> io::Result<()> {
        self.line(&serde_json::to_string(value)?)
    }

    /// Waits until nobody reads any more; says how that showed. Cancel-safe.
    pub(crate) async fn failed(&self) -> io::Error {
        self.0.failed().await
    }

    /// Lets what waits leave, unless the reader stalls.
    ///
    /// # Errors
    /// As [`Self::line`].
    pub(crate) fn close(self) -> io::Result<()> {
        self.0.flush(FLUSH_WITHIN)
    }
}

/// What stands where lines are missing.
pub(crate) fn gap(lines: u64) -> String {
    format!("{lines} lines lost here: their reader was too slow")
}
