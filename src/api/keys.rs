//! The annotation and label keys that users and machines see.

/// API group of the custom resources.
pub const GROUP: &str = "domicile.dev";

/// What an object carries: a comma-separated list of classifications (annotation), or one (label).
pub const CLASSIFICATION: &str = "domicile.dev/data-classification";

/// What an object inherited, written down by Domicile so that it outlives its source.
pub const RECORDED: &str = "domicile.dev/recorded-classification";

/// Where a node or a volume is: ISO 3166-1 alpha-2 or ISO 3166-2. On a Node, a claim that the geography can contradict.
pub const JURISDICTION: &str = "domicile.dev/jurisdiction";

/// Whose law binds the operator of a node or a volume: ISO 3166-1 alpha-2.
pub const PROVIDER_JURISDICTION: &str = "domicile.dev/provider-jurisdiction";

/// As [`JURISDICTION`], under a prefix that no kubelet can set on its own Node; it outranks the catalog.
pub const RESTRICTED_JURISDICTION: &str = "domicile.dev.node-restriction.kubernetes.io/jurisdiction";

/// As [`PROVIDER_JURISDICTION`], under a prefix that no kubelet can set on its own Node.
pub const RESTRICTED_PROVIDER_JURISDICTION: &str =
    "domicile.dev.node-restriction.kubernetes.io/provider-jurisdiction";

/// Kubernetes' label for the region of a node.
pub const REGION: &str = "topology.kubernetes.io/region";

/// Kubernetes' label for the zone of a node.
pub const ZONE: &str = "topology.kubernetes.io/zone";

/// Deprecated region label. The cloud controller copies it over the current one, so it must agree.
pub const BETA_REGION: &str = "failure-domain.beta.kubernetes.io/region";

/// Deprecated zone label. The cloud controller copies it over the current one, so it must agree.
pub const BETA_ZONE: &str = "failure-domain.beta.kubernetes.io/zone";

/// Kubernetes' label for the host name of a node.
pub const HOSTNAME: &str = "kubernetes.io/hostname";

/// Taint of a node that its cloud controller has not initialised yet.
pub const UNINITIALIZED_TAINT: &str = "node.cloudprovider.kubernetes.io/uninitialized";
/// The taint of a node that Karpenter has not registered yet: it takes it off together with writing the node's labels.
pub const UNREGISTERED_TAINT: &str = "karpenter.sh/unregistered";

/// The node that the scheduler chose for a claim: the provisioner makes the disk there.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

/// Marks the `StorageClass` that a claim without one gets.
pub const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

/// As [`DEFAULT_CLASS`], of old; it still counts.
pub const BETA_DEFAULT_CLASS: &str = "storageclass.beta.kubernetes.io/is-default-class";

/// The class of a claim or a volume, of old; it still comes before the field.
pub const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// Label that a StatefulSet gives its pods: their name.
pub const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";

/// Set by a kubelet on the API object that mirrors a static pod.
pub const MIRROR_POD: &str = "kubernetes.io/config.mirror";
