//! The matrix product with both sides rounded to `bf16`: how prompts are read.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::bf16_product::{Unit, flush, flushed_fma};
use crate::chains::{CHAIN, Chains};
use crate::columns::Columns;
use crate::elementwise::add;
use crate::format::Format;
use crate::isa::{Isa, on_isa};
use crate::lanes::LANES;
use crate::packed::{Packed, Piece, Side, Source, round};
use crate::panel::{BAND_TOKENS, PANEL_COLUMNS, PANEL_ROWS};
use crate::patch::Patch;
use crate::scratch::Scratch;
use crate::weights::{Part, Weights};
use std::ops::Range;

/// Activations rounded to `bf16`, ready for [`linear_rounded`] with any number of matrices.
#[derive(Clone, Debug)]
pub struct Inputs {
    unit: Unit,
    tokens: usize,
    columns: usize,
    /// For the tile unit.
    packed: Packed,
    /// For all others: the rounded values as floats, `[tokens, columns]`.
    values: Vec<f32>,
    /// The smallest exponent of those that are not zero.
    least: Exponent,
}

impl Default for Inputs {
    fn default() -> Inputs {
        Inputs::new()
    }
}

impl Inputs {
    /// No activations.
    pub fn new() -> Inputs {
        Inputs {
            unit: Unit::Lanes(Isa::Scalar),
            tokens: 0,
            columns: 0,
            packed: Packed::new(Side::Left),
            values: Vec::new(),
            least: Exponent::NONE,
        }
    }

    /// Takes the shape of `x` (`[tokens, columns]`) and begins to pack it for `isa`. What is left
    /// to be done is [`Piece::pack`] with [`Inputs::source`] for each piece, in any thread.
    ///
    /// # Panics
    /// When `x` is not whole rows, or this processor lacks the instructions.
    pub fn pieces(&mut self, isa: Isa, x: &[f32], columns: usize) -> Vec<Piece<'_>> {
        self.pieces_on(Unit::of(isa), x, columns)
    }

    /// Whether `isa` reads activations as tiles, which [`Inputs::patches`] are made of.
    ///
    /// # Panics
    /// When this processor lacks the instructions.
    pub fn has_patches(isa: Isa) -> bool {
        !matches!(Unit::of(isa), Unit::Lanes(_))
    }

    /// Takes the shape `[tokens, columns]` for values that are computed patch by patch (at most so
    /// many tokens, a multiple of 16, and so many columns, a multiple of 32), each patch in any
    /// thread: those of the first columns, tokens after tokens, then of the next. Until all are
    /// filled, the values are any.
    ///
    /// # Panics
    /// When there is no tile unit (see [`Inputs::has_patches`]).
    pub fn patches(
        &mut self,
        isa: Isa,
        tokens: usize,
        columns: usize,
        most: [usize; 2],
    ) -> Vec<Patch<'_>> {
        assert!(Inputs::has_patches(isa), "{} has no tiles", isa.name());
        (self.unit, self.tokens, self.columns) = (Unit::of(isa), tokens, columns);
        self.packed.patches(tokens, columns, most)
    }

    fn pieces_on(&mut self, unit: Unit, x: &[f32], columns: usize) -> Vec<Piece<'_>> {
        assert!(columns > 0 || x.is_empty(), "x must be empty when there are no columns");
        let tokens = x.len().checked_div(columns).unwrap_or(0);
        assert_eq!(x.len(), tokens * columns, "x is [tokens, columns]");
        (self.unit, self.tokens, self.columns) = (unit, tokens, columns);
        match unit {
            #[cfg(target_arch = "x86_64")]
            Unit::Tiles => self.packed.pieces(tokens, columns),
            Unit::Lanes(isa) => {
                self.values.clear();
                self.values.extend_from_slice(x);
                let values = &mut self.values[..];
                self.least = on_isa!(isa, round_all(values: &mut [f32]) -> Exponent);
                Vec::new()
            }
        }
    }

    /// Packs all of `x` in this thread.
    ///
    /// # Panics
    /// As [`Inputs::pieces`].
    pub fn pack(&mut self, isa: Isa, x: &[f32], columns: usize) {
        self.pack_on(Unit::of(isa), isa, x, columns);
    }

    fn pack_on(&mut self, unit: Unit, isa: Isa, x: &[f32], columns: usize) {
        let pieces = self.pieces_on(unit, x, columns);
        pieces.into_iter().for_each(|mut piece| piece.pack(isa, Inputs::source(x, columns)));
    }

    /// Where pieces come from.
    pub fn source(x: &[f32], columns: usize) -> Source<'_> {
        Source::vectors(x, columns)
    }

    /// The values as the tile unit takes them; none where there is no such unit.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // only there are tiles
    pub(crate) fn for_tiles(&self) -> Option<&Packed> {
        match self.unit {
            #[cfg(target_arch = "x86_64")]
            Unit::Tiles => Some(&self.packed),
            Unit::Lanes(_) => None,
        }
    }

    /// Rows of the activations.
    pub fn tokens(&self) -> usize {
        self.tokens
    }
}

/// `out[t][r - rows.start] = sum over k of w[r][k] * x[t][k]` for the outputs `rows` of `w`, where
/// w is each decoded weight rounded to `bf16` and x the rounded activations.
///
/// Order of sums and treatment of denormal numbers are those of [`crate::bf16_product`], so an
/// output has the same bits whichever rows and tokens are computed with it, and on every processor.
///
/// # Panics
/// When the inputs, `rows`, `out` or the bytes of `w` do not fit together, or codes are asked for
/// rows that do not start at a multiple of 16.
pub fn linear_rounded(
    inputs: &Inputs,
    w: &Weights,
    rows: Range<usize>,
    out: &mut Columns,
    scratch: &mut Scratch,
) {
    linear_onto(Before::Replaced, inputs, w, rows, out, scratch);
}

/// [`linear_rounded`], added to what `out` holds: each output is `out + sum`, rounded once more.
///
/// # Panics
/// As [`linear_rounded`].
pub fn add_linear_rounded(
    inputs: &Inputs,
    w: &Weights,
    rows: Range<usize>,
    out: &mut Columns,
    scratch: &mut Scratch,
) {
    linear_onto(Before::AddedTo, inputs, w, rows, out, scratch);
}

/// What becomes of what an output held before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Before {
    Replaced,
    AddedTo,
}

impl Before {
    /// Puts whole sums in the place of outputs.
    #[inline]
    pub(crate) fn put(self, isa: Isa, out: &mut [f32], sums: &[f32]) {
        match self {
            Before::Replaced => out.copy_from_slice(sums),
            Before::AddedTo => add(isa, out, sums),
        }
    }
}

fn linear_onto(
    before: Before,
    inputs: &Inputs,
    w: &Weights,
    rows: Range<usize>,
    out: &mut Columns,
    scratch: &mut Scratch,
) {
    w.check(&rows);
    let [_, columns] = w.shape();
    assert_eq!(inputs.columns, columns, "columns of the activations");
    if rows.is_empty() {
        return;
    }
    assert_eq!([out.rows(), out.len()], [inputs.tokens, rows.len()], "out is [tokens, rows]");
    if inputs.tokens == 0 || columns == 0 {
        let nothing = vec![0.0; out.len()];
        let put = |out: &mut [f32]| before.put(Isa::detect(), out, &nothing);
        return (0..out.rows()).for_each(|token| put(out.of_row(token, 0..nothing.len())));
    }
    match inputs.unit {
        #[cfg(target_arch = "x86_64")]
        Unit::Tiles => crate::rounded_tiles::linear(before, &inputs.packed, w, rows, out, scratch),
        Unit::Lanes(isa) => linear_lanes((isa, before), inputs, w, rows, out, scratch),
    }
}

/// A biased exponent, the least of several numbers; zeros have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Exponent(u32);

impl Exponent {
    const NONE: Exponent = Exponent(255);

    /// That of weights whose scales and minima are half-precision numbers, all multiples of 2^-24,
    /// times whole numbers: so each of them is a multiple of 2^-24 too.
    fn least_of(format: Format) -> Option<Exponent> {
        use Format::{IQ4_NL, IQ4_XS, Q2_K, Q3_K, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0};
        match format {
            Q8_0 | Q4_0 | Q4_1 | Q5_0 | Q5_1 | Q2_K | Q3_K | Q4_K | Q5_K | Q6_K | IQ4_NL
            | IQ4_XS => Some(Exponent(127 - 24)),
            _ => None,
        }
    }

    /// Whether sums of products of such numbers with `other`s never come near a denormal number.
    /// Each product is a multiple of the product of both units in the last place, 7 bits below the
    /// exponents; then so is every sum, rounded or not. Nothing is flushed if that is a normal
    /// number.
    fn keeps_clear_with(self, other: Exponent) -> bool {
        self.0 + other.0 >= 2 * (127 + 7) - 126
    }
}

/// Rounds to `bf16`, denormal numbers to zero, and gives the least exponent.
#[inline(always)]
fn round_all(values: &mut [f32]) -> Exponent {
    let mut least = u32::MAX;
    for value in values {
        let bits = u32::from(round(*value)) << 16;
        // Zeros become the largest number of all.
        least = least.min((bits << 1).wrapping_sub(1));
        *value = f32::from_bits(bits);
    }
    if least == u32::MAX { Exponent::NONE } else { Exponent((least + 1) >> 24) }
}

fn linear_lanes(
    (isa, before): (Isa, Before),
    inputs: &Inputs,
    w: &Weights,
    rows: Range<usize>,
    out: &mut Columns,
    scratch: &mut Scratch,
) {
    for first in rows.clone().step_by(PANEL_ROWS) {
        let panel_rows = first..(first + PANEL_ROWS).min(rows.end);
        let columns = first - rows.start..panel_rows.end - rows.start;
        for band in (0..inputs.tokens).step_by(BAND_TOKENS) {
            let tokens = band..(band + BAND_TOKENS).min(inputs.tokens);
            let (panel, sums) = scratch.linear();
            if !sum_band(isa, inputs, &tokens, w, &panel_rows, panel, sums) {
                sum_band_flushed(inputs, &tokens, w, &panel_rows, sums);
            }
            for (token, sums) in tokens.zip(sums.chunks_exact(PANEL_ROWS)) {
                before.put(isa, out.of_row(token, columns.clone()), &sums[..columns.len()]);
            }
        }
    }
}

/// `sums[t][r]` for up to 64 tokens and 32 rows; false when a sum may have to be flushed.
fn sum_band(
    isa: Isa,
    inputs: &Inputs,
    tokens: &Range<usize>,
    w: &Weights,
    rows: &Range<usize>,
    panel: &mut [f32],
    sums: &mut [f32],
) -> bool {
    let (halves, [_, columns]) = (rows.len().div_ceil(LANES), w.shape());
    sums[..tokens.len() * PANEL_ROWS].fill(0.0);
    for from in (0..columns).step_by(PANEL_COLUMNS) {
        let len = PANEL_COLUMNS.min(columns - from);
        for (half, panel) in panel.chunks_exact_mut(PANEL_COLUMNS * LANES).enumerate().take(halves)
        {
            let part = Part { first: rows.start + half * LANES, end: rows.end, from, len };
            let least = decode_rounded(isa, w, &part, &mut panel[..len * LANES]);
            if !least.keeps_clear_with(inputs.least) {
                return false;
            }
        }
        Chains {
            x: &inputs.values[tokens.start * columns + from..tokens.end * columns],
            x_stride: columns,
            tokens: tokens.len(),
            panel,
            step_stride: LANES,
            half_stride: PANEL_COLUMNS * LANES,
            halves,
            steps: 0..len,
            sums,
            sums_stride: PANEL_ROWS,
        }
        .run(isa);
    }
    true
}

/// Decodes a panel and rounds it to `bf16`, and gives the least exponent or one below.
fn decode_rounded(isa: Isa, w: &Weights, part: &Part, panel: &mut [f32]) -> Exponent {
    w.decode(isa, part, panel);
    if let Some(least) = Exponent::least_of(w.format()) {
        if on_isa!(isa, round_finite(panel: &mut [f32]) -> bool) {
            return least;
        }
        w.decode(isa, part, panel);
    }
    on_isa!(isa, round_all(panel: &mut [f32]) -> Exponent)
}

/// Rounds to `bf16` numbers that are zero or normal; false, and nothing of use in `values`, when
/// one is infinite or no number.
#[inline(always)]
fn round_finite(values: &mut [f32]) -> bool {
    let mut most = 0;
    for value in values {
        let bits = value.to_bits();
        most = most.max(bits & 0x7fff_ffff);
        let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
        *value = f32::from_bits(nearest & 0xffff_0000);
    }
    most < f32::INFINITY.to_bits()
}

/// The same where a sum may have to be flushed.
#[cold]
fn sum_band_flushed(
    inputs: &Inputs,
    tokens: &Range<usize>,
    w: &Weights,
    rows: &Range<usize>,
    sums: &mut [f32],
) {
    let [_, columns] = w.shape();
    let mut weights = vec![0.0; columns];
    for (place, row) in rows.clone().enumerate() {
        w.decode_row(row, &mut weights);
        round_all(&mut weights);
        for (token, sums) in tokens.clone().zip(sums.chunks_exact_mut(PANEL_ROWS)) {
            sums[place] = dot_flushed(&inputs.values[token * columns..][..columns], &weights);
        }
    }
}

/// The rule of `docs/numerics.md`, "Products of bf16", for rounded operands.
fn dot_flushed(x: &[f32], weights: &[f32]) -> f32 {
    x.chunks(CHAIN).zip(weights.chunks(CHAIN)).fold(0.0, |sum, (x, weights)| {
        let mut chains = [0.0; 2];
        for k in 0..CHAIN {
            let at = |values: &[f32]| values.get(k).copied().unwrap_or(0.0);
            chains[k % 2] = flushed_fma(at(x), at(weights), chains[k % 2]);
        }
        flush(sum + flush(chains[0] + chains[1]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bf16_product::{single, units};
    use crate::coded::Coded;
    use crate::matrix::Matrix;
    use crate::reference::assert_same_bits;
    use crate::samples::{self, Values};
    use proptest::prelude::*;

    /// The matrix, and its codes if it has any.
    struct Forms<'a> {
        stored: Matrix<'a>,
        codes: Option<Vec<u8>>,
    }

    impl<'a> Forms<'a> {
        fn of(stored: Matrix<'a>) -> Forms<'a> {
            let codes = Coded::size(stored.format, stored.rows, stored.columns).map(|size| {
                let mut codes = vec![0xa5; size];
                Coded::pack(Isa::detect(), &stored, &mut codes);
                codes
            });
            Forms { stored, codes }
        }

        fn all(&self) -> Vec<Weights<'_>> {
            let Matrix { format, rows, columns, .. } = self.stored;
            let coded = self.codes.as_ref().map(|codes| Coded::new(format, rows, columns, codes));
            [Some(Weights::Stored(self.stored)), coded.map(Weights::Coded)]
                .into_iter()
                .flatten()
                .collect()
        }
    }

    fn product_on(unit: Unit, x: &[f32], w: &Weights, rows: Range<usize>) -> Vec<f32> {
        let mut inputs = Inputs::new();
        inputs.pack_on(unit, Isa::detect(), x, w.shape()[1]);
        let mut out = vec![f32::NAN; inputs.tokens() * rows.len()];
        let width = rows.len();
        linear_rounded(&inputs, w, rows, &mut Columns::of(&mut out, width), &mut Scratch::new());
        out
    }

    /// As plainly as possible.
    fn expected(x: &[f32], w: &Matrix) -> Vec<f32> {
        let mut x = x.to_vec();
        round_all(&mut x);
        let mut out = Vec::new();
        let mut weights = vec![0.0; w.columns];
        for x in x.chunks(w.columns) {
            for row in 0..w.rows {
                w.decode_row(row, &mut weights);
                weights.iter_mut().for_each(|w| *w = single(round(*w)));
                out.push(dot_flushed(x, &weights));
            }
        }
        out
    }

    fn whole_blocks(format: Format, columns: usize) -> usize {
        columns.next_multiple_of(format.block_len())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn every_unit_gives_the_bits_of_the_rule(
            format in proptest::sample::select(samples::formats()), rows in 1usize..70,
            columns in 1usize..700, tokens in 1usize..80, values in samples::values(), seed: u64,
        ) {
            let tokens = if tokens > 70 { tokens + 40 } else { tokens % 19 + 1 };
            let columns = whole_blocks(format, columns);
            let bytes = samples::weights(format, rows, columns, values, seed);
            let w = Matrix::new(format, rows, columns, &bytes).unwrap();
            let x = samples::floats(tokens * columns, values, seed + 1);
            let expected = expected(&x, &w);
            let forms = Forms::of(w);
            for (unit, w) in units().into_iter().flat_map(|unit| {
                forms.all().into_iter().map(move |w| (unit, w))
            }) {
                let found = product_on(unit, &x, &w, 0..rows);
                assert_same_bits(&found, &expected, &format!("{unit:?}"));
            }
        }

        #[test]
        fn what_is_added_to_has_the_bits_of_a_product_and_a_sum(
            format in proptest::sample::select(samples::formats()), rows in 1usize..300,
            columns in 1usize..600, tokens in 1usize..120, seed: u64,
        ) {
            let columns = whole_blocks(format, columns);
            let bytes = samples::weights(format, rows, columns, Values::Plain, seed);
            let w = Weights::Stored(Matrix::new(format, rows, columns, &bytes).unwrap());
            let x = samples::floats(tokens * columns, Values::Plain, seed + 1);
            let before = samples::floats(tokens * rows, Values::Plain, seed + 2);
            for unit in units() {
                let mut expected = before.clone();
                add(Isa::detect(), &mut expected, &product_on(unit, &x, &w, 0..rows));
                let mut inputs = Inputs::new();
                inputs.pack_on(unit, Isa::detect(), &x, columns);
                let mut found = before.clone();
                let mut out = Columns::of(&mut found, rows);
                add_linear_rounded(&inputs, &w, 0..rows, &mut out, &mut Scratch::new());
                assert_same_bits(&found, &expected, &format!("{unit:?}"));
            }
        }

        #[test]
        fn rows_in_pieces_and_tokens_alone_give_the_same_bits(
            format in proptest::sample::select(samples::formats()), cut in 0usize..=75,
            first in 0usize..150, more in 0usize..70, seed: u64,
        ) {
            let (rows, tokens) = (75, 150);
            let columns = whole_blocks(format, 800);
            let bytes = samples::weights(format, rows, columns, Values::Plain, seed);
            let w = Matrix::new(format, rows, columns, &bytes).unwrap();
            let x = samples::floats(tokens * columns, Values::Plain, seed + 1);
            let unit = Unit::of(Isa::detect());
            let forms = Forms::of(w);
            let w = forms.all()[seed as usize % forms.all().len()];
            let cut = if matches!(w, Weights::Coded(_)) { cut / LANES * LANES } else { cut };
            let whole = product_on(unit, &x, &w, 0..rows);
            let some = first..(first + more + 1).min(tokens);
            let x = &x[some.start * columns..some.end * columns];
            let left = product_on(unit, x, &w, 0..cut);
            let right = product_on(unit, x, &w, cut..rows);
            for (place, token) in some.enumerate() {
                let whole = &whole[token * rows..][..rows];
                assert_same_bits(&left[place * cut..][..cut], &whole[..cut], "left");
                let right = &right[place * (rows - cut)..][..rows - cut];
                assert_same_bits(right, &whole[cut..], "right");
            }
        }
    }

    /// More tokens, terms and outputs than any part that is worked on at a time.
    #[test]
    fn large_products_have_the_bits_of_the_rule_too() {
        let (rows, columns, tokens) = (1200, 1600, 530);
        let bytes = samples::weights(Format::Q8_0, rows, columns, Values::Plain, 3);
        let stored = Matrix::new(Format::Q8_0, rows, columns, &bytes).unwrap();
        let forms = Forms::of(stored);
        let w = forms.all()[1];
        let x = samples::floats(tokens * columns, Values::Plain, 4);
        let found = product_on(Unit::of(Isa::detect()), &x, &w, 0..rows);
        for (token, row) in [(0, 0), (31, 1023), (511, 1024), (512, 127), (529, 1199), (300, 128)] {
            let mut inputs = Inputs::new();
            let x = &x[token * columns..][..columns];
            inputs.pack_on(Unit::Lanes(Isa::Scalar), Isa::Scalar, x, columns);
            let mut out = [0.0];
            let rows = row..row + 1;
            let w = Weights::Stored(stored);
            linear_rounded(&inputs, &w, rows, &mut Columns::of(&mut out, 1), &mut Scratch::new());
            assert_same_bits(&found[token * 1200 + row..][..1], &out, &format!("{token}, {row}"));
        }
    }

    #[test]
    fn small_sums_are_flushed_and_large_ones_need_no_care() {
        let least = |values: &mut [f32]| round_all(values);
        assert_eq!(least(&mut [0.0, -0.0, 1e-40]), Exponent::NONE);
        assert_eq!(least(&mut [4.0, 0.0, -1.0]), Exponent(127));
        assert!(Exponent(71).keeps_clear_with(Exponent(71)));
        assert!(!Exponent(71).keeps_clear_with(Exponent(70)));
        assert!(Exponent(1).keeps_clear_with(Exponent::NONE));
        let bytes: Vec<u8> = [1e-30f32, 1.0].iter().flat_map(|w| w.to_le_bytes()).collect();
        let w = Weights::Stored(Matrix::new(Format::F32, 1, 2, &bytes).unwrap());
        for unit in units() {
            assert_eq!(product_on(unit, &[1e-10, 0.0], &w, 0..1), [0.0]);
        }
    }

    #[test]
    fn nothing_to_do_is_fine() {
        let w = Weights::Stored(Matrix::new(Format::F32, 3, 4, &[0; 48]).unwrap());
        for unit in units() {
            assert!(product_on(unit, &[], &w, 0..3).is_empty());
            assert!(product_on(unit, &[1.0; 4], &w, 2..2).is_empty());
        }
    }
}
