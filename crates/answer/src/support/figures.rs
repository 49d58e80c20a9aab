//! Numbers, sums, dates, limits and references of a sentence against those of the cited text.

use allod_corpus::Language;

use super::alignment::{Alignment, Match};
use super::finding::{Finding, Ground};
use super::lexicon::Tag;
use super::quantity::{Quantity, Unit, Value, unit_of_word};
use super::text::{Reference, Text};

/// A limit is looked for so many words before a figure, and after it.
const REACH: usize = 4;
const REACH_AFTER: usize = 3;
/// A word of direction belongs to a word that stands at most so far behind it.
const DIRECTION_REACH: usize = 3;
/// A word belongs to a figure that stands at most so far from it.
const ZONE: usize = 8;

/// All that the figures have against the sentence.
pub(super) fn findings(said: &Text, cited: &Text, laid: &Alignment) -> Vec<Finding> {
    let mut found = Vec::new();
    for figure in said.figures() {
        let mut same: Vec<&Quantity> = cited.figures().filter(|other| other.same(figure)).collect();
        if is_of_another_unit(figure, cited, laid) || is_once_too_often(figure, said, cited, laid) {
            same.clear();
        }
        if same.is_empty() {
            found.extend(missing(figure, said, cited, laid));
            continue;
        }
        found.extend(moved(figure, &same, said, cited, laid));
        found.extend(limit(figure, &same, said, cited, laid));
    }
    found.extend(turned_limits(said, cited, laid));
    found.extend(turned_direction(said, cited, laid));
    found.extend(periods(said, cited, laid));
    found.extend(measures(said, cited, laid));
    found.extend(several(said, cited, laid));
    found.extend(references(said, cited, laid));
    found
}

/// Whether the number stands in the part that the sentence rests on with another unit only.
fn is_of_another_unit(figure: &Quantity, cited: &Text, laid: &Alignment) -> bool {
    let Value::Number { value, unit: Some(unit) } = figure.value else { return false };
    let of = |other: &&Quantity| match other.value {
        Value::Number { value: v, unit: Some(_) } => v == value,
        _ => false,
    };
    let mut near = near_figures(cited, laid).filter(of).peekable();
    near.peek().is_some()
        && near
            .all(|other| !matches!(other.value, Value::Number { unit: Some(u), .. } if u == unit))
}

/// Whether the sentence says a number more often than the part that it rests on, which has another
/// one that the sentence does not say.
fn is_once_too_often(figure: &Quantity, said: &Text, cited: &Text, laid: &Alignment) -> bool {
    let plain = |q: &Quantity| matches!(q.value, Value::Number { .. });
    let near = near_figures(cited, laid).filter(|other| other.same(figure)).count();
    let times = said.figures().filter(|other| other.same(figure)).count();
    let other = near_figures(cited, laid)
        .any(|other| plain(other) && !said.figures().any(|own| other.same(own)));
    plain(figure) && near > 0 && times > near && other
}

/// Limits that stand in the sentence one way and in the cited sentence the other, whatever they
/// limit.
fn turned_limits(said: &Text, cited: &Text, laid: &Alignment) -> Option<Finding> {
    let pairs = [(Tag::Least, Tag::Most), (Tag::More, Tag::Less), (Tag::Latest, Tag::Earliest)];
    let ours = |tag| said.marks.iter().any(|mark| mark.tag == tag && mark.length > 0);
    let main = laid.near.first()?;
    let theirs = |tag| {
        cited.marks.iter().any(|mark| mark.tag == tag && cited.tokens[mark.at].segment == *main)
    };
    let opposed = |a, b| ours(a) && !ours(b) && theirs(b) && !theirs(a);
    let found = pairs.into_iter().any(|(a, b)| opposed(a, b) || opposed(b, a));
    found.then(|| Finding::new(Ground::LimitTurned, 0.8, "a limit is turned round"))
}

/// Words of direction that stand one way before a word of the sentence and the other way before the
/// same word of the cited text: `until the decision` for `from the decision on`.
fn turned_direction(said: &Text, cited: &Text, laid: &Alignment) -> Option<Finding> {
    said.content().find_map(|(at, token)| {
        let Match::Same(to, _) = laid.to[at] else { return None };
        let turned = direction(said, at)? != direction(cited, to)?;
        let denied = said.denies(token.clause) || cited.denies(cited.tokens[to].clause);
        let because = format!("the limit at {} is turned round", said.shown(at));
        (turned && !denied).then(|| Finding::new(Ground::LimitTurned, 0.9, because))
    })
}

/// Which way the word of direction points that stands before a word, with nothing between them that
/// says something.
fn direction(text: &Text, at: usize) -> Option<Side> {
    let near = |mark: &&super::text::Mark| {
        let end = mark.at + mark.length;
        is_weak(mark.tag) && end <= at && at - end < DIRECTION_REACH
    };
    let mark = text.marks.iter().filter(near).max_by_key(|mark| mark.at)?;
    let is_next = text.tokens[mark.at + mark.length..at].iter().all(|token| !token.is_content());
    if is_next { tag_side(mark.tag) } else { None }
}

/// A figure that the cited text does not hold; worse where another one stands in its place.
fn missing(figure: &Quantity, said: &Text, cited: &Text, laid: &Alignment) -> Vec<Finding> {
    let ours = figure.shown(said.raw);
    let absent = format!("{ours} does not stand in the cited text");
    let mut found = vec![Finding::new(Ground::MissingFigure, 1.0, absent)];
    let unsaid = |other: &&Quantity| !said.figures().any(|own| other.same(own));
    let other = near_figures(cited, laid).filter(unsaid).find(|other| other.same_kind(figure));
    if let Some(other) = other {
        let theirs = other.shown(cited.raw);
        let because = format!("the sentence says {ours}, the cited text {theirs}");
        found.push(Finding::new(Ground::OtherFigure, 1.0, because));
    }
    found
}

pub(super) fn near_figures<'a>(
    cited: &'a Text,
    laid: &'a Alignment,
) -> impl Iterator<Item = &'a Quantity> {
    cited.figures().filter(|figure| {
        let at = cited.token_at(figure.start());
        cited.tokens.get(at).is_some_and(|token| laid.is_near(token))
    })
}

/// A figure that belongs to something else in the cited text: the sentence has words that stand
/// nearest to another figure of its kind there, and lacks words that stand nearest to this one.
fn moved(
    figure: &Quantity,
    same: &[&Quantity],
    said: &Text,
    cited: &Text,
    laid: &Alignment,
) -> Option<Finding> {
    let ours = figure.shown(said.raw);
    let unsaid = |other: &&Quantity| !said.figures().any(|own| other.same(own));
    let rivals: Vec<&Quantity> =
        near_figures(cited, laid).filter(unsaid).filter(|other| other.same_kind(figure)).collect();
    let rival = rivals.first()?;
    let near: Vec<&&Quantity> = same.iter().filter(|one| is_near(one, cited, laid)).collect();
    let apart = |own: &&&Quantity| {
        let strengths = rivals.iter().map(|rival| swapped(own, rival, said, cited, laid));
        strengths.fold(0.0, f64::max)
    };
    let strength = near.iter().map(apart).fold(1.0, f64::min);
    let theirs = rival.shown(cited.raw);
    let because = format!("the cited text says {theirs} of this, and {ours} of something else");
    (strength > 0.05).then(|| Finding::new(Ground::MovedFigure, strength, because))
}

fn is_near(figure: &Quantity, cited: &Text, laid: &Alignment) -> bool {
    let at = cited.token_at(figure.start());
    cited.tokens.get(at).is_some_and(|token| laid.is_near(token))
}

/// How clearly the sentence speaks of what the rival belongs to and not of what the figure does.
fn swapped(own: &Quantity, rival: &Quantity, said: &Text, cited: &Text, laid: &Alignment) -> f64 {
    let (own_at, rival_at) = (cited.token_at(own.start()), cited.token_at(rival.start()));
    let (mut of_rival, mut lacking) = (0.0, 0.0);
    let segment = cited.tokens[own_at.min(cited.tokens.len() - 1)].segment;
    if cited.tokens.get(rival_at).is_none_or(|token| token.segment != segment) {
        return 0.0;
    }
    let names = cited.figures().filter(|name| matches!(name.value, Value::Name(_)));
    let names = names.map(|name| {
        let taken = said.figures().any(|own| name.same(own));
        (cited.token_at(name.start()), 0.8, taken)
    });
    let words = cited.content().map(|(at, token)| (at, token.weight, laid.from[at].is_some()));
    for (at, weight, taken) in words.chain(names) {
        if cited.tokens.get(at).is_none_or(|token| token.segment != segment) {
            continue;
        }
        let nearer = at.abs_diff(rival_at) < at.abs_diff(own_at);
        match (nearer, taken) {
            (true, true) => of_rival += weight,
            (false, false) if at.abs_diff(own_at) <= ZONE => lacking += weight,
            _ => {}
        }
    }
    f64::min(of_rival, 1.0) * f64::min(lacking, 1.0)
}

/// Times that are said without a number: `every month` where the cited text says `every year`.
fn periods(said: &Text, cited: &Text, laid: &Alignment) -> Option<Finding> {
    let of = |text: &Text, near: &dyn Fn(usize) -> bool| -> Vec<(usize, Unit)> {
        let tokens = text.tokens.iter().enumerate().filter(|(at, _)| near(*at));
        let said = |at: usize, word: &str| text.language != Language::Rm || counts(text, at, word);
        let tokens = tokens.filter(|(at, token)| said(*at, &token.word.folded));
        tokens.filter_map(|(at, token)| Some((at, period(&token.word.folded)?))).collect()
    };
    let theirs = of(cited, &|at| laid.is_near(&cited.tokens[at]));
    let counted =
        |at: usize| at > 0 && (said.tokens[at - 1].word.is_number() || said.is_counted(at));
    let ours = of(said, &|at| !counted(at));
    let (at, _) = ours
        .iter()
        .find(|(_, unit)| !theirs.is_empty() && !theirs.iter().any(|(_, other)| other == unit))?;
    let (ours, theirs) = (said.shown(*at), cited.shown(theirs[0].0));
    let because = format!("the sentence says {ours}, the cited text {theirs}");
    Some(Finding::new(Ground::OtherFigure, 0.8, because))
}

/// Measures that are said without a number: `per tonne` where the cited text says `per kilogram`.
fn measures(said: &Text, cited: &Text, laid: &Alignment) -> Option<Finding> {
    let measure = |text: &Text, at: usize| {
        let counted = at > 0 && (text.tokens[at - 1].word.is_number() || text.is_counted(at));
        let word = &text.tokens[at].word.folded;
        // Signs of one letter are too often something else.
        let unit = unit_of_word(word).filter(|unit| unit.is_measure() && word.len() > 2);
        unit.filter(|_| !counted)
    };
    let ours: Vec<(usize, Unit)> =
        (0..said.tokens.len()).filter_map(|at| Some((at, measure(said, at)?))).collect();
    let near = (0..cited.tokens.len()).filter(|at| laid.is_near(&cited.tokens[*at]));
    let theirs: Vec<(usize, Unit)> =
        near.filter_map(|at| Some((at, measure(cited, at)?))).collect();
    let (other, _) = theirs.first()?;
    let (at, _) = ours.iter().find(|(_, unit)| !theirs.iter().any(|(_, their)| their == unit))?;
    let (ours, theirs) = (said.shown(*at), cited.shown(*other));
    let because = format!("the sentence says {ours}, the cited text {theirs}");
    Some(Finding::new(Ground::OtherFigure, 0.8, because))
}

/// `Several years` where the cited text counts them.
fn several(said: &Text, cited: &Text, laid: &Alignment) -> Option<Finding> {
    let vague = |text: &Text, near: &dyn Fn(usize) -> bool| -> Vec<(usize, Unit)> {
        let some = text.marks.iter().filter(|mark| mark.tag == Tag::Some && near(mark.at));
        some.filter_map(|mark| {
            let last = mark.at + mark.length - 1;
            let word = |at: usize| text.tokens.get(at).and_then(|t| unit_of_word(&t.word.folded));
            let unit = word(last + 1).or_else(|| word(last)).filter(|unit| unit.is_time())?;
            Some((mark.at, unit))
        })
        .collect()
    };
    let theirs = vague(cited, &|at| laid.is_near(&cited.tokens[at]));
    let ours = vague(said, &|_| true);
    let (at, _) = ours.iter().find(|(_, unit)| !theirs.iter().any(|(_, other)| other == unit))?;
    let because = format!("the cited text does not say {} here", said.shown(*at));
    Some(Finding::new(Ground::MissingFigure, 0.8, because))
}

/// Romansh `di` is a day after a word that counts it, and otherwise mostly `says`.
fn counts(text: &Text, at: usize, word: &str) -> bool {
    let before = at.checked_sub(1).map(|at| text.tokens[at].word.folded.as_str());
    word != "di" || matches!(before, Some("per" | "mintga" | "al" | "in" | "il" | "a"))
}

/// The time that a word repeats by: `monthly`, `year`.
pub(super) fn period(word: &str) -> Option<Unit> {
    let begins = |start: &str| word.starts_with(start);
    let unit = match word {
        _ if begins("annu") => Unit::Year,
        _ if begins("mensil") || begins("mensuel") => Unit::Month,
        _ if begins("hebdo") || begins("emnil") => Unit::Week,
        "taglich" | "daily" | "mintgadi" => Unit::Day,
        _ if begins("quotidien") || begins("giornalier") => Unit::Day,
        word => unit_of_word(word)?,
    };
    unit.is_time().then_some(unit)
}

/// Which way a limit lies.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Up,
    Down,
}

fn limit(
    figure: &Quantity,
    same: &[&Quantity],
    said: &Text,
    cited: &Text,
    laid: &Alignment,
) -> Option<Finding> {
    let near: Vec<&&Quantity> = same
        .iter()
        .filter(|other| {
            let at = cited.token_at(other.start());
            cited.tokens.get(at).is_some_and(|token| laid.is_near(token))
        })
        .collect();
    let ours = side(figure, said);
    let theirs: Vec<Option<(Side, Tag)>> = near.iter().map(|other| side(other, cited)).collect();
    if theirs.is_empty() || theirs.iter().any(|other| agrees(ours, *other)) {
        return None;
    }
    let shown = figure.shown(said.raw);
    let turned = ours.zip(theirs[0]).is_some_and(|(a, b)| a.0 != b.0);
    Some(if turned {
        let because = format!("the limit at {shown} is turned round");
        Finding::new(Ground::LimitTurned, 1.0, because)
    } else {
        let weak = [ours, theirs[0]].into_iter().flatten().all(|(_, tag)| is_weak(tag));
        let strength = if weak { 0.3 } else { 1.0 };
        let because = format!("only one of the two makes {shown} a limit");
        Finding::new(Ground::LimitChanged, strength, because)
    })
}

/// Words that also stand before a figure that is no limit.
fn is_weak(tag: Tag) -> bool {
    matches!(
        tag,
        Tag::From
            | Tag::Until
            | Tag::Within
            | Tag::Before
            | Tag::After
            | Tag::Latest
            | Tag::Earliest
    )
}

fn agrees(a: Option<(Side, Tag)>, b: Option<(Side, Tag)>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some((a, _)), Some((b, _))) => a == b,
        _ => false,
    }
}

/// The limit that a figure is: the nearest word before it that says so, or `or more` after it.
fn side(figure: &Quantity, text: &Text) -> Option<(Side, Tag)> {
    let at = text.token_at(figure.start());
    let marks = text.marks.iter().filter_map(|mark| Some((mark, tag_side(mark.tag)?)));
    let distance = |mark: &super::text::Mark| {
        let end = mark.at + mark.length;
        let before = end <= at && at - end < REACH && !text.crosses(end, at);
        let after = mark.at > at && mark.at - at <= REACH_AFTER && mark.length > 1;
        match (before, after) {
            (true, _) => Some(at - end),
            (_, true) => Some(REACH + mark.at - at),
            _ => None,
        }
    };
    marks
        .filter_map(|(mark, side)| Some((distance(mark)?, side, mark.tag)))
        .min_by_key(|(distance, ..)| *distance)
        .map(|(_, side, tag)| match tag {
            // `Not later than 30 days before` is `at least 30 days before`.
            Tag::Latest if text.is_before(at) => (Side::Up, tag),
            Tag::Earliest if text.is_before(at) => (Side::Down, tag),
            _ => (side, tag),
        })
}

impl Text<'_> {
    /// Whether a number in words stands before a unit.
    fn is_counted(&self, at: usize) -> bool {
        let end = self.tokens[at - 1].word.range.clone();
        self.figures().any(|figure| end.contains(&figure.start()))
    }

    /// Whether a time is counted back from something: `30 days before`.
    fn is_before(&self, at: usize) -> bool {
        let near = at + 1..at + 1 + REACH_AFTER;
        self.marks.iter().any(|mark| mark.tag == Tag::Before && near.contains(&mark.at))
    }
}

fn tag_side(tag: Tag) -> Option<Side> {
    match tag {
        Tag::Least | Tag::More | Tag::After | Tag::From | Tag::Earliest => Some(Side::Up),
        Tag::Most | Tag::Less | Tag::Before | Tag::Until | Tag::Within | Tag::Latest => {
            Some(Side::Down)
        }
        _ => None,
    }
}

/// Articles and paragraphs that the sentence names and the cited text does not. Where the part that
/// the sentence rests on names some, they count; where the cited text names none at all, the
/// sentence may name the place itself.
fn references(said: &Text, cited: &Text, laid: &Alignment) -> Option<Finding> {
    let number = |reference: &str| reference.split_once('_').map(|(_, n)| n.to_owned());
    let kind = |reference: &str| reference.split('_').next().map(str::to_owned);
    let near: Vec<&Reference> =
        cited.references.iter().filter(|r| laid.near.contains(&r.segment)).collect();
    // `Art. 8 and 9` names the second article by its number alone.
    let alone = |number: &str, all: bool| {
        cited.tokens.iter().enumerate().any(|(at, token)| {
            (all || laid.is_near(token))
                && token.word.folded == number
                && at > 0
                && !is_place(&cited.tokens[at - 1].word.folded)
        })
    };
    let known = |reference: &String| {
        let digits = number(reference).unwrap_or_default();
        let of_kind = near.iter().any(|r| kind(&r.name) == kind(reference));
        digits.contains('.')
            || near.iter().any(|r| r.name == *reference)
            || (of_kind && alone(&digits, false))
            || !of_kind && cited.references.iter().any(|r| r.name == *reference)
            || (!of_kind && !cited.references.is_empty() && alone(&digits, true))
    };
    let missing = said.references.iter().find(|reference| !known(&reference.name))?;
    let strength = if cited.references.is_empty() { 0.4 } else { 1.0 };
    let name = missing.name.replace('_', " ");
    let because = format!("{name} is not named in the cited text");
    Some(Finding::new(Ground::Reference, strength, because))
}

/// Whether a word announces the number of an article or of a part of one.
fn is_place(word: &str) -> bool {
    let begins = ["art", "abs", "para", "capov", "cpv", "alin", "sect", "satz", "buchst"];
    word == "al" || begins.iter().any(|start| word.starts_with(start))
}
