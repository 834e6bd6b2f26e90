//! One copy of what many objects have in common.

use std::hash::Hash;
use std::sync::Arc;

use std::collections::BTreeMap;

use ahash::AHashSet;

use super::own::Own;
use super::settings::Settings;
use crate::objects::{Metadata, NodeSelector, PodSpec};
use crate::placement::selector::{Labels, Pair};

/// Values that are alike are held once. Those that nobody holds any more are swept out now and then.
#[derive(Debug)]
pub(super) struct Pool<T: ?Sized + Hash + Eq> {
    held: AHashSet<Arc<T>>,
    sweep_at: usize,
}

/// A pool smaller than this is not worth sweeping.
const SMALL: usize = 4_096;

impl<T: ?Sized + Hash + Eq> Clone for Pool<T> {
    fn clone(&self) -> Self {
        Self { held: self.held.clone(), sweep_at: self.sweep_at }
    }
}

impl<T: ?Sized + Hash + Eq> Default for Pool<T> {
    fn default() -> Self {
        Self { held: AHashSet::new(), sweep_at: SMALL }
    }
}

impl<T: ?Sized + Hash + Eq> Pool<T> {
    /// The held copy of a value.
    pub(super) fn get<V>(&mut self, value: V) -> Arc<T>
    where
        V: Into<Arc<T>> + std::borrow::Borrow<T>,
    {
        if let Some(held) = self.held.get(value.borrow()) {
            return held.clone();
        }
        if self.held.len() >= self.sweep_at {
            self.held.retain(|held| Arc::strong_count(held) > 1);
            self.sweep_at = (self.held.len() * 2).max(SMALL);
        }
        let value: Arc<T> = value.into();
        self.held.insert(value.clone());
        value
    }
}

impl Pool<str> {
    /// The held copy of a text.
    pub(super) fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(held) = self.held.get(text) {
            return held.clone();
        }
        self.get(Box::<str>::from(text))
    }
}

/// What objects have in common.
#[derive(Clone, Debug, Default)]
pub struct Pools {
    texts: Pool<str>,
    pairs: Pool<(Arc<str>, Arc<str>)>,
    labels: Pool<Labels>,
    owns: Pool<[Own]>,
    specs: Pool<PodSpec>,
    affinities: Pool<NodeSelector>,
}

impl Pools {
    pub(super) fn text(&mut self, text: &str) -> Arc<str> {
        self.texts.text(text)
    }

    /// The held copy of a text; none of an empty one.
    pub(super) fn some(&mut self, text: &str) -> Option<Arc<str>> {
        (!text.is_empty()).then(|| self.texts.text(text))
    }

    pub(super) fn labels<'a>(
        &mut self,
        labels: impl Iterator<Item = (&'a String, &'a String)>,
    ) -> Arc<Labels> {
        let mut pair = |(key, value): (&str, &str)| {
            let pair = (self.texts.text(key), self.texts.text(value));
            self.pairs.get(pair)
        };
        let labels: Vec<Pair> = labels.map(|(key, value)| pair((key, value))).collect();
        self.labels.get(labels)
    }

    pub(super) fn all_labels(&mut self, labels: &BTreeMap<String, String>) -> Arc<Labels> {
        self.labels(labels.iter())
    }

    pub(super) fn own(&mut self, metadata: &Metadata, settings: &Settings) -> Arc<[Own]> {
        self.owns.get(Own::of(metadata, settings))
    }

    pub(super) fn spec(&mut self, spec: PodSpec) -> Arc<PodSpec> {
        self.specs.get(spec)
    }

    pub(super) fn affinity(&mut self, affinity: &NodeSelector) -> Arc<NodeSelector> {
        self.affinities.get(affinity.clone())
    }
}
