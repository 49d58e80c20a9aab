//! Numbers to stored weights: what ggml's reference quantisers write, byte for byte.
//!
//! ggml rounds in two ways, and both are kept: `roundf` (halves away from zero) and a truncation
//! after adding a half in the older formats; its nearest-even trick in the blocks of 256.

mod large;
mod small;

use crate::format::Format;
use crate::matrix::Error;
use half::{bf16, f16};

/// Formats that can be written.
const ENCODABLE: [Format; 9] = [
    Format::F32,
    Format::F16,
    Format::BF16,
    Format::Q8_0,
    Format::Q4_0,
    Format::Q4_1,
    Format::Q5_0,
    Format::Q5_1,
    Format::Q6_K,
];

/// Their names, for messages.
pub(crate) fn encodable_names() -> String {
    ENCODABLE.map(Format::name).join(", ")
}

impl Format {
    /// Whether [`encode_row`] writes this format.
    pub fn is_encodable(self) -> bool {
        ENCODABLE.contains(&self)
    }
}

/// Writes `values` as a row of `format` to `out`, with the bytes that ggml's reference quantiser
/// gives (no importance matrix, no fused multiply-add).
///
/// Floats keep a NaN a NaN and an infinity an infinity. Blocks hold neither: such a value is
/// refused, and so is a finite one that would become infinite (its block's scale is an `f16`).
///
/// # Errors
/// A format without an encoder, values that are no whole number of blocks, a value that cannot be
/// held.
///
/// # Panics
/// When `out` is not exactly as long as the encoded row.
pub fn encode_row(format: Format, values: &[f32], out: &mut [u8]) -> Result<(), Error> {
    let (name, block_len) = (format.name(), format.block_len());
    if !format.is_encodable() {
        return Err(Error::NoEncoder { format: name });
    }
    let Some(bytes) = format.row_bytes(values.len()) else {
        return Err(Error::Shape { format: name, rows: 1, columns: values.len(), block_len });
    };
    assert_eq!(out.len(), bytes, "bytes of a {name} row");
    if let Some(index) = misfit(format, values) {
        return Err(Error::Value { format: name, index, value: values[index].to_string() });
    }
    match format {
        Format::F16 => encode_each(values, out, |value| f16::from_f32(value).to_le_bytes()),
        Format::BF16 => encode_each(values, out, |value| bf16::from_f32(value).to_le_bytes()),
        Format::Q8_0 => encode_blocks(values, out, small::q8_0),
        Format::Q4_0 => encode_blocks(values, out, small::q4_0),
        Format::Q4_1 => encode_blocks(values, out, small::q4_1),
        Format::Q5_0 => encode_blocks(values, out, small::q5_0),
        Format::Q5_1 => encode_blocks(values, out, small::q5_1),
        Format::Q6_K => encode_blocks(values, out, large::q6_k),
        _ => encode_each(values, out, f32::to_le_bytes),
    }
    Ok(())
}

/// The place of the first value that the format cannot hold.
fn misfit(format: Format, values: &[f32]) -> Option<usize> {
    let lost = |value: f32, stored: f32| value.is_finite() && !stored.is_finite();
    values.iter().position(|value| match format {
        Format::F32 => false,
        Format::F16 => lost(*value, f16::from_f32(*value).to_f32()),
        Format::BF16 => lost(*value, bf16::from_f32(*value).to_f32()),
        _ => value.is_nan() || value.abs() > most(format),
    })
}

/// The largest value whose block has a finite scale whatever else is in the block.
fn most(format: Format) -> f32 {
    /// The largest number that `f16` holds.
    const SCALE: f32 = 65504.0;
    match format {
        Format::Q8_0 => SCALE * 127.0,
        Format::Q4_0 => SCALE * 8.0,
        Format::Q5_0 => SCALE * 16.0,
        Format::Q6_K => SCALE * 32.0,
        // The least value is stored too.
        _ => SCALE,
    }
}

fn encode_each<const N: usize>(values: &[f32], out: &mut [u8], encode: impl Fn(f32) -> [u8; N]) {
    for (stored, value) in out.as_chunks_mut::<N>().0.iter_mut().zip(values) {
        *stored = encode(*value);
    }
}

fn encode_blocks<const BYTES: usize, const LEN: usize>(
    values: &[f32],
    out: &mut [u8],
    encode: impl Fn(&[f32; LEN], &mut [u8; BYTES]),
) {
    let blocks = out.as_chunks_mut::<BYTES>().0;
    for (values, block) in values.as_chunks::<LEN>().0.iter().zip(blocks) {
        encode(values, block);
    }
}

/// Writes a half-precision number at byte `at` of a block.
fn put_half(block: &mut [u8], at: usize, value: f32) {
    block[at..at + 2].copy_from_slice(&f16::from_f32(value).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::decode_row;

    #[test]
    fn what_cannot_be_written_is_refused() {
        let refused = |format: Format, values: &[f32]| {
            let bytes = format.row_bytes(values.len()).unwrap_or(0);
            encode_row(format, values, &mut vec![0; bytes]).unwrap_err().to_string()
        };
        assert!(refused(Format::Q4_K, &[0.0; 256]).contains("Q4_K; F32, F16"));
        assert!(refused(Format::Q8_0, &[0.0; 33]).contains("blocks of 32"));
        let mut values = [0.0; 256];
        for value in [f32::NAN, f32::INFINITY, f32::MAX] {
            values[7] = value;
            for format in ENCODABLE.into_iter().filter(|format| format.block_len() > 1) {
                assert!(refused(format, &values).contains("value 7"), "{format:?}");
            }
        }
        assert!(refused(Format::F16, &[65520.0]).contains("65520"));
        assert!(refused(Format::BF16, &[f32::MAX]).contains("BF16"));
    }

    #[test]
    fn floats_keep_nan_and_infinity() {
        for format in [Format::F32, Format::F16, Format::BF16] {
            let mut bytes = vec![0; format.row_bytes(3).unwrap()];
            encode_row(format, &[f32::NAN, f32::NEG_INFINITY, -1.5], &mut bytes).unwrap();
            let mut found = [0.0; 3];
            decode_row(format, &bytes, &mut found);
            assert!(found[0].is_nan(), "{format:?}");
            assert_eq!(found[1..], [f32::NEG_INFINITY, -1.5]);
        }
    }

    /// The largest values that pass keep their block finite.
    #[test]
    fn the_largest_values_stay_finite() {
        for format in ENCODABLE.into_iter().filter(|format| format.block_len() > 1) {
            let mut values = vec![-most(format); 256];
            values[3] = most(format);
            let mut bytes = vec![0; format.row_bytes(256).unwrap()];
            encode_row(format, &values, &mut bytes).unwrap();
            decode_row(format, &bytes, &mut values);
            assert!(values.iter().all(|value| value.is_finite()), "{format:?}");
        }
    }
}
