//! What an auditor wants to know of a cluster at a moment: facts, each from the judgement or from what is written.

mod coverage;
mod facts;
mod gather;
mod lists;
mod standing;

use jiff::Timestamp;

pub use facts::{
    ClassificationFacts, Coverage, Cut, DoubtfulNode, Ending, Ends, Evidence, ExceptionFacts,
    ExcludedNamespace, Grant, How, NodeFacts, NodesAt, Placed, PolicyFacts, ProblemFacts, Resident, Standing,
    Summary, UnclassifiedFacts, Validity, Violation, WebhookFacts,
};

use self::gather::Gathering;
use super::audit::{AUDITED, audit};
use super::judge::Court;
use crate::cluster::State;
use crate::cluster::enforcement::Enforcement;
use crate::objects::ObjectRef;

/// Judges everything, and gathers what there is to say.
#[must_use]
pub fn evidence(state: &State, now: Timestamp, enforcement: &Enforcement) -> Evidence {
    let court = Court { state, now };
    let mut gathering = Gathering::new(court);
    for verdict in audit(state, now) {
        if let Some(kind) = AUDITED.into_iter().find(|kind| kind.as_str() == verdict.object.kind) {
            gathering.take(kind, &verdict);
        }
    }
    gathering.finish(enforcement)
}

impl Evidence {
    /// Notes since when what is broken has been, where that is known: each policy by anything, and by each object.
    pub fn note_since(
        &mut self,
        of_policy: impl Fn(&str) -> Option<Timestamp>,
        of_object: impl Fn(&ObjectRef, Option<&str>) -> Option<Timestamp>,
    ) {
        for policy in &mut self.policies {
            policy.broken_since = of_policy(&policy.name).filter(|_| !policy.violations.is_empty());
            for violation in &mut policy.violations.shown {
                violation.since = of_object(&violation.object, Some(&policy.name));
            }
        }
        for violation in &mut self.other_findings.shown {
            violation.since = of_object(&violation.object, None);
        }
    }

    /// The oldest beginning that is known of anything that is broken.
    #[must_use]
    pub fn oldest(&self) -> Option<Timestamp> {
        let of_policies = self.policies.iter().flat_map(|policy| {
            policy.violations.shown.iter().map(|one| one.since).chain([policy.broken_since])
        });
        of_policies.chain(self.other_findings.shown.iter().map(|one| one.since)).flatten().min()
    }
}
