//! The documentation: every page is in the book, every link leads somewhere, the reference is that of the definitions,
//! what the first pages have people type does what they say, and the tests that the threat model names are there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed helper is a failed test")]

mod pages;
mod reference;
mod threats;
mod tutorial;

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files with this extension under a folder.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|one| one == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}
