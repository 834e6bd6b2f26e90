//! What to write instead. Every fix is judged before it is shown.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::claims;
use super::judge::Court;
use super::pods::{Case, Hearing};
use super::scope::Ruling;
use super::verdict::{Decision, Finding, Fix, Reach, Reason, Verdict};
use super::whereabouts::Finder;
use super::workloads::{self, Stray};
use crate::api::{Action, keys};
use crate::cluster::ClaimEntry;
use crate::geography::{Location, Tri};
use crate::objects::{
    NodeSelector, NodeSelectorTerm, ObjectRef, Operator, PodSpec, Requirement, StorageClass, Workload,
};
use crate::placement::bits::BitSet;
use crate::placement::nodes::NodeEntry;

/// More values than this are no fix that a person wants to read.
const MOST_VALUES: usize = 12;

/// The field of a claim that names its class.
pub(super) const CLASS_FIELD: &str = "spec.storageClassName";

/// A fix for a pod.
pub(super) fn of_pod(court: Court<'_>, case: &Case<'_>, verdict: &Verdict) -> Option<Fix> {
    let beyond_nodes = |finding: &&Finding| finding.action == Action::Deny && !is_about_nodes(finding);
    if verdict.decision != Decision::Deny || verdict.findings.iter().any(|finding| beyond_nodes(&finding)) {
        return None;
    }
    Pins::new(court, case)?.fix()
}

/// A fix for a workload.
pub(super) fn of_workload(
    court: Court<'_>,
    workload: &Workload,
    case: &Case<'_>,
    stray: &[Stray],
    verdict: &Verdict,
) -> Option<Fix> {
    if verdict.decision != Decision::Deny {
        return None;
    }
    if stray.is_empty() {
        return of_pod(court, case, verdict);
    }
    // What stands on the workload moves to where its pods have it.
    let key = court.state.settings().classification_keys.first()?;
    let mut moved = workload.clone();
    let annotations = &mut moved.template.metadata.annotations;
    let there = annotations.get(key).into_iter().flat_map(|list| list.split(',')).map(str::trim);
    let all: BTreeSet<&str> =
        there.filter(|token| !token.is_empty()).chain(stray.iter().map(|stray| &*stray.own.token)).collect();
    let list = all.into_iter().collect::<Vec<_>>().join(", ");
    annotations.insert(key.clone(), list);
    let value = serde_json::to_value(&*annotations).ok()?;
    let reference = ObjectRef::new(workload.kind.api_version(), workload.kind.as_str(), &workload.metadata);
    let judged = workloads::without_fix(court, &moved, reference);
    let path = format!("{}.metadata.annotations", workload.kind.template_path());
    (judged.decision != Decision::Deny).then_some(Fix { path, value })
}

/// A fix for a claim: another class, in the field that names it.
pub(super) fn of_claim(
    court: Court<'_>,
    namespace: &str,
    name: &str,
    entry: &ClaimEntry,
    field: &str,
    verdict: &Verdict,
) -> Option<Fix> {
    // Another class moves no pod that is in the wrong place already.
    let beyond_class =
        |finding: &Finding| finding.action == Action::Deny && finding.field.as_deref() != Some(CLASS_FIELD);
    if verdict.decision != Decision::Deny
        || entry.volume.is_some()
        || verdict.findings.iter().any(beyond_class)
    {
        return None;
    }
    let now = Finder::new(court.state).class_of(entry).map(|(name, _)| name);
    let driver = |name: &str| court.state.class(name).map(|class| class.provisioner.clone());
    let wanted = now.as_deref().and_then(driver);
    // Another driver's volumes may be of another sort: no disk stands in for a share.
    let could_be_meant = |class: &&StorageClass| {
        now.as_deref() != Some(&*class.metadata.name)
            && wanted.as_ref().is_none_or(|driver| class.provisioner == *driver)
    };
    let mut classes: Vec<_> = court.state.classes().filter(could_be_meant).collect();
    classes.sort_by_key(|class| &class.metadata.name);
    classes.into_iter().find_map(|class| {
        let tried = ClaimEntry { class: Some(class.metadata.name.as_str().into()), ..entry.clone() };
        let reference = verdict.object.clone();
        let judged = claims::claim_entry(court, Finder::new(court.state), namespace, name, &tried, reference);
        let passes = judged.decision != Decision::Deny;
        passes.then(|| Fix { path: field.to_owned(), value: json!(class.metadata.name) })
    })
}

fn is_about_nodes(finding: &Finding) -> bool {
    let fields = ["nodeName", "nodeAffinity", "nodeSelector"];
    let node =
        finding.field.as_deref().is_some_and(|field| fields.iter().any(|known| field.ends_with(known)));
    node && matches!(
        finding.reason,
        Reason::NodeOutsideJurisdiction | Reason::UnknownLocation | Reason::NotProven
    )
}

/// Where a pod may be, and the labels that could keep it there.
struct Pins<'a> {
    court: Court<'a>,
    case: &'a Case<'a>,
    /// The policies that look at its node.
    rulings: Vec<Ruling<'a>>,
    /// Nodes there that the pod's own constraints leave, and whether those constraints have to give way.
    nodes: Vec<&'a NodeEntry>,
    loosened: PodSpec,
}

impl<'a> Pins<'a> {
    fn new(court: Court<'a>, case: &'a Case<'a>) -> Option<Self> {
        let state = court.state;
        let hearing = Hearing::open(state, court.now, case)?;
        let mut rulings: Vec<_> = hearing.node_rulings().cloned().collect();
        // Every replica proposes the same.
        rulings.sort_unstable_by(|one, other| one.policy.name.cmp(&other.policy.name));
        let loosened = loosen(case.spec);
        let nodes_of = |spec: &PodSpec| -> Vec<&'a NodeEntry> {
            let free = Case { spec, node: None, ..case.clone() };
            let Some(hearing) = Hearing::open(state, court.now, &free) else { return Vec::new() };
            let Some(reach) = &hearing.nodes else { return Vec::new() };
            let there: BitSet = reach.nodes.clone();
            let nodes = there.iter().filter_map(|slot| state.nodes().at(slot));
            nodes.filter(|node| denying(&rulings).all(|ruling| ruling.permits(node.site))).collect()
        };
        let mut nodes = nodes_of(case.spec);
        let mut kept = case.spec.clone();
        if nodes.is_empty() {
            nodes = nodes_of(&loosened);
            kept = loosened;
        }
        Some(Self { court, case, rulings, nodes, loosened: kept })
    }

    fn fix(&self) -> Option<Fix> {
        if self.case.node.is_some() {
            return self.without_node();
        }
        self.pins().into_iter().find_map(|pin| self.try_pin(&pin))
    }

    /// What the scheduler would make of it, without the node that is written.
    fn without_node(&self) -> Option<Fix> {
        let free = Case { node: None, ..self.case.clone() };
        self.passes(&free).then(|| Fix { path: format!("{}.nodeName", self.case.path), value: Value::Null })
    }

    /// Requirements to try, the plainest first.
    fn pins(&self) -> Vec<Vec<Requirement>> {
        let values = |key: &str| -> Option<BTreeSet<String>> {
            let mut values = BTreeSet::new();
            for node in &self.nodes {
                let value = node.label(key)?;
                if !values.contains(value) {
                    values.insert(value.to_owned());
                }
                if values.len() > MOST_VALUES {
                    return None;
                }
            }
            (!values.is_empty()).then_some(values)
        };
        let within = |key: &str, values: BTreeSet<String>| Requirement {
            key: key.to_owned(),
            operator: Operator::In,
            values: values.into_iter().collect(),
        };
        let pin = |keys: &[&str]| -> Option<Vec<Requirement>> {
            keys.iter().map(|key| Some(within(key, values(key)?))).collect()
        };
        let mut pins: Vec<_> = [
            pin(&[keys::REGION]),
            pin(&[keys::REGION, keys::ZONE]),
            pin(&[keys::RESTRICTED_JURISDICTION]),
            pin(&[keys::REGION, keys::RESTRICTED_JURISDICTION]),
        ]
        .into_iter()
        .flatten()
        .collect();
        pins.extend(self.labels_of_places());
        for region in values(keys::REGION).into_iter().flatten() {
            pins.push(vec![within(keys::REGION, BTreeSet::from([region]))]);
        }
        pins.extend(pin(&[keys::HOSTNAME]));
        if self.nodes.is_empty() {
            pins.extend(self.regions_without_nodes().map(|regions| vec![within(keys::REGION, regions)]));
        }
        pins
    }

    fn labels_of_places(&self) -> Vec<Vec<Requirement>> {
        self.rulings
            .iter()
            .flat_map(|ruling| ruling.policy.open_places(self.court.now))
            .filter_map(|place| place.node_selector())
            .map(|selector| {
                let requirement = |(key, values): (&str, &[String])| Requirement {
                    key: key.to_owned(),
                    operator: Operator::In,
                    values: values.to_vec(),
                };
                selector.as_requirements().into_iter().map(requirement).collect()
            })
            .filter(|requirements: &Vec<_>| !requirements.is_empty())
            .collect()
    }

    /// No node is where the pod may be: the regions of the cluster's providers where one could join. What the state has sites
    /// of hangs on its history, and replicas must answer alike.
    fn regions_without_nodes(&self) -> Option<BTreeSet<String>> {
        let state = self.court.state;
        let permitted = |location: &Location| {
            denying(&self.rulings).all(|ruling| ruling.permits_location(location, |_| Tri::Unknown))
        };
        let regions = state.providers().iter().flat_map(|provider| state.geography().regions(provider));
        let regions: BTreeSet<_> = regions
            .filter(|(_, ordinary)| permitted(ordinary))
            .map(|(region, _)| region.to_string())
            .collect();
        (!regions.is_empty() && regions.len() <= MOST_VALUES).then_some(regions)
    }

    fn try_pin(&self, pin: &[Requirement]) -> Option<Fix> {
        let mut spec = self.loosened.clone();
        if spec.node_selector != self.case.spec.node_selector {
            return self.try_node_selector(pin);
        }
        let mut selector = spec.required_nodes().cloned().unwrap_or_default();
        selector
            .node_selector_terms
            .retain(|term| !term.match_expressions.is_empty() || !term.match_fields.is_empty());
        if selector.node_selector_terms.is_empty() {
            selector.node_selector_terms.push(NodeSelectorTerm::default());
        }
        for term in &mut selector.node_selector_terms {
            term.match_expressions
                .retain(|one| !pin.iter().any(|new| new.key == one.key && one.operator == Operator::In));
            term.match_expressions.extend(pin.iter().cloned());
        }
        selector.node_selector_terms.dedup();
        let value = serde_json::to_value(&selector).ok()?;
        spec.affinity.node_affinity.required = Some(selector);
        let path = format!(
            "{}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution",
            self.case.path
        );
        self.passes(&Case { spec: &spec, ..self.case.clone() }).then_some(Fix { path, value })
    }

    /// What is wrong stands in `nodeSelector`, which takes one value a label.
    fn try_node_selector(&self, pin: &[Requirement]) -> Option<Fix> {
        let mut labels: BTreeMap<String, String> = self.loosened.node_selector.clone();
        for requirement in pin {
            let [value] = requirement.values.as_slice() else { return None };
            labels.insert(requirement.key.clone(), value.clone());
        }
        let spec = PodSpec { node_selector: labels.clone(), ..self.case.spec.clone() };
        let path = format!("{}.nodeSelector", self.case.path);
        self.passes(&Case { spec: &spec, ..self.case.clone() }).then(|| Fix { path, value: json!(labels) })
    }

    /// Whether it passes, and can still run somewhere if there is somewhere to run.
    fn passes(&self, case: &Case<'_>) -> bool {
        let mut verdict = Verdict::allow(ObjectRef::new("v1", "Pod", &crate::objects::Metadata::default()));
        let hearing = Hearing::open(self.court.state, self.court.now, case);
        if let Some(hearing) = &hearing {
            hearing.hear(&mut verdict);
        }
        verdict.decision != Decision::Deny
            && verdict.reach != Reach::Violated
            && (self.nodes.is_empty() || hearing.is_some_and(|hearing| hearing.has_nodes()))
    }
}

/// Those that a pod is refused by.
fn denying<'r, 'a>(rulings: &'r [Ruling<'a>]) -> impl Iterator<Item = &'r Ruling<'a>> {
    rulings.iter().filter(|ruling| ruling.policy.action == Action::Deny)
}

/// The same without the requirements on where a node is, for a pod that asks for the wrong place.
fn loosen(spec: &PodSpec) -> PodSpec {
    const PLACES: [&str; 4] = [keys::REGION, keys::ZONE, keys::HOSTNAME, keys::RESTRICTED_JURISDICTION];
    let is_place = |key: &str| PLACES.contains(&key);
    let mut spec = spec.clone();
    spec.node_selector.retain(|key, _| !is_place(key));
    if let Some(NodeSelector { node_selector_terms }) = &mut spec.affinity.node_affinity.required {
        for term in &mut *node_selector_terms {
            term.match_expressions.retain(|one| !is_place(&one.key));
            term.match_fields.clear();
        }
        node_selector_terms.retain(|term| !term.match_expressions.is_empty());
        if node_selector_terms.is_empty() {
            spec.affinity.node_affinity.required = None;
        }
    }
    spec
}
