//! How many connections there are, and when one has to go.
//!
//! The API server speaks HTTP/1.1 to webhooks and keeps its connections for 90 s. A connection that is closed just
//! when it writes to it is a failed call, since a POST is not repeated: so idle ones are kept for longer than it
//! keeps them, and at the end they are retired with an answer (`Connection: close`, or GOAWAY) while there is time.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::{Request, Version};
use axum_server::ConnectionShutdown;
use axum_server::accept::Accept;
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tower::Service;

use super::metrics::Metrics;
use super::shutdown::{Phase, Shutdown};

/// How long a connection may do nothing: longer than the 90 s after which Go's client lets go of it.
pub(super) const IDLE: Duration = Duration::from_mins(2);
/// A handshake, and then the head of the first request, take milliseconds.
pub(super) const FIRST: Duration = Duration::from_secs(10);
/// Connections at once: each takes a file descriptor and, at worst, some 100 KiB.
pub(super) const MOST: usize = 1024;
/// Reviews at once on one HTTP/2 connection; more wait in the client.
const STREAMS: u32 = 128;
/// The API server's request line and headers take less than one.
const HEAD: usize = 64 * 1024;
/// An HTTP/2 peer that is gone without a word is found out.
const PING: Duration = Duration::from_secs(30);

/// What connections may take; in tests, less.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) idle: Duration,
    pub(super) first: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { idle: IDLE, first: FIRST }
    }
}

/// Sets what the protocols allow.
pub(super) fn limit(builder: &mut Builder<TokioExecutor>, times: Times) {
    // In hyper this also bounds the time between two requests.
    builder.http1().header_read_timeout(times.idle).max_buf_size(HEAD);
    builder
        .http2()
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(HEAD).unwrap_or(u32::MAX))
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
}

/// Lets connections in.
#[derive(Clone, Debug)]
pub(super) struct Door {
    free: Arc<Semaphore>,
    times: Times,
    metrics: Metrics,
    shutdown: Shutdown,
}

impl Door {
    pub(super) fn new(most: usize, times: Times, metrics: Metrics, shutdown: Shutdown) -> Self {
        Self { free: Arc::new(Semaphore::new(most)), times, metrics, shutdown }
    }

    fn open<S>(&self, stream: TcpStream, inner: S) -> io::Result<(TcpStream, Connection<S>)> {
        let Ok(place) = Arc::clone(&self.free).try_acquire_owned() else {
            self.metrics.refused("connections");
            return Err(io::Error::new(io::ErrorKind::ConnectionRefused, "too many connections are open"));
        };
        // An answer is written in one piece, and is not to wait for another one.
        stream.set_nodelay(true)?;
        let shared = Arc::new(Shared {
            begun: Instant::now(),
            last: AtomicU64::new(0),
            watched: AtomicBool::new(false),
            _place: place,
        });
        Ok((stream, Connection { inner, idle: self.times.idle, shutdown: self.shutdown.clone(), shared }))
    }
}

impl<S> Accept<TcpStream, S> for Door {
    type Stream = TcpStream;
    type Service = Connection<S>;
    type Future = std::future::Ready<io::Result<(TcpStream, Connection<S>)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        std::future::ready(self.open(stream, service))
    }
}

/// What answers on one connection.
#[derive(Clone, Debug)]
pub(super) struct Connection<S> {
    inner: S,
    idle: Duration,
    shutdown: Shutdown,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    begun: Instant,
    /// When a request came last, in milliseconds since it began.
    last: AtomicU64,
    watched: AtomicBool,
    /// Given back when the last clone is gone.
    _place: OwnedSemaphorePermit,
}

impl<S, B> Service<Request<B>> for Connection<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let since = u64::try_from(self.shared.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.shared.last.store(since, Ordering::Relaxed);
        if let Some(end) = request.extensions().get::<ConnectionShutdown>() {
            if self.shutdown.phase() != Phase::Running {
                // HTTP/1.1 is told by a header of the answer, which this would come too late for.
                end.graceful_shutdown();
            } else if request.version() == Version::HTTP_2
                && !self.shared.watched.swap(true, Ordering::Relaxed)
            {
                tokio::spawn(watch(Arc::downgrade(&self.shared), self.idle, end.clone()));
            }
        }
        self.inner.call(request)
    }
}

/// Ends an HTTP/2 connection after so long without a new request. No request takes that long, so none is cut off.
async fn watch(connection: Weak<Shared>, idle: Duration, end: ConnectionShutdown) {
    loop {
        let Some(due) = connection
            .upgrade()
            .map(|shared| shared.begun + Duration::from_millis(shared.last.load(Ordering::Relaxed)) + idle)
        else {
            return;
        };
        if due <= Instant::now() {
            end.graceful_shutdown();
            return;
        }
        tokio::time::sleep_until(due).await;
    }
}
