//! Pods and bindings: the nodes and the volumes that a pod can reach.

use jiff::Timestamp;

use super::classification::{Carried, Origin, Walk};
use super::confine::{self, ByMeans, Confinement, Means};
use super::judge::{Court, Request};
use super::mounts::{Mount, Mounts};
use super::nodes::{Aim, NodeReach, Words};
use super::scope::{Ruling, Scope, rulings};
use super::verdict::{Decision, Finding, Reach, Verdict};
use super::whereabouts::Whereabouts;
use super::{fix, tokens, volumes};
use crate::api::{Action, Remedy, keys};
use crate::cluster::{Own, PodEntry, State};
use crate::objects::{ClaimTemplate, NodeSelector, ObjectRef, Pod, PodSpec, Volume};
use crate::placement::constraints::{Constraints, Group};
use crate::placement::selector::LabelsRef;
use crate::placement::sites::SiteId;

/// A pod, or the pods that a workload makes.
#[derive(Clone, Debug)]
pub(super) struct Case<'a> {
    /// `the pod`, `pods of the Deployment`.
    pub(super) who: String,
    /// What it does on its node: `would run on`, `runs on`.
    pub(super) there: &'static str,
    /// What to do if it may not.
    pub(super) advice: &'static str,
    pub(super) namespace: &'a str,
    /// Empty for pods that have no name yet.
    pub(super) name: &'a str,
    pub(super) labels: LabelsRef<'a>,
    /// Its constraints.
    pub(super) spec: &'a PodSpec,
    /// What it mounts.
    pub(super) volumes: &'a [Volume],
    /// Whether it keeps data on its node's disk, beyond what the volumes say.
    pub(super) on_disk: bool,
    /// The node, if it is decided.
    pub(super) node: Option<&'a str>,
    /// What policies that confine do to it.
    pub(super) confining: Confining,
    pub(super) carried: Carried<'a>,
    /// Where `spec` stands in the object.
    pub(super) path: &'a str,
    /// What a StatefulSet makes a claim a pod from.
    pub(super) claim_templates: &'a [ClaimTemplate],
}

/// What policies that confine do to pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Confining {
    /// They are new, and are kept within what is permitted.
    Keeps,
    /// They are new and stand as they will be stored: given what keeps them there, or not to be confined.
    Kept,
    /// Nothing: they are there already, or are never given anything.
    Leaves,
}

/// What to do about a `nodeName` that is not permitted.
pub(super) const UNNAME: &str =
    "Leave nodeName out, and require permitted regions in a node affinity: the scheduler chooses among them";

/// What a pod does on its node, once it is there.
const RUNS: &str = "runs on";
/// What to do about it then.
const ANEW: &str = "Require permitted regions in its node affinity, and have it made anew";

impl Case<'_> {
    pub(super) fn words<'w>(&'w self, field: &'w str) -> Words<'w> {
        Words { who: &self.who, there: self.there, advice: self.advice, field }
    }
}

/// Whether data of a pod that the state keeps comes to rest on its node, or where its node decides.
pub(super) fn keeps_on_node(state: &State, namespace: &str, name: &str, entry: &PodEntry) -> bool {
    Mounts::of(state, &stored_case(state, namespace, name, entry)).on_node
}

/// What one policy makes of a case.
struct Heard {
    nodes: Reach,
    mounts: Reach,
    findings: Vec<Finding>,
}

/// What confines a case.
struct Confined<'a> {
    affinity: NodeSelector,
    /// The nodes where it can be then.
    reach: NodeReach<'a>,
    /// Whether there is such a place at all, now or ever.
    leaves_something: bool,
    /// Whether there are permitted nodes without it.
    needless: bool,
}

/// A case with everything worked out that each policy asks for.
pub(super) struct Hearing<'a> {
    state: &'a State,
    case: &'a Case<'a>,
    pub(super) rulings: Vec<Ruling<'a>>,
    mounts: Mounts<'a>,
    pub(super) nodes: Option<NodeReach<'a>>,
    /// Where policies that confine have to keep it.
    confined: Option<Confined<'a>>,
    /// The field that is to blame for them.
    node_field: String,
}

impl<'a> Hearing<'a> {
    /// `None`: no policy selects it.
    pub(super) fn open(state: &'a State, now: Timestamp, case: &'a Case<'a>) -> Option<Self> {
        let scope = Scope { namespace: Some(case.namespace), labels: Some(case.labels) };
        let rulings = rulings(state, &case.carried, scope, now);
        if rulings.is_empty() {
            return None;
        }
        let mounts = Mounts::of(state, case);
        let looks_at_nodes = rulings.iter().any(|ruling| looks_at_node(ruling, &mounts));
        let nodes = looks_at_nodes.then(|| {
            let aim =
                case.node.map_or_else(|| Aim::Anywhere(constraints(case.spec, &mounts.groups)), Aim::Node);
            NodeReach::new(state, &aim, &rulings)
        });
        let node_field = match case.node {
            Some(_) => format!("{}.nodeName", case.path),
            // The one that is there; that of the fix, if none is.
            None if case.spec.required_nodes().is_none() && !case.spec.node_selector.is_empty() => {
                format!("{}.nodeSelector", case.path)
            }
            None => format!("{}.affinity.nodeAffinity", case.path),
        };
        let mut hearing = Self { state, case, rulings, mounts, nodes, confined: None, node_field };
        hearing.confined = hearing.confine();
        Some(hearing)
    }

    /// What confining makes of it. `None`: no policy confines, none may, all that do are satisfied as it is, or it is too
    /// long to be confined.
    fn confine(&self) -> Option<Confined<'a>> {
        let may = self.case.confining != Confining::Leaves && self.case.node.is_none();
        let nodes = self.nodes.as_ref().filter(|_| may)?;
        let confining = confine::confining(self.node_rulings());
        let satisfied =
            |ruling: &&Ruling<'_>| ruling.outside(&nodes.sites).is_none() && nodes.is_proven(ruling);
        if confining.iter().all(satisfied) {
            return None;
        }
        let (affinities, reaches) = (ByMeans::default(), ByMeans::default());
        let affinity = |means| affinities.of(means, || confine::affinity(self.state, &confining, means));
        let reach = |means| reaches.of(means, || self.confined_to(affinity(means))).as_ref();
        let has_some = |means: &Means| reach(*means).is_some_and(|reach| reach.has_some(&confining));
        let leaves_more =
            |means: &Means| reach(*means).is_some_and(|reach| reach.leaves_something(&confining));
        // What stands there is left; then what leaves nodes that are there comes before what leaves some that could join.
        let own = self.case.spec.required_nodes();
        let stands = |means: &Means| confine::within(own, affinity(*means)).as_ref() == own;
        let there = own.and_then(|_| Means::FOR_NODES.into_iter().find(stands)).filter(leaves_more);
        let now = || Means::FOR_NODES.into_iter().find(has_some);
        let later = || Means::FOR_NODES_TO_COME.into_iter().find(leaves_more);
        let found = there.or_else(now).or_else(later);
        let leaves_something = found.is_some();
        let means = found.unwrap_or(Means::Regions);
        let (affinity, reach) = (affinities.take(means)?, reaches.take(means)??);
        Some(Confined { affinity, reach, leaves_something, needless: nodes.has_some(&confining) })
    }

    /// `None`: it is too long to be confined.
    fn confined_to(&self, affinity: &NodeSelector) -> Option<NodeReach<'a>> {
        confine::within(self.case.spec.required_nodes(), affinity)?;
        let mut constraints = constraints(self.case.spec, &self.mounts.groups);
        constraints.groups.push(Group::of_pod(affinity));
        Some(NodeReach::new(self.state, &Aim::Anywhere(constraints), &self.rulings))
    }

    /// What confines it, and leaves it something.
    fn within(&self) -> Option<&Confined<'a>> {
        self.confined.as_ref().filter(|confined| confined.leaves_something)
    }

    /// The nodes where it can be, once it is where policies that confine put it.
    pub(super) fn reach(&self) -> Option<&NodeReach<'a>> {
        // A node whose labels do not tell where it is can be within the regions too.
        let within = self.within().filter(|_| self.case.confining == Confining::Keeps);
        within.map(|within| &within.reach).or(self.nodes.as_ref())
    }

    /// The affinity that confines it, and the policies that ask for it. `None`: it need not be confined, or cannot.
    pub(super) fn confinement(&self) -> Option<(NodeSelector, Vec<String>)> {
        let affinity = self.within()?.affinity.clone();
        let confining = confine::confining(self.node_rulings());
        Some((affinity, confining.iter().map(|ruling| ruling.policy.name.to_string()).collect()))
    }

    /// What one policy makes of the nodes, confined if that has to be. `None`: it does not come to that.
    pub(super) fn judge_nodes(
        &self,
        ruling: &Ruling<'a>,
        words: Words<'_>,
    ) -> Option<(Reach, Option<Finding>)> {
        let nodes = self.nodes.as_ref().filter(|_| looks_at_node(ruling, &self.mounts))?;
        // What cannot be written, such as regions that only a glob describes, leaves it as it is.
        let is_left_nothing = |confined: &Confined<'_>| !confined.leaves_something && !confined.needless;
        if ruling.policy.remedy == Remedy::Confine && self.confined.as_ref().is_some_and(is_left_nothing) {
            return Some((Reach::Violated, Some(nodes.cannot_be_confined(ruling, words))));
        }
        self.reach().map(|reach| reach.judge(ruling, words))
    }

    /// The policies that look at the node.
    pub(super) fn node_rulings(&self) -> impl Iterator<Item = &Ruling<'a>> {
        self.rulings.iter().filter(|ruling| looks_at_node(ruling, &self.mounts))
    }

    /// Whether there are nodes for it now, permitted or not.
    pub(super) fn has_nodes(&self) -> bool {
        self.nodes.as_ref().is_some_and(|nodes| !nodes.nodes.is_empty())
    }

    /// What one policy makes of it.
    fn judge(&self, ruling: &Ruling<'a>) -> Heard {
        let mut heard =
            Heard { nodes: Reach::NotApplicable, mounts: Reach::NotApplicable, findings: Vec::new() };
        if let Some((reach, finding)) = self.judge_nodes(ruling, self.case.words(&self.node_field)) {
            heard.nodes = reach;
            // A finding is large, and mostly there is none.
            if let Some(finding) = finding {
                heard.findings.push(finding);
            }
        }
        if ruling.policy.storage {
            // What is on the node of the pod is judged by that node.
            let elsewhere = |mount: &&Mount<'_>| !matches!(mount.whereabouts, Whereabouts::OnNode);
            for mount in self.mounts.all.iter().filter(elsewhere) {
                let (reach, finding) =
                    volumes::judge(self.state, ruling, &mount.whereabouts, &mount.what, &mount.field);
                let follows_pod = matches!(mount.whereabouts, Whereabouts::WithPod { alone: true, .. });
                if !(follows_pod && finding.is_none()) {
                    heard.mounts = heard.mounts.max(reach);
                }
                heard.findings.extend(finding);
            }
        }
        heard
    }

    /// What all policies make of it.
    pub(super) fn hear(&self, verdict: &mut Verdict) {
        let (mut nodes, mut mounts, mut findings) = (Reach::NotApplicable, Reach::NotApplicable, Vec::new());
        for ruling in &self.rulings {
            let heard = self.judge(ruling);
            nodes = nodes.max(heard.nodes);
            mounts = mounts.max(heard.mounts);
            findings.extend(heard.findings);
        }
        verdict.selected_by(&self.rulings);
        verdict.reaches(nodes.max(mounts));
        verdict.find(findings);
        verdict.warnings.extend(self.not_given());
        if verdict.decision == Decision::Deny || verdict.reach != Reach::Observed {
            return;
        }
        if nodes == Reach::Observed {
            let why = self.reach().map(|reach| reach.unproven(self.node_rulings(), &self.case.who));
            verdict
                .warnings
                .extend(why.map(|why| format!("{why}: require region and zone in a node affinity")));
        }
        if mounts == Reach::Observed && self.not_given().next().is_none() {
            verdict.warnings.push(self.unproven_mounts());
        }
    }

    /// Each thing that it mounts, and where that is, in words.
    pub(super) fn places(&self) -> impl Iterator<Item = (&str, String)> {
        self.mounts.all.iter().map(|mount| (mount.what.as_str(), mount.whereabouts.to_string()))
    }

    /// Why what it mounts is not proven to be where it may be.
    fn unproven_mounts(&self) -> String {
        let left_open = |mount: &'_ Mount<'a>| {
            let class = mount.whereabouts.left_open(self.state)?;
            Some(format!(
                "nobody knows where {} will be, since the driver {} could keep it anywhere: it is judged again when it is made. \
                 Declare where that is with the annotation domicile.dev/jurisdiction on StorageClass {}",
                mount.what, class.provisioner, class.metadata.name
            ))
        };
        self.mounts.all.iter().find_map(left_open).unwrap_or_else(|| {
            "every volume is where it may be now, but nothing that is written keeps it there: name region and zone in \
             allowedTopologies of its StorageClass or in the nodeAffinity of its volume, or declare where it is"
                .into()
        })
    }

    fn not_given(&self) -> impl Iterator<Item = String> {
        self.mounts.all.iter().filter_map(|mount| match &mount.whereabouts {
            Whereabouts::NotGiven { what } => Some(format!(
                "{what} is not among the given objects, so where {} is was not judged",
                mount.what
            )),
            _ => None,
        })
    }
}

/// The policies that have a say: one for storage alone has none where nothing is stored.
pub(super) fn governing<'a>(state: &State, case: &Case<'_>, mut rulings: Vec<Ruling<'a>>) -> Vec<Ruling<'a>> {
    if rulings.iter().any(|ruling| !ruling.policy.processing) {
        let mounts = Mounts::of(state, case);
        let stores = |ruling: &Ruling<'_>| ruling.policy.storage && !mounts.all.is_empty();
        rulings.retain(|ruling| looks_at_node(ruling, &mounts) || stores(ruling));
    }
    rulings
}

fn looks_at_node(ruling: &Ruling<'_>, mounts: &Mounts<'_>) -> bool {
    ruling.policy.processing || (ruling.policy.storage && mounts.on_node)
}

fn constraints<'a>(spec: &'a PodSpec, volumes: &[Group<'a>]) -> Constraints<'a> {
    let affinity = spec.required_nodes().map(Group::of_pod);
    let selector = (!spec.node_selector.is_empty()).then(|| Group::of_labels(&spec.node_selector));
    Constraints {
        groups: affinity.into_iter().chain(selector).chain(volumes.iter().cloned()).collect(),
        tolerations: &spec.tolerations,
    }
}

/// The sites of the nodes where it can be now, permitted or not: as it is judged, so once it is confined if it is to be.
pub(super) fn sites_within_reach(court: Court<'_>, case: &Case<'_>) -> Vec<SiteId> {
    let state = court.state;
    let hearing = Hearing::open(state, court.now, case);
    if let Some(reach) = hearing.as_ref().and_then(Hearing::reach) {
        return reach.counts.iter().map(|(site, _)| *site).collect();
    }
    // No policy looks at its nodes.
    let mounts = Mounts::of(state, case);
    let constraints = constraints(case.spec, &mounts.groups);
    let nodes = state.nodes().matching_but_for_taints(&constraints);
    let nodes = state.nodes().bearing(nodes, constraints.tolerations);
    state.nodes().by_site(&nodes).into_iter().map(|(site, _)| site).collect()
}

/// Judges a case: what every surface says of pods, whatever they come from.
pub(super) fn hear(court: Court<'_>, case: &Case<'_>, verdict: &mut Verdict) {
    if let Some(hearing) = Hearing::open(court.state, court.now, case) {
        hearing.hear(verdict);
    }
}

pub(super) fn finish(court: Court<'_>, case: &Case<'_>, mut verdict: Verdict) -> Verdict {
    tokens::judge(court, &mut verdict, &case.carried, "metadata");
    tokens::require(court, &mut verdict, &case.carried, case.namespace, "metadata");
    hear(court, case, &mut verdict);
    verdict
}

/// A pod of a manifest or a request.
pub(super) fn pod(court: Court<'_>, pod: &Pod, request: &Request<'_>, reference: ObjectRef) -> Verdict {
    let mut case = case(court.state, pod);
    case.confining = match request {
        Request { is_there: true, .. } => Confining::Leaves,
        Request { as_written: true, .. } => Confining::Kept,
        _ => Confining::Keeps,
    };
    if request.is_there {
        (case.there, case.advice) = (RUNS, ANEW);
    }
    let (node, by_node) = (case.node, request.by_node);
    let mut verdict = finish(court, &case, Verdict::allow(reference));
    // Whoever else claims to mirror a pod is judged like anyone.
    if pod.metadata.annotations.contains_key(keys::MIRROR_POD) && by_node.is_some() && by_node == node {
        soften(&mut verdict);
    }
    // What keeps a pod to nodes can hardly be changed any more once it is made.
    verdict.fix = request.old.is_none().then(|| fix::of_pod(court, &case, &verdict)).flatten();
    verdict
}

fn case<'a>(state: &'a State, pod: &'a Pod) -> Case<'a> {
    Case {
        who: "the pod".into(),
        there: "would run on",
        advice: UNNAME,
        namespace: &pod.metadata.namespace,
        name: &pod.metadata.name,
        labels: LabelsRef::Map(&pod.metadata.labels),
        spec: &pod.spec,
        volumes: &pod.spec.volumes,
        on_disk: false,
        node: Some(pod.spec.node_name.as_str()).filter(|node| !node.is_empty()),
        confining: Confining::Keeps,
        carried: carried(state, pod),
        path: "spec",
        claim_templates: &[],
    }
}

/// The required node affinity that a new pod gets from the policies that confine, in place of its own, and which they
/// are. `None`: it stays as it is, since it need not be confined, or cannot.
#[must_use]
pub fn confine(pod: &Pod, state: &State, now: Timestamp) -> Option<Confinement> {
    let case = case(state, pod);
    let (affinity, policies) = Hearing::open(state, now, &case)?.confinement()?;
    let required = confine::within(pod.spec.required_nodes(), &affinity)?;
    (pod.spec.required_nodes() != Some(&required)).then_some(Confinement { required, policies })
}

/// What a pod carries that a request would make.
pub(super) fn carried<'a>(state: &'a State, pod: &'a Pod) -> Carried<'a> {
    let mut walk = Walk::new(state);
    walk.add_read(Own::of(&pod.metadata, state.settings()), Origin::Own);
    walk.namespace(&pod.metadata.namespace);
    walk.mounts(&pod.metadata.namespace, &pod.metadata.name, &pod.spec.volumes);
    walk.finish()
}

/// A pod that the state keeps.
pub(super) fn stored(court: Court<'_>, namespace: &str, name: &str, entry: &PodEntry) -> Verdict {
    let reference = pod_ref(namespace, name);
    if entry.finished {
        return Verdict::allow(reference);
    }
    let case = stored_case(court.state, namespace, name, entry);
    let mut verdict = finish(court, &case, Verdict::allow(reference));
    if entry.mirror {
        soften(&mut verdict);
    }
    verdict
}

/// A pod that the state keeps, as a case.
pub(super) fn stored_case<'a>(
    state: &'a State,
    namespace: &'a str,
    name: &'a str,
    entry: &'a PodEntry,
) -> Case<'a> {
    let mut walk = Walk::new(state);
    walk.add(&entry.own, Origin::Own);
    walk.namespace(namespace);
    walk.mounts(namespace, name, &entry.volumes);
    Case {
        who: "the pod".into(),
        there: RUNS,
        advice: ANEW,
        namespace,
        name,
        labels: entry.labels(name),
        spec: &entry.spec,
        volumes: &entry.volumes,
        on_disk: entry.on_disk,
        node: entry.node.as_deref(),
        // What runs or waits already was confined when it was made, or never will be.
        confining: Confining::Leaves,
        carried: walk.finish(),
        path: "spec",
        claim_templates: &[],
    }
}

fn pod_ref(namespace: &str, name: &str) -> ObjectRef {
    ObjectRef { api_version: "v1".into(), kind: "Pod".into(), namespace: namespace.into(), name: name.into() }
}

/// It runs already: refusing it would only hide it.
fn soften(verdict: &mut Verdict) {
    for finding in verdict.findings.iter_mut().filter(|finding| finding.action == Action::Deny) {
        finding.action = Action::Warn;
    }
    verdict.find([]);
}
