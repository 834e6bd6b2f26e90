//! What a pod's volumes ask of its node.

use super::*;

const NODES: &str = "
{apiVersion: v1, kind: Node, metadata: {name: a, labels: {name: a, topology.kubernetes.io/zone: eu-west-1a}}, spec: {providerID: 'aws:///eu-west-1a/i-1'}}
---
{apiVersion: v1, kind: Node, metadata: {name: b, labels: {name: b, topology.kubernetes.io/zone: eu-west-1b}}, spec: {providerID: 'aws:///eu-west-1b/i-2'}}
---
{apiVersion: v1, kind: Node, metadata: {name: c, labels: {name: c, topology.kubernetes.io/zone: eu-west-1c}}, spec: {providerID: 'aws:///eu-west-1c/i-3'}}
";

/// A volume that belongs to a claim, with an affinity to these zones.
fn volume(name: &str, claim: &str, terms: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: {name}}}, spec: {{csi: {{driver: ebs.csi.aws.com}}, {claim} \
         nodeAffinity: {{required: {{nodeSelectorTerms: [{terms}]}}}}}}}}\n---\n"
    )
}

fn claim(name: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {{name: {name}, namespace: shop}}, spec: {{{spec}}}}}\n---\n"
    )
}

fn class(name: &str, mode: &str, topologies: &str) -> String {
    format!(
        "{{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {{name: {name}}}, provisioner: ebs.csi.aws.com, \
         volumeBindingMode: {mode}, allowedTopologies: [{topologies}]}}\n---\n"
    )
}

fn zones(values: &str) -> String {
    format!("{{matchExpressions: [{}]}}", within(ZONE, values))
}

fn topology(values: &str) -> String {
    format!("{{matchLabelExpressions: [{{key: {ZONE}, values: [{values}]}}]}}")
}

fn mount(claims: &[&str]) -> String {
    let list: Vec<_> = claims
        .iter()
        .enumerate()
        .map(|(index, claim)| format!("{{name: v{index}, persistentVolumeClaim: {{claimName: {claim}}}}}"))
        .collect();
    format!("volumes: [{}]", list.join(", "))
}

fn hold(cases: &[(&str, String, String, &str)]) {
    for (what, storage, spec, expected) in cases {
        let cluster = state(&[NODES, storage, &tripwires(&["a", "b", "c"])]);
        assert_eq!(reached(&cluster, spec), *expected, "{what}");
    }
}

#[test]
fn s5_bound_volumes() {
    let of_data = "claimRef: {namespace: shop, name: data},";
    let data = claim("data", "volumeName: pv");
    hold(&[
        ("one zone", volume("pv", of_data, &zones("eu-west-1a")) + &data, mount(&["data"]), "a"),
        (
            "several zones",
            volume("pv", of_data, &zones("eu-west-1a, eu-west-1b")) + &data,
            mount(&["data"]),
            "a b",
        ),
        (
            "several terms",
            volume("pv", of_data, &format!("{}, {}", zones("eu-west-1a"), zones("eu-west-1c"))) + &data,
            mount(&["data"]),
            "a c",
        ),
        ("an empty term", volume("pv", of_data, "{}") + &data, mount(&["data"]), ""),
        (
            "fields count for nothing: the scheduler shows it labels alone",
            volume("pv", of_data, "{matchFields: [{key: metadata.name, operator: In, values: [b]}]}") + &data,
            mount(&["data"]),
            "a b c",
        ),
        (
            "no affinity",
            volume("pv", of_data, "").replace("nodeAffinity: {required: {nodeSelectorTerms: []}}", "")
                + &data,
            mount(&["data"]),
            "a b c",
        ),
        (
            "and the pod's own",
            volume("pv", of_data, &zones("eu-west-1a, eu-west-1b")) + &data,
            format!("{}, nodeSelector: {{name: b}}", mount(&["data"])),
            "b",
        ),
        (
            "two volumes: both",
            volume("pv", of_data, &zones("eu-west-1a, eu-west-1b"))
                + &data
                + &volume("pw", "claimRef: {namespace: shop, name: log},", &zones("eu-west-1b, eu-west-1c"))
                + &claim("log", "volumeName: pw"),
            mount(&["data", "log"]),
            "b",
        ),
        // Bound is what names each other.
        (
            "the claim does not name it",
            volume("pv", of_data, &zones("eu-west-1a")) + &claim("data", ""),
            mount(&["data"]),
            "a b c",
        ),
        ("it names no claim", volume("pv", "", &zones("eu-west-1a")) + &data, mount(&["data"]), "a b c"),
        (
            "it names another claim",
            volume("pv", "claimRef: {namespace: shop, name: log},", &zones("eu-west-1a")) + &data,
            mount(&["data"]),
            "a b c",
        ),
        (
            "it names a claim of another namespace",
            volume("pv", "claimRef: {namespace: other, name: data},", &zones("eu-west-1a")) + &data,
            mount(&["data"]),
            "a b c",
        ),
        ("the volume is not there", data.clone(), mount(&["data"]), "a b c"),
        ("the claim is not there", String::new(), mount(&["data"]), "a b c"),
        (
            "a claim of its own",
            volume("pv", "claimRef: {namespace: shop, name: p-tmp},", &zones("eu-west-1a"))
                + &claim("p-tmp", "volumeName: pv"),
            "volumes: [{name: tmp, ephemeral: {volumeClaimTemplate: {spec: {}}}}]".to_owned(),
            "a",
        ),
    ]);
}

#[test]
fn s5_allowed_topologies_of_claims_that_wait() {
    let waits = |topologies: &str| class("ebs", "WaitForFirstConsumer", topologies);
    let data = claim("data", "storageClassName: ebs");
    let free = |class: &str, of: &str, zone: &str| {
        let terms = if zone.is_empty() { String::new() } else { zones(zone) };
        volume("pv", &format!("storageClassName: {class}, {of}"), &terms)
    };
    let own = "volumes: [{name: tmp, ephemeral: {volumeClaimTemplate: {spec: {storageClassName: ebs}}}}]"
        .to_owned();
    hold(&[
        ("none: anywhere", waits("") + &data, mount(&["data"]), "a b c"),
        ("one", waits(&topology("eu-west-1a")) + &data, mount(&["data"]), "a"),
        ("several values", waits(&topology("eu-west-1a, eu-west-1b")) + &data, mount(&["data"]), "a b"),
        (
            "several terms",
            waits(&format!("{}, {}", topology("eu-west-1a"), topology("eu-west-1c"))) + &data,
            mount(&["data"]),
            "a c",
        ),
        (
            "several labels of a term: all",
            waits(&format!(
                "{{matchLabelExpressions: [{{key: {ZONE}, values: [eu-west-1a, eu-west-1b]}}, {{key: name, values: [b, c]}}]}}"
            )) + &data,
            mount(&["data"]),
            "b",
        ),
        ("an empty term", waits("{matchLabelExpressions: []}") + &data, mount(&["data"]), ""),
        ("a claim of its own", waits(&topology("eu-west-1a")), own.clone(), "a"),
        (
            "two claims: both",
            waits(&topology("eu-west-1a, eu-west-1b"))
                + &data
                + &class("log", "WaitForFirstConsumer", &topology("eu-west-1b, eu-west-1c"))
                + &claim("log", "storageClassName: log"),
            mount(&["data", "log"]),
            "b",
        ),
        (
            "the default class",
            waits(&topology("eu-west-1a")).replace(
                "name: ebs",
                "name: ebs, annotations: {storageclass.kubernetes.io/is-default-class: 'true'}",
            ) + &claim("data", ""),
            mount(&["data"]),
            "a",
        ),
        // The scheduler goes by a free volume of the class first, wherever the class would make one.
        (
            "and a free volume",
            waits(&topology("eu-west-1a")) + &data + &free("ebs", "", "eu-west-1c"),
            mount(&["data"]),
            "a c",
        ),
        (
            "and one of another class",
            waits(&topology("eu-west-1a")) + &data + &free("log", "", "eu-west-1c"),
            mount(&["data"]),
            "a",
        ),
        (
            "and one that is kept for another claim",
            waits(&topology("eu-west-1a"))
                + &data
                + &free("ebs", "claimRef: {namespace: shop, name: log},", "eu-west-1c"),
            mount(&["data"]),
            "a",
        ),
        (
            "and one that every node reaches",
            waits(&topology("eu-west-1a"))
                + &data
                + &free("ebs", "", "").replace("nodeAffinity: {required: {nodeSelectorTerms: []}}", ""),
            mount(&["data"]),
            "a b c",
        ),
        (
            "for a claim of its own",
            waits(&topology("eu-west-1a")) + &free("ebs", "", "eu-west-1c"),
            own.clone(),
            "a c",
        ),
        // One that is made at once is not waiting for the pod.
        (
            "made at once",
            class("ebs", "Immediate", &topology("eu-west-1a")) + &data,
            mount(&["data"]),
            "a b c",
        ),
    ]);
}
