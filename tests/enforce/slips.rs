//! What goes wrong with policies and geographies, and who may touch them.

use serde_json::{Value, json};

use crate::installed::NAMESPACE;
use crate::plane::{Identity, Plane, Said, Trials, eventually};
use crate::stand::{KEY, Stand, VIRGINIA};

pub(crate) fn trials() -> Trials {
    Trials::of("slips")
        .alone("what_is_stored_and_cannot_be_read_permits_nothing", what_cannot_be_read)
        .alone("who_may_touch_policies_and_what_others_need", who_may_touch_them)
        .alone("what_is_required_and_what_nobody_governs", what_is_required)
        .alone("configurations_are_applied_without_a_bundle", without_a_bundle)
}

async fn who_may_touch_them(plane: &'static Plane) {
    let stand = Stand::up(plane, "needed").await;
    roles(&stand).await;
    what_others_need(&stand).await;
}

fn offered(stand: &Stand, manifest: &Value) -> Said {
    stand.admin.kubectl_reading(&["create", "--dry-run=server", "-f", "-"], &manifest.to_string())
}

#[track_caller]
fn refused(said: Said, why: &str) {
    let said = said.refused();
    assert!(said.contains(".domicile.dev\" denied the request") && said.contains(why), "{said}");
}

fn carrying(stand: &Stand, carries: &str, region: &str) -> Value {
    let mut pod = stand.pod("carrying", region);
    pod["metadata"]["annotations"] = json!({KEY: carries});
    pod
}

/// Of another version of the definitions, say: for a moment the API server takes anything.
async fn what_cannot_be_read(plane: &'static Plane) {
    let mut stand = Stand::up(plane, "unread").await;
    let open = json!([{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema",
        "value": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}]);
    let definitions = ["residencypolicies.domicile.dev", "geographies.domicile.dev"];
    let before = definitions.map(|name| {
        let definition = stand.admin.kubectl(&["get", "crd", name, "-o", "json"]).json();
        stand.admin.kubectl(&["patch", "crd", name, "--type=json", "-p", &open.to_string()]).ok();
        definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
    });
    // Policies are admitted while nobody answers, or Helm could not install them.
    stand.serve.kill();
    let policy = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "unread"},
        "spec": {"classifications": ["health"], "allow": "everywhere"},
    });
    eventually("it is stored", async || (stand.apply(&policy.to_string()).status == 0).then_some(())).await;
    stand.restart();
    stand.answers().await;
    eventually("it permits nothing", async || {
        (offered(&stand, &carrying(&stand, "health", "eu-central-1")).status != 0).then_some(())
    })
    .await;
    refused(offered(&stand, &carrying(&stand, "health", "eu-central-1")), "policy unread: ");
    // What it says that it governs can be read, so it is in nobody else's way.
    offered(&stand, &carrying(&stand, "personal", "eu-central-1")).ok();

    stand.serve.kill();
    let geography = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Geography", "metadata": {"name": "unread"},
        "spec": {"groups": "none"},
    });
    eventually("it is stored", async || (stand.apply(&geography.to_string()).status == 0).then_some(()))
        .await;
    stand.restart();
    stand.answers().await;
    eventually("no policy permits anything", async || {
        (offered(&stand, &carrying(&stand, "personal", "eu-central-1")).status != 0).then_some(())
    })
    .await;
    refused(offered(&stand, &carrying(&stand, "personal", "eu-central-1")), "policy eu-personal: ");
    for (kind, name) in [("geography", "unread"), ("respol", "unread")] {
        stand.admin.kubectl(&["delete", kind, name]).ok();
    }
    eventually("all is as before", async || {
        (offered(&stand, &carrying(&stand, "personal, health", "eu-central-1")).status == 0).then_some(())
    })
    .await;
    for (name, schema) in definitions.iter().zip(before) {
        let back =
            json!([{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema", "value": schema}]);
        stand.admin.kubectl(&["patch", "crd", name, "--type=json", "-p", &back.to_string()]).ok();
    }
}

async fn what_others_need(stand: &Stand) {
    let geography = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Geography", "metadata": {"name": "company"},
        "spec": {"groups": [{"name": "HOME", "members": ["DE"]}]},
    });
    stand.apply(&geography.to_string()).ok();
    let policy = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "home"},
        "spec": {"classifications": ["health"], "allow": [{"jurisdictions": ["HOME"]}]},
    });
    eventually("the group is known", async || {
        let said = stand.apply(&policy.to_string());
        (said.status == 0 && said.stderr.is_empty()).then_some(())
    })
    .await;
    let deletion = ["delete", "geography", "company", "--dry-run=server"];
    eventually("the policy is known", async || (stand.admin.kubectl(&deletion).status != 0).then_some(()))
        .await;
    refused(stand.admin.kubectl(&["delete", "geography", "company"]), "ResidencyPolicy/home needs it");
    // So is a change that takes the group out of it.
    let mut less = geography.clone();
    less["spec"]["groups"] = json!([{"name": "OTHER", "members": ["DE"]}]);
    refused(stand.apply(&less.to_string()), "ResidencyPolicy/home needs it");

    // To prune a policy is its owner's right; the answer tells what it holds back.
    let mut there = carrying(stand, "payment", "");
    there["spec"]["nodeName"] = json!(VIRGINIA);
    stand.apply(&there.to_string()).ok();
    let of_payment = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "of-payment"},
        "spec": {"classifications": ["payment"], "allow": [{"jurisdictions": ["DE"]}]},
    });
    stand.apply(&of_payment.to_string()).ok();
    let prune = ["delete", "respol", "of-payment", "--dry-run=server"];
    let said = eventually("what it holds back is told", async || {
        let said = stand.admin.kubectl(&prune);
        said.stderr.contains("Warning").then_some(said)
    })
    .await;
    let told = format!("would no longer break policy of-payment; first: Pod {}/carrying", stand.namespace);
    assert!(said.status == 0 && said.stderr.contains(&told), "{said:?}");
    for kind in ["respol/of-payment", "respol/home", "geography/company"] {
        eventually("what nobody needs goes", async || {
            (stand.admin.kubectl(&["delete", kind]).status == 0).then_some(())
        })
        .await;
    }
}

async fn roles(stand: &Stand) {
    let mut holders: Vec<(&str, Identity)> = Vec::new();
    for role in ["view", "edit", "admin"] {
        let (name, of, user) =
            (format!("all-{role}"), format!("--clusterrole={role}"), format!("--user=of-{role}"));
        stand.admin.kubectl(&["create", "clusterrolebinding", &name, &of, &user]).ok();
        holders.push((role, stand.plane.user(&format!("of-{role}"), &["system:authenticated"]).await));
    }
    let kinds = ["residencypolicies", "geographies", "residencyexceptions"]
        .map(|kind| format!("{kind}.domicile.dev"));
    for (role, who) in &holders {
        let may = |verb: &str, kind: &str| {
            who.kubectl(&["auth", "can-i", verb, kind, "-n", &stand.namespace]).stdout.trim() == "yes"
        };
        eventually("the role is held", async || may("list", "pods").then_some(())).await;
        for kind in &kinds {
            // Both of the others have what *view* has.
            for verb in ["get", "list", "watch"] {
                assert!(may(verb, kind), "{role} {verb} {kind}");
            }
            for verb in ["create", "update", "patch", "delete", "deletecollection"] {
                assert!(!may(verb, kind), "{role} {verb} {kind}");
            }
        }
        for verb in ["declassify", "except", "relocate"] {
            assert!(!may(verb, "residencypolicies.domicile.dev/eu-personal"), "{role} {verb}");
        }
        let refused = who.kubectl(&["delete", "respol", "eu-personal"]).refused();
        assert!(refused.contains("cannot delete resource \"residencypolicies\""), "{role}: {refused}");
        stand.admin.kubectl(&["delete", "clusterrolebinding", &format!("all-{role}")]).ok();
    }
}

async fn what_is_required(plane: &'static Plane) {
    let mut stand = Stand::up(plane, "required").await;
    let slip = carrying(&stand, "persona", "us-east-1");
    offered(&stand, &slip).ok();
    stand.restart_with(&["--ungoverned=deny", "--require-classification=data=strict"]).await;
    refused(offered(&stand, &slip), "`personal`");
    // Where something has to be said, nothing is refused, and so is what says it in vain. A lie is not.
    let bare = carrying(&stand, "", "us-east-1");
    offered(&stand, &bare).ok();
    stand.admin.kubectl(&["label", "namespace", &stand.namespace, "data=strict"]).ok();
    eventually("the namespace is one of those", async || (offered(&stand, &bare).status != 0).then_some(()))
        .await;
    refused(offered(&stand, &bare), &stand.namespace);
    offered(&stand, &carrying(&stand, "personal", "eu-central-1")).ok();
}

/// As from a repository that has what `helm template` wrote: the bundle is not in it.
async fn without_a_bundle(plane: &'static Plane) {
    let stand = Stand::up(plane, "bundles").await;
    let rendered = stand.admin.helm(&["get", "manifest", "domicile", "-n", NAMESPACE]).ok();
    let rendered: Vec<Option<Value>> = serde_saphyr::from_multiple(&rendered).unwrap();
    let configurations: Vec<Value> = rendered
        .into_iter()
        .flatten()
        .filter(|object| object["kind"].as_str().is_some_and(|kind| kind.ends_with("WebhookConfiguration")))
        .collect();
    assert_eq!(configurations.len(), 2);
    let list = json!({"apiVersion": "v1", "kind": "List", "items": configurations}).to_string();
    let both = ["validatingwebhookconfiguration/domicile", "mutatingwebhookconfiguration/domicile"];
    let bundles = || {
        let all = stand.admin.kubectl(&["get", both[0], both[1], "-o", "json"]).json();
        let entries = all["items"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|one| one["webhooks"].as_array().unwrap().clone());
        entries.map(|entry| entry["clientConfig"]["caBundle"].clone()).collect::<Vec<_>>()
    };
    let before = bundles();
    assert!(before.iter().all(Value::is_string), "{before:?}");
    let away = carrying(&stand, "personal", "us-east-1");
    // Applied, it says nothing of the bundle, and takes none away.
    for arguments in [&["apply", "-f", "-"][..], &["apply", "--server-side", "--force-conflicts", "-f", "-"]]
    {
        stand.admin.kubectl_reading(arguments, &list).ok();
        assert_eq!(bundles(), before, "{arguments:?}");
        refused(offered(&stand, &away), "policy eu-personal: ");
    }
    // Replaced, it is gone, and comes back. Nothing is admitted in between.
    let replaced = stand.admin.kubectl_reading(&["replace", "-o", "json", "-f", "-"], &list).ok();
    assert!(!replaced.contains("caBundle"), "{replaced}");
    eventually("the bundles are there again", async || {
        assert_ne!(offered(&stand, &away).status, 0);
        (bundles() == before).then_some(())
    })
    .await;
    stand.answers().await;
    refused(offered(&stand, &away), "policy eu-personal: ");
}
