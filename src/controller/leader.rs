//! Who of the replicas writes: the holder of a Lease, until as long after its last renewal as the Lease lasts.

use std::time::Duration;

use axum::http::{Method, Request};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::client::Body;
use kube::{Api, Client};
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long nobody writes after a leader has died.
const DURATION: Duration = Duration::from_secs(15);
/// How long before its end it is renewed.
const GRACE: Duration = Duration::from_secs(5);
/// No call takes longer: one without an answer leaves time for another before the end.
const CALL: Duration = Duration::from_secs(3);
/// How long is waited before the Lease is asked for again.
const AGAIN: Duration = Duration::from_secs(2);
/// How long giving it up may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A place in the queue for the Lease.
pub struct Leadership {
    leads: watch::Receiver<bool>,
    task: JoinHandle<Option<LeaseManagerError>>,
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
        Self::seek_for(client, namespace, lease, identity, [DURATION, GRACE]).await
    }

    async fn seek_for(
        client: Client,
        namespace: &str,
        lease: &str,
        identity: &str,
        [duration, grace]: [Duration; 2],
    ) -> Result<Self, LeaseManagerError> {
        let (notes, renewed) = watch::channel(None);
        let queue = Queue {
            client: noting(client, namespace, notes),
            namespace: namespace.to_owned(),
            lease: lease.to_owned(),
            identity: identity.to_owned(),
            duration,
            grace,
            renewed,
        };
        let manager = queue.manager().await?;
        let (says, leads) = watch::channel(false);
        Ok(Self { leads, task: tokio::spawn(queue.stand(manager, says)) })
    }

    /// Tells whether this process leads. It must not outlive [`Self::lost`] and [`Self::give_up`].
    #[must_use]
    pub fn leads(&self) -> watch::Receiver<bool> {
        self.leads.clone()
    }

    /// Waits until the Lease is not looked after any more, which should never be: the process should end then, or
    /// nobody might write.
    pub async fn lost(&mut self) -> String {
        match (&mut self.task).await {
            Ok(None) => "the lease is not renewed any more".to_owned(),
            Ok(Some(error)) => error.to_string(),
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

/// One who waits for the Lease, or holds it.
struct Queue {
    client: Client,
    namespace: String,
    lease: String,
    identity: String,
    duration: Duration,
    grace: Duration,
    /// When the Lease was last written by this process.
    renewed: watch::Receiver<Option<Instant>>,
}

impl Queue {
    /// Makes the Lease if it is not there. One that this process, or one before it of this name, holds already is given up,
    /// and asked for from the beginning: the clock may have been set since it was renewed.
    async fn manager(&self) -> Result<LeaseManager, LeaseManagerError> {
        let manager = LeaseManagerBuilder::new(self.client.clone(), &self.lease)
            .with_namespace(&self.namespace)
            .with_identity(&self.identity)
            .with_duration(self.duration.as_secs())
            .with_grace(self.grace.as_secs())
            .build()
            .await?;
        manager.release().await?;
        Ok(manager)
    }

    /// Says who leads until nobody listens any more. The manager goes on calling itself the holder where it cannot
    /// renew the Lease, and another may hold it by then; so it is replaced by one that asks from the beginning.
    async fn stand(
        mut self,
        mut manager: LeaseManager,
        says: watch::Sender<bool>,
    ) -> Option<LeaseManagerError> {
        loop {
            let begun = Instant::now();
            let (mut holds, mut task) = manager.watch().await;
            loop {
                let renewed = *self.renewed.borrow_and_update();
                let holds_it = *holds.borrow_and_update();
                let until = renewed.map_or(begun, |renewed| renewed.max(begun)) + self.duration;
                let is_over = until <= Instant::now();
                let leads = holds_it && !is_over && renewed.is_some_and(|renewed| renewed >= begun);
                says.send_if_modified(|said| std::mem::replace(said, leads) != leads);
                if holds_it && is_over {
                    break;
                }
                tokio::select! {
                    () = says.closed() => {
                        drop(holds);
                        return task.await.ok().and_then(Result::err);
                    }
                    ended = &mut task => return ended.ok().and_then(Result::err),
                    _ = holds.changed() => {}
                    _ = self.renewed.changed() => {}
                    () = tokio::time::sleep_until(until), if holds_it => {}
                }
            }
            tracing::warn!("the lease could not be renewed: this replica leads no more, and queues up again");
            task.abort();
            manager = loop {
                match self.manager().await {
                    Ok(manager) => break manager,
                    Err(error) => tracing::warn!(%error, "the lease cannot be had; trying again"),
                }
                tokio::select! {
                    () = says.closed() => return None,
                    () = tokio::time::sleep(AGAIN) => {}
                }
            };
        }
    }
}

/// Sees whether anybody leads.
pub struct Lookout {
    api: Api<Lease>,
    lease: String,
    last: Option<MicroTime>,
}

impl Lookout {
    /// One that looks at a Lease of a namespace, and has not yet.
    #[must_use]
    pub fn new(client: Client, namespace: &str, lease: &str) -> Self {
        Self { api: Api::namespaced(client, namespace), lease: lease.to_owned(), last: None }
    }

    /// Whether the Lease was renewed since it was last looked at. If it cannot be read, nobody knows.
    pub(super) async fn is_led(&mut self) -> bool {
        let read = tokio::time::timeout(CALL, self.api.get_opt(&self.lease)).await;
        let Ok(Ok(Some(lease))) = read else { return false };
        let renewed =
            lease.spec.filter(|spec| spec.holder_identity.is_some()).and_then(|spec| spec.renew_time);
        let before = std::mem::replace(&mut self.last, renewed);
        before.is_some() && self.last.is_some() && before != self.last
    }

    /// Forgets what was seen: it was this process that led.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }
}

/// A client that notes when the Lease was written, by when that was begun, and that waits no longer than [`CALL`].
fn noting(client: Client, namespace: &str, notes: watch::Sender<Option<Instant>>) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, notes) = (client.clone(), notes.clone());
        async move {
            let (begun, is_write) = (Instant::now(), request.method() == Method::PATCH);
            let late = |_| kube::Error::Service(format!("no answer within {} s", CALL.as_secs()).into());
            let answer = tokio::time::timeout(CALL, client.send(request)).await.map_err(late)??;
            if is_write && answer.status().is_success() {
                notes.send_replace(Some(begun));
            }
            Ok::<_, kube::Error>(answer)
        }
    });
    Client::new(service, namespace)
}

#[cfg(test)]
mod tests;
