//! The image: what its build is given must be enough.

use std::fs;
use std::process::Command;

use crate::helm::root;

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

/// What distroless/cc has, and no more.
#[test]
fn the_binary_needs_no_library_that_the_image_lacks() {
    let output = Command::new("ldd").arg(env!("CARGO_BIN_EXE_domicile")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let there =
        ["linux-vdso.so", "libgcc_s.so", "libm.so", "libc.so", "libpthread.so", "libdl.so", "ld-linux"];
    let mut seen = 0;
    for line in text.lines() {
        assert!(there.iter().any(|library| line.contains(library)), "{line}");
        seen += 1;
    }
    assert!(seen >= 3, "{text}");
}

#[test]
fn it_is_built_with_a_compiler_that_is_new_enough() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let wanted = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    let text = fs::read_to_string(root().join("Dockerfile")).unwrap();
    assert!(text.contains(&format!("ARG BUILD=rust:{}.", wanted.trim_matches('"'))), "{wanted}");
    assert!(text.contains("\nUSER 65532:65532\n"));
}
