//! Changes: what of them is judged, and what they would take away (sections 2 and 7).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails that way")]

mod support;

use domicile::cluster::{Settings, State};
use domicile::objects::Object;
use domicile::residency::{Decision, Reach, Reason, Request, Verb, Verdict, judge};
use serde_json::{Value, json};
use support::{EU, NODES, carried, create, now, object, parse, reasons, required, state, values};

/// Policies beside `eu-personal`, to see which of them are concerned.
const MORE: &str = "
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: eu-health}
spec: {classifications: [health], allow: [{jurisdictions: [EEA]}]}
---
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: web-personal}
spec: {classifications: [personal], allow: [{jurisdictions: [EEA]}], objectSelector: {matchLabels: {app: web}}}
---
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: prod-personal}
spec: {classifications: [personal], allow: [{jurisdictions: [EEA]}], namespaceSelector: {matchLabels: {env: prod}}}
---
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: warn-personal}
spec: {classifications: [personal], allow: [{jurisdictions: [EEA]}], action: Warn}
---
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: audit-personal}
spec: {classifications: [personal], allow: [{jurisdictions: [EEA]}], action: Audit}
";

/// A running pod in Frankfurt, which mounts a bound claim.
const POD: &str = "
apiVersion: v1
kind: Pod
metadata:
  name: orders
  namespace: shop
  labels: {app: web, tier: back}
  annotations: {domicile.dev/data-classification: personal}
spec:
  nodeName: fra
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
status: {phase: Running}
";

const CLAIM: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop, annotations: {domicile.dev/data-classification: personal}}
spec: {volumeName: pv-data, storageClassName: ebs}
";

const VOLUME: &str = "
apiVersion: v1
kind: PersistentVolume
metadata: {name: pv-data, annotations: {domicile.dev/recorded-classification: personal}}
spec:
  csi: {driver: ebs.csi.aws.com}
  storageClassName: ebs
  claimRef: {namespace: shop, name: data}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [
    {key: topology.kubernetes.io/zone, operator: In, values: [eu-central-1a]}]}]}}
";

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  template:
    metadata: {labels: {app: web}, annotations: {domicile.dev/data-classification: personal}}
    spec: {nodeSelector: {topology.kubernetes.io/region: eu-west-1}}
";

fn value(yaml: &str) -> Value {
    values(yaml).remove(0)
}

/// Sets a field, on the way to which everything is a map or a list.
fn set(mut object: Value, path: &str, to: Value) -> Value {
    if to.is_null() {
        let (parent, last) = path.rsplit_once('/').unwrap();
        let last = last.replace("~1", "/");
        object.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(&last).expect(path);
        return object;
    }
    let mut at = &mut object;
    for part in path[1..].split('/') {
        let part = part.replace("~1", "/");
        at = match part.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[part.as_str()],
        };
    }
    *at = to;
    object
}

/// What is said of changing an object that is in this cluster.
fn change(cluster: &State, old: &Value, new: &Value) -> Verdict {
    let mut cluster = cluster.clone();
    cluster.apply(parse(old.clone()));
    judge(&Request::update(&parse(old.clone()), &parse(new.clone())), &cluster, now())
}

/// What is said of one edit of an object in a cluster with everything.
fn edit(yaml: &str, path: &str, to: Value) -> Verdict {
    let old = value(yaml);
    let shop = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {env: test}}\n";
    change(&state(&[NODES, EU, MORE, shop, CLAIM, VOLUME]), &old, &set(old.clone(), path, to))
}

const ANNOTATION: &str = "/metadata/annotations/domicile.dev~1data-classification";

#[test]
fn s7_what_nothing_reads_is_not_judged() {
    // Everything below sits in Virginia, which the policy forbids: were it judged, it would be denied.
    let pod = POD.replace("nodeName: fra", "nodeName: iad");
    let volume = VOLUME.replace("eu-central-1a", "us-east-1a");
    let deployment = DEPLOYMENT.replace("eu-west-1", "us-east-1");
    let snapshot = "
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {name: data-1, namespace: shop}
spec: {source: {persistentVolumeClaimName: data}}
";
    let cron = "
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: shop}
spec:
  suspend: false
  jobTemplate: {spec: {template: {
    metadata: {annotations: {domicile.dev/data-classification: personal}},
    spec: {nodeSelector: {topology.kubernetes.io/region: us-east-1}}}}}
";
    let cluster = state(&[NODES, EU, MORE, CLAIM, &volume, &pod]);
    for (yaml, path, to) in [
        (&*pod, "/metadata/finalizers", json!(["example.com/wait"])),
        (&*pod, "/metadata/deletionTimestamp", json!("2026-06-01T00:00:00Z")),
        (&*pod, "/metadata/annotations/example.com~1note", json!("x")),
        (&*pod, "/metadata/labels/nobody-reads-this", json!("x")),
        (&*pod, "/metadata/labels/tier", Value::Null),
        (&*pod, "/metadata/managedFields", json!([])),
        (&*pod, "/status/phase", json!("Succeeded")),
        (&*pod, "/status/conditions", json!([{"type": "Ready", "status": "True"}])),
        (&*pod, "/spec/terminationGracePeriodSeconds", json!(1)),
        (&*pod, "/metadata/annotations/domicile.dev~1jurisdiction", json!("DE")),
        (CLAIM, "/metadata/finalizers", json!([])),
        (CLAIM, "/metadata/annotations/pv.kubernetes.io~1bind-completed", json!("yes")),
        (CLAIM, "/status", json!({"phase": "Bound"})),
        (CLAIM, "/spec/resources", json!({"requests": {"storage": "2Gi"}})),
        (&*volume, "/metadata/finalizers", json!([])),
        (&*volume, "/metadata/labels/team", json!("a")),
        (&*volume, "/status", json!({"phase": "Released"})),
        (&*volume, "/spec/capacity", json!({"storage": "2Gi"})),
        (&*volume, "/spec/persistentVolumeReclaimPolicy", json!("Retain")),
        (&*deployment, "/spec/replicas", json!(9)),
        (&*deployment, "/metadata/labels/app", json!("x")),
        (&*deployment, "/metadata/annotations/deployment.kubernetes.io~1revision", json!("4")),
        (
            &*deployment,
            "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt",
            json!("now"),
        ),
        (&*deployment, "/spec/template/spec/containers", json!([{"name": "web", "image": "web:2"}])),
        (&*deployment, "/status", json!({"readyReplicas": 1})),
        (cron, "/spec/suspend", json!(true)),
        (snapshot, "/status", json!({"readyToUse": true})),
    ] {
        let old = value(yaml);
        let new = set(old.clone(), path, to);
        let created = judge(&Request::create(&parse(new.clone())), &cluster, now());
        assert!(created.decision == Decision::Deny || path == "/status/phase", "{path}: {created:#?}");
        let verdict = change(&cluster, &old, &new);
        assert_eq!((verdict.decision, verdict.reach), (Decision::Allow, Reach::NotApplicable), "{path}");
        assert!(verdict.findings.is_empty() && verdict.requires.is_empty(), "{path}: {verdict:#?}");
    }
}

#[test]
fn s7_a_change_of_what_is_read_is_judged() {
    let pod = POD.replace("nodeName: fra", "nodeName: iad");
    let volume = VOLUME.replace("eu-central-1a", "us-east-1a");
    let deployment = DEPLOYMENT.replace("eu-west-1", "us-east-1");
    let cluster = state(&[NODES, EU, MORE, CLAIM, &volume, &pod]);
    for (yaml, path, to) in [
        (&*pod, "/metadata/labels/app", json!("other")),
        (&*pod, "/metadata/labels/domicile.dev~1data-classification", json!("health")),
        (&*pod, "/spec/tolerations", json!([{"operator": "Exists"}])),
        (&*pod, ANNOTATION, json!("personal,health")),
        (CLAIM, "/metadata/labels/app", json!("web")),
        (CLAIM, "/metadata/annotations/domicile.dev~1recorded-classification", json!("personal")),
        (&*volume, "/metadata/annotations/domicile.dev~1recorded-classification", json!("personal,health")),
        (&*volume, "/metadata/labels/topology.kubernetes.io~1zone", json!("us-east-1a")),
        (&*deployment, "/spec/template/spec/tolerations", json!([{"operator": "Exists"}])),
        (&*deployment, "/spec/template/spec/volumes", json!([{"name": "x", "emptyDir": {}}])),
    ] {
        let old = value(yaml);
        let verdict = change(&cluster, &old, &set(old.clone(), path, to));
        assert_eq!((verdict.decision, verdict.reach), (Decision::Deny, Reach::Violated), "{path}");
    }
}

#[test]
fn s2_taking_a_token_away_takes_the_verb() {
    for (yaml, path, to, policies) in [
        // Pods that exist, also those that are being deleted or have ended.
        (POD, "/spec/volumes", json!([]), &[][..]),
        (VOLUME, "/metadata/annotations", json!({}), &[]),
        (CLAIM, "/metadata/annotations", json!({}), &[]),
        (DEPLOYMENT, "/spec/template/metadata/annotations", json!({}), &["eu-personal", "web-personal"]),
    ] {
        // The claim and its volume hold the token for each other and for the pod.
        let verdict = edit(yaml, path, to);
        assert_eq!(required(&verdict), policies, "{path}");
        assert_ne!(verdict.decision, Decision::Deny, "{path}: {verdict:#?}");
    }
    let alone = |yaml: &str, path: &str| {
        let old = value(yaml);
        change(&state(&[NODES, EU, MORE]), &old, &set(old.clone(), path, json!({})))
    };
    // A namespace that is not known, and a volume's claim, could be any.
    assert_eq!(
        required(&alone(POD, "/metadata/annotations")),
        ["eu-personal", "prod-personal", "web-personal"]
    );
    assert_eq!(required(&alone(CLAIM, "/metadata/annotations")), ["eu-personal", "prod-personal"]);
    assert_eq!(
        required(&alone(VOLUME, "/metadata/annotations")),
        ["eu-personal", "prod-personal", "web-personal"]
    );
}

#[test]
fn s2_what_is_required_says_what_and_how() {
    let old = value(POD);
    let verdict = change(&state(&[NODES, EU]), &old, &set(old.clone(), "/metadata/annotations", json!({})));
    let [required] = &verdict.requires[..] else { panic!("{verdict:#?}") };
    assert_eq!((required.verb, required.policy.as_str()), (Verb::Declassify, "eu-personal"));
    assert_eq!(required.finding.reason, Reason::Declassification);
    assert_eq!(required.finding.policy.as_deref(), Some("eu-personal"));
    assert!(required.finding.message.contains("`personal`"), "{}", required.finding.message);
    assert!(
        required.finding.message.contains("declassify on residencypolicies/eu-personal"),
        "{}",
        required.finding.message
    );
}

#[test]
fn s2_a_pod_is_not_given_its_own_token_back_through_its_claim() {
    // The claim carries `personal` only since this very pod mounts it.
    let bare = CLAIM.replace("personal", "");
    let cluster = state(&[NODES, EU, &bare]);
    let old = value(POD);
    let verdict = change(&cluster, &old, &set(old.clone(), "/metadata/annotations", json!({})));
    assert_eq!(required(&verdict), ["eu-personal"]);
    // Another pod that says it too keeps it there.
    let other = POD.replace("name: orders", "name: other");
    let cluster = state(&[NODES, EU, &bare, &other]);
    let verdict = change(&cluster, &old, &set(old.clone(), "/metadata/annotations", json!({})));
    assert!(verdict.requires.is_empty(), "{verdict:#?}");
    // So does the record.
    let recorded = bare.replace("data-classification: ", "recorded-classification: personal");
    let cluster = state(&[NODES, EU, &recorded]);
    let verdict = change(&cluster, &old, &set(old.clone(), "/metadata/annotations", json!({})));
    assert!(verdict.requires.is_empty(), "{verdict:#?}");
}

#[test]
fn s2_the_record_cannot_be_taken_away_either() {
    let cluster = state(&[NODES, EU]);
    let old = value(VOLUME);
    for new in [
        set(old.clone(), "/metadata/annotations/domicile.dev~1recorded-classification", Value::Null),
        set(old.clone(), "/metadata/annotations/domicile.dev~1recorded-classification", json!("")),
        set(old.clone(), "/metadata/annotations/domicile.dev~1recorded-classification", json!(" , ,")),
        set(old.clone(), "/metadata/annotations/domicile.dev~1recorded-classification", json!("health")),
        set(old.clone(), "/metadata/annotations", Value::Null),
    ] {
        assert_eq!(required(&change(&cluster, &old, &new)), ["eu-personal"], "{new}");
    }
    // To say it another way loses nothing.
    let moved = set(
        old.clone(),
        "/metadata/annotations",
        json!({"domicile.dev/data-classification": " personal ,personal"}),
    );
    assert!(change(&cluster, &old, &moved).requires.is_empty());
    let label = set(old.clone(), "/metadata/annotations", Value::Null);
    let label = set(label, "/metadata/labels", json!({"domicile.dev/data-classification": "personal"}));
    assert!(change(&cluster, &old, &label).requires.is_empty());
}

#[test]
fn s2_a_token_that_turns_invalid_is_denied_and_lost() {
    for token in ["Personal", "personal\u{200b}", "pers\u{00f6}nlich", "personal;health", "-personal"] {
        let old = value(POD);
        let verdict = change(&state(&[NODES, EU]), &old, &set(old.clone(), ANNOTATION, json!(token)));
        assert_eq!(verdict.decision, Decision::Deny, "{token}");
        assert_eq!(reasons(&verdict), [Reason::InvalidClassification], "{token}");
        assert_eq!(required(&verdict), ["eu-personal"], "{token}");
    }
}

#[test]
fn s2_a_token_is_not_lost_by_white_space_that_people_cannot_see() {
    for list in ["\tpersonal\n", "\u{a0}personal\u{3000}", ",personal,", "other, personal"] {
        let old = value(POD);
        let verdict = change(&state(&[NODES, EU]), &old, &set(old.clone(), ANNOTATION, json!(list)));
        assert!(verdict.requires.is_empty(), "{list:?}: {verdict:#?}");
        let created = create(&[NODES, EU], &set(old, ANNOTATION, json!(list)).to_string());
        assert!(carried(&created).contains(&"personal"), "{list:?}: {created:#?}");
    }
}

#[test]
fn s2_a_policy_that_no_longer_selects_is_concerned() {
    let app = "/metadata/labels/app";
    // eu-personal still selects it.
    assert_eq!(required(&edit(POD, app, json!("other"))), ["web-personal"]);
    assert_eq!(required(&edit(POD, app, Value::Null)), ["web-personal"]);
    assert_eq!(
        required(&edit(DEPLOYMENT, "/spec/template/metadata/labels/app", json!("x"))),
        ["web-personal"]
    );
    let claim = CLAIM.replace("namespace: shop,", "namespace: shop, labels: {app: web},");
    assert_eq!(required(&edit(&claim, app, json!("other"))), ["web-personal"]);
    // To come under a policy takes nothing.
    let other = POD.replace("app: web", "app: other");
    assert!(required(&edit(&other, app, json!("web"))).is_empty());
    // A label that it reads, and that changes nothing of what it selects.
    let notin = EU.replace(
        "allow:",
        "objectSelector: {matchExpressions: [{key: app, operator: NotIn, values: [demo]}]}, allow:",
    );
    let old = value(POD);
    let cluster = state(&[NODES, &notin]);
    assert!(change(&cluster, &old, &set(old.clone(), app, json!("x"))).requires.is_empty());
    assert_eq!(required(&change(&cluster, &old, &set(old.clone(), app, json!("demo")))), ["eu-personal"]);
}

#[test]
fn s2_a_volume_that_loses_its_claim_loses_what_it_said() {
    let cluster = state(&[NODES, EU, CLAIM]);
    let bare = VOLUME.replace("recorded-classification: personal", "recorded-classification: ''");
    let old = value(&bare);
    for new in [
        set(old.clone(), "/spec/claimRef", Value::Null),
        set(old.clone(), "/spec/claimRef", json!({"namespace": "shop", "name": "another"})),
    ] {
        assert_eq!(required(&change(&cluster, &old, &new)), ["eu-personal"], "{new}");
        // With the record it stays.
        let recorded = |object: Value| {
            set(object, "/metadata/annotations/domicile.dev~1recorded-classification", json!("personal"))
        };
        assert!(change(&cluster, &recorded(old.clone()), &recorded(new)).requires.is_empty());
    }
}

#[test]
fn s2_a_snapshot_and_its_content_keep_what_they_carry() {
    let snapshot = "
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {name: data-1, namespace: shop, annotations: {domicile.dev/recorded-classification: personal}}
spec: {source: {persistentVolumeClaimName: gone}}
";
    let content = "
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotContent
metadata: {name: content-1, annotations: {domicile.dev/recorded-classification: personal}}
spec: {driver: ebs.csi.aws.com, volumeSnapshotRef: {namespace: shop, name: data-1}}
";
    for (yaml, cluster, policies) in [
        (snapshot, state(&[NODES, EU]), &["eu-personal"][..]),
        (content, state(&[NODES, EU]), &["eu-personal"]),
        // The snapshot says it still.
        (content, state(&[NODES, EU, snapshot]), &[]),
    ] {
        let old = value(yaml);
        let verdict = change(&cluster, &old, &set(old.clone(), "/metadata/annotations", json!({})));
        assert_eq!(required(&verdict), policies, "{yaml}");
    }
}

const NAMESPACE: &str = "
apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels: {env: prod}
  annotations: {domicile.dev/data-classification: 'personal, health'}
";

#[test]
fn s2_a_namespace_that_holds_objects() {
    let bare = "apiVersion: v1\nkind: Pod\nmetadata: {name: bare, namespace: shop}\n";
    let elsewhere = "apiVersion: v1\nkind: Pod\nmetadata: {name: bare, namespace: shop-2}\n";
    let web = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop, labels: {app: web}}\n";
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: c, namespace: shop}\n";
    let classified = bare.replace(
        "namespace: shop",
        "namespace: shop, annotations: {domicile.dev/data-classification: 'personal, health'}",
    );
    let workload = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {metadata: {labels: {app: web}}}}
";
    let old = value(NAMESPACE);
    let losing = |cluster: &[&str], to: &str| {
        let cluster = state(&[&[NODES, EU, MORE], cluster].concat());
        let verdict = change(&cluster, &old, &set(old.clone(), ANNOTATION, json!(to)));
        assert_ne!(verdict.decision, Decision::Deny);
        required(&verdict).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(losing(&[], ""), none, "an empty namespace");
    assert_eq!(losing(&[elsewhere], ""), none, "the pod is in another namespace");
    assert_eq!(losing(&[bare], ""), ["eu-health", "eu-personal", "prod-personal"]);
    assert_eq!(losing(&[bare], "personal"), ["eu-health"]);
    assert_eq!(losing(&[bare], "health"), ["eu-personal", "prod-personal"]);
    assert_eq!(losing(&[web], "health"), ["eu-personal", "prod-personal", "web-personal"]);
    assert_eq!(losing(&[claim], "health"), ["eu-personal", "prod-personal"]);
    assert_eq!(losing(&[workload], "health"), ["eu-personal", "prod-personal", "web-personal"]);
    assert_eq!(losing(&[&classified], ""), none, "it says the same itself");
    assert_eq!(losing(&[bare], "health, personal"), none);
    assert_eq!(losing(&[bare], "health, personal, payment"), none);
}

#[test]
fn s2_a_namespace_leaves_a_policy_by_its_labels_too() {
    let bare = "apiVersion: v1\nkind: Pod\nmetadata: {name: bare, namespace: shop}\n";
    let old = value(NAMESPACE);
    let labelled = |labels: Value| set(old.clone(), "/metadata/labels", labels);
    for cluster in
        [state(&[NODES, EU, MORE, bare]), state(&[NODES, EU, MORE, &format!("{bare}---{NAMESPACE}")])]
    {
        for labels in [json!({}), json!({"env": "test"})] {
            assert_eq!(required(&change(&cluster, &old, &labelled(labels))), ["prod-personal"]);
        }
        let verdict = change(&cluster, &old, &labelled(json!({"env": "prod", "team": "a"})));
        assert_eq!((verdict.reach, verdict.requires.len()), (Reach::NotApplicable, 0));
    }
    // What holds nothing classified can be labelled as one likes.
    let plain = set(old.clone(), ANNOTATION, json!(""));
    let cluster = state(&[NODES, EU, MORE, bare]);
    let verdict = change(&cluster, &plain, &set(plain.clone(), "/metadata/labels", json!({})));
    assert!(verdict.requires.is_empty(), "{verdict:#?}");
    // What its objects say themselves counts as well.
    let own = bare
        .replace("namespace: shop", "namespace: shop, labels: {domicile.dev/data-classification: personal}");
    let cluster = state(&[NODES, EU, MORE, &own]);
    let verdict = change(&cluster, &plain, &set(plain.clone(), "/metadata/labels", json!({})));
    assert_eq!(required(&verdict), ["prod-personal"]);
}

#[test]
fn s2_adding_a_token_to_a_namespace_is_admitted_and_told() {
    let there = "apiVersion: v1\nkind: Pod\nmetadata: {name: NAME, namespace: shop}\nspec: {nodeName: iad}\n";
    let pods: Vec<String> = ["a", "b", "c", "d"].map(|name| there.replace("NAME", name)).into();
    let done = there.replace("NAME", "done") + "status: {phase: Succeeded}\n";
    let here = there.replace("NAME", "here").replace("iad", "fra");
    let cluster = state(&[NODES, EU, &pods[0], &pods[1], &pods[2], &pods[3], &done, &here]);
    let old = value("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n");
    let new =
        set(old.clone(), "/metadata/annotations", json!({"domicile.dev/data-classification": "personal"}));
    let verdict = change(&cluster, &old, &new);
    assert_eq!((verdict.decision, verdict.requires.len()), (Decision::Allow, 0));
    assert_eq!(
        verdict.warnings,
        [
            "with this, objects that exist already would be where they may not be: Pod shop/a, Pod shop/b, Pod shop/c and \
          1 more"
        ]
    );
    // What was wrong before is not its doing.
    assert!(
        change(&cluster, &new, &set(new.clone(), ANNOTATION, json!("personal, personal")))
            .warnings
            .is_empty()
    );
}

#[test]
fn s2_adding_a_token_to_a_claim_in_use() {
    let bare = CLAIM.replace("personal", "");
    let mut pod = POD.replace("personal", "");
    let to = json!("personal");
    // Volume and pod where they may be.
    let old = value(&bare);
    let volume = VOLUME.replace("personal", "");
    let verdict =
        change(&state(&[NODES, EU, &volume, &pod]), &old, &set(old.clone(), ANNOTATION, to.clone()));
    assert_eq!((verdict.decision, verdict.warnings.len()), (Decision::Allow, 0), "{verdict:#?}");
    // The volume is not.
    let abroad = volume.replace("eu-central-1a", "us-east-1a");
    let verdict =
        change(&state(&[NODES, EU, &abroad, &pod]), &old, &set(old.clone(), ANNOTATION, to.clone()));
    assert_eq!(
        (verdict.decision, reasons(&verdict)),
        (Decision::Deny, vec![Reason::VolumeOutsideJurisdiction])
    );
    // The pod is not: it cannot be helped by refusing, so it is told.
    pod = pod.replace("nodeName: fra", "nodeName: iad");
    let verdict = change(&state(&[NODES, EU, &volume, &pod]), &old, &set(old.clone(), ANNOTATION, to));
    assert_eq!(verdict.decision, Decision::Allow, "{verdict:#?}");
    assert_eq!(
        verdict.warnings,
        ["with this, objects that exist already would be where they may not be: Pod shop/orders"]
    );
}

#[test]
fn s6_a_claim_that_turns_to_a_volume_or_a_node() {
    let class = "
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: ebs}
provisioner: ebs.csi.aws.com
volumeBindingMode: WaitForFirstConsumer
";
    let free = VOLUME.replace("claimRef: {namespace: shop, name: data}", "claimRef: null");
    let abroad = free.replace("eu-central-1a", "us-east-1a").replace("pv-data", "pv-abroad");
    let cluster = state(&[NODES, EU, class, &free, &abroad]);
    let old = value(&CLAIM.replace("volumeName: pv-data, ", ""));
    let selected = "/metadata/annotations/volume.kubernetes.io~1selected-node";
    for (path, to, decision, reason) in [
        ("/spec/volumeName", "pv-data", Decision::Allow, None),
        ("/spec/volumeName", "pv-abroad", Decision::Deny, Some(Reason::VolumeOutsideJurisdiction)),
        ("/spec/volumeName", "pv-missing", Decision::Deny, Some(Reason::UnknownLocation)),
        (selected, "fra", Decision::Allow, None),
        (selected, "iad", Decision::Deny, Some(Reason::NodeOutsideJurisdiction)),
        (selected, "ist", Decision::Deny, Some(Reason::NodeOutsideJurisdiction)),
        (selected, "gone", Decision::Deny, Some(Reason::UnknownLocation)),
    ] {
        let verdict = change(&cluster, &old, &set(old.clone(), path, json!(to)));
        assert_eq!((verdict.decision, reasons(&verdict)), (decision, reason.into_iter().collect()), "{to}");
        assert!(verdict.requires.is_empty());
    }
    // Setting the node counts what the pods that mount the claim carry.
    let bare = value(&CLAIM.replace("volumeName: pv-data, ", "").replace("personal", ""));
    let waiting = POD.replace("nodeName: fra", "nodeName: ''");
    for (pod, decision) in [(&*waiting, Decision::Deny), ("", Decision::Allow)] {
        let cluster = state(&[NODES, EU, class, pod]);
        let verdict = change(&cluster, &bare, &set(bare.clone(), selected, json!("iad")));
        assert_eq!(verdict.decision, decision);
    }
}

#[test]
fn s6_a_volume_that_is_bound_or_moves() {
    let cluster = state(&[NODES, EU, CLAIM]);
    let plain =
        VOLUME.replace("personal", "").replace("claimRef: {namespace: shop, name: data}", "claimRef: null");
    let zone = "/spec/nodeAffinity/required/nodeSelectorTerms/0/matchExpressions/0/values/0";
    let claim = json!({"namespace": "shop", "name": "data"});
    let here = value(&plain);
    let abroad = set(here.clone(), zone, json!("us-east-1a"));
    assert_eq!(
        change(&cluster, &here, &set(here.clone(), "/spec/claimRef", claim.clone())).decision,
        Decision::Allow
    );
    assert_eq!(
        change(&cluster, &abroad, &set(abroad.clone(), "/spec/claimRef", claim)).decision,
        Decision::Deny
    );
    // Nobody's volume may be anywhere; one with data may not.
    assert_eq!(change(&cluster, &here, &abroad).decision, Decision::Allow);
    let bound = value(VOLUME);
    for (values, decision) in [
        (json!(["eu-central-1b"]), Decision::Allow),
        (json!(["us-east-1a"]), Decision::Deny),
        (json!(["eu-central-1a", "us-east-1a"]), Decision::Deny),
        (json!(["eu-central-1-ist-1a"]), Decision::Deny),
        (json!([]), Decision::Deny),
    ] {
        let new = set(bound.clone(), zone.strip_suffix("/0").unwrap(), values.clone());
        let verdict = change(&cluster, &bound, &new);
        // A term that matches nothing says nothing, and the disk can be anywhere.
        assert_eq!(verdict.decision, decision, "{values}: {verdict:#?}");
    }
    let verdict = change(&cluster, &bound, &set(bound.clone(), "/spec/nodeAffinity", Value::Null));
    assert_eq!(verdict.decision, Decision::Deny);
}

#[test]
fn s2_only_deny_policies_ask_for_the_verb() {
    let softened = |action: &str| EU.replace("allow:", &format!("action: {action}, allow:"));
    for action in ["Warn", "Audit"] {
        let old = value(POD);
        let cluster = state(&[NODES, &softened(action)]);
        let verdict = change(&cluster, &old, &set(old.clone(), "/metadata/annotations", json!({})));
        assert!(verdict.requires.is_empty(), "{action}");
        let namespace = value(NAMESPACE);
        let bare = "apiVersion: v1\nkind: Pod\nmetadata: {name: bare, namespace: shop}\n";
        let cluster = state(&[NODES, &softened(action), bare]);
        let verdict = change(&cluster, &namespace, &set(namespace.clone(), ANNOTATION, json!("")));
        assert!(verdict.requires.is_empty(), "{action}");
    }
}

#[test]
fn s4_a_policy_that_cannot_be_read_is_concerned_as_well() {
    let mut cluster = state(&[NODES]);
    cluster.apply_unreadable_policy("broken", &["personal".to_owned()]);
    let old = value(POD);
    let verdict = change(&cluster, &old, &set(old.clone(), "/metadata/annotations", json!({})));
    assert_eq!(required(&verdict), ["broken"]);
    // What it governs cannot be read either: all classifications, and nothing that carries none.
    let mut cluster = State::new(Settings::default());
    cluster.apply_unreadable_policy("all", &[]);
    let bare = set(old.clone(), "/metadata/annotations", json!({}));
    assert_eq!(required(&change(&cluster, &old, &bare)), ["all"]);
    let created = |pod: Value| judge(&Request::create(&parse(pod)), &cluster, now()).decision;
    assert_eq!((created(old), created(bare)), (Decision::Deny, Decision::Allow));
}

#[test]
fn s7_a_kind_that_changes_is_judged() {
    let pod = object(&POD.replace("nodeName: fra", "nodeName: iad"));
    let claim = object(CLAIM);
    let cluster = state(&[NODES, EU]);
    assert_eq!(judge(&Request::update(&claim, &pod), &cluster, now()).decision, Decision::Deny);
    assert!(matches!(claim, Object::Claim(_)));
}
