//! Names and parties: who is spoken of, who stands in whose place, who does what to whom, and on
//! what condition.

use allod_corpus::Language;
use allod_retrieval::analysis::is_stop_word;

use super::alignment::{Alignment, Match};
use super::finding::{Finding, Ground};
use super::lexicon::Tag;
use super::polarity::clause_taken;
use super::text::{Mark, Text};

/// Words between two that are laid side by side: more are no replacement but another sentence.
const GAP: usize = 7;

/// All that names, parties and conditions have against the sentence.
pub(super) fn findings(said: &Text, cited: &Text, laid: &Alignment) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(names(said, cited, laid));
    found.extend(parties(said, cited, laid));
    found.extend(replaced(said, cited, laid));
    found.extend(roles(said, cited, laid).or_else(|| turned(said, cited, laid)));
    found.extend(condition(said, cited, laid));
    found.extend(turned_condition(said, cited, laid));
    found
}

/// Names that the cited text does not hold. Outside German a capital letter within a sentence
/// marks a name; in German two capitalised words in a row may be one.
fn names(said: &Text, cited: &Text, laid: &Alignment) -> Vec<Finding> {
    let capital = |at: usize| {
        said.tokens.get(at).is_some_and(|token| token.word.capital && token.is_content())
    };
    let adjacent = |a: usize, b: usize| {
        let (Some(a), Some(b)) = (said.tokens.get(a), said.tokens.get(b)) else { return false };
        said.raw[a.word.range.end..b.word.range.start].trim().is_empty()
    };
    let german = said.language == Language::De;
    let named = |at: usize| {
        let pair = (at > 0 && capital(at - 1) && adjacent(at - 1, at))
            || (capital(at + 1) && adjacent(at, at + 1));
        at > 0 && capital(at) && (!german || pair)
    };
    let known = |at: usize| {
        let token = &said.tokens[at];
        cited.tokens.iter().any(|other| super::alignment::alike(token, other) > 0.0)
    };
    // Another name right behind the same word stands in this one's place.
    let other = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| laid.place(before))?;
        let rival = cited.tokens.get(before + 1)?;
        (rival.word.capital && laid.from[before + 1].is_none()).then_some(before + 1)
    };
    let finding = |at: usize| match other(at) {
        Some(rival) => {
            let (ours, theirs) = (said.shown(at), cited.shown(rival));
            let because = format!("the sentence names {ours}, the cited text {theirs}");
            Finding::new(Ground::Name, 1.5, because)
        }
        None => {
            let because = format!("{} does not stand in the cited text", said.shown(at));
            Finding::new(Ground::Name, 1.0, because)
        }
    };
    (0..said.tokens.len()).filter(|at| named(*at) && !known(*at)).map(finding).collect()
}

/// Parties that the cited sentence does not speak of; another one that it speaks of, and the
/// sentence does not, stands in their place.
fn parties(said: &Text, cited: &Text, laid: &Alignment) -> Vec<Finding> {
    let Some(main) = laid.near.first() else { return Vec::new() };
    let speaks = |party: u16| {
        cited.tokens.iter().any(|other| other.party == Some(party) && other.segment == *main)
    };
    let says = |party: u16| said.tokens.iter().any(|own| own.party == Some(party));
    let other =
        cited.tokens.iter().enumerate().find(|(_, token)| {
            token.segment == *main && token.party.is_some_and(|party| !says(party))
        });
    let mut found = Vec::new();
    for (at, token) in said.tokens.iter().enumerate() {
        let Some(party) = token.party else { continue };
        let same_word =
            matches!(laid.to[at], Match::Same(to, _) if cited.tokens[to].segment == *main);
        // Named twice where the cited sentence names it once, and another one besides.
        let of_main = cited.tokens.iter().filter(|other| other.segment == *main);
        let named = of_main.filter(|other| other.party == Some(party)).count();
        let times = said.tokens[..=at].iter().filter(|own| own.party == Some(party)).count();
        let repeated = named > 0 && times > named && other.is_some();
        if !repeated && (same_word || speaks(party)) {
            continue;
        }
        let ours = said.shown(at);
        let elsewhere = cited.tokens.iter().any(|other| other.party == Some(party));
        // One that stands elsewhere in the cited text may be meant by a pronoun.
        let finding = match other {
            Some((rival, _)) => {
                let theirs = cited.shown(rival);
                let because = format!("the sentence speaks of {ours}, the cited text of {theirs}");
                Finding::new(Ground::OtherParty, if elsewhere { 0.7 } else { 1.0 }, because)
            }
            None => {
                let because = format!("the cited sentence does not speak of {ours}");
                Finding::new(Ground::Party, if elsewhere { 0.3 } else { 1.5 }, because)
            }
        };
        found.push(finding);
    }
    found
}

/// A party that does in the sentence what is done to it in the cited text: it stands on the other
/// side of the same verb, in no passive.
fn turned(said: &Text, cited: &Text, laid: &Alignment) -> Option<Finding> {
    let place = |at: usize| match laid.to[at] {
        Match::Same(to, _) => Some(to),
        _ => None,
    };
    for (at, token) in said.tokens.iter().enumerate().filter(|(_, t)| t.party.is_some()) {
        let Some(to) = place(at) else { continue };
        let (clause, other) = (token.clause, cited.tokens[to].clause);
        let alone = said.tokens.iter().filter(|t| t.party == token.party).count() == 1;
        let plain = has_passive(said, clause) == has_passive(cited, other);
        let (ours, theirs) = (marker(said, at), marker(cited, to));
        let case = said.language != Language::De || (ours != theirs && theirs.is_some());
        if !alone || !plain || !case {
            continue;
        }
        let verb = said.content().find(|(verb, word)| {
            let near = word.clause == clause && at.abs_diff(*verb) <= GAP && *verb != at;
            let hinge = place(*verb).is_some_and(|v| {
                cited.tokens[v].clause == other && (v < to) != (*verb < at) && v.abs_diff(to) <= GAP
            });
            near && hinge && word.party.is_none() && !is_noun(said, *verb)
        });
        if verb.is_some() {
            let because = format!("{} stands in another part", said.shown(at));
            return Some(Finding::new(Ground::Roles, 0.6, because));
        }
    }
    None
}

/// Words in whose place the cited text has others: they stand between words that are laid upon
/// words of the cited text, with words between them that the sentence does not take over.
fn replaced(said: &Text, cited: &Text, laid: &Alignment) -> Vec<Finding> {
    let anchors: Vec<usize> =
        said.content().map(|(at, _)| at).filter(|at| laid.place(*at).is_some()).collect();
    let mut found = Vec::new();
    for (at, token) in said.content() {
        if !matches!(laid.to[at], Match::None) {
            continue;
        }
        let left = anchors.iter().rev().find(|a| **a < at).and_then(|a| laid.place(*a));
        let right = anchors.iter().find(|a| **a > at).and_then(|a| laid.place(*a));
        let Some(range) = between(left, right, cited) else { continue };
        let free = |to: &usize| {
            let other = &cited.tokens[*to];
            other.is_content() && laid.from[*to].is_none() && laid.is_near(other)
        };
        let rivals: Vec<usize> = range.filter(free).collect();
        let noun = is_noun(said, at);
        let alike_in_kind = |to: &&usize| is_noun(cited, **to) == noun;
        let other_party = rivals.iter().find(|to| {
            let theirs = cited.tokens[**to].party;
            token.party.is_some() && theirs.is_some() && theirs != token.party
        });
        let rival = other_party.or_else(|| rivals.iter().find(alike_in_kind));
        let Some(&rival) = rival else { continue };
        let ground = match (other_party, noun) {
            (Some(_), _) => Ground::OtherParty,
            (None, true) => Ground::OtherNoun,
            (None, false) => Ground::OtherWord,
        };
        let (ours, theirs) = (said.shown(at), cited.shown(rival));
        let because = format!("the sentence says {ours}, the cited text {theirs}");
        found.push(Finding::new(ground, token.weight.min(1.0), because));
    }
    found
}

/// The words of the cited text between two places; at an end of the sentence, some before or after.
fn between(
    left: Option<usize>,
    right: Option<usize>,
    cited: &Text,
) -> Option<std::ops::Range<usize>> {
    let range = match (left, right) {
        (Some(left), Some(right)) if right > left && right - left <= GAP => left + 1..right,
        (Some(left), None) => left + 1..(left + GAP).min(cited.tokens.len()),
        (None, Some(right)) => right.saturating_sub(GAP)..right,
        _ => return None,
    };
    let of = right.or(left)?;
    let segment = cited.tokens[of].segment;
    let first = range.clone().find(|at| cited.tokens[*at].segment == segment)?;
    Some(first..range.end)
}

/// German nouns have a capital letter; elsewhere an article or a preposition stands before one.
fn is_noun(text: &Text, at: usize) -> bool {
    let token = &text.tokens[at];
    if text.language == Language::De {
        return token.word.capital;
    }
    let before = at.checked_sub(1).map(|at| &text.tokens[at]);
    token.party.is_some()
        || token.word.capital
        || before.is_some_and(|before| {
            !before.is_content() && is_stop_word(&before.word.folded, text.language)
        })
}

/// The article or preposition before a word, which says what part it plays.
fn marker<'a>(text: &'a Text, at: usize) -> Option<&'a str> {
    let before = (at.saturating_sub(3)..at).rev().map(|at| &text.tokens[at]);
    let clause = text.tokens[at].clause;
    before
        .take_while(|token| token.clause == clause)
        .find(|token| is_stop_word(&token.word.folded, text.language))
        .map(|token| token.word.folded.as_str())
}

/// Two parties whose parts are swapped: their order is turned round, or their markers, and no
/// passive explains it.
fn roles(said: &Text, cited: &Text, laid: &Alignment) -> Option<Finding> {
    let nouns: Vec<(usize, usize)> = said
        .content()
        .filter(|(at, token)| token.party.is_some() || is_noun(said, *at))
        .filter_map(|(at, _)| match laid.to[at] {
            Match::Same(to, likeness) if likeness > 0.75 && laid.from[to] == Some(at) => {
                Some((at, to))
            }
            _ => None,
        })
        .collect();
    for (index, a) in nouns.iter().enumerate() {
        for b in &nouns[index + 1..] {
            if let Some(strength) = swapped(*a, *b, said, cited, laid) {
                let (one, other) = (said.shown(a.0), said.shown(b.0));
                let because = format!("{one} and {other} have changed places");
                return Some(Finding::new(Ground::Roles, strength, because));
            }
        }
    }
    None
}

fn swapped(
    a: (usize, usize),
    b: (usize, usize),
    said: &Text,
    cited: &Text,
    laid: &Alignment,
) -> Option<f64> {
    let (one, other) = (&said.tokens[a.0], &said.tokens[b.0]);
    let (first, second) = (&cited.tokens[a.1], &cited.tokens[b.1]);
    if first.segment != second.segment || a.1 == b.1 {
        return None;
    }
    let both_parties = one.party.is_some() && other.party.is_some();
    if one.clause != other.clause {
        let kept = both_parties && b.1 < a.1 && keeps_order(said, laid, &[a.0, b.0]);
        return kept.then_some(0.9);
    }
    let (x, y) = (marker(said, a.0), marker(said, b.0));
    let (u, v) = (marker(cited, a.1), marker(cited, b.1));
    let turned = b.1 < a.1;
    let exchanged = x != y && x == v && y == u && x.is_some() && y.is_some();
    let kept = x == u && y == v;
    let passive = has_passive(said, one.clause) != has_passive(cited, first.clause);
    if passive {
        return None;
    }
    // Something else that is shared stands between the two in both: a verb, mostly.
    let hinge = (a.0 + 1..b.0).any(|at| {
        said.tokens[at].is_content()
            && laid.place(at).is_some_and(|to| (b.1.min(a.1)..b.1.max(a.1)).contains(&to))
    });
    let weight = if both_parties { 1.0 } else { 0.5 };
    if turned && exchanged {
        return Some(weight);
    }
    let german = said.language == Language::De;
    if turned && kept && german {
        // Both keep their case: only the order of words has changed, or case does not show.
        let ambiguous = x == y || matches!(x, Some("die" | "das" | "eine"));
        return (ambiguous && hinge && both_parties).then_some(0.4);
    }
    if !turned && exchanged && german {
        return Some(weight);
    }
    (turned && hinge && !german).then_some(0.8 * weight)
}

/// Whether the words other than these follow each other as in the cited text.
fn keeps_order(said: &Text, laid: &Alignment, but: &[usize]) -> bool {
    let words = said.content().map(|(at, _)| at).filter(|at| !but.contains(at));
    let places: Vec<usize> = words.filter_map(|at| laid.place(at)).collect();
    let follow = places.windows(2).filter(|pair| pair[0] < pair[1]).count();
    places.len() > 3 && follow * 20 >= (places.len() - 1) * 19
}

fn has_passive(text: &Text, clause: usize) -> bool {
    text.has(clause, Tag::Passive)
}

/// The condition or exception of the cited sentence that the sentence leaves out.
fn condition(said: &Text, cited: &Text, laid: &Alignment) -> Option<Finding> {
    let says = |tag| said.marks.iter().any(|mark| mark.tag == tag);
    let main = laid.near.first()?;
    let limits = |mark: &&Mark| matches!(mark.tag, Tag::Condition | Tag::Exception);
    let ours = said.marks.iter().filter(limits).count();
    let near = |mark: &&Mark| cited.tokens[mark.at].segment == *main;
    let theirs = cited.marks.iter().filter(limits).filter(near).count();
    let left_out = |mark: &&Mark| match mark.tag {
        // A sentence may keep one of two conditions.
        Tag::Condition => ours < theirs,
        Tag::Exception => !says(Tag::Exception),
        _ => false,
    };
    for mark in cited.marks.iter().filter(left_out).filter(near) {
        let clause = cited.tokens[mark.at].clause;
        let (words, taken, rest) = match mark.tag {
            Tag::Exception => excepted(cited, mark, laid),
            _ => {
                let words = cited.content().filter(|(_, token)| token.clause == clause).count();
                (words, clause_taken(cited, clause, laid), 0.0)
            }
        };
        let next = clauses(cited, *main)
            .filter(|other| *other != clause)
            .map(|other| clause_taken(cited, other, laid))
            .fold(rest, f64::max);
        if words > 0 && taken < 0.25 && next > 0.5 {
            let because = format!("the condition `{} …` is left out", cited.shown(mark.at));
            return Some(Finding::new(Ground::Condition, 1.0, because));
        }
    }
    None
}

/// The clauses of a segment.
fn clauses(text: &Text, segment: usize) -> impl Iterator<Item = usize> {
    let of = |token: &&super::text::Token| token.segment == segment;
    let first = text.tokens.iter().find(of).map_or(0, |token| token.clause);
    let last = text.tokens.iter().rev().find(of).map_or(0, |token| token.clause + 1);
    first..last
}

/// A condition that one of the two says does not matter, and an exception that the cited text does
/// not make.
fn turned_condition(said: &Text, cited: &Text, laid: &Alignment) -> Option<Finding> {
    let ours = |tag| said.marks.iter().any(|mark| mark.tag == tag);
    let theirs = |tag| {
        cited.marks.iter().any(|mark| mark.tag == tag && laid.is_near(&cited.tokens[mark.at]))
    };
    // The clause of the condition must be taken over to be turned round.
    let taken = |mark: &&Mark| {
        let of = |clause| clause_taken(cited, clause, laid) > 0.5;
        mark.tag == Tag::Concession
            && laid.is_near(&cited.tokens[mark.at])
            && of(cited.tokens[mark.at].clause)
    };
    let conceded = ours(Tag::Concession) && !theirs(Tag::Concession);
    let lost = !ours(Tag::Concession)
        && ours(Tag::Condition)
        && cited.marks.iter().filter(taken).count() > 0;
    if conceded || lost {
        let because = "a condition that matters in one of the two does not in the other";
        return Some(Finding::new(Ground::Condition, 1.0, because));
    }
    if is_exception_turned(said, cited, laid) {
        let because = "what the cited text excepts is a condition in the sentence";
        return Some(Finding::new(Ground::Condition, 1.0, because));
    }
    let limits = [Tag::Exception, Tag::Condition, Tag::Only, Tag::Negation, Tag::Denial];
    let added = ours(Tag::Exception) && !limits.into_iter().any(theirs);
    added
        .then(|| Finding::new(Ground::Condition, 0.8, "the cited text does not make the exception"))
}

/// `If` for `unless`: the sentence takes over what the cited text excepts, as a condition, with no
/// negation in the place of the exception.
fn is_exception_turned(said: &Text, cited: &Text, laid: &Alignment) -> bool {
    let ours = |tag| said.marks.iter().any(|mark| mark.tag == tag);
    if !ours(Tag::Condition) || ours(Tag::Exception) || ours(Tag::Concession) || ours(Tag::Only) {
        return false;
    }
    let conditions = said.marks.iter().filter(|mark| mark.tag == Tag::Condition);
    let denied = |text: &Text, mark: &Mark| text.denies(text.tokens[mark.at].clause);
    let ours_denied = conditions.into_iter().any(|mark| denied(said, mark));
    let excepts = |mark: &&Mark| mark.tag == Tag::Exception && laid.is_near(&cited.tokens[mark.at]);
    cited.marks.iter().filter(excepts).any(|mark| {
        let (own, next) = (cited.tokens[mark.at].clause, cited.tokens[mark.at].clause + 1);
        let (words, taken, _) = excepted(cited, mark, laid);
        let taken = if words > 0 { taken } else { clause_taken(cited, next, laid) };
        let theirs_denied = cited.denies(own) || words == 0 && cited.denies(next);
        taken > 0.5 && ours_denied == theirs_denied
    })
}

/// What follows a word of exception in its clause: how many words that say something, how much of
/// them the sentence takes over, and how much of what stands before them in the clause.
fn excepted(cited: &Text, mark: &Mark, laid: &Alignment) -> (usize, f64, f64) {
    let clause = cited.tokens[mark.at].clause;
    let share = |after: bool| {
        let words = cited
            .content()
            .filter(|(at, token)| token.clause == clause && (*at >= mark.at) == after);
        let (mut count, mut taken, mut total) = (0, 0.0, 0.0);
        for (at, token) in words {
            count += 1;
            total += token.weight;
            taken += if laid.from[at].is_some() { token.weight } else { 0.0 };
        }
        (count, if total > 0.0 { taken / total } else { 0.0 })
    };
    let ((words, taken), (_, rest)) = (share(true), share(false));
    (words, taken, rest)
}
