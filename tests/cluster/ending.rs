//! What a test starts ends with it, also if the test panics or is killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::plane::{Process, Trials, is_there, tools};

/// Set for a copy of this binary that starts a program, says which, and waits to be killed.
const VICTIM: &str = "DOMICILE_TEST_VICTIM";

pub(crate) fn trials() -> Trials {
    Trials::of("ending")
        .apart("dropped", dropped)
        .apart("in_a_panic", in_a_panic)
        .apart("killed", killed)
        .apart("stopped", stopped)
}

fn etcd(folder: &Path) -> Process {
    let mut command = Command::new(tools().join("etcd"));
    let listen = ["--listen-client-urls=http://127.0.0.1:0", "--listen-peer-urls=http://127.0.0.1:0"];
    command.current_dir(folder).args(listen).arg("--advertise-client-urls=http://127.0.0.1:0");
    let process = Process::spawn("etcd", &command, &folder.join("log"));
    let until = Instant::now() + Duration::from_mins(1);
    while !process.output().contains("ready to serve client requests") {
        assert!(Instant::now() < until, "{}", process.output());
        std::thread::sleep(Duration::from_millis(50));
    }
    process
}

#[track_caller]
fn assert_gone(group: Pid) {
    let until = Instant::now() + Duration::from_secs(10);
    while is_there(group) {
        assert!(Instant::now() < until, "process group {group:?} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn dropped() {
    let folder = tempfile::tempdir().unwrap();
    let process = etcd(folder.path());
    let group = process.pid();
    assert!(is_there(group));
    drop(process);
    assert_gone(group);
}

fn in_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let process = etcd(folder.path());
    let group = process.pid();
    let test = std::thread::spawn(move || {
        let _process = process;
        std::panic::resume_unwind(Box::new("as a failing assertion does"));
    });
    assert!(test.join().is_err());
    assert_gone(group);
}

fn stopped() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = etcd(folder.path());
    let status = process.stop(Duration::from_secs(30));
    // etcd ends in order and then sends itself the signal that it was sent.
    assert_eq!(status.to_string(), "signal: 15 (SIGTERM)", "{}", process.tail());
    assert_gone(process.pid());
}

fn killed() {
    let mut victim = Command::new(std::env::current_exe().unwrap());
    let mut victim = victim.env(VICTIM, "1").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(victim.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let group = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
    assert!(is_there(group));
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert_gone(group);
}

pub(crate) fn is_victim() -> bool {
    std::env::var_os(VICTIM).is_some()
}

pub(crate) fn wait_to_be_killed() -> ! {
    let folder = tempfile::tempdir().unwrap();
    let process = etcd(folder.path());
    println!("{}", process.pid().as_raw_nonzero());
    // Not for ever: the one that kills may be gone too.
    std::thread::sleep(Duration::from_mins(1));
    drop(process);
    std::process::exit(1);
}
