//! Storage drivers: which labels say where their volumes are, and where those are that say nothing.

use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};

use crate::api::{DriverEntry, SnapshotDefault, SnapshotStorage, VolumePlacement};

/// The CSI driver that does the work of each in-tree volume plugin, by the plugin's provisioner and by its field in a
/// volume's `spec`. Kubernetes migrated all of them.
const IN_TREE: [(&str, &str); 16] = [
    ("kubernetes.io/aws-ebs", "ebs.csi.aws.com"),
    ("awsElasticBlockStore", "ebs.csi.aws.com"),
    ("kubernetes.io/gce-pd", "pd.csi.storage.gke.io"),
    ("gcePersistentDisk", "pd.csi.storage.gke.io"),
    ("kubernetes.io/azure-disk", "disk.csi.azure.com"),
    ("azureDisk", "disk.csi.azure.com"),
    ("kubernetes.io/azure-file", "file.csi.azure.com"),
    ("azureFile", "file.csi.azure.com"),
    ("kubernetes.io/cinder", "cinder.csi.openstack.org"),
    ("cinder", "cinder.csi.openstack.org"),
    ("kubernetes.io/vsphere-volume", "csi.vsphere.vmware.com"),
    ("vsphereVolume", "csi.vsphere.vmware.com"),
    ("kubernetes.io/portworx-volume", "pxd.portworx.com"),
    ("portworxVolume", "pxd.portworx.com"),
    ("rbd", "rbd.csi.ceph.com"),
    ("cephfs", "cephfs.csi.ceph.com"),
];

/// Class parameters that say where a volume is made, several places with commas between. Kubernetes turns those of its
/// in-tree plugins into topologies for the drivers that do their work; the others go by their own before all else.
const PLACE_PARAMETERS: [(&str, PlaceParameters); 7] = [
    ("ebs.csi.aws.com", PlaceParameters { zones: &["zone", "zones"], regions: &[] }),
    ("pd.csi.storage.gke.io", PlaceParameters { zones: &["zone", "zones"], regions: &[] }),
    ("disk.csi.azure.com", PlaceParameters { zones: &["zone", "zones"], regions: &[] }),
    ("cinder.csi.openstack.org", PlaceParameters { zones: &["availability"], regions: &[] }),
    ("diskplugin.csi.alibabacloud.com", PlaceParameters { zones: &["zoneId"], regions: &["regionId"] }),
    ("com.tencent.cloud.csi.cbs", PlaceParameters { zones: &["zone", "diskZone"], regions: &[] }),
    ("vpc.block.csi.ibm.io", PlaceParameters { zones: &["zone"], regions: &["region"] }),
];

/// The names of class parameters that say where a volume is made. Drivers read them in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaceParameters {
    /// Those whose value is a zone.
    pub zones: &'static [&'static str],
    /// Those whose value is a region.
    pub regions: &'static [&'static str],
}

/// The CSI name of a driver that is known by an older one (`kubernetes.io/aws-ebs`, `awsElasticBlockStore`); any other
/// name as it is.
#[must_use]
pub fn canonical_driver(name: &str) -> &str {
    IN_TREE.iter().find(|(old, _)| *old == name).map_or(name, |(_, csi)| csi)
}

/// A storage driver.
#[derive(Clone, Debug)]
pub struct Driver {
    /// Its CSI name.
    pub name: Arc<str>,
    /// The provider whose volumes it makes; none in particular if absent.
    pub provider: Option<Arc<str>>,
    /// Node labels that hold the zone of a volume.
    pub topology_keys: Vec<Arc<str>>,
    /// Node labels that hold the region of a volume.
    pub region_keys: Vec<Arc<str>>,
    /// Where it puts volumes whose location nothing says.
    pub placement: VolumePlacement,
    /// Class parameters that make it keep a copy elsewhere.
    pub copies: Vec<Copies>,
    /// Where it keeps snapshots.
    pub snapshots: SnapshotStorage,
    /// Where the fact comes from.
    pub source: Option<Arc<str>>,
}

/// A class parameter that makes a driver keep a copy elsewhere.
#[derive(Clone, Debug)]
pub struct Copies {
    /// The parameter, in lower case.
    parameter: String,
    values: Vec<GlobMatcher>,
    to: Vec<(Arc<str>, Arc<str>)>,
}

impl Copies {
    /// Whether this class parameter asks for a copy. Case does not count, in either.
    #[must_use]
    pub fn asks(&self, parameter: &str, value: &str) -> bool {
        self.parameter.eq_ignore_ascii_case(parameter) && self.values.iter().any(|glob| glob.is_match(value))
    }

    /// Whether the parameter's own value is the region.
    #[must_use]
    pub fn names_the_region(&self) -> bool {
        self.to.is_empty()
    }

    /// The region of the copy of what is in `region`; unknown if absent.
    #[must_use]
    pub fn region_of_copy(&self, region: &str) -> Option<&Arc<str>> {
        self.to.iter().find(|(from, _)| **from == *region).map(|(_, to)| to)
    }
}

impl Driver {
    /// Whether it makes volumes where the cluster is, and no label of a node says where in it.
    #[must_use]
    pub fn knows_no_topology(&self) -> bool {
        self.placement == VolumePlacement::Cluster
            && self.topology_keys.is_empty()
            && self.region_keys.is_empty()
    }

    /// Whether it keeps volumes on any nodes of the cluster, as Longhorn does: it knows no topology, and is no cloud's. What a
    /// topology says is from where they are reached.
    #[must_use]
    pub fn replicates(&self) -> bool {
        self.knows_no_topology() && self.provider.is_none()
    }

    /// The class parameters that say where it makes a volume.
    #[must_use]
    pub fn place_parameters(&self) -> PlaceParameters {
        PLACE_PARAMETERS
            .iter()
            .find(|(name, _)| **name == *self.name)
            .map_or_else(Default::default, |(_, names)| *names)
    }

    /// Compiles an entry. The error names the field.
    pub(super) fn new(entry: &DriverEntry) -> Result<Self, (String, String)> {
        let mut copies = Vec::new();
        for (index, rule) in entry.copies.iter().enumerate() {
            let values = rule
                .values
                .iter()
                .enumerate()
                .map(|(at, glob)| {
                    GlobBuilder::new(glob)
                        .case_insensitive(true)
                        .build()
                        .map(|glob| glob.compile_matcher())
                        .map_err(|error| (format!("copies[{index}].values[{at}]"), error.to_string()))
                })
                .collect::<Result<_, _>>()?;
            let to =
                rule.to.iter().map(|pair| (pair.from.as_str().into(), pair.region.as_str().into())).collect();
            copies.push(Copies { parameter: rule.parameter.to_ascii_lowercase(), values, to });
        }
        let keys = |keys: &[String]| keys.iter().map(|key| Arc::from(key.as_str())).collect();
        Ok(Self {
            name: entry.name.as_str().into(),
            provider: entry.provider.as_deref().map(Arc::from),
            topology_keys: keys(&entry.topology_keys),
            region_keys: keys(&entry.region_keys),
            placement: entry.placement,
            copies,
            snapshots: entry.snapshots.clone().unwrap_or_default(),
            source: entry.source.as_deref().map(Arc::from),
        })
    }

    /// What a user's entry says, and what the built-in one says where it is silent.
    pub(super) fn over(mut self, entry: &DriverEntry, built_in: &Self) -> Self {
        if self.provider.is_none() {
            self.provider.clone_from(&built_in.provider);
        }
        if self.topology_keys.is_empty() {
            self.topology_keys.clone_from(&built_in.topology_keys);
        }
        if self.region_keys.is_empty() {
            self.region_keys.clone_from(&built_in.region_keys);
        }
        if self.copies.is_empty() {
            self.copies.clone_from(&built_in.copies);
        }
        if entry.snapshots.is_none() {
            self.snapshots = built_in.snapshots.clone();
        }
        self
    }

    /// What is left when two objects disagree about a driver: what either warns of, and nothing that either permits.
    pub(super) fn dispute(&mut self, other: Self) {
        if self.provider != other.provider {
            self.provider = None;
        }
        if self.placement != other.placement {
            self.placement = VolumePlacement::Unknown;
        }
        if self.snapshots != other.snapshots {
            self.snapshots = SnapshotStorage { location_parameter: None, default: SnapshotDefault::Unknown };
        }
        for (mine, theirs) in
            [(&mut self.topology_keys, other.topology_keys), (&mut self.region_keys, other.region_keys)]
        {
            for key in theirs {
                if !mine.contains(&key) {
                    mine.push(key);
                }
            }
        }
        self.copies.extend(other.copies);
    }
}
