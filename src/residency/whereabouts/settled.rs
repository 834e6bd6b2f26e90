//! Volumes that are where they are whatever nodes there are: most of them, since clouds pin them to a zone.

use std::ptr;

use ahash::AHashMap;

use super::Finder;
use crate::cluster::{ClaimEntry, State, VolumeEntry};
use crate::placement::constraints::Group;

/// Tells which volumes hang on no node. Volumes share their drivers and affinities, so each is looked at once.
pub(in crate::residency) struct Settled<'a> {
    finder: Finder<'a>,
    /// Whether a policy asks for labels of nodes: those that can reach a volume stand for it then.
    nodes_are_asked: bool,
    known: AHashMap<[*const u8; 2], bool>,
}

impl<'a> Settled<'a> {
    pub(in crate::residency) fn new(state: &'a State) -> Self {
        let nodes_are_asked = !state.sites().keys().is_empty();
        Self { finder: Finder::new(state), nodes_are_asked, known: AHashMap::new() }
    }

    /// Whether no node changes where a volume is.
    pub(in crate::residency) fn volume(&mut self, volume: &'a VolumeEntry) -> bool {
        let Some(affinity) = volume.affinity.as_ref().filter(|_| !self.nodes_are_asked) else { return false };
        let finder = self.finder;
        let key = [volume.driver.as_ptr(), ptr::from_ref(&**affinity).cast()];
        *self.known.entry(key).or_insert_with(|| {
            let driver = finder.state.geography().driver(&volume.driver);
            // What names no provider is located at those that the nodes are of.
            let has_provider = driver.is_some_and(|driver| driver.provider.is_some());
            let group = Group::of_volume(affinity);
            let named = finder.named_by(&group, driver);
            has_provider && named.is_complete() && named.certain
        })
    }

    /// Whether a claim has such a volume.
    pub(in crate::residency) fn claim(&mut self, namespace: &str, name: &str, claim: &ClaimEntry) -> bool {
        let bound = self.finder.bound(namespace, name, claim);
        bound.is_some_and(|(_, volume)| self.volume(volume))
    }
}
