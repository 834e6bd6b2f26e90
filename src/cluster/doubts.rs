//! What places name that nobody knows: it is no error, since a node or a Geography may bring it, and mostly it is a slip.

use std::collections::BTreeSet;

use super::state::Problem;
use super::topology::{Topology, ours};
use crate::api::Place;
use crate::geography::Pattern;
use crate::objects::ObjectRef;

/// What is known that places can name.
struct Names<'a> {
    topology: &'a Topology,
    providers: BTreeSet<&'a str>,
    /// Of the cluster's nodes.
    regions: BTreeSet<&'a str>,
}

impl Topology {
    /// Every provider and region that some policy or exception names and nobody knows, of those that are asked about.
    pub(super) fn doubts(&self, about: impl Fn(&ObjectRef) -> bool) -> Vec<Problem> {
        // One that cannot be read could bring any of them.
        if !self.geography.unread().is_empty() {
            return Vec::new();
        }
        let policies = self.written_policies().flat_map(|(name, policy)| {
            let lists = [("allow", policy.spec.allow.as_deref()), ("deny", policy.spec.deny.as_deref())];
            lists.map(|(list, places)| (ours("ResidencyPolicy", "", name), list, places.unwrap_or_default()))
        });
        let exceptions = self.written_exceptions.iter().map(|((namespace, name), exception)| {
            (ours("ResidencyException", namespace, name), "allow", &exception.spec.allow[..])
        });
        let names = Names::of(self);
        policies
            .chain(exceptions)
            .filter(|(object, _, _)| about(object))
            .flat_map(|(object, list, places)| names.unknown(&object, list, places))
            .collect()
    }
}

impl<'a> Names<'a> {
    fn of(topology: &'a Topology) -> Self {
        // What there are sites of hangs on history.
        let at = || topology.nodes.iter().map(|node| &topology.sites.get(node.site).location);
        let of_nodes = at().filter_map(|location| location.provider.as_deref());
        let known = topology.geography.providers().map(|name| &**name);
        Self {
            topology,
            providers: known.chain(of_nodes).collect(),
            regions: at().filter_map(|location| location.region.as_deref()).collect(),
        }
    }

    fn unknown(&self, object: &ObjectRef, list: &str, places: &[Place]) -> Vec<Problem> {
        let mut found = Vec::new();
        for (number, place) in places.iter().enumerate() {
            let mut note = |field: &str, index: usize, message: String| {
                let message = format!("spec.{list}[{number}].{field}[{index}]: {message}");
                found.push(Problem { object: object.clone(), message, refused: false });
            };
            for (index, name) in place.providers.iter().flatten().enumerate() {
                if !self.providers.contains(name.as_str()) {
                    let help = meant(self.nearest_provider(name));
                    note("providers", index, format!("no provider of the name {name} is known{help}"));
                }
            }
            for (index, glob) in place.regions.iter().flatten().enumerate() {
                let lower = glob.to_lowercase();
                // Some provider elsewhere writes its codes in capitals.
                if !self.is_here(glob) && self.is_here(&lower) {
                    let message = format!("no region here is one that {glob} means; did you mean {lower}?");
                    note("regions", index, message);
                } else if !self.is_region(glob) {
                    let help = meant(Some(lower).filter(|lower| self.is_region(lower)));
                    note("regions", index, format!("no region is known that {glob} means{help}"));
                }
            }
        }
        found
    }

    fn nearest_provider(&self, written: &str) -> Option<String> {
        let written = written.to_lowercase();
        let allowed = written.chars().count() / 3;
        let distances =
            self.providers.iter().map(|name| (strsim::damerau_levenshtein(&written, name), *name));
        distances.filter(|(distance, _)| *distance <= allowed).min().map(|(_, name)| name.to_owned())
    }

    /// Whether it means a region that a node is in.
    fn is_here(&self, glob: &str) -> bool {
        Pattern::new(glob).is_ok_and(|pattern| self.regions.iter().any(|region| pattern.matches(region)))
    }

    /// Whether it means a region at all. A glob that cannot be read is told of as such.
    fn is_region(&self, glob: &str) -> bool {
        Pattern::new(glob).map_or(true, |pattern| self.topology.geography.has_region_like(&pattern))
            || self.is_here(glob)
    }
}

fn meant(name: Option<String>) -> String {
    name.map_or_else(String::new, |name| format!("; did you mean {name}?"))
}
