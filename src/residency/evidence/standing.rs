//! Where one stored object is or could be, and which policies govern it.

use std::collections::BTreeSet;

use super::facts::{How, Standing};
use crate::cluster::{Kind, State};
use crate::objects::ObjectRef;
use crate::placement::selector::LabelsRef;
use crate::placement::sites::SiteId;
use crate::policy::Policy;
use crate::residency::claims;
use crate::residency::classification::{Carried, Origin, Walk};
use crate::residency::judge::Court;
use crate::residency::pods::{self, Case};
use crate::residency::scope::{Ruling, Scope, rulings};
use crate::residency::whereabouts::{Finder, Spot, Whereabouts};
use crate::residency::workloads;

/// What is found of an object.
pub(super) struct Found<'a> {
    pub(super) rulings: Vec<Ruling<'a>>,
    pub(super) standing: Standing,
}

/// Finds it. `None`: there is no such object, or it is of a kind that is not audited.
pub(super) fn find<'a>(court: Court<'a>, kind: Kind, object: &ObjectRef) -> Option<Found<'a>> {
    let state = court.state;
    let (namespace, name) = (object.namespace.as_str(), object.name.as_str());
    let of_case = |case: &Case<'_>| {
        let scope = Scope { namespace: Some(case.namespace), labels: Some(case.labels) };
        let rulings = pods::governing(state, case, rulings(state, &case.carried, scope, court.now));
        Found { rulings, standing: of_case(court, case) }
    };
    let governing = |carried: &Carried<'_>, scope: Scope<'_>, governs: fn(&Policy) -> bool| {
        let mut rulings = rulings(state, carried, scope, court.now);
        rulings.retain(|ruling| governs(ruling.policy));
        rulings
    };
    let kept = |carried: &Carried<'_>, scope: Scope<'_>, whereabouts: &Whereabouts<'_>| Found {
        rulings: governing(carried, scope, |policy| policy.storage),
        standing: of_whereabouts(state, whereabouts),
    };
    Some(match kind {
        Kind::Pod => of_case(&pods::stored_case(state, namespace, name, state.pod(namespace, name)?)),
        Kind::Workload(kind) => {
            of_case(&workloads::case(state, state.workload(kind, namespace, name)?, "spec"))
        }
        Kind::PersistentVolumeClaim => {
            let entry = state.claim(namespace, name)?;
            let scope = Scope { namespace: Some(namespace), labels: Some(LabelsRef::Kept(&entry.labels)) };
            let carried = claims::carried_by_claim(state, namespace, name, entry);
            kept(&carried, scope, &Finder::new(state).claim(namespace, Some(name), entry))
        }
        Kind::PersistentVolume => {
            let entry = state.volume(name)?;
            let (carried, scope) = claims::volume_scope(state, name, entry, true);
            kept(&carried, scope, &Finder::new(state).volume(entry))
        }
        Kind::VolumeAttachment => {
            let entry = state.attachment(name)?;
            let volume = entry.volume.as_deref()?;
            let (carried, scope) = claims::volume_scope(state, volume, state.volume(volume)?, false);
            Found {
                rulings: governing(&carried, scope, |policy| policy.processing),
                standing: on_node(state, &entry.node),
            }
        }
        Kind::VolumeSnapshot => {
            let entry = state.snapshot(namespace, name)?;
            let mut walk = Walk::new(state);
            walk.add(&entry.own, Origin::Own);
            walk.snapshot_edges(namespace, entry);
            let scope = Scope { namespace: Some(namespace), labels: Some(LabelsRef::Kept(&entry.labels)) };
            kept(&walk.finish(), scope, &Finder::new(state).snapshot(namespace, entry))
        }
        Kind::VolumeSnapshotContent => {
            let entry = state.content(name)?;
            let (carried, scope) = claims::content_scope(state, entry);
            let (namespace, whole) = claims::whole_content(state, entry);
            kept(&carried, scope, &Finder::new(state).snapshot(namespace, &whole))
        }
        _ => return None,
    })
}

fn of_case(court: Court<'_>, case: &Case<'_>) -> Standing {
    let state = court.state;
    if let Some(node) = case.node {
        return on_node(state, node);
    }
    let sites: Vec<SiteId> = pods::sites_within_reach(court, case);
    let jurisdictions = codes(sites.iter().map(|site| state.sites().get(*site).location.jurisdiction));
    let place = match jurisdictions.len() {
        0 => "no node can take it now".to_owned(),
        _ => format!("could run in {}", list(&jurisdictions)),
    };
    Standing { how: How::Could, jurisdictions, place }
}

fn on_node(state: &State, node: &str) -> Standing {
    match state.nodes().get(node) {
        None => Standing {
            how: How::Unknown,
            jurisdictions: vec![None],
            place: format!("on node {node}, which is not known"),
        },
        Some(entry) => {
            let location = &state.sites().get(entry.site).location;
            let how = if location.jurisdiction.is_some() { How::Is } else { How::Unknown };
            Standing {
                how,
                jurisdictions: codes([location.jurisdiction]),
                place: format!("on node {node} ({location})"),
            }
        }
    }
}

fn of_whereabouts(state: &State, whereabouts: &Whereabouts<'_>) -> Standing {
    let everywhere = || {
        let nodes = state.nodes().by_site(state.nodes().born());
        nodes.into_iter().map(|(site, _)| state.sites().get(site).location.jurisdiction)
    };
    let of = |spots: &[Spot]| spots.iter().map(|spot| spot.location.jurisdiction).collect::<Vec<_>>();
    let (how, jurisdictions) = match whereabouts {
        Whereabouts::At { spots, .. } if spots.is_empty() => (How::Could, Vec::new()),
        Whereabouts::At { spots, .. } if spots.iter().any(|spot| spot.location.jurisdiction.is_none()) => {
            (How::Unknown, codes(of(spots)))
        }
        Whereabouts::At { spots, .. } => (How::Is, codes(of(spots))),
        Whereabouts::Anywhere { spots, .. } => (How::Could, codes(everywhere().chain(of(spots)))),
        Whereabouts::WithPod { topologies, spots, .. } => {
            let within = topologies.iter().flat_map(|one| match one {
                Whereabouts::At { spots, .. } => of(spots),
                _ => Vec::new(),
            });
            let named = codes(within.chain(of(spots)));
            let jurisdictions =
                if topologies.is_empty() { codes(everywhere().chain(of(spots))) } else { named };
            (How::Could, jurisdictions)
        }
        Whereabouts::OnNode => (How::Could, Vec::new()),
        Whereabouts::Unknown { .. } | Whereabouts::NotGiven { .. } => (How::Unknown, vec![None]),
    };
    Standing { how, jurisdictions, place: whereabouts.to_string() }
}

/// Each once, in order, what is not known first.
fn codes(all: impl IntoIterator<Item = Option<crate::geography::Jurisdiction>>) -> Vec<Option<String>> {
    let codes: BTreeSet<Option<String>> =
        all.into_iter().map(|code| code.map(|code| code.to_string())).collect();
    codes.into_iter().collect()
}

fn list(jurisdictions: &[Option<String>]) -> String {
    let names: Vec<&str> =
        jurisdictions.iter().map(|code| code.as_deref().unwrap_or("a place that is not known")).collect();
    names.join(", ")
}
