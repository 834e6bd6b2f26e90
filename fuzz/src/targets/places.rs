//! Any geographies, places, globs, selectors and labels: compiling them and locating by them never panics or hangs, and
//! two orders of the same objects know the same.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::make::Maker;
use super::super::worlds::Worlds;
use super::super::{objects, ours, parse};
use domicile::api::{GeographySpec, Place};
use domicile::geography::{Defaults, Geography};
use domicile::objects::Object;
use domicile::policy::CompiledPlace;
use serde_json::Value;

fn places(policy: &Value) -> impl Iterator<Item = Place> {
    let lists = ["allow", "deny"].into_iter().filter_map(|list| policy["spec"][list].as_array());
    lists.flatten().filter_map(|place| serde_json::from_value(place.clone()).ok())
}

/// A geography, and the same of objects in the other order.
struct World {
    geography: Arc<Geography>,
    same: Arc<Geography>,
}

impl World {
    fn of(maker: &mut Maker<'_>) -> Self {
        let specs: BTreeMap<&str, GeographySpec> = ["one", "two"]
            .into_iter()
            .filter_map(|name| {
                let manifest = ours::geography(maker, name);
                Some((name, serde_json::from_value(manifest["spec"].clone()).ok()?))
            })
            .collect();
        let (geography, problems) = Geography::with_objects(specs.iter().map(|(name, spec)| (*name, spec)));
        let (same, again) = Geography::with_objects(specs.iter().rev().map(|(name, spec)| (*name, spec)));
        assert_eq!(problems, again);
        Self { geography, same }
    }
}

impl World {
    /// Nodes are located here, and places held against them.
    fn take(&self, maker: &mut Maker<'_>) {
        let nodes: Vec<Object> = maker.some(3, objects::node).iter().filter_map(parse).collect();
        let policy = ours::policy(maker, 0);
        let places: Vec<_> =
            places(&policy).map(|place| CompiledPlace::compile(&place, &self.geography).0).collect();
        for node in &nodes {
            let Object::Node(node) = node else { continue };
            let locate = |geography: &Geography| {
                geography.locate_node(&node.metadata.labels, &node.spec.provider_id, &Defaults::default())
            };
            let located = locate(&self.geography);
            assert_eq!(located, locate(&self.same));
            for place in &places {
                place.matches(&located.location, |_| domicile::geography::Tri::Unknown);
            }
        }
    }
}

thread_local! {
    static WORLDS: RefCell<Worlds<World>> = RefCell::default();
}

/// Tries what these bytes say by the geographies that they name.
pub fn run(bytes: &[u8]) {
    let (world, mut maker) = WORLDS.with_borrow_mut(|worlds| worlds.of(bytes, World::of));
    world.take(&mut maker);
}

/// Tries what these bytes say by geographies that they make.
pub fn run_anywhere(bytes: &[u8]) {
    let mut maker = Maker::new(bytes);
    World::of(&mut maker).take(&mut maker);
}
