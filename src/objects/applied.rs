//! What stays of an object when a manifest of it is applied over it: fields that manifests leave out because controllers
//! set them, and that no API server empties for it.

use super::{Metadata, Object};
use crate::api::keys;

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
            _ => {}
        }
        if let (Some(new), Some(old)) = (self.metadata_mut(), there.metadata()) {
            missing(&mut new.creation_timestamp, old.creation_timestamp.as_ref());
            for key in [keys::RECORDED, keys::SELECTED_NODE] {
                keep_annotation(new, old, key);
            }
        }
    }
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
