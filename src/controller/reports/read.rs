//! Since when what is broken has been, as the reports have it that somebody has kept in the cluster, and the statuses of
//! policies.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client};
use serde_json::Value;

use super::PAGE;
use super::content::{MANAGED_BY, NO_POLICY, SOURCE, about, since};
use super::dialect::{Dialect, served};
use super::write::{value, within};
use crate::api::ResidencyPolicy;
use crate::objects::ObjectRef;

/// Since when objects have broken policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beginnings {
    /// With the uid of the object that it is said of.
    objects: BTreeMap<(ObjectRef, Box<str>), (Box<str>, Timestamp)>,
    policies: BTreeMap<String, Timestamp>,
}

impl Beginnings {
    /// Takes in what stored reports say.
    #[must_use]
    pub fn of<'a>(reports: impl IntoIterator<Item = &'a Value>) -> Self {
        let lines = reports.into_iter().flat_map(|report| {
            let object = about(report).map(|(object, uid)| (object.to_ref(), Box::from(uid)));
            let broken = since(report).into_iter().filter(|line| line.outcome.is_broken());
            broken.filter_map(move |line| {
                let (object, uid) = object.clone()?;
                Some(((object, line.policy), (uid, Timestamp::from_second(line.second).ok()?)))
            })
        });
        Self { objects: lines.collect(), policies: BTreeMap::new() }
    }

    /// Takes in what the status of a policy says.
    pub fn note(&mut self, policy: &ResidencyPolicy) {
        let conditions = policy.status.as_ref().and_then(|status| status.conditions.as_ref());
        let broken = conditions
            .into_iter()
            .flatten()
            .find(|condition| condition.type_ == "Compliant" && condition.status == "False");
        if let (Some(condition), Some(name)) = (broken, &policy.metadata.name) {
            self.policies.insert(name.clone(), condition.last_transition_time.0);
        }
    }

    /// Forgets what began only after a moment: of that moment it says nothing.
    #[must_use]
    pub fn until(mut self, moment: Timestamp) -> Self {
        self.objects.retain(|_, (_, since)| *since <= moment);
        self.policies.retain(|_, since| *since <= moment);
        self
    }

    /// Forgets what is said of an object that had the name before this one, if that says its uid.
    pub fn note_object(&mut self, object: &ObjectRef, uid: &str) {
        let here = (object.clone(), Box::default());
        let of_it = self.objects.range(here..).take_while(|((other, _), _)| other == object);
        let others = of_it.filter(|(_, (other, _))| !uid.is_empty() && **other != *uid);
        for key in others.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.objects.remove(&key);
        }
    }

    /// Since when an object has broken a policy, or been wrong apart from any. `None`: that is not known.
    #[must_use]
    pub fn since(&self, object: &ObjectRef, policy: Option<&str>) -> Option<Timestamp> {
        self.objects.get(&(object.clone(), policy.unwrap_or(NO_POLICY).into())).map(|(_, since)| *since)
    }

    /// Since when there has always been something that breaks a policy. `None`: that is not known.
    #[must_use]
    pub fn of_policy(&self, policy: &str) -> Option<Timestamp> {
        self.policies.get(policy).copied()
    }
}

/// What the reports of a cluster say: nothing, if it serves none or Domicile keeps none in it.
///
/// # Errors
/// If they cannot be read.
pub async fn beginnings(client: &Client) -> Result<Beginnings, String> {
    let Some(dialect) = served(client).await?.first().copied() else { return Ok(Beginnings::default()) };
    let mut reports = Vec::new();
    for namespaced in [true, false] {
        reports.extend(stored(client, dialect, namespaced).await.map_err(|error| match error {
            kube::Error::Api(status) => status.message.clone(),
            error => error.to_string(),
        })?);
    }
    Ok(Beginnings::of(&reports))
}

async fn stored(client: &Client, dialect: &Dialect, namespaced: bool) -> kube::Result<Vec<Value>> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &dialect.resource(namespaced));
    let mut params = ListParams::default().labels(&format!("{MANAGED_BY}={SOURCE}")).limit(PAGE);
    let mut reports = Vec::new();
    loop {
        let page = within(api.list(&params)).await?;
        reports.extend(page.items.into_iter().map(value));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(reports),
        }
    }
}
