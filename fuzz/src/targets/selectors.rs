//! Any selectors and nodes, some of which left and came again: the index finds the nodes that each requirement accepts
//! when it is asked of one node after the other.

use super::super::make::Maker;
use super::super::{objects, parse};
use domicile::objects::{Object, PodSpec};
use domicile::placement::constraints::{Group, NodeTest, Term};
use domicile::placement::nodes::{NodeEntry, NodeIndex};
use domicile::placement::sites::SiteId;

fn accepts(term: &Term<'_>, node: &NodeEntry) -> bool {
    term.tests.as_ref().is_some_and(|tests| {
        tests.iter().all(|test| match test {
            NodeTest::Name(name) => &*node.name == *name,
            NodeTest::NotName(name) => &*node.name != *name,
            NodeTest::Label(key, test) => test.passes(node.label(key)),
        })
    })
}

fn groups(spec: &PodSpec) -> Vec<Group<'_>> {
    spec.required_nodes()
        .map(Group::of_pod)
        .into_iter()
        .chain([Group::of_labels(&spec.node_selector)])
        .collect()
}

/// A node as it would be kept, at any site.
fn entry(maker: &mut Maker<'_>) -> Option<NodeEntry> {
    let Object::Node(node) = parse(&objects::node(maker))? else { return None };
    let labels = node.metadata.labels.into_iter().map(|(key, value)| (key.into(), value.into()));
    Some(NodeEntry {
        name: node.metadata.name.into(),
        labels: labels.collect(),
        provider_id: node.spec.provider_id.into(),
        taints: node.spec.taints.into(),
        conflicts: Box::default(),
        site: SiteId(maker.below(3).into()),
        unborn: maker.once_in(6),
    })
}

/// Tries these bytes.
pub fn run(bytes: &[u8]) {
    let mut maker = Maker::new(bytes);
    let mut nodes = NodeIndex::default();
    for node in maker.some(8, entry).into_iter().flatten() {
        if maker.once_in(4) {
            nodes.remove(&node.name);
        } else {
            nodes.insert(node);
        }
    }
    let Some(Object::Pod(pod)) = parse(&objects::pod(&mut maker)) else { return };
    for group in groups(&pod.spec) {
        let found = nodes.within(nodes.present(), &group);
        assert!(found.is_subset(nodes.present()));
        for node in nodes.iter() {
            let accepted = group.terms.iter().any(|term| accepts(term, node));
            assert_eq!(found.contains(nodes.slot(&node.name).unwrap()), accepted, "{node:?}\n{group:?}");
        }
    }
}
