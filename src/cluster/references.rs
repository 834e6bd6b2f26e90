//! Which other objects the judgement of an object reads: what must be known before it is judged.

use super::kind::Kind;
use super::state::State;
use super::views::mounted_claims;
use crate::objects::{ClaimSpec, DataSource, Object, ObjectRef, Volume, VolumeSource};

/// Names one object. The namespace is empty for cluster-scoped kinds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "Kubernetes' own words")]
pub struct Key {
    pub kind: Kind,
    pub namespace: String,
    pub name: String,
}

impl Key {
    pub(crate) fn new(kind: Kind, namespace: &str, name: &str) -> Option<Self> {
        // What names nothing refers to nothing.
        (!name.is_empty()).then(|| Self { kind, namespace: namespace.to_owned(), name: name.to_owned() })
    }

    /// As people and events name it.
    #[must_use]
    pub fn to_ref(&self) -> ObjectRef {
        ObjectRef {
            api_version: self.kind.api_resource().api_version,
            kind: self.kind.as_str().to_owned(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }

    /// Whether the state has it.
    #[must_use]
    pub fn is_in(&self, state: &State) -> bool {
        let (namespace, name) = (self.namespace.as_str(), self.name.as_str());
        match self.kind {
            Kind::Node => state.nodes().get(name).is_some(),
            Kind::Namespace => state.namespace(name).is_some(),
            Kind::StorageClass => state.class(name).is_some(),
            Kind::PersistentVolume => state.volume(name).is_some(),
            Kind::PersistentVolumeClaim => state.claim(namespace, name).is_some(),
            Kind::Pod => state.pod(namespace, name).is_some(),
            Kind::Workload(kind) => state.workload(kind, namespace, name).is_some(),
            Kind::VolumeAttachment => state.attachment(name).is_some(),
            Kind::VolumeSnapshot => state.snapshot(namespace, name).is_some(),
            Kind::VolumeSnapshotContent => state.content(name).is_some(),
            Kind::VolumeSnapshotClass => state.snapshot_class(name).is_some(),
            Kind::ResidencyPolicy | Kind::Geography | Kind::ResidencyException => true,
        }
    }

    /// What the object of this name, as the state has it, refers to.
    #[must_use]
    pub fn references(&self, state: &State) -> Vec<Self> {
        let (namespace, name) = (self.namespace.as_str(), self.name.as_str());
        let found = match self.kind {
            Kind::Pod => state.pod(namespace, name).map(|pod| of_pod(namespace, name, &pod.volumes)),
            Kind::PersistentVolumeClaim => state.claim(namespace, name).map(|claim| {
                let texts = [claim.class.as_deref(), claim.volume.as_deref()];
                let [class, volume] = texts.map(Option::unwrap_or_default);
                of_claim(namespace, class, volume, claim.source.as_deref())
            }),
            Kind::PersistentVolume => state.volume(name).map(|volume| {
                let claim = volume.claim.as_ref();
                let (there, claim) = claim.map_or(("", ""), |claim| (&*claim.namespace, &*claim.name));
                of_volume(&volume.class, there, claim)
            }),
            Kind::VolumeSnapshot => state.snapshot(namespace, name).map(|snapshot| {
                let texts = [&snapshot.claim, &snapshot.class, &snapshot.content];
                let [claim, class, content] = texts.map(|text| text.as_deref().unwrap_or_default());
                of_snapshot(namespace, claim, class, content)
            }),
            _ => None,
        };
        found.unwrap_or_default()
    }
}

/// What an object refers to.
#[must_use]
pub fn references(object: &Object) -> Vec<Key> {
    match object {
        Object::Pod(pod) => {
            let (namespace, name) = (pod.metadata.namespace.as_str(), pod.metadata.name.as_str());
            let mut found = of_pod(namespace, name, &pod.spec.volumes);
            found.extend(Key::new(Kind::Node, "", &pod.spec.node_name));
            found
        }
        Object::Binding(binding) => {
            let (namespace, name) = (binding.metadata.namespace.as_str(), binding.metadata.name.as_str());
            let named = [
                Key::new(Kind::Pod, namespace, name),
                Key::new(Kind::Node, "", &binding.target.name),
                // Its pod's, which is read beside it.
                Key::new(Kind::Namespace, "", namespace),
            ];
            named.into_iter().flatten().collect()
        }
        Object::Workload(workload) => {
            let namespace = workload.metadata.namespace.as_str();
            let mut found = of_pod(namespace, "", &workload.template.spec.volumes);
            found.extend(Key::new(Kind::Node, "", &workload.template.spec.node_name));
            for template in &workload.claim_templates {
                found.extend(of_claim_spec(namespace, &template.spec));
            }
            found
        }
        Object::Claim(claim) => {
            let mut found = of_claim_spec(&claim.metadata.namespace, &claim.spec);
            found.extend(claim.chosen_node().and_then(|node| Key::new(Kind::Node, "", node)));
            found
        }
        Object::Volume(volume) => {
            let claim = volume.spec.claim_ref.as_ref();
            let (namespace, name) = claim.map_or(("", ""), |claim| (&claim.namespace, &claim.name));
            of_volume(&volume.spec.storage_class_name, namespace, name)
        }
        Object::Attachment(attachment) => {
            let volume = Key::new(Kind::PersistentVolume, "", &attachment.spec.source.persistent_volume_name);
            volume.into_iter().chain(Key::new(Kind::Node, "", &attachment.spec.node_name)).collect()
        }
        Object::Snapshot(snapshot) => of_snapshot(
            &snapshot.metadata.namespace,
            &snapshot.spec.source.persistent_volume_claim_name,
            snapshot.spec.volume_snapshot_class_name.as_deref().unwrap_or_default(),
            &snapshot.spec.source.volume_snapshot_content_name,
        ),
        Object::SnapshotContent(content) => {
            let of = &content.spec.volume_snapshot_ref;
            let class = content.spec.volume_snapshot_class_name.as_deref().unwrap_or_default();
            let snapshot = Key::new(Kind::VolumeSnapshot, &of.namespace, &of.name);
            snapshot.into_iter().chain(Key::new(Kind::VolumeSnapshotClass, "", class)).collect()
        }
        Object::StorageClass(_)
        | Object::SnapshotClass(_)
        | Object::Node(_)
        | Object::Namespace(_)
        | Object::Policy(_)
        | Object::Geography(_)
        | Object::Exception(_) => Vec::new(),
    }
}

fn of_pod(namespace: &str, pod: &str, volumes: &[Volume]) -> Vec<Key> {
    let claims = mounted_claims(volumes, pod)
        .filter_map(|claim| Key::new(Kind::PersistentVolumeClaim, namespace, &claim));
    let templates = volumes.iter().filter_map(|volume| match &volume.source {
        VolumeSource::Ephemeral(template) => Some(of_claim_spec(namespace, &template.spec)),
        _ => None,
    });
    Key::new(Kind::Namespace, "", namespace).into_iter().chain(claims).chain(templates.flatten()).collect()
}

fn of_claim_spec(namespace: &str, spec: &ClaimSpec) -> Vec<Key> {
    let class = spec.storage_class_name.as_deref().unwrap_or_default();
    of_claim(namespace, class, &spec.volume_name, spec.source())
}

fn of_claim(namespace: &str, class: &str, volume: &str, source: Option<&DataSource>) -> Vec<Key> {
    let source = source.and_then(|source| {
        let there = if source.namespace.is_empty() { namespace } else { &source.namespace };
        match source.kind.as_str() {
            "PersistentVolumeClaim" => Key::new(Kind::PersistentVolumeClaim, there, &source.name),
            "VolumeSnapshot" => Key::new(Kind::VolumeSnapshot, there, &source.name),
            _ => None,
        }
    });
    let named = [
        Key::new(Kind::Namespace, "", namespace),
        Key::new(Kind::StorageClass, "", class),
        Key::new(Kind::PersistentVolume, "", volume),
        source,
    ];
    named.into_iter().flatten().collect()
}

fn of_volume(class: &str, namespace: &str, claim: &str) -> Vec<Key> {
    let named = [
        Key::new(Kind::StorageClass, "", class),
        Key::new(Kind::PersistentVolumeClaim, namespace, claim),
        Key::new(Kind::Namespace, "", if claim.is_empty() { "" } else { namespace }),
    ];
    named.into_iter().flatten().collect()
}

fn of_snapshot(namespace: &str, claim: &str, class: &str, content: &str) -> Vec<Key> {
    let named = [
        Key::new(Kind::Namespace, "", namespace),
        Key::new(Kind::PersistentVolumeClaim, namespace, claim),
        Key::new(Kind::VolumeSnapshotClass, "", class),
        Key::new(Kind::VolumeSnapshotContent, "", content),
    ];
    named.into_iter().flatten().collect()
}
