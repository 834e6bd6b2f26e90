//! Who else is told: the log, and an event for those who did not see the answer.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::review::Request as Review;
use crate::objects::{Metadata, Object, OwnerReference};
use crate::residency::{Decision, Finding, Verdict};

/// What the cluster is told of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// `ResidencyDenied`, `ResidencyWarned` or `ResidencyConfined`.
    pub reason: &'static str,
    /// In a sentence or several.
    pub note: String,
    /// Whom it is about.
    pub regarding: Subject,
    /// The policy that it comes from; none where no policy is broken.
    pub policy: Option<String>,
}

/// An object that an event is about; it need not exist yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "Kubernetes' own words")]
pub struct Subject {
    pub api_version: String,
    pub kind: String,
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

/// Who tells the cluster. It must not wait: the answer does not go out before it is done.
#[derive(Clone)]
pub struct Teller(Arc<dyn Fn(Incident) + Send + Sync>);

impl Teller {
    /// One that passes each incident on.
    pub fn new(tell: impl Fn(Incident) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    fn tell(&self, incident: Incident) {
        (self.0)(incident);
    }
}

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Teller")
    }
}

/// Tells of a verdict that refuses or warns.
pub(super) fn tell(teller: &Teller, review: &Review<'_>, object: &Object, verdict: &Verdict) {
    if verdict.decision == Decision::Allow {
        return;
    }
    let policies: BTreeSet<&str> =
        verdict.findings.iter().filter_map(|finding| finding.policy.as_deref()).collect();
    let listed = policies.iter().copied().collect::<Vec<_>>().join(",");
    let (uid, user, dry_run) = (&*review.uid, &*review.user_info.username, review.is_dry_run());
    let operation = review.operation.as_str();
    let reasons: BTreeSet<&str> = verdict.findings.iter().map(|finding| finding.reason.as_str()).collect();
    let reasons = reasons.into_iter().collect::<Vec<_>>().join(",");
    tracing::info!(
        uid, operation, user, dry_run, object = %verdict.object, decision = verdict.decision.as_str(),
        policies = listed, reasons, carries = verdict.carried(), "{}", first(verdict)
    );
    if dry_run {
        return;
    }
    let reason = if verdict.decision == Decision::Deny { "ResidencyDenied" } else { "ResidencyWarned" };
    let subject = about(object);
    let policies: Vec<Option<&str>> =
        if policies.is_empty() { vec![None] } else { policies.into_iter().map(Some).collect() };
    for policy in policies {
        let findings = verdict.findings.iter().filter(|finding| finding.policy.as_deref() == policy);
        let told: Vec<_> = findings.map(Finding::sentence).collect();
        teller.tell(Incident {
            reason,
            note: format!("{} ({operation} by {user}): {}", verdict.object, told.join("; ")),
            regarding: subject.clone(),
            policy: policy.map(str::to_owned),
        });
    }
}

/// Tells that a pod was given an affinity.
pub(super) fn confined(teller: &Teller, review: &Review<'_>, object: &Object, policies: &[String]) {
    let reference = object.reference();
    tracing::info!(uid = &*review.uid, object = %reference, policies = policies.join(","), "confined");
    if review.is_dry_run() {
        return;
    }
    for policy in policies {
        teller.tell(Incident {
            reason: "ResidencyConfined",
            note: format!("{reference} was given a node affinity for what policy {policy} permits"),
            regarding: about(object),
            policy: Some(policy.clone()),
        });
    }
}

fn first(verdict: &Verdict) -> String {
    verdict.findings.first().map(Finding::sentence).unwrap_or_default()
}

/// Whom an event is about: who can see it, in a namespace, and acts on it.
fn about(object: &Object) -> Subject {
    let reference = object.reference();
    let of = |metadata: &Metadata| {
        let owner = metadata.owner_references.iter();
        let owner = owner.clone().find(|owner| owner.controller).or_else(|| owner.clone().next());
        owner.map(|owner: &OwnerReference| Subject {
            api_version: owner.api_version.clone(),
            kind: owner.kind.clone(),
            namespace: reference.namespace.clone(),
            name: owner.name.clone(),
            uid: owner.uid.clone(),
        })
    };
    let named = |kind: &str, namespace: &str, name: &str| Subject {
        api_version: "v1".to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: String::new(),
    };
    let itself = |metadata: &Metadata| Subject {
        api_version: reference.api_version.clone(),
        kind: reference.kind.clone(),
        namespace: reference.namespace.clone(),
        name: reference.name.clone(),
        uid: metadata.uid.clone(),
    };
    match object {
        Object::Binding(binding) => named("Pod", &binding.metadata.namespace, &binding.metadata.name),
        Object::Volume(volume) => match &volume.spec.claim_ref {
            Some(claim) => named("PersistentVolumeClaim", &claim.namespace, &claim.name),
            None => itself(&volume.metadata),
        },
        Object::Pod(pod) => of(&pod.metadata).unwrap_or_else(|| itself(&pod.metadata)),
        Object::Workload(workload) => of(&workload.metadata).unwrap_or_else(|| itself(&workload.metadata)),
        Object::Claim(claim) => itself(&claim.metadata),
        _ => itself(&Metadata::default()),
    }
}
