//! `domicile report`: what an auditor wants to see, as one page.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::input::Lack;
use super::output::facts;
use super::page::{self, Page};
use super::settings::{ClusterArgs, PlainFormat, SettingsArgs, TimeArgs};
use super::since::since;
use super::terminal::{self, tell};
use super::{Status, input, verdicts};
use crate::cluster::enforcement::{self, Enforcement};
use crate::cluster::{Kind, Loaded, live};
use crate::objects::Object;
use crate::residency::{Evidence, evidence};

/// Write a page for an auditor: where each kind of data is, on which legal basis, and what is wrong
///
/// One HTML file that needs no network and no script: a summary, a world map for each classification with a table that
/// says the same, every policy with its legal basis, its places with their ends, the objects under it and what breaks it
/// since when, exceptions with their reasons, nodes that nobody can place, what carries no classification, and what enforcement
/// covers. Long lists are cut, and say so. Nothing is written to the cluster.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// Write the page to this file; `-` writes it to standard output
    #[arg(long, value_name = "FILE", env = "DOMICILE_HTML")]
    html: Option<PathBuf>,

    #[command(flatten)]
    cluster: ClusterArgs,

    /// Print this to standard output: a few lines, or all the facts of the page
    ///
    /// `docs/schema/report.schema.json` describes the facts.
    #[arg(short, long, value_enum, default_value_t, env = "DOMICILE_OUTPUT")]
    output: PlainFormat,

    #[command(flatten)]
    time: TimeArgs,

    #[command(flatten)]
    settings: SettingsArgs,
}

const EXAMPLES: &str = "\
Examples:
  The cluster of the current kubeconfig:
    domicile report --html residency.html

  Objects in files, for the archive, with the facts beside the page:
    domicile report --cluster cluster.yaml --html residency.html -o json > residency.json

  As it will be on the day a decision ends:
    domicile report --at 2027-07-10 --html then.html

Exit status:
  0  written, whatever it says of the cluster
  2  the call or an input is wrong: the reason is on standard error. What could
     be read is reported all the same, and the page says that it is incomplete";

/// Kinds of which the files hold nothing, and what that means.
type NotGiven = Vec<(Kind, &'static str)>;

pub(super) fn run(arguments: &Args) -> anyhow::Result<Status> {
    let json = arguments.output == PlainFormat::Json;
    match arguments.html.as_deref() {
        None if !json => bail!("name a file for the page with --html, or ask for the facts with -o json"),
        Some(path) if json && path == Path::new("-") => {
            bail!("standard output cannot be both the page and the facts: name a file for the page")
        }
        _ => {}
    }
    let given = !arguments.cluster.cluster.is_empty();
    let cluster = input::cluster(&arguments.cluster.cluster)?;
    let not_given = if given { not_given(&cluster) } else { Vec::new() };
    let enforcement = if given {
        Enforcement::NotKnown("the objects are from files, which do not say what the API server asks".into())
    } else {
        ask()?
    };
    let source = if given { "a cluster, as files have it" } else { "the cluster of the current kubeconfig" };
    let at = arguments.time.get();
    let since = since(&cluster.objects, given, at)?;
    let (mut state, sources) = input::state(arguments.settings.get(), cluster.objects, &cluster.unread, &[]);
    state.set_absent(not_given.iter().map(|(kind, _)| *kind).collect());
    let mut evidence = evidence(&state, at, &enforcement);
    evidence.note_since(|policy| since.of_policy(policy), |object, policy| since.since(object, policy));
    let mut errors = cluster.errors;
    errors.extend(verdicts::problems(&state, &sources).errors);
    errors.sort();
    let page = Page { evidence: &evidence, source, errors: &errors, not_given: &not_given };
    if let Some(path) = arguments.html.as_deref() {
        write_page(path, &page)?;
    }
    if json {
        terminal::print(|out| facts::write(&page, out))?;
    } else if arguments.html.as_deref() != Some(Path::new("-")) {
        print_lines(arguments.html.as_deref(), &evidence)?;
    }
    for error in &errors {
        tell("error", &error.to_string());
    }
    Ok(if errors.is_empty() { Status::Compliant } else { Status::Wrong })
}

fn not_given(cluster: &Loaded) -> NotGiven {
    let mut lacks = input::lacks(cluster, &[]);
    if !cluster.objects.iter().any(|sourced| matches!(sourced.object, Object::Pod(_))) {
        lacks.push(Lack::PODS);
    }
    lacks.iter().for_each(Lack::tell);
    lacks.iter().map(|lack| (lack.kind, lack.consequence)).collect()
}

fn ask() -> anyhow::Result<Enforcement> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { Ok(enforcement::read(&live::connect().await?).await) })
}

fn write_page(path: &Path, page: &Page<'_>) -> anyhow::Result<()> {
    let text = page::render(page);
    if path == Path::new("-") {
        terminal::print(|out| out.write_all(text.as_bytes()))?;
    } else {
        fs::write(path, text).with_context(|| format!("the page cannot be written to {}", path.display()))?;
    }
    Ok(())
}

fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn print_lines(path: Option<&Path>, evidence: &Evidence) -> anyhow::Result<()> {
    let summary = &evidence.summary;
    let broken = summary.denied + summary.warned + summary.reported;
    terminal::print(|out| {
        if let Some(path) = path {
            writeln!(out, "{} is written.", path.display())?;
        }
        writeln!(
            out,
            "{} judged, {} of them classified; something is wrong with {broken}, {} kept in order by an exception alone; {} in doubt.",
            counted(summary.judged, "object"),
            summary.classified,
            summary.exempted,
            counted(evidence.nodes.doubtful.len(), "node")
        )
    })?;
    Ok(())
}
