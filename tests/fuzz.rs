//! What fuzzing begins with, `fuzz/seeds`, which is the small part of what it found: each is tried here without a fuzzer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

#[allow(dead_code, unreachable_pub, reason = "the targets use all of it, and are a library to the fuzzer")]
#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::fs;
use std::path::Path;

use fuzz::targets;

/// Every file that is kept for a target is tried, and there are some.
fn holds(target: &str, run: fn(&[u8])) {
    let mut tried = 0;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    for file in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = file.unwrap().path();
        // It is what a panic is about, and shown only then.
        println!("{}", path.display());
        run(&fs::read(&path).unwrap());
        tried += 1;
    }
    assert!(tried > 100, "{tried} files for {target}");
}

#[test]
fn judging_anything_in_clusters_that_are_there_holds() {
    holds("judge", targets::judge::run);
}

#[test]
fn judging_anything_in_any_cluster_holds() {
    holds("clusters", targets::judge::run_anywhere);
}

#[test]
fn reading_any_file_holds() {
    holds("manifests", targets::manifests::run);
}

#[test]
fn locating_anything_by_geographies_that_are_there_holds() {
    holds("places", targets::places::run);
}

#[test]
fn locating_anything_by_any_geography_holds() {
    holds("geographies", targets::places::run_anywhere);
}

#[test]
fn answering_any_review_holds() {
    holds("reviews", targets::reviews::run);
}

#[test]
fn finding_nodes_by_any_selector_holds() {
    holds("selectors", targets::selectors::run);
}
