//! The one entrance: what is asked, and which kind is judged how.

use std::sync::Arc;

use jiff::Timestamp;

use super::scope::Ruling;
use super::verdict::{Decision, Finding, Reach, Verdict};
use super::{binding, claims, pods, tokens, update, workloads};
use crate::api::Action;
use crate::cluster::State;
use crate::objects::{Object, ObjectRef, PersistentVolume};

/// What is to happen to an object.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The object as it would be.
    pub object: &'a Object,
    /// The object as it was; absent if it is new.
    pub old: Option<&'a Object>,
    /// The node that asks (user `system:node:NAME`); absent if somebody else does.
    pub by_node: Option<&'a str>,
    /// Whether a new pod has been given by now what policies that confine write into it, so that it is judged as it stands.
    /// Otherwise it is judged as it will be with that.
    pub as_written: bool,
    /// Whether it is there already, so that nothing happens to it that happens to what is new.
    pub is_there: bool,
}

impl<'a> Request<'a> {
    /// To create an object.
    #[must_use]
    pub fn create(object: &'a Object) -> Self {
        Self { object, old: None, by_node: None, as_written: false, is_there: false }
    }

    /// To have an object judged in full that is there already.
    #[must_use]
    pub fn again(object: &'a Object) -> Self {
        Self { is_there: true, ..Self::create(object) }
    }

    /// To change an object.
    #[must_use]
    pub fn update(old: &'a Object, object: &'a Object) -> Self {
        Self { object, old: Some(old), by_node: None, as_written: false, is_there: true }
    }

    /// Whether a claim is made, or gets its volume: pods that wait for it on their nodes get at its data then.
    #[must_use]
    pub fn opens_claim(&self) -> bool {
        match (self.object, self.old) {
            (Object::Claim(new), Some(Object::Claim(old))) => {
                !new.spec.volume_name.is_empty() && old.spec.volume_name != new.spec.volume_name
            }
            (Object::Claim(_), _) => !self.is_there,
            _ => false,
        }
    }

    /// Whether a claim gets the node for which its volume is made: it is made at once.
    #[must_use]
    pub fn chooses_node(&self) -> bool {
        let Object::Claim(new) = self.object else { return false };
        let before = match self.old {
            Some(Object::Claim(old)) => old.chosen_node(),
            _ => None,
        };
        new.chosen_node().is_some() && new.chosen_node() != before
    }

    /// Whether a volume gets a claim.
    fn gives_volume(&self) -> bool {
        let claim = |volume: &PersistentVolume| volume.spec.claim_ref.clone();
        match (self.object, self.old) {
            (Object::Volume(new), Some(Object::Volume(old))) => claim(new) != claim(old),
            (Object::Volume(_), _) => !self.is_there,
            _ => false,
        }
    }

    /// As asked by this node.
    #[must_use]
    pub fn by_node(self, node: &'a str) -> Self {
        Self { by_node: Some(node), ..self }
    }
}

/// Whether objects of this kind are judged.
#[must_use]
pub fn is_judged(object: &Object) -> bool {
    !matches!(
        object,
        Object::SnapshotClass(_) | Object::Policy(_) | Object::Geography(_) | Object::Exception(_)
    )
}

/// The answer, from nothing but the request, the state and the time.
#[must_use]
pub fn judge(request: &Request<'_>, state: &State, now: Timestamp) -> Verdict {
    let court = Court { state, now };
    let Some(old) = request.old else {
        return court.judge(request);
    };
    if !update::matters(old, request.object, state) {
        return update::left_alone(court, request.object);
    }
    let mut verdict = court.judge(request);
    update::compare(court, old, request, &mut verdict);
    verdict
}

/// A state at a moment: what every judgement is made from.
#[derive(Clone, Copy)]
pub(super) struct Court<'a> {
    pub(super) state: &'a State,
    pub(super) now: Timestamp,
}

impl Court<'_> {
    fn judge(self, request: &Request<'_>) -> Verdict {
        let mut verdict = self.judge_kind(request);
        verdict.warnings.extend(tokens::misspelt(self.state, request.object));
        verdict
    }

    fn judge_kind(self, request: &Request<'_>) -> Verdict {
        let reference = request.object.reference();
        match request.object {
            Object::Pod(pod) => {
                // The API server takes no status from whoever writes a pod: only one that was there can have ended.
                let ended = matches!(request.old, Some(Object::Pod(old)) if old.is_finished());
                if ended { Verdict::allow(reference) } else { pods::pod(self, pod, request, reference) }
            }
            Object::Binding(binding) => binding::binding(self, binding, reference),
            Object::Workload(workload) => workloads::workload(self, workload, reference),
            Object::Claim(claim) => claims::claim(self, claim, request.opens_claim(), reference),
            Object::Volume(volume) => claims::volume(self, volume, request.gives_volume(), reference),
            Object::Attachment(attachment) => claims::attachment(self, attachment, reference),
            Object::Snapshot(snapshot) => claims::snapshot(self, snapshot, reference),
            Object::SnapshotContent(content) => claims::content(self, content, reference),
            Object::StorageClass(class) => claims::class(self, class, reference),
            Object::Namespace(namespace) => claims::namespace(self, namespace, reference),
            Object::Node(node) => super::relocation::joining(self, node, reference),
            Object::SnapshotClass(_) | Object::Policy(_) | Object::Geography(_) | Object::Exception(_) => {
                Verdict::allow(reference)
            }
        }
    }
}

impl Verdict {
    /// Nothing to say.
    #[must_use]
    pub fn allow(object: ObjectRef) -> Self {
        Self {
            object,
            classifications: Vec::new(),
            policies: Vec::new(),
            decision: Decision::Allow,
            reach: Reach::NotApplicable,
            findings: Vec::new(),
            warnings: Vec::new(),
            fix: None,
            requires: Vec::new(),
        }
    }

    /// Adds what was found after the judgement, such as a verb that the user does not hold.
    pub fn deny(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.find(findings);
    }

    pub(super) fn find(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
        self.findings.sort_by(|one, other| {
            (&one.policy, one.reason, &one.field).cmp(&(&other.policy, other.reason, &other.field))
        });
        self.decision =
            self.findings.iter().map(|finding| decision(finding.action)).max().unwrap_or(Decision::Allow);
    }

    /// Notes which policies select it.
    pub(super) fn selected_by<'r, 'a: 'r>(&mut self, rulings: impl IntoIterator<Item = &'r Ruling<'a>>) {
        self.policies.extend(rulings.into_iter().map(|ruling| Arc::clone(&ruling.policy.name)));
        // Policies come in the order in which they were learned, and replicas must answer alike.
        self.policies.sort_unstable();
    }

    pub(super) fn reaches(&mut self, reach: Reach) {
        self.reach = self.reach.max(reach);
    }
}

fn decision(action: Action) -> Decision {
    match action {
        Action::Audit => Decision::Allow,
        Action::Warn => Decision::Warn,
        Action::Deny => Decision::Deny,
    }
}
