//! One policy or exception, compiled against a geography and the sites of the cluster.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;

use super::place::{CompiledPlace, PlaceError};
use super::timetable::Timetable;
use crate::api::{
    Action, Activity, Assurance, LegalBasis, Place, Remedy, ResidencyException, ResidencyPolicy,
};
use crate::geography::{Geography, Location, Tri, UnknownCode};
use crate::placement::bits::BitSet;
use crate::placement::selector::{LabelsRef, Selector, SelectorError};
use crate::placement::sites::{Site, SiteId, Sites};

/// What is wrong with a policy or an exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyProblem {
    /// The field, as a path from the object's root.
    pub field: String,
    /// What is wrong with it, and what to do.
    pub message: String,
    /// Whether the object is refused for it. If not, it permits nothing until the problem is gone.
    pub refused: bool,
}

impl PolicyProblem {
    fn place(list: &str, index: usize, error: &PlaceError) -> Self {
        // GitOps may bring the Geography that defines a group a moment later.
        let refused = matches!(error, PlaceError::Code { problem: UnknownCode::NoSuchCountry { .. }, .. })
            || !matches!(error, PlaceError::Code { .. });
        let mut message = error.to_string();
        if !refused {
            // What is wrong may end in a question.
            let until = if message.ends_with('?') { " Until" } else { "; until" };
            message.push_str(until);
            message.push_str(" a Geography defines it this permits nothing");
        }
        Self { field: format!("spec.{list}[{index}]"), message, refused }
    }

    /// A geography that cannot be read could correct every place that the policy names.
    fn unread(name: &str) -> Self {
        let message = format!(
            "Geography {name} cannot be read, so no place is known; until it is mended this permits nothing"
        );
        Self { field: "spec".into(), message, refused: false }
    }

    fn selector(field: &str, error: &SelectorError) -> Self {
        Self { field: format!("spec.{field}"), message: error.to_string(), refused: true }
    }
}

fn selector(
    field: &str,
    raw: Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector>,
    problems: &mut Vec<PolicyProblem>,
) -> Option<Selector> {
    Selector::compile(raw?).map_err(|error| problems.push(PolicyProblem::selector(field, &error))).ok()
}

fn places(
    list: &str,
    raw: Option<&Vec<Place>>,
    geography: &Geography,
    problems: &mut Vec<PolicyProblem>,
) -> Option<Vec<CompiledPlace>> {
    let compile = |(index, place): (usize, &Place)| {
        let (compiled, errors) = CompiledPlace::compile(place, geography);
        problems.extend(errors.iter().map(|error| PolicyProblem::place(list, index, error)));
        compiled
    };
    Some(raw?.iter().enumerate().map(compile).collect())
}

/// Whether a token is a DNS label, as every classification must be.
#[must_use]
pub fn is_dns_label(token: &str) -> bool {
    let bytes = token.as_bytes();
    let word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| word(byte) || *byte == b'-')
        && bytes.first().is_some_and(word)
        && bytes.last().is_some_and(word)
}

/// A policy, ready to judge.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its name.
    pub name: Arc<str>,
    /// What it governs. Empty: everything, since what it governs could not be read.
    pub classifications: Vec<Arc<str>>,
    /// Whether it governs where data is worked on.
    pub processing: bool,
    /// Whether it governs where data is kept.
    pub storage: bool,
    /// What it does to an object that breaks it.
    pub action: Action,
    /// How sure it wants to be.
    pub assurance: Assurance,
    /// What it does for an object that is not confined.
    pub remedy: Remedy,
    /// Its law, quoted in messages.
    pub legal_basis: Vec<LegalBasis>,
    /// The places that it allows, in its author's words.
    pub wording: String,
    /// The same for messages: of very many places the first.
    pub brief: String,
    namespaces: Option<Selector>,
    objects: Option<Selector>,
    allow: Option<Vec<CompiledPlace>>,
    deny: Vec<CompiledPlace>,
    /// It cannot be read in full, so it permits nothing.
    closed: bool,
    timetable: Timetable,
}

impl Policy {
    /// Compiles a policy. With problems it still governs, and permits nothing.
    #[must_use]
    pub fn compile(policy: &ResidencyPolicy, geography: &Geography) -> (Self, Vec<PolicyProblem>) {
        let spec = &policy.spec;
        let mut problems = Vec::new();
        let problem =
            |field: &str, message: String| PolicyProblem { field: field.into(), message, refused: true };
        if spec.classifications.is_empty() {
            problems.push(problem("spec.classifications", "name at least one classification".into()));
        }
        for (index, token) in
            spec.classifications.iter().enumerate().filter(|(_, token)| !is_dns_label(token))
        {
            problems.push(problem(
                &format!("spec.classifications[{index}]"),
                format!("{token:?} is not a DNS label (lower-case letters, digits and `-`, at most 63)"),
            ));
        }
        if spec.allow.is_none() && spec.deny.is_none() {
            problems.push(problem("spec", "name places in `allow`, in `deny`, or in both".into()));
        }
        for (list, places) in [("allow", &spec.allow), ("deny", &spec.deny)] {
            if places.as_ref().is_some_and(Vec::is_empty) {
                problems
                    .push(problem(&format!("spec.{list}"), "must not be empty; leave it out instead".into()));
            }
        }
        let namespaces = selector("namespaceSelector", spec.namespace_selector.as_ref(), &mut problems);
        let objects = selector("objectSelector", spec.object_selector.as_ref(), &mut problems);
        let allow = places("allow", spec.allow.as_ref(), geography, &mut problems);
        let deny = places("deny", spec.deny.as_ref(), geography, &mut problems).unwrap_or_default();
        problems.extend(geography.unread().iter().map(|name| PolicyProblem::unread(name)));
        let governs = |activity| {
            spec.activities.as_ref().is_none_or(|some| some.is_empty() || some.contains(&activity))
        };
        let timetable = Timetable::new(allow.iter().flatten().chain(&deny), None);
        let say = |places| match problems.first() {
            Some(problem) => {
                format!("nothing, since it is not in order ({}: {})", problem.field, problem.message)
            }
            None => wording(spec.allow.as_deref(), spec.deny.as_deref(), places),
        };
        let compiled = Self {
            name: policy.metadata.name.as_deref().unwrap_or_default().into(),
            classifications: spec.classifications.iter().map(|token| token.as_str().into()).collect(),
            processing: governs(Activity::Processing),
            storage: governs(Activity::Storage),
            action: spec.action,
            assurance: spec.assurance,
            remedy: spec.remedy,
            legal_basis: spec.legal_basis.clone().unwrap_or_default(),
            wording: say(Places::All),
            brief: say(Places::First),
            namespaces,
            objects,
            allow,
            deny,
            closed: !problems.is_empty(),
            timetable,
        };
        (compiled, problems)
    }

    /// A stored policy of which only the name, and perhaps what it governs, can be read: it permits nothing.
    #[must_use]
    pub fn unreadable(name: &str, classifications: &[String]) -> Self {
        Self {
            name: name.into(),
            classifications: classifications.iter().map(|token| token.as_str().into()).collect(),
            processing: true,
            storage: true,
            action: Action::Deny,
            assurance: Assurance::Observed,
            remedy: Remedy::Reject,
            legal_basis: Vec::new(),
            wording: "nothing, since the policy cannot be read".into(),
            brief: "nothing, since the policy cannot be read".into(),
            namespaces: None,
            objects: None,
            allow: None,
            deny: Vec::new(),
            closed: true,
            timetable: Timetable::new([].iter(), None),
        }
    }

    /// Whether it selects an object with these labels in a namespace with these labels. `None`: not known, so it does.
    #[must_use]
    pub fn selects(&self, namespace: Option<LabelsRef<'_>>, object: Option<LabelsRef<'_>>) -> bool {
        let selected = |selector: &Option<Selector>, labels: Option<LabelsRef<'_>>| match (selector, labels) {
            (Some(selector), Some(labels)) => selector.matches(labels),
            _ => true,
        };
        selected(&self.namespaces, namespace) && selected(&self.objects, object)
    }

    /// The labels of namespaces that it reads.
    pub fn namespace_keys(&self) -> impl Iterator<Item = &str> {
        self.namespaces.iter().flat_map(Selector::keys)
    }

    /// The labels of objects that it reads.
    pub fn object_keys(&self) -> impl Iterator<Item = &str> {
        self.objects.iter().flat_map(Selector::keys)
    }

    /// Whether it permits a location. `nodes` answers for node selectors in its places.
    pub fn permits(&self, location: &Location, nodes: impl Fn(&Selector) -> Tri, now: Timestamp) -> bool {
        if self.closed {
            return false;
        }
        let open = |place: &&CompiledPlace| place.is_open(now);
        let allowed = self.allow.as_ref().is_none_or(|allow| {
            allow.iter().filter(open).any(|place| place.matches(location, &nodes) == Tri::True)
        });
        allowed && !self.deny.iter().filter(open).any(|place| place.matches(location, &nodes) != Tri::False)
    }

    /// The sites that it permits at this moment.
    #[must_use]
    pub fn sites(&self, now: Timestamp) -> Option<&BitSet> {
        self.timetable.sites(now)
    }

    /// Learns a new site.
    pub fn learn(&mut self, number: SiteId, site: &Site, sites: &Sites) {
        let mut timetable = std::mem::take(&mut self.timetable);
        timetable.learn(number, |moment| {
            self.permits(&site.location, |selector| selector.asks(|key| sites.label(site, key)), moment)
        });
        self.timetable = timetable;
    }

    /// Forgets every site.
    pub fn forget(&mut self) {
        self.timetable.forget();
    }

    /// The labels that its places select on.
    pub fn place_keys(&self) -> impl Iterator<Item = &str> {
        keys_of(self.allow.iter().flatten().chain(&self.deny))
    }

    /// Whether some of its places tell nodes apart by their labels.
    #[must_use]
    pub fn selects_nodes(&self) -> bool {
        self.allow.iter().flatten().chain(&self.deny).any(|place| place.node_selector().is_some())
    }

    /// The places that it allows at this moment, for choosing a fix.
    pub fn open_places(&self, now: Timestamp) -> impl Iterator<Item = &CompiledPlace> {
        self.allow.iter().flatten().filter(move |place| place.is_open(now))
    }

    /// Whether a place of it asks whose law binds an operator.
    #[must_use]
    pub fn asks_for_operators(&self) -> bool {
        self.allow.iter().flatten().chain(&self.deny).any(CompiledPlace::asks_for_operators)
    }

    /// When what it permits changes next.
    #[must_use]
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        self.timetable.next_change(now)
    }
}

fn keys_of<'a>(places: impl Iterator<Item = &'a CompiledPlace>) -> impl Iterator<Item = &'a str> {
    places.filter_map(CompiledPlace::node_selector).flat_map(Selector::keys)
}

/// An exception, ready to judge.
#[derive(Clone, Debug)]
pub struct Exception {
    /// Its name.
    pub name: Arc<str>,
    /// The policies that it loosens.
    pub policies: Vec<String>,
    /// From this moment on it adds nothing.
    pub until: Timestamp,
    /// Why, for people.
    pub reason: String,
    /// The places that it adds, in its author's words.
    pub wording: String,
    objects: Option<Selector>,
    allow: Vec<CompiledPlace>,
    closed: bool,
    timetable: Timetable,
}

impl Exception {
    /// Compiles an exception. With problems it adds nothing.
    #[must_use]
    pub fn compile(exception: &ResidencyException, geography: &Geography) -> (Self, Vec<PolicyProblem>) {
        let spec = &exception.spec;
        let mut problems = Vec::new();
        let objects = selector("objectSelector", spec.object_selector.as_ref(), &mut problems);
        let allow = places("allow", Some(&spec.allow), geography, &mut problems).unwrap_or_default();
        for (field, missing, what) in [
            ("spec.policies", spec.policies.is_empty(), "name at least one ResidencyPolicy"),
            ("spec.allow", spec.allow.is_empty(), "name at least one place"),
            ("spec.reason", spec.reason.trim().is_empty(), "say why, for the auditor"),
        ] {
            if missing {
                problems.push(PolicyProblem { field: field.into(), message: what.into(), refused: true });
            }
        }
        problems.extend(geography.unread().iter().map(|name| PolicyProblem::unread(name)));
        let timetable = Timetable::new(allow.iter(), [spec.until]);
        let compiled = Self {
            name: exception.metadata.name.as_deref().unwrap_or_default().into(),
            policies: spec.policies.clone(),
            until: spec.until,
            reason: spec.reason.clone(),
            wording: wording(Some(&spec.allow), None, Places::All),
            objects,
            allow,
            closed: !problems.is_empty(),
            timetable,
        };
        (compiled, problems)
    }

    /// Whether it counts for this policy and an object with these labels, at this moment.
    #[must_use]
    pub fn covers(&self, policy: &str, object: LabelsRef<'_>, now: Timestamp) -> bool {
        now < self.until
            && self.policies.iter().any(|one| one == policy)
            && self.objects.as_ref().is_none_or(|selector| selector.matches(object))
    }

    /// Whether it is in order: one that is not adds nothing.
    #[must_use]
    pub fn is_in_order(&self) -> bool {
        !self.closed
    }

    /// The labels of objects that it reads.
    pub fn object_keys(&self) -> impl Iterator<Item = &str> {
        self.objects.iter().flat_map(Selector::keys)
    }

    /// Whether it adds a location.
    pub fn permits(&self, location: &Location, nodes: impl Fn(&Selector) -> Tri, now: Timestamp) -> bool {
        !self.closed
            && now < self.until
            && self
                .allow
                .iter()
                .filter(|place| place.is_open(now))
                .any(|place| place.matches(location, &nodes) == Tri::True)
    }

    /// The sites that it adds at this moment.
    #[must_use]
    pub fn sites(&self, now: Timestamp) -> Option<&BitSet> {
        self.timetable.sites(now)
    }

    /// Learns a new site.
    pub fn learn(&mut self, number: SiteId, site: &Site, sites: &Sites) {
        let mut timetable = std::mem::take(&mut self.timetable);
        timetable.learn(number, |moment| {
            self.permits(&site.location, |selector| selector.asks(|key| sites.label(site, key)), moment)
        });
        self.timetable = timetable;
    }

    /// Forgets every site.
    pub fn forget(&mut self) {
        self.timetable.forget();
    }

    /// The labels that its places select on.
    pub fn place_keys(&self) -> impl Iterator<Item = &str> {
        keys_of(self.allow.iter())
    }

    /// When what it adds changes next.
    #[must_use]
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        self.timetable.next_change(now)
    }
}

/// How many places are named of very many.
const FIRST: usize = 3;

/// Which places are named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Places {
    All,
    /// The first, if they are so many that nobody reads them all in a message.
    First,
}

/// The places of a policy in a few words.
fn wording(allow: Option<&[Place]>, deny: Option<&[Place]>, which: Places) -> String {
    let list = |places: &[Place]| {
        let named = if which == Places::First && places.len() > 2 * FIRST { FIRST } else { places.len() };
        let mut words: Vec<_> = places.iter().take(named).map(place_wording).collect();
        if named < places.len() {
            words.push(format!("{} more places", places.len() - named));
        }
        words.join(" or ")
    };
    match (allow, deny) {
        (Some(allow), None) => list(allow),
        (Some(allow), Some(deny)) => format!("{}, never {}", list(allow), list(deny)),
        (None, Some(deny)) => format!("anywhere but {}", list(deny)),
        (None, None) => "nothing".into(),
    }
}

fn place_wording(place: &Place) -> String {
    let mut words = place_name(place);
    let mut say_when = |word: &str, moment: Option<Timestamp>| {
        if let Some(moment) = moment {
            let _ = write!(words, " {word} {}", moment.strftime("%Y-%m-%d"));
        }
    };
    say_when("from", place.from);
    say_when("until", place.until);
    if let Some(basis) = &place.basis {
        let _ = write!(words, " ({basis})");
    }
    words
}

/// Where a place is, in a few words, without when and why.
#[must_use]
pub fn place_name(place: &Place) -> String {
    let mut parts = Vec::new();
    let mut say = |what: &str, values: Option<&Vec<String>>| {
        if let Some(values) = values {
            parts.push(format!("{what}{}", values.join(", ")));
        }
    };
    say("", place.jurisdictions.as_ref());
    say("region ", place.regions.as_ref());
    say("zone ", place.zones.as_ref());
    say("provider ", place.providers.as_ref());
    say("an operator under the law of ", place.provider_jurisdictions.as_ref());
    if let Some(selector) = &place.node_selector {
        parts.push(format!("nodes with {}", selector_wording(selector)));
    }
    parts.join(" with ")
}

fn selector_wording(selector: &k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector) -> String {
    let labels = selector.match_labels.iter().flatten().map(|(key, value)| format!("{key}={value}"));
    let expressions = selector.match_expressions.iter().flatten().map(|one| {
        let values = one.values.as_deref().unwrap_or_default().join(",");
        if values.is_empty() {
            format!("{} {}", one.key, one.operator)
        } else {
            format!("{} {} ({values})", one.key, one.operator)
        }
    });
    labels.chain(expressions).collect::<Vec<_>>().join(", ")
}
