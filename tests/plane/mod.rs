//! A real control plane for tests: etcd, API server, controller manager and scheduler on loopback, without kubelets.
//!
//! Pods are created, scheduled and bound, and stay Pending then. What is started here ends with the test binary.

#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

mod faults;
mod identity;
mod objects;
mod process;
mod reports;
mod session;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use identity::{Identity, Said};
pub(crate) use objects::eventually;
pub(crate) use process::{Process, is_there, left_behind};
pub(crate) use reports::{OPEN_REPORTS, POLICY_REPORTS, Reporting};
pub(crate) use session::{Trials, run};

use identity::{Authority, Certified, Proof, kubeconfig};

/// How long a component may take until it is ready; about 10 s on an idle machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// A program of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Component {
    Etcd,
    ApiServer,
    ControllerManager,
    Scheduler,
}

impl Component {
    pub(crate) const ALL: [Self; 4] = [Self::Etcd, Self::ApiServer, Self::ControllerManager, Self::Scheduler];

    fn program(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
        }
    }

    fn health(self) -> &'static str {
        match self {
            Self::Etcd => "/health",
            Self::ApiServer | Self::Scheduler => "/readyz",
            Self::ControllerManager => "/healthz",
        }
    }
}

/// A running control plane.
pub(crate) struct Plane {
    tools: PathBuf,
    folder: PathBuf,
    authority: Authority,
    server: Certified,
    administrator: Certified,
    ports: [u16; 4],
    running: Mutex<[Option<Process>; 4]>,
    admin: Identity,
    healing: tokio::sync::Mutex<()>,
    temporary: Mutex<Option<TempDir>>,
}

impl Plane {
    /// Starts one and waits until it is ready. Most tests share one instead: see [`Trials`].
    pub(crate) async fn start() -> Self {
        let tools = tools();
        let temporary = tempfile::Builder::new().prefix("domicile-plane-").tempdir().unwrap();
        let folder = temporary.path().to_owned();
        let authority = Authority::new(&folder.join("pki"));
        let server = authority.server();
        let administrator = authority.client("administrator", Some("system:masters"));
        let ports = [(); 4].map(|()| free_port());
        let proof = Proof::Certificate(&administrator);
        let address = format!("https://127.0.0.1:{}", ports[Component::ApiServer as usize]);
        let path = kubeconfig(&folder, "administrator", &address, &authority.certificate(), &proof);
        let admin = Identity::new(path, &tools).await;
        let plane = Self {
            tools,
            folder,
            authority,
            server,
            administrator,
            ports,
            running: Mutex::default(),
            admin,
            healing: tokio::sync::Mutex::default(),
            temporary: Mutex::new(Some(temporary)),
        };
        plane.write_configuration();
        plane.spawn(Component::Etcd);
        plane.spawn(Component::ApiServer);
        plane.ready(Component::ApiServer).await;
        // These two give up on an API server that is not there within seconds.
        plane.spawn(Component::ControllerManager);
        plane.spawn(Component::Scheduler);
        plane.ready(Component::ControllerManager).await;
        plane.ready(Component::Scheduler).await;
        plane
    }

    /// The administrator, whom nothing but admission can refuse.
    pub(crate) fn admin(&self) -> &Identity {
        &self.admin
    }

    /// A client for the administrator.
    pub(crate) fn client(&self) -> Client {
        self.admin.client.clone()
    }

    /// Where the API server is.
    pub(crate) fn address(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports[Component::ApiServer as usize])
    }

    /// A certificate for a server on loopback, in files, and the PEM of who signed it.
    pub(crate) fn server_certificate(&self) -> (&Certified, String) {
        (&self.server, fs::read_to_string(self.authority.certificate()).unwrap())
    }

    /// A folder for what the tests want to keep as long as the control plane runs.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A user with groups. Authorization and admission see the user alone (by impersonation).
    pub(crate) async fn user(&self, name: &str, groups: &[&str]) -> Identity {
        self.identity(name, &Proof::Impersonation(&self.administrator, name, groups)).await
    }

    /// What the kubelet of that node is, by certificate.
    pub(crate) async fn kubelet(&self, node: &str) -> Identity {
        let name = format!("system:node:{node}");
        let certified = self.authority.client(&name, Some("system:nodes"));
        self.identity(&name, &Proof::Certificate(&certified)).await
    }

    /// A ServiceAccount that exists, by a token for an hour.
    pub(crate) async fn service_account(&self, namespace: &str, name: &str) -> Identity {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client(), namespace);
        let request = TokenRequest {
            spec: Some(TokenRequestSpec { expiration_seconds: Some(3600), ..TokenRequestSpec::default() }),
            ..TokenRequest::default()
        };
        let answer = accounts.create_token_request(name, &PostParams::default(), &request).await.unwrap();
        let token = answer.status.and_then(|status| status.token).unwrap();
        self.identity(&format!("{namespace}:{name}"), &Proof::Token(&token)).await
    }

    async fn identity(&self, name: &str, proof: &Proof<'_>) -> Identity {
        let path = kubeconfig(&self.folder, name, &self.address(), &self.authority.certificate(), proof);
        Identity::new(path, &self.tools).await
    }

    /// What was written to the API server, and what Domicile's account read, as audit events of level Metadata.
    pub(crate) fn audit(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.folder.join("audit.log")).unwrap_or_default();
        // The last line may be half written.
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// What a component has printed.
    pub(crate) fn log(&self, component: Component) -> String {
        fs::read_to_string(self.log_file(component)).unwrap_or_default()
    }

    /// Asks a component to end, and waits.
    pub(crate) fn stop(&self, component: Component) {
        if let Some(mut process) = self.slot(component, Option::take) {
            process.stop(Duration::from_secs(30));
        }
    }

    /// Ends a component as a crash would.
    pub(crate) fn kill(&self, component: Component) {
        if let Some(mut process) = self.slot(component, Option::take) {
            process.kill();
        }
    }

    /// Starts a component that was stopped or killed, and waits until it is ready.
    pub(crate) async fn restart(&self, component: Component) {
        self.spawn(component);
        self.ready(component).await;
        if matches!(component, Component::Etcd | Component::ApiServer) {
            self.ready(Component::ApiServer).await;
            // Both may end when they lose the API server as they start. In a cluster, a kubelet starts them again.
            for other in [Component::ControllerManager, Component::Scheduler] {
                let ended =
                    self.slot(other, |slot| slot.as_mut().is_some_and(|process| process.ended().is_some()));
                if ended {
                    self.slot(other, |slot| *slot = Some(self.launch(other)));
                    self.ready(other).await;
                }
            }
        }
    }

    /// Starts what should run and does not, as after a test that failed while it had stopped something.
    pub(crate) async fn heal(&self) {
        let _one_at_a_time = self.healing.lock().await;
        for component in Component::ALL {
            let gone =
                self.slot(component, |slot| slot.as_mut().is_none_or(|process| process.ended().is_some()));
            if gone {
                self.slot(component, |slot| *slot = None);
                self.restart(component).await;
            }
        }
    }

    /// Waits until a component says that it is ready.
    pub(crate) async fn ready(&self, component: Component) {
        let scheme = if component == Component::Etcd { "http" } else { "https" };
        let address = format!("{scheme}://127.0.0.1:{}", self.ports[component as usize]);
        let client = if component == Component::ApiServer {
            self.client()
        } else {
            let mut config = kube::Config::new(address.parse().unwrap());
            config.root_cert = Some(vec![self.authority.der()]);
            config.default_retry = false;
            Client::try_from(config).unwrap()
        };
        let until = Instant::now() + PATIENCE;
        loop {
            let request = http::Request::get(component.health()).body(Vec::new()).unwrap();
            let asked = tokio::time::timeout(Duration::from_secs(5), client.request_text(request)).await;
            let answer = match asked {
                Ok(Ok(_)) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer within 5 s".to_owned(),
            };
            let needed = [Component::Etcd, Component::ApiServer, component];
            let ended = needed
                .into_iter()
                .any(|needed| self.slot(needed, |slot| slot.as_mut().is_some_and(|p| p.ended().is_some())));
            if ended || Instant::now() > until {
                let why = if ended { "a component ended" } else { "too late" };
                panic!(
                    "{} is not ready: {why}; it last said: {answer}\n{}",
                    component.program(),
                    self.tails()
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The ends of the logs of what runs.
    pub(crate) fn tails(&self) -> String {
        self.running.lock().iter_mut().flatten().map(Process::tail).collect()
    }

    /// Ends everything. The folder with the logs is kept if `keep`.
    pub(crate) fn end(&self, keep: bool) {
        for process in self.running.lock().iter_mut() {
            *process = None;
        }
        if let Some(folder) = self.temporary.lock().take().filter(|_| keep) {
            eprintln!("the control plane's logs are in {}", folder.keep().display());
        }
    }

    fn log_file(&self, component: Component) -> PathBuf {
        self.folder.join(format!("{}.log", component.program()))
    }

    fn slot<T>(&self, component: Component, with: impl FnOnce(&mut Option<Process>) -> T) -> T {
        with(&mut self.running.lock()[component as usize])
    }

    fn spawn(&self, component: Component) {
        let before = self.slot(component, |slot| slot.replace(self.launch(component)));
        assert!(before.is_none(), "{} was running already", component.program());
    }

    fn launch(&self, component: Component) -> Process {
        let mut command = Command::new(self.tools.join(component.program()));
        command.current_dir(&self.folder).env_clear().args(self.arguments(component));
        Process::spawn(component.program(), &command, &self.log_file(component))
    }

    /// All files are named relative to the folder in which the components run.
    fn arguments(&self, component: Component) -> Vec<String> {
        let etcd = self.ports[Component::Etcd as usize];
        let port = self.ports[component as usize];
        let serve = format!(
            "--bind-address=127.0.0.1 --secure-port={port} --profiling=false \
             --tls-cert-file=pki/server.pem --tls-private-key-file=pki/server.key"
        );
        let arguments = match component {
            // Nothing here must outlive the machine, so nothing is worth an fsync.
            Component::Etcd => format!(
                "--data-dir=etcd --unsafe-no-fsync --log-level=warn \
                 --listen-client-urls=http://127.0.0.1:{etcd} --advertise-client-urls=http://127.0.0.1:{etcd} \
                 --listen-peer-urls=http://127.0.0.1:0"
            ),
            // No reconciler: it refuses to publish a loopback address as the endpoint of `kubernetes`.
            Component::ApiServer => format!(
                "{serve} --advertise-address=127.0.0.1 --endpoint-reconciler-type=none --cert-dir=pki \
                 --etcd-servers=http://127.0.0.1:{etcd} --client-ca-file=pki/ca.pem \
                 --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
                 --service-account-issuer=https://kubernetes.default.svc --service-cluster-ip-range=10.0.0.0/24 \
                 --service-account-key-file=pki/accounts.pub --service-account-signing-key-file=pki/accounts.key \
                 --audit-policy-file=audit.json --audit-log-path=audit.log --allow-privileged=true"
            ),
            // Without kubelets, nodes that stay ready want nobody to look after them.
            Component::ControllerManager => format!(
                "{serve} --kubeconfig=controller-manager.kubeconfig --leader-elect=false \
                 --controllers=*,-node-lifecycle-controller --use-service-account-credentials=true \
                 --service-account-private-key-file=pki/accounts.key --root-ca-file=pki/ca.pem \
                 --flex-volume-plugin-dir=flex --pvclaimbinder-sync-period=5s --kube-api-qps=500 --kube-api-burst=1000"
            ),
            Component::Scheduler => format!("{serve} --config=scheduler.json"),
        };
        arguments.split_whitespace().map(str::to_owned).collect()
    }

    fn write_configuration(&self) {
        let write = |name: &str, text: String| fs::write(self.folder.join(name), text).unwrap();
        let accounts = rcgen::KeyPair::generate().unwrap();
        write("pki/accounts.key", accounts.serialize_pem());
        write("pki/accounts.pub", accounts.public_key_pem());
        for name in ["controller-manager", "scheduler"] {
            let certified = self.authority.client(&format!("system:kube-{name}"), None);
            let proof = Proof::Certificate(&certified);
            kubeconfig(&self.folder, name, &self.address(), &self.authority.certificate(), &proof);
        }
        let policy = json!({
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],
            "rules": [
                // What Domicile reads, too: it shows which rights it needs.
                {"level": "Metadata", "userGroups": ["system:serviceaccounts:domicile-system"]},
                {"level": "None", "verbs": ["get", "list", "watch"]},
                {"level": "None", "resources": [{"group": "coordination.k8s.io"}]},
                {"level": "Metadata"},
            ],
        });
        write("audit.json", policy.to_string());
        // A pod that was refused is tried again after a second, not after eleven.
        let scheduler = json!({
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "leaderElection": {"leaderElect": false},
            "clientConnection": {"kubeconfig": "scheduler.kubeconfig", "qps": 500, "burst": 1000},
            "podInitialBackoffSeconds": 1,
            "podMaxBackoffSeconds": 1,
        });
        write("scheduler.json", scheduler.to_string());
    }
}

/// The folder with the programs, built if need be.
pub(crate) fn tools() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/controlplane/build.sh");
    let output = Command::new(&script).stderr(std::process::Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{} failed: {}", script.display(), output.status);
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// The version of a module that tests/controlplane pins.
pub(crate) fn pinned(module: &str) -> &'static str {
    const PINS: [&str; 2] =
        [include_str!("../controlplane/kubernetes/go.mod"), include_str!("../controlplane/helm/go.mod")];
    let mut lines = PINS.iter().flat_map(|pins| pins.lines()).map(str::trim);
    lines.find_map(|line| line.strip_prefix(module)?.strip_prefix(' ')?.split(' ').next()).unwrap()
}

/// A port that nobody listens on, below those that the system gives to connections: one of those could be taken
/// while the component that listens on it is restarted.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 15_000;
    const COUNT: u16 = 15_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Different test binaries start at different places.
    let start = u16::try_from(std::process::id() * 97 % u32::from(COUNT)).unwrap();
    (0..COUNT)
        .map(|_| FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .unwrap()
}
