//! Sets of small integers: nodes by slot, sites by number.

/// A set of small integers, one bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BitSet {
    words: Vec<u64>,
}

impl BitSet {
    /// The set with room for `bits` members, empty.
    #[must_use]
    pub fn with_capacity(bits: usize) -> Self {
        Self { words: vec![0; bits.div_ceil(64)] }
    }

    /// Adds a member.
    pub fn insert(&mut self, member: usize) {
        let word = member / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (member % 64);
    }

    /// Takes a member away.
    pub fn remove(&mut self, member: usize) {
        if let Some(word) = self.words.get_mut(member / 64) {
            *word &= !(1 << (member % 64));
        }
    }

    /// Whether it is a member.
    #[must_use]
    pub fn contains(&self, member: usize) -> bool {
        self.words.get(member / 64).is_some_and(|word| word & (1 << (member % 64)) != 0)
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// How many members there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Keeps what is in both.
    pub fn intersect(&mut self, other: &Self) {
        for (index, word) in self.words.iter_mut().enumerate() {
            *word &= other.words.get(index).copied().unwrap_or(0);
        }
    }

    /// Adds what is in the other.
    pub fn unite(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, theirs) in self.words.iter_mut().zip(&other.words) {
            *word |= theirs;
        }
    }

    /// Takes away what is in the other.
    pub fn subtract(&mut self, other: &Self) {
        for (word, theirs) in self.words.iter_mut().zip(&other.words) {
            *word &= !theirs;
        }
    }

    /// Whether every member is in the other.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.words
            .iter()
            .enumerate()
            .all(|(index, word)| word & !other.words.get(index).copied().unwrap_or(0) == 0)
    }

    /// The members, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(index, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                (left != 0).then(|| {
                    let bit = left.trailing_zeros() as usize;
                    left &= left - 1;
                    index * 64 + bit
                })
            })
        })
    }

    /// The words, lowest members first.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }
}

impl FromIterator<usize> for BitSet {
    fn from_iter<I: IntoIterator<Item = usize>>(members: I) -> Self {
        let mut set = Self::default();
        for member in members {
            set.insert(member);
        }
        set
    }
}

/// How many members a posting lists one by one before it becomes a bit set: a label that is different on every node
/// (its host name) costs a few bytes a node, and one that all share costs a bit a node.
const FEW: usize = 32;

/// The nodes that have one label value.
#[derive(Clone, Debug)]
pub enum Posting {
    /// Listed, in no order.
    Few(Vec<u32>),
    /// As a set.
    Many(BitSet),
}

impl Default for Posting {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Posting {
    /// Adds a member.
    pub fn insert(&mut self, member: u32) {
        match self {
            Self::Few(list) if list.contains(&member) => {}
            Self::Few(list) if list.len() < FEW => list.push(member),
            Self::Few(list) => {
                let mut set: BitSet = list.iter().map(|slot| *slot as usize).collect();
                set.insert(member as usize);
                *self = Self::Many(set);
            }
            Self::Many(set) => set.insert(member as usize),
        }
    }

    /// Takes a member away; whether none is left.
    pub fn remove(&mut self, member: u32) -> bool {
        match self {
            Self::Few(list) => {
                list.retain(|slot| *slot != member);
                list.is_empty()
            }
            Self::Many(set) => {
                set.remove(member as usize);
                set.is_empty()
            }
        }
    }

    /// Adds its members to a set.
    pub fn add_to(&self, set: &mut BitSet) {
        match self {
            Self::Few(list) => list.iter().for_each(|slot| set.insert(*slot as usize)),
            Self::Many(members) => set.unite(members),
        }
    }

    /// Takes its members out of a set.
    pub fn take_from(&self, set: &mut BitSet) {
        match self {
            Self::Few(list) => list.iter().for_each(|slot| set.remove(*slot as usize)),
            Self::Many(members) => set.subtract(members),
        }
    }

    /// Keeps in a set only its own members.
    pub fn keep_in(&self, set: &mut BitSet) {
        match self {
            Self::Few(list) => {
                let kept: BitSet =
                    list.iter().map(|slot| *slot as usize).filter(|slot| set.contains(*slot)).collect();
                *set = kept;
            }
            Self::Many(members) => set.intersect(members),
        }
    }
}
