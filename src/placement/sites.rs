//! Sites: what nodes have in common that policies can tell apart.
//!
//! Two nodes at one site are alike to every policy, so a policy is asked once a site and never once a node.

use std::sync::Arc;

use ahash::AHashMap;

use super::selector::Label;
use crate::geography::Location;

/// The number of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteId(pub u32);

impl SiteId {
    /// As a member of a set.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The value of a label that places select on, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Known {
    /// It has this value.
    Is(Arc<str>),
    /// It is not there.
    Absent,
    /// A place that is only thought of: it could have any.
    Unknown,
}

/// A location, with the labels that places select on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    /// Where it is.
    pub location: Location,
    /// The labels that places select on, in the order of [`Sites::keys`].
    pub labels: Box<[Known]>,
}

/// All sites: those of the nodes, and those that the geography knows for the cluster's providers.
#[derive(Clone, Debug, Default)]
pub struct Sites {
    keys: Vec<Arc<str>>,
    all: Vec<Site>,
    numbers: AHashMap<Site, SiteId>,
    /// One site of each location.
    by_location: AHashMap<Location, SiteId>,
}

impl Sites {
    /// No sites yet; `keys` are the labels that places select on.
    #[must_use]
    pub fn new(keys: Vec<Arc<str>>) -> Self {
        Self { keys, ..Self::default() }
    }

    /// The labels that places select on.
    #[must_use]
    pub fn keys(&self) -> &[Arc<str>] {
        &self.keys
    }

    /// The number of a site, new or known, and whether it is new.
    pub fn intern(&mut self, site: Site) -> (SiteId, bool) {
        if let Some(number) = self.numbers.get(&site) {
            return (*number, false);
        }
        // Sites are fewer than nodes and catalog rows together.
        let number = SiteId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.all.push(site.clone());
        self.by_location.entry(site.location.clone()).or_insert(number);
        self.numbers.insert(site, number);
        (number, true)
    }

    /// The number of a site, if it is known.
    #[must_use]
    pub fn find(&self, site: &Site) -> Option<SiteId> {
        self.numbers.get(site).copied()
    }

    /// A site of this location, whatever its labels, if one is known.
    #[must_use]
    pub fn at(&self, location: &Location) -> Option<SiteId> {
        self.by_location.get(location).copied()
    }

    /// The site of this number.
    #[must_use]
    pub fn get(&self, number: SiteId) -> &Site {
        &self.all[number.index()]
    }

    /// Every site, by number.
    pub fn iter(&self) -> impl Iterator<Item = (SiteId, &Site)> {
        (0..).map(SiteId).zip(&self.all)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// A label of a site.
    #[must_use]
    pub fn label<'a>(&self, site: &'a Site, key: &str) -> Label<'a> {
        match self.keys.iter().position(|known| &**known == key).and_then(|index| site.labels.get(index)) {
            Some(Known::Is(value)) => Label::Is(value),
            Some(Known::Absent) => Label::Absent,
            Some(Known::Unknown) | None => Label::Unknown,
        }
    }
}
