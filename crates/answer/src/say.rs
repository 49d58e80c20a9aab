//! The text that the person who asked reads.

use allod_policy::Outcome;
use allod_retrieval::{Evidence, EvidenceSet};

use crate::case::Case;
use crate::reason;
use crate::wording::{Wording, fill, wording};

/// A long question would otherwise fill the refusal with its own words.
const TERMS_SHOWN_MAX: usize = 8;

/// The reply's text: the draft when it is answered, else what happened instead and why.
pub(crate) fn reply(case: &Case, outcome: Outcome, review: Option<&str>) -> String {
    let words = wording(case.language);
    match outcome {
        Outcome::Answered => case.draft.as_ref().map(|d| d.text.clone()).unwrap_or_default(),
        Outcome::Refused => refusal(case, words),
        Outcome::Escalated => handed_on(words.escalated, case, review),
        Outcome::HumanReview => handed_on(words.human_review, case, review),
    }
}

fn handed_on(text: &str, case: &Case, review: Option<&str>) -> String {
    let because = reason::deciding(&case.decision, case.language);
    fill(text, &[("because", &because), ("review", review.unwrap_or_default())])
}

/// An honest refusal says what was searched and what came nearest. A rule that forbids the answer
/// says so instead.
fn refusal(case: &Case, words: &Wording) -> String {
    let found = case.found.as_ref().filter(|_| !forbidden(case));
    let Some(found) = found else {
        let because = reason::deciding(&case.decision, case.language);
        return fill(words.refused, &[("because", &because)]);
    };
    if found.searched.documents == 0 {
        return words.empty.into();
    }
    let answered_evidence = case.decision.outcome == Outcome::Answered || case.draft.is_some();
    let mut text = match answered_evidence {
        true => words.unsupported.to_owned(),
        false => not_found(found, words),
    };
    if let Some(nearest) = found.evidence.first() {
        text.push(' ');
        text.push_str(&fill(words.nearest, &[("nearest", &name(nearest))]));
    }
    text
}

/// Whether a rule forbids the answer, rather than nothing being found to answer with.
fn forbidden(case: &Case) -> bool {
    let decided = case.decision.rules.first().filter(|_| case.decision.outcome == Outcome::Refused);
    decided.is_some_and(|rule| {
        !["retrieval.", "answer.", "answers."].iter().any(|p| rule.id.starts_with(p))
    })
}

fn not_found(found: &EvidenceSet, words: &Wording) -> String {
    let searched = &found.searched;
    let terms: Vec<&str> =
        searched.terms.iter().take(TERMS_SHOWN_MAX).map(String::as_str).collect();
    fill(
        words.not_found,
        &[
            ("documents", &searched.documents.to_string()),
            ("passages", &searched.passages.to_string()),
            ("date", &searched.on.to_string()),
            ("terms", &terms.join(", ")),
        ],
    )
}

fn name(evidence: &Evidence) -> String {
    match evidence.place.as_str() {
        "" => format!("«{}»", evidence.title),
        place => format!("«{}», {place}", evidence.title),
    }
}
