//! Values: each does something, is described, and is held to a type.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};

use crate::helm::{chart, helm, template};

/// Another value for each of them, and what must be set with it for it to matter.
const CHANGED: &[(&str, &str, &[&str])] = &[
    ("nameOverride", r#""other""#, &[]),
    ("fullnameOverride", r#""other""#, &[]),
    ("commonLabels", r#"{"team":"privacy"}"#, &[]),
    ("image.repository", r#""registry.example.com/domicile""#, &[]),
    ("image.tag", r#""9.9.9""#, &[]),
    ("image.digest", r#""sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef""#, &[]),
    ("image.pullPolicy", r#""Always""#, &[]),
    ("imagePullSecrets", r#"[{"name":"registry"}]"#, &[]),
    ("replicaCount", "3", &[]),
    ("resources.requests.cpu", r#""1""#, &[]),
    ("resources.requests.memory", r#""1Gi""#, &[]),
    ("resources.limits.memory", r#""2Gi""#, &[]),
    ("nodeSelector.kubernetes.io/os", r#""other""#, &[]),
    ("tolerations", r#"[{"operator":"Exists"}]"#, &[]),
    ("affinity", r#"{"nodeAffinity":{}}"#, &[]),
    ("topologySpreadConstraints", "[]", &[]),
    ("podDisruptionBudget.enabled", "false", &[]),
    ("podDisruptionBudget.minAvailable", r#""50%""#, &[]),
    ("podDisruptionBudget.maxUnavailable", "2", &["podDisruptionBudget.minAvailable=null"]),
    ("priorityClassName", r#""system-cluster-critical""#, &[]),
    ("terminationGracePeriodSeconds", "60", &[]),
    ("hostNetwork", "true", &[]),
    ("podSecurityContext.runAsNonRoot", "false", &[]),
    ("podSecurityContext.runAsUser", "1000", &[]),
    ("podSecurityContext.runAsGroup", "1000", &[]),
    ("podSecurityContext.fsGroup", "1000", &[r#"tls.mode="certManager""#]),
    ("podSecurityContext.seccompProfile.type", r#""Unconfined""#, &[]),
    ("securityContext.allowPrivilegeEscalation", "true", &[]),
    ("securityContext.capabilities.drop", "[]", &[]),
    ("securityContext.readOnlyRootFilesystem", "false", &[]),
    ("podAnnotations", r#"{"a":"b"}"#, &[]),
    ("podLabels", r#"{"a":"b"}"#, &[]),
    ("extraArgs", r#"["--log-level=debug"]"#, &[]),
    ("extraEnv", r#"[{"name":"A","value":"b"}]"#, &[]),
    ("serviceAccount.create", "false", &[]),
    ("serviceAccount.name", r#""other""#, &[]),
    ("serviceAccount.annotations", r#"{"a":"b"}"#, &[]),
    ("rbac.create", "false", &[]),
    ("service.annotations", r#"{"a":"b"}"#, &[]),
    ("log.level", r#""debug""#, &[]),
    ("log.format", r#""text""#, &[]),
    ("listenAddress", r#""::""#, &[]),
    ("webhook.failurePolicy", r#""Ignore""#, &[]),
    ("webhook.timeoutSeconds", "9", &[]),
    ("webhook.entries.workloads", r#"{"timeoutSeconds":9}"#, &[]),
    ("webhook.entries.bindings.timeoutSeconds", "9", &[]),
    ("webhook.entries.volumes", r#"{"failurePolicy":"Ignore"}"#, &[]),
    ("webhook.entries.cluster", r#"{"failurePolicy":"Ignore"}"#, &[]),
    ("webhook.entries.joining.failurePolicy", r#""Fail""#, &[]),
    ("webhook.entries.joining.timeoutSeconds", "9", &[]),
    ("webhook.entries.exceptions.failurePolicy", r#""Ignore""#, &[]),
    ("webhook.entries.policies.failurePolicy", r#""Fail""#, &[]),
    ("webhook.entries.records", r#"{"failurePolicy":"Ignore"}"#, &[]),
    ("webhook.entries.identities.timeoutSeconds", "9", &[]),
    ("webhook.entries.confine", r#"{"failurePolicy":"Ignore"}"#, &[]),
    ("webhook.namespaceSelector", r#"{"matchLabels":{"a":"b"}}"#, &[]),
    ("webhook.excludedNamespaces", "[]", &[]),
    ("webhook.matchConditions", r#"[{"name":"a","expression":"true"}]"#, &[]),
    ("webhook.annotations", r#"{"a":"b"}"#, &[]),
    ("webhook.url", r#""https://domicile.example.com:8443""#, &[]),
    ("webhook.port", "9443", &[]),
    ("webhook.maxConcurrent", "64", &[]),
    ("tls.mode", r#""certManager""#, &[]),
    ("tls.secretName", r#""other""#, &[]),
    ("tls.caBundle", r#""Zm9v""#, &[r#"tls.mode="existingSecret""#, r#"tls.secretName="own""#]),
    ("tls.certManager.issuerRef", r#"{"name":"other"}"#, &[r#"tls.mode="certManager""#]),
    ("tls.certManager.duration", r#""1h""#, &[r#"tls.mode="certManager""#]),
    ("tls.certManager.renewBefore", r#""1h""#, &[r#"tls.mode="certManager""#]),
    ("tls.clientCA.configMap", r#""other""#, &[]),
    ("tls.clientCA.key", r#""other""#, &[r#"tls.clientCA.configMap="own""#]),
    ("crds.install", "false", &[]),
    ("crds.keep", "false", &[]),
    ("audit.interval", r#""5m""#, &[]),
    ("reports.enabled", "false", &[]),
    ("reports.limit", "500", &[]),
    ("cluster.jurisdiction", r#""CA-QC""#, &[]),
    ("cluster.providerJurisdiction", r#""US""#, &[]),
    ("classification.annotationKeys", r#"["example.com/data"]"#, &[]),
    ("classification.ungoverned", r#""deny""#, &[]),
    ("classification.required.namespaceSelector", "{}", &[]),
    ("metrics.port", "9090", &[]),
    ("metrics.serviceMonitor.enabled", "true", &[]),
    ("metrics.serviceMonitor.interval", r#""10s""#, &["metrics.serviceMonitor.enabled=true"]),
    ("metrics.serviceMonitor.scrapeTimeout", r#""5s""#, &["metrics.serviceMonitor.enabled=true"]),
    ("metrics.serviceMonitor.labels", r#"{"a":"b"}"#, &["metrics.serviceMonitor.enabled=true"]),
    ("metrics.serviceMonitor.namespace", r#""monitoring""#, &["metrics.serviceMonitor.enabled=true"]),
    (
        "metrics.serviceMonitor.relabelings",
        r#"[{"action":"labeldrop"}]"#,
        &["metrics.serviceMonitor.enabled=true"],
    ),
    (
        "metrics.serviceMonitor.metricRelabelings",
        r#"[{"action":"labeldrop"}]"#,
        &["metrics.serviceMonitor.enabled=true"],
    ),
    ("metrics.grafanaDashboard.enabled", "true", &[]),
    (
        "metrics.grafanaDashboard.labels.grafana_dashboard",
        r#""yes""#,
        &["metrics.grafanaDashboard.enabled=true"],
    ),
    ("metrics.grafanaDashboard.annotations", r#"{"a":"b"}"#, &["metrics.grafanaDashboard.enabled=true"]),
    ("metrics.grafanaDashboard.namespace", r#""monitoring""#, &["metrics.grafanaDashboard.enabled=true"]),
    ("metrics.prometheusRule.enabled", "true", &[]),
    ("metrics.prometheusRule.labels", r#"{"a":"b"}"#, &["metrics.prometheusRule.enabled=true"]),
    ("metrics.prometheusRule.namespace", r#""monitoring""#, &["metrics.prometheusRule.enabled=true"]),
    ("metrics.prometheusRule.job", r#""other""#, &["metrics.prometheusRule.enabled=true"]),
    (
        "metrics.prometheusRule.runbookURL",
        r#""https://docs.example.com/runbook.html""#,
        &["metrics.prometheusRule.enabled=true"],
    ),
    ("metrics.prometheusRule.disabled", r#"["DomicileDenials"]"#, &["metrics.prometheusRule.enabled=true"]),
    ("metrics.prometheusRule.denialsPerMinute", "3", &["metrics.prometheusRule.enabled=true"]),
    ("metrics.prometheusRule.latencySeconds", "0.5", &["metrics.prometheusRule.enabled=true"]),
    ("networkPolicy.enabled", "true", &[]),
    ("networkPolicy.webhookFrom", r#"[{"podSelector":{}}]"#, &["networkPolicy.enabled=true"]),
    ("networkPolicy.metricsFrom", r#"[{"podSelector":{}}]"#, &["networkPolicy.enabled=true"]),
    ("networkPolicy.apiServerPorts", "[7443]", &["networkPolicy.enabled=true"]),
    ("policies", r#"[{"name":"a","spec":{"classifications":["personal"]}}]"#, &[]),
    ("test.namespace", r#""other""#, &[]),
];

fn defaults() -> Value {
    serde_saphyr::from_str(&fs::read_to_string(chart().join("values.yaml")).unwrap()).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(&fs::read_to_string(chart().join("values.schema.json")).unwrap()).unwrap()
}

/// The paths of all values that hold no others.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, below) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                leaves(below, &path, found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

/// A path with the dots that are part of a key kept, as `--set-json` wants it.
fn escaped(path: &str) -> String {
    path.replace("kubernetes.io/os", r"kubernetes\.io/os")
}

#[test]
fn every_value_changes_what_is_installed() {
    let mut found = Vec::new();
    leaves(&defaults(), "", &mut found);
    let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
    let known: BTreeSet<&str> = CHANGED.iter().map(|(path, ..)| *path).collect();
    assert_eq!(found, known, "each value of values.yaml needs another one here");

    let plain = template(&[]).unwrap();
    for (path, other, with) in CHANGED {
        let mut settings: Vec<String> = with.iter().map(|setting| (*setting).to_owned()).collect();
        let before = if with.is_empty() {
            plain.clone()
        } else {
            template(&settings).unwrap_or_else(|e| panic!("{e}"))
        };
        settings.push(format!("{}={other}", escaped(path)));
        let after = template(&settings).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_ne!(before, after, "{path} does nothing");
        // What it makes is YAML that keys do not repeat in.
        crate::helm::documents(&after);
    }
}

#[test]
fn the_schema_knows_every_value_and_no_others() {
    let (schema, defaults) = (schema(), defaults());
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&defaults));
    closed(&schema, "");
    described(&schema, &schema["properties"], &defaults, "");

    let mut found = Vec::new();
    leaves(&defaults, "", &mut found);
    for path in found {
        let free = ["podSecurityContext.", "securityContext."].iter().any(|free| path.starts_with(free));
        let mut wrong = defaults.clone();
        *at(&mut wrong, &path) = json!([true]);
        assert!(free || !validator.is_valid(&wrong), "{path} takes anything");
    }
}

/// A value by its path.
fn at<'a>(value: &'a mut Value, path: &str) -> &'a mut Value {
    let path = path.replace("kubernetes.io/os", "kubernetes~io/os");
    path.split('.').fold(value, |value, key| value.get_mut(key.replace('~', ".")).unwrap())
}

/// No object with properties of its own takes others.
fn closed(schema: &Value, path: &str) {
    if let Value::Object(map) = schema {
        if map.contains_key("properties") {
            assert_eq!(schema["additionalProperties"], json!(false), "{path}");
        }
        // A condition speaks of the object around it.
        for (key, below) in map.iter().filter(|(key, _)| !["if", "then", "else"].contains(&key.as_str())) {
            closed(below, &format!("{path}/{key}"));
        }
    }
}

/// Every default stands in the schema by its own name.
fn described(root: &Value, properties: &Value, values: &Value, path: &str) {
    for (key, value) in values.as_object().unwrap() {
        let mut schema = &properties[key];
        assert!(!schema.is_null(), "{path}{key} is not in the schema");
        if let Some(reference) = schema["$ref"].as_str() {
            schema = root.pointer(reference.trim_start_matches('#')).unwrap();
        }
        if let Some(below) = schema.get("properties")
            && value.is_object()
        {
            described(root, below, value, &format!("{path}{key}."));
        }
    }
}

#[test]
fn helm_refuses_what_the_schema_refuses() {
    for (setting, why) in [
        ("webhook.failurepolicy=\"Fail\"", "additional properties 'failurepolicy' not allowed"),
        ("replicas=2", "additional properties 'replicas' not allowed"),
        ("replicaCount=\"two\"", "at '/replicaCount'"),
        ("webhook.url=\"http://domicile.example.com\"", "at '/webhook/url'"),
        ("cluster.jurisdiction=\"de\"", "at '/cluster/jurisdiction'"),
        (r#"commonLabels={"helm.sh/chart":"other"}"#, "at '/commonLabels'"),
        (r#"podLabels={"app.kubernetes.io/name":"other"}"#, "at '/podLabels'"),
        ("webhook.entries=null", "at '/webhook': missing property 'entries'"),
        (r#"audit.interval="0s""#, "at '/audit/interval'"),
        (r#"audit.interval="59s""#, "at '/audit/interval'"),
        // It would require nothing of anybody.
        (
            r#"classification.required.namespaceSelector={"matchExpressions":[{"key":"env","operator":"In"}]}"#,
            "missing property 'values'",
        ),
        (
            r#"webhook.namespaceSelector={"matchExpressions":[{"key":"env","operator":"NotIn","values":[]}]}"#,
            "minItems",
        ),
        (
            r#"webhook.namespaceSelector={"matchExpressions":[{"key":"env","operator":"Exists","values":["a"]}]}"#,
            "maxItems",
        ),
    ] {
        let error = template(&[setting.to_owned()]).unwrap_err();
        assert!(error.contains(why), "{setting}: {error}");
    }
}

#[test]
fn helm_takes_what_the_schema_permits() {
    for setting in [
        r#"audit.interval="1m""#,
        r#"audit.interval="90s""#,
        r#"audit.interval="1h30m""#,
        r#"classification.required.namespaceSelector={"matchExpressions":[{"key":"env","operator":"In","values":["prod"]}]}"#,
        r#"webhook.namespaceSelector={"matchExpressions":[{"key":"env","operator":"Exists"}]}"#,
    ] {
        template(&[setting.to_owned()]).unwrap();
    }
}

/// Helm takes a value that is set to null away, with all that is below it.
#[test]
fn null_is_nothing_or_refused_by_name() {
    let mut paths = Vec::new();
    leaves(&defaults(), "", &mut paths);
    let blocks: BTreeSet<String> = paths
        .iter()
        .flat_map(|path| path.match_indices('.').map(|(end, _)| path[..end].to_owned()))
        .collect();
    let free = ["podSecurityContext.", "securityContext."];
    let paths =
        blocks.into_iter().chain(paths).filter(|path| !free.iter().any(|free| path.starts_with(free)));
    for path in paths.filter(|path| !path.starts_with("nodeSelector.")) {
        let last = path.rsplit('.').next().unwrap();
        match template(&[format!("{path}=null")]) {
            Ok(text) => drop(crate::helm::documents(&text)),
            Err(error) => {
                assert!(error.contains(&format!("missing property '{last}'")), "{path}: {error}");
            }
        }
    }
}

#[test]
fn what_contradicts_itself_is_refused_with_a_reason() {
    for (settings, why) in [
        (&[r#"tls.caBundle="Zm9v""#][..], "Leave it empty"),
        (&[r#"tls.mode="existingSecret""#], "needs tls.secretName"),
        (&[r#"tls.mode="certManager""#, r#"webhook.url="https://a.example""#], "no use with webhook.url"),
        (&["webhook.port=8080"], "one of them must be another"),
        (&["podDisruptionBudget.maxUnavailable=1"], "not both"),
        (
            &["metrics.prometheusRule.enabled=true", r#"metrics.prometheusRule.disabled=["Other"]"#],
            "there is no alert Other. There are: DomicileDown, ",
        ),
    ] {
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let error = template(&settings).unwrap_err();
        assert!(error.contains(why), "{settings:?}: {error}");
    }
}

#[test]
fn lint_is_content() {
    let output = helm(&["lint", "--strict", chart().to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A row for each value that is described: its path, its default, what is said of it.
fn table() -> String {
    let defaults = defaults();
    let text = fs::read_to_string(chart().join("values.yaml")).unwrap();
    let mut table = String::from("| value | default | what it is |\n| --- | --- | --- |\n");
    let (mut path, mut said): (Vec<(usize, String)>, Option<String>) = (Vec::new(), None);
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        let line = line.trim_start();
        if let Some(begin) = line.strip_prefix("# -- ") {
            said = Some(begin.to_owned());
        } else if let Some(rest) = line.strip_prefix("# ") {
            if let Some(said) = &mut said {
                *said = format!("{said} {rest}");
            }
        } else if let Some((key, _)) = line.split_once(':').filter(|_| !line.starts_with('-')) {
            while path.last().is_some_and(|(above, _)| *above >= depth) {
                path.pop();
            }
            path.push((depth, key.to_owned()));
            if let Some(said) = said.take() {
                let names: Vec<&str> = path.iter().map(|(_, key)| key.as_str()).collect();
                let value = names.iter().fold(&defaults, |value, key| &value[*key]);
                let (name, said) = (names.join("."), said.replace('|', "\\|"));
                let _ = writeln!(table, "| `{name}` | `{value}` | {said} |");
            }
        }
    }
    table
}

#[test]
fn the_readme_describes_every_value() {
    let table = table();
    let rows: BTreeSet<&str> = table.lines().filter_map(|line| line.split('`').nth(1)).collect();
    let mut found = Vec::new();
    leaves(&defaults(), "", &mut found);
    for path in &found {
        let ancestors = path.match_indices('.').map(|(end, _)| &path[..end]).chain([path.as_str()]);
        assert!(ancestors.clone().any(|path| rows.contains(path)), "values.yaml does not describe {path}");
    }

    let (begin, end) = ("<!-- values: from values.yaml -->\n", "<!-- end of values -->");
    let file = chart().join("README.md");
    let readme = fs::read_to_string(&file).unwrap();
    let (before, rest) = readme.split_once(begin).unwrap();
    let (now, after) = rest.split_once(end).unwrap();
    if now != table && std::env::var_os("DOMICILE_WRITE_README").is_some() {
        fs::write(&file, format!("{before}{begin}{table}{end}{after}")).unwrap();
        return;
    }
    assert!(
        now == table,
        "the README of the chart lags behind values.yaml: DOMICILE_WRITE_README=1 cargo test --test chart"
    );
}
