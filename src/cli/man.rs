//! `domicile man`: prints manual pages.

use anyhow::Context;
use clap_mangen::Man;

use super::{Status, terminal};

/// Print the manual page of the program, or of one of its commands
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  domicile man | man -l -
  domicile man check > domicile-check.1")]
pub(super) struct Args {
    /// The command. Absent: the program as a whole
    command: Option<String>,
}

pub(super) fn run(arguments: &Args) -> anyhow::Result<Status> {
    let mut program = super::command(None);
    // Gives the commands their full names.
    program.build();
    let described = match &arguments.command {
        None => program,
        Some(name) => {
            let command = program.find_subcommand(name).with_context(|| {
                let names: Vec<_> = program.get_subcommands().map(clap::Command::get_name).collect();
                format!("no command {name:?}: there are {}", names.join(", "))
            })?;
            command.clone()
        }
    };
    let mut page = Vec::new();
    Man::new(described).render(&mut page)?;
    terminal::print(|out| out.write_all(&page))?;
    Ok(Status::Compliant)
}
