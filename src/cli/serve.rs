//! `domicile serve`: answers the API server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use kube::Client;

use super::settings::SettingsArgs;
use super::{Status, input};
use crate::cluster::access::Authorizer;
use crate::cluster::reader::Reader;
use crate::cluster::{Shared, State, live, watch};
use crate::controller::events::Events;
use crate::controller::gauges;
use crate::controller::watchman::{Failed, Seat, Watchman};
use crate::server::{self, LogOptions, Metrics, Options, Readiness, Server, Shutdown};
use crate::webhook::{Admission, Parts};

/// How long events may take that are still to be told at the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Answer the API server: admit what may be where it could go, refuse the rest
///
/// An admission webhook: /validate judges, /mutate writes records of inherited classifications and confines pods.
/// The state of the cluster is read from the API server and followed; it is ready once all of it is there. With
/// --cluster the state comes from files and no Kubernetes is needed, for trying it out.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// Take the state from files instead of a cluster
    ///
    /// Files, folders (*.yaml, *.yml and *.json in them, hidden ones excepted) or `-` for standard input, as
    /// `kubectl get -o yaml` prints them. What they do not hold does not exist. Nobody holds a verb such as declassify,
    /// and events are only logged.
    #[arg(long, value_name = "PATH", num_args = 1.., env = "DOMICILE_CLUSTER")]
    cluster: Vec<PathBuf>,

    /// How often everything that exists is judged anew
    ///
    /// What has changed is judged as soon as it has, and what a date changes at its moment. This is the net below: a
    /// difference that it finds is logged as an error. At least 1m.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = audit_interval, env = "DOMICILE_AUDIT_INTERVAL")]
    audit_interval: Duration,

    /// The Lease by which replicas agree on who writes events and statuses, in --namespace
    #[arg(long, value_name = "NAME", default_value = "domicile", env = "DOMICILE_LEASE")]
    lease: String,

    /// How many reports the leader keeps at most, one about each object that a policy selects; 0 for none
    ///
    /// They are OpenReports (openreports.io/v1alpha1) if the cluster serves them, else PolicyReports
    /// (wgpolicyk8s.io/v1alpha2), else none. If there would be more, objects that break a policy come first.
    #[arg(long, value_name = "NUMBER", default_value = "10000", env = "DOMICILE_REPORTS_LIMIT")]
    reports_limit: usize,

    #[command(flatten)]
    server: Options,

    #[command(flatten)]
    log: LogOptions,

    #[command(flatten)]
    settings: SettingsArgs,
}

const EXAMPLES: &str = "\
Examples:
  Against the cluster of the current kubeconfig, with a certificate of your own:
    domicile serve --tls-cert tls.crt --tls-key tls.key

  Without Kubernetes, to see what it answers:
    domicile serve --cluster examples/cluster --listen 127.0.0.1:8443 --metrics-listen 127.0.0.1:8080 &
    curl -k --json @review.json https://127.0.0.1:8443/validate

It serves /livez, /readyz and /metrics over HTTP at --metrics-listen. SIGTERM ends it in order: not ready first, then, after
--shutdown-grace, when every open request is answered.

Exit status:
  0  it was told to end
  2  the call is wrong, or it could not go on: the reason is on standard error";

/// It would do nothing else any more.
fn audit_interval(text: &str) -> Result<Duration, String> {
    let interval = crate::server::duration(text)?;
    let least = Duration::from_mins(1);
    let too_short =
        || "at least 1m, or it would do nothing else; what changes is judged at once anyhow".to_owned();
    Some(interval).filter(|interval| *interval >= least).ok_or_else(too_short)
}

pub(super) fn run(arguments: &Args) -> anyhow::Result<Status> {
    server::start_logging(&arguments.log);
    take_small_pages();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(arguments))?;
    Ok(Status::Compliant)
}

/// A huge page counts against the container's limit as a whole while anything in it is in use, and what reviews take and give
/// back touches many: with 96 MiB a replica was killed under a load that needs 57.
fn take_small_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "the allocator may be given huge pages, so more memory is taken");
    }
}

async fn serve(arguments: &Args) -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signals()?;
    let metrics = Metrics::new();
    let readiness = Readiness::new(metrics.clone());
    // The ports first: that they are taken is known at once.
    let server = Server::bind(arguments.server.clone(), metrics.clone(), readiness.clone())?;
    let (client, asking) = if arguments.cluster.is_empty() {
        (Some(live::connect_to_follow().await?), Some(live::connect_to_ask().await?))
    } else {
        (None, None)
    };
    // By the name of its pod.
    let instance = std::env::var("HOSTNAME").ok();
    let (events, teller) = Events::new(asking.clone(), instance.clone(), metrics.clone());
    let shared = if client.is_some() {
        Shared::awaiting(State::new(arguments.settings.get()), watch::awaited())
    } else {
        Shared::complete(from_files(arguments)?)
    };
    let admission = Admission::new(Parts {
        shared: shared.clone(),
        reader: asking.clone().map_or(Reader::Files, Reader::live),
        authorizer: asking.map_or(Authorizer::Files, Authorizer::Live),
        tell: Arc::new({
            let events = events.clone();
            move |report| events.report(report)
        }),
        metrics: metrics.clone(),
    });
    let telling = tokio::spawn(teller.tell());
    let seat = client.clone().map(|client| Seat {
        client,
        namespace: arguments.server.namespace.clone(),
        lease: arguments.lease.clone(),
        // Two replicas outside of pods have one host.
        identity: format!("{}-{}", instance.as_deref().unwrap_or("domicile"), std::process::id()),
    });
    let watchman = Watchman {
        shared: shared.clone(),
        metrics: metrics.clone(),
        events,
        interval: arguments.audit_interval,
        reports: arguments.reports_limit,
        cluster: seat,
        shutdown: shutdown.clone(),
    };
    let followed = follow(client.clone(), shared.clone());
    // A task of its own, since it has something to give up at the end.
    let watching = tokio::spawn(watchman.watch()).map(Failed::of).shared();
    tokio::select! {
        ended = server.run(client, Arc::new(admission), shutdown) => ended?,
        died = followed => return Err(died.into()),
        Err(failed) = watching.clone() => return Err(failed.into()),
        () = gauges::follow(shared, readiness, metrics) => {}
    }
    if tokio::time::timeout(LAST_WORDS, watching).await.is_err() {
        tracing::warn!("what this replica leads was not given up, and will run out");
    }
    // What was refused last is told too.
    if tokio::time::timeout(LAST_WORDS, telling).await.is_err() {
        tracing::warn!("some events were not told any more");
    }
    Ok(())
}

/// Follows the cluster, if there is one.
async fn follow(client: Option<Client>, shared: Shared) -> watch::Died {
    match client {
        Some(client) => watch::fill(client, shared).await,
        None => std::future::pending().await,
    }
}

/// The state of files, all of which must be readable: half a state would answer wrongly.
fn from_files(arguments: &Args) -> anyhow::Result<State> {
    let loaded = input::cluster(&arguments.cluster)?;
    if let Some(first) = loaded.errors.first() {
        let more = loaded.errors.len() - 1;
        let rest = if more == 0 { String::new() } else { format!(" (and {more} more)") };
        anyhow::bail!("the state cannot be read in full: {first}{rest}");
    }
    let (state, _) = input::state(arguments.settings.get(), loaded.objects, &loaded.unread, &[]);
    let problems: Vec<_> = state.problems().into_iter().filter(|problem| problem.refused).collect();
    if let Some(first) = problems.first() {
        anyhow::bail!("{}: {}", first.object, first.message);
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_ends_before_the_next() {
        for (text, seconds) in [("1m", Some(60)), ("90s", Some(90)), ("59s", None), ("0s", None), ("x", None)]
        {
            assert_eq!(audit_interval(text).ok(), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
