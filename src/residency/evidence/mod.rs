//! What an auditor wants to know of a cluster at a moment: facts, each from the judgement or from what is written.

mod coverage;
mod facts;
mod gather;
mod lists;
mod standing;

use jiff::Timestamp;

pub use facts::{
    ClassificationFacts, Coverage, Cut, DoubtfulNode, Ending, Evidence, ExceptionFacts, ExcludedNamespace,
    Grant, How, NodeFacts, NodesAt, Placed, PolicyFacts, ProblemFacts, Resident, Standing, Summary,
    UnclassifiedFacts, Validity, Violation, WebhookFacts,
};

use self::gather::Gathering;
use super::audit::{AUDITED, audit};
use super::judge::Court;
use crate::cluster::State;
use crate::cluster::enforcement::Enforcement;

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
