//! Policies: what they rest on, what they permit, what falls under them, and what breaks them.

use maud::{Markup, html};

use super::Page;
use super::parts::{UNKNOWN, left_out, moment, moment_or, name, places, table, words};
use crate::api::{Action, Assurance, LegalBasis, Remedy};
use crate::cluster::Kind;
use crate::residency::{Cut, Decision, Grant, How, PolicyFacts, Resident, Validity, Violation, safe};

pub(super) fn section(page: &Page<'_>) -> Markup {
    let evidence = page.evidence;
    let given = page.not_given.iter().all(|(kind, _)| *kind != Kind::ResidencyPolicy);
    html! {
        section #policies {
            h2 { "Policies" }
            @if evidence.policies.is_empty() {
                p.bad {
                    @if !page.errors.is_empty() { "No policy could be read: whether there is one is not known." }
                    @else if !given { "No policy was given: whether there is one is not known." }
                    @else { "There is no policy: nothing is forbidden anywhere." }
                }
            }
            @for (number, policy) in evidence.policies.iter().enumerate() { (of_one(number, policy, page.is_whole())) }
        }
    }
}

fn of_one(number: usize, policy: &PolicyFacts, whole: bool) -> Markup {
    let selected: Vec<String> =
        policy.selected.iter().map(|(kind, number)| format!("{kind} ({number})")).collect();
    html! {
        section.policy id={ "p-" (number) } {
            h3 { "Policy " (safe(&policy.name)) }
            dl.facts {
                dt { "Governs" }
                dd {
                    @if policy.classifications.is_empty() { "everything: what it governs cannot be read" }
                    @else { (words(&policy.classifications)) }
                    " (" (policy.activities.join(" and ")) ")"
                }
                dt { "Legal basis" } dd { (basis(&policy.legal_basis)) }
                dt { "Permits" } dd { (safe(&policy.permits)) }
                dt { "What breaks it" } dd { (action(policy.action)) }
                dt { "Certainty" } dd { (assurance(policy.assurance)) }
                dt { "Remedy" } dd { (remedy(policy.remedy)) }
                dt { "Objects under it" }
                dd {
                    @if selected.is_empty() { "none" } @else { (selected.join(", ")) }
                    @if policy.excepted > 0 { "; exceptions apply to " (policy.excepted) }
                }
            }
            @if !policy.allow.is_empty() { (grants("Places that it allows", &policy.allow)) }
            @if !policy.deny.is_empty() { (grants("Places that it denies", &policy.deny)) }
            @if policy.violations.is_empty() && policy.selected.is_empty() {
                p { "Nothing that was looked at is under it." }
            } @else if policy.violations.is_empty() && !whole {
                p { "Nothing that was looked at breaks it." }
            } @else if policy.violations.is_empty() {
                p.good { "Nothing breaks it." }
            } @else {
                @if let Some(since) = policy.broken_since {
                    p.bad { "Something has broken it since " (moment(since)) "." }
                }
                (violations(&format!("Open violations of {}", safe(&policy.name)), &policy.violations))
            }
            @if !policy.places.is_empty() {
                (places(&format!("Where the objects under {} are", safe(&policy.name)), &policy.places))
                (residents(policy))
            }
        }
    }
}

/// The named policies, each with a link to its section, its legal basis, and what its places rest on.
pub(super) fn laws(all: &[PolicyFacts], governing: &[String]) -> Markup {
    let named = all.iter().enumerate().filter(|(_, policy)| governing.contains(&policy.name));
    let based = |policy: &PolicyFacts| {
        let places = policy.allow.iter().filter(|grant| grant.state == Validity::Open);
        let basis =
            |grant: &Grant| Some(format!("{}: {}", safe(&grant.place), safe(grant.basis.as_deref()?)));
        places.filter_map(basis).collect::<Vec<_>>()
    };
    html! {
        ul {
            @for (number, policy) in named {
                li {
                    // By number: a name is whatever somebody wrote.
                    a href={ "#p-" (number) } { (safe(&policy.name)) }
                    ", on " (basis(&policy.legal_basis))
                    @for one in based(policy) { "; " (one) }
                }
            }
        }
    }
}

/// A link only where it leads to a page: the address is whatever somebody wrote.
fn basis(all: &[LegalBasis]) -> Markup {
    let starts = |url: &str, scheme: &str| {
        url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    let is_page = |url: &str| starts(url, "https://") || starts(url, "http://");
    html! {
        @if all.is_empty() { span.bad { "no legal basis that is given" } }
        @for (number, one) in all.iter().enumerate() {
            @if number > 0 { "; " }
            (safe(&one.title))
            @if let Some(url) = &one.url {
                " ("
                @if is_page(url) { a href=(url) rel="noreferrer" { (safe(url)) } } @else { (safe(url)) }
                ")"
            }
        }
    }
}

fn action(action: Action) -> &'static str {
    match action {
        Action::Deny => "is refused (Deny)",
        Action::Warn => "is admitted with a warning (Warn)",
        Action::Audit => "is admitted and reported (Audit)",
    }
}

fn assurance(assurance: Assurance) -> &'static str {
    match assurance {
        Assurance::Observed => "every node that could take it now is permitted (Observed)",
        Assurance::Proven => "its own constraints leave no other possibility (Proven)",
    }
}

fn remedy(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::Reject => "none: pods are judged as they are (Reject)",
        Remedy::Confine => "pods are given an affinity for what is permitted (Confine)",
    }
}

pub(super) fn validity(validity: Validity) -> Markup {
    match validity {
        Validity::Open => html! { span.good { "In force" } },
        Validity::Coming => html! { "Not yet" },
        Validity::Ended => html! { span.bad { "Ended" } },
    }
}

fn grants(caption: &str, grants: &[Grant]) -> Markup {
    let columns = [("Place", false), ("From", false), ("Until", false), ("State", false), ("Basis", false)];
    let row = |grant: &Grant| {
        vec![
            html! { (safe(&grant.place)) },
            moment_or(grant.from, "always"),
            moment_or(grant.until, "no end"),
            validity(grant.state),
            html! { (grant.basis.as_deref().map_or_else(|| "-".to_owned(), safe)) },
        ]
    };
    table(caption, &columns, &grants.iter().map(row).collect::<Vec<_>>())
}

pub(super) fn violations(caption: &str, violations: &Cut<Violation>) -> Markup {
    let columns = [("Object", false), ("Since", false), ("Decision", false), ("Why", false)];
    let row = |violation: &Violation| {
        let (decision, action) = (violation.decision.as_str(), format!("{:?}", violation.action));
        vec![
            html! { (name(&violation.object)) },
            moment_or(violation.since, UNKNOWN),
            html! {
                @if decision == action { (decision) }
                @else if violation.decision == Decision::Allow { (decision) ": only reported (" (action) ")" }
                @else { (action) " by this policy, " (decision) " by another finding" }
            },
            html! {
                strong { (violation.reason.as_str()) } br; (safe(&violation.message))
                @if let Some(example) = &violation.example {
                    br; span.soft { "Shown by " (safe(&example.to_string())) "." }
                }
            },
        ]
    };
    html! {
        (table(caption, &columns, &violations.shown.iter().map(row).collect::<Vec<_>>()))
        (left_out(violations))
    }
}

fn residents(policy: &PolicyFacts) -> Markup {
    let columns = [
        ("Object", false),
        ("Carries", false),
        ("Is", false),
        ("Jurisdiction", false),
        ("Place", false),
        ("Exceptions", false),
    ];
    let row = |resident: &Resident| {
        let standing = &resident.standing;
        let codes: Vec<&str> =
            standing.jurisdictions.iter().map(|code| code.as_deref().unwrap_or(UNKNOWN)).collect();
        vec![
            html! { (name(&resident.object)) },
            html! { (words(&resident.classifications)) },
            html! { (how(standing.how)) },
            html! { (words(&codes)) },
            html! { (safe(&standing.place)) },
            html! { (words(&resident.exceptions)) },
        ]
    };
    html! {
        (table(
            &format!("Objects under {}", safe(&policy.name)),
            &columns,
            &policy.objects.shown.iter().map(row).collect::<Vec<_>>(),
        ))
        (left_out(&policy.objects))
    }
}

fn how(how: How) -> &'static str {
    match how {
        How::Is => "there",
        How::Could => "could be there",
        How::Unknown => UNKNOWN,
    }
}
