//! `domicile explain`: the whole story of one object.

use std::collections::BTreeSet;

use anyhow::anyhow;

use super::output::table::{Layout, write_details};
use super::output::{Outcome, Report, chain, incomplete, json};
use super::settings::{SettingsArgs, TimeArgs};
use super::target::{Target, find, target};
use super::terminal::{self, tell};
use super::{EXIT_STATUSES, Status, input, verdicts};
use crate::residency::{Explanation, explain};

/// Explain what is decided about one object of a cluster, and why
///
/// Tells what it carries and where each classification comes from, what its policies say, where it can be, and what
/// to write instead if that is wrong.
#[derive(Debug, clap::Args)]
#[command(after_long_help = examples())]
pub(super) struct Args {
    /// The object, as kubectl names it: pod/orders-0, sts/orders, pvc/data
    #[arg(value_name = "KIND/NAME", value_parser = target)]
    object: Target,

    /// The object's namespace
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default", env = "DOMICILE_NAMESPACE")]
    namespace: String,

    /// Read the cluster's objects from these files, folders or `-` instead of the current kubeconfig's cluster
    #[arg(long, value_name = "PATH", num_args = 1.., env = "DOMICILE_CLUSTER")]
    cluster: Vec<std::path::PathBuf>,

    /// Print the explanation in this format
    #[arg(short, long, value_enum, default_value_t, env = "DOMICILE_OUTPUT")]
    output: super::settings::PlainFormat,

    #[command(flatten)]
    time: TimeArgs,

    #[command(flatten)]
    settings: SettingsArgs,
}

fn examples() -> String {
    format!(
        "\
Examples:
  domicile explain deploy/web -n shop
  domicile explain pod/orders-0 -n shop --cluster cluster.yaml
  domicile explain pvc/data -n shop -o json

{EXIT_STATUSES}"
    )
}

pub(super) fn run(arguments: &Args) -> anyhow::Result<Status> {
    let cluster = input::cluster(&arguments.cluster)?;
    for error in &cluster.errors {
        tell("error", &error.to_string());
    }
    let found = find(&cluster.objects, &arguments.object, &arguments.namespace)?;
    let (object, source) = (found.object.reference(), found.source.clone());
    let given = !arguments.cluster.is_empty();
    let absent = if given { input::absent(&cluster, &[]) } else { BTreeSet::new() };
    let (mut state, sources) = input::state(arguments.settings.get(), cluster.objects, &cluster.unread, &[]);
    state.set_absent(absent);
    let problems = verdicts::problems(&state, &sources);
    for error in &problems.errors {
        tell("error", &error.to_string());
    }
    let errors: Vec<_> = cluster.errors.into_iter().chain(problems.errors).collect();
    let kind = arguments.object.kind;
    let Explanation { verdict, chain } =
        explain(&state, kind, &object.namespace, &object.name, arguments.time.get())
            .ok_or_else(|| anyhow!("{object} is not judged by itself"))?;
    let reports = [Report { verdict, source }];
    let outcome = Outcome { reports: &reports, errors: &errors, since: None };
    match arguments.output {
        super::settings::PlainFormat::Json => {
            terminal::print(|out| json::write(&outcome, Some(&chain), out))?;
        }
        super::settings::PlainFormat::Table => terminal::print_coloured(|out| {
            let layout = Layout { width: terminal::width(), list_allowed: true };
            for report in &reports {
                write_details(report, &outcome, layout, out)?;
            }
            chain::write(&chain, layout, out)?;
            if outcome.is_complete() { Ok(()) } else { writeln!(out, "{}", incomplete(outcome.errors)) }
        })?,
    }
    Ok(verdicts::status(&outcome, false, false))
}
