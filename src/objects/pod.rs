//! Pods, and the templates that make them.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::meta::{Metadata, nullable, nullable_texts};
use super::storage::ClaimSpec;

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct Pod {
    /// `metadata`.
    pub metadata: Metadata,
    /// `spec`.
    #[serde(deserialize_with = "nullable")]
    pub spec: PodSpec,
    /// `status`.
    #[serde(deserialize_with = "nullable")]
    pub status: PodStatus,
}

/// `status` of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct PodStatus {
    /// `Pending`, `Running`, `Succeeded`, `Failed`; empty before there is one.
    #[serde(deserialize_with = "nullable")]
    pub phase: String,
}

impl Pod {
    /// Whether it has run to its end and holds no node any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.status.phase.as_str(), "Succeeded" | "Failed")
    }
}

/// What a workload makes its pods from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct PodTemplate {
    /// `metadata` of the pods.
    #[serde(deserialize_with = "nullable")]
    pub metadata: Metadata,
    /// `spec` of the pods.
    #[serde(deserialize_with = "nullable")]
    pub spec: PodSpec,
}

/// `spec` of a pod: where it can go and what it mounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// The node, once there is one.
    #[serde(deserialize_with = "nullable")]
    pub node_name: String,
    /// Labels that the node must have.
    #[serde(deserialize_with = "nullable_texts")]
    pub node_selector: BTreeMap<String, String>,
    /// Affinities.
    #[serde(deserialize_with = "nullable")]
    pub affinity: Affinity,
    /// Taints that it bears.
    #[serde(deserialize_with = "nullable")]
    pub tolerations: Vec<Toleration>,
    /// What it mounts.
    #[serde(deserialize_with = "nullable")]
    pub volumes: Vec<Volume>,
}

impl PodSpec {
    /// The required node affinity, if there is one.
    #[must_use]
    pub fn required_nodes(&self) -> Option<&NodeSelector> {
        self.affinity.node_affinity.required.as_ref()
    }
}

/// `affinity`, of which only node affinity constrains.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Affinity {
    /// Node affinity.
    #[serde(deserialize_with = "nullable")]
    pub node_affinity: NodeAffinity,
}

/// `nodeAffinity`, of which only the required part constrains.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct NodeAffinity {
    /// What the node must match.
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    pub required: Option<NodeSelector>,
}

/// Terms, of which one must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSelector {
    /// OR-ed.
    #[serde(deserialize_with = "nullable")]
    pub node_selector_terms: Vec<NodeSelectorTerm>,
}

/// Requirements, all of which must match. One without any matches nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSelectorTerm {
    /// Over labels.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<Requirement>,
    /// Over fields, of which `metadata.name` is the only one.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub match_fields: Vec<Requirement>,
}

/// One requirement on a label or field of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub struct Requirement {
    /// The label or field.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// How a requirement compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[expect(missing_docs, reason = "Kubernetes' own words")]
pub enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    Gt,
    Lt,
}

/// Taints that a pod bears.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct Toleration {
    /// Empty with `Exists`: every key.
    #[serde(deserialize_with = "nullable")]
    pub key: String,
    /// How the value is compared.
    #[serde(deserialize_with = "nullable")]
    pub operator: TolerationOperator,
    /// With what.
    #[serde(deserialize_with = "nullable")]
    pub value: String,
    /// Empty: every effect.
    #[serde(deserialize_with = "nullable")]
    pub effect: String,
}

/// How a toleration compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own words")]
pub enum TolerationOperator {
    #[default]
    #[serde(alias = "")]
    Equal,
    Exists,
    Lt,
    Gt,
}

/// A volume of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Volume {
    /// Its name in the pod.
    pub name: String,
    /// Where its data is.
    pub source: VolumeSource,
}

/// Where the data of a pod's volume is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum VolumeSource {
    /// A claim of this name.
    Claim(String),
    /// A claim made for the pod alone.
    Ephemeral(Box<ClaimTemplate>),
    /// An inline CSI volume of this driver.
    Csi(String),
    /// The node's disk: `hostPath`, or `emptyDir` that is not in memory.
    NodeDisk,
    /// On the node, and nothing that the pod writes outlives it: `configMap`, `secret`, `emptyDir` in memory and the like.
    NodeLocal,
    /// Another inline source, by its field name (`nfs`, `awsElasticBlockStore`).
    Inline(String),
}

/// `ephemeral`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ephemeral {
    /// What the claim is made from.
    pub volume_claim_template: ClaimTemplate,
}

/// What a claim is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct ClaimTemplate {
    /// `metadata` of the claim.
    #[serde(deserialize_with = "nullable")]
    pub metadata: Metadata,
    /// `spec` of the claim.
    #[serde(deserialize_with = "nullable")]
    pub spec: ClaimSpec,
}

impl<'de> Deserialize<'de> for Volume {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(VolumeVisitor)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClaimSource {
    claim_name: String,
}

#[derive(Deserialize)]
struct CsiSource {
    driver: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EmptyDir {
    #[serde(deserialize_with = "nullable")]
    medium: String,
}

struct VolumeVisitor;

impl<'de> Visitor<'de> for VolumeVisitor {
    type Value = Volume;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a volume: a name and one source")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Volume, A::Error> {
        let mut name = String::new();
        let mut found = None;
        while let Some(field) = map.next_key::<String>()? {
            // A source that is null is not there.
            let source = match field.as_str() {
                "name" => {
                    name = map.next_value()?;
                    continue;
                }
                "persistentVolumeClaim" => map
                    .next_value::<Option<ClaimSource>>()?
                    .map(|claim| VolumeSource::Claim(claim.claim_name)),
                "ephemeral" => map
                    .next_value::<Option<Ephemeral>>()?
                    .map(|own| VolumeSource::Ephemeral(Box::new(own.volume_claim_template))),
                "csi" => map.next_value::<Option<CsiSource>>()?.map(|csi| VolumeSource::Csi(csi.driver)),
                "emptyDir" => map.next_value::<Option<EmptyDir>>()?.map(|dir| match dir.medium.as_str() {
                    // Huge pages are memory too.
                    medium if medium == "Memory" || medium.starts_with("HugePages") => {
                        VolumeSource::NodeLocal
                    }
                    _ => VolumeSource::NodeDisk,
                }),
                "hostPath" => map.next_value::<Option<IgnoredAny>>()?.map(|_| VolumeSource::NodeDisk),
                "configMap" | "secret" | "downwardAPI" | "projected" | "image" => {
                    map.next_value::<Option<IgnoredAny>>()?.map(|_| VolumeSource::NodeLocal)
                }
                _ => map.next_value::<Option<IgnoredAny>>()?.map(|_| VolumeSource::Inline(field)),
            };
            if found.is_some() && source.is_some() {
                return Err(A::Error::custom("more than one source, and Kubernetes takes one"));
            }
            found = found.or(source);
        }
        // A volume without a source is an emptyDir.
        Ok(Volume { name, source: found.unwrap_or(VolumeSource::NodeDisk) })
    }
}
