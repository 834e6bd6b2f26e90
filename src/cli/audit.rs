//! `domicile audit`: judges everything that exists.

use std::collections::HashMap;

use super::engine::Engine;
use super::output::Report;
use super::settings::{ClusterArgs, SettingsArgs, VerdictArgs};
use super::terminal::Progress;
use super::{EXIT_STATUSES, Status, input, verdicts};

/// Judge everything that exists in a cluster
///
/// Pods that run are judged by the node that they run on, everything else by where it could be. The table lists what
/// there is something to say about; the other formats list every object.
#[derive(Debug, clap::Args)]
#[command(after_long_help = examples())]
pub(super) struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,

    #[command(flatten)]
    verdict: VerdictArgs,

    #[command(flatten)]
    settings: SettingsArgs,
}

fn examples() -> String {
    format!(
        "\
Examples:
  The cluster of the current kubeconfig:
    domicile audit

  Objects in files, as a test report:
    domicile audit --cluster cluster.yaml -o junit > residency.xml

  What is denied, by policy:
    domicile audit -o json | jq -r '.results[].findings[] | select(.action == \"Deny\") | .policy' | sort | uniq -c

{EXIT_STATUSES}"
    )
}

pub(super) fn run(arguments: &Args) -> anyhow::Result<Status> {
    let cluster = input::cluster(&arguments.cluster.cluster)?;
    if !arguments.cluster.cluster.is_empty() {
        input::note_missing(&cluster.objects.iter());
    }
    let mut engine = Engine::new(&arguments.settings.get());
    for sourced in &cluster.objects {
        engine.apply(sourced.object.clone());
    }
    let now = arguments.verdict.time.get();
    let mut reports = Vec::new();
    let mut progress = Progress::new("objects judged:");
    for (index, sourced) in cluster.objects.iter().enumerate() {
        if let Some(verdict) = engine.audit(&sourced.object, now) {
            reports.push(Report { verdict, source: sourced.source.clone() });
        }
        progress.count(index);
    }
    drop(progress);
    let sources: HashMap<_, _> =
        cluster.objects.iter().map(|sourced| (sourced.object.reference(), sourced.source.clone())).collect();
    let problems = verdicts::problems(&engine, &sources);
    verdicts::conclude(&reports, cluster.errors, problems, &arguments.verdict, false)
}
