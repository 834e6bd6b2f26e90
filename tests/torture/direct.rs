//! Asks one replica, past the API server: what does it know?

use serde_json::{Value, json};

use crate::client::{Answer, Caller};
use crate::replica::Replica;

/// The review of a creation.
pub(crate) fn review(object: &Value) -> String {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "00000000-0000-0000-0000-000000000001",
            "kind": {"group": "", "version": "v1", "kind": object["kind"]},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "operation": "CREATE", "dryRun": true,
            "namespace": object["metadata"]["namespace"], "name": object["metadata"]["name"],
            "userInfo": {"username": "somebody", "groups": ["system:authenticated"]},
            "object": object, "oldObject": null, "options": null,
        },
    })
    .to_string()
}

/// What a replica answers to a body.
pub(crate) async fn post(replica: &Replica, body: String) -> std::io::Result<Answer> {
    let at = ([127, 0, 0, 1], replica.ports.webhook).into();
    let mut connection = Caller::trusting_anybody().connect(at).await?;
    connection.post("/validate", body).await.map_err(std::io::Error::other)
}

/// Whether a replica would admit a pod; nothing if it does not answer with a judgement.
pub(crate) async fn admits(replica: &Replica, pod: &Value) -> Option<bool> {
    is_admitted(&post(replica, review(pod)).await.ok()?)
}

fn is_admitted(answer: &Answer) -> Option<bool> {
    serde_json::from_str::<Value>(&answer.body).ok()?["response"]["allowed"].as_bool()
}

/// How many pods in a row a replica would deny.
pub(crate) async fn denied(replica: &Replica, pods: &[Value]) -> usize {
    let at = ([127, 0, 0, 1], replica.ports.webhook).into();
    let Ok(mut connection) = Caller::trusting_anybody().connect(at).await else { return 0 };
    for (number, pod) in pods.iter().enumerate() {
        let answer = connection.post("/validate", review(pod)).await;
        if answer.ok().and_then(|answer| is_admitted(&answer)) != Some(false) {
            return number;
        }
    }
    pods.len()
}
