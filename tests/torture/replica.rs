//! One replica, which reaches the API server through a proxy of its own.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::balancer::is_ready;
use crate::controller::Ports;
use crate::installed::NAMESPACE;
use crate::plane::{Component, Plane, Process, eventually};
use crate::proxy::Proxy;

/// How long a replica goes on answering after SIGTERM. The balancer hears within 0.2 s that it is not ready.
const GRACE: &str = "--shutdown-grace=2s";

pub(crate) struct Replica {
    pub(crate) ports: Ports,
    pub(crate) proxy: Proxy,
    plane: &'static Plane,
    command: Command,
    name: String,
    process: Option<Process>,
}

/// What is tried, and how it was built.
pub(crate) fn binary() -> (String, &'static str) {
    match std::env::var("DOMICILE_BINARY") {
        Ok(path) => (path, "as given"),
        Err(_) => (env!("CARGO_BIN_EXE_domicile").to_owned(), "built without optimisation"),
    }
}

impl Replica {
    /// One that does not run yet, and is nobody yet. A shell does something first, and becomes it.
    pub(crate) async fn new(plane: &'static Plane, name: String, more: &[&str], prelude: &str) -> Self {
        let ports = Ports::free();
        let proxy = Proxy::before(plane.port(Component::ApiServer)).await;
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", &format!("{prelude}\nexec \"$0\" \"$@\""), &binary().0])
            .args(ports.arguments(NAMESPACE))
            .args(["--log-format=text", GRACE])
            .args(more);
        Self { ports, proxy, plane, command, name, process: None }
    }

    /// Gives it the identity of the chart's account, and the way through the proxy.
    pub(crate) fn becomes(&mut self, account: &Path) {
        let mut config: Value = serde_json::from_slice(&fs::read(account).unwrap()).unwrap();
        config["clusters"][0]["cluster"]["server"] = json!(format!("https://127.0.0.1:{}", self.proxy.port));
        let path = self.plane.folder().join(format!("{}.kubeconfig", self.name));
        fs::write(&path, config.to_string()).unwrap();
        self.command.env("KUBECONFIG", path);
    }

    pub(crate) fn start(&mut self) {
        let log = self.plane.folder().join(format!("{}.log", self.name));
        self.process = Some(Process::spawn(&self.name, &self.command, &log));
    }

    pub(crate) async fn ready(&self) {
        eventually("a replica is ready", async || is_ready(self.ports.metrics).await.then_some(())).await;
    }

    /// As a crash ends it.
    pub(crate) fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }

    /// Asks it to end, and waits until it has, while others go on.
    pub(crate) async fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        process.signal(Signal::TERM);
        let until = Instant::now() + Duration::from_secs(40);
        let status = loop {
            if let Some(status) = process.ended() {
                break status;
            }
            assert!(Instant::now() < until, "it does not end: {}", process.tail());
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert!(status.success(), "{status}: {}", process.tail());
    }

    fn pid(&self) -> i32 {
        self.process.as_ref().unwrap().pid().as_raw_nonzero().get()
    }

    /// Whether the Lease is its own.
    pub(crate) fn leads(&self) -> bool {
        let lease = ["get", "lease", "domicile", "-n", NAMESPACE, "-o", "jsonpath={.spec.holderIdentity}"];
        self.plane.admin().kubectl(&lease).stdout.ends_with(&format!("-{}", self.pid()))
    }

    /// How many reviews it has answered.
    pub(crate) fn reviews(&self) -> u64 {
        let metrics = crate::stand::metrics(self.ports.metrics);
        let counts = metrics.lines().filter(|line| line.starts_with("domicile_admission_reviews_total"));
        counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// The most memory that it has had so far, in MiB. 0 if it is not there.
    pub(crate) fn peak(&self) -> u64 {
        let Some(process) = &self.process else { return 0 };
        let path = format!("/proc/{}/status", process.pid().as_raw_nonzero());
        let status = fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        number.unwrap_or_default() / 1024
    }

    /// What it has printed so far, over all its lives, but for what it has decided.
    pub(crate) fn output(&self) -> String {
        let log = fs::read_to_string(self.plane.folder().join(format!("{}.log", self.name)));
        let lines = log.unwrap_or_default();
        lines
            .lines()
            .filter(|line| !line.contains("webhook::told"))
            .fold(String::new(), |all, line| all + line + "\n")
    }

    /// Whether it runs, and did not end by itself.
    pub(crate) fn runs(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.ended().is_none())
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop(Duration::from_secs(10));
        }
    }
}
