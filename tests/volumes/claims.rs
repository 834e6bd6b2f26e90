//! PersistentVolumeClaims: where their volume is, or will be made.

use super::*;

fn ebs(mode: &str, topologies: &str) -> String {
    class(
        "ebs",
        &format!(
            "provisioner: ebs.csi.aws.com, volumeBindingMode: {mode}, allowedTopologies: [{topologies}]"
        ),
    )
}

/// One of the allowed topologies.
fn topology(key: &str, list: &str) -> String {
    format!("{{matchLabelExpressions: [{{key: {key}, values: [{list}]}}]}}")
}

fn all() -> String {
    format!("{NODES}\n---\n")
}

fn at_home() -> String {
    format!("{}\n---\n", home())
}

#[test]
fn s6_with_a_volume() {
    let of_pv = claim("volumeName: pv, storageClassName: ''");
    let zone = |zone: &str, reference: &str| {
        volume(
            "",
            &format!("csi: {{driver: ebs.csi.aws.com}}, {reference} {}", affinity(&within(ZONE, zone))),
        )
    };
    let ours = "claimRef: {namespace: shop, name: data},";
    hold(&[
        ("at home", all() + &zone("eu-west-1a", ours), of_pv.clone(), Proven),
        ("abroad", all() + &zone("us-east-1a", ours), of_pv.clone(), Outside),
        // Asked for is enough: it will be bound there.
        ("asked for", all() + &zone("us-east-1a", ""), of_pv.clone(), Outside),
        (
            "that is another's",
            all() + &zone("us-east-1a", "claimRef: {namespace: other, name: data},"),
            of_pv.clone(),
            Outside,
        ),
        ("that is not there", all(), of_pv, Unknown),
        // Its class has nothing to say any more.
        (
            "whatever its class says",
            all() + &zone("eu-west-1a", ours) + &ebs("Immediate", &topology(ZONE, "us-east-1a")),
            claim("volumeName: pv, storageClassName: ebs"),
            Proven,
        ),
    ]);
}

#[test]
fn s6_made_at_once() {
    let of_ebs = claim("storageClassName: ebs");
    let copy = "dataSource: {kind: VolumeSnapshot, name: s}";
    // A copy is made before a node is asked, so a class that waits does not wait for it.
    for (mode, of_ebs) in [
        ("Immediate", of_ebs.clone()),
        ("", of_ebs),
        ("WaitForFirstConsumer", claim(&format!("storageClassName: ebs, {copy}"))),
        (
            "WaitForFirstConsumer",
            claim("storageClassName: ebs, dataSourceRef: {kind: PersistentVolumeClaim, name: other}"),
        ),
        (
            "WaitForFirstConsumer",
            claim("storageClassName: ebs, dataSourceRef: {apiGroup: a.b, kind: Populator, name: other}"),
        ),
    ] {
        let ebs = |topologies: &str| ebs(&format!("'{mode}'"), topologies);
        hold(&[
            ("anywhere the cluster is", all() + &ebs(""), of_ebs.clone(), Outside),
            ("anywhere the cluster is, all at home", at_home() + &ebs(""), of_ebs.clone(), Observed),
            ("in a zone", all() + &ebs(&topology(ZONE, "eu-west-1a")), of_ebs.clone(), Proven),
            ("in zones", all() + &ebs(&topology(ZONE, "eu-west-1a, eu-central-1a")), of_ebs.clone(), Proven),
            (
                "in zones, one abroad",
                all() + &ebs(&topology(ZONE, "eu-west-1a, us-east-1a")),
                of_ebs.clone(),
                Outside,
            ),
            // Every term must be permitted.
            (
                "terms, one abroad",
                all() + &ebs(&format!("{}, {}", topology(ZONE, "eu-west-1a"), topology(ZONE, "us-east-1a"))),
                of_ebs.clone(),
                Outside,
            ),
            (
                "abroad, though the cluster is at home",
                at_home() + &ebs(&topology(ZONE, "us-east-1a")),
                of_ebs.clone(),
                Outside,
            ),
            (
                "the driver's key",
                all() + &ebs(&topology("topology.ebs.csi.aws.com/zone", "us-east-1a")),
                of_ebs.clone(),
                Outside,
            ),
            (
                "a region with zones abroad",
                all() + &ebs(&topology(REGION, "eu-central-1")),
                of_ebs.clone(),
                Outside,
            ),
            ("a zone that nobody knows", at_home() + &ebs(&topology(ZONE, "nova")), of_ebs.clone(), Unknown),
        ]);
    }
    let mode = "volumeBindingMode: Immediate";
    hold(&[
        (
            "by a driver that may be anywhere",
            at_home() + &class("ebs", &format!("provisioner: efs.csi.aws.com, {mode}")),
            claim("storageClassName: ebs"),
            Unknown,
        ),
        (
            "by a driver that nobody knows",
            at_home() + &class("ebs", &format!("provisioner: unheard.of, {mode}")),
            claim("storageClassName: ebs"),
            Unknown,
        ),
        (
            "as its class declares",
            at_home()
                + &class(
                    "ebs",
                    "metadata: {name: ebs, annotations: {domicile.dev/jurisdiction: IE}}, provisioner: efs.csi.aws.com",
                ),
            claim("storageClassName: ebs"),
            Proven,
        ),
        (
            "as its class declares, abroad",
            at_home()
                + &class(
                    "ebs",
                    "metadata: {name: ebs, annotations: {domicile.dev/jurisdiction: US}}, provisioner: efs.csi.aws.com",
                ),
            claim("storageClassName: ebs"),
            Outside,
        ),
        // What the claim declares of itself counts for nothing.
        (
            "as the claim itself declares",
            at_home() + &class("ebs", "provisioner: efs.csi.aws.com"),
            named_claim(
                "data",
                "annotations: {domicile.dev/data-classification: personal, domicile.dev/jurisdiction: DE}, labels: {topology.kubernetes.io/zone: eu-west-1a}",
                "storageClassName: ebs",
            ),
            Unknown,
        ),
        // On the disk of a node: of which, nobody asked a pod.
        (
            "on some node",
            all() + &class("ebs", &format!("provisioner: topolvm.io, {mode}")),
            claim("storageClassName: ebs"),
            Outside,
        ),
        (
            "on some node at home",
            at_home() + &class("ebs", &format!("provisioner: topolvm.io, {mode}")),
            claim("storageClassName: ebs"),
            Observed,
        ),
    ]);
}

#[test]
fn s6_made_when_a_pod_asks() {
    let waits = |topologies: &str| ebs("WaitForFirstConsumer", topologies);
    let of_ebs = claim("storageClassName: ebs");
    hold(&[
        ("anywhere: the pod decides", all() + &waits(""), of_ebs.clone(), Observed),
        ("in a zone", all() + &waits(&topology(ZONE, "eu-west-1a")), of_ebs.clone(), Observed),
        // Denied only if none is permitted.
        (
            "one of two at home",
            all() + &waits(&topology(ZONE, "eu-west-1a, us-east-1a")),
            of_ebs.clone(),
            Observed,
        ),
        (
            "one of two terms at home",
            all() + &waits(&format!("{}, {}", topology(ZONE, "us-east-1a"), topology(ZONE, "eu-west-1a"))),
            of_ebs.clone(),
            Observed,
        ),
        ("abroad", all() + &waits(&topology(ZONE, "us-east-1a")), of_ebs.clone(), Outside),
        (
            "abroad, in two terms",
            all()
                + &waits(&format!(
                    "{}, {}",
                    topology(ZONE, "us-east-1a"),
                    topology(ZONE, "eu-central-1-ist-1a")
                )),
            of_ebs.clone(),
            Outside,
        ),
        (
            "on the disk of its node",
            all()
                + &class(
                    "ebs",
                    "provisioner: rancher.io/local-path, volumeBindingMode: WaitForFirstConsumer",
                ),
            of_ebs,
            Observed,
        ),
    ]);
}

#[test]
fn s6_the_class_that_a_claim_is_made_with() {
    let default = |name: &str, key: &str, born: &str, zone: &str| {
        let born = if born.is_empty() { String::new() } else { format!("creationTimestamp: '{born}',") };
        class(
            name,
            &format!(
                "metadata: {{name: {name}, {born} annotations: {{{key}: 'true'}}}}, provisioner: ebs.csi.aws.com, allowedTopologies: [{}]",
                topology(ZONE, zone)
            ),
        )
    };
    let key = "storageclass.kubernetes.io/is-default-class";
    let (at_home_class, abroad) = (
        default("home", key, "2026-01-01T00:00:00Z", "eu-west-1a"),
        default("abroad", key, "2026-02-01T00:00:00Z", "us-east-1a"),
    );
    hold(&[
        ("the default", all() + &at_home_class, claim(""), Proven),
        ("the newest of several", all() + &at_home_class + &abroad, claim(""), Outside),
        ("in any order", all() + &abroad + &at_home_class, claim(""), Outside),
        // One that is yet to be made is newer than all that are there.
        (
            "one that is new",
            all() + &at_home_class + &default("new", key, "", "us-east-1a"),
            claim(""),
            Outside,
        ),
        (
            "by the key of old",
            all()
                + &default(
                    "old",
                    "storageclass.beta.kubernetes.io/is-default-class",
                    "2025-01-01T00:00:00Z",
                    "eu-west-1a",
                ),
            claim(""),
            Proven,
        ),
        (
            "by the key of old, and newer",
            all()
                + &at_home_class
                + &default(
                    "old",
                    "storageclass.beta.kubernetes.io/is-default-class",
                    "2026-03-01T00:00:00Z",
                    "us-east-1a",
                ),
            claim(""),
            Outside,
        ),
        (
            "one that is no default",
            all()
                + &at_home_class
                + &default("other", "is-default-class", "2026-03-01T00:00:00Z", "us-east-1a"),
            claim(""),
            Proven,
        ),
        ("no default", all() + &ebs("Immediate", &topology(ZONE, "eu-west-1a")), claim(""), Unknown),
        ("one that is not there", all() + &at_home_class, claim("storageClassName: gone"), Unknown),
        (
            "named, not the default",
            all() + &at_home_class + &ebs("Immediate", &topology(ZONE, "us-east-1a")),
            claim("storageClassName: ebs"),
            Outside,
        ),
        // The annotation of old goes before the field, for Kubernetes too.
        (
            "by the annotation of old",
            all() + &at_home_class + &abroad,
            named_claim(
                "data",
                "annotations: {domicile.dev/data-classification: personal, volume.beta.kubernetes.io/storage-class: abroad}",
                "storageClassName: home",
            ),
            Outside,
        ),
        (
            "by the annotation of old alone",
            all() + &at_home_class + &abroad,
            named_claim(
                "data",
                "annotations: {domicile.dev/data-classification: personal, volume.beta.kubernetes.io/storage-class: home}",
                "",
            ),
            Proven,
        ),
    ]);
}

#[test]
fn s6_without_a_class() {
    let none = claim("storageClassName: ''");
    let available = |zone: &str, rest: &str, phase: &str| {
        format!(
            "{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: v-{zone}}}, spec: {{csi: {{driver: ebs.csi.aws.com}}, {rest} {}}}, status: {{phase: {phase}}}}}\n---\n",
            affinity(&within(ZONE, zone))
        )
    };
    let (at_home_one, abroad) =
        (available("eu-west-1a", "", "Available"), available("us-east-1a", "", "Available"));
    hold(&[
        ("one at home", all() + &at_home_one, none.clone(), Observed),
        // As long as no class is the default, that is what it gets.
        ("and a claim that says nothing of a class", all() + &at_home_one, claim(""), Observed),
        ("one abroad, and such a claim", all() + &at_home_one + &abroad, claim(""), Outside),
        ("one abroad", all() + &at_home_one + &abroad, none.clone(), Outside),
        ("none: it waits", all(), none.clone(), Observed),
        (
            "one that is bound",
            all() + &at_home_one + &available("us-east-1a", "", "Bound"),
            none.clone(),
            Observed,
        ),
        (
            "one that is released",
            all() + &at_home_one + &available("us-east-1a", "", "Released"),
            none.clone(),
            Observed,
        ),
        (
            "one of a class",
            all() + &at_home_one + &available("us-east-1a", "storageClassName: other,", "Available"),
            none.clone(),
            Observed,
        ),
        (
            "one that is kept for another namespace",
            all()
                + &at_home_one
                + &available("us-east-1a", "claimRef: {namespace: other, name: x},", "Available"),
            none.clone(),
            Observed,
        ),
        (
            "one that is kept for a claim of this name in another namespace",
            all()
                + &at_home_one
                + &available("us-east-1a", "claimRef: {namespace: other, name: data},", "Available"),
            none.clone(),
            Observed,
        ),
        (
            "one that is kept for another claim",
            all()
                + &at_home_one
                + &available("us-east-1a", "claimRef: {namespace: shop, name: other},", "Available"),
            none.clone(),
            Observed,
        ),
        (
            "one that is kept for it",
            all()
                + &at_home_one
                + &available("us-east-1a", "claimRef: {namespace: shop, name: data},", "Available"),
            none.clone(),
            Outside,
        ),
        (
            "one that may be anywhere",
            all()
                + &at_home_one
                + "{apiVersion: v1, kind: PersistentVolume, metadata: {name: filer}, spec: {nfs: {}}}\n---\n",
            none.clone(),
            Unknown,
        ),
        (
            "one on the disk of whatever node",
            all()
                + &at_home_one
                + "{apiVersion: v1, kind: PersistentVolume, metadata: {name: host}, spec: {hostPath: {path: /}}}\n---\n",
            none,
            Outside,
        ),
    ]);
}

/// What is not denied yet is told: the claim would wait for ever for a volume that it may not have.
#[test]
fn s6_a_free_volume_abroad_is_warned_of() {
    let free = |zone: &str| {
        format!(
            "{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: old}}, spec: {{csi: {{driver: ebs.csi.aws.com}}, \
             storageClassName: ebs, {}}}, status: {{phase: Available}}}}\n---\n",
            affinity(&within(ZONE, zone))
        )
    };
    let warned = |volume: &str| {
        let cluster = all() + EU + "\n---\n" + &ebs("Immediate", &topology(ZONE, "eu-west-1a")) + volume;
        let state = support::state(&[&cluster]);
        let claim = claim("storageClassName: ebs");
        judge(&Request::create(&object(claim.trim_end_matches("\n---\n"))), &state, now()).warnings
    };
    assert_eq!(warned(""), [""; 0]);
    assert_eq!(warned(&free("eu-west-1a")), [""; 0]);
    let warnings = warned(&free("us-east-1a"));
    assert!(
        warnings.len() == 1 && warnings[0].contains("the free PersistentVolume old of its class"),
        "{warnings:?}"
    );
}

/// Kubernetes binds a claim to a free volume of its class rather than to one that is made.
#[test]
fn s6_with_free_volumes_of_its_class() {
    let free = |zone: &str, class: &str, rest: &str| {
        format!(
            "{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: v-{zone}}}, spec: {{csi: {{driver: ebs.csi.aws.com}}, \
             storageClassName: {class}, {rest} {}}}, status: {{phase: Available}}}}\n---\n",
            affinity(&within(ZONE, zone))
        )
    };
    let at_home = topology(ZONE, "eu-west-1a");
    let made_at_once = all() + &ebs("Immediate", &at_home);
    let of_ebs = claim("storageClassName: ebs");
    let by_hand =
        all() + &class("disks", "provisioner: kubernetes.io/no-provisioner, volumeBindingMode: Immediate");
    let (of_disks, of_manual) = (claim("storageClassName: disks"), claim("storageClassName: manual"));
    hold(&[
        ("none is free", made_at_once.clone(), of_ebs.clone(), Proven),
        // It is judged when it is bound; what the class says is no proof any more.
        ("one is free", made_at_once.clone() + &free("us-east-1a", "ebs", ""), of_ebs.clone(), Observed),
        (
            "one of another class is",
            made_at_once.clone() + &free("us-east-1a", "other", ""),
            of_ebs.clone(),
            Proven,
        ),
        (
            "one is kept for another claim",
            made_at_once + &free("us-east-1a", "ebs", "claimRef: {namespace: shop, name: other},"),
            of_ebs,
            Proven,
        ),
        (
            "one is kept for it",
            all()
                + &ebs("Immediate", &topology(ZONE, "eu-west-1a"))
                + &free("us-east-1a", "ebs", "claimRef: {namespace: shop, name: data},"),
            claim("storageClassName: ebs"),
            Outside,
        ),
        // Kubernetes asks for no class of a volume that is kept for the claim.
        (
            "one of another class is kept for it",
            all()
                + &ebs("Immediate", &topology(ZONE, "eu-west-1a"))
                + &free("us-east-1a", "other", "claimRef: {namespace: shop, name: data},"),
            claim("storageClassName: ebs"),
            Outside,
        ),
        // If that is too small or of another mode, one is made.
        (
            "one is kept for it at home, and its class has volumes made abroad",
            all()
                + &ebs("Immediate", &topology(ZONE, "us-east-1a"))
                + &free("eu-west-1a", "ebs", "claimRef: {namespace: shop, name: data},"),
            claim("storageClassName: ebs"),
            Outside,
        ),
        (
            "one is kept for a copy at home, and its class has volumes made anywhere",
            all()
                + &ebs("WaitForFirstConsumer", "")
                + &free("eu-west-1a", "ebs", "claimRef: {namespace: shop, name: data},"),
            claim("storageClassName: ebs, dataSource: {kind: VolumeSnapshot, name: s}"),
            Outside,
        ),
        (
            "one is kept for it at home, and the pod decides if it does not fit",
            all()
                + &ebs("WaitForFirstConsumer", "")
                + &free("eu-west-1a", "other", "claimRef: {namespace: shop, name: data},"),
            claim("storageClassName: ebs"),
            Observed,
        ),
        (
            "one is kept for it at home, and its class would keep one abroad",
            all()
                + &class(
                    "ebs",
                    "provisioner: disk.csi.azure.com, volumeBindingMode: WaitForFirstConsumer, parameters: {location: eastus}",
                )
                + &free("eu-west-1a", "other", "claimRef: {namespace: shop, name: data},"),
            claim("storageClassName: ebs"),
            Outside,
        ),
        (
            "one without a class is kept for it, at home",
            all()
                + &ebs("Immediate", &topology(ZONE, "eu-west-1a"))
                + &free("eu-west-1a", "''", "claimRef: {namespace: shop, name: data},"),
            claim("storageClassName: ebs"),
            Observed,
        ),
        (
            "two are kept for it, one of them abroad",
            all()
                + &ebs("Immediate", &topology(ZONE, "eu-west-1a"))
                + &free("eu-west-1a", "ebs", "claimRef: {namespace: shop, name: data},")
                + &free("us-east-1a", "other", "claimRef: {namespace: shop, name: data},"),
            claim("storageClassName: ebs"),
            Outside,
        ),
        (
            "one is kept for it that is another's already",
            all()
                + &ebs("Immediate", &topology(ZONE, "eu-west-1a"))
                + &free("us-east-1a", "other", "claimRef: {namespace: shop, name: data},")
                    .replace("Available", "Released"),
            claim("storageClassName: ebs"),
            Proven,
        ),
        ("none is made, and none is free yet", by_hand.clone(), of_disks.clone(), Observed),
        (
            "none is made, and one at home is free",
            by_hand.clone() + &free("eu-west-1a", "disks", ""),
            of_disks.clone(),
            Observed,
        ),
        (
            "none is made, and one abroad is free",
            by_hand.clone() + &free("us-east-1a", "disks", ""),
            of_disks.clone(),
            Outside,
        ),
        (
            "none is made, and one at home is kept for it",
            by_hand + &free("eu-west-1a", "disks", "claimRef: {namespace: shop, name: data},"),
            of_disks,
            Observed,
        ),
        // A class that exists only by its name, as in Kubernetes' own tutorial.
        ("a name in common, at home", all() + &free("eu-west-1a", "manual", ""), of_manual.clone(), Observed),
        ("a name in common, abroad", all() + &free("us-east-1a", "manual", ""), of_manual.clone(), Outside),
        ("a name in common with none", all() + &free("us-east-1a", "other", ""), of_manual, Unknown),
    ]);
}

/// What no node moves is not decided by the pod.
#[test]
fn s6_what_a_pod_that_comes_first_does_not_decide() {
    let nfs = |annotations: &str| {
        class(
            "nfs",
            &format!(
                "metadata: {{name: nfs, annotations: {{{annotations}}}}}, provisioner: nfs.csi.k8s.io, volumeBindingMode: WaitForFirstConsumer"
            ),
        )
    };
    let of_nfs = claim("storageClassName: nfs");
    hold(&[
        ("declared abroad", all() + &nfs("domicile.dev/jurisdiction: US"), of_nfs.clone(), Outside),
        ("declared at home", all() + &nfs("domicile.dev/jurisdiction: DE"), of_nfs.clone(), Proven),
        ("nobody knows where", all() + &nfs(""), of_nfs.clone(), Observed),
    ]);
    // A pod that is pinned moves nothing to where it is, so nothing is proven.
    let proven = EU.replace("{classifications:", "{assurance: Proven, classifications:");
    assert_ne!(proven, EU);
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop, annotations: {domicile.dev/data-classification: personal}}, \
               spec: {nodeSelector: {topology.kubernetes.io/zone: eu-west-1a, topology.kubernetes.io/region: eu-west-1}, \
               volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]}}";
    let on_disks = claim("storageClassName: ebs");
    for (what, storage, expected) in [
        ("a disk beside the node", ebs("WaitForFirstConsumer", "") + &on_disks, &[][..]),
        ("a share that is anywhere", nfs("") + &of_nfs, &[Reason::NotProven]),
        (
            "a free volume that every node reaches",
            ebs("WaitForFirstConsumer", "")
                + &on_disks
                + "{apiVersion: v1, kind: PersistentVolume, metadata: {name: far}, spec: {storageClassName: ebs, csi: {driver: ebs.csi.aws.com}}}\n---\n",
            &[Reason::NotProven],
        ),
    ] {
        let verdict = support::create(&[&all(), &storage, &proven], pod);
        assert_eq!(reasons(&verdict), expected, "{what}: {verdict:#?}");
    }
}

#[test]
fn s6_at_the_node_that_the_scheduler_chose() {
    let chosen = |node: &str, spec: &str| {
        named_claim(
            "data",
            &format!(
                "annotations: {{domicile.dev/data-classification: personal, volume.kubernetes.io/selected-node: {node}}}"
            ),
            spec,
        )
    };
    let waits = all() + &ebs("WaitForFirstConsumer", "");
    let mounting = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop, annotations: {domicile.dev/data-classification: personal}}, \
                    spec: {volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]}}\n---\n";
    let at = |zone: &str| {
        volume(
            "",
            &format!(
                "csi: {{driver: ebs.csi.aws.com}}, claimRef: {{namespace: shop, name: data}}, {}",
                affinity(&within(ZONE, zone))
            ),
        )
    };
    hold(&[
        ("at home", waits.clone(), chosen("fra", "storageClassName: ebs"), Observed),
        ("abroad", waits.clone(), chosen("iad", "storageClassName: ebs"), AtNode),
        ("in a Local Zone abroad", waits.clone(), chosen("ist", "storageClassName: ebs"), AtNode),
        ("not there", waits.clone(), chosen("gone", "storageClassName: ebs"), Unknown),
        ("none", waits.clone(), chosen("''", "storageClassName: ebs"), Observed),
        // By what the pods that mount it carry.
        (
            "for a pod that carries more",
            waits.clone() + mounting,
            chosen("iad", "storageClassName: ebs")
                .replace("domicile.dev/data-classification: personal, ", ""),
            AtNode,
        ),
        // Once there is a volume, that is where it is.
        (
            "afterwards",
            waits + &at("eu-west-1a"),
            chosen("iad", "storageClassName: ebs, volumeName: pv"),
            Proven,
        ),
    ]);
}

/// A missing claim carries nothing yet; made while a pod that names it sits where it may not, it is denied.
#[test]
fn s6_a_claim_that_comes_after_its_pod() {
    let pod = |node: &str, rest: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: shop}}, spec: {{nodeName: '{node}', volumes: [{{name: v, persistentVolumeClaim: \
             {{claimName: data}}}}]}}, {rest}}}\n---\n"
        )
    };
    let cluster = |pod: &str| format!("{}{}{EU}\n---\n{pod}", all(), ebs("WaitForFirstConsumer", ""));
    let claim = claim("storageClassName: ebs");
    for (what, pod, decision) in [
        ("at home", pod("fra", ""), Decision::Allow),
        ("abroad", pod("iad", ""), Decision::Deny),
        ("not bound yet", pod("", ""), Decision::Allow),
        ("at its end", pod("iad", "status: {phase: Succeeded}"), Decision::Allow),
        (
            "of another namespace",
            pod("iad", "").replace("namespace: shop", "namespace: other"),
            Decision::Allow,
        ),
        ("of another claim", pod("iad", "").replace("claimName: data", "claimName: log"), Decision::Allow),
    ] {
        let without = support::create(&[&cluster("")], pod.trim_end_matches("\n---\n"));
        assert_eq!((without.decision, without.reach), (Decision::Allow, Reach::NotApplicable), "{what}");
        let verdict = support::create(&[&cluster(&pod)], claim.trim_end_matches("\n---\n"));
        assert_eq!(verdict.decision, decision, "{what}: {verdict:#?}");
        if decision == Decision::Deny {
            assert!(verdict.findings[0].message.contains("pod p, which mounts the claim"), "{verdict:#?}");
        }
    }
}

/// A pod that carries nothing waits abroad for a claim that carries nothing, which then gets a volume of classified data.
#[test]
fn s6_a_claim_that_gets_its_volume_after_its_pod() {
    const OTHER: &str = "annotations: {domicile.dev/other: data}";
    let pod = |node: &str, rest: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: shop}}, spec: {{nodeName: {node}, volumes: [{{name: v, persistentVolumeClaim: \
             {{claimName: data}}}}]}}, {rest}}}\n---\n"
        )
    };
    // Nothing keeps it from being mounted anywhere.
    let share = |of: &str| {
        volume(
            "annotations: {domicile.dev/jurisdiction: DE}",
            &format!("nfs: {{server: files, path: /}}, storageClassName: kept{of}"),
        )
    };
    let taken = ", claimRef: {namespace: shop, name: data}";
    let waits = named_claim("data", OTHER, "storageClassName: kept");
    let bound = named_claim("data", OTHER, "storageClassName: kept, volumeName: pv");
    for (what, pod, decision) in [
        ("at home", pod("fra", ""), Decision::Allow),
        ("abroad", pod("iad", ""), Decision::Deny),
        ("at its end", pod("iad", "status: {phase: Succeeded}"), Decision::Allow),
        ("of another claim", pod("iad", "").replace("claimName: data", "claimName: log"), Decision::Allow),
    ] {
        let one = |yaml: &str| object(yaml.trim_end_matches("\n---\n"));
        let cluster = format!("{NODES}\n---\n{EU}\n---\n{}{waits}{pod}", share(""));
        let state = support::state(&[cluster.trim_end_matches("\n---\n")]);
        for (old, new, field) in
            [(&waits, &bound, "spec.volumeName"), (&share(""), &share(taken), "spec.claimRef")]
        {
            let verdict = judge(&Request::update(&one(old), &one(new)), &state, now());
            assert_eq!(verdict.decision, decision, "{what}, {field}: {verdict:#?}");
            if decision == Decision::Deny {
                let finding = &verdict.findings[0];
                assert_eq!(finding.field.as_deref(), Some(field));
                assert!(finding.message.contains("pod p, which mounts the claim"), "{verdict:#?}");
            }
            // It is there already.
            let again = judge(&Request::again(&one(new)), &state, now());
            assert_eq!(again.decision, Decision::Allow, "{what}, {field}: {again:#?}");
        }
    }
}

/// A pod may bring classified data to a claim that another, which carries nothing, has mounted abroad: that one breaks the
/// policy from then on, and one that comes later is denied.
#[test]
fn s6_a_pod_that_brings_data_to_a_claim_that_is_mounted_abroad() {
    let pod = |name: &str, node: &str, carries: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop, {carries}}}, spec: {{nodeName: {node}, \
             volumes: [{{name: v, persistentVolumeClaim: {{claimName: data}}}}]}}}}\n---\n"
        )
    };
    let share = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv, annotations: {domicile.dev/jurisdiction: DE}}, \
                 spec: {nfs: {server: files, path: /}, claimRef: {namespace: shop, name: data}}}\n---\n";
    let claim = named_claim("data", "annotations: {domicile.dev/other: data}", "volumeName: pv");
    let cluster = format!("{NODES}\n---\n{EU}\n---\n{share}{claim}{}", pod("reader", "iad", ""));
    let mut state = support::state(&[cluster.trim_end_matches("\n---\n")]);
    let writer = object(pod("writer", "fra", PERSONAL).trim_end_matches("\n---\n"));
    let verdict = judge(&Request::create(&writer), &state, now());
    assert_eq!(verdict.decision, Decision::Allow, "{verdict:#?}");
    state.apply(writer);
    let broken: Vec<_> = audit(&state, now())
        .filter(|one| one.decision == Decision::Deny)
        .map(|one| one.object.name)
        .collect();
    assert_eq!(broken, ["reader"]);
    let another = object(pod("another", "iad", "").trim_end_matches("\n---\n"));
    assert_eq!(judge(&Request::create(&another), &state, now()).decision, Decision::Deny);
}

/// The pod of a claim that waits chooses one place of a topology, as long as those are few enough to be looked at one by one.
#[test]
fn s6_a_topology_is_looked_at_place_by_place() {
    let zones = |count: usize| {
        let more = (1..count).map(|number| format!("z{number}"));
        more.chain(["eu-central-1a".to_owned()]).collect::<Vec<_>>().join(", ")
    };
    let regions = |count: usize| zones(count).replace("eu-central-1a", "eu-central-1");
    let label = |key: &str, values: &str| format!("{{key: {key}, values: [{values}]}}");
    let waits = |labels: &str| {
        class(
            "ebs",
            &format!(
                "provisioner: ebs.csi.aws.com, volumeBindingMode: WaitForFirstConsumer, allowedTopologies: \
                 [{{matchLabelExpressions: [{labels}]}}]"
            ),
        )
    };
    let row = |what: &'static str, labels: String, is: Is| {
        (what, format!("{NODES}\n---\n{}", waits(&labels)), claim("storageClassName: ebs"), is)
    };
    hold(
        &[
            ("one abroad, then one at home", label(ZONE, "us-east-1a, eu-central-1a"), Observed),
            ("256, the last at home", label(ZONE, &zones(256)), Observed),
            ("257, the last at home", label(ZONE, &zones(257)), Outside),
            (
                "16 times 16, the last at home",
                format!("{}, {}", label(REGION, &regions(16)), label(ZONE, &zones(16))),
                Observed,
            ),
            (
                "16 times 17, the last at home",
                format!("{}, {}", label(REGION, &regions(16)), label(ZONE, &zones(17))),
                Outside,
            ),
        ]
        .map(|(what, labels, is)| row(what, labels, is)),
    );
}

/// What is not among the files that were given is not judged, and that is told.
#[test]
fn s6_what_was_not_given_is_not_judged() {
    let mounting = format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: shop, {PERSONAL}}}, spec: {{nodeSelector: {{{ZONE}: eu-west-1a}}, \
         volumes: [{{name: v, persistentVolumeClaim: {{claimName: data}}}}]}}}}"
    );
    let snapshot = format!(
        "{{apiVersion: snapshot.storage.k8s.io/v1, kind: VolumeSnapshot, metadata: {{name: s, namespace: shop, {PERSONAL}}}, spec: \
         {{source: {{persistentVolumeClaimName: data}}}}}}"
    );
    let copy = "storageClassName: ebs, dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: nightly}";
    let home = class(
        "ebs",
        &format!(
            "provisioner: ebs.csi.aws.com, allowedTopologies: [{{matchLabelExpressions: [{{key: {ZONE}, values: [eu-west-1a]}}]}}]"
        ),
    );
    for (cluster, kind, yaml, missing) in [
        ("", Kind::PersistentVolume, claim("volumeName: pv"), "PersistentVolume pv"),
        ("", Kind::StorageClass, claim("storageClassName: ebs"), "StorageClass ebs"),
        ("", Kind::StorageClass, claim(""), "a default StorageClass"),
        ("", Kind::PersistentVolumeClaim, mounting, "PersistentVolumeClaim shop/data"),
        ("", Kind::PersistentVolumeClaim, snapshot, "PersistentVolumeClaim"),
        (&home, Kind::VolumeSnapshot, claim(copy), "VolumeSnapshot nightly"),
    ] {
        let mut state = support::state(&[NODES, EU]);
        state.apply_all(values(cluster).into_iter().map(parse));
        state.set_absent([kind].into());
        let verdict = judge(&Request::create(&object(yaml.trim_end_matches("\n---\n"))), &state, now());
        assert_eq!(verdict.decision, Decision::Allow, "{missing}: {verdict:#?}");
        let told = |one: &String| one.starts_with(missing) && one.contains("is not among the given objects");
        assert!(verdict.warnings.iter().any(told), "{missing}: {:?}", verdict.warnings);
        state.set_absent([].into());
        let verdict = judge(&Request::create(&object(yaml.trim_end_matches("\n---\n"))), &state, now());
        assert!(!verdict.warnings.iter().any(told), "{missing}: {:?}", verdict.warnings);
    }
}

/// What is kept for a claim on the disk of whatever node is on that of its pod, and is judged with it.
#[test]
fn s6_one_on_disks_that_is_kept_for_a_claim_goes_with_its_pod() {
    let kept = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: kept}, spec: {hostPath: {path: /}, claimRef: {namespace: shop, \
                name: data}}, status: {phase: Available}}";
    let mounting = |zone: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: shop, {PERSONAL}}}, spec: {{nodeSelector: {{{ZONE}: {zone}}}, \
             volumes: [{{name: v, persistentVolumeClaim: {{claimName: data}}}}]}}}}"
        )
    };
    let cluster = all() + &ebs("WaitForFirstConsumer", "") + &claim("storageClassName: ebs") + kept;
    for (zone, expected) in [("eu-west-1a", &[][..]), ("us-east-1a", &[Reason::NodeOutsideJurisdiction])] {
        let verdict = support::create(&[&cluster, EU], &mounting(zone));
        assert_eq!(reasons(&verdict), expected, "{zone}: {verdict:#?}");
    }
}

/// Kubernetes takes a free volume rather than have one made: where none is made, or one is taken, that is no choice.
#[test]
fn s6_a_free_volume_is_told_of_only_instead_of_one_that_is_made() {
    let free = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: free, annotations: {domicile.dev/jurisdiction: US}}, spec: \
                {nfs: {}, storageClassName: ebs}}";
    let own = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: own, annotations: {domicile.dev/jurisdiction: DE}}, spec: \
               {nfs: {}, storageClassName: ebs, claimRef: {namespace: shop, name: data}}}";
    let waits = "volumeBindingMode: WaitForFirstConsumer";
    for (provisioner, spec, told) in [
        ("ebs.csi.aws.com", "storageClassName: ebs", true),
        ("ebs.csi.aws.com", "storageClassName: ebs, volumeName: own", false),
        ("kubernetes.io/no-provisioner", "storageClassName: ebs", false),
    ] {
        let class = class("ebs", &format!("provisioner: {provisioner}, {waits}"));
        let mut state = support::state(&[NODES, EU, free, own]);
        state.apply_all(values(&class).into_iter().map(parse));
        let yaml =
            if spec.contains("own") { claim(spec) } else { claim(spec).replace("name: data", "name: other") };
        let verdict = judge(&Request::create(&object(yaml.trim_end_matches("\n---\n"))), &state, now());
        let is_told = verdict.warnings.iter().any(|one| one.contains("the free PersistentVolume free"));
        assert_eq!(is_told, told, "{provisioner}, {spec}: {verdict:#?}");
    }
}
