//! Bytes as choices. When the bytes are used up, every choice is the first one, so that everything ends.

use arbitrary::Unstructured;
use serde_json::{Map, Value};

/// Makes values from bytes.
pub struct Maker<'b>(Unstructured<'b>);

impl<'b> Maker<'b> {
    pub fn new(bytes: &'b [u8]) -> Self {
        Self(Unstructured::new(bytes))
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u8) -> u8 {
        self.0.int_in_range(0..=end - 1).unwrap_or(0)
    }

    /// Yes, once in so many times; no when the bytes are used up.
    pub fn once_in(&mut self, times: u8) -> bool {
        !self.0.is_empty() && self.below(times) == times - 1
    }

    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        let last = u8::try_from(all.len() - 1).unwrap();
        all[usize::from(self.0.int_in_range(0..=last).unwrap_or(0))]
    }

    /// Mostly one of these, now and then anything.
    pub fn text(&mut self, usual: &[&str]) -> String {
        if !self.once_in(24) {
            return self.one_of(usual).to_owned();
        }
        let length = usize::from(self.below(40));
        let bytes: Vec<u8> = (0..length).map(|_| self.0.arbitrary().unwrap_or(b'a')).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Up to `most` of something.
    pub fn some<T>(&mut self, most: u8, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.below(most + 1);
        (0..count).map(|_| make(self)).collect()
    }

    pub fn texts(&mut self, most: u8, usual: &[&str]) -> Value {
        self.some(most, |maker| maker.text(usual)).into()
    }

    /// A map from texts to texts.
    pub fn map(&mut self, most: u8, entries: &[(&str, &[&str])]) -> Map<String, Value> {
        self.some(most, |maker| {
            let (key, values) = maker.one_of(entries);
            (key.to_owned(), maker.text(values).into())
        })
        .into_iter()
        .collect()
    }

    /// Anything that JSON can say, where something else is expected.
    pub fn anything(&mut self) -> Value {
        match self.below(7) {
            0 => Value::Null,
            1 => Value::Bool(true),
            2 => self.0.arbitrary::<i64>().unwrap_or(0).into(),
            3 => self.0.arbitrary::<f64>().unwrap_or(0.0).into(),
            4 => self.text(&["", "x", "2026-06-01T12:00:00Z"]).into(),
            5 => Value::Array(vec![Value::Null, Value::Object(Map::new())]),
            _ => Value::Object(Map::from_iter([("name".to_owned(), Value::Null)])),
        }
    }

    /// Now and then puts something else in the place of a field.
    pub fn spoil(&mut self, value: &mut Value) {
        if self.once_in(48) {
            *value = self.anything();
            return;
        }
        let inner: Vec<&mut Value> = match value {
            Value::Object(fields) => fields.values_mut().collect(),
            Value::Array(items) => items.iter_mut().collect(),
            _ => return,
        };
        for one in inner {
            if self.once_in(6) {
                self.spoil(one);
            }
        }
    }
}
