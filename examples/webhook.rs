//! What the API server is answered, without Kubernetes: starts `domicile serve` with its state from files, sends it the
//! reviews of `examples/reviews` as the API server does, and shows the answers as kubectl prints them.
//!
//! `make demo` runs it, or `cargo build && cargo run --example webhook`. It fails if an answer is not as it should be.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rcgen::CertifiedKey;
use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What is there: the example cluster, to which the shop's namespaces have been applied.
pub(crate) const CLUSTER: [&str; 2] = ["examples/cluster", "examples/shop/namespaces.yaml"];

const REVIEWS: &str = "examples/reviews";
const HOST: &str = "localhost";
const PATIENCE: Duration = Duration::from_secs(30);

/// How a review is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Allowed,
    /// Allowed, and told what to think of.
    Warned,
    /// Changed first, and allowed as it is then.
    Confined,
    Denied,
}

impl Answer {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Warned => "allowed, with a warning",
            Self::Confined => "confined, and allowed",
            Self::Denied => "denied",
        }
    }
}

/// A review, what it asks, and how it is to be answered.
pub(crate) const ASKED: [(&str, &str, Answer); 8] = [
    (
        "deployment-checkout.json",
        "Lena applies the Deployment checkout. Its pods ask for the region eu-central-1, which has a zone in Istanbul.",
        Answer::Denied,
    ),
    (
        "deployment-cart.json",
        "She applies the Deployment cart, in a region all of which is in Europe.",
        Answer::Allowed,
    ),
    (
        "pod-newsletter.json",
        "She creates a pod that asks for a type of machine; today only European nodes are of it.",
        Answer::Warned,
    ),
    (
        "pod-debug-orders.json",
        "She creates a pod with a nodeName, which no scheduler will ever see. The node is in Virginia.",
        Answer::Denied,
    ),
    (
        "claim-customer-uploads.json",
        "She claims a disk of a class that keeps the data in Brazil and a copy of it in Texas.",
        Answer::Denied,
    ),
    (
        "binding-churn.json",
        "A scheduler binds a pod, which was admitted for Europe, to a node in Virginia, and labels the Binding europe-west4.",
        Answer::Denied,
    ),
    (
        "namespace-crm.json",
        "Lena takes the classification off the namespace crm, so that no policy applies to it any more.",
        Answer::Denied,
    ),
    (
        "pod-call-summary.json",
        "She creates a pod that asks for no place. Its policy has `remedy: Confine`, so it is given one.",
        Answer::Confined,
    ),
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let mut served = Served::start(&binary()?, &CLUSTER)?;
    println!("$ domicile {}", served.command);
    println!("It answers at {} and says at {} that it is ready.", served.https, served.health);
    demonstrate(&served, &mut io::stdout().lock())?;
    served.stop()
}

/// The binary that was built beside this example.
fn binary() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let name = format!("domicile{}", std::env::consts::EXE_SUFFIX);
    let binary = own.ancestors().nth(2).map(|folder| folder.join(name)).filter(|path| path.is_file());
    binary.context("the binary is not there: run `cargo build` first")
}

/// Asks everything, writes down the answers, and fails at the first that is not as it should be.
pub(crate) fn demonstrate(served: &Served, to: &mut impl Write) -> anyhow::Result<()> {
    for (number, (file, asked, expected)) in (1..).zip(ASKED) {
        writeln!(to, "\n{number}. {asked}\n   {REVIEWS}/{file}")?;
        let review = fs::read(Path::new(REVIEWS).join(file)).with_context(|| format!("{REVIEWS}/{file}"))?;
        let review: Value = serde_json::from_slice(&review).with_context(|| format!("{REVIEWS}/{file}"))?;
        let answer = ask(served, review, to).with_context(|| file.to_owned())?;
        ensure!(
            answer == expected,
            "{file}: {}, and it should have been {}",
            answer.as_str(),
            expected.as_str()
        );
    }
    Ok(())
}

/// Asks as the API server does: pods are offered for a change first.
fn ask(served: &Served, mut review: Value, to: &mut impl Write) -> anyhow::Result<Answer> {
    let mut patched = false;
    if review["request"]["kind"]["kind"] == "Pod" {
        let answer = served.post("/mutate", &review)?;
        ensure!(answer["allowed"] == true, "/mutate refuses: {answer}");
        if !answer["patch"].is_null() {
            let patch: k8s_openapi::ByteString = serde_json::from_value(answer["patch"].clone())?;
            let patch: json_patch::Patch = serde_json::from_slice(&patch.0)?;
            json_patch::patch(&mut review["request"]["object"], &patch)?;
            writeln!(to, "\n   patched by /mutate:")?;
            indented(to, &serde_saphyr::to_string(&patch)?)?;
            patched = true;
        }
    }
    let response = served.post("/validate", &review)?;
    let (answer, said) = told(&review["request"], &response, patched)?;
    writeln!(to, "\n   {}", answer.as_str().to_uppercase())?;
    indented(to, &said)?;
    Ok(answer)
}

/// An answer, and what kubectl prints of it.
fn told(request: &Value, response: &Value, patched: bool) -> anyhow::Result<(Answer, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if response["allowed"] != true {
        let (reason, message) = (text(&response["status"]["reason"]), text(&response["status"]["message"]));
        ensure!(
            reason == "Forbidden" && !message.is_empty(),
            "kubectl would not know what to print: {response}"
        );
        let entry = entry(request)?;
        let said = format!(
            "Error from server ({reason}): admission webhook \"{entry}\" denied the request: {message}"
        );
        return Ok((Answer::Denied, said));
    }
    let warnings = response["warnings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut said: Vec<String> =
        warnings.iter().map(|warning| format!("Warning: {}", text(warning))).collect();
    let kind = text(&request["kind"]["kind"]).to_lowercase();
    let group = match text(&request["kind"]["group"]).as_str() {
        "" => String::new(),
        group => format!(".{group}"),
    };
    said.push(format!("{kind}{group}/{} created", text(&request["name"])));
    let answer = match (patched, warnings) {
        (true, _) => Answer::Confined,
        (false, []) => Answer::Allowed,
        (false, _) => Answer::Warned,
    };
    Ok((answer, said.join("\n")))
}

/// The entry of the chart's ValidatingWebhookConfiguration that sends a review; its name is in what kubectl prints.
fn entry(request: &Value) -> anyhow::Result<&'static str> {
    Ok(match request["kind"]["kind"].as_str() {
        Some("Pod" | "Deployment") => "workloads.domicile.dev",
        Some("Binding") => "bindings.domicile.dev",
        Some("PersistentVolumeClaim") => "volumes.domicile.dev",
        Some("Namespace") => "cluster.domicile.dev",
        other => bail!("nobody asks about {other:?} here"),
    })
}

fn indented(to: &mut impl Write, text: &str) -> io::Result<()> {
    text.lines().try_for_each(|line| writeln!(to, "   {line}"))
}

/// A running `domicile serve`. It is ended when it is dropped.
pub(crate) struct Served {
    child: Child,
    /// As one would type it.
    command: String,
    https: SocketAddr,
    health: SocketAddr,
    trusted: CertificateDer<'static>,
    runtime: tokio::runtime::Runtime,
    _folder: TempDir,
}

impl Served {
    /// Starts it on loopback, on ports that the system chooses, with a certificate made for it, and waits until it is
    /// ready.
    pub(crate) fn start(binary: &Path, cluster: &[&str]) -> anyhow::Result<Self> {
        let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
        let folder = tempfile::tempdir()?;
        let [certificate, key] = ["tls.crt", "tls.key"].map(|name| folder.path().join(name));
        fs::write(&certificate, cert.pem())?;
        fs::write(&key, signing_key.serialize_pem())?;
        let anywhere = "--listen 127.0.0.1:0 --metrics-listen 127.0.0.1:0";
        let command =
            format!("serve --cluster {} {anywhere} --tls-cert tls.crt --tls-key tls.key", cluster.join(" "));
        let mut process = Command::new(binary);
        process.arg("serve").arg("--cluster").args(cluster).args(anywhere.split(' '));
        process.arg("--tls-cert").arg(&certificate).arg("--tls-key").arg(&key);
        process
            .args(["--log-format=json", "--shutdown-grace=0s"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        let child = process.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let trusted = cert.der().clone();
        let mut served =
            Self { child, command, https: nowhere, health: nowhere, trusted, runtime, _folder: folder };
        (served.https, served.health) = served.addresses()?;
        served.ready()?;
        Ok(served)
    }

    /// Where it serves, by its log.
    fn addresses(&mut self) -> anyhow::Result<(SocketAddr, SocketAddr)> {
        let log = self.child.stderr.take().context("its log is not piped")?;
        let mut lines = BufReader::new(log).lines();
        let mut said = String::new();
        for line in lines.by_ref() {
            let line = line?;
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            if entry["message"] == "serving" {
                let address = |field: &str| entry[field].as_str().unwrap_or_default().parse::<SocketAddr>();
                let found = (address("listen")?, address("metrics")?);
                // Whoever does not read a pipe stops its writer in the end.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(found);
            }
            said += &line;
            said.push('\n');
        }
        Err(anyhow!("it has ended: {said}"))
    }

    fn ready(&self) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        self.runtime.block_on(async {
            loop {
                let request = Request::get("/readyz").header("host", HOST).body(Full::default())?;
                let (status, said) = send(TcpStream::connect(self.health).await?, request).await?;
                if status == StatusCode::OK {
                    return Ok(());
                }
                ensure!(Instant::now() < until, "not ready: {}", String::from_utf8_lossy(&said));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
    }

    /// The response to a review.
    fn post(&self, path: &str, review: &Value) -> anyhow::Result<Value> {
        let request = Request::post(format!("{path}?timeout=5s"))
            .header("host", HOST)
            .header("content-type", "application/json")
            .body(Full::from(review.to_string()))?;
        let (status, said) = self.runtime.block_on(async {
            let connector = TlsConnector::from(Arc::new(self.tls()?));
            let stream = TcpStream::connect(self.https).await?;
            send(connector.connect(ServerName::try_from(HOST)?, stream).await?, request).await
        })?;
        ensure!(status == StatusCode::OK, "{path} answers {status}: {}", String::from_utf8_lossy(&said));
        let answer: Value = serde_json::from_slice(&said)?;
        let (asked, answered) = (&review["request"]["uid"], &answer["response"]["uid"]);
        ensure!(asked == answered, "{path} answers another review: {answer}");
        Ok(answer["response"].clone())
    }

    /// Trusts its certificate and nobody else's.
    fn tls(&self) -> anyhow::Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.trusted.clone())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }

    /// Tells it to end, as a kubelet does, and waits until it has.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "domicile serve ended with {status}");
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("domicile serve does not end")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request over one connection.
async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    Ok((parts.status, body.collect().await?.to_bytes()))
}
