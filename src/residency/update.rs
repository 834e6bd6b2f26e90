//! Changes: what of them is judged at all, and what they would take away (semantics 2 and 7).

use std::collections::BTreeSet;

use super::claims::{carried_by_claim, volume_scope};
use super::classification::{Carried, Origin, Walk};
use super::judge::{Court, Request};
use super::scope::{Ruling, Scope, rulings};
use super::verdict::{Authorization, Finding, Reason, Verb, Verdict};
use super::{pods, relocation, workloads};
use crate::api::{Action, keys};
use crate::cluster::{ClaimEntry, Own, PodEntry, Pools, Settings, SnapshotEntry, State, VolumeEntry};
use crate::objects::{Metadata, Object, StorageClass};
use crate::placement::selector::LabelsRef;

/// Whether a change touches anything that judgement reads. Finalizers, status and scaling do not.
pub(super) fn matters(old: &Object, new: &Object, settings: &Settings) -> bool {
    let read = |metadata: &Metadata| {
        let also =
            [keys::JURISDICTION, keys::PROVIDER_JURISDICTION, keys::SELECTED_NODE, keys::DEFAULT_CLASS];
        let annotations = also.map(|key| metadata.annotations.get(key).cloned());
        (metadata.labels.clone(), annotations, Own::of(metadata, settings))
    };
    match (old, new) {
        (Object::Pod(old), Object::Pod(new)) => {
            read(&old.metadata) != read(&new.metadata) || old.spec != new.spec
        }
        (Object::Workload(old), Object::Workload(new)) => {
            let all = |workload: &crate::objects::Workload| {
                let own = Own::of(&workload.metadata, settings);
                let jobs = workload.job_metadata.as_ref().map(|metadata| Own::of(metadata, settings));
                (own, jobs, read(&workload.template.metadata))
            };
            all(old) != all(new)
                || old.template.spec != new.template.spec
                || old.claim_templates != new.claim_templates
        }
        (Object::Claim(old), Object::Claim(new)) => {
            read(&old.metadata) != read(&new.metadata) || old.spec != new.spec
        }
        (Object::Volume(old), Object::Volume(new)) => {
            read(&old.metadata) != read(&new.metadata) || old.spec != new.spec
        }
        (Object::Attachment(old), Object::Attachment(new)) => old.spec != new.spec,
        (Object::Snapshot(old), Object::Snapshot(new)) => {
            read(&old.metadata) != read(&new.metadata) || old.spec != new.spec
        }
        (Object::SnapshotContent(old), Object::SnapshotContent(new)) => {
            read(&old.metadata) != read(&new.metadata) || old.spec != new.spec
        }
        (Object::StorageClass(old), Object::StorageClass(new)) => {
            let rest = |class: &StorageClass| StorageClass { metadata: Metadata::default(), ..class.clone() };
            read(&old.metadata) != read(&new.metadata) || rest(old) != rest(new)
        }
        (Object::Namespace(old), Object::Namespace(new)) => read(&old.metadata) != read(&new.metadata),
        (Object::Node(old), Object::Node(new)) => {
            old.metadata.labels != new.metadata.labels
                || old.spec.provider_id != new.spec.provider_id
                || old.spec.taints != new.spec.taints
        }
        // A change of kind is no change that the API server makes; better judged than not.
        _ => true,
    }
}

/// What the old object had that the new one would not have.
pub(super) fn compare(court: Court<'_>, old: &Object, request: &Request<'_>, verdict: &mut Verdict) {
    match (old, request.object) {
        (Object::Node(old), Object::Node(new)) => relocation::changing(court, old, new, request, verdict),
        (Object::Namespace(old), Object::Namespace(new)) => {
            let own = |metadata| {
                let mut walk = Walk::new(court.state);
                walk.add_read(Own::of(metadata, court.state.settings()), Origin::Own);
                walk.finish()
            };
            let (before, after) = (own(&old.metadata), own(&new.metadata));
            let lost: BTreeSet<&str> = before.names().filter(|token| !after.has(token)).collect();
            if holds_anything(court.state, &old.metadata.name) {
                let governing = court.state.policies().governing(lost.iter().copied());
                let concerned = governing
                    .filter(|policy| policy.action == Action::Deny)
                    .map(|policy| policy.name.to_string());
                require(verdict, &lost, concerned.collect());
            }
        }
        (old, new) => {
            let (Some(before), Some(after)) = (Standing::of(court, old), Standing::of(court, new)) else {
                return;
            };
            let lost: BTreeSet<&str> =
                before.carried.names().filter(|token| !after.carried.has(token)).collect();
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
        }
    }
}

fn holds_anything(state: &State, namespace: &str) -> bool {
    state.pods().any(|(there, _, _)| there == namespace)
        || state.claims().any(|(there, _, _)| there == namespace)
        || state.snapshots().any(|(there, _, _)| there == namespace)
        || state.workloads().any(|workload| workload.metadata.namespace == namespace)
}

fn require(verdict: &mut Verdict, lost: &BTreeSet<&str>, policies: BTreeSet<String>) {
    let what = if lost.is_empty() {
        "it would no longer fall under".to_owned()
    } else {
        let tokens: Vec<_> = lost.iter().map(|token| format!("`{token}`")).collect();
        format!("it would no longer carry {}, which concerns", tokens.join(", "))
    };
    verdict.requires.extend(policies.into_iter().map(|policy| Authorization {
        verb: Verb::Declassify,
        finding: Finding {
            policy: Some(policy.clone()),
            action: Action::Deny,
            reason: Reason::Declassification,
            message: format!(
                "{what} policy {policy}: that takes the verb declassify on residencypolicies/{policy}"
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
                let entry = PodEntry::of((**pod).clone(), settings, pools);
                let scope = Scope {
                    namespace: Some(&pod.metadata.namespace),
                    labels: Some(LabelsRef::Kept(&entry.labels)),
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
                let mut walk = Walk::new(state);
                walk.add(&entry.own, Origin::Own);
                standing(walk.finish().into_owned(), Scope { namespace: None, labels: None }, true)
            }
            _ => return None,
        })
    }
}
