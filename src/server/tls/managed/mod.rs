//! Certificates that are made here, so that an installation needs nothing else.
//!
//! [`plan`] decides, [`keeper`] does it, [`material`] is what the Secret holds, [`configuration`] whom a webhook
//! configuration trusts, and [`authority`] signs.

mod authority;
mod configuration;
mod keeper;
mod material;
mod plan;

use jiff::Timestamp;

pub(in crate::server) use self::authority::Lifetimes;
pub(in crate::server) use self::keeper::{Keeper, Place};

use super::{Certificate, Tls, TlsError};

/// Serves a certificate that nobody but this process knows: without a cluster, there is nobody to tell.
pub(in crate::server) fn ephemeral(
    tls: &Tls,
    names: &[String],
    lifetimes: Lifetimes,
) -> Result<(), TlsError> {
    let now = Timestamp::now();
    let ca = authority::ca(now, lifetimes).map_err(TlsError::Made)?;
    let until = now.saturating_add(lifetimes.ca).unwrap_or(Timestamp::MAX);
    let leaf = authority::leaf(&ca, until, names, now, lifetimes).map_err(TlsError::Made)?;
    let chain = format!("{}{}", leaf.certificate, ca.certificate);
    let certificate = Certificate::parse(chain.as_bytes(), leaf.key.as_bytes()).map_err(|reason| {
        TlsError::Unusable { path: "the certificate that was just made".to_owned(), reason }
    })?;
    tls.serve(certificate)
}
