//! The joint between the commands and the judgement: the only file of this room that knows how judging is called.

use jiff::Timestamp;
use kube::CustomResourceExt;

use super::catalog::Row;
use super::settings::Settings;
use crate::api::{Action, Geography, ResidencyException, ResidencyPolicy};
use crate::objects::{Object, ObjectRef};
use crate::residency::{Decision, Finding, Reach, Reason, Verdict};

/// Something that is wrong with an object of our own kinds.
pub(super) struct Problem {
    pub(super) object: ObjectRef,
    pub(super) message: String,
    /// Whether no verdict is complete with it.
    pub(super) refused: bool,
}

/// Everything that is known, ready to judge.
pub(super) struct Engine {
    objects: Vec<Object>,
}

impl Engine {
    pub(super) fn new(settings: &Settings) -> Self {
        let Settings {
            classification_keys: _,
            ungoverned: _,
            required: _,
            jurisdiction: _,
            provider_jurisdiction: _,
        } = settings;
        Self { objects: Vec::new() }
    }

    /// Takes an object in; a later one of the same name replaces it.
    pub(super) fn apply(&mut self, object: Object) {
        self.objects.push(object);
    }

    /// What is wrong with policies, geographies and exceptions.
    pub(super) fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// The verdict if this object were created now; none for kinds that are not judged.
    pub(super) fn judge(&self, object: &Object, _now: Timestamp) -> Option<Verdict> {
        is_judged(object).then(|| unjudged(object.reference()))
    }

    /// The verdicts on everything that exists, without the kinds and phases that are not judged.
    pub(super) fn audit(&self, _now: Timestamp) -> impl Iterator<Item = Verdict> + '_ {
        self.objects.iter().filter(|object| is_judged(object)).map(|object| unjudged(object.reference()))
    }

    /// The verdict on an object that exists; none if its kind or phase is not judged.
    pub(super) fn stored(&self, object: &Object, now: Timestamp) -> Option<Verdict> {
        self.judge(object, now)
    }
}

fn is_judged(object: &Object) -> bool {
    !matches!(
        object,
        Object::Node(_)
            | Object::Namespace(_)
            | Object::SnapshotClass(_)
            | Object::Policy(_)
            | Object::Geography(_)
            | Object::Exception(_)
    )
}

/// TEMPORARY, until `residency::judge` is there: what is not judged is denied, never allowed.
fn unjudged(object: ObjectRef) -> Verdict {
    Verdict {
        object,
        classifications: Vec::new(),
        decision: Decision::Deny,
        reach: Reach::Violated,
        findings: vec![Finding {
            policy: None,
            action: Action::Deny,
            reason: Reason::UnknownLocation,
            message: "this build cannot judge".to_owned(),
            field: None,
            example: None,
            matching: None,
        }],
        warnings: Vec::new(),
        fix: None,
        requires: Vec::new(),
    }
}

/// Every row of the built-in catalog.
pub(super) fn catalog() -> anyhow::Result<Vec<Row>> {
    Ok(Vec::new())
}

/// The CustomResourceDefinitions, as YAML documents.
pub(super) fn crds() -> anyhow::Result<String> {
    let crds = [ResidencyPolicy::crd(), Geography::crd(), ResidencyException::crd()];
    Ok(serde_saphyr::to_string_multiple(&crds)?)
}
