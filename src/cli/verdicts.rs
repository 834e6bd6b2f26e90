//! From verdicts to standard output and an exit status, the same for every command that judges.

use super::input::Sources;
use super::output::table::Layout;
use super::output::{Format, Outcome, json, junit, sarif, table};
use super::settings::VerdictArgs;
use super::terminal::{self, tell};
use super::{Status, output::Report};
use crate::cluster::{InputError, State};
use crate::controller::reports::Beginnings;
use crate::residency::Decision;

/// What is wrong with policies and the like, besides what could not be read.
#[derive(Debug, Default)]
pub(super) struct Problems {
    /// With these, no verdict is complete.
    pub(super) errors: Vec<InputError>,
    /// How many warnings were told.
    pub(super) warnings: usize,
}

/// What is wrong with objects of our own kinds; tells the warnings at once.
pub(super) fn problems(state: &State, sources: &Sources) -> Problems {
    let mut found = Problems::default();
    for problem in state.problems().into_iter().chain(state.doubts(|_| true)) {
        let source = sources.get(&problem.object);
        let message = format!("{}: {}", problem.object, problem.message);
        let error = InputError {
            file: source.map_or_else(|| "cluster".to_owned(), |source| source.file.to_string()),
            line: source.map(|source| source.line).filter(|line| *line > 0),
            message,
        };
        if problem.refused {
            found.errors.push(error);
        } else {
            tell("warning", &error.to_string());
            found.warnings += 1;
        }
    }
    found
}

/// Prints everything, and says how it ended.
pub(super) fn conclude(
    reports: &[Report],
    errors: Vec<InputError>,
    problems: Problems,
    arguments: &VerdictArgs,
    list_allowed: bool,
) -> anyhow::Result<Status> {
    conclude_since(reports, None, errors, problems, arguments, list_allowed)
}

/// The same, with the time since when.
pub(super) fn conclude_since(
    reports: &[Report],
    since: Option<&Beginnings>,
    mut errors: Vec<InputError>,
    problems: Problems,
    arguments: &VerdictArgs,
    list_allowed: bool,
) -> anyhow::Result<Status> {
    errors.extend(problems.errors);
    errors.sort();
    let outcome = Outcome { reports, errors: &errors, since };
    match arguments.output {
        Format::Table => {
            let layout = Layout { width: terminal::width(), list_allowed };
            terminal::print_coloured(|out| table::write(&outcome, layout, out))?;
        }
        Format::Json => terminal::print(|out| json::write(&outcome, None, out))?,
        Format::Sarif => terminal::print(|out| sarif::write(&outcome, out))?,
        Format::Junit => terminal::print(|out| junit::write(&outcome, out))?,
    }
    for error in &errors {
        tell("error", &error.to_string());
    }
    Ok(status(&outcome, arguments.strict, problems.warnings > 0))
}

/// The exit status of an outcome.
pub(super) fn status(outcome: &Outcome<'_>, strict: bool, warned: bool) -> Status {
    let is_warning =
        |report: &Report| report.verdict.decision == Decision::Warn || !report.verdict.warnings.is_empty();
    if !outcome.is_complete() {
        Status::Wrong
    } else if outcome.summary().deny > 0 || strict && (warned || outcome.reports.iter().any(is_warning)) {
        Status::Violations
    } else {
        Status::Compliant
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Source;
    use crate::objects::ObjectRef;
    use crate::residency::{Reach, Verdict};

    fn report(decision: Decision, warnings: &[&str]) -> Report {
        let object = ObjectRef {
            api_version: "v1".into(),
            kind: "Pod".into(),
            namespace: "a".into(),
            name: "b".into(),
        };
        let warnings = warnings.iter().map(|warning| (*warning).to_owned()).collect();
        let verdict = Verdict {
            object,
            classifications: Vec::new(),
            policies: Vec::new(),
            decision,
            reach: Reach::Observed,
            findings: Vec::new(),
            warnings,
            fix: None,
            requires: Vec::new(),
        };
        Report { verdict, source: Source { file: "a.yaml".into(), line: 1 } }
    }

    #[test]
    fn exit_statuses() {
        let error = InputError { file: "a.yaml".into(), line: None, message: String::new() };
        for (reports, errors, strict, warned, expected) in [
            (vec![], vec![], false, false, Status::Compliant),
            (vec![report(Decision::Allow, &[])], vec![], true, false, Status::Compliant),
            (vec![report(Decision::Allow, &["pin it"])], vec![], false, true, Status::Compliant),
            (vec![report(Decision::Allow, &["pin it"])], vec![], true, false, Status::Violations),
            (vec![report(Decision::Allow, &[])], vec![], true, true, Status::Violations),
            (vec![report(Decision::Warn, &[])], vec![], false, false, Status::Compliant),
            (vec![report(Decision::Warn, &[])], vec![], true, false, Status::Violations),
            (
                vec![report(Decision::Allow, &[]), report(Decision::Deny, &[])],
                vec![],
                false,
                false,
                Status::Violations,
            ),
            (vec![report(Decision::Deny, &[])], vec![error.clone()], false, false, Status::Wrong),
            (vec![], vec![error], true, false, Status::Wrong),
        ] {
            let outcome = Outcome { reports: &reports, errors: &errors, since: None };
            assert_eq!(status(&outcome, strict, warned), expected, "{outcome:?}");
        }
    }
}
