//! Inputs for tests.

use crate::format::{Format, Grouped, Scale};
use proptest::prelude::*;

/// Every format, in files and in memory.
pub(crate) fn formats() -> Vec<Format> {
    Format::ALL.into_iter().chain(Grouped::ALL.map(Format::Grouped)).collect()
}

/// What the values of an input are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    /// Finite, around one in size.
    Plain,
    /// Any bits at all: NaN, infinities, denormals, both zeros.
    AnyBits,
    /// So small that products are denormal or vanish.
    Tiny,
}

pub(crate) fn values() -> impl Strategy<Value = Values> {
    prop_oneof![Just(Values::Plain), Just(Values::AnyBits), Just(Values::Tiny)]
}

/// A fixed sequence of well mixed words (splitmix64).
pub(crate) fn words(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

pub(crate) fn floats(len: usize, values: Values, seed: u64) -> Vec<f32> {
    words(seed).map(|word| float(word, values)).take(len).collect()
}

fn float(word: u64, values: Values) -> f32 {
    let plain = (word >> 40) as f32 / (1 << 23) as f32 - 1.0;
    match values {
        Values::Plain => plain,
        Values::Tiny => plain * 2.0f32.powi(-75 - (word % 60) as i32),
        // One in 64 is special, so that most sums stay numbers.
        Values::AnyBits if word.is_multiple_of(64) => f32::from_bits((word >> 32) as u32),
        Values::AnyBits if word % 64 == 1 => -0.0,
        Values::AnyBits => plain,
    }
}

/// Stored rows; scales of block formats are random as well.
pub(crate) fn weights(
    format: Format,
    rows: usize,
    columns: usize,
    values: Values,
    seed: u64,
) -> Vec<u8> {
    let mut floats = words(seed).map(|word| float(word, values));
    let mut quants = words(!seed).flat_map(u64::to_le_bytes);
    let mut bytes = Vec::new();
    for _ in 0..rows * columns / format.block_len() {
        let value = floats.next().unwrap_or_default();
        match format {
            Format::F32 => bytes.extend(value.to_le_bytes()),
            Format::F16 => bytes.extend(half::f16::from_f32(value).to_le_bytes()),
            Format::BF16 => bytes.extend(half::bf16::from_f32(value).to_le_bytes()),
            _ => {
                let start = bytes.len();
                bytes.extend(quants.by_ref().take(format.block_bytes()));
                put_scales(format, &mut bytes[start..], value, values);
            }
        }
    }
    bytes
}

/// As [`put_scales`]; the zero point stays random.
fn put_scale_of_group(kind: Grouped, block: &mut [u8], value: f32, values: Values) {
    let factor = if values == Values::AnyBits { 1.0 } else { 0.01 };
    if values == Values::Plain && matches!(kind, Grouped::Float8(_)) {
        block.iter_mut().filter(|code| **code & 127 == 127).for_each(|nan| *nan = 0);
    }
    let (at, scale) = match kind {
        Grouped::Int4(scale) => (16, scale),
        Grouped::Int8(scale) | Grouped::Float8(scale) => (32, scale),
        Grouped::Float4 => (16, Scale::F32),
    };
    let mut bytes = Vec::new();
    scale.put(value * factor, &mut bytes);
    block[at..at + bytes.len()].copy_from_slice(&bytes);
    if kind == Grouped::Float4 {
        block[20..24].copy_from_slice(&(value * -0.02).to_le_bytes());
    }
}

/// Overwrites the scales of a block of random bytes, which may be anything, with `value`.
fn put_scales(format: Format, block: &mut [u8], value: f32, values: Values) {
    let places: &[usize] = match format {
        Format::MXFP4 => &[],
        Format::Grouped(kind) => return put_scale_of_group(kind, block, value, values),
        Format::Q4_1 | Format::Q5_1 | Format::Q4_K | Format::Q5_K => &[0, 2],
        Format::Q2_K => &[80, 82],
        Format::Q3_K => &[108],
        Format::Q6_K => &[208],
        _ => &[0],
    };
    for place in places {
        // Not the same for both, and sometimes of the other sign.
        let factor = if *place == places[0] { 1.0 } else { f32::from(block[*place]) / 64.0 - 1.0 };
        let half = half::f16::from_f32(value * factor).to_le_bytes();
        block[*place..place + 2].copy_from_slice(&half);
    }
    if format == Format::MXFP4 && values == Values::Plain {
        block[0] = 120 + block[0] % 8;
    }
}
