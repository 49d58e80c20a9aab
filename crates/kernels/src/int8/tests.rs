//! Every way of computing against the rule, written as plainly as possible.

use super::*;
use crate::format::Format;
use crate::matrix::Matrix;
use crate::reference::assert_same_bits;
use crate::samples::{self, Values};
use proptest::prelude::*;

fn formats() -> Vec<Format> {
    samples::formats().into_iter().filter(|format| Layout::of(*format).is_some()).collect()
}

fn packed(w: &Matrix) -> Vec<u8> {
    let mut bytes = vec![0xa5; Coded::size(w.format, w.rows, w.columns).unwrap()];
    Coded::pack(Isa::detect(), w, &mut bytes);
    bytes
}

fn product_on(isa: Isa, x: &[f32], w: &Coded, rows: Range<usize>) -> Vec<f32> {
    let mut inputs = Int8Inputs::default();
    inputs.pieces(isa, x, w.columns).into_iter().for_each(Int8Piece::pack);
    let mut out = vec![f32::NAN; inputs.tokens() * rows.len()];
    let width = rows.len();
    linear_int8(&inputs, w, rows, &mut Columns::of(&mut out, width), &mut Scratch::new());
    out
}

/// The numbers and the scale of 32 activations.
fn numbers(x: &[f32]) -> (Vec<i64>, f32) {
    let most = x.iter().fold(0.0_f32, |most, x| if x.is_nan() { *x } else { most.max(x.abs()) });
    if x.iter().any(|x| !x.is_finite()) {
        return (vec![0; x.len()], f32::NAN);
    }
    if most < 2.0_f32.powi(-100) {
        return (vec![0; x.len()], 0.0);
    }
    let by = 127.0 / most;
    (x.iter().map(|x| (x * by).round_ties_even() as i64).collect(), most / 127.0)
}

/// Scales, least values and codes are those that the packed form gives: tests of
/// [`crate::linear_coded`] say that it holds the weights.
fn expected(x: &[f32], w: &Coded) -> Vec<f32> {
    let mut out = Vec::new();
    let (layout, len) = (w.layout, w.layout.codes.scale_len());
    for x in x.chunks(w.columns) {
        for row in 0..w.rows {
            let (mut sum, lane) = (0.0_f32, row % LANES);
            for (place, x) in x.chunks(TILE_COLUMNS).enumerate() {
                let (from, tile) = (place / SPAN_TILES * SPAN_TILES, place % SPAN_TILES);
                let count = SPAN_TILES.min(w.tiles() - from);
                let span = w.span(row / LANES, from * TILE_COLUMNS);
                let (scales, codes) = span.split_at(layout.scales.bytes(count));
                let mut factors = Factors::NONE;
                factors.read(layout.scales, scales, count);
                let mut of_codes = [[0.0; LANES]; TILE_COLUMNS];
                values(layout.codes, &codes[tile * layout.codes.bytes()..], &mut of_codes);
                let (numbers, scale) = numbers(x);
                let parts = TILE_COLUMNS / len;
                for part in 0..parts {
                    let terms = (part * len..).take(len);
                    let whole: i64 = terms.map(|k| numbers[k] * of_codes[k][lane] as i64).sum();
                    let by = factors.scale[tile * parts + part][lane];
                    sum = by.mul_add(scale * whole as f32, sum);
                }
                if layout.scales.has_least() {
                    let whole: i64 = numbers.iter().sum();
                    sum = factors.least[tile][lane].mul_add(scale * whole as f32, sum);
                }
            }
            out.push(sum);
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_instruction_set_gives_the_bits_of_the_rule(
        format in proptest::sample::select(formats()), rows in 1usize..150,
        columns in 1usize..700, tokens in 1usize..40, values in samples::values(), seed: u64,
    ) {
        let columns = columns.next_multiple_of(format.block_len());
        let bytes = samples::weights(format, rows, columns, values, seed);
        let w = Matrix::new(format, rows, columns, &bytes).unwrap();
        let bytes = packed(&w);
        let w = Coded::new(format, rows, columns, &bytes);
        let x = samples::floats(tokens * columns, values, seed + 1);
        let expected = expected(&x, &w);
        for isa in Isa::available() {
            let found = product_on(isa, &x, &w, 0..rows);
            assert_same_bits(&found, &expected, &format!("{isa:?} {format:?}"));
        }
    }

    #[test]
    fn rows_in_pieces_and_tokens_alone_give_the_same_bits(
        format in proptest::sample::select(formats()), cut in 0usize..5,
        first in 0usize..60, more in 0usize..20, seed: u64,
    ) {
        let (rows, tokens, columns, cut) = (75, 60, 1024, 16 * cut);
        let bytes = samples::weights(format, rows, columns, Values::Plain, seed);
        let w = Matrix::new(format, rows, columns, &bytes).unwrap();
        let bytes = packed(&w);
        let w = Coded::new(format, rows, columns, &bytes);
        let x = samples::floats(tokens * columns, Values::Plain, seed + 1);
        let isa = Isa::detect();
        let whole = product_on(isa, &x, &w, 0..rows);
        let some = first..(first + more + 1).min(tokens);
        let x = &x[some.start * columns..some.end * columns];
        let left = product_on(isa, x, &w, 0..cut);
        let right = product_on(isa, x, &w, cut..rows);
        for (place, token) in some.enumerate() {
            let whole = &whole[token * rows..][..rows];
            assert_same_bits(&left[place * cut..][..cut], &whole[..cut], "left");
            let right = &right[place * (rows - cut)..][..rows - cut];
            assert_same_bits(right, &whole[cut..], "right");
        }
    }
}

/// The largest codes and activations there are: no sum on the way may overflow.
#[test]
fn the_largest_numbers_do_not_overflow() {
    for format in formats() {
        let (rows, columns) = (16, 256);
        let stored = format.row_bytes(columns).unwrap();
        // All bits of codes set, or only the first: 15, −8 or −128, by format.
        for fill in [0xff_u8, 0x80, 0x00] {
            let bytes = vec![fill; rows * stored];
            let w = Matrix::new(format, rows, columns, &bytes).unwrap();
            let bytes = packed(&w);
            let w = Coded::new(format, rows, columns, &bytes);
            for sign in [1.0, -1.0] {
                let x = vec![sign; 3 * columns];
                let expected = expected(&x, &w);
                for isa in Isa::available() {
                    let found = product_on(isa, &x, &w, 0..rows);
                    assert_same_bits(&found, &expected, &format!("{isa:?} {format:?} {fill}"));
                }
            }
        }
    }
}

/// A product is near that of the weights themselves: 8 bits of each activation are enough.
#[test]
fn products_are_near_those_of_the_numbers_themselves() {
    let (rows, columns) = (64, 1024);
    for format in formats() {
        let bytes = samples::weights(format, rows, columns, Values::Plain, 5);
        let w = Matrix::new(format, rows, columns, &bytes).unwrap();
        let x = samples::floats(columns, Values::Plain, 6);
        let exact = crate::reference::linear(&x, &w, 0..rows);
        let bytes = packed(&w);
        let found =
            product_on(Isa::detect(), &x, &Coded::new(format, rows, columns, &bytes), 0..rows);
        let square = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>();
        let size = square(&mut exact.iter().copied());
        let error = square(&mut exact.iter().zip(&found).map(|(a, b)| a - b));
        assert!(error < 1e-4 * size, "{format:?}: {error} of {size}");
    }
}

#[test]
fn nothing_to_do_is_fine() {
    let w = Matrix::new(Format::Q4_0, 3, 32, &[0; 54]).unwrap();
    let bytes = packed(&w);
    let w = Coded::new(Format::Q4_0, 3, 32, &bytes);
    assert!(product_on(Isa::detect(), &[], &w, 0..3).is_empty());
    assert!(product_on(Isa::detect(), &[1.0; 32], &w, 0..0).is_empty());
}
