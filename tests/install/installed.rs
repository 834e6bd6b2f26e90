//! The chart, installed by Helm into a control plane.

use std::path::{Path, PathBuf};

use crate::plane::Identity;

pub(crate) const NAMESPACE: &str = "domicile-system";

/// A release, which goes when it is dropped.
pub(crate) struct Release<'a> {
    admin: &'a Identity,
    /// What Helm said.
    pub(crate) notes: String,
}

impl<'a> Release<'a> {
    /// Installs the chart of this commit.
    pub(crate) fn install(admin: &'a Identity, arguments: &[&str]) -> Self {
        Self::of(admin, &chart(), arguments)
    }

    /// Installs another.
    pub(crate) fn of(admin: &'a Identity, chart: &Path, arguments: &[&str]) -> Self {
        let chart = chart.to_str().unwrap();
        let fixed = ["install", "domicile", chart, "-n", NAMESPACE, "--create-namespace"];
        let notes = admin.helm(&[&fixed, arguments].concat()).ok();
        Self { admin, notes }
    }

    /// Upgrades it to the chart of this commit.
    pub(crate) fn upgrade(&self, arguments: &[&str]) -> String {
        let chart = chart();
        let fixed = ["upgrade", "domicile", chart.to_str().unwrap(), "-n", NAMESPACE];
        self.admin.helm(&[&fixed, arguments].concat()).ok()
    }
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        // What a test that failed has left must not be in the way of the next.
        self.admin.helm(&["uninstall", "domicile", "-n", NAMESPACE, "--ignore-not-found"]);
        self.admin.kubectl(&["delete", "crd", "-l", "app.kubernetes.io/name=domicile", "--ignore-not-found"]);
    }
}

/// The chart of this commit.
pub(crate) fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/domicile")
}
