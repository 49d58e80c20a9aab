//! Words that say little: stop words are left out of the index and of questions, weak words count
//! little in a question. The lists hold folded words.

use allod_corpus::Language;
use std::collections::HashSet;
use std::sync::LazyLock;

/// Whether a folded word is a stop word of the language (or of any, where the language is unknown).
#[must_use]
pub fn is_stop_word(folded: &str, language: Language) -> bool {
    contains(&STOP_WORDS, folded, language)
}

/// Whether a folded word of a question says more about the kind of answer than about its subject
/// (`kostet`, `dois`, `need`).
#[must_use]
pub fn is_weak_word(folded: &str, language: Language) -> bool {
    contains(&WEAK_WORDS, folded, language)
}

type Sets = LazyLock<[HashSet<&'static str>; 5]>;

static STOP_WORDS: Sets = LazyLock::new(|| [DE, FR, IT, RM, EN].map(set));
static WEAK_WORDS: Sets = LazyLock::new(|| [WEAK_DE, WEAK_FR, WEAK_IT, WEAK_RM, WEAK_EN].map(set));

fn set(words: &'static str) -> HashSet<&'static str> {
    words.split_whitespace().collect()
}

fn contains(sets: &[HashSet<&'static str>; 5], folded: &str, language: Language) -> bool {
    match language {
        Language::De => sets[0].contains(folded),
        Language::Fr => sets[1].contains(folded),
        Language::It => sets[2].contains(folded),
        Language::Rm => sets[3].contains(folded),
        Language::En => sets[4].contains(folded),
        _ => sets.iter().any(|set| set.contains(folded)),
    }
}
const DE: &str = include_str!("words/stop-de.txt");
const WEAK_DE: &str = include_str!("words/weak-de.txt");
const FR: &str = include_str!("words/stop-fr.txt");
const WEAK_FR: &str = include_str!("words/weak-fr.txt");
const IT: &str = include_str!("words/stop-it.txt");
const WEAK_IT: &str = include_str!("words/weak-it.txt");
const RM: &str = include_str!("words/stop-rm.txt");
const WEAK_RM: &str = include_str!("words/weak-rm.txt");
const EN: &str = include_str!("words/stop-en.txt");
const WEAK_EN: &str = include_str!("words/weak-en.txt");
