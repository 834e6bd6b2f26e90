//! The chain behind a verdict, for people: policies, terms, places.

use std::io::{self, Write};

use clap::builder::styling::Style;

use super::table::{Layout, wrapped};
use crate::residency::{Chain, NodesView, PolicyView, TermView, safe};

const BOLD: Style = Style::new().bold();

/// Writes the chain; nothing where there is nothing to tell.
pub fn write(chain: &Chain, layout: Layout, out: &mut dyn Write) -> io::Result<()> {
    if let Some(location) = &chain.location {
        writeln!(out, "{BOLD}Location{BOLD:#}\n  {}\n", safe(&location.to_string()))?;
    }
    if !chain.policies.is_empty() {
        writeln!(out, "{BOLD}Policies that select it{BOLD:#}")?;
        chain.policies.iter().try_for_each(|policy| write_policy(policy, layout, out))?;
        writeln!(out)?;
    }
    if !chain.not_selected.is_empty() {
        let names = chain.not_selected.join(", ");
        writeln!(out, "{BOLD}Policies whose selectors leave it out{BOLD:#}\n  {}\n", safe(&names))?;
    }
    if !chain.terms.is_empty() {
        writeln!(out, "{BOLD}Where it can run{BOLD:#}")?;
        chain.terms.iter().try_for_each(|term| write_term(term, layout, out))?;
        writeln!(out)?;
    }
    if !chain.volumes.is_empty() {
        writeln!(out, "{BOLD}Volumes{BOLD:#}")?;
        for view in &chain.volumes {
            writeln!(out, "  {}: {}", safe(&view.volume), wrapped(&view.place, 4, layout.width))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_policy(policy: &PolicyView, layout: Layout, out: &mut dyn Write) -> io::Result<()> {
    let PolicyView { name, action, assurance, .. } = policy;
    writeln!(out, "  {} ({action:?}, {assurance:?})", safe(name))?;
    writeln!(out, "    permits    {}", wrapped(&policy.permits, 15, layout.width))?;
    for exception in &policy.exceptions {
        writeln!(out, "    exception  {}", wrapped(exception, 15, layout.width))?;
    }
    for law in &policy.legal_basis {
        let url = law.url.as_ref().map_or_else(String::new, |url| format!(", {url}"));
        writeln!(out, "    law        {}", wrapped(&format!("{}{url}", law.title), 15, layout.width))?;
    }
    if let Some(moment) = policy.changes {
        writeln!(out, "    changes    {moment}")?;
    }
    Ok(())
}

fn write_term(term: &TermView, layout: Layout, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  {}", wrapped(&term.term, 2, layout.width))?;
    if term.nodes.is_empty() {
        writeln!(out, "    no node now")?;
    }
    for NodesView { jurisdiction, count, examples } in &term.nodes {
        let place = jurisdiction.as_deref().unwrap_or("unknown");
        let more = if *count > examples.len() { ", …" } else { "" };
        writeln!(out, "    {place:8} {count:>4}  {}{more}", safe(&examples.join(", ")))?;
    }
    for (policy, reach) in &term.reach {
        writeln!(out, "    {} for {}", reach.as_str(), safe(policy))?;
    }
    Ok(())
}
