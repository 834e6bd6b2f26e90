//! Keeps the certificate in its Secret, and the webhook configurations trusting it.
//!
//! Every replica does all of it. They meet in the resource versions: who comes second is refused, looks again, and
//! mostly finds that nothing is left to do.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::authority::{self, Lifetimes, Signed};
use super::configuration::Configuration;
use super::material::{Data, Found, data};
use super::plan::{Plan, Seen, Served, Trust, Write, plan};
use crate::server::tls::Tls;
use crate::server::tls::certificate::certificates;

/// A call that takes longer is made again.
const CALL: Duration = Duration::from_secs(10);
/// After this, what cannot be seen is not waited for: a certificate is needed all the same.
const PATIENCE: Duration = Duration::from_secs(10);
/// Until something is tried again that has failed.
const RETRY: SignedDuration = SignedDuration::from_secs(5);
/// Others may have been quicker this often in a row before it counts as a failure.
const ROUNDS: usize = 8;
/// A configuration that somebody else changes back is not changed more often, or two would keep the API server busy.
const PATCH_EVERY: Duration = Duration::from_secs(1);
/// Who changed it, in the objects' managed fields.
const MANAGER: &str = "domicile";

/// Where everything is kept, and what it is called.
#[derive(Clone, Debug)]
pub(in crate::server) struct Place {
    pub(in crate::server) namespace: String,
    pub(in crate::server) secret: String,
    pub(in crate::server) configuration: String,
    pub(in crate::server) names: Vec<String>,
}

/// An object as it was seen last.
#[derive(Debug)]
struct Watched<K> {
    /// Whether it is known at all that it is there, or is not.
    known: bool,
    object: Option<K>,
}

impl<K: Resource> Watched<K> {
    const UNKNOWN: Self = Self { known: false, object: None };

    /// Takes what a watch brings, unless it is older than what is known.
    fn seen(&mut self, new: Option<K>) {
        let version = |object: &K| object.meta().resource_version.as_deref()?.parse::<u64>().ok();
        if let (Some(known), Some(new)) = (&self.object, &new)
            && let (Some(known), Some(new)) = (version(known), version(new))
            && new < known
        {
            return;
        }
        self.told(new);
    }

    /// Takes what a call to the API server has answered.
    fn told(&mut self, new: Option<K>) {
        *self = Self { known: true, object: new };
    }
}

/// Why a call came to nothing.
enum Failure {
    /// Somebody else was quicker.
    Raced,
    /// What it is about, or the namespace for it, does not exist.
    Gone(String),
    /// What the log should say.
    Said(String),
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if status.is_conflict() || status.is_already_exists() => Self::Raced,
            kube::Error::Api(status) if status.is_not_found() => Self::Gone(status.message),
            kube::Error::Api(status) if status.is_forbidden() => {
                Self::Said(format!("{}. The chart's roles allow it: are they there?", status.message))
            }
            error => Self::Said(error.to_string()),
        }
    }
}

impl Failure {
    /// For a change of something that was there: who has deleted it was quicker.
    fn or_raced(self) -> Self {
        if matches!(self, Self::Gone(_)) { Self::Raced } else { self }
    }
}

/// The one that does it.
pub(in crate::server) struct Keeper {
    tls: Tls,
    place: Place,
    lifetimes: Lifetimes,
    secrets: Api<Secret>,
    validating: Api<ValidatingWebhookConfiguration>,
    mutating: Api<MutatingWebhookConfiguration>,
    secret: Watched<Secret>,
    validates: Watched<ValidatingWebhookConfiguration>,
    mutates: Watched<MutatingWebhookConfiguration>,
    served: Option<Served>,
    trust: Option<Trust>,
    told_of_none: bool,
    /// When which kind was last told.
    patched: BTreeMap<&'static str, Instant>,
}

impl Keeper {
    pub(in crate::server) fn new(client: &Client, tls: Tls, place: Place, lifetimes: Lifetimes) -> Self {
        Self {
            secrets: Api::namespaced(client.clone(), &place.namespace),
            validating: Api::all(client.clone()),
            mutating: Api::all(client.clone()),
            tls,
            place,
            lifetimes,
            secret: Watched::UNKNOWN,
            validates: Watched::UNKNOWN,
            mutates: Watched::UNKNOWN,
            served: None,
            trust: None,
            told_of_none: false,
            patched: BTreeMap::new(),
        }
    }

    /// Goes on for as long as the process does.
    pub(in crate::server) async fn keep(mut self) {
        let begun = Instant::now();
        let mut secrets = watch(&self.secrets, &self.place.secret, "Secret");
        let mut validating =
            watch(&self.validating, &self.place.configuration, "ValidatingWebhookConfiguration");
        let mut mutating = watch(&self.mutating, &self.place.configuration, "MutatingWebhookConfiguration");
        let mut again = begun + PATIENCE;
        loop {
            tokio::select! {
                Some(object) = secrets.next() => self.secret.seen(object),
                Some(object) = validating.next() => self.validates.seen(object),
                Some(object) = mutating.next() => self.mutates.seen(object),
                () = tokio::time::sleep_until(again) => {}
            }
            let known = self.secret.known && self.validates.known && self.mutates.known;
            if !known && begun.elapsed() < PATIENCE {
                continue;
            }
            let next = self.act().await;
            let wait = next.duration_since(Timestamp::now()).max(SignedDuration::from_millis(100));
            again = Instant::now() + wait.unsigned_abs();
        }
    }

    /// Does what is to be done, and says when to look again.
    async fn act(&mut self) -> Timestamp {
        // Without having seen the Secret, nothing can be said of it.
        if !self.secret.known {
            return retry();
        }
        for _ in 0..ROUNDS {
            let now = Timestamp::now();
            let found = self.data().map(|data| Found::read(&data, now));
            let configurations = self.configurations();
            let plan = plan(&Seen {
                now,
                secret: found.as_ref(),
                configurations: configurations.as_deref(),
                served: self.served.as_ref(),
                trust: self.trust.as_ref(),
                names: &self.place.names,
                lifetimes: self.lifetimes,
            });
            self.trust.clone_from(&plan.trust);
            if let Some(found) = &found
                && plan.serve
            {
                self.serve(found);
            }
            self.tls.readiness().trusted(plan.trusted);
            self.tell_of_none(configurations.as_deref());
            match self.write_and_patch(&plan, found.as_ref(), configurations.as_deref()).await {
                Ok(true) | Err(Failure::Raced) => {}
                Ok(false) => return plan.again,
                Err(Failure::Said(reason) | Failure::Gone(reason)) => {
                    tracing::error!(reason, "the certificate cannot be kept; it is tried again");
                    return retry().min(plan.again);
                }
            }
        }
        tracing::warn!("others change the certificate at the same time; looking again soon");
        retry()
    }

    /// Whether anything has been done; if so, everything is looked at anew.
    async fn write_and_patch(
        &mut self,
        plan: &Plan,
        found: Option<&Found>,
        configurations: Option<&[Configuration]>,
    ) -> Result<bool, Failure> {
        let mut failed = None;
        if let Some(write) = &plan.write {
            match self.write(write, found).await {
                Ok(written) => {
                    self.secret.told(Some(written));
                    return Ok(true);
                }
                Err(Failure::Raced) => {
                    self.reread().await?;
                    return Ok(true);
                }
                // What is there has to be trusted all the same.
                Err(failure) => failed = Some(failure),
            }
        }
        if let (Some(found), Some(configurations)) = (found, configurations)
            && !plan.patch.is_empty()
        {
            let again =
                plan.patch.iter().filter_map(|place| self.patched.get(configurations[*place].kind)).max();
            if let Some(patched) = again {
                tokio::time::sleep_until(*patched + PATCH_EVERY).await;
            }
            // The configurations were read before this. If the Secret is the same still, who writes a newer one tells
            // them after this; and who has told them has changed their version, so that this is refused.
            if self.reread().await? {
                return Ok(true);
            }
            for place in &plan.patch {
                if let Err(failure) = self.patch(&configurations[*place], found).await {
                    failed = Some(failure);
                }
            }
            if failed.is_none() {
                return Ok(true);
            }
        }
        failed.map_or(Ok(false), Err)
    }

    fn data(&self) -> Option<Data> {
        self.secret.object.as_ref().map(|secret| secret.data.clone().unwrap_or_default())
    }

    fn configurations(&self) -> Option<Vec<Configuration>> {
        if !self.validates.known || !self.mutates.known {
            return None;
        }
        let validates = self.validates.object.as_ref().map(Configuration::from);
        let mutates = self.mutates.object.as_ref().map(Configuration::from);
        Some(validates.into_iter().chain(mutates).collect())
    }

    fn tell_of_none(&mut self, configurations: Option<&[Configuration]>) {
        let none = configurations.is_some_and(<[Configuration]>::is_empty);
        if none && !self.told_of_none {
            tracing::warn!(
                name = self.place.configuration,
                "there is no webhook configuration of this name: nobody asks this server, and nothing is enforced"
            );
        }
        self.told_of_none = none;
    }

    fn serve(&mut self, found: &Found) {
        let (Ok(leaf), Some(ca)) = (&found.leaf, found.bundle.first()) else {
            return;
        };
        let served = leaf
            .certificate()
            .and_then(|certificate| self.tls.serve(certificate).map_err(|error| error.to_string()));
        self.tls.metrics().certificate_loaded(served.is_ok());
        match served {
            Ok(()) => {
                self.served = Some(Served { der: leaf.der.clone(), ca: ca.clone(), until: leaf.life.until });
            }
            Err(reason) => tracing::error!(reason, "the certificate in the Secret cannot be served"),
        }
    }

    /// Reads the Secret itself, not what a watch has brought: whether it is another one than was known.
    async fn reread(&mut self) -> Result<bool, Failure> {
        let version = |secret: &Watched<Secret>| secret.object.as_ref()?.metadata.resource_version.clone();
        let before = version(&self.secret);
        let now = within(self.secrets.get_opt(&self.place.secret)).await?;
        self.secret.told(now);
        Ok(version(&self.secret) != before)
    }

    async fn write(&self, write: &Write, found: Option<&Found>) -> Result<Secret, Failure> {
        let now = Timestamp::now();
        let made = |error: rcgen::Error| Failure::Said(format!("no certificate can be made: {error}"));
        let (why, data) = match (write, found) {
            (Write::Everything { why, keep }, _) => {
                let ca = authority::ca(now, self.lifetimes).map_err(made)?;
                let until = now.saturating_add(self.lifetimes.ca).unwrap_or(Timestamp::MAX);
                let leaf =
                    authority::leaf(&ca, until, &self.place.names, now, self.lifetimes).map_err(made)?;
                let mut bundle = certificates(ca.certificate.as_bytes()).map_err(Failure::Said)?;
                bundle.extend(keep.iter().cloned());
                let Signed { certificate, key } = leaf;
                (why.as_str(), data(&bundle, &ca.key, certificate.as_bytes(), key.as_bytes()))
            }
            (Write::Leaf { why, names }, Some(Found { bundle, authority: Ok(ca), .. })) => {
                let leaf =
                    authority::leaf(&ca.signed, ca.life.until, names, now, self.lifetimes).map_err(made)?;
                let Signed { certificate, key } = leaf;
                (why.as_str(), data(bundle, &ca.signed.key, certificate.as_bytes(), key.as_bytes()))
            }
            (Write::Retire, Some(Found { bundle, authority: Ok(ca), leaf: Ok(leaf) })) => {
                let (certificate, key) = leaf.signed();
                let bundle = &bundle[..bundle.len().min(1)];
                ("an old CA is no longer needed", data(bundle, &ca.signed.key, &certificate, &key))
            }
            // The plan was made for what was found.
            _ => return Err(Failure::Raced),
        };
        let name = &self.place.secret;
        tracing::info!(
            why,
            secret = name,
            namespace = self.place.namespace,
            "the certificate's Secret is written"
        );
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let written = if let Some(mut secret) = self.secret.object.clone() {
            // Its resource version goes with it: if it is no longer the one that was seen, this is refused.
            secret.data = Some(data);
            within(self.secrets.replace(name, &params, &secret)).await.map_err(Failure::or_raced)?
        } else {
            let secret = Secret {
                metadata: ObjectMeta {
                    name: Some(name.clone()),
                    namespace: Some(self.place.namespace.clone()),
                    ..ObjectMeta::default()
                },
                // As the chart makes it: the type of a Secret cannot be changed, and an upgrade would fail.
                type_: Some("Opaque".to_owned()),
                data: Some(data),
                ..Secret::default()
            };
            within(self.secrets.create(&params, &secret)).await?
        };
        Ok(written)
    }

    /// Tells a configuration whom to trust.
    async fn patch(&mut self, configuration: &Configuration, found: &Found) -> Result<(), Failure> {
        let patch = Patch::Strategic(configuration.patch(&found.bundle));
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let Configuration { kind, name, .. } = configuration;
        tracing::info!(kind, name, "the webhook configuration is told whom to trust");
        self.patched.insert(kind, Instant::now());
        if *kind == "ValidatingWebhookConfiguration" {
            let patched = patched(&self.validating, name, &params, &patch).await?;
            self.validates.told(patched);
        } else {
            let patched = patched(&self.mutating, name, &params, &patch).await?;
            self.mutates.told(patched);
        }
        Ok(())
    }
}

/// The object as it is afterwards, whoever has changed it.
async fn patched<K, P>(
    api: &Api<K>,
    name: &str,
    params: &PatchParams,
    patch: &Patch<P>,
) -> Result<Option<K>, Failure>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
    P: Serialize + std::fmt::Debug,
{
    match within(api.patch(name, params, patch)).await.map_err(Failure::or_raced) {
        Ok(patched) => Ok(Some(patched)),
        Err(Failure::Raced) => within(api.get_opt(name)).await,
        Err(failure) => Err(failure),
    }
}

fn retry() -> Timestamp {
    let now = Timestamp::now();
    now.saturating_add(RETRY).unwrap_or(now)
}

async fn within<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, Failure> {
    match tokio::time::timeout(CALL, call).await {
        Ok(answer) => answer.map_err(Failure::from),
        Err(_) => Err(Failure::Said(format!("the API server did not answer within {} s", CALL.as_secs()))),
    }
}

/// One object as it comes and goes, for ever.
fn watch<K>(api: &Api<K>, name: &str, kind: &'static str) -> BoxStream<'static, Option<K>>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let name = name.to_owned();
    without_errors(watcher::watch_object(api.clone(), &name).default_backoff(), kind, name).boxed()
}

fn without_errors<K>(
    stream: impl Stream<Item = watcher::Result<Option<K>>>,
    kind: &'static str,
    name: String,
) -> impl Stream<Item = Option<K>> {
    stream.filter_map(move |event| {
        let object = match event {
            Ok(object) => Some(object),
            Err(error) => {
                tracing::warn!(kind, name, %error, "it cannot be watched; it is tried again");
                None
            }
        };
        std::future::ready(object)
    })
}
