//! What is taken from, and added to, the objects of a namespace and the pods of a claim (section 2).

use domicile::placement::selector::Selector;

use super::*;

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
    let snapshot = "{apiVersion: snapshot.storage.k8s.io/v1, kind: VolumeSnapshot, metadata: {name: s, namespace: shop}, spec: {source: \
                    {persistentVolumeClaimName: c}}}";
    assert_ne!(losing(&[snapshot], ""), none, "a snapshot inherits too");
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

/// Labels are read that say where a classification is required, and no others: what stands there is no classification, and
/// is refused as soon as it is read.
#[test]
fn s2_a_label_that_requires_a_classification_is_read() {
    let prod = serde_json::from_value(json!({"matchLabels": {"env": "prod"}})).unwrap();
    let required = Settings { required: Some(Selector::compile(&prod).unwrap()), ..Settings::default() };
    let old =
        value(&NAMESPACE.replace("'personal, health'", "'Not OK'").replace("{env: prod}", "{env: test}"));
    for (settings, label, decision) in [
        (required.clone(), "env", Decision::Deny),
        (required, "team", Decision::Allow),
        (Settings::default(), "env", Decision::Allow),
    ] {
        let mut cluster = State::new(settings);
        cluster.apply(object(EU));
        let verdict =
            change(&cluster, &old, &set(old.clone(), &format!("/metadata/labels/{label}"), json!("prod")));
        assert_eq!(verdict.decision, decision, "{label}: {verdict:#?}");
    }
}

/// What it had is what the request says, also where this replica has not heard of it yet.
#[test]
fn s2_what_a_namespace_loses_that_is_not_known_yet_takes_the_verb() {
    let bare = "apiVersion: v1\nkind: Pod\nmetadata: {name: bare, namespace: shop}\n";
    let cluster = state(&[NODES, EU, MORE, bare]);
    let old = value(NAMESPACE);
    let new = parse(set(old.clone(), ANNOTATION, json!("")));
    let verdict = judge(&Request::update(&parse(old), &new), &cluster, now());
    assert_eq!(required(&verdict), ["eu-health", "eu-personal", "prod-personal"]);
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
