//! Lists that keep their first and count the rest, and tables of places.

use std::collections::BTreeMap;

use super::facts::{Cut, Placed};

/// Keeps the first of what is added, by key, and counts the rest.
#[derive(Debug)]
pub(super) struct First<K, T> {
    most: usize,
    kept: BTreeMap<K, T>,
    all: usize,
}

impl<K: Ord, T> First<K, T> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, kept: BTreeMap::new(), all: 0 }
    }

    /// Adds one, which is only made if it is kept. Keys are distinct.
    pub(super) fn add(&mut self, key: K, make: impl FnOnce() -> T) {
        self.all += 1;
        let full = self.kept.len() >= self.most;
        if full && self.kept.last_key_value().is_none_or(|(last, _)| *last < key) {
            return;
        }
        self.kept.insert(key, make());
        if self.kept.len() > self.most {
            self.kept.pop_last();
        }
    }

    pub(super) fn cut(self) -> Cut<T> {
        let left_out = self.all - self.kept.len();
        Cut { shown: self.kept.into_values().collect(), left_out }
    }
}

/// A list of which the first are shown.
pub(super) fn cut<T>(mut all: Vec<T>, most: usize) -> Cut<T> {
    let left_out = all.len().saturating_sub(most);
    all.truncate(most);
    Cut { shown: all, left_out }
}

/// What an object counts as where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    Pod,
    Volume,
    Snapshot,
    /// It could come to be there.
    Could,
}

/// What is where.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<Option<String>, Placed>);

impl Places {
    pub(super) fn count(&mut self, jurisdictions: &[Option<String>], counted: Counted) {
        for jurisdiction in jurisdictions {
            let placed = self
                .0
                .entry(jurisdiction.clone())
                .or_insert_with(|| Placed { jurisdiction: jurisdiction.clone(), ..Placed::default() });
            match counted {
                Counted::Pod => placed.pods += 1,
                Counted::Volume => placed.volumes += 1,
                Counted::Snapshot => placed.snapshots += 1,
                Counted::Could => placed.could += 1,
            }
        }
    }

    /// By code; what is not known last.
    pub(super) fn list(mut self) -> Vec<Placed> {
        let unknown = self.0.remove(&None);
        self.0.into_values().chain(unknown).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_kept_whatever_the_order_and_the_rest_is_counted() {
        let mut first = First::new(2);
        for number in [5, 1, 4, 2, 3] {
            first.add(number, || number * 10);
        }
        let cut = first.cut();
        assert_eq!((cut.shown.as_slice(), cut.left_out, cut.len()), (&[10, 20][..], 3, 5));
    }
}
