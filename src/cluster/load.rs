//! Objects from files: what people write, and what `kubectl get … -o yaml` or `-o json` prints.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::documents;
use super::input::{InputError, Loaded, Sink};
use crate::objects::ObjectRef;

/// Most that one file of manifests may hold, in bytes.
pub const MANIFEST_LIMIT: u64 = 50 << 20;
/// Most that one file with a cluster's objects may hold, in bytes.
pub const CLUSTER_LIMIT: u64 = 1 << 30;

/// The path that means standard input.
const STDIN: &str = "-";
/// What files in a folder are called if they are read. A file that is named itself may be called anything.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// How files are read.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// Most that one file may hold, in bytes.
    pub file_size: u64,
    /// Where objects of namespaced kinds go that name no namespace; `kubectl` says `default`.
    pub namespace: &'a str,
}

impl Default for Limits<'_> {
    fn default() -> Self {
        Self { file_size: MANIFEST_LIMIT, namespace: "default" }
    }
}

/// Reads files, folders (with everything in them, hidden names excepted) and `-` for standard input.
///
/// A path that stands twice, or a file whose folder is given too, is read once. What cannot be read is
/// reported in [`Loaded::errors`], and everything else is still read.
pub fn read(paths: &[PathBuf], stdin: &mut dyn Read, limits: Limits<'_>) -> Loaded {
    let mut loaded = Loaded::default();
    let mut seen = BTreeSet::new();
    let mut void = Vec::new();
    for path in paths {
        if path.as_os_str() == STDIN {
            if seen.insert(path.clone()) && read_from(stdin, Input::Stdin, limits, &mut loaded) {
                // Whoever writes into a pipe and says nothing has failed.
                let message =
                    "no manifests in standard input: the command that writes into the pipe may have failed";
                loaded.errors.push(InputError { file: "stdin".into(), line: None, message: message.into() });
            }
            continue;
        }
        for file in files(path, &mut loaded.errors) {
            // The same file by another name; where that cannot be told, opening it tells why.
            if seen.insert(fs::canonicalize(&file).unwrap_or_else(|_| file.clone()))
                && read_file(&file, limits, &mut loaded)
            {
                void.push(file);
            }
        }
    }
    // One file may say nothing beside others. If all do, so has whoever wrote them failed.
    if void.len() == seen.len() {
        loaded.errors.extend(void.iter().map(|file| InputError {
            file: file.display().to_string(),
            line: None,
            message: "nothing in this file, and nothing else was given: the command that wrote it may have failed"
                .to_owned(),
        }));
    }
    duplicates(&mut loaded);
    loaded.errors.sort();
    loaded
}

/// The files that a path means, sorted.
fn files(path: &Path, errors: &mut Vec<InputError>) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let mut found = Vec::new();
    let before = errors.len();
    let walk = walkdir::WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry.path())) {
        match entry {
            Ok(entry) if entry.file_type().is_file() && is_manifest(entry.path()) => {
                found.push(entry.into_path());
            }
            Ok(_) => {}
            Err(error) => {
                let at = error.path().unwrap_or(path).display().to_string();
                let message = match error.io_error() {
                    Some(error) => cannot_open(error),
                    None => "a link leads back to the folder that holds it: leave it out".to_owned(),
                };
                errors.push(InputError { file: at, line: None, message });
            }
        }
    }
    if found.is_empty() && errors.len() == before {
        errors.push(InputError {
            file: path.display().to_string(),
            line: None,
            message: "no manifests in this folder: names ending in .yaml, .yml or .json are read".to_owned(),
        });
    }
    found
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_manifest(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

fn cannot_open(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or folder: check the path".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied: it must be readable for this user".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

/// Says whether there is nothing in it.
fn read_file(path: &Path, limits: Limits<'_>, loaded: &mut Loaded) -> bool {
    let name = path.display().to_string();
    match File::open(path) {
        Ok(mut file) => {
            let json_only = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
            read_from(&mut file, Input::File { name: &name, json_only }, limits, loaded)
        }
        Err(error) => {
            loaded.errors.push(InputError { file: name, line: None, message: cannot_open(&error) });
            false
        }
    }
}

/// What is read.
#[derive(Clone, Copy)]
enum Input<'a> {
    Stdin,
    File { name: &'a str, json_only: bool },
}

/// Says whether there is nothing in it.
fn read_from(input: &mut dyn Read, what: Input<'_>, limits: Limits<'_>, loaded: &mut Loaded) -> bool {
    let (name, json_only) = match what {
        Input::Stdin => ("stdin", false),
        Input::File { name, json_only } => (name, json_only),
    };
    let mut sink = Sink { file: Arc::from(name), namespace: limits.namespace, loaded };
    let mut bytes = Vec::new();
    if let Err(error) = input.take(limits.file_size.saturating_add(1)).read_to_end(&mut bytes) {
        sink.error(None, cannot_open(&error));
        return false;
    }
    if bytes.len() as u64 > limits.file_size {
        let limit = limits.file_size >> 20;
        sink.error(None, format!("larger than {limit} MiB: split it into several files"));
        return false;
    }
    match text(bytes) {
        Ok(text) if documents::are_void(&text, json_only) => return true,
        Ok(text) => documents::read(&text, json_only, &mut sink),
        Err((line, message)) => sink.error(line, message),
    }
    false
}

/// The text of a file: UTF-8, or UTF-16 with a byte order mark, as PowerShell's `>` writes it.
fn text(bytes: Vec<u8>) -> Result<String, (Option<usize>, String)> {
    let utf16 = match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => Some(units(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Some(units(rest, u16::from_be_bytes)),
        _ => None,
    };
    if let Some(units) = utf16 {
        return String::from_utf16(&units)
            .map_err(|_| (None, "not valid UTF-16: save it as UTF-8".to_owned()));
    }
    if bytes.contains(&0) {
        return Err((None, "a binary file (it holds NUL bytes): YAML or JSON is expected".to_owned()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let at = error.as_bytes().get(..valid).map(|valid| valid.split(|byte| *byte == b'\n').count());
        (at, "not UTF-8 from here on: YAML or JSON in UTF-8 is expected".to_owned())
    })
}

fn units(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<u16> {
    bytes.as_chunks::<2>().0.iter().copied().map(unit).collect()
}

/// Reports every object that stands more than once: which of them the author meant nobody can know.
fn duplicates(loaded: &mut Loaded) {
    let mut first: HashMap<ObjectRef, usize, ahash::RandomState> = HashMap::default();
    for (index, sourced) in loaded.objects.iter().enumerate() {
        let reference = sourced.object.reference();
        // The API server completes these names, so two of them are two objects.
        if reference.name.ends_with('*') {
            continue;
        }
        if let Some(earlier) = first.get(&reference).and_then(|index| loaded.objects.get(*index)) {
            let source = &sourced.source;
            loaded.errors.push(InputError {
                file: source.file.to_string(),
                line: (source.line > 0).then_some(source.line),
                message: format!("{reference} stands here and in {}: remove one of them", earlier.source),
            });
        } else {
            first.insert(reference, index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not every test runs as a user from whom a file can be kept.
    #[test]
    fn what_cannot_be_opened_says_why() {
        for (kind, says) in [
            (io::ErrorKind::NotFound, "no such file or folder"),
            (io::ErrorKind::PermissionDenied, "permission denied"),
            (io::ErrorKind::Other, "cannot be read: "),
        ] {
            assert!(cannot_open(&io::Error::from(kind)).starts_with(says));
        }
    }
}
