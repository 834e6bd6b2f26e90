//! What the commands read: the cluster from files or live, and manifests beside it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use super::terminal::{Progress, tell};
use crate::cluster::load::{self, CLUSTER_LIMIT, Limits, MANIFEST_LIMIT};
use crate::cluster::{Kind, Loaded, Settings, Source, Sourced, State, Unread, live};
use crate::objects::{Before, DataSource, Object, ObjectRef};

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

/// Says what of the manifests is judged by nobody.
pub(super) fn tell_skipped(manifests: &Loaded) {
    if manifests.skipped.is_empty() {
        return;
    }
    let kinds: Vec<_> = manifests.skipped.iter().map(|(kind, count)| format!("{kind} ({count})")).collect();
    tell("note", &format!("not judged, being no kind that is: {}", kinds.join(", ")));
}

/// Says which of the manifests change what others of them are judged by.
pub(super) fn tell_ruling(manifests: &Loaded) {
    let mut ruling = BTreeMap::<_, usize>::new();
    for sourced in &manifests.objects {
        if matches!(sourced.object, Object::Policy(_) | Object::Geography(_) | Object::Exception(_)) {
            *ruling.entry(sourced.object.type_names().1).or_default() += 1;
        }
    }
    if ruling.is_empty() {
        return;
    }
    let kinds: Vec<_> = ruling.iter().map(|(kind, count)| format!("{kind} ({count})")).collect();
    let what = kinds.join(", ");
    tell(
        "note",
        &format!(
            "judged as if these were applied already: {what}; `domicile simulate` shows what they change"
        ),
    );
}

/// An object that a manifest replaces.
pub(super) struct Replaced {
    /// As it is.
    pub(super) old: Object,
    /// As the manifest has it, with what applying it leaves alone but for classifications, which it must say to keep.
    pub(super) written: Object,
}

/// Applies manifests over what the cluster has: what they leave out of an object that is there, and applying them leaves
/// alone, is filled in. Returns the objects that they replace.
pub(super) fn lay_over(
    settings: &Settings,
    cluster: &[Sourced],
    manifests: &mut [Sourced],
) -> HashMap<ObjectRef, Replaced, ahash::RandomState> {
    let classifies = |key: &str| settings.classification_keys.iter().any(|known| known == key);
    let mut there: HashMap<_, _, ahash::RandomState> =
        manifests.iter().map(|sourced| (sourced.object.reference(), None)).collect();
    for sourced in cluster {
        if let Some(place) = there.get_mut(&sourced.object.reference()) {
            *place = Some(sourced.object.clone());
        }
    }
    let mut replaced = HashMap::default();
    for sourced in manifests {
        let reference = sourced.object.reference();
        if let Some(Some(old)) = there.get(&reference) {
            sourced.object.apply_over(old);
            sourced
                .object
                .keep_metadata(old, |key, before| before == Before::SetByOthers && !classifies(key));
            let written = sourced.object.clone();
            // What classifies does not go without somebody's leave.
            sourced.object.keep_metadata(old, |key, _| classifies(key));
            replaced.insert(reference, Replaced { old: old.clone(), written });
        }
    }
    replaced
}

/// Where every object came from.
pub(super) type Sources = HashMap<ObjectRef, Source>;

/// The state that these objects make, manifests over what the cluster has. What the cluster has and cannot be read permits
/// nothing, as it does in the webhook.
pub(super) fn state(
    settings: Settings,
    cluster: Vec<Sourced>,
    unread: &[Unread],
    manifests: &[Sourced],
) -> (State, Sources) {
    let mut sources = Sources::new();
    let mut note = |sourced: &Sourced| sources.insert(sourced.object.reference(), sourced.source.clone());
    cluster.iter().chain(manifests).for_each(|sourced| {
        note(sourced);
    });
    let mut state = State::new(settings);
    state.apply_all(cluster.into_iter().map(|sourced| sourced.object));
    for Unread { kind, name, value } in unread {
        state.apply_unreadable(*kind, "", name, value);
    }
    state.apply_all(manifests.iter().enumerate().map(|(number, sourced)| {
        let mut object = sourced.object.clone();
        object.name_for_now(number + 1);
        object
    }));
    (state, sources)
}

/// A kind of which the files hold nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lack {
    pub(super) kind: Kind,
    plural: &'static str,
    /// What that means for the judgement.
    pub(super) consequence: &'static str,
}

impl Lack {
    /// Pods come and go: only who asks what runs misses them.
    pub(super) const PODS: Self =
        Self { kind: Kind::Pod, plural: "pods", consequence: "none that runs is judged" };

    pub(super) fn tell(&self) {
        tell("note", &format!("no {} among the objects given: {}", self.plural, self.consequence));
    }
}

/// What the judgement lacks where the cluster was given in files that hold too little; says so.
pub(super) fn absent(cluster: &Loaded, manifests: &[Sourced]) -> BTreeSet<Kind> {
    let lacks = lacks(cluster, manifests);
    lacks.iter().for_each(Lack::tell);
    lacks.iter().map(|lack| lack.kind).collect()
}

/// What the judgement lacks where the cluster was given in files that hold too little.
pub(super) fn lacks(cluster: &Loaded, manifests: &[Sourced]) -> Vec<Lack> {
    let is_given = |kind: Kind| {
        let mut objects = cluster.objects.iter().chain(manifests);
        objects.any(|sourced| sourced.object.type_names().1 == kind.as_str())
            || cluster.unread.iter().any(|unread| unread.kind == kind)
    };
    let is_snapshot = |source: Option<&DataSource>| {
        source.is_some_and(|source| source.kind == Kind::VolumeSnapshot.as_str())
    };
    let restores = |sourced: &Sourced| match &sourced.object {
        Object::Claim(claim) => is_snapshot(claim.spec.source()),
        Object::Workload(workload) => {
            workload.claim_templates.iter().any(|template| is_snapshot(template.spec.source()))
        }
        _ => false,
    };
    let mut needed = vec![
        (Kind::Node, "nodes", "no object can be seen to run anywhere"),
        (Kind::ResidencyPolicy, "residencypolicies", "nothing is forbidden anywhere"),
        (Kind::Namespace, "namespaces", "nothing is inherited from them"),
        (Kind::StorageClass, "storageclasses", "new claims are judged without them"),
        (Kind::PersistentVolume, "persistentvolumes", "bound claims are judged without them"),
        (
            Kind::PersistentVolumeClaim,
            "persistentvolumeclaims",
            "pods are judged without the claims that they mount",
        ),
    ];
    // Many clusters have no snapshots, and miss none.
    if cluster.objects.iter().chain(manifests).any(restores) {
        needed.push((
            Kind::VolumeSnapshot,
            "volumesnapshots",
            "claims that are restored from them are judged without what those carry",
        ));
    }
    if is_given(Kind::VolumeSnapshot) || is_given(Kind::VolumeSnapshotContent) {
        needed.push((
            Kind::VolumeSnapshotClass,
            "volumesnapshotclasses",
            "snapshots are judged without what those say of their place",
        ));
    }
    let missing = needed.into_iter().filter(|(kind, ..)| !is_given(*kind));
    missing.map(|(kind, plural, consequence)| Lack { kind, plural, consequence }).collect()
}
