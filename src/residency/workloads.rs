//! The seven kinds that make pods, judged as the pods that they would make.

use super::classification::{Origin, Walk};
use super::judge::Court;
use super::pods::{self, Case, Confining};
use super::verdict::{Finding, Reason, Verdict};
use super::{fix, tokens};
use crate::api::Action;
use crate::cluster::{Own, State};
use crate::objects::{ObjectRef, Workload, WorkloadKind};
use crate::placement::selector::LabelsRef;

/// A token that stands where pods do not inherit it.
pub(super) struct Stray {
    pub(super) own: Own,
    /// The metadata that it stands in.
    path: &'static str,
    /// What that is the metadata of.
    place: &'static str,
}

/// Tokens that stand on the workload or its Jobs and that its pods would not inherit, each once.
pub(super) fn stray(state: &State, workload: &Workload) -> Vec<Stray> {
    let settings = state.settings();
    let at = |metadata, path, place| {
        Own::of(metadata, settings).into_iter().map(move |own| Stray { own, path, place })
    };
    let jobs = workload.job_metadata.iter();
    let jobs = jobs.flat_map(|metadata| at(metadata, "spec.jobTemplate.metadata", "jobTemplate"));
    let mut stray: Vec<_> = at(&workload.metadata, "metadata", workload.kind.as_str()).chain(jobs).collect();
    let from_template_or_namespace = |token: &str| {
        Own::of(&workload.template.metadata, settings).iter().any(|own| &*own.token == token)
            || state
                .namespace(&workload.metadata.namespace)
                .is_some_and(|entry| entry.own.iter().any(|own| &*own.token == token))
    };
    stray.retain(|stray| !from_template_or_namespace(&stray.own.token));
    stray.sort_by(|one, other| one.own.token.cmp(&other.own.token));
    stray.dedup_by(|one, other| one.own.token == other.own.token);
    stray
}

/// The pods that a workload makes, as a case.
pub(super) fn case<'a>(state: &'a State, workload: &'a Workload, path: &'a str) -> Case<'a> {
    let namespace = workload.metadata.namespace.as_str();
    let mut walk = Walk::new(state);
    walk.add_read(Own::of(&workload.template.metadata, state.settings()), Origin::Template);
    walk.namespace(namespace);
    walk.mounts(namespace, "", &workload.template.spec.volumes);
    for template in &workload.claim_templates {
        walk.claim_template(namespace, template, &template.metadata.name);
    }
    let node = workload.template.spec.node_name.as_str();
    Case {
        who: format!("pods of the {}", workload.kind.as_str()),
        there: "would run on",
        advice: pods::UNNAME,
        namespace,
        name: "",
        labels: LabelsRef::Map(&workload.template.metadata.labels),
        spec: &workload.template.spec,
        volumes: &workload.template.spec.volumes,
        on_disk: false,
        node: Some(node).filter(|node| !node.is_empty()),
        // A DaemonSet's pods are pinned one by one, so it is judged as it is written.
        confining: if workload.kind == WorkloadKind::DaemonSet {
            Confining::Leaves
        } else {
            Confining::Keeps
        },
        carried: walk.finish(),
        path,
        claim_templates: &workload.claim_templates,
    }
}

/// A workload, of a manifest, a request or the state.
pub(super) fn workload(court: Court<'_>, workload: &Workload, reference: ObjectRef) -> Verdict {
    let path = format!("{}.spec", workload.kind.template_path());
    let case = case(court.state, workload, &path);
    let stray = stray(court.state, workload);
    let mut verdict = judge(court, workload, &case, &stray, reference);
    verdict.fix = fix::of_workload(court, workload, &case, &stray, &verdict);
    verdict
}

/// As [`workload`], for trying a fix.
pub(super) fn without_fix(court: Court<'_>, workload: &Workload, reference: ObjectRef) -> Verdict {
    let path = format!("{}.spec", workload.kind.template_path());
    let case = case(court.state, workload, &path);
    judge(court, workload, &case, &stray(court.state, workload), reference)
}

fn judge(
    court: Court<'_>,
    workload: &Workload,
    case: &Case<'_>,
    stray: &[Stray],
    reference: ObjectRef,
) -> Verdict {
    let template = workload.kind.template_path();
    let mut verdict = Verdict::allow(reference);
    tokens::judge(court, &mut verdict, &case.carried, &format!("{template}.metadata"));
    if stray.is_empty() {
        tokens::require(court, &mut verdict, &case.carried, case.namespace, &format!("{template}.metadata"));
    }
    let key = court.state.settings().classification_keys.first().map_or("", String::as_str);
    verdict.find(stray.iter().map(|stray| {
        let Stray { own, path, place } = stray;
        let field = format!("{path}.{}s[{key}]", own.source.as_str().replace("record", "annotation"));
        if !own.is_valid() {
            return tokens::invalid(&own.token, &format!("the {} of the {place}", own.source.as_str()), &field);
        }
        Finding {
            policy: None,
            action: Action::Deny,
            reason: Reason::ClassificationNotOnTemplate,
            message: format!(
                "`{}` stands on the {place} itself, and its pods do not inherit it: write it to {template}.metadata.annotations[{key}]",
                own.token,
            ),
            field: Some(field),
            example: None,
            matching: None,
        }
    }));
    pods::hear(court, case, &mut verdict);
    verdict
}
