//! Where a matrix's scales stand.

use super::bits::word;
use allod_kernels::{Grouped, Scale};

/// What a stored scale is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Element {
    /// A float of 16 or 32 bits.
    Number(Scale),
    /// An 8-bit float (E4M3), to be divided by one number for the whole matrix.
    Float8Over(f32),
    /// The exponent of a power of two, with a bias of 127 (OCP E8M0); 255 is infinite, as
    /// compressed-tensors computes it (`2.0 ** 128` in BF16).
    Exponent,
}

/// A table of scales: entry `row / rows_each · row_stride + group · group_stride`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scales<'a> {
    pub element: Element,
    pub bytes: &'a [u8],
    /// Rows that share an entry.
    pub rows_each: usize,
    pub row_stride: usize,
    pub group_stride: usize,
}

impl Scales<'_> {
    /// The scale of a group of columns of a row.
    pub fn get(&self, row: usize, group: usize) -> f32 {
        let at = row / self.rows_each * self.row_stride + group * self.group_stride;
        match self.element {
            Element::Number(Scale::F32) => f32::from_bits(word(self.bytes, at)),
            Element::Number(Scale::BF16) => f32::from_bits(u32::from(self.half(at)) << 16),
            Element::Number(Scale::F16) => {
                let mut value = [0.0];
                let half = self.half(at).to_le_bytes();
                allod_kernels::decode_row(allod_kernels::Format::F16, &half, &mut value);
                value[0]
            }
            Element::Float8Over(whole) => {
                Grouped::Float8(Scale::F32).value(self.bytes[at], 0, 1.0) / whole
            }
            Element::Exponent => power_of_two(self.bytes[at]),
        }
    }

    fn half(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.bytes[2 * at], self.bytes[2 * at + 1]])
    }
}

/// 2^(exponent − 127); 2^-127 is denormal, 2^128 infinite.
fn power_of_two(exponent: u8) -> f32 {
    f32::from_bits(if exponent == 0 { 0x0040_0000 } else { u32::from(exponent) << 23 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_are_powers_of_two() {
        assert_eq!(power_of_two(127), 1.0);
        assert_eq!(power_of_two(0), 2.0_f32.powi(-127));
        assert_eq!((power_of_two(254), power_of_two(255)), (2.0_f32.powi(127), f32::INFINITY));
    }

    #[test]
    fn tables_are_read_by_their_strides() {
        let bytes: Vec<u8> = [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]
            .iter()
            .flat_map(|value| half_of(*value).to_le_bytes())
            .collect();
        let element = Element::Number(Scale::BF16);
        let (rows_each, row_stride, group_stride) = (2, 3, 1);
        let table = Scales { element, bytes: &bytes, rows_each, row_stride, group_stride };
        assert_eq!((table.get(1, 2), table.get(2, 0), table.get(3, 1)), (3.0, 4.0, 5.0));
        let turned = Scales { rows_each: 1, row_stride: 1, group_stride: 2, ..table };
        assert_eq!((turned.get(1, 0), turned.get(0, 2)), (2.0, 5.0));
        let eighths = [0x38, 0x40];
        let element = Element::Float8Over(4.0);
        let table = Scales { element, bytes: &eighths, rows_each: 1, ..turned };
        assert_eq!((table.get(0, 0), table.get(1, 0)), (0.25, 0.5));
    }

    fn half_of(value: f32) -> u16 {
        (value.to_bits() >> 16) as u16
    }
}
