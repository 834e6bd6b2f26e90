//! What is written into an object before it is stored: the record of what it inherits, the affinity that confines a pod,
//! and which pod a binding means.

use jiff::Timestamp;
use json_patch::Patch;
use serde_json::{Value, json};

use crate::api::keys;
use crate::cluster::{Fresh, State};
use crate::objects::{Binding, Object, Pod};
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

/// Which pod a binding means: the one that is there now. Another of the same name, made after this one was judged, is none
/// that the API server binds then.
pub(super) fn identify(
    binding: &Binding,
    raw: &str,
    fresh: &[Fresh],
) -> Result<Option<Patch>, serde_json::Error> {
    let is_meant = |pod: &&Pod| {
        (&pod.metadata.namespace, &pod.metadata.name) == (&binding.metadata.namespace, &binding.metadata.name)
    };
    let pods = fresh.iter().filter_map(|one| match one {
        Fresh::Is(Object::Pod(pod)) => Some(&**pod),
        _ => None,
    });
    let Some(pod) = pods.into_iter().find(is_meant).filter(|_| binding.metadata.uid.is_empty()) else {
        return Ok(None);
    };
    patched(raw, &["metadata", "uid"], json!(pod.metadata.uid)).map(Some)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_that_names_its_pod_alone_is_told_which_it_means() {
        let object = |value: Value| Object::from_value(value).unwrap().unwrap();
        let pod = |namespace: &str, uid: &str| {
            Fresh::Is(object(json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "orders", "namespace": namespace, "uid": uid}, "spec": {"containers": []}})))
        };
        let fresh = [pod("other", "1"), pod("shop", "2")];
        for (uid, written) in [("", Some("2")), ("1", None)] {
            let mut binding = json!({"apiVersion": "v1", "kind": "Binding",
                "metadata": {"name": "orders", "namespace": "shop"}, "target": {"kind": "Node", "name": "fra"}});
            if !uid.is_empty() {
                binding["metadata"]["uid"] = json!(uid);
            }
            let Object::Binding(read) = object(binding.clone()) else { panic!("a binding") };
            let patch = identify(&read, &binding.to_string(), &fresh).unwrap();
            assert_eq!(patch.is_some(), written.is_some(), "{uid}");
            if let Some(patch) = patch {
                json_patch::patch(&mut binding, &patch).unwrap();
                assert_eq!(binding["metadata"]["uid"], json!(written));
            }
            assert!(identify(&read, &binding.to_string(), &[]).unwrap().is_none());
        }
    }
}
