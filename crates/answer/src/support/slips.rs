//! Small differences in a sentence that is taken over almost word for word: there, one word of
//! duty, number, denial, limit or condition in the place of another was put there for a reason.

use allod_corpus::Language;

use super::alignment::Alignment;
use super::finding::{Finding, Ground};
use super::lexicon::Tag;
use super::text::{Mark, Text};

/// A run of words that only one of the two has is a slip of so many words at most; a longer one is
/// another clause.
const LONGEST: usize = 6;
/// How much of the words must follow each other as in the cited text.
const ALMOST_ALL: f64 = 0.6;
/// Texts with more words than this are not laid side by side.
const MOST_WORDS: usize = 400;

/// What a word does to a sentence, roughly: words that do the same stand for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Deny,
    Exempt,
    Must,
    Should,
    May,
    All,
    Some,
    Only,
    Condition,
    Concession,
    Exception,
    Up,
    Down,
}

const TURNS: usize = Turn::Down as usize + 1;

/// How many words of each kind one side has more than the other: the claim's less the text's.
type Balance = [i32; TURNS];

/// The word that was slipped in or left out, if any.
pub(super) fn findings(said: &Text, cited: &Text, laid: &Alignment) -> Option<Finding> {
    let (ours, theirs) = (0..said.tokens.len(), near(cited, laid));
    if ours.is_empty() || ours.len().max(theirs.len()) > MOST_WORDS {
        return None;
    }
    let pairs = common(said, ours.end, cited, &theirs);
    if (pairs.len() as f64) < ALMOST_ALL * ours.len() as f64 {
        return None;
    }
    let (own, other) = apart(ours.len(), theirs.len(), &pairs);
    let other: Vec<usize> = other.into_iter().map(|at| theirs[at]).collect();
    let mut balance = balance(said, &own, cited, &other);
    // What stands in a longer run of words that only one of the two has may have been moved there.
    let left = |count: usize, held: Vec<usize>, short: &[usize]| -> Vec<usize> {
        (0..count).filter(|at| !held.contains(at) && !short.contains(at)).collect()
    };
    let own_rest = left(ours.end, pairs.iter().map(|pair| pair.0).collect(), &own);
    let mut other_rest = left(theirs.len(), pairs.iter().map(|pair| pair.1).collect(), &[]);
    other_rest.iter_mut().for_each(|at| *at = theirs[*at]);
    other_rest.retain(|at| !other.contains(at));
    cancel(&mut balance, said, &own_rest, cited, &other_rest);
    let what = slipped(&balance, said.language == Language::De)?;
    let shown = |text: &Text, words: &[usize]| {
        let marked = words.iter().find(|at| turn_at(text, **at).is_some());
        marked.map(|at| text.shown(*at).to_owned())
    };
    let because = match (shown(said, &own), shown(cited, &other)) {
        (Some(ours), Some(theirs)) => format!("the sentence says {ours}, the cited text {theirs}"),
        (Some(ours), None) => format!("the sentence says {ours}, the cited text does not"),
        (None, Some(theirs)) => format!("the cited text says {theirs}, the sentence does not"),
        (None, None) => "a word that decides was changed".to_owned(),
    };
    Some(Finding::new(Ground::Slip, what, because))
}

/// The words of the part of the cited text that the sentence rests on, in their order.
fn near(cited: &Text, laid: &Alignment) -> Vec<usize> {
    (0..cited.tokens.len()).filter(|at| laid.is_near(&cited.tokens[*at])).collect()
}

/// The longest run of words, not next to each other by need, that both have in the same order.
fn common(said: &Text, count: usize, cited: &Text, theirs: &[usize]) -> Vec<(usize, usize)> {
    let same =
        |i: usize, j: usize| said.tokens[i].word.folded == cited.tokens[theirs[j]].word.folded;
    let width = theirs.len() + 1;
    let mut best = vec![0_u16; (count + 1) * width];
    for i in (0..count).rev() {
        for j in (0..theirs.len()).rev() {
            best[i * width + j] = if same(i, j) {
                best[(i + 1) * width + j + 1] + 1
            } else {
                best[(i + 1) * width + j].max(best[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < count && j < theirs.len() {
        if same(i, j) {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if best[(i + 1) * width + j] >= best[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// The words of short gaps between the words that both have: those of the sentence, and those of
/// the cited text. At both ends of the sentence only its own words count, as it may be a part.
fn apart(ours: usize, theirs: usize, pairs: &[(usize, usize)]) -> (Vec<usize>, Vec<usize>) {
    let (mut own, mut other) = (Vec::new(), Vec::new());
    let (mut i, mut j) = (0, pairs.first().map_or(0, |pair| pair.1));
    let ends = pairs.last().map_or((ours, theirs), |pair| (ours, pair.1 + 1));
    for &(x, y) in pairs.iter().chain(std::iter::once(&ends)) {
        if x - i.min(x) <= LONGEST && y - j.min(y) <= LONGEST {
            own.extend(i..x);
            other.extend(j..y);
        }
        (i, j) = (x + 1, y + 1);
    }
    // What stands right before the first shared word or after the last one stood in its place.
    if let (Some(first), Some(last)) = (pairs.first(), pairs.last()) {
        other.extend(first.1.saturating_sub(first.0.min(LONGEST))..first.1);
        let after = (ours - last.0 - 1).min(LONGEST);
        other.extend(last.1 + 1..(last.1 + 1 + after).min(theirs));
    }
    (own, other)
}

fn balance(said: &Text, own: &[usize], cited: &Text, other: &[usize]) -> Balance {
    let mut balance = [0; TURNS];
    for (text, words, one) in [(said, own, 1), (cited, other, -1)] {
        for mark in text.marks.iter().filter(|mark| is_within(mark, words)) {
            if let Some(turn) = turn(mark) {
                balance[turn as usize] += one;
            }
        }
    }
    balance
}

/// Takes off what the other side has elsewhere.
fn cancel(balance: &mut Balance, said: &Text, own: &[usize], cited: &Text, other: &[usize]) {
    for (text, words, one) in [(said, own, 1), (cited, other, -1)] {
        for mark in text.marks.iter().filter(|mark| is_within(mark, words)) {
            let Some(turn) = turn(mark) else { continue };
            let held = &mut balance[turn as usize];
            if held.signum() == -one {
                *held += one;
            }
        }
    }
}

/// A phrase counts where one of its words was put in or left out.
fn is_within(mark: &Mark, words: &[usize]) -> bool {
    words.iter().any(|at| (mark.at..mark.at + mark.length).contains(at))
}

fn turn_at(text: &Text, at: usize) -> Option<Turn> {
    let holds = |mark: &&Mark| (mark.at..mark.at + mark.length).contains(&at);
    text.marks.iter().filter(holds).find_map(turn)
}

fn turn(mark: &Mark) -> Option<Turn> {
    Some(match mark.tag {
        Tag::Negation | Tag::Without | Tag::Denial => Turn::Deny,
        Tag::Exempt => Turn::Exempt,
        Tag::Must => Turn::Must,
        Tag::Should => Turn::Should,
        Tag::May => Turn::May,
        Tag::All => Turn::All,
        Tag::Some => Turn::Some,
        Tag::Only => Turn::Only,
        Tag::Condition => Turn::Condition,
        Tag::Concession => Turn::Concession,
        Tag::Exception => Turn::Exception,
        Tag::Least | Tag::More | Tag::Earliest => Turn::Up,
        Tag::Most | Tag::Less | Tag::Latest => Turn::Down,
        _ => return None,
    })
}

/// How clearly the difference of these words turns the sentence round; `None` where they come to
/// the same.
fn slipped(balance: &Balance, german: bool) -> Option<f64> {
    let of = |turn: Turn| balance[turn as usize];
    let exchanged = |a: Turn, b: Turn| of(a) * of(b) < 0;
    let denied = of(Turn::Deny) % 2 != 0 && !exchanged(Turn::Deny, Turn::Exempt);
    // `May not` and `must not` forbid alike, and so do words that forbid by themselves.
    let moods = [Turn::Must, Turn::Should, Turn::May];
    let clear = denied && moods.iter().all(|mood| of(*mood) == 0)
        || exchanged(Turn::Must, Turn::May) && (german || of(Turn::Deny) == 0)
        || of(Turn::Exempt) != 0 && of(Turn::Deny) != 0 && of(Turn::Must) == 0
        || of(Turn::Concession) != 0
        || exchanged(Turn::All, Turn::Some)
        || exchanged(Turn::Up, Turn::Down)
        || of(Turn::Only) != 0 && of(Turn::Exception) == 0 && of(Turn::Condition) == 0;
    let advice = exchanged(Turn::Should, Turn::Must) || exchanged(Turn::Should, Turn::May);
    let half = denied
        || of(Turn::All) != 0 && of(Turn::Deny) != 0
        || of(Turn::Some) != 0
        || of(Turn::Exception) != 0 && of(Turn::Condition) == 0;
    match (clear || advice, half) {
        (true, _) => Some(1.0),
        (_, true) => Some(0.6),
        _ => None,
    }
}
