//! What the properties found: each was once called proven, or passed, and was not.

use domicile::residency::Decision;

use super::support::{EU, NODES};
use super::*;

use Reach::{Observed, Proven, Violated};

/// Without the node in Istanbul, which is in reach of much.
fn nodes() -> String {
    NODES.split("---").filter(|node| !node.contains("ist-1a")).collect::<Vec<_>>().join("---")
}

fn hold(cases: &[(&str, &[&str], String, Reach)]) {
    for (what, cluster, spec, expected) in cases {
        let verdict = judged(&state(cluster), spec);
        assert_eq!(verdict.reach, *expected, "{what}: {verdict:#?}");
    }
}

#[test]
fn s3_a_node_that_is_initialising_adds_its_provider_for_a_pod_that_bears_that() {
    let unborn = "{apiVersion: v1, kind: Node, metadata: {name: new}, spec: {taints: [{key: \
                  node.cloudprovider.kubernetes.io/uninitialized, effect: NoSchedule}]}}";
    // At Alibaba, which it could be of, it is London.
    let region = format!("nodeSelector: {{{REGION}: eu-west-1}}");
    let bearing = format!("{region}, tolerations: [{{operator: Exists}}]");
    hold(&[
        ("not borne", &[NODES, unborn, EU], region, Proven),
        ("borne", &[NODES, unborn, EU], bearing.clone(), Observed),
        ("none there", &[NODES, EU], bearing, Proven),
    ]);
}

#[test]
fn s5_a_driver_label_pins_only_where_it_is_one_providers() {
    let geography = "{apiVersion: domicile.dev/v1alpha1, kind: Geography, metadata: {name: g}, spec: {drivers: \
                     [{name: any.test, topologyKeys: [any.test/zone]}]}}";
    hold(&[
        ("nobody's", &[NODES, geography, EU], "nodeSelector: {any.test/zone: eu-west-1a}".into(), Observed),
        // DigitalOcean's, and a word that anyone may use.
        ("no prefix", &[NODES, EU], "nodeSelector: {region: fra1}".into(), Observed),
        ("AWS's", &[NODES, EU], "nodeSelector: {topology.ebs.csi.aws.com/zone: eu-west-1a}".into(), Proven),
    ]);
}

#[test]
fn s5_a_term_that_no_node_can_meet_leads_nowhere() {
    let term = |list: &[String]| format!("{{matchExpressions: [{}]}}", list.join(", "));
    let good = term(&[within(REGION, "eu-west-1")]);
    let never = term(&[within(REGION, "us-east-1"), within(REGION, "eu-west-1")]);
    let nor = term(&[
        within(REGION, "us-east-1"),
        format!("{{key: {REGION}, operator: NotIn, values: [us-east-1]}}"),
    ]);
    hold(&[
        ("alone", &[NODES, EU], affinity(&never), Observed),
        ("beside another", &[NODES, EU], affinity(&format!("{good}, {never}, {nor}")), Proven),
    ]);
}

#[test]
fn s5_a_named_node_that_lacks_a_label_may_get_it() {
    let bare = "{apiVersion: v1, kind: Node, metadata: {name: bare, labels: {kubernetes.io/hostname: bare}}, spec: {}}";
    let fra = NODES.replace("{name: fra, labels: {", "{name: fra, labels: {kubernetes.io/hostname: fra, ");
    let spec = |hosts: &str| {
        expressions(&format!(
            "{}, {}",
            within("kubernetes.io/hostname", hosts),
            within(REGION, "eu-central-1")
        ))
    };
    hold(&[
        ("without", &[&fra, bare, EU], spec("fra"), Proven),
        ("with", &[&fra, bare, EU], spec("fra, bare"), Observed),
    ]);
}

#[test]
fn s5_a_label_that_is_absent_says_nothing_of_where_a_node_is() {
    // Its place reads the zone label, which a node in Istanbul need not have.
    let policy = EU.replace(
        "allow: [{jurisdictions: [EEA]}]",
        "allow: [{jurisdictions: [EEA]}], deny: [{nodeSelector: {matchLabels: {topology.kubernetes.io/zone: x}}}]",
    );
    let spec =
        expressions(&format!("{}, {{key: {ZONE}, operator: DoesNotExist}}", within(REGION, "eu-central-1")));
    hold(&[("absent", &[&nodes(), &policy], spec, Observed)]);
}

#[test]
fn s5_a_label_pins_only_for_policies_whose_places_select_on_it() {
    let anywhere = EU.replace("allow: [{jurisdictions: [EEA]}]", "deny: [{providers: [gcp]}]");
    let racks = "{apiVersion: domicile.dev/v1alpha1, kind: ResidencyPolicy, metadata: {name: racks}, spec: \
                 {classifications: [personal], allow: [{nodeSelector: {matchLabels: {rack: safe}}}]}}";
    let spec = "nodeSelector: {rack: safe}".to_owned();
    hold(&[
        ("its own", &[NODES, racks], spec.clone(), Proven),
        ("another's", &[NODES, racks, &anywhere], spec, Observed),
    ]);
}

#[test]
fn s3_an_operator_bound_by_another_law_in_one_zone_is_not_known_everywhere() {
    let geography = "{apiVersion: domicile.dev/v1alpha1, kind: Geography, metadata: {name: g}, spec: {providers: [{name: \
                     dc, schemes: [dc], jurisdiction: DE}], regions: [{provider: dc, region: one, jurisdiction: DE}, \
                     {provider: dc, region: one, zone: leased, jurisdiction: DE, providerJurisdiction: US}]}}";
    let node = "{apiVersion: v1, kind: Node, metadata: {name: here, labels: {rack: safe, topology.kubernetes.io/region: one, \
                topology.kubernetes.io/zone: a}}, spec: {providerID: 'dc://1'}}";
    let policy = EU.replace(
        "allow: [{jurisdictions: [EEA]}]",
        "allow: [{nodeSelector: {matchLabels: {rack: safe}}, providerJurisdictions: [DE]}]",
    );
    let spec = "nodeSelector: {rack: safe}".to_owned();
    hold(&[("one zone is leased", &[geography, node, &policy], spec, Observed)]);
}

#[test]
fn s6_what_nodes_say_of_a_volume_proves_nothing() {
    let labelled = NODES.replace("{name: dub, labels: {", "{name: dub, labels: {rack: safe, ");
    let policy =
        EU.replace("allow: [{jurisdictions: [EEA]}]", "allow: [{nodeSelector: {matchLabels: {rack: safe}}}]");
    let volume = format!(
        "{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: v, annotations: {{domicile.dev/data-classification: \
         personal}}}}, spec: {{csi: {{driver: ebs.csi.aws.com}}, nodeAffinity: {{required: {{nodeSelectorTerms: \
         [{{matchExpressions: [{}]}}]}}}}}}}}",
        within(ZONE, "eu-west-1a")
    );
    for (policy, expected) in [(policy.as_str(), Observed), (EU, Proven)] {
        let state = state(&[&labelled, policy]);
        let verdict = judge(&Request::create(&object(&volume)), &state, now());
        assert_eq!((verdict.decision, verdict.reach), (Decision::Allow, expected), "{policy}");
    }
}

#[test]
fn s6_a_claim_for_a_pod_that_keeps_data_on_its_node_already() {
    let policy = EU.replace("allow:", "activities: [Storage], allow:");
    let class = |mode: &str| {
        format!(
            "{{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {{name: c}}, provisioner: ebs.csi.aws.com, \
             volumeBindingMode: {mode}, allowedTopologies: [{{matchLabelExpressions: [{{key: {ZONE}, values: \
             [eu-west-1a]}}]}}]}}"
        )
    };
    let pod = |node: &str, more: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: shop}}, spec: {{nodeName: {node}, volumes: [{{name: \
             v, persistentVolumeClaim: {{claimName: data}}}}{more}]}}}}"
        )
    };
    let claim = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: shop, annotations: \
                 {domicile.dev/data-classification: personal}}, spec: {storageClassName: c}}";
    let disk = ", {name: w, hostPath: {path: /data}}";
    for (mode, node, more, expected) in [
        ("WaitForFirstConsumer", "iad", "", Violated),
        ("WaitForFirstConsumer", "dub", "", Observed),
        // Its disk is in Ireland whatever node mounts it, and working on it is none of this policy's concern.
        ("Immediate", "iad", "", Proven),
        ("Immediate", "iad", disk, Violated),
        ("Immediate", "dub", disk, Proven),
    ] {
        let state = state(&[NODES, &policy, &class(mode), &pod(node, more)]);
        let verdict = judge(&Request::create(&object(claim)), &state, now());
        assert_eq!(verdict.reach, expected, "{mode} {node} {more}: {verdict:#?}");
    }
}
