//! Facts that may be said more than once: who wins, and when nobody does.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::catalog::Origin;

/// A fact about a key, and who said it.
#[derive(Clone)]
pub(super) struct Said<T> {
    pub(super) value: T,
    pub(super) origin: Origin,
    pub(super) field: String,
    pub(super) disputed: bool,
}

/// Two who disagree, each with the path of its entry.
pub(super) type Clash = [(Origin, String); 2];

/// Records what is said of a key. The later origin is a user's: it replaces the catalog's word. Two users who differ
/// make the key disputed, and are returned.
pub(super) fn say<T>(
    facts: &mut BTreeMap<Arc<str>, Said<T>>,
    key: &str,
    said: Said<T>,
    same: impl Fn(&T, &T) -> bool,
) -> Option<Clash> {
    match facts.get_mut(key) {
        None => {
            facts.insert(key.into(), said);
            None
        }
        Some(earlier) => override_or_clash(earlier, said, same),
    }
}

pub(super) fn say_one<T: PartialEq>(
    fact: &mut Option<Said<T>>,
    value: Option<T>,
    origin: &Origin,
    field: &str,
    part: &str,
) -> Option<Clash> {
    let said =
        Said { value: value?, origin: origin.clone(), field: format!("{field}.{part}"), disputed: false };
    match fact {
        None => {
            *fact = Some(said);
            None
        }
        Some(earlier) => override_or_clash(earlier, said, |one, other| one == other),
    }
}

fn override_or_clash<T>(
    earlier: &mut Said<T>,
    later: Said<T>,
    same: impl Fn(&T, &T) -> bool,
) -> Option<Clash> {
    if earlier.origin == Origin::BuiltIn && later.origin != Origin::BuiltIn {
        *earlier = later;
        return None;
    }
    if same(&earlier.value, &later.value) {
        return None;
    }
    earlier.disputed = true;
    Some([(earlier.origin.clone(), earlier.field.clone()), (later.origin, later.field)])
}
