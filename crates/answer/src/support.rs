//! Whether a sentence is supported by the text it cites: a lexical check.
//!
//! It cannot tell every paraphrase from every invention. It is made to notice what does harm in an
//! official answer: another number, date, unit or name, a lost or added negation, a duty made a
//! choice, a limit turned round.

mod lexicon;
pub(crate) mod quantity;

use allod_corpus::{ByteRange, Language, sentences};
use allod_retrieval::analysis::{Word, is_stop_word, words};
use lexicon::{Modality, Polarity};
use quantity::{Quantity, quantities};

/// A sentence with less of its words in the cited text is not supported.
const COVERAGE_AT_LEAST: f64 = 0.6;
/// A cited sentence that shares so much is about the same thing: a difference in it contradicts.
const SAME_MATTER: f64 = 0.5;
/// Words that begin alike: at least so many letters and this share of the longer word.
const SHARED_LETTERS: usize = 5;
const SHARED_PART: f64 = 0.6;

/// What the check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The cited text says it.
    Supported,
    /// The cited text does not say it.
    Unsupported,
    /// The cited text says something else.
    Contradicted,
}

/// A verdict with its grounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Support {
    /// What the check found.
    pub verdict: Verdict,
    /// How well the cited text supports the sentence, 0 to 1.
    pub score: f64,
    /// Why, in words for the record.
    pub because: Vec<String>,
}

/// A text as the check sees it.
struct Analysed<'a> {
    text: &'a str,
    words: Vec<Word>,
    quantities: Vec<Quantity>,
}

impl<'a> Analysed<'a> {
    fn new(text: &'a str, language: Language) -> Analysed<'a> {
        Analysed { text, words: words(text, language), quantities: quantities(text, language) }
    }

    fn content(&self, language: Language) -> impl Iterator<Item = &Word> {
        self.words.iter().filter(move |word| is_content(word, language))
    }
}

fn is_content(word: &Word, language: Language) -> bool {
    !word.is_number()
        && !word.folded.contains('_')
        && word.folded.len() > 1
        && !is_stop_word(&word.folded, language)
        && !lexicon::is_function(&word.folded, language)
        && quantity::unit_of_word(&word.folded).is_none()
}

/// Checks a sentence against the text that it cites.
#[must_use]
pub fn check(sentence: &str, cited: &str, language: Language) -> Support {
    if same_words(sentence, cited) {
        return Support { verdict: Verdict::Supported, score: 1.0, because: Vec::new() };
    }
    let said = Analysed::new(sentence, language);
    let whole = Analysed::new(cited, language);
    let aligned = aligned(&said, cited, language);
    let near = coverage(&said, &aligned, language);
    let coverage = coverage(&said, &whole, language);
    let mut missing = missing_quantities(&said, &whole);
    missing.extend(missing_names(&said, &whole, language));
    let mut contradictions = Vec::new();
    if near >= SAME_MATTER {
        contradictions.extend(other_quantities(&said, &whole, &aligned));
        contradictions.extend(differences(&said, &aligned, language));
    }
    verdict(coverage, missing, contradictions)
}

fn verdict(coverage: f64, missing: Vec<String>, contradictions: Vec<String>) -> Support {
    if !contradictions.is_empty() {
        let score = (0.1 * coverage).min(0.1);
        return Support { verdict: Verdict::Contradicted, score, because: contradictions };
    }
    if !missing.is_empty() {
        return Support { verdict: Verdict::Unsupported, score: 0.3 * coverage, because: missing };
    }
    if coverage < COVERAGE_AT_LEAST {
        let because =
            vec![format!("only {:.0} % of its words stand in the cited text", coverage * 100.0)];
        return Support { verdict: Verdict::Unsupported, score: 0.5 * coverage, because };
    }
    Support { verdict: Verdict::Supported, score: coverage, because: Vec::new() }
}

/// Whether the sentence stands in the cited text word for word.
fn same_words(sentence: &str, cited: &str) -> bool {
    let sentence = sentence.split_whitespace().collect::<Vec<_>>().join(" ");
    let bare = sentence.trim_end_matches(['.', '!', '?']);
    if bare.is_empty() {
        return false;
    }
    let cited = cited.split_whitespace().collect::<Vec<_>>().join(" ");
    // A part of a sentence can lack the negation that stands before it: only whole sentences count.
    cited.match_indices(bare).any(|(at, _)| {
        let before = cited[..at].trim_end().chars().next_back();
        let after = cited[at + bare.len()..].chars().next();
        before.is_none_or(|c| ".!?:;".contains(c)) && after.is_none_or(|c| ".!?;".contains(c))
    })
}

/// The sentences of the cited text that share most with the sentence: the best one, and the one
/// next to it where that adds much.
fn aligned<'a>(said: &Analysed, cited: &'a str, language: Language) -> Analysed<'a> {
    let whole = ByteRange { start: 0, end: cited.len() };
    sentences(cited, whole, language)
        .into_iter()
        .map(|range| Analysed::new(&cited[range.start..range.end], language))
        .map(|part| (overlap(said, &part, language), part))
        .reduce(|best, other| if other.0 > best.0 { other } else { best })
        .map_or_else(|| Analysed::new(cited, language), |(_, part)| part)
}

/// How much two texts share: words, and quantities a little less.
fn overlap(said: &Analysed, part: &Analysed, language: Language) -> f64 {
    let shared =
        said.quantities.iter().filter(|q| part.quantities.iter().any(|p| p.same(q))).count();
    coverage(said, part, language) + 0.1 * shared as f64
}

/// The share of the sentence's content words that stand in the other text; longer words count more.
fn coverage(said: &Analysed, other: &Analysed, language: Language) -> f64 {
    let weight = |word: &Word| (word.folded.len() as f64).min(12.0);
    let (mut total, mut covered) = (0.0, 0.0);
    for word in said.content(language) {
        total += weight(word);
        covered += weight(word) * best_match(word, other);
    }
    if total > 0.0 { covered / total } else { f64::from(!said.quantities.is_empty()) }
}

fn best_match(word: &Word, other: &Analysed) -> f64 {
    other.words.iter().map(|candidate| alike(word, candidate)).fold(0.0, f64::max)
}

fn alike(a: &Word, b: &Word) -> f64 {
    if a.stem == b.stem || a.folded == b.folded {
        return 1.0;
    }
    let shared = a.folded.bytes().zip(b.folded.bytes()).take_while(|(x, y)| x == y).count();
    let longer = a.folded.len().max(b.folded.len());
    if shared >= SHARED_LETTERS && shared as f64 >= SHARED_PART * longer as f64 {
        return 0.8;
    }
    let (short, long) = if a.stem.len() <= b.stem.len() { (a, b) } else { (b, a) };
    let inside = long.folded.starts_with(&short.stem) || long.stem.ends_with(&short.stem);
    if short.stem.len() >= SHARED_LETTERS && inside { 0.7 } else { 0.0 }
}

/// Numbers, sums, dates, times and units of the sentence that the cited text does not hold.
fn missing_quantities(said: &Analysed, whole: &Analysed) -> Vec<String> {
    said.quantities
        .iter()
        .filter(|q| !whole.quantities.iter().any(|w| w.same(q)))
        .map(|q| format!("{} does not stand in the cited text", q.shown(said.text)))
        .collect()
}

/// Quantities of the sentence for which the aligned sentence has another one of the same kind.
fn other_quantities(said: &Analysed, whole: &Analysed, aligned: &Analysed) -> Vec<String> {
    let unknown = said.quantities.iter().filter(|q| !whole.quantities.iter().any(|w| w.same(q)));
    unknown
        .filter_map(|q| {
            let other = aligned.quantities.iter().find(|other| other.same_kind(q))?;
            let (ours, theirs) = (q.shown(said.text), other.shown(aligned.text));
            Some(format!("the sentence says {ours}, the cited text {theirs}"))
        })
        .collect()
}

/// Names of the sentence that the cited text does not hold. Outside German a capital letter within
/// a sentence marks a name; in German two capitalised words in a row may be one.
fn missing_names(said: &Analysed, whole: &Analysed, language: Language) -> Vec<String> {
    let absent = |word: &Word| best_match(word, whole) == 0.0 && !word.is_number();
    let named = |at: usize| {
        let word = &said.words[at];
        let capital =
            |at: usize| said.words.get(at).is_some_and(|w| w.capital && is_content(w, language));
        let follows = at > 0 && capital(at - 1) && adjacent(said, at - 1);
        let leads = capital(at + 1) && adjacent(said, at);
        let german = language == Language::De;
        capital(at) && at > 0 && (!german || follows || leads) && word.folded.len() > 1
    };
    (0..said.words.len())
        .filter(|at| named(*at) && absent(&said.words[*at]))
        .map(|at| {
            let range = said.words[at].range.clone();
            format!("{} does not stand in the cited text", &said.text[range])
        })
        .collect()
}

/// Whether only a blank stands between this word and the next.
fn adjacent(text: &Analysed, at: usize) -> bool {
    let (Some(a), Some(b)) = (text.words.get(at), text.words.get(at + 1)) else { return false };
    a.range.end <= b.range.start && text.text[a.range.end..b.range.start].trim().is_empty()
}

/// Differences of polarity, modality and limits between two sentences about the same thing.
fn differences(said: &Analysed, aligned: &Analysed, language: Language) -> Vec<String> {
    let mut found = Vec::new();
    let (ours, theirs) =
        (Polarity::of(&said.words, language), Polarity::of(&aligned.words, language));
    if ours != theirs {
        found.push(match ours {
            Polarity::Negative => "the sentence denies what the cited text affirms".to_owned(),
            Polarity::Affirmative => "the sentence affirms what the cited text denies".to_owned(),
        });
    }
    let (duty, other) =
        (Modality::of(&said.words, language), Modality::of(&aligned.words, language));
    if ours == theirs && duty.is_some() && other.is_some() && duty != other {
        found.push("a duty and a choice are confused".to_owned());
    }
    for (a, b) in lexicon::opposites(&said.words, &aligned.words, language) {
        found.push(format!("the sentence says {a}, the cited text {b}"));
    }
    found
}

#[cfg(test)]
mod tests;
