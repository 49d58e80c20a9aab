//! The scan: all recognisers over a text, and what becomes of findings that overlap.

use std::ops::Range;

use crate::features::Seen;
use crate::finding::{Finding, How, settle};
use crate::fold::Folded;
use crate::gazetteer::{COMMON, COUNTRY, FAMILY, FLAT, FORM, GIVEN, Known, ORDINARY, STREET, TOWN};
use crate::kept::{Again, Change, Kept, Sign};
use crate::kind::Kind;
use crate::label::{Label, kind};
use crate::tagger::{BUILT_IN, Tagger};
use crate::token::{Token, TokenClass, Words};
use crate::{date, features, identifiers, licence, network, phone, plate};

/// Longest piece that the tagger looks at as one, in tokens: its memory stays bounded.
const PIECE: usize = 4096;

/// Finds personal data in a text: in order, none overlapping. The time is linear in the text.
#[must_use]
pub fn scan(text: &str) -> Vec<Finding> {
    scan_keeping(text).0
}

/// The same, with what was seen.
pub(crate) fn scan_keeping(text: &str) -> (Vec<Finding>, Kept) {
    scan_where(text, &BUILT_IN, None)
}

/// Numbers with a checksum only.
pub(crate) fn numbers(text: &str) -> Vec<Finding> {
    let mut found = identifiers::find(&Folded::new(text));
    found.retain(|one| one.kind.is_checked());
    found
}

/// As [`scan`], with a tagger that [`crate::train`] made.
///
/// # Errors
/// `None` when the bytes are no tagger.
#[must_use]
pub fn scanner(tagger: &[u8]) -> Option<impl Fn(&str) -> Vec<Finding>> {
    let tagger = Tagger::read(tagger)?;
    Some(move |text: &str| scan_where(text, &tagger, None).0)
}

/// Finds personal data in a text that was scanned before it was changed at these places, in order.
/// The tagger, which goes by what stands close by, looks at what is near them only, and there at
/// what is not as it was.
pub(crate) fn scan_changed(text: &str, changes: &[Change], before: &Kept) -> (Vec<Finding>, Kept) {
    scan_where(text, &BUILT_IN, Some((changes, before)))
}

fn scan_where(
    text: &str,
    tagger: &Tagger,
    changed: Option<(&[Change], &Kept)>,
) -> (Vec<Finding>, Kept) {
    let folded = Folded::new(text);
    let words = Words::of(&folded);
    let tokens = words.tokens();
    let mut found = by_rules(&folded, &tokens);
    let windows = match changed {
        Some((changes, _)) => near(&folded, &tokens, changes),
        None => std::iter::once(0..tokens.len()).collect(),
    };
    // Pieces of a longer text would have to be found again too.
    let mut kept = Kept::default();
    if tokens.len() <= PIECE {
        kept.signs = Sign::all(&folded, &tokens);
    }
    let again = changed.filter(|(_, before)| !before.signs.is_empty() && !kept.signs.is_empty());
    let again = again.map(|(changes, before)| before.again(&kept.signs, changes));
    let read = Read { folded: &folded, tokens: &tokens, again: again.as_ref() };
    found.extend(read.tagged(&found, (tagger, &windows), &mut kept));
    if kept.known.is_empty() {
        // Nothing was looked at, so nothing can be known again.
        kept = Kept::default();
    }
    (settle(found), kept)
}

/// How many tokens beside a change are looked at again. What the tagger sees of a token reaches
/// three of them far, the rest is for names that go on.
const NEAR: usize = 24;

/// The tokens near changes: ranges in order that do not touch.
fn near(folded: &Folded, tokens: &[Token], changes: &[Change]) -> Vec<Range<usize>> {
    let byte = |token: &Token| folded.letters[token.start].start;
    let mut windows: Vec<Range<usize>> = Vec::new();
    for change in changes.iter().map(|change| &change.is) {
        let first = tokens.partition_point(|token| byte(token) < change.start);
        let after = tokens.partition_point(|token| byte(token) < change.end);
        let (from, to) = (first.saturating_sub(NEAR), (after + NEAR).min(tokens.len()));
        match windows.last_mut().filter(|last| from <= last.end) {
            Some(last) => last.end = to,
            None => windows.push(from..to),
        }
    }
    windows
}

fn by_rules(folded: &Folded, tokens: &[Token]) -> Vec<Finding> {
    let mut found = identifiers::find(folded);
    found.extend(network::find(folded));
    found.extend(phone::find(folded));
    found.extend(plate::find(folded, tokens));
    found.extend(date::find(folded, tokens));
    found.extend(licence::find(folded, tokens));
    found
}

/// What recognisers take each token for: what the tagger sees of it.
pub(crate) fn taken(folded: &Folded, tokens: &[Token]) -> Vec<Option<Kind>> {
    by_token(folded, tokens, &by_rules(folded, tokens))
}

fn by_token(folded: &Folded, tokens: &[Token], found: &[Finding]) -> Vec<Option<Kind>> {
    let settled = settle(found.to_vec());
    let mut rest = settled.iter().peekable();
    let mut kinds = Vec::with_capacity(tokens.len());
    for token in tokens {
        let bytes = folded.bytes(token.start..token.end);
        while rest.peek().is_some_and(|one| one.range.end <= bytes.start) {
            rest.next();
        }
        kinds.push(rest.peek().filter(|one| one.range.start < bytes.end).map(|one| one.kind));
    }
    kinds
}

/// A text as it is read, with what was seen of it before it was changed.
struct Read<'a> {
    folded: &'a Folded,
    tokens: &'a [Token<'a>],
    again: Option<&'a Again<'a>>,
}

impl Read<'_> {
    /// Findings of the tagger in some of the tokens: ranges in order.
    fn tagged(
        &self,
        found: &[Finding],
        (tagger, windows): (&Tagger, &[Range<usize>]),
        kept: &mut Kept,
    ) -> Vec<Finding> {
        let kinds = by_token(self.folded, self.tokens, found);
        let mut all = Vec::new();
        for from in (0..self.tokens.len()).step_by(PIECE) {
            let to = (from + PIECE).min(self.tokens.len());
            let within = windows.iter().map(|window| window.start.max(from)..window.end.min(to));
            let within = within.filter(|window| window.start < window.end);
            let within: Vec<_> = within.map(|one| one.start - from..one.end - from).collect();
            if !within.is_empty() {
                let piece = (&self.tokens[from..to], &kinds[from..to]);
                all.extend(self.tagged_piece(piece, (tagger, &within), kept));
            }
        }
        all
    }

    fn tagged_piece(
        &self,
        (piece, kinds): (&[Token], &[Option<Kind>]),
        (tagger, within): (&Tagger, &[Range<usize>]),
        kept: &mut Kept,
    ) -> Vec<Finding> {
        let (seen, known) = features::seen_near((piece, kinds), within, self.again);
        let mut scores = match self.again {
            Some(again) => again.scores(&seen),
            None => vec![None; piece.len()],
        };
        let mut all = Vec::new();
        for window in within {
            let labels = tagger.tag(&seen, window.clone(), &mut scores);
            let moved = spans(&labels).into_iter().map(|(range, kind, lead)| {
                (range.start + window.start..range.end + window.start, kind, lead)
            });
            all.extend(moved.filter_map(|span| finding(self.folded, piece, &seen, span)));
        }
        (kept.seen, kept.known, kept.scores) = (seen, known, scores);
        all
    }
}

/// What the tagger takes tokens for, if they can be that.
fn finding(
    folded: &Folded,
    piece: &[Token],
    seen: &[Seen],
    (range, kind, lead): (Range<usize>, Kind, i32),
) -> Option<Finding> {
    let words = trimmed(piece, range);
    if words.is_empty() || !plausible(kind, &piece[words.clone()], &seen[words.clone()]) {
        return None;
    }
    let range = folded.bytes(piece[words.start].start..piece[words.end - 1].end);
    Some(Finding { range, kind, score: sureness(lead), how: How::Tagger })
}

/// Tokens, the kind that labels give them, and the lead of the first.
fn spans(labels: &[(Label, i32)]) -> Vec<(Range<usize>, Kind, i32)> {
    let mut all: Vec<(Range<usize>, Kind, i32)> = Vec::new();
    let mut last = None;
    for (index, (label, lead)) in labels.iter().enumerate() {
        let now = kind(*label);
        match (now, all.last_mut()) {
            (Some((kind, false)), Some(open)) if last == Some(kind) => open.0.end = index + 1,
            (Some((kind, _)), _) => all.push((index..index + 1, kind, *lead)),
            (None, _) => {}
        }
        last = now.map(|(kind, _)| kind);
    }
    all
}

/// Without line ends and marks at the end.
fn trimmed(tokens: &[Token], range: Range<usize>) -> Range<usize> {
    let mut end = range.end;
    while end > range.start
        && (tokens[end - 1].class == TokenClass::Lines
            || matches!(tokens[end - 1].word, "," | ";" | ":" | ">"))
    {
        end -= 1;
    }
    range.start..end
}

/// Whether words can be what the tagger takes them for at all.
fn plausible(kind: Kind, tokens: &[Token], seen: &[Seen]) -> bool {
    let digits: usize =
        tokens.iter().map(|t| t.word.bytes().filter(u8::is_ascii_digit).count()).sum();
    let known = |bits: Known| seen.iter().any(|one| one.known & bits != 0);
    let words = || tokens.iter().zip(seen).filter(|(token, _)| token.class == TokenClass::Word);
    let ordinary = || words().all(|(_, seen)| seen.known & (ORDINARY | COMMON) != 0);
    match kind {
        Kind::Person => words().count() > 0 && (!ordinary() || known(GIVEN | FAMILY)),
        Kind::Place | Kind::Organization => !ordinary() || known(TOWN | COUNTRY | FORM),
        Kind::Address => digits > 0 || known(STREET | FLAT | TOWN),
        Kind::PostalCode => digits >= 2,
        Kind::Phone => digits >= 6 && !tokens.iter().any(|token| token.class == TokenClass::Lines),
        Kind::Age => (1..=3).contains(&digits) || digits == 0,
        _ => true,
    }
}

/// A score from a lead: below what has the form and words beside it, above a mere form.
fn sureness(lead: i32) -> f32 {
    let lead = lead.max(0) as f32;
    0.62 + 0.12 * lead / (lead + 100.0)
}

#[cfg(test)]
mod tests;
