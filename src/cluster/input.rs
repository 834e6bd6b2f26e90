//! What comes in: objects with the place they came from, and what could not be read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::kind::Kind;
use crate::api::keys::GROUP;
use crate::objects::Object;

/// Where an object came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// The file as the user named it; `stdin`, or `cluster` for a live cluster.
    pub file: Arc<str>,
    /// The line where the object begins, from 1; 0 where there are no lines.
    pub line: usize,
}

impl Source {
    /// A live cluster, as a file without lines.
    #[must_use]
    pub fn cluster() -> Self {
        Self { file: Arc::from("cluster"), line: 0 }
    }
}

impl fmt::Display for Source {
    /// `app.yaml:12`, `cluster`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { f.write_str(&self.file) } else { write!(f, "{}:{}", self.file, self.line) }
    }
}

/// An object and where it came from.
#[derive(Clone, Debug)]
pub struct Sourced {
    /// The object, in a namespace if its kind has one.
    pub object: Object,
    /// Where it came from.
    pub source: Source,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub struct InputError {
    /// The file as the user named it; `stdin`, or `cluster`.
    pub file: String,
    /// The line, from 1; none where the file as a whole is at fault.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// Everything that came in.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Objects of the kinds that judgement reads, in the order in which they stand.
    pub objects: Vec<Sourced>,
    /// What could not be read, sorted by file and line. If there is any, no verdict is complete.
    pub errors: Vec<InputError>,
    /// How many objects of other kinds there were, by `apiVersion kind`.
    pub skipped: BTreeMap<String, usize>,
    /// Stored policies and geographies that cannot be read, each an error too: what they would permit, nobody knows.
    pub unread: Vec<Unread>,
    /// Kinds that the live cluster does not serve, as `plural.group`. Always empty for files.
    pub not_served: BTreeSet<String>,
}

/// A policy or a geography that cannot be read.
#[derive(Clone, Debug)]
pub struct Unread {
    /// Which of the two.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// All of it, of which something may be of use.
    pub value: Value,
}

impl Unread {
    fn of(value: &Value) -> Option<Self> {
        let text = |pointer| value.pointer(pointer).and_then(Value::as_str);
        let ours = text("/apiVersion")?.split('/').next() == Some(GROUP);
        let kind = [Kind::ResidencyPolicy, Kind::Geography];
        let kind = kind.into_iter().find(|kind| Some(kind.as_str()) == text("/kind")).filter(|_| ours)?;
        Some(Self { kind, name: text("/metadata/name")?.to_owned(), value: value.clone() })
    }
}

/// Most that is told of one error, in bytes.
const LONGEST: usize = 1_000;

/// Takes values from one source, types them and files them under what they are.
pub(super) struct Sink<'a> {
    pub(super) file: Arc<str>,
    /// For objects that name no namespace.
    pub(super) namespace: &'a str,
    pub(super) loaded: &'a mut Loaded,
}

impl Sink<'_> {
    pub(super) fn error(&mut self, line: Option<usize>, mut message: String) {
        // It may quote what cannot be read, which may be a whole file.
        if message.len() > LONGEST {
            let end = message.floor_char_boundary(LONGEST);
            message = format!("{}… ({} bytes more)", &message[..end], message.len() - end);
        }
        self.loaded.errors.push(InputError { file: self.file.to_string(), line, message });
    }

    /// The same source, filed elsewhere.
    pub(super) fn with<'b>(&'b self, loaded: &'b mut Loaded) -> Sink<'b> {
        Sink { file: Arc::clone(&self.file), namespace: self.namespace, loaded }
    }

    /// Files what was filed elsewhere.
    pub(super) fn merge(&mut self, other: Loaded) {
        self.loaded.objects.extend(other.objects);
        self.loaded.errors.extend(other.errors);
        self.loaded.unread.extend(other.unread);
        for (kind, count) in other.skipped {
            *self.loaded.skipped.entry(kind).or_default() += count;
        }
    }

    /// Types one object, or those of a list, that began at this line.
    pub(super) fn take(&mut self, mut value: Value, line: usize) {
        let list_kind = value.get("kind").and_then(Value::as_str).and_then(|kind| kind.strip_suffix("List"));
        if let (Some(kind), Some(Value::Array(_))) = (list_kind.map(str::to_owned), value.get("items")) {
            let api_version = value.get("apiVersion").cloned().unwrap_or_default();
            if let Value::Array(items) = value["items"].take() {
                for item in items {
                    self.take_item(item, &api_version, &kind, line);
                }
            }
            return;
        }
        let text = |field| value.get(field).and_then(Value::as_str);
        let kind = format!("{} {}", text("apiVersion").unwrap_or_default(), text("kind").unwrap_or_default());
        let at = (line > 0).then_some(line);
        // Where no line says which object it is, its name must.
        let name = at.is_none().then(|| value["metadata"]["name"].as_str().unwrap_or_default().to_owned());
        let unread = Unread::of(&value);
        match Object::from_value(value) {
            Ok(Some(mut object)) => {
                object.default_namespace(self.namespace);
                if object.reference().name.is_empty() {
                    let (_, kind) = object.type_names();
                    return self
                        .error(at, format!("{kind}: metadata.name is missing: every object needs a name"));
                }
                let source = Source { file: Arc::clone(&self.file), line };
                self.loaded.objects.push(Sourced { object, source });
            }
            Ok(None) => *self.loaded.skipped.entry(kind).or_default() += 1,
            Err(error) => {
                let name = name.map(|name| format!("object {name:?}: ")).unwrap_or_default();
                self.error(at, format!("{name}{}", explained(&error.to_string())));
                self.loaded.unread.extend(unread);
            }
        }
    }
}

impl Sink<'_> {
    /// Types one item of a list; those of typed lists (`PodList`) may leave out what the list says already.
    pub(super) fn take_item(&mut self, mut item: Value, api_version: &Value, kind: &str, line: usize) {
        if let (Value::Object(fields), false) = (&mut item, kind.is_empty()) {
            fields.entry("apiVersion").or_insert_with(|| api_version.clone());
            fields.entry("kind").or_insert_with(|| kind.into());
        }
        self.take(item, line);
    }
}

/// Adds what to do about the mistakes that YAML invites.
fn explained(message: &str) -> String {
    let wants_text = message.contains("expected a string");
    let advice = if wants_text && message.contains("invalid type: boolean") {
        ". YAML reads a bare NO, n, yes, y, on, off, true or false as a boolean: put it in quotes"
    } else if wants_text
        && (message.contains("invalid type: integer") || message.contains("invalid type: floating"))
    {
        ". YAML reads bare digits as a number: put it in quotes"
    } else if message.starts_with("not a Kubernetes object") {
        ". If this file is no manifest, leave it out"
    } else {
        ""
    };
    format!("{message}{advice}")
}
