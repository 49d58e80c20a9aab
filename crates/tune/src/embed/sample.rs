//! Batches: groups of pairs from one act or one novel, so that the others of a group are hard to
//! tell from the right one.

use super::contrast::Keys;
use super::random::Random;
use super::words::{Act, Reader, Side, Text};
use super::works::Kind;
use allod_lm::{Bag, gather};

/// Of the groups, how many come from acts by heading, from acts by paragraph, from prose and from
/// aligned lines.
const SHARES: [f32; 4] = [0.55, 0.2, 0.15, 0.1];
/// Of the acts, how many are Swiss, German, European and Romansh, and how often it is the
/// declaration.
const KINDS: [(Kind, f32); 5] = [
    (Kind::Swiss, 0.6),
    (Kind::German, 0.1),
    (Kind::European, 0.18),
    (Kind::Romansh, 0.12),
    (Kind::Declaration, 0.04),
];
/// Of the groups by heading, how many ask across languages.
const ACROSS: f32 = 0.5;
/// Of the groups by heading, how many leave out the titles of the act.
const UNTITLED: f32 = 0.35;
/// Of the passages with a title in the question, how many have it too.
const TITLED: f32 = 0.85;
/// Of the passages that are too long, how many are cut after their beginning.
const FROM_START: f32 = 0.7;
/// Words of a question cut from prose: at least, and how many more at most.
const SPAN: [usize; 2] = [4, 8];
/// Of the words of such a question, how many stay.
const SPAN_KEPT: f32 = 0.7;
/// Of the passages of prose, how many lack the words of the question.
const SPAN_REMOVED: f32 = 0.3;

/// What a batch is like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) pairs: usize,
    /// Pairs from one act at most.
    pub(super) group: usize,
    /// Words of a passage at most, its title apart.
    pub(super) passage_words: usize,
}

/// Pairs of a question and its passage.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The questions, then the passages.
    pub(super) bags: [Vec<Bag>; 2],
    pub(super) keys: Vec<Keys>,
}

/// Draws batches.
pub(super) struct Sampler<'a> {
    reader: &'a Reader,
    /// The rows of every word.
    rows: Vec<Bag>,
    acts: Vec<(Vec<&'a Act>, f32)>,
    shape: Shape,
    random: Random,
    serial: u64,
}

impl<'a> Sampler<'a> {
    pub(super) fn new(reader: &'a Reader, rows: Vec<Bag>, shape: Shape, seed: u64) -> Sampler<'a> {
        let acts = KINDS.map(|(kind, share)| {
            let acts = reader.acts.iter().filter(|act| act.kind == kind);
            (acts.collect::<Vec<_>>(), share)
        });
        let acts = acts.into_iter().filter(|(acts, _)| !acts.is_empty()).collect();
        Sampler { reader, rows, acts, shape, random: Random::new(seed), serial: 0 }
    }

    /// The next batch: exactly as many pairs as its shape says.
    pub(super) fn batch(&mut self) -> Batch {
        let mut batch = Batch::default();
        while batch.keys.len() < self.shape.pairs {
            match choose(self.random.share(), SHARES) {
                0 => self.by_heading(&mut batch),
                1 => self.by_paragraph(&mut batch),
                2 => self.by_span(&mut batch),
                _ => self.by_line(&mut batch),
            }
        }
        batch.bags.iter_mut().for_each(|bags| bags.truncate(self.shape.pairs));
        batch.keys.truncate(self.shape.pairs);
        batch
    }

    /// The larger of two acts of one kind: so that long acts are read more often.
    fn act(&mut self) -> &'a Act {
        let total: f32 = self.acts.iter().map(|(_, share)| share).sum();
        let mut at = self.random.share() * total;
        let mut chosen = &self.acts[0].0;
        for (acts, share) in &self.acts {
            chosen = acts;
            if at < *share {
                break;
            }
            at -= share;
        }
        let pair = [*self.random.pick(chosen), *self.random.pick(chosen)];
        let longer = pair[0].articles.len() > pair[1].articles.len();
        if longer { pair[0] } else { pair[1] }
    }

    fn by_heading(&mut self, batch: &mut Batch) {
        let act = self.act();
        let across = self.random.share() < ACROSS;
        let untitled = self.random.share() < UNTITLED;
        let mut left = self.shape.group;
        for sides in self.turned(&act.articles) {
            let headed: Vec<&Side> = sides.iter().filter(|side| !side.heading.is_empty()).collect();
            if left == 0 || headed.is_empty() {
                continue;
            }
            let query = *self.random.pick(&headed);
            let passage = self.partner(query, sides, across);
            if passage.text.len() < 5 {
                continue;
            }
            left -= 1;
            let text = self.cut(&passage.text);
            let titled = !untitled && self.random.share() < TITLED;
            let asked: &[u32] = if untitled { &[] } else { &query.title };
            let title: &[u32] = if titled { &passage.title } else { &[] };
            let key = hash(&[asked, &query.heading]);
            let bags = [self.bag(&[asked, &query.heading]), self.bag(&[title, text])];
            self.push(batch, bags, Some(key));
        }
    }

    /// A version in another language, or in the same, or the query's own where there is none.
    fn partner(&mut self, query: &'a Side, sides: &'a [Side], across: bool) -> &'a Side {
        let fits = |side: &&Side| (side.language != query.language) == across;
        let fitting: Vec<&Side> = sides.iter().filter(fits).collect();
        if fitting.is_empty() { query } else { fitting[self.random.below(fitting.len())] }
    }

    fn by_paragraph(&mut self, batch: &mut Batch) {
        let act = self.act();
        let mut left = self.shape.group;
        for sides in self.turned(&act.articles) {
            if left == 0 || sides.len() < 2 {
                continue;
            }
            let one = self.random.below(sides.len());
            let other = (one + 1 + self.random.below(sides.len() - 1)) % sides.len();
            let (one, other) = (&sides[one], &sides[other]);
            let bags = if one.lines.len() == other.lines.len() && !one.lines.is_empty() {
                let at = self.random.below(one.lines.len());
                [self.bag(&[&one.lines[at]]), self.bag(&[&other.lines[at]])]
            } else {
                [one, other].map(|side| self.bag(&[first(&side.text, self.shape.passage_words)]))
            };
            if bags.iter().all(|bag| bag.len() > 2) {
                left -= 1;
                self.push(batch, bags, None);
            }
        }
    }

    fn by_span(&mut self, batch: &mut Batch) {
        if self.reader.prose.is_empty() {
            return;
        }
        let work = self.random.pick(&self.reader.prose);
        let start = self.random.below(work.len().max(1));
        for text in work.iter().skip(start).take(self.shape.group) {
            let length = (SPAN[0] + self.random.below(SPAN[1] + 1)).min(text.len() - 1);
            let from = self.random.below(text.len() - length);
            let span = &text[from..from + length];
            let kept: Text =
                span.iter().copied().filter(|_| self.random.share() < SPAN_KEPT).collect();
            let query = self.bag(&[if kept.is_empty() { span } else { &kept }]);
            let removed = self.random.share() < SPAN_REMOVED;
            let passage = match removed {
                true => self.bag(&[&text[..from], &text[from + length..]]),
                false => self.bag(&[text]),
            };
            self.push(batch, [query, passage], None);
        }
    }

    fn by_line(&mut self, batch: &mut Batch) {
        if self.reader.lines.is_empty() {
            return;
        }
        let start = self.random.below(self.reader.lines.len());
        for [german, romansh] in self.reader.lines.iter().skip(start).take(self.shape.group) {
            if german.len() < 2 || romansh.len() < 2 {
                continue;
            }
            let key = hash(&[german]);
            let mut bags = [self.bag(&[german]), self.bag(&[romansh])];
            if self.random.share() < 0.5 {
                bags.swap(0, 1);
            }
            self.push(batch, bags, Some(key));
        }
    }

    /// All articles, from a random one on and around.
    fn turned(&mut self, articles: &'a [Vec<Side>]) -> impl Iterator<Item = &'a [Side]> + use<'a> {
        let (before, after) = articles.split_at(self.random.below(articles.len()));
        after.iter().chain(before).map(Vec::as_slice)
    }

    fn cut<'t>(&mut self, text: &'t [u32]) -> &'t [u32] {
        let most = self.shape.passage_words;
        if text.len() <= most {
            return text;
        }
        let from_start = self.random.share() < FROM_START;
        let start = if from_start { 0 } else { self.random.below(text.len() - most) };
        &text[start..start + most]
    }

    fn bag(&self, texts: &[&[u32]]) -> Bag {
        let words = texts.iter().flat_map(|text| text.iter());
        gather(words.flat_map(|word| self.rows[*word as usize].iter().copied()).collect())
    }

    /// Adds a pair; its passage is like no other, its query like those with the same key.
    fn push(&mut self, batch: &mut Batch, bags: [Bag; 2], query_key: Option<u64>) {
        self.serial += 1;
        let own = self.serial;
        let [query, passage] = bags;
        batch.bags[0].push(query);
        batch.bags[1].push(passage);
        batch.keys.push((query_key.unwrap_or(own), own));
    }
}

fn first(text: &[u32], most: usize) -> &[u32] {
    &text[..text.len().min(most)]
}

/// The place in `shares` that `at`, from 0 to below 1, falls into.
fn choose(at: f32, shares: [f32; 4]) -> usize {
    let mut end = 0.0;
    let ends = shares.map(|share| {
        end += share;
        end
    });
    ends.iter().position(|end| at < *end).unwrap_or(shares.len() - 1)
}

/// FNV-1a over the numbers of words. Keys with the highest bit set are never serial numbers.
fn hash(texts: &[&[u32]]) -> u64 {
    let words = texts.iter().flat_map(|text| text.iter());
    let mixed = words.fold(0xcbf2_9ce4_8422_2325u64, |hash, word| {
        (hash ^ u64::from(*word)).wrapping_mul(0x0100_0000_01b3)
    });
    mixed | 1 << 63
}
