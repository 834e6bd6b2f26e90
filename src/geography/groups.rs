//! Sets of jurisdictions: a country, a part of one, or a named group of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::{AHashMap, AHashSet};

use super::iso::{self, Help};
use super::{Jurisdiction, Tri};

/// More groups than this are not listed in a message.
const MOST_TOLD: usize = 8;

/// Some jurisdictions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JurisdictionSet {
    /// In order, each once.
    members: Vec<Jurisdiction>,
}

impl JurisdictionSet {
    /// Whether something that stands in `jurisdiction` stands in this set. Unknown where the set has only a part of the
    /// country and no more than the country is known, and where ISO does not say which of two parts lies in the other.
    #[must_use]
    pub fn contains(&self, jurisdiction: Jurisdiction) -> Tri {
        if self.has(jurisdiction) || self.has(jurisdiction.country()) {
            return Tri::True;
        }
        let unsure = |member: &Jurisdiction| {
            member.is_subdivision()
                && if jurisdiction.is_subdivision() {
                    iso::may_nest(*member, jurisdiction)
                } else {
                    member.country() == jurisdiction
                }
        };
        if self.members.iter().any(unsure) { Tri::Unknown } else { Tri::False }
    }

    fn has(&self, jurisdiction: Jurisdiction) -> bool {
        self.members.binary_search(&jurisdiction).is_ok()
    }

    /// The members, in order.
    pub fn iter(&self) -> impl Iterator<Item = Jurisdiction> {
        self.members.iter().copied()
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

impl FromIterator<Jurisdiction> for JurisdictionSet {
    fn from_iter<I: IntoIterator<Item = Jurisdiction>>(jurisdictions: I) -> Self {
        let mut members: Vec<_> = jurisdictions.into_iter().collect();
        members.sort_unstable();
        members.dedup();
        Self { members }
    }
}

/// Why a code stands for no jurisdictions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownCode {
    /// It has the form of an ISO code, and ISO does not have it.
    #[error("{code} is no country or part of one in ISO 3166{help}")]
    NoSuchCountry {
        /// The code.
        code: String,
        /// What to write instead, where that can be told.
        help: Help,
    },
    /// No geography knows a group of this name.
    #[error("no geography knows the group {name}{help}")]
    UnknownGroup {
        /// The name.
        name: String,
        /// What to write instead, where that can be told.
        help: Help,
    },
    /// There is such a group, and what it means cannot be told.
    #[error("the group {name} cannot be used: {reason}")]
    UnusableGroup {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A group as it was written.
#[derive(Clone, Debug)]
pub(super) struct RawGroup {
    pub(super) members: Vec<String>,
    /// Set where two objects disagree.
    pub(super) disputed: Option<String>,
}

/// Groups, resolved.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    sets: AHashMap<Arc<str>, Result<Arc<JurisdictionSet>, String>>,
}

impl Groups {
    /// Resolves nested groups. One that cannot be resolved stays known by name, and is unusable: to leave out a member
    /// would widen every `deny` that names it.
    pub(super) fn new(raw: &BTreeMap<Arc<str>, RawGroup>) -> Self {
        let mut resolver = Resolver { raw, sets: AHashMap::new() };
        let failed: Vec<_> = raw
            .keys()
            .filter_map(|name| Some((Arc::clone(name), Err(resolver.resolve(name).err()?))))
            .collect();
        Self { sets: resolver.sets.into_iter().map(|(name, set)| (name, Ok(set))).chain(failed).collect() }
    }

    pub(super) fn problem(&self, name: &str) -> Option<&str> {
        self.sets.get(name)?.as_ref().err().map(String::as_str)
    }

    pub(super) fn resolve(&self, code: &str) -> Result<Arc<JurisdictionSet>, UnknownCode> {
        match self.sets.get(code) {
            Some(Ok(set)) => return Ok(Arc::clone(set)),
            Some(Err(reason)) => {
                return Err(UnknownCode::UnusableGroup { name: code.to_owned(), reason: reason.clone() });
            }
            None => {}
        }
        match iso::parse(code) {
            Ok(jurisdiction) => Ok(Arc::new(std::iter::once(jurisdiction).collect())),
            Err(error) if code.parse::<Jurisdiction>().is_ok() => {
                Err(UnknownCode::NoSuchCountry { code: error.code, help: error.help })
            }
            Err(error) => {
                let help = if error.help.0.is_some() { error.help } else { Help(self.nearest(code)) };
                Err(UnknownCode::UnknownGroup { name: code.to_owned(), help })
            }
        }
    }

    fn nearest(&self, name: &str) -> Option<String> {
        let upper = name.to_ascii_uppercase();
        let mut candidates: Vec<&Arc<str>> = self.sets.keys().collect();
        candidates.sort_unstable();
        candidates
            .into_iter()
            .map(|group| (strsim::damerau_levenshtein(&upper, &group.to_ascii_uppercase()), group))
            .filter(|(distance, group)| *distance <= group.len().min(name.len()) / 3 + 1)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, group)| format!("did you mean {group}?"))
    }
}

/// Finds out what groups mean. Each is worked out once, however often it is named, and however deep they are nested.
struct Resolver<'a> {
    raw: &'a BTreeMap<Arc<str>, RawGroup>,
    sets: AHashMap<Arc<str>, Arc<JurisdictionSet>>,
}

/// A group that is being worked out.
struct Open<'a> {
    name: &'a Arc<str>,
    left: std::slice::Iter<'a, String>,
    found: Vec<Jurisdiction>,
}

impl<'a> Resolver<'a> {
    fn resolve(&mut self, root: &'a Arc<str>) -> Result<(), String> {
        if self.sets.contains_key(root) {
            return Ok(());
        }
        let mut within: AHashSet<&str> = AHashSet::from_iter([&**root]);
        let mut path = vec![self.open(root)?];
        while let Some(group) = path.last_mut() {
            let Some(member) = group.left.next() else {
                let Some(group) = path.pop() else { break };
                within.remove(&**group.name);
                let set: JurisdictionSet = group.found.into_iter().collect();
                if let Some(outer) = path.last_mut() {
                    outer.found.extend(set.iter());
                }
                self.sets.insert(Arc::clone(group.name), Arc::new(set));
                continue;
            };
            if let Some(known) = self.sets.get(member.as_str()) {
                group.found.extend(known.iter());
            } else if let Some((name, _)) = self.raw.get_key_value(member.as_str()) {
                if !within.insert(name) {
                    return Err(format!("it contains itself ({} > {name})", told(&path)));
                }
                let inner = self.open(name)?;
                path.push(inner);
            } else {
                group.found.push(code(member)?);
            }
        }
        Ok(())
    }

    fn open(&self, name: &'a Arc<str>) -> Result<Open<'a>, String> {
        match self.raw.get(name) {
            Some(RawGroup { disputed: Some(reason), .. }) => Err(reason.clone()),
            Some(group) => Ok(Open { name, left: group.members.iter(), found: Vec::new() }),
            None => Err(format!("{name} is neither a code of ISO 3166 nor a group")),
        }
    }
}

/// A path of groups as people can read it.
fn told(path: &[Open<'_>]) -> String {
    let names: Vec<&str> = path.iter().map(|group| &**group.name).collect();
    match names.as_slice() {
        [first, .., last] if names.len() > MOST_TOLD => format!("{first} > … > {last}"),
        names => names.join(" > "),
    }
}

fn code(member: &str) -> Result<Jurisdiction, String> {
    iso::parse(member).map_err(|error| match member.parse::<Jurisdiction>() {
        Ok(_) => error.to_string(),
        Err(_) => format!("{member} is neither a code of ISO 3166 nor a group{}", error.help),
    })
}
