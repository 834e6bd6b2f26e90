//! Volumes that no claim has taken yet: few of many.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::kept::VolumeEntry;

type Names = BTreeSet<Box<str>>;

/// The names of the volumes that claims can still take, in order: every replica names the same one first.
#[derive(Clone, Debug, Default)]
pub(super) struct Free {
    by_class: BTreeMap<Box<str>, Names>,
    /// Those that wait for a claim, by its namespace and name.
    by_claim: BTreeMap<Arc<str>, BTreeMap<Box<str>, Names>>,
}

impl Free {
    /// Learns of a volume, which is not known yet or was forgotten before.
    pub(super) fn learn(&mut self, name: &str, volume: &VolumeEntry) {
        if !volume.available {
            return;
        }
        self.by_class.entry((*volume.class).into()).or_default().insert(name.into());
        if let Some(claim) = &volume.claim {
            let claims = self.by_claim.entry(claim.namespace.clone()).or_default();
            claims.entry(claim.name.clone()).or_default().insert(name.into());
        }
    }

    /// Forgets a volume as it was.
    pub(super) fn forget(&mut self, name: &str, volume: &VolumeEntry) {
        let class = &*volume.class;
        if let Some(there) = self.by_class.get_mut(class) {
            there.remove(name);
            if there.is_empty() {
                self.by_class.remove(class);
            }
        }
        if let Some(claim) = &volume.claim
            && let Some(claims) = self.by_claim.get_mut(&claim.namespace)
        {
            if let Some(there) = claims.get_mut(&claim.name) {
                there.remove(name);
                if there.is_empty() {
                    claims.remove(&claim.name);
                }
            }
            if claims.is_empty() {
                self.by_claim.remove(&claim.namespace);
            }
        }
    }

    /// Those of a class; the empty one for those that have none.
    pub(super) fn of(&self, class: &str) -> impl Iterator<Item = &str> {
        self.by_class.get(class).into_iter().flatten().map(|name| &**name)
    }

    /// Those that wait for a claim, whatever class they are of.
    pub(super) fn awaiting(&self, namespace: &str, claim: &str) -> impl Iterator<Item = &str> {
        let claims = self.by_claim.get(namespace);
        claims.and_then(|claims| claims.get(claim)).into_iter().flatten().map(|name| &**name)
    }
}
