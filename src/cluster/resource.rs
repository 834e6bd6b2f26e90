//! Where the API server has the objects of each kind.

use kube::core::ApiResource;

use super::kind::Kind;
use crate::objects::WorkloadKind;

/// The resource of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) kind: Kind,
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) plural: &'static str,
    pub(super) namespaced: bool,
}

const fn everywhere(
    kind: Kind,
    group: &'static str,
    version: &'static str,
    plural: &'static str,
) -> Resource {
    Resource { kind, group, version, plural, namespaced: false }
}

const fn within(kind: Kind, group: &'static str, version: &'static str, plural: &'static str) -> Resource {
    Resource { kind, group, version, plural, namespaced: true }
}

/// The group of our own kinds, which may be installed after we are.
pub(super) const OWN: &str = "domicile.dev";
/// The group of snapshots, which a cluster need not have.
pub(super) const SNAPSHOTS: &str = "snapshot.storage.k8s.io";

impl Resource {
    /// Of every kind, what others are judged by before those.
    pub(super) const ALL: [Self; 20] = [
        everywhere(Kind::Node, "", "v1", "nodes"),
        everywhere(Kind::Namespace, "", "v1", "namespaces"),
        everywhere(Kind::PersistentVolume, "", "v1", "persistentvolumes"),
        within(Kind::PersistentVolumeClaim, "", "v1", "persistentvolumeclaims"),
        within(Kind::Pod, "", "v1", "pods"),
        within(Kind::Workload(WorkloadKind::ReplicationController), "", "v1", "replicationcontrollers"),
        within(Kind::Workload(WorkloadKind::Deployment), "apps", "v1", "deployments"),
        within(Kind::Workload(WorkloadKind::StatefulSet), "apps", "v1", "statefulsets"),
        within(Kind::Workload(WorkloadKind::DaemonSet), "apps", "v1", "daemonsets"),
        within(Kind::Workload(WorkloadKind::ReplicaSet), "apps", "v1", "replicasets"),
        within(Kind::Workload(WorkloadKind::Job), "batch", "v1", "jobs"),
        within(Kind::Workload(WorkloadKind::CronJob), "batch", "v1", "cronjobs"),
        everywhere(Kind::StorageClass, "storage.k8s.io", "v1", "storageclasses"),
        everywhere(Kind::VolumeAttachment, "storage.k8s.io", "v1", "volumeattachments"),
        within(Kind::VolumeSnapshot, SNAPSHOTS, "v1", "volumesnapshots"),
        everywhere(Kind::VolumeSnapshotContent, SNAPSHOTS, "v1", "volumesnapshotcontents"),
        everywhere(Kind::VolumeSnapshotClass, SNAPSHOTS, "v1", "volumesnapshotclasses"),
        everywhere(Kind::ResidencyPolicy, OWN, "v1alpha1", "residencypolicies"),
        everywhere(Kind::Geography, OWN, "v1alpha1", "geographies"),
        within(Kind::ResidencyException, OWN, "v1alpha1", "residencyexceptions"),
    ];

    /// The resource of a kind.
    pub(super) fn of(kind: Kind) -> Self {
        let found = Self::ALL.into_iter().find(|resource| resource.kind == kind);
        // Every kind is in the list, which a test holds.
        found.unwrap_or(Self::ALL[0])
    }

    /// As `apiVersion` says it.
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Where its objects are: of one namespace, or of all if that is empty.
    pub(super) fn path(&self, namespace: &str) -> String {
        let root = if self.group.is_empty() { "/api" } else { "/apis" };
        let place = if namespace.is_empty() { String::new() } else { format!("namespaces/{namespace}/") };
        format!("{root}/{}/{place}{}", self.api_version(), self.plural)
    }

    /// `pods`, `deployments.apps`: as RBAC and `kubectl` say it.
    pub(super) fn name(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }
}

impl Kind {
    /// Where the API server has its objects.
    #[must_use]
    pub fn api_resource(self) -> ApiResource {
        let resource = Resource::of(self);
        ApiResource {
            group: resource.group.to_owned(),
            version: resource.version.to_owned(),
            api_version: resource.api_version(),
            kind: self.as_str().to_owned(),
            plural: resource.plural.to_owned(),
        }
    }

    /// Its resource as RBAC and `kubectl` say it: `pods`, `deployments.apps`.
    #[must_use]
    pub fn resource(self) -> String {
        Resource::of(self).name()
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Resource};
    use crate::objects::WorkloadKind;

    #[test]
    fn every_kind_has_its_resource() {
        let mut kinds = vec![
            Kind::Node,
            Kind::Namespace,
            Kind::StorageClass,
            Kind::PersistentVolume,
            Kind::PersistentVolumeClaim,
            Kind::Pod,
            Kind::VolumeAttachment,
            Kind::VolumeSnapshot,
            Kind::VolumeSnapshotContent,
            Kind::VolumeSnapshotClass,
            Kind::ResidencyPolicy,
            Kind::Geography,
            Kind::ResidencyException,
        ];
        kinds.extend(WorkloadKind::ALL.map(Kind::Workload));
        assert_eq!(kinds.len(), Resource::ALL.len());
        for kind in kinds {
            assert_eq!(Resource::of(kind).kind, kind);
            if let Kind::Workload(kind) = kind {
                assert_eq!(Resource::of(Kind::Workload(kind)).api_version(), kind.api_version());
            }
        }
    }

    #[test]
    fn paths_are_those_of_the_api() {
        assert_eq!(Resource::of(Kind::Pod).path("shop"), "/api/v1/namespaces/shop/pods");
        assert_eq!(Resource::of(Kind::Geography).path(""), "/apis/domicile.dev/v1alpha1/geographies");
    }
}
