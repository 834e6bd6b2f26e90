//! Certificates from files, which somebody else renews: cert-manager, a mounted Secret, an administrator.
//!
//! Files are compared by what is in them: a mounted Secret is swapped by a symbolic link, and times say nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Certificate, Tls, TlsError, clients};

/// The files of a certificate.
#[derive(Clone, Debug)]
pub(in crate::server) struct Pair {
    pub(in crate::server) certificate: PathBuf,
    pub(in crate::server) key: PathBuf,
}

/// What was in files when they were last looked at.
struct Content {
    files: Vec<Vec<u8>>,
    /// Why it is not in use, if it is not.
    refused: Option<String>,
}

/// Files whose content is put to use.
pub(in crate::server) struct Watched {
    what: &'static str,
    paths: Vec<PathBuf>,
    apply: Apply,
    last: Option<Content>,
    tls: Tls,
}

type Apply = fn(&Tls, &[PathBuf], &[Vec<u8>]) -> Result<(), TlsError>;

impl Watched {
    /// A certificate and its key.
    pub(in crate::server) fn pair(tls: Tls, pair: Pair) -> Self {
        Self { what: "certificate", paths: vec![pair.certificate, pair.key], apply: serve, last: None, tls }
    }

    /// The CAs of clients.
    pub(in crate::server) fn clients(tls: Tls, path: PathBuf) -> Self {
        Self { what: "client CA", paths: vec![path], apply: ask, last: None, tls }
    }

    /// Reads them for the first time: without them there is nothing to begin with.
    pub(in crate::server) async fn begin(&mut self) -> Result<(), TlsError> {
        let files = read(self.paths.clone()).await?;
        (self.apply)(&self.tls, &self.paths, &files)?;
        self.tls.metrics().certificate_loaded(true);
        self.last = Some(Content { files, refused: None });
        Ok(())
    }

    /// Looks at them again and again.
    pub(in crate::server) async fn follow(mut self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let (files, outcome) = match read(self.paths.clone()).await {
            Ok(files) => {
                // What was refused is tried again: a certificate that begins later is good one day.
                if self.last.as_ref().is_some_and(|last| last.files == files && last.refused.is_none()) {
                    return;
                }
                let outcome = (self.apply)(&self.tls, &self.paths, &files);
                (files, outcome)
            }
            Err(error) => (Vec::new(), Err(error)),
        };
        let refused = outcome.err().map(|error| error.to_string());
        let told = self.last.as_ref().is_some_and(|last| refused.is_some() && last.refused == refused);
        if !told {
            self.tls.metrics().certificate_loaded(refused.is_none());
            match &refused {
                None => tracing::info!(files = ?self.paths, "a new {} is in use", self.what),
                Some(reason) => {
                    tracing::error!(reason, "a new {} cannot be used; the old one stays in use", self.what);
                }
            }
        }
        self.last = Some(Content { files, refused });
    }
}

fn serve(tls: &Tls, paths: &[PathBuf], files: &[Vec<u8>]) -> Result<(), TlsError> {
    let unusable = |reason| TlsError::Unusable { path: names(paths), reason };
    let certificate = Certificate::parse(&files[0], &files[1]).map_err(unusable)?;
    if let Some(reason) = certificate.wrong_at(Timestamp::now()) {
        return Err(unusable(reason));
    }
    tls.serve(certificate)
}

fn ask(tls: &Tls, paths: &[PathBuf], files: &[Vec<u8>]) -> Result<(), TlsError> {
    let verifier =
        clients::verifier(&files[0]).map_err(|reason| TlsError::Unusable { path: names(paths), reason })?;
    tls.ask(Arc::clone(&verifier))
}

fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Reads all of them, as they were at one time.
async fn read(paths: Vec<PathBuf>) -> Result<Vec<Vec<u8>>, TlsError> {
    let reading = tokio::task::spawn_blocking(move || {
        let all = || paths.iter().map(|path| read_one(path)).collect::<Result<Vec<_>, _>>();
        let mut first = all()?;
        // A swap between two of them leaves a certificate with another one's key.
        for _ in 0..3 {
            let second = all()?;
            if first == second {
                break;
            }
            first = second;
        }
        Ok(first)
    });
    reading.await.unwrap_or_else(|error| {
        Err(TlsError::Unreadable { path: "a file".to_owned(), reason: error.to_string() })
    })
}

fn read_one(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path)
        .map_err(|error| TlsError::Unreadable { path: path.display().to_string(), reason: error.to_string() })
}
