//! A CA of its own, and the certificate that it signs.

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use time::OffsetDateTime;

/// How far a clock may be behind the one that signs.
pub(super) const BACKDATED: SignedDuration = SignedDuration::from_mins(5);
/// What X.509 takes as a common name.
const COMMON_NAME: usize = 64;

/// How long what is signed lives.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Lifetimes {
    /// Of the CA. Its key is in the Secret beside the certificate's, so that its age protects little; a short one
    /// would make the webhook configurations change more often, which whoever keeps them in Git has to explain.
    pub(super) ca: SignedDuration,
    /// Of the certificate. Renewed after two thirds: a month in which nothing may work before anything breaks.
    pub(super) leaf: SignedDuration,
    /// How long a CA that is no longer used stays trusted: every replica has loaded the new certificate long before.
    pub(super) overlap: SignedDuration,
    /// How long an API server may take to learn of a changed webhook configuration: its watch takes milliseconds.
    pub(super) settle: SignedDuration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            ca: SignedDuration::from_hours(10 * 365 * 24),
            leaf: SignedDuration::from_hours(90 * 24),
            overlap: SignedDuration::from_hours(1),
            settle: SignedDuration::from_secs(5),
        }
    }
}

impl Lifetimes {
    /// Everything in the proportions of a certificate that lives this long, so that a test sees it in seconds.
    pub(in crate::server) fn short(leaf: SignedDuration) -> Self {
        Self { ca: leaf * 2, leaf, overlap: leaf / 2, settle: leaf / 20 }
    }
}

/// A certificate and its key, PEM.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// A new CA.
pub(super) fn ca(now: Timestamp, lifetimes: Lifetimes) -> Result<Signed, rcgen::Error> {
    let mut params = CertificateParams::default();
    validity(&mut params, now, now.saturating_add(lifetimes.ca).unwrap_or(Timestamp::MAX));
    // Two CAs with one name would make callers guess which of them has signed.
    params.distinguished_name = named(&format!("Domicile CA {now:.0}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    Ok(Signed { certificate: params.self_signed(&key)?.pem(), key: key.serialize_pem() })
}

/// A certificate for these names, which ends with its CA at the latest.
pub(super) fn leaf(
    ca: &Signed,
    ca_until: Timestamp,
    names: &[String],
    now: Timestamp,
    lifetimes: Lifetimes,
) -> Result<Signed, rcgen::Error> {
    let issuer = Issuer::from_ca_cert_pem(&ca.certificate, KeyPair::from_pem(&ca.key)?)?;
    let mut params = CertificateParams::new(names)?;
    let until = now.saturating_add(lifetimes.leaf).unwrap_or(Timestamp::MAX).min(ca_until);
    validity(&mut params, now, until);
    let name = names.iter().find(|name| name.len() <= COMMON_NAME).map_or("domicile", String::as_str);
    params.distinguished_name = named(name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    Ok(Signed { certificate: params.signed_by(&key, &issuer)?.pem(), key: key.serialize_pem() })
}

fn named(name: &str) -> DistinguishedName {
    let mut all = DistinguishedName::new();
    all.push(DnType::CommonName, name);
    all
}

fn validity(params: &mut CertificateParams, now: Timestamp, until: Timestamp) {
    let begin = now.saturating_sub(BACKDATED).unwrap_or(now);
    // Years that X.509 cannot write are not reached by any lifetime here.
    let time = |time: Timestamp| {
        OffsetDateTime::from_unix_timestamp(time.as_second()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    };
    params.not_before = time(begin);
    params.not_after = time(until);
}
