//! The report as one page of HTML: nothing is fetched, no script runs, and every text is escaped.

mod map;
mod parts;
mod policies;
mod sections;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::map::World;
use self::parts::{moment, places};
use crate::cluster::{InputError, Kind};
use crate::residency::{ClassificationFacts, Evidence, safe};

const STYLE: &str = include_str!("style.css");

/// Maps that are drawn at most; the tables have every classification.
const MAPS: usize = 24;

/// What a page shows.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The facts.
    pub evidence: &'a Evidence,
    /// Where the objects are from.
    pub source: &'a str,
    /// What could not be read. If there is any, the page says that it is incomplete.
    pub errors: &'a [InputError],
    /// Kinds of which nothing was given, and what that means.
    pub not_given: &'a [(Kind, &'static str)],
}

impl Page<'_> {
    /// Whether everything was looked at, so that what was not found is not there.
    fn is_whole(&self) -> bool {
        self.errors.is_empty() && self.not_given.is_empty()
    }
}

/// The whole page.
#[must_use]
pub fn render(page: &Page<'_>) -> String {
    let evidence = page.evidence;
    let title = "Data residency report";
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Nothing is fetched and nothing runs, whatever stands in a name.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="generator" content={ "domicile " (env!("CARGO_PKG_VERSION")) };
                title { (title) ", " (evidence.at.strftime("%Y-%m-%d").to_string()) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#summary" { "To the summary" }
                header {
                    h1 { (title) }
                    p.soft { "Of " (safe(page.source)) ", as of " (moment(evidence.at)) ". Made by Domicile " (env!("CARGO_PKG_VERSION")) "." }
                    nav aria-label="Sections" { ul {
                        @for (id, heading) in SECTIONS { li { a href={ "#" (id) } { (heading) } } }
                    } }
                }
                main {
                    (incomplete(page))
                    (summary(page))
                    (whereabouts(evidence))
                    (policies::section(page))
                    (sections::exceptions(evidence))
                    (sections::endings(evidence))
                    (sections::nodes(page))
                    (sections::unclassified(page))
                    (sections::coverage(evidence))
                }
                (footer())
            }
        }
    };
    page.into_string()
}

const SECTIONS: [(&str, &str); 8] = [
    ("summary", "Summary"),
    ("places", "Where the data is"),
    ("policies", "Policies"),
    ("exceptions", "Exceptions"),
    ("endings", "What ends"),
    ("nodes", "Nodes"),
    ("unclassified", "Without a classification"),
    ("coverage", "Enforcement"),
];

fn incomplete(page: &Page<'_>) -> Markup {
    let problems = &page.evidence.problems;
    html! {
        @if !page.errors.is_empty() {
            section.notice {
                h2 { "This report is incomplete" }
                p { "What stands here could not be read, and nothing below takes it into account:" }
                ul { @for error in page.errors { li { (safe(&error.to_string())) } } }
            }
        }
        @if !page.not_given.is_empty() {
            section.notice {
                h2 { "Not looked at" }
                p { "Of these kinds nothing was given, and nothing below says anything of them:" }
                ul { @for (kind, consequence) in page.not_given { li { strong { (kind.as_str()) } ": " (consequence) } } }
            }
        }
        @if !problems.is_empty() {
            section.notice {
                h2 { "Something is wrong with the rules" }
                ul { @for one in problems { li { strong { (safe(&one.object)) } ": " (safe(&one.message)) } } }
            }
        }
    }
}

fn summary(page: &Page<'_>) -> Markup {
    let evidence = page.evidence;
    let summary = &evidence.summary;
    let numbers = [
        ("Objects judged", summary.judged),
        ("Carry a classification", summary.classified),
        ("Would be refused (Deny)", summary.denied),
        ("Would be admitted with a warning (Warn)", summary.warned),
        ("Would be admitted, and are only reported (Audit)", summary.reported),
        ("Keep a policy only by an exception", summary.exempted),
        ("Pods and claims that carry nothing", summary.unclassified),
        ("Nodes in doubt", evidence.nodes.doubtful.len()),
    ];
    let broken = summary.denied + summary.warned + summary.reported;
    html! {
        section #summary {
            h2 { "Summary" }
            p {
                @if summary.judged == 0 { strong { "Nothing was judged: whether a policy is broken is not known." } }
                @else if evidence.policies.is_empty() && broken == 0 { strong { "No policy was looked at, so nothing was found that breaks one." } }
                @else if broken == 0 && !page.is_whole() { strong { "Nothing that was judged breaks a policy, but not everything was looked at." } }
                @else if broken == 0 { strong.good { "Nothing that was judged breaks a policy." } }
                @else { strong.bad { "Something is wrong with " (broken) " of " (summary.judged) " objects." } }
                @if let Some(since) = evidence.oldest() { " The oldest violation whose beginning is known stands since " (moment(since)) "." }
                " " (sections::enforced(evidence))
            }
            dl.numbers { @for (what, number) in numbers { div { dt { (what) } dd { (number) } } } }
            @if !evidence.other_findings.is_empty() {
                (policies::violations("Wrong whatever the policies say", &evidence.other_findings))
            }
        }
    }
}

fn whereabouts(evidence: &Evidence) -> Markup {
    let world = World::read();
    let all = &evidence.classifications;
    html! {
        section #places {
            h2 { "Where the data is" }
            p {
                "Pods count where their node is, volumes and snapshots where their data is; what exists only as a wish (waiting \
                 pods, workloads, volumes that no place binds) counts as what could be there, once in each place. An object \
                 with several classifications counts under each."
            }
            (world.definitions(&all[..all.len().min(MAPS)]))
            @if all.is_empty() { p { "Nothing that was looked at carries a classification, and no policy governs one." } }
            @for (number, one) in all.iter().enumerate() { (classification(&world, number, one, evidence)) }
        }
    }
}

fn classification(world: &World, number: usize, facts: &ClassificationFacts, evidence: &Evidence) -> Markup {
    let carried: Vec<String> =
        facts.objects.iter().map(|(kind, number)| format!("{kind} ({number})")).collect();
    html! {
        h3 { (safe(&facts.name)) }
        dl.facts {
            dt { "Governed by, and on which basis" }
            dd {
                @if facts.policies.is_empty() { span.bad { "no policy" } }
                @else { (policies::laws(&evidence.policies, &facts.policies)) }
            }
            dt { "Carried by" }
            dd { @if carried.is_empty() { "nothing" } @else { (carried.join(", ")) } }
        }
        @if !facts.places.is_empty() {
            @if number < MAPS { (world.figure(number, facts)) }
            (places(&format!("Where {} is", safe(&facts.name)), &facts.places))
        }
    }
}

fn footer() -> Markup {
    html! {
        footer {
            p {
                "Domicile judges what is written: constraints, labels and declarations. It cannot see what a program does over the \
                 network, and what it does not know it never counts as permitted. Which countries a law allows is decided by those \
                 who write the policies. This page is " strong { "not legal advice" } "."
            }
            p {
                "The map is made from Natural Earth, which is in the public domain. Its borders say nothing about whose they are. \
                 The page fetches nothing and runs no script."
            }
        }
    }
}
