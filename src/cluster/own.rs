//! What an object says that it carries (semantics 2).

use std::sync::Arc;

use super::settings::Settings;
use crate::api::keys;
use crate::objects::Metadata;
use crate::policy::is_dns_label;

/// Where on an object a classification stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OwnSource {
    /// In the annotation.
    Annotation,
    /// In the label.
    Label,
    /// In the record that Domicile keeps of what was inherited.
    Record,
}

impl OwnSource {
    /// In a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Annotation => "annotation",
            Self::Label => "label",
            Self::Record => "record",
        }
    }
}

/// A classification that an object says it carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Own {
    /// The token, as written.
    pub token: Arc<str>,
    /// Where it stands.
    pub source: OwnSource,
}

impl Own {
    /// Whether it is a DNS label, as it must be.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        is_dns_label(&self.token)
    }

    /// Everything that this metadata says, each once.
    #[must_use]
    pub fn of(metadata: &Metadata, settings: &Settings) -> Vec<Self> {
        let mut own = Vec::new();
        let mut add = |token: &str, source| {
            let token = token.trim();
            if !token.is_empty() {
                own.push(Self { token: token.into(), source });
            }
        };
        for key in &settings.classification_keys {
            if let Some(list) = metadata.annotations.get(key) {
                list.split(',').for_each(|token| add(token, OwnSource::Annotation));
            }
            if let Some(token) = metadata.labels.get(key) {
                add(token, OwnSource::Label);
            }
        }
        if let Some(list) = metadata.annotations.get(keys::RECORDED) {
            list.split(',').for_each(|token| add(token, OwnSource::Record));
        }
        own.sort_unstable();
        own.dedup();
        own
    }
}
