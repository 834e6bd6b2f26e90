//! What is written into an object before it is stored: the record of what it inherits, and the affinity that confines
//! a pod.

use jiff::Timestamp;
use json_patch::Patch;
use serde_json::{Value, json};

use crate::api::keys;
use crate::cluster::State;
use crate::objects::{Object, Pod};
use crate::residency::{Confinement, Decision, Request, confine, judge, record};

/// Where a pod says which nodes it needs.
const AFFINITY: [&str; 4] =
    ["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];

/// A patch, and what is told of it.
#[derive(Debug, Default)]
pub(super) struct Mutation {
    pub(super) patch: Option<Patch>,
    /// The policies that confine the pod.
    pub(super) confined_by: Vec<String>,
}

/// What is written into a new or changed object, of which `raw` is the document.
pub(super) fn mutate(
    object: &Object,
    is_new: bool,
    raw: &str,
    state: &State,
    now: Timestamp,
) -> Result<Mutation, serde_json::Error> {
    match object {
        Object::Pod(pod) if is_new => {
            let Some(confinement) = confine(pod, state, now) else { return Ok(Mutation::default()) };
            confined(pod, confinement, raw, state, now)
        }
        // A pod's affinity cannot be loosened once it is made, so there is nothing to restore.
        Object::Pod(_) => Ok(Mutation::default()),
        _ => {
            let Some(tokens) = record(object, state) else { return Ok(Mutation::default()) };
            let patch = patched(raw, &["metadata", "annotations", keys::RECORDED], json!(tokens))?;
            Ok(Mutation { patch: Some(patch), confined_by: Vec::new() })
        }
    }
}

/// A pod that would be refused all the same stays as it is, so that the refusal speaks of what its author wrote.
fn confined(
    pod: &Pod,
    confinement: Confinement,
    raw: &str,
    state: &State,
    now: Timestamp,
) -> Result<Mutation, serde_json::Error> {
    let mut inside = pod.clone();
    inside.spec.affinity.node_affinity.required = Some(confinement.required.clone());
    let inside = Object::Pod(Box::new(inside));
    let verdict = judge(&Request { as_written: true, ..Request::create(&inside) }, state, now);
    if verdict.decision == Decision::Deny {
        return Ok(Mutation::default());
    }
    let required = serde_json::to_value(&confinement.required)?;
    let patch = patched(raw, &AFFINITY, required)?;
    Ok(Mutation { patch: Some(patch), confined_by: confinement.policies })
}

/// The change of one field, with the maps on the way to it made where there are none.
fn patched(raw: &str, path: &[&str], value: Value) -> Result<Patch, serde_json::Error> {
    let before: Value = serde_json::from_str(raw)?;
    let mut after = before.clone();
    let mut here = &mut after;
    for field in path {
        if !here.is_object() {
            *here = json!({});
        }
        here = &mut here[*field];
    }
    *here = value;
    Ok(json_patch::diff(&before, &after))
}
