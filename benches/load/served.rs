//! A server in a process of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::Caller;

/// How long it may take to read its state.
const PATIENCE: Duration = Duration::from_mins(3);

/// A server that runs, until it is dropped.
pub(crate) struct Served {
    pub(crate) name: String,
    pub(crate) https: SocketAddr,
    child: Child,
}

impl Served {
    /// Starts it on ports that the system chooses, and waits until it serves.
    pub(crate) fn start(name: &str, mut command: Command, folder: &Path) -> Self {
        let log = folder.join(format!("{}.log", name.replace([' ', ','], "-")));
        command.args(["--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0"]);
        command.args(["--log-format=json", "--shutdown-grace=0s"]);
        let file = File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let mut child = command.spawn().unwrap();
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(https) = address(&log) {
                return Self { name: name.to_owned(), https, child };
            }
            let ended = child.try_wait().unwrap().is_some();
            assert!(!ended && Instant::now() < until, "{name}: {}", fs::read_to_string(&log).unwrap());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What it answers to a review.
    pub(crate) fn ask(&self, review: &[u8]) -> Value {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(async {
            let mut connection = Caller::trusting_anybody().connect(self.https).await.unwrap();
            connection.post("/validate?timeout=10s", review.to_vec()).await.unwrap()
        });
        serde_json::from_str::<Value>(&answer.body).unwrap()["response"].take()
    }

    /// What it has taken of the processors.
    pub(crate) fn processor(&self) -> Duration {
        /// The unit of /proc on every architecture that people have.
        const TICK: Duration = Duration::from_millis(10);
        let stat = fs::read_to_string(self.proc("stat")).unwrap();
        // What stands before is the name, in parentheses, which may hold anything.
        let fields = stat.rsplit_once(')').unwrap().1;
        let ticks = |at| fields.split_whitespace().nth(at).unwrap().parse::<u32>().unwrap();
        TICK * (ticks(11) + ticks(12))
    }

    /// What it has in memory, and had at most, in MiB.
    pub(crate) fn memory(&self) -> [f64; 2] {
        let status = fs::read_to_string(self.proc("status")).unwrap();
        ["VmRSS:", "VmHWM:"].map(|name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().strip_suffix(" kB").unwrap().parse::<f64>().unwrap() / 1024.0
        })
    }

    fn proc(&self, file: &str) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(file)
    }
}

/// Where it serves, once its log says so.
fn address(log: &Path) -> Option<SocketAddr> {
    let said = fs::read_to_string(log).unwrap_or_default();
    let entries = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let serving = entries.into_iter().find(|entry| entry["message"] == "serving")?;
    serving["listen"].as_str()?.parse().ok()
}

impl Drop for Served {
    fn drop(&mut self) {
        // An error would mean that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
