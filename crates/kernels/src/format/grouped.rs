//! Blocks of 32 weights put together when a checkpoint is loaded whose small numbers, scales and
//! zero points stand in tensors of their own. No file holds them.

use super::small::nibbles;
use half::{bf16, f16};

/// Weights in a block.
pub(crate) const GROUPED_LEN: usize = 32;

/// Type of a block's scale. A weight is the exact product rounded once to this type, as the
/// libraries that write such checkpoints compute it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scale {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of a single.
    BF16,
}

impl Scale {
    /// Bytes of a scale.
    pub const fn bytes(self) -> usize {
        match self {
            Scale::F32 => 4,
            Scale::F16 | Scale::BF16 => 2,
        }
    }

    /// The nearest number of the type, ties to even.
    #[inline(always)]
    pub fn round(self, value: f32) -> f32 {
        match self {
            Scale::F32 => value,
            Scale::F16 => round_f16(value),
            Scale::BF16 => round_bf16(value),
        }
    }

    /// Writes a number of the type.
    pub fn put(self, value: f32, out: &mut Vec<u8>) {
        match self {
            Scale::F32 => out.extend(value.to_le_bytes()),
            Scale::F16 => out.extend(f16::from_f32(value).to_le_bytes()),
            Scale::BF16 => out.extend(bf16::from_f32(value).to_le_bytes()),
        }
    }

    /// The number that starts `bytes`.
    fn read(self, bytes: &[u8]) -> f32 {
        match self {
            Scale::F32 => f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            Scale::F16 => f16::from_le_bytes([bytes[0], bytes[1]]).to_f32(),
            Scale::BF16 => bf16::from_le_bytes([bytes[0], bytes[1]]).to_f32(),
        }
    }
}

/// What a block of 32 holds: codes, then the scale or scales, then (of whole numbers) the zero
/// point. Nibbles stand as in ggml: byte j holds weights j (low) and j + 16 (high).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grouped {
    /// Whole numbers of at most 4 bits: scale · (n − zero).
    Int4(Scale),
    /// Whole numbers of at most 8 bits: scale · (n − zero).
    Int8(Scale),
    /// 8-bit floats (OCP E4M3): scale · value.
    Float8(Scale),
    /// 4-bit floats (OCP E2M1) with a single-precision scale for each 16: scale · value, rounded to
    /// BF16.
    Float4,
}

impl Grouped {
    /// Every kind.
    pub const ALL: [Grouped; 10] = [
        Grouped::Int4(Scale::F32),
        Grouped::Int4(Scale::F16),
        Grouped::Int4(Scale::BF16),
        Grouped::Int8(Scale::F32),
        Grouped::Int8(Scale::F16),
        Grouped::Int8(Scale::BF16),
        Grouped::Float8(Scale::F32),
        Grouped::Float8(Scale::F16),
        Grouped::Float8(Scale::BF16),
        Grouped::Float4,
    ];

    /// Name and bytes of a block.
    pub(super) const fn layout(self) -> (&'static str, usize) {
        match self {
            Grouped::Int4(Scale::F32) => ("INT4/F32", 21),
            Grouped::Int4(Scale::F16) => ("INT4/F16", 19),
            Grouped::Int4(Scale::BF16) => ("INT4/BF16", 19),
            Grouped::Int8(Scale::F32) => ("INT8/F32", 37),
            Grouped::Int8(Scale::F16) => ("INT8/F16", 35),
            Grouped::Int8(Scale::BF16) => ("INT8/BF16", 35),
            Grouped::Float8(Scale::F32) => ("E4M3/F32", 36),
            Grouped::Float8(Scale::F16) => ("E4M3/F16", 34),
            Grouped::Float8(Scale::BF16) => ("E4M3/BF16", 34),
            Grouped::Float4 => ("E2M1/F32", 24),
        }
    }

    /// The weights that share a scale within a block.
    pub const fn scale_len(self) -> usize {
        match self {
            Grouped::Float4 => GROUPED_LEN / 2,
            _ => GROUPED_LEN,
        }
    }

    /// The type that every weight of this kind fits without loss.
    pub const fn value_type(self) -> Scale {
        match self {
            Grouped::Int4(scale) | Grouped::Int8(scale) | Grouped::Float8(scale) => scale,
            Grouped::Float4 => Scale::BF16,
        }
    }

    /// One weight. `zero` counts for whole numbers only.
    #[inline(always)]
    pub fn value(self, code: u8, zero: u8, scale: f32) -> f32 {
        let number = match self {
            Grouped::Int4(_) | Grouped::Int8(_) => f32::from(code) - f32::from(zero),
            Grouped::Float8(_) => float8(u32::from(code)),
            Grouped::Float4 => float4(u32::from(code)),
        };
        self.value_type().round(number * scale)
    }

    /// Adds a block to `out`. `scales` are one for each [`Grouped::scale_len`] weights, of the
    /// kind's own type.
    ///
    /// # Panics
    /// When there are not 32 codes or too few scales.
    pub fn put_block(self, codes: &[u8], scales: &[f32], zero: u8, out: &mut Vec<u8>) {
        assert_eq!(codes.len(), GROUPED_LEN, "codes of a block");
        let (low, high) = codes.split_at(GROUPED_LEN / 2);
        match self {
            Grouped::Int4(_) | Grouped::Float4 => {
                out.extend(low.iter().zip(high).map(|(low, high)| low & 15 | high << 4));
            }
            Grouped::Int8(_) | Grouped::Float8(_) => out.extend(codes),
        }
        match self {
            Grouped::Int4(scale) | Grouped::Int8(scale) => {
                scale.put(scales[0], out);
                out.push(zero);
            }
            Grouped::Float8(scale) => scale.put(scales[0], out),
            Grouped::Float4 => scales[..2].iter().for_each(|scale| Scale::F32.put(*scale, out)),
        }
    }

    /// The weights of one block.
    pub(super) fn decode(self, block: &[u8], out: &mut [f32]) {
        match self {
            Grouped::Int4(scale) => {
                let (factor, zero) = (scale.read(&block[16..]), block[16 + scale.bytes()]);
                nibbles(&block[..16], out, |_, nibble| self.value(nibble, zero, factor));
            }
            Grouped::Float4 => {
                let factors = [Scale::F32.read(&block[16..]), Scale::F32.read(&block[20..])];
                nibbles(&block[..16], out, |place, nibble| {
                    self.value(nibble, 0, factors[place / 16])
                });
            }
            Grouped::Int8(scale) => {
                let (factor, zero) = (scale.read(&block[32..]), block[32 + scale.bytes()]);
                self.decode_bytes(block, zero, factor, out);
            }
            Grouped::Float8(scale) => self.decode_bytes(block, 0, scale.read(&block[32..]), out),
        }
    }

    fn decode_bytes(self, block: &[u8], zero: u8, factor: f32, out: &mut [f32]) {
        for (weight, code) in out.iter_mut().zip(block) {
            *weight = self.value(*code, zero, factor);
        }
    }
}

/// The value of an 8-bit float: 4 exponent bits with bias 7, 3 fraction bits; no infinity, and all
/// ones is NaN (OCP Open Compute 8-bit Floating Point Specification 1.0, E4M3).
#[inline(always)]
pub(crate) fn float8(code: u32) -> f32 {
    // The fields are moved to where a single has them; 2^120 makes up for the other bias, and for
    // the missing leading bit of a denormal.
    let magnitude = f32::from_bits((code & 127) << 20) * f32::from_bits((120 + 127) << 23);
    let nan = if code & 127 == 127 { 0x7fc0_0000 } else { 0 };
    f32::from_bits(magnitude.to_bits() | nan | (code & 128) << 24)
}

/// The value of a 4-bit float: 2 exponent bits with bias 1, 1 fraction bit (OCP Microscaling
/// Formats Specification 1.0, E2M1).
#[inline(always)]
pub(crate) fn float4(code: u32) -> f32 {
    let magnitude = f32::from_bits((code & 7) << 22) * f32::from_bits((126 + 127) << 23);
    f32::from_bits(magnitude.to_bits() | (code & 8) << 28)
}

/// The nearest half-precision number, ties to even. Arithmetic only, so that it can be vectorised.
#[inline(always)]
pub(crate) fn round_f16(value: f32) -> f32 {
    let (sign, magnitude) = (value.to_bits() & 0x8000_0000, value.to_bits() & 0x7fff_ffff);
    let kept = (magnitude + 0x0fff + (magnitude >> 13 & 1)) & !0x1fff;
    let large = if kept >= 0x4780_0000 { 0x7f80_0000 } else { kept };
    // Halves below 2^-14 are multiples of 2^-24, as are singles between 1/2 and 1.
    let small = ((f32::from_bits(magnitude) + 0.5) - 0.5).to_bits();
    let rounded = if magnitude < 0x3880_0000 { small } else { large };
    let rounded = if magnitude > 0x7f80_0000 { magnitude } else { rounded };
    f32::from_bits(rounded | sign)
}

/// The nearest number that is the upper half of a single, ties to even.
#[inline(always)]
pub(crate) fn round_bf16(value: f32) -> f32 {
    let (sign, magnitude) = (value.to_bits() & 0x8000_0000, value.to_bits() & 0x7fff_ffff);
    let kept = (magnitude + 0x7fff + (magnitude >> 16 & 1)) & 0xffff_0000;
    let rounded = if magnitude > 0x7f80_0000 { magnitude } else { kept };
    f32::from_bits(rounded | sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: f32, b: f32) -> bool {
        a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
    }

    #[test]
    fn rounding_is_that_of_the_types() {
        let near_ties = (0..=0xffff_u32).flat_map(|top| {
            [0, 0x0fff, 0x1000, 0x1001, 0x2fff, 0x3000, 0x7fff, 0x8000, 0x8001]
                .map(|low| top << 16 | low)
        });
        for bits in near_ties.chain((0..=u32::MAX).step_by(9973)) {
            let value = f32::from_bits(bits);
            let half = f16::from_f32(value).to_f32();
            assert!(same(round_f16(value), half), "{value:e} is {half:e} as F16");
            let upper = bf16::from_f32(value).to_f32();
            assert!(same(round_bf16(value), upper), "{value:e} is {upper:e} as BF16");
        }
    }

    #[test]
    fn small_floats_have_the_values_of_their_specifications() {
        let fours = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
        for (code, value) in fours.into_iter().enumerate() {
            assert_eq!(float4(code as u32), value);
            assert_eq!(float4(code as u32 + 8).to_bits(), (-value).to_bits());
        }
        for code in 0..127_u32 {
            let (exponent, fraction) = ((code >> 3) as i32, (code & 7) as f32 / 8.0);
            let value = match exponent {
                0 => fraction * 2.0_f32.powi(-6),
                _ => (1.0 + fraction) * 2.0_f32.powi(exponent - 7),
            };
            assert_eq!(float8(code), value);
            assert_eq!(float8(code + 128).to_bits(), (-value).to_bits());
        }
        assert!(float8(127).is_nan() && float8(255).is_nan());
        assert_eq!(float8(126), 448.0);
    }

    #[test]
    fn a_block_gives_back_what_was_put_in() {
        for kind in Grouped::ALL {
            let codes: Vec<u8> = (0..32).map(|code: u8| code.wrapping_mul(11) ^ 3).collect();
            let (scales, zero) = ([0.75, -0.125], 9);
            let mut block = Vec::new();
            kind.put_block(&codes, &scales, zero, &mut block);
            assert_eq!(block.len(), kind.layout().1, "{kind:?}");
            let mut found = [0.0; 32];
            kind.decode(&block, &mut found);
            for (place, found) in found.into_iter().enumerate() {
                let four = matches!(kind, Grouped::Int4(_) | Grouped::Float4);
                let code = if four { codes[place] & 15 } else { codes[place] };
                let scale = scales[place / kind.scale_len()];
                assert!(same(found, kind.value(code, zero, scale)), "{kind:?} {place}");
            }
        }
    }
}
