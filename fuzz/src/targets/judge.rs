//! Any objects in a cluster: judging one neither panics nor depends on how the cluster came to be, a fix that is shown
//! passes, and a further policy never turns a denial into anything else.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::super::make::Maker;
use super::super::worlds::Worlds;
use super::super::{NOW, check_fix, create, objects, ours, parse, state};
use domicile::cluster::{Kind, State};
use domicile::objects::Object;
use domicile::residency::{Decision, Request, audit, explain, judge, judge_stored};
use serde_json::Value;

/// Objects, each name once, as in a cluster.
fn cluster(maker: &mut Maker<'_>) -> Vec<Object> {
    let mut manifests: Vec<Value> = Vec::new();
    for number in 0..=usize::from(maker.below(3)) {
        manifests.push(ours::policy(maker, number));
    }
    manifests.extend(maker.some(3, objects::node));
    manifests.extend(maker.some(7, objects::any));
    if maker.once_in(4) {
        manifests.push(ours::exception(maker));
    }
    let parsed = manifests.iter().filter_map(parse).filter(|object| !matches!(object, Object::Binding(_)));
    let by_name: BTreeMap<_, _> = parsed.map(|object| (object.reference(), object)).collect();
    by_name.into_values().collect()
}

fn kind(object: &Object) -> Option<Kind> {
    Some(match object {
        Object::Pod(_) => Kind::Pod,
        Object::Workload(workload) => Kind::Workload(workload.kind),
        Object::Claim(_) => Kind::PersistentVolumeClaim,
        Object::Volume(_) => Kind::PersistentVolume,
        Object::StorageClass(_) => Kind::StorageClass,
        Object::Attachment(_) => Kind::VolumeAttachment,
        Object::Snapshot(_) => Kind::VolumeSnapshot,
        Object::SnapshotContent(_) => Kind::VolumeSnapshotContent,
        Object::SnapshotClass(_) => Kind::VolumeSnapshotClass,
        Object::Node(_) => Kind::Node,
        Object::Namespace(_) => Kind::Namespace,
        Object::Policy(_) => Kind::ResidencyPolicy,
        Object::Geography(_) => Kind::Geography,
        Object::Exception(_) => Kind::ResidencyException,
        Object::Binding(_) => return None,
    })
}

/// The same cluster by a longer way: in the other order, with some objects deleted and brought again.
fn otherwise(objects: &[Object], maker: &mut Maker<'_>) -> State {
    let mut other = state(objects.iter().rev());
    for object in objects {
        if let (Some(kind), true) = (kind(object), maker.once_in(3)) {
            let name = object.reference();
            other.delete(kind, &name.namespace, &name.name);
            other.apply(object.clone());
        }
    }
    other
}

/// A cluster, the same by a longer way, and with a further policy.
struct World {
    objects: Vec<Object>,
    here: State,
    there: State,
    stricter: Option<State>,
}

impl World {
    fn of(maker: &mut Maker<'_>) -> Self {
        let objects = cluster(maker);
        let here = state(&objects);
        let there = otherwise(&objects, maker);
        // One that confines may: a pod that it keeps at home breaks no other policy there.
        let mut policy = ours::policy(maker, 7);
        policy["spec"]["remedy"] = "Reject".into();
        let stricter = parse(&policy).map(|policy| {
            let mut stricter = here.clone();
            stricter.apply(policy);
            stricter
        });
        let world = Self { objects, here, there, stricter };
        world.hold();
        world
    }

    /// What is there can be judged, each and all.
    fn hold(&self) {
        let mut count = 0;
        for verdict in audit(&self.here, *NOW) {
            assert!(verdict.decision != Decision::Deny || !verdict.findings.is_empty(), "{verdict:?}");
            count += 1;
        }
        assert!(count <= self.objects.len());
        for object in &self.objects {
            if let Some(kind) = kind(object) {
                let name = object.reference();
                let _ = judge_stored(&self.here, kind, &name.namespace, &name.name, *NOW);
                let _ = explain(&self.here, kind, &name.namespace, &name.name, *NOW);
            }
        }
    }
}

impl World {
    /// Something is made here, and changed.
    fn take(&self, maker: &mut Maker<'_>) {
        let manifest = objects::any(maker);
        let Some(object) = parse(&manifest) else { return };
        let verdict = create(&object, &self.here);
        check_fix(&manifest, &verdict, &self.here);
        assert_eq!(
            verdict,
            create(&object, &self.there),
            "it depends on how the state came to be\n{manifest}"
        );
        if let (Some(stricter), Decision::Deny) = (&self.stricter, verdict.decision) {
            let again = create(&object, stricter);
            assert_eq!(again.decision, Decision::Deny, "{verdict:#?}\n{again:#?}\n{manifest}");
        }
        let changed = objects::any(maker);
        if let Some(changed) = parse(&changed).filter(|one| one.type_names() == object.type_names()) {
            let by_node = maker.once_in(3).then_some("n0");
            let _ = judge(&Request { by_node, ..Request::update(&object, &changed) }, &self.here, *NOW);
        }
    }
}

thread_local! {
    static WORLDS: RefCell<Worlds<World>> = RefCell::default();
}

/// Tries what these bytes say in the world that they name.
pub fn run(bytes: &[u8]) {
    let (world, mut maker) = WORLDS.with_borrow_mut(|worlds| worlds.of(bytes, World::of));
    world.take(&mut maker);
}

/// Tries what these bytes say in a world that they make.
pub fn run_anywhere(bytes: &[u8]) {
    let mut maker = Maker::new(bytes);
    World::of(&mut maker).take(&mut maker);
}
