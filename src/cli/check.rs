//! `domicile check`: judges manifests as the webhook would.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::input::Replaced;
use super::output::Report;
use super::settings::{ClusterArgs, SettingsArgs, VerdictArgs};
use super::terminal::tell;
use super::{EXIT_STATUSES, Status, input, verdicts};
use crate::residency::{Authorization, Request, Verb, is_judged, judge};

/// Judge manifests as the webhook would, before they are applied
///
/// The manifests are laid over the objects of the cluster, and then each of them is judged: pods, everything that makes
/// pods, claims, volumes, snapshots and storage classes. Policies, geographies and namespaces among the manifests
/// count as if they were applied already. What a manifest leaves out of an object that is there, and applying it leaves
/// alone (the volume of a claim, the node of a pod, what Domicile recorded), counts as it is.
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
    let mut manifests = input::manifests(&arguments.filename, &arguments.namespace);
    let cluster = input::cluster(&arguments.cluster.cluster).inspect_err(|_| {
        // Nothing can be judged, but what is wrong with the manifests is known already.
        manifests.errors.iter().for_each(|error| tell("error", &error.to_string()));
    })?;
    let absent = if arguments.cluster.cluster.is_empty() {
        BTreeSet::new()
    } else {
        input::absent(&cluster, &manifests.objects)
    };
    input::tell_skipped(&manifests);
    input::tell_ruling(&manifests);
    let settings = arguments.settings.get();
    let replaced = input::lay_over(&settings, &cluster.objects, &mut manifests.objects);
    let (mut state, sources) = input::state(settings, cluster.objects, &cluster.unread, &manifests.objects);
    state.set_absent(absent);
    let now = arguments.verdict.time.get();
    let judged = manifests.objects.iter().filter(|sourced| is_judged(&sourced.object));
    let reports: Vec<Report> = judged
        .map(|sourced| {
            let Some(Replaced { old, written }) = replaced.get(&sourced.object.reference()) else {
                let verdict = judge(&Request::create(&sourced.object), &state, now);
                return Report { verdict, source: sourced.source.clone() };
            };
            let mut verdict = judge(&Request::again(&sourced.object), &state, now);
            let change = judge(&Request::update(old, written), &state, now);
            let told = change.requires.iter().map(verb_needed).chain(change.warnings);
            let told: Vec<_> = told.filter(|warning| !verdict.warnings.contains(warning)).collect();
            verdict.warnings.extend(told);
            Report { verdict, source: sourced.source.clone() }
        })
        .collect();
    let problems = verdicts::problems(&state, &sources);
    let errors = cluster.errors.into_iter().chain(manifests.errors).collect();
    verdicts::conclude(&reports, errors, problems, &arguments.verdict, true)
}

/// What whoever applies a manifest over what is there must be allowed, in words.
fn verb_needed(needed: &Authorization) -> String {
    let policy = &needed.policy;
    let (verb, why) = (
        needed.verb.as_str(),
        match needed.verb {
            Verb::Declassify => {
                format!("what policy {policy} has hold of now, it would not have hold of any more")
            }
            Verb::Except => format!("it loosens policy {policy}"),
            Verb::Relocate => {
                format!(
                    "pods on the node break policy {policy} now, and would not if the node were said to be elsewhere"
                )
            }
        },
    );
    format!(
        "applied over what the cluster has, it takes the verb {verb} on residencypolicies/{policy}: {why}"
    )
}
