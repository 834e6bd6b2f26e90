//! `domicile explain`: the whole story of one object.

use std::collections::HashMap;

use anyhow::{anyhow, bail};

use super::engine::Engine;
use super::output::table::{Layout, write_details};
use super::output::{Outcome, Report, incomplete, json};
use super::settings::{SettingsArgs, TimeArgs};
use super::terminal::{self, tell};
use super::{EXIT_STATUSES, Status, input, verdicts};
use crate::cluster::Sourced;

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

    /// Read the cluster's objects from this file, folder or `-` instead of the current kubeconfig's cluster
    ///
    /// May be repeated.
    #[arg(long, value_name = "PATH", env = "DOMICILE_CLUSTER")]
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
    kind: &'static str,
    name: String,
}

/// Kinds, with the names that `kubectl` takes for them.
const KINDS: [(&str, &[&str]); 20] = [
    ("Pod", &["pod", "pods", "po"]),
    ("Deployment", &["deployment", "deployments", "deploy"]),
    ("StatefulSet", &["statefulset", "statefulsets", "sts"]),
    ("DaemonSet", &["daemonset", "daemonsets", "ds"]),
    ("ReplicaSet", &["replicaset", "replicasets", "rs"]),
    ("ReplicationController", &["replicationcontroller", "replicationcontrollers", "rc"]),
    ("Job", &["job", "jobs"]),
    ("CronJob", &["cronjob", "cronjobs", "cj"]),
    ("PersistentVolumeClaim", &["persistentvolumeclaim", "persistentvolumeclaims", "pvc"]),
    ("PersistentVolume", &["persistentvolume", "persistentvolumes", "pv"]),
    ("StorageClass", &["storageclass", "storageclasses", "sc"]),
    ("VolumeAttachment", &["volumeattachment", "volumeattachments"]),
    ("VolumeSnapshot", &["volumesnapshot", "volumesnapshots", "vs"]),
    ("VolumeSnapshotContent", &["volumesnapshotcontent", "volumesnapshotcontents", "vsc"]),
    ("VolumeSnapshotClass", &["volumesnapshotclass", "volumesnapshotclasses", "vsclass"]),
    ("Node", &["node", "nodes", "no"]),
    ("Namespace", &["namespace", "namespaces", "ns"]),
    ("ResidencyPolicy", &["residencypolicy", "residencypolicies", "respol"]),
    ("Geography", &["geography", "geographies", "geo"]),
    ("ResidencyException", &["residencyexception", "residencyexceptions", "resex"]),
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
    Ok(Target { kind, name: name.to_owned() })
}

pub(super) fn run(arguments: &Args) -> anyhow::Result<Status> {
    let cluster = input::cluster(&arguments.cluster)?;
    for error in &cluster.errors {
        tell("error", &error.to_string());
    }
    let found = find(&cluster.objects, &arguments.object, &arguments.namespace)?;
    let mut engine = Engine::new(&arguments.settings.get());
    let mut sources = HashMap::new();
    for sourced in &cluster.objects {
        sources.insert(sourced.object.reference(), sourced.source.clone());
        engine.apply(sourced.object.clone());
    }
    let problems = verdicts::problems(&engine, &sources);
    for error in &problems.errors {
        tell("error", &error.to_string());
    }
    let errors: Vec<_> = cluster.errors.into_iter().chain(problems.errors).collect();
    let verdict = engine
        .stored(&found.object, arguments.time.get())
        .ok_or_else(|| anyhow!("{} is not judged by itself", found.object.reference()))?;
    let reports = [Report { verdict, source: found.source.clone() }];
    let outcome = Outcome { reports: &reports, errors: &errors };
    match arguments.output {
        super::settings::PlainFormat::Json => terminal::print(|out| json::write(&outcome, out))?,
        super::settings::PlainFormat::Table => terminal::print_coloured(|out| {
            let layout = Layout { width: terminal::width(), list_allowed: true };
            reports.iter().try_for_each(|report| write_details(report, layout, out))?;
            if outcome.is_complete() { Ok(()) } else { writeln!(out, "{}", incomplete(outcome.errors)) }
        })?,
    }
    Ok(verdicts::status(&outcome, false, false))
}

fn find<'a>(objects: &'a [Sourced], target: &Target, namespace: &str) -> anyhow::Result<&'a Sourced> {
    let of_kind = || objects.iter().filter(|sourced| sourced.object.type_names().1 == target.kind);
    let named = || of_kind().filter(|sourced| sourced.object.reference().name == target.name);
    let here = named()
        .find(|sourced| !sourced.object.is_namespaced() || sourced.object.reference().namespace == namespace);
    if let Some(found) = here {
        return Ok(found);
    }
    let Target { kind, name } = target;
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
            ("po/a", "Pod"),
            ("pods/a", "Pod"),
            ("Deployment/a", "Deployment"),
            ("deployments.apps/a", "Deployment"),
            ("sts/a", "StatefulSet"),
            ("ds/a", "DaemonSet"),
            ("rs/a", "ReplicaSet"),
            ("rc/a", "ReplicationController"),
            ("job/a", "Job"),
            ("cj/a", "CronJob"),
            ("pvc/a", "PersistentVolumeClaim"),
            ("pv/a", "PersistentVolume"),
            ("sc/a", "StorageClass"),
            ("no/a", "Node"),
            ("ns/a", "Namespace"),
            ("vs/a", "VolumeSnapshot"),
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
