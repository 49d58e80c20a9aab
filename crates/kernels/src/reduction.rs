//! Sums that a backward pass needs, in the orders of the rule.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::chains::CHAIN;
use crate::exp::exp_one;
use crate::isa::{Isa, on_isa};
use crate::lanes::{LANES, fold, larger, largest, sum};
use std::ops::Range;

/// Columns summed together.
const COLUMNS: usize = 64;

/// The sum over lanes of `fma(a[i], b[i], lane)`: a dot product in the order of reductions.
///
/// # Panics
/// When the lengths differ.
pub fn dot(isa: Isa, a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "lengths of the factors");
    on_isa!(isa, dot_body(a: &[f32], b: &[f32]) -> f32)
}

#[inline(always)]
pub(crate) fn dot_body(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let ((a, a_tail), (b, b_tail)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            lanes[lane] = a[lane].mul_add(b[lane], lanes[lane]);
        }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(a_tail).zip(b_tail) {
        *lane = a.mul_add(*b, *lane);
    }
    sum(lanes)
}

/// The largest element m and the sum of `e^(x[i] - m)`, as [`crate::softmax`] has them.
pub fn largest_and_total(isa: Isa, x: &[f32]) -> [f32; 2] {
    on_isa!(isa, largest_and_total_body(x: &[f32]) -> [f32; 2])
}

#[inline(always)]
fn largest_and_total_body(x: &[f32]) -> [f32; 2] {
    let max = largest(fold(x, f32::NEG_INFINITY, larger));
    [max, sum(fold(x, 0.0, |sum, value| sum + exp_one(value - max)))]
}

/// `out[c - columns.start] += sum over t of x[t][c]` for `x` `[rows, width]`: even and odd chains
/// over the rows, going on from what `out` holds.
///
/// # Panics
/// When `x`, `columns` and `out` do not fit together.
pub fn column_sums(isa: Isa, x: &[f32], width: usize, columns: Range<usize>, out: &mut [f32]) {
    check(&[x], width, &columns, out);
    on_isa!(isa, sums_body(x: &[f32], width: usize, columns: Range<usize>, out: &mut [f32]))
}

#[inline(always)]
fn sums_body(x: &[f32], width: usize, columns: Range<usize>, out: &mut [f32]) {
    over_rows(x.len() / width.max(1), columns, out, |row, from, chain| {
        for (chain, x) in chain.iter_mut().zip(&x[row * width + from..]) {
            *chain += x;
        }
    });
}

/// `out[c - columns.start] += sum over t of slope[t][c] * ((x[t][c] - centre[t]) * factor[t])`:
/// what a norm passes back to its weight. `slope` and `x` are `[rows, width]`, `places` holds each
/// row's centre (0 for [`crate::rms_norm`]) and factor; even and odd chains over the rows.
///
/// # Panics
/// When the slices and `columns` do not fit together.
pub fn norm_weight_gradient(
    isa: Isa,
    slope: &[f32],
    x: &[f32],
    places: &[[f32; 2]],
    width: usize,
    columns: Range<usize>,
    out: &mut [f32],
) {
    check(&[slope, x], width, &columns, out);
    assert_eq!(places.len() * width, x.len(), "a centre and a factor for each row");
    on_isa!(
        isa,
        norm_weight_body(
            slope: &[f32],
            x: &[f32],
            places: &[[f32; 2]],
            width: usize,
            columns: Range<usize>,
            out: &mut [f32]
        )
    )
}

#[inline(always)]
fn norm_weight_body(
    slope: &[f32],
    x: &[f32],
    places: &[[f32; 2]],
    width: usize,
    columns: Range<usize>,
    out: &mut [f32],
) {
    over_rows(places.len(), columns, out, |row, from, chain| {
        let [centre, factor] = places[row];
        let (slope, x) = (&slope[row * width + from..], &x[row * width + from..]);
        for ((chain, slope), x) in chain.iter_mut().zip(slope).zip(x) {
            *chain = slope.mul_add((x - centre) * factor, *chain);
        }
    });
}

/// Even and odd chains over the rows, for up to 64 columns at a time: `step` gets a row, the first
/// of the columns and their chains.
#[inline(always)]
fn over_rows(
    rows: usize,
    columns: Range<usize>,
    out: &mut [f32],
    step: impl Fn(usize, usize, &mut [f32]),
) {
    for (index, out) in out.chunks_mut(COLUMNS).enumerate() {
        let from = columns.start + index * COLUMNS;
        for first in (0..rows).step_by(CHAIN) {
            let mut chains = [[0.0f32; COLUMNS]; 2];
            for row in first..(first + CHAIN).min(rows) {
                step(row, from, &mut chains[row % 2][..out.len()]);
            }
            let [even, odd] = chains;
            for ((out, even), odd) in out.iter_mut().zip(even).zip(odd) {
                *out += even + odd;
            }
        }
    }
}

fn check(inputs: &[&[f32]], width: usize, columns: &Range<usize>, out: &[f32]) {
    assert!(columns.start <= columns.end && columns.end <= width, "columns {columns:?} of {width}");
    assert_eq!(out.len(), columns.len(), "out is [columns]");
    let whole = |x: &&[f32]| x.len().is_multiple_of(width.max(1)) && x.len() == inputs[0].len();
    assert!(inputs.iter().all(whole), "inputs are [rows, width]");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{assert_same_bits, reduce};
    use crate::samples;
    use proptest::prelude::*;

    /// The chains, one column after the other.
    fn by_rule(rows: usize, term: impl Fn(usize, f32) -> f32, start: f32) -> f32 {
        let mut total = start;
        for first in (0..rows).step_by(32) {
            let mut chains = [0.0f32; 2];
            for row in first..(first + 32).min(rows) {
                chains[row % 2] = term(row, chains[row % 2]);
            }
            total += chains[0] + chains[1];
        }
        total
    }

    proptest! {
        #[test]
        fn columns_follow_the_rule_on_every_isa(
            rows in 0usize..80, width in 1usize..150, cut in 0usize..150,
            values in samples::values(), seed: u64,
        ) {
            let slope = samples::floats(rows * width, values, seed);
            let x = samples::floats(rows * width, values, !seed);
            let places = samples::floats(2 * rows, values, seed / 2);
            let places = places.as_chunks::<2>().0;
            let columns = cut.min(width)..width;
            for isa in Isa::available() {
                let (mut sums, mut products) = (vec![0.5; columns.len()], vec![0.5; columns.len()]);
                column_sums(isa, &slope, width, columns.clone(), &mut sums);
                norm_weight_gradient(
                    isa, &slope, &x, places, width, columns.clone(), &mut products,
                );
                for (index, column) in columns.clone().enumerate() {
                    let at = |row: usize| row * width + column;
                    let sum = by_rule(rows, |row, chain| chain + slope[at(row)], 0.5);
                    let product = by_rule(rows, |row, chain| {
                        let [centre, factor] = places[row];
                        slope[at(row)].mul_add((x[at(row)] - centre) * factor, chain)
                    }, 0.5);
                    assert_same_bits(
                        &[sums[index], products[index]], &[sum, product], isa.name(),
                    );
                }
            }
        }

        #[test]
        fn rows_follow_the_rule_on_every_isa(
            len in 0usize..150, values in samples::values(), seed: u64,
        ) {
            let a = samples::floats(len, values, seed);
            let b = samples::floats(len, values, !seed);
            let mut lanes = [0.0f32; 16];
            for (index, (a, b)) in a.iter().zip(&b).enumerate() {
                lanes[index % 16] = a.mul_add(*b, lanes[index % 16]);
            }
            let product = reduce(lanes.into_iter().enumerate(), 0.0, |a, b| a + b);
            for isa in Isa::available() {
                assert_same_bits(&[dot(isa, &a, &b)], &[product], isa.name());
                let [max, total] = largest_and_total(isa, &a);
                let mut shares = a.clone();
                crate::softmax(isa, &mut shares);
                let expected: Vec<f32> = a.iter().map(|a| exp_one(a - max) / total).collect();
                assert_same_bits(&shares, &expected, isa.name());
            }
        }
    }
}
