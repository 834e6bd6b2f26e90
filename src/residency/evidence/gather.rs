//! From verdicts to facts, one verdict at a time.

use std::collections::{BTreeMap, BTreeSet};

use super::coverage::coverage;
use super::facts::{
    ClassificationFacts, Cut, DoubtfulNode, Ending, Ends, Evidence, ExceptionFacts, Grant, How, NodeFacts,
    NodesAt, PolicyFacts, ProblemFacts, Resident, Standing, Summary, UnclassifiedFacts, Validity, Violation,
};
use super::lists::{Counted, First, Places, cut};
use super::standing::{Found, find};
use crate::api::Place;
use crate::cluster::enforcement::Enforcement;
use crate::cluster::{Key, Kind, State};
use crate::objects::ObjectRef;
use crate::placement::selector::LabelsRef;
use crate::policy::{Policy, is_dns_label, place_name};
use crate::residency::judge::Court;
use crate::residency::scope::Ruling;
use crate::residency::{Decision, Example, Finding, Verdict, exempted, may_be_exempted};

/// Objects and violations that all policies together list at most, of each.
const LISTED: usize = 4_000;
/// Those that one policy lists at most, and at least.
const OF_ONE: (usize, usize) = (200, 5);
/// Rows of the other lists.
const ROWS: usize = 500;

/// What is counted in a namespace.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct InNamespace {
    pub(super) classified: usize,
    pub(super) violating: usize,
    pods: usize,
    claims: usize,
}

/// What is gathered of a policy.
struct OfPolicy {
    selected: BTreeMap<&'static str, usize>,
    places: Places,
    objects: First<ObjectRef, Resident>,
    violations: First<(ObjectRef, usize), Violation>,
    excepted: usize,
}

/// What is gathered of a classification.
#[derive(Default)]
struct OfClassification {
    objects: BTreeMap<&'static str, usize>,
    places: Places,
}

/// What is gathered so far.
pub(super) struct Gathering<'a> {
    court: Court<'a>,
    /// The state without exceptions, once it is needed.
    strict: Option<State>,
    summary: Summary,
    policies: BTreeMap<&'a str, OfPolicy>,
    classifications: BTreeMap<String, OfClassification>,
    /// How many objects each exception applies to.
    exceptions: BTreeMap<(String, String), usize>,
    others: First<(ObjectRef, usize), Violation>,
    namespaces: BTreeMap<String, InNamespace>,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(court: Court<'a>) -> Self {
        let policies = court.state.policies();
        let most = (LISTED / policies.len().max(1)).clamp(OF_ONE.1, OF_ONE.0);
        let of = |policy: &'a Policy| {
            let gathered = OfPolicy {
                selected: BTreeMap::new(),
                places: Places::default(),
                objects: First::new(most),
                violations: First::new(most),
                excepted: 0,
            };
            (&*policy.name, gathered)
        };
        Self {
            court,
            strict: None,
            summary: Summary::default(),
            policies: policies.iter().map(of).collect(),
            classifications: policies
                .governed()
                .map(|one| (one.to_owned(), OfClassification::default()))
                .collect(),
            exceptions: BTreeMap::new(),
            others: First::new(OF_ONE.0),
            namespaces: BTreeMap::new(),
        }
    }

    /// Takes up one verdict.
    pub(super) fn take(&mut self, kind: Kind, verdict: &Verdict) {
        self.summary.judged += 1;
        match verdict.decision {
            Decision::Deny => self.summary.denied += 1,
            Decision::Warn => self.summary.warned += 1,
            Decision::Allow if !verdict.findings.is_empty() => self.summary.reported += 1,
            Decision::Allow => {}
        }
        let here = self.namespaces.entry(verdict.object.namespace.clone()).or_default();
        here.violating += usize::from(!verdict.findings.is_empty());
        if !verdict.classifications.is_empty() {
            here.classified += 1;
        } else if kind == Kind::Pod {
            here.pods += 1;
        } else if kind == Kind::PersistentVolumeClaim {
            here.claims += 1;
        }
        for (number, finding) in verdict.findings.iter().enumerate() {
            let key = (verdict.object.clone(), number);
            let violation = || violation(verdict, finding);
            match finding.policy.as_deref().and_then(|policy| self.policies.get_mut(policy)) {
                Some(policy) => policy.violations.add(key, violation),
                None => self.others.add(key, violation),
            }
        }
        self.summary.exempted += usize::from(self.is_exempted(kind, verdict));
        let names: BTreeSet<&str> = verdict.classifications.iter().map(|one| one.name.as_str()).collect();
        let names: Vec<&str> = names.into_iter().filter(|name| is_dns_label(name)).collect();
        if names.is_empty() {
            return;
        }
        self.summary.classified += 1;
        if let Some(found) = find(self.court, kind, &verdict.object) {
            self.place(kind, &verdict.object, &names, &found);
        }
    }

    /// Whether an exception is all that keeps it from breaking a policy.
    fn is_exempted(&mut self, kind: Kind, verdict: &Verdict) -> bool {
        let Court { state, now } = self.court;
        let (namespace, name) = (verdict.object.namespace.clone(), verdict.object.name.clone());
        let key = Key { kind, namespace, name };
        may_be_exempted(state, &key, verdict, now) && {
            let strict = self.strict.get_or_insert_with(|| state.without_exceptions());
            !exempted(strict, &key, verdict, now).is_empty()
        }
    }

    fn place(&mut self, kind: Kind, object: &ObjectRef, names: &[&str], found: &Found<'_>) {
        let counted = self.counts_as(kind, object, &found.standing);
        for name in names {
            let of = self.classifications.entry((*name).to_owned()).or_default();
            *of.objects.entry(kind.as_str()).or_default() += 1;
            if let Some(counted) = counted {
                of.places.count(&found.standing.jurisdictions, counted);
            }
        }
        let mut applied: BTreeSet<&str> = BTreeSet::new();
        for Ruling { policy, exceptions, .. } in &found.rulings {
            let Some(of) = self.policies.get_mut(&*policy.name) else { continue };
            *of.selected.entry(kind.as_str()).or_default() += 1;
            if let Some(counted) = counted {
                of.places.count(&found.standing.jurisdictions, counted);
            }
            of.excepted += usize::from(!exceptions.is_empty());
            applied.extend(exceptions.iter().map(|exception| &*exception.name));
            of.objects.add(object.clone(), || Resident {
                object: object.clone(),
                classifications: names.iter().map(|name| (*name).to_owned()).collect(),
                standing: found.standing.clone(),
                exceptions: exceptions.iter().map(|exception| exception.name.to_string()).collect(),
            });
        }
        // An exception applies in its own namespace: the object's, or that of a volume's claim.
        let namespace = self.namespace_of(kind, object);
        for name in applied {
            *self.exceptions.entry((namespace.clone(), name.to_owned())).or_default() += 1;
        }
    }

    /// The namespace under which policies see an object.
    fn namespace_of(&self, kind: Kind, object: &ObjectRef) -> String {
        let state = self.court.state;
        let of_volume = |name: &str| Some(state.volume(name)?.claim.as_ref()?.namespace.to_string());
        let seen = match kind {
            Kind::PersistentVolume => of_volume(&object.name),
            Kind::VolumeAttachment => {
                state.attachment(&object.name).and_then(|entry| of_volume(entry.volume.as_deref()?))
            }
            Kind::VolumeSnapshotContent => state
                .content(&object.name)
                .and_then(|entry| Some(entry.snapshot.as_deref()?.namespace.clone())),
            _ => None,
        };
        seen.unwrap_or_else(|| object.namespace.clone())
    }

    /// What an object counts as in a table of places, each piece of data once: a claim is where its volume is, content of
    /// a snapshot where the snapshot is.
    fn counts_as(&self, kind: Kind, object: &ObjectRef, standing: &Standing) -> Option<Counted> {
        let state = self.court.state;
        let there = |counted| if standing.how == How::Could { Counted::Could } else { counted };
        match kind {
            Kind::Pod => Some(there(Counted::Pod)),
            Kind::Workload(_) => Some(Counted::Could),
            Kind::PersistentVolume => Some(there(Counted::Volume)),
            Kind::PersistentVolumeClaim => {
                let entry = state.claim(&object.namespace, &object.name)?;
                let seen = entry.volume.as_deref().is_some_and(|volume| state.volume(volume).is_some());
                (!seen).then(|| there(Counted::Volume))
            }
            Kind::VolumeSnapshot => Some(there(Counted::Snapshot)),
            Kind::VolumeSnapshotContent => {
                let of = state.content(&object.name)?.snapshot.as_deref();
                let seen = of.is_some_and(|of| state.snapshot(&of.namespace, &of.name).is_some());
                (!seen).then(|| there(Counted::Snapshot))
            }
            _ => None,
        }
    }

    /// Everything together.
    pub(super) fn finish(mut self, enforcement: &Enforcement) -> Evidence {
        let (state, now) = (self.court.state, self.court.now);
        let inside: BTreeMap<&str, InNamespace> =
            self.namespaces.iter().map(|(name, inside)| (name.as_str(), *inside)).collect();
        let coverage = coverage(state, enforcement, &inside);
        let unclassified = unclassified(state, &inside);
        self.summary.unclassified = unclassified.iter().map(|one| one.pods + one.claims).sum();
        let governing = |name: &str| {
            let mut policies: Vec<String> = state
                .policies()
                .governing(std::iter::once(name))
                .map(|policy| policy.name.to_string())
                .collect();
            policies.sort_unstable();
            policies
        };
        let classifications = self.classifications.into_iter().map(|(name, of)| ClassificationFacts {
            policies: governing(&name),
            name,
            objects: of.objects,
            places: of.places.list(),
        });
        let policies = state.policies().iter().filter_map(|policy| {
            let gathered = self.policies.remove(&*policy.name)?;
            Some(policy_facts(self.court, policy, gathered))
        });
        let policies: Vec<PolicyFacts> = policies.collect();
        let exceptions = exceptions(self.court, &self.exceptions);
        let endings = endings(&policies, &exceptions);
        let problem = |problem: crate::cluster::Problem| ProblemFacts {
            object: problem.object.to_string(),
            message: problem.message,
        };
        Evidence {
            at: now,
            summary: self.summary,
            classifications: classifications.collect(),
            policies,
            other_findings: self.others.cut(),
            exceptions: cut(exceptions, ROWS),
            endings,
            nodes: nodes(state),
            unclassified: cut(unclassified, ROWS),
            coverage,
            problems: state.problems().into_iter().map(problem).collect(),
        }
    }
}

fn violation(verdict: &Verdict, finding: &Finding) -> Violation {
    Violation {
        object: verdict.object.clone(),
        since: None,
        action: finding.action,
        decision: verdict.decision,
        reason: finding.reason,
        message: finding.message.clone(),
        example: finding.example.clone(),
    }
}

fn unclassified(state: &State, inside: &BTreeMap<&str, InNamespace>) -> Vec<UnclassifiedFacts> {
    let required = |name: &str| {
        let selector = state.settings().required.as_ref();
        // As the judgement has it: a namespace that is not known could be one of those.
        selector.is_some_and(|selector| {
            state.namespace(name).is_none_or(|entry| selector.matches(LabelsRef::Map(&entry.labels)))
        })
    };
    let some = inside.iter().filter(|(_, inside)| inside.pods + inside.claims > 0);
    some.map(|(name, inside)| UnclassifiedFacts {
        namespace: (*name).to_owned(),
        pods: inside.pods,
        claims: inside.claims,
        required: required(name),
    })
    .collect()
}

fn policy_facts(court: Court<'_>, policy: &Policy, gathered: OfPolicy) -> PolicyFacts {
    let written = court.state.written_policy(&policy.name).map(|written| &written.spec);
    let grants =
        |places: Option<&Vec<Place>>| places.into_iter().flatten().map(|place| grant(court, place)).collect();
    let activities = [("Processing", policy.processing), ("Storage", policy.storage)];
    PolicyFacts {
        name: policy.name.to_string(),
        classifications: policy.classifications.iter().map(ToString::to_string).collect(),
        activities: activities.into_iter().filter(|(_, governs)| *governs).map(|(name, _)| name).collect(),
        action: policy.action,
        assurance: policy.assurance,
        remedy: policy.remedy,
        permits: policy.wording.clone(),
        legal_basis: policy.legal_basis.clone(),
        allow: grants(written.and_then(|spec| spec.allow.as_ref())),
        deny: grants(written.and_then(|spec| spec.deny.as_ref())),
        selected: gathered.selected,
        places: gathered.places.list(),
        objects: gathered.objects.cut(),
        violations: gathered.violations.cut(),
        broken_since: None,
        excepted: gathered.excepted,
    }
}

fn grant(court: Court<'_>, place: &Place) -> Grant {
    Grant {
        place: place_name(place),
        from: place.from,
        until: place.until,
        basis: place.basis.clone(),
        state: Validity::of(place.from, place.until, court.now),
    }
}

fn exceptions(court: Court<'_>, applied: &BTreeMap<(String, String), usize>) -> Vec<ExceptionFacts> {
    let facts = |(namespace, exception): (&str, &crate::policy::Exception)| ExceptionFacts {
        namespace: namespace.to_owned(),
        name: exception.name.to_string(),
        policies: exception.policies.clone(),
        permits: exception.wording.clone(),
        until: exception.until,
        reason: exception.reason.clone(),
        state: Validity::of(None, Some(exception.until), court.now),
        objects: applied
            .get(&(namespace.to_owned(), exception.name.to_string()))
            .copied()
            .unwrap_or_default(),
    };
    court.state.policies().exceptions().map(facts).collect()
}

/// What counts now or will, and ends.
fn endings(policies: &[PolicyFacts], exceptions: &[ExceptionFacts]) -> Cut<Ending> {
    let of_policy = |policy: &PolicyFacts| {
        let of = format!("policy {}", policy.name);
        let ending = |(ends, grant): (Ends, &Grant)| {
            let until = grant.until.filter(|_| grant.state != Validity::Ended)?;
            Some(Ending { until, ends, of: of.clone(), place: grant.place.clone() })
        };
        let allowed = policy.allow.iter().map(|grant| (Ends::Permission, grant));
        let denied = policy.deny.iter().map(|grant| (Ends::Denial, grant));
        allowed.chain(denied).filter_map(ending).collect::<Vec<_>>()
    };
    let running = exceptions.iter().filter(|exception| exception.state != Validity::Ended);
    let of_exceptions = running.map(|exception| Ending {
        until: exception.until,
        ends: Ends::Permission,
        of: format!("exception {}/{}", exception.namespace, exception.name),
        place: exception.permits.clone(),
    });
    let mut all: Vec<Ending> = policies.iter().flat_map(of_policy).chain(of_exceptions).collect();
    all.sort_unstable();
    cut(all, ROWS)
}

fn nodes(state: &State) -> NodeFacts {
    let mut places: BTreeMap<(Option<String>, Option<String>), usize> = BTreeMap::new();
    let mut doubtful = First::new(ROWS);
    for node in state.nodes().iter() {
        let location = &state.sites().get(node.site).location;
        let example = Example::at(location);
        let known = example.jurisdiction.is_some() && node.conflicts.is_empty();
        *places.entry((example.jurisdiction.clone(), example.provider_jurisdiction.clone())).or_default() +=
            1;
        if !known {
            doubtful.add(node.name.clone(), || DoubtfulNode {
                name: node.name.to_string(),
                location: example,
                conflicts: node.conflicts.to_vec(),
            });
        }
    }
    let at = |((jurisdiction, provider_jurisdiction), nodes)| NodesAt {
        jurisdiction,
        provider_jurisdiction,
        nodes,
    };
    NodeFacts {
        total: state.nodes().len(),
        places: places.into_iter().map(at).collect(),
        doubtful: doubtful.cut(),
    }
}
