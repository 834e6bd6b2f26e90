//! Objects from a live cluster, read-only: the cluster of the current kubeconfig, or the one that this runs in.

use std::sync::Arc;
use std::time::Duration;

use kube::api::ListParams;
use kube::core::Request;
use kube::{Client, Config};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::input::{InputError, Loaded, Sink};
use super::resource::Resource;

/// Objects that one call asks for, as `kubectl` does.
const PAGE: u32 = 500;
/// No call takes longer, or the cluster counts as not reachable.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A watch is asked for anew after this many seconds; a connection that died unnoticed is noticed 5 s later, if it is the
/// watch's own.
pub(crate) const WATCH_SECONDS: u32 = 60;
/// How long a connection may be silent while anything is waited for: longer than a watch may be. Whatever has accepted
/// a connection and passes nothing on, such as a firewall that has forgotten it, must not be waited for for ever: the
/// lists and the beginnings of watches have no other end.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 15);
/// What objects of a live cluster have for a file.
const SOURCE: &str = "cluster";

/// Why a cluster cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// There is no kubeconfig, or it names no cluster.
    #[error(
        "no cluster: {reason}. Set KUBECONFIG or choose a context with `kubectl config use-context`, or name files \
         with --cluster"
    )]
    NoConfig {
        /// What is missing.
        reason: String,
    },
    /// It does not answer.
    #[error(
        "the cluster cannot be reached: {reason}. Check it with `kubectl get nodes`, or name files with --cluster"
    )]
    Unreachable {
        /// What the connection said.
        reason: String,
    },
    /// It does not answer in time.
    #[error(
        "the cluster did not answer within {} s when asked for {resource}. Try again, or name files with --cluster",
        TIMEOUT.as_secs()
    )]
    Slow {
        /// What was asked for.
        resource: String,
    },
    /// It does not know the user.
    #[error("the cluster does not accept the kubeconfig's credentials: {reason}. Log in again")]
    Unauthorized {
        /// What the API server said.
        reason: String,
    },
    /// It answers with something else than a list.
    #[error("the cluster cannot list {resource}: {reason}")]
    Refused {
        /// What was asked for.
        resource: String,
        /// What the API server said.
        reason: String,
    },
}

/// A client for the cluster of the current kubeconfig, or else for the one that this runs in.
///
/// # Errors
/// If there is neither, or the kubeconfig cannot be used.
pub async fn connect() -> Result<Client, LiveError> {
    client(|config| timed(config, TIMEOUT, TIMEOUT)).await
}

/// The same, to follow the cluster with: a watch may be silent for long, so what must be known sooner bounds its own time.
/// And who follows hears of every failure, and tries again by itself.
///
/// # Errors
/// As [`connect`].
pub async fn connect_to_follow() -> Result<Client, LiveError> {
    client(following).await
}

/// The same, for single calls beside it whose time the caller bounds: an API server that is busy is asked again until then.
///
/// # Errors
/// As [`connect`].
pub async fn connect_to_ask() -> Result<Client, LiveError> {
    client(asking).await
}

async fn client(tuned: impl FnOnce(Config) -> Config) -> Result<Client, LiveError> {
    let no_config = |error: &dyn std::error::Error| LiveError::NoConfig { reason: chain(error) };
    let config = Config::infer().await.map_err(|error| no_config(&error))?;
    Client::try_from(tuned(config)).map_err(|error| no_config(&error))
}

/// Where kube tries again by itself, it sleeps for minutes on end, and meanwhile a watch neither follows nor fails.
fn following(config: Config) -> Config {
    let mut config = asking(config);
    config.default_retry = false;
    config
}

fn asking(config: Config) -> Config {
    timed(config, Duration::from_secs(5), SILENCE)
}

fn timed(mut config: Config, connect: Duration, read: Duration) -> Config {
    config.connect_timeout = Some(connect);
    config.read_timeout = Some(read);
    // The time in which a connection was not used does not count.
    config.reset_reader_on_write = true;
    config
}

/// Reads everything that judgement reads, page by page. `progress` is told the number of objects after every page.
///
/// A kind that the cluster does not serve is noted in [`Loaded::not_served`]; one that the user may not list is an
/// entry in [`Loaded::errors`], and the others are still read.
///
/// # Errors
/// If the cluster cannot be read at all.
pub async fn read(client: &Client, progress: &mut (dyn FnMut(usize) + Send)) -> Result<Loaded, LiveError> {
    let mut loaded = Loaded::default();
    for resource in &Resource::ALL {
        let before = (loaded.objects.len(), loaded.errors.len());
        let mut outcome = list(client, resource, &mut loaded, progress).await;
        if matches!(outcome, Err(Failure::Expired)) {
            // The pages are too old to be continued: once more from the beginning.
            loaded.objects.truncate(before.0);
            loaded.errors.truncate(before.1);
            outcome = list(client, resource, &mut loaded, progress).await;
        }
        match outcome {
            Ok(()) => {}
            Err(Failure::NotServed) => {
                loaded.not_served.insert(resource.name());
            }
            Err(Failure::Forbidden) => loaded.errors.push(InputError {
                file: SOURCE.to_owned(),
                line: None,
                message: format!(
                    "may not list {0}: the user of the kubeconfig needs the verb `list` on `{0}` in every namespace",
                    resource.name()
                ),
            }),
            Err(Failure::Expired) => {
                let reason = "the list changes faster than it can be read; try again".to_owned();
                return Err(LiveError::Refused { resource: resource.name(), reason });
            }
            Err(Failure::Fatal(error)) => return Err(error),
        }
    }
    loaded.errors.sort();
    Ok(loaded)
}

/// What can become of one list.
enum Failure {
    NotServed,
    Forbidden,
    Expired,
    Fatal(LiveError),
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMetadata,
    /// May be null, but not absent: what is no list must not pass for an empty one.
    #[serde(deserialize_with = "Option::deserialize")]
    items: Option<Vec<Map<String, Value>>>,
}

#[derive(Default, Deserialize)]
struct PageMetadata {
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

async fn list(
    client: &Client,
    resource: &Resource,
    loaded: &mut Loaded,
    progress: &mut (dyn FnMut(usize) + Send),
) -> Result<(), Failure> {
    let api_version = resource.api_version();
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = page(client, resource, &params).await?;
        let mut sink = Sink { file: Arc::from(SOURCE), namespace: "default", loaded: &mut *loaded };
        for mut item in page.items.unwrap_or_default() {
            item.insert("apiVersion".to_owned(), api_version.as_str().into());
            item.insert("kind".to_owned(), resource.kind.as_str().into());
            sink.take(Value::Object(item), 0);
        }
        progress(loaded.objects.len());
        match page.metadata.next.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(()),
        }
    }
}

async fn page(client: &Client, resource: &Resource, params: &ListParams) -> Result<Page, Failure> {
    let refused = |reason| Failure::Fatal(LiveError::Refused { resource: resource.name(), reason });
    let request = Request::new(resource.path("")).list(params).map_err(|error| refused(chain(&error)))?;
    let Ok(answer) = tokio::time::timeout(TIMEOUT, client.request(request)).await else {
        return Err(Failure::Fatal(LiveError::Slow { resource: resource.name() }));
    };
    answer.map_err(|error| match error {
        // Of a group that it does not serve, the API server says so in plain text, without a reason.
        kube::Error::Api(status) if status.code == 404 => Failure::NotServed,
        kube::Error::Api(status) if status.is_forbidden() => Failure::Forbidden,
        kube::Error::Api(status) if status.code == 410 => Failure::Expired,
        kube::Error::Api(status) if status.code == 401 => {
            Failure::Fatal(LiveError::Unauthorized { reason: status.message.clone() })
        }
        kube::Error::Api(status) => refused(status.message.clone()),
        error @ kube::Error::SerdeError(_) => refused(chain(&error)),
        error => Failure::Fatal(LiveError::Unreachable { reason: chain(&error) }),
    })
}

/// An error with its causes, without what it says twice.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::StreamExt;
    use k8s_openapi::api::core::v1::Node;
    use kube::Api;
    use kube::runtime::watcher::{self, watcher};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const SHORT: Duration = Duration::from_millis(300);

    /// An API server that answers the first requests with these, and the others with nothing, on connections that stay open.
    async fn silent_after(answers: &'static [&'static str]) -> Config {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let mut answers = answers.iter();
            let mut open = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 4096]).await;
                if let Some(body) = answers.next() {
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
                    let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
                open.push(stream);
            }
        });
        Config::new(address.parse().unwrap())
    }

    /// An API server that is busy at first, and the number of calls that it has had.
    async fn busy_until(call: usize) -> (Config, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&calls);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 4096]).await;
                let status = match counted.fetch_add(1, Ordering::Relaxed) + 1 {
                    before if before < call => "503 Service Unavailable",
                    _ => "200 OK",
                };
                let head =
                    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close");
                let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{LIST}", LIST.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (Config::new(address.parse().unwrap()), calls)
    }

    const LIST: &str =
        r#"{"kind": "NodeList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []}"#;

    async fn failure_of_a_watch(client: Client) -> watcher::Error {
        let mut events = std::pin::pin!(watcher(Api::<Node>::all(client), watcher::Config::default()));
        let failed = async {
            loop {
                if let Err(error) = events.next().await.unwrap() {
                    return error;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), failed).await.unwrap()
    }

    #[tokio::test]
    async fn who_accepts_and_says_nothing_is_not_waited_for() {
        for (answers, wanted) in [(&[][..], "list"), (&[LIST][..], "watch")] {
            let config = timed(silent_after(answers).await, Duration::from_secs(1), SHORT);
            let error = failure_of_a_watch(Client::try_from(config).unwrap()).await;
            assert!(chain(&error).contains(wanted), "{error}");
        }
    }

    #[tokio::test]
    async fn who_follows_hears_at_once_that_the_api_server_is_busy() {
        let (config, calls) = busy_until(usize::MAX).await;
        failure_of_a_watch(Client::try_from(following(config)).unwrap()).await;
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn who_asks_once_asks_a_busy_api_server_again() {
        let (config, calls) = busy_until(3).await;
        let nodes = Api::<Node>::all(Client::try_from(asking(config)).unwrap());
        assert!(nodes.list(&ListParams::default()).await.unwrap().items.is_empty());
        assert_eq!(calls.load(Ordering::Relaxed), 3);
    }
}
