//! How weights are stored, and the exact value of each.

mod grouped;
mod large;
mod small;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) use grouped::{GROUPED_LEN, float4, float8};
pub use grouped::{Grouped, Scale};

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) use small::{FOUR_BIT_FLOATS, FOUR_BIT_VALUES, power_of_two};

use half::{bf16, f16};

/// Storage format of a weight row. All are little-endian; block formats are those of ggml, whose
/// layouts and formulas are in `docs/numerics.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types)] // Q8_0 and so on are the field's own names.
pub enum Format {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of a single: 8 exponent bits, 7 fraction bits.
    BF16,
    /// 32 weights: `f16` scale d, then 32 `i8`; weight = d · q. 34 bytes.
    Q8_0,
    /// 32 weights: `f16` scale d, then 16 bytes; byte j holds weight j (low nibble) and weight
    /// j + 16 (high nibble); weight = d · (n − 8). 18 bytes.
    Q4_0,
    /// 32 weights of 4 bits with a scale and a least value. 20 bytes.
    Q4_1,
    /// 32 weights of 5 bits with a scale. 22 bytes.
    Q5_0,
    /// 32 weights of 5 bits with a scale and a least value. 24 bytes.
    Q5_1,
    /// 256 weights of 2 bits; each 16 have a scale and a minimum of 4 bits. 84 bytes.
    Q2_K,
    /// 256 weights of 3 bits; each 16 have a scale of 6 bits. 110 bytes.
    Q3_K,
    /// 256 weights of 4 bits; each 32 have a scale and a minimum of 6 bits. 144 bytes.
    Q4_K,
    /// 256 weights of 5 bits; each 32 have a scale and a minimum of 6 bits. 176 bytes.
    Q5_K,
    /// 256 weights of 6 bits; each 16 have a scale of 8 bits. 210 bytes.
    Q6_K,
    /// 32 weights that name one of 16 fixed values, with a scale. 18 bytes.
    IQ4_NL,
    /// 256 weights that name one of 16 fixed values; each 32 have a scale of 6 bits. 136 bytes.
    IQ4_XS,
    /// 32 weights of 4 bits (OCP E2M1) with a power of two as scale, in ggml's nibble order: byte j
    /// holds weights j and j + 16. 17 bytes.
    MXFP4,
    /// 32 weights of a checkpoint whose scales stand in tensors of their own; in memory only.
    Grouped(Grouped),
}

impl Format {
    /// Every format that files hold.
    pub const ALL: [Format; 16] = [
        Format::F32,
        Format::F16,
        Format::BF16,
        Format::Q8_0,
        Format::Q4_0,
        Format::Q4_1,
        Format::Q5_0,
        Format::Q5_1,
        Format::Q2_K,
        Format::Q3_K,
        Format::Q4_K,
        Format::Q5_K,
        Format::Q6_K,
        Format::IQ4_NL,
        Format::IQ4_XS,
        Format::MXFP4,
    ];

    /// Name, weights per block, bytes per block.
    const fn layout(self) -> (&'static str, usize, usize) {
        match self {
            Format::F32 => ("F32", 1, 4),
            Format::F16 => ("F16", 1, 2),
            Format::BF16 => ("BF16", 1, 2),
            Format::Q8_0 => ("Q8_0", 32, 34),
            Format::Q4_0 => ("Q4_0", 32, 18),
            Format::Q4_1 => ("Q4_1", 32, 20),
            Format::Q5_0 => ("Q5_0", 32, 22),
            Format::Q5_1 => ("Q5_1", 32, 24),
            Format::Q2_K => ("Q2_K", 256, 84),
            Format::Q3_K => ("Q3_K", 256, 110),
            Format::Q4_K => ("Q4_K", 256, 144),
            Format::Q5_K => ("Q5_K", 256, 176),
            Format::Q6_K => ("Q6_K", 256, 210),
            Format::IQ4_NL => ("IQ4_NL", 32, 18),
            Format::IQ4_XS => ("IQ4_XS", 256, 136),
            Format::MXFP4 => ("MXFP4", 32, 17),
            Format::Grouped(kind) => (kind.layout().0, GROUPED_LEN, kind.layout().1),
        }
    }

    /// Weights per block; a row's length is a multiple of it.
    pub const fn block_len(self) -> usize {
        self.layout().1
    }

    /// Bytes per block.
    pub const fn block_bytes(self) -> usize {
        self.layout().2
    }

    /// Bytes of a row of `columns` weights; `None` when `columns` is not a whole number of blocks
    /// or the result overflows.
    pub const fn row_bytes(self, columns: usize) -> Option<usize> {
        if !columns.is_multiple_of(self.block_len()) {
            return None;
        }
        (columns / self.block_len()).checked_mul(self.block_bytes())
    }

    /// The name in upper case, as files and people write it.
    pub const fn name(self) -> &'static str {
        self.layout().0
    }

    /// The format that files hold of that name, in upper or lower case.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(name))
    }
}

/// Writes the value of each weight of `bytes` to `out`; `out.len()` is the number of weights.
///
/// A value that is a product is exact in `f32`; one that is a difference or sum of two products
/// (formats with a minimum or least value) is rounded once. What [`Grouped`] holds is rounded to
/// the type of its scale.
///
/// # Panics
/// When `bytes` is not exactly `format.row_bytes(out.len())` long.
pub fn decode_row(format: Format, bytes: &[u8], out: &mut [f32]) {
    let expected = format.row_bytes(out.len());
    assert_eq!(Some(bytes.len()), expected, "bytes of a {} row", format.name());
    match format {
        Format::F32 => decode_each(bytes, out, f32::from_le_bytes),
        Format::F16 => decode_each(bytes, out, |b| f16::from_le_bytes(b).to_f32()),
        Format::BF16 => decode_each(bytes, out, |b| bf16::from_le_bytes(b).to_f32()),
        Format::Q8_0 => decode_blocks(bytes, out, small::q8_0),
        Format::Q4_0 => decode_blocks(bytes, out, small::q4_0),
        Format::Q4_1 => decode_blocks(bytes, out, small::q4_1),
        Format::Q5_0 => decode_blocks(bytes, out, small::q5_0),
        Format::Q5_1 => decode_blocks(bytes, out, small::q5_1),
        Format::Q2_K => decode_blocks(bytes, out, large::q2_k),
        Format::Q3_K => decode_blocks(bytes, out, large::q3_k),
        Format::Q4_K => decode_blocks(bytes, out, large::q4_k),
        Format::Q5_K => decode_blocks(bytes, out, large::q5_k),
        Format::Q6_K => decode_blocks(bytes, out, large::q6_k),
        Format::IQ4_NL => decode_blocks(bytes, out, small::iq4_nl),
        Format::IQ4_XS => decode_blocks(bytes, out, large::iq4_xs),
        Format::MXFP4 => decode_blocks(bytes, out, small::mxfp4),
        Format::Grouped(kind) => {
            let blocks = bytes.chunks_exact(format.block_bytes());
            let each = blocks.zip(out.chunks_exact_mut(GROUPED_LEN));
            each.for_each(|(block, weights)| kind.decode(block, weights));
        }
    }
}

fn decode_each<const N: usize>(bytes: &[u8], out: &mut [f32], decode: impl Fn([u8; N]) -> f32) {
    for (weight, stored) in out.iter_mut().zip(bytes.as_chunks::<N>().0) {
        *weight = decode(*stored);
    }
}

fn decode_blocks<const BYTES: usize, const LEN: usize>(
    bytes: &[u8],
    out: &mut [f32],
    decode: impl Fn(&[u8; BYTES], &mut [f32; LEN]),
) {
    let blocks = bytes.as_chunks::<BYTES>().0;
    for (block, weights) in blocks.iter().zip(out.as_chunks_mut::<LEN>().0) {
        decode(block, weights);
    }
}

/// The half-precision number at byte `at` of a block.
fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_names_agree() {
        for format in Format::ALL {
            assert_eq!(Format::from_name(format.name()), Some(format));
            assert_eq!(Format::from_name(&format.name().to_lowercase()), Some(format));
            assert_eq!(format.row_bytes(format.block_len()), Some(format.block_bytes()));
        }
        assert_eq!(Format::Q8_0.row_bytes(33), None);
        assert_eq!(Format::Q4_0.row_bytes(4096), Some(2304));
        assert_eq!(Format::F32.row_bytes(usize::MAX), None);
        assert_eq!(Format::from_name("Q9_9"), None);
    }

    #[test]
    fn floats_decode_to_their_value() {
        let mut out = [0.0; 3];
        decode_row(Format::F16, &[0x00, 0x3c, 0x01, 0x00, 0x00, 0xfc], &mut out);
        assert_eq!(out, [1.0, 2.0f32.powi(-24), f32::NEG_INFINITY]);
        decode_row(Format::BF16, &[0x80, 0x3f, 0x00, 0xc0, 0x00, 0x80], &mut out);
        assert_eq!(out.map(f32::to_bits), [1.0f32, -2.0, -0.0].map(f32::to_bits));
        let mut one = [0.0];
        decode_row(Format::F32, &1.5f32.to_le_bytes(), &mut one);
        assert_eq!(one, [1.5]);
    }

    #[test]
    fn q8_0_block_is_scale_times_signed_byte() {
        let mut block = vec![0x00, 0x38]; // d = 0.5
        block.extend((0..32).map(|j| if j == 31 { 0x80 } else { j as u8 }));
        let mut out = [0.0; 32];
        decode_row(Format::Q8_0, &block, &mut out);
        assert_eq!(out[..4], [0.0, 0.5, 1.0, 1.5]);
        assert_eq!(out[31], -64.0);
    }

    #[test]
    fn q4_0_block_puts_high_nibbles_in_the_second_half() {
        let mut block = vec![0x00, 0xc0]; // d = -2
        block.extend((0..16).map(|j: u8| j | ((15 - j) << 4)));
        let mut out = [0.0; 32];
        decode_row(Format::Q4_0, &block, &mut out);
        for j in 0..16 {
            assert_eq!(out[j], -2.0 * (j as f32 - 8.0));
            assert_eq!(out[j + 16], -2.0 * (7.0 - j as f32));
        }
        assert_eq!(out[8].to_bits(), (-0.0f32).to_bits()); // 0 · d keeps the sign of d
    }

    #[test]
    #[should_panic(expected = "bytes of a F32 row")]
    fn wrong_length_is_a_mistake_of_the_caller() {
        decode_row(Format::F32, &[0; 7], &mut [0.0; 2]);
    }
}
