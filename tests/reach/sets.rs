//! Sets of nodes, against the sets of the standard library: what they say must not depend on how many there are.

use std::collections::{BTreeMap, BTreeSet};

use domicile::cluster::{Kind, State};
use domicile::geography::Location;
use domicile::placement::bits::{BitSet, Posting};
use domicile::placement::sites::{Known, Site, SiteId, Sites};

use super::support::{object, state};

/// Few and many, around the ends of words and of what a posting lists one by one.
const MEMBERS: [&[u32]; 9] = [
    &[],
    &[0],
    &[63, 64],
    &[1, 2, 3, 64, 65, 127, 128, 200],
    &[5, 500],
    &[
        100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119,
        120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130, 131,
    ],
    &[
        40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64,
        65, 66, 67, 68, 69, 70, 71, 72,
    ],
    &[
        0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42, 44, 46, 48, 50,
        52, 54, 56, 58, 60, 62, 64, 66, 68, 70,
    ],
    &[
        1, 2, 3, 5, 8, 13, 21, 34, 55, 63, 64, 65, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102,
        103, 104, 105, 106, 107, 108, 109, 110, 144, 233,
    ],
];

fn set(members: &[u32]) -> BitSet {
    members.iter().map(|member| *member as usize).collect()
}

fn listed(members: impl IntoIterator<Item = u32>) -> Vec<usize> {
    members.into_iter().map(|member| member as usize).collect()
}

#[test]
fn s5_sets_of_nodes() {
    for one in MEMBERS {
        let mine = set(one);
        let known: BTreeSet<u32> = one.iter().copied().collect();
        assert_eq!(mine.iter().collect::<Vec<_>>(), listed(known.clone()));
        assert_eq!((mine.count(), mine.is_empty()), (one.len(), one.is_empty()));
        for member in 0..260 {
            assert_eq!(mine.contains(member as usize), known.contains(&member), "{member} of {one:?}");
            let mut less = mine.clone();
            less.remove(member as usize);
            assert_eq!(
                less.count(),
                known.len() - usize::from(known.contains(&member)),
                "{one:?} - {member}"
            );
        }
        for other in MEMBERS {
            let (theirs, others) = (set(other), other.iter().copied().collect::<BTreeSet<u32>>());
            let with = |change: fn(&mut BitSet, &BitSet)| {
                let mut changed = mine.clone();
                change(&mut changed, &theirs);
                changed.iter().collect::<Vec<_>>()
            };
            assert_eq!(with(BitSet::intersect), listed(&known & &others), "{one:?} and {other:?}");
            assert_eq!(with(BitSet::unite), listed(&known | &others), "{one:?} or {other:?}");
            assert_eq!(with(BitSet::subtract), listed(&known - &others), "{one:?} without {other:?}");
            assert_eq!(mine.is_subset(&theirs), known.is_subset(&others), "{one:?} in {other:?}");
        }
    }
    // Room for members is no member.
    let roomy = BitSet::with_capacity(100);
    assert!(roomy.is_empty() && roomy.words().len() == 2 && BitSet::with_capacity(64).words().len() == 1);
    assert!(roomy.is_subset(&BitSet::default()));
}

#[test]
fn s5_the_nodes_of_a_label() {
    for one in MEMBERS {
        let known: BTreeSet<u32> = one.iter().copied().collect();
        let mut posting = Posting::default();
        for member in one.iter().chain(one) {
            posting.insert(*member);
        }
        assert_eq!(matches!(posting, Posting::Few(_)), one.len() <= 32, "{one:?}");
        for other in MEMBERS {
            let others: BTreeSet<u32> = other.iter().copied().collect();
            let with = |change: fn(&Posting, &mut BitSet)| {
                let mut changed = set(other);
                change(&posting, &mut changed);
                changed.iter().collect::<Vec<_>>()
            };
            assert_eq!(with(Posting::add_to), listed(&others | &known), "{other:?} and {one:?}");
            assert_eq!(with(Posting::take_from), listed(&others - &known), "{other:?} without {one:?}");
            assert_eq!(with(Posting::keep_in), listed(&others & &known), "{other:?} in {one:?}");
        }
        // Whether one is left is told with the last.
        posting.remove(1_000);
        for (removed, member) in (1..).zip(one) {
            assert_eq!(posting.remove(*member), removed == one.len(), "{one:?} - {member}");
        }
    }
}

/// A site keeps the number that it got first, and is found by it; of a location any site will do.
#[test]
fn s5_sites_by_number() {
    let site = |zone: &str, rack: Known| Site {
        location: Location { zone: Some(zone.into()), ..Location::default() },
        labels: [rack].into(),
    };
    let all = [site("a", Known::Absent), site("a", Known::Is("r1".into())), site("b", Known::Absent)];
    let mut sites = Sites::new(vec!["rack".into()]);
    assert_eq!((sites.len(), sites.is_empty()), (0, true));
    for (number, site) in (0..).map(SiteId).zip(&all) {
        assert_eq!(sites.find(site), None);
        assert_eq!(sites.intern(site.clone()), (number, true));
        assert_eq!(sites.intern(site.clone()), (number, false));
        assert_eq!((sites.find(site), sites.get(number)), (Some(number), site));
        assert!(sites.at(&site.location).is_some_and(|at| sites.get(at).location == site.location));
    }
    assert_eq!((sites.len(), sites.is_empty()), (3, false));
    assert_eq!(sites.at(&Location::default()), None);
}

/// Nodes of three places come, move and go, more than fit side by side; what is said of them is what is there.
#[test]
fn s5_nodes_come_and_go() {
    let node = |number: usize, zone: &str| {
        object(&format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: n{number}, labels: {{topology.kubernetes.io/zone: {zone}, \
             parity: p{}}}}}, spec: {{providerID: 'aws:///{zone}/i-{number}'}}}}",
            number % 2
        ))
    };
    let mut cluster = state(&[]);
    let mut known = BTreeMap::new();
    let hold = |cluster: &State, known: &BTreeMap<usize, &str>| {
        let nodes = cluster.nodes();
        assert_eq!((nodes.len(), nodes.is_empty()), (known.len(), known.is_empty()));
        assert_eq!((nodes.iter().count(), nodes.present().count()), (known.len(), known.len()));
        for number in 0..300 {
            let (name, zone) = (format!("n{number}"), known.get(&number).copied());
            let found = nodes.get(&name).and_then(|node| node.label("topology.kubernetes.io/zone"));
            assert_eq!(found, zone, "{name}");
            let slot = nodes.slot(&name);
            assert_eq!(slot.and_then(|slot| nodes.at(slot)).map(|node| &*node.name), zone.map(|_| &*name));
            assert!(slot.is_none_or(|slot| nodes.present().contains(slot) && nodes.born().contains(slot)));
        }
        for zone in ["eu-west-1a", "eu-west-2a", "us-east-1a"] {
            let expected = known.values().filter(|one| **one == zone).count();
            assert_eq!(nodes.with_label("topology.kubernetes.io/zone", zone).count(), expected, "{zone}");
        }
        for parity in 0..2 {
            let expected = known.keys().filter(|number| **number % 2 == parity).count();
            assert_eq!(nodes.with_label("parity", &format!("p{parity}")).count(), expected);
        }
    };
    hold(&cluster, &known);
    for number in 0..200 {
        let zone = ["eu-west-1a", "us-east-1a", "eu-west-1a"][number % 3];
        cluster.apply(node(number, zone));
        known.insert(number, zone);
    }
    hold(&cluster, &known);
    for number in (0..200).step_by(7) {
        cluster.apply(node(number, "eu-west-2a"));
        known.insert(number, "eu-west-2a");
    }
    hold(&cluster, &known);
    for number in (0..200).filter(|number| number % 5 != 0) {
        cluster.delete(Kind::Node, "", &format!("n{number}"));
        known.remove(&number);
    }
    hold(&cluster, &known);
    for number in 150..300 {
        cluster.apply(node(number, "us-east-1a"));
        known.insert(number, "us-east-1a");
    }
    hold(&cluster, &known);
    for number in 0..300 {
        cluster.delete(Kind::Node, "", &format!("n{number}"));
    }
    hold(&cluster, &BTreeMap::new());
}
