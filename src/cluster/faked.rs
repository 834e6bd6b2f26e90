//! For tests: an API server that answers as it is told.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// Method, path with query, and body of what was asked.
pub(crate) type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// Answers each request, or never.
pub(crate) fn server(
    answer: impl Fn(&str, &Value) -> Option<(u16, Value)> + Send + Sync + 'static,
) -> (Client, Asked) {
    let asked = Asked::default();
    let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
    let service = tower::service_fn(move |request: Request<Body>| {
        let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
        async move {
            let what = format!("{} {}", request.method(), request.uri());
            let body = request.into_body().collect_bytes().await.unwrap_or_default();
            let body = serde_json::from_slice(&body).unwrap_or_default();
            let answer = answer(&what, &body);
            log.lock().unwrap().push((what, body));
            let Some((code, body)) = answer else { return std::future::pending().await };
            let body = Body::from(serde_json::to_vec(&body).unwrap());
            Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
        }
    });
    (Client::new(service, "default"), asked)
}

/// A refusal.
#[expect(clippy::unnecessary_wraps, reason = "it is an answer")]
pub(crate) fn refusal(code: u16, reason: &str, message: &str) -> Option<(u16, Value)> {
    let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
        "reason": reason, "message": message});
    Some((code, body))
}
