//! Objects as people name them: `pod/orders-0`.

use anyhow::bail;

use crate::cluster::{Kind, Sourced};
use crate::objects::WorkloadKind;

/// An object as it is named on the command line, but for its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) kind: Kind,
    pub(super) name: String,
}

/// Kinds, with the names that `kubectl` takes for them.
const KINDS: [(Kind, &[&str]); 20] = [
    (Kind::Pod, &["pod", "pods", "po"]),
    (Kind::Workload(WorkloadKind::Deployment), &["deployment", "deployments", "deploy"]),
    (Kind::Workload(WorkloadKind::StatefulSet), &["statefulset", "statefulsets", "sts"]),
    (Kind::Workload(WorkloadKind::DaemonSet), &["daemonset", "daemonsets", "ds"]),
    (Kind::Workload(WorkloadKind::ReplicaSet), &["replicaset", "replicasets", "rs"]),
    (
        Kind::Workload(WorkloadKind::ReplicationController),
        &["replicationcontroller", "replicationcontrollers", "rc"],
    ),
    (Kind::Workload(WorkloadKind::Job), &["job", "jobs"]),
    (Kind::Workload(WorkloadKind::CronJob), &["cronjob", "cronjobs", "cj"]),
    (Kind::PersistentVolumeClaim, &["persistentvolumeclaim", "persistentvolumeclaims", "pvc"]),
    (Kind::PersistentVolume, &["persistentvolume", "persistentvolumes", "pv"]),
    (Kind::StorageClass, &["storageclass", "storageclasses", "sc"]),
    (Kind::VolumeAttachment, &["volumeattachment", "volumeattachments"]),
    (Kind::VolumeSnapshot, &["volumesnapshot", "volumesnapshots", "vs"]),
    (Kind::VolumeSnapshotContent, &["volumesnapshotcontent", "volumesnapshotcontents", "vsc"]),
    (Kind::VolumeSnapshotClass, &["volumesnapshotclass", "volumesnapshotclasses", "vsclass"]),
    (Kind::Node, &["node", "nodes", "no"]),
    (Kind::Namespace, &["namespace", "namespaces", "ns"]),
    (Kind::ResidencyPolicy, &["residencypolicy", "residencypolicies", "respol"]),
    (Kind::Geography, &["geography", "geographies", "geo"]),
    (Kind::ResidencyException, &["residencyexception", "residencyexceptions", "resex"]),
];

/// Reads `pod/orders-0`.
pub(super) fn target(text: &str) -> Result<Target, String> {
    let (kind, name) = text.split_once('/').ok_or("write it as KIND/NAME, such as pod/orders-0")?;
    if name.is_empty() || name.contains('/') {
        return Err("a name is expected behind the slash; a namespace goes into -n".to_owned());
    }
    // `deployments.apps`, as kubectl prints it.
    let plain = kind.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let known = KINDS.iter().find(|(_, names)| names.contains(&plain.as_str()));
    let (kind, _) = known.ok_or_else(|| format!("no kind {kind:?} is judged"))?;
    Ok(Target { kind: *kind, name: name.to_owned() })
}

/// The object that is meant, or else where there is one like it.
pub(super) fn find<'a>(
    objects: &'a [Sourced],
    target: &Target,
    namespace: &str,
) -> anyhow::Result<&'a Sourced> {
    let of_kind = || objects.iter().filter(|sourced| sourced.object.type_names().1 == target.kind.as_str());
    let named = || of_kind().filter(|sourced| sourced.object.reference().name == target.name);
    let here = named()
        .find(|sourced| !sourced.object.is_namespaced() || sourced.object.reference().namespace == namespace);
    if let Some(found) = here {
        return Ok(found);
    }
    let (kind, name) = (target.kind.as_str(), &target.name);
    if let Some(elsewhere) = named().next() {
        let there = elsewhere.object.reference().namespace;
        bail!("no {kind} {name} in namespace {namespace}, but in {there}: add -n {there}");
    }
    let candidates = of_kind().map(|sourced| sourced.object.reference().name);
    match super::catalog::nearest(name, candidates) {
        Some(near) => bail!("no {kind} {name}; did you mean {near}?"),
        None => bail!("no {kind} {name} among the cluster's objects"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_as_kubectl_names_them() {
        for (text, kind) in [
            ("po/a", Kind::Pod),
            ("pods/a", Kind::Pod),
            ("Deployment/a", Kind::Workload(WorkloadKind::Deployment)),
            ("deployments.apps/a", Kind::Workload(WorkloadKind::Deployment)),
            ("sts/a", Kind::Workload(WorkloadKind::StatefulSet)),
            ("ds/a", Kind::Workload(WorkloadKind::DaemonSet)),
            ("rs/a", Kind::Workload(WorkloadKind::ReplicaSet)),
            ("rc/a", Kind::Workload(WorkloadKind::ReplicationController)),
            ("job/a", Kind::Workload(WorkloadKind::Job)),
            ("cj/a", Kind::Workload(WorkloadKind::CronJob)),
            ("pvc/a", Kind::PersistentVolumeClaim),
            ("pv/a", Kind::PersistentVolume),
            ("sc/a", Kind::StorageClass),
            ("no/a", Kind::Node),
            ("ns/a", Kind::Namespace),
            ("vs/a", Kind::VolumeSnapshot),
        ] {
            assert_eq!(target(text), Ok(Target { kind, name: "a".into() }), "{text}");
        }
        for wrong in ["", "pod", "pod/", "/a", "pod/a/b", "service/a"] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_name_means_two_kinds() {
        let mut names: Vec<_> = KINDS.iter().flat_map(|(_, names)| names.iter()).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
