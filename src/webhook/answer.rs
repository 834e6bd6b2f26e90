//! What the API server is answered: the verdict in its words.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::objects::ObjectRef;
use crate::residency::{CarriedClassification, Decision, Finding, Verdict};

/// An answer to one review.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    /// What was judged, for the log.
    pub(super) object: Option<Box<ObjectRef>>,
    pub(super) refusal: Option<Box<Refusal>>,
    pub(super) warnings: Vec<String>,
    pub(super) audit: BTreeMap<&'static str, String>,
    pub(super) patch: Option<json_patch::Patch>,
}

/// Why something is refused.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    /// For people.
    pub(super) message: String,
    pub(super) causes: Vec<Cause>,
}

/// One thing that is wrong, for machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Cause {
    pub(super) reason: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) field: String,
    pub(super) message: String,
}

impl Answer {
    /// Nothing is against it.
    pub(super) fn allow() -> Self {
        Self::default()
    }

    /// It is refused for a reason that is no verdict: what cannot be known is never permitted.
    pub(super) fn refuse(message: impl Into<String>) -> Self {
        let refusal = Box::new(Refusal { message: message.into(), causes: Vec::new() });
        Self {
            refusal: Some(refusal),
            audit: BTreeMap::from([("decision", Decision::Deny.as_str().into())]),
            ..Self::default()
        }
    }

    /// What a verdict comes to.
    pub(super) fn of(verdict: &Verdict, location: Option<String>) -> Self {
        let object = Some(Box::new(verdict.object.clone()));
        let mut answer = Self { object, audit: audit(verdict, location), ..Self::default() };
        if verdict.decision == Decision::Deny {
            answer.refusal = Some(Box::new(Refusal {
                message: verdict.refusal(),
                causes: verdict.findings.iter().map(Cause::of).collect(),
            }));
        } else {
            let warned = verdict.findings.iter().filter(|finding| finding.is_warning());
            answer.warnings.extend(warned.map(Finding::sentence));
        }
        answer.warnings.extend(verdict.warnings.iter().cloned());
        answer
    }

    /// As metrics and logs say it.
    pub(super) fn decision(&self) -> &'static str {
        if self.refusal.is_some() {
            return Decision::Deny.as_str();
        }
        let warned = self.audit.get("decision").is_some_and(|decision| decision == Decision::Warn.as_str());
        if warned { Decision::Warn.as_str() } else { Decision::Allow.as_str() }
    }

    /// The AdmissionReview that answers the one of this uid.
    pub(super) fn into_body(self, uid: &str) -> Result<Vec<u8>, serde_json::Error> {
        let Self { refusal, warnings, audit, patch, .. } = self;
        let allowed = refusal.is_none();
        let status = refusal.map(|refusal| *refusal).map(|Refusal { message, causes }| Status {
            code: 403,
            reason: "Forbidden",
            message,
            details: (!causes.is_empty()).then_some(Details { causes }),
        });
        let patch = patch.as_ref().map(serde_json::to_vec).transpose()?;
        serde_json::to_vec(&Envelope {
            api_version: "admission.k8s.io/v1",
            kind: "AdmissionReview",
            response: Response {
                uid,
                allowed,
                status,
                patch_type: patch.is_some().then_some("JSONPatch"),
                patch: patch.map(k8s_openapi::ByteString),
                warnings,
                audit_annotations: audit,
            },
        })
    }
}

impl Cause {
    fn of(finding: &Finding) -> Self {
        Self {
            reason: finding.reason.as_str().into(),
            field: finding.field.clone().unwrap_or_default(),
            message: finding.sentence(),
        }
    }
}

/// The evidence in the API server's own audit log.
fn audit(verdict: &Verdict, location: Option<String>) -> BTreeMap<&'static str, String> {
    let listed = |mut names: Vec<Cow<'_, str>>| {
        names.sort_unstable();
        names.dedup();
        names.join(",")
    };
    let carried = listed(verdict.classifications.iter().map(CarriedClassification::shown).collect());
    let broken = verdict.findings.iter().filter_map(|one| one.policy.as_deref());
    let broken = listed(broken.map(Cow::from).collect());
    let location = location.or_else(|| {
        verdict.findings.iter().find_map(|finding| finding.example.as_ref()).map(ToString::to_string)
    });
    let all = [
        ("decision", verdict.decision.as_str().to_owned()),
        ("classifications", carried),
        ("policies", broken),
        ("reach", verdict.reach.as_str().to_owned()),
        ("location", location.unwrap_or_default()),
    ];
    all.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<k8s_openapi::ByteString>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Status {
    code: u16,
    reason: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

#[derive(Serialize)]
struct Details {
    causes: Vec<Cause>,
}
