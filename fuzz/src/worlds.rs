//! What is tried is tried in a world: a cluster, or geographies. To make one costs a hundred times as much as to try something in
//! it, so there are as many as a byte can count, each made once of chance; what is tried is the fuzzer's.

use std::rc::Rc;

use super::make::Maker;

/// Bytes of which a world is made. What needs more gets the first choice of all that is left.
const BYTES: usize = 2_048;

/// Worlds by their number.
#[derive(Debug)]
pub struct Worlds<W>([Option<Rc<W>>; 256]);

impl<W> Default for Worlds<W> {
    fn default() -> Self {
        Self([const { None }; 256])
    }
}

impl<W> Worlds<W> {
    /// The world that the first byte of an input names, and the choices that are left for what is tried in it.
    pub fn of<'b>(&mut self, bytes: &'b [u8], make: impl FnOnce(&mut Maker<'_>) -> W) -> (Rc<W>, Maker<'b>) {
        let (number, tried) = bytes.split_first().unwrap_or((&0, &[]));
        let world = self.0[usize::from(*number)]
            .get_or_insert_with(|| Rc::new(make(&mut Maker::new(&chance(u64::from(*number))))));
        (Rc::clone(world), Maker::new(tried))
    }
}

/// The same bytes for the same number: SplitMix64.
fn chance(number: u64) -> Vec<u8> {
    let mut state = number;
    let words = (0..BYTES / 8).map(|_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    });
    words.flat_map(u64::to_le_bytes).collect()
}
