//! `ResidencyPolicy`: which classifications, and the places where they may and may not be.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// Which classifications of data it governs, and the places where such data may and may not be.
#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[kube(
    group = "domicile.dev",
    version = "v1alpha1",
    kind = "ResidencyPolicy",
    plural = "residencypolicies",
    shortname = "respol",
    category = "domicile",
    status = "ResidencyPolicyStatus",
    label("app.kubernetes.io/name", "domicile"),
    derive = "PartialEq",
    doc = "Says where data of some classifications may and may not be. An object must satisfy every policy that selects it.",
    printcolumn(
        name = "Action",
        type_ = "string",
        json_path = ".spec.action",
        description = "What happens to an object that breaks it"
    ),
    printcolumn(
        name = "Classifications",
        type_ = "string",
        json_path = ".spec.classifications",
        description = "The classifications that it governs"
    ),
    printcolumn(
        name = "Violating",
        type_ = "integer",
        json_path = ".status.compliance.violating",
        description = "Objects that broke it when last audited"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether it is understood and in force"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = schema::tidy)]
#[x_kube(validation = Rule::new("has(self.allow) || has(self.deny)")
    .message("the policy permits and forbids nothing: add `allow`, `deny` or both"))]
pub struct ResidencyPolicySpec {
    /// The classifications that it governs, at least one and none twice. Each is a lower-case DNS label of up to 63
    /// characters, such as personal, health or payment, as objects carry in the annotation
    /// domicile.dev/data-classification.
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 63), regex(pattern = schema::DNS_LABEL)))]
    #[x_kube(validation = Rule::new("self.all(one, self.exists_one(other, other == one))")
        .message("a classification is listed twice: remove the repetition").reason(Reason::FieldValueDuplicate))]
    pub classifications: Vec<String>,
    /// What it governs: Processing (work on the data: pods, workloads, attachments) or Storage (keeping it: claims,
    /// volumes, snapshots, and the disk of the node that a pod writes to). Omitted: both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2))]
    pub activities: Option<Vec<Activity>>,
    /// The labels of the namespaces whose objects it governs. Omitted, or empty: all namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub namespace_selector: Option<LabelSelector>,
    /// The labels of the objects that it governs; a workload counts by its template's labels, a volume by its
    /// claim's. Omitted, or empty: all objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub object_selector: Option<LabelSelector>,
    /// The places where the data may be: any of these. What is not known of a location never matches. Omitted:
    /// everywhere that `deny` does not name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub allow: Option<Vec<Place>>,
    /// The places where the data may not be, even where `allow` names them: none of these. What is not known of a
    /// location always matches. Omitted: nothing that `allow` names is forbidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub deny: Option<Vec<Place>>,
    /// What happens to an object that breaks the policy: Deny refuses it, Warn admits it with a warning, Audit
    /// admits it and reports it only. Omitted: Deny.
    #[serde(default)]
    pub action: Action,
    /// How sure the policy wants to be before a pod is scheduled. Observed: every node that could take it now is
    /// permitted, and its binding is checked again. Proven: its own constraints leave no other possibility, whatever
    /// nodes may come. Omitted: Observed.
    #[serde(default)]
    pub assurance: Assurance,
    /// What is done for a pod that is not confined to permitted places. Reject: it is judged as it is. Confine: it
    /// is given a required node affinity for the permitted regions. Omitted: Reject.
    #[serde(default)]
    pub remedy: Remedy,
    /// The laws, decisions and contracts that it follows, for reports. Omitted: none is cited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub legal_basis: Option<Vec<LegalBasis>>,
}

/// A predicate over locations. Inside a list: any. Between fields: all.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = schema::tidy)]
// An empty node selector matches every node, so it names no place.
#[x_kube(validation = Rule::new("has(self.jurisdictions) || has(self.regions) || has(self.zones) || has(self.providers) || has(self.providerJurisdictions) || (has(self.nodeSelector) && ((has(self.nodeSelector.matchLabels) && size(self.nodeSelector.matchLabels) > 0) || (has(self.nodeSelector.matchExpressions) && size(self.nodeSelector.matchExpressions) > 0)))")
    .message("the place names nothing: give it at least one of jurisdictions, regions, zones, providers, providerJurisdictions or a nodeSelector that is not empty"))]
#[x_kube(validation = Rule::new("!has(self.from) || !has(self.until) || self.from < self.until")
    .message("the place ends before it begins: set `from` before `until`")
    .field_path(".until"))]
pub struct Place {
    /// Where the machine or the volume stands, any of these: an ISO 3166-1 alpha-2 country (DE), an ISO 3166-2
    /// subdivision (CA-QC) or a group that a geography names (EEA). Omitted: anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 63), regex(pattern = schema::CODE_OR_GROUP)))]
    pub jurisdictions: Option<Vec<String>>,
    /// Region codes, any of these; globs, such as eu-*. Omitted: any region, also one that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 253)))]
    pub regions: Option<Vec<String>>,
    /// Zone codes, any of these; globs, such as eu-west-1*. Omitted: any zone, also one that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 253)))]
    pub zones: Option<Vec<String>>,
    /// Providers by the names that the geography gives them, any of these: aws, gcp, hetzner. Omitted: any provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 63)))]
    pub providers: Option<Vec<String>>,
    /// Whose law binds the operator of the machine, wherever it stands, any of these: an ISO 3166-1 alpha-2 country
    /// or a group. Omitted: any operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 63), regex(pattern = schema::CODE_OR_GROUP)))]
    pub provider_jurisdictions: Option<Vec<String>>,
    /// The labels of the node; for a volume, of the nodes that its affinity matches. Omitted: any node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub node_selector: Option<LabelSelector>,
    /// The moment before which the place matches nothing, as an RFC 3339 time: 2023-07-10T00:00:00Z. Omitted: it
    /// has always matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The moment from which the place matches nothing, as an RFC 3339 time: 2027-07-10T00:00:00Z. Omitted: it has
    /// no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why the place is here: free text of up to 1024 characters, quoted in messages and reports. Omitted: nothing
    /// is quoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
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
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
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
#[schemars(transform = schema::tidy)]
pub struct LegalBasis {
    /// How the law, decision or contract is cited: GDPR Art. 44. Up to 253 characters.
    #[schemars(length(min = 1, max = 253))]
    pub title: String,
    /// Where to read it, as a URL. Omitted: the title has to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub url: Option<String>,
}

/// What the controller last found.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::tidy)]
pub struct ResidencyPolicyStatus {
    /// The metadata.generation that the rest of the status speaks of. Omitted: the policy has not been looked at yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// What is known about the policy itself: Ready says whether it is understood and in force, and why not.
    /// Omitted: nothing yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Option<Vec<Condition>>,
    /// What the last audit counted. Omitted: there was none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compliance: Option<Compliance>,
}

/// Counts of the last audit.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::tidy)]
pub struct Compliance {
    /// The number of objects that the policy selects.
    #[schemars(range(min = 0))]
    pub checked: i64,
    /// The number of those that break it.
    #[schemars(range(min = 0))]
    pub violating: i64,
    /// The number of those that keep it only because of a ResidencyException. Omitted: not counted yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub exempted: Option<i64>,
    /// When this was counted, as an RFC 3339 time. Omitted: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_audit: Option<Timestamp>,
}
