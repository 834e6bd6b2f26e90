//! `domicile explain`: the whole story of one object.

use std::collections::BTreeSet;

use anyhow::{anyhow, bail};

use super::output::table::{Layout, write_details};
use super::output::{Outcome, Report, chain, incomplete, json};
use super::settings::{SettingsArgs, TimeArgs};
use super::terminal::{self, tell};
use super::{EXIT_STATUSES, Status, input, verdicts};
use crate::cluster::{Kind, Sourced};
use crate::objects::WorkloadKind;
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

#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    kind: Kind,
    name: String,
}

/// Kinds, with the names that `kubectl` takes for them.
const KINDS: [(Kind, &[&str]); 20] = [
    (Kind::Pod, &["pod", "pods", "po"]),
    (Kind::Workload(WorkloadKind::Deployment), &["deployment", "deployments", "deploy"]),
    (Kind::Workload(WorkloadKind::StatefulSet), &["statefulset", "statefulsets", "sts"]),
    (Kind::Workload(WorkloadKind::DaemonSet), &["daemonset", "daemonsets", "ds"]),
    (Kind::Workload(WorkloadKind::ReplicaSet), &["replicaset", "replicasets", "rs"]),
    (
        Kind::Workload(WorkloadKind::ReplicationController),
        &["replicationcontroller", "replicationcontrollers", "rc"],
    ),
    (Kind::Workload(WorkloadKind::Job), &["job", "jobs"]),
    (Kind::Workload(WorkloadKind::CronJob), &["cronjob", "cronjobs", "cj"]),
    (Kind::PersistentVolumeClaim, &["persistentvolumeclaim", "persistentvolumeclaims", "pvc"]),
    (Kind::PersistentVolume, &["persistentvolume", "persistentvolumes", "pv"]),
    (Kind::StorageClass, &["storageclass", "storageclasses", "sc"]),
    (Kind::VolumeAttachment, &["volumeattachment", "volumeattachments"]),
    (Kind::VolumeSnapshot, &["volumesnapshot", "volumesnapshots", "vs"]),
    (Kind::VolumeSnapshotContent, &["volumesnapshotcontent", "volumesnapshotcontents", "vsc"]),
    (Kind::VolumeSnapshotClass, &["volumesnapshotclass", "volumesnapshotclasses", "vsclass"]),
    (Kind::Node, &["node", "nodes", "no"]),
    (Kind::Namespace, &["namespace", "namespaces", "ns"]),
    (Kind::ResidencyPolicy, &["residencypolicy", "residencypolicies", "respol"]),
    (Kind::Geography, &["geography", "geographies", "geo"]),
    (Kind::ResidencyException, &["residencyexception", "residencyexceptions", "resex"]),
];

fn target(text: &str) -> Result<Target, String> {
    let (kind, name) = text.split_once('/').ok_or("write it as KIND/NAME, such as pod/orders-0")?;
    if name.is_empty() || name.contains('/') {
        return Err("a name is expected behind the slash; a namespace goes into -n".to_owned());
    }
    // `deployments.apps`, as kubectl prints it.
    let plain = kind.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let known = KINDS.iter().find(|(_, names)| names.contains(&plain.as_str()));
    let (kind, _) = known.ok_or_else(|| format!("no kind {kind:?} is judged"))?;
    Ok(Target { kind: *kind, name: name.to_owned() })
}

pub(super) fn run(arguments: &Args) -> anyhow::Result<Status> {
    let cluster = input::cluster(&arguments.cluster)?;
    for error in &cluster.errors {
        tell("error", &error.to_string());
    }
    let found = find(&cluster.objects, &arguments.object, &arguments.namespace)?;
    let (object, source) = (found.object.reference(), found.source.clone());
    let given = !arguments.cluster.is_empty();
    let absent = if given { input::absent(&cluster.objects.iter()) } else { BTreeSet::new() };
    let (mut state, sources) = input::state(arguments.settings.get(), cluster.objects, &[]);
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
    let outcome = Outcome { reports: &reports, errors: &errors };
    match arguments.output {
        super::settings::PlainFormat::Json => {
            terminal::print(|out| json::write(&outcome, Some(&chain), out))?;
        }
        super::settings::PlainFormat::Table => terminal::print_coloured(|out| {
            let layout = Layout { width: terminal::width(), list_allowed: true };
            for report in &reports {
                write_details(report, layout, out)?;
            }
            chain::write(&chain, layout, out)?;
            if outcome.is_complete() { Ok(()) } else { writeln!(out, "{}", incomplete(outcome.errors)) }
        })?,
    }
    Ok(verdicts::status(&outcome, false, false))
}

fn find<'a>(objects: &'a [Sourced], target: &Target, namespace: &str) -> anyhow::Result<&'a Sourced> {
    let of_kind = || objects.iter().filter(|sourced| sourced.object.type_names().1 == target.kind.as_str());
    let named = || of_kind().filter(|sourced| sourced.object.reference().name == target.name);
    let here = named()
        .find(|sourced| !sourced.object.is_namespaced() || sourced.object.reference().namespace == namespace);
    if let Some(found) = here {
        return Ok(found);
    }
    let (kind, name) = (target.kind.as_str(), &target.name);
    if let Some(elsewhere) = named().next() {
        let there = elsewhere.object.reference().namespace;
        bail!("no {kind} {name} in namespace {namespace}, but in {there}: add -n {there}");
    }
    let candidates = of_kind().map(|sourced| sourced.object.reference().name);
    match super::catalog::nearest(name, candidates) {
        Some(near) => bail!("no {kind} {name}; did you mean {near}?"),
        None => bail!("no {kind} {name} among the cluster's objects"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_as_kubectl_names_them() {
        for (text, kind) in [
            ("po/a", Kind::Pod),
            ("pods/a", Kind::Pod),
            ("Deployment/a", Kind::Workload(WorkloadKind::Deployment)),
            ("deployments.apps/a", Kind::Workload(WorkloadKind::Deployment)),
            ("sts/a", Kind::Workload(WorkloadKind::StatefulSet)),
            ("ds/a", Kind::Workload(WorkloadKind::DaemonSet)),
            ("rs/a", Kind::Workload(WorkloadKind::ReplicaSet)),
            ("rc/a", Kind::Workload(WorkloadKind::ReplicationController)),
            ("job/a", Kind::Workload(WorkloadKind::Job)),
            ("cj/a", Kind::Workload(WorkloadKind::CronJob)),
            ("pvc/a", Kind::PersistentVolumeClaim),
            ("pv/a", Kind::PersistentVolume),
            ("sc/a", Kind::StorageClass),
            ("no/a", Kind::Node),
            ("ns/a", Kind::Namespace),
            ("vs/a", Kind::VolumeSnapshot),
        ] {
            assert_eq!(target(text), Ok(Target { kind, name: "a".into() }), "{text}");
        }
        for wrong in ["", "pod", "pod/", "/a", "pod/a/b", "service/a"] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_name_means_two_kinds() {
        let mut names: Vec<_> = KINDS.iter().flat_map(|(_, names)| names.iter()).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
