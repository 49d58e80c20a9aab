//! Words beside a place that say what stands there.

use crate::fold::Folded;

/// How far words are looked for, in letters.
const BEFORE: usize = 48;
const AFTER: usize = 24;

/// The letters beside a place, in lower case.
pub(crate) struct Surroundings {
    before: String,
    after: String,
}

impl Surroundings {
    pub(crate) fn of(text: &Folded, start: usize, end: usize) -> Surroundings {
        let lower = |from: usize, to: usize| text.text(from..to).to_lowercase();
        Surroundings {
            before: lower(start.saturating_sub(BEFORE), start),
            after: lower(end, (end + AFTER).min(text.len())),
        }
    }

    /// Whether one of these begins a word before the place.
    pub(crate) fn before(&self, words: &[&str]) -> bool {
        begin_word(&self.before, words)
    }

    /// Whether one of these begins a word before or after the place.
    pub(crate) fn beside(&self, words: &[&str]) -> bool {
        self.before(words) || begin_word(&self.after, words)
    }

    /// Whether what stands after the place begins with one of these, blanks apart.
    pub(crate) fn goes_on(&self, words: &[&str]) -> bool {
        let after = self.after.trim_start();
        words.iter().any(|word| after.starts_with(word))
    }
}

/// Whether one of the words begins where no letter or digit stands before.
fn begin_word(text: &str, words: &[&str]) -> bool {
    let mut is_within = false;
    text.char_indices().any(|(at, char)| {
        let begins = !std::mem::replace(&mut is_within, char.is_alphanumeric());
        let rest = &text.as_bytes()[at..];
        begins && words.iter().any(|word| rest.starts_with(word.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_counts_from_its_beginning() {
        let text = Folded::new("Meine Kreditkarte: 123 (Visa)");
        let surroundings = Surroundings::of(&text, 19, 22);
        assert!(surroundings.before(&["kreditkarte"]));
        assert!(!surroundings.before(&["karte"]));
        assert!(surroundings.beside(&["visa"]) && !surroundings.before(&["visa"]));
    }
}
