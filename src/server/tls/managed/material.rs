//! What the Secret holds, and how much of it can be used.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};

use super::authority::{BACKDATED, Signed};
use crate::server::tls::certificate::{Certificate, certificates, read};
use crate::server::tls::provider;

/// As kubectl and other tools name them.
pub(super) const LEAF: &str = "tls.crt";
pub(super) const LEAF_KEY: &str = "tls.key";
pub(super) const BUNDLE: &str = "ca.crt";
pub(super) const CA_KEY: &str = "ca.key";

pub(super) type Data = BTreeMap<String, ByteString>;
pub(super) type Der = CertificateDer<'static>;

/// What was found in the Secret.
#[derive(Debug)]
pub(super) struct Found {
    /// Who is trusted: the CA that signs, first, and those that did before.
    pub(super) bundle: Vec<Der>,
    /// Or why nothing can be signed with it.
    pub(super) authority: Result<Authority, String>,
    /// Or why it cannot be served.
    pub(super) leaf: Result<Leaf, String>,
}

/// A CA with its key.
#[derive(Debug)]
pub(super) struct Authority {
    pub(super) signed: Signed,
    pub(super) life: Life,
}

/// A certificate that the CA has signed.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub(super) der: Der,
    pub(super) names: Vec<String>,
    pub(super) life: Life,
    pem: Vec<u8>,
    key: Vec<u8>,
}

/// From its making to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) made: Timestamp,
    pub(super) until: Timestamp,
}

impl Life {
    fn new(from: Timestamp, until: Timestamp) -> Self {
        Self { made: from.saturating_add(BACKDATED).unwrap_or(from), until }
    }

    /// When it is to be renewed: after two thirds.
    pub(super) fn due(&self) -> Timestamp {
        let whole = self.until.duration_since(self.made);
        self.made.saturating_add(whole * 2 / 3).unwrap_or(self.until)
    }
}

impl Found {
    pub(super) fn read(data: &Data, now: Timestamp) -> Self {
        let part = |key: &str| data.get(key).map(|bytes| bytes.0.as_slice()).unwrap_or_default();
        let mut bundle = Vec::new();
        for certificate in certificates(part(BUNDLE)).unwrap_or_default() {
            if !bundle.contains(&certificate) {
                bundle.push(certificate);
            }
        }
        let authority = Authority::read(bundle.first(), part(CA_KEY), now);
        let leaf = match bundle.first() {
            Some(ca) => Leaf::read(part(LEAF), part(LEAF_KEY), ca, now),
            None => Err("there is no CA that could have signed it".to_owned()),
        };
        Self { bundle, authority, leaf }
    }
}

impl Authority {
    fn read(ca: Option<&Der>, key: &[u8], now: Timestamp) -> Result<Self, String> {
        let ca = ca.ok_or_else(|| format!("{BUNDLE} holds no certificate"))?;
        let (from, until, _) = read(ca)?;
        let text = std::str::from_utf8(key).map_err(|_| format!("{CA_KEY} is no PEM"))?;
        let der = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("{CA_KEY}: {error}"))?;
        CertifiedKey::from_der(vec![ca.clone()], der, &provider())
            .map_err(|error| format!("{CA_KEY} and the first certificate of {BUNDLE}: {error}"))?;
        if until <= now {
            return Err(format!("the CA expired at {until}"));
        }
        Ok(Self {
            signed: Signed { certificate: pem(ca), key: text.to_owned() },
            life: Life::new(from, until),
        })
    }
}

impl Leaf {
    fn read(pem: &[u8], key: &[u8], ca: &Der, now: Timestamp) -> Result<Self, String> {
        let certificate = Certificate::parse(pem, key)?;
        if let Some(reason) = certificate.wrong_at(now) {
            return Err(reason);
        }
        let der = certificate.key.cert[0].clone();
        signed_by(&der, ca, now)?;
        let life = Life::new(certificate.from, certificate.until);
        Ok(Self { der, names: certificate.names, life, pem: pem.to_vec(), key: key.to_vec() })
    }

    /// As it is served.
    pub(super) fn certificate(&self) -> Result<Certificate, String> {
        Certificate::parse(&self.pem, &self.key)
    }

    pub(super) fn signed(&self) -> (Vec<u8>, Vec<u8>) {
        (self.pem.clone(), self.key.clone())
    }
}

/// As a caller would find out.
fn signed_by(leaf: &Der, ca: &Der, now: Timestamp) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone()).map_err(|error| format!("the CA is none: {error}"))?;
    let leaf = ParsedCertificate::try_from(leaf).map_err(|error| error.to_string())?;
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    let algorithms = provider().signature_verification_algorithms.all;
    verify_server_cert_signed_by_trust_anchor(&leaf, &Arc::new(roots), &[], now, algorithms)
        .map_err(|error| format!("the CA has not signed the certificate: {error}"))
}

/// What is put in the Secret.
pub(super) fn data(bundle: &[Der], ca_key: &str, leaf: &[u8], leaf_key: &[u8]) -> Data {
    let bytes = |bytes: &[u8]| ByteString(bytes.to_vec());
    BTreeMap::from([
        (BUNDLE.to_owned(), bytes(bundle_pem(bundle).as_bytes())),
        (CA_KEY.to_owned(), bytes(ca_key.as_bytes())),
        (LEAF.to_owned(), bytes(leaf)),
        (LEAF_KEY.to_owned(), bytes(leaf_key)),
    ])
}

/// As a `caBundle` holds it.
pub(super) fn bundle_pem(bundle: &[Der]) -> String {
    bundle.iter().map(pem).collect()
}

fn pem(der: &Der) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new("CERTIFICATE", der.to_vec()), config)
}
