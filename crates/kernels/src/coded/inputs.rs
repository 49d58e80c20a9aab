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
    has_sums: bool,
    /// For vectors, the rounded values, `[tokens, columns]`.
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
        write!(f, "CodedPiece {{ of {} values in rows of {} }}", self.x.len(), self.columns)
    }
}

/// Tiles of 16 tokens that a thread rounds together.
const PIECE_TILES: usize = 16;

/// Some columns of up to 16 tokens, for a thread to round.
pub struct CodedPiece<'a> {
    isa: Isa,
    x: &'a [f32],
    /// Of each token.
    columns: usize,
    /// All values, where vectors read them.
    values: &'a mut [f32],
    /// Tiles from the `first` on, where the tile unit does.
    tiles: &'a mut [Tile],
    first: usize,
    sums: &'a mut [[f32; LANES]],
}

impl CodedInputs {
    /// No activations.
    pub fn new() -> CodedInputs {
        CodedInputs {
            unit: Unit::Lanes(Isa::Scalar),
            tokens: 0,
            columns: 0,
            has_sums: false,
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
        self.has_sums = sums == BlockSums::Wanted;
        let sums = grown(&mut self.sums, if self.has_sums { places } else { 0 }, [0.0; LANES]);
        let mut sums = sums.chunks_mut(steps);
        let rows = x.chunks(LANES * columns);
        if !super::on_tiles(unit, tokens, columns) {
            let values = grown(&mut self.values, tokens * columns, 0.0);
            let pieces = rows.zip(values.chunks_mut(LANES * columns)).map(|(x, values)| {
                let sums = sums.next().unwrap_or_default();
                CodedPiece { isa, x, columns, values, tiles: &mut [], first: 0, sums }
            });
            return pieces.collect();
        }
        let tiles = grown(&mut self.tiles, places, EMPTY).chunks_mut(steps);
        let pieces = rows.zip(tiles).flat_map(|(x, tiles)| {
            let mut sums = sums.next().unwrap_or_default().chunks_mut(PIECE_TILES);
            let tiles = tiles.chunks_mut(PIECE_TILES).enumerate();
            tiles.map(move |(piece, tiles)| {
                let (first, sums) = (piece * PIECE_TILES, sums.next().unwrap_or_default());
                CodedPiece { isa, x, columns, values: &mut [], tiles, first, sums }
            })
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
        self.tokens == 0 || self.has_sums
    }

    /// For each 32 columns, the sums of 16 tokens; nothing if they were not wanted.
    pub(crate) fn sums(&self, strip: usize) -> &[[f32; LANES]] {
        let steps = self.columns / TILE_COLUMNS;
        match self.has_sums {
            true => &self.sums[strip * steps..][..steps],
            false => &[],
        }
    }

    /// The tiles of 16 tokens.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn tiles(&self, strip: usize) -> &[Tile] {
        let steps = self.columns / TILE_COLUMNS;
        &self.tiles[strip * steps..][..steps]
    }
}

/// The first `len` of what is kept from one use to the next.
fn grown<T: Clone>(kept: &mut Vec<T>, len: usize, value: T) -> &mut [T] {
    if kept.len() < len {
        kept.resize(len, value);
    }
    &mut kept[..len]
}

impl CodedPiece<'_> {
    /// Rounds this piece.
    pub fn pack(self) {
        let CodedPiece { isa, x, columns, values, tiles, first, sums } = self;
        if tiles.is_empty() {
            on_isa!(isa, put_values(x: &[f32], values: &mut [f32]));
            on_isa!(isa, sum_values(values: &[f32], columns: usize, sums: &mut [[f32; LANES]]));
            return;
        }
        let x = (x, columns, first);
        on_isa!(isa, put_tiles(x: Rows, tiles: &mut [Tile], sums: &mut [[f32; LANES]]));
    }
}

/// Tokens' activations, how many each has, and the first tile of interest.
type Rows<'a> = (&'a [f32], usize, usize);

#[inline(always)]
fn put_values(x: &[f32], values: &mut [f32]) {
    for (x, value) in x.iter().zip(values) {
        *value = rounded(*x);
    }
}

/// To the nearest `bf16`, ties to even; what is below 2^-100 then counts as zero.
#[inline(always)]
fn rounded(x: f32) -> f32 {
    let bits = u32::from(round(x)) << 16;
    let counts = bits << 1 >> 24 >= LEAST_EXPONENT;
    f32::from_bits(if counts { bits } else { 0 })
}

#[inline(always)]
fn sum_values(values: &[f32], columns: usize, sums: &mut [[f32; LANES]]) {
    for (token, row) in values.chunks_exact(columns).enumerate() {
        for (block, sums) in row.as_chunks::<TILE_COLUMNS>().0.iter().zip(&mut *sums) {
            sums[token] = sum(block);
        }
    }
}

/// An even and an odd chain, and their sum.
#[inline(always)]
fn sum(block: &[f32; TILE_COLUMNS]) -> f32 {
    let (mut even, mut odd) = (0.0, 0.0);
    for pair in block.as_chunks::<2>().0 {
        even += pair[0];
        odd += pair[1];
    }
    even + odd
}

/// A token is a row; rows of tokens that are not there keep what they held, and nobody looks at
/// their products.
#[inline(always)]
fn put_tiles((x, columns, first): Rows, tiles: &mut [Tile], sums: &mut [[f32; LANES]]) {
    for (token, row) in x.chunks_exact(columns).enumerate() {
        let blocks = row.as_chunks::<TILE_COLUMNS>().0[first..].iter().zip(&mut *tiles);
        for (place, (block, tile)) in blocks.enumerate() {
            let mut values = [0.0; TILE_COLUMNS];
            put_values(block, &mut values);
            for (pair, out) in values.as_chunks::<2>().0.iter().zip(&mut tile.0[token]) {
                *out = pair.map(|value| (value.to_bits() >> 16) as u16);
            }
            if let Some(sums) = sums.get_mut(place) {
                sums[token] = sum(&values);
            }
        }
    }
}
