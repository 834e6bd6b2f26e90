//! Reviews in, answers out, with the state from files: what the API server is told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails that way")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use domicile::cluster::access::Authorizer;
use domicile::cluster::reader::Reader;
use domicile::cluster::{Kind, Shared};
use domicile::controller::events::{Reason, Report};
use domicile::server::{Call, Metrics, Reply, Reviewer};
use domicile::webhook::{Admission, Parts};
use serde_json::{Value, json};
use support::{EU, NODES};

const PINNED: &str = "
apiVersion: v1
kind: Pod
metadata: {name: orders, namespace: shop, annotations: {domicile.dev/data-classification: personal}}
spec:
  nodeSelector: {topology.kubernetes.io/region: eu-west-1}
  containers: [{name: app, image: app}]
";

struct Webhook {
    admission: Admission,
    told: Arc<Mutex<Vec<Report>>>,
}

impl Webhook {
    fn over(shared: Shared) -> Self {
        let told: Arc<Mutex<Vec<Report>>> = Arc::default();
        let heard = told.clone();
        let admission = Admission::new(Parts {
            shared,
            reader: Reader::Files,
            authorizer: Authorizer::Files,
            tell: Arc::new(move |report| heard.lock().unwrap().push(report)),
            metrics: Metrics::new(),
        });
        Self { admission, told }
    }

    fn new(cluster: &[&str]) -> Self {
        Self::over(Shared::complete(support::state(cluster)))
    }

    fn call<F: Future<Output = Reply>>(way: impl FnOnce(Call) -> F, body: Vec<u8>) -> Reply {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        runtime.block_on(way(Call { body: body.into(), deadline }))
    }

    fn validate(&self, review: &Value) -> Value {
        let reply = Self::call(|call| self.admission.validate(call), review.to_string().into());
        response(&reply, review)
    }

    fn mutate(&self, review: &Value) -> Value {
        let reply = Self::call(|call| self.admission.mutate(call), review.to_string().into());
        response(&reply, review)
    }

    fn told(&self) -> Vec<Report> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

fn response(reply: &Reply, review: &Value) -> Value {
    assert_eq!(reply.status.as_u16(), 200, "{}", String::from_utf8_lossy(&reply.body));
    let answer: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!((&answer["apiVersion"], &answer["kind"]), (&review["apiVersion"], &review["kind"]));
    assert_eq!(answer["response"]["uid"], review["request"]["uid"]);
    answer["response"].clone()
}

fn value(yaml: &str) -> Value {
    let [value] = &support::values(yaml)[..] else { panic!("one document is expected:\n{yaml}") };
    value.clone()
}

fn review(operation: &str, new: Option<&str>, old: Option<&str>) -> Value {
    let [new, old] = [new, old].map(|yaml| yaml.map(value));
    let object = new.as_ref().or(old.as_ref()).unwrap();
    let api_version = object["apiVersion"].as_str().unwrap();
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "5f1e2d3c", "operation": operation, "dryRun": false,
            "kind": {"group": group, "version": version, "kind": object["kind"]},
            "resource": {"group": group, "version": version, "resource": "any"},
            "name": object["metadata"]["name"], "namespace": object["metadata"]["namespace"].as_str().unwrap_or(""),
            "userInfo": {"username": "dev", "groups": ["system:authenticated"]},
            "object": new, "oldObject": old, "options": {},
        },
    })
}

fn create(yaml: &str) -> Value {
    review("CREATE", Some(yaml), None)
}

fn message(response: &Value) -> &str {
    response["status"]["message"].as_str().unwrap_or_default()
}

#[test]
fn what_may_be_is_allowed_with_its_evidence() {
    let webhook = Webhook::new(&[NODES, EU]);
    let response = webhook.validate(&create(PINNED));
    assert_eq!(response["allowed"], true, "{response}");
    assert_eq!(
        response["auditAnnotations"],
        json!({"decision": "Allow", "classifications": "personal", "reach": "Proven"})
    );
    assert!(webhook.told().is_empty());
}

#[test]
fn what_may_not_be_is_refused_in_words_for_people_and_machines() {
    let webhook = Webhook::new(&[NODES, EU]);
    let response = webhook.validate(&create(&PINNED.replace("eu-west-1", "us-east-1")));
    assert_eq!(response["allowed"], false);
    assert_eq!(response["status"]["code"], 403);
    assert_eq!(response["status"]["reason"], "Forbidden");
    let cause = &response["status"]["details"]["causes"][0];
    assert_eq!(cause["reason"], "NodeOutsideJurisdiction");
    assert_eq!(cause["field"], "spec.nodeSelector");
    assert_eq!(response["auditAnnotations"]["policies"], "eu-personal");
    assert_eq!(response["auditAnnotations"]["decision"], "Deny");
    insta::assert_snapshot!(message(&response));
    let told = webhook.told();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].reason, Reason::ResidencyDenied);
    assert_eq!(told[0].related.as_ref().unwrap().name.as_deref(), Some("eu-personal"));
    let about = &told[0].regarding;
    assert_eq!((about.kind.as_deref(), about.name.as_deref()), (Some("Pod"), Some("orders")));
}

/// An attachment has no namespace: who uses the volume looks at the claim.
#[test]
fn a_refused_attachment_is_told_on_the_claim() {
    let volume = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv, annotations: {domicile.dev/data-classification: \
                  personal}}, spec: {csi: {driver: ebs.csi.aws.com}, claimRef: {namespace: shop, name: data}, nodeAffinity: {required: \
                  {nodeSelectorTerms: [{matchExpressions: [{key: topology.kubernetes.io/zone, operator: In, values: [eu-west-1a]}]}]}}}}";
    let attachment = "{apiVersion: storage.k8s.io/v1, kind: VolumeAttachment, metadata: {name: csi-1}, spec: {attacher: \
                      ebs.csi.aws.com, nodeName: iad, source: {persistentVolumeName: pv}}}";
    let about = |cluster: &[&str]| {
        let webhook = Webhook::new(cluster);
        let response = webhook.validate(&create(attachment));
        assert_eq!(response["allowed"], false, "{response}");
        let about = webhook.told()[0].regarding.clone();
        [about.kind, about.namespace, about.name].map(Option::unwrap_or_default)
    };
    assert_eq!(about(&[NODES, EU, volume]), ["PersistentVolumeClaim", "shop", "data"]);
    let free = volume.replace("claimRef: {namespace: shop, name: data},", "");
    assert_eq!(about(&[NODES, EU, &free]), ["VolumeAttachment", "", "csi-1"]);
}

#[test]
fn tries_to_make_the_same_object_are_told_as_one() {
    let webhook = Webhook::new(&[NODES, EU]);
    let abroad = PINNED.replace("eu-west-1", "us-east-1");
    for uid in ["one", "two"] {
        let tried = abroad.replace("{name: orders,", &format!("{{name: orders, uid: {uid},"));
        webhook.validate(&create(&tried));
        assert_eq!(webhook.told()[0].regarding.uid, None);
    }
    // Nor has the name that is made up for each.
    let notes: Vec<String> = ["x7xbz", "k2lmn"]
        .iter()
        .map(|end| {
            let tried = abroad.replace("{name: orders,", &format!("{{generateName: web-, name: web-{end},"));
            webhook.validate(&create(&tried));
            webhook.told()[0].note.clone()
        })
        .collect();
    assert!(notes[0] == notes[1] && notes[0].starts_with("Pod shop/web-* (CREATE by"), "{notes:?}");
    // What is there has a uid that stays.
    let old = PINNED.replace("{name: orders,", "{name: orders, uid: u1,");
    let new = old.replace("eu-west-1", "us-east-1");
    webhook.validate(&review("UPDATE", Some(&new), Some(&old)));
    assert_eq!(webhook.told()[0].regarding.uid.as_deref(), Some("u1"));
}

#[test]
fn an_event_is_about_the_owner_and_a_dry_run_makes_none() {
    let webhook = Webhook::new(&[NODES, EU]);
    let owned = PINNED.replace("eu-west-1", "us-east-1").replace(
        "namespace: shop,",
        "namespace: shop, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: orders-7, uid: u7, controller: true}],",
    );
    let mut review = create(&owned);
    webhook.validate(&review);
    let told = webhook.told();
    let about = &told[0].regarding;
    assert_eq!(
        [&about.api_version, &about.kind, &about.namespace, &about.name, &about.uid],
        ["apps/v1", "ReplicaSet", "shop", "orders-7", "u7"].map(|text| Some(text.to_owned())).each_ref()
    );
    review["request"]["dryRun"] = json!(true);
    assert_eq!(webhook.validate(&review)["allowed"], false);
    assert!(webhook.told().is_empty());
}

#[test]
fn warnings_are_told_to_whoever_asks() {
    let warn = EU.replace("spec: {", "spec: {action: Warn, ");
    let webhook = Webhook::new(&[NODES, &warn]);
    let response = webhook.validate(&create(&PINNED.replace("eu-west-1", "us-east-1")));
    assert_eq!(response["allowed"], true);
    let warning = response["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("policy eu-personal: ") && warning.contains("iad"), "{warning}");
    assert_eq!(webhook.told()[0].reason, Reason::ResidencyWarned);
}

#[test]
fn bindings_are_judged_by_their_node() {
    let webhook = Webhook::new(&[NODES, EU, &PINNED.replace("eu-west-1", "eu-central-1")]);
    let bind = |node: &str| {
        webhook.validate(&create(&format!(
            "{{apiVersion: v1, kind: Binding, metadata: {{name: orders, namespace: shop}}, target: {{kind: Node, name: {node}}}}}"
        )))
    };
    let inside = bind("fra");
    assert_eq!((&inside["allowed"], inside["status"].is_null()), (&json!(true), true), "{inside}");
    assert!(inside["auditAnnotations"]["location"].as_str().unwrap().contains("eu-central-1a"));
    for node in ["ist", "iad", "ghost"] {
        let refused = bind(node);
        assert_eq!(refused["allowed"], false, "{node}");
        assert_eq!(refused["status"]["details"]["causes"][0]["field"], "target.name");
    }
    let told = webhook.told();
    assert!(told.iter().all(|one| one.regarding.kind.as_deref() == Some("Pod")));
    let mut other = create(
        "{apiVersion: v1, kind: Binding, metadata: {name: harmless, namespace: shop}, target: {kind: Node, name: iad}}",
    );
    other["request"]["name"] = json!("orders");
    assert!(message(&webhook.validate(&other)).contains("is not what the request is about"));
}

#[test]
fn nothing_is_admitted_that_cannot_be_judged() {
    let unread = Webhook::over(Shared::awaiting(support::state(&[NODES, EU]), [Kind::Pod, Kind::Node]));
    let response = unread.validate(&create(PINNED));
    assert!(message(&response).contains("has not read the cluster yet (missing: Node, Pod)"), "{response}");
    assert_eq!(unread.mutate(&create(PINNED))["allowed"], false);

    let webhook = Webhook::new(&[NODES, EU]);
    let mut broken = create(PINNED);
    broken["request"]["object"]["spec"]["volumes"] = json!("none");
    let response = webhook.validate(&broken);
    assert!(message(&response).contains("Pod: spec.volumes: invalid type"), "{response}");

    for body in ["", "{}", "[1]", "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\"}"] {
        let reply = Webhook::call(|call| webhook.admission.validate(call), body.into());
        assert_eq!(reply.status.as_u16(), 400, "{body}");
    }
}

#[test]
fn a_verb_is_held_by_nobody_where_the_state_comes_from_files() {
    let webhook = Webhook::new(&[NODES, EU, PINNED]);
    let old = PINNED;
    let new = PINNED.replace(", annotations: {domicile.dev/data-classification: personal}", "");
    let response = webhook.validate(&review("UPDATE", Some(&new), Some(old)));
    assert_eq!(response["allowed"], false);
    assert!(message(&response).contains("declassify on residencypolicies/eu-personal"), "{response}");
    assert!(message(&response).ends_with("which the user does not hold [metadata]"), "{response}");
    let labelled = PINNED.replace("namespace: shop,", "namespace: shop, labels: {a: b},");
    assert_eq!(webhook.validate(&review("UPDATE", Some(&labelled), Some(old)))["allowed"], true);
}

#[test]
fn a_policy_says_what_it_would_break() {
    let bound = PINNED
        .replace(
            "annotations: {domicile.dev/data-classification: personal}",
            "annotations: {domicile.dev/data-classification: health}",
        )
        .replace("nodeSelector: {topology.kubernetes.io/region: eu-west-1}", "nodeName: iad");
    let webhook = Webhook::new(&[NODES, EU, &bound]);
    let policy = "
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: health-home}
spec: {classifications: [health], allow: [{jurisdictions: [DE]}]}
";
    let response = webhook.validate(&create(policy));
    assert_eq!(response["allowed"], true, "{response}");
    assert_eq!(
        response["warnings"],
        json!(["1 Pod in 1 namespace would break policy health-home; first: Pod shop/orders \
             (node iad: aws, us-east-1, us-east-1a, US, operator under US)"])
    );
    let wrong = policy.replace("jurisdictions: [DE]", "jurisdictions: [XX]");
    let refused = webhook.validate(&create(&wrong));
    assert_eq!(refused["allowed"], false);
    assert!(message(&refused).contains("spec.allow[0]"), "{refused}");
    let unknown = policy.replace("jurisdictions: [DE]", "jurisdictions: [NOWHERE]");
    let warned = webhook.validate(&create(&unknown));
    assert_eq!(warned["allowed"], true, "{warned}");
    assert!(warned["warnings"][0].as_str().unwrap().contains("NOWHERE"), "{warned}");
    // What matches nothing is told of, wherever it stands.
    let slip = policy.replace("allow: [{jurisdictions: [DE]}]", "deny: [{providers: [AWS]}]");
    let warned = webhook.validate(&create(&slip));
    assert_eq!(
        warned["warnings"][0],
        "ResidencyPolicy/health-home: spec.deny[0].providers[0]: no provider of the name AWS is known; did you mean aws?"
    );
    let gone = webhook.validate(&review("DELETE", None, Some(EU)));
    assert_eq!(gone["allowed"], true);
}

#[test]
fn a_geography_that_a_policy_needs_stays() {
    let geography = "
apiVersion: domicile.dev/v1alpha1
kind: Geography
metadata: {name: company}
spec: {groups: [{name: HOME, members: [DE]}]}
";
    let policy = "
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: home}
spec: {classifications: [health], allow: [{jurisdictions: [HOME]}]}
";
    let webhook = Webhook::new(&[NODES, geography, policy]);
    let refused = webhook.validate(&review("DELETE", None, Some(geography)));
    assert_eq!(refused["allowed"], false);
    assert!(message(&refused).contains("ResidencyPolicy/home needs it"), "{refused}");
    let free = Webhook::new(&[NODES, geography]);
    assert_eq!(free.validate(&review("DELETE", None, Some(geography)))["allowed"], true);
}

#[test]
fn a_geography_that_contradicts_another_is_told_and_stored() {
    let rack = |name: &str, country: &str| {
        format!(
            "
apiVersion: domicile.dev/v1alpha1
kind: Geography
metadata: {{name: {name}}}
spec: {{regions: [{{provider: rack, region: cellar, jurisdiction: {country}}}]}}
"
        )
    };
    let (one, other) = (rack("one", "DE"), rack("other", "FR"));
    let webhook = Webhook::new(&[NODES, &one]);
    let response = webhook.validate(&create(&other));
    assert_eq!(response["allowed"], true, "{response}");
    assert!(
        response["warnings"].to_string().contains("unknown until one of the two is changed"),
        "{response}"
    );
}

#[test]
fn what_cannot_be_read_of_ours_can_be_corrected_and_deleted() {
    let webhook = Webhook::new(&[NODES]);
    let odd = EU.replace("classifications: [personal]", "classifications: 7");
    assert_ne!(odd, EU);
    assert_eq!(webhook.validate(&review("CREATE", Some(&odd), None))["allowed"], false);
    assert_eq!(webhook.validate(&review("UPDATE", Some(EU), Some(&odd)))["allowed"], true);
    assert_eq!(webhook.validate(&review("DELETE", None, Some(&odd)))["allowed"], true);
}

#[test]
fn an_exception_takes_a_verb() {
    let exception = "
apiVersion: domicile.dev/v1alpha1
kind: ResidencyException
metadata: {name: drill, namespace: shop}
spec: {policies: [eu-personal], allow: [{jurisdictions: [US]}], until: '2030-01-01T00:00:00Z', reason: a drill}
";
    let webhook = Webhook::new(&[NODES, EU, exception]);
    let response = webhook.validate(&create(exception));
    assert!(message(&response).contains("except on residencypolicies/eu-personal"), "{response}");
    let labelled = exception.replace("namespace: shop}", "namespace: shop, labels: {a: b}}");
    assert_eq!(webhook.validate(&review("UPDATE", Some(&labelled), Some(exception)))["allowed"], true);
    assert_eq!(webhook.validate(&review("DELETE", None, Some(exception)))["allowed"], true);
}

#[test]
fn what_a_volume_inherits_is_written_down() {
    let claim = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop, annotations: {domicile.dev/data-classification: personal}}
spec: {storageClassName: gp3}
";
    let volume = "
apiVersion: v1
kind: PersistentVolume
metadata: {name: pv-1, annotations: {pv.kubernetes.io/provisioned-by: ebs.csi.aws.com}}
spec:
  claimRef: {namespace: shop, name: data}
  csi: {driver: ebs.csi.aws.com}
";
    let webhook = Webhook::new(&[NODES, EU, claim]);
    let response = webhook.mutate(&create(volume));
    assert_eq!(response["patchType"], "JSONPatch");
    let mut patched = value(volume);
    json_patch::patch(&mut patched, &patch(&response)).unwrap();
    assert_eq!(patched["metadata"]["annotations"]["domicile.dev/recorded-classification"], "personal");
    let again = review("UPDATE", Some(&patched.to_string()), Some(volume));
    assert!(webhook.mutate(&again)["patch"].is_null());
    assert!(Webhook::new(&[NODES, EU]).mutate(&create(volume))["patch"].is_null());
}

fn patch(response: &Value) -> json_patch::Patch {
    let encoded: k8s_openapi::ByteString = serde_json::from_value(response["patch"].clone()).unwrap();
    serde_json::from_slice(&encoded.0).unwrap()
}

#[test]
fn a_pod_is_confined_and_then_admitted() {
    let confine = EU.replace("spec: {", "spec: {remedy: Confine, ");
    let webhook = Webhook::new(&[NODES, &confine]);
    let free = PINNED.replace("nodeSelector: {topology.kubernetes.io/region: eu-west-1}", "priority: 0");
    let response = webhook.mutate(&create(&free));
    let mut patched = value(&free);
    json_patch::patch(&mut patched, &patch(&response)).unwrap();
    let validated = webhook.validate(&create(&patched.to_string()));
    assert_eq!(validated["allowed"], true, "{validated}");
    assert_eq!(validated["auditAnnotations"]["reach"], "Proven");
    assert!(webhook.mutate(&create(&patched.to_string()))["patch"].is_null(), "once is enough");
    assert_eq!(webhook.told()[0].reason, Reason::ResidencyConfined);

    let own_terms = PINNED.replace(
        "nodeSelector: {topology.kubernetes.io/region: eu-west-1}",
        "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [
          {matchExpressions: [{key: disk, operator: In, values: [ssd]}]}, {}, {matchFields: [{key: metadata.name, operator: In, values: [fra]}]}]}}}",
    );
    let response = webhook.mutate(&create(&own_terms));
    let mut patched = value(&own_terms);
    json_patch::patch(&mut patched, &patch(&response)).unwrap();
    let terms = &patched["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        ["nodeSelectorTerms"];
    assert!(
        terms
            .as_array()
            .unwrap()
            .iter()
            .all(|term| term["matchExpressions"].to_string().contains("topology.kubernetes.io/region")),
        "{terms}"
    );
    assert_eq!(webhook.validate(&create(&patched.to_string()))["allowed"], true);

    // What cannot be confined stays as it was written, and is refused for that.
    let abroad = PINNED.replace("eu-west-1", "us-east-1");
    assert!(webhook.mutate(&create(&abroad))["patch"].is_null());
    let said = webhook.validate(&create(&abroad));
    assert!(message(&said).contains("cannot be confined"), "{said}");

    // One that was not confined, or not in the end, is judged as it stands.
    let said = webhook.validate(&create(&free));
    assert!(message(&said).contains("iad"), "{said}");
    let many: Vec<String> = (0..1_100)
        .map(|n| format!("{{matchExpressions: [{{key: disk, operator: NotIn, values: [n{n}]}}]}}"))
        .collect();
    let many =
        own_terms.replace("{matchExpressions: [{key: disk, operator: In, values: [ssd]}]}", &many.join(", "));
    assert!(webhook.mutate(&create(&many))["patch"].is_null());
    assert_eq!(webhook.validate(&create(&many))["allowed"], false);
}

/// Nobody may write lines of their own into an answer, or into the audit log.
#[test]
fn what_is_no_classification_is_quoted() {
    let webhook = Webhook::new(&[NODES, EU]);
    let pod = PINNED
        .replace("data-classification: personal", r#"data-classification: "a\nTo be admitted, b, personal""#);
    let response = webhook.validate(&create(&pod));
    assert_eq!(response["allowed"], false, "{response}");
    let (first, _) = message(&response).split_once('\n').unwrap();
    assert_eq!(
        first,
        r#"Pod shop/orders carries "a\nTo be admitted" (annotation), "b" (annotation), personal (annotation) and is refused:"#
            .replace(r#""b""#, "b")
    );
    assert_eq!(response["auditAnnotations"]["classifications"], r#""a\nTo be admitted",b,personal"#);
}
