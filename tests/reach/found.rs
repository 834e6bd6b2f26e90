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

/// A hall of one's own with a cage that is abroad. `more` is what else the provider has.
fn hall(more: &str) -> String {
    format!(
        "{{apiVersion: domicile.dev/v1alpha1, kind: Geography, metadata: {{name: hall}}, spec: {{providers: [{{name: dc, \
         schemes: [dc], jurisdiction: DE{more}}}], regions: [{{provider: dc, region: hall, jurisdiction: DE}}, {{provider: \
         dc, region: hall, zone: cage, jurisdiction: US}}]}}}}"
    )
}

const IN_HALL: &str = "{apiVersion: v1, kind: Node, metadata: {name: here, labels: {topology.kubernetes.io/region: hall, \
                       topology.kubernetes.io/zone: nave}}, spec: {providerID: 'dc://nave/1'}}";

fn not_the_cage(key: &str) -> String {
    expressions(&format!(
        "{}, {{key: {key}, operator: Exists}}, {{key: {key}, operator: NotIn, values: [cage]}}",
        within(REGION, "hall")
    ))
}

#[test]
fn s5_a_label_leaves_a_zone_out_only_where_nothing_else_can_name_it() {
    let (by_label, by_id) = (hall(""), hall(", providerIDZone: '^dc://(?<zone>[^/]+)/'"));
    // One whose label says a fault domain passes `NotIn`, and its provider ID says the cage.
    let domain = IN_HALL.replace("zone: nave", "zone: '1'").replace("name: here", "name: other");
    let caged = domain.replace("dc://nave", "dc://cage");
    hold(&[
        ("label alone", &[&by_label, IN_HALL, EU], not_the_cage(ZONE), Proven),
        ("provider ID", &[&by_id, IN_HALL, EU], not_the_cage(ZONE), Observed),
        ("it is there", &[&by_id, IN_HALL, &caged, EU], not_the_cage(ZONE), Violated),
        // To AWS's driver the hall is nothing, and its nodes need not say the truth in that label.
        (
            "another's driver",
            &[&by_label, IN_HALL, NODES, EU],
            not_the_cage("topology.ebs.csi.aws.com/zone"),
            Observed,
        ),
    ]);
}

#[test]
fn s5_a_number_is_not_always_the_name_of_a_zone() {
    let geography = hall(", providerIDZone: '^dc://(?<zone>[^/]+)/'")
        .replace("zone: cage, jurisdiction: US", "zone: cage, jurisdiction: DE");
    let policy = EU.replace("allow: [{jurisdictions: [EEA]}]", "deny: [{zones: [cage]}]");
    let spec = |zone: &str| format!("nodeSelector: {{{REGION}: hall, {ZONE}: '{zone}'}}");
    let caged = IN_HALL.replace("zone: nave", "zone: '1'").replace("dc://nave", "dc://cage");
    hold(&[
        ("a name", &[&geography, IN_HALL, &policy], spec("nave"), Proven),
        ("a number", &[&geography, IN_HALL, &policy], spec("1"), Observed),
        ("it is there", &[&geography, &caged, &policy], spec("1"), Violated),
    ]);
}

#[test]
fn s5_a_region_that_is_left_out_may_be_said_by_another_label() {
    // Hetzner's zones do not say their region; its own label does, whatever Kubernetes' says.
    let node = "{apiVersion: v1, kind: Node, metadata: {name: fsn, labels: {topology.kubernetes.io/region: fsn1}}, spec: \
                {providerID: 'hcloud://1'}}";
    let ashburn = node.replace("{topology.kubernetes.io/region: fsn1}", "{topology.kubernetes.io/region: '', topology.kubernetes.io/zone: z, csi.hetzner.cloud/location: ash}");
    let policy = EU.replace("allow: [{jurisdictions: [EEA]}]", "deny: [{jurisdictions: [US, SG]}]");
    let spec = expressions(&format!(
        "{}, {{key: {REGION}, operator: Exists}}, {{key: {REGION}, operator: NotIn, values: [ash, hil, sin]}}",
        within(ZONE, "z")
    ));
    hold(&[
        ("not there", &[node, &policy], spec.clone(), Observed),
        ("there", &[node, &ashburn, &policy], spec, Violated),
    ]);
}

#[test]
fn s5_a_zone_that_is_listed_for_two_regions_is_thought_of() {
    let geography = "{apiVersion: domicile.dev/v1alpha1, kind: Geography, metadata: {name: g}, spec: {providers: [{name: one, \
                     schemes: [one], zoneRule: '^(?<region>[a-z]+)-[0-9]$'}, {name: two, schemes: [two]}], regions: \
                     [{provider: one, region: east, jurisdiction: US}, {provider: one, region: west, jurisdiction: US}, \
                     {provider: one, region: east, zone: main, jurisdiction: US}, {provider: one, region: west, zone: main, \
                     jurisdiction: US}, {provider: two, region: hall, jurisdiction: DE}]}}";
    let node = |scheme: &str, region: &str| {
        format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: {scheme}, labels: {{{REGION}: {region}, {ZONE}: other}}}}, spec: \
             {{providerID: '{scheme}://1'}}}}"
        )
    };
    let (one, two) = (node("one", "east"), node("two", "hall"));
    let spec = format!("nodeSelector: {{{ZONE}: main}}");
    hold(&[
        ("of one provider", &[geography, &two, EU], spec.clone(), Proven),
        ("of both", &[geography, &one, &two, EU], spec, Observed),
    ]);
}

#[test]
fn s5_taints_prove_nothing() {
    const RESTRICTED: &str = "domicile.dev.node-restriction.kubernetes.io/jurisdiction";
    let moved = format!(
        "{{apiVersion: v1, kind: Node, metadata: {{name: outpost, labels: {{{REGION}: eu-west-1, {ZONE}: eu-west-1a, {RESTRICTED}: \
         US}}}}, spec: {{providerID: 'aws:///eu-west-1a/i-9', taints: [{{key: keep, effect: NoSchedule}}]}}}}"
    );
    let strict = EU.replace("allow:", "assurance: Proven, allow:");
    let spec = format!("nodeSelector: {{{REGION}: eu-west-1}}");
    let bearing = format!("{spec}, tolerations: [{{key: keep, operator: Exists}}]");
    hold(&[
        ("without it", &[NODES, EU], spec.clone(), Proven),
        ("tainted", &[NODES, &moved, EU], spec.clone(), Observed),
        ("tolerated", &[NODES, &moved, EU], bearing, Violated),
    ]);
    let verdict = judged(&state(&[NODES, &moved, &strict]), &spec);
    assert_eq!(verdict.decision, Decision::Deny);
    assert!(
        verdict.findings[0]
            .message
            .contains("only a taint, which may be lifted, keeps the pod off node outpost"),
        "{:#?}",
        verdict.findings
    );
}

#[test]
fn s3_a_volume_of_nobodys_driver_in_a_zone_of_any_region() {
    let volume = format!(
        "{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: v, annotations: {{domicile.dev/data-classification: \
         personal}}}}, spec: {{csi: {{driver: any.test}}, nodeAffinity: {{required: {{nodeSelectorTerms: \
         [{{matchExpressions: [{}]}}]}}}}}}}}",
        within(ZONE, "eu-west-1a")
    );
    let ashburn = format!(
        "{{apiVersion: v1, kind: Node, metadata: {{name: ash, labels: {{{REGION}: ash, {ZONE}: eu-west-1a}}}}, spec: \
         {{providerID: 'hcloud://1'}}}}"
    );
    let hybrid =
        "{apiVersion: v1, kind: Node, metadata: {name: hybrid}, spec: {providerID: 'eks-hybrid:///x/y/z'}}";
    for (what, cluster, decision, expected) in [
        ("one provider", vec![NODES, EU], Decision::Allow, Proven),
        // At Hetzner a zone can be called so anywhere, as that of this node is.
        ("two", vec![NODES, &ashburn, EU], Decision::Deny, Violated),
        // Of one whose regions nobody knows it can be a zone too.
        ("another", vec![NODES, hybrid, EU], Decision::Allow, Observed),
    ] {
        let verdict = judge(&Request::create(&object(&volume)), &state(&cluster), now());
        assert_eq!((verdict.decision, verdict.reach), (decision, expected), "{what}: {verdict:#?}");
    }
}

#[test]
fn s5_a_zone_of_a_provider_whose_regions_nobody_knows() {
    let openstack = "{apiVersion: v1, kind: Node, metadata: {name: os, labels: {site: x}}, spec: {providerID: 'openstack:///1'}}";
    let zone = format!("nodeSelector: {{{ZONE}: eu-west-1a}}");
    let hybrid = "{apiVersion: v1, kind: Node, metadata: {name: hy, labels: {site: x}}, spec: {providerID: 'eks-hybrid:///x'}}";
    let region = format!("nodeSelector: {{{REGION}: eu-west-1}}");
    let own = EU.replace("jurisdictions: [EEA]", "providers: [openstack]");
    let by_code = EU.replace("jurisdictions: [EEA]", "regions: [eu-west-1]");
    let of_both = EU.replace("jurisdictions: [EEA]", "providers: [aws, openstack]");
    hold(&[
        ("without it", &[NODES, EU], zone.clone(), Proven),
        // Any of its regions can have a zone of this name.
        ("with it", &[NODES, openstack, EU], zone.clone(), Observed),
        ("with one of a scheme that nobody lists", &[NODES, hybrid, EU], zone.clone(), Observed),
        ("nor do regions", &[NODES, openstack, EU], region.clone(), Observed),
        ("of either", &[NODES, hybrid, EU], region.clone(), Observed),
        ("unless it is permitted by that name", &[NODES, openstack, &by_code], region.clone(), Proven),
        ("or by whose it is", &[NODES, openstack, &of_both], region, Proven),
        ("but whose it is, is known", &[openstack, &own], zone, Proven),
    ]);
}

/// `region` is DigitalOcean's label for its nodes, and anybody's for theirs.
#[test]
fn s3_a_key_without_a_prefix_says_nothing_of_another_drivers_volume() {
    let node = "{apiVersion: v1, kind: Node, metadata: {name: us, labels: {region: eu-west-1}}, spec: {providerID: 'aws:///us-east-1a/i'}}";
    let volume = |driver: &str| {
        let volume = format!(
            "{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: v, annotations: {{domicile.dev/data-classification: \
             personal}}}}, spec: {{csi: {{driver: {driver}}}, nodeAffinity: {{required: {{nodeSelectorTerms: \
             [{{matchExpressions: [{}]}}]}}}}}}}}",
            within("region", "eu-west-1")
        );
        judge(&Request::create(&object(&volume)), &state(&[node, EU]), now()).reach
    };
    assert_eq!(volume("any.test"), Violated);
}

/// It waits for the pod, and goes nevertheless where it likes.
#[test]
fn s5_a_driver_without_a_topology_keeps_nothing_beside_the_pod() {
    let class = "{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: spread}, provisioner: driver.longhorn.io, \
                 volumeBindingMode: WaitForFirstConsumer}";
    let claim = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: shop}, spec: {storageClassName: spread}}";
    let spec = format!(
        "nodeSelector: {{{REGION}: eu-west-1}}, volumes: [{{name: d, persistentVolumeClaim: {{claimName: data}}}}]"
    );
    hold(&[("nodes abroad", &[NODES, EU, class, claim], spec.clone(), Violated)]);
    let beside = class.replace("driver.longhorn.io", "ebs.csi.aws.com");
    hold(&[("a driver that follows the pod", &[NODES, EU, &beside, claim], spec, Proven)]);
}
