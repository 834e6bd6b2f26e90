//! Places and exceptions that end: who relies on one is told ahead of time.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::auditor::News;
use crate::cluster::{Key, Kind, State};

/// How many days before its end a grant is told of.
const DAYS: [i64; 3] = [30, 7, 1];

/// What stands in a note before how long it is until then.
pub(super) const LEFT: &str = ", in ";

/// A place or an exception that ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Grant {
    object: Key,
    /// What of it ends: `spec.allow[2]`; empty: all of it.
    field: String,
    until: Timestamp,
}

/// Which grants were told of, by how many days before their end.
#[derive(Debug, Default)]
pub(super) struct Grants(BTreeMap<Grant, i64>);

impl Grants {
    /// What is to be told now, and was not yet.
    pub(super) fn look(&mut self, state: &State, now: Timestamp) -> Vec<News> {
        let mut told = BTreeMap::new();
        let mut news = Vec::new();
        for (grant, what) in all(state) {
            let Some(days) = DAYS.into_iter().rev().find(|days| grant.until - day(*days) <= now) else {
                continue;
            };
            if grant.until <= now {
                continue;
            }
            if self.0.get(&grant) != Some(&days) {
                let left = grant.until.duration_since(now).as_hours();
                let left = if left < 48 { format!("{left} hours") } else { format!("{} days", left / 24) };
                news.push(News::Expiring {
                    grant: grant.object.clone(),
                    note: format!(
                        "{what} ends at {}{LEFT}{left}: what relies on it will be in violation then",
                        grant.until
                    ),
                });
            }
            told.insert(grant, days);
        }
        self.0 = told;
        news
    }

    /// When there is something to be told next.
    pub(super) fn next(state: &State, now: Timestamp) -> Option<Timestamp> {
        let moments = all(state).into_iter().flat_map(|(grant, _)| DAYS.map(|days| grant.until - day(days)));
        moments.filter(|moment| *moment > now).min()
    }
}

fn day(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

fn all(state: &State) -> Vec<(Grant, String)> {
    let policies = state.written_policies().flat_map(|(name, policy)| {
        let places = policy.spec.allow.iter().flatten().enumerate();
        places.filter_map(move |(index, place)| {
            let object = Key { kind: Kind::ResidencyPolicy, namespace: String::new(), name: name.to_owned() };
            let field = format!("spec.allow[{index}]");
            let basis = place.basis.as_deref().map(|basis| format!(" ({basis})")).unwrap_or_default();
            let what = format!("{field}{basis} of policy {name}");
            Some((Grant { object, field, until: place.until? }, what))
        })
    });
    let exceptions = state.written_exceptions().map(|(namespace, name, exception)| {
        let object =
            Key { kind: Kind::ResidencyException, namespace: namespace.to_owned(), name: name.to_owned() };
        let what = format!("exception {name} to {}", exception.spec.policies.join(", "));
        (Grant { object, field: String::new(), until: exception.spec.until }, what)
    });
    policies.chain(exceptions).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::objects::Object;

    #[test]
    fn each_grant_is_told_of_three_times() {
        let mut state = State::default();
        let policy = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy",
            "metadata": {"name": "eu"}, "spec": {"classifications": ["personal"], "allow": [
                {"jurisdictions": ["EEA"]},
                {"jurisdictions": ["US"], "until": "2027-07-31T00:00:00Z", "basis": "adequacy"}]}});
        state.apply(Object::from_value(policy).unwrap().unwrap());
        let mut grants = Grants::default();
        let mut at = |text: &str| {
            let news = grants.look(&state, text.parse().unwrap());
            news.into_iter()
                .map(|one| match one {
                    News::Expiring { note, .. } => note,
                    other => panic!("{other:?}"),
                })
                .collect::<Vec<_>>()
        };
        assert!(at("2027-06-30T23:00:00Z").is_empty());
        assert_eq!(
            at("2027-07-01T00:00:00Z"),
            [
                "spec.allow[1] (adequacy) of policy eu ends at 2027-07-31T00:00:00Z, in 30 days: what relies on it will be in \
              violation then"
            ]
        );
        assert!(at("2027-07-20T00:00:00Z").is_empty());
        assert_eq!(at("2027-07-24T00:00:00Z").len(), 1);
        assert!(at("2027-07-30T00:00:00Z")[0].contains("in 24 hours"));
        assert!(at("2027-07-31T00:00:00Z").is_empty());
        let next = |text: &str| Grants::next(&state, text.parse().unwrap()).map(|next| next.to_string());
        assert_eq!(next("2027-07-02T00:00:00Z").as_deref(), Some("2027-07-24T00:00:00Z"));
        assert_eq!(next("2027-07-30T00:00:00Z"), None);
    }
}
