//! What a pod mounts, and which policies look at its node for that.

use domicile::api::{Activity, ResidencyPolicy};
use domicile::objects::{BindingMode, ClaimSpec, PersistentVolume, PodSpec, VolumeSource};

use super::volumes::Rest;
use super::{World, governs};

/// What a pod mounts.
pub(crate) enum Mount<'a> {
    Bound(&'a PersistentVolume),
    /// A claim that is not bound, or will be made for the pod; and the annotations it has.
    Unbound(&'a ClaimSpec, Option<&'a domicile::objects::Claim>),
    /// An inline source that counts as an unpinned volume of this driver.
    Inline(&'a str),
}

/// The volume that a claim is bound to: both name each other.
pub(crate) fn bound<'a>(world: &'a World, claim: &domicile::objects::Claim) -> Option<&'a PersistentVolume> {
    world.volume(&claim.spec.volume_name).filter(|volume| {
        volume
            .spec
            .claim_ref
            .as_ref()
            .is_some_and(|of| of.namespace == claim.metadata.namespace && of.name == claim.metadata.name)
    })
}

pub(crate) fn mounts<'a>(world: &'a World, namespace: &str, spec: &'a PodSpec) -> Vec<Mount<'a>> {
    let mut mounts = Vec::new();
    for volume in &spec.volumes {
        match &volume.source {
            // A claim that is not there carries and constrains nothing yet.
            VolumeSource::Claim(name) => {
                if let Some(claim) = world.claim(namespace, name) {
                    mounts.push(match bound(world, claim) {
                        Some(volume) => Mount::Bound(volume),
                        None => Mount::Unbound(&claim.spec, Some(claim)),
                    });
                }
            }
            VolumeSource::Ephemeral(template) => mounts.push(Mount::Unbound(&template.spec, None)),
            VolumeSource::Csi(driver) | VolumeSource::Inline(driver) => {
                mounts.push(Mount::Inline(driver));
            }
            VolumeSource::NodeDisk | VolumeSource::NodeLocal => {}
        }
    }
    mounts
}

/// Whether such a claim waits for the node that its pod gets, wherever the driver keeps what it makes then: the scheduler asks
/// for its topologies.
pub(crate) fn waits_for_consumer(world: &World, claim: &ClaimSpec) -> bool {
    claim.volume_name.is_empty()
        && world
            .class(claim.storage_class_name.as_deref())
            .is_some_and(|class| class.volume_binding_mode == BindingMode::WaitForFirstConsumer)
}

pub(crate) fn looks_at_nodes(
    world: &World,
    policy: &ResidencyPolicy,
    namespace: &str,
    spec: &PodSpec,
) -> bool {
    let writes_to_disk = || {
        spec.volumes.iter().any(|volume| volume.source == VolumeSource::NodeDisk)
            || mounts(world, namespace, spec)
                .iter()
                .any(|one| matches!(world.rest_of_mount(one), Rest::OnNode))
    };
    let decides_for_volume = || {
        mounts(world, namespace, spec)
            .iter()
            .any(|mount| matches!(mount, Mount::Unbound(claim, _) if waits_for_consumer(world, claim)))
    };
    governs(policy, Activity::Processing)
        || governs(policy, Activity::Storage) && (writes_to_disk() || decides_for_volume())
}
