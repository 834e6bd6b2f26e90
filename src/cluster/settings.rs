//! What an operator sets for a whole cluster.

use crate::api::keys;
use crate::geography::Defaults;
use crate::placement::selector::Selector;

/// What happens to a classification that no policy governs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ungoverned {
    /// A warning that names the nearest governed one.
    #[default]
    Warn,
    /// A denial.
    Deny,
}

/// What an operator sets for a whole cluster.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Keys of the classification annotation and label. The first is the one that messages name.
    pub classification_keys: Vec<String>,
    /// What happens to a classification that no policy governs.
    pub ungoverned: Ungoverned,
    /// In these namespaces, what carries no classification is refused. Absent: in none.
    pub required: Option<Selector>,
    /// Where nodes are of which nothing else says it. Absent: unknown.
    pub defaults: Defaults,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            classification_keys: vec![keys::CLASSIFICATION.to_owned()],
            ungoverned: Ungoverned::default(),
            required: None,
            defaults: Defaults::default(),
        }
    }
}
