//! A mosquitto of one's own.

use core::fmt::Write as _;
use core::net::SocketAddr;
use rustix::process::Signal;
use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

use crate::passwords::{Keeper, User};
use crate::{Endpoint, Lines, PATIENCE, Process, Recorder, free_port};

/// The name under which the kit's own clients connect to a broker that asks for one.
const WITNESS: (&str, &str) = ("testkit", "testkit-password");

/// What a [`Mosquitto`] shall be like.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    users: Vec<User>,
    persistent: bool,
    websockets: bool,
    lines: Vec<String>,
}

impl Builder {
    /// Lets `name` in with `password`, and nobody without. Names may hold a `:`, though mosquitto's
    /// password file cannot: then its dynamic security plugin keeps the users.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.users.push((name.to_owned(), password.to_owned()));
        self
    }

    /// Keeps sessions and retained messages on disk. As mosquitto does by default, they are written at a
    /// clean stop and every 30 minutes, so that a kill loses what came since; see [`Mosquitto::save`].
    #[must_use]
    pub const fn persistent(mut self) -> Self {
        self.persistent = true;
        self
    }

    /// A second listener, for WebSocket: see [`Mosquitto::websocket_url`].
    #[must_use]
    pub const fn websockets(mut self) -> Self {
        self.websockets = true;
        self
    }

    /// A line for the configuration file as it is, for what has no method here.
    #[must_use]
    pub fn config_line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Starts it and waits until it accepts connections.
    ///
    /// # Errors
    ///
    /// When mosquitto is not installed or does not come up; the message holds its log.
    pub fn start(self) -> Result<Mosquitto> {
        let mut users = self.users.clone();
        if !users.is_empty() {
            users.push((WITNESS.0.to_owned(), WITNESS.1.to_owned()));
        }
        let dir = tempfile::Builder::new().prefix("mosquitto-").tempdir()?;
        let keeper = Keeper::new(dir.path(), &users)?;
        // Between the choice of the port and its use somebody else may take it: then again.
        for _ in 0..8 {
            let (port, websocket_port) = (free_port()?, free_port()?);
            let config = self.config(dir.path(), &keeper, port, websocket_port);
            fs::write(dir.path().join("mosquitto.conf"), config)?;
            let process = match launch(dir.path(), port) {
                Err(error) if error.kind() == ErrorKind::AddrInUse => continue,
                other => other?,
            };
            let named = !users.is_empty();
            let broker = Mosquitto { dir, process, port, websocket_port, named };
            keeper.enrol(&Endpoint::local(port), &users)?;
            return Ok(broker);
        }
        Err(Error::new(ErrorKind::AddrInUse, "mosquitto found no free port in eight tries"))
    }

    fn config(&self, dir: &Path, keeper: &Keeper, port: u16, websocket_port: u16) -> String {
        let mut text = format!("listener {port} 127.0.0.1\n");
        if self.websockets {
            let _ = writeln!(text, "listener {websocket_port} 127.0.0.1\nprotocol websockets");
        }
        // Started by root it would become another user, who cannot write to our folder.
        text.push_str("user root\nlog_dest stderr\nlog_type all\nconnection_messages true\n");
        text.push_str(&keeper.config());
        if self.persistent {
            let _ = write!(text, "persistence true\npersistence_location {}/\n", dir.display());
        }
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

/// A running mosquitto, or one that is down for a while. Dropping it ends it and removes its files.
#[derive(Debug)]
pub struct Mosquitto {
    process: Process,
    port: u16,
    websocket_port: u16,
    named: bool,
    // Dropped last: the process writes there.
    dir: TempDir,
}

impl Mosquitto {
    /// A broker to be described.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A broker that lets everybody in and keeps nothing on disk.
    ///
    /// # Errors
    ///
    /// As [`Builder::start`].
    pub fn anonymous() -> Result<Self> {
        Self::builder().start()
    }

    /// The port, the same after a restart.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The address, the same after a restart.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.endpoint().addr()
    }

    /// `mqtt://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        self.endpoint().url()
    }

    /// `ws://127.0.0.1:PORT/mqtt`, of a broker built with [`Builder::websockets`].
    #[must_use]
    pub fn websocket_url(&self) -> String {
        format!("ws://127.0.0.1:{}/mqtt", self.websocket_port)
    }

    /// The process id of the running broker.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// For the command line clients, as a user who may do everything.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        let endpoint = Endpoint::local(self.port);
        if self.named { endpoint.with_user(WITNESS.0, WITNESS.1) } else { endpoint }
    }

    /// [`Endpoint::publish`] as the kit's own user.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn publish(&self, topic: &str, payload: impl AsRef<[u8]>) -> Result<()> {
        self.endpoint().publish(topic, payload)
    }

    /// [`Endpoint::record`] as the kit's own user.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn record(&self, filters: &[&str]) -> Result<Recorder> {
        self.endpoint().record(filters)
    }

    /// The log of the process that runs now, or ran last.
    #[must_use]
    pub fn log(&self) -> &Lines {
        self.process.stderr()
    }

    /// Waits until the broker has logged that the client with this identifier connected.
    ///
    /// # Errors
    ///
    /// When it does not within [`PATIENCE`](crate::PATIENCE).
    pub fn wait_connected(&self, client_id: &str) -> Result<()> {
        let end = format!(" as {client_id} (");
        self.log().wait(|line| line.contains("New client connected from") && line.contains(&end)).map(drop)
    }

    /// Has a persistent broker write its sessions and retained messages now.
    ///
    /// # Errors
    ///
    /// When it is down, or does not say that it saved.
    pub fn save(&self) -> Result<()> {
        let mark = self.log().len();
        self.process.signal(Signal::USR1)?;
        let saved = |line: &str| line.contains("Saving in-memory database");
        self.log().wait_from(mark, PATIENCE, saved).map(drop)
    }

    /// SIGTERM: stops as at a shutdown, saving first if it is persistent.
    ///
    /// # Errors
    ///
    /// When it is down already or does not end.
    pub fn stop(&mut self) -> Result<()> {
        self.process.terminate().map(drop)
    }

    /// SIGKILL: gone at once, with what it had not saved.
    ///
    /// # Errors
    ///
    /// When it cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill().map(drop)
    }

    /// Starts again, on the same port and with the same files, a broker that was stopped or killed.
    ///
    /// # Errors
    ///
    /// When it still runs, or does not come up.
    pub fn restart(&mut self) -> Result<()> {
        if self.process.exited()?.is_none() {
            return Err(Error::other("mosquitto still runs: stop or kill it first"));
        }
        self.process = launch(self.dir.path(), self.port)?;
        Ok(())
    }
}

/// Starts mosquitto on the configuration in `dir` and waits until it accepts connections on `port`.
fn launch(dir: &Path, port: u16) -> Result<Process> {
    // Debian keeps it where only root's path leads.
    let sbin = Path::new("/usr/sbin/mosquitto");
    let program = if sbin.is_file() { sbin } else { Path::new("mosquitto") };
    let mut command = Command::new(program);
    command.arg("-c").arg(dir.join("mosquitto.conf")).stdin(Stdio::null());
    let process = Process::start(&mut command)?;
    let running = |line: &str| line.contains("mosquitto version") && line.ends_with(" running");
    if let Err(error) = process.stderr().wait(running) {
        let taken = process.stderr().all().iter().any(|line| line.contains("Address already in use"));
        return Err(if taken { Error::new(ErrorKind::AddrInUse, error) } else { error });
    }
    // It says so before it has set up its main loop, and a SIGTERM before that would be forgotten. A
    // connection is taken, and logged, by the main loop.
    let probe = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), PATIENCE)?;
    let source = format!("New connection from {}", probe.local_addr()?);
    process.stderr().wait(|line| line.contains(&source))?;
    Ok(process)
}
