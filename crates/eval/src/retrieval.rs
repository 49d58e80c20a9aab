//! How well passages are found: a set of queries with relevant passages, searched like any other
//! library.

use std::collections::HashSet;
use std::time::Instant;

use allod_corpus::{Document, Language, Source};
use allod_retrieval::{Clearance, Library, Query};
use serde::Serialize;

use crate::beir::{BeirPassage, BeirQuery, BeirSet};

/// As deep as a ranking is looked at.
const DEPTH: usize = 100;
/// A passage may be cut in several, each found on its own.
const CUTS: usize = 3;
/// A shorter text does not say surely which language it is in.
const SURE_BYTES: usize = 300;

/// The measures of a set, as `docs/evaluation.md` explains them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RetrievalScores {
    /// Passages of the set.
    pub passages: usize,
    /// Its queries.
    pub queries: usize,
    /// Normalised discounted cumulative gain of the first ten, mean over the queries.
    #[serde(rename = "ndcg@10")]
    pub ndcg_10: f64,
    /// Share of the relevant passages that are among the first ten.
    #[serde(rename = "recall@10")]
    pub recall_10: f64,
    /// And among the first hundred.
    #[serde(rename = "recall@100")]
    pub recall_100: f64,
    /// One over the rank of the first relevant passage, 0 beyond ten.
    #[serde(rename = "mrr@10")]
    pub mrr_10: f64,
    /// Queries answered in a second, one after the other.
    pub queries_per_second: f64,
    /// Time that a query takes, the median, in milliseconds.
    pub p50_ms: f64,
    /// And of the slowest in a hundred.
    pub p99_ms: f64,
    /// Time that the passages took to be read, encoded and indexed.
    pub index_seconds: f64,
}

/// Brings the passages of a set into a library, each as a document of its own, in the language of
/// its text. Returns the seconds taken.
///
/// # Errors
/// What the library says.
pub fn index(set: &BeirSet, library: &Library) -> allod_retrieval::Result<f64> {
    let begun = Instant::now();
    let texts: String = set.passages.iter().take(500).map(|p| p.text.as_str()).collect();
    let usual = Language::detect(&texts);
    let numbered = set.passages.iter().enumerate();
    let mut documents = numbered.filter_map(|(at, passage)| {
        // A passage of no text can never be found.
        Some((path(at), document(passage, usual)?))
    });
    library.add(&mut documents)?;
    Ok(begun.elapsed().as_secs_f64())
}

/// Searches every query and measures what is found.
///
/// # Errors
/// What the library says.
pub fn measure(set: &BeirSet, library: &Library) -> allod_retrieval::Result<RetrievalScores> {
    let mut scores = RetrievalScores {
        passages: set.passages.len(),
        queries: set.queries.len(),
        ..RetrievalScores::default()
    };
    let mut times_ms = Vec::with_capacity(set.queries.len());
    for query in &set.queries {
        let begun = Instant::now();
        let found = found(set, library, &query.text)?;
        times_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        scores.count(query, &found);
    }
    let total_ms: f64 = times_ms.iter().sum();
    times_ms.sort_unstable_by(f64::total_cmp);
    let at = |share: usize| times_ms[(times_ms.len() - 1) * share / 100];
    scores.queries_per_second = times_ms.len() as f64 / (total_ms / 1e3).max(1e-9);
    (scores.p50_ms, scores.p99_ms) = (at(50), at(99));
    Ok(scores)
}

impl RetrievalScores {
    /// Adds the share of one query of all.
    fn count(&mut self, query: &BeirQuery, found: &[&str]) {
        let share = 1.0 / self.queries as f64;
        let gain = |id: &&str| query.relevant.get(*id).copied().unwrap_or(0);
        let gains: Vec<u32> = found.iter().map(gain).collect();
        let mut ideal: Vec<u32> = query.relevant.values().copied().collect();
        ideal.sort_unstable_by(|a, b| b.cmp(a));
        let recall = |depth: usize| {
            let hits = gains.iter().take(depth).filter(|gain| **gain > 0).count();
            hits as f64 / ideal.len() as f64
        };
        let first = gains.iter().take(10).position(|gain| *gain > 0);
        self.ndcg_10 += share * discounted(&gains) / discounted(&ideal);
        self.recall_10 += share * recall(10);
        self.recall_100 += share * recall(DEPTH);
        self.mrr_10 += share * first.map_or(0.0, |rank| 1.0 / (rank + 1) as f64);
    }
}

/// The discounted cumulative gain of the first ten.
fn discounted(gains: &[u32]) -> f64 {
    let ranked = gains.iter().take(10).enumerate();
    ranked.map(|(rank, gain)| f64::from(*gain) / (rank as f64 + 2.0).log2()).sum()
}

/// The names of the passages found, best first.
fn found<'a>(
    set: &'a BeirSet,
    library: &Library,
    text: &str,
) -> allod_retrieval::Result<Vec<&'a str>> {
    let clearance = Clearance::public();
    let on = jiff::civil::date(2026, 1, 1);
    let (language, limit) = (None, DEPTH * CUTS);
    let found = library.search(&Query {
        text,
        language,
        clearance: &clearance,
        on,
        limit,
        filter: None,
    })?;
    let mut seen = HashSet::new();
    let numbers = found.evidence.iter().filter_map(|evidence| number(&evidence.path));
    let each_once = numbers.filter(|number| seen.insert(*number));
    Ok(each_once.take(DEPTH).map(|number| set.passages[number].id.as_str()).collect())
}

/// The path that a passage is known by. No word of it is one of a query.
fn path(at: usize) -> String {
    format!("{at}/index.txt")
}

fn number(path: &str) -> Option<usize> {
    path.split('/').next()?.parse().ok()
}

fn document(passage: &BeirPassage, usual: Language) -> Option<Document> {
    let source = Source { path: "passage.txt", bytes: passage.text.as_bytes(), sidecar: None };
    let mut document = allod_corpus::read(&source).ok()?;
    let sure = document.text.len() >= SURE_BYTES && document.metadata.language != Language::Other;
    if !sure {
        document.metadata.language = usual;
    }
    document.metadata.title = passage.title.clone();
    Some(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn scores(relevant: &[(&str, u32)], found: &[&str]) -> RetrievalScores {
        let relevant: HashMap<String, u32> =
            relevant.iter().map(|(id, gain)| ((*id).to_owned(), *gain)).collect();
        let query = BeirQuery { id: String::new(), text: String::new(), relevant };
        let mut scores = RetrievalScores { queries: 1, ..RetrievalScores::default() };
        scores.count(&query, found);
        scores
    }

    #[test]
    fn measures_are_those_of_the_definitions() {
        let first = scores(&[("a", 1)], &["a", "b"]);
        assert_eq!((first.ndcg_10, first.recall_10, first.mrr_10), (1.0, 1.0, 1.0));
        let third = scores(&[("a", 1)], &["x", "y", "a"]);
        assert_eq!((third.ndcg_10, third.mrr_10), (0.5, 1.0 / 3.0));
        let none = scores(&[("a", 1)], &[]);
        assert_eq!((none.ndcg_10, none.recall_100, none.mrr_10), (0.0, 0.0, 0.0));
        let mut late: Vec<&str> = vec!["x"; 10];
        late.push("a");
        let late = scores(&[("a", 1), ("b", 1)], &late);
        assert_eq!((late.ndcg_10, late.recall_10, late.recall_100), (0.0, 0.0, 0.5));
        // Gains count by their size: (1 + 2 / log2(3)) / (2 + 1 / log2(3)).
        let swapped = scores(&[("a", 2), ("b", 1)], &["b", "a"]);
        assert!((swapped.ndcg_10 - 0.8597).abs() < 1e-4, "{}", swapped.ndcg_10);
    }
}
