//! What a report says of an object.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::ledger::{Breach, Standing};
use super::dialect::Dialect;
use crate::api::Action;
use crate::cluster::Key;
use crate::residency::{AUDITED, Reason};

/// As `source` and the label `app.kubernetes.io/managed-by` say it.
pub(super) const SOURCE: &str = "domicile";
/// The label that says whose a report is.
pub(super) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// What is found without a policy, such as a classification that is none, stands under this name.
pub(super) const NO_POLICY: &str = "domicile";
/// Others name their reports by the uid alone, in the same kinds and namespaces.
const PREFIX: &str = "domicile-";
/// Results that a report has at most. The summary counts all.
const MOST_RESULTS: usize = 64;
/// A message is cut at so many bytes.
const MESSAGE_LIMIT: usize = 1_024;

/// What came of one policy, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Fail,
    Warn,
    Skip,
    Pass,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Fail, Self::Warn, Self::Skip, Self::Pass];

    /// As `result` says it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Skip => "skip",
            Self::Pass => "pass",
        }
    }

    /// Whether the policy is broken.
    pub(super) fn is_broken(self) -> bool {
        matches!(self, Self::Fail | Self::Warn)
    }
}

/// Since when a policy has had an outcome, in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Since {
    pub(super) policy: Box<str>,
    pub(super) outcome: Outcome,
    pub(super) second: i64,
}

/// What a report says about one policy.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    policy: Box<str>,
    outcome: Outcome,
    second: i64,
    severity: Option<&'static str>,
    reason: Option<Reason>,
    message: String,
}

/// What a report says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Content {
    lines: Vec<Line>,
}

impl Content {
    /// What is to be said of an object that stands like this. `known` is what its report says already: what has not
    /// changed since keeps its beginning, which another leader may have seen. `None`: there is nothing to say.
    pub(super) fn of(
        standings: &BTreeMap<Option<Arc<str>>, Standing<'_>>,
        known: &[Since],
        now: Timestamp,
    ) -> Option<Self> {
        let line = |(policy, standing): (&Option<Arc<str>>, &Standing<'_>)| {
            let policy: Box<str> = policy.as_deref().unwrap_or(NO_POLICY).into();
            let (outcome, breach) = match standing {
                Standing::Keeps => (Outcome::Pass, None),
                Standing::Exempted(breach) => (Outcome::Skip, Some(*breach)),
                Standing::Breaks(breach) if breach.action == Action::Warn => (Outcome::Warn, Some(*breach)),
                Standing::Breaks(breach) => (Outcome::Fail, Some(*breach)),
            };
            let known = known.iter().find(|one| one.policy == policy && one.outcome == outcome);
            let seen = breach.map_or(now, |breach| breach.since).as_second();
            Line {
                policy,
                outcome,
                second: known.map_or(seen, |known| known.second.min(seen)),
                severity: breach.and_then(|breach| severity(breach, outcome)),
                reason: breach.map(|breach| breach.reason),
                message: breach.map(|breach| message(breach, outcome)).unwrap_or_default(),
            }
        };
        let mut lines: Vec<Line> = standings.iter().map(line).collect();
        lines.sort_by(|one, other| (one.outcome, &one.policy).cmp(&(other.outcome, &other.policy)));
        (!lines.is_empty()).then_some(Self { lines })
    }

    /// The worst of what came of the policies.
    pub(super) fn worst(&self) -> Outcome {
        self.lines.first().map_or(Outcome::Pass, |line| line.outcome)
    }

    /// Since when each policy has had its outcome.
    pub(super) fn since(&self) -> Vec<Since> {
        let since = self.lines.iter().map(|line| Since {
            policy: line.policy.clone(),
            outcome: line.outcome,
            second: line.second,
        });
        since.collect()
    }

    /// As the API server takes it, without what it is called.
    pub(super) fn body(&self, object: &Key, uid: &str, dialect: &Dialect) -> Value {
        let reference = object.to_ref();
        let mut scope = json!({"apiVersion": reference.api_version, "kind": reference.kind,
            "name": reference.name, "uid": uid});
        if !reference.namespace.is_empty() {
            scope["namespace"] = reference.namespace.into();
        }
        let count = |outcome| self.lines.iter().filter(|line| line.outcome == outcome).count();
        let mut summary = json!({"error": 0});
        for outcome in Outcome::ALL {
            summary[outcome.as_str()] = count(outcome).into();
        }
        let results: Vec<Value> = self.lines.iter().take(MOST_RESULTS).map(Line::result).collect();
        let mut body = json!({"scope": scope, "summary": summary, "results": results});
        if dialect.says_source {
            body["source"] = SOURCE.into();
        }
        body
    }

    /// The whole report.
    pub(super) fn report(&self, object: &Key, uid: &str, dialect: &Dialect) -> Value {
        let resource = dialect.resource(!object.namespace.is_empty());
        let mut report = self.body(object, uid, dialect);
        let owner = object.to_ref();
        report["apiVersion"] = resource.api_version.into();
        report["kind"] = resource.kind.into();
        report["metadata"] = json!({
            "name": name(uid),
            "labels": {MANAGED_BY: SOURCE},
            // So that it goes with its object.
            "ownerReferences": [{"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": uid}],
        });
        if !object.namespace.is_empty() {
            report["metadata"]["namespace"] = object.namespace.as_str().into();
        }
        report
    }
}

impl Line {
    fn result(&self) -> Value {
        let mut result = json!({
            "source": SOURCE,
            "category": "Data residency",
            "policy": self.policy,
            "result": self.outcome.as_str(),
            "scored": matches!(self.outcome, Outcome::Fail | Outcome::Pass),
            "timestamp": {"seconds": self.second, "nanos": 0},
        });
        if let Some(severity) = self.severity {
            result["severity"] = severity.into();
        }
        if let Some(reason) = self.reason {
            result["properties"] = json!({"reason": reason.as_str()});
        }
        if !self.message.is_empty() {
            result["message"] = self.message.as_str().into();
        }
        result
    }
}

fn severity(breach: &Breach, outcome: Outcome) -> Option<&'static str> {
    outcome.is_broken().then_some(match breach.action {
        Action::Deny => "high",
        Action::Audit => "medium",
        Action::Warn => "low",
    })
}

fn message(breach: &Breach, outcome: Outcome) -> String {
    let mut message = match outcome {
        Outcome::Skip => format!("a ResidencyException permits it; without it: {}", breach.note),
        _ => breach.note.clone(),
    };
    message.truncate(message.floor_char_boundary(MESSAGE_LIMIT));
    message
}

/// What the report of an object is called.
pub(super) fn name(uid: &str) -> String {
    format!("{PREFIX}{uid}")
}

/// What Domicile writes of a stored report.
pub(super) fn written(report: &Value) -> Value {
    json!(["source", "scope", "summary", "results"].map(|field| report.get(field)))
}

/// The same, but since when.
pub(super) fn essence(report: &Value) -> Value {
    let mut written = written(report);
    for result in written[3].as_array_mut().into_iter().flatten() {
        if let Value::Object(fields) = result {
            fields.remove("timestamp");
        }
    }
    written
}

/// About which object a stored report is, and its uid.
pub(super) fn about(report: &Value) -> Option<(Key, &str)> {
    let text = |field: &str| report.pointer(&format!("/scope/{field}")).and_then(Value::as_str);
    let (kind, object, uid) = (text("kind")?, text("name")?, text("uid")?);
    let kind = AUDITED.into_iter().find(|one| one.as_str() == kind)?;
    let (namespace, object) = (text("namespace").unwrap_or_default().to_owned(), object.to_owned());
    let metadata = |field: &str| report.pointer(&format!("/metadata/{field}")).and_then(Value::as_str);
    let is_named_so = metadata("name") == Some(&name(uid));
    // Nobody speaks for what is in another namespace.
    let is_beside = metadata("namespace").unwrap_or_default() == namespace;
    (is_named_so && is_beside).then_some((Key { kind, namespace, name: object }, uid))
}

/// Since when a stored report says what it says.
pub(super) fn since(report: &Value) -> Vec<Since> {
    let results = report.get("results").and_then(Value::as_array).into_iter().flatten();
    let read = |result: &Value| {
        let outcome = result.get("result")?.as_str()?;
        Some(Since {
            policy: result.get("policy")?.as_str()?.into(),
            outcome: Outcome::ALL.into_iter().find(|one| one.as_str() == outcome)?,
            second: result.pointer("/timestamp/seconds")?.as_i64()?,
        })
    };
    results.take(MOST_RESULTS).filter_map(read).collect()
}
