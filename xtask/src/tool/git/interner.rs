//! Values by text, for texts of which a history has few different ones that it repeats many times: its authors, and
//! the heads of its subjects. In unoptimized code, a map of the authors took a sixth of the time to read a log.

use std::collections::BTreeMap;
use std::sync::Arc;

/// How many texts can be found with one comparison.
const SLOTS: usize = 1024;

/// The values, in the order in which their texts first appeared.
pub struct Interner<V> {
    values: Vec<V>,
    /// The text of each value.
    texts: Vec<Arc<[u8]>>,
    /// The place of each text.
    places: BTreeMap<Arc<[u8]>, usize>,
    /// For each [`slot`], the place of the last text that had it. One comparison shows whether it is the wanted text.
    last: Box<[usize; SLOTS]>,
}

impl<V> Default for Interner<V> {
    fn default() -> Self {
        Self { values: Vec::new(), texts: Vec::new(), places: BTreeMap::new(), last: Box::new([0; SLOTS]) }
    }
}

impl<V> Interner<V> {
    /// The place and the value of `text`. If the text is new, `new` makes the value.
    pub fn of(&mut self, text: &[u8], new: impl FnOnce() -> V) -> (usize, &mut V) {
        let slot = slot(text);
        let last = self.last[slot];
        if let Some(known) = self.texts.get(last)
            && **known == *text
        {
            return (last, &mut self.values[last]);
        }
        let place = self.places.get(text).copied().unwrap_or_else(|| {
            let text: Arc<[u8]> = text.into();
            self.places.insert(Arc::clone(&text), self.values.len());
            self.texts.push(text);
            self.values.push(new());
            self.values.len() - 1
        });
        self.last[slot] = place;
        (place, &mut self.values[place])
    }

    /// All values, each at its place.
    pub fn values(&self) -> &[V] {
        &self.values
    }
}

/// A number that differs for most texts. It comes from their last bytes, because many begin alike.
fn slot(text: &[u8]) -> usize {
    let last = match text.last_chunk() {
        Some(last) => *last,
        None => {
            let mut last = [0; 8];
            last[..text.len()].copy_from_slice(text);
            last
        }
    };
    // The golden ratio spreads the bits (Knuth, The Art of Computer Programming, 6.4). The highest ten remain.
    (u64::from_le_bytes(last).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize
}

#[cfg(test)]
mod tests {
    use super::{Interner, SLOTS, slot};

    #[test]
    fn each_text_has_the_value_that_was_made_for_it() {
        let mut few = Interner::default();
        // More texts than slots, so that some share one, and texts that differ only in bytes that do not affect the
        // slot.
        let texts: Vec<_> = (0..3 * SLOTS).map(|number| format!("{number} of the people")).collect();
        assert_eq!(slot(texts[0].as_bytes()), slot(texts[1].as_bytes()));
        for _ in 0..2 {
            for (number, text) in texts.iter().enumerate() {
                let (place, value) = few.of(text.as_bytes(), || (number, 0));
                assert_eq!((place, value.0), (number, number), "{text}");
                value.1 += 1;
            }
        }
        assert_eq!(*few.of(b"", || (0, 9)).1, (0, 9));
        let found = few.values();
        assert_eq!(found.len(), texts.len() + 1);
        assert!(found[..texts.len()].iter().enumerate().all(|(number, value)| *value == (number, 2)));
    }

    #[test]
    fn texts_that_begin_alike_have_different_slots() {
        let mut slots: Vec<_> =
            (100..164).map(|number| slot(format!("Person {number}").as_bytes())).collect();
        slots.sort_unstable();
        slots.dedup();
        assert!(slots.len() > 55, "{}", slots.len());
    }
}
