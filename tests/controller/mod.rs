//! `domicile serve` beside a control plane, where `webhook.url` of the chart says, as the chart's ServiceAccount: so the
//! rights that it has are those that the chart gives.

use std::path::Path;
use std::process::Command;

use crate::plane::free_port;

/// Where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) webhook: u16,
    pub(crate) metrics: u16,
}

impl Ports {
    pub(crate) fn free() -> Self {
        Self { webhook: free_port(), metrics: free_port() }
    }

    /// The value of the chart.
    pub(crate) fn setting(self) -> String {
        format!("webhook.url=https://127.0.0.1:{}", self.webhook)
    }

    /// What `domicile` is called with.
    pub(crate) fn arguments(self, namespace: &str) -> Vec<String> {
        vec![
            "serve".to_owned(),
            format!("--namespace={namespace}"),
            format!("--listen=127.0.0.1:{}", self.webhook),
            format!("--metrics-listen=127.0.0.1:{}", self.metrics),
            "--tls-name=127.0.0.1".to_owned(),
        ]
    }
}

/// How it is started for the chart that is installed in a namespace, with a kubeconfig of the chart's account.
pub(crate) fn command(kubeconfig: &Path, namespace: &str, ports: Ports) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_domicile"));
    command
        .args(ports.arguments(namespace))
        .args(["--log-format=text", "--shutdown-grace=0s"])
        .env("KUBECONFIG", kubeconfig);
    command
}
