//! `domicile probe`: whether the API server refuses what Domicile must refuse.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::PostParams;
use kube::core::Status as Said;
use kube::{Api, Client};
use serde_json::json;

use super::{Status, terminal};
use crate::api::keys;
use crate::cluster::live;

/// Longer than any webhook may take.
const TIMEOUT: Duration = Duration::from_secs(40);

/// Ask the API server for something that must be refused, and tell whether it was
///
/// It asks, as a dry run, for a Deployment whose classification is none: Domicile refuses that whatever the policies are,
/// and nothing is created either way. Tells whether enforcement is on, from wherever kubectl works.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Exit status:
  0  it was refused by Domicile: enforcement is on
  1  it was not: enforcement is off, or nobody answers the API server
  2  the API server could not be asked")]
pub(super) struct Args {
    /// Ask in this namespace, one that is not excluded from judgement
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default", env = "DOMICILE_NAMESPACE")]
    namespace: String,
}

pub(super) fn run(arguments: &Args) -> anyhow::Result<Status> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async {
        let client = live::connect().await?;
        let asked = tokio::time::timeout(TIMEOUT, ask(client, &arguments.namespace)).await;
        asked.map_err(|_| anyhow::anyhow!("the API server did not answer within {} s", TIMEOUT.as_secs()))
    })?;
    let answer = match answer {
        Ok(()) => Answer::Admitted,
        Err(kube::Error::Api(status)) => Answer::of(&status),
        Err(error) => return Err(error.into()),
    };
    let namespace = &arguments.namespace;
    match answer {
        Answer::Refused(message) => {
            terminal::print(|out| writeln!(out, "enforcement is on in namespace {namespace}: {message}"))?;
            Ok(Status::Compliant)
        }
        Answer::Admitted => {
            terminal::tell(
                "error",
                &format!(
                    "enforcement is off in namespace {namespace}: a Deployment that Domicile must refuse was admitted. Look \
                     for `kubectl get validatingwebhookconfigurations`, whether its failurePolicy is Ignore while no replica \
                     answers, and whether the namespace is excluded"
                ),
            );
            Ok(Status::Violations)
        }
        Answer::NobodyAnswers(message) => {
            terminal::tell(
                "error",
                &format!(
                    "what is judged is refused, but by the API server alone, as Domicile does not answer it: {message}. Look at \
                     the replicas and their logs"
                ),
            );
            Ok(Status::Violations)
        }
        Answer::SomethingElse(message) => {
            anyhow::bail!("the API server did not get as far as asking Domicile: {message}")
        }
    }
}

async fn ask(client: Client, namespace: &str) -> kube::Result<()> {
    let labels = json!({"app.kubernetes.io/name": "domicile-probe"});
    // A Deployment of no pods: quotas, default accounts and pod security have nothing to say about it. It keeps to the
    // restricted standard all the same, for what else may be asked.
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": {"generateName": "domicile-probe-", "labels": labels},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": {keys::CLASSIFICATION: "no classification"}},
                "spec": {
                    "automountServiceAccountToken": false,
                    "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [{
                        "name": "probe",
                        "image": "probe",
                        "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"memory": "1Mi"}},
                        "securityContext": {
                            "allowPrivilegeEscalation": false,
                            "capabilities": {"drop": ["ALL"]},
                            "readOnlyRootFilesystem": true,
                        },
                    }],
                },
            },
        },
    }))
    .map_err(kube::Error::SerdeError)?;
    let params = PostParams { dry_run: true, ..PostParams::default() };
    Api::namespaced(client, namespace).create(&params, &deployment).await.map(|_: Deployment| ())
}

/// What the API server said to it.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// Domicile refused it, and this is why.
    Refused(String),
    /// Nobody refused it.
    Admitted,
    /// The API server would have asked Domicile, and could not.
    NobodyAnswers(String),
    /// Somebody else refused it.
    SomethingElse(String),
}

impl Answer {
    /// From the words that the API server puts before those of a webhook, which name the entry.
    fn of(status: &Said) -> Self {
        let message = status.message.clone();
        let ours = format!(".{}\"", keys::GROUP);
        let by_us = |before: &str| {
            message.strip_prefix(before).and_then(|rest| rest.split_once(ours.as_str())).map(|(_, rest)| rest)
        };
        if let Some(why) =
            by_us("admission webhook \"").and_then(|rest| rest.strip_prefix(" denied the request: "))
        {
            Self::Refused(why.to_owned())
        } else if message.contains("failed calling webhook \"") && message.contains(&ours) {
            Self::NobodyAnswers(message)
        } else {
            Self::SomethingElse(message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(message: &str) -> Answer {
        Answer::of(&Said { message: message.to_owned(), ..Said::default() })
    }

    #[test]
    fn only_a_refusal_of_domicile_counts() {
        assert_eq!(
            answer("admission webhook \"workloads.domicile.dev\" denied the request: because"),
            Answer::Refused("because".into())
        );
        for other in [
            "admission webhook \"workloads.example.com\" denied the request: see \"x.domicile.dev\"",
            "deployments.apps is forbidden: User \"domicile.dev\" cannot create resource \"deployments\"",
            "namespaces \"abroad\" not found",
            "",
        ] {
            assert_eq!(answer(other), Answer::SomethingElse(other.into()));
        }
    }

    #[test]
    fn a_webhook_that_cannot_be_reached_refuses_nothing_itself() {
        let message = "Internal error occurred: failed calling webhook \"workloads.domicile.dev\": failed to call webhook: \
                       Post \"https://domicile.domicile-system.svc:443/validate?timeout=5s\": connection refused";
        assert_eq!(answer(message), Answer::NobodyAnswers(message.into()));
    }
}
