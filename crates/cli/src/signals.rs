//! Ctrl-C and SIGTERM: the first asks for a graceful stop, the second ends the program whatever it is doing.

use std::io;

use tokio::sync::oneshot;

/// The exit code of a program that a second signal ended: what a shell shows for one that Ctrl-C ended.
const ENDED: i32 = 130;

/// The two signals that ask for a graceful stop.
///
/// A thread of their own waits for them, so that the second one works also when nothing else does.
pub(crate) struct Signals(Option<oneshot::Receiver<()>>);

impl Signals {
    /// Catches them from now on. At the second one, `last` is called before the program ends.
    ///
    /// # Errors
    /// The system does not allow it.
    pub(crate) fn catch(last: fn()) -> io::Result<Self> {
        let (tell, first) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let mut caught = {
            let _entered = runtime.enter();
            Caught::new()?
        };
        let wait = async move {
            caught.next().await;
            // Nobody listens when the program is ending already.
            let _ = tell.send(());
            caught.next().await;
            last();
            std::process::exit(ENDED);
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(wait))?;
        Ok(Self(Some(first)))
    }

    /// Waits for the first one; when it has come, for ever. Cancel-safe.
    pub(crate) async fn next(&mut self) {
        if let Some(first) = &mut self.0 {
            let told = first.await.is_ok();
            self.0 = None;
            if told {
                return;
            }
        }
        core::future::pending().await
    }
}

#[cfg(unix)]
struct Caught {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Caught {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Caught;

#[cfg(not(unix))]
impl Caught {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            core::future::pending::<()>().await;
        }
    }
}
