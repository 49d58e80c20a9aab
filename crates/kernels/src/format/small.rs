//! Blocks of 32 weights.

use super::half_at;

/// The values that the nibbles of IQ4_NL and IQ4_XS name.
pub(crate) const FOUR_BIT_VALUES: [f32; 16] = [
    -127.0, -104.0, -83.0, -65.0, -49.0, -35.0, -22.0, -10.0, 1.0, 13.0, 25.0, 38.0, 53.0, 69.0,
    89.0, 113.0,
];

/// Twice the values of the 4-bit float E2M1; its negative zero is read as zero, as ggml does.
pub(crate) const FOUR_BIT_FLOATS: [f32; 16] =
    [0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 0.0, -1.0, -2.0, -3.0, -4.0, -6.0, -8.0, -12.0];

pub(super) fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    for (weight, quant) in out.iter_mut().zip(&block[2..]) {
        *weight = f32::from(*quant as i8) * scale;
    }
}

pub(super) fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    nibbles(&block[2..], out, |_, nibble| f32::from(nibble as i8 - 8) * scale);
}

pub(super) fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    nibbles(&block[4..], out, |_, nibble| f32::from(nibble) * scale + least);
}

pub(super) fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let (scale, tops) = (half_at(block, 0), word_at(block, 2));
    let value = |j, nibble| f32::from((nibble | fifth_bit(tops, j)) as i8 - 16) * scale;
    nibbles(&block[6..], out, value);
}

pub(super) fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    let tops = word_at(block, 4);
    nibbles(&block[8..], out, |j, nibble| f32::from(nibble | fifth_bit(tops, j)) * scale + least);
}

pub(super) fn iq4_nl(block: &[u8; 18], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    nibbles(&block[2..], out, |_, nibble| FOUR_BIT_VALUES[usize::from(nibble)] * scale);
}

pub(super) fn mxfp4(block: &[u8; 17], out: &mut [f32; 32]) {
    let scale = power_of_two(u32::from(block[0]));
    nibbles(&block[1..], out, |_, nibble| FOUR_BIT_FLOATS[usize::from(nibble)] * scale);
}

/// 2^(exponent − 128), half of what the exponent byte says, since [`FOUR_BIT_FLOATS`] are doubled.
/// The first two are denormal; 255 is a number like the others, as in ggml.
#[inline(always)]
pub(crate) fn power_of_two(exponent: u32) -> f32 {
    f32::from_bits(if exponent < 2 { 0x0020_0000 << exponent } else { (exponent - 1) << 23 })
}

/// Weights j (low nibble) and j + 16 (high nibble) from byte j: `value(place, nibble)`.
pub(super) fn nibbles(quants: &[u8], out: &mut [f32], value: impl Fn(usize, u8) -> f32) {
    for (j, pair) in quants.iter().enumerate() {
        out[j] = value(j, pair & 15);
        out[j + 16] = value(j + 16, pair >> 4);
    }
}

fn word_at(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

/// Bit j of `tops` as the fifth bit of weight j.
fn fifth_bit(tops: u32, j: usize) -> u8 {
    ((tops >> j & 1) as u8) << 4
}
