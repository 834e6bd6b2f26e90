//! The certificate that is made and kept in the cluster, as the API server meets it: it asks over a connection that
//! it believes in, or the call fails and so does what was asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use clap::Parser;
use domicile::server::{
    Addresses, Call, Metrics, Options, Readiness, Reply, Reviewer, Server, ServerError, Shutdown,
};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::client::{Caller, get};
use crate::plane::{Plane, Trials, eventually};

pub(crate) fn trials() -> Trials {
    Trials::of("certificates")
        .test("made_once_and_then_left_alone", made_once)
        .test("replicas_that_begin_at_once_agree", replicas_agree)
        .test("rotated_while_everybody_calls", rotated)
        .test("a_deleted_secret_is_made_anew", deleted)
        .test("a_broken_secret_is_replaced", broken)
        .test("an_emptied_bundle_is_repaired", emptied)
        .test("configurations_may_come_later_and_change", later)
}

/// Allows everything.
struct Allows;

impl Reviewer for Allows {
    async fn validate(&self, call: Call) -> Reply {
        let review: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let answer = json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {"uid": review["request"]["uid"], "allowed": true},
        });
        Reply { status: StatusCode::OK, body: answer.to_string().into_bytes() }
    }

    async fn mutate(&self, call: Call) -> Reply {
        self.validate(call).await
    }
}

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

/// A namespace with a ServiceAccount that may do what the certificate needs, and nothing else.
struct Setting {
    plane: &'static Plane,
    /// Also the name of what is cluster-wide.
    namespace: String,
    client: Client,
}

struct Replica {
    at: Addresses,
    shutdown: Shutdown,
    ended: JoinHandle<Result<(), ServerError>>,
}

impl Replica {
    async fn ready(&self) {
        eventually("the replica is ready", async || {
            (get(self.at.health, "/readyz").await.0 == 200).then_some(())
        })
        .await;
    }

    async fn end(self) {
        self.shutdown.begin();
        self.ended.await.unwrap().unwrap();
    }
}

async fn make<K>(api: Api<K>, manifest: Value) -> K
where
    K: Clone + std::fmt::Debug + DeserializeOwned + Serialize,
{
    api.create(&PostParams::default(), &serde_json::from_value(manifest).unwrap()).await.unwrap()
}

impl Setting {
    async fn new(plane: &'static Plane, prefix: &str) -> Self {
        let namespace = plane.namespace(prefix).await;
        let _: ServiceAccount = plane.create(&namespace, json!({"metadata": {"name": "domicile"}})).await;
        let who = json!([{"kind": "ServiceAccount", "name": "domicile", "namespace": namespace}]);
        let role = |kind: &str, name: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name});
        let secrets = json!([
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["domicile-tls"],
             "verbs": ["get", "list", "watch", "update"]},
        ]);
        let _: Role =
            plane.create(&namespace, json!({"metadata": {"name": "domicile"}, "rules": secrets})).await;
        let binding =
            json!({"metadata": {"name": "domicile"}, "roleRef": role("Role", "domicile"), "subjects": who});
        let _: RoleBinding = plane.create(&namespace, binding).await;
        let configurations = json!([{
            "apiGroups": ["admissionregistration.k8s.io"],
            "resources": ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"],
            "resourceNames": [namespace],
            "verbs": ["get", "list", "watch", "patch"],
        }]);
        let cluster = plane.client();
        let _: ClusterRole = make(
            Api::all(cluster.clone()),
            json!({"metadata": {"name": namespace}, "rules": configurations}),
        )
        .await;
        let binding = json!({"metadata": {"name": namespace}, "roleRef": role("ClusterRole", &namespace), "subjects": who});
        let _: ClusterRoleBinding = make(Api::all(cluster), binding).await;
        let client = plane.service_account(&namespace, "domicile").await.client;
        Self { plane, namespace, client }
    }

    fn replica(&self, more: &[&str]) -> Replica {
        let (namespace, configuration) = (
            format!("--namespace={}", self.namespace),
            format!("--webhook-configuration={}", self.namespace),
        );
        let mut arguments = vec![
            "serve",
            "--listen=127.0.0.1:0",
            "--metrics-listen=127.0.0.1:0",
            "--tls-name=127.0.0.1",
            "--shutdown-grace=0s",
            &namespace,
            &configuration,
        ];
        arguments.extend(more);
        let metrics = Metrics::new();
        let readiness = Readiness::new(metrics.clone());
        readiness.expect(Vec::<String>::new());
        let server = Server::bind(Cli::parse_from(arguments).options, metrics, readiness).unwrap();
        let at = server.addresses().unwrap();
        let shutdown = Shutdown::default();
        let run = server.run(Some(self.client.clone()), Arc::new(Allows), shutdown.clone());
        Replica { at, shutdown, ended: tokio::spawn(run) }
    }

    /// An entry of each kind for each replica: whatever is created in the namespace asks all of them.
    async fn configurations(&self, replicas: &[&Replica]) {
        let entry = |number: usize, replica: &Replica, path: &str| {
            json!({
                "name": format!("replica-{number}.{path}.example.com"),
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "timeoutSeconds": 10,
                "clientConfig": {"url": format!("https://{}/{path}", replica.at.https)},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}},
            })
        };
        let entries = |path: &str| -> Vec<Value> {
            replicas.iter().enumerate().map(|(number, replica)| entry(number, replica, path)).collect()
        };
        let name = json!({"name": self.namespace});
        let client = self.plane.client();
        let _: ValidatingWebhookConfiguration =
            make(Api::all(client.clone()), json!({"metadata": name, "webhooks": entries("validate")})).await;
        let _: MutatingWebhookConfiguration =
            make(Api::all(client), json!({"metadata": name, "webhooks": entries("mutate")})).await;
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.plane.client(), &self.namespace)
    }

    fn validating(&self) -> Api<ValidatingWebhookConfiguration> {
        Api::all(self.plane.client())
    }

    fn mutating(&self) -> Api<MutatingWebhookConfiguration> {
        Api::all(self.plane.client())
    }

    async fn secret(&self) -> BTreeMap<String, String> {
        let secret = self.secrets().get("domicile-tls").await.unwrap();
        secret
            .data
            .unwrap()
            .into_iter()
            .map(|(key, text)| (key, String::from_utf8(text.0).unwrap()))
            .collect()
    }

    /// The `caBundle` of every entry of both configurations.
    async fn bundles(&self) -> Vec<String> {
        let validating = self.validating().get(&self.namespace).await.unwrap().webhooks.unwrap();
        let mutating = self.mutating().get(&self.namespace).await.unwrap().webhooks.unwrap();
        let configs = validating
            .into_iter()
            .map(|entry| entry.client_config)
            .chain(mutating.into_iter().map(|entry| entry.client_config));
        configs.map(|config| String::from_utf8(config.ca_bundle.unwrap_or_default().0).unwrap()).collect()
    }

    /// Asks all replicas, twice, as the API server does.
    async fn ask(&self) -> Result<(), kube::Error> {
        let manifest = json!({"metadata": {"generateName": "asked-"}});
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let configmaps: Api<ConfigMap> = Api::namespaced(self.plane.client(), &self.namespace);
        configmaps.create(&params, &serde_json::from_value(manifest).unwrap()).await.map(drop)
    }

    async fn versions(&self) -> Vec<String> {
        fn version<K: Resource>(object: &K) -> String {
            object.meta().resource_version.clone().unwrap()
        }
        vec![
            version(&self.secrets().get("domicile-tls").await.unwrap()),
            version(&self.validating().get(&self.namespace).await.unwrap()),
            version(&self.mutating().get(&self.namespace).await.unwrap()),
        ]
    }

    /// Who configurations believe is who the Secret says.
    async fn told(&self) {
        eventually("every entry trusts what the Secret says", async || {
            let secret = self.secret().await;
            self.bundles().await.iter().all(|bundle| *bundle == secret["ca.crt"]).then_some(())
        })
        .await;
    }

    /// The API server hears of a changed configuration a moment later than we do.
    async fn asked(&self) {
        eventually("the API server asks", async || self.ask().await.ok()).await;
    }

    async fn end(self, replicas: Vec<Replica>) {
        let gone = DeleteParams::default();
        self.validating().delete(&self.namespace, &gone).await.unwrap();
        self.mutating().delete(&self.namespace, &gone).await.unwrap();
        for replica in replicas {
            replica.end().await;
        }
    }
}

/// Two kinds of callers that go on: the API server, and one that connects anew each time and believes exactly whom
/// the configuration says at that time. Neither may fail.
struct Hammer {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    certificates: Arc<parking_lot::Mutex<BTreeSet<Vec<u8>>>>,
    callers: Vec<JoinHandle<()>>,
}

impl Hammer {
    fn start(setting: &Arc<Setting>, replicas: &[&Replica]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let calls = Arc::new(AtomicUsize::new(0));
        let certificates = Arc::<parking_lot::Mutex<BTreeSet<Vec<u8>>>>::default();
        let mut callers = Vec::new();
        for _ in 0..2 {
            let (setting, stop, calls) = (Arc::clone(setting), Arc::clone(&stop), Arc::clone(&calls));
            callers.push(tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    setting.ask().await.unwrap();
                    calls.fetch_add(1, Ordering::SeqCst);
                }
            }));
        }
        for replica in replicas {
            let (setting, stop, calls) = (Arc::clone(setting), Arc::clone(&stop), Arc::clone(&calls));
            let (at, certificates) = (replica.at.https, Arc::clone(&certificates));
            callers.push(tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    for bundle in setting.bundles().await {
                        let mut connection = Caller::trusting(&bundle).connect(at).await.unwrap();
                        certificates.lock().insert(connection.certificate.clone());
                        assert_eq!(connection.post("/validate", "{}").await.unwrap().status, 200);
                        calls.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }));
        }
        Self { stop, calls, certificates, callers }
    }

    /// How many calls there were, and how many certificates were met.
    async fn end(self) -> (usize, usize) {
        self.stop.store(true, Ordering::SeqCst);
        for caller in self.callers {
            caller.await.unwrap();
        }
        (self.calls.load(Ordering::SeqCst), self.certificates.lock().len())
    }
}

async fn made_once(plane: &'static Plane) {
    let setting = Setting::new(plane, "made").await;
    // The chart makes the Secret, empty.
    let _: Secret = plane.create(&setting.namespace, json!({"metadata": {"name": "domicile-tls"}})).await;
    let replica = setting.replica(&[]);
    setting.configurations(&[&replica]).await;
    replica.ready().await;
    setting.told().await;
    setting.asked().await;
    let keys: Vec<String> = setting.secret().await.into_keys().collect();
    assert_eq!(keys, ["ca.crt", "ca.key", "tls.crt", "tls.key"]);

    // Another replica, and the same one again, find nothing to do.
    let before = setting.versions().await;
    let second = setting.replica(&[]);
    second.ready().await;
    replica.end().await;
    let again = setting.replica(&[]);
    again.ready().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(setting.versions().await, before);
    setting.end(vec![second, again]).await;
}

async fn replicas_agree(plane: &'static Plane) {
    let setting = Setting::new(plane, "agree").await;
    let replicas: Vec<Replica> = (0..4).map(|_| setting.replica(&[])).collect();
    setting.configurations(&replicas.iter().collect::<Vec<_>>()).await;
    for replica in &replicas {
        replica.ready().await;
    }
    setting.told().await;
    setting.asked().await;
    let caller = Caller::trusting(&setting.secret().await["ca.crt"]);
    eventually("all serve the same", async || {
        let mut served = BTreeSet::new();
        for replica in &replicas {
            served.insert(caller.connect(replica.at.https).await.ok()?.certificate);
        }
        (served.len() == 1).then_some(())
    })
    .await;
    // One CA was made, and no trace is left of those that came second.
    assert_eq!(setting.secret().await["ca.crt"].matches("BEGIN CERTIFICATE").count(), 1);
    setting.end(replicas).await;
}

async fn rotated(plane: &'static Plane) {
    let setting = Arc::new(Setting::new(plane, "rotated").await);
    // Renewed after 13 s; its CA lives for 40 s and is renewed after 27 s.
    let replicas: Vec<Replica> = (0..2).map(|_| setting.replica(&["--tls-lifetime=20s"])).collect();
    setting.configurations(&replicas.iter().collect::<Vec<_>>()).await;
    for replica in &replicas {
        replica.ready().await;
    }
    setting.asked().await;
    let hammer = Hammer::start(&setting, &replicas.iter().collect::<Vec<_>>());
    let mut cas = BTreeSet::new();
    let mut most = 0;
    let begun = Instant::now();
    while cas.len() < 3 && begun.elapsed() < Duration::from_mins(3) {
        let bundle = setting.secret().await["ca.crt"].clone();
        most = most.max(bundle.matches("BEGIN CERTIFICATE").count());
        cas.insert(bundle.split_inclusive("-----END CERTIFICATE-----").next().unwrap().to_owned());
        assert!(!hammer.callers.iter().any(JoinHandle::is_finished), "a caller has failed");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (calls, certificates) = hammer.end().await;
    println!("{calls} calls, {} CAs, {certificates} certificates in {:?}", cas.len(), begun.elapsed());
    assert_eq!((cas.len(), most), (3, 2), "CAs, and how many were trusted at once");
    assert!(certificates >= 4 && calls > 50, "{certificates} certificates, {calls} calls");
    Arc::into_inner(setting).unwrap().end(replicas).await;
}

async fn deleted(plane: &'static Plane) {
    let setting = Arc::new(Setting::new(plane, "deleted").await);
    let replicas: Vec<Replica> = (0..2).map(|_| setting.replica(&[])).collect();
    setting.configurations(&replicas.iter().collect::<Vec<_>>()).await;
    for replica in &replicas {
        replica.ready().await;
    }
    setting.asked().await;
    let before = setting.secret().await;
    let hammer = Hammer::start(&setting, &replicas.iter().collect::<Vec<_>>());
    setting.secrets().delete("domicile-tls", &DeleteParams::default()).await.unwrap();
    eventually("it is made anew", async || setting.secrets().get_opt("domicile-tls").await.unwrap()).await;
    let after = setting.secret().await;
    // As the chart makes it.
    assert_eq!(setting.secrets().get("domicile-tls").await.unwrap().type_.as_deref(), Some("Opaque"));
    assert_ne!(after["ca.key"], before["ca.key"]);
    assert!(after["ca.crt"].ends_with(&before["ca.crt"]), "what is served stays trusted");
    setting.told().await;
    let caller =
        Caller::trusting(after["ca.crt"].split_inclusive("-----END CERTIFICATE-----").next().unwrap());
    for replica in &replicas {
        eventually("the new one is served", async || caller.connect(replica.at.https).await.ok()).await;
    }
    let (calls, certificates) = hammer.end().await;
    assert!(certificates == 2 && calls > 20, "{certificates} certificates, {calls} calls");
    Arc::into_inner(setting).unwrap().end(replicas).await;
}

async fn broken(plane: &'static Plane) {
    let setting = Arc::new(Setting::new(plane, "broken").await);
    let replica = setting.replica(&[]);
    setting.configurations(&[&replica]).await;
    replica.ready().await;
    setting.asked().await;
    let hammer = Hammer::start(&setting, &[&replica]);
    for key in ["tls.crt", "tls.key", "ca.crt", "ca.key"] {
        let patch = Patch::Merge(json!({"stringData": {key: "nonsense"}}));
        setting.secrets().patch("domicile-tls", &PatchParams::default(), &patch).await.unwrap();
        eventually("it is replaced", async || (setting.secret().await[key] != "nonsense").then_some(()))
            .await;
        setting.told().await;
        let secret = setting.secret().await;
        let wanted: Vec<u8> = {
            use rustls::pki_types::pem::PemObject;
            rustls::pki_types::CertificateDer::from_pem_slice(secret["tls.crt"].as_bytes()).unwrap().to_vec()
        };
        let caller = Caller::trusting(&secret["ca.crt"]);
        eventually("the new one is served", async || {
            caller.connect(replica.at.https).await.ok().filter(|there| there.certificate == wanted).map(drop)
        })
        .await;
    }
    hammer.end().await;
    Arc::into_inner(setting).unwrap().end(vec![replica]).await;
}

async fn emptied(plane: &'static Plane) {
    let setting = Setting::new(plane, "emptied").await;
    let replica = setting.replica(&[]);
    setting.configurations(&[&replica]).await;
    replica.ready().await;
    setting.asked().await;
    let before = setting.bundles().await;
    for _ in 0..3 {
        let patch: json_patch::Patch =
            serde_json::from_value(json!([{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]))
                .unwrap();
        let patch = Patch::<()>::Json(patch);
        let begun = Instant::now();
        setting.validating().patch(&setting.namespace, &PatchParams::default(), &patch).await.unwrap();
        setting.mutating().patch(&setting.namespace, &PatchParams::default(), &patch).await.unwrap();
        eventually("it is repaired", async || (setting.bundles().await == before).then_some(())).await;
        println!("repaired after {:?}", begun.elapsed());
    }
    replica.ready().await;
    setting.asked().await;
    setting.end(vec![replica]).await;
}

async fn later(plane: &'static Plane) {
    let setting = Setting::new(plane, "later").await;
    let replica = setting.replica(&[]);
    // Nobody asks: nothing is missing.
    replica.ready().await;
    setting.configurations(&[&replica]).await;
    setting.told().await;
    setting.asked().await;
    // An upgrade of a chart adds an entry, without a word about trust.
    let gone = DeleteParams::default();
    setting.validating().delete(&setting.namespace, &gone).await.unwrap();
    setting.mutating().delete(&setting.namespace, &gone).await.unwrap();
    setting.configurations(&[&replica, &replica]).await;
    setting.told().await;
    assert_eq!(setting.bundles().await.len(), 4);
    setting.asked().await;
    setting.end(vec![replica]).await;
}
