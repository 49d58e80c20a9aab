//! Blocks of 256 weights with small scales for each 16.

use super::put_half;
use half::f16;

/// Groups whose largest value is smaller are taken for zeros.
const NOTHING: f32 = 1e-15;
/// Most and least steps of a weight of 6 bits.
const STEPS: f32 = 32.0;

/// The nearest integer, ties to even; `value` has at most 22 bits before the point.
fn nearest(value: f32) -> i32 {
    value.round_ties_even() as i32
}

/// The steps of `value` at `steps_per_one` steps for each 1.
fn steps(value: f32, steps_per_one: f32) -> i32 {
    nearest(steps_per_one * value).clamp(-32, 31)
}

/// A group's steps from its least one on, as its quants are stored.
type Quants = [u8; 16];

/// How well a scale fits: sums over the group, each weighted with the square of its value.
fn fit(values: &[f32], steps_per_one: f32) -> (f32, f32) {
    values.iter().fold((0.0, 0.0), |(products, squares), value| {
        let (weight, step) = (value * value, steps(*value, steps_per_one) as f32);
        (products + weight * value * step, squares + weight * step * step)
    })
}

fn quants(values: &[f32], steps_per_one: f32) -> Quants {
    std::array::from_fn(|l| (steps(values[l], steps_per_one) + 32) as u8)
}

/// The first of the values with the largest size.
fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |most: f32, value| if value.abs() > most.abs() { *value } else { most })
}

/// The scale with the least error among 19 candidates, and the quants that it gives.
fn group(values: &[f32]) -> (f32, Quants) {
    let most = largest(values);
    if most.abs() < NOTHING {
        return (0.0, [0; 16]);
    }
    let mut chosen = -STEPS / most;
    let (products, squares) = fit(values, chosen);
    let mut scale = if squares == 0.0 { 0.0 } else { products / squares };
    let mut best = scale * products;
    for candidate in (-9..=9).filter(|candidate| *candidate != 0) {
        let steps_per_one = -(STEPS + 0.1 * candidate as f32) / most;
        let (products, squares) = fit(values, steps_per_one);
        if squares > 0.0 && products * products > best * squares {
            scale = products / squares;
            best = scale * products;
            chosen = steps_per_one;
        }
    }
    (scale, quants(values, chosen))
}

pub(super) fn q6_k(values: &[f32; 256], block: &mut [u8; 210]) {
    block.fill(0);
    let groups: [(f32, Quants); 16] =
        std::array::from_fn(|index| group(&values[16 * index..][..16]));
    let most = largest(&groups.map(|(scale, _)| scale));
    if most.abs() < NOTHING {
        return;
    }
    let inverse = -128.0 / most;
    let scale = f16::from_f32(1.0 / inverse).to_f32();
    put_half(block, 208, scale);
    for (index, (own, first)) in groups.iter().enumerate() {
        let own = nearest(inverse * own).min(127) as i8;
        block[192 + index] = own as u8;
        let step = scale * f32::from(own);
        for (at, first) in (16 * index..).zip(first) {
            // Where the scale is lost, the first quants stay: the weight is zero all the same.
            let quant = match step == 0.0 {
                true => *first,
                false => (nearest(values[at] / step).clamp(-32, 31) + 32) as u8,
            };
            put_six_bits(block, at, quant);
        }
    }
}

/// Each half of the block: 64 bytes of nibbles, 32 of pairs of bits; the block starts empty.
fn put_six_bits(block: &mut [u8; 210], at: usize, quant: u8) {
    let (half, layer, l) = (at / 128, at % 128 / 32, at % 32);
    block[64 * half + 32 * (layer % 2) + l] |= (quant & 15) << (4 * (layer / 2));
    block[128 + 32 * half + l] |= (quant >> 4) << (2 * layer);
}
