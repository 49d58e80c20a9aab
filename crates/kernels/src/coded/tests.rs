//! Every way of computing against the rule, written as plainly as possible.

use super::scales::Factors;
use super::*;
use crate::bf16_product::units;
use crate::packed::round;
use crate::reference::assert_same_bits;
use crate::samples::{self, Values};
use proptest::prelude::*;

fn formats() -> Vec<Format> {
    samples::formats().into_iter().filter(|format| Layout::of(*format).is_some()).collect()
}

fn packed(isa: Isa, w: &Matrix) -> Vec<u8> {
    let mut bytes = vec![0xa5; Coded::size(w.format, w.rows, w.columns).unwrap()];
    Coded::pack(isa, w, &mut bytes);
    bytes
}

fn product_on(unit: Unit, isa: Isa, x: &[f32], w: &Coded, rows: Range<usize>) -> Vec<f32> {
    let mut inputs = CodedInputs::new();
    inputs
        .pieces_on(unit, isa, x, w.columns, Coded::sums(w.format))
        .into_iter()
        .for_each(CodedPiece::pack);
    let mut out = vec![f32::NAN; inputs.tokens() * rows.len()];
    let width = rows.len();
    linear_coded(&inputs, w, rows, &mut Columns::of(&mut out, width), &mut Scratch::new());
    out
}

/// The chains of a block, from what they multiply.
fn chains(terms: &[f32], codes: impl Fn(usize) -> f32) -> f32 {
    let (mut even, mut odd) = (0.0_f32, 0.0_f32);
    for (k, x) in terms.iter().enumerate() {
        match k % 2 {
            0 => even = codes(k).mul_add(*x, even),
            _ => odd = codes(k).mul_add(*x, odd),
        }
    }
    even + odd
}

/// A code's value, scale and least value, found from weights alone: those of a copy of the row
/// whose other numbers are known. Here the packed form is trusted for scales and codes, and
/// `the_packed_form_holds_the_weights` says that it may be.
fn expected(x: &[f32], w: &Coded) -> Vec<f32> {
    let mut out = Vec::new();
    let layout = w.layout;
    for x in x.chunks(w.columns) {
        let x: Vec<f32> = x
            .iter()
            .map(|x| {
                let value = f32::from_bits(u32::from(round(*x)) << 16);
                if value.abs() < 2.0_f32.powi(-100) { 0.0 } else { value }
            })
            .collect();
        for row in 0..w.rows {
            let mut sum = 0.0_f32;
            each_tile(w, row, |tile, codes, scales, least| {
                let x = &x[32 * tile..][..32];
                let len = layout.codes.scale_len();
                for (part, x) in x.chunks(len).enumerate() {
                    sum = scales[part].mul_add(chains(x, |k| codes[part * len + k]), sum);
                }
                if let Some(least) = least {
                    sum = least.mul_add(chains(x, |_| 1.0), sum);
                }
            });
            out.push(sum);
        }
    }
    out
}

/// Codes, scales and least value of each tile of a row.
fn each_tile(w: &Coded, row: usize, mut tile: impl FnMut(usize, [f32; 32], [f32; 2], Option<f32>)) {
    let (layout, lane) = (w.layout, row % LANES);
    let mut rest = w.strip(row / LANES);
    for from in (0..w.tiles()).step_by(SPAN_TILES) {
        let count = SPAN_TILES.min(w.tiles() - from);
        let (span, others) = rest.split_at(layout.span_bytes(count));
        let (scales, codes) = span.split_at(layout.scales.bytes(count));
        let mut factors = Factors::NONE;
        factors.read(layout.scales, scales, count);
        for (index, codes) in codes.chunks(layout.codes.bytes()).enumerate() {
            let mut values = [[0.0; LANES]; TILE_COLUMNS];
            layout::values(layout.codes, codes, &mut values);
            let parts = TILE_COLUMNS / layout.codes.scale_len();
            let scales = [0, parts - 1].map(|part| factors.scale[parts * index + part][lane]);
            let least = layout.scales.has_least().then(|| factors.least[index][lane]);
            tile(from + index, values.map(|column| column[lane]), scales, least);
        }
        rest = others;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_unit_gives_the_bits_of_the_rule(
        format in proptest::sample::select(formats()), rows in 1usize..150,
        columns in 1usize..700, tokens in 1usize..80, values in samples::values(), seed: u64,
    ) {
        let tokens = if tokens > 70 { tokens + 40 } else { tokens % 19 + 1 };
        // Rows of whole spans are a case of their own.
        let least = if seed.is_multiple_of(2) { SPAN_TILES * TILE_COLUMNS } else { 1 };
        let columns = columns.next_multiple_of(format.block_len().max(least));
        let bytes = samples::weights(format, rows, columns, values, seed);
        let w = Matrix::new(format, rows, columns, &bytes).unwrap();
        let bytes = packed(Isa::Scalar, &w);
        let w = Coded::new(format, rows, columns, &bytes);
        let x = samples::floats(tokens * columns, values, seed + 1);
        let expected = expected(&x, &w);
        for unit in units() {
            #[cfg_attr(not(target_arch = "x86_64"), allow(clippy::infallible_destructuring_match))]
            let isa = match unit {
                Unit::Lanes(isa) => isa,
                #[cfg(target_arch = "x86_64")]
                Unit::Tiles => Isa::detect(),
            };
            let found = product_on(unit, isa, &x, &w, 0..rows);
            assert_same_bits(&found, &expected, &format!("{unit:?} {format:?}"));
        }
    }

    #[test]
    fn the_packed_form_holds_the_weights(
        format in proptest::sample::select(formats()), rows in 1usize..40,
        columns in 1usize..600, seed: u64,
    ) {
        let columns = columns.next_multiple_of(format.block_len());
        let bytes = samples::weights(format, rows, columns, Values::Plain, seed);
        let w = Matrix::new(format, rows, columns, &bytes).unwrap();
        let bytes = packed(Isa::detect(), &w);
        for isa in Isa::available() {
            prop_assert_eq!(&bytes, &packed(isa, &w));
        }
        let coded = Coded::new(format, rows, columns, &bytes);
        for row in 0..rows {
            let mut weights = vec![0.0; columns];
            w.decode_row(row, &mut weights);
            each_tile(&coded, row, |tile, codes, scales, least| {
                for (k, code) in codes.into_iter().enumerate() {
                    let value = code.mul_add(scales[k / 16], least.unwrap_or(0.0));
                    assert_eq!(value, weights[32 * tile + k], "{format:?} {row} {tile} {k}");
                }
            });
        }
    }

    #[test]
    fn rows_in_pieces_and_tokens_alone_give_the_same_bits(
        format in proptest::sample::select(formats()), cut in 0usize..5,
        first in 0usize..150, more in 0usize..70, seed: u64,
    ) {
        let (rows, tokens, columns, cut) = (75, 150, 1024, 16 * cut);
        let bytes = samples::weights(format, rows, columns, Values::Plain, seed);
        let w = Matrix::new(format, rows, columns, &bytes).unwrap();
        let bytes = packed(Isa::detect(), &w);
        let w = Coded::new(format, rows, columns, &bytes);
        let x = samples::floats(tokens * columns, Values::Plain, seed + 1);
        let (isa, unit) = (Isa::detect(), Unit::of(Isa::detect()));
        let whole = product_on(unit, isa, &x, &w, 0..rows);
        let some = first..(first + more + 1).min(tokens);
        let x = &x[some.start * columns..some.end * columns];
        let left = product_on(unit, isa, x, &w, 0..cut);
        let right = product_on(unit, isa, x, &w, cut..rows);
        for (place, token) in some.enumerate() {
            let whole = &whole[token * rows..][..rows];
            assert_same_bits(&left[place * cut..][..cut], &whole[..cut], "left");
            let right = &right[place * (rows - cut)..][..rows - cut];
            assert_same_bits(right, &whole[cut..], "right");
        }
    }
}

/// More tokens and outputs than any part that is worked on at a time.
#[test]
fn large_products_have_the_bits_of_the_rule_too() {
    let (rows, columns, tokens) = (200, 1600, 1100);
    let bytes = samples::weights(Format::Q8_0, rows, columns, Values::Plain, 3);
    let w = Matrix::new(Format::Q8_0, rows, columns, &bytes).unwrap();
    let bytes = packed(Isa::detect(), &w);
    let w = Coded::new(Format::Q8_0, rows, columns, &bytes);
    let x = samples::floats(tokens * columns, Values::Plain, 4);
    let found = product_on(Unit::of(Isa::detect()), Isa::detect(), &x, &w, 0..rows);
    for token in [0, 511, 512, 1099] {
        let expected = expected(&x[token * columns..][..columns], &w);
        assert_same_bits(&found[token * rows..][..rows], &expected, &format!("{token}"));
    }
}

#[test]
fn nothing_to_do_is_fine() {
    let w = Matrix::new(Format::Q4_0, 3, 32, &[0; 54]).unwrap();
    let bytes = packed(Isa::detect(), &w);
    let w = Coded::new(Format::Q4_0, 3, 32, &bytes);
    for unit in units() {
        assert!(product_on(unit, Isa::detect(), &[], &w, 0..3).is_empty());
        assert!(product_on(unit, Isa::detect(), &[1.0; 32], &w, 0..0).is_empty());
    }
    assert_eq!(Coded::size(Format::F32, 3, 32), None);
    assert_eq!(Coded::size(Format::Q4_0, 3, 33), None);
}
