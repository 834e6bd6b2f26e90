//! Any objects in a cluster: judging one neither panics nor depends on how the cluster came to be, a fix that is shown
//! passes, and a further policy never turns a denial into anything else.

use std::collections::BTreeMap;

use super::super::make::Maker;
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

/// Tries these bytes.
pub fn run(bytes: &[u8]) {
    let mut maker = Maker::new(bytes);
    let objects = cluster(&mut maker);
    let manifest = objects::any(&mut maker);
    let Some(object) = parse(&manifest) else { return };
    let here = state(&objects);
    let verdict = create(&object, &here);
    check_fix(&manifest, &verdict, &here);

    let there = otherwise(&objects, &mut maker);
    assert_eq!(verdict, create(&object, &there), "it depends on how the state came to be\n{manifest}");

    // One that confines may: a pod that it keeps at home breaks no other policy there.
    let mut policy = ours::policy(&mut maker, 7);
    policy["spec"]["remedy"] = "Reject".into();
    if let Some(policy) = parse(&policy) {
        let mut stricter = here.clone();
        stricter.apply(policy);
        if verdict.decision == Decision::Deny {
            let again = create(&object, &stricter);
            assert_eq!(again.decision, Decision::Deny, "{verdict:#?}\n{again:#?}\n{manifest}");
        }
    }

    let changed = objects::any(&mut maker);
    if let Some(changed) = parse(&changed).filter(|one| one.type_names() == object.type_names()) {
        let by_node = maker.once_in(3).then_some("n0");
        let _ = judge(&Request { by_node, ..Request::update(&object, &changed) }, &here, *NOW);
    }
    let mut count = 0;
    for verdict in audit(&here, *NOW) {
        assert!(verdict.decision != Decision::Deny || !verdict.findings.is_empty(), "{verdict:?}");
        count += 1;
    }
    assert!(count <= objects.len());
    for object in &objects {
        if let Some(kind) = kind(object) {
            let name = object.reference();
            let _ = judge_stored(&here, kind, &name.namespace, &name.name, *NOW);
            let _ = explain(&here, kind, &name.namespace, &name.name, *NOW);
        }
    }
}
