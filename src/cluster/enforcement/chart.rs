//! What the chart has the API server ask, webhook by webhook. `tests/chart` holds this and the chart's templates together.

/// A group, a resource of it, and what is done to it.
pub(super) type Asked = (&'static str, &'static str, &'static [&'static str]);

/// A condition, and its expression with single spaces.
pub(super) type Condition = (&'static str, &'static str);

/// One webhook of the chart.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// `bindings.domicile.dev`.
    pub name: &'static str,
    /// What it does, for people.
    pub purpose: &'static str,
    /// What comes of it where it is missing. None if nothing that is forbidden could come to be.
    pub without: Option<&'static str>,
    /// Whether it writes into what it is asked about.
    pub writes: bool,
    /// What it must be asked about at least.
    pub asked: &'static [Asked],
    /// The conditions under which it is asked: they leave out what cannot matter.
    pub conditions: &'static [Condition],
}

const STORED: &[&str] = &["CREATE", "UPDATE"];
const NEW: &[&str] = &["CREATE"];
const CHANGED: &[&str] = &["UPDATE"];

const CHANGES: Condition = (
    "changes-more-than-finalizers-and-status",
    "request.operation != 'UPDATE' \
     || object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({}) \
     || object.metadata.?annotations.orValue({}) != oldObject.metadata.?annotations.orValue({}) \
     || object.?spec != oldObject.?spec",
);

/// Every webhook of the chart.
pub const ENTRIES: [Entry; 10] = [
    Entry {
        name: "workloads.domicile.dev",
        purpose: "judges pods, and what makes them",
        without: Some("pods could be made that may go where their data may not be"),
        writes: false,
        asked: &[
            ("", "pods", STORED),
            ("", "pods/status", STORED),
            ("", "replicationcontrollers", STORED),
            ("apps", "deployments", STORED),
            ("apps", "statefulsets", STORED),
            ("apps", "daemonsets", STORED),
            ("apps", "replicasets", STORED),
            ("batch", "jobs", STORED),
            ("batch", "cronjobs", STORED),
        ],
        conditions: &[CHANGES],
    },
    Entry {
        name: "bindings.domicile.dev",
        purpose: "has the last word on the node of a pod",
        without: Some("pods could be bound to any node"),
        writes: false,
        asked: &[("", "pods/binding", NEW), ("", "bindings", NEW)],
        conditions: &[],
    },
    Entry {
        name: "volumes.domicile.dev",
        purpose: "judges claims, volumes and snapshots",
        without: Some("volumes could be made where their data may not be"),
        writes: false,
        asked: &[
            ("", "persistentvolumeclaims", STORED),
            ("", "persistentvolumes", STORED),
            ("storage.k8s.io", "volumeattachments", NEW),
            ("snapshot.storage.k8s.io", "volumesnapshots", STORED),
            ("snapshot.storage.k8s.io", "volumesnapshotcontents", STORED),
        ],
        conditions: &[CHANGES],
    },
    Entry {
        name: "cluster.domicile.dev",
        purpose: "judges who says where a node is, and what a namespace holds",
        without: Some(
            "nodes could say of themselves where they are, and namespaces lose their classification",
        ),
        writes: false,
        asked: &[("", "nodes", CHANGED), ("", "nodes/status", CHANGED), ("", "namespaces", CHANGED)],
        conditions: &[
            (
                "node-says-another-place",
                "request.kind.kind != 'Node' \
                 || object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({}) \
                 || object.spec.?providerID.orValue('') != oldObject.spec.?providerID.orValue('') \
                 || object.spec.?taints.orValue([]).exists(taint, \
                 taint.key in ['node.cloudprovider.kubernetes.io/uninitialized', 'karpenter.sh/unregistered'] \
                 && !oldObject.spec.?taints.orValue([]).exists(before, before.key == taint.key))",
            ),
            (
                "node-is-initialized",
                "request.kind.kind != 'Node' \
                 || !oldObject.spec.?taints.orValue([]).exists(taint, \
                 taint.key in ['node.cloudprovider.kubernetes.io/uninitialized', 'karpenter.sh/unregistered']) \
                 || oldObject.metadata.?labels.orValue({}).exists(key, \
                 !(key in object.metadata.?labels.orValue({})) || object.metadata.labels[key] != oldObject.metadata.labels[key]) \
                 || object.metadata.?labels.orValue({}).exists(key, \
                 key.startsWith('domicile.dev') && !(key in oldObject.metadata.?labels.orValue({}))) \
                 || oldObject.spec.?providerID.orValue('') != '' \
                 && oldObject.spec.?providerID != object.spec.?providerID",
            ),
            (
                "namespace-changes-metadata",
                "request.kind.kind != 'Namespace' || request.operation != 'UPDATE' \
                 || object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({}) \
                 || object.metadata.?annotations.orValue({}) != oldObject.metadata.?annotations.orValue({})",
            ),
        ],
    },
    Entry {
        name: "joining.domicile.dev",
        purpose: "warns of nodes that nobody can place",
        without: None,
        writes: false,
        asked: &[],
        conditions: &[],
    },
    Entry {
        name: "exceptions.domicile.dev",
        purpose: "asks who may make an exception",
        without: Some("exceptions could be made by anybody who may write them, without the verb except"),
        writes: false,
        asked: &[("domicile.dev", "residencyexceptions", STORED)],
        conditions: &[CHANGES],
    },
    Entry {
        name: "policies.domicile.dev",
        purpose: "refuses policies that are wrong, and warns of what a change would do",
        without: None,
        writes: false,
        asked: &[],
        conditions: &[],
    },
    Entry {
        name: "records.domicile.dev",
        purpose: "writes down what volumes and snapshots inherit",
        without: Some(
            "what volumes and snapshots inherit is not written down, and is lost when what they have it from is gone",
        ),
        writes: true,
        asked: &[
            ("", "persistentvolumes", STORED),
            ("", "persistentvolumeclaims", NEW),
            ("snapshot.storage.k8s.io", "volumesnapshots", NEW),
            ("snapshot.storage.k8s.io", "volumesnapshotcontents", NEW),
        ],
        conditions: &[(
            "inherits",
            "request.kind.kind == 'PersistentVolumeClaim' \
             ? has(object.spec.dataSource) || has(object.spec.dataSourceRef) \
             : request.operation != 'UPDATE' || object.spec.?claimRef != oldObject.spec.?claimRef",
        )],
    },
    Entry {
        name: "identities.domicile.dev",
        purpose: "has a binding say which pod it means",
        without: Some("a binding that names its pod alone could bind another that has got its name since"),
        writes: true,
        asked: &[("", "pods/binding", NEW), ("", "bindings", NEW)],
        conditions: &[("names-its-pod-alone", "object.metadata.?uid.orValue('') == ''")],
    },
    Entry {
        name: "confine.domicile.dev",
        purpose: "confines pods, where a policy says so",
        without: Some("pods under a policy that confines are not confined, and may be refused"),
        writes: true,
        asked: &[("", "pods", NEW)],
        conditions: &[],
    },
];

/// The chart's webhook of a name.
#[must_use]
pub fn entry(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name)
}
