//! Everything that exists, judged as it is.

use jiff::Timestamp;

use super::judge::Court;
use super::verdict::Verdict;
use super::whereabouts::Finder;
use super::{claims, pods, workloads};
use crate::cluster::{Key, Kind, State};
use crate::objects::{ObjectRef, Workload, WorkloadKind};

fn reference(api_version: &str, kind: &str, namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: namespace.into(),
        name: name.into(),
    }
}

/// A finished pod, or a workload that only keeps what a finished one left, is not judged.
fn audited_pods(court: Court<'_>) -> impl Iterator<Item = Verdict> + '_ {
    let pods = court.state.pods().filter(|(_, _, entry)| !entry.finished);
    pods.map(move |(namespace, name, entry)| pods::stored(court, namespace, name, entry))
}

/// Judges every object of the state that is of a judged kind, kind by kind; inside a kind in no order. Lazy, so that a
/// reader of many verdicts holds one at a time.
pub fn audit(state: &State, now: Timestamp) -> impl Iterator<Item = Verdict> + '_ {
    let court = Court { state, now };
    let volumes = state.volumes().map(move |(name, entry)| {
        claims::volume_entry(court, name, entry, reference("v1", "PersistentVolume", "", name))
    });
    let attachments = state.attachments().map(move |(name, entry)| {
        let reference = reference("storage.k8s.io/v1", "VolumeAttachment", "", name);
        claims::attachment_entry(court, entry, reference)
    });
    let snapshots = state.snapshots().map(move |(namespace, name, entry)| {
        let reference = reference("snapshot.storage.k8s.io/v1", "VolumeSnapshot", namespace, name);
        claims::snapshot_entry(court, namespace, entry, reference)
    });
    let contents = state.contents().map(move |(name, entry)| {
        let reference = reference("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent", "", name);
        claims::content_entry(court, entry, reference)
    });
    audited_pods(court)
        .chain(state.workloads().map(move |workload| audited_workload(court, workload)))
        .chain(state.claims().map(move |(namespace, name, entry)| {
            let reference = reference("v1", "PersistentVolumeClaim", namespace, name);
            claims::claim_entry(court, Finder::new(state), namespace, name, entry, reference)
        }))
        .chain(volumes)
        .chain(attachments)
        .chain(snapshots)
        .chain(contents)
}

/// Every object of a kind that an audit judges, the finished pods too.
#[must_use]
pub fn stored(state: &State, kind: Kind) -> Vec<Key> {
    let of = |namespace: &str, name: &str| Key::new(kind, namespace, name);
    match kind {
        Kind::Pod => state.pods().filter_map(|(namespace, name, _)| of(namespace, name)).collect(),
        Kind::Workload(which) => {
            let workloads = state.workloads().filter(|workload| workload.kind == which);
            workloads.filter_map(|one| of(&one.metadata.namespace, &one.metadata.name)).collect()
        }
        Kind::PersistentVolumeClaim => {
            state.claims().filter_map(|(namespace, name, _)| of(namespace, name)).collect()
        }
        Kind::PersistentVolume => state.volumes().filter_map(|(name, _)| of("", name)).collect(),
        Kind::VolumeAttachment => state.attachments().filter_map(|(name, _)| of("", name)).collect(),
        Kind::VolumeSnapshot => {
            state.snapshots().filter_map(|(namespace, name, _)| of(namespace, name)).collect()
        }
        Kind::VolumeSnapshotContent => state.contents().filter_map(|(name, _)| of("", name)).collect(),
        _ => Vec::new(),
    }
}

fn audited_workload(court: Court<'_>, workload: &Workload) -> Verdict {
    let reference = ObjectRef::new(workload.kind.api_version(), workload.kind.as_str(), &workload.metadata);
    workloads::workload(court, workload, reference)
}

/// Judges one object of the state as it is. `None`: there is no such object, or its kind is not judged.
#[must_use]
pub fn judge_stored(
    state: &State,
    kind: Kind,
    namespace: &str,
    name: &str,
    now: Timestamp,
) -> Option<Verdict> {
    let court = Court { state, now };
    Some(match kind {
        Kind::Pod => pods::stored(court, namespace, name, state.pod(namespace, name)?),
        Kind::Workload(kind) => audited_workload(court, state.workload(kind, namespace, name)?),
        Kind::PersistentVolumeClaim => {
            let reference = reference("v1", "PersistentVolumeClaim", namespace, name);
            claims::claim_entry(
                court,
                Finder::new(state),
                namespace,
                name,
                state.claim(namespace, name)?,
                reference,
            )
        }
        Kind::PersistentVolume => {
            let reference = reference("v1", "PersistentVolume", "", name);
            claims::volume_entry(court, name, state.volume(name)?, reference)
        }
        Kind::VolumeAttachment => {
            let reference = reference("storage.k8s.io/v1", "VolumeAttachment", "", name);
            claims::attachment_entry(court, state.attachment(name)?, reference)
        }
        Kind::VolumeSnapshot => {
            let reference = reference("snapshot.storage.k8s.io/v1", "VolumeSnapshot", namespace, name);
            claims::snapshot_entry(court, namespace, state.snapshot(namespace, name)?, reference)
        }
        Kind::VolumeSnapshotContent => {
            let reference = reference("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent", "", name);
            claims::content_entry(court, state.content(name)?, reference)
        }
        Kind::StorageClass => {
            let class = state.class(name)?;
            claims::class(court, class, reference("storage.k8s.io/v1", "StorageClass", "", name))
        }
        Kind::Node => {
            let mut verdict = Verdict::allow(reference("v1", "Node", "", name));
            verdict.warnings.extend(state.nodes().get(name)?.conflicts.iter().cloned());
            verdict
        }
        Kind::Namespace
        | Kind::VolumeSnapshotClass
        | Kind::ResidencyPolicy
        | Kind::Geography
        | Kind::ResidencyException => return None,
    })
}

/// The kinds whose objects an audit judges.
pub const AUDITED: [Kind; 13] = [
    Kind::Pod,
    Kind::Workload(WorkloadKind::Deployment),
    Kind::Workload(WorkloadKind::StatefulSet),
    Kind::Workload(WorkloadKind::DaemonSet),
    Kind::Workload(WorkloadKind::ReplicaSet),
    Kind::Workload(WorkloadKind::ReplicationController),
    Kind::Workload(WorkloadKind::Job),
    Kind::Workload(WorkloadKind::CronJob),
    Kind::PersistentVolumeClaim,
    Kind::PersistentVolume,
    Kind::VolumeAttachment,
    Kind::VolumeSnapshot,
    Kind::VolumeSnapshotContent,
];
