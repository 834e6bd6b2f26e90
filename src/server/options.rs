//! How the server is set.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use rustls_pki_types::ServerName;

/// Where it listens, how it proves who it is, and what callers may take.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct Options {
    /// Answer the API server at this address, over HTTPS
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8443", env = "DOMICILE_LISTEN")]
    pub listen: SocketAddr,

    /// Serve /metrics, /livez and /readyz at this address, over HTTP
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080", env = "DOMICILE_METRICS_LISTEN")]
    pub metrics_listen: SocketAddr,

    /// Serve this certificate: PEM, with those that lead to its CA
    ///
    /// It is read again when what is in it changes. Without this option, a CA and a certificate are made, kept in a
    /// Secret and renewed, and the webhook configurations are told to trust them.
    #[arg(long, value_name = "FILE", requires = "tls_key", env = "DOMICILE_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,

    /// The private key of --tls-cert: PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert", env = "DOMICILE_TLS_KEY")]
    pub tls_key: Option<PathBuf>,

    /// Only answer callers with a certificate of one of the CAs in this file: PEM
    ///
    /// Everybody whom such a CA knows is let in: give the API server's webhook client one of its own. It is read again
    /// when what is in it changes.
    #[arg(long, value_name = "FILE", env = "DOMICILE_CLIENT_CA")]
    pub client_ca: Option<PathBuf>,

    /// The namespace that this runs in, and keeps its certificate in
    #[arg(long, value_name = "NAMESPACE", default_value = "domicile-system", env = "DOMICILE_NAMESPACE")]
    pub namespace: String,

    /// The Service by which the API server reaches it
    #[arg(long, value_name = "NAME", default_value = "domicile", env = "DOMICILE_SERVICE")]
    pub service: String,

    /// The Secret that the certificate is kept in, if no file is given
    #[arg(long, value_name = "NAME", default_value = "domicile-tls", env = "DOMICILE_TLS_SECRET")]
    pub tls_secret: String,

    /// Another DNS name or address that the certificate is for, if no file is given
    ///
    /// May be repeated. Needed where a webhook configuration has a `url`.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = name, env = "DOMICILE_TLS_NAME")]
    pub tls_name: Vec<String>,

    /// The webhook configurations that have to trust the certificate, if no file is given
    ///
    /// The ValidatingWebhookConfiguration and the MutatingWebhookConfiguration of this name.
    #[arg(long, value_name = "NAME", default_value = "domicile", env = "DOMICILE_WEBHOOK_CONFIGURATION")]
    pub webhook_configuration: String,

    /// How many reviews may be judged at once; more are refused, and the API server asks again
    #[arg(long, value_name = "NUMBER", default_value = "512", value_parser = at_least_one, env = "DOMICILE_MAX_CONCURRENT")]
    pub max_concurrent: usize,

    /// How long to go on answering after SIGTERM, so that everybody learns that this replica is not ready any more
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration, env = "DOMICILE_SHUTDOWN_GRACE")]
    pub shutdown_grace: Duration,

    /// How long a certificate lives that is made here, and all else in proportion, for tests
    #[arg(long, hide = true, value_name = "DURATION", value_parser = signed, env = "DOMICILE_TLS_LIFETIME")]
    pub tls_lifetime: Option<SignedDuration>,

    /// How often files are looked at, for tests: the kubelet takes a minute to bring a change, less gains nothing
    #[arg(
        long,
        hide = true,
        value_name = "DURATION",
        default_value = "10s",
        value_parser = duration,
        env = "DOMICILE_TLS_POLL"
    )]
    pub tls_poll: Duration,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=100_000).contains(&number) => Ok(number),
        _ => Err("write a number from 1 to 100000".to_owned()),
    }
}

fn name(text: &str) -> Result<String, String> {
    ServerName::try_from(text)
        .map(|_| text.to_owned())
        .map_err(|_| "write a DNS name, such as webhook.example.com, or an address".to_owned())
}

/// `5s`, `1m30s`, `500ms`.
/// A length of time as `1h`, `5m30s` or `500ms`.
pub fn duration(text: &str) -> Result<Duration, String> {
    signed(text).map(SignedDuration::unsigned_abs)
}

fn signed(text: &str) -> Result<SignedDuration, String> {
    text.parse::<SignedDuration>()
        .ok()
        .filter(|duration| !duration.is_negative())
        .ok_or_else(|| "write 5s, 500ms or 1m30s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_durations() {
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for wrong in ["", "5", "-5s", "soon"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert!(name("127.0.0.1").is_ok() && name("::1").is_ok() && name("a.example.com").is_ok());
        assert!(name("").is_err() && name("not a name").is_err() && name("https://a").is_err());
        assert_eq!(at_least_one("512"), Ok(512));
        assert!(at_least_one("0").is_err() && at_least_one("-1").is_err() && at_least_one("many").is_err());
    }
}
