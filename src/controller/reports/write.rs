//! One write of a report: a call or two, several of them side by side, and what has come of it.

use std::time::Duration;

use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use super::super::herald::uid;
use super::content::{Content, MANAGED_BY, SOURCE, name};
use super::dialect::Dialect;
use super::{PACE, PAGE};
use crate::cluster::Key;

/// No call takes longer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A report by its object, and the uid of that.
pub(super) type Named = (Key, Box<str>);

/// What is to be done.
#[derive(Debug)]
pub(super) enum Job {
    /// Takes away what nobody would write any more: a namespace, empty for none, and a name.
    Stray(String, String),
    Delete(Named),
    Update(Named, Content),
    /// After another has gone, if it would be in the place of one.
    Create(Key, Content, Option<Named>),
}

impl Job {
    /// The objects whose reports it touches. Nothing else may be done about these meanwhile.
    pub(super) fn objects(&self) -> Vec<Key> {
        match self {
            Self::Stray(..) => Vec::new(),
            Self::Delete((object, _)) | Self::Update((object, _), _) => vec![object.clone()],
            Self::Create(object, _, spare) => {
                let spare = spare.iter().map(|(object, _)| object.clone());
                std::iter::once(object.clone()).chain(spare).collect()
            }
        }
    }
}

/// Why a report was not written.
#[derive(Debug)]
pub(super) enum Failed {
    /// It is not to be written: what it is about, or where it would be, is going.
    Gone,
    /// The report is not there. It went with its object, and if there is another of this name, that gets one of its own.
    Missing,
    /// It may be written another time.
    ForNow(String),
}

/// What the API server has taken.
#[derive(Debug)]
pub(super) struct Wrote {
    pub(super) uid: Box<str>,
    pub(super) content: Content,
    pub(super) stored: Value,
}

/// What has come of a job.
#[derive(Debug)]
pub(super) struct Done {
    /// The objects that it was about, the one that was to have a report first.
    pub(super) objects: Vec<Key>,
    /// Whether there was to be a report more.
    pub(super) created: bool,
    /// Reports that are not there any more.
    pub(super) lost: Vec<Named>,
    pub(super) outcome: Result<Option<Wrote>, Failed>,
}

/// Does it.
pub(super) async fn done(client: Client, dialect: &'static Dialect, job: Job) -> Done {
    let writer = Writer { client, dialect };
    let (objects, created) = (job.objects(), matches!(job, Job::Create(..)));
    let mut lost = Vec::new();
    let outcome = writer.work(job, &mut lost).await;
    Done { objects, created, lost, outcome }
}

struct Writer {
    client: Client,
    dialect: &'static Dialect,
}

impl Writer {
    async fn work(&self, job: Job, lost: &mut Vec<Named>) -> Result<Option<Wrote>, Failed> {
        match job {
            Job::Stray(namespace, name) => self.delete(&namespace, &name).await.map(|()| None),
            Job::Delete(report) => self.remove(report, lost).await.map(|()| None),
            Job::Update((object, uid), content) => self.update(&object, uid, content, lost).await,
            Job::Create(object, content, spare) => {
                if let Some(spare) = spare {
                    self.remove(spare, lost).await?;
                }
                let found = uid(&self.client, &object).await.map_err(Failed::ForNow)?;
                let Some(uid) = found.filter(|uid| !uid.is_empty()) else { return Err(Failed::Gone) };
                self.create(&object, uid.into(), content, lost).await
            }
        }
    }

    async fn create(
        &self,
        object: &Key,
        uid: Box<str>,
        content: Content,
        lost: &mut Vec<Named>,
    ) -> Result<Option<Wrote>, Failed> {
        let report = content.report(object, &uid, self.dialect);
        let report = serde_json::from_value(report).map_err(|error| Failed::ForNow(error.to_string()))?;
        let (api, params) = (reports(&self.client, self.dialect, &object.namespace), PostParams::default());
        match within(api.create(&params, &report)).await {
            // It was there, and has not come in yet.
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {
                self.update(object, uid, content, lost).await
            }
            outcome => wrote(uid, content, outcome),
        }
    }

    async fn update(
        &self,
        object: &Key,
        uid: Box<str>,
        content: Content,
        lost: &mut Vec<Named>,
    ) -> Result<Option<Wrote>, Failed> {
        let api = reports(&self.client, self.dialect, &object.namespace);
        let (change, params) =
            (Patch::Merge(content.body(object, &uid, self.dialect)), PatchParams::default());
        match within(api.patch(&name(&uid), &params, &change)).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                lost.push((object.clone(), uid));
                Err(Failed::Missing)
            }
            outcome => wrote(uid, content, outcome),
        }
    }

    async fn remove(&self, (object, uid): Named, lost: &mut Vec<Named>) -> Result<(), Failed> {
        self.delete(&object.namespace, &name(&uid)).await?;
        lost.push((object, uid));
        Ok(())
    }

    async fn delete(&self, namespace: &str, report: &str) -> Result<(), Failed> {
        let api = reports(&self.client, self.dialect, namespace);
        match within(api.delete(report, &DeleteParams::default())).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }
}

fn wrote(
    uid: Box<str>,
    content: Content,
    outcome: kube::Result<DynamicObject>,
) -> Result<Option<Wrote>, Failed> {
    let stored = value(outcome.map_err(|error| failed(&error))?);
    Ok(Some(Wrote { uid, content, stored }))
}

fn reports(client: &Client, dialect: &Dialect, namespace: &str) -> Api<DynamicObject> {
    let resource = dialect.resource(!namespace.is_empty());
    if namespace.is_empty() {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), namespace, &resource)
    }
}

/// Takes away what was kept in a form that is not kept any more.
pub(super) async fn clear(client: &Client, dialect: &Dialect) {
    for namespaced in [true, false] {
        let all: Api<DynamicObject> = Api::all_with(client.clone(), &dialect.resource(namespaced));
        let mut params = ListParams::default().labels(&format!("{MANAGED_BY}={SOURCE}")).limit(PAGE);
        loop {
            let page = match within(all.list(&params)).await {
                Ok(page) => page,
                Err(error) => {
                    let form = dialect.api_version();
                    tracing::warn!(form, %error, "reports of a form that is not kept any more cannot be read");
                    break;
                }
            };
            // What somebody holds back by a finalizer goes when they let go of it.
            for report in page.items.into_iter().filter(|report| report.metadata.deletion_timestamp.is_none())
            {
                let api = reports(client, dialect, report.namespace().as_deref().unwrap_or_default());
                let gone = within(api.delete(&report.name_any(), &DeleteParams::default())).await;
                if let Err(error) = gone.map(drop)
                    && !matches!(&error, kube::Error::Api(status) if status.is_not_found())
                {
                    let form = dialect.api_version();
                    tracing::warn!(form, %error, "a report of a form that is not kept any more stays");
                    return;
                }
                tokio::time::sleep(PACE).await;
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => break,
            }
        }
    }
}

pub(super) async fn within<T>(call: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
    let late = || kube::Error::Service(format!("no answer within {} s", TIMEOUT.as_secs()).into());
    tokio::time::timeout(TIMEOUT, call).await.unwrap_or_else(|_| Err(late()))
}

/// What is not there any more will not be there another time: the form, or the namespace, of which it is said too that
/// it ends.
fn failed(error: &kube::Error) -> Failed {
    match error {
        kube::Error::Api(status) if status.is_not_found() => Failed::Gone,
        kube::Error::Api(status) if status.message.contains("being terminated") => Failed::Gone,
        error => Failed::ForNow(error.to_string()),
    }
}

pub(super) fn value(report: DynamicObject) -> Value {
    serde_json::to_value(report).unwrap_or_default()
}
