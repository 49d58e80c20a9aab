//! Stems: Snowball for German, French, Italian and English, a light one for Romansh.

use super::fold;
use allod_corpus::Language;
use rust_stemmers::{Algorithm, Stemmer};

/// The folded stem of a lower-case word. `folded` is the same word after folding.
///
/// The stemmer sees the accents, because its rules need them; a word that is typed without accents
/// may then have another stem, which the question's expansion over the vocabulary makes up for.
#[must_use]
pub fn stem(lower: &str, folded: &str, language: Language) -> String {
    let algorithm = match language {
        Language::De => Algorithm::German,
        Language::Fr => Algorithm::French,
        Language::It => Algorithm::Italian,
        Language::En => Algorithm::English,
        Language::Rm => return romansh(folded).to_owned(),
        _ => return folded.to_owned(),
    };
    let stem = fold(&Stemmer::create(algorithm).stem(lower));
    // A stem of one letter has lost the word.
    if stem.len() < 2 { folded.to_owned() } else { stem }
}

/// Romansh has no Snowball stemmer: the plural `-s` and one final vowel are removed, which joins
/// `scola`, `scolas` and `vischnanca`, `vischnancas`.
fn romansh(folded: &str) -> &str {
    let bare = match folded.strip_suffix('s') {
        Some(rest) if rest.len() >= 4 && !rest.ends_with('s') => rest,
        _ => folded,
    };
    match bare.strip_suffix(['a', 'e', 'i']) {
        Some(rest) if rest.len() >= 4 => rest,
        _ => bare,
    }
}
