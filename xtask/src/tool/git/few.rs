//! Values by text, for the texts of which a history has few and names them again and again: its authors, and the heads
//! of its subjects. In unoptimized code, a map of the authors took a sixth of the time in which a log is read.

use std::collections::BTreeMap;

/// How many texts are found with one comparison.
const SLOTS: usize = 1024;

/// The values, in the order in which their texts were first asked for.
pub struct Few<V> {
    found: Vec<(Vec<u8>, V)>,
    /// All of `found`, by text.
    numbers: BTreeMap<Vec<u8>, usize>,
    /// The last text with each [`slot`]. A wrong number is noticed when its text is compared.
    last: Box<[usize; SLOTS]>,
}

impl<V> Default for Few<V> {
    fn default() -> Self {
        Self { found: Vec::new(), numbers: BTreeMap::new(), last: Box::new([0; SLOTS]) }
    }
}

impl<V> Few<V> {
    /// The value of `text`, which is made when the text is new.
    pub fn of(&mut self, text: &[u8], new: impl FnOnce() -> V) -> &mut V {
        let slot = slot(text);
        let last = self.last[slot];
        if self.found.get(last).is_some_and(|(known, _)| known == text) {
            return &mut self.found[last].1;
        }
        let number = self.numbers.get(text).copied().unwrap_or_else(|| {
            self.numbers.insert(text.to_owned(), self.found.len());
            self.found.push((text.to_owned(), new()));
            self.found.len() - 1
        });
        self.last[slot] = number;
        &mut self.found[number].1
    }

    /// All values.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.found.iter().map(|(_, value)| value)
    }
}

/// A number that differs for most texts. It comes from their last bytes, because many begin alike.
fn slot(text: &[u8]) -> usize {
    let mut last = [0; 8];
    let length = text.len().min(last.len());
    last[..length].copy_from_slice(&text[text.len() - length..]);
    // The golden ratio spreads the bits (Knuth, The Art of Computer Programming, 6.4). The highest ten remain.
    (u64::from_le_bytes(last).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize
}

#[cfg(test)]
mod tests {
    use super::{Few, SLOTS, slot};

    #[test]
    fn each_text_has_the_value_that_was_made_for_it() {
        let mut few = Few::default();
        // More texts than slots, so that some share one, and texts that differ only where no slot looks.
        let texts: Vec<_> = (0..3 * SLOTS).map(|number| format!("{number} of the people")).collect();
        assert_eq!(slot(texts[0].as_bytes()), slot(texts[1].as_bytes()));
        for _ in 0..2 {
            for (number, text) in texts.iter().enumerate() {
                let value = few.of(text.as_bytes(), || (number, 0));
                assert_eq!(value.0, number, "{text}");
                value.1 += 1;
            }
        }
        assert_eq!(*few.of(b"", || (0, 9)), (0, 9));
        let found: Vec<_> = few.values().copied().collect();
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
