//! `docs/policy-reference.md`, which is written from the definitions.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{read, root};

const WRITE: &str = "DOMICILE_WRITE_REFERENCE";

/// What a value may be, in a few words.
fn kind_of(schema: &Value) -> String {
    let text = |key: &str| schema[key].as_str();
    if let Some(values) = schema["enum"].as_array() {
        return values
            .iter()
            .map(|value| format!("`{}`", value.as_str().unwrap()))
            .collect::<Vec<_>>()
            .join(", ");
    }
    let range = |least: &str, most: &str| match (schema[least].as_u64(), schema[most].as_u64()) {
        (None | Some(0), None) => None,
        (None | Some(0), Some(most)) => Some(format!("up to {most}")),
        (Some(least), None) => Some(format!("at least {least}")),
        (Some(least), Some(most)) => Some(format!("{least} to {most}")),
    };
    match text("type") {
        Some("array") => {
            let items = &schema["items"];
            let number = range("minItems", "maxItems")
                .map_or_else(|| "list".to_owned(), |number| format!("list of {number}"));
            if items["type"] == "object" { number } else { format!("{number}; each: {}", kind_of(items)) }
        }
        Some("string") if text("format") == Some("date-time") => "time".to_owned(),
        Some("string") => {
            let length = range("minLength", "maxLength").map(|length| format!(" of {length} characters"));
            let pattern = text("pattern").map(|pattern| format!(", `{}`", pattern.replace('|', "\\|")));
            format!("text{}{}", length.unwrap_or_default(), pattern.unwrap_or_default())
        }
        Some("object") if schema.get("additionalProperties").is_some() => "map of texts".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some(other) => other.to_owned(),
        None => panic!("{schema} has no type"),
    }
}

/// A description on one line of a table.
fn told(schema: &Value) -> String {
    schema["description"]
        .as_str()
        .unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

/// A message as Markdown: what a book would take for an element of HTML is code.
fn plain(message: &str) -> String {
    let word = |word: &str| if word.contains('<') { format!("`{word}`") } else { word.to_owned() };
    message.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// What is told of one kind, and what was told before.
#[derive(Default)]
struct Writer {
    kind: String,
    table: String,
    rules: Vec<String>,
    /// The fields of schemas that stand in the page already, and where.
    seen: Vec<(Value, String)>,
}

impl Writer {
    /// Where the page tells what is in a schema, if it does already. Places and selectors occur again and again.
    fn already(&mut self, schema: &Value, path: &str) -> Option<String> {
        let (schema, path) = match schema["type"].as_str() {
            Some("array") => (&schema["items"], format!("{path}[]")),
            _ => (schema, path.to_owned()),
        };
        let fields = schema.get("properties")?;
        let known = self.seen.iter().find(|(one, _)| one == fields).map(|(_, at)| at.clone());
        if known.is_none() {
            self.seen.push((fields.clone(), format!("`{path}` of {}", self.kind)));
        }
        known
    }

    /// The rows below a schema; a path such as `spec.allow[].jurisdictions`.
    fn rows(&mut self, schema: &Value, path: &str) {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            self.rules.push(format!("- `{path}`: {}", plain(rule["message"].as_str().unwrap())));
        }
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if path.is_empty() && ["apiVersion", "kind", "metadata"].contains(&name.as_str()) {
                continue;
            }
            let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let must = if required.iter().any(|one| one == name) { "**required**; " } else { "" };
            let default = property.get("default").map(|value| {
                format!("; default `{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            });
            let (kind, default, told) = (kind_of(property), default.unwrap_or_default(), told(property));
            let known = self.already(property, &here);
            let fields =
                known.as_ref().map(|at| format!(" Its fields are those of {at}.")).unwrap_or_default();
            let _ = writeln!(self.table, "| `{here}` | {must}{kind}{default} | {told}{fields} |");
            if known.is_none() {
                self.rows(property, &here);
            }
        }
        if let Some(items) = schema.get("items") {
            self.rows(items, &format!("{path}[]"));
        }
    }
}

/// The page.
fn page() -> String {
    let mut page = String::from(
        "# Policy reference\n\n\
         Every field of Domicile's custom resources, of the group `domicile.dev`, version `v1alpha1`. This page is written from the\n\
         definitions (`domicile crds`), and a test holds it against them. What the fields mean together is told in\n\
         [concepts](concepts.md) and [how reach is proven](how-reach-is-proven.md). Domicile refuses fields that it does not know.\n",
    );
    let mut definitions = domicile::api::crds();
    // The one that people write most comes first.
    definitions.sort_by_key(|definition| definition.spec.names.kind != "ResidencyPolicy");
    let mut writer = Writer::default();
    for definition in definitions {
        let names = &definition.spec.names;
        let [version] = definition.spec.versions.as_slice() else { panic!("one version") };
        let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
        let schema = serde_json::to_value(schema.unwrap()).unwrap();
        let scope = if definition.spec.scope == "Cluster" {
            "is one for the whole cluster"
        } else {
            "is in a namespace"
        };
        let short: Vec<&str> = names.short_names.iter().flatten().map(String::as_str).collect();
        writer.kind.clone_from(&names.kind);
        writer.rows(&schema, "");
        let (table, rules) = (std::mem::take(&mut writer.table), std::mem::take(&mut writer.rules));
        let _ = write!(
            page,
            "\n## {}\n\n{} It {scope}; kubectl also knows it as `{}`.\n\n\
             | field | what it may be | what it means |\n| --- | --- | --- |\n{table}",
            names.kind,
            told(&schema),
            short.join("`, `")
        );
        if !rules.is_empty() {
            let _ = write!(
                page,
                "\nThe API server refuses an object that breaks one of these, also while no controller runs:\n\n{}\n",
                rules.join("\n")
            );
        }
    }
    page
}

#[test]
fn the_reference_is_that_of_the_definitions() {
    let file = root().join("docs/policy-reference.md");
    let page = page();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    assert!(
        read(&file) == page,
        "docs/policy-reference.md lags behind the definitions: {WRITE}=1 cargo test --test book"
    );
}
