//! The watch over what exists, as a whole.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube_lease_manager::LeaseManagerError;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinError;

use super::auditor::{Auditor, Telling};
use super::events::Events;
use super::herald::Herald;
use super::leader::{Leadership, Lookout};
use super::ledger::Ledger;
use super::records::{Lacking, Records};
use super::reports::Reports;
use super::status::Statuses;
use crate::cluster::Shared;
use crate::server::{Metrics, Shutdown};

/// How long is waited before the Lease is asked for again.
const AGAIN: Duration = Duration::from_secs(2);

/// What watching takes.
pub struct Watchman {
    /// What is known of the cluster.
    pub shared: Shared,
    /// What is counted.
    pub metrics: Metrics,
    /// Who tells the cluster.
    pub events: Events,
    /// How often everything is judged anew.
    pub interval: Duration,
    /// How many reports there may be; none at all if 0.
    pub reports: usize,
    /// The cluster to write to; none if the state comes from files.
    pub cluster: Option<Seat>,
    /// When to stop.
    pub shutdown: Shutdown,
}

/// Where replicas agree on who writes.
pub struct Seat {
    /// The cluster.
    pub client: Client,
    /// The namespace of the Lease.
    pub namespace: String,
    /// The name of the Lease.
    pub lease: String,
    /// This process.
    pub identity: String,
}

/// Why nobody watches any more. The process should end.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failed {
    /// An audit has panicked.
    #[error("an audit has failed, and nobody would know what is in violation: {0}")]
    Audit(Arc<JoinError>),
    /// The Lease is not looked after.
    #[error("the lease that says who writes is not looked after any more: {0}")]
    Lease(String),
}

impl From<JoinError> for Failed {
    fn from(error: JoinError) -> Self {
        Self::Audit(Arc::new(error))
    }
}

impl Failed {
    /// What has become of a watch that was a task.
    ///
    /// # Errors
    /// If it has failed.
    pub fn of(ended: Result<Result<(), Self>, JoinError>) -> Result<(), Self> {
        ended.map_err(Self::from)?
    }
}

impl Watchman {
    /// Watches until it is told to stop, and then gives up what it leads.
    ///
    /// # Errors
    /// If it cannot go on.
    pub async fn watch(self) -> Result<(), Failed> {
        let Self { shared, metrics, events, interval, reports, cluster, shutdown } = self;
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let lacking = Arc::<Mutex<Lacking>>::default();
        let (audits, audited) = watch::channel(0);
        let herald = Arc::new(Herald::new(metrics.clone()));
        let tell: Telling = match &cluster {
            Some(_) => {
                let herald = Arc::clone(&herald);
                Arc::new(move |news| herald.hear(news))
            }
            None => Arc::new(|news| {
                for news in news {
                    tracing::info!("{news}");
                }
            }),
        };
        let auditor = Auditor {
            shared: shared.clone(),
            ledger: ledger.clone(),
            lacking: lacking.clone(),
            tell,
            metrics: metrics.clone(),
            audited: audits,
            interval,
        };
        let Some(seat) = cluster else {
            return tokio::select! {
                failed = auditor.run() => match failed? {},
                () = shutdown.begun() => Ok(()),
            };
        };
        let records = Records { shared: shared.clone(), lacking, audited: audited.clone() };
        let reports = (reports > 0).then(|| Reports {
            shared: shared.clone(),
            ledger: ledger.clone(),
            audited: audited.clone(),
            metrics,
            limit: reports,
        });
        let statuses = Statuses { shared, ledger, audited: audited.clone() };
        let leading = async {
            let mut leadership = seat.take().await;
            let leads = || leadership.leads();
            let lookout = Lookout::new(seat.client.clone(), &seat.namespace, &seat.lease);
            let (herald_leads, status_leads, record_leads, report_leads) =
                (leads(), leads(), leads(), leads());
            let writing = async {
                tokio::join!(
                    herald.run(seat.client.clone(), events, lookout, herald_leads, audited.clone()),
                    statuses.run(seat.client.clone(), status_leads),
                    records.run(seat.client.clone(), record_leads),
                    async {
                        if let Some(reports) = reports {
                            reports.run(seat.client.clone(), report_leads).await;
                        }
                    }
                );
                // Nobody says any more who leads, and why is said below.
                std::future::pending::<()>().await;
            };
            tokio::select! {
                reason = leadership.lost() => return Err(Failed::Lease(reason)),
                () = writing => {}
                () = shutdown.begun() => {}
            }
            leadership.give_up().await;
            Ok(())
        };
        tokio::select! {
            failed = auditor.run() => match failed? {},
            ended = leading => ended,
        }
    }
}

impl Seat {
    /// Queues up, however long the API server does not answer.
    async fn take(&self) -> Leadership {
        loop {
            match Leadership::seek(self.client.clone(), &self.namespace, &self.lease, &self.identity).await {
                Ok(leadership) => return leadership,
                Err(error) => {
                    let reason = reason(&error);
                    tracing::warn!(reason, "the lease that says who writes cannot be had; trying again");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}

fn reason(error: &LeaseManagerError) -> String {
    crate::cluster::live::chain(error)
}
