//! Label selectors as `kubectl -l` takes them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use crate::placement::selector::Selector;

/// Reads `a=b,c!=d,e in (f,g),h notin (i),j,!k`. An empty text selects everything.
pub(super) fn parse(text: &str) -> Result<Selector, String> {
    Selector::compile(&written(text)?).map_err(|error| error.to_string())
}

fn written(text: &str) -> Result<LabelSelector, String> {
    let requirements =
        split(text)?.into_iter().map(|part| requirement(part.trim())).collect::<Result<Vec<_>, _>>()?;
    let match_expressions = (!requirements.is_empty()).then_some(requirements);
    Ok(LabelSelector { match_expressions, match_labels: None })
}

/// At the commas outside parentheses.
fn split(text: &str) -> Result<Vec<&str>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let (mut parts, mut start, mut inside) = (Vec::new(), 0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' if inside => return Err(format!("a parenthesis inside parentheses in {text:?}")),
            b'(' => inside = true,
            b')' => inside = false,
            b',' if !inside => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err(format!("a parenthesis is not closed in {text:?}"));
    }
    parts.push(&text[start..]);
    Ok(parts)
}

fn requirement(part: &str) -> Result<LabelSelectorRequirement, String> {
    let one = |value: &str| Some(vec![value.trim().to_owned()]);
    let (label, operator, values) = if let Some(label) = part.strip_prefix('!') {
        (label, "DoesNotExist", None)
    } else if let Some((label, value)) = part.split_once("!=") {
        (label, "NotIn", one(value))
    } else if let Some((label, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        (label, "In", one(value))
    } else if let Some((label, values)) = part.strip_suffix(')').and_then(|part| part.split_once('(')) {
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        let (label, operator) = label.trim_end().rsplit_once(char::is_whitespace).unwrap_or_default();
        match operator {
            "in" => (label, "In", Some(values)),
            "notin" => (label, "NotIn", Some(values)),
            _ => return Err(format!("{part:?}: `in` or `notin` is expected before the parenthesis")),
        }
    } else {
        (part, "Exists", None)
    };
    let label = label.trim();
    check(label, "_.-/", part)?;
    for value in values.iter().flatten().filter(|value| !value.is_empty()) {
        check(value, "_.-", part)?;
    }
    Ok(LabelSelectorRequirement { key: label.to_owned(), operator: operator.to_owned(), values })
}

fn check(word: &str, punctuation: &str, part: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || punctuation.contains(c);
    if word.is_empty() || !word.chars().all(fits) {
        return Err(format!(
            "{part:?} is no requirement: a=b, a!=b, a in (b,c), a notin (b,c), a and !a are"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String, Vec<String>)> {
        let requirements = written(text).unwrap().match_expressions.unwrap_or_default();
        requirements.into_iter().map(|r| (r.key, r.operator, r.values.unwrap_or_default())).collect()
    }

    #[test]
    fn every_form() {
        for (text, label, operator, values) in [
            ("a=b", "a", "In", vec!["b"]),
            ("a == b", "a", "In", vec!["b"]),
            ("a!=b", "a", "NotIn", vec!["b"]),
            ("a=", "a", "In", vec![""]),
            ("x.io/a in (b, c)", "x.io/a", "In", vec!["b", "c"]),
            ("a notin (b)", "a", "NotIn", vec!["b"]),
            ("a", "a", "Exists", vec![]),
            (" !a ", "a", "DoesNotExist", vec![]),
        ] {
            let values: Vec<String> = values.into_iter().map(str::to_owned).collect();
            assert_eq!(read(text), [(label.to_owned(), operator.to_owned(), values)], "{text}");
        }
        assert_eq!(read("a in (b,c),d=e,!f").len(), 3);
        assert_eq!(read(" "), []);
    }

    #[test]
    fn what_is_none() {
        for text in [
            ",",
            "a,",
            "=b",
            "a in b",
            "a in (b",
            "a in ((b))",
            "a of (b)",
            "(b)",
            "in (b)",
            "a b",
            "a=b c",
            "!",
        ] {
            assert!(written(text).is_err(), "{text}");
        }
    }
}
