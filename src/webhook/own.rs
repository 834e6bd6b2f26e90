//! Our own kinds: refused where they are wrong, and what they would change for the objects that exist is told.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::answer::{Answer, Cause, Refusal};
use super::review::Operation;
use crate::api::Action;
use crate::cluster::{Kind, Problem, State};
use crate::objects::{Metadata, Object, ObjectRef};
use crate::residency::{Authorization, Finding, Reason, Verb, Verdict, simulate};

/// In the place of what a change would do, when there is no time to find out.
pub(super) const NOT_TOLD: &str = "what this would break or allow is not told: many policies, geographies and exceptions \
    are changed at once, or there is too much that this one concerns; ask with `domicile simulate`";

/// A change of an object of our own kinds.
#[derive(Debug)]
pub(super) struct OwnChange {
    pub(super) operation: Operation,
    /// As it would be; absent for a deletion.
    pub(super) new: Option<Object>,
    /// As it was; absent for a creation.
    pub(super) old: Option<Object>,
}

/// Whether an object is of our own kinds.
pub(super) fn is_own(object: &Object) -> bool {
    matches!(object, Object::Policy(_) | Object::Geography(_) | Object::Exception(_))
}

impl OwnChange {
    /// Verbs that the user must hold for it.
    pub(super) fn requires(&self) -> Vec<Authorization> {
        let named = |object: &Option<Object>| match object {
            Some(Object::Exception(exception)) => exception.spec.policies.clone(),
            _ => Vec::new(),
        };
        // Taking an exception away only tightens.
        if self.operation == Operation::Delete || !self.is_of_substance() {
            return Vec::new();
        }
        let policies: BTreeSet<String> = named(&self.new).into_iter().chain(named(&self.old)).collect();
        policies.into_iter().map(excepting).collect()
    }

    /// Whether it changes more than labels, annotations and finalizers.
    fn is_of_substance(&self) -> bool {
        match (&self.old, &self.new) {
            (Some(Object::Policy(old)), Some(Object::Policy(new))) => old.spec != new.spec,
            (Some(Object::Geography(old)), Some(Object::Geography(new))) => old.spec != new.spec,
            (Some(Object::Exception(old)), Some(Object::Exception(new))) => old.spec != new.spec,
            _ => true,
        }
    }

    /// What comes of it, but for what exists: of that, [`impact`] tells, with the state as it would be.
    pub(super) fn answer(&self, before: &State) -> (Answer, Option<State>) {
        if !self.is_of_substance() {
            return (Answer::allow(), None);
        }
        let Some(object) = self.new.as_ref().or(self.old.as_ref()) else { return (Answer::allow(), None) };
        let reference = object.reference();
        let mut after = before.clone();
        match (&self.new, Kind::of(object)) {
            (Some(new), _) => after.apply(new.clone()),
            (None, Some(kind)) => after.delete(kind, &reference.namespace, &reference.name),
            (None, None) => {}
        }
        let known = before.problems();
        let new: Vec<Problem> = after
            .problems()
            .into_iter()
            .filter(|problem| problem.object == reference || !known.contains(problem))
            .collect();
        let needed = matches!(object, Object::Geography(_));
        let against: Vec<&Problem> = new
            .iter()
            .filter(|problem| {
                // Where two geographies differ, neither is believed: that is told, and denies by itself.
                (problem.object == reference && problem.refused)
                    || (needed && problem.object.kind != reference.kind)
            })
            .collect();
        if !against.is_empty() && (self.operation != Operation::Delete || needed) {
            return (refuse(&reference.to_string(), &against), None);
        }
        let mut answer = Answer::allow();
        let told =
            new.iter().filter(|problem| self.operation != Operation::Delete || problem.object != reference);
        let doubts = after.doubts(|object| *object == reference);
        answer
            .warnings
            .extend(told.chain(&doubts).map(|problem| format!("{}: {}", problem.object, problem.message)));
        (answer, Some(after))
    }
}

/// What a change would do to what exists. Everything is judged twice for it, so it is not for the request's own thread.
pub(super) fn impact(before: &State, after: &State, now: Timestamp) -> Vec<String> {
    simulate((before, now), (after, now)).sentences()
}

fn refuse(object: &str, problems: &[&Problem]) -> Answer {
    let mut message = format!("{object} is refused:");
    for problem in problems {
        message.push_str("\n- ");
        if problem.object.to_string() != object {
            // Infallible: it writes into a string.
            let _ = write!(message, "{} needs it: ", problem.object);
        }
        message.push_str(&problem.message);
    }
    let cause = |problem: &&Problem| Cause {
        reason: "FieldValueInvalid".into(),
        field: problem.message.split_once(": ").map_or("", |(field, _)| field).to_owned(),
        message: problem.message.clone(),
    };
    let mut answer = Answer::refuse(String::new());
    answer.refusal = Some(Box::new(Refusal { message, causes: problems.iter().map(cause).collect() }));
    answer
}

/// The refusal of one who lacks the verbs for a change.
pub(super) fn lacking(change: &OwnChange, lacking: &[Authorization]) -> Answer {
    let object = change.new.as_ref().or(change.old.as_ref()).map(Object::reference);
    let mut verdict = Verdict::allow(object.unwrap_or_else(|| ObjectRef::new("", "", &Metadata::default())));
    verdict.deny(lacking.iter().map(|one| one.finding.clone()));
    Answer::of(&verdict, None)
}

fn excepting(policy: String) -> Authorization {
    Authorization {
        verb: Verb::Except,
        finding: Finding {
            policy: Some(policy.clone()),
            action: Action::Deny,
            reason: Reason::Declassification,
            message: format!(
                "to make or change an exception to it takes the verb except on residencypolicies/{policy}, which the user does \
                 not hold"
            ),
            field: Some("spec.policies".into()),
            example: None,
            matching: None,
        },
        policy,
    }
}
