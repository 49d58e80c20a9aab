//! Negations, duties and choices, quantifiers and opposites of a sentence against those of the
//! clauses of the cited text that it rests on.

use allod_corpus::Language;

use super::alignment::{Alignment, Match};
use super::finding::{Finding, Ground};
use super::lexicon::Tag;
use super::quantity::unit_of_word;
use super::text::{Mark, Text};

/// A negation concerns a word that stands so many words from it.
const REACH: usize = 6;

/// Words that are compared by what they do and not by what they say.
const SETTLED: &[Tag] = &[Tag::Denial, Tag::Least, Tag::Most, Tag::Latest, Tag::Earliest];

/// All that these words have against the sentence.
pub(super) fn findings(said: &Text, cited: &Text, laid: &Alignment) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(added_negations(said, cited, laid));
    found.extend(lost_negations(said, cited, laid));
    found.extend(opposites(said, cited, laid));
    for (clause, counterparts) in counterparts(said, cited, laid) {
        found.extend(modality(said, clause, cited, &counterparts, laid));
    }
    found.extend(quantifiers(said, cited, laid));
    found.extend(untrue(said, cited, laid));
    found
}

/// For each clause of the sentence, the clauses of the cited text that its words stand in, the one
/// with most of them first.
fn counterparts(said: &Text, cited: &Text, laid: &Alignment) -> Vec<(usize, Vec<usize>)> {
    let mut clauses: Vec<(usize, Vec<(usize, f64)>)> = Vec::new();
    for (at, token) in said.content() {
        if clauses.last().is_none_or(|(clause, _)| *clause != token.clause) {
            clauses.push((token.clause, Vec::new()));
        }
        let Some(to) = laid.place(at) else { continue };
        let (_, weights) = clauses.last_mut().expect("one has just been pushed");
        let other = cited.tokens[to].clause;
        match weights.iter_mut().find(|(clause, _)| *clause == other) {
            Some((_, weight)) => *weight += token.weight,
            None => weights.push((other, token.weight)),
        }
    }
    let ordered = |mut weights: Vec<(usize, f64)>| {
        weights.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        weights.into_iter().map(|(clause, _)| clause).collect()
    };
    clauses.into_iter().map(|(clause, weights)| (clause, ordered(weights))).collect()
}

/// The content words that a negation concerns, nearest first: those after it before those before.
fn concerned(text: &Text, mark: &Mark) -> Vec<usize> {
    let clause = text.tokens[mark.at].clause;
    let within = |at: &usize| {
        let token = &text.tokens[*at];
        token.is_content() && token.clause == clause
    };
    let after = mark.at + mark.length..(mark.at + mark.length + REACH).min(text.tokens.len());
    let before = (mark.at.saturating_sub(REACH)..mark.at).rev();
    let (after, before): (Vec<usize>, Vec<usize>) =
        (after.filter(within).take(2).collect(), before.filter(within).take(2).collect());
    after.into_iter().chain(before).collect()
}

fn denials<'a>(
    text: &'a Text,
    near: impl Fn(&Mark) -> bool + 'a,
) -> impl Iterator<Item = &'a Mark> {
    text.marks
        .iter()
        .filter(|mark| matches!(mark.tag, Tag::Negation | Tag::Without | Tag::Denial))
        .filter(move |mark| near(mark))
}

/// Negations of the sentence where the cited text has none.
fn added_negations(said: &Text, cited: &Text, laid: &Alignment) -> Vec<Finding> {
    let because = "the sentence denies what the cited text affirms";
    let mut found = Vec::new();
    for mark in denials(said, |_| true) {
        let clause = said.tokens[mark.at].clause;
        if !said.denies(clause) {
            continue;
        }
        let words = concerned(said, mark);
        let matched: Vec<usize> = words.iter().filter_map(|at| laid.place(*at)).collect();
        let opposed = words.iter().any(|at| matches!(laid.to[*at], Match::Opposite(_)));
        if opposed {
            continue;
        }
        // `If not` says what `unless` says.
        let says = |text: &Text, clause: usize, tag| text.has(clause, tag);
        let excepted = says(said, clause, Tag::Condition)
            && matched.iter().any(|to| says(cited, cited.tokens[*to].clause, Tag::Exception));
        let denied =
            excepted || matched.iter().take(2).any(|to| cited.denies(cited.tokens[*to].clause));
        match matched.is_empty() {
            _ if denied => {}
            true => found.push(Finding::new(Ground::NegationLoose, 1.0, because)),
            false => found.push(Finding::new(Ground::Negation, 1.0, because)),
        }
    }
    found
}

/// Negations of the cited text that the sentence leaves out of what it takes over.
fn lost_negations(said: &Text, cited: &Text, laid: &Alignment) -> Vec<Finding> {
    let because = "the sentence affirms what the cited text denies";
    let near = |mark: &Mark| laid.is_near(&cited.tokens[mark.at]);
    let mut found = Vec::new();
    for mark in denials(cited, near) {
        if !cited.denies(cited.tokens[mark.at].clause) {
            continue;
        }
        let words = concerned(cited, mark);
        let taken: Vec<Option<usize>> = words.iter().map(|at| laid.from[*at]).collect();
        let opposed = |at: &usize| matches!(laid.to[*at], Match::Opposite(_));
        let said_so = |at: &usize| said.denies(said.tokens[*at].clause);
        let matched: Vec<usize> = taken.iter().flatten().copied().collect();
        if matched.is_empty() || matched.iter().any(|at| opposed(at) || said_so(at)) {
            continue;
        }
        let whole = clause_taken(cited, cited.tokens[mark.at].clause, laid);
        match (taken.first(), whole) {
            (Some(Some(_)), _) => found.push(Finding::new(Ground::Negation, 1.0, because)),
            (_, share) if share > 0.5 => found.push(Finding::new(Ground::Negation, 0.7, because)),
            _ => found.push(Finding::new(Ground::NegationLoose, 0.5, because)),
        }
    }
    found
}

/// A sentence that says of what the cited text says that it does not hold.
fn untrue(said: &Text, cited: &Text, laid: &Alignment) -> Option<Finding> {
    let says = |text: &Text, near: &dyn Fn(usize) -> bool| {
        text.marks.iter().any(|mark| mark.tag == Tag::Untrue && near(mark.at))
    };
    let theirs = says(cited, &|at| laid.is_near(&cited.tokens[at]));
    let because = "the sentence says that what the cited text says does not hold";
    (says(said, &|_| true) && !theirs).then(|| Finding::new(Ground::Untrue, 1.0, because))
}

/// How much of a clause of the cited text the sentence takes over, by weight.
pub(super) fn clause_taken(cited: &Text, clause: usize, laid: &Alignment) -> f64 {
    let (mut taken, mut total) = (0.0, 0.0);
    for (at, token) in cited.content().filter(|(_, token)| token.clause == clause) {
        total += token.weight;
        if laid.from[at].is_some() {
            taken += token.weight;
        }
    }
    if total > 0.0 { taken / total } else { 0.0 }
}

/// Words that stand for their opposites, unless a negation turns one of the two round.
fn opposites(said: &Text, cited: &Text, laid: &Alignment) -> Vec<Finding> {
    let pair = |(at, place): (usize, &Match)| {
        let Match::Opposite(to) = *place else { return None };
        let (ours, theirs) = (&said.tokens[at], &cited.tokens[to]);
        // Words that deny, and limits of figures, have been compared as such.
        let settled = said.is_tagged(at, SETTLED) || cited.is_tagged(to, SETTLED);
        if settled || said.denies(ours.clause) != cited.denies(theirs.clause) {
            return None;
        }
        let (ours, theirs) = (said.shown(at), cited.shown(to));
        let because = format!("the sentence says {ours}, the cited text {theirs}");
        Some(Finding::new(Ground::Opposite, 1.0, because))
    };
    laid.to.iter().enumerate().filter_map(pair).collect()
}

/// What a clause says of duty and choice.
#[derive(Clone, Copy, PartialEq)]
struct Mood {
    must: usize,
    may: usize,
    should: bool,
    exempt: bool,
    denied: bool,
}

impl Mood {
    fn of(text: &Text, clauses: &[usize]) -> Mood {
        let count = |tag| {
            let marks = clauses.iter().flat_map(|clause| text.tags_of(*clause));
            marks.filter(|mark| mark.tag == tag).count()
        };
        let has = |tag| count(tag) > 0;
        Mood {
            must: count(Tag::Must),
            may: count(Tag::May),
            should: has(Tag::Should),
            exempt: has(Tag::Exempt),
            denied: has(Tag::Negation),
        }
    }

    fn is_plain(self) -> bool {
        self.must + self.may == 0 && !self.should && !self.exempt
    }
}

fn modality(
    said: &Text,
    clause: usize,
    cited: &Text,
    counterparts: &[usize],
    laid: &Alignment,
) -> Option<Finding> {
    let main = counterparts.first()?;
    let ours = Mood::of(said, &[clause]);
    let mut theirs = Mood::of(cited, &[*main]);
    if theirs.is_plain() {
        // The verb of a long sentence may stand beyond a comma.
        theirs = Mood::of(cited, counterparts);
        if theirs.is_plain() && !ours.is_plain() {
            let near = |c: &usize| cited.tokens.iter().any(|t| t.clause == *c && laid.is_near(t));
            let last = cited.tokens.last().map_or(0, |token| token.clause);
            let all: Vec<usize> = (0..=last).filter(near).collect();
            theirs = Mood { denied: theirs.denied, ..Mood::of(cited, &all) };
        }
    }
    compare(ours, theirs, said.language == Language::De)
}

fn compare(ours: Mood, theirs: Mood, german: bool) -> Option<Finding> {
    let confused = "a duty and a choice are confused";
    let reversed = (ours.must > theirs.must && ours.may < theirs.may)
        || (ours.may > theirs.may && ours.must < theirs.must);
    let exemption = |a: Mood, b: Mood| a.exempt && !b.exempt && b.denied && b.must + b.may > 0;
    if exemption(ours, theirs) || exemption(theirs, ours) {
        let because = "to be free of a duty and to be forbidden are confused";
        return Some(Finding::new(Ground::Exemption, 1.0, because));
    }
    // `must not` and `may not` forbid alike; `muss nicht` does not forbid.
    if ours.denied && theirs.denied && !german {
        return None;
    }
    if reversed {
        return Some(Finding::new(Ground::Modality, 1.0, confused));
    }
    let duty = |mood: Mood| mood.must > 0 && !mood.should;
    if (ours.should && duty(theirs)) || (theirs.should && duty(ours)) {
        return Some(Finding::new(Ground::ModalityLoose, 0.6, confused));
    }
    let choice = |mood: Mood| mood.may > 0 && mood.must == 0;
    let loose = (choice(ours) && theirs.is_plain()) || (choice(theirs) && ours.is_plain());
    let same = ours.denied == theirs.denied;
    (loose && same).then(|| Finding::new(Ground::ModalityLoose, 1.0, confused))
}

/// `all`, `some` and `only`, each against the word that it stands with.
fn quantifiers(said: &Text, cited: &Text, laid: &Alignment) -> Vec<Finding> {
    let groups = [Tag::All, Tag::Some, Tag::Only];
    let mut found = Vec::new();
    let ours = |tag| said.marks.iter().any(|mark| mark.tag == tag && !counts_time(said, mark));
    let theirs = |tag| {
        cited.marks.iter().any(|mark| mark.tag == tag && laid.is_near(&cited.tokens[mark.at]))
    };
    let taken = |tag| {
        let marks = cited.marks.iter().filter(|mark| mark.tag == tag);
        marks.filter(|mark| !counts_time(cited, mark)).any(|mark| {
            let token = &cited.tokens[mark.at];
            laid.is_near(token)
                && concerned(cited, mark).first().is_some_and(|at| laid.from[*at].is_some())
        })
    };
    let opposed = (ours(Tag::All) && !ours(Tag::Some) && taken(Tag::Some) && !theirs(Tag::All))
        || (ours(Tag::Some) && !ours(Tag::All) && taken(Tag::All) && !theirs(Tag::Some));
    if opposed {
        found.push(Finding::new(Ground::Quantifier, 1.0, "all and some are confused"));
        return found;
    }
    for tag in groups {
        let word = match tag {
            Tag::All => "all",
            Tag::Some => "some",
            _ => "only",
        };
        if ours(tag) && !theirs(tag) {
            let because = format!("the sentence says `{word}`, the cited text does not");
            found.push(Finding::new(Ground::QuantifierLoose, 1.0, because));
        }
        if !ours(tag) && taken(tag) && tag != Tag::All {
            let because = format!("the cited text says `{word}`, the sentence does not");
            let strength = if tag == Tag::Only { 0.8 } else { 0.5 };
            found.push(Finding::new(Ground::QuantifierLoose, strength, because));
        }
    }
    found
}

/// `every year` says how often, not of how many.
fn counts_time(text: &Text, mark: &Mark) -> bool {
    let next = text.tokens.get(mark.at + mark.length);
    next.is_some_and(|token| unit_of_word(&token.word.folded).is_some())
}
