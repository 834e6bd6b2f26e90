//! Volumes that are there before a claim asks for one (semantics 6): Kubernetes binds a free one of the class rather than
//! have one made.

use super::{Finder, Whereabouts};
use crate::cluster::{ClaimEntry, ClaimName, VolumeEntry};
use crate::objects::StorageClass;

/// What stands for a driver in a class whose volumes somebody makes by hand.
const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// Whether a class has no volume made.
pub(super) fn makes_none(class: &StorageClass) -> bool {
    class.provisioner == NO_PROVISIONER
}

/// Whether a volume can be reached only from where it is, and is nowhere else.
fn is_beside_its_node(volume: &VolumeEntry, at: &Whereabouts<'_>) -> bool {
    let in_one_place = match at {
        Whereabouts::At { spots, .. } => spots.len() == 1,
        other => matches!(other, Whereabouts::OnNode),
    };
    volume.affinity.is_some() && in_one_place
}

impl<'a> Finder<'a> {
    /// The volumes of a class that a claim could take, by name.
    fn free_by_name<'f>(
        &self,
        class: &'f str,
        namespace: &'f str,
        name: Option<&'f str>,
    ) -> impl Iterator<Item = (&'a str, &'a VolumeEntry)> + use<'a, 'f> {
        // A volume with a claimRef waits for that claim, and no other takes it.
        let awaits = move |claim: &ClaimName| {
            *claim.namespace == *namespace && name.is_none_or(|name| *claim.name == *name)
        };
        let is_for_it = move |volume: &VolumeEntry| volume.claim.as_ref().is_none_or(awaits);
        self.state.free_volumes(class).filter(move |(_, volume)| is_for_it(volume))
    }

    /// The volumes of a class that a claim could take.
    pub(in crate::residency) fn free<'f>(
        &self,
        class: &'f str,
        namespace: &'f str,
        name: Option<&'f str>,
    ) -> impl Iterator<Item = &'a VolumeEntry> + use<'a, 'f> {
        self.free_by_name(class, namespace, name).map(|(_, volume)| volume)
    }

    /// The free volumes that Kubernetes would bind a claim to rather than have one made by its class, by name.
    pub(in crate::residency) fn instead_of_made(
        &self,
        namespace: &str,
        name: &str,
        claim: &ClaimEntry,
    ) -> Vec<(&'a str, &'a VolumeEntry)> {
        match self.class_of(claim) {
            Some((_, Some(class))) if claim.volume.is_none() && !makes_none(class) => {
                self.free_by_name(&class.metadata.name, namespace, Some(name)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The free volumes that are kept for a claim. Kubernetes binds it to one of them rather than to any other, and asks
    /// neither for the class nor for what the claim selects.
    pub(in crate::residency) fn kept_for<'f>(
        &self,
        namespace: &'f str,
        name: Option<&'f str>,
    ) -> impl Iterator<Item = &'a VolumeEntry> + use<'a, 'f> {
        let state = self.state;
        name.into_iter().flat_map(move |name| state.awaiting_volumes(namespace, name))
    }

    /// Where a claim is that volumes are kept for.
    pub(super) fn at_kept(&self, namespace: &str, name: Option<&str>) -> Option<Whereabouts<'a>> {
        let all = self.kept_for(namespace, name).map(|volume| self.volume(volume));
        // Which of several it is bound to is not decided.
        let found = all.reduce(|one, other| one.made_early().and(other.made_early()))?;
        Some(found.and(Whereabouts::nowhere()))
    }

    /// Where the volumes of a class are that a claim could take.
    pub(super) fn of_free(&self, class: &str, namespace: &str, name: Option<&str>) -> Whereabouts<'a> {
        let all = self.free(class, namespace, name).map(|volume| self.volume(volume).made_early());
        // Which of them it takes is not decided.
        all.fold(Whereabouts::At { spots: Vec::new(), certain: false }, Whereabouts::and)
    }

    /// Where a volume is that is made, unless a free one of the class is taken. That one is judged when it is; until then
    /// it takes the certainty from what is made, and adds to where a pod can go.
    pub(super) fn or_free(
        &self,
        made: Whereabouts<'a>,
        class: &str,
        namespace: &str,
        name: Option<&str>,
    ) -> Whereabouts<'a> {
        let mut free = self.free(class, namespace, name).peekable();
        match made {
            made if free.peek().is_none() => made,
            Whereabouts::At { spots, .. } => Whereabouts::At { spots, certain: false },
            Whereabouts::WithPod { class, mut topologies, spots, alone } => {
                let free: Vec<_> = free.map(|volume| (volume, self.volume(volume))).collect();
                let alone = alone && free.iter().all(|(volume, at)| is_beside_its_node(volume, at));
                if !topologies.is_empty() {
                    topologies.extend(free.into_iter().map(|(_, at)| at));
                }
                Whereabouts::WithPod { class, topologies, spots, alone }
            }
            other => other,
        }
    }
}
