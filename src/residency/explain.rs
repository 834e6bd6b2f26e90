//! The whole chain behind a verdict, for people who want to know why.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::audit::judge_stored;
use super::claims::carried_by_claim;
use super::classification::Carried;
use super::judge::Court;
use super::nodes::NodeReach;
use super::pods::{Case, Hearing, stored_case};
use super::scope::{Ruling, Scope, rulings};
use super::verdict::{Example, Reach, Verdict};
use super::whereabouts::{Finder, Whereabouts};
use super::{claims, workloads};
use crate::api::{Action, Assurance, LegalBasis};
use crate::cluster::{AttachmentEntry, Kind, State};
use crate::objects::{NodeSelectorTerm, PodSpec, Requirement};
use crate::placement::nodes::NodeEntry;
use crate::placement::selector::LabelsRef;

/// The nodes of one place that are named at most.
const NAMED_NODES: usize = 3;

/// The places of a volume that are named at most.
const NAMED_PLACES: usize = 12;

/// Why a verdict is as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The verdict itself.
    pub verdict: Verdict,
    /// What it falls under, and why.
    pub chain: Chain,
}

/// From policies to places.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Chain {
    /// The policies that select it.
    pub policies: Vec<PolicyView>,
    /// Policies that govern something that it carries, and whose selectors leave it out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_selected: Vec<String>,
    /// What the object's own terms reach, one by one. Empty for what has no pods.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<TermView>,
    /// Where a node is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Example>,
    /// Where its volumes are, or it is itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<VolumeView>,
}

/// A policy that selects the object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView {
    /// Its name.
    pub name: String,
    /// What it does.
    pub action: Action,
    /// How sure it wants to be.
    pub assurance: Assurance,
    /// What it permits, in words.
    pub permits: String,
    /// Exceptions that count for the object now, each with its end and reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<String>,
    /// Its law.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub legal_basis: Vec<LegalBasis>,
    /// When what it permits changes next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Timestamp>,
}

/// One OR-ed term of a pod's constraints.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TermView {
    /// The term, with everything that is AND-ed to it.
    pub term: String,
    /// The nodes that now match, by jurisdiction.
    pub nodes: Vec<NodesView>,
    /// How sure each policy can be of it.
    pub reach: BTreeMap<String, Reach>,
}

/// Nodes of one jurisdiction.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodesView {
    /// Where they stand; null if it is not known.
    pub jurisdiction: Option<String>,
    /// How many there are.
    pub count: usize,
    /// Some of them, with their zones.
    pub examples: Vec<String>,
}

/// Where a volume is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeView {
    /// The volume or claim.
    pub volume: String,
    /// Where it is, in words.
    pub place: String,
}

/// Explains one object of the state. `None`: there is no such object, or its kind is not judged.
#[must_use]
pub fn explain(
    state: &State,
    kind: Kind,
    namespace: &str,
    name: &str,
    now: Timestamp,
) -> Option<Explanation> {
    let court = Court { state, now };
    let verdict = judge_stored(state, kind, namespace, name, now)?;
    let chain = match kind {
        Kind::Pod => of_case(court, &stored_case(state, namespace, name, state.pod(namespace, name)?)),
        Kind::Workload(kind) => {
            let workload = state.workload(kind, namespace, name)?;
            let path = format!("{}.spec", kind.template_path());
            of_case(court, &workloads::case(state, workload, &path))
        }
        Kind::PersistentVolumeClaim => {
            let entry = state.claim(namespace, name)?;
            let carried = carried_by_claim(state, namespace, name, entry);
            let scope = Scope { namespace: Some(namespace), labels: Some(LabelsRef::Kept(&entry.labels)) };
            let place = Finder::new(state).claim(namespace, Some(name), entry);
            at_rest(court, &carried, scope, format!("claim {name}"), &place)
        }
        Kind::PersistentVolume => {
            let entry = state.volume(name)?;
            let (carried, scope) = claims::volume_scope(state, name, entry, true);
            let place = Finder::new(state).volume(entry);
            at_rest(court, &carried, scope, format!("volume {name}"), &place)
        }
        Kind::VolumeSnapshot => {
            let entry = state.snapshot(namespace, name)?;
            let (carried, scope) = claims::snapshot_scope(state, namespace, entry);
            let place = Finder::new(state).snapshot(namespace, entry);
            at_rest(court, &carried, scope, format!("snapshot {name}"), &place)
        }
        Kind::VolumeSnapshotContent => {
            let entry = state.content(name)?;
            let (carried, scope) = claims::content_scope(state, entry);
            let (of, whole) = claims::whole_content(state, entry);
            let place = Finder::new(state).snapshot(of, &whole);
            at_rest(court, &carried, scope, format!("snapshot content {name}"), &place)
        }
        Kind::VolumeAttachment => of_attachment(court, state.attachment(name)?),
        Kind::Node => {
            let site = state.nodes().get(name)?.site;
            Chain { location: Some(Example::at(&state.sites().get(site).location)), ..Chain::default() }
        }
        _ => Chain::default(),
    };
    Some(Explanation { verdict, chain })
}

/// What keeps data and runs nothing.
fn at_rest(
    court: Court<'_>,
    carried: &Carried<'_>,
    scope: Scope<'_>,
    volume: String,
    place: &Whereabouts<'_>,
) -> Chain {
    let rulings = rulings(court.state, carried, scope, court.now);
    Chain {
        policies: rulings.iter().map(|ruling| policy_view(ruling, court.now)).collect(),
        volumes: vec![VolumeView { volume, place: place.to_string() }],
        ..Chain::default()
    }
}

/// An attachment brings a volume to a node.
fn of_attachment(court: Court<'_>, entry: &AttachmentEntry) -> Chain {
    let state = court.state;
    let at = |node: &NodeEntry| {
        let location = &state.sites().get(node.site).location;
        Example { node: Some(node.name.to_string()), ..Example::at(location) }
    };
    let location = state.nodes().get(&entry.node).map(at);
    let volume = entry.volume.as_deref().and_then(|name| Some((name, state.volume(name)?)));
    let chain = volume.map(|(name, volume)| {
        let (carried, scope) = claims::volume_scope(state, name, volume, false);
        at_rest(court, &carried, scope, format!("volume {name}"), &Finder::new(state).volume(volume))
    });
    Chain { location, ..chain.unwrap_or_default() }
}

fn policy_view(ruling: &Ruling<'_>, now: Timestamp) -> PolicyView {
    let policy = ruling.policy;
    let exception =
        |one: &&crate::policy::Exception| format!("{}, until {}: {}", one.name, one.until, one.reason);
    PolicyView {
        name: policy.name.to_string(),
        action: policy.action,
        assurance: policy.assurance,
        permits: policy.wording.clone(),
        exceptions: ruling.exceptions.iter().map(exception).collect(),
        legal_basis: policy.legal_basis.clone(),
        changes: policy.next_change(now),
    }
}

fn of_case(court: Court<'_>, case: &Case<'_>) -> Chain {
    let state = court.state;
    let Some(hearing) = Hearing::open(state, court.now, case) else { return Chain::default() };
    let selected = |name: &str| hearing.rulings.iter().any(|ruling| *ruling.policy.name == *name);
    let mut not_selected: Vec<String> = state
        .policies()
        .governing(case.carried.names())
        .filter(|policy| !selected(&policy.name))
        .map(|policy| policy.name.to_string())
        .collect();
    not_selected.sort_unstable();
    let mut policies: Vec<_> = hearing.rulings.iter().map(|ruling| policy_view(ruling, court.now)).collect();
    policies.sort_by(|one, other| one.name.cmp(&other.name));
    let volumes =
        hearing.places().map(|(volume, place)| VolumeView { volume: volume.to_owned(), place }).collect();
    Chain { policies, not_selected, terms: terms(court, case), volumes, location: None }
}

fn terms(court: Court<'_>, case: &Case<'_>) -> Vec<TermView> {
    let selector: Vec<String> =
        case.spec.node_selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let view = |own: Option<String>, spec: &PodSpec| {
        let alone = Case { spec, ..case.clone() };
        let hearing = Hearing::open(court.state, court.now, &alone)?;
        let nodes = by_jurisdiction(court.state, hearing.reach()?);
        let judged = |ruling: &Ruling<'_>| {
            let (reach, _) = hearing.judge_nodes(ruling, case.words(""))?;
            Some((ruling.policy.name.to_string(), reach))
        };
        let reach = hearing.rulings.iter().filter_map(judged).collect();
        let confinement = hearing.confinement();
        let confined = confinement.map(|(_, by)| format!("what policy {} confines it to", by.join(" and ")));
        let parts: Vec<String> = match case.node {
            Some(node) => vec![format!("node {node}")],
            None => own.into_iter().chain(selector.iter().cloned()).chain(confined).collect(),
        };
        let term = if parts.is_empty() { "no constraint".to_owned() } else { parts.join(" and ") };
        Some(TermView { term, nodes, reach })
    };
    match case.spec.required_nodes().filter(|_| case.node.is_none()) {
        None => view(None, case.spec).into_iter().collect(),
        Some(required) => required
            .node_selector_terms
            .iter()
            .filter_map(|term| {
                let mut spec = case.spec.clone();
                let only = crate::objects::NodeSelector { node_selector_terms: vec![term.clone()] };
                spec.affinity.node_affinity.required = Some(only);
                view(Some(words_of(term)), &spec)
            })
            .collect(),
    }
}

fn words_of(term: &NodeSelectorTerm) -> String {
    let words = |one: &Requirement| {
        let values =
            if one.values.is_empty() { String::new() } else { format!(" ({})", one.values.join(", ")) };
        format!("{} {:?}{values}", one.key, one.operator)
    };
    let all: Vec<_> = term.match_expressions.iter().chain(&term.match_fields).map(words).collect();
    if all.is_empty() { "an empty term, which matches nothing".into() } else { all.join(" and ") }
}

fn by_jurisdiction(state: &State, reach: &NodeReach<'_>) -> Vec<NodesView> {
    let mut groups: BTreeMap<Option<String>, NodesView> = BTreeMap::new();
    for (site, count) in &reach.counts {
        let location = &state.sites().get(*site).location;
        let jurisdiction = location.jurisdiction.map(|code| code.to_string());
        let group = groups.entry(jurisdiction.clone()).or_insert_with(|| NodesView {
            jurisdiction,
            count: 0,
            examples: Vec::new(),
        });
        group.count += count;
        if let Some(node) =
            state.nodes().example(&reach.nodes, *site).filter(|_| group.examples.len() < NAMED_NODES)
        {
            let zone = location.zone.as_deref().or(location.region.as_deref()).unwrap_or("zone unknown");
            group.examples.push(format!("{} ({zone})", node.name));
        }
    }
    groups.into_values().collect()
}

impl std::fmt::Display for Whereabouts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |spots: &[super::whereabouts::Spot]| {
            let mut places: Vec<String> = spots.iter().map(|spot| spot.location.to_string()).collect();
            places.dedup();
            let more = places.len().saturating_sub(NAMED_PLACES);
            places.truncate(NAMED_PLACES);
            let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
            format!("{}{rest}", places.join("; "))
        };
        match self {
            Self::At { spots, .. } if spots.is_empty() => f.write_str("nowhere yet"),
            Self::At { spots, certain: true } => write!(f, "in {}", list(spots)),
            Self::At { spots, certain: false } => write!(f, "now in {}", list(spots)),
            Self::Anywhere { spots, .. } if spots.is_empty() => {
                f.write_str("not pinned: anywhere the cluster is")
            }
            Self::Anywhere { spots, .. } => {
                write!(f, "not pinned: anywhere the cluster is, and in {}", list(spots))
            }
            Self::WithPod { class, topologies, .. } if topologies.is_empty() => {
                write!(f, "made where its pod goes (StorageClass {})", class.metadata.name)
            }
            Self::WithPod { class, topologies, .. } => {
                let places: Vec<_> = topologies.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "made where its pod goes, {} (StorageClass {})",
                    places.join(" or "),
                    class.metadata.name
                )
            }
            Self::OnNode => f.write_str("on the node of its pod"),
            Self::Unknown { why } => write!(f, "not known: {why}"),
            Self::NotGiven { what } => write!(f, "not judged: {what} was not given"),
        }
    }
}
