//! What judgement says: a value, in the shape that `-o json` prints.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use crate::api::Action;
use crate::geography::Location;
use crate::objects::ObjectRef;
use crate::policy::is_dns_label;

/// The answer for one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The object judged.
    pub object: ObjectRef,
    /// What it carries, and where each comes from.
    pub classifications: Vec<CarriedClassification>,
    /// The policies that select it, by name.
    pub policies: Vec<Arc<str>>,
    /// Whether it may be.
    pub decision: Decision,
    /// How sure its reach is.
    pub reach: Reach,
    /// Every policy that it breaks.
    pub findings: Vec<Finding>,
    /// Advice that changes no decision.
    pub warnings: Vec<String>,
    /// What to write instead. It has been judged, and passes.
    pub fix: Option<Fix>,
    /// Verbs that the user must hold, else the finding beside each denies the request.
    pub requires: Vec<Authorization>,
}

/// A classification and its origin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct CarriedClassification {
    /// `personal`.
    pub name: String,
    /// `annotation`, `label`, `record`, `namespace shop`, `claim shop/orders`, …
    pub from: String,
}

impl CarriedClassification {
    /// Its name in a line of text: in quotes if it is no classification at all, but whatever somebody has written.
    #[must_use]
    pub fn shown(&self) -> Cow<'_, str> {
        if is_dns_label(&self.name) { Cow::from(&*self.name) } else { Cow::from(format!("{:?}", self.name)) }
    }
}

/// Whether an object may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
pub enum Decision {
    /// Admitted.
    Allow,
    /// Admitted with warnings.
    Warn,
    /// Refused.
    Deny,
}

impl Decision {
    /// As JSON says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Warn => "Warn",
            Self::Deny => "Deny",
        }
    }
}

/// How sure it is that an object rests where it may. The worst of several is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Reach {
    /// Nothing classified, or no policy selects it.
    NotApplicable,
    /// Its own constraints leave no other possibility.
    Proven,
    /// Every node that now matches is permitted.
    Observed,
    /// Somewhere it can be now is not permitted.
    Violated,
}

impl Reach {
    /// As JSON says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotApplicable => "NotApplicable",
            Self::Proven => "Proven",
            Self::Observed => "Observed",
            Self::Violated => "Violated",
        }
    }
}

/// One policy that an object breaks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The policy; none where the finding comes from no policy.
    pub policy: Option<String>,
    /// What the policy asks for; Deny where there is none.
    pub action: Action,
    /// Why, for machines.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
    /// The field that is to blame, as a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// A node, or a volume's location, that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<Example>,
    /// How many of the nodes that now match are not permitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matching: Option<Matching>,
}

/// Why an object breaks a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
pub enum Reason {
    /// A node that it can be on is not in a permitted place.
    NodeOutsideJurisdiction,
    /// Where it would be is not known, and unknown never permits.
    UnknownLocation,
    /// The policy asks for proof, and the object does not pin where it goes.
    NotProven,
    /// A volume that it has or is can be outside the permitted places.
    VolumeOutsideJurisdiction,
    /// A workload carries it where its pods do not inherit it.
    ClassificationNotOnTemplate,
    /// It would carry less than it does.
    Declassification,
    /// Not a DNS label.
    InvalidClassification,
    /// No policy governs it.
    UngovernedClassification,
    /// It carries nothing where something is required.
    Unclassified,
    /// A node with classified pods would turn permitted by relabelling.
    NodeRelocation,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::NodeOutsideJurisdiction,
        Self::UnknownLocation,
        Self::NotProven,
        Self::VolumeOutsideJurisdiction,
        Self::ClassificationNotOnTemplate,
        Self::Declassification,
        Self::InvalidClassification,
        Self::UngovernedClassification,
        Self::Unclassified,
        Self::NodeRelocation,
    ];

    /// As JSON says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NodeOutsideJurisdiction => "NodeOutsideJurisdiction",
            Self::UnknownLocation => "UnknownLocation",
            Self::NotProven => "NotProven",
            Self::VolumeOutsideJurisdiction => "VolumeOutsideJurisdiction",
            Self::ClassificationNotOnTemplate => "ClassificationNotOnTemplate",
            Self::Declassification => "Declassification",
            Self::InvalidClassification => "InvalidClassification",
            Self::UngovernedClassification => "UngovernedClassification",
            Self::Unclassified => "Unclassified",
            Self::NodeRelocation => "NodeRelocation",
        }
    }
}

/// A place that shows a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Example {
    /// The node; none for a volume's location.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The volume or claim, in words: `claim data`; none for a node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// Unknown parts are null.
    pub provider: Option<String>,
    /// The region's code.
    pub region: Option<String>,
    /// The zone's code.
    pub zone: Option<String>,
    /// Where it stands.
    pub jurisdiction: Option<String>,
    /// Whose law binds its operator.
    pub provider_jurisdiction: Option<String>,
}

impl Example {
    /// An example of this location.
    #[must_use]
    pub fn at(location: &Location) -> Self {
        Self {
            node: None,
            volume: None,
            provider: location.provider.as_deref().map(str::to_owned),
            region: location.region.as_deref().map(str::to_owned),
            zone: location.zone.as_deref().map(str::to_owned),
            jurisdiction: location.jurisdiction.map(|code| code.to_string()),
            provider_jurisdiction: location.provider_jurisdiction.map(|code| code.to_string()),
        }
    }
}

/// Nodes that now match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Matching {
    /// Those that are not permitted.
    pub outside: usize,
    /// All of them.
    pub total: usize,
}

/// What to write instead.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fix {
    /// The field.
    pub path: String,
    /// Its new value; null removes it.
    pub value: serde_json::Value,
}

/// A verb on a ResidencyPolicy that a request needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Authorization {
    /// The verb.
    pub verb: Verb,
    /// The policy's name.
    pub policy: String,
    /// What is found if the user does not hold it.
    pub finding: Finding,
}

/// Verbs of authorisation on `residencypolicies`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Take a classification away.
    Declassify,
    /// Turn a node with classified pods from forbidden to permitted.
    Relocate,
    /// Make or change an exception to a policy.
    Except,
}

impl Verb {
    /// As RBAC says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Declassify => "declassify",
            Self::Relocate => "relocate",
            Self::Except => "except",
        }
    }
}
