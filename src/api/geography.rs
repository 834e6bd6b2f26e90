//! `Geography`: groups of jurisdictions, regions, providers and storage drivers that the built-in catalog does not know.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is known of places: the built-in catalog has this very shape.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[kube(group = "domicile.dev", version = "v1alpha1", kind = "Geography", plural = "geographies", shortname = "geo", status = "GeographyStatus")]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GeographySpec {
    /// Named sets of jurisdictions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupEntry>,
    /// Regions and zones, and where they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<RegionEntry>,
    /// Providers: how their nodes are told, and whose law binds them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<ProviderEntry>,
    /// Storage drivers: which labels say where their volumes are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drivers: Vec<DriverEntry>,
}

/// A named set of jurisdictions.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupEntry {
    /// Not two capital letters: those are countries.
    pub name: String,
    /// ISO 3166-1 alpha-2, ISO 3166-2, or other groups.
    pub members: Vec<String>,
    /// Where the fact comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// Where a region, or one zone of it, is.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegionEntry {
    /// The provider whose code it is: a code means nothing without it.
    pub provider: String,
    /// The region's code; a glob.
    pub region: String,
    /// The zone's code; a glob. Absent: the region's ordinary zones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// ISO 3166-1 alpha-2 or ISO 3166-2.
    pub jurisdiction: String,
    /// Whose law binds the operator here. Absent: the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_jurisdiction: Option<String>,
    /// City or area, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Where the fact comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A provider of machines.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProviderEntry {
    /// The provider's name here and in places.
    pub name: String,
    /// The schemes of `spec.providerID` that mean this provider (`aws` in `aws:///…`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schemes: Vec<String>,
    /// ISO 3166-1 alpha-2: whose law binds the operator. Absent: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<String>,
    /// A regular expression whose group `region` is the region of a zone. Absent: zones yield no region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone_rule: Option<String>,
    /// A regular expression over `spec.providerID` whose group `zone` is the zone in it. Absent: it names none.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "providerIDZone")]
    pub provider_id_zone: Option<String>,
    /// Where the fact comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A storage driver (CSI, or the CSI name of an in-tree one).
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DriverEntry {
    /// The driver's name.
    pub name: String,
    /// The provider whose volumes it makes. Absent: none in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Node labels that hold the zone of a volume.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topology_keys: Vec<String>,
    /// Node labels that hold the region of a volume.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub region_keys: Vec<String>,
    /// Where it puts volumes whose location nothing says. Absent: Unknown.
    #[serde(default)]
    pub placement: VolumePlacement,
    /// Class parameters that copy data elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<CopyRule>,
    /// Where it keeps snapshots. Absent: with their source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<SnapshotStorage>,
    /// Where the fact comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// Where a driver puts volumes whose location nothing says.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq, Hash)]
pub enum VolumePlacement {
    /// Where the cluster's nodes are.
    Cluster,
    /// Not known: such a volume must be declared.
    #[default]
    Unknown,
    /// On the node that mounts it.
    NodeLocal,
}

/// A class parameter that makes the driver keep a copy elsewhere.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CopyRule {
    /// The parameter's name, in any case.
    pub parameter: String,
    /// Globs over its value, in any case.
    pub values: Vec<String>,
    /// Where the copy goes, by source region. A region that is not listed: unknown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<PairedRegion>,
}

/// The region that holds the copy of another.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PairedRegion {
    /// The region of the volume.
    pub from: String,
    /// The region of its copy.
    pub region: String,
}

/// Where a driver keeps snapshots.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SnapshotStorage {
    /// The snapshot class's parameter that names the region(s), comma-separated. Absent: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location_parameter: Option<String>,
    /// Without that parameter. Absent: Source.
    #[serde(default)]
    pub default: SnapshotDefault,
}

/// Where snapshots are when their class does not say.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq, Hash)]
pub enum SnapshotDefault {
    /// In the region of their source.
    #[default]
    Source,
    /// Elsewhere: unknown.
    Unknown,
}

/// What the controller makes of a Geography.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct GeographyStatus {
    /// The generation that the conditions speak of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Conflict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<Condition>>,
}
