//! `ResidencyPolicy`: which classifications, and the places where they may and may not be.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which classifications of data may be where.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
#[kube(group = "domicile.dev", version = "v1alpha1", kind = "ResidencyPolicy", shortname = "respol", status = "ResidencyPolicyStatus")]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResidencyPolicySpec {
    /// The classifications governed. At least one.
    pub classifications: Vec<String>,
    /// Absent means both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activities: Option<Vec<Activity>>,
    /// Absent means all namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// Absent means all objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_selector: Option<LabelSelector>,
    /// Absent means everywhere that `deny` does not name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<Place>>,
    /// Absent means nowhere is denied that `allow` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deny: Option<Vec<Place>>,
    /// Absent means Deny.
    #[serde(default)]
    pub action: Action,
    /// Absent means Observed.
    #[serde(default)]
    pub assurance: Assurance,
    /// Absent means Reject.
    #[serde(default)]
    pub remedy: Remedy,
    /// Why the policy exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<Vec<LegalBasis>>,
}

/// A predicate over locations. Inside a list: any. Between fields: all.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Place {
    /// ISO 3166-1 alpha-2, ISO 3166-2, or a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdictions: Option<Vec<String>>,
    /// Globs over region codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regions: Option<Vec<String>>,
    /// Globs over zone codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zones: Option<Vec<String>>,
    /// Providers, by the geography's names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub providers: Option<Vec<String>>,
    /// ISO 3166-1 alpha-2 or a group: whose law binds the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_jurisdictions: Option<Vec<String>>,
    /// Labels of the node; for a volume, of the nodes its affinity matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<LabelSelector>,
    /// Before this moment the place matches nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// From this moment on the place matches nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Free text, quoted in messages and reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
}

/// What laws tell apart: keeping data, and working on it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq, Hash)]
pub enum Activity {
    /// Working on data: pods, workloads, bindings, the node of an attachment.
    Processing,
    /// Keeping data: claims, volumes, snapshots, the volumes a pod mounts, and the disk of its node where it writes there.
    Storage,
}

/// What happens to an object that breaks the policy.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Admitted, reported only.
    Audit,
    /// Admitted with a warning.
    Warn,
    /// Refused.
    #[default]
    Deny,
}

/// How sure the policy wants to be.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq, Hash)]
pub enum Assurance {
    /// Every node that now matches is permitted; the binding is checked again.
    #[default]
    Observed,
    /// The object's own constraints leave no other possibility.
    Proven,
}

/// What is done for an object that is not confined to permitted places.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq, Hash)]
pub enum Remedy {
    /// It is refused.
    #[default]
    Reject,
    /// Its pods are given a node affinity for the permitted places.
    Confine,
}

/// A law, decision or contract that the policy follows.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LegalBasis {
    /// How the law is cited.
    pub title: String,
    /// Where to read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// What the controller last found.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ResidencyPolicyStatus {
    /// The generation that the rest of the status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, and why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<Condition>>,
    /// Counts of the last audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compliance: Option<Compliance>,
}

/// Counts of the last audit.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Compliance {
    /// Objects that the policy selects.
    pub checked: i64,
    /// Of those, how many break it.
    pub violating: i64,
    /// When this was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_audit: Option<Timestamp>,
}
