//! A lookup of a question's words: BM25 over a compartment, a term at a time.
//!
//! A question with its synonyms, compounds and families is hundreds of terms. Adding up the
//! postings of one after the other in an array of scores is several times quicker than walking all
//! of them passage by passage.

use crate::compartment::Fields;
use crate::question::{Concept, Question, term};
use crate::search::Together;
use allod_corpus::Language;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::query::Bm25StatisticsProvider;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, Searcher, SegmentReader, Term};

/// Saturation of repeated words, as in BM25.
const K1: f32 = 1.2;
/// How much a long passage is held back, as in BM25.
const B: f32 = 0.75;
/// A word in a heading against one in the text.
pub(crate) const HEAD_BOOST: f64 = 1.1;
/// A word of another language's document.
const PLAIN_BOOST: f64 = 0.35;
/// A term that counts less than this is not worth looking up.
const LEAST_WEIGHT: f64 = 0.02;
/// Of several forms of a concept the best counts; so much of the others breaks ties.
pub(crate) const TIE: f32 = 0.1;

/// The terms of a question.
pub(crate) struct Lookup {
    groups: Vec<Group>,
}

/// The forms of a concept in a field.
struct Group {
    field: Field,
    terms: Vec<(Term, f32)>,
}

impl Lookup {
    /// `None` if there is nothing to look for.
    pub(crate) fn new(question: &Question, language: Language, fields: Fields) -> Option<Lookup> {
        let mut groups = Vec::with_capacity(question.concepts.len() * 3);
        for concept in &question.concepts {
            for (field, boost) in [(fields.body, 1.0), (fields.head, HEAD_BOOST)] {
                groups.push(Group { field, terms: forms(concept, language, field, boost) });
            }
            let plain = Term::from_field_text(fields.plain, &concept.word);
            let terms = vec![(plain, (concept.weight * PLAIN_BOOST) as f32)];
            groups.push(Group { field: fields.plain, terms });
        }
        (!groups.is_empty()).then_some(Lookup { groups })
    }

    /// The score of each passage of a compartment; `statistics` are those that words are weighed
    /// by.
    pub(crate) fn scores(
        &self,
        searcher: &Searcher,
        statistics: &Together,
    ) -> tantivy::Result<Scores> {
        let weighed = self.weighed(statistics)?;
        let segments = searcher.segment_readers().iter();
        let each: tantivy::Result<Vec<Vec<f32>>> =
            segments.map(|segment| self.of_segment(segment, &weighed)).collect();
        Ok(Scores { each: each? })
    }

    /// The weight of each term of each group, by how rare it is.
    fn weighed(&self, statistics: &Together) -> tantivy::Result<Vec<Weighed>> {
        let passages = statistics.total_num_docs()?;
        let one = |group: &Group| -> tantivy::Result<Weighed> {
            let weight = |(term, boost): &(Term, f32)| -> tantivy::Result<f32> {
                Ok(rarity(statistics.doc_freq(term)?, passages) * (1.0 + K1) * boost)
            };
            let weights: tantivy::Result<Vec<f32>> = group.terms.iter().map(weight).collect();
            let tokens = statistics.total_num_tokens(group.field)?;
            Ok(Weighed { weights: weights?, norms: norms(tokens as f32 / passages as f32) })
        };
        self.groups.iter().map(one).collect()
    }

    fn of_segment(
        &self,
        segment: &SegmentReader,
        weighed: &[Weighed],
    ) -> tantivy::Result<Vec<f32>> {
        let mut sums = Sums::new(segment.max_doc() as usize);
        for (group, weighed) in self.groups.iter().zip(weighed) {
            let lengths = segment.get_fieldnorms_reader(group.field)?;
            let index = segment.inverted_index(group.field)?;
            for ((term, _), weight) in group.terms.iter().zip(&weighed.weights) {
                let option = IndexRecordOption::WithFreqs;
                let Some(mut block) = index.read_block_postings(term, option)? else { continue };
                while !block.docs().is_empty() {
                    for (doc, count) in block.docs().iter().zip(block.freqs()) {
                        let count = *count as f32;
                        let norm = weighed.norms[usize::from(lengths.fieldnorm_id(*doc))];
                        sums.add(*doc, weight * (count / (count + norm)));
                    }
                    block.advance();
                }
            }
            sums.close();
        }
        if let Some(alive) = segment.alive_bitset() {
            let dead = |doc: &u32| !alive.is_alive(*doc);
            (0..segment.max_doc()).filter(dead).for_each(|doc| sums.total[doc as usize] = 0.0);
        }
        Ok(sums.total)
    }
}

/// The weights of a group's terms, and what the length of a passage counts.
struct Weighed {
    weights: Vec<f32>,
    norms: [f32; 256],
}

/// What the lengths of passages, as the index rounds them, count beside the average.
fn norms(average: f32) -> [f32; 256] {
    let length = |id: usize| FieldNormReader::id_to_fieldnorm(id as u8) as f32;
    std::array::from_fn(|id| K1 * (1.0 - B + B * length(id) / average))
}

/// How much a term tells that stands in so many of the passages.
fn rarity(found: u64, passages: u64) -> f32 {
    let others = passages.saturating_sub(found) as f32;
    (1.0 + (others + 0.5) / (found as f32 + 0.5)).ln()
}

/// The terms of a concept's forms and of the parts of a compound, with what each counts.
pub(crate) fn forms(
    concept: &Concept,
    language: Language,
    field: Field,
    boost: f64,
) -> Vec<(Term, f32)> {
    let whole = concept.forms.iter().map(|(form, strength)| (form, *strength));
    let parts = concept
        .parts
        .iter()
        .flat_map(|part| part.forms.iter().map(|(form, strength)| (form, strength * part.share)));
    whole
        .chain(parts)
        .map(|(form, strength)| (form, strength * concept.weight * boost))
        .filter(|(_, weight)| *weight >= LEAST_WEIGHT)
        .map(|(form, weight)| (Term::from_field_text(field, &term(form, language)), weight as f32))
        .collect()
}

/// Scores of a segment while they are added up.
struct Sums {
    /// Of the groups that are closed.
    total: Vec<f32>,
    /// Of the open group: the best form, and all forms.
    open: Vec<(f32, f32)>,
    /// The passages that the open group has met.
    met: Vec<u32>,
}

impl Sums {
    fn new(passages: usize) -> Sums {
        Sums { total: vec![0.0; passages], open: vec![(0.0, 0.0); passages], met: Vec::new() }
    }

    fn add(&mut self, doc: u32, score: f32) {
        let (best, sum) = &mut self.open[doc as usize];
        if *sum == 0.0 {
            self.met.push(doc);
        }
        *best = best.max(score);
        *sum += score;
    }

    fn close(&mut self) {
        for doc in self.met.drain(..) {
            let (best, sum) = std::mem::take(&mut self.open[doc as usize]);
            self.total[doc as usize] += best + (sum - best) * TIE;
        }
    }
}

/// The scores of a compartment's passages.
pub(crate) struct Scores {
    /// Of each segment; 0 for a passage that was not found.
    each: Vec<Vec<f32>>,
}

impl Scores {
    /// The best passages, best first, of equal ones that which comes first in the index.
    pub(crate) fn best(&self, limit: usize) -> Vec<(f32, DocAddress)> {
        let mut best: BinaryHeap<Reverse<Key>> = BinaryHeap::new();
        let mut least = 0.0;
        for (segment, scores) in (0u32..).zip(&self.each) {
            for (doc, score) in (0u32..).zip(scores) {
                if *score > least {
                    best.push(Reverse((score.to_bits(), Reverse((segment, doc)))));
                    if best.len() > limit {
                        best.pop();
                        least = best.peek().map_or(0.0, |one| f32::from_bits(one.0.0));
                    }
                }
            }
        }
        let mut found = best.into_vec();
        found.sort_unstable();
        let one = |Reverse((score, Reverse((segment, doc)))): Reverse<Key>| {
            (f32::from_bits(score), DocAddress::new(segment, doc))
        };
        found.into_iter().map(one).collect()
    }
}

/// The bits of a score, which is above 0, so that they are in the order of its values; then the
/// passage that comes first in the index.
type Key = (u32, Reverse<(u32, u32)>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_form_of_a_concept_counts_and_the_others_break_ties() {
        let mut sums = Sums::new(4);
        sums.add(2, 1.0);
        sums.add(2, 3.0);
        sums.add(1, 3.0);
        sums.close();
        sums.add(1, 0.5);
        sums.close();
        assert_eq!(sums.total, [0.0, 3.5, 3.1, 0.0]);
    }

    #[test]
    fn the_best_come_first_and_equal_ones_in_their_order() {
        let scores = Scores { each: vec![vec![0.0, 2.0, 1.0, 2.0], vec![3.0, 1.0, 0.0]] };
        let places = |limit| -> Vec<(u32, u32)> {
            let best = scores.best(limit).into_iter();
            best.map(|(_, at)| (at.segment_ord, at.doc_id)).collect()
        };
        assert_eq!(places(9), [(1, 0), (0, 1), (0, 3), (0, 2), (1, 1)]);
        assert_eq!(places(2), [(1, 0), (0, 1)]);
        assert_eq!(places(4), [(1, 0), (0, 1), (0, 3), (0, 2)]);
    }
}
