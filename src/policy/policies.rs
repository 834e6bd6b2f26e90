//! All policies and exceptions of a cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::AHashMap;

use super::compile::{Exception, Policy};
use crate::placement::bits::BitSet;
use crate::placement::sites::{Site, SiteId, Sites};

/// The policies by name, and the exceptions by namespace.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    slots: Vec<Option<Arc<Policy>>>,
    by_name: BTreeMap<Arc<str>, usize>,
    by_classification: AHashMap<Arc<str>, BitSet>,
    /// Policies of which it cannot be read what they govern: they govern everything.
    of_everything: BitSet,
    exceptions: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Exception>>,
}

impl Policies {
    /// Puts a policy in, in place of one of the same name.
    pub fn insert(&mut self, mut policy: Policy, sites: &Sites) {
        self.remove(&policy.name.clone());
        policy.forget();
        for (number, site) in sites.iter() {
            policy.learn(number, site, sites);
        }
        let slot = self.slots.iter().position(Option::is_none).unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        if policy.classifications.is_empty() {
            self.of_everything.insert(slot);
        }
        for token in &policy.classifications {
            self.by_classification.entry(token.clone()).or_default().insert(slot);
        }
        self.by_name.insert(policy.name.clone(), slot);
        self.slots[slot] = Some(Arc::new(policy));
    }

    /// Takes a policy out.
    pub fn remove(&mut self, name: &str) -> Option<Arc<Policy>> {
        let slot = self.by_name.remove(name)?;
        self.of_everything.remove(slot);
        self.by_classification.retain(|_, slots| {
            slots.remove(slot);
            !slots.is_empty()
        });
        self.slots[slot].take()
    }

    /// Puts an exception in, in place of one of the same name.
    pub fn insert_exception(&mut self, namespace: &str, mut exception: Exception, sites: &Sites) {
        exception.forget();
        for (number, site) in sites.iter() {
            exception.learn(number, site, sites);
        }
        self.exceptions.entry(namespace.into()).or_default().insert(exception.name.clone(), exception);
    }

    /// Takes an exception out.
    pub fn remove_exception(&mut self, namespace: &str, name: &str) -> Option<Exception> {
        let there = self.exceptions.get_mut(namespace)?;
        let exception = there.remove(name);
        if there.is_empty() {
            self.exceptions.remove(namespace);
        }
        exception
    }

    /// Tells every policy and exception of a new site.
    pub fn learn(&mut self, number: SiteId, sites: &Sites) {
        let site: &Site = sites.get(number);
        for policy in self.slots.iter_mut().flatten() {
            Arc::make_mut(policy).learn(number, site, sites);
        }
        for exception in self.exceptions.values_mut().flat_map(BTreeMap::values_mut) {
            exception.learn(number, site, sites);
        }
    }

    /// Works all permitted sites out anew.
    pub fn relearn(&mut self, sites: &Sites) {
        for policy in self.slots.iter_mut().flatten() {
            Arc::make_mut(policy).forget();
        }
        for exception in self.exceptions.values_mut().flat_map(BTreeMap::values_mut) {
            exception.forget();
        }
        for (number, _) in sites.iter() {
            self.learn(number, sites);
        }
    }

    /// The policy of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Policy> {
        self.by_name.get(name).and_then(|slot| self.slots[*slot].as_deref())
    }

    /// Every policy, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.by_name.values().filter_map(|slot| self.slots[*slot].as_deref())
    }

    /// How many policies there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is no policy.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Every exception, with its namespace.
    pub fn exceptions(&self) -> impl Iterator<Item = (&str, &Exception)> {
        self.exceptions
            .iter()
            .flat_map(|(namespace, there)| there.values().map(move |one| (&**namespace, one)))
    }

    /// The exceptions of a namespace.
    pub fn exceptions_in(&self, namespace: &str) -> impl Iterator<Item = &Exception> {
        self.exceptions.get(namespace).into_iter().flat_map(BTreeMap::values)
    }

    /// Whether some policy reads this label of namespaces.
    #[must_use]
    pub fn reads_of_namespaces(&self, key: &str) -> bool {
        self.iter().flat_map(Policy::namespace_keys).any(|one| one == key)
    }

    /// Whether some policy or exception reads this label of objects.
    #[must_use]
    pub fn reads_of_objects(&self, key: &str) -> bool {
        let by_exceptions =
            self.exceptions.values().flat_map(BTreeMap::values).flat_map(Exception::object_keys);
        self.iter().flat_map(Policy::object_keys).chain(by_exceptions).any(|one| one == key)
    }

    /// Whether some policy governs this classification.
    #[must_use]
    pub fn is_governed(&self, classification: &str) -> bool {
        !self.of_everything.is_empty() || self.by_classification.contains_key(classification)
    }

    /// The classifications that are governed.
    pub fn governed(&self) -> impl Iterator<Item = &str> {
        self.by_classification.keys().map(|token| &**token)
    }

    /// The policies that govern one of these classifications, each once, in no order. What carries none is governed by
    /// none, not even by a policy that cannot be read.
    pub fn governing<'a>(
        &self,
        classifications: impl Iterator<Item = &'a str>,
    ) -> impl Iterator<Item = &Policy> {
        let mut slots = BitSet::default();
        for token in classifications {
            slots.unite(&self.of_everything);
            if let Some(governed) = self.by_classification.get(token) {
                slots.unite(governed);
            }
        }
        let slots: Vec<usize> = slots.iter().collect();
        slots.into_iter().filter_map(|slot| self.slots[slot].as_deref())
    }

    /// The labels that places of policies and exceptions select on, sorted, each once.
    #[must_use]
    pub fn place_keys(&self) -> Vec<Arc<str>> {
        let exceptions = self.exceptions.values().flat_map(BTreeMap::values).flat_map(Exception::place_keys);
        let mut keys: Vec<Arc<str>> =
            self.iter().flat_map(Policy::place_keys).chain(exceptions).map(Into::into).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}
