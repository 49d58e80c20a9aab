//! The tagger: a linear model over the features of each token and its neighbour's label, whose best
//! sequence is found by dynamic programming (Viterbi, 1967).

use std::sync::LazyLock;

use crate::features::{FEATURES_MAX, Feature, Seen, Sight, features};
use crate::label::{LABELS, Label, NONE, follows};

const MODEL: &[u8] = include_bytes!("tagger.bin");

/// The built-in tagger.
pub(crate) static BUILT_IN: LazyLock<Tagger> =
    LazyLock::new(|| Tagger::read(MODEL).expect("a test reads the built-in tagger"));

const HEAD: &[u8] = b"tagger-1\n";

/// Weights of one feature for each label.
pub(crate) type Row = [i8; LABELS];

/// Weights: a table of rows that is searched by a feature's number.
pub(crate) struct Tagger {
    /// Row numbers from 1 by hash; 0 is empty. A power of two of them, at most half full.
    slots: Vec<u32>,
    names: Vec<Feature>,
    rows: Vec<Row>,
    /// From each label to each.
    steps: Vec<[i16; LABELS]>,
}

impl Tagger {
    /// Makes a tagger of its weights.
    pub(crate) fn new(names: Vec<Feature>, rows: Vec<Row>, steps: Vec<[i16; LABELS]>) -> Tagger {
        let size = (names.len() * 2 + 2).next_power_of_two();
        let mut slots = vec![0; size];
        for (index, name) in names.iter().enumerate() {
            let mut slot = *name as usize & (size - 1);
            while slots[slot] != 0 {
                slot = (slot + 1) & (size - 1);
            }
            slots[slot] = index as u32 + 1;
        }
        Tagger { slots, names, rows, steps }
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
        rest.is_empty().then(|| Tagger::new(names, rows, steps))
    }

    /// The tagger as bytes.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = HEAD.to_vec();
        self.steps.iter().flatten().for_each(|step| out.extend(step.to_le_bytes()));
        out.extend((self.names.len() as u32).to_le_bytes());
        for (name, row) in self.names.iter().zip(&self.rows) {
            out.extend(name.to_le_bytes());
            let bits = (0..LABELS).fold(0_u32, |bits, l| bits | u32::from(row[l] != 0) << l);
            out.extend(&bits.to_le_bytes()[..3]);
            out.extend(row.iter().filter(|weight| **weight != 0).map(|weight| *weight as u8));
        }
        out
    }

    fn row(&self, name: Feature) -> Option<&Row> {
        let mask = self.slots.len() - 1;
        let mut slot = name as usize & mask;
        while self.slots[slot] != 0 {
            let index = self.slots[slot] as usize - 1;
            if self.names[index] == name {
                return Some(&self.rows[index]);
            }
            slot = (slot + 1) & mask;
        }
        None
    }

    /// The label of each token, and by how much it leads before none.
    pub(crate) fn tag(&self, seen: &[Seen]) -> Vec<(Label, i32)> {
        let mut buffer = Vec::with_capacity(FEATURES_MAX);
        let scores: Vec<[i32; LABELS]> = (0..seen.len())
            .map(|index| {
                features(seen, index, Sight::Full, &mut buffer);
                let mut sum = [0; LABELS];
                for row in buffer.iter().filter_map(|name| self.row(*name)) {
                    sum.iter_mut().zip(row).for_each(|(sum, weight)| *sum += i32::from(*weight));
                }
                sum
            })
            .collect();
        let step = |from: Label, to: Label| i32::from(self.steps[from][to]);
        let labels = best(&scores, step);
        let lead = |(scores, label): (&[i32; LABELS], Label)| (label, scores[label] - scores[NONE]);
        scores.iter().zip(labels).map(lead).collect()
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

/// The sequence of labels with the greatest sum of scores and steps.
pub(crate) fn best<S: Score>(
    scores: &[[S; LABELS]],
    step: impl Fn(Label, Label) -> S,
) -> Vec<Label> {
    let Some(first) = scores.first() else { return Vec::new() };
    let open = |label: Label| if follows(NONE, label) { first[label] } else { S::LEAST };
    let mut now: [S; LABELS] = std::array::from_fn(open);
    let mut back: Vec<[u8; LABELS]> = Vec::with_capacity(scores.len());
    for score in &scores[1..] {
        let mut next = [S::LEAST; LABELS];
        let mut from = [0_u8; LABELS];
        for to in 0..LABELS {
            for before in (0..LABELS).filter(|before| follows(*before, to)) {
                let sum = now[before] + step(before, to);
                if sum > next[to] {
                    (next[to], from[to]) = (sum, before as u8);
                }
            }
            next[to] = next[to] + score[to];
        }
        back.push(from);
        now = next;
    }
    let last = (1..LABELS).fold(0, |best, label| if now[label] > now[best] { label } else { best });
    let mut labels = vec![last];
    for from in back.iter().rev() {
        let label = *labels.last().expect("it begins with one");
        labels.push(from[label] as usize);
    }
    labels.reverse();
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use crate::label::label;

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
        assert_eq!(best(&scores, |_, _| 0), [NONE, label(Kind::Place, true)]);
        scores[1][label(Kind::Person, false)] = 40;
        let both = [label(Kind::Person, true), label(Kind::Person, false)];
        assert_eq!(best(&scores, |_, _| 0), both);
    }
}
