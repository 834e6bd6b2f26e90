//! What the kubelet and Prometheus see.

use crate::client::get;
use crate::setting::{Running, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ready_when_nothing_is_missing() {
    let (running, _authority, _files) = Running::simple(&[]);
    let at = running.at.health;
    assert_eq!(get(at, "/livez").await, (axum::http::StatusCode::OK, "ok\n".to_owned()));
    until("the certificate is served", async || {
        get(at, "/readyz").await.1 == "not ready\ncache not started\n"
    })
    .await;
    running.readiness.expect(["pods", "nodes"]);
    let (status, body) = get(at, "/readyz").await;
    assert_eq!((status.as_u16(), body.as_str()), (503, "not ready\ncache not synced: nodes, pods\n"));
    running.readiness.synced("pods");
    running.readiness.synced("nodes");
    assert_eq!(get(at, "/readyz").await, (axum::http::StatusCode::OK, "ok\n".to_owned()));

    let (status, body) = get(at, "/metrics").await;
    assert_eq!(status.as_u16(), 200);
    assert!(body.contains("\ndomicile_cache_synced 1\n") && body.ends_with("# EOF\n"), "{body}");
    assert!(!body.contains("\ndomicile_certificate_expiry_timestamp_seconds 0\n"), "{body}");
    assert_eq!(get(at, "/validate").await.0.as_u16(), 404);
}
