//! Fills the shared state from the API server, and keeps it up to date.
//!
//! Every kind has a watch of its own. A watch that begins anew never empties the state: what comes in replaces what
//! was there, and when all has come in, what did not is taken out.

use std::time::Duration;

use ahash::{AHashSet, RandomState};
use futures::{Stream, StreamExt};
use kube::runtime::WatchStreamExt;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource as _};
use serde_json::Value;
use tokio::task::{AbortHandle, JoinSet};

use super::census::Named;
use super::kind::Kind;
use super::live::{WATCH_SECONDS, chain};
use super::resource::{OWN, Resource, SNAPSHOTS};
use super::seen::Seen;
use super::shared::Shared;
use crate::objects::{Object, WorkloadKind};

/// Objects that one call asks for. A page is in memory at once, and nodes list their images.
const PAGE: u32 = 250;
/// How often it is asked what the cluster serves by now.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// The same, while something is waited for.
const ASK_SOON: Duration = Duration::from_secs(2);
/// No answer to that takes longer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long is waited at most before a watch that has failed begins again: as long the state is old for nothing when the API
/// server is back.
const PAUSE: Duration = Duration::from_secs(5);
/// A watch that has failed for this long leaves the state old.
pub const STALE_AFTER: Duration = Duration::from_mins(1);

/// The usual pauses, which grow to a minute, and none longer than [`PAUSE`].
#[derive(Default)]
struct Pauses(watcher::DefaultBackoff);

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|pause| pause.min(PAUSE))
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {
        self.0.reset();
    }
}

/// The kinds that are waited for before anything can be judged.
pub fn awaited() -> impl Iterator<Item = Kind> {
    Resource::ALL.into_iter().map(|resource| resource.kind)
}

/// A watch has ended, which none ever should: the state will not follow the cluster any more.
#[derive(Debug, thiserror::Error)]
#[error("a watch has died, and the state of the cluster is not followed any more: {0}")]
pub struct Died(String);

/// Fills the state and keeps it up to date, for as long as the future is polled.
///
/// It ends only if a watch has died, after which the process should end too: judgements would be made on what was.
pub async fn fill(client: Client, shared: Shared) -> Died {
    let mut watches = Watches { client, shared, set: JoinSet::new() };
    let always = |resource: &Resource| resource.group != OWN && resource.group != SNAPSHOTS;
    for resource in Resource::ALL.into_iter().filter(always) {
        watches.begin(resource);
    }
    let mut own = Optional::of(OWN, "v1alpha1");
    let mut snapshots = Optional::of(SNAPSHOTS, "v1");
    loop {
        let settled = own.follow(&mut watches).await & snapshots.follow(&mut watches).await;
        let asks = tokio::time::sleep(if settled { ASK_AGAIN } else { ASK_SOON });
        tokio::select! {
            () = asks => {}
            died = watches.died() => return died,
        }
    }
}

/// The watches that run.
struct Watches {
    client: Client,
    shared: Shared,
    set: JoinSet<Kind>,
}

impl Watches {
    fn begin(&mut self, resource: Resource) -> AbortHandle {
        let api = Api::<Seen>::all_with(self.client.clone(), &resource.kind.api_resource());
        let config = watcher::Config::default().page_size(PAGE).timeout(WATCH_SECONDS);
        let events = watcher(api, config).backoff(Pauses::default());
        let shared = self.shared.clone();
        self.set.spawn(async move {
            follow(resource, &shared, events).await;
            resource.kind
        })
    }

    /// Waits until a watch dies; one that was ended on purpose does not count.
    async fn died(&mut self) -> Died {
        loop {
            match self.set.join_next().await {
                Some(Err(error)) if error.is_cancelled() => {}
                Some(Err(error)) => return Died(error.to_string()),
                Some(Ok(kind)) => return Died(format!("that of {}", kind.resource())),
                None => return Died("none runs".to_owned()),
            }
        }
    }
}

/// A watch of something that the cluster need not serve.
struct Running {
    resource: Resource,
    watch: AbortHandle,
    /// Whether the last answer was that the cluster does not serve it.
    missed: bool,
}

/// A group that a cluster need not serve, and may serve later.
struct Optional {
    group: &'static str,
    version: &'static str,
    running: Vec<Running>,
    /// Whether the cluster has said once what it serves.
    known: bool,
}

impl Optional {
    fn of(group: &'static str, version: &'static str) -> Self {
        Self { group, version, running: Vec::new(), known: false }
    }

    /// Begins and ends watches as the cluster serves the group, and says whether nothing is waited for.
    ///
    /// Our own kinds are waited for until they are there, and never given up: nothing can be judged without them.
    async fn follow(&mut self, watches: &mut Watches) -> bool {
        let Self { group, version, .. } = *self;
        let served = match served(&watches.client, &format!("{group}/{version}")).await {
            Ok(served) => served,
            Err(reason) => {
                tracing::warn!(group, reason, "it is not known what the cluster serves; asking again");
                return self.known;
            }
        };
        let of_group = Resource::ALL.into_iter().filter(|resource| resource.group == group);
        for resource in of_group.clone() {
            let is_served = served.iter().any(|plural| plural == resource.plural);
            let running = self.running.iter().position(|one| one.resource == resource);
            match (is_served, running) {
                (true, None) => {
                    if self.known {
                        tracing::info!(resource = resource.name(), "the cluster serves it now: watching it");
                    }
                    if self.known && group != OWN {
                        watches.shared.take_up(resource.kind);
                    }
                    let watch = watches.begin(resource);
                    self.running.push(Running { resource, watch, missed: false });
                }
                (false, _) if group == OWN => {
                    if !self.known {
                        tracing::warn!(
                            resource = resource.name(),
                            "the cluster does not serve it: install it with `domicile crds | kubectl apply --server-side -f -`"
                        );
                    }
                }
                // An API server that starts may not know yet what it serves.
                (false, Some(index)) if !self.running[index].missed => self.running[index].missed = true,
                (false, Some(index)) => {
                    tracing::info!(resource = resource.name(), "the cluster serves it no more");
                    let watch = self.running.swap_remove(index).watch;
                    watch.abort();
                    // It may be taking something in, which would stay.
                    while !watch.is_finished() {
                        tokio::task::yield_now().await;
                    }
                    watches.shared.give_up(resource.kind);
                }
                (false, None) => watches.shared.give_up(resource.kind),
                (true, Some(index)) => self.running[index].missed = false,
            }
        }
        self.known = true;
        group != OWN || self.running.len() == of_group.count()
    }
}

/// The resources of a group that the cluster serves.
pub(crate) async fn served(client: &Client, group: &str) -> Result<Vec<String>, String> {
    match tokio::time::timeout(TIMEOUT, client.list_api_group_resources(group)).await {
        Ok(Ok(list)) => Ok(list.resources.into_iter().map(|resource| resource.name).collect()),
        // In plain text, without a reason.
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(Vec::new()),
        Ok(Err(error)) => Err(chain(&error)),
        Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
    }
}

/// Takes the events of one kind in, for as long as there are any.
async fn follow(
    resource: Resource,
    shared: &Shared,
    events: impl Stream<Item = watcher::Result<Event<Seen>>>,
) {
    let mut filling = Filling::of(resource, shared);
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => filling.take(event),
            Err(error) => filling.fail(&error),
        }
    }
}

/// The filling of the state with one kind.
struct Filling<'a> {
    resource: Resource,
    shared: &'a Shared,
    /// While all objects come in: those that have, by the hashes of their names. Names of a hundred thousand pods take
    /// more memory than the pods do; that two names have one hash is not to be expected, and would only keep one that
    /// is gone until the next time.
    coming_in: Option<AHashSet<u64>>,
    hashes: RandomState,
}

impl<'a> Filling<'a> {
    fn of(resource: Resource, shared: &'a Shared) -> Self {
        Self { resource, shared, coming_in: None, hashes: RandomState::new() }
    }

    fn take(&mut self, event: Event<Seen>) {
        let kind = self.resource.kind;
        match event {
            // Said before the API server is asked: no contact yet.
            Event::Init => {
                self.coming_in = Some(AHashSet::new());
                return;
            }
            Event::InitApply(seen) => {
                let key = self.apply(seen);
                let hash = self.hashes.hash_one((&*key.0, &*key.1));
                if let Some(present) = &mut self.coming_in {
                    present.insert(hash);
                }
            }
            Event::InitDone => {
                let present = self.coming_in.take().unwrap_or_default();
                self.shared.sweep(kind, |namespace, name| {
                    present.contains(&self.hashes.hash_one((namespace, name)))
                });
                self.shared.note_synced(kind);
                tracing::debug!(resource = self.resource.name(), objects = present.len(), "all have come in");
            }
            Event::Apply(seen) => {
                self.apply(seen);
            }
            Event::Delete(seen) => {
                let (namespace, name) = self.key(&seen);
                self.shared.write().delete(kind, &namespace, &name);
            }
        }
        if self.shared.note_contact(kind) {
            tracing::info!(resource = self.resource.name(), "the watch works again");
        }
    }

    fn fail(&self, error: &watcher::Error) {
        let failing = self.shared.note_failure(self.resource.kind);
        let (resource, reason) = (self.resource.name(), chain(error));
        let seconds = failing.as_secs();
        if failing >= STALE_AFTER {
            tracing::warn!(resource, reason, seconds, "the watch keeps failing: what is known is old");
        } else if failing.is_zero() {
            tracing::warn!(resource, reason, "the watch failed; trying again");
        } else {
            tracing::debug!(resource, reason, seconds, "the watch failed again; trying again");
        }
    }

    fn key(&self, seen: &Seen) -> Named {
        let namespace = if self.resource.namespaced { seen.meta().namespace.as_deref() } else { None };
        (namespace.unwrap_or_default().into(), seen.meta().name.as_deref().unwrap_or_default().into())
    }

    /// Takes one object in, whatever it is like.
    fn apply(&self, seen: Seen) -> Named {
        let (kind, key) = (self.resource.kind, self.key(&seen));
        let (namespace, name) = (&*key.0, &*key.1);
        let mut value = seen.value;
        if let Value::Object(fields) = &mut value {
            // The items of a list do not say it.
            fields.insert("apiVersion".to_owned(), self.resource.api_version().into());
            fields.insert("kind".to_owned(), kind.as_str().into());
        }
        if is_spent(kind, &value) {
            if self.shared.read().kept(kind, namespace, name).is_some() {
                self.shared.write().delete(kind, namespace, name);
            }
            return key;
        }
        let copy = may_be_unreadable(kind).then(|| value.clone());
        let reason = match Object::from_value(value) {
            Ok(Some(object)) => {
                self.shared.apply(object);
                return key;
            }
            Ok(None) => "it is of another kind".to_owned(),
            Err(error) => error.to_string(),
        };
        let value = copy.unwrap_or_default();
        tracing::error!(kind = kind.as_str(), namespace, name, reason, "a stored object cannot be read");
        let rest = without_constraints(kind, &value);
        let mut state = self.shared.write();
        match rest {
            Some(rest) => {
                state.apply(rest);
                state.note_unreadable(kind, namespace, name, &reason);
            }
            None => state.apply_unreadable(kind, namespace, name, &value, &reason),
        }
        key
    }
}

/// Of these, more than a name is needed where they cannot be read. A copy of any other would be made for nothing.
fn may_be_unreadable(kind: Kind) -> bool {
    matches!(kind, Kind::Pod | Kind::ResidencyPolicy)
}

/// Whether it is one of the old ReplicaSets that a Deployment keeps for `rollout undo`. It has no pods, and whatever
/// would give it some is judged: the Deployment, of the same namespace, is in the state, and so will its pods be.
fn is_spent(kind: Kind, value: &Value) -> bool {
    if kind != Kind::Workload(WorkloadKind::ReplicaSet) {
        return false;
    }
    let owners = value.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let of_deployment = owners
        .into_iter()
        .flatten()
        .any(|owner| owner["kind"] == "Deployment" && owner["controller"] == true);
    of_deployment && value.pointer("/spec/replicas").and_then(Value::as_u64) == Some(0)
}

/// A pod whose constraints cannot be read still carries what it carries, and mounts what it mounts. Without
/// constraints it could be anywhere, which permits less.
fn without_constraints(kind: Kind, value: &Value) -> Option<Object> {
    if kind != Kind::Pod {
        return None;
    }
    let mut value = value.clone();
    let spec = value.get_mut("spec")?.as_object_mut()?;
    for constraint in ["affinity", "nodeSelector", "tolerations"] {
        spec.remove(constraint);
    }
    Object::from_value(value).ok()?
}

#[cfg(test)]
mod tests;
