//! Words that were analysed before: a text has few words that are new.

use allod_corpus::Language;
use foldhash::{HashMap, HashMapExt};
use std::cell::RefCell;

/// So many words of a language are remembered by a thread; then it begins anew.
const WORDS: usize = 1 << 15;
/// Longer words are rare.
const LONGEST_BYTES: usize = 48;

/// The folded form of a word and its stem.
type Forms = (Box<str>, Box<str>);

thread_local! {
    static KNOWN: RefCell<HashMap<Language, HashMap<Box<str>, Forms>>> =
        RefCell::new(HashMap::new());
}

/// What `analyse` gives for the word, from memory where possible.
pub(super) fn recall(
    raw: &str,
    language: Language,
    analyse: impl FnOnce() -> (String, String),
) -> (String, String) {
    if raw.len() > LONGEST_BYTES {
        return analyse();
    }
    KNOWN.with_borrow_mut(|known| {
        let words = known.entry(language).or_default();
        if let Some((folded, stem)) = words.get(raw) {
            return (folded.to_string(), stem.to_string());
        }
        let (folded, stem) = analyse();
        if words.len() >= WORDS {
            words.clear();
        }
        words.insert(raw.into(), (folded.as_str().into(), stem.as_str().into()));
        (folded, stem)
    })
}
