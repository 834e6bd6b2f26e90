//! Clusters from a few lines of YAML.

#![allow(dead_code, reason = "each test file uses its part")]

use domicile::cluster::{Settings, State};
use domicile::objects::Object;
use domicile::residency::{Reason, Request, Verdict, judge};
use jiff::Timestamp;
use serde_json::Value;

/// When all of this happens.
pub(crate) fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

/// The documents of some YAML, as JSON.
pub(crate) fn values(yaml: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
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

pub(crate) fn state(clusters: &[&str]) -> State {
    let mut state = State::new(Settings::default());
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
