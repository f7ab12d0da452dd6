//! A machine that runs in a task of its own: what its handles own together, and how it is waited for.

use core::time::Duration;
use std::sync::Arc;

use mqtt_device_core::{DisconnectReason, Failure, Machine, ReasonCode};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::Error;
use crate::completions::Completions;
use crate::shared::{Handle, Stopped};

/// How far it has come; only ever the newest is of interest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) ready: bool,
    /// How the last attempt or connection ended.
    pub(crate) last: Option<(DisconnectReason, Option<String>)>,
    /// Whether that, from every server in a row, or a refused subscription, is beyond what trying again can mend.
    pub(crate) hopeless: bool,
    refusals: u8,
    pub(crate) ended: Option<Stopped>,
}

/// The sink's end of [`Progress`]; its drop is the end of it all.
#[derive(Debug)]
pub(crate) struct Reporter {
    progress: watch::Sender<Progress>,
    servers: u8,
}

impl Reporter {
    pub(crate) fn new(servers: u8) -> (Self, watch::Receiver<Progress>) {
        let (progress, receiver) = watch::channel(Progress::default());
        (Self { progress, servers }, receiver)
    }

    pub(crate) fn ready(&self) {
        self.progress.send_modify(|p| p.ready = true);
    }

    pub(crate) fn down(&self, reason: DisconnectReason, detail: Option<String>) {
        self.progress.send_modify(|p| {
            p.refusals = if is_hopeless(&reason) { p.refusals.saturating_add(1) } else { 0 };
            p.hopeless |= p.refusals >= self.servers.max(1);
            p.last = Some((reason, detail));
        });
    }

    pub(crate) fn refused(&self, reason: ReasonCode) {
        self.progress.send_modify(|p| {
            p.hopeless = true;
            p.last = Some((DisconnectReason::Refused(reason), Some("a subscription was refused".into())));
        });
    }

    pub(crate) fn stopped(&self, clean: bool) {
        self.progress.send_modify(|p| p.ended = Some(Stopped { clean }));
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.progress.send_modify(|p| {
            p.ended.get_or_insert(Stopped { clean: false });
        });
    }
}

/// Whether a first connection is better given up, so that somebody can mend the configuration.
fn is_hopeless(reason: &DisconnectReason) -> bool {
    match reason {
        DisconnectReason::Refused(code) => {
            !matches!(*code, ReasonCode::SERVER_UNAVAILABLE | ReasonCode::SERVER_BUSY | ReasonCode::QUOTA_EXCEEDED)
        }
        DisconnectReason::CredentialsWithheld(_) => true,
        DisconnectReason::ConnectFailed(failure) => {
            matches!(failure, Failure::Untrusted | Failure::Expired | Failure::WrongHost)
        }
        _ => false,
    }
}

/// Owned by all handles together: when the last one goes, the driver is aborted, and the will speaks.
pub(crate) struct Running<M> {
    pub(crate) handle: Handle<M>,
    pub(crate) completions: Arc<Completions>,
    progress: watch::Receiver<Progress>,
    task: AbortHandle,
}

impl<M: Machine> Running<M> {
    pub(crate) fn new(
        handle: Handle<M>,
        completions: Arc<Completions>,
        progress: watch::Receiver<Progress>,
        task: AbortHandle,
    ) -> Self {
        Self { handle, completions, progress, task }
    }

    pub(crate) async fn stop(&self, within: Duration) -> Stopped {
        // When the driver is gone already, how it went is known.
        let _ = self.handle.with(|m, now| m.stop(now, within.into()));
        self.ended().await
    }

    pub(crate) async fn ended(&self) -> Stopped {
        let mut progress = self.progress.clone();
        let ended = progress.wait_for(|p| p.ended.is_some()).await.ok().and_then(|p| p.ended);
        ended.unwrap_or(Stopped { clean: false })
    }

    /// Until it is ready for the first time, within `within`.
    pub(crate) async fn connected(&self, within: Duration) -> Result<(), Error> {
        let mut progress = self.progress.clone();
        let decided = progress.wait_for(|p| p.ready || p.hopeless || p.ended.is_some());
        let ready = tokio::time::timeout(within, decided).await.is_ok_and(|p| p.is_ok_and(|p| p.ready));
        if ready {
            return Ok(());
        }
        let (reason, detail) = self.progress.borrow().last.clone().unzip();
        Err(Error::Connect { reason, detail: detail.flatten() })
    }
}

impl<M> Drop for Running<M> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
