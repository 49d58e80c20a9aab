//! Blocks of 256 weights with small scales for each 16 or 32.

use super::half_at;
use super::small::{FOUR_BIT_VALUES, nibbles};

pub(super) fn q2_k(block: &[u8; 84], out: &mut [f32; 256]) {
    let (scale, minimum) = (half_at(block, 80), half_at(block, 82));
    for (i, weight) in out.iter_mut().enumerate() {
        let both = block[i / 16];
        let scale = scale * f32::from(both & 15);
        let minimum = minimum * f32::from(both >> 4);
        *weight = scale * f32::from(two_bits(&block[16..80], i)) - minimum;
    }
}

pub(super) fn q3_k(block: &[u8; 110], out: &mut [f32; 256]) {
    let scale = half_at(block, 108);
    for (i, weight) in out.iter_mut().enumerate() {
        let scale = scale * f32::from(signed_scale(&block[96..108], i / 16));
        let top = block[i % 32] >> (i / 32) & 1;
        *weight = scale * f32::from((two_bits(&block[32..96], i) | top << 2) as i8 - 4);
    }
}

pub(super) fn q4_k(block: &[u8; 144], out: &mut [f32; 256]) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    for (i, weight) in out.iter_mut().enumerate() {
        let (s, m) = scale_and_minimum(&block[4..16], i / 32);
        let (scale, minimum) = (scale * f32::from(s), minimum * f32::from(m));
        *weight = scale * f32::from(four_bits(&block[16..], i)) - minimum;
    }
}

pub(super) fn q5_k(block: &[u8; 176], out: &mut [f32; 256]) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    for (i, weight) in out.iter_mut().enumerate() {
        let (s, m) = scale_and_minimum(&block[4..16], i / 32);
        let (scale, minimum) = (scale * f32::from(s), minimum * f32::from(m));
        let top = block[16 + i % 32] >> (i / 32) & 1;
        *weight = scale * f32::from(four_bits(&block[48..], i) | top << 4) - minimum;
    }
}

pub(super) fn q6_k(block: &[u8; 210], out: &mut [f32; 256]) {
    let scale = half_at(block, 208);
    for (i, weight) in out.iter_mut().enumerate() {
        let scale = scale * f32::from(block[192 + i / 16] as i8);
        // Each half of the block: 64 bytes of nibbles, 32 of pairs of bits.
        let (half, group, l) = (i / 128, i % 128 / 32, i % 32);
        let low = block[64 * half + 32 * (group % 2) + l] >> (4 * (group / 2)) & 15;
        let high = block[128 + 32 * half + l] >> (2 * group) & 3;
        *weight = scale * f32::from((low | high << 4) as i8 - 32);
    }
}

pub(super) fn iq4_xs(block: &[u8; 136], out: &mut [f32; 256]) {
    let scale = half_at(block, 0);
    let highs = u16::from_le_bytes([block[2], block[3]]);
    for (b, out) in out.chunks_exact_mut(32).enumerate() {
        let low = block[4 + b / 2] >> (4 * (b % 2)) & 15;
        let high = (highs >> (2 * b) & 3) as u8;
        let scale = scale * f32::from((low | high << 4) as i8 - 32);
        let quants = &block[8 + 16 * b..][..16];
        nibbles(quants, out, |_, nibble| scale * FOUR_BIT_VALUES[usize::from(nibble)]);
    }
}

/// Weight i of 2 bits: each 32 bytes hold 128 weights, in four layers of 32.
fn two_bits(quants: &[u8], i: usize) -> u8 {
    quants[32 * (i / 128) + i % 32] >> (2 * (i % 128 / 32)) & 3
}

/// Weight i of 4 bits: each 32 bytes hold 64 weights, in two layers of 32.
fn four_bits(quants: &[u8], i: usize) -> u8 {
    quants[32 * (i / 64) + i % 32] >> (4 * (i / 32 % 2)) & 15
}

/// Scale and minimum j of 8, of 6 bits each, packed in 12 bytes.
fn scale_and_minimum(packed: &[u8], j: usize) -> (u8, u8) {
    if j < 4 {
        return (packed[j] & 63, packed[j + 4] & 63);
    }
    let (scale, minimum) = (packed[j - 4] >> 6, packed[j] >> 6);
    (packed[j + 4] & 15 | scale << 4, packed[j + 4] >> 4 | minimum << 4)
}

/// Scale j of 16, of 6 bits, packed in 12 bytes; −32 to 31.
fn signed_scale(packed: &[u8], j: usize) -> i8 {
    let low = packed[j % 8] >> (4 * (j / 8)) & 15;
    let high = packed[8 + j % 4] >> (2 * (j / 4)) & 3;
    (low | high << 4) as i8 - 32
}
