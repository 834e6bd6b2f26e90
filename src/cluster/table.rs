//! Objects by name, in little room.

use ahash::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// An object under its name.
#[derive(Clone, Debug)]
struct Named<T> {
    name: Box<str>,
    object: T,
}

/// Objects by name. A slot is a pointer: what a table keeps free for more costs a few bytes, not an object each.
#[derive(Clone, Debug)]
pub(super) struct Table<T> {
    hasher: RandomState,
    slots: HashTable<Box<Named<T>>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { hasher: RandomState::new(), slots: HashTable::new() }
    }
}

impl<T> Table<T> {
    fn find(&self, name: &str) -> Option<&Named<T>> {
        self.slots.find(self.hasher.hash_one(name), |one| *one.name == *name).map(|found| &**found)
    }

    /// The object of this name.
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.find(name).map(|found| &found.object)
    }

    /// The object of this name, and its name for as long as the table holds it.
    pub(super) fn get_key_value(&self, name: &str) -> Option<(&str, &T)> {
        self.find(name).map(|found| (&*found.name, &found.object))
    }

    /// Puts an object in, in place of one of the same name.
    pub(super) fn insert(&mut self, name: Box<str>, object: T) {
        let hasher = &self.hasher;
        let hash = hasher.hash_one(&*name);
        match self.slots.entry(hash, |one| one.name == name, |one| hasher.hash_one(&*one.name)) {
            Entry::Occupied(mut there) => there.get_mut().object = object,
            Entry::Vacant(free) => {
                free.insert(Box::new(Named { name, object }));
            }
        }
    }

    /// Takes an object out.
    pub(super) fn remove(&mut self, name: &str) -> Option<T> {
        let there = self.slots.find_entry(self.hasher.hash_one(name), |one| *one.name == *name).ok()?;
        Some(there.remove().0.object)
    }

    pub(super) fn clear(&mut self) {
        self.slots.clear();
    }

    /// How many objects there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Every object with its name, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.slots.iter().map(|one| (&*one.name, &one.object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_one_object_a_name() {
        let mut table = Table::default();
        for number in 0..1_000 {
            table.insert(format!("n{}", number % 500).into(), number);
        }
        assert_eq!(table.iter().count(), 500);
        assert_eq!((table.get("n7"), table.get_key_value("n8")), (Some(&507), Some(("n8", &508))));
        assert_eq!((table.remove("n7"), table.remove("n7"), table.get("n7")), (Some(507), None, None));
        assert!(!table.is_empty());
        table.clear();
        assert!(table.is_empty() && table.get("n8").is_none());
    }
}
