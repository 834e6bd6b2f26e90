//! A caller as the API server is one: TLS with a CA of its own, HTTP/1.1 or HTTP/2, connections that are kept.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, ProtocolVersion, RootCertStore, SignatureScheme,
    SupportedProtocolVersion, version,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) type Stream = TlsStream<TcpStream>;

/// What a caller believes and offers.
#[derive(Clone)]
pub(crate) struct Caller {
    /// Everybody is believed, if there are none.
    roots: Vec<CertificateDer<'static>>,
    identity: Option<(String, String)>,
    versions: Vec<&'static SupportedProtocolVersion>,
    protocol: Version,
}

impl Caller {
    /// All that are in this PEM.
    pub(crate) fn trusting(bundle: &str) -> Self {
        Self::believing(CertificateDer::pem_slice_iter(bundle.as_bytes()).collect::<Result<_, _>>().unwrap())
    }

    pub(crate) fn trusting_anybody() -> Self {
        Self::believing(Vec::new())
    }

    pub(crate) fn believing(roots: Vec<CertificateDer<'static>>) -> Self {
        Self {
            roots,
            identity: None,
            versions: vec![&version::TLS13, &version::TLS12],
            protocol: Version::HTTP_11,
        }
    }

    pub(crate) fn with(mut self, identity: (String, String)) -> Self {
        self.identity = Some(identity);
        self
    }

    pub(crate) fn over(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.versions = vec![version];
        self
    }

    pub(crate) fn http2(mut self) -> Self {
        self.protocol = Version::HTTP_2;
        self
    }

    fn config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        for ca in &self.roots {
            roots.add(ca.clone()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            Some((chain, key)) => {
                let chain =
                    CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>().unwrap();
                builder
                    .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
                    .unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        if self.roots.is_empty() {
            config.dangerous().set_certificate_verifier(Arc::new(Credulous));
        }
        config.alpn_protocols = match self.protocol {
            Version::HTTP_2 => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            _ => vec![b"http/1.1".to_vec()],
        };
        config
    }

    /// With TLS alone.
    pub(crate) async fn stream(&self, at: SocketAddr) -> std::io::Result<Stream> {
        let tcp = TcpStream::connect(at).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::IpAddress(at.ip().into());
        TlsConnector::from(Arc::new(self.config())).connect(name, tcp).await
    }

    pub(crate) async fn connect(&self, at: SocketAddr) -> std::io::Result<Connection> {
        let stream = self.stream(at).await?;
        let tls = stream.get_ref().1;
        let (version, certificate) =
            (tls.protocol_version().unwrap(), tls.peer_certificates().unwrap()[0].to_vec());
        let protocol = tls.alpn_protocol().map(<[u8]>::to_vec);
        let sender = if protocol.as_deref() == Some(b"h2") {
            let (sender, connection) =
                http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            Sender::Http2(sender)
        } else {
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            Sender::Http1(sender)
        };
        Ok(Connection { sender, version, certificate })
    }
}

/// Believes everybody, to see what is served.
#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

pub(crate) struct Connection {
    sender: Sender,
    pub(crate) version: ProtocolVersion,
    /// The server's, DER.
    pub(crate) certificate: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: String,
}

impl Connection {
    pub(crate) fn is_http2(&self) -> bool {
        matches!(self.sender, Sender::Http2(_))
    }

    pub(crate) fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, hyper::Error> {
        let response: Response<Incoming> = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let (parts, body) = response.into_parts();
        let body = String::from_utf8(body.collect().await?.to_bytes().to_vec()).unwrap();
        Ok(Answer { status: parts.status, version: parts.version, headers: parts.headers, body })
    }

    pub(crate) async fn post(&mut self, path: &str, body: impl Into<Bytes>) -> Result<Answer, hyper::Error> {
        let request = Request::post(self.uri(path))
            .header("host", "domicile")
            .header("content-type", "application/json")
            .body(Full::new(body.into()))
            .unwrap();
        self.send(request).await
    }

    pub(crate) fn uri(&self, path: &str) -> String {
        if self.is_http2() { format!("https://domicile{path}") } else { path.to_owned() }
    }
}

/// The body of what is answered to a plain GET.
pub(crate) async fn get(at: SocketAddr, path: &str) -> (StatusCode, String) {
    let stream = TcpStream::connect(at).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(path).header("host", "domicile").body(Full::<Bytes>::default()).unwrap();
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    (parts.status, String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

/// Writes this, and reads until the other side closes.
pub(crate) async fn raw(stream: &mut Stream, text: &str) -> String {
    use tokio::io::AsyncReadExt;
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = Vec::new();
    // What was read counts, also if the end came without a goodbye.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}
