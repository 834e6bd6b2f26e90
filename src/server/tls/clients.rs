//! Who may ask: holders of a certificate of these CAs, such as the API server alone.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::certificate::certificates;
use super::provider;

/// Lets those through whose certificate one of the CAs in this PEM has signed.
pub(super) fn verifier(pem: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|error| format!("a certificate in it cannot be a CA: {error}"))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map(|verifier| verifier as Arc<dyn ClientCertVerifier>)
        .map_err(|error| format!("clients cannot be verified with it: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_lets_nobody_pass_for_good() {
        assert_eq!(verifier(b"").unwrap_err(), "there is no PEM certificate in it");
        assert_eq!(verifier(b"# to do\n").unwrap_err(), "there is no PEM certificate in it");
    }
}
