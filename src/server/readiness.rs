//! Whether the API server may ask, and if not, what is missing.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;

use super::metrics::Metrics;

/// What is there already; clones tell the same.
///
/// It begins as not ready: neither the cache nor a certificate is there.
#[derive(Clone, Debug)]
pub struct Readiness {
    inner: Arc<Mutex<Inner>>,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct Inner {
    /// What has still to be read; nothing has even begun while this is `None`.
    unread: Option<BTreeSet<String>>,
    /// What has been read cannot be kept up to date.
    stale: bool,
    certificate: Option<Validity>,
    /// The API server cannot know yet that the certificate is to be trusted.
    untrusted: bool,
    stopping: bool,
}

#[derive(Clone, Copy, Debug)]
struct Validity {
    from: Timestamp,
    until: Timestamp,
}

impl Readiness {
    /// Not ready.
    pub fn new(metrics: Metrics) -> Self {
        Self { inner: Arc::default(), metrics }
    }

    /// These are to be read before anything can be judged, such as `pods`; nothing at all if the state is complete.
    pub fn expect<S: Into<String>>(&self, resources: impl IntoIterator<Item = S>) {
        self.change(|unread| unread.get_or_insert_default().extend(resources.into_iter().map(Into::into)));
    }

    /// One of them has been read.
    pub fn synced(&self, resource: &str) {
        self.change(|unread| {
            if let Some(unread) = unread {
                unread.remove(resource);
            }
        });
    }

    /// Whether what was read can no longer be kept up to date.
    ///
    /// That is told by the metric alone. Replicas lose the API server together, and none would be left to ask; what
    /// must be exact is read live, and denied if it cannot be.
    pub fn stale(&self, stale: bool) {
        self.inner.lock().stale = stale;
        self.change(|_| {});
    }

    fn change(&self, change: impl FnOnce(&mut Option<BTreeSet<String>>)) {
        let mut inner = self.inner.lock();
        change(&mut inner.unread);
        let read = inner.unread.as_ref().is_some_and(BTreeSet::is_empty);
        self.metrics.synced(read && !inner.stale);
    }

    /// This certificate is served from now on.
    pub(super) fn certificate(&self, from: Timestamp, until: Timestamp) {
        self.inner.lock().certificate = Some(Validity { from, until });
    }

    /// Whether the API server is able to trust the certificate.
    pub(super) fn trusted(&self, trusted: bool) {
        self.inner.lock().untrusted = !trusted;
    }

    /// Not ready any more, for good.
    pub(super) fn stop(&self) {
        self.inner.lock().stopping = true;
    }

    /// What is missing; ready if it is nothing.
    pub fn missing(&self, now: Timestamp) -> Vec<String> {
        let inner = self.inner.lock();
        let mut missing = Vec::new();
        if inner.stopping {
            missing.push("shutting down".to_owned());
        }
        match &inner.unread {
            None => missing.push("cache not started".to_owned()),
            Some(unread) if !unread.is_empty() => {
                let names: Vec<&str> = unread.iter().map(String::as_str).collect();
                missing.push(format!("cache not synced: {}", names.join(", ")));
            }
            Some(_) => {}
        }
        match inner.certificate {
            None => missing.push("no valid certificate: none is there yet".to_owned()),
            Some(Validity { until, .. }) if until <= now => {
                missing.push(format!("no valid certificate: it expired at {until}"));
            }
            Some(Validity { from, .. }) if from > now => {
                missing.push(format!("no valid certificate: it begins at {from}; is the clock right?"));
            }
            Some(_) if inner.untrusted => missing.push(
                "certificate not trusted: its CA is not in every caBundle of the webhook configurations yet"
                    .to_owned(),
            ),
            Some(_) => {}
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_is_missing() {
        let readiness = Readiness::new(Metrics::new());
        let now: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
        let later: Timestamp = "2027-02-01T00:00:00Z".parse().unwrap();
        assert_eq!(readiness.missing(now), ["cache not started", "no valid certificate: none is there yet"]);

        readiness.expect(["pods", "nodes"]);
        readiness.certificate(now, later);
        assert_eq!(readiness.missing(now), ["cache not synced: nodes, pods"]);
        readiness.synced("nodes");
        assert_eq!(readiness.missing(now), ["cache not synced: pods"]);
        readiness.synced("pods");
        assert!(readiness.missing(now).is_empty());

        assert_eq!(readiness.missing(later), ["no valid certificate: it expired at 2027-02-01T00:00:00Z"]);
        assert!(readiness.missing("2026-12-31T00:00:00Z".parse().unwrap())[0].contains("it begins at"));
        readiness.trusted(false);
        assert!(readiness.missing(now)[0].starts_with("certificate not trusted"));
        readiness.trusted(true);
        assert!(readiness.missing(now).is_empty());
        readiness.stop();
        assert_eq!(readiness.missing(now), ["shutting down"]);
    }

    #[test]
    fn the_metric_follows() {
        let metrics = Metrics::new();
        let readiness = Readiness::new(metrics.clone());
        let synced = |wanted: &str| {
            let text = metrics.encode().unwrap();
            text.lines().any(|line| line == format!("domicile_cache_synced {wanted}"))
        };
        assert!(synced("0"));
        readiness.expect(["pods"]);
        assert!(synced("0"));
        readiness.synced("pods");
        assert!(synced("1"));
        readiness.stale(true);
        assert!(synced("0"));
        readiness.stale(false);
        assert!(synced("1"));
        // A kind that turns up later, such as an API that is installed.
        readiness.expect(["volumesnapshots"]);
        assert!(synced("0"));
    }
}
