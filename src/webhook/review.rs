//! An AdmissionReview as the API server sends it, borrowed from the body.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::keys;
use crate::cluster::access::User;
use crate::objects::{Object, ObjectRef, ParseError};

/// The user name of a kubelet is this, followed by the name of its node.
const NODE_USER: &str = "system:node:";
/// The group of the kubelets.
const NODES: &str = "system:nodes";

/// The only version that there is.
const API_VERSION: &str = "admission.k8s.io/v1";

/// A kind that is not among those that are judged.
pub(super) const OTHER: &str = "Other";

const KINDS: [&str; 21] = [
    "Pod",
    "Binding",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "Job",
    "CronJob",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "StorageClass",
    "VolumeAttachment",
    "VolumeSnapshot",
    "VolumeSnapshotContent",
    "VolumeSnapshotClass",
    "Namespace",
    "Node",
    "ResidencyPolicy",
    "Geography",
    "ResidencyException",
];

/// Why a body is no review.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReviewError {
    /// Not JSON, or not of the shape.
    #[error("the body is not an AdmissionReview in JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Another kind or version.
    #[error("{api_version} {kind} is not answered here: send {API_VERSION} AdmissionReview")]
    Version { api_version: String, kind: String },
    /// A review that asks nothing.
    #[error("the AdmissionReview has no request")]
    Empty,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow, default)]
    api_version: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    request: Option<Request<'a>>,
}

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request<'a> {
    #[serde(borrow)]
    pub(super) uid: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) kind: GroupVersionKind<'a>,
    #[serde(borrow, default)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) namespace: Cow<'a, str>,
    pub(super) operation: Operation,
    #[serde(default)]
    pub(super) user_info: UserInfo,
    #[serde(borrow, default)]
    pub(super) object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) old_object: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) dry_run: Option<bool>,
}

/// What happens to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Operation {
    Create,
    Update,
    Delete,
    Connect,
}

impl Operation {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }
}

/// A kind with its group and version.
#[derive(Debug, Deserialize)]
pub(super) struct GroupVersionKind<'a> {
    #[serde(borrow, default)]
    pub(super) group: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) version: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) kind: Cow<'a, str>,
}

impl GroupVersionKind<'_> {
    fn api_version(&self) -> Cow<'_, str> {
        if self.group.is_empty() {
            Cow::Borrowed(&self.version)
        } else {
            Cow::Owned(format!("{}/{}", self.group, self.version))
        }
    }
}

/// Who asks, as a SubjectAccessReview wants to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct UserInfo {
    pub(super) username: String,
    pub(super) uid: String,
    pub(super) groups: Vec<String>,
    pub(super) extra: BTreeMap<String, Vec<String>>,
}

impl UserInfo {
    /// The node whose kubelet asks, empty if a kubelet does not say which; `None` if somebody else asks.
    pub(super) fn node(&self) -> Option<&str> {
        let kubelet = self.groups.iter().any(|group| group == NODES);
        kubelet.then(|| self.username.strip_prefix(NODE_USER).unwrap_or_default())
    }

    pub(super) fn as_user(&self) -> User {
        let Self { username, uid, groups, extra } = self.clone();
        User { name: username, uid, groups, extra }
    }
}

impl<'a> Request<'a> {
    /// Reads a body.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, ReviewError> {
        let envelope: Envelope<'a> = serde_json::from_slice(body)?;
        if envelope.api_version != API_VERSION || envelope.kind != "AdmissionReview" {
            let (api_version, kind) = (envelope.api_version.into_owned(), envelope.kind.into_owned());
            return Err(ReviewError::Version { api_version, kind });
        }
        envelope.request.ok_or(ReviewError::Empty)
    }

    /// The object as it would be. `None`: there is none (a deletion), or it is of a kind that judgement does not need.
    pub(super) fn new_object(&self) -> Result<Option<Object>, ParseError> {
        self.parse(self.object)
    }

    /// The object as it was.
    pub(super) fn old_object(&self) -> Result<Option<Object>, ParseError> {
        self.parse(self.old_object)
    }

    fn parse(&self, raw: Option<&RawValue>) -> Result<Option<Object>, ParseError> {
        let Some(raw) = raw else { return Ok(None) };
        let mut object = Object::from_api_server(&self.kind.api_version(), &self.kind.kind, raw)?;
        if let Some(object) = &mut object {
            object.default_namespace(&self.namespace);
        }
        Ok(object)
    }

    /// The object that it says it is about.
    pub(super) fn object_ref(&self) -> ObjectRef {
        ObjectRef {
            api_version: self.kind.api_version().into_owned(),
            kind: self.kind.kind.to_string(),
            namespace: self.namespace.to_string(),
            name: self.name.to_string(),
        }
    }

    /// Whether it is about an object of our own kinds.
    pub(super) fn is_about_own_kind(&self) -> bool {
        self.kind.group == keys::GROUP
    }

    /// The kind, of those that are asked about; metrics have no more names than these.
    pub(super) fn known_kind(&self) -> &'static str {
        KINDS.into_iter().find(|known| *known == self.kind.kind).unwrap_or(OTHER)
    }

    /// As events say what was done.
    pub(super) fn action(&self) -> &'static str {
        match self.operation {
            Operation::Create if self.kind.kind == "Binding" => "Bind",
            Operation::Create => "Create",
            Operation::Update => "Update",
            Operation::Delete => "Delete",
            Operation::Connect => "Connect",
        }
    }

    /// Whether nothing will be stored.
    pub(super) fn is_dry_run(&self) -> bool {
        self.dry_run == Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_that_are_no_review_say_why() {
        for (body, says) in [
            ("", "not an AdmissionReview in JSON"),
            ("[]", "not an AdmissionReview in JSON"),
            ("{}", "is not answered here"),
            (r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#, "v1beta1"),
            (r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#, "has no request"),
            (
                r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u"}}"#,
                "missing field `kind`",
            ),
        ] {
            let error = Request::read(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{body}: {error}");
        }
    }

    #[test]
    fn only_the_group_makes_a_kubelet() {
        let user = |name: &str, groups: &[&str]| UserInfo {
            username: name.into(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            ..UserInfo::default()
        };
        assert_eq!(user("system:node:a", &[NODES]).node(), Some("a"));
        assert_eq!(user("system:node:a", &["system:authenticated"]).node(), None);
        assert_eq!(user("mallory", &[NODES]).node(), Some(""));
    }
}
