//! What is counted, under the names that dashboards and alerts hold on to.

use std::collections::BTreeSet;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// A review takes tens of microseconds; what takes milliseconds has read from the API server.
const REVIEW_BUCKETS: [f64; 14] =
    [0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];
/// An audit goes through everything that exists.
const AUDIT_BUCKETS: [f64; 9] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0];

/// Handles to everything that is counted; clones count into the same.
///
/// Labels that come from requests are `&'static str`, so that nobody can make up new series.
#[derive(Clone, Debug)]
pub struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    registry: Registry,
    reviews: Family<Review, Counter>,
    durations: Family<OfKind, Histogram, fn() -> Histogram>,
    violations: Replaced<Violations>,
    exempted: Replaced<Violations>,
    nodes: Replaced<OfJurisdiction>,
    nodes_broke: Counter,
    cached: Family<OfKind, Gauge>,
    synced: Gauge,
    audit: Histogram,
    expiry: Gauge,
    leader: Gauge,
    reports: Gauge,
    reports_left_out: Gauge,
    live_reads: Family<LiveRead, Counter>,
    events_published: Counter,
    events_dropped: Counter,
    records_lost: Counter,
    refused: Family<WithReason, Counter>,
    certificate_loads: Family<WithResult, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Review {
    kind: &'static str,
    operation: &'static str,
    decision: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct Violations {
    policy: String,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct OfJurisdiction {
    jurisdiction: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LiveRead {
    kind: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WithReason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WithResult {
    result: &'static str,
}

/// Gauges that are told anew as a whole: what is not told again is gone, not stale.
#[derive(Debug)]
struct Replaced<L: Clone + Hash + Ord> {
    family: Family<L, Gauge>,
    told: Mutex<BTreeSet<L>>,
}

impl<L: Clone + Hash + Ord> Default for Replaced<L> {
    fn default() -> Self {
        Self { family: Family::default(), told: Mutex::default() }
    }
}

impl<L: Clone + Hash + Ord> Replaced<L> {
    fn replace(&self, values: impl IntoIterator<Item = (L, usize)>) {
        let mut told = self.told.lock();
        let mut now = BTreeSet::new();
        for (labels, value) in values {
            self.family.get_or_create(&labels).set(whole(value));
            now.insert(labels);
        }
        for gone in told.difference(&now) {
            self.family.remove(gone);
        }
        *told = now;
    }
}

fn whole(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All of them, at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("domicile");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version that runs", build);
        let mut inner = Inner {
            registry: Registry::default(),
            reviews: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(REVIEW_BUCKETS)),
            violations: Replaced::default(),
            exempted: Replaced::default(),
            nodes: Replaced::default(),
            nodes_broke: Counter::default(),
            cached: Family::default(),
            synced: Gauge::default(),
            audit: Histogram::new(AUDIT_BUCKETS),
            expiry: Gauge::default(),
            leader: Gauge::default(),
            reports: Gauge::default(),
            reports_left_out: Gauge::default(),
            live_reads: Family::default(),
            events_published: Counter::default(),
            events_dropped: Counter::default(),
            records_lost: Counter::default(),
            refused: Family::default(),
            certificate_loads: Family::default(),
        };
        // The encoder adds `_total` to the names of counters, and `_info` to that of the build.
        registry.register("admission_reviews", "Admission reviews that were answered", inner.reviews.clone());
        registry.register(
            "admission_review_duration_seconds",
            "How long an admission review took, without reading the request",
            inner.durations.clone(),
        );
        registry.register(
            "violations",
            "Objects that are against a policy, at the last audit",
            inner.violations.family.clone(),
        );
        registry.register(
            "exempted",
            "Objects that keep a policy only because of a ResidencyException, at the last audit",
            inner.exempted.family.clone(),
        );
        registry.register("nodes", "Nodes by where they are", inner.nodes.family.clone());
        registry.register(
            "nodes_broke_policies",
            "Times that a node which joined, or was said to be elsewhere, had objects break a policy that they kept",
            inner.nodes_broke.clone(),
        );
        registry.register("cache_objects", "Objects that are kept in memory", inner.cached.clone());
        registry.register(
            "cache_synced",
            "1 if everything that judgement needs has been read and is kept up to date, else 0",
            inner.synced.clone(),
        );
        registry.register("audit_duration_seconds", "How long an audit took", inner.audit.clone());
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When the serving certificate expires, in Unix time; 0 if there is none",
            inner.expiry.clone(),
        );
        registry.register("leader", "1 on the replica that audits and writes, else 0", inner.leader.clone());
        registry.register("reports", "Reports that this replica keeps, as the leader", inner.reports.clone());
        registry.register(
            "reports_left_out",
            "Objects that a policy selects and that have no report, since there would be too many",
            inner.reports_left_out.clone(),
        );
        registry.register(
            "live_reads",
            "Objects that were read from the API server to answer a review",
            inner.live_reads.clone(),
        );
        registry.register(
            "events_published",
            "Events that were written to the API server",
            inner.events_published.clone(),
        );
        registry.register(
            "events_dropped",
            "Events that were not written, because too many were waiting or the API server refused them",
            inner.events_dropped.clone(),
        );
        registry.register(
            "records_lost",
            "Objects on which others that had gone left classifications that are not written down, because there were too many",
            inner.records_lost.clone(),
        );
        registry.register(
            "requests_refused",
            "Requests and connections that ended without a review",
            inner.refused.clone(),
        );
        registry.register(
            "certificate_loads",
            "Certificates and client CAs that were read, and whether they could be used",
            inner.certificate_loads.clone(),
        );
        inner.registry = registry;
        Self { inner: Arc::new(inner) }
    }

    /// A review was answered.
    pub fn reviewed(
        &self,
        kind: &'static str,
        operation: &'static str,
        decision: &'static str,
        took: Duration,
    ) {
        self.inner.reviews.get_or_create(&Review { kind, operation, decision }).inc();
        self.inner.durations.get_or_create(&OfKind { kind }).observe(took.as_secs_f64());
    }

    /// An audit found this, by policy and kind; what it does not name is no longer violated.
    pub fn violations(&self, found: impl IntoIterator<Item = (String, &'static str, usize)>) {
        self.inner
            .violations
            .replace(found.into_iter().map(|(policy, kind, number)| (Violations { policy, kind }, number)));
    }

    /// An audit found this many that keep a policy only because of an exception, by policy and kind.
    pub fn exempted(&self, found: impl IntoIterator<Item = (String, &'static str, usize)>) {
        self.inner
            .exempted
            .replace(found.into_iter().map(|(policy, kind, number)| (Violations { policy, kind }, number)));
    }

    /// A node has had objects break a policy that they kept.
    pub fn node_broke(&self) {
        self.inner.nodes_broke.inc();
    }

    /// So many nodes are in these jurisdictions, and none elsewhere.
    pub fn nodes(&self, by_jurisdiction: impl IntoIterator<Item = (String, usize)>) {
        self.inner.nodes.replace(
            by_jurisdiction
                .into_iter()
                .map(|(jurisdiction, number)| (OfJurisdiction { jurisdiction }, number)),
        );
    }

    /// So many objects of a kind are kept in memory.
    pub fn cached(&self, kind: &'static str, number: usize) {
        self.inner.cached.get_or_create(&OfKind { kind }).set(whole(number));
    }

    /// Whether everything that judgement needs has been read: [`super::Readiness`] tells it.
    pub(super) fn synced(&self, synced: bool) {
        self.inner.synced.set(i64::from(synced));
    }

    /// An audit is done.
    pub fn audited(&self, took: Duration) {
        self.inner.audit.observe(took.as_secs_f64());
    }

    /// A certificate is served from now on.
    pub(super) fn certificate(&self, expires: Timestamp) {
        self.inner.expiry.set(expires.as_second());
    }

    /// A certificate or a client CA was read.
    pub(super) fn certificate_loaded(&self, used: bool) {
        let result = if used { "used" } else { "refused" };
        self.inner.certificate_loads.get_or_create(&WithResult { result }).inc();
    }

    /// Whether this replica audits and writes.
    pub fn leader(&self, leads: bool) {
        self.inner.leader.set(i64::from(leads));
    }

    /// So many reports are kept, and so many objects have none for want of room.
    pub fn reports(&self, kept: usize, left_out: usize) {
        self.inner.reports.set(whole(kept));
        self.inner.reports_left_out.set(whole(left_out));
    }

    /// An object was read from the API server; `result` is `found`, `absent`, `failed` or `late`.
    pub fn live_read(&self, kind: &'static str, result: &'static str) {
        self.inner.live_reads.get_or_create(&LiveRead { kind, result }).inc();
    }

    /// An event was written.
    pub fn event_published(&self) {
        self.inner.events_published.inc();
    }

    /// An event was not written.
    pub fn event_dropped(&self) {
        self.inner.events_dropped.inc();
    }

    /// What others left on so many objects will not be written down.
    pub fn records_lost(&self, objects: usize) {
        self.inner.records_lost.inc_by(objects as u64);
    }

    /// The counter behind [`Metrics::event_dropped`], for those who count elsewhere.
    pub fn events_dropped(&self) -> Counter<u64, AtomicU64> {
        self.inner.events_dropped.clone()
    }

    /// A request or a connection ended without a review.
    pub fn refused(&self, reason: &'static str) {
        self.inner.refused.get_or_create(&WithReason { reason }).inc();
    }

    /// Everything, as a Prometheus reads it.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.inner.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_that_others_hold_on_to() {
        let metrics = Metrics::new();
        metrics.reviewed("Pod", "CREATE", "Deny", Duration::from_micros(60));
        metrics.violations([("eu".to_owned(), "Pod", 2)]);
        metrics.exempted([("eu".to_owned(), "Pod", 5)]);
        metrics.nodes([("DE".to_owned(), 3)]);
        metrics.cached("Pod", 7);
        metrics.synced(true);
        metrics.audited(Duration::from_millis(20));
        metrics.certificate("2030-01-01T00:00:00Z".parse().unwrap());
        metrics.leader(true);
        metrics.reports(11, 4);
        metrics.live_read("Pod", "found");
        metrics.event_published();
        metrics.event_dropped();
        metrics.records_lost(3);
        metrics.refused("concurrency");
        metrics.certificate_loaded(true);
        let text = metrics.encode().unwrap();
        for line in [
            r#"domicile_admission_reviews_total{kind="Pod",operation="CREATE",decision="Deny"} 1"#,
            r#"domicile_admission_review_duration_seconds_bucket{le="0.00005",kind="Pod"} 0"#,
            r#"domicile_admission_review_duration_seconds_bucket{le="0.0001",kind="Pod"} 1"#,
            r#"domicile_violations{policy="eu",kind="Pod"} 2"#,
            r#"domicile_exempted{policy="eu",kind="Pod"} 5"#,
            r#"domicile_nodes{jurisdiction="DE"} 3"#,
            r#"domicile_cache_objects{kind="Pod"} 7"#,
            "domicile_cache_synced 1",
            "domicile_audit_duration_seconds_count 1",
            "domicile_certificate_expiry_timestamp_seconds 1893456000",
            "domicile_leader 1",
            "domicile_reports 11",
            "domicile_reports_left_out 4",
            r#"domicile_live_reads_total{kind="Pod",result="found"} 1"#,
            "domicile_events_published_total 1",
            "domicile_events_dropped_total 1",
            "domicile_records_lost_total 3",
            r#"domicile_requests_refused_total{reason="concurrency"} 1"#,
            r#"domicile_certificate_loads_total{result="used"} 1"#,
            &format!(r#"domicile_build_info{{version="{}"}} 1"#, env!("CARGO_PKG_VERSION")),
        ] {
            assert!(text.lines().any(|there| there == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn what_is_not_told_again_is_gone() {
        let metrics = Metrics::new();
        metrics.violations([("a".to_owned(), "Pod", 1), ("b".to_owned(), "Pod", 2)]);
        metrics.violations([("b".to_owned(), "Pod", 3)]);
        let text = metrics.encode().unwrap();
        assert!(!text.contains(r#"policy="a""#), "{text}");
        assert!(text.contains(r#"domicile_violations{policy="b",kind="Pod"} 3"#), "{text}");
    }
}
