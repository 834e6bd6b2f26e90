//! The page as a reader of HTML has it, and what must be true of every page.

use std::collections::BTreeSet;

use html5gum::{Token, Tokenizer};
use serde_json::Value;

/// A page as a reader of HTML has it.
#[derive(Default)]
pub(crate) struct Read {
    /// Names of all elements.
    pub(crate) elements: Vec<String>,
    /// Attributes: element, name, value.
    pub(crate) attributes: Vec<(String, String, String)>,
    /// The text of each element, and of each row of a table.
    pub(crate) text: String,
    pub(crate) rows: Vec<String>,
}

pub(crate) fn read(page: &str) -> Read {
    let mut found = Read::default();
    let mut open: Vec<String> = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    for Ok(token) in Tokenizer::new(page) {
        match token {
            Token::StartTag(tag) => {
                let name = text(&tag.name);
                for (key, value) in &tag.attributes {
                    found.attributes.push((name.clone(), text(key), text(value)));
                }
                if name == "tr" {
                    found.rows.push(String::new());
                }
                if !["meta", "link", "br"].contains(&name.as_str()) && !tag.self_closing {
                    open.push(name.clone());
                }
                found.elements.push(name);
                found.text.push('\n');
            }
            Token::EndTag(tag) => {
                let name = text(&tag.name);
                assert_eq!(open.pop().as_deref(), Some(name.as_str()), "elements are closed in order");
                found.text.push('\n');
                if let Some(row) = found.rows.last_mut() {
                    row.push('\n');
                }
            }
            Token::String(string) => {
                let string = text(&string);
                found.text.push_str(&string);
                if let Some(row) = found.rows.last_mut().filter(|_| open.iter().any(|one| one == "tr")) {
                    row.push_str(&string);
                }
            }
            Token::Error(error) => panic!("{error:?}"),
            Token::Comment(_) | Token::Doctype(_) => {}
        }
    }
    assert!(open.is_empty(), "{open:?} are not closed");
    found
}

/// Every string and number of a JSON value, with where it stands.
fn leaves(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| leaves(value, &format!("{path}.{key}"), found));
        }
        Value::Array(items) => items.iter().for_each(|item| leaves(item, path, found)),
        Value::String(text) => found.push((path.to_owned(), text.clone())),
        Value::Number(number) => found.push((path.to_owned(), number.to_string())),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Every fact of the JSON is on the page.
pub(crate) fn assert_all_facts(facts: &Value, page: &Read) {
    let moments: BTreeSet<&str> = page
        .attributes
        .iter()
        .filter(|(_, name, _)| name == "datetime")
        .map(|(_, _, value)| value.as_str())
        .collect();
    let mut all = Vec::new();
    leaves(facts, "", &mut all);
    assert!(all.len() > 50, "{facts}");
    for (path, text) in all {
        let said = match path.rsplit('.').next().unwrap() {
            "apiVersion" => continue,
            "at" | "until" | "from" | "since" | "brokenSince" => {
                assert!(moments.contains(text.as_str()), "{path}: {text}");
                continue;
            }
            "how" => match text.as_str() {
                "Is" => "there",
                "Could" => "could be there",
                _ => "not known",
            },
            "ends" => match text.as_str() {
                "Permission" => "Permissions that end",
                _ => "Denials that end",
            },
            "state" => match text.as_str() {
                "Open" => "In force",
                "Coming" => "Not yet",
                other => other,
            },
            _ => text.as_str(),
        };
        assert!(page.text.contains(said), "{path}: {said:?} is not on the page");
    }
}

/// Nothing is fetched, nothing runs, and headings do not skip a level.
pub(crate) fn assert_self_contained(page: &Read) {
    for element in &page.elements {
        assert!(
            !["script", "link", "img", "iframe", "object", "embed", "base", "form"]
                .contains(&element.as_str())
        );
    }
    for (element, name, value) in &page.attributes {
        assert!(!name.starts_with("on"), "{element} {name}");
        let link = element == "a" && (value.starts_with("https://") || value.starts_with("http://"));
        assert!(name != "href" || link || value.starts_with('#'), "{element} {value}");
        assert!(name != "src" && name != "srcset" && name != "style", "{element} {name}");
    }
    let mut last = 0;
    for heading in page.elements.iter().filter_map(|name| name.strip_prefix('h')?.parse::<u8>().ok()) {
        assert!(heading <= last + 1, "h{heading} follows h{last}");
        last = heading;
    }
    assert!(page.attributes.contains(&("html".into(), "lang".into(), "en".into())));
    for table in ["caption", "thead", "tbody"] {
        let count = |name: &str| page.elements.iter().filter(|one| *one == name).count();
        assert_eq!(count(table), count("table"), "{table}");
    }
    // What scrolls can be reached by key, and has a name.
    let of_boxes = |name: &str| {
        page.attributes.iter().filter(|(element, key, _)| element == "div" && key == name).count()
    };
    let tables = page.elements.iter().filter(|one| *one == "table").count();
    assert_eq!((of_boxes("tabindex"), of_boxes("aria-label")), (tables, tables));
    // Each map has a name.
    let ids: BTreeSet<&str> = page
        .attributes
        .iter()
        .filter(|(_, name, _)| name == "id")
        .map(|(_, _, value)| value.as_str())
        .collect();
    for (_, name, value) in
        page.attributes.iter().filter(|(_, name, _)| name == "aria-labelledby" || name == "href")
    {
        if name == "aria-labelledby" || value.starts_with('#') {
            assert!(ids.contains(value.trim_start_matches('#')), "{value}");
        }
    }
}
