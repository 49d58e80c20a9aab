//! Quoting: the sentences of the evidence that answer, word for word.

mod asked;
mod contrary;
mod dispute;
mod expected;
mod features;
mod opposites;
mod order;
mod phrases;
mod place;
mod sister;
mod slots;
mod span;
mod units;
mod value;
mod weights;
mod whole;
mod whom;

use allod_corpus::{ByteRange, Language};
use allod_retrieval::analysis::{Word, words};
use allod_retrieval::{Concept, Evidence, EvidenceSet, Question};
use contrary::Subject;
pub use dispute::Dispute;
use dispute::{Disputed, keep_current};
use expected::{Expected, focus};
use features::Asking;
use place::Place;
use sister::Things;
use units::{Unit, units};
use whom::{Speaks, Whom};

/// Passages that are looked into.
const PASSAGES: usize = 6;
/// Sentences that are quoted at most.
const QUOTES: usize = 3;
/// What a word in a heading counts beside one in the sentence.
const HEADING: f64 = 0.95;
/// What a word in a neighbouring sentence counts.
const NEIGHBOUR: f64 = 0.45;
/// What a word counts that stands at the beginning of the document; where that is, and how long.
const OPENING: f64 = 0.6;
const OPENING_WITHIN: usize = 160;
const OPENING_BYTES: usize = 400;
/// What a word in the sentence before counts for one that goes on from it.
const CARRIED_ON: f64 = 0.9;
/// What holding the kind of thing asked for is worth.
const KIND: f64 = 0.5;
/// A second sentence must come this close to the first.
const SECOND_AT_LEAST: f64 = 0.8;
/// And from another passage this close.
const OTHER_PASSAGE_AT_LEAST: f64 = 0.85;
/// One match is clearly better than another from this difference on.
const CLEARLY: f64 = 0.3;

/// What a sentence counts that speaks of another thing than the one asked about.
const CONTRARY: f64 = 0.75;
/// What a sentence of a named article counts that has nothing of the question itself and stands
/// behind the article's beginning.
const CONTINUED: f64 = 0.8;
/// What a sentence counts, and what is left of the confidence, where it speaks of others than those
/// that the question asks for.
const FOR_OTHERS: f64 = 0.4;
const SURELY_OTHERS: f64 = 0.25;
/// A sentence that matches less of the question has nothing of it.
const SILENT: f64 = 0.05;
/// What is left of the confidence where even the best one does, or where the act is not there whose
/// article is asked for.
const DOUBTFUL: f64 = 0.5;

/// What the answer confidence is judged by.
pub type Signals = [f64; weights::SIGNALS];

/// A quoted sentence, row or list item.
#[derive(Clone, Debug, PartialEq)]
pub struct Quoted {
    /// Which piece of evidence it is from.
    pub evidence: usize,
    /// Where it stands in the version's canonical text.
    pub range: ByteRange,
    /// How well it bears on the question, 0 to 1.
    pub score: f64,
    /// Where in the canonical text the words stand that answer; `None` where the whole does.
    pub answer: Option<ByteRange>,
}

impl Quoted {
    /// The quoted words.
    pub(crate) fn text(&self, evidence: &[Evidence]) -> String {
        let item = &evidence[self.evidence];
        let start = self.range.start - item.range.start;
        item.text[start..start + (self.range.end - self.range.start)].to_owned()
    }
}

/// A sentence with the kind of thing asked for goes before the best one if it scores so much of it
/// and matches so much of the question itself.
const KIND_SCORE_LEAST: f64 = 0.6;
const KIND_COVERAGE_LEAST: f64 = 0.75;

/// What can be quoted in answer to a question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quotation {
    /// One to three quotes, the best first; an introduction stands before what it introduces.
    pub quotes: Vec<Quoted>,
    /// How likely the quotes answer the question, 0 to 1: the evidence set's confidence, corrected
    /// by how well a single sentence fits and whether it holds the kind of thing asked for.
    pub confidence: f64,
    /// What the confidence was judged by.
    pub signals: Signals,
    /// What a calibration judges the best quote by.
    pub features: Vec<(&'static str, f64)>,
    /// A source that answers otherwise.
    pub dispute: Option<Dispute>,
}

/// A sentence, row or list item that might answer.
struct Candidate {
    evidence: usize,
    unit: Unit,
    /// The introduction of the list it is an item of, where that says something that it does not.
    introduction: Option<ByteRange>,
    /// How well each concept of the question is matched by the unit, with what stands above and
    /// beside it.
    joined: Vec<f64>,
    /// How well each concept is matched by the unit itself.
    own: Vec<f64>,
    /// Share of the question matched by the unit itself.
    own_coverage: f64,
    /// Share of the question matched by the unit with what stands above and beside it.
    coverage: f64,
    /// How well it holds the kind of thing asked for; `None` if the question names none.
    holds_expected: Option<f64>,
    /// Whether it speaks of another thing than the one asked about.
    contrary: bool,
    /// Of whom it speaks.
    speaks: Speaks,
    score: f64,
}

impl Candidate {
    /// Whether it holds the kind of thing asked for; never if the question names none.
    fn holds_kind(&self) -> bool {
        self.holds_expected.is_some_and(|holds| holds >= 0.5)
    }
}

/// The names of the features that a calibration can judge by.
#[must_use]
pub fn feature_names() -> Vec<&'static str> {
    features::NAMES.to_vec()
}

/// Picks what to quote from the evidence, and says how likely it answers.
#[must_use]
pub fn quote(question: &str, language: Language, found: &EvidenceSet) -> Quotation {
    let mut candidates = candidates(question, language, &found.evidence);
    candidates.sort_by(|a, b| {
        let place = |c: &Candidate| (c.evidence, c.unit.range.start);
        b.score.total_cmp(&a.score).then_with(|| place(a).cmp(&place(b)))
    });
    prefer_kind(&mut candidates);
    keep_current(&mut candidates, &found.evidence);
    let Some(best) = candidates.first() else { return Quotation::default() };
    let focus = focus(question, language);
    let signals = signals(best, found, focus.as_deref());
    let searched = found.evidence.first().map(|first| first.question.as_ref());
    let plain = Question::plain(question, language);
    let weighed = searched.filter(|searched| !searched.concepts.is_empty()).unwrap_or(&plain);
    let asking = Asking::new(question, language, weighed, found, focus);
    let short = asking.short_answer(best);
    let features = asking.features(best, &candidates, short.as_ref());
    let answer = asking.answer(best, short).map(|inside| (best, inside));
    let quotes = choose(&candidates, &found.evidence, answer);
    let dispute = Disputed { question, language, evidence: &found.evidence }.find(&candidates);
    let doubtful = best.contrary || is_elsewhere(best, found);
    let left = match (is_for_others(best, &candidates), doubtful) {
        (true, _) => SURELY_OTHERS,
        (false, true) => DOUBTFUL,
        (false, false) => 1.0,
    };
    let confidence = weights::confidence(&signals) * left;
    Quotation { quotes, confidence, signals, features, dispute }
}

/// Whether the best sentence speaks of others than those that the question asks for, or does not
/// say of whom while one that would be better speaks of others.
fn is_for_others(best: &Candidate, all: &[Candidate]) -> bool {
    let better =
        |other: &Candidate| other.speaks == Speaks::Others && other.score > best.score * FOR_OTHERS;
    match best.speaks {
        Speaks::Them => false,
        Speaks::Nobody => all.iter().any(better),
        Speaks::Others => true,
    }
}

/// Whether the question names an article of an act, and the quote is neither from there nor from
/// anything that goes by the act's name.
fn is_elsewhere(best: &Candidate, found: &EvidenceSet) -> bool {
    let Some(passage) = found.evidence.get(best.evidence).filter(|passage| !passage.named) else {
        return false;
    };
    let concepts = &passage.question.concepts;
    let names_article = concepts.iter().any(|concept| concept.word.starts_with("art_"));
    let mut others = concepts.iter().zip(&best.joined).filter(|(concept, _)| {
        let number = concept.word.starts_with(|c: char| c.is_ascii_digit());
        !concept.weak && !number && !concept.word.contains('_')
    });
    // The name of an act is like no word of another language.
    let foreign = passage.question.language.is_some_and(|own| own != passage.language);
    let unmet = |concept: &Concept, joined: f64| joined < CLEARLY || foreign && !concept.known;
    names_article && others.any(|(concept, joined)| unmet(concept, *joined))
}

/// What answerability is judged by, each between 0 and 1.
fn signals(best: &Candidate, found: &EvidenceSet, focus: Option<&str>) -> Signals {
    let named = found.evidence[best.evidence].named;
    let focused = focus.and_then(|focus| focus_strength(focus, best, found));
    [
        found.signals.coverage,
        found.signals.margin,
        best.coverage,
        best.holds_expected.filter(|_| !named).map_or(0.0, |holds| 1.0 - holds),
        focused.map_or(0.0, |strength| 1.0 - strength),
        f64::from(named),
        found.signals.nearness_lead,
    ]
}

/// How well the word that the question puts forward is matched; `None` if it is no concept of it.
fn focus_strength(focus: &str, best: &Candidate, found: &EvidenceSet) -> Option<f64> {
    let question = &found.evidence.get(best.evidence)?.question;
    let at = question.concepts.iter().position(|concept| concept.word == focus)?;
    best.joined.get(at).copied()
}

/// What is asked, beside its subject.
struct Asks<'a> {
    text: &'a str,
    expected: Option<Expected>,
    place: Place,
    words: Vec<Word>,
    language: Language,
    /// Whether it asks for what is after something.
    after: bool,
    /// Whether the place that it names is found.
    is_placed: bool,
}

fn candidates(text: &str, language: Language, evidence: &[Evidence]) -> Vec<Candidate> {
    let asked = words(text, language);
    let asking = Asks {
        text,
        expected: Expected::of(text, language),
        place: Place::of(text, language),
        after: sister::asks_after(&asked, language),
        words: asked,
        language,
        is_placed: evidence.iter().any(|passage| passage.named),
    };
    let plain = Question::plain(text, language);
    let mut candidates = Vec::new();
    let holds_any = |passage: &Evidence| !passage.text.trim().is_empty();
    let best = evidence.iter().find(|passage| holds_any(passage));
    let best = best.map_or(1.0, |e| e.score.max(f64::MIN_POSITIVE));
    let quotable = evidence.iter().enumerate().filter(|(_, passage)| holds_any(passage));
    for (at, passage) in quotable.take(PASSAGES) {
        // Evidence from elsewhere than a search carries no question.
        let searched = !passage.question.concepts.is_empty();
        let question = if searched { &passage.question } else { &plain };
        let rank = (passage.score / best).clamp(0.0, 1.0);
        let from = candidates.len();
        let whom = Whom::of(text, language, question, asking.expected.as_ref());
        let mut above = above(passage, question);
        if let Some(opening) = opening(passage, evidence) {
            let said = strengths(question, &opening.text, opening.language);
            raise(&mut above, &said, OPENING);
        }
        candidates.extend(of_passage(at, passage, &above, &whom, question, &asking, rank));
        if goes_on(passage, evidence) {
            let silent = candidates[from..].iter_mut().filter(|c| c.own_coverage < SILENT);
            silent.for_each(|candidate| candidate.score *= CONTINUED);
        }
    }
    candidates
}

/// The beginning of a passage's document, where that is found too: a contract names its parties
/// there, a mail its sender, and speaks of them from then on.
fn opening<'a>(passage: &Evidence, evidence: &'a [Evidence]) -> Option<&'a Evidence> {
    let opens = |other: &&Evidence| {
        other.digest == passage.digest
            && other.range.start < OPENING_WITHIN
            && other.range.end <= passage.range.start
            && other.range.end - other.range.start < OPENING_BYTES
    };
    evidence.iter().find(opens)
}

/// Whether a passage at the named place goes on from another one there, which is found too.
fn goes_on(passage: &Evidence, evidence: &[Evidence]) -> bool {
    let before = |other: &Evidence| {
        other.named && other.digest == passage.digest && other.range.start < passage.range.start
    };
    passage.named && evidence.iter().any(before)
}

fn strengths(question: &Question, text: &str, language: Language) -> Vec<f64> {
    question.strengths(&question.hits(&words(text, language), language))
}

fn of_passage(
    at: usize,
    passage: &Evidence,
    above: &[f64],
    whom: &Whom,
    question: &Question,
    asks: &Asks,
    rank: f64,
) -> Vec<Candidate> {
    let units = units(&passage.text, passage.language);
    let own = own_strengths(passage, question, asks, &units);
    let marks = place::marks(&passage.text, &units);
    let placed = asks.place.weights(passage, &units);
    let subject = Subject { question, words: &asks.words, language: asks.language };
    let things = Things::of(asks.text, &asks.words, asks.language, question);
    let things = things.under(&passage.heading_path, passage.language);
    let candidate = |(index, unit): (usize, &Unit)| {
        let joined = joined_strengths(above, &units, &own, index);
        let text = unit.text(&passage.text);
        let expected = asks.expected.as_ref();
        let unmarked = &text[marks[index]..];
        let holds_expected = expected.map(|kind| kind.stands_in(unmarked, passage.language));
        let mut matched = own[index].clone();
        raise(&mut matched, above, 1.0);
        let contrary = subject.is_missed(text, passage.language, &matched)
            || things.are_missed(text, passage.language, &matched, &joined);
        let speaks = whom.spoken_of(text, passage.language, &matched);
        let weight = placed[index]
            * if contrary { CONTRARY } else { 1.0 }
            * if speaks == Speaks::Others { FOR_OTHERS } else { 1.0 };
        let own_coverage = question.coverage(&own[index]);
        let coverage = question.coverage(&joined);
        Candidate {
            evidence: at,
            unit: unit.clone(),
            introduction: adding_introduction(&units, &own, index)
                .or_else(|| continued(&units, &passage.text, index).filter(|_| asks.after)),
            score: score(own_coverage, coverage, holds_expected, rank) * weight,
            joined,
            own: own[index].clone(),
            own_coverage,
            coverage,
            holds_expected,
            contrary,
            speaks,
        }
    };
    units.iter().enumerate().map(candidate).collect()
}

/// How well each unit matches each concept. What stands under a question answers it: the heading's
/// words are each unit's own.
fn own_strengths(
    passage: &Evidence,
    question: &Question,
    asks: &Asks,
    units: &[Unit],
) -> Vec<Vec<f64>> {
    let asked = passage.heading_path.last().filter(|heading| heading.ends_with('?'));
    let asked = asked.map(|heading| strengths(question, heading, passage.language));
    let own_of = |unit: &Unit| {
        let mut own = strengths(question, unit.text(&passage.text), passage.language);
        // Where the named place is found, a mention of it elsewhere says nothing.
        if asks.is_placed {
            let places = question.concepts.iter().zip(&mut own);
            places
                .filter(|(concept, _)| concept.word.contains('_'))
                .for_each(|(_, own)| *own = 0.0);
        }
        raise(&mut own, asked.as_deref().unwrap_or_default(), 1.0);
        own
    };
    let mut own: Vec<Vec<f64>> = units.iter().map(own_of).collect();
    for at in 1..units.len() {
        if asks.after && place::goes_on_from(units[at].text(&passage.text)) {
            let (before, rest) = own.split_at_mut(at);
            raise(&mut rest[0], &before[at - 1], CARRIED_ON);
        }
    }
    own
}

/// The sentence that another one goes on from (`after that …`), without which it is not understood.
fn continued(units: &[Unit], passage: &str, index: usize) -> Option<ByteRange> {
    let before = index.checked_sub(1)?;
    place::goes_on_from(units[index].text(passage)).then_some(units[before].range)
}

/// How well a unit matches each concept together with what stands above and beside it.
fn joined_strengths(above: &[f64], units: &[Unit], own: &[Vec<f64>], index: usize) -> Vec<f64> {
    let mut joined: Vec<f64> = above.iter().map(|strength| strength * HEADING).collect();
    raise(&mut joined, &own[index], 1.0);
    for neighbour in neighbours(units, index) {
        let introduces = units[index].introduction == Some(neighbour);
        raise(&mut joined, &own[neighbour], if introduces { HEADING } else { NEIGHBOUR });
    }
    joined
}

/// How well what stands above the passage matches each concept.
fn above(passage: &Evidence, question: &Question) -> Vec<f64> {
    strengths(question, &passage.above(), passage.language)
}

/// The sentence before, the sentence after, and the introduction of a list.
fn neighbours(units: &[Unit], index: usize) -> impl Iterator<Item = usize> {
    let before = index.checked_sub(1);
    let after = Some(index + 1).filter(|after| *after < units.len());
    before.into_iter().chain(after).chain(units[index].introduction)
}

fn raise(strengths: &mut [f64], other: &[f64], weight: f64) {
    for (strength, other) in strengths.iter_mut().zip(other) {
        *strength = strength.max(other * weight);
    }
}

fn score(own: f64, joined: f64, holds_expected: Option<f64>, rank: f64) -> f64 {
    let fit = 0.6 * own + 0.4 * joined;
    let kind = match holds_expected {
        Some(holds) => KIND * (holds - 0.5),
        None => 0.0,
    };
    ((fit + kind) * (0.35 + 0.65 * rank) / (1.0 + KIND / 2.0)).clamp(0.0, 1.0)
}

/// The best candidate, and others that come close or add what it lacks.
/// Puts a sentence first that holds the kind of thing asked for, if the best one does not and the
/// other speaks of the same thing nearly as fully.
fn prefer_kind(candidates: &mut [Candidate]) {
    let Some(best) = candidates.first().filter(|best| !best.holds_kind()) else { return };
    let (score, own) = (best.score * KIND_SCORE_LEAST, best.own_coverage * KIND_COVERAGE_LEAST);
    let fits = |c: &Candidate| c.holds_kind() && c.score >= score && c.own_coverage >= own;
    if let Some(at) = candidates.iter().position(fits) {
        candidates[..=at].rotate_right(1);
    }
}

fn choose(
    candidates: &[Candidate],
    evidence: &[Evidence],
    answer: Option<(&Candidate, ByteRange)>,
) -> Vec<Quoted> {
    let best = &candidates[0];
    let mut chosen: Vec<&Candidate> = vec![best];
    for other in &candidates[1..] {
        if chosen.len() == QUOTES || other.score < best.score * SECOND_AT_LEAST {
            break;
        }
        let same_passage = other.evidence == best.evidence;
        let least = if same_passage { SECOND_AT_LEAST } else { OTHER_PASSAGE_AT_LEAST };
        let repeats = chosen.iter().any(|c| text(c, evidence) == text(other, evidence));
        let near = other.score >= best.score * least && other.own_coverage > 0.0;
        let kind = other.holds_kind() || !best.holds_kind();
        // Beside the place that was asked for, no other one answers.
        let placed = evidence[other.evidence].named || !evidence[best.evidence].named;
        if near && kind && placed && !repeats && !lacks(best, other) {
            chosen.push(other);
        }
    }
    let mut quotes: Vec<Quoted> = Vec::new();
    for candidate in chosen {
        let introduction = candidate.introduction.filter(|_| quotes.len() + 2 <= QUOTES);
        quotes.extend(introduction.map(|range| quoted(candidate, range, evidence)));
        let range = candidate.unit.range;
        let whole = listed(candidate, evidence);
        let mut quote = quoted(candidate, range, evidence);
        let short = answer.filter(|(holder, _)| std::ptr::eq(*holder, candidate));
        quote.answer = short.map(|(_, inside)| within(quote.range, inside));
        if let Some(list) = whole {
            quote = Quoted { answer: None, ..quoted(candidate, list, evidence) };
        }
        quotes.push(quote);
    }
    dedup(quotes)
}

/// Whether the best quote itself matches a word or number that the other quote lacks, and the other
/// one matches nothing that the best lacks: then it is about something else.
fn lacks(best: &Candidate, other: &Candidate) -> bool {
    let over =
        |a: &Candidate, b: &Candidate| a.own.iter().zip(&b.own).any(|(a, b)| a - b > CLEARLY);
    over(best, other) && !over(other, best)
}

fn text<'a>(candidate: &Candidate, evidence: &'a [Evidence]) -> &'a str {
    candidate.unit.text(&evidence[candidate.evidence].text)
}

/// The introduction of a list item, where it matches what the item does not.
fn adding_introduction(units: &[Unit], own: &[Vec<f64>], index: usize) -> Option<ByteRange> {
    let introduction = units[index].introduction?;
    let mut pairs = own[introduction].iter().zip(&own[index]);
    pairs.any(|(said, own)| *said > *own + 0.3).then_some(units[introduction].range)
}

fn quoted(candidate: &Candidate, range: ByteRange, evidence: &[Evidence]) -> Quoted {
    let begin = evidence[candidate.evidence].range.start;
    let range = ByteRange { start: begin + range.start, end: begin + range.end };
    Quoted { evidence: candidate.evidence, range, score: candidate.score, answer: None }
}

/// A range inside another, in the same text as that.
fn within(outer: ByteRange, inside: ByteRange) -> ByteRange {
    ByteRange { start: outer.start + inside.start, end: outer.start + inside.end }
}

/// The whole list, where the best sentence introduces one: the items are the answer.
fn listed(candidate: &Candidate, evidence: &[Evidence]) -> Option<ByteRange> {
    let passage = &evidence[candidate.evidence];
    let introduces = text(candidate, evidence).ends_with(':');
    let list = introduces
        .then(|| whole::list(&units(&passage.text, passage.language), candidate.unit.range))
        .flatten();
    // Not across what speaks to a model.
    list.filter(|list| passage.attempts.iter().all(|attempt| !list.contains(attempt.range)))
}

fn dedup(quotes: Vec<Quoted>) -> Vec<Quoted> {
    let mut kept: Vec<Quoted> = Vec::new();
    for quote in quotes {
        let same = |k: &Quoted| k.evidence == quote.evidence && k.range.contains(quote.range);
        if !kept.iter().any(same) {
            kept.push(quote);
        }
    }
    kept
}

#[cfg(test)]
mod tests;
