//! Sets of nodes, against the sets of the standard library: what they say must not depend on how many there are.

use std::collections::BTreeSet;

use domicile::placement::bits::{BitSet, Posting};

/// Few and many, around the ends of words and of what a posting lists one by one.
const MEMBERS: [&[u32]; 7] = [
    &[],
    &[0],
    &[63, 64],
    &[1, 2, 3, 64, 65, 127, 128, 200],
    &[5, 500],
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
