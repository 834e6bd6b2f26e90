//! What must go on: old violations, and days without a controller.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use crate::plane::{Plane, Trials, eventually};
use crate::refusals::workload;
use crate::stand::{KEY, Stand, VIRGINIA};

pub(crate) fn trials() -> Trials {
    Trials::of("life")
        .alone("what_breaks_a_new_policy_lives_on", what_breaks_a_new_policy_lives_on)
        .alone("an_exception_ends_at_its_moment", an_exception_ends_at_its_moment)
        .alone("nothing_is_admitted_while_nobody_answers", nothing_is_admitted_while_nobody_answers)
}

/// The ratchet: an object that broke a policy before can be scaled, labelled and deleted.
async fn what_breaks_a_new_policy_lives_on(plane: &'static Plane) {
    let stand = Stand::up(plane, "ratchet").await;
    let mut deployment = workload("apps/v1", "Deployment", "old", "us-east-1");
    deployment["spec"]["template"]["metadata"]["annotations"] = json!({KEY: "health"});
    stand.apply(&deployment.to_string()).ok();
    let ns = ["-n", stand.namespace.as_str()];
    let policy = "
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: health-home}
spec: {classifications: [health], allow: [{jurisdictions: [DE]}]}
";
    let said = eventually("the impact of the policy is told", async || {
        let said = stand.admin.kubectl_reading(&["apply", "--dry-run=server", "-f", "-"], policy);
        said.stderr.contains("would break policy health-home").then_some(said)
    })
    .await;
    assert!(said.stderr.contains("Deployment"), "{}", said.stderr);
    stand.apply(policy).ok();
    eventually("the policy is in force", async || {
        let mut other = deployment.clone();
        other["metadata"]["name"] = json!("new");
        let arguments = ["create", "--dry-run=server", "-f", "-", ns[0], ns[1]];
        let said = stand.admin.kubectl_reading(&arguments, &other.to_string());
        said.stderr.contains("policy health-home").then_some(())
    })
    .await;
    for change in [
        &["scale", "deployment", "old", "--replicas=3"][..],
        &["label", "deployment", "old", "team=a"],
        &["annotate", "deployment", "old", "note=b"],
        &[
            "patch",
            "deployment",
            "old",
            "--type=merge",
            "-p",
            r#"{"metadata":{"finalizers":["example.com/f"]}}"#,
        ],
        &["patch", "deployment", "old", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#],
    ] {
        stand.admin.kubectl(&[change, &ns].concat()).ok();
    }
    // What it would add to it is judged.
    let there = r#"{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":"virginia"}}}}}"#;
    let change = ["patch", "deployment", "old", "--type=merge", "-p", there, ns[0], ns[1]];
    assert!(stand.admin.kubectl(&change).refused().contains("health-home"));
    stand.admin.kubectl(&["delete", "deployment", "old", ns[0], ns[1]]).ok();
    stand.admin.kubectl(&["delete", "respol", "health-home"]).ok();
}

async fn an_exception_ends_at_its_moment(plane: &'static Plane) {
    let stand = Stand::up(plane, "exception").await;
    let until = Timestamp::from_second(Timestamp::now().as_second() + 20).unwrap();
    let exception = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyException",
        "metadata": {"name": "drill", "namespace": stand.namespace},
        "spec": {"policies": ["eu-personal"], "objectSelector": {"matchLabels": {"app": "drill"}},
                 "allow": [{"jurisdictions": ["US"]}], "until": until.to_string(), "reason": "a drill"},
    });
    stand.apply(&exception.to_string()).ok();
    let pod = |name: &str| {
        let mut pod = stand.pod(name, "us-east-1");
        pod["metadata"]["labels"] = json!({"app": "drill"});
        pod["spec"]["schedulerName"] = json!("mine");
        pod
    };
    eventually("the exception is in force", async || {
        (stand.apply(&pod("early").to_string()).status == 0).then_some(())
    })
    .await;
    stand.apply(&pod("late").to_string()).ok();
    stand.bind("early", VIRGINIA, "bindings", &json!({})).ok();
    assert!(Timestamp::now() < until, "the machine is too slow to tell");
    let other = stand.apply(&stand.pod("other", "us-east-1").to_string()).refused();
    assert!(other.contains("policy eu-personal"), "{other}");
    while Timestamp::now() <= until {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let refused = stand.bind("late", VIRGINIA, "bindings", &json!({})).refused();
    assert!(refused.contains("policy eu-personal"), "{refused}");
    let refused = stand.apply(&pod("later").to_string()).refused();
    assert!(refused.contains("policy eu-personal"), "{refused}");
    // It is applied again, as by a repository, and grants nothing; to move its end takes the verb, as to make it did.
    let (role, ns) = ("--clusterrole=excepts", ["-n", stand.namespace.as_str()]);
    let resource = "--resource=residencyexceptions.domicile.dev";
    stand
        .admin
        .kubectl(&["create", "clusterrole", "excepts", "--verb=get,create,update,patch", resource])
        .ok();
    stand.admin.kubectl(&["create", "rolebinding", "excepts", role, "--user=gitops", ns[0], ns[1]]).ok();
    let tool = plane.user("gitops", &["system:authenticated"]).await;
    let again = |manifest: &serde_json::Value| {
        tool.kubectl_reading(&["apply", "-f", "-", ns[0], ns[1]], &manifest.to_string())
    };
    eventually("the role is held", async || (again(&exception).status == 0).then_some(())).await;
    let refused = stand.apply(&pod("later").to_string()).refused();
    assert!(refused.contains("policy eu-personal"), "{refused}");
    let mut longer = exception.clone();
    longer["spec"]["until"] = json!("2099-01-01T00:00:00Z");
    let refused = again(&longer).refused();
    assert!(refused.contains("except on residencypolicies/eu-personal"), "{refused}");
    stand.admin.kubectl(&["delete", "clusterrole", "excepts"]).ok();
    // What runs is not thrown out, and can be looked into.
    let debug = json!({"spec": {"ephemeralContainers": [{"name": "look", "image": "none"}]}}).to_string();
    let look = ["patch", "pod", "early", "--subresource=ephemeralcontainers", "-p", &debug, ns[0], ns[1]];
    stand.admin.kubectl(&look).ok();
    stand.admin.kubectl(&["label", "pod", "early", "seen=yes", ns[0], ns[1]]).ok();
    stand.admin.kubectl(&["delete", "pod", "early", "--force", ns[0], ns[1]]).ok();
}

async fn nothing_is_admitted_while_nobody_answers(plane: &'static Plane) {
    let mut stand = Stand::up(plane, "away").await;
    stand.serve.kill();
    let pod = stand.pod("orders", "eu-central-1");
    let mut plain = pod.clone();
    plain["metadata"]["annotations"] = json!({});
    for manifest in [&pod, &plain] {
        let refused = stand.apply(&manifest.to_string()).refused();
        assert!(refused.contains("failed calling webhook"), "{refused}");
    }
    // The cluster lives: its own namespace is not asked about, and Leases never are.
    let run = ["run", "probe", "--image=none", "--dry-run=server", "-n", "kube-system"];
    stand.admin.kubectl(&run).ok();
    stand.restart();
    stand.answers().await;
    eventually("it is admitted again", async || (stand.apply(&pod.to_string()).status == 0).then_some(()))
        .await;
    stand.serve.stop(Duration::from_secs(10));
    assert!(stand.serve.output().contains("serving"));
    stand.restart();
    stand.answers().await;
}
