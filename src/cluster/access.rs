//! Whether a user holds one of the verbs that Domicile asks for: `declassify`, `except`, `relocate`.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::try_join_all;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};

use super::live::chain;

/// Who asks, as the API server knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// `username`.
    pub name: String,
    /// `uid`.
    pub uid: String,
    /// `groups`.
    pub groups: Vec<String>,
    /// `extra`.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// Why it is not known whether a user holds a verb. That is no permission.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The API server does not answer in time.
    #[error(
        "whether {user:?} may {verb} is not known: the API server did not answer within {} ms",
        timeout.as_millis()
    )]
    Slow {
        /// Who.
        user: String,
        /// What.
        verb: String,
        /// How long was waited.
        timeout: Duration,
    },
    /// The API server refuses, or cannot be reached.
    #[error("whether {user:?} may {verb} is not known: {reason}")]
    Refused {
        /// Who.
        user: String,
        /// What.
        verb: String,
        /// What was said.
        reason: String,
    },
}

impl AccessError {
    /// As metrics tell of it.
    #[must_use]
    pub fn result(&self) -> &'static str {
        if matches!(self, Self::Slow { .. }) { "late" } else { "failed" }
    }
}

/// Asks who may do what.
#[derive(Clone)]
pub enum Authorizer {
    /// The API server, by SubjectAccessReviews.
    Live(Client),
    /// The state comes from files, which say nothing of RBAC: nobody holds anything.
    Files,
}

impl Authorizer {
    /// Whether a user holds a verb on one residency policy.
    ///
    /// # Errors
    /// If it cannot be known.
    pub async fn may(
        &self,
        user: &User,
        verb: &str,
        policy: &str,
        timeout: Duration,
    ) -> Result<bool, AccessError> {
        let Self::Live(client) = self else { return Ok(false) };
        let reviews = Api::<SubjectAccessReview>::all(client.clone());
        let (review, params) = (review(user, verb, policy), PostParams::default());
        let asked = tokio::time::timeout(timeout, reviews.create(&params, &review));
        let refused =
            |reason| AccessError::Refused { user: user.name.clone(), verb: verb.to_owned(), reason };
        match asked.await {
            Ok(Ok(answer)) => {
                let status = answer.status.unwrap_or_default();
                Ok(status.allowed && !status.denied.unwrap_or_default())
            }
            Ok(Err(kube::Error::Api(status))) => Err(refused(status.message.clone())),
            Ok(Err(error)) => Err(refused(chain(&error))),
            Err(_) => Err(AccessError::Slow { user: user.name.clone(), verb: verb.to_owned(), timeout }),
        }
    }

    /// The policies of these on which a user does not hold a verb. They are asked for side by side.
    ///
    /// # Errors
    /// If it cannot be known of one of them.
    pub async fn lacking<'a>(
        &self,
        user: &User,
        verb: &str,
        policies: impl IntoIterator<Item = &'a str>,
        timeout: Duration,
    ) -> Result<Vec<&'a str>, AccessError> {
        let asked = policies.into_iter().map(|policy| async move {
            let held = self.may(user, verb, policy, timeout).await?;
            Ok((!held).then_some(policy))
        });
        Ok(try_join_all(asked).await?.into_iter().flatten().collect())
    }
}

fn review(user: &User, verb: &str, policy: &str) -> SubjectAccessReview {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let spec = SubjectAccessReviewSpec {
        user: some(&user.name),
        uid: some(&user.uid),
        groups: (!user.groups.is_empty()).then(|| user.groups.clone()),
        extra: (!user.extra.is_empty()).then(|| user.extra.clone()),
        resource_attributes: Some(ResourceAttributes {
            group: Some("domicile.dev".to_owned()),
            version: Some("v1alpha1".to_owned()),
            resource: Some("residencypolicies".to_owned()),
            name: some(policy),
            verb: some(verb),
            ..ResourceAttributes::default()
        }),
        non_resource_attributes: None,
    };
    SubjectAccessReview { spec, ..SubjectAccessReview::default() }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::super::faked::{refusal, server};
    use super::{AccessError, Authorizer, User};

    const SOON: Duration = Duration::from_millis(300);

    fn user() -> User {
        User {
            name: "ann".into(),
            uid: "7".into(),
            groups: vec!["law".into()],
            extra: [("scope".to_owned(), vec!["all".to_owned()])].into(),
        }
    }

    #[tokio::test]
    async fn a_user_is_asked_for_in_full_and_each_policy_by_name() {
        let (client, asked) = server(|_, body| {
            let name = body["spec"]["resourceAttributes"]["name"].as_str().unwrap();
            let denied = name == "c";
            Some((201, json!({"spec": {}, "status": {"allowed": name != "b", "denied": denied}})))
        });
        let lacking =
            Authorizer::Live(client).lacking(&user(), "declassify", ["a", "b", "c"], SOON).await.unwrap();
        assert_eq!(lacking, ["b", "c"]);
        let asked = asked.lock().unwrap();
        assert_eq!(asked[0].0, "POST /apis/authorization.k8s.io/v1/subjectaccessreviews?");
        assert_eq!(
            asked[0].1["spec"],
            json!({"user": "ann", "uid": "7", "groups": ["law"], "extra": {"scope": ["all"]},
                "resourceAttributes": {"group": "domicile.dev", "version": "v1alpha1",
                    "resource": "residencypolicies", "name": "a", "verb": "declassify"}})
        );
    }

    #[tokio::test]
    async fn what_is_not_known_is_an_error() {
        let (client, _) = server(|_, body| match body["spec"]["resourceAttributes"]["name"].as_str() {
            Some("slow") => None,
            _ => refusal(403, "Forbidden", "subjectaccessreviews is forbidden"),
        });
        let live = Authorizer::Live(client);
        let begin = Instant::now();
        let slow = live.lacking(&user(), "except", ["slow", "slow", "slow"], SOON).await.unwrap_err();
        assert!(matches!(slow, AccessError::Slow { .. }));
        assert!(begin.elapsed() < SOON * 2, "they are asked for side by side");
        assert_eq!(
            live.may(&user(), "relocate", "eu", SOON).await.unwrap_err().to_string(),
            "whether \"ann\" may relocate is not known: subjectaccessreviews is forbidden"
        );
        assert!(!Authorizer::Files.may(&user(), "relocate", "eu", SOON).await.unwrap());
    }
}
