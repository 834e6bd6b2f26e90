//! What Helm says after an installation, and what the pages say of upgrades.

use std::fs;

use crate::helm::{NAMESPACE, chart, helm, root};

fn notes(settings: &[&str]) -> String {
    let chart = chart();
    let mut arguments =
        vec!["install", "domicile", chart.to_str().unwrap(), "--namespace", NAMESPACE, "--dry-run=client"];
    arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
    let output = helm(&arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_once("\nNOTES:\n").unwrap().1.to_owned()
}

/// What is said to become of things while nobody answers.
fn said(settings: &[&str], what: &str) -> Vec<String> {
    let begin = format!("  {what}: ");
    notes(settings).lines().filter_map(|line| line.strip_prefix(&begin).map(str::to_owned)).collect()
}

#[test]
fn the_notes_say_of_each_entry_what_becomes_of_it() {
    let (refused, through) = ("refused", "let through unjudged");
    let all = said(&[], refused);
    assert_eq!((all.len(), said(&[], through).len()), (7, 0), "{all:?}");
    assert!(all.iter().any(|line| line.contains("namespaces") && line.contains("labels of nodes")));

    assert_eq!(said(&["webhook.failurePolicy=Ignore"], refused), ["exceptions"]);
    let open = "webhook.entries.workloads.failurePolicy=Ignore";
    assert_eq!(said(&[open], through), ["workloads, and changes of pods"]);
    // A new pod is asked about by two.
    let confine = "webhook.entries.confine.failurePolicy=Ignore";
    assert_eq!(said(&[open, confine], through), ["new pods", "workloads, and changes of pods"]);
}

/// With `--reuse-values` alone the values that a newer chart has come to have are not there, and it cannot be rendered.
#[test]
fn upgrades_take_the_values_that_are_new() {
    let mut files =
        vec![root().join("README.md"), chart().join("README.md"), chart().join("templates/NOTES.txt")];
    let pages = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    files.extend(pages.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    let mut upgrades = 0;
    for file in files {
        for line in fs::read_to_string(&file).unwrap().lines().filter(|line| line.contains("helm upgrade ")) {
            assert!(!line.contains("--reuse-values"), "{}: {line}", file.display());
            upgrades += usize::from(line.contains("--reset-then-reuse-values"));
        }
    }
    assert!(upgrades >= 6, "{upgrades} are read");
}
