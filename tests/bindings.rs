//! Bindings: the last word on where a pod runs (section 5).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

mod support;

use domicile::cluster::{Settings, State};
use domicile::residency::{Decision, Reach, Reason, Verdict};
use support::{EU, NODES, create, reasons};

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: orders, namespace: shop, annotations: {domicile.dev/data-classification: personal}}
";

fn binding(name: &str, target: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Binding, metadata: {{name: {name}, namespace: shop}}, target: {target}}}"
    )
}

fn bind(cluster: &[&str], node: &str) -> Verdict {
    let all = [&[NODES, EU], cluster].concat();
    create(&all, &binding("orders", &format!("{{apiVersion: v1, kind: Node, name: {node}}}")))
}

#[test]
fn s5_the_same_pod_is_permitted_or_not_by_its_node() {
    for (node, decision, reason) in [
        ("fra", Decision::Allow, None),
        ("dub", Decision::Allow, None),
        ("iad", Decision::Deny, Some(Reason::NodeOutsideJurisdiction)),
        ("ist", Decision::Deny, Some(Reason::NodeOutsideJurisdiction)),
        ("nobody-knows", Decision::Deny, Some(Reason::UnknownLocation)),
        ("not-there", Decision::Deny, Some(Reason::UnknownLocation)),
        ("FRA", Decision::Deny, Some(Reason::UnknownLocation)),
        ("'fra '", Decision::Deny, Some(Reason::UnknownLocation)),
        ("''", Decision::Deny, Some(Reason::UnknownLocation)),
        ("null", Decision::Deny, Some(Reason::UnknownLocation)),
    ] {
        let nowhere = "apiVersion: v1\nkind: Node\nmetadata: {name: nobody-knows}\n";
        let verdict = bind(&[POD, nowhere], node);
        assert_eq!((verdict.decision, reasons(&verdict)), (decision, reason.into_iter().collect()), "{node}");
        let reach = if decision == Decision::Allow { Reach::Proven } else { Reach::Violated };
        assert_eq!(verdict.reach, reach, "{node}");
        assert!(verdict.findings.iter().all(|finding| finding.policy.as_deref() == Some("eu-personal")));
    }
}

#[test]
fn s5_what_the_binding_says_of_itself_counts_for_nothing() {
    let forged = "
apiVersion: v1
kind: Binding
metadata:
  name: orders
  namespace: shop
  labels:
    topology.kubernetes.io/region: eu-central-1
    domicile.dev.node-restriction.kubernetes.io/jurisdiction: DE
  annotations: {domicile.dev/jurisdiction: DE}
  ownerReferences: [{kind: Node, name: iad}]
target: {kind: Node, name: iad}
";
    let verdict = create(&[NODES, EU, POD], forged);
    assert_eq!(
        (verdict.decision, reasons(&verdict)),
        (Decision::Deny, vec![Reason::NodeOutsideJurisdiction])
    );
    assert_eq!(verdict.classifications.len(), 1, "{:#?}", verdict.classifications);
    assert!(
        create(&[NODES, EU, POD], &forged.replace("name: iad}\n", "name: fra}\n")).decision
            == Decision::Allow
    );
}

/// The API server writes a binding's annotations over its pod's, and adds its labels.
#[test]
fn s2_a_binding_cannot_change_what_its_pod_carries() {
    let bare = "{apiVersion: v1, kind: Pod, metadata: {name: orders, namespace: shop}}";
    for metadata in [
        "annotations: {domicile.dev/data-classification: ''}",
        "annotations: {domicile.dev/data-classification: personal}",
        "annotations: {domicile.dev/recorded-classification: ''}",
        "labels: {domicile.dev/data-classification: harmless}",
    ] {
        for pod in [POD, bare] {
            let forged = binding("orders", "{kind: Node, name: fra}")
                .replace("name: orders", &format!("name: orders, {metadata}"));
            let verdict = create(&[NODES, EU, pod], &forged);
            assert_eq!(
                (verdict.decision, reasons(&verdict)),
                (Decision::Deny, vec![Reason::Declassification]),
                "{metadata}: {verdict:#?}"
            );
        }
    }
    let harmless = binding("orders", "{kind: Node, name: fra}")
        .replace("name: orders", "name: orders, annotations: {scheduler.example/score: '7'}");
    assert_eq!(create(&[NODES, EU, POD], &harmless).decision, Decision::Allow);
}

/// A label that a policy's selector reads can free a pod of the policy, or put it under one.
#[test]
fn s2_what_a_binding_adds_to_the_labels_of_its_pod_is_judged() {
    let spared = EU.replace(
        "{classifications:",
        "{objectSelector: {matchExpressions: [{key: spared, operator: DoesNotExist}]}, classifications:",
    );
    assert_ne!(spared, EU);
    let bound = |label: &str, policy: &str| {
        let binding = binding("orders", "{kind: Node, name: fra}")
            .replace("name: orders", &format!("name: orders, labels: {{{label}: 'yes'}}"));
        create(&[NODES, policy, POD], &binding)
    };
    let freed = bound("spared", &spared);
    let verbs: Vec<_> = freed.requires.iter().map(|one| (one.verb.as_str(), one.policy.as_str())).collect();
    assert_eq!(verbs, [("declassify", "eu-personal")]);
    assert!(bound("other", &spared).requires.is_empty());
    assert!(bound("spared", EU).requires.is_empty());
}

/// Kubernetes 1.35 and newer write a binding's labels over those that the pod has.
#[test]
fn s2_a_label_that_a_binding_writes_over_one_of_its_pod_is_judged() {
    let of_shop =
        EU.replace("{classifications:", "{objectSelector: {matchLabels: {app: shop}}, classifications:");
    assert_ne!(of_shop, EU);
    let pod = POD.replace("namespace: shop,", "namespace: shop, labels: {app: shop},");
    assert_ne!(pod, POD);
    for (label, verbs) in [("other", &["declassify"][..]), ("shop", &[])] {
        let binding = binding("orders", "{kind: Node, name: fra}")
            .replace("name: orders", &format!("name: orders, labels: {{app: {label}}}"));
        let verdict = create(&[NODES, &of_shop, &pod], &binding);
        let required: Vec<_> = verdict.requires.iter().map(|one| one.verb.as_str()).collect();
        assert_eq!(required, verbs, "{label}");
    }
}

/// An older API server adds only the labels that the pod does not have.
#[test]
fn s2_a_label_that_a_binding_adds_beside_those_of_its_pod_is_judged() {
    let of_back_end = EU.replace(
        "{classifications:",
        "{objectSelector: {matchLabels: {app: shop, tier: back}}, classifications:",
    );
    assert_ne!(of_back_end, EU);
    let pod = POD.replace("namespace: shop,", "namespace: shop, labels: {app: shop},");
    let binding = binding("orders", "{kind: Node, name: iad}")
        .replace("name: orders", "name: orders, labels: {app: other, tier: back}");
    let verdict = create(&[NODES, &of_back_end, &pod], &binding);
    assert_eq!(reasons(&verdict), [Reason::NodeOutsideJurisdiction], "{verdict:#?}");
}

#[test]
fn s5_a_pod_that_nobody_knows_cannot_be_bound() {
    for cluster in [&[][..], &[&*POD.replace("shop", "other")], &[&*POD.replace("orders", "orders-1")]] {
        let verdict = bind(cluster, "fra");
        assert_eq!((verdict.decision, reasons(&verdict)), (Decision::Deny, vec![Reason::UnknownLocation]));
        assert_eq!(verdict.findings[0].policy, None);
    }
}

#[test]
fn s5_only_a_node_has_a_place() {
    for (target, decision) in [
        ("{name: fra}", Decision::Allow),
        ("{kind: '', name: fra}", Decision::Allow),
        ("{kind: Node, name: fra}", Decision::Allow),
        ("{kind: node, name: fra}", Decision::Deny),
        ("{kind: Machine, name: fra}", Decision::Deny),
        ("{kind: Pod, name: fra}", Decision::Deny),
        ("{}", Decision::Deny),
    ] {
        let verdict = create(&[NODES, EU, POD], &binding("orders", target));
        assert_eq!(verdict.decision, decision, "{target}: {verdict:#?}");
    }
}

#[test]
fn s5_a_pod_that_carries_nothing_is_not_judged() {
    let bare = "{apiVersion: v1, kind: Pod, metadata: {name: orders, namespace: shop}}";
    for (pod, node) in [(bare, "iad"), (bare, "not-there")] {
        let verdict = bind(&[pod], node);
        assert_eq!((verdict.decision, verdict.reach), (Decision::Allow, Reach::NotApplicable), "{node}");
    }
    // Nor does a policy whose terms nobody can read change that.
    let mut cluster = State::new(Settings::default());
    for yaml in [NODES, bare] {
        for value in support::values(yaml) {
            cluster.apply(support::parse(value));
        }
    }
    cluster.apply_unreadable_policy("all", &[]);
    let bound = support::object(&binding("orders", "{kind: Node, name: iad}"));
    let verdict =
        domicile::residency::judge(&domicile::residency::Request::create(&bound), &cluster, support::now());
    assert_eq!(verdict.decision, Decision::Allow);
}

#[test]
fn s5_what_a_pod_carries_at_its_binding() {
    let bare = "{apiVersion: v1, kind: Pod, metadata: {name: orders, namespace: shop, labels: {a: b}}}";
    let mounting = "
apiVersion: v1
kind: Pod
metadata: {name: orders, namespace: shop}
spec: {volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]}
";
    let own = "
apiVersion: v1
kind: Pod
metadata: {name: orders, namespace: shop}
spec:
  volumes:
  - name: data
    ephemeral: {volumeClaimTemplate: {metadata: {annotations: {domicile.dev/data-classification: personal}}, spec: {storageClassName: ''}}}
";
    let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {domicile.dev/data-classification: personal}}}";
    let claim = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop, annotations: {domicile.dev/data-classification: personal}}
spec: {storageClassName: ''}
";
    let other = claim.replace("namespace: shop", "namespace: other");
    let bound = claim
        .replace("personal", "")
        .replace("{storageClassName: ''}", "{volumeName: pv, storageClassName: ''}");
    let volume = "
apiVersion: v1
kind: PersistentVolume
metadata: {name: pv, annotations: {domicile.dev/recorded-classification: personal}}
spec: {csi: {driver: ebs.csi.aws.com}, claimRef: {namespace: shop, name: data}, nodeAffinity: {required:
  {nodeSelectorTerms: [{matchExpressions: [{key: topology.kubernetes.io/zone, operator: In, values: [eu-west-1a]}]}]}}}
";
    let second = mounting
        .replace("orders", "second")
        .replace("shop}", "shop, labels: {domicile.dev/data-classification: personal}}");
    let bare_claim = claim.replace("personal", "");
    for (what, cluster, decision) in [
        ("nothing", &[bare][..], Decision::Allow),
        ("its namespace's", &[bare, namespace], Decision::Deny),
        ("its claim's", &[mounting, claim], Decision::Deny),
        ("a claim of another namespace", &[mounting, &other], Decision::Allow),
        ("a claim that is not there yet", &[mounting], Decision::Allow),
        ("its volume's", &[mounting, &bound, volume], Decision::Deny),
        ("its own claim template's", &[own], Decision::Deny),
        ("another pod's, through the claim", &[mounting, &bare_claim, &second], Decision::Deny),
    ] {
        assert_eq!(bind(cluster, "iad").decision, decision, "{what}");
        assert_ne!(bind(cluster, "dub").decision, Decision::Deny, "{what}");
    }
}

#[test]
fn s5_claims_and_volumes_count_at_the_binding() {
    let pod = POD.to_owned() + "spec: {volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]}\n";
    let claim = |spec: &str| {
        format!(
            "{{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {{name: data, namespace: shop}}, spec: {spec}}}"
        )
    };
    let volume = |zone: &str| {
        format!(
            "
apiVersion: v1
kind: PersistentVolume
metadata: {{name: pv}}
spec: {{csi: {{driver: ebs.csi.aws.com}}, claimRef: {{namespace: shop, name: data}}, nodeAffinity: {{required:
  {{nodeSelectorTerms: [{{matchExpressions: [{{key: topology.kubernetes.io/zone, operator: In, values: [{zone}]}}]}}]}}}}}}
"
        )
    };
    let class = |mode: &str| {
        format!(
            "{{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {{name: ebs}}, provisioner: ebs.csi.aws.com, \
              volumeBindingMode: {mode}}}"
        )
    };
    let bound = claim("{volumeName: pv}");
    let made = claim("{storageClassName: ebs}");
    for (what, cluster, node, decision) in [
        ("a bound volume here", vec![bound.clone(), volume("eu-west-1a")], "dub", Decision::Allow),
        ("a bound volume abroad", vec![bound.clone(), volume("us-east-1a")], "dub", Decision::Deny),
        ("a volume that is gone", vec![bound], "dub", Decision::Deny),
        (
            "a disk made with the pod",
            vec![made.clone(), class("WaitForFirstConsumer")],
            "dub",
            Decision::Allow,
        ),
        (
            "a disk made with the pod, abroad",
            vec![made.clone(), class("WaitForFirstConsumer")],
            "iad",
            Decision::Deny,
        ),
        ("a disk made anywhere before", vec![made, class("Immediate")], "dub", Decision::Deny),
    ] {
        let cluster: Vec<&str> = std::iter::once(&*pod).chain(cluster.iter().map(String::as_str)).collect();
        let verdict = bind(&cluster, node);
        assert_eq!(verdict.decision, decision, "{what}: {verdict:#?}");
    }
}

#[test]
fn s4_at_a_binding_the_pod_stands_in_for_selectors_and_activities() {
    let pod = POD.replace("shop,", "shop, labels: {app: web},");
    for (policy, decision) in [
        (EU.replace("allow:", "objectSelector: {matchLabels: {app: web}}, allow:"), Decision::Deny),
        (EU.replace("allow:", "objectSelector: {matchLabels: {app: other}}, allow:"), Decision::Allow),
        (EU.replace("allow:", "activities: [Processing], allow:"), Decision::Deny),
        (EU.replace("allow:", "activities: [Storage], allow:"), Decision::Allow),
        (EU.replace("allow:", "action: Warn, allow:"), Decision::Warn),
        (EU.replace("allow:", "action: Audit, allow:"), Decision::Allow),
        (EU.replace("allow:", "remedy: Confine, allow:"), Decision::Deny),
        (EU.replace("allow:", "assurance: Proven, allow:"), Decision::Deny),
    ] {
        let verdict = create(&[NODES, &policy, &pod], &binding("orders", "{kind: Node, name: iad}"));
        assert_eq!(verdict.decision, decision, "{policy}");
        let verdict = create(&[NODES, &policy, &pod], &binding("orders", "{kind: Node, name: fra}"));
        assert_eq!(verdict.decision, Decision::Allow, "{policy}");
    }
}

#[test]
fn s5_where_a_pod_keeps_data_on_its_node() {
    let storage = EU.replace("allow:", "activities: [Storage], allow:");
    for (volume, decision) in [
        ("{name: v, hostPath: {path: /data}}", Decision::Deny),
        ("{name: v, emptyDir: {}}", Decision::Deny),
        ("{name: v, emptyDir: null}", Decision::Deny),
        ("{name: v}", Decision::Deny),
        ("{name: v, emptyDir: {medium: ''}}", Decision::Deny),
        ("{name: v, emptyDir: {medium: memory}}", Decision::Deny),
        ("{name: v, emptyDir: {medium: Memory}}", Decision::Allow),
        ("{name: v, emptyDir: {medium: HugePages-2Mi}}", Decision::Allow),
        ("{name: v, csi: {driver: topolvm.io}}", Decision::Deny),
        ("{name: v, csi: {driver: secrets-store.csi.k8s.io}}", Decision::Deny),
        ("{name: v, configMap: {name: c}}", Decision::Allow),
        ("{name: v, secret: {secretName: s}}", Decision::Allow),
    ] {
        let pod = format!("{POD}spec: {{volumes: [{volume}]}}\n");
        let verdict = create(&[NODES, &storage, &pod], &binding("orders", "{kind: Node, name: iad}"));
        assert_eq!(verdict.decision, decision, "{volume}");
    }
}

#[test]
fn s5_no_toleration_and_no_affinity_outweighs_the_node() {
    let pod = POD.to_owned()
        + "
spec:
  tolerations: [{operator: Exists}]
  nodeSelector: {topology.kubernetes.io/region: eu-central-1}
  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [
    {key: topology.kubernetes.io/zone, operator: In, values: [eu-central-1a]}]}]}}}
";
    assert_eq!(bind(&[&pod], "iad").decision, Decision::Deny);
    assert_eq!(bind(&[&pod], "fra").decision, Decision::Allow);
}
