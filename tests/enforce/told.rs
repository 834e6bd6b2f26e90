//! What nobody can stop, or could not at that moment, is told of: an event about the object, and the policy's status.

use serde_json::{Value, json};

use crate::audit::{bound, events, status};
use crate::data::{claim, remove, share, volume};
use crate::looked_at::domicile;
use crate::plane::{Plane, Trials, eventually};
use crate::stand::{FRANKFURT, KEY, Stand, VIRGINIA};

pub(crate) fn trials() -> Trials {
    Trials::of("told")
        .alone("data_that_comes_to_a_claim_under_a_pod_abroad", data_that_comes)
        .alone("what_came_while_nobody_answered_or_was_asked", while_nobody_was_asked)
}

/// A policy's status counts so many, and all of these are told of.
async fn told(stand: &Stand, pods: &[&str]) {
    for pod in pods {
        let event = eventually(&format!("{pod} is told of"), async || {
            let told = events(stand, "ResidencyViolation");
            told.into_iter().find(|(about, _, _)| about == pod).map(|(_, policy, event)| (policy, event))
        })
        .await;
        assert_eq!((event.0.as_str(), &event.1["type"]), ("eu-personal", &json!("Warning")), "{}", event.1);
        assert_eq!(event.1["regarding"]["kind"], "Pod", "{}", event.1);
    }
    eventually("the status counts them", async || {
        (status(stand, "eu-personal") == ("False".into(), i64::try_from(pods.len()).unwrap())).then_some(())
    })
    .await;
}

async fn settled(stand: &Stand, claim: &str) {
    eventually("the claim is bound", async || {
        let phase = ["get", "pvc", claim, "-o", "jsonpath={.status.phase}", "-n", &stand.namespace];
        (stand.admin.kubectl(&phase).ok() == "Bound").then_some(())
    })
    .await;
}

/// A claim on a share at home that carries nothing, and a pod of that name abroad that mounts it.
async fn mounted_abroad(stand: &Stand, name: &str) {
    let mut plain = claim(stand, name, "");
    plain["metadata"]["annotations"] = json!({});
    stand.apply(&plain.to_string()).ok();
    stand.apply(&share(stand, &format!("told-{name}"), name).to_string()).ok();
    settled(stand, name).await;
    bound(stand, name, VIRGINIA, |pod| {
        pod["metadata"]["annotations"] = json!({});
        pod["spec"]["volumes"] = mounts(name);
    })
    .await;
}

fn mounts(claim: &str) -> Value {
    json!([{"name": "data", "persistentVolumeClaim": {"claimName": claim}}])
}

async fn data_that_comes(plane: &'static Plane) {
    let stand = Stand::up(plane, "comes").await;
    let ns = ["-n", stand.namespace.as_str()];
    for name in ["annotated", "brought"] {
        mounted_abroad(&stand, name).await;
    }
    assert!(events(&stand, "ResidencyViolation").is_empty());

    // Its claim is classified: the truth about data must be writable, so whoever writes it is warned.
    let classify = ["annotate", "pvc", "annotated", &format!("{KEY}=personal"), ns[0], ns[1]];
    let said = eventually("the pod is known", async || {
        let said = stand.admin.kubectl(&[&classify[..], &["--dry-run=server"]].concat());
        said.stderr.contains("Warning").then_some(said)
    })
    .await;
    let expected = format!(
        "Warning: with this, objects that exist already would be where they may not be: Pod {}/annotated\n",
        stand.namespace
    );
    assert_eq!((said.status, &said.stderr), (0, &expected));
    assert_eq!(stand.admin.kubectl(&classify).stderr, expected);
    told(&stand, &["annotated"]).await;

    // One whose own volume is abroad stays as it is.
    let mut plain = claim(&stand, "away", "");
    plain["metadata"]["annotations"] = json!({});
    stand.apply(&plain.to_string()).ok();
    stand.apply(&volume(&stand, "told-away", "away", "", "us-east-1a").to_string()).ok();
    settled(&stand, "away").await;
    let classify = ["annotate", "pvc", "away", &format!("{KEY}=personal"), ns[0], ns[1]];
    let refused = stand.admin.kubectl(&classify).refused();
    assert!(refused.contains("policy eu-personal: "), "{refused}");

    // A pod at home brings classified data to its claim.
    bound(&stand, "writer", FRANKFURT, |pod| pod["spec"]["volumes"] = mounts("brought")).await;
    told(&stand, &["annotated", "brought"]).await;
    // Another that would read it abroad is refused, though neither it nor the claim says what it is.
    let mut another = stand.pod("another", "us-east-1");
    another["metadata"]["annotations"] = json!({});
    another["spec"]["volumes"] = mounts("brought");
    let refused = stand.apply(&another.to_string()).refused();
    assert!(refused.contains("policy eu-personal: "), "{refused}");
    remove(&stand, &["told-annotated", "told-brought", "told-away"]);
}

/// Makes a pod abroad that nobody judges.
async fn unjudged(stand: &Stand, name: &str) {
    let mut pod = stand.pod(name, "");
    pod["spec"]["nodeName"] = json!(VIRGINIA);
    eventually("it is let through", async || (stand.apply(&pod.to_string()).status == 0).then_some(())).await;
    assert_eq!(stand.node_of(name), VIRGINIA);
}

async fn while_nobody_was_asked(plane: &'static Plane) {
    let mut stand = Stand::with(plane, "unjudged", &["--set", "webhook.failurePolicy=Ignore"]).await;
    // Nobody answers, and what is set to `Ignore` goes through: all but exceptions, which would count until their end.
    stand.serve.kill();
    unjudged(&stand, "unanswered").await;
    let exception = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyException", "metadata": {"name": "drill"},
        "spec": {"policies": ["eu-personal"], "allow": [{"jurisdictions": ["US"]}],
                 "until": "2099-01-01T00:00:00Z", "reason": "a drill"},
    });
    let refused = stand.apply(&exception.to_string()).refused();
    assert!(refused.contains("failed calling webhook \"exceptions.domicile.dev\""), "{refused}");
    stand.restart();
    stand.answers().await;
    told(&stand, &["unanswered"]).await;
    let probe = ["probe", "-n", &stand.namespace];
    let said = domicile(stand.admin, &probe);
    assert_eq!(said.status, 0, "{}", said.stderr);

    // Nobody is asked any more.
    stand.off();
    unjudged(&stand, "unasked").await;
    told(&stand, &["unanswered", "unasked"]).await;
    let said = domicile(stand.admin, &probe);
    assert_eq!(said.status, 1, "{}", said.stderr);
    assert!(said.stderr.contains("enforcement is off in namespace"), "{}", said.stderr);
}
