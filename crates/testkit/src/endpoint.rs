//! Mosquitto's command line clients, on any broker.

use core::net::{Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::io::{Error, ErrorKind, Result, Write};
use std::process::{Command, Stdio};

use crate::{Lines, PATIENCE, Process};

/// Where a broker listens, and who connects there.
#[derive(Clone, Debug)]
pub struct Endpoint {
    addr: SocketAddr,
    user: Option<(String, String)>,
}

impl Endpoint {
    /// A broker at a port of 127.0.0.1, without a user.
    #[must_use]
    pub fn local(port: u16) -> Self {
        Self { addr: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), user: None }
    }

    /// The same broker as another user.
    #[must_use]
    pub fn with_user(mut self, name: &str, password: &str) -> Self {
        self.user = Some((name.to_owned(), password.to_owned()));
        self
    }

    /// The address.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `mqtt://127.0.0.1:PORT`, without the user.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mqtt://{}", self.addr)
    }

    /// One of mosquitto's programs, pointed at this broker.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        // Into a pipe they would write in blocks.
        let mut command = Command::new("stdbuf");
        command.args(["-oL", program]);
        command.arg("-h").arg(self.addr.ip().to_string());
        command.arg("-p").arg(self.addr.port().to_string());
        if let Some((name, password)) = &self.user {
            command.args(["-u", name, "-P", password]);
        }
        command
    }

    /// Publishes one message at QoS 1 and returns when the broker has acknowledged it.
    ///
    /// # Errors
    ///
    /// When `mosquitto_pub` fails: no broker, wrong password, refused.
    pub fn publish(&self, topic: &str, payload: impl AsRef<[u8]>) -> Result<()> {
        self.publish_with(topic, payload.as_ref(), 1, false)
    }

    /// Publishes one retained message at QoS 1.
    ///
    /// # Errors
    ///
    /// As [`Self::publish`].
    pub fn retain(&self, topic: &str, payload: impl AsRef<[u8]>) -> Result<()> {
        self.publish_with(topic, payload.as_ref(), 1, true)
    }

    /// Publishes one message.
    ///
    /// # Errors
    ///
    /// As [`Self::publish`].
    pub fn publish_with(&self, topic: &str, payload: &[u8], qos: u8, retain: bool) -> Result<()> {
        let mut command = self.command("mosquitto_pub");
        command.args(["-t", topic, "-q", &qos.to_string()]);
        // It refuses to read an empty message.
        command.arg(if payload.is_empty() { "-n" } else { "-s" });
        command.args(retain.then_some("-r"));
        run_with_input(&mut command, payload).map(drop)
    }

    /// Publishes each line of `lines` as one message over one connection, at QoS 1, in order.
    ///
    /// # Errors
    ///
    /// As [`Self::publish`].
    pub fn publish_lines(&self, topic: &str, lines: &str) -> Result<()> {
        let mut command = self.command("mosquitto_pub");
        command.args(["-t", topic, "-q", "1", "-l"]);
        run_with_input(&mut command, lines.as_bytes()).map(drop)
    }

    /// Publishes `payload` on `topic` and returns the first message on `answers`.
    ///
    /// # Errors
    ///
    /// As [`Self::publish`], and when no answer comes.
    pub fn request(&self, topic: &str, answers: &str, payload: &str) -> Result<String> {
        let mut command = self.command("mosquitto_rr");
        let limit = PATIENCE.as_secs().to_string();
        command.args(["-t", topic, "-e", answers, "-q", "1", "-W", &limit, "-m", payload]);
        run_with_input(&mut command, b"")
    }

    /// Starts a `mosquitto_sub` on `filters` at QoS 1 and returns when the broker has granted them.
    ///
    /// # Errors
    ///
    /// When it cannot connect or a filter is refused.
    pub fn record(&self, filters: &[&str]) -> Result<Recorder> {
        Recorder::start(self, filters)
    }
}

fn run_with_input(command: &mut Command, input: &[u8]) -> Result<String> {
    let mut process = Process::start(command.stdin(Stdio::piped()))?;
    if let Some(mut stdin) = process.take_stdin()
        && let Err(error) = stdin.write_all(input)
        && error.kind() != ErrorKind::BrokenPipe
    {
        return Err(error);
    }
    let status = process.wait(PATIENCE)?;
    if status.success() {
        return Ok(ended(process.stdout()).join("\n"));
    }
    let program = command.get_args().nth(1).unwrap_or_default().to_string_lossy().into_owned();
    let text = ended(process.stderr()).join("; ");
    Err(Error::other(format!("{program}: {status}: {text}")))
}

/// All lines of an output that is about to end.
fn ended(lines: &Lines) -> Vec<String> {
    let _ = lines.wait_until(PATIENCE, |_| None::<()>);
    lines.all()
}

/// A message as a [`Recorder`] saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The Topic Name.
    pub topic: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// The QoS at which it was delivered.
    pub qos: u8,
    /// Whether it came from the broker's store of retained messages.
    pub retain: bool,
}

impl Message {
    /// The payload as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }

    /// A line of [`FORMAT`]; `None` is one of `mosquitto_sub`'s own.
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.strip_prefix(MARK)?.splitn(4, '\t');
        let (qos, retain) = (parts.next()?.parse().ok()?, parts.next()? == "1");
        let (hex, topic) = (parts.next()?, parts.next()?.to_owned());
        let digits = |at| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let payload = (0..hex.len()).step_by(2).map(digits).collect::<Option<_>>()?;
        Some(Self { topic, payload, qos, retain })
    }
}

const MARK: char = '\u{1}';
/// QoS, retain flag, payload in hexadecimal (it may hold line ends), topic.
const FORMAT: &str = "\u{1}%q\t%r\t%x\t%t";

/// A running `mosquitto_sub`: an independent witness of what is published. It connects again by itself
/// after the broker was down, with the same session.
#[derive(Debug)]
pub struct Recorder {
    process: Process,
    next: usize,
}

impl Recorder {
    fn start(endpoint: &Endpoint, filters: &[&str]) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let id = format!("recorder-{}-{number}", std::process::id());
        let mut command = endpoint.command("mosquitto_sub");
        command.args(["-d", "-c", "-q", "1", "-i", &id, "-F", FORMAT]).stdin(Stdio::null());
        for filter in filters {
            command.args(["-t", filter]);
        }
        let process = Process::start(&mut command)?;
        let granted = process.stdout().wait(|line| line.starts_with("Subscribed ("));
        let refused = |why: &dyn core::fmt::Display| {
            let text = process.stderr().all().join("; ");
            Error::other(format!("recording {filters:?} at {}: {why} {text}", endpoint.addr))
        };
        let granted = granted.map_err(|error| refused(&error))?;
        if granted.contains("128") {
            return Err(refused(&granted));
        }
        Ok(Self { process, next: 0 })
    }

    /// Every message so far, in order of arrival.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.process.stdout().all().iter().filter_map(|line| Message::parse(line)).collect()
    }

    /// The next message that `wanted` accepts; those before it are passed over, later calls go on behind
    /// it.
    ///
    /// # Errors
    ///
    /// When none comes within [`PATIENCE`](crate::PATIENCE).
    pub fn next(&mut self, wanted: impl FnMut(&Message) -> bool) -> Result<Message> {
        self.next_within(PATIENCE, wanted)
    }

    /// Like [`Self::next`], with a limit.
    ///
    /// # Errors
    ///
    /// When none comes in time.
    pub fn next_within(&mut self, limit: Duration, mut wanted: impl FnMut(&Message) -> bool) -> Result<Message> {
        let mut found = None;
        let (index, _) = self.process.stdout().wait_from(self.next, limit, |line| {
            found = Message::parse(line).filter(&mut wanted);
            found.is_some()
        })?;
        self.next = index + 1;
        found.ok_or_else(|| Error::other("no message"))
    }

    /// The next message on `topic`.
    ///
    /// # Errors
    ///
    /// As [`Self::next`].
    pub fn next_on(&mut self, topic: &str) -> Result<Message> {
        self.next(|message| message.topic == topic)
    }

    /// Waits until `count` messages in all, of those so far and to come, are accepted by `wanted`.
    ///
    /// # Errors
    ///
    /// When they do not come within `limit`.
    pub fn wait_count(&self, count: usize, limit: Duration, mut wanted: impl FnMut(&Message) -> bool) -> Result<()> {
        let (mut seen, mut from) = (0, 0);
        self.process.stdout().wait_until(limit, |lines| {
            let new = lines[from..].iter().filter_map(|line| Message::parse(line));
            seen += new.filter(|message| wanted(message)).count();
            from = lines.len();
            (seen >= count).then_some(())
        })
    }

    /// What `mosquitto_sub -d` said of itself, messages included, for error messages.
    #[must_use]
    pub fn log(&self) -> &Lines {
        self.process.stdout()
    }
}

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn a_recorded_line_is_a_message_and_a_line_of_the_programs_own_is_not() {
        let message = Message::parse("\u{1}1\t0\t780a79\ta/b c").unwrap();
        assert_eq!((message.topic.as_str(), message.payload.as_slice()), ("a/b c", &b"x\ny"[..]));
        assert_eq!((message.qos, message.retain), (1, false));
        assert_eq!(Message::parse("\u{1}0\t1\t\tt").unwrap().payload, b"");
        assert_eq!(Message::parse("Client rec received SUBACK"), None);
    }
}
