//! `domicile simulate`: what a change would do to what exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::bail;
use clap::ArgGroup;
use jiff::Timestamp;

use super::input::Sources;
use super::output::impact::{self, Simulation};
use super::settings::{ClusterArgs, PlainFormat, SettingsArgs, TimeArgs, time};
use super::target::{Target, find, target};
use super::terminal::{self, tell};
use super::{Status, input, verdicts};
use crate::cluster::{Kind, Sourced, State};
use crate::objects::Object;
use crate::residency::simulate;

/// Say what a change would break, and what it would allow, among what exists
///
/// Judges everything that exists twice: as it is, and as it would be with these policies, geographies, exceptions or
/// nodes, without others, or at another time. Prints what would break a policy that it keeps now, and what would no longer
/// break one, by policy, namespace and jurisdiction. Nothing is written.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = EXAMPLES,
    group(ArgGroup::new("change").args(["filename", "without", "at"]).required(true).multiple(true))
)]
pub(super) struct Args {
    /// As if these manifests were applied
    ///
    /// Files, folders (*.yaml, *.yml and *.json in them, hidden ones excepted) or `-` for standard input. Policies,
    /// geographies, exceptions and nodes, which decide about other objects, and whatever else the manifests hold. What a
    /// manifest leaves out of an object that is there stays, as `kubectl apply` has it; see --replace.
    #[arg(short, long, value_name = "PATH", num_args = 1.., env = "DOMICILE_FILENAME")]
    filename: Vec<PathBuf>,

    /// As if the manifests replaced what is there
    ///
    /// Each manifest is the whole object, as for `kubectl replace`: labels, annotations and fields that it leaves out are
    /// gone. So a label is taken from a node: save the node with `kubectl get node NAME -o yaml`, edit it, and simulate the
    /// file. The API server changes no providerID that is set; one that is left out stands for a node that is deleted
    /// and registers anew without it.
    #[arg(long, requires = "filename", env = "DOMICILE_REPLACE")]
    replace: bool,

    /// As if this object were deleted, such as respol/eu-personal; may be repeated
    ///
    /// Pods that are bound to a node that is taken away count as broken: nobody knows where they would be.
    #[arg(long, value_name = "KIND/NAME", value_parser = target, value_delimiter = ',', env = "DOMICILE_WITHOUT")]
    without: Vec<Target>,

    #[command(flatten)]
    cluster: ClusterArgs,

    /// The namespace of manifests, and of objects to take away, that name none
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default", env = "DOMICILE_NAMESPACE")]
    namespace: String,

    /// Compare with how it will be, or was, at this time
    ///
    /// Written as --at is. Without this option: now.
    #[arg(long, value_name = "TIME", value_parser = time, env = "DOMICILE_FROM")]
    from: Option<Timestamp>,

    #[command(flatten)]
    at: TimeArgs,

    /// Print what changes in this format
    #[arg(short, long, value_enum, default_value_t, env = "DOMICILE_OUTPUT")]
    output: PlainFormat,

    #[command(flatten)]
    settings: SettingsArgs,
}

const EXAMPLES: &str = "\
Examples:
  What a stricter policy would break in the cluster of the current kubeconfig:
    domicile simulate -f eu-personal.yaml

  The same without a policy, and without an exception:
    domicile simulate --without respol/eu-personal
    domicile simulate --without resex/migration -n crm

  What breaks by itself until a day, as decisions and exceptions end:
    domicile simulate --at 2027-07-10

  What becomes of objects in files when nodes are relabelled as in nodes.yaml:
    domicile simulate -f nodes.yaml --cluster cluster.yaml -o json | jq '.broken.groups'

  What breaks if a node loses a label, which is taken out of the file:
    kubectl get node a1 -o yaml > node.yaml
    domicile simulate -f node.yaml --replace

Exit status:
  0  nothing would break a policy that it keeps now
  1  something would, or would be denied and is only reported now
  2  the call or an input is wrong: the reason is on standard error. What could
     be read is judged all the same, and the output says that it is incomplete";

pub(super) fn run(arguments: &Args) -> anyhow::Result<Status> {
    if input::is_stdin(&arguments.filename) && input::is_stdin(&arguments.cluster.cluster) {
        bail!("standard input cannot be both the manifests and the cluster: name a file for one of them");
    }
    let mut manifests = input::manifests(&arguments.filename, &arguments.namespace);
    let cluster = input::cluster(&arguments.cluster.cluster).inspect_err(|_| {
        manifests.errors.iter().for_each(|error| tell("error", &error.to_string()));
    })?;
    let absent = if arguments.cluster.cluster.is_empty() {
        BTreeSet::new()
    } else {
        input::absent(&cluster, &manifests.objects)
    };
    input::tell_skipped(&manifests);
    let gone = gone(arguments, &cluster.objects, &manifests.objects)?;
    let settings = arguments.settings.get();
    if !arguments.replace {
        let written = saved(&manifests.objects);
        let _ = input::lay_over(&settings, &cluster.objects, &mut manifests.objects);
        for written in &written {
            tell_kept(written, &manifests.objects);
        }
    }
    let (mut before, mut sources) = input::state(settings, cluster.objects, &cluster.unread, &[]);
    before.set_absent(absent);
    let after = changed(&before, &gone, manifests.objects, &mut sources);
    let from = arguments.from.unwrap_or_else(Timestamp::now);
    let at = arguments.at.given().unwrap_or(from);
    let impact = simulate((&before, from), (&after, at));
    let mut errors: Vec<_> = cluster.errors.into_iter().chain(manifests.errors).collect();
    errors.extend(verdicts::problems(&after, &sources).errors);
    errors.sort();
    let simulation = Simulation { impact: &impact, from, at, errors: &errors };
    match arguments.output {
        PlainFormat::Json => terminal::print(|out| impact::write_json(&simulation, out))?,
        PlainFormat::Table => {
            terminal::print_coloured(|out| impact::write_table(&simulation, terminal::width(), out))?;
        }
    }
    for error in &errors {
        tell("error", &error.to_string());
    }
    Ok(if !errors.is_empty() {
        Status::Wrong
    } else if impact.is_worse() {
        Status::Violations
    } else {
        Status::Compliant
    })
}

/// Manifests that were printed by a cluster: whoever edits one means what is not in it any more.
fn saved(manifests: &[Sourced]) -> Vec<Object> {
    let saved = manifests.iter().map(|sourced| &sourced.object);
    let has_uid = |object: &&Object| object.metadata().is_some_and(|metadata| !metadata.uid.is_empty());
    saved.filter(has_uid).cloned().collect()
}

/// Says what a manifest leaves out and keeps all the same.
fn tell_kept(written: &Object, applied: &[Sourced]) {
    let reference = written.reference();
    let same = applied.iter().find(|sourced| sourced.object.reference() == reference);
    let Some(object) = same.map(|sourced| &sourced.object) else { return };
    let (Some(said), Some(kept)) = (written.metadata(), object.metadata()) else { return };
    let left_out = |said: &BTreeMap<String, String>, kept: &BTreeMap<String, String>, what: &str| {
        let keys = kept.keys().filter(|key| !said.contains_key(*key));
        keys.map(|key| format!("{what} {key}")).collect::<Vec<_>>()
    };
    let mut stays = left_out(&said.labels, &kept.labels, "label");
    stays.extend(left_out(&said.annotations, &kept.annotations, "annotation"));
    if let (Object::Node(said), Object::Node(kept)) = (written, object)
        && said.spec.provider_id != kept.spec.provider_id
    {
        stays.push("spec.providerID".to_owned());
    }
    if !stays.is_empty() {
        tell(
            "note",
            &format!(
                "{reference}: what the manifest leaves out stays, as `kubectl apply` has it ({}); with --replace it goes",
                stays.join(", ")
            ),
        );
    }
}

/// What is to be taken away: it must be there, or a name with a mistake in it would pass for a change without an effect.
fn gone(
    arguments: &Args,
    cluster: &[Sourced],
    manifests: &[Sourced],
) -> anyhow::Result<Vec<(Kind, String, String)>> {
    let one = |wanted: &Target| {
        if wanted.kind == Kind::Namespace {
            bail!(
                "--without ns/{}: with a namespace goes all that is in it; take these objects away",
                wanted.name
            );
        }
        let found = find(cluster, wanted, &arguments.namespace)?.object.reference();
        if manifests.iter().any(|manifest| manifest.object.reference() == found) {
            bail!("{found} is among the manifests and to be taken away: leave one of them out");
        }
        Ok((wanted.kind, found.namespace, found.name))
    };
    arguments.without.iter().map(one).collect()
}

/// The state as it would be.
fn changed(
    before: &State,
    gone: &[(Kind, String, String)],
    manifests: Vec<Sourced>,
    sources: &mut Sources,
) -> State {
    let mut after = before.clone();
    for (kind, namespace, name) in gone {
        after.delete(*kind, namespace, name);
    }
    let mut objects: Vec<Object> = Vec::with_capacity(manifests.len());
    for (number, Sourced { mut object, source }) in manifests.into_iter().enumerate() {
        object.name_for_now(number + 1);
        sources.insert(object.reference(), source);
        objects.push(object);
    }
    after.apply_all(objects);
    after
}
