//! Commands as they are typed, and what they print.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;

use crate::plane::{Identity, tools};

/// The terminal of the administrator. What is typed, and what comes of it, is shown with `--nocapture`.
pub(crate) struct Shell {
    admin: &'static Identity,
    folder: TempDir,
    path: OsString,
    shown: bool,
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Came {
    line: String,
    succeeded: bool,
    /// Both outputs, in the order in which they came.
    pub(crate) said: String,
}

impl Shell {
    /// In a folder of its own, where the examples and the charts can be seen.
    pub(crate) fn of(admin: &'static Identity) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["examples", "charts"] {
            symlink(here.join(name), folder.path().join(name)).unwrap();
        }
        let built = Path::new(env!("CARGO_BIN_EXE_domicile")).parent().unwrap().to_owned();
        let mut folders = vec![tools(), built];
        folders.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
        let path = std::env::join_paths(folders).unwrap();
        let shown = std::env::args().any(|argument| argument == "--nocapture");
        Self { admin, folder, path, shown }
    }

    /// A file in that folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What is going on, for whoever looks on.
    pub(crate) fn tell(&self, text: &str) {
        if self.shown {
            println!();
            text.lines().for_each(|line| println!("# {line}"));
        }
    }

    /// Shows a line that is run by other means.
    pub(crate) fn show(&self, line: &str) {
        if self.shown {
            println!("$ {line}");
        }
    }

    /// Runs a line, and shows it.
    pub(crate) fn run(&self, line: &str) -> Came {
        self.show(line);
        let came = self.ask(line);
        if self.shown {
            print!("{}", came.said);
        }
        came
    }

    /// Runs a line that nobody needs to see.
    pub(crate) fn ask(&self, line: &str) -> Came {
        let output = self
            .admin
            .command(Path::new("/bin/sh"))
            .env("PATH", &self.path)
            .current_dir(self.folder.path())
            .args(["-c", &format!("exec 2>&1\n{line}")])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        Came { line: line.to_owned(), succeeded: output.status.success(), said }
    }
}

impl Came {
    /// It must have succeeded, and said all of these.
    #[track_caller]
    pub(crate) fn ok(self, says: &[&str]) -> String {
        assert!(self.succeeded, "$ {}\n{}", self.line, self.said);
        self.says(says)
    }

    /// It must have failed, and said all of these.
    #[track_caller]
    pub(crate) fn refused(self, says: &[&str]) -> String {
        assert!(!self.succeeded, "it succeeded: $ {}\n{}", self.line, self.said);
        self.says(says)
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.succeeded
    }

    #[track_caller]
    fn says(self, says: &[&str]) -> String {
        for one in says {
            assert!(self.said.contains(one), "{one:?} is missing: $ {}\n{}", self.line, self.said);
        }
        self.said
    }
}
