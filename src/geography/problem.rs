//! What is wrong with a `Geography` object.

use std::fmt;
use std::sync::Arc;

/// Something that is wrong with a `Geography` object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The object's name.
    pub object: Arc<str>,
    /// The field's path in the object (`spec.regions[2].jurisdiction`).
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// Whether the entry is wrong in itself, or two disagree.
    pub kind: ProblemKind,
}

/// What kind of problem it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The entry is wrong. It is ignored; a group is kept by name, and cannot be used.
    Invalid,
    /// Another object says otherwise at the same specificity: what they disagree about is unknown.
    Conflict {
        /// The other object.
        with: Arc<str>,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Geography {}: {}: {}", self.object, self.field, self.message)
    }
}
