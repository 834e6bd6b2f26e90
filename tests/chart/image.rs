//! The image: what its build is given must be enough.

use std::fs;
use std::process::Command;

use crate::helm::{objects, only, root};

/// What the Dockerfile copies from the folder that it is built in.
fn copied() -> Vec<String> {
    let text = fs::read_to_string(root().join("Dockerfile")).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("COPY "));
    let from_folder = lines.filter(|line| !line.starts_with("--from"));
    from_folder
        .flat_map(|line| {
            let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
            words[..words.len() - 1].to_vec()
        })
        .collect()
}

#[test]
fn cargo_finds_all_that_it_needs_in_what_is_copied() {
    let folder = tempfile::tempdir().unwrap();
    for name in copied() {
        let status =
            Command::new("cp").arg("-r").arg(root().join(&name)).arg(folder.path()).status().unwrap();
        assert!(status.success(), "{name}");
    }
    // Reads the manifest as a build does, and fails where a target is missing.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version=1", "--no-deps", "--offline"]).current_dir(folder.path());
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_build_is_given_what_is_copied_and_nothing_else() {
    let text = fs::read_to_string(root().join(".dockerignore")).unwrap();
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines.remove(0), "*");
    let mut let_in: Vec<String> =
        lines.iter().map(|line| line.strip_prefix('!').unwrap().to_owned()).collect();
    let mut copied = copied();
    let_in.sort_unstable();
    copied.sort_unstable();
    assert_eq!(let_in, copied);
}

/// The stages of the Dockerfile.
fn stages() -> Vec<String> {
    let text = fs::read_to_string(root().join("Dockerfile")).unwrap();
    text.split("\nFROM ").skip(1).map(str::to_owned).collect()
}

/// `release/build.sh` fails if the binary needs a library; `make image` starts it where there is no file but it.
#[test]
fn nothing_is_in_the_image_but_the_binary() {
    let stages = stages();
    let [build, last] = stages.as_slice() else { panic!("{stages:?}") };
    assert!(
        build.starts_with("${BUILD} AS build\n") && build.contains("release/build.sh /domicile"),
        "{build}"
    );
    assert!(last.starts_with("scratch\n"), "{last}");
    let copied: Vec<&str> = last.lines().filter(|line| line.starts_with("COPY")).collect();
    assert_eq!(copied, ["COPY --from=build /domicile /usr/local/bin/domicile"]);
    // Without a shell, nothing can be run as it is assembled, and the command is a list.
    assert!(!last.lines().any(|line| line.starts_with("RUN") || line.starts_with("ADD")), "{last}");
    assert!(last.contains("\nENTRYPOINT [\"/usr/local/bin/domicile\"]"), "{last}");
}

#[test]
fn its_labels_are_those_of_the_package() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let of =
        |field: &str| manifest.lines().find_map(|line| line.strip_prefix(&format!("{field} = "))).unwrap();
    let last = stages().pop().unwrap();
    assert!(last.contains(&format!("\nARG VERSION={}\n", of("version").trim_matches('"'))), "{last}");
    for (label, field) in [("title", "name"), ("description", "description"), ("licenses", "license")] {
        assert!(last.contains(&format!("org.opencontainers.image.{label}={}", of(field))), "{label}: {last}");
    }
}

/// Kubernetes can only tell by the number that a user is not root; the chart asks for the same one.
#[test]
fn it_runs_as_the_user_that_the_chart_asks_for() {
    let last = stages().pop().unwrap();
    let user = last.lines().find_map(|line| line.strip_prefix("USER ")).unwrap();
    let objects = objects(&[]);
    let asked = &only(&objects, "Deployment")["spec"]["template"]["spec"]["securityContext"];
    assert_eq!(user, format!("{}:{}", asked["runAsUser"], asked["runAsGroup"]));
    assert_eq!(asked["runAsNonRoot"], true);
}

#[test]
fn it_is_built_with_a_compiler_that_is_new_enough() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let wanted = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    let text = fs::read_to_string(root().join("Dockerfile")).unwrap();
    assert!(text.contains(&format!("ARG BUILD=rust:{}.", wanted.trim_matches('"'))), "{wanted}");
}
