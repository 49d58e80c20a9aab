//! The rule of `docs/numerics.md` as plainly as possible: what every kernel is compared with.

use crate::format::decode_row;
use crate::lanes::{LANES, Lanes};
use crate::matrix::Matrix;
use std::ops::Range;

/// Sum of `a[k] * b[k]` over `steps` in the canonical order.
pub(crate) fn dot(a: &[f32], b: &[f32], steps: Range<usize>) -> f32 {
    dot_from(0.0, a, b, steps)
}

/// [`dot`] that goes on from a sum.
fn dot_from(mut acc: f32, a: &[f32], b: &[f32], steps: Range<usize>) -> f32 {
    for block in steps.start / 32..steps.end.div_ceil(32) {
        let (mut even, mut odd) = (0.0f32, 0.0f32);
        for k in (block * 32..block * 32 + 32).filter(|k| steps.contains(k)) {
            let chain = if k % 2 == 0 { &mut even } else { &mut odd };
            *chain = a[k].mul_add(b[k], *chain);
        }
        acc += even + odd;
    }
    acc
}

/// `[tokens, rows]`.
pub(crate) fn linear(x: &[f32], w: &Matrix, rows: Range<usize>) -> Vec<f32> {
    let mut out = Vec::new();
    let mut row_values = vec![0.0; w.columns];
    for x in x.chunks_exact(w.columns) {
        for row in rows.clone() {
            decode_row(w.format, w.row(row), &mut row_values);
            out.push(dot(&row_values, x, 0..w.columns));
        }
    }
    out
}

/// `[tokens, columns]`.
pub(crate) fn linear_input_gradient(dy: &[f32], w: &Matrix, columns: Range<usize>) -> Vec<f32> {
    let mut weights = vec![0.0; w.rows * w.columns];
    for (row, values) in weights.chunks_exact_mut(w.columns).enumerate() {
        decode_row(w.format, w.row(row), values);
    }
    let column = |c: usize| weights.iter().skip(c).step_by(w.columns).copied().collect();
    let columns: Vec<Vec<f32>> = columns.map(column).collect();
    dy.chunks_exact(w.rows)
        .flat_map(|dy| columns.iter().map(|column| dot(column, dy, 0..w.rows)).collect::<Vec<_>>())
        .collect()
}

/// `start + dy^T x` for some rows: `[rows, columns]`.
pub(crate) fn linear_weight_gradient(
    [dy, x]: [&[f32]; 2],
    [all_rows, columns]: [usize; 2],
    rows: Range<usize>,
    start: &[f32],
) -> Vec<f32> {
    let tokens = dy.len() / all_rows;
    let mut out = start.to_vec();
    for (row, out) in rows.zip(out.chunks_exact_mut(columns)) {
        let dy: Vec<f32> = dy.iter().skip(row).step_by(all_rows).copied().collect();
        for (column, out) in out.iter_mut().enumerate() {
            let x: Vec<f32> = x.iter().skip(column).step_by(columns).copied().collect();
            *out = dot_from(*out, &dy, &x, 0..tokens);
        }
    }
    out
}

/// Reduces values with their absolute positions: 16 lanes by position, then the tree.
pub(crate) fn reduce(
    values: impl Iterator<Item = (usize, f32)>,
    start: f32,
    step: impl Fn(f32, f32) -> f32,
) -> f32 {
    let mut lanes: Lanes = [start; LANES];
    for (position, value) in values {
        lanes[position % LANES] = step(lanes[position % LANES], value);
    }
    for width in [8, 4, 2, 1] {
        for lane in 0..width {
            lanes[lane] = step(lanes[lane], lanes[lane + width]);
        }
    }
    lanes[0]
}

/// Attention of one query over keys and values `[positions][head_dim]`.
pub(crate) fn attend(
    query: &[f32],
    keys: &[Vec<f32>],
    values: &[Vec<f32>],
    positions: Range<usize>,
    scale: f32,
) -> Vec<f32> {
    let head_dim = query.len();
    let mut weights = vec![0.0; positions.end];
    for p in positions.clone() {
        weights[p] = dot(query, &keys[p], 0..head_dim) * scale;
    }
    let at = |weights: &[f32]| positions.clone().map(|p| (p, weights[p])).collect::<Vec<_>>();
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let max = reduce(at(&weights).into_iter(), f32::NEG_INFINITY, larger);
    for p in positions.clone() {
        weights[p] = crate::exp::exp_one(weights[p] - max);
    }
    let total = reduce(at(&weights).into_iter(), 0.0, |a, b| a + b);
    let column = |d: usize| values.iter().map(|value| value[d]).collect::<Vec<f32>>();
    (0..head_dim).map(|d| dot(&weights, &column(d), positions.clone()) / total).collect()
}

/// Panics unless both hold the same bits; NaN equals NaN, whatever its sign and payload.
#[track_caller]
pub(crate) fn assert_same_bits(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: lengths");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
        assert!(same, "{what}: element {i} is {found:e}, not {expected:e}");
    }
}
