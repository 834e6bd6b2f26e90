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
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};
    use kube::client::Body;
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
        lacking.objects.values().flatten().map(ToString::to_string).collect()
    }

    #[test]
    fn what_pods_bring_is_lacking_until_it_is_written() {
        let (mut state, mut lacking) = (State::default(), Lacking::default());
        let key = Key { kind: Kind::PersistentVolumeClaim, namespace: "shop".into(), name: "data".into() };
        apply(&mut state, claim(&json!({})));
        apply(&mut state, pod("a", "personal, Not A Token"));
        apply(&mut state, pod("b", "health"));
        lacking.look(&state, &key, None);
        assert_eq!(lacks(&lacking), ["health", "personal"]);
        // It is still to be written when the pods are gone.
        state.delete(Kind::Pod, "shop", "a");
        state.delete(Kind::Pod, "shop", "b");
        apply(&mut state, claim(&json!({keys::CLASSIFICATION: "health"})));
        lacking.look(&state, &key, None);
        assert_eq!(lacks(&lacking), ["personal"]);
        apply(&mut state, claim(&json!({keys::CLASSIFICATION: "health", keys::RECORDED: "personal"})));
        lacking.look(&state, &key, None);
        assert!(lacks(&lacking).is_empty());
        apply(&mut state, pod("c", "payment"));
        lacking.look(&state, &key, None);
        assert_eq!(lacks(&lacking), ["payment"]);
        state.delete(Kind::PersistentVolumeClaim, "shop", "data");
        lacking.look(&state, &key, None);
        assert!(lacks(&lacking).is_empty());
    }

    #[test]
    fn what_a_claim_comes_to_carry_is_lacking_on_its_volume() {
        let (mut state, mut lacking) = (State::default(), Lacking::default());
        let key = Key { kind: Kind::PersistentVolume, namespace: String::new(), name: "pv".into() };
        let volume = |of: &Value| {
            json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"},
                "spec": {"csi": {"driver": "ebs.csi.aws.com"}, "claimRef": of}})
        };
        let mut look = |state: &State| {
            let verdict = judge_stored(state, key.kind, "", "pv", Timestamp::UNIX_EPOCH);
            lacking.look(state, &key, verdict.as_ref());
            lacks(&lacking)
        };
        apply(&mut state, volume(&Value::Null));
        apply(&mut state, claim(&json!({keys::CLASSIFICATION: "health"})));
        assert!(look(&state).is_empty());
        apply(&mut state, volume(&json!({"namespace": "shop", "name": "data"})));
        assert_eq!(look(&state), ["health"]);
        apply(&mut state, pod("a", "personal"));
        assert_eq!(look(&state), ["health", "personal"]);
        state.delete(Kind::PersistentVolumeClaim, "shop", "data");
        assert_eq!(look(&state), ["health", "personal"]);
        state.delete(Kind::PersistentVolume, "", "pv");
        assert!(look(&state).is_empty());
    }

    #[tokio::test]
    async fn what_a_pod_brings_while_a_record_is_written_is_written_too() {
        let mut state = State::default();
        apply(&mut state, claim(&json!({})));
        let key = Key { kind: Kind::PersistentVolumeClaim, namespace: "shop".into(), name: "data".into() };
        let lacking = Arc::<Mutex<Lacking>>::default();
        apply(&mut state, pod("a", "health"));
        lacking.lock().look(&state, &key, None);
        // An API server that takes its time: meanwhile another pod comes and goes.
        apply(&mut state, pod("b", "personal"));
        let (shared, stored) = (Shared::complete(state), Arc::new(Mutex::new(claim(&json!({})))));
        let service = {
            let (shared, lacking, stored) = (shared.clone(), Arc::clone(&lacking), Arc::clone(&stored));
            tower::service_fn(move |request: Request<Body>| {
                let (shared, lacking, stored) = (shared.clone(), Arc::clone(&lacking), Arc::clone(&stored));
                let key =
                    Key { kind: Kind::PersistentVolumeClaim, namespace: "shop".into(), name: "data".into() };
                async move {
                    let is_write = request.method() == "PATCH";
                    let body = request.into_body().collect_bytes().await.unwrap();
                    let mut stored = stored.lock();
                    if is_write {
                        if shared.read().pod("shop", "b").is_some() {
                            lacking.lock().look(&shared.read(), &key, None);
                            shared.write().delete(Kind::Pod, "shop", "b");
                        }
                        json_patch::merge(&mut stored, &serde_json::from_slice(&body).unwrap());
                    }
                    let body = Body::from(serde_json::to_vec(&*stored).unwrap());
                    Ok::<_, Infallible>(Response::builder().status(200).body(body).unwrap())
                }
            })
        };
        let records = Records { shared, lacking, audited: watch::channel(1).1 };
        let client = Client::new(service, "default");
        assert!(records.write(&client).await);
        assert_eq!(lacks(&records.lacking.lock()), ["personal"]);
        assert!(records.write(&client).await);
        assert!(lacks(&records.lacking.lock()).is_empty());
        assert_eq!(stored.lock()["metadata"]["annotations"][keys::RECORDED], "health,personal");
    }

    /// What `managedFields` say is up to whoever writes the object. It must not keep its record from it.
    #[tokio::test]
    async fn what_nobody_reads_may_be_nested_deep() {
        let nested = (0..1000).fold(json!({}), |inner, _| json!({"f:a": inner}));
        let service = tower::service_fn(move |_: Request<Body>| {
            let mut stored = claim(&json!({}));
            stored["metadata"]["managedFields"] = json!([{"manager": "deep", "fieldsV1": nested}]);
            let body = Body::from(serde_json::to_vec(&stored).unwrap());
            async { Ok::<_, Infallible>(Response::builder().status(200).body(body).unwrap()) }
        });
        let key = Key { kind: Kind::PersistentVolumeClaim, namespace: "shop".into(), name: "data".into() };
        let tokens = BTreeSet::from(["personal".into()]);
        assert_eq!(write(&Client::new(service, "default"), &key, &tokens).await, Ok(()));
    }

    #[test]
    fn what_a_snapshot_comes_to_carry_is_lacking_on_it_and_its_content() {
        let (mut state, mut lacking) = (State::default(), Lacking::default());
        let key = |kind, namespace: &str| Key { kind, namespace: namespace.into(), name: "taken".into() };
        let snapshot = |annotations: &Value| {
            json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
                "metadata": {"name": "taken", "namespace": "shop", "annotations": annotations},
                "spec": {"source": {"persistentVolumeClaimName": "data"}}})
        };
        let mut look = |state: &State| {
            for key in [key(Kind::VolumeSnapshot, "shop"), key(Kind::VolumeSnapshotContent, "")] {
                let verdict = judge_stored(state, key.kind, &key.namespace, &key.name, Timestamp::UNIX_EPOCH);
                lacking.look(state, &key, verdict.as_ref());
            }
            lacks(&lacking)
        };
        // A group of snapshots, or who brings a snapshot from elsewhere, makes the content first.
        apply(
            &mut state,
            json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent",
                "metadata": {"name": "taken"},
                "spec": {"driver": "ebs.csi.aws.com", "volumeSnapshotRef": {"namespace": "shop", "name": "taken"}}}),
        );
        apply(&mut state, claim(&json!({})));
        apply(&mut state, snapshot(&json!({keys::CLASSIFICATION: "health"})));
        assert_eq!(look(&state), ["health"]);
        apply(&mut state, claim(&json!({keys::CLASSIFICATION: "personal"})));
        assert_eq!(look(&state), ["personal", "health", "personal"]);
        // The content is still there when they are gone.
        state.delete(Kind::PersistentVolumeClaim, "shop", "data");
        state.delete(Kind::VolumeSnapshot, "shop", "taken");
        assert_eq!(look(&state), ["health", "personal"]);
        state.delete(Kind::VolumeSnapshotContent, "", "taken");
        assert!(look(&state).is_empty());
    }

    #[test]
    fn what_came_and_went_between_two_looks_is_lacking() {
        let bound = |annotations: &Value| {
            let mut claim = claim(annotations);
            claim["spec"]["volumeName"] = json!("pv");
            Object::from_value(claim).unwrap().unwrap()
        };
        let mut state = State::default();
        apply(
            &mut state,
            json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"},
                "spec": {"csi": {"driver": "ebs.csi.aws.com"}, "claimRef": {"namespace": "shop", "name": "data"}}}),
        );
        state.apply(bound(&json!({})));
        let shared = Shared::complete(state);
        shared.open_journal();
        let come_and_go = |what: &[(Kind, &str)]| {
            let mut state = shared.write();
            state.apply(bound(&json!({keys::CLASSIFICATION: "health, Not A Token"})));
            state.apply(Object::from_value(pod("a", "personal")).unwrap().unwrap());
            for (kind, name) in what {
                state.delete(*kind, if *kind == Kind::PersistentVolume { "" } else { "shop" }, name);
            }
            drop(state);
            let mut lacking = Lacking::default();
            assert_eq!(lacking.leave(shared.take_left()), 0);
            let named = |(key, tokens): (&Key, &BTreeSet<Arc<str>>)| (key.name.clone(), tokens.len());
            lacking.objects.iter().map(named).collect::<Vec<_>>()
        };
        let (pod, claim) = ((Kind::Pod, "a"), (Kind::PersistentVolumeClaim, "data"));
        assert_eq!(come_and_go(&[pod]), [("data".to_owned(), 1)]);
        assert_eq!(come_and_go(&[pod, claim]), [("pv".to_owned(), 2)]);
        assert_eq!(come_and_go(&[claim, pod]), [("pv".to_owned(), 2)]);
        assert!(come_and_go(&[pod, claim, (Kind::PersistentVolume, "pv")]).is_empty());
    }

    #[test]
    fn a_snapshot_that_came_and_went_leaves_its_content() {
        let (claim_key, taken_key) = ((Kind::PersistentVolumeClaim, "data"), (Kind::VolumeSnapshot, "taken"));
        for (said, gone, expected) in [
            ("claim", &[claim_key][..], &[("taken", "personal")][..]),
            ("claim", &[claim_key, taken_key], &[("content", "personal")]),
            ("claim", &[taken_key, claim_key], &[("content", "personal")]),
            ("snapshot", &[taken_key], &[("content", "personal")]),
            ("namespace", &[taken_key], &[("content", "personal")]),
            ("pod", &[(Kind::Pod, "a"), claim_key, taken_key], &[("content", "personal")]),
            ("pod", &[taken_key], &[("content", "personal")]),
            ("snapshot", &[taken_key, (Kind::VolumeSnapshotContent, "content")], &[]),
            ("nobody", &[claim_key, taken_key], &[]),
        ] {
            let of = |who: &str| {
                if who == said { json!({keys::CLASSIFICATION: "personal"}) } else { json!({}) }
            };
            let group = "snapshot.storage.k8s.io/v1";
            let mut state = State::default();
            apply(
                &mut state,
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "annotations": of("namespace")}}),
            );
            apply(&mut state, claim(&of("claim")));
            apply(
                &mut state,
                json!({"apiVersion": group, "kind": "VolumeSnapshot",
                    "metadata": {"name": "taken", "namespace": "shop", "annotations": of("snapshot")},
                    "spec": {"source": {"persistentVolumeClaimName": "data"}}}),
            );
            for (name, of) in [("content", "taken"), ("other", "other")] {
                apply(
                    &mut state,
                    json!({"apiVersion": group, "kind": "VolumeSnapshotContent", "metadata": {"name": name},
                        "spec": {"driver": "ebs.csi.aws.com", "volumeSnapshotRef": {"namespace": "shop", "name": of}}}),
                );
            }
            if said == "pod" {
                apply(&mut state, pod("a", "personal"));
            }
            let shared = Shared::complete(state);
            shared.open_journal();
            for (kind, name) in gone {
                let namespace = if *kind == Kind::VolumeSnapshotContent { "" } else { "shop" };
                shared.write().delete(*kind, namespace, name);
            }
            let left = shared.take_left();
            let found: Vec<(&str, &str)> = left
                .on
                .iter()
                .flat_map(|(key, tokens)| tokens.iter().map(|token| (&*key.name, &**token)))
                .collect();
            assert_eq!(found, expected, "{said} {gone:?}");
        }
    }

    #[test]
    fn what_there_is_no_room_for_is_counted() {
        let key = |number: usize| Key {
            kind: Kind::PersistentVolume,
            namespace: String::new(),
            name: format!("pv-{number}"),
        };
        let tokens = || BTreeSet::from(["personal".into()]);
        let left = |numbers: std::ops::Range<usize>, lost| Left {
            on: numbers.map(|number| (key(number), tokens())).collect(),
            lost,
        };
        let mut lacking = Lacking::default();
        assert_eq!(lacking.leave(left(0..MOST, 0)), 0);
        assert_eq!(lacking.leave(left(MOST - 1..MOST + 2, 5)), 7);
        // The same where they wait for the next look.
        let mut state = State::default();
        let numbers = || 0..MOST + 3;
        for number in numbers() {
            apply(
                &mut state,
                json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": format!("pv-{number}")},
                    "spec": {"csi": {"driver": "ebs.csi.aws.com"}}}),
            );
            let mut claim = claim(&json!({keys::CLASSIFICATION: "personal"}));
            claim["metadata"]["name"] = json!(format!("data-{number}"));
            claim["spec"]["volumeName"] = json!(format!("pv-{number}"));
            apply(&mut state, claim);
        }
        let shared = Shared::complete(state);
        shared.open_journal();
        for number in numbers() {
            shared.write().delete(Kind::PersistentVolumeClaim, "shop", &format!("data-{number}"));
        }
        let left = shared.take_left();
        assert_eq!((left.on.len(), left.lost), (MOST, 3));
        assert_eq!(shared.take_left().lost, 0);
    }

    #[test]
    fn a_record_only_grows() {
        let more: BTreeSet<Arc<str>> = ["b".into(), "c".into()].into();
        assert_eq!(with("", &more).as_deref(), Some("b,c"));
        assert_eq!(with("d, b", &more).as_deref(), Some("b,c,d"));
        assert_eq!(with("c,b", &more), None);
    }
}
