//! What a report says: values, in the shape that `-o json` prints, cut where they would grow without bound.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::api::{Action, Assurance, LegalBasis, Remedy};
use crate::objects::ObjectRef;
use crate::residency::{Decision, Example, Reason};

/// The first of many, and how many are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CutOf{T}")]
pub struct Cut<T> {
    /// The first, in order.
    pub shown: Vec<T>,
    /// How many more there are.
    pub left_out: usize,
}

impl<T> Cut<T> {
    /// How many there are, shown or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shown.len() + self.left_out
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Everything that a report says.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The moment that it is true of.
    pub at: Timestamp,
    /// In numbers.
    pub summary: Summary,
    /// Each classification that something carries or a policy governs, and where it is.
    pub classifications: Vec<ClassificationFacts>,
    /// Each policy.
    pub policies: Vec<PolicyFacts>,
    /// What is wrong with objects, and no policy says or loosens.
    pub other_findings: Cut<Violation>,
    /// Each exception.
    pub exceptions: Cut<ExceptionFacts>,
    /// What ends, the soonest first.
    pub endings: Cut<Ending>,
    /// Where the nodes are.
    pub nodes: NodeFacts,
    /// By namespace, what carries nothing.
    pub unclassified: Cut<UnclassifiedFacts>,
    /// What enforcement covers.
    pub coverage: Coverage,
    /// What is wrong with policies, exceptions and geographies.
    pub problems: Vec<ProblemFacts>,
}

/// In numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Objects judged.
    pub judged: usize,
    /// Of them, those that carry a classification.
    pub classified: usize,
    /// Objects that would be denied, by a policy or because something else is wrong with them.
    pub denied: usize,
    /// Objects that would be admitted with warnings.
    pub warned: usize,
    /// Objects that would be admitted and break policies which only report.
    pub reported: usize,
    /// Objects that keep a policy only because of an exception.
    pub exempted: usize,
    /// Pods that run or wait, and claims, that carry no classification.
    pub unclassified: usize,
}

/// Where one classification is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassificationFacts {
    /// `personal`.
    pub name: String,
    /// The policies that govern it; none if nothing does.
    pub policies: Vec<String>,
    /// How many objects of each kind carry it.
    pub objects: BTreeMap<&'static str, usize>,
    /// Where they are.
    pub places: Vec<Placed>,
}

/// What is in one jurisdiction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placed {
    /// The code; null if it is not known.
    pub jurisdiction: Option<String>,
    /// Pods on nodes there.
    pub pods: usize,
    /// PersistentVolumes there.
    pub volumes: usize,
    /// Snapshots there.
    pub snapshots: usize,
    /// Waiting pods, workloads, and volumes and claims that are bound to no place, that could be there.
    pub could: usize,
}

/// One policy, as it is written and as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyFacts {
    /// Its name.
    pub name: String,
    /// What it governs.
    pub classifications: Vec<String>,
    /// `Processing`, `Storage`.
    pub activities: Vec<&'static str>,
    /// What it does.
    pub action: Action,
    /// How sure it wants to be.
    pub assurance: Assurance,
    /// What it does for what is not confined.
    pub remedy: Remedy,
    /// What it permits, in words.
    pub permits: String,
    /// Its law.
    pub legal_basis: Vec<LegalBasis>,
    /// The places that it allows.
    pub allow: Vec<Grant>,
    /// The places that it denies.
    pub deny: Vec<Grant>,
    /// How many objects of each kind it selects.
    pub selected: BTreeMap<&'static str, usize>,
    /// Where they are.
    pub places: Vec<Placed>,
    /// The objects.
    pub objects: Cut<Resident>,
    /// What breaks it.
    pub violations: Cut<Violation>,
    /// Since when there has always been something that does, where somebody has written that down.
    pub broken_since: Option<Timestamp>,
    /// How many objects exceptions to it apply to.
    pub excepted: usize,
}

/// A place of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// In words.
    pub place: String,
    /// Its beginning.
    pub from: Option<Timestamp>,
    /// Its end.
    pub until: Option<Timestamp>,
    /// What it rests on.
    pub basis: Option<String>,
    /// Whether it counts now.
    pub state: Validity,
}

/// Whether something that is bounded in time counts now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum Validity {
    /// Not yet.
    Coming,
    /// It does.
    Open,
    /// No longer.
    Ended,
}

impl Validity {
    /// Of what begins and ends like this.
    #[must_use]
    pub fn of(from: Option<Timestamp>, until: Option<Timestamp>, now: Timestamp) -> Self {
        if until.is_some_and(|until| until <= now) {
            Self::Ended
        } else if from.is_some_and(|from| from > now) {
            Self::Coming
        } else {
            Self::Open
        }
    }

    /// As JSON says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Coming => "Coming",
            Self::Open => "Open",
            Self::Ended => "Ended",
        }
    }
}

/// An object and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resident {
    /// The object.
    pub object: ObjectRef,
    /// What it carries.
    pub classifications: Vec<String>,
    /// Whether it is there, or could be.
    pub standing: Standing,
    /// The exceptions that apply to it under this policy.
    pub exceptions: Vec<String>,
}

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// How sure that is.
    pub how: How,
    /// The jurisdictions; null for one that is not known.
    pub jurisdictions: Vec<Option<String>>,
    /// In words.
    pub place: String,
}

/// Whether something is somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum How {
    /// It is.
    Is,
    /// It could come to be.
    Could,
    /// Nobody knows.
    Unknown,
}

/// Something that is wrong with an object.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// The object.
    pub object: ObjectRef,
    /// Since when, where somebody has written that down.
    pub since: Option<Timestamp>,
    /// What comes of it.
    pub action: Action,
    /// What comes of the object, with everything else that is wrong with it.
    pub decision: Decision,
    /// Why, for machines.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
    /// What shows it.
    pub example: Option<Example>,
}

/// One exception.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionFacts {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The policies that it loosens.
    pub policies: Vec<String>,
    /// The places that it adds, in words.
    pub permits: String,
    /// Its end.
    pub until: Timestamp,
    /// Why it was made.
    pub reason: String,
    /// Whether it counts now.
    pub state: Validity,
    /// How many objects it applies to.
    pub objects: usize,
}

/// Something that ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ending {
    /// When.
    pub until: Timestamp,
    /// What ends, and so whether it permits less from then on, or more.
    pub ends: Ends,
    /// `policy eu-personal`, `exception crm/migration-2026`.
    pub of: String,
    /// The place, in words.
    pub place: String,
}

/// What ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub enum Ends {
    /// An allowed place or an exception: what it permits is permitted no longer.
    Permission,
    /// A denied place: what it forbids is forbidden no longer.
    Denial,
}

/// Where the nodes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeFacts {
    /// How many there are.
    pub total: usize,
    /// By jurisdiction and the law that binds the operator; null where that is not known.
    pub places: Vec<NodesAt>,
    /// Those whose location is unknown, or claimed in two ways that contradict each other.
    pub doubtful: Cut<DoubtfulNode>,
}

/// Nodes of one jurisdiction and operator's law.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodesAt {
    /// Where they stand.
    pub jurisdiction: Option<String>,
    /// Whose law binds their operator.
    pub provider_jurisdiction: Option<String>,
    /// How many.
    pub nodes: usize,
}

/// A node of which it is not known where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DoubtfulNode {
    /// Its name.
    pub name: String,
    /// What is known.
    pub location: Example,
    /// Why no more is; empty if nothing says where it is.
    pub conflicts: Vec<String>,
}

/// What carries nothing in a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnclassifiedFacts {
    /// The namespace.
    pub namespace: String,
    /// Pods that run or wait.
    pub pods: usize,
    /// Claims.
    pub claims: usize,
    /// Whether something has to be carried there.
    pub required: bool,
}

/// What enforcement covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// Whether every webhook of Domicile is there, trusted, asked as the chart has it and fails closed; null if that is not
    /// known.
    pub enforced: Option<bool>,
    /// Why it is not known, or what is missing; empty if nothing is.
    pub remarks: Vec<String>,
    /// The webhooks.
    pub webhooks: Vec<WebhookFacts>,
    /// Namespaces that are there and that a webhook is not asked about.
    pub excluded: Cut<ExcludedNamespace>,
}

/// One webhook as the API server has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookFacts {
    /// The configuration that it is in.
    pub configuration: String,
    /// Its name.
    pub name: String,
    /// What it does; null for one that Domicile's chart does not have.
    pub purpose: Option<&'static str>,
    /// When the configuration was made.
    pub since: Option<Timestamp>,
    /// Whether requests are refused while nobody answers.
    pub fails_closed: bool,
    /// Whether the API server knows whom to trust there.
    pub trusted: bool,
    /// The names of the conditions under which it is asked.
    pub conditions: Vec<String>,
}

/// A namespace that enforcement leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExcludedNamespace {
    /// Its name.
    pub namespace: String,
    /// The webhooks that are not asked about it.
    pub webhooks: Vec<String>,
    /// How many objects in it carry a classification.
    pub classified: usize,
    /// How many objects in it break a policy.
    pub violating: usize,
}

/// Something that is wrong with an object of our own kinds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProblemFacts {
    /// The object.
    pub object: String,
    /// What is wrong with it.
    pub message: String,
}
