//! What is wrong with classifications themselves (section 2): invalid, ungoverned, missing, or where no pod inherits them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

mod support;

use domicile::cluster::{Settings, State, Ungoverned};
use domicile::objects::Object;
use domicile::placement::selector::Selector;
use domicile::residency::{Decision, Reason, Request, Verdict, is_judged, judge};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use support::{EU, WORKLOADS, create, empty, now, object, parse, reasons, values, workload};

const KEY: &str = "domicile.dev/data-classification";

fn saying(token: &str) -> String {
    format!("annotations: {{{KEY}: {token}}}")
}

fn pod(metadata: &str) -> String {
    format!("{{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: shop, {metadata}}}}}")
}

fn namespace(metadata: &str) -> String {
    format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: shop, {metadata}}}}}")
}

/// What is said of an object with these settings.
fn with(settings: Settings, cluster: &[&str], yaml: &str) -> Verdict {
    let mut state = State::new(settings);
    state.apply_all(cluster.iter().flat_map(|yaml| values(yaml)).map(parse));
    judge(&Request::create(&object(yaml)), &state, now())
}

#[test]
fn s2_a_token_that_is_no_dns_label_is_denied_by_name() {
    let long = "a".repeat(63);
    for (token, valid) in [
        ("a", true),
        ("0", true),
        ("pci-dss", true),
        ("a--b", true),
        (&long, true),
        (&*format!("{long}a"), false),
        ("Personal", false),
        ("-personal", false),
        ("personal-", false),
        ("per sonal", false),
        ("personal;health", false),
        ("personal/health", false),
        ("pers\u{f6}nlich", false),
        ("\u{440}ersonal", false),
        ("a.b", false),
        ("a_b", false),
    ] {
        let verdict = create(&[], &pod(&saying(&format!("'{token}'"))));
        if valid {
            assert_eq!(verdict.decision, Decision::Allow, "{token}");
            continue;
        }
        assert_eq!(
            (verdict.decision, reasons(&verdict)),
            (Decision::Deny, vec![Reason::InvalidClassification]),
            "{token}"
        );
        let finding = &verdict.findings[0];
        assert!(finding.message.contains(&format!("{token:?}")), "{}", finding.message);
        assert_eq!(finding.policy, None);
        assert_eq!(finding.field.as_deref(), Some("metadata.annotations[domicile.dev/data-classification]"));
    }
}

#[test]
fn s2_each_invalid_token_is_named_and_the_valid_ones_still_count() {
    let verdict = create(&[EU, support::NODES], &pod(&saying("'Personal, personal, PII'")));
    let invalid = verdict.findings.iter().filter(|one| one.reason == Reason::InvalidClassification).count();
    assert_eq!(invalid, 2, "{:#?}", verdict.findings);
    assert!(reasons(&verdict).contains(&Reason::NodeOutsideJurisdiction), "{:#?}", verdict.findings);
}

/// What it writes, everything is judged by that shares a volume with it.
#[test]
fn s2_an_object_writes_no_more_than_64_of_them() {
    let many = |count: usize| (0..count).map(|number| format!("t{number}")).collect::<Vec<_>>().join(",");
    for (count, refused) in [(64, false), (65, true), (20_000, true)] {
        let said = create(&[], &pod(&saying(&format!("'{}'", many(count)))));
        assert_eq!(said.decision == Decision::Deny, refused, "{count}: {:?}", said.findings);
        if refused {
            assert_eq!(reasons(&said), [Reason::InvalidClassification]);
            assert!(said.findings[0].message.contains("more than the 64"), "{:?}", said.findings);
            // What is carried is still known whole: records are made of it.
            assert_eq!(said.classifications.len(), count);
        }
    }
    // What it inherits is not its doing.
    let said = create(&[&namespace(&saying(&format!("'{}'", many(60))))], &pod(&saying("a,b,c,d,e,f,g")));
    assert_eq!(said.decision, Decision::Allow, "{:?}", said.findings);
}

#[test]
fn s2_an_invalid_token_is_an_error_wherever_it_comes_from() {
    let claim = format!(
        "{{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {{name: data, {}}}, spec: {{volumeName: pv}}}}",
        saying("'Not OK'")
    );
    let mounting = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}, spec: {volumes: [{name: v, \
                    persistentVolumeClaim: {claimName: data}}]}}";
    let volume = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv}, spec: {claimRef: {namespace: shop, name: data}}}";
    for (what, cluster, yaml, place) in [
        ("a claim's own", vec![], claim.clone(), "its annotation"),
        ("a pod's by its claim", vec![claim.as_str()], mounting.to_owned(), "claim shop/data"),
        ("a volume's by its claim", vec![claim.as_str()], volume.to_owned(), "claim shop/data"),
        ("a namespace's own", vec![], namespace(&saying("'Not OK'")), "its annotation"),
        ("a pod's by its namespace", vec![&*namespace(&saying("'Not OK'"))], pod(""), "namespace shop"),
    ] {
        let verdict = create(&cluster, &yaml);
        assert_eq!(
            (verdict.decision, reasons(&verdict)),
            (Decision::Deny, vec![Reason::InvalidClassification]),
            "{what}"
        );
        let message = &verdict.findings[0].message;
        assert!(message.contains("\"Not OK\"") && message.contains(place), "{what}: {message}");
    }
}

#[test]
fn s2_a_token_that_no_policy_governs_warns_or_denies_and_names_the_nearest() {
    for (token, meant) in [
        ("personel", Some("did you mean `personal`?")),
        ("persona", Some("did you mean `personal`?")),
        ("personal-data", Some("did you mean `personal`?")),
        ("helth", Some("did you mean `health`?")),
        ("zzz", None),
    ] {
        let health = EU.replace("eu-personal", "h").replace("[personal]", "[health, payment]");
        let deny = Settings { ungoverned: Ungoverned::Deny, ..Settings::default() };
        for (settings, decision) in [(Settings::default(), Decision::Allow), (deny, Decision::Deny)] {
            let verdict = with(settings, &[EU, &health], &pod(&saying(token)));
            assert_eq!(verdict.decision, decision, "{token}");
            let (said, expected): (Vec<&str>, &[Reason]) = match decision {
                Decision::Deny => (
                    verdict.findings.iter().map(|one| one.message.as_str()).collect(),
                    &[Reason::UngovernedClassification],
                ),
                _ => (verdict.warnings.iter().map(String::as_str).collect(), &[]),
            };
            assert_eq!(reasons(&verdict), expected, "{token}");
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(said[0].contains(&format!("`{token}`")), "{said:?}");
            match meant {
                Some(meant) => assert!(said[0].contains(meant), "{said:?}"),
                None => assert!(
                    !said[0].contains("did you mean") && said[0].contains("`health`, `payment`, `personal`"),
                    "{said:?}"
                ),
            }
        }
    }
}

#[test]
fn s2_a_governed_token_and_an_empty_cluster_say_the_right_thing() {
    assert!(create(&[EU], &pod(&saying("personal"))).warnings.iter().all(|one| !one.contains("governs")));
    let warnings = create(&[], &pod(&saying("personal"))).warnings;
    assert_eq!(warnings, ["no policy governs the classification `personal`"]);
    // One that is inherited is told too.
    let warnings = create(&[EU, &namespace(&saying("personel"))], &pod("")).warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("did you mean `personal`?"), "{warnings:?}");
}

fn required() -> Settings {
    let selector: LabelSelector = serde_json::from_str(r#"{"matchLabels": {"data": "strict"}}"#).unwrap();
    Settings { required: Some(Selector::compile(&selector).unwrap()), ..Settings::default() }
}

#[test]
fn s2_where_a_classification_is_required_what_carries_none_is_refused() {
    let strict = namespace("labels: {data: strict}");
    let claim = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c, namespace: shop}, spec: {storageClassName: x}}";
    let mut bare = vec![pod(""), claim.to_owned(), pod(&saying("''"))];
    bare.extend(WORKLOADS.map(|kind| workload(kind, "namespace: shop", "{}")));
    for yaml in &bare {
        let verdict = with(required(), &[&strict], yaml);
        assert_eq!(
            (verdict.decision, reasons(&verdict)),
            (Decision::Deny, vec![Reason::Unclassified]),
            "{yaml}"
        );
        let message = &verdict.findings[0].message;
        assert!(message.contains("namespace shop") && message.contains(KEY), "{message}");
        for (what, settings, cluster) in [
            ("not required", Settings::default(), strict.clone()),
            ("another namespace", required(), namespace("labels: {data: loose}")),
            (
                "its namespace's will do",
                required(),
                namespace(&format!("labels: {{data: strict, {KEY}: personal}}")),
            ),
        ] {
            let verdict = with(settings, &[&cluster, EU], yaml);
            assert!(!reasons(&verdict).contains(&Reason::Unclassified), "{what}: {yaml}");
        }
        // A namespace that nobody knows could be one of them.
        assert_eq!(reasons(&with(required(), &[], yaml)), [Reason::Unclassified], "{yaml}");
    }
    // One of its own will do, and so will one that is invalid: that is another error.
    assert_eq!(with(required(), &[&strict], &pod(&saying("personal"))).decision, Decision::Allow);
    assert_eq!(reasons(&with(required(), &[&strict], &pod(&saying("Bad")))), [Reason::InvalidClassification]);
    // Kinds that are in no namespace, or hold no data of their own, need none.
    for yaml in [
        "{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv}, spec: {nfs: {}}}",
        "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {data: strict}}}",
        "{apiVersion: v1, kind: Node, metadata: {name: fra}}",
    ] {
        assert_eq!(with(required(), &[&strict], yaml).decision, Decision::Allow, "{yaml}");
    }
}

#[test]
fn s2_pods_do_not_inherit_what_stands_on_their_workload() {
    for kind in WORKLOADS {
        let template = if kind == "CronJob" { "spec.jobTemplate.spec.template" } else { "spec.template" };
        let on = |metadata: &str, template: &str| {
            workload(kind, &format!("namespace: shop, {metadata}"), template)
        };
        let templated = |token: &str| format!("{{metadata: {{{}}}}}", saying(token));
        for (what, cluster, yaml, tokens) in [
            ("an annotation", String::new(), on(&saying("personal"), "{}"), &["personal"][..]),
            ("a label", String::new(), on(&format!("labels: {{{KEY}: personal}}"), "{}"), &["personal"]),
            ("two", String::new(), on(&saying("'personal,health'"), "{}"), &["health", "personal"]),
            (
                "another than its template's",
                String::new(),
                on(&saying("personal"), &templated("health")),
                &["personal"],
            ),
            ("its template's too", String::new(), on(&saying("personal"), &templated("personal")), &[]),
            (
                "its template's among others",
                String::new(),
                on(&saying("personal"), &templated("'personal, health'")),
                &[],
            ),
            ("its namespace's too", namespace(&saying("personal")), on(&saying("personal"), "{}"), &[]),
            (
                "one of each, and one of none",
                namespace(&saying("personal")),
                on(&saying("'personal, health, payment'"), &templated("health")),
                &["payment"],
            ),
            ("nothing", String::new(), on("", &templated("personal")), &[]),
            ("nothing in words", String::new(), on(&saying("''"), "{}"), &[]),
        ] {
            let verdict = create(&[&cluster], &yaml);
            let found: Vec<_> = verdict
                .findings
                .iter()
                .filter(|one| one.reason == Reason::ClassificationNotOnTemplate)
                .collect();
            assert_eq!(found.len(), tokens.len(), "{kind}, {what}: {:#?}", verdict.findings);
            for (finding, token) in found.iter().zip(tokens) {
                assert!(
                    finding.message.contains(&format!("`{token}`"))
                        && finding.message.contains(kind)
                        && finding.message.contains(&format!("{template}.metadata.annotations[{KEY}]")),
                    "{}",
                    finding.message
                );
                assert!(finding.field.as_deref().unwrap().starts_with("metadata."), "{finding:?}");
                assert_eq!(finding.policy, None);
            }
            let decision = if tokens.is_empty() { Decision::Allow } else { Decision::Deny };
            assert_eq!(verdict.decision, decision, "{kind}, {what}");
        }
    }
}

#[test]
fn s2_pods_do_not_inherit_what_stands_on_the_jobs_of_a_cron_job_either() {
    let cron = |own: &str, job: &str, pod: &str| {
        format!(
            "{{apiVersion: batch/v1, kind: CronJob, metadata: {{name: w, namespace: shop, {own}}}, spec: {{jobTemplate: \
             {{metadata: {{{job}}}, spec: {{template: {{metadata: {{{pod}}}}}}}}}}}}}"
        )
    };
    let personal = saying("personal");
    for (what, yaml, denied) in [
        ("on the jobs", cron("", &personal, ""), true),
        ("on both", cron(&personal, &personal, ""), true),
        ("on the pods too", cron("", &personal, &personal), false),
        ("on all three", cron(&personal, &personal, &personal), false),
        ("on the pods alone", cron("", "", &personal), false),
    ] {
        let verdict = create(&[], &yaml);
        let expected: &[Reason] = if denied { &[Reason::ClassificationNotOnTemplate] } else { &[] };
        assert_eq!(reasons(&verdict), expected, "{what}");
        assert!(verdict.findings.len() <= 1, "{what}: {:#?}", verdict.findings);
    }
    let verdict = create(&[], &cron("", &personal, ""));
    assert_eq!(
        verdict.findings[0].field.as_deref(),
        Some("spec.jobTemplate.metadata.annotations[domicile.dev/data-classification]")
    );
    assert!(
        verdict.findings[0].message.contains("stands on the jobTemplate itself"),
        "{}",
        verdict.findings[0].message
    );
}

#[test]
fn s2_an_invalid_token_on_a_workload_is_an_invalid_token() {
    for kind in WORKLOADS {
        for yaml in [
            workload(kind, &format!("namespace: shop, {}", saying("Personal")), "{}"),
            workload(kind, "namespace: shop", &format!("{{metadata: {{{}}}}}", saying("Personal"))),
        ] {
            let verdict = create(&[], &yaml);
            assert_eq!(
                (verdict.decision, reasons(&verdict)),
                (Decision::Deny, vec![Reason::InvalidClassification]),
                "{yaml}"
            );
            assert!(verdict.findings[0].message.contains("\"Personal\""), "{}", verdict.findings[0].message);
        }
    }
}

/// A key with a slip in it says nothing, and whoever made the slip thinks that it does.
#[test]
fn s2_a_key_that_is_nearly_ours_is_told() {
    for (key, meant) in [
        ("domicile.dev/data-clasification", Some(KEY)),
        ("domicile.dev/data-classifications", Some(KEY)),
        ("domicile.dev/data_classification", Some(KEY)),
        ("Domicile.dev/Data-Classification", Some(KEY)),
        ("domicil.dev/data-classification", Some(KEY)),
        ("domicile.dev/data-class", Some(KEY)),
        ("mydomicile.example.com/data-classification", None),
        ("domicile.dev/jurisdition", Some("domicile.dev/jurisdiction")),
        (KEY, None),
        ("domicile.dev/recorded-classification", None),
        ("domicile.dev/jurisdiction", None),
        ("domicile.dev/owner", None),
        ("example.com/data-classification", None),
        ("data-classification", None),
    ] {
        let template = format!("{{metadata: {{labels: {{{key}: a}}}}}}");
        for (yaml, path) in [
            (pod(&format!("annotations: {{{key}: a}}")), "metadata.annotations"),
            (
                workload("CronJob", "namespace: shop", &template),
                "spec.jobTemplate.spec.template.metadata.labels",
            ),
        ] {
            let warnings = create(&[], &yaml).warnings;
            let told: Vec<&String> = warnings.iter().filter(|one| one.contains("means nothing")).collect();
            let expected: Vec<String> = meant
                .iter()
                .map(|meant| format!("{path}[{key}] means nothing; did you mean {meant}?"))
                .collect();
            assert_eq!(told, expected.iter().collect::<Vec<_>>(), "{key}");
        }
    }
}

/// So is one that is nearly a key of the settings, under the same prefix. Another prefix, or none, may be anyone's.
#[test]
fn s2_a_key_that_is_nearly_one_of_the_settings_is_told() {
    for (key, told) in [
        ("team-a.example.com/data-clasification", true),
        ("team-b.example.com/data-classification", false),
        ("data-clasification", false),
    ] {
        let settings = Settings {
            classification_keys: vec![
                "team-a.example.com/data-classification".into(),
                "data-classification".into(),
            ],
            ..Settings::default()
        };
        let warnings = with(settings, &[], &pod(&format!("annotations: {{{key}: a}}"))).warnings;
        assert_eq!(warnings.iter().any(|one| one.contains("means nothing")), told, "{key}: {warnings:?}");
    }
}

/// More than can be read at a glance are not listed.
#[test]
fn s2_of_what_is_governed_eight_are_named() {
    for (count, listed) in [(8, true), (9, false)] {
        let many: Vec<String> = (0..count).map(|number| format!("c{number}")).collect();
        let policy = EU.replace("[personal]", &format!("[{}]", many.join(", ")));
        let warnings = create(&[&policy], &pod(&saying("zzz"))).warnings;
        assert_eq!(warnings.iter().any(|one| one.contains("; governed: `c0`")), listed, "{warnings:?}");
    }
}

#[test]
fn s2_other_objects_are_not_asked() {
    for yaml in [
        "{apiVersion: v1, kind: Node, metadata: {name: fra, annotations: {domicile.dev/data-classification: Bad}}}",
        "{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: s, annotations: {domicile.dev/data-classification: Bad}}}",
    ] {
        let object: Object = object(yaml);
        let verdict = judge(&Request::create(&object), &empty(), now());
        assert_eq!((verdict.decision, verdict.classifications.len()), (Decision::Allow, 0), "{yaml}");
    }
}

#[test]
fn s3_a_declaration_that_is_no_code_is_told() {
    for (key, value, told) in [
        ("domicile.dev/jurisdiction", "Germany", true),
        ("domicile.dev/provider-jurisdiction", "Germany", true),
        ("domicile.dev/jurisdiction", "DE", false),
    ] {
        let class = format!(
            "{{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {{name: s, annotations: {{{key}: {value}}}}}, provisioner: x}}"
        );
        let warnings = create(&[], &class).warnings;
        let due = format!("metadata.annotations[{key}] declares nothing");
        assert_eq!(warnings.iter().any(|one| one.starts_with(&due)), told, "{key}: {value}: {warnings:?}");
    }
}

/// Of kinds that only say how others are judged nothing is asked.
#[test]
fn kinds_that_are_judged() {
    let class =
        "{apiVersion: snapshot.storage.k8s.io/v1, kind: VolumeSnapshotClass, metadata: {name: s}, driver: x}";
    let geography = "{apiVersion: domicile.dev/v1alpha1, kind: Geography, metadata: {name: g}, spec: {}}";
    for (yaml, judged) in [(pod("").as_str(), true), (class, false), (EU, false), (geography, false)] {
        assert_eq!(is_judged(&object(yaml)), judged, "{yaml}");
    }
}
