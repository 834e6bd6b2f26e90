//! Whom a webhook configuration trusts, entry by entry, and how it is told.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use serde_json::{Value, json};

use super::material::{Der, bundle_pem};
use crate::server::tls::certificate::certificates;

/// A webhook configuration, reduced to whom it trusts.
#[derive(Clone, Debug)]
pub(super) struct Configuration {
    /// What is told apart by it, and for the log.
    pub(super) kind: &'static str,
    pub(super) name: String,
    version: Option<String>,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    name: String,
    bundle: Vec<Der>,
}

impl Entry {
    fn new(name: &str, bundle: Option<&ByteString>) -> Self {
        let bundle = bundle.map(|bundle| certificates(&bundle.0).unwrap_or_default()).unwrap_or_default();
        Self { name: name.to_owned(), bundle }
    }

    fn is(&self, bundle: &[Der]) -> bool {
        self.bundle.len() == bundle.len() && bundle.iter().all(|ca| self.bundle.contains(ca))
    }
}

impl From<&ValidatingWebhookConfiguration> for Configuration {
    fn from(from: &ValidatingWebhookConfiguration) -> Self {
        let entries = from.webhooks.iter().flatten();
        Self {
            kind: "ValidatingWebhookConfiguration",
            name: from.metadata.name.clone().unwrap_or_default(),
            version: from.metadata.resource_version.clone(),
            entries: entries.map(|one| Entry::new(&one.name, one.client_config.ca_bundle.as_ref())).collect(),
        }
    }
}

impl From<&MutatingWebhookConfiguration> for Configuration {
    fn from(from: &MutatingWebhookConfiguration) -> Self {
        let entries = from.webhooks.iter().flatten();
        Self {
            kind: "MutatingWebhookConfiguration",
            name: from.metadata.name.clone().unwrap_or_default(),
            version: from.metadata.resource_version.clone(),
            entries: entries.map(|one| Entry::new(&one.name, one.client_config.ca_bundle.as_ref())).collect(),
        }
    }
}

impl Configuration {
    /// Whether every entry believes what this CA signs.
    pub(super) fn trusts(&self, ca: &Der) -> bool {
        self.entries.iter().all(|entry| entry.bundle.contains(ca))
    }

    /// Whether every entry believes these and nobody else.
    pub(super) fn is(&self, bundle: &[Der]) -> bool {
        self.entries.iter().all(|entry| entry.is(bundle))
    }

    /// Whom any entry believes.
    pub(super) fn trusted(&self) -> impl Iterator<Item = &Der> {
        self.entries.iter().flat_map(|entry| &entry.bundle)
    }

    /// A strategic merge patch: entries are found by their names, and it fails if anything has changed meanwhile.
    pub(super) fn patch(&self, bundle: &[Der]) -> Value {
        let pem = ByteString(bundle_pem(bundle).into_bytes());
        let entries: Vec<Value> = self
            .entries
            .iter()
            .filter(|entry| !entry.is(bundle))
            .map(|entry| json!({"name": entry.name, "clientConfig": {"caBundle": pem}}))
            .collect();
        json!({"metadata": {"resourceVersion": self.version}, "webhooks": entries})
    }
}
