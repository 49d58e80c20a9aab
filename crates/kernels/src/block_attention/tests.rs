//! Tests of [`attend_blocks`] against the rule written as plainly as possible.

use super::*;
use crate::bf16_product::{flush, flushed_fma, single, units};
use crate::kv_block::{BlockLayout, Blocks, HeadRows};
use crate::kv_codes;
use crate::reference::{assert_same_bits, reduce};
use crate::samples::{self, Values};
use crate::softmax_weights::weight;
use crate::tanh::tanh_one;
use proptest::prelude::*;

/// Keys and values `[positions][head_dim]` of a sequence, and blocks of them.
struct Sequence {
    form: BlockForm,
    head_dim: usize,
    rows: [Vec<f32>; 2],
    blocks: Vec<Blocks>,
}

impl Sequence {
    /// Written in pieces whose ends are multiples of `piece`.
    fn new(
        (form, head_dim): (BlockForm, usize),
        positions: usize,
        piece: usize,
        values: Values,
        seed: u64,
    ) -> Sequence {
        let rows = [seed, !seed].map(|seed| samples::floats(positions * head_dim, values, seed));
        let blocks = Vec::new();
        let mut sequence = Sequence { form, head_dim, rows, blocks };
        for start in (0..positions).step_by(piece) {
            sequence.write(start..(start + piece).min(positions));
        }
        sequence
    }

    fn write(&mut self, positions: Range<usize>) {
        let mut start = positions.start;
        while start < positions.end {
            let index = start / BLOCK_POSITIONS;
            if self.blocks.len() <= index {
                self.blocks.push(Blocks::new(BlockLayout::new(self.form, self.head_dim), 2));
            }
            let end = positions.end.min((index + 1) * BLOCK_POSITIONS);
            let [keys, values] = [0, 1].map(|side: usize| HeadRows {
                values: &self.rows[side][start * self.head_dim..],
                stride: self.head_dim,
            });
            let mut block = self.blocks[index].blocks_mut(1..2).next().unwrap();
            let first = start % BLOCK_POSITIONS;
            block.write(Isa::detect(), first, end - start, keys, values);
            start = end;
        }
    }

    fn visits(&self, tokens: Range<usize>) -> Vec<Visit<'_>> {
        let each = self.blocks.iter().enumerate();
        each.map(|(index, blocks)| Visit { block: blocks.block(1), index, tokens: tokens.clone() })
            .collect()
    }

    fn at(&self, side: usize, position: usize) -> Vec<u16> {
        let row = &self.rows[side][position * self.head_dim..][..self.head_dim];
        match self.form {
            BlockForm::Bf16 => row.iter().map(|x| round(*x)).collect(),
            BlockForm::Mxint8 => kv_codes::kept(row),
        }
    }
}

fn forms() -> impl Strategy<Value = BlockForm> {
    prop_oneof![Just(BlockForm::Bf16), Just(BlockForm::Mxint8)]
}

/// The sum of products of the rule, going on from `sum`.
fn add_block(sum: f32, pairs: impl Iterator<Item = (usize, u16, u16)>) -> f32 {
    let mut chains = [0.0; 2];
    for (k, a, b) in pairs {
        chains[k % 2] = flushed_fma(single(a), single(b), chains[k % 2]);
    }
    flush(sum + flush(chains[0] + chains[1]))
}

/// One query, as the rule says.
fn by_rule(sequence: &Sequence, query: &[f32], seen: Range<usize>, by: &Scoring) -> Vec<f32> {
    let query: Vec<u16> = query.iter().map(|x| round(*x)).collect();
    let dot = |key: &[u16]| {
        let blocks = query.chunks(32).zip(key.chunks(32));
        blocks.fold(0.0, |sum, (q, k)| {
            add_block(sum, q.iter().zip(k).enumerate().map(|(i, (q, k))| (i, *q, *k)))
        })
    };
    let scores = seen.clone().map(|position| {
        let score = dot(&sequence.at(0, position));
        by.cap.map_or(score, |cap| tanh_one(score * by.scale / cap) * cap)
    });
    let scores: Vec<f32> = scores.collect();
    let factor = by.cap.map_or(by.scale, |_| 1.0) * std::f32::consts::LOG2_E;
    let sink = by.sinks.first().map(|sink| by.cap.map_or(sink / by.scale, |_| *sink));
    let lanes = || seen.clone().map(|position| position % 16);
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let most = reduce(lanes().zip(scores.iter().copied()), f32::NEG_INFINITY, larger);
    let most = sink.map_or(most, |sink| larger(most, sink));
    let top = if most.is_nan() { f32::NAN } else { most };
    let slope = Slope { factor, top };
    let weights: Vec<f32> =
        scores.iter().map(|score| f32::from_bits(weight(*score, slope))).collect();
    let total = reduce(lanes().zip(weights.iter().copied()), 0.0, |a, b| a + b)
        + sink.map_or(0.0, |sink| f32::from_bits(weight(sink, slope)));
    let mut sums = vec![0.0; sequence.head_dim];
    for block in seen.start / 32..seen.end.div_ceil(32) {
        let own = (block * 32).max(seen.start)..((block + 1) * 32).min(seen.end);
        let values: Vec<Vec<u16>> = own.clone().map(|at| sequence.at(1, at)).collect();
        for (d, sum) in sums.iter_mut().enumerate() {
            let pairs = own.clone().zip(&values);
            *sum = add_block(
                *sum,
                pairs.map(|(at, value)| (at, round(weights[at - seen.start]), value[d])),
            );
        }
    }
    sums.into_iter().map(|sum| (sum + 0.0) / total).collect()
}

fn attend(
    unit: Unit,
    visits: &[Visit],
    queries: &[f32],
    positions: &[Range<usize>],
    by: &Scoring,
) -> Vec<f32> {
    #[cfg_attr(not(target_arch = "x86_64"), allow(clippy::infallible_destructuring_match))]
    let isa = match unit {
        Unit::Lanes(isa) => isa,
        #[cfg(target_arch = "x86_64")]
        Unit::Tiles => Isa::detect(),
    };
    let (mut out, mut scratch) = (vec![f32::NAN; queries.len()], Scratch::new());
    attend_on(unit, isa, queries, visits, positions, by, &mut out, &mut scratch);
    out
}

fn head_dims() -> impl Strategy<Value = usize> {
    prop_oneof![Just(64_usize), Just(80), Just(96), Just(128), Just(256), 1..70_usize]
}

fn caps() -> impl Strategy<Value = Option<f32>> {
    prop_oneof![Just(None), Just(Some(4.0))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_unit_gives_the_bits_of_the_rule(
        form in forms(), head_dim in head_dims(), group in 1usize..5, first in 0usize..100,
        tokens in 1usize..24,
        window in prop_oneof![Just(usize::MAX), 1usize..70], cap in caps(), with_sinks: bool,
        piece in 1usize..70, values in samples::values(), seed: u64,
    ) {
        let shape = (form, head_dim);
        let sequence = Sequence::new(shape, first + tokens + 9, piece, values, seed);
        let queries = samples::floats(tokens * group * head_dim, values, seed ^ 1);
        let positions: Vec<Range<usize>> = (first..first + tokens)
            .map(|position| (position + 1).saturating_sub(window)..position + 1)
            .collect();
        let sinks = [0.5, -1.0, 2.0, 30.0];
        let sinks = if with_sinks { &sinks[..group] } else { &[] };
        let by = Scoring { scale: 0.3, cap, sinks };
        let mut expected = Vec::new();
        for (row, query) in queries.chunks_exact(head_dim).enumerate() {
            let sinks = by.sinks.get(row % group..row % group + 1).unwrap_or(&[]);
            let by = Scoring { sinks, ..by };
            expected.extend(by_rule(&sequence, query, positions[row / group].clone(), &by));
        }
        let visits = sequence.visits(0..tokens);
        for unit in units() {
            let found = attend(unit, &visits, &queries, &positions, &by);
            assert_same_bits(&found, &expected, &format!("{unit:?}"));
        }
    }

    #[test]
    fn sequences_that_share_blocks_have_the_bits_that_they_have_alone(
        form in forms(), head_dim in head_dims(), group in 1usize..5, shared in 0usize..5,
        lengths in prop::collection::vec(1usize..90, 1..12), values in samples::values(),
        window in prop_oneof![Just(usize::MAX), 1usize..70], seed: u64,
    ) {
        let before = shared * BLOCK_POSITIONS;
        let each: Vec<Sequence> = lengths.iter().enumerate().map(|(number, length)| {
            Sequence::new((form, head_dim), before + length, 7, values, seed + number as u64)
        }).collect();
        let whole = Sequence::new((form, head_dim), before + 1, 50, values, seed ^ 5);
        let positions: Vec<Range<usize>> = lengths.iter()
            .map(|length| (before + length).saturating_sub(window)..before + length).collect();
        let queries = samples::floats(each.len() * group * head_dim, values, seed ^ 1);
        let mut together = whole.visits(0..each.len());
        together.truncate(shared);
        for (token, one) in each.iter().enumerate() {
            together.extend_from_slice(&one.visits(token..token + 1)[shared..]);
        }
        together.sort_by_key(|visit| visit.index);
        let by = Scoring { scale: 0.2, cap: None, sinks: &[] };
        let share = group * head_dim;
        for unit in units() {
            let found = attend(unit, &together, &queries, &positions, &by);
            for (token, one) in each.iter().enumerate() {
                let mut visits = whole.visits(0..1);
                visits.truncate(shared);
                visits.extend_from_slice(&one.visits(0..1)[shared..]);
                let query = &queries[token * share..][..share];
                let alone = attend(unit, &visits, query, &positions[token..][..1], &by);
                assert_same_bits(&found[token * share..][..share], &alone, &format!("{unit:?}"));
            }
        }
    }
}

/// Attention in 64-bit floats, nothing rounded.
fn exact(sequence: &Sequence, query: &[f32], seen: Range<usize>, scale: f64) -> Vec<f64> {
    let row = |side: usize, at: usize| &sequence.rows[side][at * query.len()..][..query.len()];
    let dot = |at: usize| -> f64 {
        let pairs = row(0, at).iter().zip(query);
        pairs.map(|(k, q)| f64::from(*k) * f64::from(*q)).sum::<f64>() * scale
    };
    let scores: Vec<f64> = seen.clone().map(dot).collect();
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mixed = |d: usize| -> f64 {
        let pairs = seen.clone().zip(&weights);
        pairs.map(|(at, w)| w * f64::from(row(1, at)[d])).sum::<f64>() / total
    };
    (0..query.len()).map(mixed).collect()
}

#[test]
fn the_result_is_attention_within_the_rounding_of_its_operands() {
    let sequence = Sequence::new((BlockForm::Bf16, 128), 700, 64, Values::Plain, 3);
    let query = samples::floats(128, Values::Plain, 4);
    for (scale, seen) in [(0.09, 0..700), (0.5, 40..333), (2.0, 0..31)] {
        let by = Scoring { scale, cap: None, sinks: &[] };
        let found = attend(
            Unit::of(Isa::detect()),
            &sequence.visits(0..1),
            &query,
            std::slice::from_ref(&seen),
            &by,
        );
        let expected = exact(&sequence, &query, seen, f64::from(scale));
        let size = expected.iter().map(|x| x * x).sum::<f64>().sqrt();
        let off = found.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).powi(2));
        let off = off.sum::<f64>().sqrt() / size;
        // Scores are off by about 2^-9 of their size (here up to ten, times the scale).
        assert!(off < 0.01 * f64::from(scale).max(1.0), "{scale}: off by {off}");
    }
}

#[test]
#[should_panic(expected = "a token sees positions of which there is no block")]
fn a_missing_block_is_refused() {
    let sequence = Sequence::new((BlockForm::Bf16, 8), 64, 64, Values::Plain, 1);
    let by = Scoring { scale: 1.0, cap: None, sinks: &[] };
    let visits = &sequence.visits(0..1)[1..];
    let seen = 3..64;
    let seen = std::slice::from_ref(&seen);
    attend(Unit::Lanes(Isa::Scalar), visits, &[0.0; 8], seen, &by);
}
