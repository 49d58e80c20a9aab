//! Activations for products with codes.

use super::layout::TILE_COLUMNS;
use crate::bf16_product::Unit;
use crate::isa::{Isa, on_isa};
use crate::lanes::LANES;
use crate::packed::{EMPTY, Tile, round};

/// The least exponent, as a `f32` has it, of an activation that counts (2^-100). Codes are whole
/// numbers, so no sum of such products comes near a denormal number.
const LEAST_EXPONENT: u32 = 127 - 100;

/// Whether products with formats that have least values will follow: these are multiplied with
/// sums of the activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockSums {
    /// They may.
    Wanted,
    /// They will not.
    Unwanted,
}

/// Activations rounded to `bf16`, ready for [`crate::linear_coded`] with any number of matrices.
#[derive(Clone)]
pub struct CodedInputs {
    unit: Unit,
    tokens: usize,
    columns: usize,
    /// The rounded values, `[tokens, columns]`.
    values: Vec<f32>,
    /// The sum over each 32 of them: `[tokens / 16][columns / 32][16]`.
    sums: Vec<[f32; LANES]>,
    /// For the tile unit: `[tokens / 16][columns / 32]`, a row of a tile being a token.
    tiles: Vec<Tile>,
}

impl Default for CodedInputs {
    fn default() -> CodedInputs {
        CodedInputs::new()
    }
}

impl std::fmt::Debug for CodedInputs {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "CodedInputs {{ {} tokens of {} }}", self.tokens, self.columns)
    }
}

impl std::fmt::Debug for CodedPiece<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "CodedPiece {{ {} values of rows of {} }}", self.x.len(), self.columns)
    }
}

/// Up to 16 of the tokens, for a thread to round.
pub struct CodedPiece<'a> {
    isa: Isa,
    columns: usize,
    x: &'a [f32],
    values: &'a mut [f32],
    sums: &'a mut [[f32; LANES]],
    tiles: &'a mut [Tile],
}

impl CodedInputs {
    /// No activations.
    pub fn new() -> CodedInputs {
        CodedInputs {
            unit: Unit::Lanes(Isa::Scalar),
            tokens: 0,
            columns: 0,
            values: Vec::new(),
            sums: Vec::new(),
            tiles: Vec::new(),
        }
    }

    /// Takes the shape of `x` (`[tokens, columns]`) and returns the pieces to be rounded, each of
    /// which may be done by a thread of its own. Until all are, its values are any.
    ///
    /// # Panics
    /// When `x` is not whole rows, columns are not a multiple of 32, or this processor lacks the
    /// instructions.
    pub fn pieces<'a>(
        &'a mut self,
        isa: Isa,
        x: &'a [f32],
        columns: usize,
        sums: BlockSums,
    ) -> Vec<CodedPiece<'a>> {
        self.pieces_on(Unit::of(isa), isa, x, columns, sums)
    }

    pub(super) fn pieces_on<'a>(
        &'a mut self,
        unit: Unit,
        isa: Isa,
        x: &'a [f32],
        columns: usize,
        sums: BlockSums,
    ) -> Vec<CodedPiece<'a>> {
        assert!(columns > 0 && columns.is_multiple_of(TILE_COLUMNS), "columns are whole tiles");
        let (tokens, steps) = (x.len() / columns, columns / TILE_COLUMNS);
        assert_eq!(x.len(), tokens * columns, "x is [tokens, columns]");
        (self.unit, self.tokens, self.columns) = (unit, tokens, columns);
        let places = tokens.div_ceil(LANES) * steps;
        self.values.resize(tokens * columns, 0.0);
        self.sums.resize(if sums == BlockSums::Wanted { places } else { 0 }, [0.0; LANES]);
        let of_tiles = match unit {
            Unit::Lanes(_) => 0,
            #[cfg(target_arch = "x86_64")]
            Unit::Tiles => places,
        };
        self.tiles.resize(of_tiles, EMPTY);
        let (mut tiles, mut sums) = (self.tiles.chunks_mut(steps), self.sums.chunks_mut(steps));
        let strips = x.chunks(LANES * columns).zip(self.values.chunks_mut(LANES * columns));
        let pieces = strips.map(|(x, values)| {
            let (tiles, sums) = (tiles.next().unwrap_or_default(), sums.next().unwrap_or_default());
            CodedPiece { isa, columns, x, values, sums, tiles }
        });
        pieces.collect()
    }

    /// Rounds all of `x` in this thread.
    ///
    /// # Panics
    /// As [`CodedInputs::pieces`].
    pub fn pack(&mut self, isa: Isa, x: &[f32], columns: usize, sums: BlockSums) {
        self.pieces(isa, x, columns, sums).into_iter().for_each(CodedPiece::pack);
    }

    /// Rows of the activations.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Length of each.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    pub(crate) fn unit(&self) -> Unit {
        self.unit
    }

    /// The rounded values of a token.
    pub(crate) fn row(&self, token: usize) -> &[f32] {
        &self.values[token * self.columns..][..self.columns]
    }

    pub(crate) fn has_sums(&self) -> bool {
        self.tokens == 0 || !self.sums.is_empty()
    }

    /// For each 32 columns, the sums of 16 tokens; nothing if they were not wanted.
    pub(crate) fn sums(&self, strip: usize) -> &[[f32; LANES]] {
        let steps = self.columns / TILE_COLUMNS;
        self.sums.get(strip * steps..(strip + 1) * steps).unwrap_or_default()
    }

    /// The tiles of 16 tokens.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn tiles(&self, strip: usize) -> &[Tile] {
        let steps = self.columns / TILE_COLUMNS;
        &self.tiles[strip * steps..][..steps]
    }
}

impl CodedPiece<'_> {
    /// Rounds the tokens of this piece.
    pub fn pack(self) {
        let CodedPiece { isa, columns, x, values, sums, tiles } = self;
        on_isa!(isa, round_all(x: &[f32], values: &mut [f32]));
        on_isa!(isa, sum_all(values: &[f32], columns: usize, sums: &mut [[f32; LANES]]));
        if !tiles.is_empty() {
            on_isa!(isa, put_tiles(values: &[f32], columns: usize, tiles: &mut [Tile]));
        }
    }
}

/// To the nearest `bf16`, ties to even; what is below 2^-100 then counts as zero.
#[inline(always)]
fn round_all(x: &[f32], values: &mut [f32]) {
    for (x, value) in x.iter().zip(values) {
        let bits = u32::from(round(*x)) << 16;
        let counts = bits << 1 >> 24 >= LEAST_EXPONENT;
        *value = f32::from_bits(if counts { bits } else { 0 });
    }
}

/// For each 32 columns an even and an odd chain, and their sum.
#[inline(always)]
fn sum_all(values: &[f32], columns: usize, sums: &mut [[f32; LANES]]) {
    for (token, row) in values.chunks_exact(columns).enumerate() {
        for (block, sums) in row.as_chunks::<TILE_COLUMNS>().0.iter().zip(&mut *sums) {
            let (mut even, mut odd) = (0.0, 0.0);
            for pair in block.as_chunks::<2>().0 {
                even += pair[0];
                odd += pair[1];
            }
            sums[token] = even + odd;
        }
    }
}

/// A token is a row; rows of tokens that are not there keep what they held, and nobody looks at
/// their products.
#[inline(always)]
fn put_tiles(values: &[f32], columns: usize, tiles: &mut [Tile]) {
    for (token, row) in values.chunks_exact(columns).enumerate() {
        for (values, tile) in row.as_chunks::<TILE_COLUMNS>().0.iter().zip(&mut *tiles) {
            for (pair, out) in values.as_chunks::<2>().0.iter().zip(&mut tile.0[token]) {
                *out = pair.map(|value| (value.to_bits() >> 16) as u16);
            }
        }
    }
}
