//! A server that runs, and who judges in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use clap::Parser;
use domicile::server::{
    Addresses, Call, Metrics, Options, Readiness, Reply, Reviewer, Server, ServerError, Shutdown,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Judges by what is written in the body.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) reviews: AtomicUsize,
    /// What `wait` waits for.
    pub(crate) go: Semaphore,
}

impl Judge {
    async fn answer(&self, call: Call) -> Reply {
        self.reviews.fetch_add(1, Ordering::SeqCst);
        let ok = |body: Vec<u8>| Reply { status: StatusCode::OK, body };
        match &call.body[..] {
            b"panic" => panic!("the roof is on fire"),
            b"wait" => {
                let _go = self.go.acquire().await.unwrap();
                ok(b"waited".to_vec())
            }
            b"bad" => Reply { status: StatusCode::BAD_REQUEST, body: b"not a review".to_vec() },
            body => ok(format!("{} bytes", body.len()).into_bytes()),
        }
    }
}

impl Reviewer for Judge {
    async fn validate(&self, call: Call) -> Reply {
        self.answer(call).await
    }

    async fn mutate(&self, call: Call) -> Reply {
        self.answer(call).await
    }
}

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

/// Options as they are written on the command line.
pub(crate) fn options(arguments: &[&str]) -> Options {
    let mut all = vec!["serve", "--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0", "--tls-poll=50ms"];
    all.extend(arguments);
    Cli::parse_from(all).options
}

/// A CA, and what it signs.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names, and its key.
    pub(crate) fn sign(&self, names: &[&str]) -> (String, String) {
        self.sign_with(names, |_| {})
    }

    pub(crate) fn sign_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    /// A CA below this one.
    pub(crate) fn below(&self) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "below");
        Self(CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &self.0).unwrap())
    }
}

/// A certificate and its key in files.
pub(crate) struct Files {
    pub(crate) folder: TempDir,
}

impl Files {
    pub(crate) fn new((chain, key): &(String, String)) -> Self {
        let files = Self { folder: TempDir::new().unwrap() };
        files.write((chain, key));
        files
    }

    pub(crate) fn write(&self, (chain, key): (&str, &str)) {
        std::fs::write(self.certificate(), chain).unwrap();
        std::fs::write(self.key(), key).unwrap();
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("tls.crt")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.folder.path().join("tls.key")
    }
}

pub(crate) struct Running {
    pub(crate) at: Addresses,
    pub(crate) judge: Arc<Judge>,
    pub(crate) metrics: Metrics,
    pub(crate) readiness: Readiness,
    pub(crate) shutdown: Shutdown,
    pub(crate) ended: JoinHandle<Result<(), ServerError>>,
}

impl Running {
    pub(crate) fn start(certificate: &Path, key: &Path, more: &[&str]) -> Self {
        let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
        let mut arguments = vec!["--tls-cert", &certificate, "--tls-key", &key];
        arguments.extend(more);
        Self::start_with(&arguments)
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let metrics = Metrics::new();
        let readiness = Readiness::new(metrics.clone());
        let server = Server::bind(options(arguments), metrics.clone(), readiness.clone())
            .unwrap()
            .with_times(Duration::from_millis(400), Duration::from_millis(1200), Duration::from_millis(400));
        let at = server.addresses().unwrap();
        let judge = Arc::new(Judge { reviews: AtomicUsize::new(0), go: Semaphore::new(0) });
        let shutdown = Shutdown::default();
        let ended = tokio::spawn(server.run(None, judge.clone(), shutdown.clone()));
        Self { at, judge, metrics, readiness, shutdown, ended }
    }

    /// With a certificate for 127.0.0.1.
    pub(crate) fn simple(more: &[&str]) -> (Self, Authority, Files) {
        let authority = Authority::new();
        let files = Files::new(&authority.sign(&["127.0.0.1"]));
        (Self::start(&files.certificate(), &files.key(), more), authority, files)
    }

    /// Whether a line of the metrics is there.
    pub(crate) fn counted(&self, line: &str) -> bool {
        self.metrics.encode().unwrap().lines().any(|there| there == line)
    }
}

/// Waits until it is so, for at most 10 s.
pub(crate) async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    for _ in 0..400 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("not within 10 s: {what}");
}
