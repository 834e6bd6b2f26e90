//! A certificate with its chain and key, looked at before it is served.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{Error as PemError, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::provider;

/// A certificate that can be served.
#[derive(Debug)]
pub(in crate::server) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    /// DNS names and addresses.
    pub(super) names: Vec<String>,
}

impl Certificate {
    /// From PEM: the certificate, those that lead to its CA, and its key.
    pub(super) fn parse(chain: &[u8], key: &[u8]) -> Result<Self, String> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            PemError::NoItemsFound => {
                "the key file holds no PEM private key (PKCS#8, PKCS#1 or SEC1)".to_owned()
            }
            error => format!("the key file is no PEM: {error}"),
        })?;
        let (from, until, names) = read(&chain[0])?;
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => "the key does not belong to the certificate".to_owned(),
            error => format!("the certificate or its key cannot be used: {error}"),
        })?;
        Ok(Self { key: Arc::new(key), from, until, names })
    }

    /// Why it should not be served now.
    pub(super) fn wrong_at(&self, now: Timestamp) -> Option<String> {
        if self.until <= now {
            Some(format!("the certificate expired at {}", self.until))
        } else if self.from > now {
            Some(format!("the certificate begins at {}; is the clock right?", self.from))
        } else {
            None
        }
    }
}

/// All certificates of a PEM file, at least one.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if all.is_empty() => Err("there is no PEM certificate in it".to_owned()),
        Ok(all) => Ok(all),
        Err(error) => Err(format!("it is no PEM: {error}")),
    }
}

/// From when until when, and for which names.
pub(super) fn read(der: &[u8]) -> Result<(Timestamp, Timestamp, Vec<String>), String> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|error| format!("it is no X.509 certificate: {error}"))?;
    let time = |seconds| Timestamp::from_second(seconds).map_err(|error| format!("its validity: {error}"));
    let validity = certificate.validity();
    let mut names = Vec::new();
    if let Ok(Some(alternative)) = certificate.subject_alternative_name() {
        for name in &alternative.value.general_names {
            match name {
                GeneralName::DNSName(name) => names.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => names.extend(address(bytes)),
                _ => {}
            }
        }
    }
    Ok((time(validity.not_before.timestamp())?, time(validity.not_after.timestamp())?, names))
}

fn address(bytes: &[u8]) -> Option<String> {
    <[u8; 4]>::try_from(bytes)
        .map(|four| std::net::IpAddr::from(four).to_string())
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(|all| std::net::IpAddr::from(all).to_string()))
        .ok()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn pair(names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2027, 1, 1);
        params.not_after = date_time_ymd(2027, 4, 1);
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn it_is_read() {
        let (chain, key) = pair(&["domicile.x.svc", "127.0.0.1", "::1"]);
        let certificate = Certificate::parse(chain.as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(certificate.names, ["domicile.x.svc", "127.0.0.1", "::1"]);
        assert_eq!(certificate.until, "2027-04-01T00:00:00Z".parse().unwrap());
        assert_eq!(certificate.wrong_at("2027-02-01T00:00:00Z".parse().unwrap()), None);
        let expired = certificate.wrong_at("2027-04-01T00:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(expired, "the certificate expired at 2027-04-01T00:00:00Z");
        assert!(certificate.wrong_at("2026-12-01T00:00:00Z".parse().unwrap()).is_some());
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let (chain, key) = pair(&["a"]);
        let (other, other_key) = pair(&["b"]);
        let refused =
            |chain: &str, key: &str| Certificate::parse(chain.as_bytes(), key.as_bytes()).unwrap_err();
        assert_eq!(refused(&chain, &other_key), "the key does not belong to the certificate");
        assert_eq!(refused("", &key), "there is no PEM certificate in it");
        assert_eq!(refused(&key, &key), "there is no PEM certificate in it");
        assert!(refused(&chain, &chain).contains("holds no PEM private key"));
        assert!(refused(&chain.replace("MII", "%%%"), &key).starts_with("it is no PEM"));
        // A whole chain: the first one is the certificate.
        let whole = Certificate::parse(format!("{chain}{other}").as_bytes(), key.as_bytes()).unwrap();
        assert_eq!((whole.key.cert.len(), whole.names.as_slice()), (2, ["a".to_owned()].as_slice()));
    }
}
