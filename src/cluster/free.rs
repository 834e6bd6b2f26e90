//! Volumes that no claim has taken yet, by class: few of many.

use std::collections::{BTreeMap, BTreeSet};

use super::kept::VolumeEntry;

/// The names of the volumes that claims can still take, by class, in order: every replica names the same one first.
#[derive(Clone, Debug, Default)]
pub(super) struct Free(BTreeMap<Box<str>, BTreeSet<Box<str>>>);

impl Free {
    /// Learns of a volume, which is not known yet or was forgotten before.
    pub(super) fn learn(&mut self, name: &str, volume: &VolumeEntry) {
        if volume.available {
            self.0.entry((*volume.class).into()).or_default().insert(name.into());
        }
    }

    /// Forgets a volume as it was.
    pub(super) fn forget(&mut self, name: &str, volume: &VolumeEntry) {
        let class = &*volume.class;
        if let Some(there) = self.0.get_mut(class) {
            there.remove(name);
            if there.is_empty() {
                self.0.remove(class);
            }
        }
    }

    /// Those of a class; the empty one for those that have none.
    pub(super) fn of(&self, class: &str) -> impl Iterator<Item = &str> {
        self.0.get(class).into_iter().flatten().map(|name| &**name)
    }
}
