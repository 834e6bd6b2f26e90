//! Whether the API server asks Domicile, and about which namespaces: its webhook configurations.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{ValidatingWebhook, ValidatingWebhookConfiguration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::ListParams;
use kube::{Api, Client};

use super::live::chain;

/// The names of our webhooks end in this.
const OURS: &str = ".domicile.dev";
/// Those without which a forbidden pod could come to be.
pub const NEEDED: [&str; 4] =
    ["workloads.domicile.dev", "bindings.domicile.dev", "volumes.domicile.dev", "cluster.domicile.dev"];
const TIMEOUT: Duration = Duration::from_secs(20);

/// What is known of enforcement.
#[derive(Clone, Debug, PartialEq)]
pub enum Enforcement {
    /// Nobody could be asked, for this reason.
    NotKnown(String),
    /// The webhooks that the API server has; none if it has none of ours.
    Known(Vec<Webhook>),
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

/// A group, a resource of it, and what is done to it.
type Asked = (&'static str, &'static str, &'static [&'static str]);

/// What each of [`NEEDED`] must be asked about at least.
const ASKED: [(&str, &[Asked]); 4] = [
    (
        NEEDED[0],
        &[
            ("", "pods", STORED),
            ("", "pods/status", STORED),
            ("", "replicationcontrollers", STORED),
            ("apps", "deployments", STORED),
            ("apps", "statefulsets", STORED),
            ("apps", "daemonsets", STORED),
            ("apps", "replicasets", STORED),
            ("batch", "jobs", STORED),
            ("batch", "cronjobs", STORED),
        ],
    ),
    (NEEDED[1], &[("", "pods/binding", &["CREATE"]), ("", "bindings", &["CREATE"])]),
    (
        NEEDED[2],
        &[
            ("", "persistentvolumeclaims", STORED),
            ("", "persistentvolumes", STORED),
            ("storage.k8s.io", "volumeattachments", &["CREATE"]),
            ("snapshot.storage.k8s.io", "volumesnapshots", STORED),
            ("snapshot.storage.k8s.io", "volumesnapshotcontents", STORED),
        ],
    ),
    (
        NEEDED[3],
        &[("", "nodes", &["UPDATE"]), ("", "nodes/status", &["UPDATE"]), ("", "namespaces", &["UPDATE"])],
    ),
];
const STORED: &[&str] = &["CREATE", "UPDATE"];

/// The conditions of the chart, which leave out what cannot matter.
const CONDITIONS: [&str; 4] = [
    "changes-more-than-finalizers-and-status",
    "node-says-another-place",
    "node-is-initialized",
    "namespace-changes-metadata",
];

/// Asks the API server.
pub async fn read(client: &Client) -> Enforcement {
    let configurations = Api::<ValidatingWebhookConfiguration>::all(client.clone());
    let params = ListParams::default();
    match tokio::time::timeout(TIMEOUT, configurations.list(&params)).await {
        Err(_) => Enforcement::NotKnown(format!(
            "the API server did not answer within {} s when asked for its webhook configurations",
            TIMEOUT.as_secs()
        )),
        Ok(Err(kube::Error::Api(status))) if status.is_forbidden() => Enforcement::NotKnown(
            "the user of the kubeconfig may not list validatingwebhookconfigurations".to_owned(),
        ),
        Ok(Err(error)) => {
            Enforcement::NotKnown(format!("the webhook configurations cannot be read: {}", chain(&error)))
        }
        Ok(Ok(list)) => Enforcement::Known(ours(list.items)),
    }
}

/// Our webhooks among all.
#[must_use]
pub fn ours(configurations: Vec<ValidatingWebhookConfiguration>) -> Vec<Webhook> {
    let mut found: Vec<Webhook> = configurations
        .into_iter()
        .flat_map(|configuration| {
            let name = configuration.metadata.name.unwrap_or_default();
            let since = configuration.metadata.creation_timestamp.map(|time| time.0);
            let all = configuration.webhooks.unwrap_or_default().into_iter();
            all.filter(|webhook| webhook.name.ends_with(OURS))
                .map(move |webhook| of(name.clone(), since, webhook))
        })
        .collect();
    found.sort_by(|one, other| (&one.configuration, &one.name).cmp(&(&other.configuration, &other.name)));
    found
}

fn of(configuration: String, since: Option<Timestamp>, webhook: ValidatingWebhook) -> Webhook {
    Webhook {
        configuration,
        since,
        left_out: left_out(&webhook),
        name: webhook.name,
        // Absent means Fail.
        fails_closed: webhook.failure_policy.is_none_or(|policy| policy == "Fail"),
        trusted: webhook.client_config.ca_bundle.is_some_and(|bundle| !bundle.0.is_empty()),
        namespaces: webhook.namespace_selector,
        conditions: webhook.match_conditions.unwrap_or_default().into_iter().map(|one| one.name).collect(),
    }
}

/// What rules, selectors and conditions leave out that is judged.
fn left_out(webhook: &ValidatingWebhook) -> Vec<String> {
    let Some((_, asked)) = ASKED.iter().find(|(name, _)| *name == webhook.name) else { return Vec::new() };
    let rules = webhook.rules.as_deref().unwrap_or_default();
    let is_asked = |group: &str, resource: &str, operation: &str| {
        rules.iter().any(|rule| {
            let names = |list: Option<&Vec<String>>, wanted: &[&str]| {
                list.into_iter().flatten().any(|one| wanted.contains(&one.as_str()))
            };
            let all = if resource.contains('/') { "*/*" } else { "*" };
            names(rule.api_groups.as_ref(), &[group, "*"])
                && names(rule.api_versions.as_ref(), &["v1", "*"])
                && names(rule.operations.as_ref(), &[operation, "*"])
                && names(rule.resources.as_ref(), &[resource, all, "*/*"])
        })
    };
    let mut found: Vec<String> = asked
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
    let conditions = webhook.match_conditions.iter().flatten();
    let others = conditions.filter(|condition| !CONDITIONS.contains(&condition.name.as_str()));
    found.extend(others.map(|condition| {
        format!("is asked only under the condition {}, which is none of Domicile's chart", condition.name)
    }));
    found
}
