//! Random little clusters, as manifests.

mod geographies;
mod nodes;
mod pods;
mod policies;
mod storage;

use std::sync::Arc;

use domicile::cluster::State;
use domicile::objects::Object;
use jiff::Timestamp;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::reference::World;
use geographies::GEOGRAPHIES;
pub(crate) use nodes::{joining, node};
pub(crate) use pods::{constraint, metadata, pinned_pod, pod, workload};
pub(crate) use policies::{exception, policy};
pub(crate) use storage::{attachment, claim, persistent_volume, snapshot};

pub(crate) fn parse(manifest: &Value) -> Object {
    Object::from_value(manifest.clone())
        .unwrap_or_else(|error| panic!("{error}: {manifest}"))
        .expect("a kind that is read")
}

/// A cluster, at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    /// Which geography.
    pub(crate) geography: usize,
    pub(crate) now: &'static str,
    pub(crate) manifests: Vec<Value>,
}

impl Cluster {
    pub(crate) fn now(&self) -> Timestamp {
        self.now.parse().unwrap()
    }

    /// With the geographies alone.
    pub(crate) fn empty_state(&self) -> State {
        GEOGRAPHIES[self.geography].state.clone()
    }

    pub(crate) fn state(&self) -> State {
        let mut state = self.empty_state();
        state.apply_all(self.manifests.iter().map(parse));
        state
    }

    pub(crate) fn world(&self) -> World {
        World::new(Arc::clone(&GEOGRAPHIES[self.geography].geography), self.manifests.iter().map(parse))
    }
}

pub(crate) const REGION: &str = "topology.kubernetes.io/region";
pub(crate) const ZONE: &str = "topology.kubernetes.io/zone";
pub(crate) const HOSTNAME: &str = "kubernetes.io/hostname";
pub(crate) const RESTRICTED: &str = "domicile.dev.node-restriction.kubernetes.io/jurisdiction";
pub(crate) const CLASSIFICATION: &str = "domicile.dev/data-classification";

const REGIONS: [&str; 8] =
    ["eu-central-1", "us-east-1", "fsn1", "north-1", "south-1", "hall", "annex-2", "nowhere-9"];
const ZONES: [&str; 13] = [
    "eu-central-1a",
    "eu-central-1-ist-1a",
    "us-east-1b",
    "fsn1-dc14",
    "north-1a",
    "north-1-xa",
    "north-1-xb",
    "south-1a",
    "south-1b",
    "cage",
    "nave",
    "lab",
    "nowhere-9z",
];
pub(crate) const TOKENS: [&str; 3] = ["personal", "health", "payment"];
const TEAMS: [&str; 3] = ["a", "b", "7"];

/// Where places and exceptions begin and end.
const MOMENTS: [&str; 4] =
    ["2020-01-01T00:00:00Z", "2026-06-01T11:59:59Z", "2026-06-01T12:00:00Z", "2030-01-01T00:00:00Z"];

/// On each of those, between them, and a second beside.
const NOWS: [&str; 6] = [
    "2019-12-31T23:59:59Z",
    "2020-01-01T00:00:00Z",
    "2026-06-01T11:59:58Z",
    "2026-06-01T11:59:59Z",
    "2026-06-01T12:00:00Z",
    "2030-01-01T00:00:00Z",
];

prop_compose! {
    fn namespace()(mut metadata in metadata("shop".to_owned(), None, 0.2)) -> Value {
        metadata["name"] = "shop".into();
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    }
}

fn up_to<S: Strategy<Value = Value> + 'static>(
    most: usize,
    make: fn(usize) -> S,
) -> BoxedStrategy<Vec<Value>> {
    (0..=most)
        .prop_flat_map(move |count| (0..count).map(|number| make(number).boxed()).collect::<Vec<_>>())
        .boxed()
}

/// A whole cluster.
pub(crate) fn cluster() -> impl Strategy<Value = Cluster> {
    let storage = prop_oneof![
        1 => Just(vec![]),
        2 => stored(),
    ];
    cluster_with(storage, up_to(4, policy))
}

/// One where there are volumes and what belongs to them.
pub(crate) fn cluster_with_storage() -> impl Strategy<Value = Cluster> {
    cluster_with(stored(), up_to(4, policy))
}

/// One whose policies are broad, and its storage as often there as not.
pub(crate) fn broad_cluster() -> impl Strategy<Value = Cluster> {
    let storage = prop_oneof![1 => Just(vec![]), 1 => stored()];
    let policies =
        (1..=2_usize).prop_flat_map(|count| (0..count).map(policies::broad_policy).collect::<Vec<_>>());
    cluster_with(storage, policies)
}

fn stored() -> BoxedStrategy<Vec<Value>> {
    let snapshots = (weighted(0.3, snapshot()), up_to(2, storage::snapshot_class))
        .prop_map(|(snapshot, classes)| [classes, snapshot.into_iter().collect()].concat());
    (up_to(2, storage::class), up_to(3, claim), up_to(3, persistent_volume), snapshots)
        .prop_map(|(classes, claims, volumes, snapshots)| [classes, claims, volumes, snapshots].concat())
        .boxed()
}

fn cluster_with(
    storage: impl Strategy<Value = Vec<Value>>,
    policies: impl Strategy<Value = Vec<Value>>,
) -> impl Strategy<Value = Cluster> {
    (
        (prop_oneof![1 => Just(0_usize), 6 => Just(1), 2 => Just(2)], select(NOWS.to_vec())),
        namespace(),
        up_to(6, node),
        policies,
        prop_oneof![3 => Just(vec![]), 1 => up_to(2, exception)],
        storage,
        prop_oneof![3 => Just(vec![]), 1 => up_to(2, |number| pod(format!("old{number}"), 0.4))],
    )
        .prop_map(|((geography, now), namespace, nodes, policies, exceptions, storage, pods)| Cluster {
            geography,
            now,
            manifests: [vec![namespace], nodes, policies, exceptions, storage, pods].concat(),
        })
}
