//! Clusters from a few lines of YAML.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails that way")]

use std::sync::OnceLock;

use domicile::cluster::{Settings, State};
use domicile::objects::Object;
use domicile::residency::{Reason, Request, Verdict, judge};
use jiff::Timestamp;
use serde_json::Value;

/// Nodes of one provider in Germany, Ireland, the United States and, in a Local Zone of Frankfurt, Turkey.
pub(crate) const NODES: &str = "
apiVersion: v1
kind: Node
metadata: {name: fra, labels: {topology.kubernetes.io/region: eu-central-1, topology.kubernetes.io/zone: eu-central-1a}}
spec: {providerID: 'aws:///eu-central-1a/i-1'}
---
apiVersion: v1
kind: Node
metadata: {name: dub, labels: {topology.kubernetes.io/region: eu-west-1, topology.kubernetes.io/zone: eu-west-1a}}
spec: {providerID: 'aws:///eu-west-1a/i-2'}
---
apiVersion: v1
kind: Node
metadata: {name: iad, labels: {topology.kubernetes.io/region: us-east-1, topology.kubernetes.io/zone: us-east-1a}}
spec: {providerID: 'aws:///us-east-1a/i-3'}
---
apiVersion: v1
kind: Node
metadata:
  name: ist
  labels: {topology.kubernetes.io/region: eu-central-1, topology.kubernetes.io/zone: eu-central-1-ist-1a}
spec: {providerID: 'aws:///eu-central-1-ist-1a/i-4'}
";

/// `personal` stays in the EEA.
pub(crate) const EU: &str = "
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: eu-personal}
spec: {classifications: [personal], allow: [{jurisdictions: [EEA]}]}
";

/// When all of this happens.
pub(crate) fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

/// The documents of some YAML, as JSON.
pub(crate) fn values(yaml: &str) -> Vec<Value> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    documents.into_iter().filter(|document| !document.is_null()).collect()
}

/// An object; one that names no namespace is in `shop`.
pub(crate) fn parse(value: Value) -> Object {
    let mut object = Object::from_value(value).unwrap().expect("a kind that is judged");
    object.default_namespace("shop");
    object
}

pub(crate) fn object(yaml: &str) -> Object {
    let [value] = &values(yaml)[..] else { panic!("one document is expected:\n{yaml}") };
    parse(value.clone())
}

/// A cluster without anything. The catalog is read once: an unoptimised build takes its time for it.
pub(crate) fn empty() -> State {
    static EMPTY: OnceLock<State> = OnceLock::new();
    EMPTY.get_or_init(|| State::new(Settings::default())).clone()
}

pub(crate) fn state(clusters: &[&str]) -> State {
    let mut state = empty();
    for yaml in clusters {
        for value in values(yaml) {
            state.apply(parse(value));
        }
    }
    state
}

/// What is said of creating this object in this cluster.
pub(crate) fn create(clusters: &[&str], yaml: &str) -> Verdict {
    judge(&Request::create(&object(yaml)), &state(clusters), now())
}

/// What is said of changing an object in this cluster.
pub(crate) fn update(clusters: &[&str], old: &str, new: &str) -> Verdict {
    judge(&Request::update(&object(old), &object(new)), &state(clusters), now())
}

/// The names of the policies whose verbs a request takes, in the order in which they are asked for.
pub(crate) fn required(verdict: &Verdict) -> Vec<&str> {
    verdict.requires.iter().map(|one| one.policy.as_str()).collect()
}

/// The names of what it carries.
pub(crate) fn carried(verdict: &Verdict) -> Vec<&str> {
    let mut names: Vec<&str> = verdict.classifications.iter().map(|one| one.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Reasons of the findings, in order, each once.
pub(crate) fn reasons(verdict: &Verdict) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = verdict.findings.iter().map(|finding| finding.reason).collect();
    reasons.sort_unstable();
    reasons.dedup();
    reasons
}

/// The seven kinds that make pods.
pub(crate) const WORKLOADS: [&str; 7] =
    ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob"];

/// A workload `w` of this kind; `metadata` is what its own holds beside the name, `template` its pod template.
pub(crate) fn workload(kind: &str, metadata: &str, template: &str) -> String {
    let (version, spec) = match kind {
        "CronJob" => ("batch/v1", format!("{{jobTemplate: {{spec: {{template: {template}}}}}}}")),
        "Job" => ("batch/v1", format!("{{template: {template}}}")),
        "ReplicationController" => ("v1", format!("{{template: {template}}}")),
        _ => ("apps/v1", format!("{{template: {template}}}")),
    };
    format!("{{apiVersion: {version}, kind: {kind}, metadata: {{name: w, {metadata}}}, spec: {spec}}}")
}

/// Every classification with its origin: `personal (annotation)`.
pub(crate) fn origins(verdict: &Verdict) -> Vec<String> {
    verdict.classifications.iter().map(|one| format!("{} ({})", one.name, one.from)).collect()
}
