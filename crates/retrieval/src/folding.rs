//! Near-duplicates: the same passage in another copy of a document is shown once, and the copies
//! are named.

use crate::analysis::words;
use crate::search::Ranked;
use allod_corpus::ByteRange;
use serde::Serialize;
use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::LazyLock;

/// Words of a shingle.
const SHINGLE_WORDS: usize = 4;
/// Texts that share so much of their shingles say the same.
const SAME_SHARE: f64 = 0.8;
/// So many of the best passages are compared with one another.
const COMPARED: usize = 40;

/// Words without which a sentence says the opposite; folded.
static NEGATIONS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let words = "nicht kein keine keinen keinem keiner keines ne pas aucun aucune jamais non \
        nessun nessuna no not never betg nagin nagina";
    words.split_whitespace().collect()
});

/// Another copy of a passage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Duplicate {
    /// Path of its document.
    pub path: String,
    /// Digest of the document version.
    pub digest: String,
    /// Where it stands in that version's canonical text.
    pub range: ByteRange,
}

/// Folds passages that say the same as a better one into it. Only the passages that the search
/// found are looked at, so that what the caller may not read plays no part.
pub(crate) fn fold(ranked: Vec<Ranked>) -> Vec<Ranked> {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let mut exact = HashSet::new();
    let mut kept: Vec<Ranked> = Vec::with_capacity(ranked.len());
    // Of the best that are kept; made once another passage stands at the same place.
    let mut prints: Vec<Option<Print>> = Vec::new();
    for one in ranked {
        let compared = prints.len() < COMPARED;
        let original = if compared { like(&one, &kept, &mut prints) } else { None };
        let seen = !exact.insert(hasher.hash_one((&one.entry.title, &one.entry.text)));
        let same = |k: &Ranked| k.entry.text == one.entry.text && k.entry.title == one.entry.title;
        let original = original.or_else(|| kept.iter().position(same).filter(|_| seen));
        match original {
            Some(original) => kept[original].copies.push(copy(&one)),
            None => {
                prints.extend(compared.then_some(None));
                kept.push(one);
            }
        }
    }
    kept
}

/// Which of the passages that are kept says the same as this one.
fn like(one: &Ranked, kept: &[Ranked], prints: &mut [Option<Print>]) -> Option<usize> {
    let mut own = None;
    for (at, (other, print)) in kept.iter().zip(prints).enumerate() {
        if !at_one_place(one, other) {
            continue;
        }
        let print = print.get_or_insert_with(|| Print::of(other));
        if print.says_the_same(own.get_or_insert_with(|| Print::of(one))) {
            return Some(at);
        }
    }
    None
}

/// Whether two passages stand at the same place of copies of one document: those have one title and
/// one order of places.
fn at_one_place(one: &Ranked, other: &Ranked) -> bool {
    let (one, other) = (&one.entry, &other.entry);
    (&one.title, &one.place, one.language) == (&other.title, &other.place, other.language)
}

fn copy(ranked: &Ranked) -> Duplicate {
    let entry = &ranked.entry;
    let range = ByteRange { start: entry.start, end: entry.end };
    Duplicate { path: entry.path.clone(), digest: entry.digest.clone(), range }
}

/// What is compared of passages at one place.
struct Print {
    /// Numbers and negations: a fee that changed is not the same fee.
    telling: Vec<String>,
    /// Sorted, each once.
    shingles: Vec<u64>,
}

impl Print {
    fn of(ranked: &Ranked) -> Print {
        let entry = &ranked.entry;
        let words = words(&entry.text, entry.language);
        let negates = |word: &str| NEGATIONS.contains(word);
        let telling = words.iter().filter(|w| w.is_number() || negates(&w.folded));
        let telling = telling.map(|word| word.folded.clone()).collect();
        let folded: Vec<&str> = words.iter().map(|word| word.folded.as_str()).collect();
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let windows = folded.windows(SHINGLE_WORDS.min(folded.len()).max(1));
        let mut shingles: Vec<u64> = windows.map(|words| hasher.hash_one(words)).collect();
        shingles.sort_unstable();
        shingles.dedup();
        Print { telling, shingles }
    }

    fn says_the_same(&self, other: &Print) -> bool {
        self.telling == other.telling && self.overlap(other) >= SAME_SHARE
    }

    /// The share of all shingles that both have.
    fn overlap(&self, other: &Print) -> f64 {
        let both = self.shingles.iter().filter(|s| other.shingles.binary_search(s).is_ok()).count();
        let all = self.shingles.len() + other.shingles.len() - both;
        if all == 0 { 0.0 } else { both as f64 / all as f64 }
    }
}
