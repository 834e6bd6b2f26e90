//! Codes and globs over codes, as users and the catalog write them.

use std::fmt;
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};

/// A glob that stands for at most this many codes is spelled out, so that it is found by a hash and not by matching.
const SPELLED_OUT: usize = 64;

/// Characters that do not stand for themselves.
const SPECIAL: [char; 7] = ['*', '?', '[', ']', '{', '}', '\\'];

/// A code, or a glob over codes.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Arc<str>,
    /// How many characters of it stand for themselves: the more, the more specific.
    literal: usize,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Code,
    Few(Arc<[Arc<str>]>),
    /// One star, which stands at this byte, and nothing else that is special: what people write most.
    Star(usize),
    Glob(GlobMatcher),
}

impl Pattern {
    /// Reads a code or a glob (`*`, `?`, `[a-z]`, `{a,b}`).
    pub(crate) fn new(text: &str) -> Result<Self, globset::Error> {
        let form = if !text.contains(SPECIAL) {
            Form::Code
        } else if let Some(codes) = spell_out(text) {
            Form::Few(codes)
        } else if let Some(star) = text.find('*').filter(|star| !text[star + 1..].contains(SPECIAL))
            && !text[..star].contains(SPECIAL)
        {
            Form::Star(star)
        } else {
            // A code is no path: `*` crosses the slash in `de/fra`, and a backslash escapes on every system.
            let glob = GlobBuilder::new(text).literal_separator(false).backslash_escape(true).build()?;
            Form::Glob(glob.compile_matcher())
        };
        Ok(Self { text: text.into(), literal: literal_characters(text), form })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Whether it is a code and not a glob.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        matches!(self.form, Form::Code)
    }

    pub(super) fn literal_characters(&self) -> usize {
        self.literal
    }

    /// Whether this code is meant.
    #[must_use]
    pub fn matches(&self, code: &str) -> bool {
        match &self.form {
            Form::Code => *self.text == *code,
            Form::Few(codes) => codes.iter().any(|one| **one == *code),
            Form::Star(star) => {
                let (before, after) = (&self.text[..*star], &self.text[star + 1..]);
                code.strip_prefix(before).is_some_and(|rest| rest.ends_with(after))
            }
            Form::Glob(glob) => glob.is_match(code),
        }
    }

    /// Every code that it stands for, if they are few.
    #[must_use]
    pub fn literals(&self) -> Option<Vec<Arc<str>>> {
        match &self.form {
            Form::Code => Some(vec![Arc::clone(&self.text)]),
            Form::Few(codes) => Some(codes.to_vec()),
            Form::Star(_) | Form::Glob(_) => None,
        }
    }

    /// Whether some code is known that both mean. Finds every overlap of the globs that people write for codes
    /// (a beginning and a star), not of any two globs.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let sample = |pattern: &Self| pattern.text.replace(['*', '?'], "1");
        self.text == other.text
            || self.matches(&sample(other))
            || other.matches(&sample(self))
            || other.literals().is_some_and(|codes| codes.iter().any(|code| self.matches(code)))
            || self.literals().is_some_and(|codes| codes.iter().any(|code| other.matches(code)))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn literal_characters(text: &str) -> usize {
    let mut count = 0;
    let mut inside = false;
    for character in text.chars() {
        match character {
            '[' | '{' => inside = true,
            ']' | '}' => inside = false,
            '*' | '?' | '\\' => {}
            _ if inside => {}
            _ => count += 1,
        }
    }
    count
}

/// The codes of a glob whose only special part are classes such as `[a-z]`, if they are few.
fn spell_out(text: &str) -> Option<Arc<[Arc<str>]>> {
    let mut codes = vec![String::new()];
    let mut rest = text;
    while let Some(open) = rest.find(SPECIAL) {
        let (before, special) = rest.split_at(open);
        let (class, after) = special.strip_prefix('[')?.split_once(']')?;
        let members = class_members(class)?;
        if codes.len() * members.len() > SPELLED_OUT {
            return None;
        }
        codes = codes
            .iter()
            .flat_map(|code| members.iter().map(move |member| format!("{code}{before}{member}")))
            .collect();
        rest = after;
    }
    Some(codes.into_iter().map(|code| Arc::from(format!("{code}{rest}"))).collect())
}

fn class_members(class: &str) -> Option<Vec<char>> {
    let mut members = Vec::new();
    let mut rest = class.chars().peekable();
    while let Some(first) = rest.next() {
        if !first.is_ascii_alphanumeric() {
            return None;
        }
        if rest.next_if_eq(&'-').is_some() {
            let last = rest.next()?;
            if !last.is_ascii_alphanumeric() || last < first {
                return None;
            }
            members.extend(first..=last);
        } else {
            members.push(first);
        }
    }
    (!members.is_empty()).then_some(members)
}
