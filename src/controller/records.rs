//! Has the leader write down on claims what pods that mount them have brought (semantics 2): a claim stays classified when
//! the pods are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::watch;

use crate::api::keys;
use crate::cluster::{Key, Kind, Shared, State};
use crate::residency::{stored, unrecorded};

/// Claims that may wait for their record. If there are more, all are looked at again when these are done.
const MOST: usize = 4_096;
/// No call takes longer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long is waited after a call that failed; twice as long after each that fails again, up to a minute.
const AGAIN: Duration = Duration::from_secs(2);
const AT_MOST: Duration = Duration::from_mins(1);

/// What records of claims lack. A replica that does not lead keeps it too: the pods may be gone when it comes to lead.
#[derive(Debug, Default)]
pub struct Lacking {
    claims: BTreeMap<Key, BTreeSet<Arc<str>>>,
    /// Whether there was more than fits.
    more: bool,
}

impl Lacking {
    /// Looks at a claim, which may be gone.
    pub fn look(&mut self, state: &State, claim: &Key) {
        let mut lacking = self.claims.remove(claim).unwrap_or_default();
        let Some(entry) = state.claim(&claim.namespace, &claim.name) else { return };
        lacking.extend(unrecorded(state, &claim.namespace, &claim.name));
        lacking.retain(|token| !entry.own.iter().any(|own| own.token == *token));
        if lacking.is_empty() {
            return;
        }
        if self.claims.len() < MOST {
            self.claims.insert(claim.clone(), lacking);
        } else {
            self.more = true;
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
                    () = self.lead(&client) => {}
                    changed = leads.changed() => if changed.is_err() { return },
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
            let claims = self.lacking.lock().claims.clone();
            for (claim, tokens) in claims {
                match write(client, &claim, &tokens).await {
                    Ok(()) => {
                        self.lacking.lock().claims.remove(&claim);
                    }
                    Err(reason) => {
                        let object = claim.to_ref();
                        tracing::warn!(%object, reason, "its record could not be written; trying again");
                        all_written = false;
                    }
                }
            }
            if !all_written || !std::mem::take(&mut self.lacking.lock().more) {
                return all_written;
            }
            for claim in stored(&self.shared.read(), Kind::PersistentVolumeClaim) {
                self.lacking.lock().look(&self.shared.read(), &claim);
            }
        }
    }
}

/// Adds to the record of a claim, if it is there and lacks it.
async fn write(client: &Client, claim: &Key, tokens: &BTreeSet<Arc<str>>) -> Result<(), String> {
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &claim.namespace);
    let read = tokio::time::timeout(TIMEOUT, api.get_metadata_opt(&claim.name)).await;
    let late = |_| format!("no answer within {} s", TIMEOUT.as_secs());
    let Some(stored) = read.map_err(late)?.map_err(|error| error.to_string())? else { return Ok(()) };
    let before = stored.annotations().get(keys::RECORDED).map_or("", String::as_str);
    let Some(record) = with(before, tokens) else { return Ok(()) };
    // Of this version: what somebody else adds meanwhile is not lost.
    let change = json!({"metadata": {
        "resourceVersion": stored.resource_version(),
        "annotations": {keys::RECORDED: record},
    }});
    let (params, change) = (PatchParams::default(), Patch::Merge(change));
    let patch = tokio::time::timeout(TIMEOUT, api.patch_metadata(&claim.name, &params, &change)).await;
    match patch.map_err(late)? {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// A record with more in it. `None`: it has all of that.
fn with(record: &str, more: &BTreeSet<Arc<str>>) -> Option<String> {
    let before: BTreeSet<&str> = record.split(',').map(str::trim).filter(|token| !token.is_empty()).collect();
    let all: BTreeSet<&str> = before.iter().copied().chain(more.iter().map(|token| &**token)).collect();
    (all != before).then(|| all.into_iter().collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::objects::Object;

    fn apply(state: &mut State, value: Value) {
        state.apply(Object::from_value(value).unwrap().unwrap());
    }

    fn pod(name: &str, carries: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop",
            "annotations": {keys::CLASSIFICATION: carries}}, "spec": {"containers": [],
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]}})
    }

    fn claim(annotations: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "shop",
            "annotations": annotations}, "spec": {}})
    }

    fn lacks(lacking: &Lacking) -> Vec<String> {
        lacking.claims.values().flatten().map(ToString::to_string).collect()
    }

    #[test]
    fn what_pods_bring_is_lacking_until_it_is_written() {
        let (mut state, mut lacking) = (State::default(), Lacking::default());
        let key = Key { kind: Kind::PersistentVolumeClaim, namespace: "shop".into(), name: "data".into() };
        apply(&mut state, claim(&json!({})));
        apply(&mut state, pod("a", "personal, Not A Token"));
        apply(&mut state, pod("b", "health"));
        lacking.look(&state, &key);
        assert_eq!(lacks(&lacking), ["health", "personal"]);
        // It is still to be written when the pods are gone.
        state.delete(Kind::Pod, "shop", "a");
        state.delete(Kind::Pod, "shop", "b");
        apply(&mut state, claim(&json!({keys::CLASSIFICATION: "health"})));
        lacking.look(&state, &key);
        assert_eq!(lacks(&lacking), ["personal"]);
        apply(&mut state, claim(&json!({keys::CLASSIFICATION: "health", keys::RECORDED: "personal"})));
        lacking.look(&state, &key);
        assert!(lacks(&lacking).is_empty());
        apply(&mut state, pod("c", "payment"));
        lacking.look(&state, &key);
        assert_eq!(lacks(&lacking), ["payment"]);
        state.delete(Kind::PersistentVolumeClaim, "shop", "data");
        lacking.look(&state, &key);
        assert!(lacks(&lacking).is_empty());
    }

    #[test]
    fn a_record_only_grows() {
        let more: BTreeSet<Arc<str>> = ["b".into(), "c".into()].into();
        assert_eq!(with("", &more).as_deref(), Some("b,c"));
        assert_eq!(with("d, b", &more).as_deref(), Some("b,c,d"));
        assert_eq!(with("c,b", &more), None);
    }
}
