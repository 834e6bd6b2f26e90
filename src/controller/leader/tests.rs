//! A Lease of an API server made by hand, which can be cut off.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::Leadership;

/// How long the Lease lasts, and how long before its end it is renewed: whole seconds, as it is kept.
const TERMS: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(2)];

#[derive(Debug, Default)]
struct Server {
    lease: Option<Value>,
    /// Whether nothing is answered.
    is_cut: bool,
}

/// Whose Lease it is, until a moment.
fn lease(holder: &str, until: jiff::Timestamp) -> Value {
    let renewed = until - TERMS[0];
    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "domicile"}, "spec": {
        "holderIdentity": holder, "acquireTime": renewed, "renewTime": renewed, "leaseDurationSeconds": 3}})
}

fn client(server: &Arc<Mutex<Server>>) -> Client {
    let server = Arc::clone(server);
    let service = tower::service_fn(move |request: Request<Body>| {
        let server = Arc::clone(&server);
        async move {
            let method = request.method().to_string();
            let body = request.into_body().collect_bytes().await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            if server.lock().is_cut {
                std::future::pending::<()>().await;
            }
            let mut server = server.lock();
            match (&*method, &mut server.lease) {
                ("POST", none @ None) => *none = Some(body),
                ("PATCH", Some(lease)) => json_patch::merge(lease, &body),
                _ => {}
            }
            let missing = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "code": 404, "reason": "NotFound", "message": "there is no lease"});
            let code = if server.lease.is_some() { 200 } else { 404 };
            let answer = serde_json::to_vec(server.lease.as_ref().unwrap_or(&missing)).unwrap();
            Ok::<_, Infallible>(Response::builder().status(code).body(Body::from(answer)).unwrap())
        }
    });
    Client::new(service, "default")
}

/// How long it takes until somebody leads, or does no more.
async fn took(leads: &mut watch::Receiver<bool>, wanted: bool) -> Duration {
    let begun = tokio::time::Instant::now();
    let said = tokio::time::timeout(Duration::from_secs(12), leads.wait_for(|leads| *leads == wanted)).await;
    said.unwrap_or_else(|_| panic!("it does not become {wanted}")).unwrap();
    begun.elapsed()
}

#[tokio::test]
async fn who_cannot_renew_leads_no_longer_than_the_lease_lasts() {
    let server = Arc::<Mutex<Server>>::default();
    let seek = Leadership::seek_for(client(&server), "default", "domicile", "a", TERMS);
    let leadership = seek.await.unwrap();
    let mut leads = leadership.leads();
    took(&mut leads, true).await;
    // It is renewed.
    tokio::time::sleep(TERMS[0] + TERMS[1]).await;
    assert!(*leads.borrow());
    server.lock().is_cut = true;
    assert!(took(&mut leads, false).await < TERMS[0] + Duration::from_secs(1));
    // Another has taken over meanwhile.
    server.lock().lease = Some(lease("b", jiff::Timestamp::now() + Duration::from_secs(4)));
    server.lock().is_cut = false;
    assert!(took(&mut leads, true).await >= Duration::from_secs(3));
    assert_eq!(server.lock().lease.as_ref().unwrap()["spec"]["holderIdentity"], "a");
    drop(leads);
    leadership.give_up().await;
    assert_eq!(server.lock().lease.as_ref().unwrap()["spec"].get("holderIdentity"), None);
}

#[tokio::test]
async fn a_lease_that_somebody_has_deleted_is_made_again() {
    let server = Arc::<Mutex<Server>>::default();
    let seek = Leadership::seek_for(client(&server), "default", "domicile", "a", TERMS);
    let mut leads = seek.await.unwrap().leads();
    took(&mut leads, true).await;
    server.lock().lease = None;
    // It may lead again at once.
    tokio::time::timeout(TERMS[0] * 2, leads.changed()).await.unwrap().unwrap();
    took(&mut leads, true).await;
    assert!(server.lock().lease.is_some());
}

#[tokio::test]
async fn who_has_led_under_this_name_when_the_clock_was_another_is_not_waited_for() {
    let server = Arc::<Mutex<Server>>::default();
    server.lock().lease = Some(lease("a", jiff::Timestamp::now() + Duration::from_hours(1)));
    let seek = Leadership::seek_for(client(&server), "default", "domicile", "a", TERMS);
    let mut leads = seek.await.unwrap().leads();
    assert!(took(&mut leads, true).await < TERMS[0]);
}
