//! The fuzz targets, and what they share: manifests made from arbitrary bytes, and properties of verdicts. A test of
//! Domicile includes this file and tries what is in `seeds`, so nothing here says `crate` or knows of libFuzzer.

pub mod make;
pub mod objects;
pub mod ours;
pub mod targets;
pub mod worlds;

use std::sync::LazyLock;

use domicile::cluster::{Settings, State};
use domicile::objects::Object;
use domicile::residency::{Decision, Request, Verdict, judge};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// The time of every judgement: inside some of the places that are made, outside others.
pub static NOW: LazyLock<Timestamp> = LazyLock::new(|| "2026-06-01T12:00:00Z".parse().unwrap());

/// A state without objects; a copy is cheaper than a new one, which reads the catalog.
static EMPTY: LazyLock<State> = LazyLock::new(|| State::new(Settings::default()));

/// An object, if the manifest can be read and is of a kind that is.
pub fn parse(manifest: &Value) -> Option<Object> {
    Object::from_value(manifest.clone()).ok().flatten()
}

/// A cluster of these objects.
pub fn state<'a>(objects: impl IntoIterator<Item = &'a Object>) -> State {
    let mut state = EMPTY.clone();
    for object in objects {
        state.apply(object.clone());
    }
    state
}

/// What is said of creating an object.
pub fn create(object: &Object, state: &State) -> Verdict {
    judge(&Request::create(object), state, *NOW)
}

/// The manifest with the fix of a verdict in it.
fn fixed(manifest: &Value, path: &str, value: &Value) -> Value {
    let mut fixed = manifest.clone();
    let mut at = &mut fixed;
    for part in path.split('.') {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = at.as_object_mut().unwrap().entry(part).or_insert(Value::Null);
    }
    value.clone_into(at);
    fixed
}

/// A fix that is shown passes.
pub fn check_fix(manifest: &Value, verdict: &Verdict, state: &State) {
    let Some(fix) = &verdict.fix else { return };
    let fixed = fixed(manifest, &fix.path, &fix.value);
    let object = parse(&fixed).unwrap_or_else(|| panic!("the fix {fix:?} cannot be read in {manifest}"));
    let again = create(&object, state);
    assert!(again.decision != Decision::Deny, "the fix {fix:?} does not pass: {again:#?}\nof {manifest}");
}
