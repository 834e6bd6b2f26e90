//! What `docs/first-policy.md` has people type, typed.

use std::process::Command;

use crate::{read, root};

/// The blocks of commands of a page, without prompts.
fn blocks(page: &str) -> Vec<String> {
    let blocks = page.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks
        .map(|block| {
            block.lines().map(|line| line.strip_prefix("$ ").unwrap_or(line)).collect::<Vec<_>>().join("\n")
        })
        .collect()
}

#[test]
fn the_first_policy_does_what_its_page_says() {
    let blocks = blocks(&read(&root().join("docs/first-policy.md")));
    let [build, open, classified, why, mended, ahead] = blocks.as_slice() else {
        panic!("the page has other steps than are expected here: {blocks:#?}")
    };
    assert_eq!(build, "cargo build --locked\nalias domicile=target/debug/domicile");
    let folder = tempfile::tempdir().unwrap();
    let run = |block: &String| {
        let commands = block.replace("/tmp/", &format!("{}/", folder.path().display()));
        let script = format!("domicile() {{ {} \"$@\"; }}\n{commands}\n", env!("CARGO_BIN_EXE_domicile"));
        let output = Command::new("bash").args(["-c", &script]).current_dir(root()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let has = |(code, said): &(i32, String), expected: i32, words: &[&str]| {
        assert_eq!(*code, expected, "{said}");
        for word in words {
            assert!(said.contains(word), "{word} is not in\n{said}");
        }
    };
    has(&run(open), 0, &["NotApplicable"]);
    has(
        &run(classified),
        1,
        &["Violated", "such as istanbul", "fix: merge this into the manifest", "eu-central-1a"],
    );
    has(&run(why), 0, &["carries personal (namespace shop)", "Istanbul (Local Zone)"]);
    has(&run(mended), 0, &["Allow", "Proven"]);
    has(&run(ahead), 1, &["Newly broken: 1 object in 1 namespace"]);
}
