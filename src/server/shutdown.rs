//! When to stop: told once, heard everywhere.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// How far the end has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// There is no end in sight.
    #[default]
    Running,
    /// No new work is to be found, and what comes all the same is done.
    Stopping,
    /// Now, whatever is open.
    Now,
}

/// The end of the process; clones tell and hear the same.
#[derive(Clone, Debug)]
pub struct Shutdown {
    phase: Arc<watch::Sender<Phase>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { phase: Arc::new(watch::Sender::new(Phase::Running)) }
    }
}

impl Shutdown {
    /// One that SIGTERM and SIGINT begin; a second signal ends it at once. To be called in a runtime.
    pub fn on_signals() -> std::io::Result<Self> {
        let shutdown = Self::default();
        let mut signals = Signals::new()?;
        let told = shutdown.clone();
        tokio::spawn(async move {
            let name = signals.next().await;
            tracing::info!(signal = name, "shutting down");
            told.begin();
            let name = signals.next().await;
            tracing::warn!(signal = name, "a second signal: shutting down at once");
            told.advance(Phase::Now);
        });
        Ok(shutdown)
    }

    /// Begins the end.
    pub fn begin(&self) {
        self.advance(Phase::Stopping);
    }

    fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let further = *phase < to;
            *phase = (*phase).max(to);
            further
        });
    }

    /// How far it is.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Waits until it has begun.
    pub async fn begun(&self) {
        self.reached(Phase::Stopping).await;
    }

    async fn reached(&self, wanted: Phase) {
        // The sender lives as long as `self`, so that this cannot fail.
        let _ = self.phase.subscribe().wait_for(|phase| *phase >= wanted).await;
    }

    /// Waits this long, or until it has to end at once.
    pub(super) async fn grace(&self, grace: Duration) {
        let _ = tokio::time::timeout(grace, self.reached(Phase::Now)).await;
    }

    /// Waits until it has to end at once.
    pub(super) async fn now(&self) {
        self.reached(Phase::Now).await;
    }
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[allow(clippy::unnecessary_wraps)]
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> &'static str {
        // Where there is no Ctrl-C to wait for, only the end of the process is left.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_only_goes_on() {
        let shutdown = Shutdown::default();
        assert_eq!(shutdown.phase(), Phase::Running);
        let heard = shutdown.clone();
        let waiting = tokio::spawn(async move { heard.begun().await });
        shutdown.begin();
        waiting.await.unwrap();
        shutdown.advance(Phase::Now);
        shutdown.begin();
        assert_eq!(shutdown.phase(), Phase::Now);
        // Neither waits any more.
        shutdown.begun().await;
        shutdown.grace(Duration::from_hours(1)).await;
    }
}
