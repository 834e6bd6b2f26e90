//! `judge(request, &State, now) -> Verdict`: the one answer that every surface gives.
//!
//! `judge` says which kind goes where. A pod's case (`pods`, `workloads`) asks what it carries (`classification`), which
//! policies that falls under (`scope`), where its nodes are (`nodes`) and its volumes (`whereabouts`, `volumes`). What
//! comes out is a [`Verdict`], with a fix (`fix`) that has been judged the same way.

mod audit;
mod binding;
mod claims;
mod classification;
mod confine;
mod evidence;
mod exempted;
mod explain;
mod fix;
mod impact;
mod judge;
mod mounts;
mod nodes;
mod pods;
mod record;
mod relocation;
mod scope;
mod simulate;
mod tokens;
mod touched;
mod update;
mod verdict;
mod volumes;
mod whereabouts;
mod wording;
mod workloads;

pub use audit::{AUDITED, audit, judge_stored, stored};
pub use confine::Confinement;
pub use evidence::{
    ClassificationFacts, Coverage, Cut, DoubtfulNode, Ending, Ends, Evidence, ExceptionFacts,
    ExcludedNamespace, Grant, How, NodeFacts, NodesAt, Placed, PolicyFacts, ProblemFacts, Resident, Standing,
    Summary, UnclassifiedFacts, Validity, Violation, WebhookFacts, evidence,
};
pub use exempted::{exempted, may_be_exempted};
pub use explain::{Chain, Explanation, NodesView, PolicyView, TermView, VolumeView, explain};
pub use judge::{Request, is_judged, judge};
pub use pods::confine;
pub use record::{record, unrecorded, unrecorded_of_data};
pub use simulate::{Change, Group, Impact, counted, groups, simulate};
pub use touched::{Touched, touched};
pub use verdict::{
    Authorization, CarriedClassification, Decision, Example, Finding, Fix, Matching, Reach, Reason, Verb,
    Verdict,
};
pub use wording::safe;
