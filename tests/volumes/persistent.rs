//! PersistentVolumes: where they are said to be, in the order of section 3, and every place of theirs must be permitted.

use super::*;

const EBS: &str = "csi: {driver: ebs.csi.aws.com}";
const NFS: &str = "nfs: {server: filer, path: /}";

fn ebs(rest: &str) -> String {
    volume("", &format!("{EBS}, {rest}"))
}

#[test]
fn s6_by_its_node_affinity() {
    let all = NODES.to_owned();
    let hostname = |names: &str| affinity(&within("kubernetes.io/hostname", names));
    let hosts = |names: &str| {
        ["fra", "dub", "iad", "ist"].iter().fold(all.clone(), |nodes, name| {
            let with = format!("metadata: {{name: {name}, labels: {{kubernetes.io/hostname: {name}, ");
            nodes.replace(&format!("metadata: {{name: {name}, labels: {{"), &with).replace(
                &format!("name: {name}\n  labels: {{"),
                &format!("name: {name}\n  labels: {{kubernetes.io/hostname: {name}, "),
            )
        }) + names
    };
    let local = |rest: &str| volume("", &format!("local: {{path: /disk}}, {rest}"));
    hold(&[
        ("a zone", all.clone(), ebs(&affinity(&within(ZONE, "eu-central-1a"))), Proven),
        ("a zone abroad", all.clone(), ebs(&affinity(&within(ZONE, "us-east-1a"))), Outside),
        ("a Local Zone abroad", all.clone(), ebs(&affinity(&within(ZONE, "eu-central-1-ist-1a"))), Outside),
        ("a zone where no node is", all.clone(), ebs(&affinity(&within(ZONE, "eu-west-3a"))), Proven),
        (
            "zones, all of them at home",
            all.clone(),
            ebs(&affinity(&within(ZONE, "eu-central-1a, eu-west-1a"))),
            Proven,
        ),
        (
            "zones, one abroad",
            all.clone(),
            ebs(&affinity(&within(ZONE, "eu-central-1a, us-east-1a"))),
            Outside,
        ),
        (
            "terms, all of them at home",
            all.clone(),
            ebs(&terms(&format!(
                "{{matchExpressions: [{}]}}, {{matchExpressions: [{}]}}",
                within(ZONE, "eu-central-1a"),
                within(ZONE, "eu-west-1b")
            ))),
            Proven,
        ),
        (
            "terms, one abroad",
            all.clone(),
            ebs(&terms(&format!(
                "{{matchExpressions: [{}]}}, {{matchExpressions: [{}]}}",
                within(ZONE, "eu-central-1a"),
                within(ZONE, "us-east-1a")
            ))),
            Outside,
        ),
        (
            "the driver's own key",
            all.clone(),
            ebs(&affinity(&within("topology.ebs.csi.aws.com/zone", "eu-west-1a"))),
            Proven,
        ),
        (
            "the driver's own key, abroad",
            all.clone(),
            ebs(&affinity(&within("topology.ebs.csi.aws.com/zone", "us-east-1a"))),
            Outside,
        ),
        (
            "a key of old",
            all.clone(),
            volume(
                "",
                &format!(
                    "awsElasticBlockStore: {{volumeID: v}}, {}",
                    affinity(&within("failure-domain.beta.kubernetes.io/zone", "us-east-1a"))
                ),
            ),
            Outside,
        ),
        ("a region", all.clone(), ebs(&affinity(&within(REGION, "eu-west-1"))), Proven),
        (
            "a region, or a label that is empty",
            all.clone(),
            ebs(&affinity(&format!("{{key: {REGION}, operator: In, values: ['', eu-west-1]}}"))),
            Observed,
        ),
        // The region has zones abroad.
        (
            "a region that does not say enough",
            all.clone(),
            ebs(&affinity(&within(REGION, "eu-central-1"))),
            Outside,
        ),
        (
            "a region and its zone",
            all.clone(),
            ebs(&affinity(&format!("{}, {}", within(REGION, "eu-central-1"), within(ZONE, "eu-central-1a")))),
            Proven,
        ),
        // Who made it says what a code means: eu-west-1 is London at Alibaba.
        (
            "a code at its driver's provider",
            all.clone(),
            volume(
                "",
                &format!(
                    "csi: {{driver: diskplugin.csi.alibabacloud.com}}, {}",
                    affinity(&within(REGION, "eu-west-1"))
                ),
            ),
            Outside,
        ),
        (
            "a code of no driver: as the cluster has it",
            all.clone(),
            volume("", &format!("csi: {{driver: unheard.of}}, {}", affinity(&within(ZONE, "eu-west-1a")))),
            Proven,
        ),
        (
            "a code of no driver, by another driver's key",
            all.clone(),
            volume(
                "",
                &format!(
                    "csi: {{driver: unheard.of}}, {}",
                    affinity(&within("topology.ebs.csi.aws.com/zone", "eu-west-1a"))
                ),
            ),
            Proven,
        ),
        // What does not say where, by the nodes that match, if all agree.
        ("a host", hosts(""), local(&hostname("fra")), Observed),
        ("a host abroad", hosts(""), local(&hostname("iad")), Outside),
        ("a host in a Local Zone abroad", hosts(""), local(&hostname("ist")), Outside),
        ("hosts that do not agree", hosts(""), local(&hostname("fra, iad")), Outside),
        ("hosts at home that do not agree", hosts(""), local(&hostname("fra, dub")), Observed),
        ("a host that is not there", hosts(""), local(&hostname("gone")), Unknown),
        ("a zone that nobody knows", all.clone(), ebs(&affinity(&within(ZONE, "nova"))), Unknown),
        ("an empty term", all.clone(), ebs(&terms("{}")), Unknown),
        ("a host of a disk", hosts(""), ebs(&hostname("iad")), Outside),
        (
            "fields, which nobody matches",
            all,
            ebs(&terms("{matchFields: [{key: metadata.name, operator: In, values: [fra]}]}")),
            Outside,
        ),
    ]);
}

const NO_US_LAW: &str = "
{apiVersion: domicile.dev/v1alpha1, kind: ResidencyPolicy, metadata: {name: eu-personal},
  spec: {classifications: [personal], allow: [{jurisdictions: [EEA]}], deny: [{providerJurisdictions: [US]}]}}
";

/// It is kept by its driver's provider, whoever operates the nodes beside it.
#[test]
fn s3_its_provider_is_its_drivers() {
    let node = |name: &str, id: &str| {
        format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: {name}, labels: {{kubernetes.io/hostname: {name}, \
             topology.kubernetes.io/region: fsn1}}}}, spec: {{providerID: '{id}'}}}}\n---\n"
        )
    };
    let here = node("h1", "hcloud://1");
    let nobodys = "{apiVersion: v1, kind: Node, metadata: {name: x1, labels: {kubernetes.io/hostname: x1, domicile.dev/jurisdiction: DE, \
         domicile.dev/provider-jurisdiction: DE}}}\n---\n"
        .to_owned();
    let by_host = affinity(&within("kubernetes.io/hostname", "h1"));
    let pd = class("pd", "provisioner: pd.csi.storage.gke.io");
    hold_by(
        NO_US_LAW,
        &[
            ("its own", here.clone(), volume("", "csi: {driver: csi.hetzner.cloud}"), Observed),
            ("no provider's", here.clone(), volume("", "csi: {driver: driver.longhorn.io}"), Observed),
            ("another's", here.clone(), volume("", EBS), Outside),
            ("another's, by a host", here.clone(), ebs(&by_host), Outside),
            ("another's, not made yet", here.clone() + &pd, claim("storageClassName: pd"), Outside),
            // One that nobody knows of may be anybody's.
            (
                "another's, beside a node that says nothing of who operates it",
                here.clone() + &nobodys + &pd,
                claim("storageClassName: pd"),
                Outside,
            ),
            (
                "the same by a host",
                here + &nobodys,
                ebs(&affinity(&within("kubernetes.io/hostname", "x1"))),
                Outside,
            ),
        ],
    );
    // A sovereign cloud runs what another name is known for.
    let geography = "{apiVersion: domicile.dev/v1alpha1, kind: Geography, metadata: {name: g}, spec: {\
         providers: [{name: ovh, schemes: [openstack], jurisdiction: FR}], regions: [{provider: ovh, region: GRA11, jurisdiction: FR}]}}\n---\n";
    let ours = "{apiVersion: v1, kind: Node, metadata: {name: o1, labels: {topology.kubernetes.io/region: GRA11, \
         topology.kubernetes.io/zone: nova}}, spec: {providerID: 'openstack:///o1'}}\n---\n";
    let cinder = "csi: {driver: cinder.csi.openstack.org}";
    let in_nova = volume("", &format!("{cinder}, {}", affinity(&within(ZONE, "nova"))));
    let policy = NO_US_LAW
        .replace("deny: [{providerJurisdictions: [US]}]", "deny: [{providerJurisdictions: [US, CN]}]");
    hold_by(
        &policy,
        &[
            ("by the name of its cloud", geography.to_owned() + ours, in_nova, Observed),
            ("anywhere in its cloud", geography.to_owned() + ours, volume("", cinder), Observed),
        ],
    );
    // A distribution's nodes, on a cloud whose codes they bear.
    let k3s = "{apiVersion: v1, kind: Node, metadata: {name: k1, labels: {topology.kubernetes.io/region: eu-west-1, \
         topology.kubernetes.io/zone: eu-west-1a, domicile.dev/jurisdiction: IE}}, spec: {providerID: 'k3s://k1'}}\n---\n";
    let by_region = NO_US_LAW
        .replace("allow: [{jurisdictions: [EEA]}]", "allow: [{regions: [eu-west-1, eu-central-1]}]")
        .replace(", deny: [{providerJurisdictions: [US]}]", "");
    let of_region = k3s.replace(", topology.kubernetes.io/zone: eu-west-1a", "");
    assert_ne!(of_region, k3s);
    hold_by(
        &by_region,
        &[
            ("at a distribution's node", k3s.to_owned(), volume("", EBS), Observed),
            ("at one that bears a region alone", of_region, volume("", EBS), Observed),
            // What another cloud calls so is no region of the driver's, though both are in one city.
            (
                "at another cloud's node that bears a code of its own",
                k3s.replace("eu-west-1", "eu-central-1")
                    .replace(", domicile.dev/jurisdiction: IE", "")
                    .replace("k3s://k1", "alicloud://eu-central-1.i-1"),
                volume("", EBS),
                Outside,
            ),
        ],
    );
    // A code that would put it elsewhere than its nodes say they are is no code of the driver's.
    hold(&[(
        "at a distribution's node that bears a code from abroad",
        k3s.replace("eu-west-1", "us-east-1"),
        volume("", EBS),
        Observed,
    )]);
    // Racks have names of their own: it is in one that is there.
    let rack = "{apiVersion: v1, kind: Node, metadata: {name: r1, labels: {topology.csi.vmware.com/k8s-zone: a, \
         domicile.dev/jurisdiction: DE}}, spec: {providerID: 'vsphere://r1'}}\n---\n";
    let on = |racks: &str| {
        volume(
            "",
            &format!(
                "csi: {{driver: csi.vsphere.vmware.com}}, {}",
                affinity(&within("topology.csi.vmware.com/k8s-zone", racks))
            ),
        )
    };
    hold(&[
        ("a rack, and one without a node", rack.to_owned(), on("a, b"), Observed),
        ("a rack without a node", rack.to_owned(), on("b"), Unknown),
    ]);
}

/// What permits nodes permits what is beside them: by their labels, or by zones of which nobody knows the country.
#[test]
fn s4_what_selects_nodes_or_zones_selects_volumes_there() {
    let rule = |place: &str| {
        format!(
            "{{apiVersion: domicile.dev/v1alpha1, kind: ResidencyPolicy, metadata: {{name: eu-personal}}, \
             spec: {{classifications: [personal], allow: [{place}]}}}}"
        )
    };
    let node = |name: &str, zone: &str, rack: &str| {
        format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: {name}, labels: {{kubernetes.io/hostname: {name}, rack: {rack}, \
             topology.kubernetes.io/zone: {zone}}}}}, spec: {{providerID: 'openstack:///{name}'}}}}\n---\n"
        )
    };
    let nodes = node("a1", "dc1", "eu") + &node("a2", "dc2", "us");
    let beside = node("a1", "dc1", "eu") + &node("a3", "dc1", "us");
    let local = |host: &str| {
        volume("", &format!("local: {{path: /disk}}, {}", affinity(&within("kubernetes.io/hostname", host))))
    };
    let cinder = |zone: &str| {
        volume("", &format!("csi: {{driver: cinder.csi.openstack.org}}, {}", affinity(&within(ZONE, zone))))
    };
    hold_by(
        &rule("{nodeSelector: {matchLabels: {rack: eu}}}"),
        &[
            ("on a node that it selects", nodes.clone(), local("a1"), Observed),
            ("on another", nodes.clone(), local("a2"), Unknown),
            ("on either", nodes.clone(), local("a1, a2"), Unknown),
            // Two of one place are told apart.
            ("on one beside it", beside.clone(), local("a3"), Unknown),
            ("on it, beside another", beside, local("a1"), Observed),
        ],
    );
    hold_by(
        &rule("{zones: [dc1]}"),
        &[
            ("in a zone that it names", nodes.clone(), cinder("dc1"), Observed),
            ("in another", nodes.clone(), cinder("dc2"), Unknown),
            ("in either", nodes.clone(), cinder("dc1, dc2"), Unknown),
            ("on a node there", nodes.clone(), local("a1"), Observed),
        ],
    );
}

/// Whatever else a volume says, it is also where it says that it is.
#[test]
fn s6_what_is_known_of_a_part_counts() {
    let hosts =
        home().replace("labels: {", "labels: {rack: eu, ").replace("labels:\n", "labels:\n    rack: eu\n");
    let named = home()
        .replace("name: fra, labels: {", "name: fra, labels: {kubernetes.io/hostname: fra, ")
        .replace("name: fra\n  labels: {", "name: fra\n  labels: {kubernetes.io/hostname: fra, ");
    assert_ne!(named, home());
    let either = |some: &[&str]| {
        let terms: Vec<_> = some.iter().map(|one| format!("{{matchExpressions: [{one}]}}")).collect();
        terms.join(", ")
    };
    let zone = |code: &str| within(ZONE, code);
    let impossible = format!("{}, {}", within(REGION, "eu-west-1"), zone("eu-central-1a"));
    let rack = within("rack", "eu");
    let says = "annotations: {domicile.dev/jurisdiction: DE}";
    let of = |some: &[&str]| ebs(&terms(&either(some)));
    let labelled = |list: &str| volume(&format!("labels: {{{list}}}"), EBS);
    let both = |list: &str, some: &[&str]| {
        volume(&format!("labels: {{{list}}}"), &format!("{EBS}, {}", terms(&either(some))))
    };
    let unlisted = "eu-central-1-zzz-1a";
    hold(&[
        (
            "beside a zone that nobody knows",
            home(),
            ebs(&affinity(&zone(&format!("us-east-1a, {unlisted}")))),
            Unknown,
        ),
        (
            "home beside a zone that nobody knows",
            home(),
            ebs(&affinity(&zone(&format!("eu-central-1a, {unlisted}")))),
            Unknown,
        ),
        ("beside a place that there is not", home(), of(&[&zone("us-east-1a"), &impossible]), Unknown),
        ("home beside a place that there is not", home(), of(&[&zone("eu-west-1a"), &impossible]), Unknown),
        ("a place that there is not", home(), of(&[&impossible]), Unknown),
        (
            "two zones at once",
            home(),
            of(&[
                &format!("{}, {}", zone("us-east-1a"), within("topology.ebs.csi.aws.com/zone", "us-east-1b")),
                &zone("eu-central-1a"),
            ]),
            Unknown,
        ),
        // An empty code says nothing, and the other what it says.
        (
            "a region abroad, and an empty zone",
            home(),
            of(&[&format!("{}, {}", within(REGION, "us-west-2"), zone("''")), &zone("eu-central-1a")]),
            Outside,
        ),
        (
            "a zone abroad, and an empty region",
            home(),
            of(&[&format!("{}, {}", within(REGION, "''"), zone("us-east-1a")), &zone("eu-central-1a")]),
            Outside,
        ),
        (
            "a region at home, and an empty zone",
            home(),
            of(&[&format!("{}, {}", within(REGION, "eu-west-1"), zone("''"))]),
            Proven,
        ),
        ("an empty zone, and one at home", home(), of(&[&zone("''"), &zone("eu-central-1a")]), Observed),
        // Of a machine that is gone its zone is left.
        (
            "machines, one of which is gone abroad",
            named.clone(),
            of(&[&format!(
                "{}, {}",
                within("kubernetes.io/hostname", "fra, iad"),
                zone("eu-central-1a, us-east-1a")
            )]),
            Outside,
        ),
        (
            "machines that are there",
            named,
            of(&[&format!("{}, {}", within("kubernetes.io/hostname", "fra"), zone("eu-central-1a"))]),
            Observed,
        ),
        ("beside a term that names no place", hosts.clone(), of(&[&zone("us-east-1a"), &rack]), Outside),
        (
            "home beside a term that names no place",
            hosts.clone(),
            of(&[&zone("eu-west-1a"), &rack]),
            Observed,
        ),
        ("a term that names no place", hosts.clone(), of(&[&rack]), Observed),
        (
            "beside a term that no node matches",
            home(),
            of(&[&zone("eu-west-1a"), &within("rack", "us")]),
            Unknown,
        ),
        (
            "beside what is declared of the rest",
            hosts.clone(),
            volume(says, &format!("{EBS}, {}", terms(&either(&[&zone("us-east-1a"), &rack])))),
            Outside,
        ),
        (
            "home beside what is declared of the rest",
            home(),
            volume(says, &format!("{EBS}, {}", terms(&either(&[&zone("eu-west-1a"), &rack])))),
            Proven,
        ),
        (
            "beside what its labels say of the rest",
            home(),
            both(&format!("{ZONE}: eu-west-1a"), &[&zone("us-east-1a"), &rack]),
            Outside,
        ),
        (
            "regions of which neither says enough",
            home(),
            ebs(&affinity(&within(REGION, "us-east-1, eu-central-1"))),
            Unknown,
        ),
        (
            "a region that does not say enough, by its nodes",
            home(),
            ebs(&affinity(&within(REGION, "eu-central-1"))),
            Observed,
        ),
        (
            "labels of two zones, one of which nobody knows",
            home(),
            labelled(&format!("{ZONE}: us-east-1a__{unlisted}")),
            Unknown,
        ),
        (
            "a label of a zone that nobody knows",
            home(),
            labelled(&format!("{ZONE}: us-east-1-zzz-1a")),
            Unknown,
        ),
        ("a label of a region where no node is", home(), labelled(&format!("{REGION}: us-east-1")), Unknown),
        ("a label of a region that nobody knows", home(), labelled(&format!("{REGION}: us-foo-9")), Unknown),
        (
            "a label of a region that its nodes know",
            home(),
            labelled(&format!("{REGION}: eu-central-1")),
            Observed,
        ),
        (
            "labels that contradict each other",
            home(),
            labelled(&format!("{REGION}: us-west-2, {ZONE}: us-east-1a")),
            Unknown,
        ),
        (
            "a handle in a region that nobody knows",
            home(),
            volume(
                "",
                "csi: {driver: pd.csi.storage.gke.io, volumeHandle: projects/p/zones/us-central9-a/disks/d}",
            ),
            Unknown,
        ),
    ]);
}

#[test]
fn s6_by_its_labels_and_annotations() {
    let all = NODES.to_owned();
    let says = |code: &str| format!("annotations: {{domicile.dev/jurisdiction: {code}}}");
    let labels = |list: &str| format!("labels: {{{list}}}");
    let disk = |place: &str| {
        format!("csi: {{driver: pd.csi.storage.gke.io, volumeHandle: projects/p/{place}/disks/d}}")
    };
    hold(&[
        ("a zone", all.clone(), volume(&labels(&format!("{ZONE}: eu-west-1a")), EBS), Proven),
        ("a zone abroad", all.clone(), volume(&labels(&format!("{ZONE}: us-east-1a")), EBS), Outside),
        (
            "a key of old",
            all.clone(),
            volume(&labels("failure-domain.beta.kubernetes.io/zone: us-east-1a"), EBS),
            Outside,
        ),
        (
            "a set of zones",
            all.clone(),
            volume(&labels(&format!("{ZONE}: eu-west-1a__eu-central-1a")), EBS),
            Proven,
        ),
        (
            "a set of zones, one abroad",
            all.clone(),
            volume(&labels(&format!("{ZONE}: eu-west-1a__us-east-1a")), EBS),
            Outside,
        ),
        // Google's driver calls a disk by its place.
        ("a zone in its handle", home(), volume("", &disk("zones/europe-west3-a")), Proven),
        ("a zone abroad in its handle", home(), volume("", &disk("zones/us-central1-a")), Outside),
        ("a region abroad in its handle", home(), volume("", &disk("regions/us-central1")), Outside),
        (
            "labels go before its handle",
            home(),
            volume(&labels(&format!("{ZONE}: europe-west3-a")), &disk("zones/us-central1-a")),
            Proven,
        ),
        (
            "the handle of another driver",
            home(),
            volume("", &disk("zones/us-central1-a").replace("pd.csi.storage.gke.io", "ebs.csi.aws.com")),
            Observed,
        ),
        ("a region", all.clone(), volume(&labels(&format!("{REGION}: eu-west-1")), EBS), Proven),
        (
            "a region, and a set of zones of which one is not in it",
            home(),
            volume(&labels(&format!("{REGION}: eu-west-1, {ZONE}: eu-west-1a__us-east-1a")), EBS),
            Unknown,
        ),
        ("nova", home(), volume(&labels(&format!("{ZONE}: nova")), NFS), Unknown),
        // The affinity comes first.
        (
            "an affinity abroad and a label at home",
            all.clone(),
            volume(
                &labels(&format!("{ZONE}: eu-west-1a")),
                &format!("{EBS}, {}", affinity(&within(ZONE, "us-east-1a"))),
            ),
            Outside,
        ),
        (
            "an affinity abroad and an annotation at home",
            all.clone(),
            volume(&says("DE"), &format!("{EBS}, {}", affinity(&within(ZONE, "us-east-1a")))),
            Outside,
        ),
        (
            "a host, and a label that says where",
            all.clone(),
            volume(
                &labels(&format!("{ZONE}: eu-west-1a")),
                &format!("{EBS}, {}", affinity(&within("kubernetes.io/hostname", "gone"))),
            ),
            Proven,
        ),
        // Two labels that contradict each other say nothing.
        (
            "the current label and the one of old",
            all.clone(),
            volume(
                &labels(&format!("{ZONE}: us-east-1a, failure-domain.beta.kubernetes.io/zone: eu-west-1a")),
                EBS,
            ),
            Unknown,
        ),
        (
            "the same the other way round",
            all.clone(),
            volume(
                &labels(&format!("{ZONE}: eu-west-1a, failure-domain.beta.kubernetes.io/zone: us-east-1a")),
                EBS,
            ),
            Unknown,
        ),
        (
            "both the same",
            all.clone(),
            volume(
                &labels(&format!("{ZONE}: eu-west-1a, failure-domain.beta.kubernetes.io/zone: eu-west-1a")),
                EBS,
            ),
            Proven,
        ),
        ("an annotation", all.clone(), volume(&says("DE"), NFS), Proven),
        ("an annotation abroad", all.clone(), volume(&says("US"), NFS), Outside),
        ("an annotation that is no code", all.clone(), volume(&says("Germany"), NFS), Unknown),
        (
            "a label before an annotation",
            all.clone(),
            volume(&format!("{}, {}", labels(&format!("{ZONE}: us-east-1a")), says("DE")), EBS),
            Outside,
        ),
        (
            "its class's",
            class(
                "filer",
                "metadata: {name: filer, annotations: {domicile.dev/jurisdiction: IE}}, provisioner: x",
            ),
            volume("", &format!("{NFS}, storageClassName: filer")),
            Proven,
        ),
        (
            "its class's, abroad",
            class(
                "filer",
                "metadata: {name: filer, annotations: {domicile.dev/jurisdiction: US}}, provisioner: x",
            ),
            volume("", &format!("{NFS}, storageClassName: filer")),
            Outside,
        ),
        (
            "its own before its class's",
            class(
                "filer",
                "metadata: {name: filer, annotations: {domicile.dev/jurisdiction: US}}, provisioner: x",
            ),
            volume(&says("DE"), &format!("{NFS}, storageClassName: filer")),
            Proven,
        ),
        (
            "a class by the annotation of old",
            class(
                "filer",
                "metadata: {name: filer, annotations: {domicile.dev/jurisdiction: US}}, provisioner: x",
            ),
            volume("annotations: {volume.beta.kubernetes.io/storage-class: filer}", NFS),
            Outside,
        ),
    ]);
}

/// Replicas go to any nodes: a topology says from where they are reached, and a declaration where they are.
#[test]
fn s6_a_driver_that_replicates_keeps_volumes_on_any_nodes() {
    const LONGHORN: &str = "csi: {driver: driver.longhorn.io}";
    let pinned = format!("{LONGHORN}, {}", affinity(&within(ZONE, "eu-central-1a")));
    let of = |metadata: &str| {
        class(
            "replicas",
            &format!(
                "provisioner: driver.longhorn.io, allowedTopologies: [{{matchLabelExpressions: [{{key: {ZONE}, values: [eu-central-1a]}}]}}]{metadata}"
            ),
        )
    };
    let made = claim("storageClassName: replicas");
    let declared = of("").replace("metadata: {", "metadata: {annotations: {domicile.dev/jurisdiction: DE}, ");
    assert_ne!(declared, of(""));
    let waits = of(", volumeBindingMode: WaitForFirstConsumer");
    hold(&[
        ("reached at home", NODES.to_owned(), volume("", &pinned), Outside),
        ("of a cluster at home", home(), volume("", &pinned), Observed),
        (
            "declared",
            NODES.to_owned(),
            volume("annotations: {domicile.dev/jurisdiction: DE}", &pinned),
            Proven,
        ),
        ("to be made", format!("{NODES}\n---\n{}", of("")), made.clone(), Outside),
        ("to be made, when a pod is there", format!("{NODES}\n---\n{waits}"), made.clone(), Outside),
        ("to be made as declared", format!("{NODES}\n---\n{declared}"), made, Proven),
    ]);
    // What is advised helps.
    let told = |cluster: &str, policy: &str| {
        let claim = claim("storageClassName: replicas");
        let state = support::state(&[cluster, &of(""), policy]);
        let verdict = judge(&Request::create(&object(claim.trim_end_matches("\n---\n"))), &state, now());
        verdict.findings.into_iter().map(|one| one.message).collect::<Vec<_>>()
    };
    let proof = EU.replace("spec: {", "spec: {assurance: Proven, ");
    assert_ne!(proof, EU);
    for said in [told(NODES, EU), told(&home(), &proof)] {
        let [said] = &said[..] else { panic!("{said:?}") };
        assert!(
            said.contains("Declare where it is with") || said.contains("declare where it is with"),
            "{said}"
        );
        assert!(!said.contains("  ") && !said.contains("allowedTopologies"), "{said}");
    }
}

#[test]
fn s6_what_nothing_says() {
    let unpinned = |driver: &str| volume("", &format!("csi: {{driver: {driver}}}"));
    for driver in ["ebs.csi.aws.com", "driver.longhorn.io"] {
        hold(&[
            ("where the cluster is", NODES.to_owned(), unpinned(driver), Outside),
            ("where the cluster is, all at home", home(), unpinned(driver), Observed),
        ]);
    }
    for driver in [
        "nfs.csi.k8s.io",
        "efs.csi.aws.com",
        "smb.csi.k8s.io",
        "s3.csi.aws.com",
        "rbd.csi.ceph.com",
        "unheard.of",
    ] {
        hold(&[("anywhere", home(), unpinned(driver), Unknown)]);
    }
    for (source, all, at_home) in [
        ("awsElasticBlockStore: {volumeID: v}", Outside, Observed),
        ("nfs: {server: s, path: /}", Unknown, Unknown),
        ("iscsi: {targetPortal: t}", Unknown, Unknown),
        ("hostPath: {path: /data}", Outside, Observed),
        ("capacity: {storage: 1Gi}", Unknown, Unknown),
    ] {
        hold(&[
            (source, NODES.to_owned(), volume("", source), all),
            (source, home(), volume("", source), at_home),
        ]);
    }
    // A Geography can say more of a driver.
    let geography = "{apiVersion: domicile.dev/v1alpha1, kind: Geography, metadata: {name: g}, spec: {drivers: [{name: unheard.of, placement: Cluster}]}}\n---\n";
    hold(&[("by a Geography", home() + "\n---\n" + geography, unpinned("unheard.of"), Observed)]);
}

/// Parameters of a class that name the zone: that is where the volume is made, whatever else the class or a pod says.
#[test]
fn s3_where_a_parameter_of_its_class_says() {
    let of = |driver: &str, parameters: &str, rest: &str| {
        class("asked", &format!("provisioner: {driver}, parameters: {{{parameters}}}, {rest}"))
    };
    let asked = claim("storageClassName: asked");
    for (driver, parameters, expected) in [
        ("kubernetes.io/gce-pd", "zone: europe-west3-a", Proven),
        ("kubernetes.io/gce-pd", "zone: us-central1-a", Outside),
        ("kubernetes.io/gce-pd", "Zone: us-central1-a", Outside),
        ("kubernetes.io/gce-pd", "zones: 'europe-west3-a, europe-west4-b'", Proven),
        ("kubernetes.io/gce-pd", "zones: 'europe-west3-a, us-central1-a'", Outside),
        ("kubernetes.io/gce-pd", "zone: elsewhere", Unknown),
        ("pd.csi.storage.gke.io", "zone: us-central1-a", Outside),
        ("kubernetes.io/aws-ebs", "zone: eu-west-1b", Proven),
        ("kubernetes.io/aws-ebs", "zone: eu-central-1-ist-1a", Outside),
        ("kubernetes.io/azure-disk", "zone: westeurope-1", Proven),
        ("kubernetes.io/azure-disk", "zone: eastus-1", Outside),
        ("kubernetes.io/cinder", "availability: us-west", Unknown),
        ("cinder.csi.openstack.org", "availability: us-west", Unknown),
        ("cinder.csi.openstack.org", "availability: ''", Observed),
        ("diskplugin.csi.alibabacloud.com", "zoneId: 'eu-central-1a,eu-central-1b'", Proven),
        ("diskplugin.csi.alibabacloud.com", "zoneId: 'eu-central-1a,us-west-1a'", Outside),
        ("diskplugin.csi.alibabacloud.com", "regionId: us-west-1", Outside),
        ("diskplugin.csi.alibabacloud.com", "regionId: eu-central-1, zoneId: us-west-1a", Unknown),
        ("vpc.block.csi.ibm.io", "zone: us-south-1", Outside),
        ("vpc.block.csi.ibm.io", "region: eu-de", Proven),
        ("com.tencent.cloud.csi.cbs", "zone: eu-frankfurt-1", Proven),
        ("com.tencent.cloud.csi.cbs", "diskzone: ap-hongkong-2", Outside),
        // Not a parameter of this one.
        ("driver.longhorn.io", "zone: us-east-1a", Observed),
    ] {
        for mode in ["Immediate", "WaitForFirstConsumer"] {
            let cluster = at_home() + &of(driver, parameters, &format!("volumeBindingMode: {mode}"));
            hold(&[(parameters, cluster, asked.clone(), expected)]);
        }
    }
    let cinder = |rest: &str| of("cinder.csi.openstack.org", "availability: nova", rest);
    let node = |name: &str, jurisdiction: &str| {
        format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: {name}, labels: {{topology.cinder.csi.openstack.org/zone: nova, \
             domicile.dev/jurisdiction: {jurisdiction}}}}}, spec: {{providerID: 'openstack:///{name}'}}}}\n---\n"
        )
    };
    let geography = "{apiVersion: domicile.dev/v1alpha1, kind: Geography, metadata: {name: g}, spec: {regions: [{provider: openstack, region: r, zone: nova, jurisdiction: US}]}}\n---\n";
    let topology =
        format!("allowedTopologies: [{{matchLabelExpressions: [{{key: {ZONE}, values: [eu-west-1a]}}]}}]");
    let unpinned = |name: &str| volume("", &format!("csi: {{driver: {name}}}, storageClassName: asked"));
    hold(&[
        (
            "the nodes of that zone agree",
            node("a", "DE") + &node("b", "DE") + &cinder(""),
            asked.clone(),
            Observed,
        ),
        (
            "the nodes of that zone differ",
            node("a", "DE") + &node("b", "US") + &cinder(""),
            asked.clone(),
            Outside,
        ),
        ("a Geography knows the zone", node("a", "DE") + geography + &cinder(""), asked.clone(), Outside),
        ("its topologies say otherwise", at_home() + geography + &cinder(&topology), asked.clone(), Outside),
        (
            "declared",
            at_home()
                + &of(
                    "cinder.csi.openstack.org",
                    "availability: x",
                    "metadata: {name: asked, annotations: {domicile.dev/jurisdiction: DE}}",
                ),
            asked.clone(),
            Proven,
        ),
        (
            "one zone where nodes are, and one that nobody knows",
            "{apiVersion: v1, kind: Node, metadata: {name: g, labels: {topology.gke.io/zone: europe-west3-a}}, spec: {providerID: 'gce://p/europe-west3-a/g'}}\n---\n"
                .to_owned() + &of("kubernetes.io/gce-pd", "zones: 'europe-west3-a, elsewhere'", ""),
            asked,
            Unknown,
        ),
        // A volume that is there and says nothing itself.
        (
            "a volume of that class",
            at_home() + &of("kubernetes.io/gce-pd", "zone: us-central1-a", ""),
            unpinned("pd.csi.storage.gke.io"),
            Outside,
        ),
        (
            "a volume of a class at home that somebody made, near nodes abroad",
            format!("{NODES}\n---\n") + &of("kubernetes.io/aws-ebs", "zone: eu-west-1a", ""),
            unpinned("ebs.csi.aws.com"),
            Outside,
        ),
        (
            "a volume of that class, somewhere",
            at_home() + &cinder(""),
            unpinned("cinder.csi.openstack.org"),
            Unknown,
        ),
    ]);
}

fn at_home() -> String {
    format!("{}\n---\n", home())
}

/// Parameters of a class that keep data elsewhere: the copy must be permitted too.
#[test]
fn s6_copies() {
    let azure = "{apiVersion: v1, kind: Node, metadata: {name: ams, labels: {topology.kubernetes.io/region: westeurope, topology.kubernetes.io/zone: westeurope-1}}, spec: {providerID: 'azure:///subscriptions/s/vm'}}\n---\n";
    let share = |parameters: &str| {
        class(
            "share",
            &format!(
                "metadata: {{name: share, annotations: {{domicile.dev/jurisdiction: NL}}}}, provisioner: file.csi.azure.com, parameters: {{{parameters}}}"
            ),
        )
    };
    let disk = |parameters: &str, mode: &str| {
        class(
            "share",
            &format!(
                "provisioner: disk.csi.azure.com, volumeBindingMode: {mode}, parameters: {{{parameters}}}"
            ),
        )
    };
    let of_share = claim("storageClassName: share");
    for (parameters, expected) in [
        ("skuName: Standard_LRS", Proven),
        ("skuName: Standard_ZRS", Proven),
        ("skuName: Standard_GRS", Unknown),
        ("SKUNAME: standard_ragrs", Unknown),
        ("storageAccountType: Standard_GZRS", Unknown),
        ("location: northeurope", Proven),
        ("location: eastus", Outside),
        ("Location: eastus", Outside),
        ("location: nowhere", Unknown),
    ] {
        hold(&[(parameters, azure.to_owned() + &share(parameters), of_share.clone(), expected)]);
    }
    // Wherever that is, it is its driver's provider's.
    let theirs = EU.replace("jurisdictions: [EEA]", "providers: [azure]");
    hold_by(
        &theirs,
        &[(
            "a copy at its provider",
            azure.to_owned() + &share("skuName: Standard_GRS"),
            of_share.clone(),
            Proven,
        )],
    );
    let in_west = |region: &str| {
        volume(
            &format!("labels: {{{REGION}: {region}}}"),
            "csi: {driver: file.csi.azure.com}, storageClassName: share",
        )
    };
    hold(&[
        ("in the paired region, at home", share("skuName: Standard_GRS"), in_west("westeurope"), Proven),
        ("in the paired region, abroad", share("skuName: Standard_GRS"), in_west("brazilsouth"), Outside),
    ]);
    let mirrored = "{apiVersion: domicile.dev/v1alpha1, kind: Geography, metadata: {name: g}, spec: {drivers: [{name: disk.test, provider: azure, \
                    placement: Cluster, copies: [{parameter: mirror, values: ['*'], to: [{from: westeurope, region: northeurope}]}]}]}}\n---\n";
    let of =
        |parameters: &str| class("share", &format!("provisioner: disk.test, parameters: {{{parameters}}}"));
    let cluster = azure.to_owned() + mirrored;
    hold(&[
        ("made anywhere the cluster is", cluster.clone() + &of(""), of_share.clone(), Observed),
        // Nobody knows of which region it will be a copy.
        ("made there, with a copy", cluster + &of("mirror: 'yes'"), of_share.clone(), Unknown),
    ]);
    for mode in ["Immediate", "WaitForFirstConsumer"] {
        hold(&[
            ("a disk", azure.to_owned() + &disk("", mode), of_share.clone(), Observed),
            (
                "a disk elsewhere at home",
                azure.to_owned() + &disk("location: northeurope", mode),
                of_share.clone(),
                Observed,
            ),
            ("a disk abroad", azure.to_owned() + &disk("location: eastus", mode), of_share.clone(), Outside),
        ]);
    }
}

/// A term that names machines beside their zone is about those, and they can stand elsewhere: an Outpost is in a zone of AWS
/// and in somebody's basement.
#[test]
fn s3_machines_beside_their_zone() {
    const OUTPOST: &str = "topology.ebs.csi.aws.com/outpost-id";
    let rack = |jurisdiction: &str| {
        format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: rack, labels: {{kubernetes.io/hostname: rack, {REGION}: eu-west-1, \
             {ZONE}: eu-west-1a, {OUTPOST}: op-1, domicile.dev.node-restriction.kubernetes.io/jurisdiction: {jurisdiction}}}}}, \
             spec: {{providerID: 'aws:///eu-west-1a/i-9'}}}}\n---\n"
        )
    };
    let zone = within(ZONE, "eu-west-1a");
    let disk = |more: &str| {
        volume("", &format!("csi: {{driver: ebs.csi.aws.com}}, {}", affinity(&format!("{zone}{more}"))))
    };
    let local = |host: &str| {
        volume(
            "",
            &format!(
                "local: {{path: /x}}, {}",
                affinity(&format!("{zone}, {}", within("kubernetes.io/hostname", host)))
            ),
        )
    };
    let either = |one: &str, other: &str| {
        let both = format!("{{matchExpressions: [{one}]}}, {{matchExpressions: [{other}]}}");
        volume("", &format!("csi: {{driver: ebs.csi.aws.com}}, {}", terms(&both)))
    };
    let on = |id: &str| disk(&format!(", {}", within(OUTPOST, id)));
    let us = |yaml: &str| yaml.replace("eu-west-1", "us-east-1");
    hold(&[
        ("in the zone alone", rack("TR"), disk(""), Proven),
        ("on a rack abroad", rack("TR"), on("op-1"), Outside),
        ("on a rack at home", rack("FR"), on("op-1"), Observed),
        ("on a rack that no node is known of", rack("FR"), on("op-2"), Unknown),
        ("on one of two", rack("FR"), on("op-1, op-2"), Observed),
        ("on a node abroad", rack("TR"), local("rack"), Outside),
        ("on a node at home", rack("FR"), local("rack"), Observed),
        ("on a node at home, in a zone abroad", us(&rack("DE")), us(&local("rack")), Observed),
        // It may come back, and say better where it stands.
        ("on a node that has gone", rack("TR"), local("gone"), Observed),
        // Each term by itself.
        (
            "on a rack abroad, or anywhere in its zone",
            rack("TR"),
            either(&zone, &format!("{zone}, {}", within(OUTPOST, "op-1"))),
            Outside,
        ),
        (
            "on a node at home, or on one abroad that has gone",
            rack("FR"),
            either(
                &format!("{zone}, {}", within("kubernetes.io/hostname", "rack")),
                &format!("{}, {}", within(ZONE, "us-east-1a"), within("kubernetes.io/hostname", "gone")),
            ),
            Outside,
        ),
    ]);
}

/// A label that says nothing of a place puts a volume where all of its nodes are, if that is one country.
#[test]
fn s6_nodes_of_one_label_tell_where_a_disk_is() {
    let racked = |names: &[&str]| {
        names.iter().fold(NODES.to_owned(), |nodes, name| {
            let labels = format!("{{name: {name}, labels: {{");
            nodes.replace(&labels, &format!("{labels}rack: a, "))
        })
    };
    let disk = volume("", &format!("csi: {{driver: ebs.csi.aws.com}}, {}", affinity(&within("rack", "a"))));
    hold(&[
        ("a node at home", racked(&["fra"]), disk.clone(), Observed),
        ("two nodes of two countries", racked(&["fra", "dub"]), disk.clone(), Outside),
        ("a node abroad", racked(&["iad"]), disk, Outside),
    ]);
}

/// What is declared of a volume counts before what its class asks for.
#[test]
fn s6_a_volume_that_is_declared_is_there_whatever_its_class_asks_for() {
    let abroad = class("abroad", "provisioner: ebs.csi.aws.com, parameters: {zone: us-east-1a}");
    let declared = volume(
        "annotations: {domicile.dev/jurisdiction: DE}",
        "csi: {driver: ebs.csi.aws.com}, storageClassName: abroad",
    );
    hold(&[("declared", format!("{NODES}\n---\n{abroad}"), declared, Proven)]);
}

/// A place that selects nodes permits what all nodes that can reach it are selected by.
#[test]
fn s4_two_nodes_that_agree_select_a_volume() {
    const GOLD: &str = "{apiVersion: domicile.dev/v1alpha1, kind: ResidencyPolicy, metadata: {name: eu-personal}, spec: {classifications: \
                        [personal], allow: [{nodeSelector: {matchLabels: {tier: gold}}}]}}";
    let node = |name: &str, tier: &str| {
        format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: {name}, labels: {{tier: {tier}, {ZONE}: eu-central-1a, {REGION}: eu-central-1}}}}, \
             spec: {{providerID: 'aws:///eu-central-1a/{name}'}}}}\n---\n"
        )
    };
    let disk = volume(
        "",
        &format!("csi: {{driver: ebs.csi.aws.com}}, {}", affinity(&within(ZONE, "eu-central-1a"))),
    );
    hold_by(
        GOLD,
        &[
            ("both gold", node("a", "gold") + &node("b", "gold"), disk.clone(), Observed),
            ("one of them", node("a", "gold") + &node("b", "base"), disk, Outside),
        ],
    );
}

/// More regions with zones than anybody looks through are nowhere that is known.
#[test]
fn s6_of_too_many_places_nothing_is_known() {
    const GEOGRAPHY: &str = "{apiVersion: domicile.dev/v1alpha1, kind: Geography, metadata: {name: g}, spec: {providers: [{name: dc, schemes: \
                             [dc]}], regions: [{provider: dc, region: 'hall-*', jurisdiction: DE}], drivers: [{name: csi.dc, provider: dc, \
                             placement: Cluster}]}}\n---\n";
    let halls = |count: usize| {
        let halls: Vec<String> = (0..count).map(|number| format!("hall-{number}")).collect();
        volume("", &format!("csi: {{driver: csi.dc}}, {}", affinity(&within(REGION, &halls.join(", ")))))
    };
    hold(&[
        ("4096", GEOGRAPHY.to_owned() + NODES, halls(4_096), Proven),
        ("4097", GEOGRAPHY.to_owned() + NODES, halls(4_097), Unknown),
    ]);
}

/// Pods that wait for a claim on their nodes get at its data when it has its volume.
#[test]
fn s5_a_volume_that_is_made_for_a_claim_opens_it_to_its_pods() {
    let waiting = |node: &str| {
        format!(
            "{NODES}\n---\n{}{{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: shop}}, spec: {{nodeName: {node}, volumes: [{{name: v, \
             persistentVolumeClaim: {{claimName: data}}}}]}}}}",
            claim("storageClassName: ''")
        )
    };
    let given = volume(
        "annotations: {domicile.dev/jurisdiction: DE}",
        "nfs: {}, claimRef: {namespace: shop, name: data}",
    );
    hold(&[("at home", waiting("fra"), given.clone(), Proven)]);
    let verdict = judge(
        &Request::create(&object(given.trim_end_matches("\n---\n"))),
        &support::state(&[&waiting("iad"), EU]),
        now(),
    );
    assert_eq!(outcome(&verdict), AtNode, "{verdict:#?}");
}

/// One that another claim had brings what that carries to the pods of the claim that it is given to.
#[test]
fn s5_a_volume_that_another_claim_had_brings_what_that_carries() {
    let share = |claim: &str| {
        object(&format!(
            "{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: pv, annotations: {{domicile.dev/jurisdiction: DE}}}}, spec: \
             {{nfs: {{}}, claimRef: {{namespace: shop, name: {claim}}}}}}}"
        ))
    };
    let waiting = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}, spec: {nodeName: iad, volumes: [{name: v, \
                   persistentVolumeClaim: {claimName: data}}]}}";
    let data = named_claim("data", "labels: {}", "storageClassName: ''");
    for (metadata, decision) in [(PERSONAL, Decision::Deny), ("labels: {}", Decision::Allow)] {
        let other = named_claim("other", metadata, "storageClassName: '', volumeName: pv");
        let mut state = support::state(&[NODES, EU, &data, &other, waiting]);
        state.apply(share("other"));
        let verdict = judge(&Request::update(&share("other"), &share("data")), &state, now());
        assert_eq!(verdict.decision, decision, "{metadata}: {verdict:#?}");
        assert!(
            verdict.findings.iter().all(|one| one.field.as_deref() == Some("spec.claimRef")),
            "{verdict:#?}"
        );
    }
}

/// Keys without a prefix may be anyone's, unless the driver itself says what they mean; those with one are known of any driver.
#[test]
fn s3_a_key_means_what_its_driver_says() {
    const OWN: &str = "{apiVersion: domicile.dev/v1alpha1, kind: Geography, metadata: {name: g}, spec: {drivers: [{name: csi.own, provider: aws, \
                       topologyKeys: [hall], placement: Cluster}, {name: csi.bare, provider: aws, placement: Cluster}]}}\n---\n";
    let of = |driver: &str, key: &str, code: &str| {
        volume("", &format!("csi: {{driver: {driver}}}, {}", affinity(&within(key, code))))
    };
    let all = OWN.to_owned() + NODES;
    hold(&[
        ("its region", all.clone(), of("dobs.csi.digitalocean.com", "region", "fra1"), Proven),
        ("its zone", all.clone(), of("csi.own", "hall", "eu-central-1a"), Proven),
        (
            "another's region",
            all.clone(),
            of("csi.bare", "topology.ebs.csi.aws.com/region", "eu-west-1"),
            Proven,
        ),
        ("another's without a prefix", all, of("csi.bare", "region", "eu-west-1"), Unknown),
    ]);
}

/// Policies that ask for a provider, or whose law binds it.
#[test]
fn s4_what_is_declared_is_of_its_drivers_provider() {
    let policy = |place: &str| {
        format!(
            "{{apiVersion: domicile.dev/v1alpha1, kind: ResidencyPolicy, metadata: {{name: eu-personal}}, spec: {{classifications: \
             [personal], allow: [{place}]}}}}"
        )
    };
    let declared = |law: &str| {
        volume(
            &format!("annotations: {{domicile.dev/jurisdiction: DE{law}}}"),
            "csi: {driver: ebs.csi.aws.com}",
        )
    };
    let at = NODES.to_owned();
    hold_by(&policy("{providers: [aws]}"), &[("of its provider", at.clone(), declared(""), Proven)]);
    hold_by(
        &policy("{providerJurisdictions: [EEA]}"),
        &[
            (
                "under a law that is declared",
                at.clone(),
                declared(", domicile.dev/provider-jurisdiction: DE"),
                Proven,
            ),
            ("under a law that is not", at, declared(""), Outside),
        ],
    );
    // A machine of one's own beside which a cloud's driver keeps it.
    let bare = |provider: &str| {
        format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: bare, labels: {{rack: a, domicile.dev/jurisdiction: DE}}}}, spec: {{{provider}}}}}"
        )
    };
    let disk =
        volume("", &format!("csi: {{driver: pd.csi.storage.gke.io}}, {}", affinity(&within("rack", "a"))));
    for provider in ["", "providerID: 'hcloud://1'"] {
        for place in ["{providers: [gcp]}", "{providerJurisdictions: [US]}"] {
            hold_by(&policy(place), &[("beside a machine", bare(provider), disk.clone(), Observed)]);
        }
    }
}

/// Codes that only nodes tell of are looked for one by one, as long as they are few enough.
#[test]
fn s3_of_codes_that_only_nodes_tell_of_256_are_looked_for() {
    let of = |count: usize| {
        let codes: Vec<String> = (0..count).map(|number| format!("hall-{number}")).collect();
        let node = |code: &String| {
            format!(
                "{{apiVersion: v1, kind: Node, metadata: {{name: {code}, labels: {{{ZONE}: {code}, domicile.dev/jurisdiction: DE}}}}}}\n---\n"
            )
        };
        let disk =
            format!("csi: {{driver: csi.hetzner.cloud}}, {}", affinity(&within(ZONE, &codes.join(", "))));
        (codes.iter().map(node).collect::<String>(), volume("", &disk))
    };
    for (count, is) in [(256, Observed), (257, Unknown)] {
        let (nodes, disk) = of(count);
        hold(&[("so many", nodes, disk, is)]);
    }
}
