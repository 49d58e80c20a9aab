//! Small differences in a sentence that is taken over almost word for word: there, one word of
//! duty, number, denial, limit or condition in the place of another was put there for a reason.

use allod_corpus::Language;

use super::alignment::Alignment;
use super::figures::period;
use super::finding::{Finding, Ground};
use super::lexicon::Tag;
use super::numerals;
use super::quantity::{Unit, is_one, unit_of_word};
use super::text::{Mark, Text};

/// A run of words that only one of the two has is a slip of so many words at most; a longer one is
/// another clause.
const LONGEST: usize = 6;
/// How much of the words must follow each other as in the cited text.
const ALMOST_ALL: f64 = 0.6;
/// Texts with more words than this are not laid side by side.
const MOST_WORDS: usize = 400;
/// A unit stands in the place of another one where so many words stand between the same words.
const PLACE: usize = 3;

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

/// The word that was slipped in or left out, and the unit in the place of another one, if any.
pub(super) fn findings(said: &Text, cited: &Text, laid: &Alignment) -> Vec<Finding> {
    let (ours, theirs) = (said.tokens.len(), near(cited, laid));
    if ours == 0 || ours.max(theirs.len()) > MOST_WORDS {
        return Vec::new();
    }
    let pairs = common(said, ours, cited, &theirs);
    if (pairs.len() as f64) < ALMOST_ALL * ours as f64 {
        return Vec::new();
    }
    let slipped = slip(said, cited, &theirs, &pairs);
    slipped.into_iter().chain(exchanged(said, cited, &theirs, &pairs)).collect()
}

/// A word that decides, put in or left out.
fn slip(said: &Text, cited: &Text, theirs: &[usize], pairs: &[(usize, usize)]) -> Option<Finding> {
    let ours = 0..said.tokens.len();
    let (own, other) = apart(ours.len(), theirs.len(), pairs);
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

/// What a word counts by, or how many it says.
#[derive(Clone, Copy, PartialEq)]
enum Measure {
    Unit(Unit),
    Count(i64),
}

/// A unit, currency, period or number in words that stands between the same words as another one
/// does in the cited text: `each month` for `each year`, though both have months elsewhere.
fn exchanged(
    said: &Text,
    cited: &Text,
    theirs: &[usize],
    pairs: &[(usize, usize)],
) -> Option<Finding> {
    let ends = (said.tokens.len(), theirs.len());
    let after = std::iter::once(None).chain(pairs.iter().map(Some));
    let before = pairs.iter().copied().chain(std::iter::once(ends));
    after.zip(before).find_map(|(after, (x, y))| {
        let (i, j) = after.map_or((0, y.saturating_sub(x)), |pair| (pair.0 + 1, pair.1 + 1));
        let y = if x == ends.0 { y.min(j + (x - i)) } else { y };
        if i >= x || j >= y || x - i > PLACE || y - j > PLACE {
            return None;
        }
        let own: Vec<(usize, Measure)> = (i..x).filter_map(|at| measure(said, at)).collect();
        let held: Vec<(usize, Measure)> =
            theirs[j..y].iter().filter_map(|at| measure(cited, *at)).collect();
        let (ours, other) = differ(&own, &held)?;
        let (ours, other) = (said.shown(ours), cited.shown(other));
        let because = format!("the sentence says {ours}, the cited text {other}");
        Some(Finding::new(Ground::Slip, 1.0, because))
    })
}

fn measure(text: &Text, at: usize) -> Option<(usize, Measure)> {
    let word = text.tokens[at].word.folded.as_str();
    // Romansh `di` mostly says, and counts no days.
    let says = text.language == Language::Rm && word == "di";
    if let Some(unit) = period(word).or_else(|| unit_of_word(word)).filter(|_| !says) {
        return Some((at, Measure::Unit(unit)));
    }
    let count = match is_one(word, text.language) {
        true => 1,
        false => numerals::number(&[word], text.language)?.0,
    };
    Some((at, Measure::Count(count)))
}

/// The two words that differ, where one thing does: `one year` is `twelve months`.
fn differ(own: &[(usize, Measure)], held: &[(usize, Measure)]) -> Option<(usize, usize)> {
    let unit = |all: &[(usize, Measure)]| {
        all.iter().copied().find(|(_, what)| matches!(what, Measure::Unit(_)))
    };
    let count = |all: &[(usize, Measure)]| {
        all.iter().copied().find(|(_, what)| matches!(what, Measure::Count(_)))
    };
    let apart = |pair: Option<((usize, Measure), (usize, Measure))>| {
        pair.filter(|(ours, theirs)| ours.1 != theirs.1).map(|(ours, theirs)| (ours.0, theirs.0))
    };
    let units = apart(unit(own).zip(unit(held)));
    let counts = apart(count(own).zip(count(held)));
    match (units, counts) {
        (Some(_), Some(_)) => None,
        (units, counts) => units.or(counts),
    }
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
