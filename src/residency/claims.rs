//! Claims, volumes, attachments, snapshots, storage classes and namespaces.

use super::classification::{Carried, Origin, Walk};
use super::judge::Court;
use super::nodes::{Aim, NodeReach, Words};
use super::scope::{Ruling, Scope, all_rulings, rulings};
use super::verdict::{Decision, Verdict};
use super::whereabouts::{Finder, Whereabouts};
use super::{fix, mounts, pods, tokens, volumes};
use crate::api::{Action, keys};
use crate::cluster::{
    AttachmentEntry, ClaimEntry, ClaimName, Kind, Own, Pools, SnapshotEntry, State, VolumeEntry,
};
use crate::objects::{
    Claim, ClaimReference, Namespace, ObjectRef, PersistentVolume, Snapshot, SnapshotContent, StorageClass,
    VolumeAttachment,
};
use crate::placement::selector::LabelsRef;

/// The misplaced claims that a warning names at most.
const NAMED_CLAIMS: usize = 5;

/// A claim of a manifest or a request. `opens`: pods that wait for it get at its data.
pub(super) fn claim(court: Court<'_>, claim: &Claim, opens: bool, reference: ObjectRef) -> Verdict {
    let entry = ClaimEntry::of(&claim.metadata, &claim.spec, court.state.settings(), &mut Pools::default());
    let (namespace, name) = (claim.metadata.namespace.as_str(), claim.metadata.name.as_str());
    let mut verdict = claim_entry(court, Finder::new(court.state), namespace, name, &entry, reference);
    if opens {
        let field = if entry.volume.is_some() { "spec.volumeName" } else { "metadata.name" };
        settled_pods(court, (namespace, name), &entry, &[], field, &mut verdict);
    }
    let field = if claim.metadata.annotations.contains_key(keys::BETA_CLASS) {
        format!("metadata.annotations[{}]", keys::BETA_CLASS)
    } else {
        fix::CLASS_FIELD.to_owned()
    };
    if opens && entry.volume.is_none() {
        // The class of one that is there cannot be changed.
        verdict.fix = fix::of_claim(court, namespace, name, &entry, &field, &verdict);
    }
    for blamed in verdict.findings.iter_mut().filter_map(|finding| finding.field.as_mut()) {
        if blamed == fix::CLASS_FIELD {
            blamed.clone_from(&field);
        }
    }
    verdict
}

/// What a claim carries.
pub(super) fn carried_by_claim<'a>(
    state: &'a State,
    namespace: &'a str,
    name: &'a str,
    entry: &'a ClaimEntry,
) -> Carried<'a> {
    let mut walk = Walk::new(state);
    walk.add(&entry.own, Origin::Own);
    walk.claim_edges(namespace, name, entry);
    walk.finish()
}

/// A claim as the state keeps it.
pub(super) fn claim_entry(
    court: Court<'_>,
    finder: Finder<'_>,
    namespace: &str,
    name: &str,
    entry: &ClaimEntry,
    reference: ObjectRef,
) -> Verdict {
    let state = court.state;
    let carried = carried_by_claim(state, namespace, name, entry);
    let mut verdict = Verdict::allow(reference);
    tokens::judge(court, &mut verdict, &carried, "metadata");
    tokens::require(court, &mut verdict, &carried, namespace, "metadata");
    if let Some(source) =
        entry.source.as_deref().filter(|source| source.kind == Kind::VolumeSnapshot.as_str())
        && state.is_absent(Kind::VolumeSnapshot)
    {
        let (kind, name) = (&source.kind, &source.name);
        verdict.warnings.push(format!(
            "{kind} {name} is not among the given objects, so what the claim inherits from it is not known"
        ));
    }
    let scope = Scope { namespace: Some(namespace), labels: Some(LabelsRef::Kept(&entry.labels)) };
    let rulings = rulings(state, &carried, scope, court.now);
    let keeping: Vec<_> = rulings.into_iter().filter(|ruling| ruling.policy.storage).collect();
    verdict.selected_by(&keeping);
    if keeping.is_empty() {
        return verdict;
    }
    let whereabouts = finder.claim(namespace, Some(name), entry);
    let field = if entry.volume.is_some() { "spec.volumeName" } else { fix::CLASS_FIELD };
    let what = format!("claim {}", verdict.object.name);
    by_place(state, &mut verdict, &keeping, &whereabouts, &what, field);
    if verdict.decision != Decision::Deny {
        warn_of_free(&mut verdict, &finder, &keeping, (namespace, name), entry);
    }
    // Once there is a volume, its own place counts.
    if let Some(node) = entry.selected_node.as_deref().filter(|_| entry.volume.is_none()) {
        let field = "metadata.annotations[volume.kubernetes.io/selected-node]";
        by_node(
            state,
            &mut verdict,
            &keeping,
            node,
            Words { who: "the volume of the claim", there: "would be made at", advice: "", field },
        );
    }
    verdict
}

/// Kubernetes binds a claim to a free volume of its class rather than have one made. That is judged when it does, and
/// would leave the claim without a volume.
fn warn_of_free(
    verdict: &mut Verdict,
    finder: &Finder<'_>,
    rulings: &[Ruling<'_>],
    (namespace, name): (&str, &str),
    entry: &ClaimEntry,
) {
    for (free, volume) in finder.instead_of_made(namespace, name, entry) {
        let (whereabouts, what) = (finder.volume(volume), format!("volume {free}"));
        let judged = rulings
            .iter()
            .filter_map(|ruling| {
                volumes::judge(finder.state, ruling, &whereabouts, &what, "spec.volumeName").1
            })
            .filter(|finding| finding.action == Action::Deny);
        // Every replica names the same policy.
        let judged = judged.min_by(|one, other| one.policy.cmp(&other.policy));
        if let Some(finding) = judged {
            verdict.warnings.push(format!(
                "Kubernetes would rather bind it to the free PersistentVolume {free} of its class, if that is large enough, than \
                 have one made, and that is refused: {}",
                finding.sentence()
            ));
            return;
        }
    }
}

fn by_place(
    state: &State,
    verdict: &mut Verdict,
    rulings: &[Ruling<'_>],
    whereabouts: &Whereabouts<'_>,
    what: &str,
    field: &str,
) {
    for ruling in rulings {
        let (reach, finding) = volumes::judge(state, ruling, whereabouts, what, field);
        verdict.reaches(reach);
        verdict.find(finding);
    }
    if let Whereabouts::NotGiven { what: missing } = whereabouts {
        verdict
            .warnings
            .push(format!("{missing} is not among the given objects, so where {what} is was not judged"));
    }
}

fn by_node(state: &State, verdict: &mut Verdict, rulings: &[Ruling<'_>], node: &str, words: Words<'_>) {
    let nodes = NodeReach::new(state, &Aim::Node(node), rulings);
    for ruling in rulings {
        let (reach, finding) = nodes.judge(ruling, words);
        verdict.reaches(reach);
        verdict.find(finding);
    }
}

/// Pods that name a claim may sit already where its data may not be worked on. `own`: what its volume says that it carries.
fn settled_pods(
    court: Court<'_>,
    (namespace, name): (&str, &str),
    entry: &ClaimEntry,
    own: &[Own],
    field: &str,
    verdict: &mut Verdict,
) {
    let state = court.state;
    let waits = mounts::waits_for_consumer(&Finder::new(state), namespace, name, entry);
    for (pod, there) in state.mounting(namespace, name).filter(|(_, pod)| !pod.finished) {
        let Some(node) = there.node.as_deref() else { continue };
        // What the pod carries once the claim is there.
        let mut walk = Walk::new(state);
        walk.add(&entry.own, Origin::Own);
        walk.add(own, Origin::Own);
        walk.claim_edges(namespace, name, entry);
        walk.add(&there.own, Origin::Own);
        walk.mounts(namespace, pod, &there.volumes);
        let scope = Scope { namespace: Some(namespace), labels: Some(there.labels(pod)) };
        let keeps = waits || pods::keeps_on_node(state, namespace, pod, there);
        let working: Vec<_> = rulings(state, &walk.finish(), scope, court.now)
            .into_iter()
            .filter(|one| one.policy.processing || one.policy.storage && keeps)
            .collect();
        let who = format!("pod {pod}, which mounts the claim,");
        let words = Words { who: &who, there: "runs on", advice: "", field };
        by_node(state, verdict, &working, node, words);
    }
}

/// What selectors read of the claim that a volume belongs to.
fn scope_of_claim<'a>(state: &'a State, claim: Option<&'a ClaimName>) -> Scope<'a> {
    let known = claim.and_then(|claim| Some((claim, state.claim(&claim.namespace, &claim.name)?)));
    Scope {
        namespace: known.map(|(claim, _)| &*claim.namespace),
        labels: known.map(|(_, entry)| LabelsRef::Kept(&entry.labels)),
    }
}

/// A volume of a manifest or a request. `is_given`: it has its claim from now on.
pub(super) fn volume(
    court: Court<'_>,
    volume: &PersistentVolume,
    is_given: bool,
    reference: ObjectRef,
) -> Verdict {
    let entry = VolumeEntry::of(volume, court.state.settings(), &mut Pools::default());
    let mut verdict = volume_entry(court, &volume.metadata.name, &entry, reference);
    if let Some(ClaimName { namespace, name }) = entry.claim.as_ref().filter(|_| is_given)
        && let Some(claim) = court.state.claim(namespace, name)
    {
        let bound = ClaimEntry { volume: Some(volume.metadata.name.as_str().into()), ..claim.clone() };
        settled_pods(court, (namespace, name), &bound, &entry.own, "spec.claimRef", &mut verdict);
    }
    verdict
}

/// What a volume carries, and what selectors read of it.
pub(super) fn volume_scope<'a>(
    state: &'a State,
    name: &'a str,
    entry: &'a VolumeEntry,
    own: bool,
) -> (Carried<'a>, Scope<'a>) {
    let mut walk = Walk::new(state);
    walk.add(
        &entry.own,
        |source| {
            if own { Origin::Own(source) } else { Origin::Object("volume", "", name.into()) }
        },
    );
    walk.volume_edges(name, entry);
    (walk.finish(), scope_of_claim(state, entry.claim.as_ref()))
}

/// A volume as the state keeps it.
pub(super) fn volume_entry(
    court: Court<'_>,
    name: &str,
    entry: &VolumeEntry,
    reference: ObjectRef,
) -> Verdict {
    let (carried, scope) = volume_scope(court.state, name, entry, true);
    let mut verdict = Verdict::allow(reference);
    tokens::judge(court, &mut verdict, &carried, "metadata");
    let rulings = rulings(court.state, &carried, scope, court.now);
    let keeping: Vec<_> = rulings.into_iter().filter(|ruling| ruling.policy.storage).collect();
    verdict.selected_by(&keeping);
    if !keeping.is_empty() {
        let whereabouts = Finder::new(court.state).volume(entry);
        by_place(
            court.state,
            &mut verdict,
            &keeping,
            &whereabouts,
            &format!("volume {name}"),
            "spec.nodeAffinity",
        );
    }
    verdict
}

/// An attachment of a manifest or a request.
pub(super) fn attachment(court: Court<'_>, attachment: &VolumeAttachment, reference: ObjectRef) -> Verdict {
    attachment_entry(court, &AttachmentEntry::of(attachment, &mut Pools::default()), reference)
}

/// An attachment as the state keeps it.
pub(super) fn attachment_entry(court: Court<'_>, entry: &AttachmentEntry, reference: ObjectRef) -> Verdict {
    let mut verdict = Verdict::allow(reference);
    let Some(name) = entry.volume.as_deref() else { return verdict };
    let (who, rulings) = match court.state.volume(name) {
        Some(volume) => {
            let (carried, scope) = volume_scope(court.state, name, volume, false);
            tokens::judge(court, &mut verdict, &carried, "metadata");
            (format!("volume {name}"), rulings(court.state, &carried, scope, court.now))
        }
        None if court.state.is_absent(Kind::PersistentVolume) => return verdict,
        None => {
            let who = format!("volume {name}, which is not there yet and could hold anything,");
            (who, all_rulings(court.state, court.now))
        }
    };
    let working: Vec<_> = rulings.into_iter().filter(|ruling| ruling.policy.processing).collect();
    verdict.selected_by(&working);
    if !working.is_empty() {
        by_node(
            court.state,
            &mut verdict,
            &working,
            &entry.node,
            Words { who: &who, there: "would be attached to", advice: "", field: "spec.nodeName" },
        );
    }
    verdict
}

/// A snapshot of a manifest or a request.
pub(super) fn snapshot(court: Court<'_>, snapshot: &Snapshot, reference: ObjectRef) -> Verdict {
    let entry = SnapshotEntry::of(snapshot, court.state.settings(), &mut Pools::default());
    snapshot_entry(court, &snapshot.metadata.namespace, &entry, reference)
}

/// A snapshot as the state keeps it.
pub(super) fn snapshot_entry(
    court: Court<'_>,
    namespace: &str,
    entry: &SnapshotEntry,
    reference: ObjectRef,
) -> Verdict {
    let (carried, scope) = snapshot_scope(court.state, namespace, entry);
    kept_snapshot(court, &carried, scope, namespace, entry, reference)
}

/// What a snapshot carries, and what selectors read of it.
pub(super) fn snapshot_scope<'a>(
    state: &'a State,
    namespace: &'a str,
    entry: &'a SnapshotEntry,
) -> (Carried<'a>, Scope<'a>) {
    let mut walk = Walk::new(state);
    walk.add(&entry.own, Origin::Own);
    walk.snapshot_edges(namespace, entry);
    let scope = Scope { namespace: Some(namespace), labels: Some(LabelsRef::Kept(&entry.labels)) };
    (walk.finish(), scope)
}

/// Content of a snapshot, of a manifest or a request.
pub(super) fn content(court: Court<'_>, content: &SnapshotContent, reference: ObjectRef) -> Verdict {
    let entry = SnapshotEntry::of_content(content, court.state.settings(), &mut Pools::default());
    content_entry(court, &entry, reference)
}

/// Content of a snapshot as the state keeps it: it falls under what its snapshot falls under.
pub(super) fn content_entry(court: Court<'_>, entry: &SnapshotEntry, reference: ObjectRef) -> Verdict {
    let (carried, scope) = content_scope(court.state, entry);
    let (namespace, whole) = whole_content(court.state, entry);
    kept_snapshot(court, &carried, scope, namespace, &whole, reference)
}

/// Content with the claim that its snapshot is of, and the namespace of both.
pub(super) fn whole_content<'a>(state: &State, entry: &'a SnapshotEntry) -> (&'a str, SnapshotEntry) {
    let mut whole = entry.clone();
    whole.claim = snapshot_of(state, entry).and_then(|(_, snapshot)| snapshot.claim.clone());
    (entry.snapshot.as_deref().map_or("", |of| of.namespace.as_str()), whole)
}

/// The snapshot that content belongs to, and where it is said so.
fn snapshot_of<'a>(
    state: &'a State,
    entry: &'a SnapshotEntry,
) -> Option<(&'a ClaimReference, &'a SnapshotEntry)> {
    let of = entry.snapshot.as_deref()?;
    Some((of, state.snapshot(&of.namespace, &of.name)?))
}

/// What content of a snapshot carries, and what selectors read of it.
pub(super) fn content_scope<'a>(state: &'a State, entry: &'a SnapshotEntry) -> (Carried<'a>, Scope<'a>) {
    let snapshot = snapshot_of(state, entry);
    let mut walk = Walk::new(state);
    walk.add(&entry.own, Origin::Own);
    if let Some(of) = entry.snapshot.as_deref() {
        walk.namespace(&of.namespace);
        walk.snapshot(&of.namespace, &of.name);
    }
    let scope = Scope {
        namespace: snapshot.map(|(of, _)| of.namespace.as_str()),
        labels: snapshot.map(|(_, snapshot)| LabelsRef::Kept(&snapshot.labels)),
    };
    (walk.finish(), scope)
}

fn kept_snapshot(
    court: Court<'_>,
    carried: &Carried<'_>,
    scope: Scope<'_>,
    namespace: &str,
    entry: &SnapshotEntry,
    reference: ObjectRef,
) -> Verdict {
    let mut verdict = Verdict::allow(reference);
    tokens::judge(court, &mut verdict, carried, "metadata");
    let rulings = rulings(court.state, carried, scope, court.now);
    let keeping: Vec<_> = rulings.into_iter().filter(|ruling| ruling.policy.storage).collect();
    verdict.selected_by(&keeping);
    if !keeping.is_empty() {
        let whereabouts = Finder::new(court.state).snapshot(namespace, entry);
        by_place(
            court.state,
            &mut verdict,
            &keeping,
            &whereabouts,
            "the snapshot",
            "spec.volumeSnapshotClassName",
        );
    }
    verdict
}

/// A storage class: nothing is denied; what it would misplace is named.
pub(super) fn class(court: Court<'_>, class: &StorageClass, reference: ObjectRef) -> Verdict {
    let state = court.state;
    let (now, then) = (Finder::new(state), Finder { state, class: Some(class) });
    let mut misplaced: Vec<String> = state
        .claims()
        .filter(|(_, _, entry)| entry.volume.is_none())
        .filter(|(_, _, entry)| then.class_of(entry).is_some_and(|(name, _)| name == class.metadata.name))
        .filter(|(namespace, name, entry)| {
            let denied = |finder| {
                claim_entry(court, finder, namespace, name, entry, reference.clone()).decision
                    == Decision::Deny
            };
            denied(then) && (state.class(&class.metadata.name) == Some(class) || !denied(now))
        })
        .map(|(namespace, name, _)| format!("{namespace}/{name}"))
        .collect();
    misplaced.sort_unstable();
    let mut verdict = Verdict::allow(reference);
    if !misplaced.is_empty() {
        let more = misplaced.len().saturating_sub(NAMED_CLAIMS);
        let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
        misplaced.truncate(NAMED_CLAIMS);
        verdict.warnings.push(format!(
            "volumes of this class would be misplaced for the classified claims {}{rest}",
            misplaced.join(", ")
        ));
    }
    verdict
}

/// A namespace: only what is wrong with its classifications.
pub(super) fn namespace(court: Court<'_>, namespace: &Namespace, reference: ObjectRef) -> Verdict {
    let mut walk = Walk::new(court.state);
    walk.add_read(Own::of(&namespace.metadata, court.state.settings()), Origin::Own);
    let mut verdict = Verdict::allow(reference);
    tokens::judge(court, &mut verdict, &walk.finish(), "metadata");
    verdict
}
