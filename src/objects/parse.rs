//! From JSON to the views: which kinds are read, and clear errors for what does not fit.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::shape::misplaced_list;
use super::workload::Raw;
use super::{
    Binding, Claim, Metadata, Namespace, Node, ObjectRef, PersistentVolume, Pod, Snapshot, SnapshotClass,
    SnapshotContent, StorageClass, VolumeAttachment, Workload, WorkloadKind,
};
use crate::api::{Geography, ResidencyException, ResidencyPolicy};

/// An object of a kind that judgement reads.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each holds the kind of its name")]
pub enum Object {
    Pod(Box<Pod>),
    Workload(Box<Workload>),
    Claim(Box<Claim>),
    Volume(Box<PersistentVolume>),
    StorageClass(Box<StorageClass>),
    Attachment(Box<VolumeAttachment>),
    Snapshot(Box<Snapshot>),
    SnapshotContent(Box<SnapshotContent>),
    SnapshotClass(Box<SnapshotClass>),
    Node(Box<Node>),
    Namespace(Box<Namespace>),
    Binding(Box<Binding>),
    Policy(Box<ResidencyPolicy>),
    Geography(Box<Geography>),
    Exception(Box<ResidencyException>),
}

/// Why an object cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// It is not an object with `apiVersion` and `kind`.
    #[error("not a Kubernetes object: {0}")]
    NotAnObject(&'static str),
    /// It is of our own group, in a version or of a kind that this build does not know.
    #[error(
        "{api_version} {kind} is not known: this build reads domicile.dev/v1alpha1 ResidencyPolicy, Geography and ResidencyException"
    )]
    UnknownVersion {
        /// What the object says.
        api_version: String,
        /// What the object says.
        kind: String,
    },
    /// It is of none of Kubernetes' kinds, and nearly of one that is judged.
    #[error("Kubernetes has no {kind} in {api_version}: write {meant}")]
    NoSuchKind {
        /// What the object says.
        api_version: String,
        /// What the object says.
        kind: String,
        /// What it may mean.
        meant: String,
    },
    /// A field has the wrong type or a value that does not exist.
    #[error("{kind}: {}{message}", at(path))]
    Field {
        /// Kind of the object.
        kind: String,
        /// Path of the field.
        path: String,
        /// What is wrong with it.
        message: String,
    },
}

/// A document that holds one object of a kind that is known already.
trait Document {
    fn read<T: DeserializeOwned>(self, kind: &str) -> Result<T, ParseError>;
}

fn field<E: std::fmt::Display>(kind: &str, error: &serde_path_to_error::Error<E>) -> ParseError {
    ParseError::Field {
        kind: kind.to_owned(),
        path: error.path().to_string(),
        message: plain(&error.inner().to_string()),
    }
}

/// A path in front of a message; the object itself has none.
fn at(path: &str) -> String {
    if path == "." { String::new() } else { format!("{path}: ") }
}

/// What is expected in words of the manifest, not of this program.
fn plain(message: &str) -> String {
    match message.split_once("expected struct ") {
        Some((before, name)) => {
            let rest = name.trim_start_matches(|letter: char| letter.is_alphanumeric());
            format!("{before}expected a map{rest}")
        }
        None => message.to_owned(),
    }
}

/// The kind that is meant by one of Kubernetes' own groups that has none of this name: in other letters, or in a group
/// where it once was.
fn meant(api_version: &str, kind: &str) -> Option<String> {
    const OTHERS: [(&str, &str); 11] = [
        ("v1", "Pod"),
        ("v1", "PersistentVolumeClaim"),
        ("v1", "PersistentVolume"),
        ("v1", "Node"),
        ("v1", "Namespace"),
        ("v1", "Binding"),
        ("storage.k8s.io/v1", "StorageClass"),
        ("storage.k8s.io/v1", "VolumeAttachment"),
        ("snapshot.storage.k8s.io/v1", "VolumeSnapshot"),
        ("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent"),
        ("snapshot.storage.k8s.io/v1", "VolumeSnapshotClass"),
    ];
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let of_kubernetes = !group.contains('.') || group.ends_with(".k8s.io");
    let workloads = WorkloadKind::ALL.map(|kind| (kind.api_version(), kind.as_str()));
    let mut known = OTHERS.into_iter().chain(workloads).filter(|_| of_kubernetes);
    let (version, name) = known.find(|(_, name)| name.eq_ignore_ascii_case(kind))?;
    Some(format!("apiVersion: {version}, kind: {name}"))
}

/// As somebody wrote it.
impl Document for Value {
    fn read<T: DeserializeOwned>(self, kind: &str) -> Result<T, ParseError> {
        if let Some(path) = misplaced_list(&self) {
            let message = "a list stands where a map belongs".to_owned();
            return Err(ParseError::Field { kind: kind.to_owned(), path, message });
        }
        serde_path_to_error::deserialize(self).map_err(|error| field(kind, &error))
    }
}

/// As an API server wrote it, which has typed it before. What is not read is skipped, not built.
impl Document for &RawValue {
    fn read<T: DeserializeOwned>(self, kind: &str) -> Result<T, ParseError> {
        serde_json::from_str(self.get()).or_else(|_| {
            // Once more, slower, for the path of the field.
            let mut text = serde_json::Deserializer::from_str(self.get());
            serde_path_to_error::deserialize(&mut text).map_err(|error| field(kind, &error))
        })
    }
}

impl Object {
    /// Reads one object. `None`: a kind that judgement does not need.
    pub fn from_value(value: Value) -> Result<Option<Self>, ParseError> {
        let Value::Object(fields) = &value else {
            return Err(ParseError::NotAnObject("a map is expected"));
        };
        let text = |field| fields.get(field).and_then(Value::as_str);
        let (Some(api_version), Some(kind)) = (text("apiVersion"), text("kind")) else {
            return Err(ParseError::NotAnObject("`apiVersion` and `kind` are needed, both strings"));
        };
        let (api_version, kind) = (api_version.to_owned(), kind.to_owned());
        let read = Self::from_document(&api_version, &kind, value)?;
        match meant(&api_version, &kind).filter(|_| read.is_none()) {
            Some(meant) => Err(ParseError::NoSuchKind { api_version, kind, meant }),
            None => Ok(read),
        }
    }

    /// Reads one object that an API server has sent, of this `apiVersion` and kind. `None`: a kind that judgement does
    /// not need.
    pub fn from_api_server(
        api_version: &str,
        kind: &str,
        document: &RawValue,
    ) -> Result<Option<Self>, ParseError> {
        Self::from_document(api_version, kind, document)
    }

    fn from_document(
        api_version: &str,
        kind: &str,
        value: impl Document,
    ) -> Result<Option<Self>, ParseError> {
        fn typed<T: DeserializeOwned>(kind: &str, value: impl Document) -> Result<T, ParseError> {
            value.read(kind)
        }
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let mut object = match (group, kind) {
            ("", "Pod") => Self::Pod(Box::new(typed(kind, value)?)),
            ("", "PersistentVolumeClaim") => Self::Claim(Box::new(typed(kind, value)?)),
            ("", "PersistentVolume") => Self::Volume(Box::new(typed(kind, value)?)),
            ("", "Node") => Self::Node(Box::new(typed(kind, value)?)),
            ("", "Namespace") => Self::Namespace(Box::new(typed(kind, value)?)),
            ("", "Binding") => Self::Binding(Box::new(typed(kind, value)?)),
            ("storage.k8s.io", "StorageClass") => Self::StorageClass(Box::new(typed(kind, value)?)),
            ("storage.k8s.io", "VolumeAttachment") => Self::Attachment(Box::new(typed(kind, value)?)),
            ("snapshot.storage.k8s.io", "VolumeSnapshot") => Self::Snapshot(Box::new(typed(kind, value)?)),
            ("snapshot.storage.k8s.io", "VolumeSnapshotContent") => {
                Self::SnapshotContent(Box::new(typed(kind, value)?))
            }
            ("snapshot.storage.k8s.io", "VolumeSnapshotClass") => {
                Self::SnapshotClass(Box::new(typed(kind, value)?))
            }
            ("domicile.dev", "ResidencyPolicy") if version == "v1alpha1" => {
                Self::Policy(Box::new(typed(kind, value)?))
            }
            ("domicile.dev", "Geography") if version == "v1alpha1" => {
                Self::Geography(Box::new(typed(kind, value)?))
            }
            ("domicile.dev", "ResidencyException") if version == "v1alpha1" => {
                Self::Exception(Box::new(typed(kind, value)?))
            }
            ("domicile.dev", _) => {
                let (api_version, kind) = (api_version.to_owned(), kind.to_owned());
                return Err(ParseError::UnknownVersion { api_version, kind });
            }
            (group, name) => {
                let known = WorkloadKind::ALL.into_iter().find(|known| {
                    known.as_str() == name
                        && known.api_version().rsplit_once('/').map_or("", |(group, _)| group) == group
                });
                let Some(known) = known else { return Ok(None) };
                let raw: Raw = typed(known.as_str(), value)?;
                Self::Workload(Box::new(raw.into_workload(known)))
            }
        };
        object.leave_namespace();
        Ok(Some(object))
    }

    /// Drops the namespace that somebody wrote on a kind which has none, as the API server does: it would be another object
    /// by name otherwise.
    fn leave_namespace(&mut self) {
        if self.is_namespaced() {
            return;
        }
        match self {
            Self::Policy(policy) => policy.metadata.namespace = None,
            Self::Geography(geography) => geography.metadata.namespace = None,
            other => {
                if let Some(metadata) = other.metadata_mut() {
                    metadata.namespace.clear();
                }
            }
        }
    }

    /// `apiVersion` and `kind`.
    #[must_use]
    pub fn type_names(&self) -> (&'static str, &'static str) {
        match self {
            Self::Pod(_) => ("v1", "Pod"),
            Self::Workload(workload) => (workload.kind.api_version(), workload.kind.as_str()),
            Self::Claim(_) => ("v1", "PersistentVolumeClaim"),
            Self::Volume(_) => ("v1", "PersistentVolume"),
            Self::StorageClass(_) => ("storage.k8s.io/v1", "StorageClass"),
            Self::Attachment(_) => ("storage.k8s.io/v1", "VolumeAttachment"),
            Self::Snapshot(_) => ("snapshot.storage.k8s.io/v1", "VolumeSnapshot"),
            Self::SnapshotContent(_) => ("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent"),
            Self::SnapshotClass(_) => ("snapshot.storage.k8s.io/v1", "VolumeSnapshotClass"),
            Self::Node(_) => ("v1", "Node"),
            Self::Namespace(_) => ("v1", "Namespace"),
            Self::Binding(_) => ("v1", "Binding"),
            Self::Policy(_) => ("domicile.dev/v1alpha1", "ResidencyPolicy"),
            Self::Geography(_) => ("domicile.dev/v1alpha1", "Geography"),
            Self::Exception(_) => ("domicile.dev/v1alpha1", "ResidencyException"),
        }
    }

    /// Whether objects of this kind live in a namespace.
    #[must_use]
    pub fn is_namespaced(&self) -> bool {
        match self {
            Self::Pod(_)
            | Self::Workload(_)
            | Self::Claim(_)
            | Self::Snapshot(_)
            | Self::Binding(_)
            | Self::Exception(_) => true,
            Self::Volume(_)
            | Self::StorageClass(_)
            | Self::Attachment(_)
            | Self::SnapshotContent(_)
            | Self::SnapshotClass(_)
            | Self::Node(_)
            | Self::Namespace(_)
            | Self::Policy(_)
            | Self::Geography(_) => false,
        }
    }

    /// The object's `metadata`; `None` for our own kinds, which have kube's.
    #[must_use]
    pub fn metadata(&self) -> Option<&Metadata> {
        Some(match self {
            Self::Pod(object) => &object.metadata,
            Self::Workload(object) => &object.metadata,
            Self::Claim(object) => &object.metadata,
            Self::Volume(object) => &object.metadata,
            Self::StorageClass(object) => &object.metadata,
            Self::Attachment(object) => &object.metadata,
            Self::Snapshot(object) => &object.metadata,
            Self::SnapshotContent(object) => &object.metadata,
            Self::SnapshotClass(object) => &object.metadata,
            Self::Node(object) => &object.metadata,
            Self::Namespace(object) => &object.metadata,
            Self::Binding(object) => &object.metadata,
            Self::Policy(_) | Self::Geography(_) | Self::Exception(_) => return None,
        })
    }

    /// As [`Object::metadata`], to change it.
    pub(super) fn metadata_mut(&mut self) -> Option<&mut Metadata> {
        Some(match self {
            Self::Pod(object) => &mut object.metadata,
            Self::Workload(object) => &mut object.metadata,
            Self::Claim(object) => &mut object.metadata,
            Self::Volume(object) => &mut object.metadata,
            Self::StorageClass(object) => &mut object.metadata,
            Self::Attachment(object) => &mut object.metadata,
            Self::Snapshot(object) => &mut object.metadata,
            Self::SnapshotContent(object) => &mut object.metadata,
            Self::SnapshotClass(object) => &mut object.metadata,
            Self::Node(object) => &mut object.metadata,
            Self::Namespace(object) => &mut object.metadata,
            Self::Binding(object) => &mut object.metadata,
            Self::Policy(_) | Self::Geography(_) | Self::Exception(_) => return None,
        })
    }

    /// Puts an object that names no namespace into this one, as `kubectl` does; cluster-scoped ones stay as they are.
    pub fn default_namespace(&mut self, namespace: &str) {
        if !self.is_namespaced() {
            return;
        }
        if let Self::Exception(object) = self {
            let place = object.metadata.namespace.get_or_insert_default();
            if place.is_empty() {
                namespace.clone_into(place);
            }
        } else if let Some(metadata) = self.metadata_mut()
            && metadata.namespace.is_empty()
        {
            namespace.clone_into(&mut metadata.namespace);
        }
    }

    /// Gives a pod that has no name yet one for the time being, so that several from one `generateName` are several.
    pub fn name_for_now(&mut self, number: usize) {
        if let Self::Pod(pod) = self
            && pod.metadata.name.is_empty()
        {
            // `*` is in no real name.
            pod.metadata.name = format!("{}*{number}", pod.metadata.generate_name);
        }
    }

    /// Its namespace, empty for cluster-scoped kinds, and its name.
    #[must_use]
    pub fn key(&self) -> (&str, &str) {
        if let Some(metadata) = self.metadata() {
            return (&metadata.namespace, &metadata.name);
        }
        match self {
            Self::Policy(object) => ("", object.metadata.name.as_deref().unwrap_or_default()),
            Self::Geography(object) => ("", object.metadata.name.as_deref().unwrap_or_default()),
            Self::Exception(object) => (
                object.metadata.namespace.as_deref().unwrap_or_default(),
                object.metadata.name.as_deref().unwrap_or_default(),
            ),
            _ => ("", ""),
        }
    }

    /// The uid of a policy or a geography that is stored.
    pub(crate) fn uid_of_rule(&self) -> Option<&str> {
        match self {
            Self::Policy(object) => object.metadata.uid.as_deref(),
            Self::Geography(object) => object.metadata.uid.as_deref(),
            _ => None,
        }
    }

    /// Names the object as people do.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        let (api_version, kind) = self.type_names();
        if let Some(metadata) = self.metadata() {
            return ObjectRef::new(api_version, kind, metadata);
        }
        let kube = match self {
            Self::Policy(object) => &object.metadata,
            Self::Geography(object) => &object.metadata,
            Self::Exception(object) => &object.metadata,
            _ => return ObjectRef::new(api_version, kind, &Metadata::default()),
        };
        ObjectRef {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: kube.namespace.clone().unwrap_or_default(),
            name: kube.name.clone().unwrap_or_default(),
        }
    }
}
