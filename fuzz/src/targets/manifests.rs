//! Any bytes as a file of manifests: reading them, and judging what was read, neither panics nor hangs.

use super::super::{NOW, create, state};
use domicile::cluster::load::{self, Limits};
use domicile::residency::audit;

/// Tries these bytes.
pub fn run(bytes: &[u8]) {
    let mut input = bytes;
    let loaded = load::read(&["-".into()], &mut input, Limits::default());
    for error in &loaded.errors {
        assert!(!error.message.is_empty() && error.line != Some(0), "{error:?}");
    }
    // In YAML a carriage return ends a line too.
    let lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).count();
    for one in &loaded.objects {
        assert!((1..=lines).contains(&one.source.line), "{} of {lines}", one.source);
    }
    let state = state(loaded.objects.iter().map(|one| &one.object));
    for one in &loaded.objects {
        let _ = create(&one.object, &state);
    }
    audit(&state, *NOW).count();
    let _ = state.problems();
}
