//! The program as it is called: what goes to standard output, what to standard error, and the exit status.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn domicile(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_domicile"));
    command.current_dir(folder).env_clear().env("KUBECONFIG", folder.join("no-such-kubeconfig"));
    command
}

fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    text(&domicile(folder).args(arguments).output().unwrap())
}

fn text(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("node.yaml", "apiVersion: v1\nkind: Node\nmetadata: {name: a1}\n");
    write("service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n");
    write("broken.yaml", "apiVersion: v1\nkind: Pod\nmetadata: [\n");
    folder
}

#[test]
fn nothing_to_judge_is_compliant() {
    let folder = folder();
    let (status, out, err) = run(folder.path(), &["check", "-f", "service.yaml", "--cluster", "node.yaml"]);
    assert_eq!((status, out.as_str()), (0, "No object of a kind that is judged.\n"), "{err}");
    assert!(
        err.contains("note: no residencypolicies among the objects given: nothing is forbidden anywhere"),
        "{err}"
    );
    assert!(!err.contains("no nodes"), "{err}");
}

#[test]
fn what_cannot_be_read_makes_every_output_incomplete() {
    let folder = folder();
    let arguments =
        ["check", "-f", "service.yaml", "broken.yaml", "missing.yaml", "--cluster", "node.yaml", "-o"];
    for (format, says) in [
        ("table", "incomplete: 2 inputs could not be read"),
        ("json", "\"complete\": false"),
        ("sarif", "\"executionSuccessful\": false"),
        ("junit", "errors=\"2\""),
    ] {
        let (status, out, err) = run(folder.path(), &[&arguments[..], &[format]].concat());
        assert_eq!(status, 2);
        assert!(out.contains(says), "{out}");
        let errors: Vec<_> = err.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(
            errors,
            [
                "error: broken.yaml:3: unclosed bracket '['",
                "error: missing.yaml: no such file or folder: check the path",
            ]
        );
    }
}

#[test]
fn a_cluster_that_cannot_be_read_is_not_an_empty_one() {
    let folder = folder();
    for arguments in [&["audit"][..], &["check", "-f", "service.yaml"], &["explain", "pod/a"]] {
        let (status, out, err) = run(folder.path(), arguments);
        assert_eq!((status, out.as_str()), (2, ""));
        assert!(err.starts_with("error: no cluster: ") && err.contains("--cluster"), "{err}");
    }
    let (_, _, err) = run(folder.path(), &["check", "-f", "broken.yaml"]);
    assert!(err.starts_with("error: broken.yaml:3: ") && err.contains("error: no cluster: "), "{err}");
    let (status, _, err) = run(folder.path(), &["audit", "--cluster", "broken.yaml"]);
    assert_eq!(status, 2);
    assert!(err.contains("error: broken.yaml:3: "), "{err}");
}

#[test]
fn wrong_calls() {
    let folder = folder();
    for (arguments, says) in [
        (&["check"][..], "--filename <PATH>..."),
        (&["chekc"], "similar subcommand"),
        (&["check", "-f", "a", "-o", "yaml"], "possible values: table, json, sarif, junit"),
        (&["check", "-f", "a", "--at", "soon"], "2027-07-10"),
        (&["check", "-f", "-", "--cluster", "-"], "standard input cannot be both"),
        (&["audit", "--require-classification", "a in b"], "is no requirement"),
        (&["audit", "--cluster-jurisdiction", "Germany"], "is no code of ISO 3166"),
        (&["explain", "service/web"], "no kind \"service\" is judged"),
        (&["explain", "node"], "KIND/NAME"),
        (&["catalog", "no-such-region"], "no provider of the catalog has a region or zone no-such-region"),
        (&["man", "nothing"], "no command \"nothing\""),
    ] {
        let (status, out, err) = run(folder.path(), arguments);
        assert_eq!((status, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(says), "{says:?} expected in {err}");
    }
}

#[test]
fn an_object_that_is_not_there() {
    let folder = folder();
    fs::write(
        folder.path().join("pod.yaml"),
        "apiVersion: v1\nkind: Pod\nmetadata: {name: orders-0, namespace: shop}\n",
    )
    .unwrap();
    for (arguments, says) in [
        (
            &["explain", "po/orders-0", "--cluster", "pod.yaml"][..],
            "no Pod orders-0 in namespace default, but in shop: add -n shop",
        ),
        (
            &["explain", "po/order-0", "-n", "shop", "--cluster", "pod.yaml"],
            "no Pod order-0; did you mean orders-0?",
        ),
        (
            &["explain", "deploy/orders-0", "-n", "shop", "--cluster", "pod.yaml"],
            "no Deployment orders-0 among",
        ),
    ] {
        let (status, _, err) = run(folder.path(), arguments);
        assert_eq!(status, 2);
        assert!(err.contains(says), "{says:?} expected in {err}");
    }
}

#[test]
fn several_files_of_a_cluster_for_every_command() {
    let folder = folder();
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: orders-0, namespace: shop}\n";
    fs::write(folder.path().join("pod.yaml"), pod).unwrap();
    for arguments in [
        &["explain", "po/orders-0", "-n", "shop", "--cluster", "node.yaml", "pod.yaml"][..],
        &["explain", "--cluster", "node.yaml", "--cluster", "pod.yaml", "-n", "shop", "po/orders-0"],
        &["audit", "--cluster", "node.yaml", "pod.yaml"],
        &["check", "-f", "pod.yaml", "--cluster", "node.yaml", "pod.yaml"],
    ] {
        let (status, _, err) = run(folder.path(), arguments);
        assert_eq!(status, 0, "{arguments:?}: {err}");
    }
}

#[test]
fn what_is_not_judged_is_said() {
    let folder = folder();
    let manifest = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n---\n\
                    {apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: r}}\n";
    fs::write(folder.path().join("more.yaml"), manifest).unwrap();
    let (status, _, err) = run(folder.path(), &["check", "-f", "more.yaml", "--cluster", "node.yaml"]);
    assert_eq!(status, 0, "{err}");
    assert!(
        err.contains(
            "note: not judged, being no kind that is: argoproj.io/v1alpha1 Rollout (1), v1 ConfigMap (1)"
        ),
        "{err}"
    );
}

#[test]
fn every_option_from_the_environment() {
    let folder = folder();
    let output = domicile(folder.path())
        .arg("check")
        .env("DOMICILE_FILENAME", "service.yaml")
        .env("DOMICILE_CLUSTER", "node.yaml")
        .env("DOMICILE_OUTPUT", "json")
        .env("DOMICILE_STRICT", "1")
        .output()
        .unwrap();
    let (status, out, err) = text(&output);
    assert_eq!(status, 0, "{err}");
    assert!(out.contains("\"complete\": true"), "{out}");
}

#[test]
fn manifests_from_standard_input() {
    let folder = folder();
    let mut child = domicile(folder.path())
        .args(["check", "-f", "-", "--cluster", "node.yaml"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"kind: Pod\n").unwrap();
    let (status, _, err) = text(&child.wait_with_output().unwrap());
    assert_eq!(status, 2);
    assert!(err.contains("error: stdin:1: not a Kubernetes object"), "{err}");
}

/// `helm template … | domicile check -f -` must not pass where helm has failed.
#[test]
fn nothing_from_standard_input() {
    let folder = folder();
    let output = domicile(folder.path())
        .args(["check", "-f", "-", "--cluster", "node.yaml"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (status, out, err) = text(&output);
    assert_eq!(status, 2, "{out}{err}");
    assert!(err.contains("error: stdin: no manifests in standard input"), "{err}");
}

/// `domicile crds | head -1` is no error, and says nothing on standard error.
#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_error() {
    let folder = folder();
    for arguments in [
        &["crds"][..],
        &["completions", "bash"],
        &["man"],
        &["check", "-f", "service.yaml", "--cluster", "node.yaml"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = domicile(folder.path()).args(arguments).stdout(writer).output().unwrap();
        let (status, _, err) = text(&output);
        assert_eq!(status, 0, "{arguments:?}: {err}");
        assert!(!err.contains("error"), "{err}");
    }
}

#[test]
fn definitions_scripts_and_pages() {
    let folder = folder();
    let (status, crds, _) = run(folder.path(), &["crds"]);
    assert_eq!(status, 0);
    let kinds: Vec<_> = crds.lines().filter(|line| *line == "kind: CustomResourceDefinition").collect();
    assert_eq!(kinds.len(), 3, "{crds}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (status, out, _) = run(folder.path(), &["completions", shell]);
        assert!(status == 0 && out.contains("domicile") && out.contains("audit"), "{shell}");
    }
    let (status, out, _) = run(folder.path(), &["man"]);
    assert!(status == 0 && out.contains(".TH") && out.contains("domicile\\-check"), "{out}");
    let (status, out, _) = run(folder.path(), &["man", "check"]);
    assert!(status == 0 && out.contains("domicile\\-check") && out.contains("Examples:"), "{out}");
}

#[test]
fn help_for_the_reader() {
    let folder = folder();
    for command in ["check", "audit", "explain", "catalog"] {
        let (status, out, _) = run(folder.path(), &[command, "--help"]);
        assert_eq!(status, 0);
        assert!(out.contains("Examples:\n") && out.contains("Exit status:\n"), "{out}");
    }
    let (_, out, _) = run(folder.path(), &["--help"]);
    insta::assert_snapshot!("help", out);
    let (_, out, _) = run(folder.path(), &["check", "--help"]);
    insta::assert_snapshot!("help_check", out);
}

/// Huge pages count against a container's limit as a whole.
#[test]
#[cfg(target_os = "linux")]
fn a_server_takes_small_pages() {
    let mut server = domicile(Path::new(env!("CARGO_MANIFEST_DIR")))
        .args(["serve", "--cluster", "examples/cluster", "--log-format=text", "--shutdown-grace=0s"])
        .args(["--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = BufReader::new(server.stderr.take().unwrap());
    let is_up = log.lines().map_while(Result::ok).any(|line| line.contains("serving"));
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(is_up && status.contains("THP_enabled:\t0"), "{status}");
}
