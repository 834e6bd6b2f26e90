//! Who asks the API server: certificates, kubeconfigs, and the tools and clients that use them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use serde_json::{Value, json};

/// The authority that signs every certificate of the control plane, in a folder with what it signed.
pub(crate) struct Authority {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// Files with a certificate and its key.
#[derive(Debug, Clone)]
pub(crate) struct Certified {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new(folder: &Path) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, "control plane of a test");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        fs::create_dir_all(folder).unwrap();
        let authority = Self { folder: folder.to_owned(), issuer };
        fs::write(authority.certificate(), authority.issuer.pem()).unwrap();
        authority
    }

    /// The file with the authority's own certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    /// A certificate for servers on loopback.
    pub(crate) fn server(&self) -> Certified {
        let names = ["127.0.0.1", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
        let mut parameters = CertificateParams::new(names.map(str::to_owned).to_vec()).unwrap();
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign("server", parameters)
    }

    /// A certificate that makes its holder `user`, a member of `group`.
    pub(crate) fn client(&self, user: &str, group: Option<&str>) -> Certified {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, user);
        if let Some(group) = group {
            parameters.distinguished_name.push(DnType::OrganizationName, group);
        }
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&file_name(user), parameters)
    }

    fn sign(&self, name: &str, mut parameters: CertificateParams) -> Certified {
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        let path = |ending: &str| self.folder.join(format!("{name}.{ending}"));
        let files = Certified { certificate: path("pem"), key: path("key") };
        fs::write(&files.certificate, certificate.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }
}

/// How a kubeconfig proves who its holder is.
#[derive(Debug)]
pub(crate) enum Proof<'a> {
    Certificate(&'a Certified),
    Token(&'a str),
    /// An administrator's certificate, with which to act as somebody else.
    Impersonation(&'a Certified, &'a str, &'a [&'a str]),
}

/// Writes a kubeconfig file and gives its path.
pub(crate) fn kubeconfig(
    folder: &Path,
    name: &str,
    server: &str,
    authority: &Path,
    proof: &Proof<'_>,
) -> PathBuf {
    let certificate =
        |files: &Certified| json!({"client-certificate": files.certificate, "client-key": files.key});
    let user = match proof {
        Proof::Certificate(files) => certificate(files),
        Proof::Token(token) => json!({"token": token}),
        Proof::Impersonation(files, user, groups) => {
            let mut acting = certificate(files);
            acting["as"] = json!(user);
            acting["as-groups"] = json!(groups);
            acting
        }
    };
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "plane", "cluster": {"server": server, "certificate-authority": authority}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "plane", "context": {"cluster": "plane", "user": name}}],
        "current-context": "plane",
    });
    let path = folder.join(format!("{}.kubeconfig", file_name(name)));
    fs::write(&path, format!("{config:#}\n")).unwrap();
    path
}

fn file_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// Somebody who may ask the API server, with a client and the command-line tools.
#[derive(Clone)]
pub(crate) struct Identity {
    /// For programs that want a file.
    pub(crate) kubeconfig: PathBuf,
    /// For requests from the test itself.
    pub(crate) client: Client,
    tools: PathBuf,
    home: PathBuf,
}

impl Identity {
    pub(crate) async fn new(kubeconfig: PathBuf, tools: &Path) -> Self {
        let read = Kubeconfig::read_from(&kubeconfig).unwrap();
        let mut config =
            kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await.unwrap();
        // A test sees the first answer.
        config.default_retry = false;
        let client = Client::try_from(config).unwrap();
        let home = kubeconfig.with_extension("home");
        Self { kubeconfig, client, tools: tools.to_owned(), home }
    }

    /// Runs kubectl as this user.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Said {
        self.run("kubectl", arguments, "")
    }

    /// Runs kubectl as this user, with something to read: `kubectl_reading(&["apply", "-f", "-"], manifest)`.
    pub(crate) fn kubectl_reading(&self, arguments: &[&str], input: &str) -> Said {
        self.run("kubectl", arguments, input)
    }

    /// Runs Helm as this user.
    pub(crate) fn helm(&self, arguments: &[&str]) -> Said {
        self.run("helm", arguments, "")
    }

    /// A command that sees this user's kubeconfig and nothing of the person's who runs the tests.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("KUBECONFIG", &self.kubeconfig).env("HOME", &self.home);
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
    }

    fn run(&self, program: &str, arguments: &[&str], input: &str) -> Said {
        // A file, not a pipe: there is no reader to wait for, and no writer to be waited for.
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, input.as_bytes()).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let output = self
            .command(&self.tools.join(program))
            .args(arguments)
            .stdin(Stdio::from(file))
            .output()
            .unwrap();
        Said {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// What a command-line tool answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// The standard output of a call that must succeed.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.status, 0, "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// The standard error of a call that must fail.
    #[track_caller]
    pub(crate) fn refused(self) -> String {
        assert_ne!(self.status, 0, "it succeeded: {}{}", self.stdout, self.stderr);
        self.stderr
    }

    /// The standard output of a call with `-o json` that must succeed.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }
}
