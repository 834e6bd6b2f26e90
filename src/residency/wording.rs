//! Verdicts in words, the same on every surface.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde_json::{Value, json};

use super::verdict::{Example, Finding, Fix, Verdict};
use crate::api::Action;

/// Names come from whoever wrote the manifest: none of them may move the cursor or hide a line.
#[must_use]
pub fn safe(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').collect()
}

/// Puts another sentence behind what may have ended in a question.
pub(super) fn add_sentence(text: &mut String, sentence: &str) {
    text.push_str(if text.ends_with('?') { " " } else { ". " });
    text.push_str(sentence);
}

/// `node a1: aws, us-east-1, us-east-1a, US, operator under US`; what is unknown is left out, unless it is where it is.
impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.node, &self.volume) {
            (Some(node), _) => write!(f, "node {node}: ")?,
            // `claim data`, `volume pv-1`.
            (None, Some(volume)) => write!(f, "{volume}: ")?,
            (None, None) => {}
        }
        for known in [&self.provider, &self.region, &self.zone].into_iter().flatten() {
            write!(f, "{known}, ")?;
        }
        f.write_str(self.jurisdiction.as_deref().unwrap_or("jurisdiction unknown"))?;
        match &self.provider_jurisdiction {
            Some(operator) => write!(f, ", operator under {operator}"),
            None => Ok(()),
        }
    }
}

impl Finding {
    /// Whether it is told to whoever asks, and refuses nothing.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        self.action == Action::Warn
    }

    /// The finding with the policy that it breaks.
    #[must_use]
    pub fn sentence(&self) -> String {
        match &self.policy {
            Some(policy) => safe(&format!("policy {policy}: {}", self.message)),
            None => safe(&self.message),
        }
    }
}

impl Fix {
    /// What to do, and the YAML that it is done with; none where a field is to go.
    #[must_use]
    pub fn instruction(&self) -> (String, Option<String>) {
        let path = safe(&self.path);
        if self.value.is_null() {
            return (format!("remove {path}"), None);
        }
        // Only a path of plain field names can be written as nested maps.
        let plain =
            self.path.split('.').all(|part| !part.is_empty() && part.chars().all(char::is_alphanumeric));
        if plain {
            let nested =
                self.path.rsplit('.').fold(self.value.clone(), |inner, field| json!({ field: inner }));
            // Labels that are there would stay beside those of the fix.
            let how = if self.path.ends_with("nodeSelector") {
                format!("replace {path} by this")
            } else {
                "merge this into the manifest".to_owned()
            };
            (how, Some(yaml(&nested)))
        } else {
            (format!("set {path} to"), Some(yaml(&self.value)))
        }
    }
}

fn yaml(value: &Value) -> String {
    serde_saphyr::to_string(value).unwrap_or_else(|_| value.to_string())
}

impl Verdict {
    /// Each classification once, with where it comes from: `personal (namespace shop)`.
    #[must_use]
    pub fn carried(&self) -> String {
        let mut origins: BTreeMap<Cow<'_, str>, Vec<&str>> = BTreeMap::new();
        for one in &self.classifications {
            origins.entry(one.shown()).or_default().push(&one.from);
        }
        let told: Vec<_> =
            origins.into_iter().map(|(name, from)| format!("{name} ({})", from.join(", "))).collect();
        safe(&told.join(", "))
    }

    /// Why it is refused, and what to write instead: what a person reads behind `denied the request:`.
    #[must_use]
    pub fn refusal(&self) -> String {
        let mut text = safe(&self.object.to_string());
        let carried = self.carried();
        if carried.is_empty() {
            text.push_str(" is refused:");
        } else {
            // Infallible: it writes into a string.
            let _ = write!(text, " carries {carried} and is refused:");
        }
        for finding in &self.findings {
            let kind = match finding.action {
                Action::Deny => "",
                Action::Warn => "(warning) ",
                Action::Audit => continue,
            };
            let field = finding.field.as_deref().map(|field| format!(" [{}]", safe(field)));
            let _ = write!(text, "\n- {kind}{}{}", finding.sentence(), field.unwrap_or_default());
        }
        if let Some(fix) = &self.fix {
            let (what, yaml) = fix.instruction();
            let _ = write!(text, "\nTo be admitted, {what}");
            if let Some(yaml) = yaml {
                text.push(':');
                for line in yaml.lines() {
                    let _ = write!(text, "\n  {line}");
                }
            }
        }
        text
    }
}
