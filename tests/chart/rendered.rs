//! What the chart makes of its values.

use std::collections::BTreeSet;
use std::fs;

use domicile::cluster::enforcement::{ENTRIES, entry as entry_of, ours};
use serde_json::{Value, json};

use crate::helm::{NAMESPACE, chart, objects, of_kind, only, root};

const CONFIGURATIONS: [&str; 2] = ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"];

fn entries(objects: &[Value]) -> Vec<Value> {
    CONFIGURATIONS
        .iter()
        .flat_map(|kind| only(objects, kind)["webhooks"].as_array().unwrap().clone())
        .collect()
}

fn entry(objects: &[Value], name: &str) -> Value {
    entries(objects).into_iter().find(|entry| entry["name"] == format!("{name}.domicile.dev")).unwrap()
}

#[test]
fn the_definitions_are_those_that_the_program_prints() {
    let file = fs::read_to_string(chart().join("files/crds.yaml")).unwrap();
    let printed = domicile::api::crds_yaml().unwrap();
    assert!(
        file == printed,
        "the chart's definitions lag behind: cargo run -- crds > charts/domicile/files/crds.yaml"
    );
    // And the chart installs them as they are, but for what it says of them itself.
    let rendered = objects(&[]);
    let rendered = of_kind(&rendered, "CustomResourceDefinition");
    let ours = domicile::api::crds();
    assert_eq!(rendered.len(), ours.len());
    for (rendered, ours) in rendered.iter().zip(ours) {
        let ours = serde_json::to_value(ours).unwrap();
        assert!(whole(&rendered["spec"]) == whole(&ours["spec"]), "{}", ours["metadata"]["name"]);
        assert_eq!(rendered["metadata"]["name"], ours["metadata"]["name"]);
        assert_eq!(rendered["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    }
}

/// With numbers as YAML means them: 0 and 0.0 are one.
fn whole(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(list) => list.iter().map(whole).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), whole(value))).collect())
        }
        other => other.clone(),
    }
}

#[test]
fn no_ca_bundle_is_written_where_somebody_else_writes_it() {
    for settings in [&[][..], &[r#"webhook.url="https://a.example""#], &[r#"tls.mode="certManager""#]] {
        for entry in entries(&objects(settings)) {
            assert!(entry["clientConfig"].get("caBundle").is_none(), "{settings:?} {}", entry["name"]);
        }
    }
    let injected = objects(&[r#"tls.mode="certManager""#]);
    for kind in CONFIGURATIONS {
        let annotations = &only(&injected, kind)["metadata"]["annotations"];
        assert_eq!(annotations["cert-manager.io/inject-ca-from"], format!("{NAMESPACE}/domicile"));
    }
    let certificate = named(&injected, "Certificate", "domicile");
    assert_eq!(
        certificate["spec"]["dnsNames"],
        json!([format!("domicile.{NAMESPACE}.svc"), format!("domicile.{NAMESPACE}")])
    );
}

fn named<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = of_kind(objects, kind).into_iter().find(|object| object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

/// cert-manager's `caBundle` is whoever signed the certificate, and changes before every replica serves a new one.
#[test]
fn a_certificate_is_renewed_by_whom_the_api_server_trusts_already() {
    let objects = objects(&[r#"tls.mode="certManager""#]);
    let issuer = |of: &Value| named(&objects, "Issuer", of["spec"]["issuerRef"]["name"].as_str().unwrap());
    let certificate = named(&objects, "Certificate", "domicile");
    let signs = &issuer(certificate)["spec"];
    let authority = of_kind(&objects, "Certificate")
        .into_iter()
        .find(|other| other["spec"]["secretName"] == signs["ca"]["secretName"])
        .unwrap_or_else(|| panic!("nobody makes the authority of {signs}"));
    assert_ne!(authority["spec"]["secretName"], certificate["spec"]["secretName"]);
    assert_eq!(authority["spec"]["isCA"], true);
    assert_eq!(authority["spec"]["privateKey"]["rotationPolicy"], "Never");
    assert!(!authority["spec"]["commonName"].as_str().unwrap().is_empty());
    assert_eq!(issuer(authority)["spec"], json!({"selfSigned": {}}));
    // Whoever has an issuer gets none from here.
    let theirs = [r#"tls.mode="certManager""#, r#"tls.certManager.issuerRef={"name":"other"}"#];
    let theirs = crate::helm::objects(&theirs);
    assert!(of_kind(&theirs, "Issuer").is_empty());
    assert_eq!(only(&theirs, "Certificate")["spec"]["issuerRef"], json!({"name": "other"}));
}

#[test]
fn a_ca_bundle_is_taken_as_pem_or_as_base64_of_it() {
    let pem = "-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n";
    let base64 = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClptOXYKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=";
    for bundle in [pem, base64] {
        let bundle = format!("tls.caBundle={}", json!(bundle));
        for entry in
            entries(&objects(&[r#"tls.mode="existingSecret""#, r#"tls.secretName="own""#, bundle.as_str()]))
        {
            assert_eq!(entry["clientConfig"]["caBundle"], base64, "{}", entry["name"]);
        }
    }
}

/// The auditor's page knows the chart's webhooks by what they are asked about and under which conditions.
#[test]
fn the_page_takes_the_webhooks_of_the_chart_for_what_they_are() {
    let objects =
        objects(&[r#"tls.mode="existingSecret""#, r#"tls.secretName="own""#, r#"tls.caBundle="Y2E=""#]);
    let list = |kind: &str| json!([only(&objects, kind)]);
    let validating = serde_json::from_value(list(CONFIGURATIONS[0])).unwrap();
    let mutating = serde_json::from_value(list(CONFIGURATIONS[1])).unwrap();
    let found = ours(validating, Ok(mutating)).webhooks;
    let names: BTreeSet<&str> = found.iter().map(|webhook| webhook.name.as_str()).collect();
    assert_eq!(names, ENTRIES.iter().map(|entry| entry.name).collect());
    for webhook in &found {
        assert!(webhook.left_out.is_empty(), "{}: {:?}", webhook.name, webhook.left_out);
        let known: Vec<&str> =
            entry_of(&webhook.name).unwrap().conditions.iter().map(|(name, _)| *name).collect();
        assert_eq!(webhook.conditions, known, "{}", webhook.name);
    }
}

#[test]
fn every_entry_is_fit_to_stand_in_the_way() {
    let fail_open = ["joining.domicile.dev", "policies.domicile.dev"];
    let all = entries(&objects(&[]));
    assert_eq!(all.len(), 10);
    for entry in all {
        let name = entry["name"].as_str().unwrap();
        let policy = if fail_open.contains(&name) { "Ignore" } else { "Fail" };
        assert_eq!(entry["failurePolicy"], policy, "{name}");
        assert_eq!(entry["matchPolicy"], "Equivalent", "{name}");
        assert_eq!(entry["sideEffects"], "NoneOnDryRun", "{name}");
        assert_eq!(entry["admissionReviewVersions"], json!(["v1"]), "{name}");
        assert!(entry["timeoutSeconds"].as_u64().unwrap() <= 5, "{name}");
        assert_eq!(entry["clientConfig"]["service"]["name"], "domicile", "{name}");
        // Nothing that must be deleted waits for the controller.
        for rule in entry["rules"].as_array().unwrap() {
            let deletes = rule["operations"].as_array().unwrap().contains(&json!("DELETE"));
            assert!(!deletes || policy == "Ignore", "{name}");
        }
    }
}

/// An exception that nobody was asked about counts until its end, also when replicas answer again.
#[test]
fn exceptions_stay_closed_where_all_else_is_open() {
    let policies = |settings: &[&str]| {
        let entries = entries(&objects(settings)).into_iter();
        entries
            .filter(|entry| entry["failurePolicy"] == "Fail")
            .map(|entry| entry["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let gently = r#"webhook.failurePolicy="Ignore""#;
    assert_eq!(policies(&[gently]), ["exceptions.domicile.dev"]);
    let unsaid = "webhook.entries.exceptions.failurePolicy=null";
    assert_eq!(policies(&[gently, unsaid]), ["exceptions.domicile.dev"]);
    let open = r#"webhook.entries.exceptions.failurePolicy="Ignore""#;
    assert_eq!(policies(&[gently, open]), [""; 0]);
}

/// The replicas write it, so an upgrade must not.
#[test]
fn the_lease_is_of_the_release_and_says_nothing() {
    let rendered = objects(&[]);
    let lease = only(&rendered, "Lease");
    assert_eq!(lease["metadata"]["name"], "domicile");
    let fields: Vec<&str> = lease.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["apiVersion", "kind", "metadata"]);
    let arguments = &only(&rendered, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"];
    assert!(arguments.as_array().unwrap().contains(&json!("--lease=domicile")));
}

#[test]
fn no_account_and_no_right_is_made_where_somebody_else_makes_them() {
    let none = objects(&["serviceAccount.create=false", r#"serviceAccount.name="own""#, "rbac.create=false"]);
    for kind in ["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"] {
        assert!(of_kind(&none, kind).is_empty(), "{kind}");
    }
    let pod = &only(&none, "Pod")["spec"];
    assert_eq!(
        (&pod["serviceAccountName"], &pod["automountServiceAccountToken"]),
        (&json!("own"), &json!(true))
    );
    // The rights of the test are for the account that there is.
    let rights = objects(&["serviceAccount.create=false", r#"serviceAccount.name="own""#]);
    for binding in of_kind(&rights, "RoleBinding") {
        assert_eq!(binding["subjects"][0]["name"], "own", "{}", binding["metadata"]["name"]);
    }
}

#[test]
fn what_the_cluster_lives_on_is_not_judged() {
    for name in ["workloads", "bindings", "volumes", "cluster", "records", "identities", "confine"] {
        let entry = entry(&objects(&[]), name);
        let expression = &entry["namespaceSelector"]["matchExpressions"][0];
        assert_eq!(
            (&expression["key"], &expression["operator"]),
            (&json!("kubernetes.io/metadata.name"), &json!("NotIn"))
        );
        let excluded = expression["values"].as_array().unwrap();
        for namespace in ["kube-system", "kube-node-lease", NAMESPACE] {
            assert!(excluded.contains(&json!(namespace)), "{name}: {namespace}");
        }
    }
    // There may be none but the release's own.
    for none in ["[]", "null"] {
        let entry = entry(&objects(&[&format!("webhook.excludedNamespaces={none}")]), "workloads");
        assert_eq!(entry["namespaceSelector"]["matchExpressions"][0]["values"], json!([NAMESPACE]), "{none}");
    }
    // A selector of one's own narrows what is judged, and never brings the excluded ones back.
    let own = r#"webhook.namespaceSelector={"matchLabels":{"a":"b"},"matchExpressions":[{"key":"c","operator":"Exists"}]}"#;
    let selector = entry(&objects(&[own]), "workloads")["namespaceSelector"].clone();
    assert_eq!(selector["matchLabels"], json!({"a": "b"}));
    assert_eq!(selector["matchExpressions"].as_array().unwrap().len(), 2);
}

#[test]
fn both_ways_to_bind_are_asked_about_without_conditions() {
    let bindings = entry(&objects(&[]), "bindings");
    assert_eq!(bindings["rules"][0]["resources"], json!(["pods/binding", "bindings"]));
    assert!(bindings.get("matchConditions").is_none());
    let identities = entry(&objects(&[]), "identities");
    assert_eq!(identities["rules"], bindings["rules"]);
    assert!(
        bindings["timeoutSeconds"].as_u64() < entry(&objects(&[]), "workloads")["timeoutSeconds"].as_u64()
    );
}

/// Every kind that judgement knows is in a rule.
#[test]
fn every_kind_that_is_judged_is_asked_about() {
    let mut asked = BTreeSet::new();
    for entry in entries(&objects(&[])) {
        for rule in entry["rules"].as_array().unwrap() {
            for group in rule["apiGroups"].as_array().unwrap() {
                for resource in rule["resources"].as_array().unwrap() {
                    asked.insert(format!("{}/{}", group.as_str().unwrap(), resource.as_str().unwrap()));
                }
            }
        }
    }
    let expected = [
        "/bindings",
        "/namespaces",
        "/namespaces/finalize",
        "/namespaces/status",
        "/nodes",
        "/nodes/status",
        "/persistentvolumeclaims",
        "/persistentvolumeclaims/status",
        "/persistentvolumes",
        "/persistentvolumes/status",
        "/pods",
        "/pods/binding",
        "/pods/status",
        "/replicationcontrollers",
        "apps/daemonsets",
        "apps/deployments",
        "apps/replicasets",
        "apps/statefulsets",
        "batch/cronjobs",
        "batch/jobs",
        "domicile.dev/geographies",
        "domicile.dev/residencyexceptions",
        "domicile.dev/residencypolicies",
        "snapshot.storage.k8s.io/volumesnapshotclasses",
        "snapshot.storage.k8s.io/volumesnapshotcontents",
        "snapshot.storage.k8s.io/volumesnapshots",
        "storage.k8s.io/storageclasses",
        "storage.k8s.io/volumeattachments",
    ];
    assert_eq!(asked.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn a_controller_outside_gets_its_rights_and_no_pods() {
    let outside = objects(&[r#"webhook.url="https://domicile.example.com:8443/""#]);
    let absent = ["Deployment", "Service", "PodDisruptionBudget", "Pod"];
    for kind in absent {
        assert!(of_kind(&outside, kind).is_empty(), "{kind}");
    }
    for kind in ["ServiceAccount", "ClusterRoleBinding", "RoleBinding", "Secret"] {
        only(&outside, kind);
    }
    for entry in entries(&outside) {
        let url = entry["clientConfig"]["url"].as_str().unwrap();
        assert!(
            ["https://domicile.example.com:8443/validate", "https://domicile.example.com:8443/mutate"]
                .contains(&url),
            "{url}"
        );
    }
}

#[test]
fn the_pods_are_as_restricted_as_can_be() {
    let objects = objects(&[]);
    for (pod, container) in [
        (&only(&objects, "Deployment")["spec"]["template"]["spec"], "domicile"),
        (&only(&objects, "Pod")["spec"], "test"),
    ] {
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        let container_context = &pod["containers"][0]["securityContext"];
        assert_eq!(pod["containers"][0]["name"], container);
        assert_eq!(container_context["readOnlyRootFilesystem"], true);
        assert_eq!(container_context["allowPrivilegeEscalation"], false);
        assert_eq!(container_context["capabilities"], json!({"drop": ["ALL"]}));
    }
}

/// The kubelet gives the files of a Secret to root, and to the group that the pod names.
#[test]
fn what_is_mounted_can_be_read() {
    for context in [&[][..], &["podSecurityContext.fsGroup=null"], &["podSecurityContext.runAsUser=1000"]] {
        for mode in
            [&[r#"tls.mode="certManager""#][..], &[r#"tls.mode="existingSecret""#, r#"tls.secretName="own""#]]
        {
            let objects = objects(&[mode, context].concat());
            let pod = &only(&objects, "Deployment")["spec"]["template"]["spec"];
            let volume = &pod["volumes"].as_array().unwrap()[0];
            let bits = volume["secret"]["defaultMode"].as_u64().unwrap();
            let by_group = !pod["securityContext"]["fsGroup"].is_null() && bits & 0o040 != 0;
            assert_ne!(pod["securityContext"]["runAsUser"], 0);
            assert!(by_group || bits & 0o004 != 0, "{mode:?} {context:?}: {bits:o}");
        }
    }
}

#[test]
fn an_upgrade_needs_no_port_that_is_taken() {
    let strategy = |settings: &[&str]| {
        let objects = objects(settings);
        let strategy = &only(&objects, "Deployment")["spec"]["strategy"]["rollingUpdate"];
        [&strategy["maxSurge"], &strategy["maxUnavailable"]].map(|number| number.as_u64().unwrap())
    };
    assert_eq!(strategy(&[]), [1, 0]);
    assert_eq!(strategy(&["hostNetwork=true"]), [0, 1]);
}

#[test]
fn one_replica_has_no_budget_that_would_never_let_it_go() {
    assert!(of_kind(&objects(&["replicaCount=1"]), "PodDisruptionBudget").is_empty());
    only(&objects(&["replicaCount=2"]), "PodDisruptionBudget");
}

#[test]
fn nobody_is_given_more_by_joining_edit_or_admin() {
    for role in of_kind(&objects(&[]), "ClusterRole") {
        for (label, _) in role["metadata"]["labels"].as_object().unwrap() {
            assert!(!label.contains("aggregate-to-edit") && !label.contains("aggregate-to-admin"), "{label}");
        }
        let aggregated =
            role["metadata"]["labels"].get("rbac.authorization.k8s.io/aggregate-to-view").is_some();
        for rule in role["rules"].as_array().unwrap() {
            assert!(!rule["verbs"].as_array().unwrap().contains(&json!("*")));
            assert!(!rule["resources"].as_array().unwrap().contains(&json!("secrets")));
            if aggregated {
                assert_eq!(rule["apiGroups"], json!(["domicile.dev"]));
                assert_eq!(rule["verbs"], json!(["get", "list", "watch"]));
            }
        }
    }
}

/// What a required classification is asked for by is a selector that the program reads.
#[test]
fn selectors_become_what_the_program_takes() {
    let setting = r#"classification.required.namespaceSelector={"matchLabels":{"env":"prod"},"matchExpressions":[{"key":"team","operator":"In","values":["a","b"]},{"key":"x","operator":"NotIn","values":["c"]},{"key":"y","operator":"Exists"},{"key":"z","operator":"DoesNotExist"}]}"#;
    let rendered = objects(&[setting]);
    let arguments = &only(&rendered, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"];
    let argument = "--require-classification=env=prod,team in (a,b),x notin (c),y,!z";
    assert!(arguments.as_array().unwrap().contains(&json!(argument)), "{arguments}");
    let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_domicile"));
    check.args(["check", "-f", "examples/shop", "--cluster", "examples/cluster", argument]);
    assert_eq!(check.current_dir(root()).output().unwrap().status.code(), Some(1));
}

#[test]
fn a_test_asks_where_it_is_judged() {
    let asked = |namespace: &str| {
        let chart = chart();
        let output = crate::helm::helm(&["template", "d", chart.to_str().unwrap(), "--namespace", namespace]);
        let objects = crate::helm::documents(&String::from_utf8(output.stdout).unwrap());
        only(&objects, "Pod")["spec"]["containers"][0]["args"].clone()
    };
    assert_eq!(asked(NAMESPACE), json!(["probe", "--namespace=default"]));
    assert_eq!(asked("default"), json!(["probe", "--namespace=kube-public"]));
}

#[test]
fn the_program_knows_every_option_that_it_is_given() {
    let output =
        std::process::Command::new(env!("CARGO_BIN_EXE_domicile")).args(["serve", "--help"]).output();
    let help = String::from_utf8(output.unwrap().stdout).unwrap();
    let every = objects(&[
        r#"tls={"mode":"existingSecret","secretName":"own","clientCA":{"configMap":"own"}}"#,
        r#"cluster={"jurisdiction":"DE","providerJurisdiction":"US"}"#,
        "classification.required.namespaceSelector={}",
    ]);
    for rendered in [every, objects(&[])] {
        let container = &only(&rendered, "Deployment")["spec"]["template"]["spec"]["containers"][0];
        let arguments = container["args"].as_array().unwrap();
        assert_eq!(arguments[0], "serve");
        for argument in &arguments[1..] {
            let option = argument.as_str().unwrap().split('=').next().unwrap();
            assert!(help.contains(&format!("{option} <")), "{option}");
        }
        for variable in container["env"].as_array().unwrap() {
            assert!(help.contains(&format!("[env: {}=", variable["name"].as_str().unwrap())), "{variable}");
        }
    }
}
