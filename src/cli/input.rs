//! What the commands read: the cluster from files or live, and manifests beside it.

use std::io;
use std::path::{Path, PathBuf};

use super::terminal::{Progress, tell};
use crate::cluster::load::{self, CLUSTER_LIMIT, Limits, MANIFEST_LIMIT};
use crate::cluster::{Loaded, Sourced, live};
use crate::objects::Object;

/// Reads manifests.
pub(super) fn manifests(paths: &[PathBuf], namespace: &str) -> Loaded {
    load::read(paths, &mut io::stdin().lock(), Limits { file_size: MANIFEST_LIMIT, namespace })
}

/// Reads the objects of the cluster, from these files or else from the cluster of the current kubeconfig.
pub(super) fn cluster(paths: &[PathBuf]) -> anyhow::Result<Loaded> {
    let loaded = if paths.is_empty() {
        live()?
    } else {
        load::read(paths, &mut io::stdin().lock(), Limits { file_size: CLUSTER_LIMIT, ..Limits::default() })
    };
    if !loaded.not_served.is_empty() {
        let kinds: Vec<_> = loaded.not_served.iter().map(String::as_str).collect();
        tell("note", &format!("the cluster does not serve {}", kinds.join(", ")));
    }
    Ok(loaded)
}

fn live() -> anyhow::Result<Loaded> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut progress = Progress::new("objects read:");
    let loaded = runtime.block_on(async {
        let client = live::connect().await?;
        live::read(&client, &mut |count| progress.count(count)).await
    })?;
    Ok(loaded)
}

/// Whether standard input is asked for.
pub(super) fn is_stdin(paths: &[PathBuf]) -> bool {
    paths.iter().any(|path| path == Path::new("-"))
}

/// Says what the judgement lacks where the cluster was given in files that hold too little.
pub(super) fn note_missing<'a>(objects: &(impl Iterator<Item = &'a Sourced> + Clone)) {
    let has = |of_kind: fn(&Object) -> bool| objects.clone().any(|sourced| of_kind(&sourced.object));
    let needed: [(&str, &str, bool); 5] = [
        ("nodes", "no object can be seen to run anywhere", has(|object| matches!(object, Object::Node(_)))),
        (
            "residencypolicies",
            "nothing is forbidden anywhere",
            has(|object| matches!(object, Object::Policy(_))),
        ),
        (
            "namespaces",
            "nothing is inherited from them",
            has(|object| matches!(object, Object::Namespace(_))),
        ),
        (
            "storageclasses",
            "new claims are judged without them",
            has(|object| matches!(object, Object::StorageClass(_))),
        ),
        (
            "persistentvolumes and persistentvolumeclaims",
            "pods are judged without their volumes",
            has(|object| matches!(object, Object::Volume(_) | Object::Claim(_))),
        ),
    ];
    for (kinds, consequence, present) in needed {
        if !present {
            tell("note", &format!("no {kinds} among the objects given: {consequence}"));
        }
    }
}
