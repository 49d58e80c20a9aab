//! Parts of a left operand that are filled vector by vector, as they are computed.

use crate::isa::Isa;
use crate::lanes::LANES;
use crate::packed::{BLOCK_TILES, TILE_DEPTH, Tile, pack_row};
use crate::strips::StripsPatch;
use std::ops::Range;

/// Terms of a block of the depth.
const BLOCK_TERMS: usize = BLOCK_TILES * TILE_DEPTH;

/// Some terms of some vectors of [`crate::Inputs`], to be filled.
#[derive(Debug)]
pub struct Patch<'a>(Kind<'a>);

#[derive(Debug)]
enum Kind<'a> {
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // only there are tiles
    Tiles(TilesPatch<'a>),
    Strips(StripsPatch<'a>),
}

impl<'a> Patch<'a> {
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // only there are tiles
    pub(crate) fn of_tiles(patch: TilesPatch<'a>) -> Patch<'a> {
        Patch(Kind::Tiles(patch))
    }

    pub(crate) fn of_strips(patch: StripsPatch<'a>) -> Patch<'a> {
        Patch(Kind::Strips(patch))
    }

    /// The vectors that it has parts of.
    pub fn vectors(&self) -> Range<usize> {
        match &self.0 {
            Kind::Tiles(patch) => patch.vectors.clone(),
            Kind::Strips(patch) => patch.tokens.clone(),
        }
    }

    /// The terms of these that it has.
    pub fn terms(&self) -> Range<usize> {
        match &self.0 {
            Kind::Tiles(patch) => patch.terms.clone(),
            Kind::Strips(patch) => patch.columns.clone(),
        }
    }

    /// Rounds some terms of one vector and puts them in their place: from a multiple of 32 on, and
    /// up to another one or the end of the depth. Where there are tiles, the last vector of all
    /// makes those zero that its strip has room for beyond it.
    ///
    /// # Panics
    /// When the patch does not have them.
    pub fn put(&mut self, isa: Isa, vector: usize, from: usize, terms: &[f32]) {
        let [vectors, own] = [self.vectors(), self.terms()];
        assert!(vectors.contains(&vector), "vector {vector} of {vectors:?}");
        let inside = from >= own.start && from.is_multiple_of(TILE_DEPTH);
        let fits = inside && from + terms.len() <= own.end;
        assert!(fits, "terms from {from} on of {own:?}");
        match &mut self.0 {
            Kind::Tiles(patch) => patch.put(isa, vector, from, terms),
            Kind::Strips(patch) => patch.put(isa, vector, from, terms),
        }
    }
}

/// Some terms of some vectors of a [`crate::Packed`].
pub(crate) struct TilesPatch<'a> {
    /// Vectors of the operand.
    outer: usize,
    /// From a multiple of 16 on.
    vectors: Range<usize>,
    /// From a multiple of 32 on.
    terms: Range<usize>,
    /// `[blocks of the depth][strips of the vectors]`: the tiles of the terms.
    tiles: Vec<&'a mut [Tile]>,
}

impl std::fmt::Debug for TilesPatch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "Patch {{ vectors {:?}, terms {:?} }}", self.vectors, self.terms)
    }
}

impl<'a> TilesPatch<'a> {
    /// See [`crate::Packed::patches`]; `tiles` are `[blocks][strips][tiles of the block]`.
    pub(crate) fn all(
        tiles: &'a mut [Tile],
        [outer, depth]: [usize; 2],
        most: [usize; 2],
    ) -> Vec<TilesPatch<'a>> {
        let aligned = most[0].is_multiple_of(LANES) && most[1].is_multiple_of(TILE_DEPTH);
        assert!(aligned && most[0] > 0 && most[1] > 0, "patches of whole tiles");
        let mut patches = Vec::new();
        for terms in parts(0..depth, most[1]) {
            for vectors in parts(0..outer, most[0]) {
                patches.push(TilesPatch {
                    outer,
                    vectors,
                    terms: terms.clone(),
                    tiles: Vec::new(),
                });
            }
        }
        let across = outer.div_ceil(most[0]);
        let (steps, most) = (depth.div_ceil(TILE_DEPTH), [most[0] / LANES, most[1] / TILE_DEPTH]);
        let mut rest = tiles;
        for block in (0..steps).step_by(BLOCK_TILES) {
            for strip in 0..outer.div_ceil(LANES) {
                let (mut step, end) = (block, (block + BLOCK_TILES).min(steps));
                while step < end {
                    let next = end.min((step / most[1] + 1) * most[1]);
                    let (own, others) = rest.split_at_mut(next - step);
                    patches[step / most[1] * across + strip / most[0]].tiles.push(own);
                    (step, rest) = (next, others);
                }
            }
        }
        patches
    }

    /// See [`Patch::put`].
    fn put(&mut self, isa: Isa, vector: usize, from: usize, terms: &[f32]) {
        let (strip, row) = ((vector - self.vectors.start) / LANES, vector % LANES);
        let is_last = vector + 1 == self.outer;
        let (mut from, mut rest) = (from, terms);
        while !rest.is_empty() {
            let end = ((from / BLOCK_TERMS + 1) * BLOCK_TERMS).min(self.terms.end);
            let (own, after) = rest.split_at(rest.len().min(end - from));
            let tiles = &mut self.tiles_from(strip, from)[..own.len().div_ceil(TILE_DEPTH)];
            pack_row(isa, tiles, row, own);
            if is_last {
                tiles.iter_mut().for_each(|tile| tile.0[row + 1..].fill([[0; 2]; LANES]));
            }
            (from, rest) = (end, after);
        }
    }

    /// The tiles of a strip from a term on, as far as its block goes.
    fn tiles_from(&mut self, strip: usize, term: usize) -> &mut [Tile] {
        let first = term / BLOCK_TERMS * BLOCK_TERMS;
        let block = term / BLOCK_TERMS - self.terms.start / BLOCK_TERMS;
        let tiles = &mut self.tiles[block * self.vectors.len().div_ceil(LANES) + strip];
        &mut tiles[(term - first.max(self.terms.start)) / TILE_DEPTH..]
    }
}

/// A range in parts of `len`, the last one being what is left.
pub(crate) fn parts(all: Range<usize>, len: usize) -> impl Iterator<Item = Range<usize>> {
    all.clone().step_by(len).map(move |start| start..(start + len).min(all.end))
}

#[cfg(test)]
mod tests {
    use super::Patch;
    use crate::isa::Isa;
    use crate::packed::{Packed, Side, Source};
    use crate::samples;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn patches_hold_what_packing_gives_however_they_are_cut(
            [outer, depth] in [1usize..80, 1usize..1100], most in [1usize..6, 1usize..40],
            put in 1usize..20, values in samples::values(), seed: u64,
        ) {
            let vectors = samples::floats(outer * depth, values, seed);
            let isa = Isa::detect();
            let mut expected = Packed::new(Side::Left);
            expected.pack(isa, outer, depth, Source::vectors(&vectors, depth));
            let mut found = Packed::new(Side::Left);
            found.pack(isa, 90, 1200, Source::vectors(&[f32::NAN; 90 * 1200], 1200));
            for patch in found.patches(outer, depth, [16 * most[0], 32 * most[1]]) {
                let mut patch = Patch::of_tiles(patch);
                for vector in patch.vectors() {
                    for from in patch.terms().step_by(32 * put) {
                        let end = (from + 32 * put).min(patch.terms().end);
                        let terms = &vectors[vector * depth..][from..end];
                        patch.put(isa, vector, from, terms);
                    }
                }
            }
            prop_assert!(found.bits() == expected.bits());
        }
    }
}
