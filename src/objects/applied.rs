//! What stays of an object when a manifest of it is applied over it: fields that manifests leave out because controllers
//! set them, and that no API server empties for it.

use serde::Deserialize;

use super::{Metadata, Object};
use crate::api::keys;

/// Where kubectl keeps what it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

impl Object {
    /// Fills in from the same object in the cluster what this manifest leaves out and applying it leaves alone.
    pub fn apply_over(&mut self, there: &Self) {
        match (&mut *self, there) {
            (Self::Pod(new), Self::Pod(old)) => text(&mut new.spec.node_name, &old.spec.node_name),
            (Self::Claim(new), Self::Claim(old)) => {
                text(&mut new.spec.volume_name, &old.spec.volume_name);
                missing(&mut new.spec.storage_class_name, old.spec.storage_class_name.as_ref());
                missing(&mut new.spec.data_source, old.spec.data_source.as_ref());
                missing(&mut new.spec.data_source_ref, old.spec.data_source_ref.as_ref());
            }
            (Self::Volume(new), Self::Volume(old)) => {
                missing(&mut new.spec.claim_ref, old.spec.claim_ref.as_ref());
                missing(&mut new.spec.node_affinity, old.spec.node_affinity.as_ref());
                text(&mut new.status.phase, &old.status.phase);
            }
            (Self::Node(new), Self::Node(old)) => {
                text(&mut new.spec.provider_id, &old.spec.provider_id);
                if new.spec.taints.is_empty() {
                    new.spec.taints.clone_from(&old.spec.taints);
                }
            }
            _ => {}
        }
        if let (Some(new), Some(old)) = (self.metadata_mut(), there.metadata()) {
            missing(&mut new.creation_timestamp, old.creation_timestamp.as_ref());
            for key in [keys::RECORDED, keys::SELECTED_NODE] {
                keep_annotation(new, old, key);
            }
        }
    }

    /// Keeps those labels and annotations that the manifest leaves out and that are `kept`, by key and by how they came.
    pub fn keep_metadata(&mut self, there: &Self, kept: impl Fn(&str, Before) -> bool) {
        let (Some(new), Some(old)) = (self.metadata_mut(), there.metadata()) else { return };
        let applied = old.annotations.get(LAST_APPLIED).and_then(|text| serde_json::from_str(text).ok());
        let applied: Applied = applied.unwrap_or_default();
        for (new, old, applied) in [
            (&mut new.labels, &old.labels, &applied.metadata.labels),
            (&mut new.annotations, &old.annotations, &applied.metadata.annotations),
        ] {
            for (key, value) in old {
                let before = if applied.contains_key(key) { Before::Applied } else { Before::SetByOthers };
                if kept(key, before) {
                    new.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
        }
    }
}

/// How a label or an annotation came to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// kubectl applied it, and takes it away again when a manifest has it no more.
    Applied,
    /// By somebody else, or nobody knows: it stays.
    SetByOthers,
}

/// What kubectl last applied.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Applied {
    metadata: Metadata,
}

fn text(new: &mut String, old: &str) {
    if new.is_empty() {
        old.clone_into(new);
    }
}

fn missing<T: Clone>(new: &mut Option<T>, old: Option<&T>) {
    if new.is_none() {
        *new = old.cloned();
    }
}

fn keep_annotation(new: &mut Metadata, old: &Metadata, key: &str) {
    if let Some(value) = old.annotations.get(key) {
        new.annotations.entry(key.to_owned()).or_insert_with(|| value.clone());
    }
}
