//! Who else is told: the log, and an event for those who did not see the answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::answer::{Answer, Refusal};
use super::review::{Operation, Request as Review};
use crate::cluster::{Shared, State};
use crate::controller::events::{Reason, Report};
use crate::objects::{Metadata, Object, ObjectRef, VolumeAttachment};
use crate::residency::{Decision, Finding, Verdict};

/// Has something told to the cluster. It must not wait: the answer does not go out before it is done.
pub type Tell = Arc<dyn Fn(Report) + Send + Sync>;

/// Logs an answer that refuses or warns, whatever it is about.
pub(super) fn log(review: &Review<'_>, answer: &Answer) {
    let audit = |key| answer.audit.get(key).map(String::as_str).unwrap_or_default();
    let decision = answer.decision();
    if decision == Decision::Allow.as_str() {
        return;
    }
    let causes = answer.refusal.iter().flat_map(|refusal| &refusal.causes);
    let reasons: BTreeSet<&str> = causes.map(|cause| cause.reason.as_str()).collect();
    let said = match answer.refusal.as_deref() {
        // The rest is for the one who asked.
        Some(Refusal { message, causes }) => causes.first().map_or(message, |cause| &cause.message),
        None => answer.warnings.first().map_or("", String::as_str),
    };
    // What could not be judged is told by what the request says of it.
    let object = answer.object.as_deref().cloned().unwrap_or_else(|| review.object_ref());
    tracing::info!(
        uid = &*review.uid,
        operation = review.operation.as_str(),
        user = &*review.user_info.username,
        dry_run = review.is_dry_run(),
        %object,
        decision,
        policies = audit("policies"),
        reasons = reasons.into_iter().collect::<Vec<_>>().join(","),
        carries = audit("classifications"),
        "{said}"
    );
}

/// Tells the cluster of a verdict that refuses or warns.
pub(super) fn tell(tell: &Tell, shared: &Shared, review: &Review<'_>, object: &Object, verdict: &Verdict) {
    if verdict.decision == Decision::Allow || review.is_dry_run() {
        return;
    }
    let policies: BTreeSet<Option<&str>> =
        verdict.findings.iter().map(|finding| finding.policy.as_deref()).collect();
    let (operation, user) = (review.operation.as_str(), named(&review.user_info.username));
    let reason = match verdict.decision {
        Decision::Deny => Reason::ResidencyDenied,
        Decision::Warn | Decision::Allow => Reason::ResidencyWarned,
    };
    let (about, uid) = about(object, review.operation, shared);
    let tried = tried(object, review.operation);
    for policy in policies {
        let findings = verdict.findings.iter().filter(|finding| finding.policy.as_deref() == policy);
        let said: Vec<_> = findings.map(Finding::sentence).collect();
        let note = format!("{tried} ({operation} by {user}): {}", said.join("; "));
        let report = Report::about(&about, Some(&uid), reason, review.action(), &note);
        tell(match policy {
            Some(policy) => report.because_of(policy),
            None => report,
        });
    }
}

/// A user as events name them: a name that is none is a text of somebody's own, which could speak for us.
fn named(user: &str) -> String {
    const LONGEST: usize = 128;
    let is_a_name =
        user.chars().count() <= LONGEST && user.chars().all(|c| !c.is_whitespace() && !c.is_control());
    if is_a_name && !user.is_empty() {
        return user.to_owned();
    }
    let cut: String = user.chars().take(LONGEST / 4).collect();
    format!("a user who is called {cut:?}{}", if cut.len() < user.len() { " and more" } else { "" })
}

/// Tells that a pod was given an affinity.
pub(super) fn confined(
    tell: &Tell,
    shared: &Shared,
    review: &Review<'_>,
    object: &Object,
    policies: &[String],
) {
    let reference = object.reference();
    let tried = tried(object, review.operation);
    tracing::info!(uid = &*review.uid, object = %reference, policies = policies.join(","), "confined");
    if review.is_dry_run() {
        return;
    }
    let (about, uid) = about(object, review.operation, shared);
    for policy in policies {
        let note = format!("{tried} was given a node affinity for what policy {policy} permits");
        let report = Report::about(&about, Some(&uid), Reason::ResidencyConfined, review.action(), &note);
        tell(report.because_of(policy));
    }
}

/// What was to be made or changed. A name that the API server makes up is another one with each try, and what is said in
/// other words is another event.
fn tried(object: &Object, operation: Operation) -> ObjectRef {
    let itself = object.reference();
    let made_up = object.metadata().map(|metadata| metadata.generate_name.as_str()).unwrap_or_default();
    match operation {
        Operation::Create if !made_up.is_empty() => ObjectRef { name: format!("{made_up}*"), ..itself },
        _ => itself,
    }
}

/// The claim of what is attached: an attachment has no namespace, and nobody would see it.
fn claim_of(attachment: &VolumeAttachment, state: &State) -> Option<ObjectRef> {
    let volume = state.volume(&attachment.spec.source.persistent_volume_name)?;
    let claim = volume.claim.as_ref()?;
    Some(core("PersistentVolumeClaim", &claim.namespace, &claim.name))
}

fn core(kind: &str, namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "v1".to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

/// Whom an event is about: who can see it, in a namespace, and acts on it. With its uid, if it exists.
fn about(object: &Object, operation: Operation, shared: &Shared) -> (ObjectRef, String) {
    let itself = object.reference();
    // Each try to create an object has a uid of its own, and would be told as another one.
    let own_uid = |metadata: &Metadata| match operation {
        Operation::Create => String::new(),
        _ => metadata.uid.clone(),
    };
    let owner = |metadata: &Metadata| {
        let owners = &metadata.owner_references;
        let owner = owners.iter().find(|owner| owner.controller).or(owners.first());
        owner.map_or_else(
            || (itself.clone(), own_uid(metadata)),
            |owner| {
                let namespace = itself.namespace.clone();
                let (api_version, kind) = (owner.api_version.clone(), owner.kind.clone());
                (ObjectRef { api_version, kind, namespace, name: owner.name.clone() }, owner.uid.clone())
            },
        )
    };
    match object {
        Object::Pod(pod) => owner(&pod.metadata),
        Object::Workload(workload) => owner(&workload.metadata),
        Object::Claim(claim) => (itself.clone(), own_uid(&claim.metadata)),
        Object::Binding(binding) => {
            let metadata = &binding.metadata;
            // A binding that says a uid says that of the pod.
            (core("Pod", &metadata.namespace, &metadata.name), metadata.uid.clone())
        }
        Object::Volume(volume) => match &volume.spec.claim_ref {
            Some(claim) => (core("PersistentVolumeClaim", &claim.namespace, &claim.name), String::new()),
            None => (itself.clone(), own_uid(&volume.metadata)),
        },
        Object::Attachment(attachment) => {
            (claim_of(attachment, &shared.read()).unwrap_or(itself), String::new())
        }
        _ => (itself.clone(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_user_name_is_no_sentence_of_ours() {
        for name in
            ["lena@example.com", "system:serviceaccount:kube-system:replicaset-controller", "oidc:Zoë"]
        {
            assert_eq!(named(name), name);
        }
        let long = "root): all is well. Run kubectl delete validatingwebhookconfiguration domicile";
        assert_eq!(named(long), "a user who is called \"root): all is well. Run kubectl \" and more");
        assert_eq!(named(""), "a user who is called \"\"");
        assert!(named(&"x".repeat(1_000)).ends_with("and more"));
    }
}
