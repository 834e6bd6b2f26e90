//! Changes of a node: who may say where it is (semantics 7).

use std::collections::BTreeSet;

use super::judge::{Court, Request};
use super::pods::{Hearing, stored_case};
use super::verdict::{Authorization, Example, Finding, Reason, Verb, Verdict};
use crate::api::{Action, keys};
use crate::cluster::State;
use crate::objects::{Node, ObjectRef};
use crate::placement::sites::Site;

/// The pods that a warning names at most.
const NAMED_PODS: usize = 5;

/// A node that joins, or is as it is: why its place is not known, if it is not.
pub(super) fn joining(court: Court<'_>, node: &Node, reference: ObjectRef) -> Verdict {
    let located = court.state.locate(node);
    let mut verdict = Verdict::allow(reference);
    verdict.warnings.extend(located.conflicts.into_iter().chain(located.doubt));
    verdict
}

/// A node that changes.
pub(super) fn changing(
    court: Court<'_>,
    old: &Node,
    new: &Node,
    request: &Request<'_>,
    verdict: &mut Verdict,
) {
    if request.by_node.is_some() && !may_say(court.state, old, new) {
        forbid_itself(court.state, old, new, verdict);
    }
    let (before, after) = (court.state.site_of(old), court.state.site_of(new));
    let name = &new.metadata.name;
    if let Some(taint) = gains_taint(old, new) {
        relocate(court, name, &before, Next::Anywhere { taint }, verdict);
    } else if before != after {
        relocate(court, name, &before, Next::At(&after), verdict);
    }
}

/// The taints of nodes that are not done with joining, and are said where they are unasked.
const JOINING: [&str; 2] = [keys::UNINITIALIZED_TAINT, keys::UNREGISTERED_TAINT];

fn has_taint(node: &Node, key: &str) -> bool {
    node.spec.taints.iter().any(|taint| taint.key == key)
}

/// A taint by which a node would count as joining from now on, so that it may be said anew where it is.
fn gains_taint(old: &Node, new: &Node) -> Option<&'static str> {
    JOINING.into_iter().find(|key| has_taint(new, key) && !has_taint(old, key))
}

/// Whether a change touches where the node is, or what says it.
pub(super) fn matters(state: &State, old: &Node, new: &Node) -> bool {
    let (changed, added) = said(state, old, new);
    !changed.is_empty()
        || !added.is_empty()
        || gains_taint(old, new).is_some()
        || state.site_of(old) != state.site_of(new)
}

/// The keys that say where a node is, or that a place selects on.
fn location_keys(state: &State) -> BTreeSet<String> {
    let fixed = [
        keys::REGION,
        keys::ZONE,
        keys::BETA_REGION,
        keys::BETA_ZONE,
        keys::JURISDICTION,
        keys::PROVIDER_JURISDICTION,
        keys::RESTRICTED_JURISDICTION,
        keys::RESTRICTED_PROVIDER_JURISDICTION,
    ];
    let drivers =
        state.geography().zone_keys().iter().chain(state.geography().region_keys()).map(|(key, _)| key);
    let places = state.sites().keys().iter();
    fixed.into_iter().map(str::to_owned).chain(drivers.chain(places).map(ToString::to_string)).collect()
}

/// What a node changes or takes away of what says where it is; and what it adds.
fn said(state: &State, old: &Node, new: &Node) -> (Vec<String>, Vec<String>) {
    let (mut changed, mut added) = (Vec::new(), Vec::new());
    for key in location_keys(state) {
        match (old.metadata.labels.get(&key), new.metadata.labels.get(&key)) {
            (None, Some(_)) => added.push(key),
            (before, after) if before != after => changed.push(key),
            _ => {}
        }
    }
    match (old.spec.provider_id.as_str(), new.spec.provider_id.as_str()) {
        ("", id) if !id.is_empty() => added.push("spec.providerID".into()),
        (before, after) if before != after => changed.push("spec.providerID".into()),
        _ => {}
    }
    (changed, added)
}

/// Whether a node may say this of itself: it adds what was not said, and is no farther for it, or is not initialised.
fn may_say(state: &State, old: &Node, new: &Node) -> bool {
    let (changed, added) = said(state, old, new);
    let place = |node| state.locate(node).location;
    let places = |key: &String| state.sites().keys().iter().any(|known| **known == **key);
    changed.is_empty()
        && (added.is_empty()
            || JOINING.into_iter().any(|key| has_taint(old, key))
            || (place(old) == place(new) && !added.iter().any(places)))
}

fn forbid_itself(state: &State, old: &Node, new: &Node, verdict: &mut Verdict) {
    let (changed, added) = said(state, old, new);
    let what = if changed.is_empty() { added } else { changed };
    let message = format!(
        "a node may not change what says where it is: {}. The cloud controller or an administrator may",
        what.join(", ")
    );
    verdict.find([Finding {
        policy: None,
        action: Action::Deny,
        reason: Reason::NodeRelocation,
        message,
        field: what
            .first()
            .map(|key| if key.starts_with("spec") { key.clone() } else { format!("metadata.labels[{key}]") }),
        example: None,
        matching: None,
    }]);
}

/// Where a node is after a change.
#[derive(Clone, Copy)]
enum Next<'a> {
    At(&'a Site),
    /// It could be said anywhere, since nobody is asked about a node with this taint.
    Anywhere {
        taint: &'static str,
    },
}

/// What that means for the classified pods on it.
fn relocate(court: Court<'_>, name: &str, before: &Site, next: Next<'_>, verdict: &mut Verdict) {
    let state = court.state;
    let after = match next {
        Next::At(site) => Some(site),
        Next::Anywhere { .. } => None,
    };
    let mut broken: Vec<String> = Vec::new();
    let mut lifted: BTreeSet<String> = BTreeSet::new();
    for (namespace, pod, entry) in
        state.pods().filter(|(_, _, entry)| entry.node.as_deref() == Some(name) && !entry.finished)
    {
        let case = stored_case(state, namespace, pod, entry);
        let Some(hearing) = Hearing::open(state, court.now, &case) else { continue };
        let mut breaks = false;
        for ruling in hearing.node_rulings() {
            let was = ruling.permits_site(before, state.sites());
            let is = after.is_none_or(|after| ruling.permits_site(after, state.sites()));
            breaks |= was && !is;
            if !was && is && ruling.policy.action == Action::Deny {
                lifted.insert(ruling.policy.name.to_string());
            }
        }
        if breaks {
            broken.push(format!("{namespace}/{pod}"));
        }
    }
    broken.sort_unstable();
    if let Some(after) = after.filter(|_| !broken.is_empty()) {
        let total = broken.len();
        broken.truncate(NAMED_PODS);
        let more = total - broken.len();
        let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
        verdict.warnings.push(format!(
            "node {name} would be in {}, where {total} of the pods on it may not be: {}{rest}",
            after.location,
            broken.join(", ")
        ));
    }
    let (change, field) = match next {
        Next::At(after) => (
            format!("the change would have it be in {}, which the policy permits", after.location),
            "metadata.labels",
        ),
        Next::Anywhere { taint } => {
            (format!("with the taint {taint} its place could be written anew unasked"), "spec.taints")
        }
    };
    verdict.requires.extend(lifted.into_iter().map(|policy| Authorization {
        verb: Verb::Relocate,
        finding: Finding {
            policy: Some(policy.clone()),
            action: Action::Deny,
            reason: Reason::NodeRelocation,
            message: format!(
                "node {name} runs pods that policy {policy} does not permit in {}, and {change}: that takes the verb \
                 relocate on residencypolicies/{policy}, which the user does not hold",
                before.location
            ),
            field: Some(field.into()),
            example: Some(Example {
                node: Some(name.to_owned()),
                ..Example::at(&after.unwrap_or(before).location)
            }),
            matching: None,
        },
        policy,
    }));
}
