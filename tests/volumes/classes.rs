//! Volumes that a pod mounts, and changes of storage classes.

use domicile::cluster::State;
use domicile::residency::judge_stored;

use super::*;

fn state_of(yaml: &str) -> State {
    let mut state = support::empty();
    state.apply_all(values(&format!("{yaml}\n---\n{EU}")).into_iter().map(parse));
    state
}

/// A pod's classifications bind the volumes that it mounts.
#[test]
fn s6_what_a_pod_mounts() {
    let of = |source: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: shop, {PERSONAL}}}, spec: {{nodeSelector: {{{ZONE}: eu-west-1a}}, \
             volumes: [{{name: v, {source}}}]}}}}"
        )
    };
    let bare = |name: &str, spec: &str| named_claim(name, "", spec);
    let filer = |code: &str| {
        format!(
            "{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: {code}, annotations: {{domicile.dev/jurisdiction: {code}}}}}, spec: {{nfs: {{}}, claimRef: {{namespace: shop, name: data}}}}}}\n---\n"
        )
    };
    let mount = of("persistentVolumeClaim: {claimName: data}");
    let all = format!("{NODES}\n---\n");
    let (immediate, waits) = (
        class("ebs", "provisioner: ebs.csi.aws.com"),
        class("ebs", "provisioner: ebs.csi.aws.com, volumeBindingMode: WaitForFirstConsumer"),
    );
    let own = of("ephemeral: {volumeClaimTemplate: {spec: {storageClassName: ebs}}}");
    let cases = [
        (
            "a volume at home",
            all.clone() + &filer("DE") + &bare("data", "volumeName: DE"),
            mount.clone(),
            Proven,
        ),
        (
            "a volume abroad",
            all.clone() + &filer("US") + &bare("data", "volumeName: US"),
            mount.clone(),
            Outside,
        ),
        (
            "a claim made at once",
            all.clone() + &immediate + &bare("data", "storageClassName: ebs"),
            mount.clone(),
            Outside,
        ),
        (
            "a claim that waits",
            all.clone() + &waits + &bare("data", "storageClassName: ebs"),
            mount.clone(),
            Proven,
        ),
        ("a claim that is not there", all.clone(), mount.clone(), Proven),
        (
            "a claim that waits, and a free disk of a node",
            all.clone()
                + &waits
                + &format!(
                    "{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: free}}, spec: {{local: {{path: /}}, storageClassName: ebs, {}}}}}\n---\n",
                    affinity(&within(ZONE, "eu-west-1a"))
                )
                + &bare("data", "storageClassName: ebs"),
            mount.clone(),
            Proven,
        ),
        (
            "a claim that waits, and a free share",
            all.clone()
                + &waits
                + "{apiVersion: v1, kind: PersistentVolume, metadata: {name: free, annotations: {domicile.dev/jurisdiction: DE}}, spec: {nfs: {}, storageClassName: ebs}}\n---\n"
                + &bare("data", "storageClassName: ebs"),
            mount.clone(),
            Observed,
        ),
        ("a claim of its own, made at once", all.clone() + &immediate, own.clone(), Outside),
        ("a claim of its own that waits", all.clone() + &waits, own, Proven),
        // On the node.
        ("a configMap", all.clone(), of("configMap: {name: c}"), Proven),
        ("a hostPath", all.clone(), of("hostPath: {path: /}"), Proven),
        ("an emptyDir", all.clone(), of("emptyDir: {}"), Proven),
        ("an inline driver of the node", all.clone(), of("csi: {driver: topolvm.io}"), Proven),
        ("secrets", all.clone(), of("csi: {driver: secrets-store.csi.k8s.io, readOnly: true}"), Proven),
        ("a certificate", all.clone(), of("csi: {driver: csi.cert-manager.io}"), Proven),
        ("an identity", all.clone(), of("csi: {driver: spiffe.csi.cert-manager.io}"), Proven),
        ("a socket", all.clone(), of("csi: {driver: csi.spiffe.io}"), Proven),
        ("an image", all.clone(), of("csi: {driver: image.csi.k8s.io}"), Proven),
        ("a clone of a repository", all.clone(), of("gitRepo: {repository: r}"), Proven),
        // Elsewhere.
        ("an inline driver that makes disks", all.clone(), of("csi: {driver: ebs.csi.aws.com}"), Outside),
        ("an inline driver that nobody knows", all.clone(), of("csi: {driver: unheard.of}"), Unknown),
        ("an inline disk of old", all.clone(), of("awsElasticBlockStore: {volumeID: v}"), Outside),
        ("an inline share", all, of("nfs: {server: s, path: /}"), Unknown),
        ("an inline disk, all at home", home(), of("awsElasticBlockStore: {volumeID: v}"), Observed),
    ];
    hold(&cases);
}

/// The claims of a StatefulSet are judged with it.
#[test]
fn s6_claim_templates() {
    let set = |spec: &str| {
        format!(
            "{{apiVersion: apps/v1, kind: StatefulSet, metadata: {{name: db, namespace: shop}}, spec: {{template: {{metadata: {{{PERSONAL}}}, spec: \
             {{nodeSelector: {{{ZONE}: eu-west-1a}}}}}}, volumeClaimTemplates: [{{metadata: {{name: data}}, spec: {{{spec}}}}}]}}}}"
        )
    };
    let cluster = |mode: &str| {
        format!(
            "{NODES}\n---\n{}",
            class("ebs", &format!("provisioner: ebs.csi.aws.com, volumeBindingMode: {mode}"))
        )
    };
    hold(&[
        ("made at once", cluster("Immediate"), set("storageClassName: ebs"), Outside),
        ("that wait", cluster("WaitForFirstConsumer"), set("storageClassName: ebs"), Proven),
        ("of no class that is there", cluster("Immediate"), set("storageClassName: gone"), Unknown),
    ]);
}

/// On change of a class nothing is denied; a warning names the classified claims that it would now misplace.
#[test]
fn s6_a_class_that_changes() {
    let ebs = |zone: &str| {
        class(
            "ebs",
            &format!(
                "provisioner: ebs.csi.aws.com, allowedTopologies: [{{matchLabelExpressions: [{{key: {ZONE}, values: [{zone}]}}]}}]"
            ),
        )
    };
    let old = ebs("eu-west-1a");
    let claims: String = (0..7)
        .map(|number| named_claim(&format!("data-{number}"), PERSONAL, "storageClassName: ebs"))
        .collect();
    let others = named_claim("bare", "", "storageClassName: ebs")
        + &named_claim("other", PERSONAL, "storageClassName: else")
        + &named_claim("bound", PERSONAL, "storageClassName: ebs, volumeName: pv");
    let state = state_of(&format!("{NODES}\n---\n{old}{claims}{others}"));
    let (old, same, abroad) = (ebs("eu-west-1a"), ebs("eu-central-1a"), ebs("us-east-1a"));
    let change = |new: &str| {
        let (old, new) = (object(old.trim_end_matches("\n---\n")), object(new.trim_end_matches("\n---\n")));
        let verdict = judge(&Request::update(&old, &new), &state, now());
        assert_eq!((verdict.decision, verdict.findings.len()), (Decision::Allow, 0));
        verdict.warnings
    };
    assert!(change(&same).is_empty());
    let warnings = change(&abroad);
    assert_eq!(
        warnings,
        [
            "volumes of this class would be misplaced for the classified claims shop/data-0, shop/data-1, shop/data-2, shop/data-3, shop/data-4 and 2 more"
        ]
    );
    // One that misplaces them already is not told of again when it changes, but when it is asked after.
    let state = state_of(&format!("{NODES}\n---\n{abroad}{claims}"));
    let (old, new) = (object(abroad.trim_end_matches("\n---\n")), ebs("us-east-1b"));
    let verdict = judge(&Request::update(&old, &object(new.trim_end_matches("\n---\n"))), &state, now());
    assert!(verdict.warnings.is_empty(), "{:?}", verdict.warnings);
    let stored = judge_stored(&state, Kind::StorageClass, "", "ebs", now()).unwrap();
    assert_eq!(stored.warnings, warnings);
}
