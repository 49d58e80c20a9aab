//! Blocks of 16 rows turned so that a lane is a row, and the weights in them.
//!
//! Portable code over arrays of 16, to be compiled once per instruction set by its callers: every
//! function is `#[inline(always)]`. Where it fuses a multiplication with an addition, the product
//! is exact, so that the bits are those of [`crate::format::decode_row`].

use crate::format::{
    FOUR_BIT_FLOATS, FOUR_BIT_VALUES, Format, GROUPED_LEN, Grouped, Scale, float4, float8,
    power_of_two,
};
use crate::lanes::{LANES, Lanes};

/// One 32-bit word of each row.
pub(crate) type Words = [u32; LANES];
/// Words of the longest block, the last one half filled.
pub(crate) const BLOCK_WORDS: usize = 53;
/// The words of one block of 16 rows.
pub(crate) type Block = [Words; BLOCK_WORDS];

/// Turns bytes `from..to` of each row's block, which starts at `offset`; `from` is a multiple of 4.
#[inline(always)]
pub(crate) fn turn_rest(
    rows: &[&[u8]; LANES],
    offset: usize,
    from: usize,
    to: usize,
    block: &mut Block,
) {
    for at in (from..to).step_by(4) {
        let len = (to - at).min(4);
        for (lane, row) in rows.iter().enumerate() {
            let mut word = [0; 4];
            word[..len].copy_from_slice(&row[offset + at..][..len]);
            block[at / 4][lane] = u32::from_le_bytes(word);
        }
    }
}

/// Writes the weights of a block, `out[column][row]`; false for formats with code of their own.
#[inline(always)]
pub(crate) fn decode(format: Format, block: &Block, out: &mut [Lanes]) -> bool {
    match format {
        Format::F32 | Format::F16 | Format::BF16 | Format::Q8_0 | Format::Q4_0 => return false,
        Format::Q4_1 => q4_1(block, out),
        Format::Q5_0 => q5_0(block, out),
        Format::Q5_1 => q5_1(block, out),
        Format::Q2_K => q2_k(block, out),
        Format::Q3_K => q3_k(block, out),
        Format::Q4_K => q4_k(block, out),
        Format::Q5_K => q5_k(block, out),
        Format::Q6_K => q6_k(block, out),
        Format::IQ4_NL => iq4_nl(block, out),
        Format::IQ4_XS => iq4_xs(block, out),
        Format::MXFP4 => mxfp4(block, out),
        Format::Grouped(kind) => grouped(kind, block, out),
    }
    true
}

#[inline(always)]
fn q4_1(block: &Block, out: &mut [Lanes]) {
    let (scale, least) = (low_half(&block[0]), high_half(&block[0]));
    nibbles(block, 4, out, |_, nibble, lane| number(nibble).mul_add(scale[lane], least[lane]));
}

#[inline(always)]
fn q5_0(block: &Block, out: &mut [Lanes]) {
    let (scale, tops) = (low_half(&block[0]), word_at(block, 2));
    nibbles(block, 6, out, |column, nibble, lane| {
        (number(nibble | (tops[lane] >> column & 1) << 4) - 16.0) * scale[lane]
    });
}

#[inline(always)]
fn q5_1(block: &Block, out: &mut [Lanes]) {
    let (scale, least, tops) = (low_half(&block[0]), high_half(&block[0]), &block[1]);
    nibbles(block, 8, out, |column, nibble, lane| {
        let quant = number(nibble | (tops[lane] >> column & 1) << 4);
        quant.mul_add(scale[lane], least[lane])
    });
}

#[inline(always)]
fn iq4_nl(block: &Block, out: &mut [Lanes]) {
    let scale = low_half(&block[0]);
    nibbles(block, 2, out, |_, nibble, lane| named(&FOUR_BIT_VALUES, nibble) * scale[lane]);
}

#[inline(always)]
fn mxfp4(block: &Block, out: &mut [Lanes]) {
    let scale = each(|lane| power_of_two(block[0][lane] & 255));
    nibbles(block, 1, out, |_, nibble, lane| named(&FOUR_BIT_FLOATS, nibble) * scale[lane]);
}

#[inline(always)]
fn grouped(kind: Grouped, block: &Block, out: &mut [Lanes]) {
    match kind {
        Grouped::Int4(scale) => {
            let (factor, zero) = factor_and_zero(scale, &block[4..6]);
            nibbles(block, 0, out, |_, nibble, lane| {
                scale.round((number(nibble) - zero[lane]) * factor[lane])
            });
        }
        Grouped::Int8(scale) => {
            let (factor, zero) = factor_and_zero(scale, &block[8..10]);
            whole_bytes(scale, block, out, |code, lane| (number(code) - zero[lane]) * factor[lane]);
        }
        Grouped::Float8(scale) => {
            let (factor, _) = factor_and_zero(scale, &block[8..10]);
            whole_bytes(scale, block, out, |code, lane| float8(code) * factor[lane]);
        }
        Grouped::Float4 => {
            let factors = [4, 5].map(|word| each(|lane| f32::from_bits(block[word][lane])));
            nibbles(block, 0, out, |column, nibble, lane| {
                Scale::BF16.round(float4(nibble) * factors[column / 16][lane])
            });
        }
    }
}

/// Scale and zero point after the codes of a block.
#[inline(always)]
fn factor_and_zero(scale: Scale, words: &[Words]) -> (Lanes, Lanes) {
    let after =
        |place: usize| each(|lane| number(words[place / 4][lane] >> (8 * (place % 4)) & 255));
    match scale {
        Scale::F32 => (each(|lane| f32::from_bits(words[0][lane])), after(4)),
        Scale::F16 => (low_half(&words[0]), after(2)),
        Scale::BF16 => (each(|lane| f32::from_bits(words[0][lane] << 16)), after(2)),
    }
}

/// Columns from the 32 bytes of a block: `value(byte, lane)`, rounded to the scale's type.
#[inline(always)]
fn whole_bytes(
    scale: Scale,
    block: &Block,
    out: &mut [Lanes],
    value: impl Fn(u32, usize) -> f32 + Copy,
) {
    for (words, out) in block.iter().zip(out[..GROUPED_LEN].chunks_exact_mut(4)) {
        for (i, out) in out.iter_mut().enumerate() {
            let code = |lane: usize| words[lane] >> (8 * i) & 255;
            *out = each(|lane| scale.round(value(code(lane), lane)));
        }
    }
}

#[inline(always)]
fn iq4_xs(block: &Block, out: &mut [Lanes]) {
    let scale = low_half(&block[0]);
    for (b, out) in out.chunks_exact_mut(32).enumerate() {
        let scale = each(|lane| {
            let low = block[1][lane] >> (4 * b) & 15;
            let high = block[0][lane] >> (16 + 2 * b) & 3;
            scale[lane] * (number(low | high << 4) - 32.0)
        });
        nibbles(block, 8 + 16 * b, out, |_, nibble, lane| {
            named(&FOUR_BIT_VALUES, nibble) * scale[lane]
        });
    }
}

#[inline(always)]
fn q2_k(block: &Block, out: &mut [Lanes]) {
    let (scale, minimum) = (low_half(&block[20]), high_half(&block[20]));
    for (i, out) in out.chunks_exact_mut(16).enumerate() {
        let both = byte_of(&block[i / 4], i % 4);
        let scale = each(|lane| scale[lane] * number(both[lane] & 15));
        let minimum = each(|lane| minimum[lane] * number(both[lane] >> 4));
        for (w, out) in out.chunks_exact_mut(4).enumerate() {
            let quants = two_bits(&block[4..20], i, w);
            bytes(&quants, out, |quant, lane| quant.mul_add(scale[lane], -minimum[lane]));
        }
    }
}

#[inline(always)]
fn q3_k(block: &Block, out: &mut [Lanes]) {
    let scale = low_half(&block[27]);
    for (i, out) in out.chunks_exact_mut(16).enumerate() {
        let low = byte_of(&block[24 + i % 8 / 4], i % 4);
        let high = byte_of(&block[26], i % 4);
        let scale = each(|lane| {
            let stored = low[lane] >> (4 * (i / 8)) & 15 | (high[lane] >> (2 * (i / 4)) & 3) << 4;
            scale[lane] * (number(stored) - 32.0)
        });
        for (w, out) in out.chunks_exact_mut(4).enumerate() {
            let (low, tops) = (two_bits(&block[8..24], i, w), &block[4 * (i % 2) + w]);
            let quants = each(|lane| low[lane] | (tops[lane] >> (i / 2) & 0x0101_0101) << 2);
            bytes(&quants, out, |quant, lane| (quant - 4.0) * scale[lane]);
        }
    }
}

#[inline(always)]
fn q4_k(block: &Block, out: &mut [Lanes]) {
    for (j, out) in out.chunks_exact_mut(32).enumerate() {
        let (scale, minimum) = scale_and_minimum(block, j);
        for (w, out) in out.chunks_exact_mut(4).enumerate() {
            let quants = four_bits(&block[4..36], j, w);
            bytes(&quants, out, |quant, lane| quant.mul_add(scale[lane], -minimum[lane]));
        }
    }
}

#[inline(always)]
fn q5_k(block: &Block, out: &mut [Lanes]) {
    for (j, out) in out.chunks_exact_mut(32).enumerate() {
        let (scale, minimum) = scale_and_minimum(block, j);
        for (w, out) in out.chunks_exact_mut(4).enumerate() {
            let (low, tops) = (four_bits(&block[12..44], j, w), &block[4 + w]);
            let quants = each(|lane| low[lane] | (tops[lane] >> j & 0x0101_0101) << 4);
            bytes(&quants, out, |quant, lane| quant.mul_add(scale[lane], -minimum[lane]));
        }
    }
}

#[inline(always)]
fn q6_k(block: &Block, out: &mut [Lanes]) {
    let scale = low_half(&block[52]);
    for (i, out) in out.chunks_exact_mut(16).enumerate() {
        let small = byte_of(&block[48 + i / 4], i % 4);
        let scale = each(|lane| scale[lane] * f32::from(small[lane] as u8 as i8));
        let (half, group) = (i / 8, i % 8 / 2);
        for (w, out) in out.chunks_exact_mut(4).enumerate() {
            let place = 4 * (i % 2) + w;
            let (low, high) =
                (&block[16 * half + 8 * (group % 2) + place], &block[32 + 8 * half + place]);
            let quants = each(|lane| {
                low[lane] >> (4 * (group / 2)) & 0x0f0f_0f0f
                    | (high[lane] >> (2 * group) & 0x0303_0303) << 4
            });
            bytes(&quants, out, |quant, lane| (quant - 32.0) * scale[lane]);
        }
    }
}

/// What `value` gives for each lane.
#[inline(always)]
fn each<T: Copy + Default>(value: impl Fn(usize) -> T) -> [T; LANES] {
    let mut out = [T::default(); LANES];
    for (lane, out) in out.iter_mut().enumerate() {
        *out = value(lane);
    }
    out
}

/// A small integer as a float; signed conversions are the ones that every processor has.
#[inline(always)]
fn number(small: u32) -> f32 {
    small as i32 as f32
}

#[inline(always)]
fn named(table: &[f32; 16], nibble: u32) -> f32 {
    table[(nibble & 15) as usize]
}

/// Byte `place` of each word.
#[inline(always)]
fn byte_of(words: &Words, place: usize) -> Words {
    each(|lane| words[lane] >> (8 * place) & 255)
}

/// The 32 bits from byte `at`, which need not be a multiple of 4.
#[inline(always)]
fn word_at(block: &Block, at: usize) -> Words {
    let (word, shift) = (at / 4, 8 * (at % 4));
    match shift {
        0 => block[word],
        _ => each(|lane| block[word][lane] >> shift | block[word + 1][lane] << (32 - shift)),
    }
}

/// The half-precision numbers in the lower halves of the words.
#[inline(always)]
fn low_half(words: &Words) -> Lanes {
    each(|lane| half(words[lane]))
}

/// The half-precision numbers in the upper halves of the words.
#[inline(always)]
fn high_half(words: &Words) -> Lanes {
    each(|lane| half(words[lane] >> 16))
}

/// The half-precision number in the low 16 bits, exactly.
#[inline(always)]
fn half(bits: u32) -> f32 {
    // The fields are moved to where a single has them; 2^112 makes up for the other bias, and for
    // the missing leading bit of a denormal.
    let magnitude = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits((112 + 127) << 23);
    let special = if bits & 0x7c00 == 0x7c00 { 0x7f80_0000 } else { 0 };
    f32::from_bits(magnitude.to_bits() | special | (bits & 0x8000) << 16)
}

/// Four columns from the four bytes of each word: `value(byte, lane)`.
#[inline(always)]
fn bytes(words: &Words, out: &mut [Lanes], value: impl Fn(f32, usize) -> f32) {
    for (i, out) in out.iter_mut().enumerate() {
        *out = each(|lane| value(number(words[lane] >> (8 * i) & 255), lane));
    }
}

/// Columns j (low nibble) and j + 16 (high nibble) from each byte j of the 16 from `at`:
/// `value(column, nibble, lane)`.
#[inline(always)]
fn nibbles(block: &Block, at: usize, out: &mut [Lanes], value: impl Fn(usize, u32, usize) -> f32) {
    for j in 0..16 {
        let words = &block[(at + j) / 4];
        let shift = 8 * ((at + j) % 4);
        out[j] = each(|lane| value(j, words[lane] >> shift & 15, lane));
        out[j + 16] = each(|lane| value(j + 16, words[lane] >> (shift + 4) & 15, lane));
    }
}

/// Four weights of 2 bits, a byte each: word `w` of the `i`-th group of 16.
#[inline(always)]
fn two_bits(quants: &[Words], i: usize, w: usize) -> Words {
    let words = &quants[8 * (i / 8) + 4 * (i % 2) + w];
    each(|lane| words[lane] >> (2 * (i % 8 / 2)) & 0x0303_0303)
}

/// Four weights of 4 bits, a byte each: word `w` of the `j`-th group of 32.
#[inline(always)]
fn four_bits(quants: &[Words], j: usize, w: usize) -> Words {
    let words = &quants[8 * (j / 2) + w];
    each(|lane| words[lane] >> (4 * (j % 2)) & 0x0f0f_0f0f)
}

/// Scale and minimum `j` of 8 of Q4_K and Q5_K, each times its factor.
#[inline(always)]
fn scale_and_minimum(block: &Block, j: usize) -> (Lanes, Lanes) {
    let (scale, minimum) = (low_half(&block[0]), high_half(&block[0]));
    let (first, second, third) =
        (byte_of(&block[1], j % 4), byte_of(&block[2], j % 4), byte_of(&block[3], j % 4));
    if j < 4 {
        let scale = each(|lane| scale[lane] * number(first[lane] & 63));
        return (scale, each(|lane| minimum[lane] * number(second[lane] & 63)));
    }
    let scale = each(|lane| scale[lane] * number(third[lane] & 15 | first[lane] >> 6 << 4));
    (scale, each(|lane| minimum[lane] * number(third[lane] >> 4 | second[lane] >> 6 << 4)))
}
