//! The way in: HTTPS for the API server, and what keeps it up.
//!
//! It knows nothing of what it serves: a [`Reviewer`] judges. Read [`http`] for what happens to a request, [`tls`]
//! for who is believed and who is served, and [`Server::run`] for how it begins and ends.

mod connections;
mod health;
mod http;
mod logging;
mod metrics;
mod options;
mod readiness;
mod seldom;
mod shutdown;
mod timeout;
mod tls;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use axum_server::tls_rustls::RustlsAcceptor;
use kube::Client;
use tokio::task::{JoinError, JoinSet};

pub use self::http::{Call, Reply, Reviewer};
pub use self::logging::{Format as LogFormat, LogOptions, start as start_logging};
pub use self::metrics::Metrics;
pub use self::options::{Options, duration};
pub use self::readiness::Readiness;
pub use self::shutdown::{Phase, Shutdown};
pub use self::tls::TlsError;

use self::connections::{Door, Times};
use self::http::Limits;
use self::seldom::Seldom;
use self::tls::Tls;
use self::tls::files::{Pair, Watched};
use self::tls::managed::{self, Keeper, Lifetimes, Place};

/// How long open requests may take at the end: with the grace before, less than the 30 s that a kubelet waits.
const DRAIN: Duration = Duration::from_secs(20);
/// The kubelet and Prometheus need few connections.
const HEALTH_CONNECTIONS: usize = 64;

/// Why the server did not begin, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be had.
    #[error(
        "{address} cannot be listened at: {reason}. Is something else there? Choose another one with {option}"
    )]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        reason: io::Error,
        /// What says it.
        option: &'static str,
    },
    /// Its certificate, its key or the CA of clients.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A part of it has ended.
    #[error("the server has ended by itself: {0}")]
    Ended(String),
}

/// A server that has its ports.
#[derive(Debug)]
pub struct Server {
    options: Options,
    metrics: Metrics,
    readiness: Readiness,
    https: TcpListener,
    health: TcpListener,
    limits: Limits,
    times: Times,
}

/// Where a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Reviews, over HTTPS.
    pub https: SocketAddr,
    /// Metrics and health, over HTTP.
    pub health: SocketAddr,
}

impl Server {
    /// Takes the ports, so that it is known at once if they cannot be had.
    pub fn bind(options: Options, metrics: Metrics, readiness: Readiness) -> Result<Self, ServerError> {
        let listen = |address, option| {
            TcpListener::bind(address).map_err(|reason| ServerError::Listen { address, reason, option })
        };
        let https = listen(options.listen, "--listen")?;
        let health = listen(options.metrics_listen, "--metrics-listen")?;
        let limits = Limits {
            requests: options.max_concurrent,
            bodies: Limits::BODIES,
            body: Limits::BODY,
            body_timeout: Limits::BODY_TIMEOUT,
        };
        Ok(Self { options, metrics, readiness, https, health, limits, times: Times::default() })
    }

    /// Where it is, also if a port was left to the system.
    pub fn addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses { https: self.https.local_addr()?, health: self.health.local_addr()? })
    }

    /// Shorter times, so that a test can wait for them.
    #[doc(hidden)]
    #[must_use]
    pub fn with_times(mut self, first_request: Duration, idle: Duration, body: Duration) -> Self {
        self.times = Times { first: first_request, idle };
        self.limits.body_timeout = body;
        self
    }

    /// Serves until the shutdown, and then ends in order: not ready first, then, after a grace in which it goes on
    /// answering, no new connections, then what is open is done.
    ///
    /// Without files, the certificate is kept in the cluster of `client`, or known to nobody if there is none.
    pub async fn run<R: Reviewer>(
        self,
        client: Option<Client>,
        reviewer: Arc<R>,
        shutdown: Shutdown,
    ) -> Result<(), ServerError> {
        // As they are, where a port was left to the system.
        let addresses = self.addresses().map_err(ended)?;
        let Self { options, metrics, readiness, https, health, limits, times } = self;
        // Aborted when this function ends, whichever way.
        let mut parts = JoinSet::new();

        let routes = health::router(metrics.clone(), readiness.clone());
        let door = Door::new(HEALTH_CONNECTIONS, times, metrics.clone(), Shutdown::default());
        let mut server = axum_server::from_tcp(health).map_err(ended)?;
        connections::limit(server.http_builder(), times);
        let server = server.acceptor(door).first_request_timeout(times.first);
        parts.spawn(async move { server.serve(routes.into_make_service()).await.map_err(ended) });

        let tls = Tls::new(metrics.clone(), readiness.clone())?;
        prepare(&options, client, &tls, &mut parts).await?;

        let handle = Handle::new();
        let routes = http::router(reviewer, limits, metrics.clone(), shutdown.clone());
        let door = Door::new(connections::MOST, times, metrics.clone(), shutdown.clone());
        let mut server = axum_server::from_tcp(https).map_err(ended)?;
        connections::limit(server.http_builder(), times);
        let server = server
            .acceptor(RustlsAcceptor::new(tls.live()).handshake_timeout(times.first).acceptor(door))
            .first_request_timeout(times.first)
            .accept_error_handler(failed_connection(metrics))
            .handle(handle.clone());
        let mut serving = tokio::spawn(server.serve(routes.into_make_service()));
        tracing::info!(listen = %addresses.https, metrics = %addresses.health, "serving");

        tokio::select! {
            () = shutdown.begun() => {}
            part = parts.join_next() => return Err(ended_part(part)),
            ended = &mut serving => return Err(ended_part(Some(ended.map(|ended| ended.map_err(self::ended))))),
        }
        readiness.stop();
        tracing::info!(grace = ?options.shutdown_grace, "not ready any more; answering on for a grace");
        shutdown.grace(options.shutdown_grace).await;
        handle.graceful_shutdown(Some(DRAIN));
        tokio::select! {
            ended = &mut serving => match ended {
                Ok(Ok(())) => {}
                other => return Err(ended_part(Some(other.map(|ended| ended.map_err(self::ended))))),
            },
            () = shutdown.now() => handle.shutdown(),
        }
        tracing::info!("the server has ended");
        Ok(())
    }
}

/// Gets a certificate, and keeps it and the CA of clients up to date.
async fn prepare(
    options: &Options,
    client: Option<Client>,
    tls: &Tls,
    parts: &mut JoinSet<Result<(), ServerError>>,
) -> Result<(), ServerError> {
    let mut watched = Vec::new();
    if let Some(path) = &options.client_ca {
        watched.push(Watched::clients(tls.clone(), path.clone()));
    }
    if let (Some(certificate), Some(key)) = (&options.tls_cert, &options.tls_key) {
        let pair = Pair { certificate: certificate.clone(), key: key.clone() };
        watched.push(Watched::pair(tls.clone(), pair));
    } else {
        let lifetimes = options.tls_lifetime.map_or_else(Lifetimes::default, Lifetimes::short);
        let names = names(options);
        if let Some(client) = client {
            let place = Place {
                namespace: options.namespace.clone(),
                secret: options.tls_secret.clone(),
                configuration: options.webhook_configuration.clone(),
                names,
            };
            let keeper = Keeper::new(&client, tls.clone(), place, lifetimes);
            parts.spawn(async move {
                keeper.keep().await;
                Ok(())
            });
        } else {
            managed::ephemeral(tls, &names, lifetimes)?;
            tracing::warn!("the certificate is known to nobody: give one with --tls-cert and --tls-key");
        }
    }
    let every = options.tls_poll;
    for mut files in watched {
        files.begin().await?;
        parts.spawn(async move {
            files.follow(every).await;
            Ok(())
        });
    }
    Ok(())
}

/// What the API server, or whoever tries it out, may call this by.
fn names(options: &Options) -> Vec<String> {
    let service = format!("{}.{}.svc", options.service, options.namespace);
    let mut names = vec![format!("{service}.cluster.local"), service];
    names.extend(options.tls_name.iter().cloned());
    names
}

/// Counts and tells: of those who do not get through, and why.
fn failed_connection(metrics: Metrics) -> impl Fn(Option<&SocketAddr>, &io::Error) + Send + Sync + 'static {
    let lines = Seldom::default();
    move |peer, error| {
        // Load balancers and scanners come and go without a word.
        let certain = error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>);
        if error.kind() != io::ErrorKind::ConnectionRefused {
            metrics.refused("handshake");
        }
        if !certain {
            tracing::debug!(?peer, %error, "a connection has ended before it began");
        } else if let Some(withheld) = lines.turn() {
            tracing::warn!(?peer, %error, withheld, "a caller and this server could not agree on TLS");
        }
    }
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` passes it
fn ended(error: io::Error) -> ServerError {
    ServerError::Ended(error.to_string())
}

fn ended_part(part: Option<Result<Result<(), ServerError>, JoinError>>) -> ServerError {
    match part {
        Some(Ok(Err(error))) => error,
        Some(Err(error)) => ServerError::Ended(error.to_string()),
        Some(Ok(Ok(()))) | None => ServerError::Ended("a part of it has nothing left to do".to_owned()),
    }
}
