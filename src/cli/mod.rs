//! The command line.

pub mod output;
pub mod page;

mod audit;
mod catalog;
mod check;
mod completions;
mod crds;
mod explain;
mod input;
mod man;
mod probe;
mod report;
mod selector;
mod serve;
mod settings;
mod simulate;
mod since;
mod target;
mod terminal;
mod verdicts;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    /// Nothing is against it.
    Compliant = 0,
    /// Something is denied, or warned of under `--strict`.
    Violations = 1,
    /// The call or an input is wrong.
    Wrong = 2,
}

const EXIT_STATUSES: &str = "\
Exit status:
  0  everything may be where it is; warnings are allowed, unless --strict is given
  1  something may not
  2  the call or an input is wrong: the reason is on standard error. What could
     be read is judged all the same, and the output says that it is incomplete";

/// Keeps data where the law says it must live: judges Kubernetes objects against residency policies.
///
/// Domicile knows which classifications of data an object carries, where the nodes and volumes that it can reach are,
/// and where its policies permit such data. `check` judges manifests before they are applied, `audit` what exists
/// already, `simulate` what a change would do to it, and `explain` tells the whole story of one object. They only ever
/// read from a cluster.
#[derive(Debug, Parser)]
#[command(name = "domicile", version, max_term_width = 100, after_long_help = after_help())]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

fn after_help() -> String {
    format!(
        "\
Examples:
  Judge a folder of manifests against the cluster of the current kubeconfig:
    domicile check -f manifests/

  The same without a cluster, for instance in CI, against objects saved earlier:
    kubectl get -A -o yaml \\
      nodes,ns,sc,pv,pvc,pods,deploy,sts,ds,rs,rc,jobs,cj,volumeattachments,respol,geo,resex \\
      > cluster.yaml
    (and, where the cluster has snapshots, volumesnapshots,volumesnapshotcontents,volumesnapshotclasses)
    domicile check -f manifests/ --cluster cluster.yaml -o sarif > domicile.sarif

  Judge what a chart would install:
    helm template shop ./charts/shop | domicile check -f -

Every option can also be given in the environment: --cluster as DOMICILE_CLUSTER, and so on.
As kubectl-domicile on the PATH, the program is called as `kubectl domicile`.

{EXIT_STATUSES}"
    )
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Args),
    Audit(audit::Args),
    Simulate(simulate::Args),
    Explain(explain::Args),
    Report(report::Args),
    Serve(Box<serve::Args>),
    Catalog(catalog::Args),
    Probe(probe::Args),
    Crds(crds::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// The command line as it is described to people, under the name that it was called by.
fn command(called_as: Option<&OsString>) -> clap::Command {
    let plugin = called_as.and_then(|name| Path::new(name).file_stem()).is_some_and(|name| {
        name.eq_ignore_ascii_case("kubectl-domicile") || name.eq_ignore_ascii_case("kubectl_domicile")
    });
    let command = Cli::command();
    if plugin { command.bin_name("kubectl domicile") } else { command }
}

/// Runs the program with these arguments, the first of which is its name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let parsed = command(arguments.first())
        .try_get_matches_from(arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let command = match parsed {
        Ok(cli) => cli.command,
        Err(error) => {
            // A closed pipe behind `--help` is nobody's error.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Status::Wrong as u8));
        }
    };
    let outcome = match command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Catalog(arguments) => catalog::run(&arguments),
        Command::Probe(arguments) => probe::run(&arguments),
        Command::Crds(arguments) => crds::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
    };
    let status = outcome.unwrap_or_else(|error| {
        terminal::tell("error", &format!("{error:#}"));
        Status::Wrong
    });
    ExitCode::from(status as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_is_also_in_the_environment_and_described() {
        for command in Cli::command().get_subcommands() {
            for option in command.get_opts() {
                let name = option
                    .get_long()
                    .unwrap_or_else(|| panic!("{}: {option} has no long name", command.get_name()));
                let variable = option
                    .get_env()
                    .unwrap_or_else(|| panic!("{} --{name}: no variable", command.get_name()));
                let expected = format!("DOMICILE_{}", name.replace('-', "_").to_uppercase());
                assert_eq!(variable.to_str(), Some(expected.as_str()));
                assert!(option.get_help().is_some(), "{} --{name}: no help", command.get_name());
            }
        }
    }

    #[test]
    fn called_by_kubectl_it_says_so() {
        for name in ["kubectl-domicile", "/usr/local/bin/kubectl-domicile", "kubectl_domicile.exe"] {
            let error =
                command(Some(&name.into())).try_get_matches_from([name, "check"]).unwrap_err().to_string();
            assert!(error.contains("Usage: kubectl domicile check"), "{error}");
        }
        let error = command(Some(&"domicile".into()))
            .try_get_matches_from(["domicile", "check"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("Usage: domicile check"), "{error}");
    }
}
