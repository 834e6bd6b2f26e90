//! `docs/threat-model.md`: every leaf of an attack tree says what comes of it, and the tests that it names are there.

use std::path::PathBuf;
use std::sync::LazyLock;

use regex::Regex;

use crate::{read, root};

/// What may come of a leaf that must be shown.
const STOPPED: [&str; 3] = ["stopped at creation", "stopped at binding", "told by audit"];
/// What is let through, and told of: that needs a test as well.
const ADMITTED: &str = "admitted";
const OUT_OF_SCOPE: &str = "out of scope";
/// The test binaries that try it on a real control plane.
const ON_A_CONTROL_PLANE: [&str; 4] = ["enforce", "install", "cluster", "torture"];

/// `binary::test` or `binary::room::test`.
static NAMED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"`([a-z_]+)((?:::[a-z_]+)?)::([a-z_0-9]+)`").unwrap());

/// A row of a tree: its number, and its columns.
fn leaves(page: &str) -> Vec<(String, Vec<String>)> {
    let number = Regex::new(r"^[TKASNG][0-9]+(\.[0-9]+)?$").unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix('|'));
    rows.map(|row| row.split(" | ").map(|column| column.trim().to_owned()).collect::<Vec<_>>())
        .filter(|columns| number.is_match(&columns[0]))
        .map(|mut columns| (columns.remove(0), columns))
        .collect()
}

/// The file that the tests of a room are in.
fn file(binary: &str, room: &str) -> PathBuf {
    let tests = root().join("tests");
    if let Some(room) = room.strip_prefix("::") {
        return tests.join(binary).join(format!("{room}.rs"));
    }
    let file = tests.join(format!("{binary}.rs"));
    if file.is_file() { file } else { tests.join(binary).join("main.rs") }
}

/// Whether a file has a test of that name: a function that is marked as one, or one that a room lists.
fn has(code: &str, name: &str) -> bool {
    let marked = format!(r"#\[(?:tokio::)?test[^\n]*\n(?:#\[[^\n]*\n)*(?:async )?fn {name}\(\)");
    // A list that is too long for a line has the name on the next.
    code.contains(&format!("(\"{name}\""))
        || code.contains(&format!("\n            \"{name}\","))
        || Regex::new(&marked).unwrap().is_match(code)
}

/// What is wrong with a leaf.
fn wrong(number: &str, columns: &[String]) -> Vec<String> {
    let [_, comes, tests] = columns else {
        return vec![format!("{number} has {} columns", columns.len() + 1)];
    };
    let mut found = Vec::new();
    let stopped = STOPPED.iter().any(|word| comes.contains(word));
    if !stopped && !comes.contains(OUT_OF_SCOPE) && !comes.contains(ADMITTED) {
        found.push(format!("{number} does not say what comes of it: {comes}"));
    }
    let named: Vec<_> = NAMED.captures_iter(tests).collect();
    if named.is_empty() && (stopped || !comes.starts_with(OUT_OF_SCOPE)) {
        found.push(format!("{number} names no test"));
    }
    let is_tried = named.iter().any(|test| ON_A_CONTROL_PLANE.contains(&&test[1]));
    if !named.is_empty() && !is_tried && !comes.starts_with(OUT_OF_SCOPE) {
        found.push(format!("{number} is tried on no control plane: {tests}"));
    }
    if named.len() != tests.matches('`').count() / 2 {
        found.push(format!("{number} names a test in a form that is not read: {tests}"));
    }
    for test in named {
        let file = file(&test[1], &test[2]);
        if !file.is_file() || !has(&read(&file), &test[3]) {
            found.push(format!("{number}: {} is not in {}", &test[0], file.display()));
        }
    }
    found
}

#[test]
fn every_leaf_says_what_comes_of_it_and_its_tests_are_there() {
    let leaves = leaves(&read(&root().join("docs/threat-model.md")));
    for (tree, least) in [("T", 30), ("K", 8), ("A", 14), ("S", 8), ("N", 5), ("G", 8)] {
        let there = leaves.iter().filter(|(number, _)| number.starts_with(tree)).count();
        assert!(there >= least, "{there} leaves of {tree} are read");
    }
    let mut numbers: Vec<&str> = leaves.iter().map(|(number, _)| number.as_str()).collect();
    let all = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), all, "a number stands twice");
    let wrong: Vec<_> = leaves.iter().flat_map(|(number, columns)| wrong(number, columns)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_leaf_that_shows_nothing_is_found() {
    let said = |comes: &str, tests: &str| wrong("T9", &["what".into(), comes.into(), tests.into()]);
    assert_eq!(said("stopped at binding", "`enforce::ways_around::bindings_by_hand`"), [""; 0]);
    assert_eq!(said("out of scope: why", "`book::pages::every_page_is_in_the_book_once`"), [""; 0]);
    assert_eq!(said("out of scope: why", ""), [""; 0]);
    for (comes, tests) in [
        ("nothing", "`enforce::ways_around::bindings_by_hand`"),
        ("stopped at creation", "`book::pages::every_page_is_in_the_book_once`"),
        ("stopped at creation", ""),
        ("told by audit", "`enforce::ways_around::no_such_test`"),
        ("told by audit", "`enforce::no_such_room::bindings_by_hand`"),
        ("told by audit", "`enforce::ways_around::editor`"),
        ("out of scope: why", "`book::pages::documents`"),
    ] {
        assert_eq!(said(comes, tests).len(), 1, "{comes} {tests}");
    }
}
