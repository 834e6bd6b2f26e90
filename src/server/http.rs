//! The two paths that the API server posts to, and everything that keeps a caller from taking more than its share.
//!
//! Whatever goes wrong here ends in a status that is no review, which the API server takes as a failed call: the
//! entry's failurePolicy decides. Nothing here ever answers that something is allowed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::{FutureExt, StreamExt};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::logging;
use super::metrics::Metrics;
use super::seldom::Seldom;
use super::shutdown::{Phase, Shutdown};
use super::timeout::patience;

/// Who judges what is posted.
pub trait Reviewer: Send + Sync + 'static {
    /// Answers a review that was posted to `/validate`.
    fn validate(&self, call: Call) -> impl Future<Output = Reply> + Send;
    /// Answers a review that was posted to `/mutate`.
    fn mutate(&self, call: Call) -> impl Future<Output = Reply> + Send;
}

/// A request, read.
#[derive(Clone, Debug)]
pub struct Call {
    /// What was posted.
    pub body: Bytes,
    /// The answer is of no use after this, and is cut off.
    pub deadline: Instant,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 200 with a review, anything else with a reason.
    pub status: StatusCode,
    /// JSON if the status is 200, else a text for people.
    pub body: Vec<u8>,
}

/// What callers may take.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Requests that are worked on at once.
    pub(super) requests: usize,
    /// Bytes of bodies that are in memory at once.
    pub(super) bodies: usize,
    /// Bytes of one body.
    pub(super) body: usize,
    /// How long a body may take to arrive.
    pub(super) body_timeout: Duration,
}

impl Limits {
    /// No object is larger than 1.5 MiB in etcd, and a review holds two of them, escaped at worst.
    pub(super) const BODY: usize = 8 * 1024 * 1024;
    /// The memory that bodies may take together: eight of the largest, or thousands of usual ones.
    pub(super) const BODIES: usize = 64 * 1024 * 1024;
    /// The API server sends a review at once; one that takes longer than a review may is of no use.
    pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(10);
}

/// What is read of a body that is too large, so that the caller hears of it rather than of a broken connection.
const DISCARDED: usize = 8 * 1024 * 1024;
/// What a body of unknown length counts for, until it is read.
const UNIT: usize = 1024;

struct Shared<R> {
    reviewer: Arc<R>,
    limits: Limits,
    metrics: Metrics,
    shutdown: Shutdown,
    lines: Seldom,
    requests: Semaphore,
    /// One permit for each KiB.
    bodies: Semaphore,
}

/// Why there is no review.
#[derive(Debug)]
enum Refusal {
    Method,
    ContentType,
    TooLarge { limit: usize },
    TooManyRequests { limit: usize },
    TooMuchMemory,
    BodyLate { after: Duration },
    BodyBroken,
    ReviewLate { after: Duration },
    Panic,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooManyRequests { .. } | Self::TooMuchMemory => StatusCode::TOO_MANY_REQUESTS,
            Self::BodyLate { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::BodyBroken => StatusCode::BAD_REQUEST,
            Self::ReviewLate { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Panic => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// As the metric names it.
    fn reason(&self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::ContentType => "content_type",
            Self::TooLarge { .. } => "too_large",
            Self::TooManyRequests { .. } => "concurrency",
            Self::TooMuchMemory => "memory",
            Self::BodyLate { .. } => "body_timeout",
            Self::BodyBroken => "body_broken",
            Self::ReviewLate { .. } => "review_timeout",
            Self::Panic => "panic",
        }
    }

    /// As the API server passes it on.
    fn message(&self) -> String {
        match self {
            Self::Method => "domicile: only POST is answered here".to_owned(),
            Self::ContentType => "domicile: the content type has to be application/json".to_owned(),
            Self::TooLarge { limit } => {
                format!("domicile: the review is larger than {} MiB and is not judged", limit / 1024 / 1024)
            }
            Self::TooManyRequests { limit } => format!(
                "domicile: {limit} reviews are being judged already; try again. If this lasts, raise --max-concurrent \
                 or the number of replicas"
            ),
            Self::TooMuchMemory => {
                "domicile: too many large reviews at once; try again. If this lasts, raise the number of replicas"
                    .to_owned()
            }
            Self::BodyLate { after } => {
                format!("domicile: the review did not arrive within {} s", after.as_secs_f64())
            }
            Self::BodyBroken => "domicile: the review ended early".to_owned(),
            Self::ReviewLate { after } => format!(
                "domicile: there is no verdict after {:.1} s; try again, and if this lasts see DomicileSlow in the runbook",
                after.as_secs_f64()
            ),
            Self::Panic => {
                "domicile: a part of it has failed; the log says which. Please report it as a bug".to_owned()
            }
        }
    }

    fn response(&self) -> Response {
        let mut response = text(self.status(), self.message());
        let headers = response.headers_mut();
        match self {
            Self::Method => {
                headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
            }
            // The API server then asks again, perhaps another replica, for as long as its own timeout lasts.
            Self::TooManyRequests { .. } | Self::TooMuchMemory => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }

    /// What is left of the body has to go nowhere.
    fn leaves_a_body(&self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::BodyLate { .. })
    }
}

fn text(status: StatusCode, message: impl Into<Body>) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], message.into()).into_response()
}

/// The paths, and who answers them.
pub(super) fn router<R: Reviewer>(
    reviewer: Arc<R>,
    limits: Limits,
    metrics: Metrics,
    shutdown: Shutdown,
) -> Router {
    let shared = Arc::new(Shared {
        reviewer,
        requests: Semaphore::new(limits.requests),
        bodies: Semaphore::new(limits.bodies / UNIT),
        limits,
        metrics,
        shutdown,
        lines: Seldom::default(),
    });
    Router::new()
        .route("/validate", post(validate::<R>).fallback(not_posted::<R>))
        .route("/mutate", post(mutate::<R>).fallback(not_posted::<R>))
        .fallback(elsewhere)
        .with_state(shared)
}

async fn validate<R: Reviewer>(State(shared): State<Arc<Shared<R>>>, request: Request) -> Response {
    let reviewer = Arc::clone(&shared.reviewer);
    shared.answer(request, |call| async move { reviewer.validate(call).await }).await
}

async fn mutate<R: Reviewer>(State(shared): State<Arc<Shared<R>>>, request: Request) -> Response {
    let reviewer = Arc::clone(&shared.reviewer);
    shared.answer(request, |call| async move { reviewer.mutate(call).await }).await
}

async fn not_posted<R: Reviewer>(State(shared): State<Arc<Shared<R>>>) -> Response {
    shared.refuse(&Refusal::Method)
}

async fn elsewhere() -> Response {
    text(StatusCode::NOT_FOUND, "domicile: reviews are answered at /validate and /mutate")
}

impl<R: Reviewer> Shared<R> {
    async fn answer<F: Future<Output = Reply>>(
        &self,
        request: Request,
        review: impl FnOnce(Call) -> F,
    ) -> Response {
        // HTTP/2 has other means, and no such header.
        let has_header = request.version() < Version::HTTP_2;
        let answer = self.try_answer(request, review).await;
        let leaves_a_body = answer.as_ref().is_err_and(Refusal::leaves_a_body);
        let mut response = match answer {
            Ok(Reply { status: StatusCode::OK, body }) => {
                ([(header::CONTENT_TYPE, "application/json")], body).into_response()
            }
            Ok(Reply { status, body }) => text(status, body),
            Err(refusal) => self.refuse(&refusal),
        };
        // Said with the answer, or the next request could be on its way when the connection is closed.
        if has_header && (leaves_a_body || self.shutdown.phase() != Phase::Running) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn refuse(&self, refusal: &Refusal) -> Response {
        let reason = refusal.reason();
        self.metrics.refused(reason);
        if let Some(withheld) = self.lines.turn() {
            tracing::warn!(reason, withheld, "a request is refused: {}", refusal.message());
        }
        refusal.response()
    }

    async fn try_answer<F: Future<Output = Reply>>(
        &self,
        request: Request,
        review: impl FnOnce(Call) -> F,
    ) -> Result<Reply, Refusal> {
        let begun = Instant::now();
        let patience = patience(request.uri().query());
        let Ok(_working) = self.requests.try_acquire() else {
            return Err(Refusal::TooManyRequests { limit: self.limits.requests });
        };
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            return Err(Refusal::ContentType);
        }
        let (body, _memory) = self.read(&parts.headers, body).await?;
        let deadline = begun + patience;
        let review = AssertUnwindSafe(review(Call { body, deadline })).catch_unwind();
        match tokio::time::timeout_at(deadline, review).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(panic)) => {
                tracing::error!(reason = logging::reason(&*panic), "a review has failed: it is not answered");
                Err(Refusal::Panic)
            }
            Err(_) => Err(Refusal::ReviewLate { after: patience }),
        }
    }

    async fn read(&self, headers: &HeaderMap, body: Body) -> Result<(Bytes, SemaphorePermit<'_>), Refusal> {
        let limit = self.limits.body;
        let length = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok())
            .and_then(|length| length.parse::<u64>().ok());
        let length = length.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if length.is_some_and(|length| length > limit) {
            // Who waits for a go-ahead has sent nothing yet that would have to be read.
            if !headers.contains_key(header::EXPECT) {
                let _ = tokio::time::timeout(self.limits.body_timeout, collect(body, 0, 0)).await;
            }
            return Err(Refusal::TooLarge { limit });
        }
        let units = length.unwrap_or(limit).div_ceil(UNIT);
        let Ok(memory) = self.bodies.try_acquire_many(u32::try_from(units).unwrap_or(u32::MAX)) else {
            return Err(Refusal::TooMuchMemory);
        };
        let after = self.limits.body_timeout;
        match tokio::time::timeout(after, collect(body, length.unwrap_or(0), limit)).await {
            Ok(body) => Ok((body?, memory)),
            Err(_) => Err(Refusal::BodyLate { after }),
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

async fn collect(body: Body, length: usize, limit: usize) -> Result<Bytes, Refusal> {
    let mut chunks = body.into_data_stream();
    // Usually there is one, which is then passed on without a copy.
    let mut only = Bytes::new();
    let mut whole = Vec::new();
    let mut discarded = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Refusal::BodyBroken)?;
        let so_far = only.len().max(whole.len());
        if discarded > 0 || so_far + chunk.len() > limit {
            discarded += chunk.len();
            if discarded > DISCARDED {
                break;
            }
        } else if so_far == 0 {
            only = chunk;
        } else {
            if whole.is_empty() {
                whole.reserve_exact(length.max(so_far + chunk.len()));
                whole.extend_from_slice(&only);
            }
            whole.extend_from_slice(&chunk);
        }
    }
    if discarded > 0 {
        Err(Refusal::TooLarge { limit })
    } else if whole.is_empty() {
        Ok(only)
    } else {
        Ok(whole.into())
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    fn body(chunks: &[&'static str]) -> Body {
        let chunks: Vec<Result<&'static str, std::io::Error>> =
            chunks.iter().map(|chunk| Ok(*chunk)).collect();
        Body::from_stream(stream::iter(chunks))
    }

    #[tokio::test]
    async fn bodies_are_whole_or_refused() {
        assert_eq!(collect(body(&["abc"]), 3, 8).await.unwrap(), "abc");
        assert_eq!(collect(body(&["abc", "def"]), 6, 8).await.unwrap(), "abcdef");
        assert_eq!(collect(body(&["abc", "", "defgh"]), 0, 8).await.unwrap(), "abcdefgh");
        assert_eq!(collect(body(&[]), 0, 8).await.unwrap(), "");
        let refused = collect(body(&["abc", "def", "ghi", "j"]), 0, 8).await.unwrap_err();
        assert!(matches!(refused, Refusal::TooLarge { limit: 8 }), "{refused:?}");
        // Whole at once, and too large.
        assert!(collect(body(&["abcdefghi"]), 9, 8).await.is_err());
    }

    #[test]
    fn json_is_told_by_its_name() {
        let json = |value: &'static str| {
            is_json(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(value))]))
        };
        assert!(json("application/json") && json("Application/JSON; charset=utf-8"));
        assert!(!json("text/plain") && !json("application/jsonlines") && !is_json(&HeaderMap::new()));
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let response = Refusal::TooManyRequests { limit: 5 }.response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        assert!(Refusal::TooLarge { limit: Limits::BODY }.message().contains("8 MiB"));
        assert_eq!(Refusal::Method.response().headers()[header::ALLOW], "POST");
    }
}
