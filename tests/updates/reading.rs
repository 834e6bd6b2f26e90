//! What is judged of a change, and what is not (sections 6 and 7).

use super::*;

/// A CronJob that has its pods made in Virginia.
const CRON: &str = "
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: shop}
spec:
  suspend: false
  jobTemplate: {spec: {template: {
    metadata: {annotations: {domicile.dev/data-classification: personal}},
    spec: {nodeSelector: {topology.kubernetes.io/region: us-east-1}}}}}
";

const SNAPSHOT: &str = "
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {name: data-1, namespace: shop}
spec: {source: {persistentVolumeClaimName: data}}
";

#[test]
fn s7_what_nothing_reads_is_not_judged() {
    // Everything below sits in Virginia, which the policy forbids, or says what is no classification: were it judged, it would
    // be denied.
    let pod = POD.replace("nodeName: fra", "nodeName: iad");
    let volume = VOLUME.replace("eu-central-1a", "us-east-1a");
    let deployment = DEPLOYMENT.replace("eu-west-1", "us-east-1");
    let attachment = "
apiVersion: storage.k8s.io/v1
kind: VolumeAttachment
metadata: {name: attached}
spec: {nodeName: iad, attacher: ebs.csi.aws.com, source: {persistentVolumeName: pv-data}}
";
    // What was stored before anybody asked.
    let namespace = NAMESPACE.replace("'personal, health'", "'Not OK'");
    let cluster = state(&[NODES, EU, MORE, CLAIM, &volume, &pod]);
    for (yaml, path, to) in [
        (attachment, "/status", json!({"attached": true})),
        (&*namespace, "/metadata/labels/team", json!("a")),
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
        (CRON, "/spec/suspend", json!(true)),
        (SNAPSHOT, "/status", json!({"readyToUse": true})),
    ] {
        let old = value(yaml);
        let new = set(old.clone(), path, to);
        let created = judge(&Request::create(&parse(new.clone())), &cluster, now());
        assert!(created.decision == Decision::Deny || path == "/status/phase", "{path}: {created:#?}");
        let verdict = change(&cluster, &old, &new);
        assert_eq!((verdict.decision, verdict.reach), (Decision::Allow, Reach::NotApplicable), "{path}");
        assert!(verdict.findings.is_empty() && verdict.requires.is_empty(), "{path}: {verdict:#?}");
        // Whoever rolls out what breaks a policy would wait for pods that nobody may make.
        let told =
            verdict.warnings.iter().any(|one| one.contains("pods that it makes from now on are refused"));
        assert_eq!(
            told,
            created.object.kind == "Deployment" || created.object.kind == "CronJob",
            "{verdict:#?}"
        );
    }
    // One that breaks nothing is left in peace.
    let (old, cluster) = (value(DEPLOYMENT), state(&[NODES, EU]));
    let verdict = change(&cluster, &old, &set(old.clone(), "/spec/replicas", json!(9)));
    assert!(verdict.warnings.is_empty(), "{verdict:#?}");
    // So is one whose pods are only warned of, since nobody refuses those.
    let (old, warning) = (value(&deployment), EU.replace("allow:", "action: Warn, allow:"));
    assert_eq!(create(&[NODES, &warning], &deployment).decision, Decision::Warn);
    let verdict = change(&state(&[NODES, &warning]), &old, &set(old.clone(), "/spec/replicas", json!(9)));
    assert!(verdict.warnings.is_empty(), "{verdict:#?}");
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
        (&*volume, "/metadata/labels/topology.kubernetes.io~1zone", json!("us-east-1a")),
        (&*deployment, "/spec/template/spec/tolerations", json!([{"operator": "Exists"}])),
        (&*deployment, "/spec/template/spec/volumes", json!([{"name": "x", "emptyDir": {}}])),
        (CRON, "/spec/jobTemplate/metadata/annotations/domicile.dev~1data-classification", json!("health")),
        (SNAPSHOT, "/spec/volumeSnapshotClassName", json!("daily")),
    ] {
        let old = value(yaml);
        let verdict = change(&cluster, &old, &set(old.clone(), path, to));
        assert_eq!((verdict.decision, verdict.reach), (Decision::Deny, Reach::Violated), "{path}");
    }
}

#[test]
fn s7_writing_down_what_a_claim_carries_already_is_not_judged() {
    const RECORD: &str = "/metadata/annotations/domicile.dev~1recorded-classification";
    let bare = CLAIM.replace("personal", "");
    let volume = VOLUME.replace("personal", "").replace("eu-central-1a", "us-east-1a");
    // The pod has brought it, and where the volume is, it may not be.
    let cluster = state(&[NODES, EU, MORE, &volume, POD]);
    let old = value(&bare);
    let verdict = change(&cluster, &old, &set(old.clone(), RECORD, json!("personal")));
    assert_eq!((verdict.decision, verdict.reach), (Decision::Allow, Reach::NotApplicable), "{verdict:#?}");
    for (path, to) in [(RECORD, json!("personal,Not A Token")), (ANNOTATION, json!("personal"))] {
        let verdict = change(&cluster, &old, &set(old.clone(), path, to.clone()));
        assert_eq!(verdict.decision, Decision::Deny, "{path} {to}");
    }
    // With a move, it is the move that is judged.
    let moved = set(set(old.clone(), RECORD, json!("personal")), "/metadata/labels/app", json!("web"));
    assert_eq!(change(&cluster, &old, &moved).decision, Decision::Deny);
}

#[test]
fn s7_writing_down_on_a_volume_what_its_claim_carries_is_not_judged() {
    const RECORD: &str = "/metadata/annotations/domicile.dev~1recorded-classification";
    // The claim has come to carry it, and where the volume is, it may not be.
    let old = value(&VOLUME.replace("personal", "").replace("eu-central-1a", "us-east-1a"));
    let cluster = state(&[NODES, EU, MORE, CLAIM]);
    let written = change(&cluster, &old, &set(old.clone(), RECORD, json!("personal")));
    assert_eq!((written.decision, written.reach), (Decision::Allow, Reach::NotApplicable), "{written:#?}");
    let labelled = set(old.clone(), "/metadata/labels/topology.kubernetes.io~1zone", json!("us-east-1b"));
    let moved = set(labelled, RECORD, json!("personal"));
    assert_eq!(change(&cluster, &old, &moved).decision, Decision::Deny);
}

/// What has gone leaves its classification to the record, and the state shows nothing of it any more.
#[test]
fn s7_writing_down_what_is_gone_is_not_judged() {
    const RECORD: &str = "/metadata/annotations/domicile.dev~1recorded-classification";
    const SNAPSHOT: &str = "
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {name: taken, namespace: shop, annotations: {domicile.dev/recorded-classification: personal}}
spec: {source: {persistentVolumeClaimName: data}}
";
    const CONTENT: &str = "
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotContent
metadata: {name: content, annotations: {domicile.dev/recorded-classification: personal}}
spec: {driver: ebs.csi.aws.com, volumeSnapshotRef: {namespace: shop, name: taken}}
";
    let volume = VOLUME.replace("eu-central-1a", "us-east-1a");
    let claim = CLAIM.replace("data-classification", "recorded-classification");
    let cluster = state(&[NODES, EU, MORE, &volume, &claim, SNAPSHOT, CONTENT]);
    for yaml in [&*volume, &claim, SNAPSHOT, CONTENT] {
        let old = value(yaml);
        let changed = |to: &str| change(&cluster, &old, &set(old.clone(), RECORD, json!(to)));
        let written = changed("health,personal");
        let answer = (written.decision, written.reach);
        assert_eq!(answer, (Decision::Allow, Reach::NotApplicable), "{written:#?}");
        // What is no classification tells nobody anything, and what goes beside is gone.
        assert_eq!(changed("personal,Not A Token").decision, Decision::Deny, "{yaml}");
        assert!(!changed("health").requires.is_empty(), "{yaml}");
        // Said by who writes it, it is a change like any other.
        let said = set(old.clone(), ANNOTATION, json!("health"));
        assert_eq!(change(&cluster, &old, &said).decision, Decision::Deny, "{yaml}");
    }
}

#[test]
fn s7_writing_down_on_a_snapshot_and_its_content_what_they_carry_is_not_judged() {
    const RECORD: &str = "/metadata/annotations/domicile.dev~1recorded-classification";
    const SNAPSHOT: &str = "
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {name: taken, namespace: shop, annotations: {}}
spec: {source: {persistentVolumeClaimName: data}}
";
    const CONTENT: &str = "
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotContent
metadata: {name: content, annotations: {}}
spec: {driver: ebs.csi.aws.com, volumeSnapshotRef: {namespace: shop, name: taken}}
";
    // The claim has come to carry it, and where the volume is, it may not be.
    let cluster =
        state(&[NODES, EU, MORE, CLAIM, &VOLUME.replace("eu-central-1a", "us-east-1a"), SNAPSHOT, CONTENT]);
    for yaml in [SNAPSHOT, CONTENT] {
        let old = value(yaml);
        let written = change(&cluster, &old, &set(old.clone(), RECORD, json!("personal")));
        assert_eq!(
            (written.decision, written.reach),
            (Decision::Allow, Reach::NotApplicable),
            "{written:#?}"
        );
    }
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
fn s7_a_kind_that_changes_is_judged() {
    let pod = object(&POD.replace("nodeName: fra", "nodeName: iad"));
    let claim = object(CLAIM);
    let cluster = state(&[NODES, EU]);
    assert_eq!(judge(&Request::update(&claim, &pod), &cluster, now()).decision, Decision::Deny);
    assert!(matches!(claim, Object::Claim(_)));
}

/// What it declares was told when that was written.
#[test]
fn s7_of_a_class_whose_label_alone_changes_nothing_is_told() {
    let old = "{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: s, labels: {team: a}, annotations: \
               {domicile.dev/jurisdiction: Germany}}, provisioner: x}";
    let told =
        |to: &str| change(&state(&[EU]), &value(old), &value(&old.replacen("team: a", to, 1))).warnings.len();
    assert_eq!((told("team: b"), told("domicile.dev/data-clasification: b")), (0, 0));
    let changed =
        change(&state(&[EU]), &value(old), &value(&old.replace("provisioner: x", "provisioner: other")));
    assert_eq!(changed.warnings.len(), 1, "{:?}", changed.warnings);
}
