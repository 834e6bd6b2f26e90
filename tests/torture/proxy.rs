//! A TCP proxy between a replica and the API server, which cuts, delays and holds up what passes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest, Ready};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What befalls what passes.
#[derive(Clone, Copy, Debug, Default)]
struct Fault {
    /// Every connection is closed, and every new one at once.
    cut: bool,
    /// Every piece comes so much later.
    late: Duration,
    /// Connections with a lower number are open, and nothing passes.
    held: u64,
}

/// Dropped, it closes everything.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    fault: Arc<watch::Sender<Fault>>,
    count: Arc<std::sync::atomic::AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn before(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let at = listener.local_addr().unwrap().port();
        let fault = Arc::new(watch::Sender::new(Fault::default()));
        let count = Arc::<std::sync::atomic::AtomicU64>::default();
        let accepting = tokio::spawn(accept(
            listener,
            SocketAddr::from(([127, 0, 0, 1], port)),
            Arc::downgrade(&fault),
            Arc::clone(&count),
        ));
        Self { port: at, fault, count, accepting }
    }

    /// Closes what is open, and lets nothing new in.
    pub(crate) fn cut(&self) {
        self.fault.send_modify(|fault| fault.cut = true);
    }

    /// Everything comes later by this.
    pub(crate) fn delay(&self, late: Duration) {
        self.fault.send_modify(|fault| fault.late = late);
    }

    /// Holds up every connection that is open now, without closing it. New ones pass.
    pub(crate) fn hold_what_is_open(&self) {
        let count = self.count.load(std::sync::atomic::Ordering::SeqCst);
        self.fault.send_modify(|fault| fault.held = count);
    }

    /// Holds up every connection, new ones too.
    pub(crate) fn hold(&self) {
        self.fault.send_modify(|fault| fault.held = u64::MAX);
    }

    /// Lets everything pass again.
    pub(crate) fn heal(&self) {
        self.fault.send_replace(Fault::default());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    to: SocketAddr,
    fault: std::sync::Weak<watch::Sender<Fault>>,
    count: Arc<std::sync::atomic::AtomicU64>,
) {
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let Some(fault) = fault.upgrade().map(|fault| fault.subscribe()) else { return };
        tokio::spawn(async move {
            if fault.borrow().cut || !may_begin(&client, number, &fault).await {
                return;
            }
            let Ok(server) = TcpStream::connect(to).await else { return };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let (client, server) = (client.into_split(), server.into_split());
            let mut ends = fault.clone();
            tokio::select! {
                _ = ends.wait_for(|fault| fault.cut) => {}
                _ = async {
                    tokio::join!(
                        pump(client.0, server.1, number, fault.clone()),
                        pump(server.0, client.1, number, fault.clone()),
                    )
                } => {}
            }
        });
    }
}

/// Whether a new connection is let through in the end. Whoever gives up while it is held up is let go, or a load that is
/// refused would leave more connections open than a process may have.
async fn may_begin(client: &TcpStream, number: u64, fault: &watch::Receiver<Fault>) -> bool {
    while number < fault.borrow().held {
        const PAUSE: Duration = Duration::from_millis(100);
        tokio::time::sleep(PAUSE).await;
        let ready = tokio::time::timeout(PAUSE, client.ready(Interest::READABLE)).await;
        let is_over = ready.is_ok_and(|ready| ready.map_or(true, Ready::is_read_closed));
        if is_over || fault.borrow().cut {
            return false;
        }
    }
    true
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    number: u64,
    mut fault: watch::Receiver<Fault>,
) {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut piece).await.unwrap_or(0);
        // The end is held up as well: who waits for it is not told.
        let Ok(late) = fault.wait_for(|fault| number >= fault.held).await.map(|fault| fault.late) else {
            return;
        };
        if !late.is_zero() {
            tokio::time::sleep(late).await;
        }
        if read == 0 {
            let _ = to.shutdown().await;
            return;
        }
        if to.write_all(&piece[..read]).await.is_err() {
            return;
        }
    }
}
