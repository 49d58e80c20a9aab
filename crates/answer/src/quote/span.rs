//! The words within a sentence that answer: a number, a date, a name, a place, or the words that
//! the question leaves open.

mod weights;

use allod_corpus::{ByteRange, Language};
use allod_retrieval::analysis::{Word, is_stop_word, words};

use super::asked::Asked;
use crate::support::quantity::{Quantity, Value, quantities};

/// A longer one is no short answer.
const LONGEST_WORDS: usize = 9;
/// Small words that may stand inside one.
const SMALL_WORDS: usize = 3;
/// Matched words further away than this are not near.
const FAR_WORDS: usize = 20;

pub(super) type SpanFeatures = [f64; weights::FEATURES];

/// A short answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    /// Where it stands in the sentence.
    pub(super) range: ByteRange,
    pub(super) features: SpanFeatures,
    /// How well it fits; comparable within one sentence and between them.
    pub(super) score: f64,
    /// How far it is ahead of the next that does not overlap it.
    pub(super) lead: f64,
    /// Whether it is of the kind asked for, 0 to 1.
    pub(super) kind: f64,
    /// Words from it to the nearest word of the question.
    pub(super) distance: f64,
    /// How many words it has.
    pub(super) words: usize,
}

/// What a short answer is judged beside.
pub(super) struct Wanted<'a> {
    pub(super) asked: Asked,
    /// Stems of the question's words that tell, with their weights.
    pub(super) terms: &'a [(String, f64)],
    /// The word put forward: `which company`.
    pub(super) focus: Option<&'a str>,
}

/// A word of the sentence.
struct Token {
    word: Word,
    small: bool,
    /// How much it tells, if it is a word of the question.
    asked: Option<f64>,
    number: bool,
    /// A year, a month, a weekday, a time.
    date: bool,
    /// Whether a sign that parts stands before it.
    parted: bool,
    bracketed: bool,
}

/// The short answers of a sentence, best first.
pub(super) fn spans(wanted: &Wanted, text: &str, language: Language) -> Vec<Span> {
    let tokens = tokens(wanted, text, language);
    let mut spans: Vec<Span> = Vec::new();
    for start in 0..tokens.len() {
        for end in start + 1..=(start + LONGEST_WORDS).min(tokens.len()) {
            if end - start > 1 && tokens[end - 1].parted && !date_goes_on(&tokens, end - 1) {
                break;
            }
            if may_be(&tokens[start..end]) {
                spans.push(span(wanted, &tokens, start, end));
            }
        }
    }
    spans.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then_with(|| a.range.start.cmp(&b.range.start))
    });
    lead(&mut spans);
    spans
}

/// `March 3, 1990`.
fn date_goes_on(tokens: &[Token], at: usize) -> bool {
    tokens[at].date && tokens[at - 1].number
}

fn may_be(tokens: &[Token]) -> bool {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return false };
    let small = tokens.iter().filter(|token| token.small && !token.number).count();
    let ends = |token: &Token| !token.small || token.number;
    ends(first) && ends(last) && small <= SMALL_WORDS && tokens.iter().any(|t| t.asked.is_none())
}

/// How far the best one is ahead of the next that says something else.
fn lead(spans: &mut [Span]) {
    let Some(best) = spans.first() else { return };
    let (range, score) = (best.range, best.score);
    let apart = |span: &&Span| span.range.end <= range.start || span.range.start >= range.end;
    let next = spans.iter().find(apart).map_or(0.0, |span| span.score);
    spans[0].lead = score - next;
}

fn tokens(wanted: &Wanted, text: &str, language: Language) -> Vec<Token> {
    let found = quantities(text, language);
    let mut end = 0;
    let mut depth = 0_i32;
    let plain = words(text, language).into_iter().filter(|word| !word.folded.contains('_'));
    plain
        .map(|word| {
            let between = &text[end.min(word.range.start)..word.range.start];
            end = word.range.end;
            depth += between.matches(['(', '[']).count() as i32;
            depth -= between.matches([')', ']']).count() as i32;
            let asked = wanted.terms.iter().find(|(stem, _)| *stem == word.stem);
            let here = found.iter().filter(|q| word.range.contains(&q.start()));
            Token {
                small: is_stop_word(&word.folded, language) || word.folded.len() < 2,
                asked: asked.map(|(_, weight)| *weight),
                number: word.is_number() || here.clone().count() > 0,
                date: here.clone().any(is_date),
                parted: between.contains(|c: char| ",;:()[]–—\"“”«»?!".contains(c))
                    || between.contains(". "),
                bracketed: depth > 0,
                word,
            }
        })
        .collect()
}

pub(super) fn is_date(quantity: &Quantity) -> bool {
    match quantity.value {
        Value::Name(_) => true,
        Value::Number { value, unit: None } => {
            (1000..2100).contains(&(value / 10_000)) && value % 10_000 == 0
        }
        Value::Number { .. } | Value::Ordinal(_) => false,
    }
}

fn span(wanted: &Wanted, tokens: &[Token], start: usize, end: usize) -> Span {
    let inside = &tokens[start..end];
    let range =
        ByteRange { start: inside[0].word.range.start, end: tokens[end - 1].word.range.end };
    let kind = kind(wanted, tokens, start, end);
    let features = features(wanted, tokens, start, end, kind);
    let score = features.iter().zip(weights::WEIGHTS).map(|(x, w)| x * w).sum();
    let away = |at: usize| distance(at, start, end);
    let asked = tokens.iter().enumerate().filter(|(at, t)| t.asked.is_some() && away(*at) > 0);
    let distance = asked.map(|(at, _)| away(at)).min().unwrap_or(FAR_WORDS).min(FAR_WORDS);
    Span { range, features, score, lead: 0.0, kind, distance: distance as f64, words: end - start }
}

/// Words from a place to the span, 0 inside.
fn distance(at: usize, start: usize, end: usize) -> usize {
    if at < start { start - at } else { (at + 1).saturating_sub(end) }
}

/// Whether it is of the kind asked for.
fn kind(wanted: &Wanted, tokens: &[Token], start: usize, end: usize) -> f64 {
    let inside = &tokens[start..end];
    let number = inside.iter().any(|token| token.number);
    let date = inside.iter().any(|token| token.date);
    let name = is_name(tokens, start, end);
    // `King Charles in 911` holds a date, but is none.
    let mixed = inside.iter().any(|token| token.word.capital && !token.date && !token.number);
    match wanted.asked {
        Asked::When if date && mixed => 0.2,
        Asked::When if date => 1.0,
        Asked::When if number => 0.5,
        Asked::HowMany => f64::from(number),
        Asked::Who => f64::from(name && !number),
        Asked::Where if name && !date => 1.0,
        Asked::Where => 0.3,
        Asked::When => 0.0,
        _ => 0.5,
    }
}

/// Whether all words but small ones are written as names, and not only for beginning the sentence.
fn is_name(tokens: &[Token], start: usize, end: usize) -> bool {
    let telling = || tokens[start..end].iter().filter(|token| !token.small);
    telling().count() > 0
        && telling().all(|token| !token.date)
        && telling().all(|token| token.word.capital || token.word.is_number())
        && (start > 0 || end > 1)
}

fn features(
    wanted: &Wanted,
    tokens: &[Token],
    start: usize,
    end: usize,
    kind: f64,
) -> SpanFeatures {
    let inside = &tokens[start..end];
    let count = |is: &dyn Fn(&Token) -> bool| inside.iter().filter(|t| is(t)).count() as f64;
    let edge = |at: Option<usize>, parted: bool| {
        let token = at.and_then(|at| tokens.get(at));
        token.is_none_or(|t| parted || t.small || t.asked.is_some())
    };
    let closed_before = edge(start.checked_sub(1), inside[0].parted);
    let closed_after = edge(Some(end), tokens.get(end).is_some_and(|t| t.parted));
    let near = |reach: usize| {
        let asked = tokens.iter().enumerate().filter(|(at, _)| distance(*at, start, end) > 0);
        let near = asked.filter_map(|(at, t)| Some((distance(at, start, end), t.asked?)));
        near.filter(|(away, _)| *away <= reach).map(|(away, w)| w / (1.0 + away as f64)).sum()
    };
    let focus = wanted.focus.and_then(|f| tokens.iter().position(|t| t.word.folded == f));
    let to_focus = focus.map(|at| distance(at, start, end));
    let all: f64 = tokens.iter().filter_map(|token| token.asked).sum();
    let number = count(&|t| t.number);
    let name = f64::from(is_name(tokens, start, end));
    let length = inside.len() as f64;
    let wants_words = matches!(wanted.asked, Asked::Why | Asked::How | Asked::What | Asked::Other);
    let preceded = |list: &[&str]| {
        let before = start.checked_sub(1).map(|at| tokens[at].word.folded.as_str());
        f64::from(before.is_some_and(|before| list.contains(&before)))
    };
    let asked = |asked: Asked| f64::from(wanted.asked == asked);
    [
        kind,
        near(FAR_WORDS) / all.max(1.0),
        near(3),
        f64::from(closed_before),
        f64::from(closed_after),
        f64::from(closed_before && closed_after),
        f64::from(inside.len() == 1),
        f64::from(inside.len() == 2),
        f64::from(inside.len() > 4),
        length,
        count(&|t| t.small),
        count(&|t| t.asked.is_some()),
        name,
        f64::from(number > 0.0),
        f64::from(number > 0.0) * f64::from(!matches!(wanted.asked, Asked::When | Asked::HowMany)),
        name * f64::from(wants_words),
        name * asked(Asked::Which),
        length * asked(Asked::Why),
        length * asked(Asked::How),
        f64::from(to_focus.is_some_and(|away| (1..=2).contains(&away))),
        f64::from(to_focus == Some(0)),
        f64::from(inside.iter().any(|t| t.bracketed)),
        start as f64 / tokens.len() as f64,
        preceded(PLACES) * asked(Asked::Where),
        preceded(MEANS) * asked(Asked::How),
        preceded(CAUSES) * asked(Asked::Why),
        preceded(AGENTS) * asked(Asked::Who),
        f64::from(start > 0 && tokens[start - 1].word.capital && inside[0].word.capital),
        f64::from(tokens.get(end).is_some_and(|t| t.word.capital && inside[0].word.capital)),
        f64::from(inside.iter().skip(1).any(|t| t.parted)),
    ]
}

const PLACES: &[&str] = &["in", "at", "from", "near", "to", "nach", "aus", "bei", "a", "en", "da"];
const MEANS: &[&str] = &["by", "through", "using", "via", "durch", "mit", "par", "con", "tras"];
const CAUSES: &[&str] = &["because", "to", "for", "due", "weil", "wegen", "car", "per", "perche"];
const AGENTS: &[&str] = &["by", "von", "durch", "par", "da", "dal", "dalla", "da"];

#[cfg(test)]
mod tests {
    use super::*;

    fn best(asked: Asked, terms: &[&str], text: &str, language: Language) -> String {
        let terms: Vec<(String, f64)> = terms
            .iter()
            .flat_map(|term| words(term, language))
            .map(|word| (word.stem, 1.0))
            .collect();
        let wanted = Wanted { asked, terms: &terms, focus: None };
        let span = spans(&wanted, text, language).into_iter().next();
        span.map_or_else(String::new, |s| text[s.range.start..s.range.end].to_owned())
    }

    #[test]
    fn numbers_names_and_dates_are_found() {
        use Language::{De, En};
        let text = "Their leader Rollo swore fealty to King Charles III in 911.";
        assert!(best(Asked::When, &["fealty", "swore"], text, En).contains("911"));
        assert_eq!(best(Asked::Who, &["leader"], text, En), "Rollo");
        let text = "Für den Hund sind höchstens 40 Franken zu zahlen.";
        assert!(best(Asked::HowMany, &["Hund", "zahlen"], text, De).contains("40"));
        assert_eq!(best(Asked::What, &[], "", De), "");
    }
}
