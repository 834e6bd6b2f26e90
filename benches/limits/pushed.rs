//! What oha says of a load that need not be answered by a review.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::served::Served;

pub(crate) struct Said {
    pub(crate) per_second: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Statuses and errors, and how many had them.
    pub(crate) answered: String,
}

pub(crate) fn push(server: &Served, body: &Path, connections: usize, time: Duration) -> Said {
    let output = Command::new("oha")
        .args(["--no-tui", "--output-format", "json", "--insecure", "--http-version", "1.1", "-m", "POST"])
        .args(["-T", "application/json", "-c", &connections.to_string()])
        .arg("-z")
        .arg(format!("{}s", time.as_secs()))
        .arg("-D")
        .arg(body)
        .arg(format!("https://{}/validate?timeout=10s", server.https))
        .output()
        .unwrap_or_else(|error| panic!("oha cannot be started ({error}): `make load-limits` installs it"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "oha: {said}{}", String::from_utf8_lossy(&output.stderr));
    let measured: Value = serde_json::from_str(&said).unwrap();
    let mut answered: Vec<String> = ["statusCodeDistribution", "errorDistribution"]
        .iter()
        .filter_map(|kind| measured[*kind].as_object())
        .flatten()
        // Those that are open when the time is over.
        .filter(|(what, _)| !what.contains("deadline"))
        .map(|(what, times)| format!("{times} × {what}"))
        .collect();
    answered.sort();
    let milliseconds =
        |percentile: &str| measured["latencyPercentiles"][percentile].as_f64().unwrap_or(f64::NAN) * 1e3;
    Said {
        per_second: measured["summary"]["requestsPerSec"].as_f64().unwrap_or(f64::NAN),
        p50: milliseconds("p50"),
        p99: milliseconds("p99"),
        answered: answered.join(", "),
    }
}
