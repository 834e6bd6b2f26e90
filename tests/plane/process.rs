//! Programs that end when the test ends, however it ends.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};

/// Becomes the program, beside a watcher that reads a pipe of which only this process has the other end. When this
/// process is gone, killed too, the pipe closes and the watcher kills the program. (A parent-death signal would come
/// when the thread that started the program ends, which in a test is soon.)
const WATCHED: &str = r#"exec 3<&0 </dev/null; ( read -r _ <&3; kill -KILL $$ ) & exec "$@" 3<&-"#;

/// Every process group that was started here, for the last look at whether one is left.
static STARTED: Mutex<Vec<(String, Pid)>> = Mutex::new(Vec::new());

/// A running program, in a process group of its own, whose output goes to a file. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    lifeline: Option<ChildStdin>,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with its output added to `log`.
    pub(crate) fn spawn(name: &str, command: &Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).unwrap();
        let mut watched = Command::new("/bin/sh");
        watched.args(["-c", WATCHED, name]).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => watched.env(key, value),
                None => watched.env_remove(key),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            watched.current_dir(folder);
        }
        watched.stdin(Stdio::piped()).stdout(file.try_clone().unwrap()).stderr(file).process_group(0);
        let mut child = watched.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let lifeline = child.stdin.take();
        let process = Self { name: name.to_owned(), child, lifeline, log: log.to_owned() };
        STARTED.lock().push((process.name.clone(), process.pid()));
        process
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Asks it to end (SIGTERM) and waits until it has, at most for `patience`; then it is killed.
    pub(crate) fn stop(&mut self, patience: Duration) -> ExitStatus {
        if self.ended().is_none() {
            kill_process(self.pid(), Signal::TERM).unwrap();
        }
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if let Some(status) = self.ended() {
                self.kill_group();
                return status;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.kill()
    }

    /// Ends it at once (SIGKILL), as a crash would.
    pub(crate) fn kill(&mut self) -> ExitStatus {
        self.kill_group();
        self.child.wait().unwrap()
    }

    /// Kills the program and its watcher. Until then the watcher keeps the group's number from being given to others.
    fn kill_group(&mut self) {
        if self.lifeline.is_some() {
            // An error would mean that both have ended.
            let _ = kill_process_group(self.pid(), Signal::KILL);
            self.lifeline = None;
        }
    }

    /// What it printed, standard output and standard error in one.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Its name, its state and the last lines that it printed, for a message about a failure.
    pub(crate) fn tail(&mut self) -> String {
        let state = self.ended().map_or_else(|| "running".to_owned(), |status| status.to_string());
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        let last = lines[lines.len().saturating_sub(15)..].join("\n");
        format!("--- {} ({state}), end of {}\n{last}\n", self.name, self.log.display())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_group();
        // Nothing here may panic while a panic unwinds.
        let _ = self.child.wait();
    }
}

/// Whether anything of the process group is there.
pub(crate) fn is_there(group: Pid) -> bool {
    test_kill_process_group(group).is_ok()
}

/// The processes started here that have not ended within `patience`.
pub(crate) fn left_behind(patience: Duration) -> Vec<String> {
    let until = Instant::now() + patience;
    loop {
        let started = STARTED.lock();
        let left: Vec<String> = started
            .iter()
            .filter(|(_, group)| is_there(*group))
            .map(|(name, group)| format!("{name} (process group {})", group.as_raw_nonzero()))
            .collect();
        drop(started);
        if left.is_empty() || Instant::now() > until {
            return left;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
