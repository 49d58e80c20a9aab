//! The matrix product with both sides rounded to `bf16`: how prompts are read.

use crate::bf16_product::Unit;
use crate::columns::Columns;
use crate::elementwise::add;
use crate::isa::Isa;
use crate::packed::{Packed, Piece, Side, Source};
use crate::patch::Patch;
use crate::rounded_lanes;
use crate::scratch::Scratch;
use crate::strips::{Strips, StripsPiece};
use crate::weights::Weights;
use std::ops::Range;

/// Activations rounded to `bf16`, ready for [`linear_rounded`] with any number of matrices.
#[derive(Clone, Debug)]
pub struct Inputs {
    unit: Unit,
    tokens: usize,
    columns: usize,
    /// For the tile unit.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // only there are tiles
    packed: Packed,
    /// For all others.
    strips: Strips,
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
            strips: Strips::default(),
        }
    }

    /// Takes the shape of `x` (`[tokens, columns]`) and begins to pack it for `isa`. What is left
    /// to be done is [`InputsPiece::pack`] with [`Inputs::source`] for each piece, in any thread.
    ///
    /// # Panics
    /// When `x` is not whole rows, or this processor lacks the instructions.
    pub fn pieces(&mut self, isa: Isa, x: &[f32], columns: usize) -> Vec<InputsPiece<'_>> {
        self.pieces_on(Unit::of(isa), x, columns)
    }

    /// Whether `isa` has a tile unit, which multiplies with weights as they lie in a file nearly as
    /// fast as with codes.
    ///
    /// # Panics
    /// When this processor lacks the instructions.
    pub fn on_tiles(isa: Isa) -> bool {
        !matches!(Unit::of(isa), Unit::Lanes(_))
    }

    /// Takes the shape `[tokens, columns]` for values that are computed patch by patch, each patch
    /// in any thread: those of the first columns, tokens after tokens, then of the next. With a
    /// tile unit a patch has at most so many tokens (a multiple of 16) and columns (a multiple of
    /// 32); without one, what lies together: whole strips of tokens, at least one, and whole parts
    /// of 256 columns. Until all are filled, the values are any.
    ///
    /// # Panics
    /// When this processor lacks the instructions.
    pub fn patches(
        &mut self,
        isa: Isa,
        tokens: usize,
        columns: usize,
        most: [usize; 2],
    ) -> Vec<Patch<'_>> {
        self.patches_on(Unit::of(isa), tokens, columns, most)
    }

    pub(crate) fn patches_on(
        &mut self,
        unit: Unit,
        tokens: usize,
        columns: usize,
        most: [usize; 2],
    ) -> Vec<Patch<'_>> {
        (self.unit, self.tokens, self.columns) = (unit, tokens, columns);
        match unit {
            #[cfg(target_arch = "x86_64")]
            Unit::Tiles => {
                let patches = self.packed.patches(tokens, columns, most).into_iter();
                patches.map(Patch::of_tiles).collect()
            }
            Unit::Lanes(isa) => {
                let patches = self.strips.patches(Strips::width_for(isa), tokens, columns, most);
                patches.into_iter().map(Patch::of_strips).collect()
            }
        }
    }

    /// All values, rounded: `[tokens, columns]`.
    #[cfg(test)]
    pub(crate) fn rounded(&self) -> Vec<f32> {
        match self.unit {
            #[cfg(target_arch = "x86_64")]
            Unit::Tiles => self.packed.values(),
            Unit::Lanes(_) => (0..self.tokens).flat_map(|token| self.strips.row(token)).collect(),
        }
    }

    fn pieces_on(&mut self, unit: Unit, x: &[f32], columns: usize) -> Vec<InputsPiece<'_>> {
        assert!(columns > 0 || x.is_empty(), "x must be empty when there are no columns");
        let tokens = x.len().checked_div(columns).unwrap_or(0);
        assert_eq!(x.len(), tokens * columns, "x is [tokens, columns]");
        (self.unit, self.tokens, self.columns) = (unit, tokens, columns);
        match unit {
            #[cfg(target_arch = "x86_64")]
            Unit::Tiles => {
                let pieces = self.packed.pieces(tokens, columns).into_iter();
                pieces.map(|piece| InputsPiece(Kind::Tiles(piece))).collect()
            }
            Unit::Lanes(isa) => {
                let pieces = self.strips.pieces(Strips::width_for(isa), tokens, columns);
                pieces.into_iter().map(|piece| InputsPiece(Kind::Strips(piece))).collect()
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

    pub(crate) fn pack_on(&mut self, unit: Unit, isa: Isa, x: &[f32], columns: usize) {
        let pieces = self.pieces_on(unit, x, columns);
        pieces.into_iter().for_each(|mut piece| piece.pack(isa, Inputs::source(x, columns)));
    }

    /// Where pieces come from.
    pub fn source(x: &[f32], columns: usize) -> Source<'_> {
        Source::vectors(x, columns)
    }

    /// The values in the form that the unit takes.
    pub(crate) fn form(&self) -> Form<'_> {
        match self.unit {
            #[cfg(target_arch = "x86_64")]
            Unit::Tiles => Form::Tiles(&self.packed),
            Unit::Lanes(isa) => Form::Strips(isa, &self.strips),
        }
    }

    /// Number of columns.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Rows of the activations.
    pub fn tokens(&self) -> usize {
        self.tokens
    }
}

/// [`Inputs`] as a unit takes them.
pub(crate) enum Form<'a> {
    #[cfg(target_arch = "x86_64")]
    Tiles(&'a Packed),
    Strips(Isa, &'a Strips),
}

/// A part of [`Inputs`] to be filled.
pub struct InputsPiece<'a>(Kind<'a>);

enum Kind<'a> {
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // only there are tiles
    Tiles(Piece<'a>),
    Strips(StripsPiece<'a>),
}

impl InputsPiece<'_> {
    /// Packs this part of the activations.
    ///
    /// # Panics
    /// When the source does not have the shape of the inputs.
    pub fn pack(&mut self, isa: Isa, source: Source) {
        match &mut self.0 {
            Kind::Tiles(piece) => piece.pack(isa, source),
            Kind::Strips(piece) => piece.pack(isa, source),
        }
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
        Unit::Lanes(isa) => {
            rounded_lanes::linear((isa, before), &inputs.strips, w, rows, out, scratch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bf16_product::{single, units};
    use crate::coded::Coded;
    use crate::format::Format;
    use crate::lanes::LANES;
    use crate::matrix::Matrix;
    use crate::packed::round;
    use crate::reference::assert_same_bits;
    use crate::rounded_lanes::{Exponent, dot_flushed, round_all};
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
