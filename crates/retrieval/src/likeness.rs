//! Word by word: how many of the question's words a passage in another language has, each by its
//! meaning or by its letters.
//!
//! A vector of a whole text says what it is about; which single words are there is lost in it. An
//! encoder that knows words by themselves brings that back. Passages in the question's own
//! language are compared by words already.

use crate::analysis::{self, fold, is_stop_word};
use crate::compartment::PassageEntry;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::question::Question;
use crate::search::Ranked;
use allod_corpus::Language;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};

/// So many of the best passages are compared word by word.
const COMPARED: usize = 60;
/// What the comparison counts beside the rank so far, both in units of their spread.
const WEIGHT: f64 = 0.8;
/// By how much the best of a passage's words is more like a word by chance, for each factor `e` of
/// their number.
const CHANCE: f64 = 0.05;
/// Passages that rank the same are put in order within this spread.
const LEAST_SPREAD: f64 = 1e-3;
/// Letters of the pieces by which spellings are compared.
const PIECE_LETTERS: usize = 3;
/// Spellings that share less than this share of their pieces are alike by chance.
const SAME_SPELLING: f64 = 0.45;
/// A word at least so like one of the question surely stands for it.
const SURE: f64 = 0.6;

/// So many words are compared by one thread at least.
const WORDS_TOGETHER: usize = 64;

/// How like a word is to each word of the question.
type Likes = Vec<f64>;

/// The words of a question, ready to be compared.
pub(crate) struct Likeness<'a> {
    encoder: &'a dyn Encoder,
    words: Vec<Known>,
    seen: HashMap<String, Likes>,
}

/// A word, its vector, and the pieces of its spelling.
struct Known {
    folded: String,
    vector: Vec<f32>,
    /// Each piece as one number; sorted, each once.
    pieces: Vec<u64>,
}

impl Likeness<'_> {
    /// `None` if the encoder knows no single words or the question has none that say anything.
    pub(crate) fn new<'a>(encoder: &'a dyn Encoder, text: &str) -> Result<Option<Likeness<'a>>> {
        let words = telling(text);
        let Some(vectors) = vectors(encoder, &words)? else { return Ok(None) };
        let known = words.iter().zip(vectors).map(|(word, vector)| Known::new(word, vector));
        let words: Vec<Known> = known.collect();
        Ok((!words.is_empty()).then(|| Likeness { encoder, words, seen: HashMap::new() }))
    }

    /// Ranks the best passages that are not in the language `own` anew, in the places that they
    /// hold among the others, by the rank so far and by their words.
    pub(crate) fn rerank(&mut self, ranked: &mut [Ranked], own: Option<Language>) -> Result<()> {
        let best = ranked.iter().take(COMPARED).enumerate();
        let foreign =
            |r: &Ranked| Some(r.entry.language) != own && !r.named && r.attempts.is_empty();
        let foreign = best.filter(|(_, r)| foreign(r));
        let foreign: Vec<usize> = foreign.map(|(at, _)| at).collect();
        let read: Vec<Vec<String>> =
            foreign.par_iter().map(|at| telling(&read(&ranked[*at].entry))).collect();
        self.learn(&read)?;
        let likes: Vec<f64> = read.iter().map(|words| self.beyond_chance(words)).collect();
        let scores: Vec<f64> = foreign.iter().map(|at| ranked[*at].score).collect();
        let (scale, like) = (Scale::of(&scores), Scale::of(&likes));
        let both = scores.iter().zip(&likes);
        let both: Vec<f64> =
            both.map(|(score, own)| scale.place(*score) + WEIGHT * like.place(*own)).collect();
        let spread = Scale::of(&both).spread.max(f64::MIN_POSITIVE);
        for (at, both) in foreign.into_iter().zip(both) {
            ranked[at].score = scale.mean + scale.spread.max(LEAST_SPREAD) * both / spread;
        }
        Ok(())
    }

    /// How well the question's words are met, less what a passage of so many words reaches by
    /// chance: lists of key words hold something like every word.
    fn beyond_chance(&self, words: &[String]) -> f64 {
        let chance = CHANCE * (words.len().max(1) as f64).ln();
        self.of(words).iter().map(|like| like - chance).sum()
    }

    /// Lets words of these passages that surely stand for words of the question count as such.
    pub(crate) fn link(&mut self, question: &mut Question, entry: &PassageEntry) -> Result<()> {
        let words = telling(&read(entry));
        self.learn(std::slice::from_ref(&words))?;
        let mut links: BTreeMap<(String, usize), f64> = BTreeMap::new();
        for word in words {
            let Some(likes) = self.seen.get(&word) else { continue };
            for (known, like) in self.words.iter().zip(likes).filter(|(_, like)| **like >= SURE) {
                let concept = question.concepts.iter().position(|c| c.word == known.folded);
                links.extend(concept.map(|concept| ((fold(&word), concept), *like)));
            }
        }
        links.into_iter().for_each(|((word, at), like)| question.link(word, at, like));
        Ok(())
    }

    /// Compares the words of passages that are new with those of the question.
    fn learn(&mut self, texts: &[Vec<String>]) -> Result<()> {
        let mut new: Vec<&String> =
            texts.iter().flatten().filter(|word| !self.seen.contains_key(*word)).collect();
        new.sort_unstable();
        new.dedup();
        let compare = |words: &[&String]| -> Result<Vec<(String, Likes)>> {
            let Some(vectors) = vectors(self.encoder, words)? else { return Ok(Vec::new()) };
            let one = |(word, vector): (&&String, Vec<f32>)| {
                let known = Known::new(word, vector);
                ((*word).clone(), self.words.iter().map(|own| own.like(&known)).collect())
            };
            Ok(words.iter().zip(vectors).map(one).collect())
        };
        let learnt: Result<Vec<Vec<(String, Likes)>>> =
            new.par_chunks(WORDS_TOGETHER).map(compare).collect();
        self.seen.extend(learnt?.into_iter().flatten());
        Ok(())
    }

    /// How well each word of the question is met by one of these words.
    fn of(&self, words: &[String]) -> Likes {
        let mut best = vec![0.0_f64; self.words.len()];
        for likes in words.iter().filter_map(|word| self.seen.get(word)) {
            best.iter_mut().zip(likes).for_each(|(best, like)| *best = best.max(*like));
        }
        best
    }
}

impl Known {
    fn new(word: &str, vector: Vec<f32>) -> Known {
        let folded = fold(word);
        let letters = "<".chars().chain(folded.chars()).chain(">".chars());
        let letters: Vec<u64> = letters.map(u64::from).collect();
        // A letter has 21 bits, so that three fit in a number.
        let piece = |piece: &[u64]| piece.iter().fold(0, |all, letter| all << 21 | letter);
        let mut pieces: Vec<u64> = letters.windows(PIECE_LETTERS).map(piece).collect();
        pieces.sort_unstable();
        pieces.dedup();
        Known { folded, vector, pieces }
    }

    /// The cosine of two words, or the share of the pieces of their spelling that both have.
    fn like(&self, other: &Known) -> f64 {
        let cosine = product(&self.vector, &other.vector);
        let both = 2 * common(&self.pieces, &other.pieces);
        let share = both as f64 / (self.pieces.len() + other.pieces.len()).max(1) as f64;
        let spelling = if share >= SAME_SPELLING { share } else { 0.0 };
        f64::from(cosine).max(spelling).clamp(0.0, 1.0)
    }
}

/// The product of two vectors, added in 16 chains and then from the first chain to the last: in the
/// same order on every machine, and many at a time.
fn product(a: &[f32], b: &[f32]) -> f32 {
    let mut chains = [0.0_f32; 16];
    for (a, b) in a.chunks(16).zip(b.chunks(16)) {
        for ((chain, a), b) in chains.iter_mut().zip(a).zip(b) {
            *chain += a * b;
        }
    }
    chains.iter().sum()
}

/// How many numbers two sorted lists have in common.
fn common(a: &[u64], b: &[u64]) -> usize {
    let (mut at, mut count) = (0, 0);
    for one in a {
        at += b[at..].iter().take_while(|other| *other < one).count();
        count += usize::from(b.get(at) == Some(one));
    }
    count
}

/// The words of a text that are no stop words in any language, as they are written in lower case,
/// each once.
fn telling(text: &str) -> Vec<String> {
    let mut known = HashSet::new();
    let words = analysis::words(text, Language::Other).into_iter();
    let telling = words.filter(|word| {
        let said = word.folded.len() > 1 && !word.is_number() && !word.folded.contains('_');
        said && !is_stop_word(&word.folded, Language::Other)
    });
    let lower = telling.map(|word| text[word.range].to_lowercase());
    lower.filter(|word| known.insert(word.clone())).collect()
}

fn read(entry: &PassageEntry) -> String {
    format!("{}\n{}", entry.title, entry.meaning())
}

fn vectors(encoder: &dyn Encoder, words: &[impl AsRef<str>]) -> Result<Option<Vec<Vec<f32>>>> {
    let failed = |detail| Error::Encoder { encoder: encoder.identity().to_owned(), detail };
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match encoder.words(&words) {
        None => Ok(None),
        Some(vectors) if vectors.len() == words.len() => Ok(Some(vectors)),
        Some(_) => Err(failed(format!("it did not give {} vectors of words", words.len()))),
    }
}

/// Mean and spread of values.
pub(crate) struct Scale {
    /// Their mean.
    pub(crate) mean: f64,
    /// Their standard deviation.
    pub(crate) spread: f64,
}

impl Scale {
    pub(crate) fn of(values: &[f64]) -> Scale {
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
        Scale { mean, spread: (squares / count).sqrt() }
    }

    /// How far a value lies from the mean, in units of the spread.
    pub(crate) fn place(&self, value: f64) -> f64 {
        if self.spread > 0.0 { (value - self.mean) / self.spread } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(word: &str) -> Known {
        Known::new(word, Vec::new())
    }

    #[test]
    fn spellings_are_compared_by_the_pieces_that_both_have() {
        // `<im imm mmu mun uni nit` of nine and eight pieces.
        let like = known("immunität").like(&known("immunity"));
        assert_eq!(like, 12.0 / 17.0);
        assert_eq!(known("Hund").like(&known("Katze")), 0.0);
        assert_eq!(known("aaaa").pieces.len(), 3);
        assert_eq!(common(&[1, 3, 5, 9], &[0, 3, 4, 5, 10]), 2);
    }

    #[test]
    fn products_add_all_elements() {
        let (a, b): (Vec<f32>, Vec<f32>) = ((0..35).map(|i| i as f32).collect(), vec![2.0; 35]);
        assert_eq!(product(&a, &b), 2.0 * (34.0 * 35.0 / 2.0));
    }
}
