//! Exceptions, what ends, nodes, what carries nothing, and enforcement.

use maud::{Markup, html};

use super::Page;
use super::parts::{Column, country, left_out, moment, moment_or, table, words};
use super::policies::validity;
use crate::residency::{
    ClassificationFacts, DoubtfulNode, Ending, Ends, Evidence, ExceptionFacts, ExcludedNamespace, NodesAt,
    UnclassifiedFacts, WebhookFacts, safe,
};

pub(super) fn exceptions(evidence: &Evidence) -> Markup {
    let columns = [
        ("Exception", false),
        ("Loosens", false),
        ("Permits", false),
        ("Until", false),
        ("State", false),
        ("Objects", true),
        ("Reason", false),
    ];
    let row = |one: &ExceptionFacts| {
        vec![
            html! { (safe(&one.namespace)) "/" (safe(&one.name)) },
            html! { (words(&one.policies)) },
            html! { (safe(&one.permits)) },
            moment(one.until),
            validity(one.state),
            html! { (one.objects) },
            html! { (safe(&one.reason)) },
        ]
    };
    html! {
        section #exceptions {
            h2 { "Exceptions" }
            @if evidence.exceptions.is_empty() { p { "None was found." } }
            @else {
                (table("Exceptions, and why they were made", &columns, &evidence.exceptions.shown.iter().map(row).collect::<Vec<_>>()))
                (left_out(&evidence.exceptions))
            }
        }
    }
}

pub(super) fn endings(evidence: &Evidence) -> Markup {
    let of = |ends: Ends| evidence.endings.shown.iter().filter(move |one| one.ends == ends);
    html! {
        section #endings {
            h2 { "What ends" }
            p { "What ends, ends by itself, without anybody changing anything." }
            @if evidence.endings.is_empty() { p { "Nothing that was found to be permitted or denied has an end." } }
            (ending(
                "Permissions that end, the soonest first",
                "What an allowed place or an exception permits is permitted no longer from its end on.",
                of(Ends::Permission),
            ))
            (ending(
                "Denials that end, the soonest first",
                "What a denied place forbids is forbidden by it no longer from its end on: more is permitted then, if nothing else \
                 forbids it.",
                of(Ends::Denial),
            ))
            (left_out(&evidence.endings))
        }
    }
}

/// Ends of one sort, which are told apart since they do the opposite.
fn ending<'a>(caption: &str, meaning: &str, endings: impl Iterator<Item = &'a Ending>) -> Markup {
    let columns: [Column; 3] = [("Until", false), ("Of", false), ("Place", false)];
    let row = |one: &Ending| vec![moment(one.until), html! { (safe(&one.of)) }, html! { (safe(&one.place)) }];
    let rows: Vec<_> = endings.map(row).collect();
    html! {
        @if !rows.is_empty() {
            p { (meaning) }
            (table(caption, &columns, &rows))
        }
    }
}

pub(super) fn nodes(page: &Page<'_>) -> Markup {
    let nodes = &page.evidence.nodes;
    let at = |one: &NodesAt| {
        vec![
            html! { (country(one.jurisdiction.as_deref())) },
            html! { (country(one.provider_jurisdiction.as_deref())) },
            html! { (one.nodes) },
        ]
    };
    let doubtful = |node: &DoubtfulNode| {
        let why = if node.conflicts.is_empty() {
            "nothing says where it is".to_owned()
        } else {
            node.conflicts.iter().map(|one| safe(one)).collect::<Vec<_>>().join("; ")
        };
        vec![html! { (safe(&node.name)) }, html! { (safe(&node.location.to_string())) }, html! { (why) }]
    };
    html! {
        section #nodes {
            h2 { "Nodes" }
            (table(
                &format!("Where the {} nodes are", nodes.total),
                &[("Jurisdiction", false), ("Law that binds the operator", false), ("Nodes", true)],
                &nodes.places.iter().map(at).collect::<Vec<_>>(),
            ))
            @if nodes.total == 0 { p { "No node was looked at." } }
            @else if nodes.doubtful.is_empty() && !page.is_whole() { p { "It is known where every node is that was looked at." } }
            @else if nodes.doubtful.is_empty() { p.good { "It is known where every node is." } }
            @else {
                (table(
                    "Nodes whose location is unknown or contradictory: never permitted",
                    &[("Node", false), ("What is known", false), ("Why no more is", false)],
                    &nodes.doubtful.shown.iter().map(doubtful).collect::<Vec<_>>(),
                ))
                (left_out(&nodes.doubtful))
            }
        }
    }
}

pub(super) fn unclassified(page: &Page<'_>) -> Markup {
    let evidence = page.evidence;
    let has_some = |one: &ClassificationFacts| {
        one.objects.contains_key("Pod") || one.objects.contains_key("PersistentVolumeClaim")
    };
    let carry = page.is_whole() && evidence.classifications.iter().any(has_some);
    let row = |one: &UnclassifiedFacts| {
        vec![
            html! { (safe(&one.namespace)) },
            html! { (one.pods) },
            html! { (one.claims) },
            html! { @if one.required { span.bad { "yes" } } @else { "no" } },
        ]
    };
    html! {
        section #unclassified {
            h2 { "Without a classification" }
            p { "What carries no classification is judged by no policy. Whether it should carry one, only its owners can say." }
            @if evidence.unclassified.is_empty() && !carry { p { "No pod or claim was found that carries none; not every one may have been looked at." } }
            @else if evidence.unclassified.is_empty() { p.good { "Every pod and claim carries a classification." } }
            @else {
                (table(
                    "Pods and claims that carry nothing, by namespace",
                    &[("Namespace", false), ("Pods", true), ("Claims", true), ("Must carry one", false)],
                    &evidence.unclassified.shown.iter().map(row).collect::<Vec<_>>(),
                ))
                (left_out(&evidence.unclassified))
            }
        }
    }
}

/// Whether enforcement is on, in a sentence.
pub(super) fn enforced(evidence: &Evidence) -> Markup {
    match evidence.coverage.enforced {
        None => html! { "Whether the policies are enforced is not known." },
        Some(true) => html! { strong.good { "The policies are enforced." } },
        Some(false) => html! { strong.bad { "The policies are not, or not fully, enforced." } },
    }
}

pub(super) fn coverage(evidence: &Evidence) -> Markup {
    let coverage = &evidence.coverage;
    let yes = |is: bool| html! { @if is { "yes" } @else { span.bad { "no" } } };
    let webhook = |one: &WebhookFacts| {
        vec![
            html! { (safe(&one.name)) },
            html! { (one.purpose.unwrap_or("-")) },
            html! { (safe(&one.configuration)) },
            moment_or(one.since, super::parts::UNKNOWN),
            yes(one.fails_closed),
            yes(one.trusted),
            html! { (words(&one.conditions)) },
        ]
    };
    let excluded = |one: &ExcludedNamespace| {
        vec![
            html! { (safe(&one.namespace)) },
            html! { (words(&one.webhooks)) },
            html! { (one.classified) },
            html! { (one.violating) },
        ]
    };
    html! {
        section #coverage {
            h2 { "Enforcement" }
            p { (enforced(evidence)) }
            @if !coverage.remarks.is_empty() { ul { @for remark in &coverage.remarks { li { (safe(remark)) } } } }
            @if !coverage.webhooks.is_empty() {
                (table(
                    "Webhooks of Domicile that the API server asks, and since when their configuration exists",
                    &[("Webhook", false), ("What it does", false), ("Configuration", false), ("Since", false), ("Fails closed", false), ("Trusted", false), ("Asked under", false)],
                    &coverage.webhooks.iter().map(webhook).collect::<Vec<_>>(),
                ))
            }
            @if !coverage.excluded.is_empty() {
                (table(
                    "Namespaces that enforcement leaves out; this report judges them like any other",
                    &[("Namespace", false), ("Webhooks that are not asked", false), ("Classified objects", true), ("Objects that break a policy", true)],
                    &coverage.excluded.shown.iter().map(excluded).collect::<Vec<_>>(),
                ))
                (left_out(&coverage.excluded))
            } @else if coverage.enforced.is_some() && !coverage.webhooks.is_empty() {
                p { "No namespace is left out." }
            }
        }
    }
}
