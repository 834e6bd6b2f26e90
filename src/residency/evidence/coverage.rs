//! What enforcement covers: from the webhooks that the API server has.

use std::collections::BTreeMap;

use super::facts::{Coverage, ExcludedNamespace, WebhookFacts};
use super::gather::InNamespace;
use super::lists::cut;
use crate::api::Remedy;
use crate::cluster::State;
use crate::cluster::enforcement::{Configured, ENTRIES, Enforcement, Entry, Webhook, entry};
use crate::placement::selector::{LabelsRef, Selector};

/// Namespaces that are listed at most.
const LISTED: usize = 500;

pub(super) fn coverage(
    state: &State,
    enforcement: &Enforcement,
    inside: &BTreeMap<&str, InNamespace>,
) -> Coverage {
    let configured = match enforcement {
        Enforcement::NotKnown(why) => {
            return Coverage {
                enforced: None,
                remarks: vec![why.clone()],
                webhooks: Vec::new(),
                excluded: cut(Vec::new(), LISTED),
            };
        }
        Enforcement::Known(configured) => configured,
    };
    let mut remarks = remarks(state, configured);
    let mut enforced = Some(remarks.is_empty());
    if let Some(why) = &configured.unread {
        if enforced == Some(true) {
            enforced = None;
        }
        remarks.push(format!(
            "{why}: whether what is inherited is written down, and pods are confined, is not known"
        ));
    }
    Coverage {
        enforced,
        remarks,
        excluded: cut(excluded(state, &configured.webhooks, inside), LISTED),
        webhooks: configured.webhooks.iter().map(facts).collect(),
    }
}

/// The webhooks without which enforcement has a gap, as far as it could be read whether they are there.
fn needed(state: &State, configured: &Configured) -> Vec<(&'static Entry, &'static str)> {
    let confines = state.policies().iter().any(|policy| policy.remedy == Remedy::Confine);
    let is_needed = |entry: &Entry| {
        !(entry.writes && configured.unread.is_some()) && (confines || entry.name != "confine.domicile.dev")
    };
    let needed = ENTRIES.iter().filter(|entry| is_needed(entry));
    needed.filter_map(|entry| Some((entry, entry.without?))).collect()
}

fn remarks(state: &State, configured: &Configured) -> Vec<String> {
    let webhooks = &configured.webhooks;
    if webhooks.is_empty() {
        return vec!["the API server has no webhook of Domicile: nothing is enforced".to_owned()];
    }
    let needed = needed(state, configured);
    let missing = needed
        .iter()
        .filter(|(needed, _)| !webhooks.iter().any(|webhook| webhook.name == needed.name))
        .map(|(needed, without)| format!("the webhook {} is missing: {without}", needed.name));
    let is_needed = |webhook: &Webhook| needed.iter().any(|(needed, _)| needed.name == webhook.name);
    let open = webhooks.iter().filter(|webhook| is_needed(webhook) && !webhook.fails_closed);
    let open = open.map(|webhook| {
        format!("the webhook {} admits what it is asked about while nobody answers", webhook.name)
    });
    let distrusted = webhooks.iter().filter(|webhook| !webhook.trusted);
    let distrusted = distrusted.map(|webhook| {
        format!("the webhook {} has no caBundle, so the API server may not trust it", webhook.name)
    });
    let left_out = webhooks.iter().flat_map(|webhook| {
        webhook.left_out.iter().map(move |what| format!("the webhook {} {what}", webhook.name))
    });
    missing.chain(open).chain(distrusted).chain(left_out).collect()
}

fn excluded(
    state: &State,
    webhooks: &[Webhook],
    inside: &BTreeMap<&str, InNamespace>,
) -> Vec<ExcludedNamespace> {
    let selectors: Vec<(&str, Option<Selector>)> = webhooks
        .iter()
        .filter(|webhook| entry(&webhook.name).is_some_and(|entry| entry.without.is_some()))
        .map(|webhook| {
            // One that cannot be read is the API server's to refuse: it leaves out what it can.
            let selector = webhook.namespaces.as_ref().map(|raw| Selector::compile(raw).unwrap_or_default());
            (webhook.name.as_str(), selector)
        })
        .collect();
    let mut namespaces: Vec<_> = state.namespaces().collect();
    namespaces.sort_unstable_by_key(|(name, _)| *name);
    let of = |(name, entry): (&str, &crate::cluster::NamespaceEntry)| {
        let leaves_out = |selector: &Option<Selector>| {
            selector.as_ref().is_some_and(|selector| !selector.matches(LabelsRef::Map(&entry.labels)))
        };
        let webhooks: Vec<String> = selectors
            .iter()
            .filter(|(_, selector)| leaves_out(selector))
            .map(|(webhook, _)| (*webhook).to_owned())
            .collect();
        let here = inside.get(name).copied().unwrap_or_default();
        (!webhooks.is_empty()).then(|| ExcludedNamespace {
            namespace: name.to_owned(),
            webhooks,
            classified: here.classified,
            violating: here.violating,
        })
    };
    namespaces.into_iter().filter_map(of).collect()
}

fn facts(webhook: &Webhook) -> WebhookFacts {
    WebhookFacts {
        configuration: webhook.configuration.clone(),
        name: webhook.name.clone(),
        purpose: entry(&webhook.name).map(|entry| entry.purpose),
        since: webhook.since,
        fails_closed: webhook.fails_closed,
        trusted: webhook.trusted,
        conditions: webhook.conditions.clone(),
    }
}
