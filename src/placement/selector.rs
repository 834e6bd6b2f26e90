//! `metav1.LabelSelector`, compiled, and asked of labels that may be known in part only.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::api::keys;
use crate::geography::Tri;

/// What is known of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label<'a> {
    /// It has this value.
    Is(&'a str),
    /// It is not there.
    Absent,
    /// Nothing is known.
    Unknown,
}

impl<'a> From<Option<&'a str>> for Label<'a> {
    fn from(value: Option<&'a str>) -> Self {
        value.map_or(Self::Absent, Self::Is)
    }
}

/// The key and the value of a label.
pub type Pair = Arc<(Arc<str>, Arc<str>)>;

/// Labels, sorted by key.
pub type Labels = [Pair];

/// Labels, of a manifest or of the state.
#[derive(Clone, Copy, Debug)]
pub enum LabelsRef<'a> {
    /// As a manifest has them.
    Map(&'a BTreeMap<String, String>),
    /// As the state has them.
    Kept(&'a Labels),
    /// As the state has them, of a pod whose name is the value of one more label, [`keys::POD_NAME`].
    Named(&'a Labels, &'a str),
}

impl<'a> LabelsRef<'a> {
    /// The value of a label.
    #[must_use]
    pub fn get(self, key: &str) -> Option<&'a str> {
        match self {
            Self::Map(labels) => labels.get(key).map(String::as_str),
            Self::Named(_, name) if key == keys::POD_NAME => Some(name),
            Self::Kept(labels) | Self::Named(labels, _) => {
                let at = labels.binary_search_by(|pair| (*pair.0).cmp(key)).ok()?;
                labels.get(at).map(|pair| &*pair.1)
            }
        }
    }
}

impl LabelsRef<'_> {
    /// All of them.
    #[must_use]
    pub fn to_map(self) -> BTreeMap<String, String> {
        let kept = |labels: &Labels| -> BTreeMap<String, String> {
            labels.iter().map(|pair| (pair.0.to_string(), pair.1.to_string())).collect()
        };
        match self {
            Self::Map(labels) => labels.clone(),
            Self::Kept(labels) => kept(labels),
            Self::Named(labels, name) => {
                let mut labels = kept(labels);
                labels.insert(keys::POD_NAME.to_owned(), name.to_owned());
                labels
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
}

impl Test {
    fn of(&self, label: Label<'_>) -> Tri {
        let holds = match label {
            Label::Unknown => return Tri::Unknown,
            Label::Is(value) => match self {
                Self::In(values) => values.iter().any(|known| known == value),
                Self::NotIn(values) => !values.iter().any(|known| known == value),
                Self::Exists => true,
                Self::DoesNotExist => false,
            },
            Label::Absent => matches!(self, Self::NotIn(_) | Self::DoesNotExist),
        };
        if holds { Tri::True } else { Tri::False }
    }
}

/// A label selector that has been checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selector {
    tests: Vec<(String, Test)>,
}

/// Why a label selector cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// The operator does not exist.
    #[error("matchExpressions[{index}].operator: {operator:?} is none of In, NotIn, Exists, DoesNotExist")]
    Operator {
        /// Which expression.
        index: usize,
        /// What it says.
        operator: String,
    },
    /// The values do not fit the operator.
    #[error("matchExpressions[{index}].values: {operator} needs {needs}")]
    Values {
        /// Which expression.
        index: usize,
        /// Its operator.
        operator: String,
        /// What it needs.
        needs: &'static str,
    },
}

impl Selector {
    /// Checks and compiles a selector. An empty one matches everything.
    pub fn compile(selector: &LabelSelector) -> Result<Self, SelectorError> {
        let mut tests: Vec<_> = selector
            .match_labels
            .iter()
            .flatten()
            .map(|(key, value)| (key.clone(), Test::In(vec![value.clone()])))
            .collect();
        for (index, expression) in selector.match_expressions.iter().flatten().enumerate() {
            let values = expression.values.clone().unwrap_or_default();
            let operator = expression.operator.as_str();
            let wants_values = matches!(operator, "In" | "NotIn");
            let wrong = |needs| SelectorError::Values { index, operator: operator.to_owned(), needs };
            let test = match operator {
                _ if wants_values && values.is_empty() => return Err(wrong("at least one value")),
                "Exists" | "DoesNotExist" if !values.is_empty() => return Err(wrong("no values")),
                "In" => Test::In(values),
                "NotIn" => Test::NotIn(values),
                "Exists" => Test::Exists,
                "DoesNotExist" => Test::DoesNotExist,
                _ => return Err(SelectorError::Operator { index, operator: operator.to_owned() }),
            };
            tests.push((expression.key.clone(), test));
        }
        Ok(Self { tests })
    }

    /// Whether it matches labels that are known in part.
    pub fn asks<'a>(&self, label: impl Fn(&str) -> Label<'a>) -> Tri {
        let mut all = Tri::True;
        for (key, test) in &self.tests {
            all = all.and(test.of(label(key)));
            if all == Tri::False {
                break;
            }
        }
        all
    }

    /// Whether it matches these labels.
    #[must_use]
    pub fn matches(&self, labels: LabelsRef<'_>) -> bool {
        self.asks(|key| labels.get(key).into()) == Tri::True
    }

    /// The keys that it reads.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.tests.iter().map(|(key, _)| key.as_str())
    }

    /// Labels that satisfy it, where every test names one value: what a fix can write.
    #[must_use]
    pub fn as_requirements(&self) -> Vec<(&str, &[String])> {
        self.tests
            .iter()
            .filter_map(|(key, test)| match test {
                Test::In(values) => Some((key.as_str(), values.as_slice())),
                _ => None,
            })
            .collect()
    }
}
