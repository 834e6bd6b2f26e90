//! Whether the API server asks Domicile, and about which namespaces: its webhook configurations.

mod chart;

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhook, MutatingWebhookConfiguration, ValidatingWebhook, ValidatingWebhookConfiguration,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

pub use self::chart::{ENTRIES, Entry, entry};
use super::live::chain;

/// The names of our webhooks end in this.
const OURS: &str = ".domicile.dev";
const TIMEOUT: Duration = Duration::from_secs(20);

/// What is known of enforcement.
#[derive(Clone, Debug, PartialEq)]
pub enum Enforcement {
    /// Nobody could be asked, for this reason.
    NotKnown(String),
    /// What the API server has.
    Known(Configured),
}

/// Our webhooks, as far as they could be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Configured {
    /// The webhooks that the API server has; none if it has none of ours.
    pub webhooks: Vec<Webhook>,
    /// Why it is not known which of them write; none if it is.
    pub unread: Option<String>,
}

/// One webhook of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    /// The configuration that it is in.
    pub configuration: String,
    /// When that was made.
    pub since: Option<Timestamp>,
    /// `bindings.domicile.dev`.
    pub name: String,
    /// Whether it may write into what it is asked about.
    pub writes: bool,
    /// Whether requests are refused while nobody answers.
    pub fails_closed: bool,
    /// Whether the API server knows whom to trust there.
    pub trusted: bool,
    /// The namespaces that it is asked about; absent, all.
    pub namespaces: Option<LabelSelector>,
    /// The names of the conditions under which it is asked.
    pub conditions: Vec<String>,
    /// What it is not asked about although it should be.
    pub left_out: Vec<String>,
}

/// Asks the API server.
pub async fn read(client: &Client) -> Enforcement {
    let validating = list::<ValidatingWebhookConfiguration>(client).await;
    match validating {
        Err(why) => Enforcement::NotKnown(why),
        Ok(validating) => Enforcement::Known(ours(validating, list(client).await)),
    }
}

async fn list<K>(client: &Client) -> Result<Vec<K>, String>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let configurations = Api::<K>::all(client.clone());
    match tokio::time::timeout(TIMEOUT, configurations.list(&ListParams::default())).await {
        Err(_) => Err(format!(
            "the API server did not answer within {} s when asked for its webhook configurations",
            TIMEOUT.as_secs()
        )),
        Ok(Err(kube::Error::Api(status))) if status.is_forbidden() => {
            Err(format!("the user of the kubeconfig may not list {}", K::plural(&())))
        }
        Ok(Err(error)) => Err(format!("the webhook configurations cannot be read: {}", chain(&error))),
        Ok(Ok(list)) => Ok(list.items),
    }
}

/// Our webhooks among all: those that only judge, and those that write, or why nobody knows of these.
#[must_use]
pub fn ours(
    validating: Vec<ValidatingWebhookConfiguration>,
    mutating: Result<Vec<MutatingWebhookConfiguration>, String>,
) -> Configured {
    let (mutating, unread) = match mutating {
        Ok(mutating) => (mutating, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    let judging = validating.into_iter().map(|one| {
        let webhooks: Vec<ValidatingWebhook> = one.webhooks.unwrap_or_default();
        (one.metadata, false, webhooks)
    });
    let writing = mutating.into_iter().map(|one| {
        (one.metadata, true, one.webhooks.unwrap_or_default().into_iter().map(asked_alike).collect())
    });
    let mut webhooks: Vec<Webhook> = judging
        .chain(writing)
        .flat_map(|(metadata, writes, all)| {
            let name = metadata.name.unwrap_or_default();
            let since = metadata.creation_timestamp.map(|time| time.0);
            all.into_iter()
                .filter(|webhook| webhook.name.ends_with(OURS))
                .map(move |webhook| of(name.clone(), since, writes, webhook))
        })
        .collect();
    let order = |one: &Webhook| (one.configuration.clone(), one.writes, one.name.clone());
    webhooks.sort_by_cached_key(order);
    Configured { webhooks, unread }
}

/// What is read of a webhook that writes is what one that judges has, too.
fn asked_alike(webhook: MutatingWebhook) -> ValidatingWebhook {
    ValidatingWebhook {
        name: webhook.name,
        client_config: webhook.client_config,
        failure_policy: webhook.failure_policy,
        match_conditions: webhook.match_conditions,
        namespace_selector: webhook.namespace_selector,
        object_selector: webhook.object_selector,
        rules: webhook.rules,
        ..ValidatingWebhook::default()
    }
}

fn of(configuration: String, since: Option<Timestamp>, writes: bool, webhook: ValidatingWebhook) -> Webhook {
    Webhook {
        configuration,
        since,
        writes,
        left_out: left_out(&webhook, writes),
        name: webhook.name,
        // Absent means Fail.
        fails_closed: webhook.failure_policy.is_none_or(|policy| policy == "Fail"),
        trusted: webhook.client_config.ca_bundle.is_some_and(|bundle| !bundle.0.is_empty()),
        namespaces: webhook.namespace_selector,
        conditions: webhook.match_conditions.unwrap_or_default().into_iter().map(|one| one.name).collect(),
    }
}

/// What rules, selectors and conditions leave out that is judged.
fn left_out(webhook: &ValidatingWebhook, writes: bool) -> Vec<String> {
    let Some(entry) = entry(&webhook.name) else { return Vec::new() };
    if entry.writes != writes {
        let kind = if writes { "a mutating" } else { "a validating" };
        return vec![format!("is {kind} webhook, and should be of the other kind")];
    }
    let rules = webhook.rules.as_deref().unwrap_or_default();
    let is_asked = |group: &str, resource: &str, operation: &str| {
        rules.iter().any(|rule| {
            let names = |list: Option<&Vec<String>>, wanted: &[&str]| {
                list.into_iter().flatten().any(|one| wanted.contains(&one.as_str()))
            };
            let all = if resource.contains('/') { "*/*" } else { "*" };
            names(rule.api_groups.as_ref(), &[group, "*"])
                && names(rule.api_versions.as_ref(), &[version(group), "*"])
                && names(rule.operations.as_ref(), &[operation, "*"])
                && names(rule.resources.as_ref(), &[resource, all, "*/*"])
        })
    };
    let mut found: Vec<String> = entry
        .asked
        .iter()
        .filter(|(group, resource, operations)| {
            !operations.iter().all(|operation| is_asked(group, resource, operation))
        })
        .map(|(_, resource, operations)| {
            format!("is not asked about {} of {resource}", operations.join(" and "))
        })
        .collect();
    let selector = webhook.object_selector.as_ref();
    if selector.is_some_and(|selector| *selector != LabelSelector::default()) {
        found.push("is asked only about objects whose labels match its objectSelector".to_owned());
    }
    for condition in webhook.match_conditions.iter().flatten() {
        match entry.conditions.iter().find(|(name, _)| *name == condition.name) {
            None => found.push(format!(
                "is asked only under the condition {}, which is none that Domicile's chart gives it",
                condition.name
            )),
            // A name says nothing of what it leaves out.
            Some((_, expression)) if spaced(&condition.expression) != *expression => found.push(format!(
                "is asked only under the condition {}, which is written otherwise than in the chart of this version of \
                 Domicile, so it is not known what it leaves out",
                condition.name
            )),
            Some(_) => {}
        }
    }
    found
}

/// The version in which the kinds of a group are stored.
fn version(group: &str) -> &'static str {
    if group == "domicile.dev" { "v1alpha1" } else { "v1" }
}

/// An expression with single spaces: lines are broken anywhere.
fn spaced(expression: &str) -> String {
    expression.split_whitespace().collect::<Vec<_>>().join(" ")
}
