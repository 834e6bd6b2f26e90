//! One copy of what many objects have in common.

use std::hash::Hash;
use std::sync::Arc;

use ahash::AHashSet;

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
