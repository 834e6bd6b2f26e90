//! The reach of volumes (section 6, and what section 3 says of where a volume is).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]
#![allow(clippy::too_many_lines, reason = "a table is as long as it has rows")]

mod claims;
mod classes;
mod persistent;
mod snapshots;
#[path = "../support/mod.rs"]
mod support;

use domicile::cluster::Kind;
use domicile::residency::{Decision, Reach, Reason, Request, Verdict, audit, judge};
use support::{EU, NODES, now, object, parse, reasons, values};

const PERSONAL: &str = "annotations: {domicile.dev/data-classification: personal}";

/// Frankfurt and Dublin alone: wherever this cluster is, is permitted.
fn home() -> String {
    NODES
        .split("---")
        .filter(|node| node.contains("name: fra") || node.contains("name: dub"))
        .collect::<Vec<_>>()
        .join("---")
}

/// A claim of personal data.
fn claim(spec: &str) -> String {
    named_claim("data", PERSONAL, spec)
}

fn named_claim(name: &str, metadata: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {{name: {name}, namespace: shop, {metadata}}}, spec: {{{spec}}}}}\n---\n"
    )
}

/// A volume of personal data; `spec` is what stands in its spec.
fn volume(metadata: &str, spec: &str) -> String {
    let metadata = if metadata.contains("annotations:") {
        metadata.replace("annotations: {", "annotations: {domicile.dev/data-classification: personal, ")
    } else {
        format!("{PERSONAL}, {metadata}")
    };
    format!(
        "{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: pv, {metadata}}}, spec: {{{spec}}}}}\n---\n"
    )
}

fn class(name: &str, rest: &str) -> String {
    let metadata =
        if rest.contains("metadata:") { String::new() } else { format!("metadata: {{name: {name}}},") };
    format!("{{apiVersion: storage.k8s.io/v1, kind: StorageClass, {metadata} {rest}}}\n---\n")
}

/// `nodeAffinity` of one term of these expressions.
fn affinity(list: &str) -> String {
    terms(&format!("{{matchExpressions: [{list}]}}"))
}

fn terms(list: &str) -> String {
    format!("nodeAffinity: {{required: {{nodeSelectorTerms: [{list}]}}}}")
}

fn within(key: &str, list: &str) -> String {
    format!("{{key: {key}, operator: In, values: [{list}]}}")
}

const REGION: &str = "topology.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";

/// What comes of an object: how sure its place is, or what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Is {
    Proven,
    Observed,
    /// Somewhere that is not permitted.
    Outside,
    /// Nobody knows where.
    Unknown,
    /// At a node that is not permitted.
    AtNode,
}

use Is::{AtNode, Observed, Outside, Proven, Unknown};

fn outcome(verdict: &Verdict) -> Is {
    match (verdict.decision, verdict.reach, reasons(verdict).as_slice()) {
        (Decision::Allow, Reach::Proven, []) => Is::Proven,
        (Decision::Allow, Reach::Observed, []) => Is::Observed,
        (Decision::Deny, Reach::Violated, [Reason::VolumeOutsideJurisdiction]) => Is::Outside,
        (Decision::Deny, Reach::Violated, [Reason::UnknownLocation]) => Is::Unknown,
        (Decision::Deny, Reach::Violated, [Reason::NodeOutsideJurisdiction]) => Is::AtNode,
        _ => panic!("{verdict:#?}"),
    }
}

/// Each case: what it is, what is there beside the policy, the object, and what comes of it. The audit agrees.
fn hold(cases: &[(&str, String, String, Is)]) {
    hold_by(EU, cases);
}

/// The same by another policy, which bears the same name.
fn hold_by(policy: &str, cases: &[(&str, String, String, Is)]) {
    for (what, cluster, yaml, expected) in cases {
        let yaml = yaml.trim_end_matches("\n---\n");
        let mut state = support::empty();
        state.apply_all(values(&format!("{cluster}\n---\n{policy}")).into_iter().map(parse));
        let verdict = judge(&Request::create(&object(yaml)), &state, now());
        assert_eq!(outcome(&verdict), *expected, "{what}: {verdict:#?}");
        for finding in &verdict.findings {
            assert_eq!(finding.policy.as_deref(), Some("eu-personal"), "{what}");
            assert!(finding.field.is_some() && !finding.message.is_empty(), "{what}");
        }
        let reference = verdict.object.clone();
        state.apply(object(yaml));
        let audited: Vec<Is> =
            audit(&state, now()).filter(|one| one.object == reference).map(|one| outcome(&one)).collect();
        assert_eq!(audited, [*expected], "{what}, audited");
    }
}
