//! The seven kinds that make pods.

use serde::Deserialize;

use super::meta::{Metadata, nullable};
use super::pod::{ClaimTemplate, PodTemplate};

/// The kinds that make pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "Kubernetes' own words")]
pub enum WorkloadKind {
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    ReplicationController,
    Job,
    CronJob,
}

impl WorkloadKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::ReplicaSet,
        Self::ReplicationController,
        Self::Job,
        Self::CronJob,
    ];

    /// As `kind` says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::ReplicationController => "ReplicationController",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
        }
    }

    /// As `apiVersion` says it.
    #[must_use]
    pub fn api_version(self) -> &'static str {
        match self {
            Self::Deployment | Self::StatefulSet | Self::DaemonSet | Self::ReplicaSet => "apps/v1",
            Self::ReplicationController => "v1",
            Self::Job | Self::CronJob => "batch/v1",
        }
    }

    /// The field that holds the pod template.
    #[must_use]
    pub fn template_path(self) -> &'static str {
        match self {
            Self::CronJob => "spec.jobTemplate.spec.template",
            _ => "spec.template",
        }
    }
}

/// An object that makes pods.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Which kind.
    pub kind: WorkloadKind,
    /// `metadata` of the workload itself; its pods do not inherit it.
    pub metadata: Metadata,
    /// `metadata` of the Jobs that a CronJob makes; pods do not inherit it either.
    pub job_metadata: Option<Metadata>,
    /// What the pods are made from.
    pub template: PodTemplate,
    /// What a StatefulSet makes a claim a pod from.
    pub claim_templates: Vec<ClaimTemplate>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    #[serde(deserialize_with = "nullable")]
    template: PodTemplate,
    #[serde(deserialize_with = "nullable")]
    volume_claim_templates: Vec<ClaimTemplate>,
    job_template: Option<JobTemplate>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct JobTemplate {
    #[serde(deserialize_with = "nullable")]
    metadata: Metadata,
    #[serde(deserialize_with = "nullable")]
    spec: JobSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct JobSpec {
    #[serde(deserialize_with = "nullable")]
    template: PodTemplate,
}

#[derive(Deserialize)]
pub(super) struct Raw {
    #[serde(default)]
    metadata: Metadata,
    spec: Spec,
}

impl Raw {
    pub(super) fn into_workload(self, kind: WorkloadKind) -> Workload {
        let Self { metadata, spec } = self;
        match (kind, spec.job_template) {
            (WorkloadKind::CronJob, Some(job)) => Workload {
                kind,
                metadata,
                job_metadata: Some(job.metadata),
                template: job.spec.template,
                claim_templates: Vec::new(),
            },
            _ => Workload {
                kind,
                metadata,
                job_metadata: None,
                template: spec.template,
                claim_templates: spec.volume_claim_templates,
            },
        }
    }
}
