//! Hard constraints on nodes, as they stand in manifests, checked once and borrowed from there.

use crate::objects::{NodeSelector, NodeSelectorTerm, Operator, Requirement, Toleration, TopologyTerm};

/// What one requirement asks of a label.
#[derive(Clone, Debug, PartialEq)]
pub enum Test<'a> {
    /// One of these values.
    In(&'a [String]),
    /// Absent, or none of these values.
    NotIn(&'a [String]),
    /// There, with any value.
    Exists,
    /// Not there.
    DoesNotExist,
    /// An integer above this.
    Above(i64),
    /// An integer below this.
    Below(i64),
}

impl Test<'_> {
    /// Whether a label with this value, or none, passes.
    #[must_use]
    pub fn passes(&self, value: Option<&str>) -> bool {
        match (self, value) {
            (Self::In(values), Some(value)) => values.iter().any(|known| known == value),
            (Self::NotIn(values), Some(value)) => !values.iter().any(|known| known == value),
            (Self::Exists, Some(_)) | (Self::NotIn(_) | Self::DoesNotExist, None) => true,
            (Self::Above(limit), Some(value)) => integer(value).is_some_and(|value| value > *limit),
            (Self::Below(limit), Some(value)) => integer(value).is_some_and(|value| value < *limit),
            (Self::DoesNotExist, Some(_))
            | (Self::In(_) | Self::Exists | Self::Above(_) | Self::Below(_), None) => false,
        }
    }
}

/// An integer as the scheduler reads it: base 10, a sign, nothing else, 64 bits.
#[must_use]
pub fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// What is asked of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeTest<'a> {
    /// A label.
    Label(&'a str, Test<'a>),
    /// `metadata.name` is this.
    Name(&'a str),
    /// `metadata.name` is not this.
    NotName(&'a str),
}

/// Tests that must all hold. `None`: a term that matches nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Term<'a> {
    /// All of them.
    pub tests: Option<Vec<NodeTest<'a>>>,
}

impl<'a> Term<'a> {
    /// A term of a pod's required node affinity.
    #[must_use]
    pub fn of_pod(term: &'a NodeSelectorTerm) -> Self {
        if term.match_expressions.is_empty() && term.match_fields.is_empty() {
            return Self { tests: None };
        }
        let labels = term.match_expressions.iter().map(label_test);
        let fields = term.match_fields.iter().map(field_test);
        Self { tests: labels.chain(fields).collect() }
    }

    /// A term of a volume's node affinity. The scheduler shows it the node's labels alone, so fields hold.
    #[must_use]
    pub fn of_volume(term: &'a NodeSelectorTerm) -> Self {
        if term.match_expressions.is_empty() && term.match_fields.is_empty() {
            return Self { tests: None };
        }
        Self { tests: term.match_expressions.iter().map(label_test).collect() }
    }

    /// A term of a class's allowed topologies.
    #[must_use]
    pub fn of_topology(term: &'a TopologyTerm) -> Self {
        if term.match_label_expressions.is_empty() {
            return Self { tests: None };
        }
        let tests = term.match_label_expressions.iter();
        Self { tests: Some(tests.map(|one| NodeTest::Label(&one.key, Test::In(&one.values))).collect()) }
    }
}

/// Whether a label can have this value; the scheduler drops a term that names one which no label can have.
#[must_use]
pub fn is_label_value(value: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let edge = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = value.as_bytes();
    bytes.len() <= 63 && bytes.iter().all(|byte| inner(*byte)) && edge(bytes.first()) && edge(bytes.last())
}

fn label_test(requirement: &Requirement) -> Option<NodeTest<'_>> {
    let values = &requirement.values;
    if !values.iter().all(|value| is_label_value(value)) {
        return None;
    }
    let one = || match values.as_slice() {
        [value] => integer(value),
        _ => None,
    };
    let test = match requirement.operator {
        Operator::In if !values.is_empty() => Test::In(values),
        Operator::NotIn if !values.is_empty() => Test::NotIn(values),
        Operator::Exists if values.is_empty() => Test::Exists,
        Operator::DoesNotExist if values.is_empty() => Test::DoesNotExist,
        Operator::Gt => Test::Above(one()?),
        Operator::Lt => Test::Below(one()?),
        _ => return None,
    };
    Some(NodeTest::Label(&requirement.key, test))
}

fn field_test(requirement: &Requirement) -> Option<NodeTest<'_>> {
    match (requirement.key.as_str(), requirement.operator, requirement.values.as_slice()) {
        ("metadata.name", Operator::In, [name]) => Some(NodeTest::Name(name)),
        ("metadata.name", Operator::NotIn, [name]) => Some(NodeTest::NotName(name)),
        _ => None,
    }
}

/// Terms of one source, of which one must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Group<'a> {
    /// OR-ed.
    pub terms: Vec<Term<'a>>,
}

impl<'a> Group<'a> {
    /// `nodeSelector`: one term.
    #[must_use]
    pub fn of_labels(labels: &'a std::collections::BTreeMap<String, String>) -> Self {
        let tests =
            labels.iter().map(|(key, value)| NodeTest::Label(key, Test::In(std::slice::from_ref(value))));
        Self { terms: vec![Term { tests: Some(tests.collect()) }] }
    }

    /// A pod's required node affinity.
    #[must_use]
    pub fn of_pod(selector: &'a NodeSelector) -> Self {
        Self { terms: selector.node_selector_terms.iter().map(Term::of_pod).collect() }
    }

    /// A volume's required node affinity.
    #[must_use]
    pub fn of_volume(selector: &'a NodeSelector) -> Self {
        Self { terms: selector.node_selector_terms.iter().map(Term::of_volume).collect() }
    }

    /// A class's allowed topologies.
    #[must_use]
    pub fn of_topologies(terms: &'a [TopologyTerm]) -> Self {
        Self { terms: terms.iter().map(Term::of_topology).collect() }
    }
}

/// Everything that binds a pod to nodes. All groups must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Constraints<'a> {
    /// AND-ed. The pod's own affinity, if it has any, is the first.
    pub groups: Vec<Group<'a>>,
    /// Taints that it bears.
    pub tolerations: &'a [Toleration],
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(json: &str) -> NodeSelectorTerm {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn s5_operators_match_as_the_scheduler_matches() {
        let values = ["a".to_owned(), "b".to_owned()];
        for (test, value, passes) in [
            (Test::In(&values), Some("a"), true),
            (Test::In(&values), Some("c"), false),
            (Test::In(&values), None, false),
            (Test::NotIn(&values), Some("a"), false),
            (Test::NotIn(&values), Some("c"), true),
            (Test::NotIn(&values), None, true),
            (Test::Exists, Some(""), true),
            (Test::Exists, None, false),
            (Test::DoesNotExist, None, true),
            (Test::DoesNotExist, Some(""), false),
            (Test::Above(3), Some("4"), true),
            (Test::Above(3), Some("+4"), true),
            (Test::Above(3), Some("3"), false),
            (Test::Above(3), Some("4.0"), false),
            (Test::Above(3), Some("0x10"), false),
            (Test::Above(3), None, false),
            (Test::Below(3), Some("-9"), true),
            (Test::Below(3), Some(""), false),
        ] {
            assert_eq!(test.passes(value), passes, "{test:?} {value:?}");
        }
    }

    #[test]
    fn s5_terms_that_the_scheduler_drops_match_nothing() {
        for json in [
            "{}",
            r#"{"matchExpressions":[{"key":"a","operator":"In"}]}"#,
            r#"{"matchExpressions":[{"key":"a","operator":"Exists","values":["x"]}]}"#,
            r#"{"matchExpressions":[{"key":"a","operator":"Gt","values":["x"]}]}"#,
            r#"{"matchExpressions":[{"key":"a","operator":"Gt","values":["1","2"]}]}"#,
            r#"{"matchExpressions":[{"key":"a","operator":"In","values":["ok","not ok"]}]}"#,
            r#"{"matchFields":[{"key":"metadata.namespace","operator":"In","values":["x"]}]}"#,
            r#"{"matchFields":[{"key":"metadata.name","operator":"In","values":["x","y"]}]}"#,
        ] {
            assert_eq!(Term::of_pod(&term(json)).tests, None, "{json}");
        }
        assert_eq!(
            Term::of_pod(&term(
                r#"{"matchFields":[{"key":"metadata.name","operator":"In","values":["x"]}]}"#
            ))
            .tests,
            Some(vec![NodeTest::Name("x")])
        );
    }

    #[test]
    fn s5_a_volume_is_matched_by_labels_alone() {
        let fields = term(r#"{"matchFields":[{"key":"metadata.name","operator":"In","values":["x"]}]}"#);
        assert_eq!(Term::of_volume(&fields).tests, Some(vec![]));
        assert_eq!(Term::of_volume(&term("{}")).tests, None);
    }
}
