//! The shared state follows a real cluster. On a control plane of its own: kinds come and go here, and the API server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use domicile::api::crds_yaml;
use domicile::cluster::watch::{STALE_AFTER, awaited, fill};
use domicile::cluster::{Kind, Shared, State};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::plane::{Component, Plane, Trials, eventually};

pub(crate) fn trials() -> Trials {
    Trials::of("watching").apart("a_state_follows_a_cluster_from_nothing", || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let plane = runtime.block_on(Plane::start());
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(a_state_follows_a_cluster(&plane));
        }));
        plane.end(outcome.is_err());
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    })
}

const POLICY: &str = "residencypolicies.domicile.dev";

async fn a_state_follows_a_cluster(plane: &Plane) {
    let shared = Shared::awaiting(State::default(), awaited());
    let filling = tokio::spawn(fill(plane.client(), shared.clone()));
    what_is_not_installed_is_waited_for(plane, &shared).await;
    objects_come_change_and_go(plane, &shared).await;
    a_malformed_policy_stops_nothing(plane, &shared).await;
    an_api_server_that_restarts_leaves_no_gap(plane, &shared).await;
    snapshots_come_and_go(plane, &shared).await;
    assert!(!filling.is_finished());
    filling.abort();
}

fn apply(plane: &Plane, manifest: &str) {
    plane.admin().kubectl_reading(&["apply", "--server-side", "--force-conflicts", "-f", "-"], manifest).ok();
}

async fn until(what: &str, shared: &Shared, holds: impl Fn(&State) -> bool) {
    eventually(what, async || holds(&shared.read()).then_some(())).await;
}

async fn what_is_not_installed_is_waited_for(plane: &Plane, shared: &Shared) {
    let own = [Kind::ResidencyPolicy, Kind::Geography, Kind::ResidencyException];
    eventually("all has come in but our own kinds", async || (shared.pending() == own).then_some(())).await;
    assert!(shared.read().namespace("kube-system").is_some());
    apply(plane, &crds_yaml().unwrap());
    eventually("our own kinds have come in", async || shared.pending().is_empty().then_some(())).await;
}

fn policy(spec: Value) -> String {
    let mut policy =
        json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "eu"}});
    policy["spec"] = spec;
    policy.to_string()
}

fn good() -> Value {
    json!({"classifications": ["personal"], "allow": [{"jurisdictions": ["DE"]}]})
}

async fn objects_come_change_and_go(plane: &Plane, shared: &Shared) {
    plane.node("watched-1", json!({"topology.kubernetes.io/region": "eu-central-1"})).await;
    let namespace = plane.namespace("watched").await;
    apply(plane, &policy(good()));
    let pod = json!({
        "metadata": {"name": "web", "annotations": {"domicile.dev/data-classification": "personal"}},
        "spec": {
            "containers": [{"name": "main", "image": "example.invalid/none"}],
            "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}],
        },
    });
    let _: Pod = plane.create(&namespace, pod).await;
    until("the pod is there", shared, |state| state.pod(&namespace, "web").is_some()).await;
    until("the policy is there", shared, |state| state.written_policy("eu").is_some()).await;
    {
        let state = shared.read();
        assert_eq!(&*state.pod(&namespace, "web").unwrap().own[0].token, "personal");
        assert_eq!(state.mounting(&namespace, "data").count(), 1);
        assert!(state.nodes().get("watched-1").is_some());
    }
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "main", "image": "example.invalid/none"}]}}}});
    apply(plane, &deployment.to_string());
    let sets = Kind::Workload(domicile::objects::WorkloadKind::ReplicaSet);
    until("its ReplicaSet is there", shared, |state| state.count(sets) == 1).await;
    plane.admin().kubectl(&["scale", "deployment/web", "--replicas=0", "-n", &namespace]).ok();
    until("its ReplicaSet without pods is not kept", shared, |state| state.count(sets) == 0).await;
    let pods: Api<Pod> = Api::namespaced(plane.client(), &namespace);
    pods.delete("web", &DeleteParams::default().grace_period(0)).await.unwrap();
    until("the pod is gone", shared, |state| state.pod(&namespace, "web").is_none()).await;
    assert_eq!(shared.read().mounting(&namespace, "data").count(), 0);
}

/// Stores a policy that no schema has looked at, as an older version may have left it.
async fn a_malformed_policy_stops_nothing(plane: &Plane, shared: &Shared) {
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
    let loose = json!([{"op": "replace", "path": spec,
        "value": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}]);
    plane.admin().kubectl(&["patch", "crd", POLICY, "--type=json", "-p", &loose.to_string()]).ok();
    let odd = policy(json!({"classifications": ["personal"], "allow": "everywhere", "action": "Perhaps"}));
    eventually("the schema is loose", async || {
        let said = plane.admin().kubectl_reading(&["replace", "-f", "-"], &odd);
        (said.status == 0).then_some(())
    })
    .await;
    until("it is known that the policy cannot be read", shared, |state| !state.problems().is_empty()).await;
    {
        let state = shared.read();
        let problems = state.problems();
        assert_eq!(problems[0].object.to_string(), "ResidencyPolicy/eu");
        assert!(state.written_policy("eu").is_none() && state.policies().is_governed("personal"));
    }
    apply(plane, &policy(good()).replace("\"eu\"", "\"eu-too\""));
    until("another policy still comes in", shared, |state| state.written_policy("eu-too").is_some()).await;
    plane.admin().kubectl_reading(&["replace", "-f", "-"], &policy(good())).ok();
    until("the policy can be read again", shared, |state| {
        state.problems().is_empty() && state.written_policy("eu").is_some()
    })
    .await;
    apply(plane, &crds_yaml().unwrap());
}

async fn an_api_server_that_restarts_leaves_no_gap(plane: &Plane, shared: &Shared) {
    let namespace = plane.namespace("restarted").await;
    let pod = |name: &str| {
        json!({"metadata": {"name": name},
            "spec": {"containers": [{"name": "main", "image": "example.invalid/none"}]}})
    };
    let _: Pod = plane.create(&namespace, pod("stays")).await;
    until("the pod is there", shared, |state| state.pod(&namespace, "stays").is_some()).await;
    let (ended, looked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let looking = std::thread::spawn({
        let (shared, namespace) = (shared.clone(), namespace.clone());
        let (ended, looked) = (Arc::clone(&ended), Arc::clone(&looked));
        move || {
            while !ended.load(Ordering::Relaxed) {
                let state = shared.read();
                assert!(state.pod(&namespace, "stays").is_some(), "the pod was gone for a moment");
                assert!(state.nodes().get("watched-1").is_some(), "the node was gone for a moment");
                assert!(state.written_policy("eu").is_some(), "the policy was gone for a moment");
                drop(state);
                looked.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    });
    plane.kill(Component::ApiServer);
    plane.restart(Component::ApiServer).await;
    let _: Pod = plane.create(&namespace, pod("comes")).await;
    until("what comes afterwards is seen", shared, |state| state.pod(&namespace, "comes").is_some()).await;
    apply(plane, &policy(json!({"classifications": ["health"], "allow": [{"jurisdictions": ["FR"]}]})));
    until("what changes afterwards is seen", shared, |state| state.policies().is_governed("health")).await;
    ended.store(true, Ordering::Relaxed);
    looking.join().unwrap();
    assert!(looked.load(Ordering::Relaxed) > 1_000, "{looked:?}");
    assert!(shared.pending().is_empty());
    assert!(shared.stale(STALE_AFTER).is_empty(), "{:?}", shared.stale(STALE_AFTER));
}

async fn snapshots_come_and_go(plane: &Plane, shared: &Shared) {
    let namespace = plane.namespace("snapshots").await;
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "volumesnapshots.snapshot.storage.k8s.io",
            "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes-csi/external-snapshotter/pull/665"}},
        "spec": {
            "group": "snapshot.storage.k8s.io", "scope": "Namespaced",
            "names": {"kind": "VolumeSnapshot", "plural": "volumesnapshots", "singular": "volumesnapshot"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    });
    assert!(!shared.watched().contains(&Kind::VolumeSnapshot));
    apply(plane, &crd.to_string());
    let snapshot = json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
        "metadata": {"name": "nightly", "namespace": namespace},
        "spec": {"source": {"persistentVolumeClaimName": "data"}}});
    eventually("the snapshot is stored", async || {
        let said = plane.admin().kubectl_reading(&["apply", "-f", "-"], &snapshot.to_string());
        (said.status == 0).then_some(())
    })
    .await;
    until("the snapshot is seen", shared, |state| state.snapshot(&namespace, "nightly").is_some()).await;
    assert!(shared.pending().is_empty(), "nothing waits for what was not there before");
    assert!(!shared.watched().contains(&Kind::VolumeSnapshotClass));
    plane.admin().kubectl(&["delete", "crd", "volumesnapshots.snapshot.storage.k8s.io"]).ok();
    until("the snapshot is gone", shared, |state| state.count(Kind::VolumeSnapshot) == 0).await;
    // It is asked twice, half a minute apart, before a kind is given up.
    for _ in 0..90 {
        if !shared.watched().contains(&Kind::VolumeSnapshot) {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("snapshots are still watched");
}
