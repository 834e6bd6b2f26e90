//! Which policies an object falls under, and what they and their exceptions permit at a moment.

use jiff::Timestamp;

use super::classification::Carried;
use crate::cluster::State;
use crate::geography::{Location, Tri};
use crate::placement::bits::BitSet;
use crate::placement::selector::{Label, LabelsRef, Selector};
use crate::placement::sites::{Site, SiteId, Sites};
use crate::policy::{CompiledPlace, Exception, Policy};

/// What selectors read of an object. `None` is not known: then every policy selects it, and no exception helps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    pub(super) namespace: Option<&'a str>,
    pub(super) labels: Option<LabelsRef<'a>>,
}

/// A policy that selects the object, with the exceptions that loosen it.
#[derive(Clone, Debug)]
pub(super) struct Ruling<'a> {
    pub(super) policy: &'a Policy,
    pub(super) exceptions: Vec<&'a Exception>,
    /// The sites that the policy permits now.
    sites: Option<&'a BitSet>,
    now: Timestamp,
}

/// The policies that select an object which carries this.
pub(super) fn rulings<'a>(
    state: &'a State,
    carried: &Carried<'_>,
    scope: Scope<'_>,
    now: Timestamp,
) -> Vec<Ruling<'a>> {
    let namespace = scope.namespace.and_then(|name| state.namespace(name));
    let namespace_labels = namespace.map(|entry| LabelsRef::Map(&entry.labels));
    let governing = state.policies().governing(carried.names());
    let mut rulings = Vec::with_capacity(governing.size_hint().1.unwrap_or(0));
    let selecting = governing.filter(|policy| policy.selects(namespace_labels, scope.labels));
    rulings.extend(selecting.map(|policy| Ruling {
        policy,
        exceptions: Vec::new(),
        sites: policy.sites(now),
        now,
    }));
    if let (Some(namespace), Some(labels)) = (scope.namespace, scope.labels) {
        for exception in state.policies().exceptions_in(namespace) {
            for ruling in &mut rulings {
                if exception.covers(&ruling.policy.name, labels, now) {
                    ruling.exceptions.push(exception);
                }
            }
        }
    }
    rulings
}

/// Every policy, for what nobody knows anything of.
pub(super) fn all_rulings(state: &State, now: Timestamp) -> Vec<Ruling<'_>> {
    let ruling = |policy| Ruling { policy, exceptions: Vec::new(), sites: policy.sites(now), now };
    state.policies().iter().map(ruling).collect()
}

impl Ruling<'_> {
    /// What is permitted, in the words of those who wrote it.
    pub(super) fn wording(&self) -> String {
        let more = self.exceptions.iter().filter(|exception| exception.is_in_order()).map(|exception| {
            format!(
                ", and by exception {} until {} {}",
                exception.name,
                exception.until.strftime("%Y-%m-%d"),
                exception.wording
            )
        });
        std::iter::once(self.policy.brief.clone()).chain(more).collect()
    }

    /// The sites of a set that are not permitted.
    pub(super) fn outside(&self, sites: &BitSet) -> Option<BitSet> {
        if self.sites.is_some_and(|permitted| sites.is_subset(permitted)) {
            return None;
        }
        let mut outside = sites.clone();
        let more = self.exceptions.iter().map(|exception| exception.sites(self.now));
        for permitted in std::iter::once(self.sites).chain(more).flatten() {
            outside.subtract(permitted);
        }
        (!outside.is_empty()).then_some(outside)
    }

    /// What its places select nodes by now.
    pub(super) fn node_selectors(&self) -> impl Iterator<Item = &Selector> {
        self.policy.open_places(self.now).filter_map(CompiledPlace::node_selector)
    }

    /// Whether a site is permitted.
    pub(super) fn permits(&self, site: SiteId) -> bool {
        let more = self.exceptions.iter().map(|exception| exception.sites(self.now));
        std::iter::once(self.sites).chain(more).flatten().any(|sites| sites.contains(site.index()))
    }

    /// Whether sites of one location are alike to it.
    pub(super) fn tells_by_location(&self) -> bool {
        !self.policy.selects_nodes() && self.exceptions.is_empty()
    }

    /// Whether a site that has no number is permitted.
    pub(super) fn permits_site(&self, site: &Site, sites: &Sites) -> bool {
        self.permits_location(&site.location, |selector| selector.asks(|key| sites.label(site, key)))
    }

    /// Whether a location is permitted. `nodes` answers for node selectors.
    pub(super) fn permits_location(&self, location: &Location, nodes: impl Fn(&Selector) -> Tri) -> bool {
        self.policy.permits(location, &nodes, self.now)
            || self.exceptions.iter().any(|exception| exception.permits(location, &nodes, self.now))
    }
}

/// What nodes of a set answer to a selector: true or false only if all of them agree.
pub(super) fn nodes_answer(state: &State, nodes: &BitSet, selector: &Selector) -> Tri {
    let mut answer = None;
    for node in nodes.iter().filter_map(|slot| state.nodes().at(slot)) {
        let this = selector.asks(|key| Label::from(node.label(key)));
        match answer {
            None => answer = Some(this),
            Some(before) if before != this => return Tri::Unknown,
            Some(_) => {}
        }
    }
    answer.unwrap_or(Tri::Unknown)
}
