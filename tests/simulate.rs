//! What a change would do to what exists: from one function for `domicile simulate` and the webhook.

#![allow(clippy::unwrap_used, reason = "a test fails that way")]

mod support;

use std::path::Path;
use std::process::Command;

use domicile::cluster::{Kind, State};
use domicile::residency::{Change, Impact, Reason, groups, simulate};
use jiff::Timestamp;
use serde_json::Value;
use support::{EU, NODES, now, object, parse, state, values};

/// A namespace of personal data with a pod in Frankfurt, one in Virginia, one that has no node yet and is pinned to
/// Ireland, and one that carries nothing.
const RUNNING: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop, annotations: {domicile.dev/data-classification: personal}}
---
apiVersion: v1
kind: Pod
metadata: {name: home, namespace: shop}
spec: {nodeName: fra}
---
apiVersion: v1
kind: Pod
metadata: {name: abroad, namespace: shop, labels: {app: migration}}
spec: {nodeName: iad}
---
apiVersion: v1
kind: Pod
metadata: {name: waiting, namespace: shop}
spec: {nodeSelector: {topology.kubernetes.io/region: eu-west-1}}
---
apiVersion: v1
kind: Pod
metadata: {name: plain, namespace: other}
spec: {nodeName: iad}
";

const WIDE: &str = "
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: eu-personal}
spec: {classifications: [personal], allow: [{jurisdictions: [EEA, US]}]}
";

fn change(before: &State, to: impl FnOnce(&mut State)) -> Impact {
    let mut after = before.clone();
    to(&mut after);
    simulate((before, now()), (&after, now()))
}

/// `abroad eu-personal`.
fn named(changes: &[Change]) -> Vec<String> {
    let name = |change: &Change| {
        format!("{} {}", change.object.name, change.finding.policy.as_deref().unwrap_or("-"))
    };
    changes.iter().map(name).collect()
}

#[test]
fn a_narrower_policy_breaks_and_a_wider_one_allows() {
    let wide = state(&[NODES, WIDE, RUNNING]);
    let impact = change(&wide, |state| state.apply(object(EU)));
    assert_eq!(named(&impact.broken), ["abroad eu-personal"]);
    assert!(impact.allowed.is_empty() && impact.is_worse());
    assert_eq!(impact.judged, 4);
    let narrow = state(&[NODES, EU, RUNNING]);
    let impact = change(&narrow, |state| state.apply(object(WIDE)));
    assert_eq!(named(&impact.allowed), ["abroad eu-personal"]);
    assert!(impact.broken.is_empty() && !impact.is_worse());
}

#[test]
fn what_a_removed_policy_forbade_becomes_allowed_and_nothing_else_changes() {
    let other = EU.replace("eu-personal", "eu-other");
    let before = state(&[NODES, EU, &other, RUNNING]);
    let impact = change(&before, |state| state.delete(Kind::ResidencyPolicy, "", "eu-personal"));
    assert_eq!(named(&impact.allowed), ["abroad eu-personal"]);
    assert_eq!(impact.broken, []);
}

#[test]
fn a_pod_that_waits_is_judged_by_the_nodes_that_it_could_get() {
    // A node in Ireland says now that it is in Germany by its label and in Virginia by its provider.
    let before = state(&[NODES, EU, RUNNING]);
    let moved = object(
        "apiVersion: v1
kind: Node
metadata: {name: dub, labels: {topology.kubernetes.io/region: eu-west-1, topology.kubernetes.io/zone: eu-west-1a}}
spec: {providerID: 'aws:///us-east-1a/i-2'}",
    );
    let impact = change(&before, |state| state.apply(moved));
    assert_eq!(named(&impact.broken), ["waiting eu-personal"]);
    let [broken] = &impact.broken[..] else { panic!("one") };
    assert_eq!(broken.finding.reason, Reason::UnknownLocation);
    // The last node that matched goes: nothing is broken, the pod waits for one that may join.
    let impact = change(&before, |state| state.delete(Kind::Node, "", "dub"));
    assert_eq!((impact.broken, impact.allowed), (vec![], vec![]));
}

#[test]
fn pods_on_a_node_that_goes_are_nobody_knows_where() {
    let before = state(&[NODES, EU, RUNNING]);
    let impact = change(&before, |state| state.delete(Kind::Node, "", "fra"));
    assert_eq!(named(&impact.broken), ["home eu-personal"]);
}

#[test]
fn an_exception_allows_and_its_end_breaks() {
    let exception = "
apiVersion: domicile.dev/v1alpha1
kind: ResidencyException
metadata: {name: move, namespace: shop}
spec:
  policies: [eu-personal]
  objectSelector: {matchLabels: {app: migration}}
  allow: [{jurisdictions: [US]}]
  until: '2026-12-31T00:00:00Z'
  reason: it moves
";
    let before = state(&[NODES, EU, RUNNING]);
    let impact = change(&before, |state| state.apply(object(exception)));
    assert_eq!(named(&impact.allowed), ["abroad eu-personal"]);
    let with = state(&[NODES, EU, exception, RUNNING]);
    let at = |moment: &str| moment.parse::<Timestamp>().unwrap();
    let later = |moment| simulate((&with, now()), (&with, at(moment)));
    assert_eq!(later("2026-12-30T23:59:59.999999999Z").broken, []);
    assert_eq!(named(&later("2026-12-31T00:00:00Z").broken), ["abroad eu-personal"]);
    let impact = change(&with, |state| state.delete(Kind::ResidencyException, "shop", "move"));
    assert_eq!(named(&impact.broken), ["abroad eu-personal"]);
}

#[test]
fn an_action_that_changes_is_no_new_violation_and_is_told() {
    let audit = EU.replace("spec: {", "spec: {action: Audit, ");
    let before = state(&[NODES, &audit, RUNNING]);
    let impact = change(&before, |state| state.apply(object(EU)));
    assert_eq!((named(&impact.stricter), impact.is_worse()), (vec!["abroad eu-personal".to_owned()], true));
    assert_eq!((impact.broken.len(), impact.allowed.len(), impact.milder.len()), (0, 0, 0));
    assert_eq!(
        impact.sentences(),
        [
            "1 Pod in 1 namespace would be denied, and not only reported, for breaking policy eu-personal; first: Pod \
          shop/abroad (node iad: aws, us-east-1, us-east-1a, US, operator under US)"
        ]
    );
    let before = state(&[NODES, EU, RUNNING]);
    let impact = change(&before, |state| state.apply(object(&audit)));
    assert_eq!((named(&impact.milder), impact.is_worse()), (vec!["abroad eu-personal".to_owned()], false));
}

#[test]
fn what_is_new_or_gone_breaks_nothing_in_the_other_state() {
    let before = state(&[NODES, EU, RUNNING]);
    let impact = change(&before, |state| {
        state.apply(object(
            "{apiVersion: v1, kind: Pod, metadata: {name: new, namespace: shop}, spec: {nodeName: iad}}",
        ));
        state.delete(Kind::Pod, "shop", "abroad");
    });
    assert_eq!(named(&impact.broken), ["new eu-personal"]);
    assert_eq!(named(&impact.allowed), ["abroad eu-personal"]);
}

/// An object of each kind, none of which was there before.
#[test]
fn what_is_new_is_found_whatever_its_kind() {
    const NEW: &str = "
{apiVersion: apps/v1, kind: Deployment, metadata: {name: new, namespace: shop}, spec: {template: {spec: {nodeSelector: {topology.kubernetes.io/region: us-east-1}}}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: new, namespace: shop}, spec: {volumeName: gone}}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: new, annotations: {domicile.dev/data-classification: personal}}, spec: {nfs: {}}}
---
{apiVersion: storage.k8s.io/v1, kind: VolumeAttachment, metadata: {name: new}, spec: {nodeName: iad, source: {persistentVolumeName: new}}}
---
{apiVersion: snapshot.storage.k8s.io/v1, kind: VolumeSnapshot, metadata: {name: new, namespace: shop}, spec: {source: {persistentVolumeClaimName: gone}}}
---
{apiVersion: snapshot.storage.k8s.io/v1, kind: VolumeSnapshotContent, metadata: {name: new}, spec: {driver: ebs.csi.aws.com, volumeSnapshotRef: {namespace: shop, name: new}}}
";
    let before = state(&[NODES, EU, RUNNING]);
    let impact = change(&before, |state| state.apply_all(values(NEW).into_iter().map(parse)));
    let mut kinds: Vec<&str> = impact.broken.iter().map(|one| one.object.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [
            "Deployment",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "VolumeAttachment",
            "VolumeSnapshot",
            "VolumeSnapshotContent"
        ]
    );
    assert!(impact.broken.iter().all(|one| one.object.name == "new"), "{:#?}", impact.broken);
}

/// Of many in one place the first three are shown.
#[test]
fn changes_are_grouped_by_policy_namespace_and_jurisdiction() {
    let more = "
apiVersion: v1
kind: Pod
metadata: {name: istanbul, namespace: shop}
spec: {nodeName: ist}
---
apiVersion: v1
kind: Pod
metadata: {name: also, namespace: shop}
spec: {nodeName: iad}
---
apiVersion: v1
kind: Pod
metadata: {name: third, namespace: shop}
spec: {nodeName: iad}
---
apiVersion: v1
kind: Pod
metadata: {name: fourth, namespace: shop}
spec: {nodeName: iad}
---
apiVersion: v1
kind: Pod
metadata: {name: elsewhere, namespace: other, annotations: {domicile.dev/data-classification: personal}}
spec: {nodeName: iad}
";
    let before = state(&[NODES, RUNNING, more]);
    let impact = change(&before, |state| state.apply(object(EU)));
    let found: Vec<_> = groups(&impact.broken)
        .into_iter()
        .map(|group| (group.namespace, group.jurisdiction, group.kinds["Pod"], group.first.len()))
        .collect();
    assert_eq!(found, [("other", Some("US"), 1, 1), ("shop", Some("TR"), 1, 1), ("shop", Some("US"), 4, 3)]);
}

/// Calls the program.
fn called(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_domicile"))
        .current_dir(folder)
        .env_clear()
        .env("KUBECONFIG", folder.join("no-such-kubeconfig"))
        .arg("simulate")
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("cluster.yaml", &[NODES, WIDE, RUNNING].join("\n---\n"));
    write("narrow.yaml", EU);
    write("wide.yaml", WIDE);
    write("wrong.yaml", &EU.replace("EEA", "XX"));
    folder
}

#[test]
fn the_exit_status_says_whether_something_would_break() {
    let folder = folder();
    let simulate =
        |arguments: &[&str]| called(folder.path(), &[arguments, &["--cluster", "cluster.yaml"]].concat());
    let (status, out, err) = simulate(&["-f", "narrow.yaml"]);
    assert_eq!(status, 1, "{err}");
    assert!(out.starts_with("Newly broken: 1 object in 1 namespace\n"), "{out}");
    assert!(out.contains("Newly allowed: nothing"), "{out}");
    let row = out.lines().find(|line| line.contains("eu-personal")).unwrap();
    let cells: Vec<_> = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(cells[..4], ["eu-personal", "shop", "US", "1 Pod"]);
    assert!(cells[4].starts_with("Pod shop/abroad, node iad: "), "{row}");
    assert_eq!(simulate(&["-f", "wide.yaml"]).0, 0);
    assert_eq!(simulate(&["--without", "respol/eu-personal"]).0, 0);
    assert_eq!(simulate(&["--at", "2030-01-01"]).0, 0);
    let (status, out, err) = simulate(&["-f", "wrong.yaml"]);
    assert_eq!(status, 2, "{out}");
    assert!(out.contains("incomplete") && err.contains("error: wrong.yaml:2: "), "{out}{err}");
}

#[test]
fn a_call_without_a_change_or_with_a_wrong_one_is_refused() {
    let folder = folder();
    for (arguments, says) in [
        (&["--cluster", "cluster.yaml"][..], "--filename"),
        (&["--without", "respol/eu-persnal", "--cluster", "cluster.yaml"], "did you mean eu-personal?"),
        (&["--without", "ns/shop", "--cluster", "cluster.yaml"], "with a namespace goes all that is in it"),
        (&["--without", "eu-personal", "--cluster", "cluster.yaml"], "KIND/NAME"),
        (&["--without", "pod/home", "--cluster", "cluster.yaml"], "add -n shop"),
        (
            &["-f", "narrow.yaml", "--without", "respol/eu-personal", "--cluster", "cluster.yaml"],
            "leave one of them out",
        ),
        (&["-f", "-", "--cluster", "-"], "standard input cannot be both"),
        (&["-f", "narrow.yaml"], "no cluster: "),
    ] {
        let (status, out, err) = called(folder.path(), arguments);
        assert_eq!((status, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(says), "{arguments:?}: {err}");
    }
}

#[test]
fn json_says_all_of_it_and_matches_its_schema() {
    let folder = folder();
    let arguments = ["-f", "narrow.yaml", "--cluster", "cluster.yaml", "-o", "json", "--from", "2026-06-01"];
    let (status, out, err) = called(folder.path(), &arguments);
    assert_eq!(status, 1, "{err}");
    let answer: Value = serde_json::from_str(&out).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../docs/schema/simulation.schema.json")).unwrap();
    let errors: Vec<_> =
        jsonschema::validator_for(&schema).unwrap().iter_errors(&answer).map(|one| one.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert_eq!((&answer["from"], &answer["at"]), (&"2026-06-01T00:00:00Z".into(), &answer["from"]));
    let change = &answer["broken"]["changes"][0];
    assert_eq!(change["object"]["name"], "abroad");
    assert_eq!(
        (&change["policy"], &change["reason"]),
        (&"eu-personal".into(), &"NodeOutsideJurisdiction".into())
    );
    assert_eq!(change["example"]["node"], "iad");
    assert_eq!(answer["broken"]["groups"][0]["kinds"]["Pod"], 1);
}

/// A node as `kubectl get` prints it, of which somebody has taken something out.
#[test]
fn a_manifest_can_replace_what_is_there() {
    let folder = folder();
    let node = |labels: &str, spec: &str| {
        let metadata = format!("{{name: fra, uid: u-1, resourceVersion: '7', labels: {{{labels}}}}}");
        format!("apiVersion: v1\nkind: Node\nmetadata: {metadata}\nspec: {{{spec}}}\n")
    };
    let zone = "topology.kubernetes.io/zone: eu-central-1a";
    let id = "providerID: 'aws:///eu-central-1a/i-1'";
    let simulate = |node: String, more: &[&str]| {
        std::fs::write(folder.path().join("node.yaml"), node).unwrap();
        let arguments = ["-f", "node.yaml", "--cluster", "cluster.yaml"];
        let (status, out, err) = called(folder.path(), &[&arguments[..], more].concat());
        let told: String = err.lines().filter(|line| line.contains("Node/fra")).collect();
        (status, out, told)
    };
    // Without the providerID and the zone its provider is not known, and its region alone is Germany's.
    let (status, _, err) = simulate(node("", ""), &[]);
    assert_eq!(status, 0, "{err}");
    assert!(
        err.contains("note: Node/fra: what the manifest leaves out stays")
            && err.contains(
                "(label topology.kubernetes.io/region, label topology.kubernetes.io/zone, spec.providerID); with --replace"
            ),
        "{err}"
    );
    let (status, out, err) = simulate(node("", ""), &["--replace"]);
    assert_eq!((status, err.as_str()), (1, ""), "{out}");
    assert!(out.contains("Pod shop/home, node fra: jurisdiction unknown"), "{out}");
    // The providerID alone says it too, and so do the labels.
    for (labels, spec) in [("", id), (zone, id)] {
        let (status, out, err) = simulate(node(labels, spec), &["--replace"]);
        assert_eq!((status, err.as_str()), (0, ""), "{out}");
    }
    // Nothing is said where nothing is left out, or where nobody printed it.
    let all = format!("topology.kubernetes.io/region: eu-central-1, {zone}");
    assert_eq!(simulate(node(&all, id), &[]).2, "");
    assert_eq!(simulate(node("", "").replace("uid: u-1, ", ""), &[]).2, "");
    let (status, _, err) =
        called(folder.path(), &["--without", "node/fra", "--replace", "--cluster", "cluster.yaml"]);
    assert!(status == 2 && err.contains("--filename"), "{err}");
}

/// What is broken before and after, and as gravely, is no change.
#[test]
fn what_stays_as_it_is_is_not_told() {
    for policy in [EU.to_owned(), EU.replace("allow:", "action: Warn, allow:")] {
        let state = state(&[NODES, &policy, RUNNING]);
        let impact = simulate((&state, now()), (&state, now()));
        assert!(impact.directions().all(|(_, changes)| changes.is_empty()), "{impact:?}");
    }
}
