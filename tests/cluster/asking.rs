//! What is asked of the API server itself, past every cache: single objects, and who may do what.

use std::time::Duration;

use domicile::cluster::access::{AccessError, Authorizer, User};
use domicile::cluster::reader::{ReadError, Reader};
use domicile::cluster::{Fresh, Kind, live};
use domicile::objects::Object;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::plane::{Plane, Trials};

const TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) fn trials() -> Trials {
    Trials::of("asking")
        .test("an_object_is_read_as_it_was_stored_a_moment_ago", an_object_is_read_as_it_was_stored)
        .test("what_is_not_there_is_gone", what_is_not_there_is_gone)
        .test("a_cluster_without_snapshots_is_read_whole", a_cluster_without_snapshots_is_read_whole)
        .test("who_may_not_read_is_told_so", who_may_not_read_is_told_so)
        .test("a_verb_is_held_on_the_policy_that_a_role_names", a_verb_is_held_where_a_role_says)
}

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "main", "image": "example.invalid/none"}]}})
}

async fn an_object_is_read_as_it_was_stored(plane: &'static Plane) {
    let namespace = plane.namespace("asking").await;
    let pods: Api<Pod> = Api::namespaced(plane.client(), &namespace);
    let reader = Reader::live(plane.client());
    let _: Pod = plane.create(&namespace, pod("web")).await;
    for number in 0..50 {
        let written = number.to_string();
        let patch = Patch::Merge(json!({"metadata": {"annotations": {"example.com/number": written}}}));
        pods.patch("web", &PatchParams::default(), &patch).await.unwrap();
        let found = reader.look(Kind::Pod, &namespace, "web", TIMEOUT).await.unwrap();
        let Some(Fresh::Is(Object::Pod(pod))) = found else { panic!("{found:?}") };
        assert_eq!(pod.metadata.annotations["example.com/number"], written);
    }
}

async fn what_is_not_there_is_gone(plane: &'static Plane) {
    let namespace = plane.namespace("asking").await;
    let reader = Reader::live(plane.client());
    let gone = async |kind, namespace: &str, name: &str| {
        let found = reader.look(kind, namespace, name, TIMEOUT).await.unwrap();
        assert!(matches!(found, Some(Fresh::Gone(..))), "{kind:?} {namespace}/{name}: {found:?}");
    };
    gone(Kind::Pod, &namespace, "none").await;
    gone(Kind::Pod, "no-such-namespace", "none").await;
    gone(Kind::Node, "", "no-such-node").await;
    gone(Kind::Namespace, "", "no-such-namespace").await;
    gone(Kind::PersistentVolume, "", "none").await;
    gone(Kind::StorageClass, "", "none").await;
    let claim = json!({"metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let _: PersistentVolumeClaim = plane.create(&namespace, claim).await;
    let found = reader.get(Kind::PersistentVolumeClaim, &namespace, "data", TIMEOUT).await.unwrap();
    assert!(matches!(found, Some(Object::Claim(_))), "{found:?}");
}

/// As `domicile check` reads it.
async fn a_cluster_without_snapshots_is_read_whole(plane: &'static Plane) {
    let loaded = live::read(&plane.client(), &mut |_| {}).await.unwrap();
    assert_eq!(loaded.errors, []);
    assert!(loaded.not_served.contains("volumesnapshots.snapshot.storage.k8s.io"), "{:?}", loaded.not_served);
    assert!(loaded.objects.iter().any(|one| one.object.reference().to_string() == "Namespace/kube-system"));
    let reader = Reader::live(plane.client());
    let found = reader.look(Kind::VolumeSnapshot, "default", "none", TIMEOUT).await.unwrap();
    assert!(matches!(found, Some(Fresh::Gone(..))), "{found:?}");
}

async fn who_may_not_read_is_told_so(plane: &'static Plane) {
    let nobody = plane.user("asking-nobody", &[]).await;
    let outcome = Reader::live(nobody.client.clone()).look(Kind::Node, "", "n", TIMEOUT).await;
    let Err(error @ ReadError::Refused { .. }) = outcome else { panic!("{outcome:?}") };
    let message = error.to_string();
    assert!(message.starts_with("Node/n cannot be read: nodes \"n\" is forbidden: User"), "{message}");
    let asked = Authorizer::Live(nobody.client).may(&User::default(), "except", "eu", TIMEOUT).await;
    assert!(matches!(asked, Err(AccessError::Refused { .. })), "{asked:?}");
}

async fn a_verb_is_held_where_a_role_says(plane: &'static Plane) {
    let (rule, name) = ("asking-declassify", "asking-counsel");
    let roles: Api<ClusterRole> = Api::all(plane.client());
    let permission = json!({"metadata": {"name": rule}, "rules": [{"apiGroups": ["domicile.dev"],
        "resources": ["residencypolicies"], "verbs": ["declassify"], "resourceNames": ["asking-eu"]}]});
    roles.create(&PostParams::default(), &serde_json::from_value(permission).unwrap()).await.unwrap();
    let bindings: Api<ClusterRoleBinding> = Api::all(plane.client());
    let binding = json!({"metadata": {"name": rule},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": rule},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name}]});
    bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();

    let authorizer = Authorizer::Live(plane.client());
    let user = User { name: "ada".into(), groups: vec![name.to_owned()], ..User::default() };
    // The authorizer's own cache follows a moment later.
    crate::plane::eventually("the role is known", async || {
        authorizer.may(&user, "declassify", "asking-eu", TIMEOUT).await.unwrap().then_some(())
    })
    .await;
    let lacking = authorizer.lacking(&user, "declassify", ["asking-eu", "asking-us"], TIMEOUT).await.unwrap();
    assert_eq!(lacking, ["asking-us"]);
    assert!(!authorizer.may(&user, "relocate", "asking-eu", TIMEOUT).await.unwrap());
    let other = User { name: "bob".into(), ..User::default() };
    assert!(!authorizer.may(&other, "declassify", "asking-eu", TIMEOUT).await.unwrap());
    let master = User { name: "root".into(), groups: vec!["system:masters".into()], ..User::default() };
    assert!(authorizer.may(&master, "declassify", "asking-eu", TIMEOUT).await.unwrap());
}
