//! `domicile check`: judges manifests as the webhook would.

use std::collections::HashMap;
use std::path::PathBuf;

use super::engine::Engine;
use super::output::Report;
use super::settings::{ClusterArgs, SettingsArgs, VerdictArgs};
use super::terminal::tell;
use super::{EXIT_STATUSES, Status, input, verdicts};

/// Judge manifests as the webhook would, before they are applied
///
/// The manifests are laid over the objects of the cluster, and then each of them is judged: pods, everything that makes
/// pods, claims, volumes, snapshots and storage classes. Policies, geographies and namespaces among the manifests
/// count as if they were applied already.
#[derive(Debug, clap::Args)]
#[command(after_long_help = examples())]
pub(super) struct Args {
    /// Judge these manifests
    ///
    /// Files, folders (*.yaml, *.yml and *.json in them, hidden ones excepted) or `-` for standard input. YAML or
    /// JSON, with several documents in a file, or Lists. One file may hold up to 50 MiB.
    #[arg(short, long, value_name = "PATH", required = true, num_args = 1.., env = "DOMICILE_FILENAME")]
    filename: Vec<PathBuf>,

    #[command(flatten)]
    cluster: ClusterArgs,

    /// The namespace of manifests that name none
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default", env = "DOMICILE_NAMESPACE")]
    namespace: String,

    #[command(flatten)]
    verdict: VerdictArgs,

    #[command(flatten)]
    settings: SettingsArgs,
}

fn examples() -> String {
    format!(
        "\
Examples:
  Against the cluster of the current kubeconfig:
    domicile check -f app.yaml

  What a chart would install, against objects in files:
    helm template shop ./charts/shop | domicile check -f - --cluster cluster.yaml

  What will be wrong when an adequacy decision ends:
    domicile check -f manifests/ --at 2027-07-10

  For code scanning, with warnings as failures:
    domicile check -f manifests/ --cluster cluster/ --strict -o sarif > domicile.sarif

{EXIT_STATUSES}"
    )
}

pub(super) fn run(arguments: &Args) -> anyhow::Result<Status> {
    if input::is_stdin(&arguments.filename) && input::is_stdin(&arguments.cluster.cluster) {
        anyhow::bail!(
            "standard input cannot be both the manifests and the cluster: name a file for one of them"
        );
    }
    let manifests = input::manifests(&arguments.filename, &arguments.namespace);
    let cluster = input::cluster(&arguments.cluster.cluster).inspect_err(|_| {
        // Nothing can be judged, but what is wrong with the manifests is known already.
        manifests.errors.iter().for_each(|error| tell("error", &error.to_string()));
    })?;
    if !arguments.cluster.cluster.is_empty() {
        input::note_missing(&cluster.objects.iter().chain(&manifests.objects));
    }
    let mut sources = HashMap::new();
    let mut engine = Engine::new(&arguments.settings.get());
    for sourced in cluster.objects {
        sources.insert(sourced.object.reference(), sourced.source);
        engine.apply(sourced.object);
    }
    for sourced in &manifests.objects {
        sources.insert(sourced.object.reference(), sourced.source.clone());
        engine.apply(sourced.object.clone());
    }
    let now = arguments.verdict.time.get();
    let reports: Vec<Report> = manifests
        .objects
        .iter()
        .filter_map(|sourced| {
            let verdict = engine.judge(&sourced.object, now)?;
            Some(Report { verdict, source: sourced.source.clone() })
        })
        .collect();
    let problems = verdicts::problems(&engine, &sources);
    let errors = cluster.errors.into_iter().chain(manifests.errors).collect();
    verdicts::conclude(&reports, errors, problems, &arguments.verdict, true)
}
