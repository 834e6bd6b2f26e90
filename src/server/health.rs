//! `/metrics`, `/livez` and `/readyz`, on a port of their own and without TLS: for the kubelet and Prometheus.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;

use super::metrics::Metrics;
use super::readiness::Readiness;

/// As Prometheus asks for.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

pub(super) fn router(metrics: Metrics, readiness: Readiness) -> Router {
    Router::new()
        .route("/livez", get(|| async { answer(StatusCode::OK, "ok\n") }))
        .route("/readyz", get(readyz).with_state(readiness))
        .route("/metrics", get(encoded).with_state(metrics))
        .fallback(|| async { answer(StatusCode::NOT_FOUND, "here are /livez, /readyz and /metrics\n") })
}

fn answer(status: StatusCode, body: impl Into<String>) -> Response {
    (status, [(header::CONTENT_TYPE, TEXT)], body.into()).into_response()
}

async fn readyz(State(readiness): State<Readiness>) -> Response {
    let missing = readiness.missing(Timestamp::now());
    if missing.is_empty() {
        answer(StatusCode::OK, "ok\n")
    } else {
        answer(StatusCode::SERVICE_UNAVAILABLE, format!("not ready\n{}\n", missing.join("\n")))
    }
}

async fn encoded(State(metrics): State<Metrics>) -> Response {
    match metrics.encode() {
        Ok(text) => (StatusCode::OK, [(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            answer(StatusCode::INTERNAL_SERVER_ERROR, format!("metrics cannot be written: {error}\n"))
        }
    }
}
