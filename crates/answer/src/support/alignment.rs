//! Which words of the cited text stand for the words of a sentence.

use super::text::{Text, Token};

/// Words that begin alike: at least so many letters and this share of the longer word.
const SHARED_LETTERS: usize = 5;
const SHARED_PART: f64 = 0.6;
/// A sentence can rest on so many sentences or list items of the cited text, and each further one
/// must add so much.
const SEGMENTS: usize = 3;
const GAIN: f64 = 0.15;
/// Beginnings that turn a word into its opposite.
const PREFIXES: [&str; 12] =
    ["un", "in", "im", "il", "ir", "non", "nicht", "nun", "dis", "mal", "des", "miss"];

/// How a word of the sentence stands in the cited text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Match {
    /// Not at all.
    None,
    /// At this word, as well as this.
    Same(usize, f64),
    /// By its opposite.
    Opposite(usize),
}

/// A sentence laid upon the part of the cited text that says most of it.
pub(super) struct Alignment {
    /// For each word of the sentence.
    pub(super) to: Vec<Match>,
    /// For each word of the cited text, the word of the sentence that it stands for.
    pub(super) from: Vec<Option<usize>>,
    /// The segments of the cited text that the sentence rests on.
    pub(super) near: Vec<usize>,
    /// How much of the sentence stands in these, by weight.
    pub(super) covered: f64,
    /// How much of it stands anywhere in the cited text.
    pub(super) covered_anywhere: f64,
}

impl Alignment {
    pub(super) fn new(said: &Text, cited: &Text) -> Alignment {
        let (near, covered_anywhere) = nearest(said, cited);
        let mut alignment = Alignment {
            to: vec![Match::None; said.tokens.len()],
            from: vec![None; cited.tokens.len()],
            near,
            covered: 0.0,
            covered_anywhere,
        };
        let mut last = None;
        for (at, token) in said.content() {
            if let Some((to, likeness)) = alignment.best(token, cited, last) {
                alignment.to[at] = Match::Same(to, likeness);
                alignment.from[to].get_or_insert(at);
                last = Some(to);
            }
        }
        alignment.oppose(said, cited);
        let total: f64 = said.content().map(|(_, token)| token.weight).sum();
        let covered: f64 = said.content().map(|(at, token)| token.weight * alignment.at(at)).sum();
        alignment.covered = if total > 0.0 { covered / total } else { 0.0 };
        alignment
    }

    fn at(&self, at: usize) -> f64 {
        match self.to[at] {
            Match::Same(_, likeness) => likeness,
            Match::None | Match::Opposite(_) => 0.0,
        }
    }

    /// Where a word of the sentence stands in the cited text.
    pub(super) fn place(&self, at: usize) -> Option<usize> {
        match self.to.get(at)? {
            Match::Same(to, _) | Match::Opposite(to) => Some(*to),
            Match::None => None,
        }
    }

    pub(super) fn is_near(&self, token: &Token) -> bool {
        self.near.contains(&token.segment)
    }

    /// The best place for a word; of several the one that follows the word before.
    fn best(&self, token: &Token, cited: &Text, last: Option<usize>) -> Option<(usize, f64)> {
        let mut best: Option<(f64, usize, f64)> = None;
        for (to, candidate) in cited.tokens.iter().enumerate() {
            if !candidate.is_content() || !self.is_near(candidate) {
                continue;
            }
            let likeness = alike(token, candidate);
            if likeness == 0.0 {
                continue;
            }
            let step = last.map_or(9, |last: usize| if to > last { to - last } else { 9 });
            let taken = if self.from[to].is_some() { 0.15 } else { 0.0 };
            let value = likeness + 0.1 / step as f64 - taken;
            if best.is_none_or(|(most, _, _)| value > most) {
                best = Some((value, to, likeness));
            }
        }
        best.map(|(_, to, likeness)| (to, likeness))
    }

    /// Words of the sentence whose opposite stands in the cited text.
    fn oppose(&mut self, said: &Text, cited: &Text) {
        for at in 0..said.tokens.len() {
            let main = self.near.first().copied();
            let in_main = |to: usize| Some(cited.tokens[to].segment) == main;
            if matches!(self.to[at], Match::Same(to, _) if in_main(to)) {
                continue;
            }
            let elsewhere = matches!(self.to[at], Match::Same(..));
            let token = &said.tokens[at];
            let is_said =
                |other: &Token| said.tokens.iter().any(|own| own.word.folded == other.word.folded);
            let has_same = cited.tokens.iter().any(|other| {
                self.is_near(other)
                    && !elsewhere
                    && token.sides.iter().any(|side| other.sides.contains(side))
            });
            let found = cited
                .tokens
                .iter()
                .position(|other| self.is_near(other) && opposite(token, other) && !is_said(other));
            if let (false, Some(to)) = (has_same, found) {
                self.to[at] = Match::Opposite(to);
                self.from[to].get_or_insert(at);
            }
        }
    }
}

/// The segments that together say most of the sentence, and how much of it the whole text says.
fn nearest(said: &Text, cited: &Text) -> (Vec<usize>, f64) {
    let count = cited.tokens.last().map_or(0, |token| token.segment + 1);
    let content: Vec<&Token> = said.content().map(|(_, token)| token).collect();
    let total: f64 = content.iter().map(|token| token.weight).sum::<f64>().max(1e-9);
    let mut likeness = vec![vec![0.0_f64; content.len()]; count];
    for (_, other) in cited.content() {
        for (at, token) in content.iter().enumerate() {
            let best = &mut likeness[other.segment][at];
            *best = best.max(alike(token, other));
        }
    }
    let mut figures = vec![0.0; count];
    for figure in cited.figures() {
        if said.figures().any(|own| figure.same(own)) {
            let at = cited.token_at(figure.start()).min(cited.tokens.len() - 1);
            figures[cited.tokens[at].segment] += 0.08 * total;
        }
    }
    let mut held = vec![0.0_f64; content.len()];
    let mut near: Vec<usize> = Vec::new();
    while near.len() < SEGMENTS.min(count) {
        let gain = |segment: usize| {
            let words = content.iter().enumerate();
            let more = words.map(|(at, t)| t.weight * (likeness[segment][at] - held[at]).max(0.0));
            more.sum::<f64>() + if near.is_empty() { figures[segment] } else { 0.0 }
        };
        let gains = (0..count).filter(|segment| !near.contains(segment)).map(|s| (s, gain(s)));
        let Some((segment, gain)) = gains.reduce(|a, b| if b.1 > a.1 { b } else { a }) else {
            break;
        };
        if !near.is_empty() && gain < GAIN * total {
            break;
        }
        held.iter_mut().zip(&likeness[segment]).for_each(|(h, l)| *h = h.max(*l));
        near.push(segment);
    }
    let best = |at: usize| likeness.iter().map(|segment| segment[at]).fold(0.0, f64::max);
    let anywhere: f64 = content.iter().enumerate().map(|(at, t)| t.weight * best(at)).sum();
    (near, anywhere / total)
}

/// How well one word stands for another, 0 to 1.
pub(super) fn alike(a: &Token, b: &Token) -> f64 {
    if a.word.folded == b.word.folded {
        return 1.0;
    }
    if let (Some(ours), Some(theirs)) = (a.party, b.party) {
        return if ours == theirs { 0.95 } else { 0.0 };
    }
    if opposite(a, b) {
        return 0.0;
    }
    if a.word.stem == b.word.stem {
        return 1.0;
    }
    if a.meanings.iter().any(|meaning| b.meanings.contains(meaning)) {
        return 0.9;
    }
    let (x, y) = (&a.word.folded, &b.word.folded);
    let shared = x.bytes().zip(y.bytes()).take_while(|(x, y)| x == y).count();
    let longer = x.len().max(y.len());
    if shared >= SHARED_LETTERS && shared as f64 >= SHARED_PART * longer as f64 {
        return 0.8;
    }
    let (short, long) = if a.word.stem.len() <= b.word.stem.len() { (a, b) } else { (b, a) };
    let (short, long) = (&short.word, &long.word);
    let inside = long.folded.starts_with(&short.stem) || long.stem.ends_with(&short.stem);
    if short.stem.len() >= SHARED_LETTERS && inside { 0.7 } else { 0.0 }
}

/// Whether two words exclude each other.
pub(super) fn opposite(a: &Token, b: &Token) -> bool {
    let excluded = a.sides.iter().any(|(pair, side)| {
        b.sides.iter().any(|(other, opposite)| pair == other && side != opposite)
    });
    excluded || negated(&a.word.stem, &b.word.stem) || negated(&b.word.stem, &a.word.stem)
}

/// `unzulässig` and `zulässig`.
fn negated(long: &str, short: &str) -> bool {
    short.len() >= 4 && long.strip_suffix(short).is_some_and(|prefix| PREFIXES.contains(&prefix))
}
