//! `domicile completions`: prints a script that completes the command line.

use clap_complete::Shell;

use super::{Status, terminal};

/// Print a script that completes this command line in a shell
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  source <(domicile completions bash)
  domicile completions zsh > \"${fpath[1]}/_domicile\"
  domicile completions fish > ~/.config/fish/completions/domicile.fish")]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &Args) -> anyhow::Result<Status> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::command(None), "domicile", &mut script);
    terminal::print(|out| out.write_all(&script))?;
    Ok(Status::Compliant)
}
