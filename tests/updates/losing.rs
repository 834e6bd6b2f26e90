//! What an edit would take away from an object (section 2).

use super::*;

#[test]
fn s2_taking_a_token_away_takes_the_verb() {
    for (yaml, path, to, policies) in [
        // Pods that exist, also those that are being deleted or have ended.
        (POD, "/spec/volumes", json!([]), &[][..]),
        (CLAIM, "/metadata/annotations", json!({}), &[]),
        (DEPLOYMENT, "/spec/template/metadata/annotations", json!({}), &["eu-personal", "web-personal"]),
    ] {
        // The volume's record holds the token for its claim, and the claim for the pod.
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

/// Whoever could take it off while the claim says the same would delete the claim next, before anybody writes it again.
#[test]
fn s2_the_record_is_not_taken_away_while_something_else_says_the_same() {
    const RECORD: &str = "/metadata/annotations/domicile.dev~1recorded-classification";
    let recorded = CLAIM.replace("data-classification: personal", "recorded-classification: personal");
    for (yaml, cluster) in
        [(VOLUME, state(&[NODES, EU, CLAIM])), (&*recorded, state(&[NODES, EU, NAMESPACE, VOLUME]))]
    {
        let old = value(yaml);
        let verdict = change(&cluster, &old, &set(old.clone(), RECORD, Value::Null));
        assert_eq!(required(&verdict), ["eu-personal"], "{yaml}");
    }
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

/// What is kept for a claim or a snapshot that is not there yet is of its namespace already: when that comes, nobody is asked.
#[test]
fn s2_what_is_kept_for_another_namespace_is_asked_about_before_its_claim_is_there() {
    const NAMESPACES: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {env: prod}}
---
apiVersion: v1
kind: Namespace
metadata: {name: lab, labels: {env: test}}
";
    let content = "
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotContent
metadata: {name: content, annotations: {domicile.dev/recorded-classification: personal}}
spec: {driver: ebs.csi.aws.com, volumeSnapshotRef: {namespace: shop, name: data}}
";
    let cluster = state(&[NODES, EU, MORE, NAMESPACES]);
    for (yaml, field) in [(VOLUME, "/spec/claimRef"), (content, "/spec/volumeSnapshotRef")] {
        let of_shop = value(yaml);
        let to =
            |namespace: &str| set(of_shop.clone(), field, json!({"namespace": namespace, "name": "another"}));
        assert_eq!(required(&change(&cluster, &of_shop, &to("lab"))), ["prod-personal"], "{field}");
        assert!(change(&cluster, &of_shop, &to("shop")).requires.is_empty(), "{field}");
        assert!(change(&cluster, &to("lab"), &of_shop).requires.is_empty(), "{field}");
        // Of a namespace that is not known, it could be any policy's.
        assert!(change(&cluster, &of_shop, &to("gone")).requires.is_empty(), "{field}");
    }
    // One that is free could be of any as well.
    let free = set(value(VOLUME), "/spec/claimRef", Value::Null);
    let kept = set(free.clone(), "/spec/claimRef", json!({"namespace": "lab", "name": "another"}));
    assert_eq!(required(&change(&cluster, &free, &kept)), ["prod-personal"]);
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
        // The snapshot says it still, and can lose it in the next step.
        (content, state(&[NODES, EU, snapshot]), &["eu-personal"]),
    ] {
        let old = value(yaml);
        let verdict = change(&cluster, &old, &set(old.clone(), "/metadata/annotations", json!({})));
        assert_eq!(required(&verdict), policies, "{yaml}");
    }
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
