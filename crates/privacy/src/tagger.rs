//! The tagger: a linear model over the features of each token and its neighbour's label, whose best
//! sequence is found by dynamic programming (Viterbi, 1967).
//!
//! It is most of a scan's time; its weights lie in small tables for that ([`Rows`]).

use std::ops::Range;
use std::sync::LazyLock;

use crate::features::{
    BESIDE, Feature, LISTS, Names, PLACES, Seen, absent, bits, looks, of_look, without_looks,
};
use crate::label::{LABELS, Label, NONE};
use crate::rows::{BATCH, Batch, Row, Rows, Sum, TOGETHER, ZERO, add_sums};

const MODEL: &[u8] = include_bytes!("tagger.bin");

/// The built-in tagger.
pub(crate) static BUILT_IN: LazyLock<Tagger> =
    LazyLock::new(|| Tagger::read(MODEL).expect("a test reads the built-in tagger"));

const HEAD: &[u8] = b"tagger-1\n";

/// The sum of the weights of a token's features, for each label.
pub(crate) type Scores = Sum;

/// Weights: a table of rows that is searched by a feature's number.
pub(crate) struct Tagger {
    rows: Rows,
    /// What it counts to stand in none of the lists, and how much less, to stand in each.
    absent: Sum,
    less_of: [Sum; LISTS as usize],
    /// Of each look, what it counts for the tokens around it, by their places; at its own place
    /// with what it counts to stand in no more lists than it does.
    looks: Vec<[Sum; PLACES]>,
    /// From each label to each.
    steps: Steps<i32>,
}

impl Tagger {
    /// Makes a tagger of its weights; `None` when a feature has two rows.
    pub(crate) fn new(names: &[Feature], rows: &[Row], steps: &[[i16; LABELS]]) -> Option<Tagger> {
        let steps = std::array::from_fn(|from| steps[from].map(i32::from));
        let rows = Rows::new(names, rows)?;
        let less_of = absent().map(|name| rows.sum(&[name]).map(|weight| -weight));
        let absent = rows.sum(&absent());
        let steps = Steps::new(steps);
        let mut tagger = Tagger { rows, absent, less_of, looks: Vec::new(), steps };
        let of = |look: Seen| {
            std::array::from_fn(|place| {
                let mut sum = tagger.rows.sum(of_look(&look, place).all());
                if place == BESIDE {
                    tagger.add_absent(&look, &mut sum);
                }
                sum
            })
        };
        tagger.looks = looks().into_iter().map(of).collect();
        Some(tagger)
    }

    /// Reads a tagger from bytes: the head, the steps, the number of rows, and for each row its
    /// name, a bit for each label that has a weight, and these weights.
    pub(crate) fn read(bytes: &[u8]) -> Option<Tagger> {
        let mut rest = bytes.strip_prefix(HEAD)?;
        let mut take = |count: usize| {
            let (taken, after) = rest.split_at_checked(count)?;
            rest = after;
            Some(taken)
        };
        let mut steps = vec![[0_i16; LABELS]; LABELS];
        for step in steps.iter_mut().flatten() {
            *step = i16::from_le_bytes(take(2)?.try_into().ok()?);
        }
        let count = u32::from_le_bytes(take(4)?.try_into().ok()?) as usize;
        let (mut names, mut rows) = (Vec::new(), Vec::new());
        for _ in 0..count {
            names.push(u32::from_le_bytes(take(4)?.try_into().ok()?));
            let bits = u32::from_le_bytes([take(1)?[0], take(1)?[0], take(1)?[0], 0]);
            let mut row = [0_i8; LABELS];
            for (label, weight) in row.iter_mut().enumerate() {
                if bits & 1 << label != 0 {
                    *weight = take(1)?[0] as i8;
                }
            }
            rows.push(row);
        }
        if !rest.is_empty() {
            return None;
        }
        Tagger::new(&names, &rows, &steps)
    }

    /// The tagger as bytes.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = HEAD.to_vec();
        for step in self.steps.all.iter().flatten() {
            let step = i16::try_from(*step).expect("it was made of one");
            out.extend(step.to_le_bytes());
        }
        let rows = self.rows.all();
        out.extend((rows.len() as u32).to_le_bytes());
        for (name, row) in rows {
            out.extend(name.to_le_bytes());
            let bits = (0..LABELS).fold(0_u32, |bits, l| bits | u32::from(row[l] != 0) << l);
            out.extend(&bits.to_le_bytes()[..3]);
            out.extend(row.iter().filter(|weight| **weight != 0).map(|weight| *weight as u8));
        }
        out
    }

    /// The label of each of some tokens, and by how much it leads before none. `known` holds the
    /// scores that are known already, and takes the others.
    pub(crate) fn tag(
        &self,
        seen: &[Seen],
        range: Range<usize>,
        known: &mut [Option<Scores>],
    ) -> Vec<(Label, i32)> {
        let unknown = range.clone().filter(|index| known[*index].is_none());
        let unknown: Vec<usize> = unknown.collect();
        let mut batch = Batch::of(unknown.len());
        for indices in unknown.chunks(BATCH) {
            let sums = self.scores(seen, indices, &mut batch);
            indices.iter().zip(sums).for_each(|(index, sum)| known[*index] = Some(sum));
        }
        let of = |known: &Option<Scores>| {
            let sum = known.unwrap_or_default();
            std::array::from_fn(|label| i32::from(sum[label]))
        };
        let scores: Vec<[i32; LABELS]> = known[range].iter().map(of).collect();
        let labels = self.steps.best(&scores);
        let lead = |(scores, label): (&[i32; LABELS], Label)| (label, scores[label] - scores[NONE]);
        scores.iter().zip(labels).map(lead).collect()
    }

    /// The scores of as many tokens as a batch takes.
    fn scores(&self, seen: &[Seen], indices: &[usize], batch: &mut Batch) -> [Scores; BATCH] {
        let (mut sums, mut names) = ([Sum::default(); BATCH], Names::default());
        batch.clear();
        for (index, sum) in indices.iter().zip(&mut sums) {
            let looks = without_looks(seen, *index, &mut names);
            batch.push(names.all());
            let mut more = [ZERO; TOGETHER];
            for (place, look) in looks.iter().enumerate() {
                if let Some(look) = self.looks.get(usize::from(*look)) {
                    more[place] = &look[place];
                } else if place == BESIDE {
                    self.add_absent(&seen[*index], sum);
                }
            }
            add_sums(sum, &more);
        }
        self.rows.add(batch, &mut sums);
        sums
    }

    /// Adds what it counts to stand in no other lists than a token does.
    fn add_absent(&self, seen: &Seen, sum: &mut Sum) {
        let (mut more, mut count) = ([ZERO; TOGETHER], 1);
        more[0] = &self.absent;
        for list in bits(seen.known & ((1 << LISTS) - 1)) {
            if count == TOGETHER {
                add_sums(sum, &more);
                (more, count) = ([ZERO; TOGETHER], 0);
            }
            more[count] = &self.less_of[list as usize];
            count += 1;
        }
        add_sums(sum, &more);
    }
}

/// A score of labels.
pub(crate) trait Score: Copy + PartialOrd + std::ops::Add<Output = Self> {
    /// Less than any sum of others.
    const LEAST: Self;
}

impl Score for i32 {
    const LEAST: i32 = i32::MIN / 2;
}

impl Score for f32 {
    const LEAST: f32 = -1e30;
}

/// What it counts to go from each label to each.
pub(crate) struct Steps<S> {
    all: [[S; LABELS]; LABELS],
    /// The same where it goes to a label that may stand after any, else nothing that counts.
    open: [[S; LABELS]; LABELS],
    /// Of each label, the greatest and the least step to one that may stand after any.
    most: [S; LABELS],
    least: [S; LABELS],
}

/// The labels that may stand after any: none, and those that begin a kind.
fn is_open(label: Label) -> bool {
    label == NONE || label % 2 == 1
}

impl<S: Score> Steps<S> {
    pub(crate) fn new(all: [[S; LABELS]; LABELS]) -> Steps<S> {
        let open = |from: Label| (0..LABELS).filter(|to| is_open(*to)).map(move |to| all[from][to]);
        let first = |from: Label| all[from][NONE];
        let larger = |a: S, b: S| if b > a { b } else { a };
        let smaller = |a: S, b: S| if b < a { b } else { a };
        Steps {
            most: std::array::from_fn(|from| open(from).fold(first(from), larger)),
            least: std::array::from_fn(|from| open(from).fold(first(from), smaller)),
            open: all.map(|steps| {
                std::array::from_fn(|to| if is_open(to) { steps[to] } else { S::LEAST })
            }),
            all,
        }
    }

    /// The sequence of labels with the greatest sum of scores and steps.
    pub(crate) fn best(&self, scores: &[[S; LABELS]]) -> Vec<Label> {
        let Some(first) = scores.first() else { return Vec::new() };
        let open = |label: Label| if is_open(label) { first[label] } else { S::LEAST };
        let mut now: [S; LABELS] = std::array::from_fn(open);
        let mut back: Vec<[u8; LABELS]> = Vec::with_capacity(scores.len());
        for score in &scores[1..] {
            let (next, from) = self.next(&now, score);
            back.push(from);
            now = next;
        }
        let mut labels = vec![greatest(&now)];
        labels.reserve(back.len());
        for from in back.iter().rev() {
            let label = *labels.last().expect("it begins with one");
            labels.push(from[label] as usize);
        }
        labels.reverse();
        labels
    }

    /// The best sums up to the next token, and the labels before that they come from. Nothing in it
    /// branches on what is best, which cannot be foretold.
    fn next(&self, now: &[S; LABELS], score: &[S; LABELS]) -> ([S; LABELS], [u8; LABELS]) {
        let (mut next, mut from) = ([S::LEAST; LABELS], [0_i32; LABELS]);
        // What cannot reach another with its greatest step, if that takes its least, wins nowhere.
        let least = (1..LABELS).map(|label| now[label] + self.least[label]);
        let first = now[NONE] + self.least[NONE];
        let enough = least.fold(first, |most, sum| if sum > most { sum } else { most });
        let can_win = |label: Label| now[label] + self.most[label] >= enough;
        let may: [u32; LABELS] =
            std::array::from_fn(|label| if can_win(label) { 1 << label } else { 0 });
        let may = may.iter().fold(0, |all, bit| all | bit);
        if may == 1 << NONE {
            // Where no name is near, which is nearly everywhere.
            let steps = &self.open[NONE];
            next.iter_mut().zip(steps).for_each(|(next, step)| *next = now[NONE] + *step);
        } else {
            for before in bits(may) {
                self.step(before as Label, now, &mut next, &mut from);
            }
        }
        // What goes on stands after what it goes on from only.
        for to in (2..LABELS).step_by(2) {
            let begun = now[to - 1] + self.all[to - 1][to];
            let gone_on = now[to] + self.all[to][to];
            let is_more = gone_on > begun;
            next[to] = if is_more { gone_on } else { begun };
            from[to] = if is_more { to as i32 } else { to as i32 - 1 };
        }
        for (next, score) in next.iter_mut().zip(score) {
            *next = *next + *score;
        }
        (next, from.map(|label| label as u8))
    }

    /// Goes on from one label to all that may stand after any, where that is more.
    #[inline(always)]
    fn step(
        &self,
        before: Label,
        now: &[S; LABELS],
        next: &mut [S; LABELS],
        from: &mut [i32; LABELS],
    ) {
        let (sum, steps) = (now[before], &self.open[before]);
        for ((next, from), step) in next.iter_mut().zip(from).zip(steps) {
            let sum = sum + *step;
            let is_more = sum > *next;
            *next = if is_more { sum } else { *next };
            *from = if is_more { before as i32 } else { *from };
        }
    }
}

/// The label with the greatest sum, the first of those.
fn greatest<S: Score>(sums: &[S; LABELS]) -> Label {
    (1..LABELS).fold(0, |best, label| if sums[label] > sums[best] { label } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use crate::label::{follows, label};

    #[test]
    fn the_built_in_tagger_reads_back_as_written() {
        assert_eq!(BUILT_IN.write(), MODEL);
        assert!(MODEL.len() < 1 << 20, "{} bytes", MODEL.len());
        for cut in [0, 5, 500, MODEL.len() - 1] {
            assert!(Tagger::read(&MODEL[..cut]).is_none());
        }
    }

    #[test]
    fn nothing_continues_what_did_not_begin() {
        let mut scores = [[0; LABELS]; 2];
        scores[0][NONE] = 5;
        scores[1][label(Kind::Person, false)] = 4;
        scores[1][label(Kind::Place, true)] = 3;
        let steps = Steps::new([[0; LABELS]; LABELS]);
        assert_eq!(steps.best(&scores), [NONE, label(Kind::Place, true)]);
        scores[1][label(Kind::Person, false)] = 40;
        let both = [label(Kind::Person, true), label(Kind::Person, false)];
        assert_eq!(steps.best(&scores), both);
    }

    #[test]
    fn open_labels_are_those_that_may_follow_any() {
        for to in 0..LABELS {
            assert_eq!(is_open(to), (0..LABELS).all(|before| follows(before, to)), "{to}");
            let before: Vec<Label> = (0..LABELS).filter(|before| follows(*before, to)).collect();
            assert!(is_open(to) || before == [to - 1, to], "{to}: {before:?}");
        }
    }

    /// Every sequence tried: what is left out wins nowhere.
    fn best_of_all(scores: &[[i32; LABELS]], steps: &[[i32; LABELS]; LABELS]) -> i32 {
        let mut sums: Vec<(Label, i32)> =
            (0..LABELS).filter(|to| follows(NONE, *to)).map(|to| (to, scores[0][to])).collect();
        for score in &scores[1..] {
            let all = sums.iter().flat_map(|(before, sum)| {
                let after = (0..LABELS).filter(|to| follows(*before, *to));
                after.map(move |to| (to, sum + steps[*before][to] + score[to]))
            });
            sums = all.collect();
        }
        sums.iter().map(|(_, sum)| *sum).max().unwrap()
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(40))]

        #[test]
        fn the_best_sequence_is_found(
            numbers in proptest::collection::vec(-60..60_i32, LABELS * (LABELS + 4)),
        ) {
            let rows: Vec<[i32; LABELS]> =
                numbers.chunks(LABELS).map(|row| row.try_into().unwrap()).collect();
            let (scores, steps) = rows.split_at(4);
            let steps: [[i32; LABELS]; LABELS] = std::array::from_fn(|from| steps[from]);
            let labels = Steps::new(steps).best(scores);
            let taken: i32 = labels.iter().enumerate().map(|(at, label)| scores[at][*label]).sum();
            let steps_taken: i32 = labels.windows(2).map(|two| steps[two[0]][two[1]]).sum();
            proptest::prop_assert_eq!(taken + steps_taken, best_of_all(scores, &steps));
        }
    }
}
