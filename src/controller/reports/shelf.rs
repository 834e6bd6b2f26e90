//! The reports that are stored, as far as is known, and those that have to be written.

use std::collections::{BTreeMap, BTreeSet};

use ahash::RandomState;
use jiff::Timestamp;
use serde_json::Value;

use super::super::ledger::Ledger;
use super::content::{self, Content, Outcome, Since};
use super::dialect::Dialect;
use crate::cluster::Key;

/// A stored report.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// The uid of the object, by which the report is named.
    pub(super) uid: Box<str>,
    /// Of all that the API server holds.
    stored: u64,
    /// Of what it says, but since when. Of what was written, if it was by this process: the API server may hold less of it
    /// than that, and it would be written again and again.
    says: u64,
    /// Whether somebody else has changed it.
    is_forged: bool,
    since: Vec<Since>,
    worst: Outcome,
}

/// What has to be done about one object.
#[derive(Debug)]
pub(super) enum Step {
    /// Its report says what it should, or there is none and should be none.
    Nothing,
    /// There is no room for another report.
    NoRoom,
    Create(Content),
    Update(Box<str>, Content),
    Delete(Box<str>),
}

/// Where another report would go.
#[derive(Debug)]
pub(super) enum Room {
    Free,
    /// This one must go first.
    InPlaceOf(Key, Box<str>),
    None,
}

/// Stored reports, of which there are never more than a number, and what is to be written.
#[derive(Debug)]
pub(super) struct Shelf {
    dialect: &'static Dialect,
    limit: usize,
    known: BTreeMap<Key, Known>,
    /// Reports that are being made.
    coming: usize,
    /// About what breaks a policy, or did.
    urgent: BTreeSet<Key>,
    rest: BTreeSet<Key>,
    hashes: RandomState,
}

impl Shelf {
    pub(super) fn new(dialect: &'static Dialect, limit: usize) -> Self {
        Self {
            dialect,
            limit,
            known: BTreeMap::new(),
            coming: 0,
            urgent: BTreeSet::new(),
            rest: BTreeSet::new(),
            hashes: RandomState::new(),
        }
    }

    /// How many reports are stored.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there are as many reports as there may be, with those that are being made.
    pub(super) fn is_full(&self) -> bool {
        self.known.len() + self.coming >= self.limit
    }

    /// Notes that a write has begun, which makes a report if it is to.
    pub(super) fn expect(&mut self, makes_one: bool) {
        self.coming += usize::from(makes_one);
    }

    /// Notes that the making of a report has ended, whatever has come of it.
    pub(super) fn expected(&mut self) {
        self.coming = self.coming.saturating_sub(1);
    }

    /// Whether something is to be written.
    pub(super) fn is_behind(&self) -> bool {
        !self.urgent.is_empty() || !self.rest.is_empty()
    }

    /// The objects of which reports are stored.
    pub(super) fn objects(&self) -> Vec<Key> {
        self.known.keys().cloned().collect()
    }

    /// What has to be done about an object now.
    pub(super) fn step(&self, object: &Key, ledger: &Ledger, now: Timestamp) -> Step {
        let known = self.known.get(object);
        let standings = ledger.standings(object);
        if standings.is_empty() {
            return known.map_or(Step::Nothing, |known| Step::Delete(known.uid.clone()));
        }
        let since = known.map(|known| &known.since[..]).unwrap_or_default();
        let Some(content) = Content::of(&standings, since, now) else { return Step::Nothing };
        let Some(known) = known else {
            let is_room = !self.is_full() || content.worst().is_broken();
            return if is_room { Step::Create(content) } else { Step::NoRoom };
        };
        let wanted = self.says(&content.body(object, &known.uid, self.dialect));
        if known.says == wanted && !known.is_forged {
            return Step::Nothing;
        }
        Step::Update(known.uid.clone(), content)
    }

    /// Looks at an object: what has to be done about it is done in its turn.
    pub(super) fn look(&mut self, object: &Key, ledger: &Ledger, now: Timestamp) {
        let was_broken = self.known.get(object).is_some_and(|known| known.worst.is_broken());
        let is_broken = match self.step(object, ledger, now) {
            Step::Nothing | Step::NoRoom => {
                self.urgent.remove(object);
                self.rest.remove(object);
                return;
            }
            Step::Create(content) | Step::Update(_, content) => content.worst().is_broken(),
            Step::Delete(_) => false,
        };
        // What does not fit is found again by the next look at everything.
        let turns = if is_broken || was_broken { &mut self.urgent } else { &mut self.rest };
        if turns.len() < self.limit.max(1) {
            turns.insert(object.clone());
        }
    }

    /// The object whose turn it is.
    pub(super) fn next(&mut self) -> Option<Key> {
        self.urgent.pop_first().or_else(|| self.rest.pop_first())
    }

    /// Whether there is room for another report about something that is broken. One that is busy does not make any.
    pub(super) fn room(&self, is_busy: impl Fn(&Key) -> bool) -> Room {
        if !self.is_full() {
            return Room::Free;
        }
        let spare = self.known.iter().rfind(|(object, known)| !known.worst.is_broken() && !is_busy(object));
        spare.map_or(Room::None, |(object, known)| Room::InPlaceOf(object.clone(), known.uid.clone()))
    }

    /// Notes what the API server has taken.
    pub(super) fn wrote(&mut self, object: &Key, uid: &str, content: &Content, stored: &Value) {
        let known = Known {
            uid: uid.into(),
            stored: self.hashes.hash_one(content::written(stored)),
            says: self.says(&content.body(object, uid, self.dialect)),
            is_forged: false,
            since: content.since(),
            worst: content.worst(),
        };
        self.known.insert(object.clone(), known);
    }

    /// Notes a report that is stored. Says of which object, if it is one that is not known like this.
    pub(super) fn saw(&mut self, report: &Value) -> Result<Option<Key>, Stray> {
        let (object, uid) = content::about(report).ok_or(Stray)?;
        let stored = self.hashes.hash_one(content::written(report));
        if let Some(known) = self.known.get_mut(&object).filter(|known| *known.uid == *uid) {
            if known.stored == stored {
                return Ok(None);
            }
            // Nor does it begin when somebody else says so.
            (known.stored, known.is_forged) = (stored, true);
            return Ok(Some(object));
        }
        let since = content::since(report);
        let worst = since.iter().map(|one| one.outcome).min().unwrap_or(Outcome::Pass);
        let says = self.says(report);
        let known = Known { uid: uid.into(), stored, says, is_forged: false, since, worst };
        self.known.insert(object.clone(), known);
        Ok(Some(object))
    }

    /// Notes that the report about the object of this uid is gone. Says whether that was known.
    pub(super) fn lost(&mut self, object: &Key, uid: &str) -> bool {
        let is_known = self.known.get(object).is_some_and(|known| *known.uid == *uid);
        if is_known {
            self.known.remove(object);
        }
        is_known
    }

    /// Forgets the report of an object, which has not come in with all others.
    pub(super) fn forget(&mut self, object: &Key) {
        self.known.remove(object);
    }

    fn says(&self, report: &Value) -> u64 {
        self.hashes.hash_one(content::essence(report))
    }
}

/// A report that says it is Domicile's, and is none that it would write.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stray;
