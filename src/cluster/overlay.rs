//! An answer on the state as it would be with objects that were read a moment ago.
//!
//! A cache lags. What a binding is judged by is read from the API server, laid over the state for one judgement, and
//! taken off again, so that what the watches brought stays what they brought.

use super::kept::Kept;
use super::kind::Kind;
use super::pool::Pools;
use super::state::State;
use crate::objects::Object;

/// What a read of one object found.
#[derive(Clone, Debug)]
pub enum Fresh {
    /// The object.
    Is(Object),
    /// None of this kind, namespace (empty for cluster-scoped kinds) and name.
    Gone(Kind, String, String),
}

impl Fresh {
    /// Whether the state says otherwise.
    pub(super) fn is_news(&self, state: &State) -> bool {
        match self {
            Self::Is(object) => {
                let Some(kind) = Kind::of(object) else { return false };
                let (namespace, name) = object.key();
                // Pools of its own, since the state is only read.
                let found = Kept::of(object.clone(), state.settings(), &mut Pools::default());
                state.kept(kind, namespace, name) != found
            }
            Self::Gone(kind, namespace, name) => state.kept(*kind, namespace, name).is_some(),
        }
    }

    /// Whether it is another one than that which is stored under its name, though it may say the same.
    pub(super) fn is_another(&self, state: &State) -> bool {
        let Self::Is(object) = self else { return false };
        let (Some(kind), Some(uid)) = (Kind::of(object), object.uid_of_rule()) else { return false };
        state.uid(kind, object.key().1).is_some_and(|known| known != uid)
    }
}

/// What the state said of one object.
struct Before {
    kind: Kind,
    namespace: Box<str>,
    name: Box<str>,
    kept: Option<Kept>,
}

/// The state with what was read over it. Dropping it takes that off again, also when a panic does.
struct Overlaid<'a> {
    state: &'a mut State,
    before: Vec<Before>,
}

impl Overlaid<'_> {
    fn lay(&mut self, fresh: Fresh) {
        if !fresh.is_news(self.state) {
            return;
        }
        let (kind, namespace, name, found) = match fresh {
            Fresh::Is(object) => {
                let Some(kind) = Kind::of(&object) else { return };
                let (namespace, name) = object.key();
                let (namespace, name) = (Box::from(namespace), Box::from(name));
                (kind, namespace, name, Kept::of(object, &self.state.settings, &mut self.state.pools.lock()))
            }
            Fresh::Gone(kind, namespace, name) => {
                (kind, namespace.into_boxed_str(), name.into_boxed_str(), None)
            }
        };
        let kept = self.state.kept(kind, &namespace, &name);
        self.before.push(Before { kind, namespace: namespace.clone(), name: name.clone(), kept });
        self.set(kind, namespace, name, found);
    }

    fn set(&mut self, kind: Kind, namespace: Box<str>, name: Box<str>, kept: Option<Kept>) {
        match kept {
            Some(kept) => self.state.put(namespace, name, kept),
            None => self.state.remove(kind, &namespace, &name),
        }
    }
}

impl Drop for Overlaid<'_> {
    fn drop(&mut self) {
        // Last in, first out: of an object that was laid over twice, the first memory is the state's own.
        while let Some(Before { kind, namespace, name, kept }) = self.before.pop() {
            self.set(kind, namespace, name, kept);
        }
    }
}

impl State {
    /// Asks the state as it would be with what was read. Afterwards it says what it said before.
    pub fn ask_with<R>(&mut self, fresh: Vec<Fresh>, ask: impl FnOnce(&Self) -> R) -> R {
        let mut overlaid = Overlaid { state: self, before: Vec::new() };
        for one in fresh {
            overlaid.lay(one);
        }
        ask(overlaid.state)
    }
}

#[cfg(test)]
mod tests;
