//! Search: candidates from the permitted compartments, ranked by one measure.

use crate::code::{Code, encode};
use crate::compartment::{Loaded, PassageEntry, entry, failed};
use crate::confidence;
use crate::contents::is_contents;
use crate::encoder::{Encoder, Purpose};
use crate::error::Result;
use crate::evidence::{Evidence, EvidenceSet, Query, Searched};
use crate::folding::{Duplicate, fold};
use crate::fusion;
use crate::likeness::Likeness;
use crate::lookup::{HEAD_BOOST, Lookup, TIE, forms};
use crate::question::{Concept, Question};
use crate::rank::{self, Fit, Place};
use crate::reference;
use crate::suspicion::{self, Attempt};
use crate::validity::Amendments;
use crate::vectors::Sought;
use crate::vocabulary::Vocabularies;
use allod_corpus::{ByteRange, Language};
use rayon::prelude::*;
use std::collections::HashSet;
use std::sync::Arc;
use tantivy::collector::TopDocs;
use tantivy::query::{
    Bm25StatisticsProvider, BooleanQuery, BoostQuery, DisjunctionMaxQuery, Occur,
    Query as IndexQuery, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, Searcher, Term};

/// Passages per compartment that are ranked in full.
const CANDIDATES: usize = 100;
/// Where so many candidates are not in force, more are fetched, up to this many times as many.
const WIDEN_AT_MOST: usize = 16;
/// So many of the best passages are compared word by word where they are in another language.
const LINKED: usize = 20;
/// A passage holds at least so much of a question that is asked in the passage's words.
const HARDLY_FOUND: f64 = 0.4;
/// So many passages are read or ranked by one thread at least: fewer are not worth a second one.
const READ_TOGETHER: usize = 16;
/// What a table of contents counts beside a passage that says something: it only tells where.
const CONTENTS: f64 = 0.5;

/// A candidate and how well it fits.
pub(crate) struct Ranked {
    pub(crate) entry: PassageEntry,
    pub(crate) label: Option<String>,
    pub(crate) fit: Fit,
    /// How near its meaning is to the question's; `None` without an encoder.
    pub(crate) near: Option<f64>,
    /// What it is ranked by.
    pub(crate) score: f64,
    /// The places that speak to a model.
    pub(crate) attempts: Vec<Attempt>,
    /// Whether the question names its place.
    pub(crate) named: bool,
    /// Passages that say the same.
    pub(crate) copies: Vec<Duplicate>,
}

/// Searches the compartments that the caller may read. The others are not touched: neither their
/// postings nor their statistics.
pub(crate) fn search(
    permitted: &[&Loaded],
    amendments: &Amendments,
    query: &Query,
    encoder: Option<&dyn Encoder>,
) -> Result<EvidenceSet> {
    let known =
        Vocabularies { each: permitted.iter().map(|c| Arc::clone(&c.vocabulary)).collect() };
    let mut question = Question::new(query.text, query.language, &known);
    let language = question.language.unwrap_or(Language::Other);
    let codes =
        encoder.map(|encoder| encode(encoder, Purpose::Query, &[query.text])).transpose()?;
    let asked = Asked {
        question: &question,
        language,
        code: codes.as_ref().and_then(|codes| codes.first()),
        query,
    };
    let mut ranked = ranked(permitted, amendments, &asked)?;
    fusion::fuse(&mut ranked);
    sort(&mut ranked);
    if let Some(encoder) = encoder {
        compare_words(encoder, query.text, &mut question, &mut ranked)?;
    }
    let mut ranked = fold(ranked);
    let question = Arc::new(question);
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

fn sort(ranked: &mut [Ranked]) {
    ranked.sort_by(|a, b| {
        let (one, other) = (&a.entry, &b.entry);
        let place = || (&one.path, one.start).cmp(&(&other.path, other.start));
        b.score.total_cmp(&a.score).then_with(place)
    });
}

/// Compares the best passages in other languages with the question word by word.
fn compare_words(
    encoder: &dyn Encoder,
    text: &str,
    question: &mut Question,
    ranked: &mut [Ranked],
) -> Result<()> {
    // Where hardly a word of the question is found, it may be in another language than it seems.
    let found = ranked.iter().map(|r| r.fit.coverage).fold(0.0, f64::max);
    let own = question.language.filter(|_| found >= HARDLY_FOUND);
    if ranked.iter().take(LINKED).all(|r| Some(r.entry.language) == own) {
        return Ok(());
    }
    let Some(mut likeness) = Likeness::new(encoder, text)? else { return Ok(()) };
    likeness.rerank(ranked, own)?;
    sort(ranked);
    let foreign = |r: &&mut Ranked| Some(r.entry.language) != question.language;
    let mut best: Vec<&mut Ranked> = ranked.iter_mut().take(LINKED).filter(foreign).collect();
    for one in &best {
        likeness.link(question, &one.entry)?;
    }
    for one in &mut best {
        one.fit = fit(question, &one.entry, &one.attempts);
    }
    Ok(())
}

fn evidence(ranked: Ranked, question: &Arc<Question>) -> Evidence {
    let Ranked { entry, label, fit, attempts, named, score, copies, .. } = ranked;
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
        score,
        coverage: fit.coverage,
        valid_from: entry.valid_from,
        valid_until: entry.valid_until,
        label,
        suspicious: !attempts.is_empty(),
        attempts,
        named,
        beside: None,
        copies,
        question: Arc::clone(question),
    }
}

/// What is looked for.
struct Asked<'a> {
    question: &'a Question,
    language: Language,
    /// Its meaning; `None` without an encoder.
    code: Option<&'a Code>,
    query: &'a Query<'a>,
}

fn ranked(permitted: &[&Loaded], amendments: &Amendments, asked: &Asked) -> Result<Vec<Ranked>> {
    let statistics = Together(permitted.iter().map(|c| &c.searcher).collect());
    let mut ranked = Vec::new();
    for compartment in permitted {
        let from = From { compartment, amendments, query: asked.query };
        let sought = asked.code.map(|code| compartment.vectors.sought(code));
        let words = || from.by_question(asked, &statistics);
        let meaning = || sought.as_ref().map(|sought| from.by_meaning(sought)).transpose();
        let (words, meaning) = rayon::join(words, meaning);
        let mut found = words?;
        add(&mut found, meaning?.unwrap_or_default());
        // Sums over candidates shall not depend on how the index lies.
        found.sort_by(|(_, a), (_, b)| (&a.path, a.start).cmp(&(&b.path, b.start)));
        let rank = |(address, entry): Candidate| {
            let row = compartment.row_of(address);
            let near =
                sought.as_ref().zip(row).and_then(|(s, row)| compartment.vectors.near(s, row));
            rank_one(asked.question, entry, compartment, near.map(f64::from))
        };
        ranked.par_extend(found.into_par_iter().with_min_len(READ_TOGETHER).map(rank));
    }
    let named = ranked.iter().map(|r| reference::names(asked.question, &r.entry, &r.fit.strengths));
    let named: Vec<Option<f64>> = named.collect();
    reference::prefer(&mut ranked, &named);
    Ok(ranked)
}

fn rank_one(
    question: &Question,
    entry: PassageEntry,
    compartment: &Loaded,
    near: Option<f64>,
) -> Ranked {
    let attempts = entry.attempts().into_owned();
    let mut fit = fit(question, &entry, &attempts);
    let share = if is_contents(&entry.text) { CONTENTS } else { 1.0 };
    fit.score *= share;
    let near = near.map(|near| near.min(near * share));
    let label = compartment.label.clone();
    let (named, copies) = (false, Vec::new());
    Ranked { score: fit.score, fit, entry, label, near, attempts, named, copies }
}

/// What speaks to a model is written to be found: it counts for nothing.
fn fit(question: &Question, entry: &PassageEntry, attempts: &[Attempt]) -> Fit {
    let above = entry.above();
    let asked = entry.heading_path.last().map(String::as_str).filter(|h| h.ends_with('?'));
    let clear = (!attempts.is_empty()).then(|| suspicion::masked(&entry.text, attempts));
    let text = clear.as_deref().unwrap_or(&entry.text);
    let place = Place { text, asked, above: &above, language: entry.language };
    rank::fit(question, &place)
}

/// Where candidates come from.
struct From<'a> {
    compartment: &'a Loaded,
    amendments: &'a Amendments,
    query: &'a Query<'a>,
}

/// Adds the candidates that are not there yet.
fn add(found: &mut Vec<Candidate>, more: Vec<Candidate>) {
    let known: HashSet<DocAddress> = found.iter().map(|(address, _)| *address).collect();
    found.extend(more.into_iter().filter(|(address, _)| !known.contains(address)));
}

/// A passage and where it stands in the index.
type Candidate = (DocAddress, PassageEntry);

impl From<'_> {
    /// The passages that share most words with the question, and those at the places it names.
    fn by_question(&self, asked: &Asked, statistics: &Together) -> Result<Vec<Candidate>> {
        let lookup = Lookup::new(asked.question, asked.language, self.compartment.fields);
        let mut found = match &lookup {
            Some(lookup) => self.by_words(lookup, statistics)?,
            None => Vec::new(),
        };
        add(&mut found, self.by_reference(asked.question, asked.language, statistics)?);
        Ok(found)
    }

    /// The passages that share most words with the question.
    fn by_words(&self, lookup: &Lookup, statistics: &Together) -> Result<Vec<Candidate>> {
        let compartment = self.compartment;
        let scores = lookup.scores(&compartment.searcher, statistics);
        let scores = scores.map_err(|source| failed(&compartment.folder, source))?;
        self.widened(|limit| Ok(scores.best(limit)))
    }

    /// The passages at the articles that the question names, those first that share its other
    /// words: another language's act may be named by an abbreviation alone.
    fn by_reference(
        &self,
        question: &Question,
        language: Language,
        statistics: &Together,
    ) -> Result<Vec<Candidate>> {
        let fields = self.compartment.fields;
        let (articles, others): (Vec<&Concept>, Vec<&Concept>) =
            question.concepts.iter().partition(|concept| concept.word.starts_with("art_"));
        if articles.is_empty() || others.is_empty() {
            return Ok(Vec::new());
        }
        let plain = |word: &str| Term::from_field_text(fields.plain, word);
        let named = others.iter().flat_map(|concept| {
            let word = boosted(plain(&concept.word), concept.weight);
            let head = any_form(concept, language, fields.head, HEAD_BOOST);
            [(Occur::Should, word), (Occur::Should, head)]
        });
        let marks = question.acts.iter().flat_map(|act| act.marks()).map(|marks| {
            let all = marks.iter().map(|mark| (Occur::Must, boosted(plain(mark), 1.0)));
            let all: Box<dyn IndexQuery> = Box::new(BooleanQuery::new(all.collect()));
            (Occur::Should, all)
        });
        let named = named.chain(marks);
        let named: Box<dyn IndexQuery> = Box::new(BooleanQuery::new(named.collect()));
        let mut clauses = vec![(Occur::Must, named)];
        clauses
            .extend(articles.iter().map(|at| (Occur::Must, boosted(plain(&at.word), at.weight))));
        let query = BooleanQuery::new(clauses);
        self.widened(|limit| {
            let best = TopDocs::with_limit(limit).order_by_score();
            self.compartment.searcher.search_with_statistics_provider(&query, &best, statistics)
        })
    }

    /// The passages whose meaning is nearest.
    fn by_meaning(&self, sought: &Sought) -> Result<Vec<Candidate>> {
        let lives = |row| self.compartment.at(row).is_some();
        self.widened(|limit| {
            let near = self.compartment.vectors.nearest(sought, limit, lives);
            let placed = near.into_iter();
            Ok(placed.filter_map(|(row, near)| Some((near, self.compartment.at(row)?))).collect())
        })
    }

    /// The best passages that are in force and pass the filter; more are fetched where too few do.
    /// Which of several equally good ones are taken depends on the passages, not on where they lie
    /// in the index: those that tie with the last that was fetched are left out.
    fn widened(
        &self,
        fetch: impl Fn(usize) -> tantivy::Result<Vec<(f32, DocAddress)>>,
    ) -> Result<Vec<Candidate>> {
        let mut taken: Vec<(f32, Candidate)> = Vec::new();
        let (mut widen, mut seen) = (1, 0);
        loop {
            let limit = CANDIDATES * widen;
            let mut read = || -> tantivy::Result<(usize, bool)> {
                let found = fetch(limit)?;
                let all = found.len() < limit;
                let sure = if all || widen >= WIDEN_AT_MOST { found.len() } else { sure(&found) };
                let new = found[seen.min(sure)..sure].par_iter().with_min_len(READ_TOGETHER);
                let new: tantivy::Result<Vec<Option<PassageEntry>>> =
                    new.map(|(_, address)| self.read(*address)).collect();
                let placed = new?.into_iter().zip(&found[seen.min(sure)..sure]);
                let counts = |(entry, (score, at)): (Option<PassageEntry>, &(f32, DocAddress))| {
                    entry.map(|entry| (rough(*score), (*at, entry)))
                };
                taken.extend(placed.filter_map(counts));
                Ok((sure, all))
            };
            let (sure, all) = read().map_err(|source| failed(&self.compartment.folder, source))?;
            if all || taken.len() >= CANDIDATES / 2 || widen >= WIDEN_AT_MOST {
                return Ok(best(taken));
            }
            (widen, seen) = (widen * 4, sure);
        }
    }

    /// The passage at an address, if it counts.
    fn read(&self, address: DocAddress) -> tantivy::Result<Option<PassageEntry>> {
        let document = self.compartment.searcher.doc(address)?;
        let entry = entry::<PassageEntry>(&document, self.compartment.fields);
        Ok(entry.filter(|entry| self.counts(entry)))
    }

    fn counts(&self, entry: &PassageEntry) -> bool {
        let passes = self.query.filter.is_none_or(|filter| filter.takes(entry));
        passes && self.amendments.in_force(entry, self.query.on)
    }
}

/// A score without its last bits: sums of equal parts in another order differ there.
fn rough(score: f32) -> f32 {
    f32::from_bits(score.to_bits() & !0xfff)
}

/// How many come before those that tie with the last.
fn sure(found: &[(f32, DocAddress)]) -> usize {
    let last = found.last().map_or(0.0, |(score, _)| rough(*score));
    found.partition_point(|(score, _)| rough(*score) > last)
}

/// The best candidates; equally good ones in the order of their places.
fn best(mut taken: Vec<(f32, Candidate)>) -> Vec<Candidate> {
    taken.sort_by(|(a, (_, one)), (b, (_, other))| {
        b.total_cmp(a).then_with(|| (&one.path, one.start).cmp(&(&other.path, other.start)))
    });
    taken.truncate(CANDIDATES);
    taken.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The best of a concept's forms; a few percent of the others break ties.
fn any_form(
    concept: &Concept,
    language: Language,
    field: Field,
    boost: f64,
) -> Box<dyn IndexQuery> {
    let forms = forms(concept, language, field, boost).into_iter();
    let forms = forms.map(|(term, weight)| boosted(term, f64::from(weight))).collect();
    Box::new(DisjunctionMaxQuery::with_tie_breaker(forms, TIE))
}

fn boosted(term: Term, boost: f64) -> Box<dyn IndexQuery> {
    let query = TermQuery::new(term, IndexRecordOption::WithFreqs);
    Box::new(BoostQuery::new(Box::new(query), boost as f32))
}

/// The statistics of the permitted compartments taken as one index, so that scores of different
/// compartments compare.
pub(crate) struct Together<'a>(Vec<&'a Searcher>);

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
