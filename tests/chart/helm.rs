//! Helm, and what it makes of the chart.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use serde_json::Value;

/// Where the programs of the control plane are, Helm among them. Built first if they are not there.
static TOOLS: LazyLock<PathBuf> = LazyLock::new(|| {
    let output = Command::new(root().join("tests/controlplane/build.sh")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
});

pub(crate) const NAMESPACE: &str = "domicile-system";

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn chart() -> PathBuf {
    root().join("charts/domicile")
}

pub(crate) fn helm(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(TOOLS.join("helm"));
    command.args(arguments).env_clear().env("HOME", home.path()).env("KUBECONFIG", "/nonexistent");
    command.output().unwrap()
}

/// Values to set, as `path=JSON`.
pub(crate) fn template(settings: &[String]) -> Result<String, String> {
    let chart = chart();
    let mut arguments = vec!["template", "domicile", chart.to_str().unwrap(), "--namespace", NAMESPACE];
    for setting in settings {
        arguments.extend(["--set-json", setting.as_str()]);
    }
    let output = helm(&arguments);
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

/// The objects of a template.
pub(crate) fn objects(settings: &[&str]) -> Vec<Value> {
    let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
    let text = template(&settings).unwrap_or_else(|error| panic!("{settings:?}: {error}"));
    documents(&text)
}

pub(crate) fn documents(text: &str) -> Vec<Value> {
    let documents: Vec<Option<Value>> = serde_saphyr::from_multiple(text).unwrap();
    documents.into_iter().flatten().filter(|document| !document.is_null()).collect()
}

/// The one object of that kind.
pub(crate) fn only<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let found = of_kind(objects, kind);
    assert_eq!(found.len(), 1, "{kind}");
    found[0]
}

pub(crate) fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}
