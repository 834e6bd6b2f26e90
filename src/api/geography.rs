//! `Geography`: groups of jurisdictions, regions, providers and storage drivers that the built-in catalog does not know.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// What is known of places: the built-in catalog has this very shape.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[kube(
    group = "domicile.dev",
    version = "v1alpha1",
    kind = "Geography",
    plural = "geographies",
    shortname = "geo",
    category = "domicile",
    status = "GeographyStatus",
    label("app.kubernetes.io/name", "domicile"),
    derive = "PartialEq",
    doc = "Adds to what is known of places: groups of jurisdictions, where regions are, and what providers and storage drivers do. At the same specificity it beats the built-in catalog.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether it is understood and in use"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = schema::tidy)]
#[x_kube(validation = Rule::new("(has(self.groups) && size(self.groups) > 0) || (has(self.regions) && size(self.regions) > 0) || (has(self.providers) && size(self.providers) > 0) || (has(self.drivers) && size(self.drivers) > 0)")
    .message("the geography says nothing: add groups, regions, providers or drivers"))]
pub struct GeographySpec {
    /// Named sets of jurisdictions, for places to name. Omitted: none is added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub groups: Vec<GroupEntry>,
    /// Regions and single zones, and where they are. Omitted: none is added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024))]
    pub regions: Vec<RegionEntry>,
    /// Providers: how their nodes are told, and whose law binds them. Omitted: none is added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub providers: Vec<ProviderEntry>,
    /// Storage drivers: which node labels say where their volumes are, and where they copy data to. Omitted: none
    /// is added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub drivers: Vec<DriverEntry>,
}

/// A named set of jurisdictions.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = schema::tidy)]
pub struct GroupEntry {
    /// What places call the group: letters, digits, and `-`, `_`, `.` between them, such as ADEQUATE. Not of the form
    /// of a country's or a subdivision's code (DE, CA-QC).
    #[schemars(length(min = 1, max = 63), regex(pattern = schema::CODE_OR_GROUP))]
    #[x_kube(validation = Rule::new("!self.matches('^[A-Z]{2}(-[A-Z0-9]{1,3})?$')")
        .message("a group may not look like a country or subdivision code (DE, CA-QC): give it another name"))]
    pub name: String,
    /// What the group is made of, at least one: ISO 3166-1 alpha-2 countries, ISO 3166-2 subdivisions, or other
    /// groups.
    #[schemars(length(min = 1, max = 512), inner(length(min = 1, max = 63), regex(pattern = schema::CODE_OR_GROUP)))]
    pub members: Vec<String>,
    /// Where the fact comes from, as free text or a URL. Omitted: not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub source: Option<String>,
}

/// Where a region, or one zone of it, is.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = schema::tidy)]
pub struct RegionEntry {
    /// The name of the provider whose code it is: a region's code means nothing without it.
    #[schemars(length(min = 1, max = 63))]
    pub provider: String,
    /// The region's code as its nodes' labels have it; a glob, such as fra*.
    #[schemars(length(min = 1, max = 253))]
    pub region: String,
    /// The zone's code, for a zone that is elsewhere than its region; a glob. Omitted: the region's ordinary zones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub zone: Option<String>,
    /// Where it is: an ISO 3166-1 alpha-2 country (DE) or an ISO 3166-2 subdivision (CA-QC).
    #[schemars(length(max = 6), regex(pattern = schema::JURISDICTION))]
    pub jurisdiction: String,
    /// Whose law binds the operator here, as an ISO 3166-1 alpha-2 country. Omitted: the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2), regex(pattern = schema::COUNTRY))]
    pub provider_jurisdiction: Option<String>,
    /// The city or area, for people to read. Omitted: reports name the jurisdiction alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub place: Option<String>,
    /// Where the fact comes from, as free text or a URL. Omitted: not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub source: Option<String>,
}

/// A provider of machines.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = schema::tidy)]
pub struct ProviderEntry {
    /// The provider's name in places and in regions: openstack.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The schemes of a node's `spec.providerID` that mean this provider: aws, as in `aws:///eu-west-1a/i-0a1b`. Omitted:
    /// no node is told by its providerID.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 63), regex(pattern = schema::SCHEME)))]
    pub schemes: Vec<String>,
    /// Whose law binds the operator of its machines, as an ISO 3166-1 alpha-2 country. Omitted: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2), regex(pattern = schema::COUNTRY))]
    pub jurisdiction: Option<String>,
    /// A regular expression over a zone's code, whose group named `region` is the zone's region:
    /// `^(?<region>.+)-[a-z]$`. A zone that does not fit it is not known. Omitted: zones yield no region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new("self.contains('(?<region>') || self.contains('(?P<region>')")
        .message("the rule yields no region: put the part that is the region in a group named region, as in ^(?<region>.+)-[a-z]$"))]
    pub zone_rule: Option<String>,
    /// A regular expression over `spec.providerID`, whose group named `zone` is the zone in it. Omitted: it names no
    /// zone.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "providerIDZone")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new("self.contains('(?<zone>') || self.contains('(?P<zone>')")
        .message("the expression yields no zone: put the part that is the zone in a group named zone, as in ^aws:///(?<zone>[^/]+)/"))]
    pub provider_id_zone: Option<String>,
    /// Where the fact comes from, as free text or a URL. Omitted: not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub source: Option<String>,
}

/// A storage driver (CSI, or the CSI name of an in-tree one).
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = schema::tidy)]
pub struct DriverEntry {
    /// The driver's name, as a volume's `spec.csi.driver` or a class's `provisioner` has it: ebs.csi.aws.com.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The name of the provider whose volumes it makes. Omitted: none in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub provider: Option<String>,
    /// Keys of the node labels that hold the zone of a volume. Omitted: the usual label
    /// topology.kubernetes.io/zone alone. Where regionKeys and provider are omitted too, and
    /// placement is Cluster: none, since such a driver keeps a volume on any nodes, and its topology
    /// says only from where it is reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 317), regex(pattern = schema::LABEL_KEY)))]
    pub topology_keys: Vec<String>,
    /// Keys of the node labels that hold the region of a volume. Omitted: the usual label
    /// topology.kubernetes.io/region alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 317), regex(pattern = schema::LABEL_KEY)))]
    pub region_keys: Vec<String>,
    /// Where it puts volumes whose location nothing says. `Cluster`: where the cluster's nodes are. `NodeLocal`: on the
    /// node that mounts them. `Unknown`: nowhere that can be told, so they must be declared. Omitted: Unknown.
    #[serde(default)]
    pub placement: VolumePlacement,
    /// The class parameters that make it keep copies elsewhere. Omitted: it makes none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub copies: Vec<CopyRule>,
    /// Where it keeps snapshots. Omitted: with their source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<SnapshotStorage>,
    /// Where the fact comes from, as free text or a URL. Omitted: not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
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

/// A class parameter that makes the driver keep data elsewhere.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = schema::tidy)]
pub struct CopyRule {
    /// The name of the class parameter; upper and lower case are the same.
    #[schemars(length(min = 1, max = 253))]
    pub parameter: String,
    /// The values of the parameter that make a copy, at least one; globs, upper and lower case are the same: *_GRS.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 253)))]
    pub values: Vec<String>,
    /// Where the copy goes, by the region of its source. A region that is not listed: unknown. Omitted: to the region
    /// that the parameter's value names, unknown if that is no region's code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub to: Vec<PairedRegion>,
}

/// The region that holds the copy of another.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = schema::tidy)]
pub struct PairedRegion {
    /// The code of the region where the volume is.
    #[schemars(length(min = 1, max = 253))]
    pub from: String,
    /// The code of the region where its copy is.
    #[schemars(length(min = 1, max = 253))]
    pub region: String,
}

/// Where a driver keeps snapshots.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = schema::tidy)]
pub struct SnapshotStorage {
    /// The parameter of the snapshot class that names the region, or several with commas between. Omitted: there is
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub location_parameter: Option<String>,
    /// Where snapshots are when their class does not say. Source: in the region of their source. Unknown: nowhere
    /// that can be told. Omitted: Source.
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
#[schemars(transform = schema::tidy)]
pub struct GeographyStatus {
    /// The metadata.generation that the conditions speak of. Omitted: the geography has not been looked at yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// What is known about the geography itself: Ready says whether it is understood and in use, Conflict that
    /// another Geography disagrees with it. Omitted: nothing yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Option<Vec<Condition>>,
}
