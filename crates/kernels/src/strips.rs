//! Activations rounded to `bf16`, as vector code reads them: as floats, the terms of a few tokens
//! side by side.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::isa::{Isa, on_isa};
use crate::memory::Buffer;
use crate::packed::Source;
use crate::panel::PANEL_COLUMNS;
use crate::patch::parts;
use crate::rounded_lanes::{Exponent, round_all};
use std::ops::Range;

/// Most tokens of a strip.
pub(crate) const MOST_TOKENS: usize = 6;

/// Strips of a piece.
const PIECE_STRIPS: usize = 16;

/// Rounded activations. The terms lie in parts of 256, the last being shorter; those of a part in
/// strips of `width` tokens, the last being narrower: `[part][strip][term][token]`.
#[derive(Clone, Default)]
pub(crate) struct Strips {
    width: usize,
    tokens: usize,
    columns: usize,
    values: Buffer<f32>,
    /// The least exponent of each piece.
    least: Vec<Exponent>,
}

impl std::fmt::Debug for Strips {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "Strips {{ {} tokens of {} }}", self.tokens, self.columns)
    }
}

impl Strips {
    /// Tokens that lie side by side for an instruction set.
    pub fn width_for(isa: Isa) -> usize {
        if isa == Isa::Avx2 { MOST_TOKENS } else { 1 }
    }

    pub fn tokens(&self) -> usize {
        self.tokens
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Tokens of a strip.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The least exponent of values that are not zero.
    pub fn least(&self) -> Exponent {
        self.least.iter().copied().min().unwrap_or(Exponent::NONE)
    }

    /// Takes a shape and gives the pieces to pack. Until all are, the values are any.
    pub fn pieces(&mut self, width: usize, tokens: usize, columns: usize) -> Vec<StripsPiece<'_>> {
        (self.width, self.tokens, self.columns) = (width, tokens, columns);
        let most = PIECE_STRIPS * width;
        let count = columns.div_ceil(PANEL_COLUMNS) * tokens.div_ceil(most);
        self.least.clear();
        self.least.resize(count, Exponent::NONE);
        let (mut least, mut rest) = (self.least.iter_mut(), self.values.reach(tokens * columns));
        let mut pieces = Vec::with_capacity(count);
        for columns in parts(0..columns, PANEL_COLUMNS) {
            for tokens in parts(0..tokens, most) {
                let (values, others) = rest.split_at_mut(tokens.len() * columns.len());
                rest = others;
                let Some(least) = least.next() else { break };
                let columns = columns.clone();
                pieces.push(StripsPiece { width, tokens, columns, values, least });
            }
        }
        pieces
    }

    /// Takes a shape and gives the patches to fill, those that have the same terms one after the
    /// other: at most `most` tokens, or a strip, and as many terms in parts of 256.
    pub fn patches(
        &mut self,
        width: usize,
        tokens: usize,
        columns: usize,
        most: [usize; 2],
    ) -> Vec<StripsPatch<'_>> {
        (self.width, self.tokens, self.columns) = (width, tokens, columns);
        let most = [(most[0] / width).max(1) * width, most[1].next_multiple_of(PANEL_COLUMNS)];
        let across = tokens.div_ceil(most[0]);
        self.least.clear();
        self.least.resize(columns.div_ceil(most[1]) * across, Exponent::NONE);
        let (mut least, mut rest) = (self.least.iter_mut(), self.values.reach(tokens * columns));
        let mut patches = Vec::with_capacity(least.len());
        for columns in parts(0..columns, most[1]) {
            for tokens in parts(0..tokens, most[0]) {
                let Some(least) = least.next() else { break };
                let (columns, values) = (columns.clone(), Vec::new());
                patches.push(StripsPatch { width, tokens, columns, values, least });
            }
        }
        for part in parts(0..columns, PANEL_COLUMNS) {
            let first = part.start / most[1] * across;
            for patch in &mut patches[first..first + across] {
                let (own, others) = rest.split_at_mut(patch.tokens.len() * part.len());
                rest = others;
                patch.values.push(own);
            }
        }
        patches
    }

    /// The terms from `from` (a multiple of 256) on, at most 256, of some tokens: from a multiple
    /// of the width to another one or the last token.
    pub fn part(&self, from: usize, tokens: &Range<usize>) -> &[f32] {
        let len = PANEL_COLUMNS.min(self.columns - from);
        let start = from * self.tokens + tokens.start * len;
        &self.values[start..start + tokens.len() * len]
    }

    /// The values of one token.
    pub fn row(&self, token: usize) -> Vec<f32> {
        let first = token / self.width * self.width;
        let width = self.width.min(self.tokens - first);
        let mut row = Vec::with_capacity(self.columns);
        for from in (0..self.columns).step_by(PANEL_COLUMNS) {
            let strip = self.part(from, &(first..first + width));
            row.extend(strip.iter().skip(token - first).step_by(width));
        }
        row
    }
}

/// Some terms of some tokens, to be packed.
pub(crate) struct StripsPiece<'a> {
    width: usize,
    tokens: Range<usize>,
    columns: Range<usize>,
    values: &'a mut [f32],
    least: &'a mut Exponent,
}

impl StripsPiece<'_> {
    /// Rounds this part of the source.
    pub fn pack(&mut self, isa: Isa, source: Source) {
        let len = self.columns.len();
        let strips = self.values.chunks_mut(self.width * len);
        for (tokens, out) in parts(self.tokens.clone(), self.width).zip(strips) {
            let rows = std::array::from_fn(|place| match tokens.start + place {
                token if token < tokens.end => &source.vector(token)[self.columns.clone()],
                _ => &[][..],
            });
            let width = tokens.len();
            let own = on_isa!(
                isa,
                pack_strip(rows: [&[f32]; MOST_TOKENS], width: usize, out: &mut [f32]) -> Exponent
            );
            *self.least = own.min(*self.least);
        }
    }
}

/// Rows of at most 256 values, each of its own at first, then side by side.
#[inline(always)]
fn pack_strip(rows: [&[f32]; MOST_TOKENS], width: usize, out: &mut [f32]) -> Exponent {
    if width == 1 {
        out.copy_from_slice(rows[0]);
        return round_all(out);
    }
    let mut rounded = [[0.0; PANEL_COLUMNS]; MOST_TOKENS];
    let mut least = Exponent::NONE;
    for (row, rounded) in rows.iter().zip(&mut rounded) {
        let rounded = &mut rounded[..row.len()];
        rounded.copy_from_slice(row);
        least = least.min(round_all(rounded));
    }
    if let (MOST_TOKENS, (whole, [])) = (width, out.as_chunks_mut::<MOST_TOKENS>()) {
        for (term, out) in whole.iter_mut().enumerate().take(PANEL_COLUMNS) {
            for (out, rounded) in out.iter_mut().zip(&rounded) {
                *out = rounded[term];
            }
        }
        return least;
    }
    for (term, out) in out.chunks_exact_mut(width).enumerate() {
        out.iter_mut().zip(&rounded).for_each(|(out, rounded)| *out = rounded[term]);
    }
    least
}

/// Some terms of some tokens, to be filled token by token.
pub(crate) struct StripsPatch<'a> {
    width: usize,
    /// From the first of a strip on.
    pub tokens: Range<usize>,
    /// From a multiple of 256 on.
    pub columns: Range<usize>,
    /// Of each part of the terms, `[strip][term][token]`.
    values: Vec<&'a mut [f32]>,
    least: &'a mut Exponent,
}

impl std::fmt::Debug for StripsPatch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "StripsPatch {{ tokens {:?}, terms {:?} }}", self.tokens, self.columns)
    }
}

impl StripsPatch<'_> {
    /// Rounds terms of a token, which the patch has, and puts them in their place.
    pub fn put(&mut self, isa: Isa, token: usize, from: usize, terms: &[f32]) {
        let first = token / self.width * self.width;
        let width = self.width.min(self.tokens.end - first);
        let (mut from, mut rest) = (from, terms);
        while !rest.is_empty() {
            let part = from / PANEL_COLUMNS * PANEL_COLUMNS;
            let len = PANEL_COLUMNS.min(self.columns.end - part);
            let (own, after) = rest.split_at(rest.len().min(part + len - from));
            let strip = (first - self.tokens.start) * len;
            let at = strip + (from - part) * width + token - first;
            let out = &mut self.values[(part - self.columns.start) / PANEL_COLUMNS][at..];
            let least =
                on_isa!(isa, put_terms(own: &[f32], width: usize, out: &mut [f32]) -> Exponent);
            *self.least = least.min(*self.least);
            (from, rest) = (from + own.len(), after);
        }
    }
}

/// At most 256 terms, each `width` from the one before.
#[inline(always)]
fn put_terms(terms: &[f32], width: usize, out: &mut [f32]) -> Exponent {
    let mut rounded = [0.0; PANEL_COLUMNS];
    let rounded = &mut rounded[..terms.len()];
    rounded.copy_from_slice(terms);
    let least = round_all(rounded);
    match width {
        MOST_TOKENS => spread::<MOST_TOKENS>(rounded, out),
        1 => spread::<1>(rounded, out),
        _ => out.iter_mut().step_by(width).zip(rounded).for_each(|(out, term)| *out = *term),
    }
    least
}

#[inline(always)]
fn spread<const WIDTH: usize>(terms: &[f32], out: &mut [f32]) {
    out.iter_mut().step_by(WIDTH).zip(terms).for_each(|(out, term)| *out = *term);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn pieces_and_patches_hold_the_rounded_values_however_they_are_cut(
            [tokens, columns] in [1usize..80, 1usize..1100], most in [1usize..40, 1usize..1200],
            put in 1usize..20, width in 1usize..=MOST_TOKENS, values in samples::values(),
            seed: u64,
        ) {
            let isa = Isa::detect();
            let x = samples::floats(tokens * columns, values, seed);
            let mut expected = x.clone();
            let least = round_all(&mut expected);
            let mut packed = Strips::default();
            for mut piece in packed.pieces(width, tokens, columns) {
                piece.pack(isa, Source::vectors(&x, columns));
            }
            let mut patched = Strips::default();
            for mut patch in patched.patches(width, tokens, columns, most) {
                for token in patch.tokens.clone() {
                    for terms in parts(patch.columns.clone(), 32 * put) {
                        let own = &x[token * columns..][terms.clone()];
                        patch.put(isa, token, terms.start, own);
                    }
                }
            }
            for strips in [packed, patched] {
                prop_assert_eq!(strips.least(), least);
                let found: Vec<f32> = (0..tokens).flat_map(|token| strips.row(token)).collect();
                let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                prop_assert_eq!(bits(&found), bits(&expected));
            }
        }
    }
}
