//! What is judged anew after a change is everything that the change gives another verdict.

use std::collections::BTreeMap;

use domicile::cluster::{Key, Shared, State};
use domicile::objects::ObjectRef;
use domicile::residency::{Touched, Verdict, audit, touched};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::changes::kind_of;
use crate::worlds;
use crate::{Seen, hold};

/// What is said of each object.
fn said(state: &State, now: Timestamp) -> BTreeMap<ObjectRef, Verdict> {
    audit(state, now).map(|verdict| (verdict.object.clone(), verdict)).collect()
}

/// Something that comes or changes: all that a cluster is made of, under names that are there already and others.
fn newcomer() -> BoxedStrategy<Value> {
    prop_oneof![
        3 => worlds::cluster_with_storage().prop_flat_map(|cluster| any::<Index>().prop_map(move |index| index.get(&cluster.manifests).clone())).boxed(),
        2 => worlds::persistent_volume(0).boxed(),
        2 => worlds::claim(0).boxed(),
        1 => worlds::workload().boxed(),
        1 => worlds::attachment().boxed(),
        1 => worlds::pod("old0".to_owned(), 0.5).boxed(),
    ]
    .boxed()
}

/// Changes a cluster, and holds what is judged anew against all that got another verdict.
fn all_is_judged_anew(
    cluster: State,
    now: Timestamp,
    change: impl FnOnce(&Shared),
    seen: &Seen,
) -> Result<(), TestCaseError> {
    let shared = Shared::complete(cluster);
    shared.open_journal();
    let _everything = shared.take_changed();
    let before = said(&shared.read(), now);
    change(&shared);
    let state = shared.read();
    let after = said(&state, now);
    let differing: Vec<&ObjectRef> = before
        .keys()
        .chain(after.keys().filter(|one| !before.contains_key(one)))
        .filter(|one| before.get(one) != after.get(one))
        .collect();
    let changed = shared.take_changed();
    let Touched::Objects { changed: keys, by_nodes } = touched(&state, &changed) else { return Ok(()) };
    // Of those that only nodes touch, what no policy selected is not judged again.
    let is_selected = |one: &ObjectRef| before.get(one).is_some_and(|verdict| !verdict.policies.is_empty());
    let by_nodes = by_nodes.iter().map(Key::to_ref).filter(is_selected);
    let keys: Vec<ObjectRef> = keys.iter().map(Key::to_ref).chain(by_nodes).collect();
    for one in differing {
        seen.another();
        prop_assert!(
            keys.contains(one),
            "{one}: {:#?}\nbecame {:#?}\nof {changed:?}, which touches {keys:#?}",
            before.get(one),
            after.get(one)
        );
    }
    Ok(())
}

#[test]
fn everything_that_a_change_gives_another_verdict_is_judged_anew() {
    let seen = Seen::default();
    let change = (newcomer(), newcomer(), any::<Index>(), 0..4_u8);
    let cases = hold(worlds::cluster_with_storage(), change, |ground, (newcomer, other, gone, what)| {
        let change = |shared: &Shared| match what {
            0 => {
                let manifest = gone.get(&ground.cluster.manifests);
                let of = |field: &str| manifest["metadata"][field].as_str().unwrap_or_default();
                shared.write().delete(kind_of(manifest), of("namespace"), of("name"));
            }
            1 => shared.apply(worlds::parse(gone.get(&ground.cluster.manifests))),
            _ => {
                let mut changed = gone.get(&ground.cluster.manifests).clone();
                for field in ["spec", "metadata"] {
                    if newcomer["kind"] == changed["kind"] {
                        changed[field] = newcomer[field].clone();
                    }
                }
                shared.apply(worlds::parse(if what == 2 { &changed } else { &newcomer }));
            }
        };
        all_is_judged_anew(ground.with([&newcomer, &other]), ground.now, change, &seen)
    });
    seen.at_least_once_in(10, cases);
}

/// Running pods for all claims, each on some node: the rarest of what hangs on a node that is not theirs.
#[test]
fn what_a_node_gives_another_verdict_is_judged_anew_wherever_it_runs() {
    let seen = Seen::default();
    let node = prop_oneof![worlds::node(0).boxed(), worlds::node(1).boxed(), worlds::joining(0).boxed()];
    let cases = hold(worlds::cluster_with_storage(), (node, 0..3_u8), |ground, (node, on)| {
        let claims = ground.cluster.manifests.iter().filter(|one| one["kind"] == "PersistentVolumeClaim");
        let pods: Vec<Value> = claims
            .map(|claim| {
                let name = &claim["metadata"]["name"];
                let volume = json!({"name": "v", "persistentVolumeClaim": {"claimName": name}});
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop", "annotations":
                    {"domicile.dev/data-classification": "personal"}},
                    "spec": {"nodeName": format!("n{on}"), "volumes": [volume]}})
            })
            .collect();
        let change = |shared: &Shared| shared.apply(worlds::parse(&node));
        all_is_judged_anew(ground.with(&pods), ground.now, change, &seen)
    });
    seen.at_least_once_in(10, cases);
}
