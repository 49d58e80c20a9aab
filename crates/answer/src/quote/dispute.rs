//! Another source that is in force, answers the same question, and says otherwise.

use allod_corpus::Language;
use allod_retrieval::Evidence;
use allod_retrieval::analysis::{is_stop_word, is_weak_word, words};
use std::cmp::Reverse;

use super::expected::{Expected, without_marker};
use super::{CLEARLY, Candidate, Quoted, quoted, text};
use crate::support::Matter;
use crate::support::dispute::{Class, Pair};

/// A source answers the question only if so much of it is matched.
const COVERAGE_LEAST: f64 = 0.6;
/// The other source matches so much of what the quoted one does.
const OTHER_COVERAGE: f64 = 0.9;
/// So many of the best sentences are held against the one that is quoted.
const COMPARED: usize = 12;

/// Two places that answer the question differently.
#[derive(Clone, Debug, PartialEq)]
pub struct Dispute {
    /// What is quoted first.
    pub quoted: Quoted,
    /// What says otherwise.
    pub other: Quoted,
    /// What they do not agree in.
    pub matter: Matter,
}

/// A question, and the evidence that may answer it.
pub(super) struct Disputed<'a> {
    pub(super) question: &'a str,
    pub(super) language: Language,
    pub(super) evidence: &'a [Evidence],
}

impl Disputed<'_> {
    /// The best sentence of another source that does not agree with the best of all.
    pub(super) fn find(&self, candidates: &[Candidate]) -> Option<Dispute> {
        let best = candidates.first().filter(|best| best.coverage >= COVERAGE_LEAST)?;
        let expected = Expected::of(self.question, self.language);
        let asked = expected.as_ref().map_or(Some(&[][..]), classes)?;
        let fits = |other: &&Candidate| self.may_dispute(best, other);
        let others = candidates.iter().skip(1).filter(fits).take(COMPARED);
        others.into_iter().find_map(|other| {
            let matter = self.differ(best, other, asked)?;
            let place = |c: &Candidate| quoted(c, c.unit.range, self.evidence);
            Some(Dispute { quoted: place(best), other: place(other), matter })
        })
    }

    /// Whether a sentence is of another source and answers the same question as fully.
    fn may_dispute(&self, best: &Candidate, other: &Candidate) -> bool {
        let (source, another) = (&self.evidence[best.evidence], &self.evidence[other.evidence]);
        let fully = other.coverage >= best.coverage * OTHER_COVERAGE;
        let kind = other.holds_kind() || !best.holds_kind();
        let lacks = |a: &Candidate, b: &Candidate| {
            a.joined.iter().zip(&b.joined).any(|(a, b)| a - b > CLEARLY)
        };
        are_two_sources(source, another)
            && source.language == another.language
            && fully
            && kind
            && !lacks(best, other)
            && !lacks(other, best)
    }

    fn differ(&self, best: &Candidate, other: &Candidate, asked: &[Class]) -> Option<Matter> {
        let language = self.evidence[best.evidence].language;
        let known = words(self.question, self.language);
        let is_known = |folded: &str| {
            let little = is_stop_word(folded, language) || is_weak_word(folded, language);
            little || known.iter().any(|word| word.folded == folded)
        };
        let said = |candidate: &Candidate| self.said(candidate, language);
        let (one, other) = (said(best), said(other));
        Pair { one: &one, other: &other, language, asked }.differs(&is_known)
    }

    /// A sentence without its number, after the heading if the heading says what it is about.
    fn said(&self, candidate: &Candidate, language: Language) -> String {
        let own = without_marker(text(candidate, self.evidence), language);
        let leans =
            candidate.joined.iter().zip(&candidate.own).any(|(all, own)| all - own > CLEARLY);
        let heading = self.evidence[candidate.evidence].heading_path.last().filter(|_| leans);
        heading.map_or_else(|| own.to_owned(), |heading| format!("{heading}: {own}"))
    }
}

/// Of two states of one document that answer alike, the later one is current: it goes first, and
/// what the earlier ones say is not quoted.
pub(super) fn keep_current(candidates: &mut Vec<Candidate>, evidence: &[Evidence]) {
    let Some(best) = candidates.first() else { return };
    let as_full = |c: &Candidate| {
        c.coverage >= best.coverage * OTHER_COVERAGE && c.holds_kind() == best.holds_kind()
    };
    let later = candidates.iter().enumerate().filter(|(_, c)| {
        is_earlier_state(&evidence[best.evidence], &evidence[c.evidence]) && as_full(c)
    });
    // Of several later states the latest; of its sentences the best.
    let latest = later.min_by_key(|(at, c)| (Reverse(evidence[c.evidence].valid_from), *at));
    if let Some((at, _)) = latest {
        candidates[..=at].rotate_right(1);
    }
    let current = candidates[0].evidence;
    candidates.retain(|c| !is_earlier_state(&evidence[c.evidence], &evidence[current]));
}

/// Whether a passage is of an earlier state of the document that the other is of: the same place
/// under the same title, in force from an earlier day.
fn is_earlier_state(one: &Evidence, other: &Evidence) -> bool {
    let place = |e: &Evidence| (e.title.clone(), e.place.clone(), e.language);
    let earlier = one.valid_from.zip(other.valid_from).is_some_and(|(one, other)| one < other);
    earlier && one.path != other.path && place(one) == place(other)
}

/// Whether two passages are of different sources that hold at one time. Of two with one title the
/// later one has taken the other's place.
fn are_two_sources(one: &Evidence, other: &Evidence) -> bool {
    let copies = one.copies.iter().chain(&other.copies);
    let is_copy = copies.into_iter().any(|c| c.path == one.path || c.path == other.path);
    let states = one.title == other.title && one.valid_from != other.valid_from;
    one.path != other.path && one.digest != other.digest && !is_copy && !states
}

/// The kinds of figures that a question asks for; `None` where it asks for none.
fn classes(expected: &Expected) -> Option<&'static [Class]> {
    use Class::{Bare, Measure, Month, Percent, Period, Sum, Time};
    match expected {
        Expected::Amount | Expected::Figure => Some(&[Sum, Percent]),
        Expected::Count(_) => Some(&[Bare]),
        Expected::Measure(_) => Some(&[Bare, Measure, Period]),
        Expected::When => Some(&[Bare, Month, Time]),
        Expected::Duration => Some(&[Period, Time]),
        Expected::Name(_) | Expected::Who(_) | Expected::Contact => None,
    }
}
