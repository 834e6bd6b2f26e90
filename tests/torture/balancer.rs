//! A TCP balancer before the replicas, as a Service is one: it knows who is ready, a moment late, and looks into
//! nothing that passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::controller::Ports;

/// How often it is asked who is ready.
const EVERY: Duration = Duration::from_millis(200);

/// Dropped, it closes its port.
pub(crate) struct Balancer {
    pub(crate) port: u16,
    behind: Arc<Behind>,
    _tasks: JoinSet<()>,
}

struct Behind {
    ports: Vec<Ports>,
    ready: Vec<AtomicBool>,
    turn: AtomicUsize,
    /// Tells what is open to close.
    close: Notify,
}

impl Balancer {
    pub(crate) async fn before(ports: Vec<Ports>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let ready = ports.iter().map(|_| AtomicBool::new(false)).collect();
        let behind = Arc::new(Behind { ports, ready, turn: AtomicUsize::new(0), close: Notify::new() });
        let mut tasks = JoinSet::new();
        for number in 0..behind.ports.len() {
            let behind = Arc::clone(&behind);
            tasks.spawn(async move {
                loop {
                    let ready = is_ready(behind.ports[number].metrics).await;
                    behind.ready[number].store(ready, Ordering::SeqCst);
                    tokio::time::sleep(EVERY).await;
                }
            });
        }
        let to = Arc::clone(&behind);
        tasks.spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                let to = Arc::clone(&to);
                tokio::spawn(async move { to.pass(client).await });
            }
        });
        Self { port, behind, _tasks: tasks }
    }

    /// Closes every connection that is open, as one that was restarted would.
    pub(crate) fn close(&self) {
        self.behind.close.notify_waiters();
    }
}

impl Behind {
    /// Takes a connection to one of those that are ready. If it does not listen, the next is tried.
    async fn pass(&self, mut client: TcpStream) {
        let first = self.turn.fetch_add(1, Ordering::SeqCst);
        for step in 0..self.ports.len() {
            let number = (first + step) % self.ports.len();
            if !self.ready[number].load(Ordering::SeqCst) {
                continue;
            }
            if let Ok(mut server) = TcpStream::connect(("127.0.0.1", self.ports[number].webhook)).await {
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                    () = self.close.notified() => {}
                }
                return;
            }
        }
    }
}

/// What a replica says of itself at this moment.
pub(crate) async fn is_ready(metrics: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", metrics)).await?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = tokio::time::timeout(Duration::from_secs(1), ask).await;
    matches!(answer, Ok(Ok(answer)) if answer.starts_with("HTTP/1.1 200"))
}
