//! Chromium without a window.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// No picture takes longer, on a machine that does other things too.
const TIMEOUT: Duration = Duration::from_mins(2);

/// The browser. Without one nothing is known of the page, so that is a failure.
fn browser() -> PathBuf {
    let named = std::env::var_os("CHROMIUM").map_or_else(|| PathBuf::from("chromium"), PathBuf::from);
    let is_there = |path: &Path| path.is_file();
    let found = if named.components().count() > 1 {
        Some(named.clone()).filter(|path| is_there(path))
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|folder| folder.join(&named)).find(|path| is_there(path))
    };
    found.unwrap_or_else(|| {
        panic!(
            "there is no browser called {}, in which the page is to be tested: install Chromium (make need-chromium, or \
             apt-get install chromium), or name one in the environment as CHROMIUM",
            named.display()
        )
    })
}

/// Opens a file, and waits until the browser has done with it.
fn open(file: &Path, options: &[&str]) -> Output {
    // A profile of its own, so that several can run beside each other.
    let profile = tempfile::tempdir().unwrap();
    let mut child = Command::new(browser())
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        // Whatever would be asked of the network finds nobody.
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(options)
        .arg(format!("file://{}", file.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let reading = std::thread::spawn(move || read(&mut stdout));
    let complaining = std::thread::spawn(move || read(&mut stderr));
    let begun = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if begun.elapsed() > TIMEOUT => {
                child.kill().unwrap();
                break child.wait().unwrap();
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let output = Output { status, stdout: reading.join().unwrap(), stderr: complaining.join().unwrap() };
    assert!(output.status.success(), "{options:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn read(from: &mut impl std::io::Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}

/// What stands in the document after it has been loaded.
pub(crate) fn dom(file: &Path) -> String {
    String::from_utf8(open(file, &["--dump-dom", "--window-size=1400,2500"]).stdout).unwrap()
}

/// What is made of a file, beside it: a picture or a document.
pub(crate) fn beside(file: &Path, option: &str, extension: &str, more: &str) -> Vec<u8> {
    let into = file.with_extension(extension);
    open(file, &[&format!("{option}={}", into.display()), more]);
    std::fs::read(&into).unwrap()
}
