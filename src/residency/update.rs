//! Changes: what of them is judged at all, and what they would take away (semantics 2 and 7).

use std::collections::{BTreeMap, BTreeSet};

use super::claims::{carried_by_claim, content_scope, volume_scope};
use super::classification::{Carried, Origin, Walk};
use super::judge::{Court, Request};
use super::scope::{Ruling, Scope, rulings};
use super::verdict::{Authorization, Finding, Reason, Verb, Verdict};
use super::{impact, pods, relocation, workloads};
use crate::api::{Action, keys};
use crate::cluster::{ClaimEntry, Own, OwnSource, Pools, SnapshotEntry, State, VolumeEntry};
use crate::objects::{Metadata, Object, StorageClass, Workload};
use crate::placement::selector::{LabelsRef, Selector};

/// Whether a change touches anything that judgement reads. Finalizers, status, scaling, and labels and annotations that
/// nothing asks for do not.
pub(super) fn matters(old: &Object, new: &Object, state: &State) -> bool {
    let own = |metadata: &Metadata| Own::of(metadata, state.settings());
    let objects = |key: &str| state.policies().reads_of_objects(key);
    let namespaces = |key: &str| {
        let required = state.settings().required.iter().flat_map(Selector::keys).any(|one| one == key);
        required || state.policies().reads_of_namespaces(key)
    };
    let no_label = |_: &str| false;
    let places = |key: &str| [keys::REGION, keys::ZONE, keys::BETA_REGION, keys::BETA_ZONE].contains(&key);
    let differ_beside =
        |old: &Metadata, new: &Metadata, labels: &dyn Fn(&str) -> bool, annotations: &[&str]| {
            differing(&old.labels, &new.labels).any(labels)
                || annotations.iter().any(|key| old.annotations.get(*key) != new.annotations.get(*key))
        };
    let differ = |old: &Metadata, new: &Metadata, labels: &dyn Fn(&str) -> bool, annotations: &[&str]| {
        own(old) != own(new) || differ_beside(old, new, labels, annotations)
    };
    // Other than more being written down on it.
    let differ_beside_record =
        |old: &Metadata, new: &Metadata, labels: &dyn Fn(&str) -> bool, annotations: &[&str]| {
            let (before, after) = (own(old), own(new));
            let says_other = before != after && !is_only_written_down(&before, &after);
            says_other || differ_beside(old, new, labels, annotations)
        };
    let declared = [keys::JURISDICTION, keys::PROVIDER_JURISDICTION];
    match (old, new) {
        (Object::Pod(old), Object::Pod(new)) => {
            differ(&old.metadata, &new.metadata, &objects, &[]) || old.spec != new.spec
        }
        (Object::Workload(old), Object::Workload(new)) => {
            let jobs = |workload: &Workload| workload.job_metadata.as_ref().map(own);
            differ(&old.metadata, &new.metadata, &no_label, &[])
                || jobs(old) != jobs(new)
                || differ(&old.template.metadata, &new.template.metadata, &objects, &[])
                || old.template.spec != new.template.spec
                || old.claim_templates != new.claim_templates
        }
        (Object::Claim(old), Object::Claim(new)) => {
            let read = [keys::SELECTED_NODE, keys::BETA_CLASS];
            differ_beside_record(&old.metadata, &new.metadata, &objects, &read) || old.spec != new.spec
        }
        (Object::Volume(old), Object::Volume(new)) => {
            let read = [declared[0], declared[1], keys::BETA_CLASS];
            differ_beside_record(&old.metadata, &new.metadata, &places, &read) || old.spec != new.spec
        }
        (Object::Attachment(old), Object::Attachment(new)) => old.spec != new.spec,
        (Object::Snapshot(old), Object::Snapshot(new)) => {
            differ_beside_record(&old.metadata, &new.metadata, &objects, &[]) || old.spec != new.spec
        }
        (Object::SnapshotContent(old), Object::SnapshotContent(new)) => {
            differ_beside_record(&old.metadata, &new.metadata, &no_label, &declared) || old.spec != new.spec
        }
        (Object::StorageClass(old), Object::StorageClass(new)) => {
            let read = [
                keys::JURISDICTION,
                keys::PROVIDER_JURISDICTION,
                keys::DEFAULT_CLASS,
                keys::BETA_DEFAULT_CLASS,
            ];
            let rest = |class: &StorageClass| StorageClass { metadata: Metadata::default(), ..class.clone() };
            differ(&old.metadata, &new.metadata, &no_label, &read) || rest(old) != rest(new)
        }
        (Object::Namespace(old), Object::Namespace(new)) => {
            differ(&old.metadata, &new.metadata, &namespaces, &[])
        }
        (Object::Node(old), Object::Node(new)) => relocation::matters(state, old, new),
        // A change of kind is no change that the API server makes; better judged than not.
        _ => true,
    }
}

/// Whether more is written down on an object, and nothing else happens to what it says. That tells what its data has been all
/// along, and must not fail for what that breaks: those that it has it from may be gone by now, and nobody else would say it.
fn is_only_written_down(before: &[Own], after: &[Own]) -> bool {
    let is_written_down = |own: &Own| own.source == OwnSource::Record && own.is_valid();
    before.iter().all(|own| after.contains(own))
        && after.iter().all(|own| before.contains(own) || is_written_down(own))
}

/// The keys that have another value, or are there only before or only after.
fn differing<'a>(
    old: &'a BTreeMap<String, String>,
    new: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = &'a str> {
    let all: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    all.into_iter().filter(|key| old.get(*key) != new.get(*key)).map(String::as_str)
}

/// A change that is not judged. Whoever rolls out a workload that breaks a policy already is told, since its new pods are
/// refused where nobody looks.
pub(super) fn left_alone(court: Court<'_>, object: &Object) -> Verdict {
    let mut verdict = Verdict::allow(object.reference());
    if let Object::Workload(workload) = object {
        let judged = workloads::without_fix(court, workload, object.reference());
        if let Some(finding) = judged.findings.iter().find(|finding| finding.action == Action::Deny) {
            verdict.warnings.push(format!(
                "it breaks a policy as it did before, and pods that it makes from now on are refused: {}",
                finding.sentence()
            ));
        }
    }
    verdict
}

/// What the old object had that the new one would not have.
pub(super) fn compare(court: Court<'_>, old: &Object, request: &Request<'_>, verdict: &mut Verdict) {
    match (old, request.object) {
        (Object::Node(old), Object::Node(new)) => relocation::changing(court, old, new, request, verdict),
        (Object::Namespace(old), Object::Namespace(new)) => impact::of_namespace(court, old, new, verdict),
        (old, new) => {
            let (Some(before), Some(after)) = (Standing::of(court, old), Standing::of(court, new)) else {
                return;
            };
            // A record speaks for what may be gone tomorrow, also where something says the same today.
            let unrecorded = unrecorded(court, old, new);
            let is_lost = |token: &&str| !after.carried.has(token) || unrecorded.contains(*token);
            let lost: BTreeSet<&str> = before.carried.names().filter(is_lost).collect();
            let deny = |ruling: &&Ruling<'_>| ruling.policy.action == Action::Deny;
            let still: BTreeSet<&str> =
                after.rulings.iter().filter(deny).map(|ruling| &*ruling.policy.name).collect();
            let governs_lost = |ruling: &Ruling<'_>| {
                before.in_use && ruling.policy.classifications.iter().any(|token| lost.contains(&**token))
            };
            let concerned = before.rulings.iter().filter(deny);
            let concerned =
                concerned.filter(|ruling| !still.contains(&*ruling.policy.name) || governs_lost(ruling));
            require(verdict, &lost, concerned.map(|ruling| ruling.policy.name.to_string()).collect());
            if let Object::Claim(claim) = new
                && after.carried.names().any(|token| !before.carried.has(token))
            {
                impact::of_claim(court, old, claim, verdict);
            }
        }
    }
}

/// What an object that holds data has written down of what it carries, and would not say itself any more. Before somebody
/// writes it down again, what else says it could be gone.
fn unrecorded(court: Court<'_>, old: &Object, new: &Object) -> BTreeSet<String> {
    let own = |object: &Object| {
        let holds_data = matches!(
            object,
            Object::Claim(_) | Object::Volume(_) | Object::Snapshot(_) | Object::SnapshotContent(_)
        );
        let metadata = object.metadata().filter(|_| holds_data);
        metadata.map(|metadata| Own::of(metadata, court.state.settings())).unwrap_or_default()
    };
    let (before, after) = (own(old), own(new));
    let is_said = |token: &str| after.iter().any(|own| *own.token == *token);
    let records = before.iter().filter(|own| own.source == OwnSource::Record && !is_said(&own.token));
    records.map(|own| own.token.to_string()).collect()
}

/// Asks for the verb on each policy that would lose its hold.
pub(super) fn require(verdict: &mut Verdict, lost: &BTreeSet<&str>, policies: BTreeSet<String>) {
    let what = if lost.is_empty() {
        "the policy would no longer select it".to_owned()
    } else {
        let tokens: Vec<_> = lost.iter().map(|token| format!("`{token}`")).collect();
        format!("it would no longer carry {}", tokens.join(", "))
    };
    verdict.requires.extend(policies.into_iter().map(|policy| Authorization {
        verb: Verb::Declassify,
        finding: Finding {
            policy: Some(policy.clone()),
            action: Action::Deny,
            reason: Reason::Declassification,
            message: format!(
                "{what}: that takes the verb declassify on residencypolicies/{policy}, which the user does not hold"
            ),
            field: Some("metadata".into()),
            example: None,
            matching: None,
        },
        policy,
    }));
}

/// What an object carries and falls under.
struct Standing<'a> {
    carried: Carried<'a>,
    rulings: Vec<Ruling<'a>>,
    /// Whether data hangs on it already.
    in_use: bool,
}

impl Standing<'_> {
    /// `None`: a kind that carries nothing. Entries are read anew, so the standing borrows from the state alone.
    fn of<'a>(court: Court<'a>, object: &'a Object) -> Option<Standing<'a>> {
        let (state, settings) = (court.state, court.state.settings());
        let pools = &mut Pools::default();
        let standing = |carried: Carried<'a>, scope: Scope<'_>, in_use: bool| {
            let rulings = rulings(state, &carried, scope, court.now);
            Standing { carried, rulings, in_use }
        };
        Some(match object {
            Object::Pod(pod) => {
                let scope = Scope {
                    namespace: Some(&pod.metadata.namespace),
                    labels: Some(LabelsRef::Map(&pod.metadata.labels)),
                };
                standing(pods::carried(state, pod), scope, true)
            }
            Object::Workload(workload) => {
                let case = workloads::case(state, workload, "spec");
                let scope = Scope { namespace: Some(case.namespace), labels: Some(case.labels) };
                standing(case.carried, scope, false)
            }
            Object::Claim(claim) => {
                let entry = ClaimEntry::of(&claim.metadata, &claim.spec, settings, pools);
                let (namespace, name) = (claim.metadata.namespace.as_str(), claim.metadata.name.as_str());
                let scope =
                    Scope { namespace: Some(namespace), labels: Some(LabelsRef::Kept(&entry.labels)) };
                let carried = carried_by_claim(state, namespace, name, &entry).into_owned();
                standing(carried, scope, entry.volume.is_some())
            }
            Object::Volume(volume) => {
                let entry = VolumeEntry::of(volume, settings, pools);
                let (carried, scope) = volume_scope(state, &volume.metadata.name, &entry, true);
                let bound = entry.claim.is_some();
                let scope = kept_for(scope, entry.claim.as_ref().map(|claim| &*claim.namespace));
                let rulings = rulings(state, &carried, scope, court.now);
                Standing { carried: carried.into_owned(), rulings, in_use: bound }
            }
            Object::Snapshot(snapshot) => {
                let entry = SnapshotEntry::of(snapshot, settings, pools);
                let namespace = snapshot.metadata.namespace.as_str();
                let mut walk = Walk::new(state);
                walk.add(&entry.own, Origin::Own);
                walk.snapshot_edges(namespace, &entry);
                let scope =
                    Scope { namespace: Some(namespace), labels: Some(LabelsRef::Kept(&entry.labels)) };
                standing(walk.finish().into_owned(), scope, true)
            }
            Object::SnapshotContent(content) => {
                let entry = SnapshotEntry::of_content(content, settings, pools);
                let (carried, scope) = content_scope(state, &entry);
                let scope = kept_for(scope, entry.snapshot.as_deref().map(|of| of.namespace.as_str()));
                let rulings = rulings(state, &carried, scope, court.now);
                Standing { carried: carried.into_owned(), rulings, in_use: true }
            }
            _ => return None,
        })
    }
}

/// What is kept for something in a namespace comes under what selects that namespace when it is there, and nobody is asked then.
fn kept_for<'a>(scope: Scope<'a>, namespace: Option<&'a str>) -> Scope<'a> {
    Scope { namespace: scope.namespace.or(namespace), ..scope }
}
