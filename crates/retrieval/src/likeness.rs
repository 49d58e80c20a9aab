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

/// A word of a passage and how like it is to each word of the question.
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
    pieces: HashSet<String>,
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
        let mut likes = Vec::with_capacity(foreign.len());
        for at in &foreign {
            likes.push(self.beyond_chance(&ranked[*at].entry)?);
        }
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
    fn beyond_chance(&mut self, entry: &PassageEntry) -> Result<f64> {
        let words = telling(&read(entry)).len().max(1) as f64;
        let chance = CHANCE * words.ln();
        Ok(self.of(entry)?.iter().map(|like| like - chance).sum())
    }

    /// Lets words of these passages that surely stand for words of the question count as such.
    pub(crate) fn link(&mut self, question: &mut Question, entry: &PassageEntry) -> Result<()> {
        self.of(entry)?;
        let mut links: BTreeMap<(String, usize), f64> = BTreeMap::new();
        for word in telling(&read(entry)) {
            let Some(likes) = self.seen.get(&word) else { continue };
            for (known, like) in self.words.iter().zip(likes).filter(|(_, like)| **like >= SURE) {
                let concept = question.concepts.iter().position(|c| c.word == known.folded);
                links.extend(concept.map(|concept| ((fold(&word), concept), *like)));
            }
        }
        links.into_iter().for_each(|((word, at), like)| question.link(word, at, like));
        Ok(())
    }

    /// How well each word of the question is met by a word of the passage or of its title.
    fn of(&mut self, entry: &PassageEntry) -> Result<Likes> {
        let words = telling(&read(entry));
        let new: Vec<String> =
            words.iter().filter(|word| !self.seen.contains_key(*word)).cloned().collect();
        if let Some(vectors) = vectors(self.encoder, &new)? {
            for (word, vector) in new.into_iter().zip(vectors) {
                let one = Known::new(&word, vector);
                let likes = self.words.iter().map(|known| known.like(&one)).collect();
                self.seen.insert(word, likes);
            }
        }
        let mut best = vec![0.0_f64; self.words.len()];
        for likes in words.iter().filter_map(|word| self.seen.get(word)) {
            best.iter_mut().zip(likes).for_each(|(best, like)| *best = best.max(*like));
        }
        Ok(best)
    }
}

impl Known {
    fn new(word: &str, vector: Vec<f32>) -> Known {
        let folded = fold(word);
        let letters: Vec<char> = format!("<{folded}>").chars().collect();
        let pieces = letters.windows(PIECE_LETTERS).map(|piece| piece.iter().collect()).collect();
        Known { folded, vector, pieces }
    }

    /// The cosine of two words, or the share of the pieces of their spelling that both have.
    fn like(&self, other: &Known) -> f64 {
        let cosine: f32 = self.vector.iter().zip(&other.vector).map(|(a, b)| a * b).sum();
        let both = 2 * self.pieces.intersection(&other.pieces).count();
        let share = both as f64 / (self.pieces.len() + other.pieces.len()).max(1) as f64;
        let spelling = if share >= SAME_SPELLING { share } else { 0.0 };
        f64::from(cosine).max(spelling).clamp(0.0, 1.0)
    }
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

fn vectors(encoder: &dyn Encoder, words: &[String]) -> Result<Option<Vec<Vec<f32>>>> {
    let failed = |detail| Error::Encoder { encoder: encoder.identity().to_owned(), detail };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
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
