//! From the text of one file to objects: documents are told apart before they are parsed, so that only one is in
//! memory at a time and every object knows its line; lists are unfolded item by item for the same reason.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::options::AliasLimits;
use serde_saphyr::{Budget, Options, Spanned};

use super::dialects;
use super::input::{Loaded, Sink};
use super::strict::{Strict, StrictVisitor, duplicate, insert};

/// Nested maps and lists that a document may have; `serde_json` has the same limit.
const MAX_DEPTH: usize = 128;
/// Values that all aliases of one document together may stand for.
const MAX_ALIASED: usize = 1_000_000;

/// Reads every document of a file.
pub(super) fn read(text: &str, json_only: bool, sink: &mut Sink<'_>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if json_only {
        if let Err((line, message)) = read_json(text, 1, sink) {
            sink.error(line, message);
        }
        return;
    }
    for chunk in chunks(text) {
        read_chunk(&chunk, sink);
    }
}

/// Whether no document of a text says anything.
pub(super) fn are_void(text: &str, json_only: bool) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if json_only {
        return text.trim().is_empty();
    }
    chunks(text).iter().all(|chunk| {
        content(chunk.text).is_none_or(|(_, start)| matches!(chunk.text[start..].trim_end(), "null" | "~"))
    })
}

/// One YAML document as it stands in the file.
#[derive(Debug, PartialEq)]
struct Chunk<'t> {
    text: &'t str,
    /// Line of the file where `text` begins.
    line: usize,
}

/// Splits at the markers `---` and `...`, which YAML knows only at the beginning of a line. What stands before the
/// first `---` of a document (directives, comments) stays with it.
fn chunks(text: &str) -> Vec<Chunk<'_>> {
    let mut chunks = Vec::new();
    let (mut start, mut start_line) = (0, 1);
    let mut has_content = false;
    let mut offset = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let number = index + 1;
        let end = offset + line.len();
        if is_marker(line, "---") {
            if has_content {
                chunks.push(Chunk { text: &text[start..offset], line: start_line });
                (start, start_line) = (offset, number);
            }
            has_content = true;
        } else if is_marker(line, "...") {
            if has_content {
                chunks.push(Chunk { text: &text[start..end], line: start_line });
            }
            (start, start_line) = (end, number + 1);
            has_content = false;
        } else if !is_prelude(line) {
            has_content = true;
        }
        offset = end;
    }
    if has_content {
        chunks.push(Chunk { text: &text[start..], line: start_line });
    }
    chunks
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

fn is_blank(line: &str) -> bool {
    let line = line.trim();
    // A comment that not everybody reads to the end of the line is none.
    line.is_empty() || line.starts_with('#') && dialects::odd_line_end(line).is_none()
}

/// What may stand before a document's `---`.
fn is_prelude(line: &str) -> bool {
    is_blank(line) || line.starts_with('%')
}

/// Line (from 0, inside the chunk) and byte where the content begins; none where there is only comment.
fn content(text: &str) -> Option<(usize, usize)> {
    let mut offset = 0;
    let mut prelude = true;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let marker = prelude && is_marker(line, "---");
        let rest = if marker { &line[3..] } else { line };
        if !(is_blank(rest) || is_marker(line, "...") || prelude && is_prelude(rest)) {
            let indent = rest.len() - rest.trim_start().len();
            return Some((index, offset + line.len() - rest.len() + indent));
        }
        prelude &= !marker;
        offset += line.len();
    }
    None
}

fn read_chunk(chunk: &Chunk<'_>, sink: &mut Sink<'_>) {
    let Some((first, start)) = content(chunk.text) else { return };
    let line = chunk.line + first;
    let body = &chunk.text[start..];
    if !body.starts_with('{') {
        if let Err((at, message)) = read_yaml(chunk, line, sink) {
            sink.error(Some(at), message);
        }
        return;
    }
    // JSON, or YAML in braces: each into its own hands until it is clear which.
    let mut as_json = Loaded::default();
    match read_json(body, line, &mut sink.with(&mut as_json)) {
        Ok(()) => sink.merge(as_json),
        Err((json_at, json_message)) => {
            let mut as_yaml = Loaded::default();
            match read_yaml(chunk, line, &mut sink.with(&mut as_yaml)) {
                Ok(()) => sink.merge(as_yaml),
                Err(_) if body[1..].trim_start().starts_with('"') => {
                    sink.merge(as_json);
                    sink.error(json_at, json_message);
                }
                Err((at, message)) => {
                    sink.merge(as_yaml);
                    sink.error(Some(at), message);
                }
            }
        }
    }
}

/// Limits in proportion to the text: whatever is written out may be read, what aliases blow up may not.
fn options(size: usize) -> Options {
    serde_saphyr::options! {
        legacy_octal_numbers: true,
        emit_comments: false,
        with_snippet: false,
        alias_limits: alias_limits(),
        budget: Some(budget(size)),
    }
}

fn alias_limits() -> AliasLimits {
    serde_saphyr::alias_limits! { max_total_replayed_events: MAX_ALIASED }
}

fn budget(size: usize) -> Budget {
    let mut budget = Budget::default();
    budget.max_events = size.saturating_add(MAX_ALIASED);
    budget.max_nodes = budget.max_events;
    budget.max_total_scalar_bytes = budget.max_total_scalar_bytes.max(size.saturating_mul(2));
    budget.max_depth = MAX_DEPTH;
    // One anchor that many places use is good style; what it costs is bounded by the values that it stands for.
    budget.enforce_alias_anchor_ratio = false;
    budget
}

/// What is wrong with a character at which only some end a line, and where.
fn odd_line_end(text: &str, line: usize) -> Option<(usize, String)> {
    let (before, found) = dialects::odd_line_end(text)?;
    let code = u32::from(found);
    let message = format!(
        "U+{code:04X} stands here: kubectl ends the line at it, and others read on. Remove it, or write it as an escape in \
         double quotes"
    );
    Some((line + before, message))
}

fn read_yaml(chunk: &Chunk<'_>, line: usize, sink: &mut Sink<'_>) -> Result<(), (usize, String)> {
    if let Some(error) = odd_line_end(chunk.text, chunk.line) {
        return Err(error);
    }
    let explain = |error: &serde_saphyr::Error| {
        let at = error.location().map_or(line, |location| {
            chunk.line + usize::try_from(location.line()).unwrap_or_default().saturating_sub(1)
        });
        let mut message = plain(&error.without_snippet().to_string());
        if chunk.text.contains("{{") {
            message.push_str(
                ". If this is a Helm template, render it first: helm template … | domicile check -f -",
            );
        }
        (at, message)
    };
    if dialects::has_merge(chunk.text) {
        let mut options = options(chunk.text.len());
        options.merge_keys = serde_saphyr::options::MergeKeyPolicy::AsOrdinary;
        // Whatever is wrong with it as it is written, it is not read otherwise.
        let Strict(written) =
            serde_saphyr::from_str_with_options(chunk.text, options).map_err(|error| explain(&error))?;
        if let Some(key) = dialects::collision(&written) {
            let message = format!(
                "the key `{key}` stands in a map and comes into it by a merge (`<<`) as well: kubectl and others disagree \
                 about which counts. Write it once"
            );
            return Err((line, message));
        }
    }
    let lines = Lines::Yaml { chunk: chunk.line };
    serde_saphyr::with_deserializer_from_str_with_options(
        chunk.text,
        options(chunk.text.len()),
        |deserializer| deserializer.deserialize_any(Document { sink, line, lines }),
    )
    .map_err(|error| explain(&error))
}

/// The parser's words without the place, which is said otherwise, and with what to do about a limit.
fn plain(message: &str) -> String {
    if message.contains("budget breached: Depth")
        || message.contains("recursion limit")
        || message.contains("nesting")
    {
        format!("nested more than {MAX_DEPTH} levels deep: no Kubernetes object is")
    } else if message.contains("budget breached") || message.contains("alias replay") {
        format!(
            "its anchors and aliases stand for more than {MAX_ALIASED} values: write them out or split the document"
        )
    } else if message.contains("recursive references") {
        "an anchor stands for something that holds the anchor's own alias: write it out".to_owned()
    } else if let Some((_, rest)) = message.split_once("duplicate mapping key: ") {
        let key = rest.split(", set DuplicateKeyPolicy").next().unwrap_or(rest);
        format!("the key `{key}` stands twice in the same map: remove one of them")
    } else {
        let end = message.find(" at line ").unwrap_or(message.len());
        message[..end].trim_start_matches("YAML ").to_owned()
    }
}

/// JSON, also several documents one after the other. `line` is that of the beginning of `text`.
fn read_json(text: &str, line: usize, sink: &mut Sink<'_>) -> Result<(), (Option<usize>, String)> {
    let explain = |error: &serde_json::Error, base: usize| {
        (Some(base + error.line().saturating_sub(1)), format!("not JSON: {}", plain(&error.to_string())))
    };
    let mut documents = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    let (mut offset, mut counted, mut at) = (0, 0, line);
    while let Some(parsed) = documents.next() {
        let end = documents.byte_offset();
        let part = &text[offset..];
        let begin = offset + (part.len() - part.trim_start().len());
        parsed.map_err(|error| explain(&error, line))?;
        at += newlines(&text[counted..begin]);
        counted = begin;
        let document = &text[begin..end];
        offset = end;
        let lines = Lines::Json { items: item_lines(document, at) };
        serde_json::Deserializer::from_str(document)
            .deserialize_any(Document { sink, line: at, lines })
            .map_err(|error| explain(&error, at))
            .or_else(|(line, message)| {
                // The text is JSON: what failed is what it says.
                sink.error(line, message.replacen("not JSON: ", "", 1));
                Ok(())
            })?;
    }
    Ok(())
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// The lines where the items of the top-level list `items` begin. The text is known to be one JSON document.
fn item_lines(text: &str, mut line: usize) -> Vec<usize> {
    let mut lines = Vec::new();
    let (mut depth, mut in_items, mut expects_item) = (0_usize, false, false);
    let mut last_string = "";
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if expects_item && !byte.is_ascii_whitespace() && byte != b']' {
            lines.push(line);
            expects_item = false;
        }
        match byte {
            b'\n' => line += 1,
            b'"' => {
                let mut escaped = false;
                let end = bytes.find(|(_, byte)| {
                    let closes = *byte == b'"' && !escaped;
                    escaped = *byte == b'\\' && !escaped;
                    closes
                });
                last_string = end.and_then(|(end, _)| text.get(at + 1..end)).unwrap_or_default();
            }
            b'{' => depth += 1,
            b'[' => {
                depth += 1;
                if depth == 2 && last_string == "items" {
                    (in_items, expects_item) = (true, true);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                in_items &= depth >= 2;
                expects_item &= in_items;
            }
            b',' => expects_item = in_items && depth == 2,
            _ => {}
        }
    }
    lines
}

/// How the line of a list's item is known.
enum Lines {
    /// From the parser, counted from this line of the file.
    Yaml { chunk: usize },
    /// Found beforehand.
    Json { items: Vec<usize> },
}

/// Reads one document into the sink.
struct Document<'s, 'f> {
    sink: &'s mut Sink<'f>,
    line: usize,
    lines: Lines,
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kubernetes object: a map with `apiVersion` and `kind`")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut fields = Map::new();
        let mut untyped = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != "items" {
                let Strict(value) = map.next_value()?;
                insert(&mut fields, key, value)?;
            } else if untyped.is_some() || fields.contains_key(&key) {
                return Err(duplicate(&key));
            } else {
                match map.next_value_seed(Items { sink: self.sink, lines: &self.lines })? {
                    ItemsValue::List(items) => untyped = Some(items),
                    ItemsValue::Other(value) => insert(&mut fields, key, value)?,
                }
            }
        }
        let list_kind = fields.get("kind").and_then(Value::as_str).unwrap_or_default();
        let Some(item_kind) = list_kind.strip_suffix("List") else {
            if untyped.is_none() {
                self.sink.take(Value::Object(fields), self.line);
            } else if list_kind.is_empty() {
                self.sink
                    .error(Some(self.line), "a list without `kind`: `kind: List` is expected".to_owned());
            } else {
                self.sink
                    .error(Some(self.line), format!("{list_kind}: `items` belongs into a list: kind: List"));
            }
            return Ok(());
        };
        let api_version = fields.get("apiVersion").cloned().unwrap_or_default();
        for (item, line) in untyped.unwrap_or_default() {
            self.sink.take_item(item, &api_version, item_kind, line);
        }
        Ok(())
    }
}

/// What stands under `items`.
enum ItemsValue {
    /// A list; these of its items did not say what they are. The others have been taken.
    List(Vec<(Value, usize)>),
    /// Something else.
    Other(Value),
}

struct Items<'s, 'f, 'l> {
    sink: &'s mut Sink<'f>,
    lines: &'l Lines,
}

impl<'de> DeserializeSeed<'de> for Items<'_, '_, '_> {
    type Value = ItemsValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<ItemsValue, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_, '_, '_> {
    type Value = ItemsValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of Kubernetes objects")
    }

    fn visit_unit<E>(self) -> Result<ItemsValue, E> {
        Ok(ItemsValue::List(Vec::new()))
    }

    fn visit_none<E>(self) -> Result<ItemsValue, E> {
        Ok(ItemsValue::List(Vec::new()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ItemsValue, A::Error> {
        StrictVisitor.visit_map(map).map(ItemsValue::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ItemsValue, A::Error> {
        let mut untyped = Vec::new();
        let mut index = 0;
        while let Some((item, line)) = next_item(&mut seq, self.lines, index)? {
            index += 1;
            if item.get("apiVersion").is_some() && item.get("kind").is_some() {
                self.sink.take(item, line);
            } else {
                untyped.push((item, line));
            }
        }
        Ok(ItemsValue::List(untyped))
    }
}

fn next_item<'de, A: SeqAccess<'de>>(
    seq: &mut A,
    lines: &Lines,
    index: usize,
) -> Result<Option<(Value, usize)>, A::Error> {
    match lines {
        Lines::Yaml { chunk } => {
            let Some(item) = seq.next_element::<Spanned<Strict>>()? else { return Ok(None) };
            let inside = usize::try_from(item.referenced.line()).unwrap_or_default();
            Ok(Some((item.value.0, chunk + inside.saturating_sub(1))))
        }
        Lines::Json { items } => {
            let Some(Strict(item)) = seq.next_element()? else { return Ok(None) };
            Ok(Some((item, items.get(index).copied().unwrap_or_default())))
        }
    }
}
