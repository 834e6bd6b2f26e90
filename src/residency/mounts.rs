//! What a pod mounts: where each of it is or will be, and what that asks of its node.

use std::sync::Arc;

use ahash::AHashMap;

use super::pods::Case;
use super::whereabouts::{Finder, Whereabouts};
use crate::cluster::{ClaimEntry, Kind, Pools, State};
use crate::objects::{BindingMode, ClaimTemplate, StorageClass, VolumeSource};
use crate::placement::constraints::Group;

/// So many volumes that will be made alike are looked at one by one; the next would say the same once more. A pod may mount
/// tens of thousands, each of which could take any free volume of its class.
const MOST_ALIKE: usize = 8;

/// One thing that a pod mounts.
pub(super) struct Mount<'a> {
    pub(super) what: String,
    pub(super) field: String,
    pub(super) whereabouts: Whereabouts<'a>,
}

/// What the volumes of a pod add to its judgement.
#[derive(Default)]
pub(super) struct Mounts<'a> {
    pub(super) all: Vec<Mount<'a>>,
    /// Terms that its node must satisfy for its volumes' sake.
    pub(super) groups: Vec<Group<'a>>,
    /// Whether data comes to rest on its node, or where its node decides.
    pub(super) on_node: bool,
    /// How many are to be made of each sort.
    to_come: AHashMap<Sort, usize>,
}

/// What decides where a volume will be that nobody has made yet, and none is kept for.
#[derive(PartialEq, Eq, Hash)]
struct Sort {
    class: Option<Arc<str>>,
    is_copy: bool,
    /// Of claims that are there and not of those that are made with the pod: a volume may be kept for the latter by any name.
    is_named: bool,
}

impl<'a> Mounts<'a> {
    pub(super) fn of(state: &'a State, case: &Case<'a>) -> Self {
        let mut mounts = Self { on_node: case.on_disk, ..Self::default() };
        let finder = Finder::new(state);
        for (index, volume) in case.volumes.iter().enumerate() {
            let field = format!("{}.volumes[{index}]", case.path);
            match &volume.source {
                VolumeSource::Claim(claim) => mounts.claim(state, case.namespace, claim, field),
                VolumeSource::Ephemeral(template) => {
                    let claim = format!("{}-{}", case.name, volume.name);
                    if state.claim(case.namespace, &claim).is_some() {
                        mounts.claim(state, case.namespace, &claim, field);
                    } else {
                        mounts.template(state, case.namespace, template, &volume.name, field);
                    }
                }
                VolumeSource::Csi(source) | VolumeSource::Inline(source) => {
                    let whereabouts = finder.inline(source);
                    // Such drivers keep what they are given on the node's disk.
                    mounts.on_node |= matches!(whereabouts, Whereabouts::OnNode);
                    let what = format!("the {source} volume {}", volume.name);
                    mounts.all.push(Mount { what, field, whereabouts });
                }
                VolumeSource::NodeDisk => mounts.on_node = true,
                VolumeSource::NodeLocal => {}
            }
        }
        for (index, template) in case.claim_templates.iter().enumerate() {
            let field = format!("spec.volumeClaimTemplates[{index}]");
            mounts.template(state, case.namespace, template, &template.metadata.name, field);
        }
        mounts
    }

    /// A claim that is not there carries nothing and is nowhere yet; the pod is judged again at its binding.
    fn claim(&mut self, state: &'a State, namespace: &str, name: &str, field: String) {
        let what = format!("claim {name}");
        let Some(entry) = state.claim(namespace, name) else {
            if state.is_absent(Kind::PersistentVolumeClaim) {
                let whereabouts =
                    Whereabouts::NotGiven { what: format!("PersistentVolumeClaim {namespace}/{name}") };
                self.all.push(Mount { what, field, whereabouts });
            }
            return;
        };
        let finder = Finder::new(state);
        match finder.bound(namespace, name, entry) {
            Some((_, volume)) => self.groups.extend(volume.affinity.as_deref().map(Group::of_volume)),
            None if self.is_one_more(&finder, namespace, Some(name), entry) => return,
            None => self.unbound(&finder, namespace, Some(name), entry),
        }
        let whereabouts = finder.claim(namespace, Some(name), entry);
        self.on_node |= matches!(whereabouts, Whereabouts::OnNode);
        self.all.push(Mount { what, field, whereabouts });
    }

    fn template(
        &mut self,
        state: &'a State,
        namespace: &str,
        template: &ClaimTemplate,
        name: &str,
        field: String,
    ) {
        let finder = Finder::new(state);
        let entry =
            ClaimEntry::of(&template.metadata, &template.spec, state.settings(), &mut Pools::default());
        if self.is_one_more(&finder, namespace, None, &entry) {
            return;
        }
        self.unbound(&finder, namespace, None, &entry);
        let whereabouts = finder.claim(namespace, None, &entry);
        self.all.push(Mount { what: format!("the claim made from template {name}"), field, whereabouts });
    }

    /// Whether enough were looked at that will be where this one is.
    fn is_one_more(
        &mut self,
        finder: &Finder<'a>,
        namespace: &str,
        name: Option<&str>,
        claim: &ClaimEntry,
    ) -> bool {
        if claim.volume.is_some() || finder.kept_for(namespace, name).next().is_some() {
            return false;
        }
        let sort =
            Sort { class: claim.class.clone(), is_copy: claim.source.is_some(), is_named: name.is_some() };
        let count = self.to_come.entry(sort).or_default();
        *count += 1;
        *count > MOST_ALIKE
    }

    fn unbound(&mut self, finder: &Finder<'a>, namespace: &str, name: Option<&str>, claim: &ClaimEntry) {
        let Some(class) = class_that_waits(finder, claim) else { return };
        self.on_node = true;
        if class.allowed_topologies.is_empty() {
            return;
        }
        let mut group = Group::of_topologies(&class.allowed_topologies);
        // The scheduler goes by a free volume first, wherever the class would make one.
        let free = finder.free(&class.metadata.name, namespace, name);
        for volume in finder.kept_for(namespace, name).chain(free) {
            let Some(affinity) = volume.affinity.as_deref() else { return };
            group.terms.extend(Group::of_volume(affinity).terms);
        }
        self.groups.push(group);
    }
}

/// The class of a claim without a volume, if that is made where the claim's first pod goes.
fn class_that_waits<'a>(finder: &Finder<'a>, claim: &ClaimEntry) -> Option<&'a StorageClass> {
    // For a claim that names its volume none is made, wherever the class would.
    if claim.volume.is_some() {
        return None;
    }
    let (_, class) = finder.class_of(claim)?;
    class.filter(|class| class.volume_binding_mode == BindingMode::WaitForFirstConsumer)
}

/// Whether the pod that first mounts this claim decides where its volume is made.
pub(super) fn waits_for_consumer(
    finder: &Finder<'_>,
    namespace: &str,
    name: &str,
    claim: &ClaimEntry,
) -> bool {
    finder.bound(namespace, name, claim).is_none() && class_that_waits(finder, claim).is_some()
}
