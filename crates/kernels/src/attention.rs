//! Attention of the query heads that share one key/value head, over its cache.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::chains::{CHAIN, Chains};
use crate::exp::exp_one;
use crate::isa::{Isa, on_isa};
use crate::lanes::{LANES, fold, larger, largest, sum};
use crate::panel::{BAND_TOKENS, PANEL_ROWS};
use crate::scratch::{Scratch, scores_stride};
use crate::tanh::tanh_one;
use std::ops::Range;

/// How the keys and values of one kv head lie in their buffers (`f32`, owned by the caller).
///
/// Keys: `[positions / 16][head_dim][16]`, so that a lane is a position. Values:
/// `[positions][value_stride]`, so that a lane is an element; the padding is never looked at.
/// Buffers need no initial value, but start them as zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLayout {
    head_dim: usize,
}

impl CacheLayout {
    /// The layout for heads of `head_dim` elements.
    ///
    /// # Panics
    /// When `head_dim` is 0.
    pub fn new(head_dim: usize) -> CacheLayout {
        assert!(head_dim > 0, "a head has at least one element");
        CacheLayout { head_dim }
    }

    /// Elements per head.
    pub fn head_dim(self) -> usize {
        self.head_dim
    }

    /// Floats from one position's values to the next: `head_dim` rounded up to 16.
    pub fn value_stride(self) -> usize {
        self.head_dim.next_multiple_of(LANES)
    }

    /// Length of the key buffer for `positions`.
    pub fn keys_len(self, positions: usize) -> usize {
        positions.next_multiple_of(LANES) * self.head_dim
    }

    /// Length of the value buffer for `positions`.
    pub fn values_len(self, positions: usize) -> usize {
        positions * self.value_stride()
    }

    /// Stores the key (`[head_dim]`, rotated already) of a position.
    ///
    /// # Panics
    /// When the buffer is too short for the position or `key` is not `[head_dim]`.
    pub fn write_key(self, keys: &mut [f32], position: usize, key: &[f32]) {
        assert_eq!(key.len(), self.head_dim, "length of a key");
        let block = &mut keys[self.key_block(position / LANES)];
        for (column, value) in block.chunks_exact_mut(LANES).zip(key) {
            column[position % LANES] = *value;
        }
    }

    /// Stores the value (`[head_dim]`) of a position.
    ///
    /// # Panics
    /// When the buffer is too short for the position or `value` is not `[head_dim]`.
    pub fn write_value(self, values: &mut [f32], position: usize, value: &[f32]) {
        assert_eq!(value.len(), self.head_dim, "length of a value");
        let at = position * self.value_stride();
        values[at..at + self.head_dim].copy_from_slice(value);
    }

    fn key_block(self, block: usize) -> Range<usize> {
        let size = LANES * self.head_dim;
        block * size..(block + 1) * size
    }
}

/// The cache of one kv head, to read.
#[derive(Clone, Copy, Debug)]
pub struct KeyValues<'a> {
    /// How the two buffers are laid out.
    pub layout: CacheLayout,
    /// At least `layout.keys_len(end of the positions)`.
    pub keys: &'a [f32],
    /// At least `layout.values_len(end of the positions)`.
    pub values: &'a [f32],
}

/// Attention of `queries` (`[group, head_dim]`, the query heads of one token that share this kv
/// head) over the cached `positions`: `out[g] = sum of softmax(scale * q[g] . k[p]) * v[p]`,
/// `[group, head_dim]`. For causal attention at `p` pass `0..p + 1`, with a sliding window a later
/// start.
///
/// Blocks stand at absolute positions, so neither the group nor the way the cache was filled
/// changes a bit. Each query is independent of the others.
///
/// # Panics
/// When the range is empty or a slice does not fit the shapes.
pub fn attend(
    isa: Isa,
    queries: &[f32],
    cache: &KeyValues,
    positions: Range<usize>,
    scale: f32,
    out: &mut [f32],
    scratch: &mut Scratch,
) {
    let scoring = Scoring { scale, cap: None, sinks: &[] };
    attend_by(isa, queries, cache, positions, &scoring, out, scratch);
}

/// How raw scores `q . k` become weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scoring<'a> {
    /// What scores are multiplied with.
    pub scale: f32,
    /// Bounds a scaled score s softly: `cap * tanh(s / cap)`.
    pub cap: Option<f32>,
    /// For each query, the score of a position that has no value: it takes its share of the
    /// softmax and adds nothing. Empty: there is none.
    pub sinks: &'a [f32],
}

impl Scoring<'_> {
    /// The scale, the cap (infinite: none) and the sink of a query (-inf: none).
    fn of_query(&self, query: usize) -> [f32; 3] {
        let sink = self.sinks.get(query).copied().unwrap_or(f32::NEG_INFINITY);
        [self.scale, self.cap.unwrap_or(f32::INFINITY), sink]
    }
}

/// [`attend`] with scores that are capped or share their softmax with a sink.
///
/// # Panics
/// When the range is empty, a slice does not fit the shapes, or there are sinks for another number
/// of queries.
pub fn attend_by(
    isa: Isa,
    queries: &[f32],
    cache: &KeyValues,
    positions: Range<usize>,
    scoring: &Scoring,
    out: &mut [f32],
    scratch: &mut Scratch,
) {
    let head_dim = cache.layout.head_dim;
    assert!(queries.len().is_multiple_of(head_dim), "queries are [group, head_dim]");
    assert_eq!(out.len(), queries.len(), "out is [group, head_dim]");
    let has_sinks = !scoring.sinks.is_empty();
    assert!(!has_sinks || scoring.sinks.len() * head_dim == queries.len(), "sinks are [group]");
    let band = BAND_TOKENS * head_dim;
    for (band, (queries, out)) in queries.chunks(band).zip(out.chunks_mut(band)).enumerate() {
        let group = queries.len() / head_dim;
        let first = band * BAND_TOKENS;
        let sinks = if has_sinks { &scoring.sinks[first..first + group] } else { &[] };
        let scoring = Scoring { sinks, ..*scoring };
        attend_band(isa, queries, cache, std::slice::from_ref(&positions), &scoring, out, scratch);
    }
}

/// [`attend_by`] of several tokens of one sequence: `queries` and `out` are `[rows, group,
/// head_dim]`, and each row attends to its own range of `positions`. Each row has the bits that it
/// has alone; rows whose ranges have much in common are computed together.
///
/// # Panics
/// As [`attend_by`], for each row.
pub fn attend_rows(
    isa: Isa,
    queries: &[f32],
    cache: &KeyValues,
    positions: &[Range<usize>],
    scoring: &Scoring,
    out: &mut [f32],
    scratch: &mut Scratch,
) {
    let head_dim = cache.layout.head_dim;
    assert!(!positions.is_empty(), "no rows to attend for");
    let share = queries.len() / positions.len();
    let shaped = share.is_multiple_of(head_dim) && share * positions.len() == queries.len();
    assert!(shaped && share > 0, "queries are [rows, group, head_dim]");
    assert_eq!(out.len(), queries.len(), "out is [rows, group, head_dim]");
    let group = share / head_dim;
    assert!([0, group].contains(&scoring.sinks.len()), "sinks are [group]");
    let band = (BAND_TOKENS / group).max(1);
    let rows = queries.chunks(band * share).zip(out.chunks_mut(band * share));
    for (positions, (queries, out)) in positions.chunks(band).zip(rows) {
        if group <= BAND_TOKENS && others_are_finite(cache, positions) {
            attend_band(isa, queries, cache, positions, scoring, out, scratch);
            continue;
        }
        let rows = queries.chunks(share).zip(out.chunks_mut(share));
        for (positions, (queries, out)) in positions.iter().zip(rows) {
            attend_by(isa, queries, cache, positions.clone(), scoring, out, scratch);
        }
    }
}

/// Whether the values at positions that some rows attend to and others do not are all finite. Then
/// a weight of zero leaves a position out: it adds a zero, and no sum that counts is ever -0.
fn others_are_finite(cache: &KeyValues, positions: &[Range<usize>]) -> bool {
    let all = union(positions);
    let starts = positions.iter().map(|positions| positions.start);
    let ends = positions.iter().map(|positions| positions.end);
    let common = starts.max().unwrap_or(0).min(all.end)..ends.min().unwrap_or(0).max(all.start);
    let stride = cache.layout.value_stride();
    let others = [all.start..common.start, common.end..all.end];
    others.into_iter().filter(|others| others.start < others.end).all(|others| {
        let values = &cache.values[others.start * stride..others.end * stride];
        values
            .chunks(stride)
            .all(|value| value[..cache.layout.head_dim].iter().all(|value| value.is_finite()))
    })
}

/// From the first position of any range to the last of any.
fn union(positions: &[Range<usize>]) -> Range<usize> {
    let (first, rest) = positions.split_first().expect("there are rows");
    rest.iter().fold(first.clone(), |all, positions| {
        all.start.min(positions.start)..all.end.max(positions.end)
    })
}

/// Up to 64 queries, in rows with ranges of their own.
fn attend_band(
    isa: Isa,
    queries: &[f32],
    cache: &KeyValues,
    positions: &[Range<usize>],
    scoring: &Scoring,
    out: &mut [f32],
    scratch: &mut Scratch,
) {
    let all = union(positions);
    let filled = positions.iter().all(|positions| positions.start < positions.end);
    assert!(filled, "no positions to attend to");
    let count = queries.len() / cache.layout.head_dim;
    let group = count / positions.len();
    let base = all.start / CHAIN * CHAIN;
    let stride = scores_stride(all.len());
    let (scores, sums) = scratch.attention(count, all.len());
    let scores = &mut scores[..count * stride];
    let span = Span { base, positions: all };
    score(isa, queries, cache, &span, scores, stride);
    let totals = &mut [0.0; BAND_TOKENS][..count];
    let each = scores.chunks_exact_mut(stride).zip(totals.iter_mut()).enumerate();
    for (query, (scores, total)) in each {
        let positions = &positions[query / group];
        let (own, after) = scores[..span.len()].split_at_mut(positions.end - base);
        let (start, by) = (positions.start - base, scoring.of_query(query % group));
        *total = on_isa!(isa, weigh_body(own: &mut [f32], start: usize, by: [f32; 3]) -> f32);
        after.fill(0.0);
    }
    mix(isa, scores, stride, totals, cache, &span, sums, out);
}

/// The positions attended to, and the multiple of 32 from which scores are stored.
struct Span {
    base: usize,
    positions: Range<usize>,
}

impl Span {
    /// First position, counted from the base.
    fn start(&self) -> usize {
        self.positions.start - self.base
    }

    /// End of the positions, counted from the base.
    fn len(&self) -> usize {
        self.positions.end - self.base
    }
}

/// Raw scores `q . k`: `scores[g][position - base]`, for whole blocks of 16 positions.
fn score(
    isa: Isa,
    queries: &[f32],
    cache: &KeyValues,
    span: &Span,
    scores: &mut [f32],
    stride: usize,
) {
    let head_dim = cache.layout.head_dim;
    scores.fill(0.0);
    let blocks = span.positions.start / LANES..span.positions.end.div_ceil(LANES);
    for block in blocks.clone().step_by(2) {
        let halves = (blocks.end - block).min(2);
        let first = cache.layout.key_block(block).start;
        let end = cache.layout.key_block(block + halves - 1).end;
        Chains {
            x: queries,
            x_stride: head_dim,
            tokens: queries.len() / head_dim,
            panel: &cache.keys[first..end],
            step_stride: LANES,
            half_stride: LANES * head_dim,
            halves,
            steps: 0..head_dim,
            sums: &mut scores[block * LANES - span.base..],
            sums_stride: stride,
        }
        .run(isa);
    }
}

/// Turns the scores from `start` on into weights `e^(scale * s - max)` and returns their sum.
/// Lane = position mod 16, as the base is a multiple of 32. The sink comes after the lanes.
#[inline(always)]
fn weigh_body(scores: &mut [f32], start: usize, [scale, cap, sink]: [f32; 3]) -> f32 {
    // Positions before the start share a block with it: they must count for nothing.
    for score in &mut scores[..start] {
        *score = f32::NEG_INFINITY;
    }
    for score in &mut scores[start..] {
        *score *= scale;
    }
    if cap < f32::INFINITY {
        for score in &mut scores[start..] {
            *score = tanh_one(*score / cap) * cap;
        }
    }
    let mut max = largest(fold(scores, f32::NEG_INFINITY, larger));
    if sink > f32::NEG_INFINITY {
        max = larger(max, sink);
    }
    for score in &mut scores[..start] {
        *score = 0.0;
    }
    for score in &mut scores[start..] {
        *score = exp_one(*score - max);
    }
    let total = sum(fold(scores, 0.0, |sum, value| sum + value));
    if sink > f32::NEG_INFINITY { total + exp_one(sink - max) } else { total }
}

/// `out[g] = sum over positions of weight * value / total`, 32 elements at a time.
#[allow(clippy::too_many_arguments)] // two inputs with their strides, the place, the result
fn mix(
    isa: Isa,
    weights: &[f32],
    stride: usize,
    totals: &[f32],
    cache: &KeyValues,
    span: &Span,
    sums: &mut [f32],
    out: &mut [f32],
) {
    let (head_dim, value_stride) = (cache.layout.head_dim, cache.layout.value_stride());
    let values = &cache.values[span.base * value_stride..span.positions.end * value_stride];
    for element in (0..head_dim).step_by(PANEL_ROWS) {
        let width = PANEL_ROWS.min(head_dim - element);
        sums[..totals.len() * PANEL_ROWS].fill(0.0);
        Chains {
            x: weights,
            x_stride: stride,
            tokens: totals.len(),
            panel: &values[element..],
            step_stride: value_stride,
            half_stride: LANES,
            halves: width.div_ceil(LANES),
            steps: span.start()..span.len(),
            sums,
            sums_stride: PANEL_ROWS,
        }
        .run(isa);
        for (query, total) in totals.iter().enumerate() {
            let from = &sums[query * PANEL_ROWS..][..width];
            let to = &mut out[query * head_dim + element..][..width];
            for (to, from) in to.iter_mut().zip(from) {
                *to = from / total;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{self, assert_same_bits};
    use crate::samples::{self, Values};
    use proptest::prelude::*;

    /// Keys and values `[positions][head_dim]`, and the same in a cache full of NaN elsewhere.
    struct Cached {
        layout: CacheLayout,
        rows: [Vec<Vec<f32>>; 2],
        keys: Vec<f32>,
        values: Vec<f32>,
    }

    impl Cached {
        fn new(head_dim: usize, positions: usize, values: Values, seed: u64) -> Cached {
            let layout = CacheLayout::new(head_dim);
            let rows = [seed, !seed].map(|seed| {
                let all = samples::floats(positions * head_dim, values, seed);
                all.chunks_exact(head_dim).map(<[f32]>::to_vec).collect::<Vec<_>>()
            });
            let room = positions + 40;
            let mut keys = vec![f32::NAN; layout.keys_len(room)];
            let mut values = vec![f32::NAN; layout.values_len(room)];
            for (position, (key, value)) in rows[0].iter().zip(&rows[1]).enumerate() {
                layout.write_key(&mut keys, position, key);
                layout.write_value(&mut values, position, value);
            }
            Cached { layout, rows, keys, values }
        }

        fn attend(&self, isa: Isa, queries: &[f32], positions: Range<usize>) -> Vec<f32> {
            let cache = KeyValues { layout: self.layout, keys: &self.keys, values: &self.values };
            let mut out = vec![f32::NAN; queries.len()];
            let mut scratch = Scratch::new();
            attend(isa, queries, &cache, positions, 0.125, &mut out, &mut scratch);
            out
        }

        fn reference(&self, query: &[f32], positions: Range<usize>) -> Vec<f32> {
            let [keys, values] = &self.rows;
            reference::attend(query, keys, values, positions, 0.125)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(120))]

        #[test]
        fn every_isa_gives_the_bits_of_the_reference(
            head_dim in 1usize..140, group in 1usize..9, ends in (0usize..150, 1usize..150),
            values in samples::values(), seed: u64,
        ) {
            let positions = ends.0..ends.0 + ends.1;
            let cached = Cached::new(head_dim, positions.end, values, seed);
            let queries = samples::floats(group * head_dim, values, seed ^ 1);
            let expected: Vec<f32> = queries
                .chunks_exact(head_dim)
                .flat_map(|query| cached.reference(query, positions.clone()))
                .collect();
            for isa in Isa::available() {
                let found = cached.attend(isa, &queries, positions.clone());
                assert_same_bits(&found, &expected, isa.name());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn rows_together_have_the_bits_that_they_have_alone(
            head_dim in 1usize..70, group in 1usize..4, rows in 1usize..80, first in 0usize..90,
            window in prop_oneof![Just(usize::MAX), 1usize..70], values in samples::values(),
            seed: u64,
        ) {
            let cached = Cached::new(head_dim, first + rows, values, seed);
            let cache = KeyValues {
                layout: cached.layout, keys: &cached.keys, values: &cached.values,
            };
            let queries = samples::floats(rows * group * head_dim, values, seed ^ 1);
            let ranges: Vec<_> = (first..first + rows)
                .map(|position| (position + 1).saturating_sub(window)..position + 1)
                .collect();
            let sinks = &[0.5, -1.0, 2.0][..group];
            let scoring = Scoring { scale: 0.3, cap: Some(4.0), sinks };
            let (isa, mut scratch) = (Isa::detect(), Scratch::new());
            let mut out = vec![f32::NAN; queries.len()];
            attend_rows(isa, &queries, &cache, &ranges, &scoring, &mut out, &mut scratch);
            let share = group * head_dim;
            for (row, range) in ranges.iter().enumerate() {
                let (queries, mut alone) = (&queries[row * share..][..share], vec![0.0; share]);
                let range = range.clone();
                attend_by(isa, queries, &cache, range, &scoring, &mut alone, &mut scratch);
                assert_same_bits(&out[row * share..][..share], &alone, "a row");
            }
        }
    }

    #[test]
    fn later_positions_and_a_longer_buffer_change_nothing() {
        let (short, long) =
            (Cached::new(64, 77, Values::Plain, 5), Cached::new(64, 77, Values::Plain, 5));
        let mut long = long;
        let other = [9.0; 64];
        for position in 77..100 {
            long.layout.write_key(&mut long.keys, position, &other);
            long.layout.write_value(&mut long.values, position, &other);
        }
        let query = samples::floats(64, Values::Plain, 6);
        let isa = Isa::detect();
        let expected = short.attend(isa, &query, 3..77);
        assert_same_bits(&long.attend(isa, &query, 3..77), &expected, "longer cache");
    }

    /// The definition in 64-bit floats: capped scores, and a sink that takes its share.
    fn capped_with_sink(cached: &Cached, query: &[f32], sink: f64) -> Vec<f64> {
        let [keys, values] = &cached.rows;
        let dot = |key: &Vec<f32>| -> f64 {
            key.iter().zip(query).map(|(k, q)| f64::from(*k) * f64::from(*q)).sum()
        };
        let weights: Vec<f64> =
            keys.iter().map(|key| ((dot(key) * 0.5 / 2.0).tanh() * 2.0).exp()).collect();
        let total = weights.iter().sum::<f64>() + sink.exp();
        let column = |d: usize| -> f64 {
            weights.iter().zip(values).map(|(w, value)| w * f64::from(value[d])).sum()
        };
        (0..query.len()).map(|d| column(d) / total).collect()
    }

    #[test]
    fn caps_and_sinks_follow_their_definition_on_every_isa() {
        let cached = Cached::new(24, 45, Values::Plain, 21);
        let queries = samples::floats(2 * 24, Values::Plain, 22);
        let cache = KeyValues { layout: cached.layout, keys: &cached.keys, values: &cached.values };
        let scoring = Scoring { scale: 0.5, cap: Some(2.0), sinks: &[1.5, 3.0] };
        let mut first = Vec::new();
        for isa in Isa::available() {
            let (mut out, mut scratch) = (vec![0.0; 48], Scratch::new());
            attend_by(isa, &queries, &cache, 0..45, &scoring, &mut out, &mut scratch);
            if first.is_empty() {
                first.clone_from(&out);
            }
            assert_same_bits(&out, &first, isa.name());
        }
        for (query, sink) in [1.5, 3.0].into_iter().enumerate() {
            let expected = capped_with_sink(&cached, &queries[query * 24..][..24], sink);
            for (found, expected) in first[query * 24..][..24].iter().zip(expected) {
                assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} {expected}");
            }
        }
    }

    #[test]
    fn more_queries_than_a_band_are_each_computed_as_if_alone() {
        let cached = Cached::new(16, 50, Values::Plain, 11);
        let queries = samples::floats(70 * 16, Values::Plain, 12);
        let all = cached.attend(Isa::detect(), &queries, 0..50);
        for (query, found) in queries.chunks_exact(16).zip(all.chunks_exact(16)) {
            assert_same_bits(found, &cached.attend(Isa::detect(), query, 0..50), "alone");
        }
    }

    #[test]
    fn the_result_is_attention() {
        let cached = Cached::new(80, 200, Values::Plain, 3);
        let query: Vec<f32> =
            samples::floats(80, Values::Plain, 4).iter().map(|value| value * 8.0).collect();
        let out = cached.attend(Isa::detect(), &query, 20..200);
        let [keys, values] = &cached.rows;
        let dot = |key: &[f32]| -> f64 {
            key.iter().zip(&query).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let weights: Vec<f64> = keys[20..].iter().map(|key| (dot(key) * 0.125).exp()).collect();
        let total: f64 = weights.iter().sum();
        for (d, out) in out.iter().enumerate() {
            let mixed = weights.iter().zip(&values[20..]).map(|(w, v)| w * f64::from(v[d]));
            let error = (f64::from(*out) - mixed.sum::<f64>() / total).abs();
            assert!(error < 1e-6, "element {d} is off by {error}");
        }
    }

    #[test]
    #[should_panic(expected = "no positions")]
    fn an_empty_range_is_refused() {
        Cached::new(4, 4, Values::Plain, 1).attend(Isa::detect(), &[0.0; 4], 2..2);
    }
}
