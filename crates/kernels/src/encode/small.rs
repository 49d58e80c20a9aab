//! Blocks of 32 weights.

use super::put_half;

/// One over `scale`, or nothing where there is none.
fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

/// The first of the values with the largest size.
fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |most: f32, value| if value.abs() > most.abs() { *value } else { most })
}

/// The least and the most of the values.
fn bounds(values: &[f32]) -> (f32, f32) {
    values.iter().fold((f32::MAX, -f32::MAX), |(least, most), value| {
        (if *value < least { *value } else { least }, if *value > most { *value } else { most })
    })
}

pub(super) fn q8_0(values: &[f32; 32], block: &mut [u8; 34]) {
    let scale = largest(values).abs() / 127.0;
    let inverse = inverse(scale);
    put_half(block, 0, scale);
    for (quant, value) in block[2..].iter_mut().zip(values) {
        *quant = (value * inverse).round() as i8 as u8;
    }
}

pub(super) fn q4_0(values: &[f32; 32], block: &mut [u8; 18]) {
    let scale = largest(values) / -8.0;
    let inverse = inverse(scale);
    put_half(block, 0, scale);
    nibbles(&mut block[2..], |j| ((values[j] * inverse + 8.5) as u8).min(15));
}

pub(super) fn q4_1(values: &[f32; 32], block: &mut [u8; 20]) {
    let (least, most) = bounds(values);
    let scale = (most - least) / 15.0;
    let inverse = inverse(scale);
    put_half(block, 0, scale);
    put_half(block, 2, least);
    nibbles(&mut block[4..], |j| (((values[j] - least) * inverse + 0.5) as u8).min(15));
}

pub(super) fn q5_0(values: &[f32; 32], block: &mut [u8; 22]) {
    let scale = largest(values) / -16.0;
    let inverse = inverse(scale);
    put_half(block, 0, scale);
    five_bits(&mut block[2..], |j| ((values[j] * inverse + 16.5) as u8).min(31));
}

pub(super) fn q5_1(values: &[f32; 32], block: &mut [u8; 24]) {
    let (least, most) = bounds(values);
    let scale = (most - least) / 31.0;
    let inverse = inverse(scale);
    put_half(block, 0, scale);
    put_half(block, 2, least);
    five_bits(&mut block[4..], |j| ((values[j] - least) * inverse + 0.5) as u8);
}

/// Weight j in the low nibble of byte j, weight j + 16 in the high one.
fn nibbles(quants: &mut [u8], quant: impl Fn(usize) -> u8) {
    for (j, pair) in quants.iter_mut().enumerate() {
        *pair = quant(j) & 15 | quant(j + 16) << 4;
    }
}

/// Fifth bits in a word of their own, then the others as [`nibbles`].
fn five_bits(bytes: &mut [u8], quant: impl Fn(usize) -> u8) {
    let tops = (0..32).fold(0, |tops, j| tops | u32::from(quant(j) >> 4 & 1) << j);
    bytes[..4].copy_from_slice(&tops.to_le_bytes());
    nibbles(&mut bytes[4..], |j| quant(j) & 15);
}
