//! What YAML's readers disagree about: which of two values counts where a merge key (`<<`) brings one that stands in the
//! map already, and whether a line ends at a few rare characters. Neither is guessed.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

const MERGE: &str = "<<";

/// The first key that a map of this value gets twice, once by a merge. `value` is as it is written, merges unresolved.
pub(super) fn collision(value: &Value) -> Option<String> {
    match value {
        Value::Array(values) => values.iter().find_map(collision),
        Value::Object(fields) => {
            fields.values().find_map(collision).or_else(|| add(fields, &mut BTreeSet::new()))
        }
        _ => None,
    }
}

/// Adds the keys of a map, and of what it merges, to those that are there; answers the first that is there already.
fn add<'v>(fields: &'v Map<String, Value>, there: &mut BTreeSet<&'v str>) -> Option<String> {
    let own = fields.keys().filter(|key| *key != MERGE).find(|key| !there.insert(key));
    let merged = || {
        let values = match fields.get(MERGE)? {
            Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        values.iter().filter_map(Value::as_object).find_map(|fields| add(fields, there))
    };
    own.cloned().or_else(merged)
}

/// Whether there can be a merge in a text.
pub(super) fn has_merge(text: &str) -> bool {
    text.contains(MERGE)
}

/// The first character at which YAML 1.1 ends a line, as kubectl does, and YAML 1.2 does not, with the lines before it.
pub(super) fn odd_line_end(text: &str) -> Option<(usize, char)> {
    let (at, found) =
        text.char_indices().find(|(_, one)| matches!(one, '\u{85}' | '\u{2028}' | '\u{2029}'))?;
    Some((text[..at].bytes().filter(|byte| *byte == b'\n').count(), found))
}
