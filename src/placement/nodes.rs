//! The nodes, indexed: which of them match, and at which sites.
//!
//! Nodes get slots in blocks of 64, and every block belongs to one site, so that matching is bit arithmetic and
//! counting matches by site is a population count a block.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ahash::AHashMap;

use super::bits::{BitSet, Posting};
use super::constraints::{Constraints, Group, NodeTest, Term, Test};
use super::sites::SiteId;
use super::taints::{constrains, tolerated};
use crate::api::keys;
use crate::objects::{Metadata, Node, NodeSpec, Taint, Toleration};

/// A node as it is kept.
#[derive(Clone, Debug)]
pub struct NodeEntry {
    /// Its name.
    pub name: Arc<str>,
    /// Its labels, sorted by key.
    pub labels: Box<[(Arc<str>, Arc<str>)]>,
    /// `spec.providerID`.
    pub provider_id: Box<str>,
    /// Its taints.
    pub taints: Box<[Taint]>,
    /// Why its location is unknown although something says it.
    pub conflicts: Box<[String]>,
    /// Where it is, to policies.
    pub site: SiteId,
    /// Not initialised by its cloud controller yet, and nobody knows where it is: out of reach until then.
    pub unborn: bool,
}

impl NodeEntry {
    /// The value of a label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.label_text(key).map(|value| &**value)
    }

    /// The value of a label, as it is kept.
    #[must_use]
    pub fn label_text(&self, key: &str) -> Option<&Arc<str>> {
        let at = self.labels.binary_search_by(|(known, _)| (**known).cmp(key)).ok()?;
        self.labels.get(at).map(|(_, value)| value)
    }

    /// The node again, as far as it is kept.
    #[must_use]
    pub fn to_node(&self) -> Node {
        let text = |(key, value): &(Arc<str>, Arc<str>)| (key.to_string(), value.to_string());
        let labels = self.labels.iter().map(text).collect();
        Node {
            metadata: Metadata { name: self.name.to_string(), labels, ..Metadata::default() },
            spec: NodeSpec { provider_id: self.provider_id.to_string(), taints: self.taints.to_vec() },
        }
    }
}

#[derive(Clone, Debug, Default)]
struct KeyIndex {
    all: Posting,
    values: AHashMap<Arc<str>, Posting>,
}

/// Slots in a block.
const BLOCK: u32 = 64;

/// All nodes of the cluster.
#[derive(Clone, Debug, Default)]
pub struct NodeIndex {
    nodes: Vec<Option<NodeEntry>>,
    site_of_block: Vec<SiteId>,
    /// One more than the highest site that has a block.
    sites: usize,
    free: AHashMap<SiteId, Vec<u32>>,
    by_name: AHashMap<Arc<str>, u32>,
    names: AHashMap<SiteId, BTreeSet<Arc<str>>>,
    present: BitSet,
    born: BitSet,
    unborn: BitSet,
    labels: AHashMap<Arc<str>, KeyIndex>,
    taints: BTreeMap<Taint, Posting>,
}

impl NodeIndex {
    /// Puts a node in, in place of one of the same name.
    pub fn insert(&mut self, mut node: NodeEntry) {
        self.remove(&node.name);
        let slot = self.slot_at(node.site);
        self.by_name.insert(node.name.clone(), slot);
        self.names.entry(node.site).or_default().insert(node.name.clone());
        self.present.insert(slot as usize);
        let side = if node.unborn { &mut self.unborn } else { &mut self.born };
        side.insert(slot as usize);
        for (key, value) in &mut node.labels {
            // Every label text is held once, by the index.
            *key = self.labels.get_key_value(key).map_or_else(|| key.clone(), |(known, _)| known.clone());
            let index = self.labels.entry(key.clone()).or_default();
            index.all.insert(slot);
            *value =
                index.values.get_key_value(value).map_or_else(|| value.clone(), |(known, _)| known.clone());
            index.values.entry(value.clone()).or_default().insert(slot);
        }
        for taint in node.taints.iter().filter(|taint| constrains(taint)) {
            self.taints.entry(taint.clone()).or_default().insert(slot);
        }
        self.nodes[slot as usize] = Some(node);
    }

    fn slot_at(&mut self, site: SiteId) -> u32 {
        if let Some(slot) = self.free.get_mut(&site).and_then(Vec::pop) {
            return slot;
        }
        // 2^32 slots are far beyond any cluster.
        let first = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX - BLOCK);
        self.site_of_block.push(site);
        self.sites = self.sites.max(site.index() + 1);
        self.nodes.resize_with(self.nodes.len() + BLOCK as usize, || None);
        self.free.entry(site).or_default().extend((first + 1..first + BLOCK).rev());
        first
    }

    /// Takes a node out.
    pub fn remove(&mut self, name: &str) -> Option<NodeEntry> {
        let slot = self.by_name.remove(name)?;
        let node = self.nodes[slot as usize].take()?;
        self.present.remove(slot as usize);
        self.born.remove(slot as usize);
        self.unborn.remove(slot as usize);
        for (key, value) in &node.labels {
            let Some(index) = self.labels.get_mut(key) else { continue };
            if index.values.get_mut(value).is_some_and(|posting| posting.remove(slot)) {
                index.values.remove(value);
            }
            if index.all.remove(slot) {
                self.labels.remove(key);
            }
        }
        for taint in node.taints.iter().filter(|taint| constrains(taint)) {
            if self.taints.get_mut(taint).is_some_and(|posting| posting.remove(slot)) {
                self.taints.remove(taint);
            }
        }
        if let Some(names) = self.names.get_mut(&node.site) {
            names.remove(&node.name);
        }
        self.free.entry(node.site).or_default().push(slot);
        Some(node)
    }

    /// The node of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&NodeEntry> {
        self.by_name.get(name).and_then(|slot| self.at(*slot as usize))
    }

    /// The node in this slot.
    #[must_use]
    pub fn at(&self, slot: usize) -> Option<&NodeEntry> {
        self.nodes.get(slot).and_then(Option::as_ref)
    }

    /// The slot of the node of this name.
    #[must_use]
    pub fn slot(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).map(|slot| *slot as usize)
    }

    /// Every node, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &NodeEntry> {
        self.nodes.iter().flatten()
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Nodes that have a label with this value.
    #[must_use]
    pub fn with_label(&self, key: &str, value: &str) -> BitSet {
        let mut found = BitSet::default();
        if let Some(posting) = self.labels.get(key).and_then(|index| index.values.get(value)) {
            posting.add_to(&mut found);
        }
        found
    }

    /// Every node.
    #[must_use]
    pub fn present(&self) -> &BitSet {
        &self.present
    }

    /// Every node that has been born: where an object that nothing pins can be.
    #[must_use]
    pub fn born(&self) -> &BitSet {
        &self.born
    }

    /// Nodes that have not been born and yet are in reach of what bears that.
    fn unborn_within_reach(&self, tolerations: &[Toleration]) -> impl Iterator<Item = usize> {
        let bears = |slot: &usize| {
            let taints = self.at(*slot).into_iter().flat_map(|node| &node.taints);
            let mut taints = taints.filter(|taint| taint.key == keys::UNINITIALIZED_TAINT);
            taints.all(|taint| tolerated(taint, tolerations))
        };
        self.unborn.iter().filter(move |_| !tolerations.is_empty()).filter(bears)
    }

    /// The nodes that [`Self::born`] leaves out and that what bears these taints can reach nevertheless.
    pub fn also_within_reach(&self, tolerations: &[Toleration]) -> impl Iterator<Item = &NodeEntry> {
        self.unborn_within_reach(tolerations).filter_map(|slot| self.at(slot))
    }

    /// Nodes of a set whose taints these tolerations bear.
    #[must_use]
    pub fn bearing(&self, mut set: BitSet, tolerations: &[Toleration]) -> BitSet {
        for (taint, posting) in &self.taints {
            if !tolerated(taint, tolerations) {
                posting.take_from(&mut set);
            }
        }
        set
    }

    /// Nodes that satisfy everything that is written, whatever taints keep off them now.
    #[must_use]
    pub fn matching_but_for_taints(&self, constraints: &Constraints<'_>) -> BitSet {
        let mut set = self.born.clone();
        for slot in self.unborn_within_reach(constraints.tolerations) {
            set.insert(slot);
        }
        for group in &constraints.groups {
            set = self.within(&set, group);
        }
        set
    }

    /// Nodes of a set that satisfy one of a group's terms.
    #[must_use]
    pub fn within(&self, set: &BitSet, group: &Group<'_>) -> BitSet {
        if let [term] = group.terms.as_slice() {
            return self.satisfying(set, term);
        }
        let mut found = BitSet::default();
        for term in &group.terms {
            found.unite(&self.satisfying(set, term));
        }
        found
    }

    /// Nodes of a set that satisfy a term.
    #[must_use]
    pub fn satisfying(&self, set: &BitSet, term: &Term<'_>) -> BitSet {
        let Some(tests) = &term.tests else {
            return BitSet::default();
        };
        let mut left = set.clone();
        for test in tests {
            self.narrow(&mut left, test);
        }
        left
    }

    fn narrow(&self, set: &mut BitSet, test: &NodeTest<'_>) {
        let (key, test) = match test {
            NodeTest::Name(name) => {
                let slot = self.slot(name).filter(|slot| set.contains(*slot));
                *set = slot.into_iter().collect();
                return;
            }
            NodeTest::NotName(name) => {
                if let Some(slot) = self.slot(name) {
                    set.remove(slot);
                }
                return;
            }
            NodeTest::Label(key, test) => (*key, test),
        };
        let Some(index) = self.labels.get(key) else {
            if !test.passes(None) {
                *set = BitSet::default();
            }
            return;
        };
        match test {
            Test::In([value]) => match index.values.get(value.as_str()) {
                Some(posting) => posting.keep_in(set),
                None => *set = BitSet::default(),
            },
            Test::In(values) => {
                let mut any = BitSet::default();
                for posting in values.iter().filter_map(|value| index.values.get(value.as_str())) {
                    posting.add_to(&mut any);
                }
                set.intersect(&any);
            }
            Test::NotIn(values) => {
                for posting in values.iter().filter_map(|value| index.values.get(value.as_str())) {
                    posting.take_from(set);
                }
            }
            Test::Exists => index.all.keep_in(set),
            Test::DoesNotExist => index.all.take_from(set),
            Test::Above(_) | Test::Below(_) => {
                let mut any = BitSet::default();
                for (_, posting) in index.values.iter().filter(|(value, _)| test.passes(Some(value))) {
                    posting.add_to(&mut any);
                }
                set.intersect(&any);
            }
        }
    }

    /// How many nodes of a set are at each site; each site comes once.
    #[must_use]
    pub fn by_site(&self, set: &BitSet) -> Vec<(SiteId, usize)> {
        let mut counts = vec![0_usize; self.sites];
        for (word, site) in set.words().iter().zip(&self.site_of_block) {
            counts[site.index()] += word.count_ones() as usize;
        }
        (0..).map(SiteId).zip(counts).filter(|(_, count)| *count > 0).collect()
    }

    /// The node of a set that is at a site and first by name: the same example on every replica.
    #[must_use]
    pub fn example(&self, set: &BitSet, site: SiteId) -> Option<&NodeEntry> {
        let names = self.names.get(&site)?;
        let found = names.iter().find(|name| self.slot(name).is_some_and(|slot| set.contains(slot)))?;
        self.get(found)
    }
}
