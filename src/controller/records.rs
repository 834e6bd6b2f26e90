//! Has the leader write down on claims what pods that mount them have brought, and on volumes, snapshots and their content
//! what those that they are of have come to carry (semantics 2): they stay classified when those are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::watch;

use crate::api::keys;
use crate::cluster::{Key, Kind, Left, Shared, State, head};
use crate::residency::{Verdict, judge_stored, stored, unrecorded, unrecorded_of_data};

/// Objects that may wait for their record. If there are more, all are looked at again when these are done.
const MOST: usize = 4_096;
/// No call takes longer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long is waited after a call that failed; twice as long after each that fails again, up to a minute.
const AGAIN: Duration = Duration::from_secs(2);
const AT_MOST: Duration = Duration::from_mins(1);

/// The kinds that keep a record.
const KINDS: [Kind; 4] =
    [Kind::PersistentVolumeClaim, Kind::PersistentVolume, Kind::VolumeSnapshot, Kind::VolumeSnapshotContent];

/// What records lack. A replica that does not lead keeps it too: the pods may be gone when it comes to lead.
#[derive(Debug, Default)]
pub struct Lacking {
    objects: BTreeMap<Key, BTreeSet<Arc<str>>>,
    /// Whether there was more than fits.
    more: bool,
}

impl Lacking {
    /// Takes what others have left on objects before they went, and says on how many objects it is lost for want of room.
    pub fn leave(&mut self, left: Left) -> usize {
        let mut lost = left.lost;
        for (object, tokens) in left.on {
            if self.objects.len() < MOST || self.objects.contains_key(&object) {
                self.objects.entry(object).or_default().extend(tokens);
            } else {
                lost += 1;
            }
        }
        lost
    }

    /// Looks at an object, of any kind: `verdict` is what was judged of it, nothing if it is gone.
    pub fn look(&mut self, state: &State, object: &Key, verdict: Option<&Verdict>) {
        let (namespace, name) = (object.namespace.as_str(), object.name.as_str());
        let own = match object.kind {
            Kind::PersistentVolumeClaim => state.claim(namespace, name).map(|claim| &claim.own),
            Kind::PersistentVolume => state.volume(name).map(|volume| &volume.own),
            Kind::VolumeSnapshot => state.snapshot(namespace, name).map(|snapshot| &snapshot.own),
            Kind::VolumeSnapshotContent => state.content(name).map(|content| &content.own),
            _ => return,
        };
        let mut lacking = self.objects.remove(object).unwrap_or_default();
        let Some(own) = own else { return };
        lacking.extend(match verdict {
            _ if object.kind == Kind::PersistentVolumeClaim => unrecorded(state, namespace, name),
            Some(verdict) => unrecorded_of_data(own, verdict),
            None => return,
        });
        lacking.retain(|token| !own.iter().any(|own| own.token == *token));
        if lacking.is_empty() {
            return;
        }
        if self.objects.len() < MOST {
            self.objects.insert(object.clone(), lacking);
        } else {
            self.more = true;
        }
    }

    /// Takes what an object does not lack any more. What came while that was written stays.
    fn written(&mut self, object: &Key, tokens: &BTreeSet<Arc<str>>) {
        if let Some(lacking) = self.objects.get_mut(object) {
            lacking.retain(|token| !tokens.contains(token));
            if lacking.is_empty() {
                self.objects.remove(object);
            }
        }
    }
}

/// What writing records takes.
#[derive(Debug)]
pub struct Records {
    /// What is known of the cluster.
    pub shared: Shared,
    /// What is to be written.
    pub lacking: Arc<Mutex<Lacking>>,
    /// Changes after each audit.
    pub audited: watch::Receiver<u64>,
}

impl Records {
    /// Writes records while this process leads, for as long as the future is polled.
    pub async fn run(mut self, client: Client, mut leads: watch::Receiver<bool>) {
        loop {
            if *leads.borrow_and_update() {
                tokio::select! {
                    biased;
                    changed = leads.changed() => if changed.is_err() { return },
                    () = self.lead(&client) => {}
                }
            } else if leads.changed().await.is_err() {
                return;
            }
        }
    }

    async fn lead(&mut self, client: &Client) {
        let mut pause = AGAIN;
        loop {
            self.audited.mark_unchanged();
            if self.write(client).await {
                pause = AGAIN;
                if self.audited.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            } else {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(AT_MOST);
            }
        }
    }

    /// Writes what is lacking. Says whether all of it was.
    async fn write(&self, client: &Client) -> bool {
        let mut all_written = true;
        loop {
            let objects = self.lacking.lock().objects.clone();
            for (object, tokens) in objects {
                match write(client, &object, &tokens).await {
                    Ok(()) => self.lacking.lock().written(&object, &tokens),
                    Err(reason) => {
                        let object = object.to_ref();
                        tracing::warn!(%object, reason, "its record could not be written; trying again");
                        all_written = false;
                    }
                }
            }
            if !all_written || !std::mem::take(&mut self.lacking.lock().more) {
                return all_written;
            }
            for kind in KINDS {
                let objects = stored(&self.shared.read(), kind);
                for object in objects {
                    let state = self.shared.read();
                    let now = Timestamp::now();
                    let verdict = judge_stored(&state, kind, &object.namespace, &object.name, now);
                    self.lacking.lock().look(&state, &object, verdict.as_ref());
                }
            }
        }
    }
}

/// Adds to the record of an object, if it is there and lacks it.
async fn write(client: &Client, object: &Key, tokens: &BTreeSet<Arc<str>>) -> Result<(), String> {
    let read = tokio::time::timeout(TIMEOUT, head::read(client, object)).await;
    let late = |_| format!("no answer within {} s", TIMEOUT.as_secs());
    let Some(stored) = read.map_err(late)?.map_err(|error| error.to_string())? else { return Ok(()) };
    let before = stored.annotations.get(keys::RECORDED).map_or("", String::as_str);
    let Some(record) = with(before, tokens) else { return Ok(()) };
    // Of this version: what somebody else adds meanwhile is not lost.
    let change = json!({"metadata": {
        "resourceVersion": stored.resource_version,
        "annotations": {keys::RECORDED: record},
    }});
    let patch = tokio::time::timeout(TIMEOUT, head::patch(client, object, &change)).await;
    patch.map_err(late)?.map(drop).map_err(|error| error.to_string())
}

/// A record with more in it. `None`: it has all of that.
fn with(record: &str, more: &BTreeSet<Arc<str>>) -> Option<String> {
    let before: BTreeSet<&str> = record.split(',').map(str::trim).filter(|token| !token.is_empty()).collect();
    let all: BTreeSet<&str> = before.iter().copied().chain(more.iter().map(|token| &**token)).collect();
    (all != before).then(|| all.into_iter().collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests;
