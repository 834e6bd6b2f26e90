//! What is served to callers to prove who answers, and what they have to prove.
//!
//! A configuration is swapped as a whole: connections that are open go on under the one that they began with, and a
//! session of an old one cannot be resumed under a new one, so that who is no longer trusted has to prove it again.

mod certificate;
pub(super) mod clients;
pub(super) mod files;
pub(super) mod managed;

use std::sync::Arc;

use axum_server::tls_rustls::RustlsConfig;
use parking_lot::Mutex;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};

pub(super) use self::certificate::Certificate;
use super::metrics::Metrics;
use super::readiness::Readiness;

/// Why a certificate, a key or a CA cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {reason}")]
    Unreadable {
        /// Where.
        path: String,
        /// Why.
        reason: String,
    },
    /// What is in it cannot be used.
    #[error("{path}: {reason}")]
    Unusable {
        /// Where.
        path: String,
        /// Why.
        reason: String,
    },
    /// The library refuses what was asked of it.
    #[error("TLS cannot be set up: {0}")]
    Rustls(#[from] rustls::Error),
    /// No certificate can be made.
    #[error("no certificate can be made: {0}. Is --tls-name a DNS name or an address?")]
    Made(rcgen::Error),
}

/// The cryptography, named rather than taken from what the process has installed.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// What connections begin with; clones change the same.
#[derive(Clone)]
pub(super) struct Tls {
    live: RustlsConfig,
    parts: Arc<Mutex<Parts>>,
    metrics: Metrics,
    readiness: Readiness,
}

#[derive(Default)]
struct Parts {
    certificate: Option<Arc<Certificate>>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
}

impl Tls {
    /// Without a certificate, every handshake fails.
    pub(super) fn new(metrics: Metrics, readiness: Readiness) -> Result<Self, TlsError> {
        let live = RustlsConfig::from_config(Arc::new(configuration(&Parts::default())?));
        Ok(Self { live, parts: Arc::default(), metrics, readiness })
    }

    pub(super) fn live(&self) -> RustlsConfig {
        self.live.clone()
    }

    /// Serves this certificate from now on.
    pub(super) fn serve(&self, certificate: Certificate) -> Result<(), TlsError> {
        let (from, until) = (certificate.from, certificate.until);
        let names = certificate.names.join(", ");
        self.change(|parts| parts.certificate = Some(Arc::new(certificate)))?;
        self.metrics.certificate(until);
        self.readiness.certificate(from, until);
        tracing::info!(%until, names, "a certificate is served");
        Ok(())
    }

    /// Only serves callers that these let through, from now on.
    pub(super) fn ask(&self, clients: Arc<dyn ClientCertVerifier>) -> Result<(), TlsError> {
        self.change(|parts| parts.clients = Some(clients))
    }

    fn change(&self, change: impl FnOnce(&mut Parts)) -> Result<(), TlsError> {
        let mut parts = self.parts.lock();
        change(&mut parts);
        self.live.reload_from_config(Arc::new(configuration(&parts)?));
        Ok(())
    }

    pub(super) fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

fn configuration(parts: &Parts) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?;
    let builder = match &parts.clients {
        Some(clients) => builder.with_client_cert_verifier(Arc::clone(clients)),
        None => builder.with_no_client_auth(),
    };
    let key = parts.certificate.as_ref().map(|certificate| Arc::clone(&certificate.key));
    let mut configuration = builder.with_cert_resolver(Arc::new(Served(key)));
    // rustls offers nothing by itself, and callers would fall back to HTTP/1.1.
    configuration.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(configuration)
}

/// The one certificate, whatever name is asked for: the API server asks for a Service's name or none at all.
#[derive(Debug)]
struct Served(Option<Arc<CertifiedKey>>);

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }
}
