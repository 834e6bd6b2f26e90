//! The least that a webhook can do, in the server of `domicile serve`: it reads the body and answers that it is allowed.

use std::sync::Arc;

use axum::http::StatusCode;
use clap::Parser;
use domicile::server::{
    self, Call, LogOptions, Metrics, Options, Readiness, Reply, Reviewer, Server, Shutdown,
};

/// The argument that makes a benchmark this server.
pub(crate) const NAME: &str = "constant";

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    log: LogOptions,
}

/// Serves until it is told to end, if the arguments say so.
pub(crate) fn serve_if_asked() -> bool {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(NAME) {
        return false;
    }
    let cli = Cli::parse_from(std::iter::once(NAME.to_owned()).chain(arguments));
    rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap();
    server::start_logging(&cli.log);
    // As `domicile serve` does.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let shutdown = Shutdown::on_signals().unwrap();
        let metrics = Metrics::new();
        let readiness = Readiness::new(metrics.clone());
        let server = Server::bind(cli.options, metrics, readiness).unwrap();
        server.run(None, Arc::new(Constant), shutdown).await.unwrap();
    });
    true
}

struct Constant;

impl Constant {
    fn answer(call: &Call) -> Reply {
        let body = format!(
            r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{{"uid":"{}","allowed":true}}}}"#,
            uid(&call.body)
        );
        Reply { status: StatusCode::OK, body: body.into_bytes() }
    }
}

/// The first uid that a review names is its own: the API server writes it before all else.
fn uid(review: &[u8]) -> &str {
    const BEFORE: &str = r#""uid":""#;
    let beginning = &review[..review.len().min(256)];
    let beginning = std::str::from_utf8(beginning).unwrap_or_default();
    beginning.split_once(BEFORE).and_then(|(_, rest)| rest.split('"').next()).unwrap_or_default()
}

impl Reviewer for Constant {
    async fn validate(&self, call: Call) -> Reply {
        Self::answer(&call)
    }

    async fn mutate(&self, call: Call) -> Reply {
        Self::answer(&call)
    }
}
