//! Shows how the shared state fares: to whoever asks whether this process is ready, and in metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::cluster::watch::{STALE_AFTER, awaited};
use crate::cluster::{Kind, Shared};
use crate::server::{Metrics, Readiness};

/// How often it is looked whether something has come in, while anything is waited for.
const SOON: Duration = Duration::from_millis(100);
/// How often everything is counted.
const LATER: Duration = Duration::from_secs(10);

/// Follows the state for as long as the future is polled.
pub async fn follow(shared: Shared, readiness: Readiness, metrics: Metrics) {
    let mut pending: BTreeSet<Kind> = shared.pending().into_iter().collect();
    readiness.expect(pending.iter().map(|kind| kind.resource()));
    while !pending.is_empty() {
        tokio::time::sleep(SOON).await;
        let still = shared.pending();
        pending.retain(|kind| {
            let waits = still.contains(kind);
            if !waits {
                readiness.synced(&kind.resource());
            }
            waits
        });
    }
    loop {
        count(&shared, &metrics);
        readiness.stale(!shared.stale(STALE_AFTER).is_empty());
        tokio::time::sleep(LATER).await;
    }
}

fn count(shared: &Shared, metrics: &Metrics) {
    let mut nodes = BTreeMap::new();
    let state = shared.read();
    for kind in awaited() {
        metrics.cached(kind.as_str(), state.count(kind));
    }
    for node in state.nodes().iter() {
        *nodes.entry(state.sites().get(node.site).location.jurisdiction).or_default() += 1;
    }
    drop(state);
    metrics.nodes(nodes.into_iter().map(|(jurisdiction, number)| {
        (jurisdiction.map_or_else(|| "unknown".to_owned(), |code| code.to_string()), number)
    }));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Kind, Metrics, Readiness, Shared, follow};
    use crate::cluster::State;
    use crate::objects::Object;

    #[tokio::test]
    async fn what_is_there_is_counted_and_what_is_waited_for_is_said() {
        let metrics = Metrics::new();
        let readiness = Readiness::new(metrics.clone());
        let shared = Shared::awaiting(State::default(), [Kind::Pod, Kind::Node]);
        for (name, id) in [("a", "aws:///eu-central-1a/i-1"), ("b", "aws:///eu-central-1a/i-2"), ("c", "")] {
            let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"providerID": id}});
            shared.apply(Object::from_value(node).unwrap().unwrap());
        }
        let following = tokio::spawn(follow(shared.clone(), readiness.clone(), metrics.clone()));
        tokio::time::sleep(super::SOON * 5).await;
        let missing = || readiness.missing(jiff::Timestamp::now()).join("; ");
        assert!(missing().contains("cache not synced: nodes, pods"), "{}", missing());
        shared.note_synced(Kind::Pod);
        tokio::time::sleep(super::SOON * 5).await;
        assert!(missing().contains("cache not synced: nodes;"), "{}", missing());
        shared.note_synced(Kind::Node);
        tokio::time::sleep(super::SOON * 5).await;
        assert!(!missing().contains("cache"), "{}", missing());
        let text = metrics.encode().unwrap();
        for line in [
            r#"domicile_nodes{jurisdiction="DE"} 2"#,
            r#"domicile_nodes{jurisdiction="unknown"} 1"#,
            r#"domicile_cache_objects{kind="Node"} 3"#,
            "domicile_cache_synced 1",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
        }
        following.abort();
    }
}
