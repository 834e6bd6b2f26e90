//! Who of the replicas writes: the holder of a Lease.

use std::time::Duration;

use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long nobody writes after a leader has died, in seconds.
const DURATION: u64 = 15;
/// How long before its end it is renewed, in seconds.
const GRACE: u64 = 5;
/// How long giving it up may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A place in the queue for the Lease.
pub struct Leadership {
    leads: watch::Receiver<bool>,
    task: JoinHandle<Result<LeaseManager, LeaseManagerError>>,
}

impl Leadership {
    /// Queues up for a Lease of a namespace. `identity` names this process, by its pod say.
    ///
    /// # Errors
    /// If the API server does not let the Lease be made or read.
    pub async fn seek(
        client: Client,
        namespace: &str,
        lease: &str,
        identity: &str,
    ) -> Result<Self, LeaseManagerError> {
        let manager = LeaseManagerBuilder::new(client, lease)
            .with_namespace(namespace)
            .with_identity(identity)
            .with_duration(DURATION)
            .with_grace(GRACE)
            .build()
            .await?;
        let (leads, task) = manager.watch().await;
        Ok(Self { leads, task })
    }

    /// Tells whether this process leads. It must not outlive [`Self::lost`] and [`Self::give_up`].
    #[must_use]
    pub fn leads(&self) -> watch::Receiver<bool> {
        self.leads.clone()
    }

    /// Waits until the Lease is not looked after any more, which should never be: the process should end then, or it
    /// would write without being the leader.
    pub async fn lost(&mut self) -> String {
        match (&mut self.task).await {
            Ok(Ok(_)) => "the lease is not renewed any more".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// Gives the Lease up, so that another need not wait for its end.
    pub async fn give_up(self) {
        let Self { leads, task } = self;
        drop(leads);
        if tokio::time::timeout(TIMEOUT, task).await.is_err() {
            tracing::warn!("the lease could not be given up in time, and will run out");
        }
    }
}
