//! Operands of bf16 products, packed as the tile instructions read them.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::isa::{Isa, on_isa};
use crate::lanes::LANES;
use crate::memory::Buffer;
use crate::patch::TilesPatch;

/// Terms of a product that one tile holds; also the length of a pair of chains.
pub(crate) const TILE_DEPTH: usize = 2 * LANES;
/// Tiles along the depth that lie together: as much as stays in the first cache while it is used.
pub(crate) const BLOCK_TILES: usize = 8;

/// 16 vectors of 32 `bf16`, or rather of 16 pairs of them.
///
/// On the left `tile[row][pair]`, on the right `tile[pair][column]`.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Tile(pub [[[u16; 2]; LANES]; LANES]);

pub(crate) const EMPTY: Tile = Tile([[[0; 2]; LANES]; LANES]);

/// The side of a product on which an operand stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Its vectors are the rows of the result.
    Left,
    /// Its vectors are the columns of the result.
    Right,
}

/// What is packed: `outer` vectors of `depth` values, the depth being what a product sums over.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    values: &'a [f32],
    stride: usize,
    order: Order,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Vectors,
    Turned,
}

impl<'a> Source<'a> {
    /// `[outer, depth]`, with `stride` floats from one vector to the next.
    pub fn vectors(values: &'a [f32], stride: usize) -> Source<'a> {
        Source { values, stride, order: Order::Vectors }
    }

    /// `[depth, outer]`, with `stride` floats from one term of all vectors to the next.
    pub fn turned(values: &'a [f32], stride: usize) -> Source<'a> {
        Source { values, stride, order: Order::Turned }
    }

    /// A vector, from its first term on.
    pub(crate) fn vector(&self, outer: usize) -> &'a [f32] {
        debug_assert_eq!(self.order, Order::Vectors, "a source of vectors");
        &self.values[outer * self.stride..]
    }

    /// Panics unless it has rows for all of an operand.
    fn check(&self, outer: usize, depth: usize) {
        let (rows, width) = match self.order {
            Order::Vectors => (outer, depth),
            Order::Turned => (depth, outer),
        };
        let before_last = rows.saturating_sub(1).checked_mul(self.stride);
        let end = before_last.and_then(|before| before.checked_add(width));
        let all_there = rows == 0 || end.is_some_and(|end| end <= self.values.len());
        assert!(all_there && (rows < 2 || self.stride >= width), "values to pack");
    }
}

/// One operand of [`crate::bf16_product`]: its values rounded to `bf16` (the nearest, ties to even;
/// denormal numbers to zero) in an order of their own. Made once and used for many products; its
/// memory is kept when it is packed again.
#[derive(Clone)]
pub struct Packed {
    side: Side,
    outer: usize,
    depth: usize,
    /// `[depth / 256][outer / 16][tiles of the block]`, the last block of the depth being shorter.
    tiles: Buffer<Tile>,
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "Packed {{ {:?}, {} vectors of {} }}", self.side, self.outer, self.depth)
    }
}

impl Packed {
    /// An operand without vectors.
    pub fn new(side: Side) -> Packed {
        Packed { side, outer: 0, depth: 0, tiles: Buffer::EMPTY }
    }

    /// The side that it was packed for.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Vectors: rows or columns of a result.
    pub fn outer(&self) -> usize {
        self.outer
    }

    /// Length of the vectors: terms of each sum.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Groups of 16 vectors.
    pub(crate) fn strips(&self) -> usize {
        self.outer.div_ceil(LANES)
    }

    /// Tiles along the depth.
    pub(crate) fn steps(&self) -> usize {
        self.depth.div_ceil(TILE_DEPTH)
    }

    /// The tiles of a block of the depth for the 16 vectors of a strip.
    pub(crate) fn tiles(&self, block: usize, strip: usize) -> &[Tile] {
        let first = block * BLOCK_TILES;
        let len = BLOCK_TILES.min(self.steps() - first);
        &self.tiles[first * self.strips() + strip * len..][..len]
    }

    /// Gives it a shape and returns the pieces to pack, each of which a thread of its own may work
    /// on. Until all are packed, its values are any.
    pub fn pieces(&mut self, outer: usize, depth: usize) -> Vec<Piece<'_>> {
        let (strips, steps, side) = (outer.div_ceil(LANES), depth.div_ceil(TILE_DEPTH), self.side);
        let mut rest = self.reshape(outer, depth);
        let mut pieces = Vec::new();
        for step in (0..steps).step_by(BLOCK_TILES) {
            let len = BLOCK_TILES.min(steps - step);
            for strip in (0..strips).step_by(PIECE_STRIPS) {
                let end = (strip + PIECE_STRIPS).min(strips);
                let (tiles, others) = rest.split_at_mut((end - strip) * len);
                rest = others;
                pieces.push(Piece { side, outer, depth, strip, step, len, tiles });
            }
        }
        pieces
    }

    /// Gives it a shape and returns the patches to fill, each of which a thread of its own may work
    /// on: at most `most` vectors, a multiple of 16, and as many terms, a multiple of 32; patches
    /// that have the same terms one after the other. Until all are filled, its values are any.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // only there are tiles
    pub(crate) fn patches(
        &mut self,
        outer: usize,
        depth: usize,
        most: [usize; 2],
    ) -> Vec<TilesPatch<'_>> {
        assert_eq!(self.side, Side::Left, "patches are of left operands");
        TilesPatch::all(self.reshape(outer, depth), [outer, depth], most)
    }

    /// Gives it a shape; its tiles then.
    fn reshape(&mut self, outer: usize, depth: usize) -> &mut [Tile] {
        (self.outer, self.depth) = (outer, depth);
        let tiles = self.strips() * self.steps();
        &mut self.tiles.reach(tiles)[..tiles]
    }

    /// All values: `[outer, depth]`.
    #[cfg(all(test, target_arch = "x86_64"))]
    pub(crate) fn values(&self) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.outer * self.depth);
        for vector in 0..self.outer {
            for term in 0..self.depth {
                let (block, step) = (term / TILE_DEPTH / BLOCK_TILES, term / TILE_DEPTH);
                let tile = &self.tiles(block, vector / LANES)[step % BLOCK_TILES];
                let bits = tile.0[vector % LANES].as_flattened()[term % TILE_DEPTH];
                values.push(f32::from_bits(u32::from(bits) << 16));
            }
        }
        values
    }

    /// All tiles that count, in the order of blocks and strips.
    #[cfg(test)]
    pub(crate) fn bits(&self) -> Vec<u16> {
        let tiles = &self.tiles[..self.strips() * self.steps()];
        tiles.iter().flat_map(|tile| tile.0.as_flattened().as_flattened().to_vec()).collect()
    }

    /// Packs all of a source.
    ///
    /// # Panics
    /// When the source does not have `outer` vectors of `depth`.
    pub fn pack(&mut self, isa: Isa, outer: usize, depth: usize, source: Source) {
        self.pieces(outer, depth).into_iter().for_each(|mut piece| piece.pack(isa, source));
    }
}

/// Strips of a piece: enough that a row of a turned source is read in long runs.
const PIECE_STRIPS: usize = 64;

/// A part of a [`Packed`] to be filled.
pub struct Piece<'a> {
    side: Side,
    outer: usize,
    depth: usize,
    /// First strip and first tile along the depth.
    strip: usize,
    step: usize,
    /// Tiles along the depth.
    len: usize,
    /// `[strips][len]`
    tiles: &'a mut [Tile],
}

impl Piece<'_> {
    /// Packs this part of the source.
    ///
    /// # Panics
    /// When the source does not have the shape of the operand.
    pub fn pack(&mut self, isa: Isa, source: Source) {
        source.check(self.outer, self.depth);
        let natural = match source.order {
            Order::Vectors => Side::Left,
            Order::Turned => Side::Right,
        };
        let len = self.len;
        let piece = self;
        let strips = piece.tiles.len() / len.max(1);
        let runs = if natural == Side::Left { strips } else { len };
        for run in 0..runs {
            match natural {
                Side::Left => pack_strip(isa, piece, run, source),
                Side::Right => {
                    on_isa!(isa, pack_step(piece: &mut Piece, run: usize, source: Source))
                }
            }
            if piece.side == natural {
                continue;
            }
            match natural {
                Side::Left => turn(isa, &mut piece.tiles[run * len..][..len]),
                Side::Right => {
                    let tiles = piece.tiles.iter_mut().skip(run).step_by(len);
                    tiles.for_each(|tile| turn(isa, std::slice::from_mut(tile)));
                }
            }
        }
    }
}

/// One strip of a source of vectors, as a left operand.
fn pack_strip(isa: Isa, piece: &mut Piece, strip: usize, source: Source) {
    let (first, from) = ((piece.strip + strip) * LANES, piece.step * TILE_DEPTH);
    let rows = LANES.min(piece.outer - first);
    let tiles = &mut piece.tiles[strip * piece.len..][..piece.len];
    for row in 0..rows {
        let vector = &source.values[(first + row) * source.stride..][..piece.depth];
        pack_row(isa, tiles, row, &vector[from..]);
    }
    tiles.iter_mut().for_each(|tile| tile.0[rows..].fill([[0; 2]; LANES]));
}

/// Terms of one vector of a strip, as many as there are or the tiles have room for; what is left of
/// the last tile that gets any becomes zero.
pub(crate) fn pack_row(isa: Isa, tiles: &mut [Tile], row: usize, terms: &[f32]) {
    match isa.checked() {
        // SAFETY: both saw the instructions.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 if crate::rounding::is_available() => unsafe {
            crate::avx512_tile::pack_row(tiles, row, terms);
        },
        isa => on_isa!(isa, pack_row_body(tiles: &mut [Tile], row: usize, terms: &[f32])),
    }
}

#[inline(always)]
fn pack_row_body(tiles: &mut [Tile], row: usize, terms: &[f32]) {
    for (tile, chunk) in tiles.iter_mut().zip(terms.chunks(TILE_DEPTH)) {
        let out = tile.0[row].as_flattened_mut();
        match <&[f32; TILE_DEPTH]>::try_from(chunk) {
            Ok(chunk) => out.iter_mut().zip(chunk).for_each(|(out, x)| *out = round(*x)),
            Err(_) => {
                out.fill(0);
                out.iter_mut().zip(chunk).for_each(|(out, x)| *out = round(*x));
            }
        }
    }
}

/// 32 terms of each strip of a turned source, as right operands.
#[inline(always)]
fn pack_step(piece: &mut Piece, step: usize, source: Source) {
    const NOTHING: [f32; LANES] = [0.0; LANES];
    let (outer, from) = (piece.outer, (piece.step + step) * TILE_DEPTH);
    for (strip, tiles) in piece.tiles.chunks_exact_mut(piece.len).enumerate() {
        let first = (piece.strip + strip) * LANES;
        let width = LANES.min(outer - first);
        let term = |k: usize| match k < piece.depth {
            true => &source.values[k * source.stride + first..][..width],
            false => &NOTHING[..width],
        };
        for (pair, out) in tiles[step].0.iter_mut().enumerate() {
            let (even, odd) = (term(from + 2 * pair), term(from + 2 * pair + 1));
            match (<&[f32; LANES]>::try_from(even), <&[f32; LANES]>::try_from(odd)) {
                (Ok(even), Ok(odd)) => put_pairs(even, odd, out),
                _ => {
                    *out = [[0; 2]; LANES];
                    put_pairs(even, odd, out);
                }
            }
        }
    }
}

#[inline(always)]
fn put_pairs(even: &[f32], odd: &[f32], out: &mut [[u16; 2]; LANES]) {
    for ((out, even), odd) in out.iter_mut().zip(even).zip(odd) {
        *out = [round(*even), round(*odd)];
    }
}

/// The nearest `bf16`, ties to even; a denormal number counts as zero of its sign.
#[inline(always)]
pub(crate) fn round(x: f32) -> u16 {
    let bits = x.to_bits();
    let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    let magnitude = bits & 0x7fff_ffff;
    // Rounding could turn a NaN into infinity: it becomes a quiet one instead.
    let rounded = if magnitude > 0x7f80_0000 { bits | 0x40_0000 } else { nearest };
    (if magnitude < 0x80_0000 { bits & 0x8000_0000 } else { rounded } >> 16) as u16
}

/// Exchanges the two outer indices of each tile.
pub(crate) fn turn(isa: Isa, tiles: &mut [Tile]) {
    match isa.checked() {
        // SAFETY: `checked` saw the instructions.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { crate::avx512_tile::turn(tiles) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => unsafe { crate::neon_lanes::turn(tiles) },
        _ => tiles.iter_mut().for_each(turn_portable),
    }
}

fn turn_portable(tile: &mut Tile) {
    for row in 1..LANES {
        for column in 0..row {
            let pair = tile.0[row][column];
            tile.0[row][column] = tile.0[column][row];
            tile.0[column][row] = pair;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use half::bf16;
    use proptest::prelude::*;

    /// What is packed at `[vector][term]`.
    fn value(packed: &Packed, vector: usize, term: usize) -> f32 {
        let (strip, place) = (vector / LANES, vector % LANES);
        let (step, pair) = (term / TILE_DEPTH, term % TILE_DEPTH / 2);
        let tile = &packed.tiles(step / BLOCK_TILES, strip)[step % BLOCK_TILES];
        let pair = match packed.side {
            Side::Left => tile.0[place][pair],
            Side::Right => tile.0[pair][place],
        };
        bf16::from_bits(pair[term % 2]).to_f32()
    }

    fn expected(x: f32) -> f32 {
        if x.is_subnormal() { 0.0f32.copysign(x) } else { bf16::from_f32(x).to_f32() }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn both_sides_hold_the_rounded_values_of_both_sources_and_zeros_beyond(
            outer in 1usize..80, depth in 1usize..1100, values in samples::values(), seed: u64,
        ) {
            let vectors = samples::floats(outer * depth, values, seed);
            let stride = outer + 3;
            let of = |place: usize| (place % stride).min(outer - 1) * depth + place / stride;
            let turned: Vec<f32> = (0..stride * depth).map(|place| vectors[of(place)]).collect();
            for isa in Isa::available() {
                for side in [Side::Left, Side::Right] {
                    let sources =
                        [Source::vectors(&vectors, depth), Source::turned(&turned, stride)];
                    for source in sources {
                        let mut packed = Packed::new(side);
                        packed.pack(isa, 33, 70, Source::vectors(&[f32::NAN; 33 * 70], 70));
                        packed.pack(isa, outer, depth, source);
                        for vector in 0..packed.strips() * LANES {
                            for term in 0..packed.steps() * TILE_DEPTH {
                                let inside = vector < outer && term < depth;
                                let x = if inside { vectors[vector * depth + term] } else { 0.0 };
                                let (x, found) = (expected(x), value(&packed, vector, term));
                                let same = x.to_bits() == found.to_bits();
                                prop_assert!(same || x.is_nan() && found.is_nan());
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn ties_go_to_even_and_too_large_becomes_infinite() {
        let round = |bits: u32| round(f32::from_bits(bits));
        assert_eq!(round(0x3f80_8000), 0x3f80);
        assert_eq!(round(0x3f81_8000), 0x3f82);
        assert_eq!(round(0x3f80_8001), 0x3f81);
        assert_eq!(round(0x7f7f_ffff), 0x7f80);
        assert_eq!(round(0x807f_ffff), 0x8000);
        assert_eq!(round(0xff80_0001) & 0x7fff, 0x7fc0);
    }

    #[test]
    #[should_panic(expected = "values to pack")]
    fn a_source_of_another_shape_is_refused() {
        Packed::new(Side::Left).pack(Isa::Scalar, 3, 4, Source::vectors(&[0.0; 11], 4));
    }
}
