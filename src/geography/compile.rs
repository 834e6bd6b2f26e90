//! From entries, built in and users', to the indexes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use ahash::AHashMap;
use regex::Regex;

use super::catalog::{self, GeographyError, Origin, Row};
use super::drivers::Driver;
use super::entry::{bad_group_name, compile, describe, disagree, row, same_members};
use super::groups::{Groups, RawGroup};
use super::index::{Fact, Geography, GroupRow, Provider, ZoneRule};
use super::problem::{Problem, ProblemKind};
use super::said::{Clash, Said, say, say_one};
use super::{Jurisdiction, iso};
use crate::api::{DriverEntry, GeographySpec, GroupEntry, ProviderEntry, keys};

/// The catalog, read and checked once; what clusters add is added to copies.
static CATALOG: LazyLock<Result<Builder, GeographyError>> = LazyLock::new(|| {
    let mut builder = Builder::default();
    for spec in catalog::specs() {
        builder.add(&Origin::BuiltIn, &spec?);
    }
    Ok(builder)
});

/// The catalog alone, compiled.
static BUILTIN: LazyLock<(Arc<Geography>, Vec<Problem>)> = LazyLock::new(|| {
    let (geography, problems) = Builder::with_catalog().finish();
    (Arc::new(geography), problems)
});

impl Geography {
    /// What this build knows. An error is a defect of the build.
    pub fn builtin() -> Result<Arc<Self>, GeographyError> {
        CATALOG.as_ref().map_err(Clone::clone)?;
        let (geography, problems) = &*BUILTIN;
        match problems.first() {
            None => Ok(Arc::clone(geography)),
            Some(problem) => {
                Err(GeographyError::Entry { field: problem.field.clone(), message: problem.message.clone() })
            }
        }
    }

    /// What this build and these `Geography` objects (name and spec) know together, and what is wrong with the objects.
    /// Should the built-in catalog be defective, that is the first problem, and only the objects count.
    pub fn with_objects<'a>(
        objects: impl IntoIterator<Item = (&'a str, &'a GeographySpec)>,
    ) -> (Arc<Self>, Vec<Problem>) {
        let mut objects: Vec<_> = objects.into_iter().collect();
        if objects.is_empty() {
            return BUILTIN.clone();
        }
        // In the order of their names, whatever order they came in: every replica answers alike.
        objects.sort_by_key(|(name, _)| *name);
        let mut builder = Builder::with_catalog();
        for (name, spec) in objects {
            builder.add(&Origin::Object(name.into()), spec);
        }
        let (geography, problems) = builder.finish();
        (Arc::new(geography), problems)
    }

    /// The same, where these objects are there as well and cannot be read.
    #[must_use]
    pub fn lacking(self: Arc<Self>, names: impl IntoIterator<Item = Arc<str>>) -> Arc<Self> {
        let unread: Vec<_> = names.into_iter().collect();
        if unread.is_empty() { self } else { Arc::new(Self { unread, ..Self::clone(&self) }) }
    }

    /// The objects that cannot be read. They could correct any place, so that none is known while there are some.
    #[must_use]
    pub fn unread(&self) -> &[Arc<str>] {
        &self.unread
    }
}

#[derive(Clone, Default)]
struct Builder {
    rows: Vec<Row>,
    /// Where each row stands in `spec.regions`.
    places: Vec<usize>,
    groups: BTreeMap<Arc<str>, Said<GroupEntry>>,
    providers: BTreeMap<Arc<str>, ProviderFacts>,
    schemes: BTreeMap<Arc<str>, Said<Arc<str>>>,
    drivers: BTreeMap<Arc<str>, Said<(Driver, DriverEntry)>>,
    problems: Vec<Problem>,
}

/// A regular expression, equal to one that is written alike.
#[derive(Clone)]
struct Expression(Regex);

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

#[derive(Clone, Default)]
struct ProviderFacts {
    jurisdiction: Option<Said<Jurisdiction>>,
    zone_rule: Option<Said<Expression>>,
    id_zone: Option<Said<Expression>>,
    source: Option<Arc<str>>,
}

impl Builder {
    fn with_catalog() -> Self {
        CATALOG.clone().unwrap_or_else(|error| {
            let mut builder = Self::default();
            builder.invalid(&Origin::BuiltIn, "data".into(), error.to_string());
            builder
        })
    }

    fn invalid(&mut self, origin: &Origin, field: String, message: String) {
        self.problems.push(Problem {
            object: object_name(origin),
            field,
            message,
            kind: ProblemKind::Invalid,
        });
    }

    fn conflict(&mut self, what: &str, one: (&Origin, &str), other: (&Origin, &str)) {
        for ((origin, field), (against, _)) in [(one, other), (other, one)] {
            if origin == against {
                let message = format!("{what} is given twice, and differently: unknown");
                self.invalid(origin, field.to_owned(), message);
                continue;
            }
            let with = object_name(against);
            let message =
                format!("Geography {with} says otherwise of {what}: unknown until one of the two is changed");
            self.problems.push(Problem {
                object: object_name(origin),
                field: field.to_owned(),
                message,
                kind: ProblemKind::Conflict { with },
            });
        }
    }

    fn add(&mut self, origin: &Origin, spec: &GeographySpec) {
        for (at, group) in spec.groups.iter().enumerate() {
            self.group(origin, format!("spec.groups[{at}]"), group);
        }
        for (at, region) in spec.regions.iter().enumerate() {
            match row(origin, region) {
                Ok(row) => {
                    self.rows.push(row);
                    self.places.push(at);
                }
                Err((part, message)) => self.invalid(origin, format!("spec.regions[{at}].{part}"), message),
            }
        }
        for (at, provider) in spec.providers.iter().enumerate() {
            self.provider(origin, &format!("spec.providers[{at}]"), provider);
        }
        for (at, driver) in spec.drivers.iter().enumerate() {
            self.driver(origin, format!("spec.drivers[{at}]"), driver);
        }
    }

    fn group(&mut self, origin: &Origin, field: String, entry: &GroupEntry) {
        if let Some(message) = bad_group_name(origin, &entry.name) {
            self.invalid(origin, format!("{field}.name"), message);
            return;
        }
        let clash = say(
            &mut self.groups,
            &entry.name,
            Said { value: entry.clone(), origin: origin.clone(), field, disputed: false },
            |one, other| same_members(&one.members, &other.members),
        );
        self.report(&format!("the group {}", entry.name), clash);
    }

    fn report(&mut self, what: &str, clash: Option<Clash>) {
        if let Some([one, other]) = clash {
            self.conflict(what, (&one.0, &one.1), (&other.0, &other.1));
        }
    }

    fn provider(&mut self, origin: &Origin, field: &str, entry: &ProviderEntry) {
        if entry.name.is_empty() {
            self.invalid(origin, format!("{field}.name"), "a provider needs a name".into());
            return;
        }
        let name: Arc<str> = entry.name.as_str().into();
        self.providers.entry(Arc::clone(&name)).or_default();
        for (at, scheme) in entry.schemes.iter().enumerate() {
            let said = Said {
                value: Arc::clone(&name),
                origin: origin.clone(),
                field: format!("{field}.schemes[{at}]"),
                disputed: false,
            };
            let clash = say(&mut self.schemes, scheme, said, |one, other| one == other);
            self.report(&format!("the scheme {scheme}"), clash);
        }
        let jurisdiction = match entry.jurisdiction.as_deref().map(iso::parse_country).transpose() {
            Ok(jurisdiction) => jurisdiction,
            Err(error) => {
                self.invalid(origin, format!("{field}.jurisdiction"), error.to_string());
                None
            }
        };
        let zone_rule = self.regex(origin, field, "zoneRule", "region", entry.zone_rule.as_deref());
        let id_zone = self.regex(origin, field, "providerIDZone", "zone", entry.provider_id_zone.as_deref());
        let facts = self.providers.entry(Arc::clone(&name)).or_default();
        if entry.source.is_some() {
            facts.source = entry.source.as_deref().map(Arc::from);
        }
        let clashes = [
            ("jurisdiction", say_one(&mut facts.jurisdiction, jurisdiction, origin, field, "jurisdiction")),
            ("zone rule", say_one(&mut facts.zone_rule, zone_rule, origin, field, "zoneRule")),
            ("providerID's zone", say_one(&mut facts.id_zone, id_zone, origin, field, "providerIDZone")),
        ];
        for (what, clash) in clashes {
            self.report(&format!("the {what} of provider {name}"), clash);
        }
    }

    fn regex(
        &mut self,
        origin: &Origin,
        field: &str,
        name: &str,
        group: &str,
        pattern: Option<&str>,
    ) -> Option<Expression> {
        let pattern = pattern?;
        let problem = match compile(pattern) {
            Err(error) => error.to_string(),
            Ok(regex) if !regex.capture_names().flatten().any(|found| found == group) => {
                format!("it needs a group (?<{group}>…)")
            }
            Ok(regex) => return Some(Expression(regex)),
        };
        self.invalid(origin, format!("{field}.{name}"), problem);
        None
    }

    fn driver(&mut self, origin: &Origin, field: String, entry: &DriverEntry) {
        let driver = match Driver::new(entry) {
            Ok(driver) if entry.name.is_empty() => {
                drop(driver);
                self.invalid(origin, format!("{field}.name"), "a driver needs a name".into());
                return;
            }
            Ok(driver) => driver,
            Err((part, message)) => {
                self.invalid(origin, format!("{field}.{part}"), message);
                return;
            }
        };
        match self.drivers.get_mut(entry.name.as_str()) {
            Some(said) if said.origin == Origin::BuiltIn && *origin != Origin::BuiltIn => {
                let merged = driver.over(entry, &said.value.0);
                *said =
                    Said { value: (merged, entry.clone()), origin: origin.clone(), field, disputed: false };
            }
            Some(said) => {
                let same = DriverEntry { source: None, ..said.value.1.clone() }
                    == DriverEntry { source: None, ..entry.clone() };
                if !same {
                    said.value.0.dispute(driver);
                    said.disputed = true;
                    let earlier = (said.origin.clone(), said.field.clone());
                    self.report(
                        &format!("the driver {}", entry.name),
                        Some([earlier, (origin.clone(), field)]),
                    );
                }
            }
            None => {
                let name = Arc::clone(&driver.name);
                let said =
                    Said { value: (driver, entry.clone()), origin: origin.clone(), field, disputed: false };
                self.drivers.insert(name, said);
            }
        }
    }

    /// Rows of objects that stand on the same step and disagree.
    fn compare_rows(&mut self) {
        let mut by_provider: AHashMap<&str, Vec<usize>> = AHashMap::new();
        for (number, row) in self.rows.iter().enumerate() {
            if row.origin != Origin::BuiltIn {
                by_provider.entry(&row.provider).or_default().push(number);
            }
        }
        let mut found = Vec::new();
        for users in by_provider.values() {
            for (at, one) in users.iter().enumerate() {
                let other =
                    users[at + 1..].iter().find(|other| disagree(&self.rows[*one], &self.rows[**other]));
                found.extend(other.map(|other| (*one, *other)));
            }
        }
        self.report_rows(found);
    }

    fn report_rows(&mut self, mut found: Vec<(usize, usize)>) {
        found.sort_unstable();
        for (one, other) in found {
            let what = describe(&self.rows[one]);
            let sides = [one, other].map(|number| {
                (self.rows[number].origin.clone(), format!("spec.regions[{}]", self.places[number]))
            });
            self.report(&what, Some(sides));
        }
    }

    fn finish(mut self) -> (Geography, Vec<Problem>) {
        self.compare_rows();
        let mut geography = Geography::default();
        self.finish_groups(&mut geography);
        let Self { rows, providers, schemes, drivers, problems, .. } = self;
        geography.rows = rows;
        let mut index: BTreeMap<Arc<str>, Provider> = BTreeMap::new();
        for (name, facts) in providers {
            let provider = index.entry(Arc::clone(&name)).or_insert_with(|| Provider::new(name));
            provider.source = facts.source;
            provider.jurisdiction = match facts.jurisdiction {
                Some(said) if said.disputed => Fact::Doubt,
                said => said.map(|said| said.value).into(),
            };
            provider.zone_rule = match facts.zone_rule {
                Some(said) if said.disputed => ZoneRule::Disputed,
                Some(said) => ZoneRule::Rule(said.value.0),
                None => ZoneRule::None,
            };
            provider.id_zone_disputed = facts.id_zone.as_ref().is_some_and(|said| said.disputed);
            provider.id_zone = facts.id_zone.map(|said| said.value.0);
        }
        for (number, row) in (0_u32..).zip(&geography.rows) {
            index
                .entry(Arc::clone(&row.provider))
                .or_insert_with(|| Provider::new(Arc::clone(&row.provider)))
                .add(number, row);
        }
        for (scheme, said) in schemes {
            if let Some(provider) = index.get_mut(&said.value).filter(|_| !said.disputed) {
                provider.schemes.push(Arc::clone(&scheme));
            }
            geography.schemes.insert(scheme, (!said.disputed).then_some(said.value));
        }
        geography.drivers = drivers.into_iter().map(|(name, said)| (name, said.value.0)).collect();
        for driver in geography.drivers.values() {
            let own = driver.provider.as_ref().and_then(|provider| index.get_mut(provider));
            let (mut own_zones, mut own_regions) = (None, None);
            if let Some(own) = own {
                own_zones = Some(&mut own.zone_keys);
                own_regions = Some(&mut own.region_keys);
            }
            add_keys(&driver.topology_keys, driver.provider.as_ref(), &mut geography.zone_keys, own_zones);
            add_keys(&driver.region_keys, driver.provider.as_ref(), &mut geography.region_keys, own_regions);
        }
        geography.providers = index;
        list_regions(&mut geography);
        (geography, problems)
    }

    fn finish_groups(&mut self, geography: &mut Geography) {
        let raw: BTreeMap<_, _> = self
            .groups
            .iter()
            .map(|(name, said)| {
                let disputed =
                    said.disputed.then(|| "two Geography objects define it differently".to_owned());
                (Arc::clone(name), RawGroup { members: said.value.members.clone(), disputed })
            })
            .collect();
        geography.groups = Groups::new(&raw);
        let mut broken = Vec::new();
        for (name, said) in &self.groups {
            // The catalog's own groups can only break by a user's that they contain, and that one is told of.
            let told_elsewhere = said.disputed || said.origin == Origin::BuiltIn;
            if let (false, Some(reason)) = (told_elsewhere, geography.groups.problem(name)) {
                broken.push((said.origin.clone(), format!("{}.members", said.field), reason.to_owned()));
            }
            geography.group_rows.push(GroupRow {
                name: Arc::clone(name),
                members: said.value.members.clone(),
                source: said.value.source.as_deref().map(Arc::from),
                origin: said.origin.clone(),
            });
        }
        for (origin, field, reason) in broken {
            self.invalid(&origin, field, format!("the group cannot be used: {reason}"));
        }
    }
}

fn add_keys(
    from: &[Arc<str>],
    provider: Option<&Arc<str>>,
    all: &mut Vec<(Arc<str>, Option<Arc<str>>)>,
    mut own: Option<&mut Vec<Arc<str>>>,
) {
    let kubernetes = [keys::ZONE, keys::REGION, keys::BETA_ZONE, keys::BETA_REGION];
    for key in from.iter().filter(|key| !kubernetes.contains(&&***key)) {
        match all.iter_mut().find(|(known, _)| known == key) {
            None => all.push((Arc::clone(key), provider.cloned())),
            // A key of several providers is no one's.
            Some((_, owner)) if owner.as_ref() != provider => *owner = None,
            Some(_) => {}
        }
        if let Some(own) = own.as_deref_mut().filter(|own| !own.contains(key)) {
            own.push(Arc::clone(key));
        }
    }
}

/// Looks up each region that a row spells out.
fn list_regions(geography: &mut Geography) {
    let spelled = geography.rows.iter().filter(|row| row.region.is_literal());
    let regions: BTreeSet<_> =
        spelled.map(|row| (Arc::clone(&row.provider), Arc::clone(row.region.text()))).collect();
    for (provider, region) in regions {
        let listed = geography.providers.get(&provider).map(|index| geography.list(index, &region));
        if let (Some(index), Some(listed)) = (geography.providers.get_mut(&provider), listed) {
            index.listed.insert(region, listed);
        }
    }
}

fn object_name(origin: &Origin) -> Arc<str> {
    match origin {
        Origin::BuiltIn => "built-in catalog".into(),
        Origin::Object(name) => Arc::clone(name),
    }
}
