//! Which sites are permitted, and until when: worked out once for every stretch of time between two changes.

use jiff::Timestamp;

use super::place::CompiledPlace;
use crate::placement::bits::BitSet;
use crate::placement::sites::SiteId;

#[derive(Clone, Debug)]
struct Stretch {
    begin: Timestamp,
    /// `None`: for ever.
    end: Option<Timestamp>,
    sites: BitSet,
}

/// The permitted sites at every moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Timetable {
    stretches: Vec<Stretch>,
}

impl Timetable {
    /// A table that changes when one of these places opens or closes, and at these moments; nothing permitted yet.
    pub(super) fn new<'a>(
        places: impl Iterator<Item = &'a CompiledPlace>,
        more: impl IntoIterator<Item = Timestamp>,
    ) -> Self {
        let mut moments: Vec<_> =
            places.flat_map(|place| [place.from, place.until]).flatten().chain(more).collect();
        moments.sort_unstable();
        moments.dedup();
        let begins = [Timestamp::MIN].into_iter().chain(moments.iter().copied());
        let ends = moments.iter().copied().map(Some).chain([None]);
        let stretch = |(begin, end)| Stretch { begin, end, sites: BitSet::default() };
        Self { stretches: begins.zip(ends).map(stretch).collect() }
    }

    /// Notes when a site is permitted.
    pub(super) fn learn(&mut self, site: SiteId, permitted: impl Fn(Timestamp) -> bool) {
        for stretch in &mut self.stretches {
            if permitted(stretch.begin) {
                stretch.sites.insert(site.index());
            }
        }
    }

    /// Forgets every site.
    pub(super) fn forget(&mut self) {
        for stretch in &mut self.stretches {
            stretch.sites = BitSet::default();
        }
    }

    fn at(&self, now: Timestamp) -> Option<&Stretch> {
        self.stretches.iter().find(|stretch| stretch.end.is_none_or(|end| now < end))
    }

    /// The sites that are permitted at this moment.
    pub(super) fn sites(&self, now: Timestamp) -> Option<&BitSet> {
        self.at(now).map(|stretch| &stretch.sites)
    }

    /// When that changes next.
    pub(super) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        self.at(now).and_then(|stretch| stretch.end)
    }
}
