//! Servers that take turns under one load, so that what else the machine does is borne by all of them alike.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::served::Served;

/// How often each has its turn.
const ROUNDS: usize = 5;

/// What oha measured of one server in one turn.
struct Turn {
    per_second: f64,
    /// Milliseconds.
    p50: f64,
    p99: f64,
    /// Microseconds of the processors that the server took for a request.
    processor: f64,
}

/// A load on servers, of which the first is the ceiling for the others.
pub(crate) struct Race<'a> {
    pub(crate) what: &'a str,
    pub(crate) review: &'a Path,
    pub(crate) connections: usize,
    /// How long a turn is.
    pub(crate) turn: Duration,
    pub(crate) servers: &'a [&'a Served],
}

pub(crate) fn heading() {
    println!(
        "| review | connections | answered by | requests/s | of the ceiling | p50, ms | p99, ms | processor, µs a request |"
    );
    println!("| --- | --: | --- | --: | --: | --: | --: | --: |");
}

impl Race<'_> {
    /// Runs it, and prints a row for each server: medians over the rounds, and the share of the ceiling of each round.
    pub(crate) fn run(&self) {
        for server in self.servers {
            self.load(server, Duration::from_secs(1));
        }
        let mut turns: Vec<Vec<Turn>> = self.servers.iter().map(|_| Vec::new()).collect();
        for round in 0..ROUNDS {
            // Nobody is always the first, or always after the same.
            for place in 0..self.servers.len() {
                let at = (place + round) % self.servers.len();
                turns[at].push(self.load(self.servers[at], self.turn));
            }
        }
        for (server, own) in self.servers.iter().zip(&turns) {
            let of = |what: fn(&Turn) -> f64| median(own.iter().map(what).collect());
            let share = own.iter().zip(&turns[0]).map(|(one, ceiling)| one.per_second / ceiling.per_second);
            println!(
                "| {} | {} | {} | {:.0} | {:.0} % | {:.2} | {:.2} | {:.0} |",
                self.what,
                self.connections,
                server.name,
                of(|turn| turn.per_second),
                median(share.collect()) * 100.0,
                of(|turn| turn.p50),
                of(|turn| turn.p99),
                of(|turn| turn.processor),
            );
        }
    }

    fn load(&self, server: &Served, time: Duration) -> Turn {
        let before = server.processor();
        // HTTP/1.1, as the API server asks webhooks.
        let output = Command::new("oha")
            .args([
                "--no-tui",
                "--output-format",
                "json",
                "--insecure",
                "--http-version",
                "1.1",
                "-m",
                "POST",
            ])
            .args(["-T", "application/json", "-c", &self.connections.to_string()])
            .arg("-z")
            .arg(format!("{}s", time.as_secs()))
            .arg("-D")
            .arg(self.review)
            .arg(format!("https://{}/validate?timeout=10s", server.https))
            .output()
            .unwrap_or_else(|error| panic!("oha cannot be started ({error}): `make load` installs it"));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "oha: {said}{}", String::from_utf8_lossy(&output.stderr));
        let processor = server.processor() - before;
        let measured: Value = serde_json::from_str(&said).unwrap();
        let answered = &measured["statusCodeDistribution"];
        let number =
            |value: &Value| value.as_f64().unwrap_or_else(|| panic!("oha says something else: {said}"));
        let good = number(&answered["200"]);
        assert!(answered.as_object().unwrap().len() == 1, "not every answer is a review: {answered}");
        let milliseconds = |percentile: &str| number(&measured["latencyPercentiles"][percentile]) * 1e3;
        Turn {
            per_second: number(&measured["summary"]["requestsPerSec"]),
            p50: milliseconds("p50"),
            p99: milliseconds("p99"),
            processor: processor.as_secs_f64() * 1e6 / good,
        }
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
