//! What has changed in a state since somebody last asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::references::Key;

/// More objects than this are not told one by one.
const MOST: usize = 4_096;

/// What has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// These objects, which may be gone, and those that they referred to before.
    Objects(BTreeSet<Key>),
    /// So many that it may be any.
    Everything,
}

impl Default for Changed {
    fn default() -> Self {
        Self::Objects(BTreeSet::new())
    }
}

impl Changed {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Objects(keys) if keys.is_empty())
    }

    /// Adds more.
    pub fn note(&mut self, keys: impl IntoIterator<Item = Key>) {
        if let Self::Objects(all) = self {
            all.extend(keys);
            if all.len() > MOST {
                *self = Self::Everything;
            }
        }
    }
}

/// What objects that are gone have left on those that stay.
#[derive(Debug, Default)]
pub struct Left {
    /// By these: classifications of data that is still there.
    pub on: BTreeMap<Key, BTreeSet<Arc<str>>>,
    /// How many there was no room for. Nobody knows any more what was left on them.
    pub lost: usize,
}

/// Notes changes, once somebody wants to know of them.
#[derive(Debug, Default)]
pub(super) struct Journal {
    changed: Mutex<Option<Changed>>,
    left: Mutex<Left>,
}

impl Journal {
    /// Begins to note. Whatever was before may have changed.
    pub(super) fn open(&self) {
        self.changed.lock().get_or_insert(Changed::Everything);
    }

    pub(super) fn is_open(&self) -> bool {
        self.changed.lock().is_some()
    }

    pub(super) fn note(&self, keys: impl IntoIterator<Item = Key>) {
        if let Some(changed) = self.changed.lock().as_mut() {
            changed.note(keys);
        }
    }

    /// What was noted since the last time.
    pub(super) fn take(&self) -> Changed {
        self.changed.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// What was left on an object since the last time, now that it goes too.
    pub(super) fn pass_on(&self, gone: &Key) -> BTreeSet<Arc<str>> {
        self.left.lock().on.remove(gone).unwrap_or_default()
    }

    /// Notes what an object that goes leaves on others.
    pub(super) fn note_left(&self, others: impl IntoIterator<Item = Key>, tokens: &BTreeSet<Arc<str>>) {
        let mut left = self.left.lock();
        for other in others {
            if left.on.len() < MOST || left.on.contains_key(&other) {
                left.on.entry(other).or_default().extend(tokens.iter().cloned());
            } else {
                left.lost += 1;
            }
        }
    }

    /// What was left since the last time.
    pub(super) fn take_left(&self) -> Left {
        std::mem::take(&mut self.left.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::super::kind::Kind;
    use super::*;

    #[test]
    fn notes_once_it_is_open_and_not_without_end() {
        let journal = Journal::default();
        let pod = |number: usize| Key::new(Kind::Pod, "shop", &format!("p{number}"));
        journal.note(pod(1));
        assert!(journal.take().is_empty());
        journal.open();
        assert_eq!(journal.take(), Changed::Everything);
        journal.note(pod(1).into_iter().chain(pod(2)).chain(pod(1)));
        assert_eq!(journal.take(), Changed::Objects(pod(1).into_iter().chain(pod(2)).collect()));
        assert!(journal.take().is_empty());
        journal.note((0..=MOST).filter_map(pod));
        assert_eq!(journal.take(), Changed::Everything);
    }
}
