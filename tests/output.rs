//! What people and machines are given, from verdicts made by hand.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

use std::sync::Arc;

use domicile::api::Action;
use domicile::cli::output::table::Layout;
use domicile::cli::output::{Outcome, Report, json, junit, sarif, table};
use domicile::cluster::{InputError, Source};
use domicile::controller::reports::Beginnings;
use domicile::objects::ObjectRef;
use domicile::residency::{
    CarriedClassification, Decision, Example, Finding, Fix, Matching, Reach, Reason, Verdict,
};
use serde_json::{Value, json};

fn report(kind: &str, namespace: &str, name: &str, file: &str, line: usize) -> Report {
    let object = ObjectRef {
        api_version: "v1".into(),
        kind: kind.into(),
        namespace: namespace.into(),
        name: name.into(),
    };
    Report {
        verdict: Verdict {
            object,
            classifications: Vec::new(),
            policies: Vec::new(),
            decision: Decision::Allow,
            reach: Reach::NotApplicable,
            findings: Vec::new(),
            warnings: Vec::new(),
            fix: None,
            requires: Vec::new(),
        },
        source: Source { file: Arc::from(file), line },
    }
}

fn carried(name: &str, from: &str) -> CarriedClassification {
    CarriedClassification { name: name.into(), from: from.into() }
}

fn finding(policy: Option<&str>, action: Action, reason: Reason, message: &str) -> Finding {
    Finding {
        policy: policy.map(str::to_owned),
        action,
        reason,
        message: message.into(),
        field: None,
        example: None,
        matching: None,
    }
}

fn denied_pod() -> Report {
    let mut report = report("Pod", "shop", "orders", "shop/my app.yaml", 12);
    let verdict = &mut report.verdict;
    verdict.classifications = vec![
        carried("personal", "annotation"),
        carried("personal", "namespace shop"),
        carried("payment", "label"),
    ];
    verdict.decision = Decision::Deny;
    verdict.reach = Reach::Violated;
    let mut outside = finding(
        Some("eu-personal"),
        Action::Deny,
        Reason::NodeOutsideJurisdiction,
        "it can run on node a1 (us-east-1, US), which is not in EEA or CH; 2 of the 5 nodes that match are outside",
    );
    outside.field = Some("spec.affinity".into());
    outside.example = Some(Example {
        node: Some("a1".into()),
        volume: None,
        provider: Some("aws".into()),
        region: Some("us-east-1".into()),
        zone: Some("us-east-1a".into()),
        jurisdiction: Some("US".into()),
        provider_jurisdiction: Some("US".into()),
    });
    outside.matching = Some(Matching { outside: 2, total: 5 });
    let mut volume = finding(
        Some("payment-in-de"),
        Action::Warn,
        Reason::VolumeOutsideJurisdiction,
        "the claim shop/data can be anywhere <the cluster is> & \"further\"",
    );
    volume.example = Some(Example { volume: Some("claim shop/data".into()), ..Example::default() });
    verdict.findings = vec![outside, volume];
    verdict.warnings = vec!["no policy governs `persnal`: did you mean `personal`?".into()];
    verdict.fix = Some(Fix {
        path: "spec.affinity.nodeAffinity".into(),
        value: json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [
            {"key": "topology.kubernetes.io/region", "operator": "In", "values": ["eu-central-1", "NO"]}
        ]}]}}),
    });
    report
}

fn reports() -> Vec<Report> {
    let mut proven = report("Deployment", "shop", "web", "shop/my app.yaml", 40);
    proven.verdict.reach = Reach::Proven;
    proven.verdict.classifications = vec![carried("personal", "annotation")];

    let mut warned = report("PersistentVolume", "", "pv-1", "/srv/volumes.yaml", 1);
    warned.verdict.decision = Decision::Warn;
    warned.verdict.reach = Reach::Observed;
    warned.verdict.classifications = vec![carried("health", "claim clinic/records")];
    warned.verdict.findings = vec![finding(
        Some("health-de"),
        Action::Warn,
        Reason::UnknownLocation,
        "where the volume is is not known",
    )];
    warned.verdict.fix =
        Some(Fix { path: "metadata.annotations[domicile.dev/jurisdiction]".into(), value: json!("DE") });

    let mut audited =
        report("Pod", "clinic", "a-very-long-name-as-controllers-make-them-7d9f8b6c5d-x2x4z-0", "cluster", 0);
    audited.verdict.reach = Reach::Violated;
    audited.verdict.findings =
        vec![finding(Some("try-out"), Action::Audit, Reason::NotProven, "nothing pins where it goes")];

    let mut unclassified = report("Job", "clinic", "import*", "cluster", 0);
    unclassified.verdict.decision = Decision::Deny;
    unclassified.verdict.findings = vec![finding(
        None,
        Action::Deny,
        Reason::Unclassified,
        "it carries no classification, and namespace clinic requires one\u{1}",
    )];
    unclassified.verdict.fix = Some(Fix { path: "spec.nodeName".into(), value: Value::Null });
    vec![denied_pod(), proven, warned, audited, unclassified]
}

fn errors() -> Vec<InputError> {
    vec![
        InputError { file: "shop/broken.yaml".into(), line: Some(3), message: "unclosed bracket '['".into() },
        InputError { file: "missing.yaml".into(), line: None, message: "no such file or folder".into() },
    ]
}

/// As `check` and `audit` write it.
fn plain_json(outcome: &Outcome<'_>, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    json::write(outcome, None, out)
}

type Writer = fn(&Outcome<'_>, &mut dyn std::io::Write) -> std::io::Result<()>;

fn written(write: Writer, reports: &[Report], errors: &[InputError]) -> String {
    let mut out = Vec::new();
    write(&Outcome { reports, errors, since: None }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

const PIPE: Layout = Layout { width: None, list_allowed: true };

fn table_for(layout: Layout, reports: &[Report], errors: &[InputError]) -> String {
    let mut out = Vec::new();
    table::write(&Outcome { reports, errors, since: None }, layout, &mut out).unwrap();
    anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
}

#[test]
fn table_in_a_pipe() {
    insta::assert_snapshot!(table_for(PIPE, &reports(), &errors()));
}

#[test]
fn table_on_a_narrow_terminal() {
    let text = table_for(Layout { width: Some(72), list_allowed: false }, &reports(), &[]);
    insta::assert_snapshot!(text);
}

#[test]
fn names_cannot_command_the_terminal() {
    let mut sly = report("Pod", "shop", "a\u{1b}[2K\u{1b}[1A", "x\u{7}.yaml", 1);
    sly.verdict.decision = Decision::Deny;
    sly.verdict.findings = vec![finding(None, Action::Deny, Reason::Unclassified, "one\ntwo\u{1b}[31m")];
    let mut out = Vec::new();
    table::write(&Outcome { reports: &[sly], errors: &[], since: None }, PIPE, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(
        !text.contains("\u{1b}[2K") && !text.contains('\u{7}') && !text.contains("two\u{1b}"),
        "{text:?}"
    );
    assert!(text.contains("    one\n    two"), "{text:?}");
}

#[test]
fn table_of_nothing() {
    assert_eq!(table_for(PIPE, &[], &[]), "No object of a kind that is judged.\n");
    assert_eq!(
        table_for(PIPE, &[], &errors()[..1]),
        "No object of a kind that is judged.\nincomplete: 1 input could not be read\n"
    );
}

#[test]
fn the_fix_is_yaml_that_says_the_same() {
    let text = table_for(PIPE, &[denied_pod()], &[]);
    let (_, snippet) = text.split_once("merge this into the manifest\n").unwrap();
    let (snippet, _) = snippet.split_once("\n\n").unwrap();
    let read: Value = serde_saphyr::from_str(snippet).unwrap();
    assert_eq!(read["spec"]["affinity"]["nodeAffinity"], denied_pod().verdict.fix.unwrap().value);
}

/// That an object is allowed reads as if all were well with it.
#[test]
fn what_breaks_a_policy_that_only_audits_is_counted_apart() {
    let all = reports();
    let (clean, audited) = (&all[1], &all[3]);
    for (reports, number, last) in [
        (vec![clean.clone()], 0, "1 object: 1 allowed, 0 warned of, 0 denied"),
        (
            vec![clean.clone(), audited.clone()],
            1,
            "2 objects: 2 allowed, 0 warned of, 0 denied; of the allowed 1 breaks a policy that only audits",
        ),
        (
            vec![audited.clone(), audited.clone()],
            2,
            "2 objects: 2 allowed, 0 warned of, 0 denied; of the allowed 2 break a policy that only audits",
        ),
    ] {
        assert_eq!(table_for(PIPE, &reports, &[]).lines().last(), Some(last));
        let json: Value = serde_json::from_str(&written(plain_json, &reports, &[])).unwrap();
        assert_eq!(json["summary"]["audited"], number);
        let sarif: Value = serde_json::from_str(&written(sarif::write, &reports, &[])).unwrap();
        let results = sarif["runs"][0]["results"].as_array().unwrap();
        assert_eq!(results.iter().filter(|result| result["level"] == "note").count(), number);
        let junit = written(junit::write, &reports, &[]);
        assert_eq!(junit.matches("<system-out>Audit NotProven (try-out)").count(), number, "{junit}");
    }
}

#[test]
fn json_output() {
    insta::assert_snapshot!(written(plain_json, &reports(), &errors()));
}

#[test]
fn sarif_output() {
    let text = written(sarif::write, &reports(), &errors());
    let mut value: Value = serde_json::from_str(&text).unwrap();
    let driver = &mut value["runs"][0]["tool"]["driver"];
    driver["semanticVersion"] = json!("the version");
    // The first rule stands for all.
    assert_eq!(driver["rules"].as_array().unwrap().len(), Reason::ALL.len());
    driver["rules"].as_array_mut().unwrap().truncate(1);
    insta::assert_json_snapshot!(value);
}

#[test]
fn junit_output() {
    insta::assert_snapshot!(written(junit::write, &reports(), &errors()));
}

/// What the cluster remembers: since when the pod has broken one of its two policies, and since when anything has.
fn beginnings() -> Beginnings {
    let report = json!({
        "metadata": {"name": "domicile-u", "namespace": "shop"},
        "scope": {"kind": "Pod", "namespace": "shop", "name": "orders", "uid": "u"},
        "results": [{"policy": "eu-personal", "result": "fail", "timestamp": {"seconds": 1_772_359_200}}],
    });
    let mut beginnings = Beginnings::of([&report]);
    for (name, status) in [("eu-personal", "False"), ("kept", "True"), ("payment-in-de", "Unknown")] {
        let condition = json!({"type": "Compliant", "status": status, "reason": "R", "message": "",
            "lastTransitionTime": "2026-02-28T23:00:00Z"});
        let policy = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy",
            "metadata": {"name": name}, "spec": {"classifications": ["personal"]},
            "status": {"conditions": [condition]}});
        beginnings.note(&serde_json::from_value(policy).unwrap());
    }
    beginnings
}

#[test]
fn every_format_says_since_when() {
    let (reports, since) = (reports(), beginnings());
    let outcome = Outcome { reports: &reports, errors: &[], since: Some(&since) };
    let of = |write: Writer| {
        let mut out = Vec::new();
        write(&outcome, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let json: Value = serde_json::from_str(&of(plain_json)).unwrap();
    assert_eq!(json["results"][0]["since"], json!({"eu-personal": "2026-03-01T10:00:00Z"}));
    assert_eq!(json["brokenSince"], json!({"eu-personal": "2026-02-28T23:00:00Z"}));
    assert_valid(include_str!("../docs/schema/results.schema.json"), &json.to_string());
    let sarif: Value = serde_json::from_str(&of(sarif::write)).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results[0]["provenance"], json!({"firstDetectionTimeUtc": "2026-03-01T10:00:00Z"}));
    assert!(results[1].get("provenance").is_none(), "{}", results[1]);
    assert_valid(&sarif_schema(), &sarif.to_string());
    let junit = of(junit::write);
    assert!(
        junit.contains("NodeOutsideJurisdiction (eu-personal, since 2026-03-01T10:00:00Z): it can"),
        "{junit}"
    );
    assert!(junit.contains("VolumeOutsideJurisdiction (payment-in-de): the claim"), "{junit}");
    let table = of(|outcome, out| table::write(outcome, PIPE, out));
    assert!(table.contains("    since    2026-03-01T10:00:00Z\n"), "{table}");
    assert!(
        table.contains("Something has broken policy eu-personal since 2026-02-28T23:00:00Z\n"),
        "{table}"
    );
    // Nothing begins after the moment that is asked about.
    let before = since.clone().until("2026-03-01T00:00:00Z".parse().unwrap());
    let pod = &reports[0].verdict.object;
    assert_eq!(before.since(pod, Some("eu-personal")), None);
    assert_eq!(before.of_policy("eu-personal"), since.of_policy("eu-personal"));
}

fn assert_valid(schema: &str, text: &str) {
    let schema: Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let instance: Value = serde_json::from_str(text).unwrap();
    let errors: Vec<_> =
        validator.iter_errors(&instance).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// The published schema has a bracket too many in the pattern of `language`, which strict readers of regular
/// expressions refuse. Taken literally, it says the same.
fn sarif_schema() -> String {
    include_str!("data/sarif-schema-2.1.0.json").replace("[a-zA-Z]{2}]?$", r"[a-zA-Z]{2}\\]?$")
}

#[test]
fn outputs_match_their_schemas() {
    let results = include_str!("../docs/schema/results.schema.json");
    for reports in [reports(), Vec::new()] {
        for errors in [errors(), Vec::new()] {
            assert_valid(results, &written(plain_json, &reports, &errors));
            assert_valid(&sarif_schema(), &written(sarif::write, &reports, &errors));
        }
    }
}

/// A schema that lets everything pass would prove nothing.
#[test]
fn the_schema_refuses_what_is_not_described() {
    let schema: Value = serde_json::from_str(include_str!("../docs/schema/results.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let good: Value = serde_json::from_str(&written(plain_json, &reports(), &errors())).unwrap();
    for (at, wrong) in [
        ("/results/0/decision", json!("Denied")),
        ("/results/0/reach", json!(null)),
        ("/results/0/object/namespace", json!("")),
        ("/results/0/findings/0/reason", json!("Other")),
        ("/results/0/findings/0/example", json!({})),
        ("/summary", json!({"allow": 1, "warn": 1})),
        ("/complete", json!("no")),
    ] {
        let mut instance = good.clone();
        *instance.pointer_mut(at).unwrap() = wrong;
        assert!(!validator.is_valid(&instance), "{at}");
    }
}

/// The reasons and decisions of the schema are those of the program.
#[test]
fn the_schema_names_every_reason() {
    let schema: Value = serde_json::from_str(include_str!("../docs/schema/results.schema.json")).unwrap();
    let named = &schema["$defs"]["finding"]["properties"]["reason"]["enum"];
    assert_eq!(*named, json!(Reason::ALL.map(Reason::as_str)));
}
