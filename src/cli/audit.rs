//! `domicile audit`: judges everything that exists.

use std::collections::BTreeSet;

use super::output::Report;
use super::settings::{ClusterArgs, SettingsArgs, VerdictArgs};
use super::since::since;
use super::terminal::Progress;
use super::{EXIT_STATUSES, Status, input, verdicts};
use crate::cluster::Source;
use crate::residency::audit;

/// Judge everything that exists in a cluster
///
/// Pods that run are judged by the node that they run on, everything else by where it could be. The table lists what
/// there is something to say about; the other formats list every object. Where `domicile serve` keeps reports in the
/// cluster, they say since when an object has broken a policy, and the policy's status says since when any has.
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
    let given = !arguments.cluster.cluster.is_empty();
    let absent = if given { input::absent(&cluster, &[]) } else { BTreeSet::new() };
    let at = arguments.verdict.time.get();
    let since = since(&cluster.objects, given, at)?;
    let (mut state, sources) = input::state(arguments.settings.get(), cluster.objects, &cluster.unread, &[]);
    state.set_absent(absent);
    let mut progress = Progress::new("objects judged:");
    let mut reports: Vec<Report> = Vec::new();
    for verdict in audit(&state, at) {
        let source = sources.get(&verdict.object).cloned().unwrap_or_else(Source::cluster);
        reports.push(Report { verdict, source });
        progress.count(reports.len());
    }
    drop(progress);
    reports.sort_by(|one, other| {
        (&one.source, &one.verdict.object).cmp(&(&other.source, &other.verdict.object))
    });
    let problems = verdicts::problems(&state, &sources);
    verdicts::conclude_since(&reports, Some(&since), cluster.errors, problems, &arguments.verdict, false)
}
