//! Search: candidates from the permitted compartments, ranked by one measure.

use crate::compartment::{Loaded, PassageEntry, entry, failed};
use crate::confidence;
use crate::error::Result;
use crate::evidence::{Evidence, EvidenceSet, Query, Searched};
use crate::question::{Concept, Question, term};
use crate::rank::{self, Fit, Place};
use crate::reference;
use crate::suspicion;
use crate::validity::Amendments;
use crate::vocabulary::Vocabularies;
use allod_corpus::{ByteRange, Language};
use std::collections::HashSet;
use std::sync::Arc;
use tantivy::collector::TopDocs;
use tantivy::query::{
    Bm25StatisticsProvider, BooleanQuery, BoostQuery, DisjunctionMaxQuery, Occur,
    Query as IndexQuery, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Searcher, Term};

/// Passages per compartment that are ranked in full.
const CANDIDATES: usize = 100;
/// Where so many candidates are not in force, more are fetched, up to this many times as many.
const WIDEN_AT_MOST: usize = 16;
/// A word in a heading against one in the text, when candidates are chosen.
const HEAD_BOOST: f64 = 1.1;
/// A word of another language's document, when candidates are chosen.
const PLAIN_BOOST: f64 = 0.35;
/// A term that counts less than this is not worth looking up.
const LEAST_WEIGHT: f64 = 0.02;

/// A candidate and how well it fits.
pub(crate) struct Ranked {
    pub(crate) entry: PassageEntry,
    pub(crate) label: Option<String>,
    pub(crate) fit: Fit,
    /// Whether it speaks to a model.
    pub(crate) suspicious: bool,
    /// Whether the question names its place.
    pub(crate) named: bool,
}

/// Searches the compartments that the caller may read. The others are not touched: neither their
/// postings nor their statistics.
pub(crate) fn search(permitted: &[&Loaded], query: &Query) -> Result<EvidenceSet> {
    let known =
        Vocabularies { each: permitted.iter().map(|c| Arc::clone(&c.vocabulary)).collect() };
    let question = Arc::new(Question::new(query.text, query.language, &known));
    let language = question.language.unwrap_or(Language::Other);
    let mut ranked = ranked(permitted, &question, language, query)?;
    ranked.sort_by(|a, b| {
        let place = |r: &Ranked| (r.entry.path.clone(), r.entry.start);
        b.fit.score.total_cmp(&a.fit.score).then_with(|| place(a).cmp(&place(b)))
    });
    drop_repeats(&mut ranked);
    let signals = confidence::signals(&question, &ranked);
    let confidence = confidence::confidence(signals.as_ref());
    ranked.truncate(query.limit);
    let searched = Searched {
        documents: permitted.iter().map(|c| c.documents.len()).sum(),
        passages: permitted.iter().map(|c| c.passages).sum(),
        compartments: permitted.iter().map(|c| c.name.clone()).collect(),
        terms: question.concepts.iter().map(|c| c.word.clone()).collect(),
        on: query.on,
        language,
    };
    let evidence = ranked.into_iter().map(|r| evidence(r, &question)).collect();
    Ok(EvidenceSet { evidence, confidence, signals: signals.unwrap_or_default(), searched })
}

/// The same text under another path says nothing new.
fn drop_repeats(ranked: &mut Vec<Ranked>) {
    let mut seen = HashSet::new();
    ranked.retain(|r| seen.insert((r.entry.text.clone(), r.entry.place.clone())));
}

fn evidence(ranked: Ranked, question: &Arc<Question>) -> Evidence {
    let Ranked { entry, label, fit, suspicious, named } = ranked;
    let matched = question.concepts.iter().zip(&fit.strengths);
    Evidence {
        range: ByteRange { start: entry.start, end: entry.end },
        matched_terms: matched.filter(|(_, s)| **s > 0.0).map(|(c, _)| c.word.clone()).collect(),
        path: entry.path,
        title: entry.title,
        digest: entry.digest,
        text: entry.text,
        place: entry.place,
        heading_path: entry.heading_path,
        introduction: entry.introduction,
        language: entry.language,
        score: fit.score,
        coverage: fit.coverage,
        valid_from: entry.valid_from,
        valid_until: entry.valid_until,
        label,
        suspicious,
        named,
        question: Arc::clone(question),
    }
}

fn ranked(
    permitted: &[&Loaded],
    question: &Question,
    language: Language,
    query: &Query,
) -> Result<Vec<Ranked>> {
    let statistics = Together(permitted.iter().map(|c| &c.searcher).collect());
    let amendments = Amendments::of(permitted);
    let mut ranked = Vec::new();
    for compartment in permitted {
        let Some(lookup) = lookup(question, language, compartment) else { continue };
        for entry in candidates(compartment, lookup.as_ref(), &statistics, &amendments, query)? {
            let above = entry.above();
            let asked = entry.heading_path.last().map(String::as_str).filter(|h| h.ends_with('?'));
            let place = Place { text: &entry.text, asked, above: &above, language: entry.language };
            let mut fit = rank::fit(question, &place);
            let suspicious = suspicion::speaks_to_a_model(&entry.text);
            if suspicious {
                fit.score *= suspicion::KEPT;
            }
            let named = !suspicious && reference::names(question, &entry, &fit.strengths);
            if named {
                fit.score *= reference::NAMED;
            }
            let label = compartment.label.clone();
            ranked.push(Ranked { fit, entry, label, suspicious, named });
        }
    }
    Ok(ranked)
}

/// The best passages of one compartment that are in force.
fn candidates(
    compartment: &Loaded,
    lookup: &dyn IndexQuery,
    statistics: &Together,
    amendments: &Amendments,
    query: &Query,
) -> Result<Vec<PassageEntry>> {
    let mut widen = 1;
    loop {
        let limit = CANDIDATES * widen;
        let found = top(compartment, lookup, statistics, limit)
            .map_err(|source| failed(&compartment.folder, source))?;
        let all = found.len() < limit;
        let mut entries = found;
        entries.retain(|entry| amendments.in_force(entry, query.on));
        if all || entries.len() >= CANDIDATES / 2 || widen >= WIDEN_AT_MOST {
            entries.truncate(CANDIDATES);
            return Ok(entries);
        }
        widen *= 4;
    }
}

fn top(
    compartment: &Loaded,
    lookup: &dyn IndexQuery,
    statistics: &Together,
    limit: usize,
) -> tantivy::Result<Vec<PassageEntry>> {
    let searcher = &compartment.searcher;
    let best = TopDocs::with_limit(limit).order_by_score();
    let found = searcher.search_with_statistics_provider(lookup, &best, statistics)?;
    let mut entries = Vec::with_capacity(found.len());
    for (_, address) in found {
        entries.extend(entry::<PassageEntry>(&searcher.doc(address)?, compartment.fields));
    }
    Ok(entries)
}

/// The index query of a question; `None` if there is nothing to look for.
fn lookup(
    question: &Question,
    language: Language,
    compartment: &Loaded,
) -> Option<Box<dyn IndexQuery>> {
    let fields = compartment.fields;
    let mut clauses: Vec<(Occur, Box<dyn IndexQuery>)> = Vec::new();
    for concept in &question.concepts {
        for (field, boost) in [(fields.body, 1.0), (fields.head, HEAD_BOOST)] {
            clauses.push((Occur::Should, any_form(concept, language, field, boost)));
        }
        let plain = Term::from_field_text(fields.plain, &concept.word);
        clauses.push((Occur::Should, boosted(plain, concept.weight * PLAIN_BOOST)));
    }
    (!clauses.is_empty()).then(|| Box::new(BooleanQuery::new(clauses)) as Box<dyn IndexQuery>)
}

/// The best of a concept's forms; a few percent of the others break ties.
fn any_form(
    concept: &Concept,
    language: Language,
    field: Field,
    boost: f64,
) -> Box<dyn IndexQuery> {
    let whole = concept.forms.iter().map(|(form, strength)| (form, *strength));
    let parts = concept
        .parts
        .iter()
        .flat_map(|part| part.forms.iter().map(|(form, strength)| (form, strength * part.share)));
    let forms = whole
        .chain(parts)
        .map(|(form, strength)| (form, strength * concept.weight * boost))
        .filter(|(_, weight)| *weight >= LEAST_WEIGHT)
        .map(|(form, weight)| boosted(Term::from_field_text(field, &term(form, language)), weight))
        .collect();
    Box::new(DisjunctionMaxQuery::with_tie_breaker(forms, 0.1))
}

fn boosted(term: Term, boost: f64) -> Box<dyn IndexQuery> {
    let query = TermQuery::new(term, IndexRecordOption::WithFreqs);
    Box::new(BoostQuery::new(Box::new(query), boost as f32))
}

/// The statistics of the permitted compartments taken as one index, so that scores of different
/// compartments compare.
struct Together<'a>(Vec<&'a Searcher>);

impl Bm25StatisticsProvider for Together<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        self.0.iter().map(|searcher| searcher.total_num_tokens(field)).sum()
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        self.0.iter().map(|searcher| searcher.total_num_docs()).sum()
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        self.0.iter().map(|searcher| Bm25StatisticsProvider::doc_freq(*searcher, term)).sum()
    }
}
