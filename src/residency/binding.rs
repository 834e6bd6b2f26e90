//! Bindings: the node is known, and this is the last word (semantics 5).

use std::collections::{BTreeMap, BTreeSet};

use super::judge::Court;
use super::pods::{finish, stored_case};
use super::scope::{Ruling, Scope, rulings};
use super::verdict::{Finding, Reach, Reason, Verdict};
use super::{tokens, update};
use crate::api::{Action, keys};
use crate::cluster::{PodEntry, State};
use crate::objects::{Binding, ObjectRef};
use crate::placement::selector::LabelsRef;

/// A binding of a manifest or a request.
pub(super) fn binding(court: Court<'_>, binding: &Binding, reference: ObjectRef) -> Verdict {
    let (namespace, name) = (binding.metadata.namespace.as_str(), binding.metadata.name.as_str());
    let mut verdict = Verdict::allow(reference);
    let refuse = |verdict: &mut Verdict, message: String| {
        verdict.find([tokens::finding(Reason::UnknownLocation, "target.name", message)]);
        verdict.reaches(Reach::Violated);
    };
    let Some(entry) = court.state.pod(namespace, name) else {
        let message = format!("pod {namespace}/{name} is not known, so what it carries is not either");
        refuse(&mut verdict, message);
        return verdict;
    };
    let classifying = classifies(court.state, binding);
    let mut case = stored_case(court.state, namespace, name, entry);
    if case.carried.is_empty() {
        verdict.find(classifying);
        return verdict;
    }
    if !matches!(binding.target.kind.as_str(), "" | "Node") {
        refuse(&mut verdict, format!("it binds to a {}, and only a Node has a place", binding.target.kind));
        return verdict;
    }
    case.node = Some(&binding.target.name);
    case.there = "would be bound to";
    case.advice =
        "Require permitted regions in the pod's node affinity, and the scheduler chooses among them";
    verdict = finish(court, &case, verdict);
    verdict.find(classifying);
    let mut freed = BTreeSet::new();
    for labels in &labelled(court.state, entry, binding) {
        let names = |labels| -> BTreeSet<String> {
            let rulings = rulings_of(court, &case.carried, namespace, labels);
            let deny = rulings.iter().filter(|ruling| ruling.policy.action == Action::Deny);
            deny.map(|ruling| ruling.policy.name.to_string()).collect()
        };
        freed.extend(&names(case.labels) - &names(LabelsRef::Map(labels)));
        let mut relabelled = case.clone();
        relabelled.labels = LabelsRef::Map(labels);
        let then = finish(court, &relabelled, Verdict::allow(verdict.object.clone()));
        let new = then.findings.into_iter().filter(|finding| !verdict.findings.contains(finding));
        let new: Vec<_> = new.collect();
        verdict.find(new);
        verdict.reaches(then.reach);
    }
    update::require(&mut verdict, &BTreeSet::new(), freed);
    // A Binding names the node in a field of its own.
    for finding in &mut verdict.findings {
        if finding.field.as_deref() == Some("spec.nodeName") {
            finding.field = Some("target.name".into());
        }
    }
    verdict
}

/// The API server writes a binding's annotations over the pod's, and adds its labels: none of them may classify.
fn classifies(state: &State, binding: &Binding) -> Option<Finding> {
    let known = state.settings().classification_keys.iter().map(String::as_str).chain([keys::RECORDED]);
    let metadata = &binding.metadata;
    known.into_iter().find_map(|key| {
        let place = if metadata.annotations.contains_key(key) {
            "annotations"
        } else if metadata.labels.contains_key(key) {
            "labels"
        } else {
            return None;
        };
        let message = format!(
            "a binding's {place} are written to its pod, and {key} would change what the pod carries: leave it out, and \
             set it on the pod"
        );
        Some(tokens::finding(Reason::Declassification, &format!("metadata.{place}[{key}]"), message))
    })
}

/// The pod's labels as the binding can leave them, beside those that it has: an API server from 1.35 on writes the binding's
/// over them, and an older one adds those that are not there, if it is told to.
fn labelled(state: &State, entry: &PodEntry, binding: &Binding) -> Vec<BTreeMap<String, String>> {
    let here = entry.labels(&binding.metadata.name);
    // To every binding the API server adds labels for region and zone of its node, of which few policies ask.
    let mut written = binding.metadata.labels.clone();
    written.retain(|key, _| state.policies().reads_of_objects(key));
    if written.is_empty() {
        return Vec::new();
    }
    let (mut over, mut beside) = (here.to_map(), written.clone());
    over.extend(written);
    beside.extend(here.to_map());
    if over == beside { vec![over] } else { vec![over, beside] }
}

fn rulings_of<'a>(
    court: Court<'a>,
    carried: &super::classification::Carried<'_>,
    namespace: &str,
    labels: LabelsRef<'_>,
) -> Vec<Ruling<'a>> {
    let scope = Scope { namespace: Some(namespace), labels: Some(labels) };
    rulings(court.state, carried, scope, court.now)
}
