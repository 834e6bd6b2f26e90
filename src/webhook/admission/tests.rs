//! Changes of policies that come all at once.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::own::NOT_TOLD;
use super::{Admission, Authorizer, Parts, Reader, Shared, State};
use crate::server::{Call, Metrics, Reviewer};

fn review(jurisdiction: &str, patience: Duration) -> Call {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "1", "operation": "CREATE", "name": "eu", "userInfo": {"username": "somebody"},
            "kind": {"group": "domicile.dev", "version": "v1alpha1", "kind": "ResidencyPolicy"},
            "resource": {"group": "domicile.dev", "version": "v1alpha1", "resource": "residencypolicies"},
            "object": {
                "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "eu"},
                "spec": {"classifications": ["personal"], "allow": [{"jurisdictions": [jurisdiction]}]},
            },
        },
    });
    Call { body: review.to_string().into(), deadline: Instant::now() + patience }
}

#[tokio::test]
async fn who_changes_a_policy_does_not_wait_for_all_others_who_do() {
    let admission = Admission::new(Parts {
        shared: Shared::complete(State::default()),
        reader: Reader::Files,
        authorizer: Authorizer::Files,
        tell: Arc::new(|_| {}),
        metrics: Metrics::new(),
    });
    let ask_within = async |jurisdiction: &str, patience| {
        let reply = admission.validate(review(jurisdiction, patience)).await;
        serde_json::from_slice::<Value>(&reply.body).unwrap()["response"].take()
    };
    let ask = async |jurisdiction: &str| ask_within(jurisdiction, Duration::from_secs(10)).await;
    let told = |answer: &Value| answer["warnings"].to_string().contains(NOT_TOLD);
    assert!(!told(&ask("DE").await));
    let turn = Arc::clone(&admission.0.impact).acquire_owned().await.unwrap();
    let answer = ask("DE").await;
    assert!(answer["allowed"] == true && told(&answer), "{answer}");
    // What is wrong is refused all the same.
    assert_eq!(ask("XX").await["allowed"], false);
    drop(turn);
    assert!(!told(&ask("DE").await));
    // Nor is it refused for want of time to tell what it would do.
    let answer = ask_within("DE", Duration::from_millis(100)).await;
    assert!(answer["allowed"] == true && told(&answer), "{answer}");
}
