//! Races between what is written and what is known of it.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::plane::{Plane, Trials};
use crate::stand::{FRANKFURT, KEY, Stand, VIRGINIA};

/// How often each is tried.
const TIMES: usize = 200;

pub(crate) fn trials() -> Trials {
    Trials::of("races")
        .alone("bind_right_after_create", bind_right_after_create)
        .alone("bind_while_the_pod_is_made_anew", bind_while_the_pod_is_made_anew)
        .alone("relabel_and_bind_at_once", relabel_and_bind_at_once)
        .alone("a_pod_right_after_its_claim_is_classified", right_after_its_claim)
        .alone("a_claim_right_after_a_pod_that_waits_for_it", right_after_its_pod)
}

/// Binds as fast as a client can; whether it was admitted.
async fn bind(stand: &Stand, pod: &str, node: &str) -> bool {
    let body = json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod, "namespace": stand.namespace},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    });
    let path = format!("/api/v1/namespaces/{}/pods/{pod}/binding", stand.namespace);
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())
        .unwrap();
    stand.plane.client().request::<serde_json::Value>(request).await.is_ok()
}

async fn bind_right_after_create(plane: &'static Plane) {
    let stand = Stand::up(plane, "race-create").await;
    let pods: Api<Pod> = Api::namespaced(plane.client(), &stand.namespace);
    let (mut abroad, mut refused) = (0, 0);
    for number in 0..TIMES {
        let name = format!("p{number}");
        let mut pod = stand.pod(&name, "eu-central-1");
        pod["spec"]["schedulerName"] = json!("mine");
        pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
        abroad += usize::from(bind(&stand, &name, VIRGINIA).await);
        refused += usize::from(!bind(&stand, &name, FRANKFURT).await);
    }
    assert_eq!((abroad, refused), (0, 0), "of {TIMES}: bound abroad, honest ones refused");
}

/// A binding names a pod that carries nothing, and in the same moment one that does takes its name.
async fn bind_while_the_pod_is_made_anew(plane: &'static Plane) {
    let stand = Stand::up(plane, "race-anew").await;
    let pods: Api<Pod> = Api::namespaced(plane.client(), &stand.namespace);
    let mut bound = 0;
    for number in 0..TIMES {
        let name = format!("p{number}");
        let mut classified = stand.pod(&name, "eu-central-1");
        classified["spec"]["schedulerName"] = json!("mine");
        let mut plain = classified.clone();
        plain["metadata"]["annotations"] = json!({});
        let (plain, classified): (Pod, Pod) =
            (serde_json::from_value(plain).unwrap(), serde_json::from_value(classified).unwrap());
        pods.create(&PostParams::default(), &plain).await.unwrap();
        let anew = async {
            // Somewhere between the judgement and what comes of it.
            tokio::time::sleep(Duration::from_millis(number as u64 % 20)).await;
            pods.delete(&name, &DeleteParams::default().grace_period(0)).await.unwrap();
            pods.create(&PostParams::default(), &classified).await.unwrap();
        };
        let (was_bound, ()) = tokio::join!(bind(&stand, &name, VIRGINIA), anew);
        let there = pods.get(&name).await.unwrap().spec.unwrap_or_default().node_name;
        assert_ne!(there.as_deref(), Some(VIRGINIA), "{name}: a binding of another pod has bound this one");
        bound += usize::from(was_bound);
    }
    assert!(bound > 0, "no pod was bound before it went, so nothing was tried");
}

async fn relabel_and_bind_at_once(plane: &'static Plane) {
    let stand = Stand::up(plane, "race-relabel").await;
    let pods: Api<Pod> = Api::namespaced(plane.client(), &stand.namespace);
    let nodes: Api<Node> = Api::all(plane.client());
    let declare = async |node: &str, jurisdiction: &str| {
        let key = "domicile.dev.node-restriction.kubernetes.io/jurisdiction";
        let change = Patch::Merge(json!({"metadata": {"labels": {key: jurisdiction}}}));
        nodes.patch(node, &PatchParams::default(), &change).await.unwrap();
    };
    let (mut abroad, mut refused) = (0, 0);
    for number in 0..TIMES {
        let (away, home) = (format!("a{number}"), format!("h{number}"));
        for name in [&away, &home] {
            let mut pod = stand.pod(name, "eu-central-1");
            pod["spec"]["schedulerName"] = json!("mine");
            pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
        }
        declare(FRANKFURT, "US").await;
        abroad += usize::from(bind(&stand, &away, FRANKFURT).await);
        declare(FRANKFURT, "DE").await;
        refused += usize::from(!bind(&stand, &home, FRANKFURT).await);
    }
    assert_eq!((abroad, refused), (0, 0), "of {TIMES}: bound abroad, honest ones refused");
}

async fn right_after_its_claim(plane: &'static Plane) {
    let stand = Stand::up(plane, "race-claim").await;
    let pods: Api<Pod> = Api::namespaced(plane.client(), &stand.namespace);
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(plane.client(), &stand.namespace);
    let (mut named, mut bound) = (0, 0);
    for number in 0..TIMES {
        let name = format!("c{number}");
        let claim = json!({
            "metadata": {"name": name},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "",
                     "resources": {"requests": {"storage": "1Gi"}}},
        });
        claims.create(&PostParams::default(), &serde_json::from_value(claim).unwrap()).await.unwrap();
        let mut pod = stand.pod(&name, "");
        pod["metadata"]["annotations"] = json!({});
        pod["spec"]["schedulerName"] = json!("mine");
        pod["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": name}}]);
        // Classified, and in the same moment used by a pod that says where it is.
        let classified = Patch::Merge(json!({"metadata": {"annotations": {KEY: "personal"}}}));
        claims.patch(&name, &PatchParams::default(), &classified).await.unwrap();
        let mut there = pod.clone();
        there["metadata"]["name"] = json!(format!("n{number}"));
        there["spec"]["nodeName"] = json!(VIRGINIA);
        let there = serde_json::from_value(there).unwrap();
        named += usize::from(pods.create(&PostParams::default(), &there).await.is_ok());
        // A plain one may be made from what the cache knows, and is never bound abroad.
        let made = pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await;
        bound += usize::from(made.is_ok() && bind(&stand, &name, VIRGINIA).await);
    }
    assert_eq!((named, bound), (0, 0), "of {TIMES}: made abroad by name, bound abroad");
}

/// A pod says where it is and mounts a claim that is not there: nothing is against it. Then the claim comes, in no time.
async fn right_after_its_pod(plane: &'static Plane) {
    let stand = Stand::up(plane, "race-pod").await;
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "race"},
        "provisioner": "ebs.csi.aws.com", "volumeBindingMode": "WaitForFirstConsumer",
    });
    stand.apply(&class.to_string()).ok();
    let pods: Api<Pod> = Api::namespaced(plane.client(), &stand.namespace);
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(plane.client(), &stand.namespace);
    let (mut abroad, mut refused) = (0, 0);
    for number in 0..TIMES {
        for (node, count, is_wanted) in [(VIRGINIA, &mut abroad, false), (FRANKFURT, &mut refused, true)] {
            let name = format!("{node}-{number}");
            let mut pod = stand.pod(&name, "");
            pod["metadata"]["annotations"] = json!({});
            pod["spec"]["nodeName"] = json!(node);
            pod["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": name}}]);
            let claim = json!({
                "metadata": {"name": name, "annotations": {KEY: "personal"}},
                "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "race",
                         "resources": {"requests": {"storage": "1Gi"}}},
            });
            let (pod, claim) = (serde_json::from_value(pod).unwrap(), serde_json::from_value(claim).unwrap());
            pods.create(&PostParams::default(), &pod).await.unwrap();
            let made = claims.create(&PostParams::default(), &claim).await;
            *count += usize::from(made.is_ok() != is_wanted);
        }
    }
    stand.admin.kubectl(&["delete", "storageclass", "race"]).ok();
    assert_eq!((abroad, refused), (0, 0), "of {TIMES}: made for a pod abroad, honest ones refused");
}
