//! Products of operands rounded to `bf16`, summed in `f32` as the tile instructions do.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

#[cfg(target_arch = "x86_64")]
use crate::amx;
use crate::isa::{Isa, on_isa};
use crate::lanes::LANES;
use crate::packed::{BLOCK_TILES, Packed, Side, TILE_DEPTH, Tile};
use std::ops::Range;

/// Rows of the result, and columns, that a block has.
pub(crate) const BLOCK: usize = 2 * LANES;
/// Blocks of the depth that are added before going on to other outputs.
const BAND_BLOCKS: usize = 4;
/// Strips times blocks of the right operand (1 MiB) that are used again from the second cache.
const BAND_STRIPS: usize = 128;

/// Terms of a block of the depth.
const BLOCK_TERMS: usize = BLOCK_TILES * TILE_DEPTH;

/// Where the sums of a product start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At +0.
    Zero,
    /// At what the result holds (denormal numbers count as zero).
    Out,
}

/// `out[r - rows.start][c] = sum over k of left[r][k] * right[c][k]` for some `rows` of the result;
/// `out`: `[rows.len(), right.outer()]`.
///
/// The order of sums and the treatment of denormal numbers are those of the instruction
/// `tdpbf16ps` (`docs/numerics.md`, "Products of bf16"); it is used with [`Isa::Amx`], and
/// everything else gives its bits. Rows in pieces change nothing.
///
/// # Panics
/// When the operands stand on the wrong side or have other depths, or `rows` or `out` do not fit.
pub fn bf16_product(
    isa: Isa,
    left: &Packed,
    right: &Packed,
    rows: Range<usize>,
    start: Start,
    out: &mut [f32],
) {
    let region = whole(left, right, rows, out);
    product_on(Unit::of(isa), left, right, &region, start, out);
}

/// A part of a product: some rows and columns of the result, some terms of the sums.
#[derive(Clone, Debug)]
pub struct Region {
    /// Rows, from a multiple of 16 on.
    pub rows: Range<usize>,
    /// Columns, from a multiple of 16 on.
    pub columns: Range<usize>,
    /// The term of the right operand, a multiple of 256, at which the left operand begins. Terms of
    /// the right operand beyond the end of the left one count for nothing, unless they are infinite
    /// or no numbers.
    pub first_term: usize,
    /// Floats from one row of the result to the next.
    pub stride: usize,
}

/// [`bf16_product`] of a part: `out[r - rows.start][c - columns.start]` at the region's stride.
///
/// # Panics
/// When the operands stand on the wrong side, or the region is not part of them or of `out`.
pub fn bf16_product_part(
    isa: Isa,
    left: &Packed,
    right: &Packed,
    region: &Region,
    start: Start,
    out: &mut [f32],
) {
    product_on(Unit::of(isa), left, right, region, start, out);
}

/// All columns and terms.
fn whole(left: &Packed, right: &Packed, rows: Range<usize>, out: &[f32]) -> Region {
    assert_eq!(left.depth(), right.depth(), "depths of the operands");
    let stride = right.outer();
    assert_eq!(out.len(), rows.len() * stride, "out is [rows, columns]");
    Region { rows, columns: 0..stride, first_term: 0, stride }
}

/// What computes a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Fused multiply-adds.
    Lanes(Isa),
    /// The tile unit.
    #[cfg(target_arch = "x86_64")]
    Tiles,
}

impl Unit {
    pub(crate) fn of(isa: Isa) -> Unit {
        let lanes = isa.checked();
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => Unit::Tiles,
            _ => Unit::Lanes(lanes),
        }
    }
}

fn product_on(
    unit: Unit,
    left: &Packed,
    right: &Packed,
    region: &Region,
    start: Start,
    out: &mut [f32],
) {
    region.check(left, right, out);
    if region.rows.is_empty() || region.columns.is_empty() {
        return;
    }
    if left.depth() == 0 && start == Start::Zero {
        let rows = out.chunks_mut(region.stride).take(region.rows.len());
        rows.for_each(|row| row[..region.columns.len()].fill(0.0));
    }
    let worker = Worker::new(unit);
    let blocks = left.steps().div_ceil(BLOCK_TILES);
    for first in (0..blocks).step_by(BAND_BLOCKS) {
        let blocks = first..(first + BAND_BLOCKS).min(blocks);
        let width = BAND_STRIPS / blocks.len().next_power_of_two() * LANES;
        let start = if first == 0 { start } else { Start::Out };
        for from in region.columns.clone().step_by(width) {
            let columns = from..(from + width).min(region.columns.end);
            Band { left, right, region, columns, blocks: blocks.clone(), start }.add(&worker, out);
        }
    }
}

impl Region {
    fn check(&self, left: &Packed, right: &Packed, out: &[f32]) {
        let (rows, columns) = (&self.rows, &self.columns);
        assert_eq!([left.side(), right.side()], [Side::Left, Side::Right], "sides of the operands");
        assert!(rows.start <= rows.end && rows.end <= left.outer(), "rows {rows:?} of {left:?}");
        let inside = columns.start <= columns.end && columns.end <= right.outer();
        assert!(inside, "columns {columns:?} of {right:?}");
        let starts = [rows.start, columns.start];
        assert!(starts.iter().all(|start| start.is_multiple_of(LANES)), "parts start at 16s");
        assert!(self.first_term.is_multiple_of(BLOCK_TERMS), "terms start at a multiple of 256");
        let end = self.first_term.saturating_add(left.depth());
        assert!(end <= right.depth(), "terms {}..{end} of {right:?}", self.first_term);
        assert!(self.stride >= columns.len(), "rows of the result overlap");
        let len = rows.len().saturating_sub(1) * self.stride + columns.len();
        assert!(rows.is_empty() || out.len() >= len, "room for the result");
    }
}

/// All rows of a region, some of its columns, and some blocks of the left operand's depth.
struct Band<'a> {
    left: &'a Packed,
    right: &'a Packed,
    region: &'a Region,
    columns: Range<usize>,
    blocks: Range<usize>,
    start: Start,
}

impl Band<'_> {
    fn add(&self, worker: &Worker, out: &mut [f32]) {
        let Region { rows, columns, first_term, stride } = self.region;
        for row in rows.clone().step_by(BLOCK) {
            for block in self.blocks.clone() {
                let left = pair(self.left, block, row / LANES, BLOCK_TILES);
                let start = if block == self.blocks.start { self.start } else { Start::Out };
                for column in self.columns.clone().step_by(BLOCK) {
                    let block = block + first_term / BLOCK_TERMS;
                    let right = pair(self.right, block, column / LANES, left[0].len());
                    let out = &mut out[(row - rows.start) * stride + column - columns.start..];
                    let size = [rows.end - row, columns.end - column].map(|size| size.min(BLOCK));
                    worker.add_part(Block { left, right, start, out, stride: *stride }, size);
                }
            }
        }
    }
}

/// Up to `len` tiles of two strips; of the last one twice where there is no second.
#[inline(always)]
pub(crate) fn pair(packed: &Packed, block: usize, strip: usize, len: usize) -> [&[Tile]; 2] {
    let first = packed.tiles(block, strip);
    let second = packed.tiles(block, (strip + 1).min(packed.strips() - 1));
    let len = len.min(first.len());
    [&first[..len], &second[..len]]
}

/// 32 x 32 outputs and the tiles whose products are added to them.
pub(crate) struct Block<'a> {
    pub left: [&'a [Tile]; 2],
    pub right: [&'a [Tile]; 2],
    pub start: Start,
    /// 32 rows of 32 at `stride`.
    pub out: &'a mut [f32],
    pub stride: usize,
}

impl Block<'_> {
    /// Where the first output of a quarter lies: upper left, upper right, and those below.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(crate) fn place(&self, quarter: usize) -> usize {
        quarter / 2 * LANES * self.stride + quarter % 2 * LANES
    }

    /// Panics unless all that is touched lies in the slices; the tile unit relies on it.
    pub(crate) fn check(&self) {
        let steps = self.left[0].len();
        let all = self.left.iter().chain(&self.right);
        assert!(steps > 0 && all.into_iter().all(|tiles| tiles.len() == steps), "tiles of a block");
        assert!(self.stride >= BLOCK, "rows of a block overlap");
        assert!(self.out.len() >= (BLOCK - 1) * self.stride + BLOCK, "room for a block");
    }
}

/// A unit made ready.
enum Worker {
    Lanes(Isa),
    #[cfg(target_arch = "x86_64")]
    Tiles(amx::Tiles),
}

impl Worker {
    fn new(unit: Unit) -> Worker {
        match unit {
            Unit::Lanes(isa) => Worker::Lanes(isa),
            #[cfg(target_arch = "x86_64")]
            Unit::Tiles => Worker::Tiles(amx::Tiles::new()),
        }
    }

    /// Adds a block of which only `[rows, columns]` exist.
    fn add_part(&self, mut block: Block, [rows, columns]: [usize; 2]) {
        if [rows, columns] == [BLOCK; 2] {
            return self.add(&mut block);
        }
        let mut whole = [0.0; BLOCK * BLOCK];
        let out_rows = block.out.chunks_mut(block.stride).take(rows);
        for (whole, out) in whole.chunks_exact_mut(BLOCK).zip(out_rows) {
            whole[..columns].copy_from_slice(&out[..columns]);
        }
        let Block { left, right, start, .. } = block;
        self.add(&mut Block { left, right, start, out: &mut whole, stride: BLOCK });
        let out_rows = block.out.chunks_mut(block.stride).take(rows);
        for (whole, out) in whole.chunks_exact(BLOCK).zip(out_rows) {
            out[..columns].copy_from_slice(&whole[..columns]);
        }
    }

    fn add(&self, block: &mut Block) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Worker::Tiles(tiles) => tiles.add(block),
            Worker::Lanes(isa) => {
                block.check();
                on_isa!(*isa, add_lanes(block: &mut Block));
            }
        }
    }
}

/// What the tile unit computes, with a lane for each column.
#[inline(always)]
fn add_lanes(block: &mut Block) {
    for (half, left) in block.left.iter().enumerate() {
        for (side, right) in block.right.iter().enumerate() {
            for row in 0..LANES {
                let at = (half * LANES + row) * block.stride + side * LANES;
                let mut sums = [0.0; LANES];
                if block.start == Start::Out {
                    sums.copy_from_slice(&block.out[at..at + LANES]);
                }
                let mut sums = sums.map(flush);
                for (left, right) in left.iter().zip(*right) {
                    sums = add_step(&left.0[row], right, sums);
                }
                block.out[at..at + LANES].copy_from_slice(&sums);
            }
        }
    }
}

/// One row of a tile step: `sums + (even + odd)`.
#[inline(always)]
pub(crate) fn add_step(
    left: &[[u16; 2]; LANES],
    right: &Tile,
    mut sums: [f32; LANES],
) -> [f32; LANES] {
    let mut chains = [[0.0f32; LANES]; 2];
    let mut smallest = false;
    for (left, right) in left.iter().zip(&right.0) {
        for (i, chain) in chains.iter_mut().enumerate() {
            let factor = single(left[i]);
            for (lane, right) in chain.iter_mut().zip(right) {
                let sum = factor.mul_add(single(right[i]), *lane);
                smallest |= sum.abs() == f32::MIN_POSITIVE;
                *lane = flush(sum);
            }
        }
    }
    if smallest {
        chains = exact_chains(left, right);
    }
    for lane in 0..LANES {
        sums[lane] = flush(sums[lane] + flush(chains[0][lane] + chains[1][lane]));
    }
    sums
}

/// The chains again, when a sum is the least normal number: it may have been rounded up to it from
/// a number that is flushed, which takes a closer look.
#[cold]
fn exact_chains(left: &[[u16; 2]; LANES], right: &Tile) -> [[f32; LANES]; 2] {
    let mut chains = [[0.0f32; LANES]; 2];
    for (left, right) in left.iter().zip(&right.0) {
        for (i, chain) in chains.iter_mut().enumerate() {
            for (lane, right) in chain.iter_mut().zip(right) {
                *lane = flushed_fma(single(left[i]), single(right[i]), *lane);
            }
        }
    }
    chains
}

/// `fma(a, b, c)` of factors that are `bf16`; zero of its sign if the result, rounded to 24 bits as
/// if the exponent had no bound, is below the least normal number.
pub(crate) fn flushed_fma(a: f32, b: f32, c: f32) -> f32 {
    let sum = a.mul_add(b, c);
    if sum.abs() != f32::MIN_POSITIVE {
        return flush(sum);
    }
    // Half a unit of 24 bits below the least normal number; there the tie goes up, to even.
    let limit = f64::from(f32::MIN_POSITIVE) - 2.0f64.powi(-151);
    let (product, term) = (f64::from(a) * f64::from(b), f64::from(c));
    let wide = product + term;
    let rest = (product - (wide - (wide - product))) + (term - (wide - product));
    let (size, rest) = (wide.abs(), rest * wide.signum());
    if size < limit || size == limit && rest < 0.0 { 0.0f32.copysign(sum) } else { sum }
}

/// Zero of its sign for a denormal number.
#[inline(always)]
pub(crate) fn flush(x: f32) -> f32 {
    if x.abs() < f32::MIN_POSITIVE { 0.0f32.copysign(x) } else { x }
}

/// The value of a `bf16`.
#[inline(always)]
pub(crate) fn single(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// Every unit of this processor.
#[cfg(test)]
pub(crate) fn units() -> Vec<Unit> {
    Isa::available().into_iter().map(Unit::of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed::Source;
    use crate::reference::assert_same_bits;
    use crate::samples::{self, Values};
    use half::bf16;
    use proptest::prelude::*;

    /// The rule as plainly as possible.
    fn reference(left: &[f32], right: &[f32], depth: usize, out: &mut [f32]) {
        let rounded = |x: &[f32]| -> Vec<f32> {
            x.iter().map(|x| bf16::from_f32(flush(*x)).to_f32()).collect()
        };
        let (left, right) = (rounded(left), rounded(right));
        for (left, out) in left.chunks(depth).zip(out.chunks_mut(right.len() / depth)) {
            for (right, out) in right.chunks(depth).zip(out) {
                *out = flush(*out);
                for (left, right) in left.chunks(32).zip(right.chunks(32)) {
                    let mut chains = [0.0; 2];
                    for k in 0..32 {
                        let at = |x: &[f32]| x.get(k).copied().unwrap_or(0.0);
                        chains[k % 2] = flushed_fma(at(left), at(right), chains[k % 2]);
                    }
                    *out = flush(*out + flush(chains[0] + chains[1]));
                }
            }
        }
    }

    /// Left and right operand, packed from vectors.
    fn operands(isa: Isa, left: &[f32], right: &[f32], depth: usize) -> [Packed; 2] {
        [(Side::Left, left), (Side::Right, right)].map(|(side, values)| {
            let mut packed = Packed::new(side);
            packed.pack(isa, values.len() / depth, depth, Source::vectors(values, depth));
            packed
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn every_unit_gives_the_bits_of_the_reference(
            rows in 1usize..80, columns in 1usize..80, depth in 1usize..1100,
            values in samples::values(), seed: u64,
        ) {
            let left = samples::floats(rows * depth, values, seed);
            let right = samples::floats(columns * depth, values, seed ^ 1);
            let start = samples::floats(rows * columns, values, seed ^ 2);
            let mut expected = start.clone();
            reference(&left, &right, depth, &mut expected);
            let [left, right] = operands(Isa::detect(), &left, &right, depth);
            for unit in units() {
                let mut out = start.clone();
                let region = whole(&left, &right, 0..rows, &out);
                product_on(unit, &left, &right, &region, Start::Out, &mut out);
                assert_same_bits(&out, &expected, &format!("{unit:?}"));
            }
        }

        #[test]
        fn sums_about_the_least_normal_number_are_flushed_alike(
            rows in 1usize..20, columns in 1usize..40, depth in 1usize..70, seed: u64,
        ) {
            // Products of few bits, so that sums meet the least normal number often.
            let mut words = samples::words(seed);
            let mut near = |len: usize| -> Vec<f32> {
                let one = |word: u64| {
                    let sign = if word & 1 == 0 { 1.0 } else { -1.0 };
                    sign * (1.0 + (word >> 8 & 3) as f32 / 128.0)
                        * 2.0f32.powi(-63 - (word >> 16 & 7) as i32)
                };
                words.by_ref().take(len).map(one).collect()
            };
            let (left, right) = (near(rows * depth), near(columns * depth));
            let mut expected = vec![0.0; rows * columns];
            reference(&left, &right, depth, &mut expected);
            let [left, right] = operands(Isa::detect(), &left, &right, depth);
            for unit in units() {
                let mut out = vec![f32::NAN; rows * columns];
                let region = whole(&left, &right, 0..rows, &out);
                product_on(unit, &left, &right, &region, Start::Zero, &mut out);
                assert_same_bits(&out, &expected, &format!("{unit:?}"));
            }
        }
    }

    #[test]
    fn rows_in_pieces_and_steps_in_pieces_give_the_same_bits() {
        let (rows, columns, depth) = (1090, 70, 1600);
        let left = samples::floats(rows * depth, Values::Plain, 1);
        let right = samples::floats(columns * depth, Values::Plain, 2);
        let isa = Isa::detect();
        let [a, b] = operands(isa, &left, &right, depth);
        let mut whole = vec![f32::NAN; rows * columns];
        bf16_product(isa, &a, &b, 0..rows, Start::Zero, &mut whole);
        let mut pieces = vec![f32::NAN; rows * columns];
        let (first, second) = pieces.split_at_mut(48 * columns);
        bf16_product(isa, &a, &b, 0..48, Start::Zero, first);
        bf16_product(isa, &a, &b, 48..rows, Start::Zero, second);
        assert_same_bits(&pieces, &whole, "rows in pieces");
        let cut = |x: &[f32], from: usize, to: usize| -> Vec<f32> {
            x.chunks(depth).flat_map(|x| x[from..to].to_vec()).collect()
        };
        let mut pieces = vec![f32::NAN; rows * columns];
        for (from, to, start) in [(0, 96, Start::Zero), (96, depth, Start::Out)] {
            let (left, right) = (cut(&left, from, to), cut(&right, from, to));
            let [a, b] = operands(isa, &left, &right, to - from);
            bf16_product(isa, &a, &b, 0..rows, start, &mut pieces);
        }
        assert_same_bits(&pieces, &whole, "terms in pieces");
    }

    #[test]
    fn a_part_of_a_product_is_the_same_as_in_the_whole() {
        let (rows, columns, depth, isa) = (70, 90, 400, Isa::detect());
        let a = samples::floats(rows * depth, Values::Plain, 3);
        let b = samples::floats(columns * depth, Values::Plain, 4);
        // Zeros outside of the terms: what is left out adds nothing.
        let (first_term, terms) = (256, 256..350);
        let inside = |i: usize| terms.contains(&(i % depth));
        let zeroed: Vec<f32> =
            a.iter().enumerate().map(|(i, a)| if inside(i) { *a } else { 0.0 }).collect();
        let cut: Vec<f32> = a.chunks(depth).flat_map(|a| a[terms.clone()].to_vec()).collect();
        let [whole, right] = operands(isa, &zeroed, &b, depth);
        let mut expected = vec![f32::NAN; rows * columns];
        bf16_product(isa, &whole, &right, 0..rows, Start::Zero, &mut expected);
        let mut left = Packed::new(Side::Left);
        left.pack(isa, rows, terms.len(), Source::vectors(&cut, terms.len()));
        let region = Region { rows: 16..63, columns: 32..81, first_term, stride: 60 };
        let mut out = vec![7.0; 46 * 60 + 49];
        bf16_product_part(isa, &left, &right, &region, Start::Zero, &mut out);
        for (row, out) in region.rows.clone().zip(out.chunks(60)) {
            let expected = &expected[row * columns..][region.columns.clone()];
            assert_same_bits(&out[..49], expected, "a part");
            assert!(out[49..].iter().all(|beyond| *beyond == 7.0));
        }
    }

    #[test]
    fn no_terms_give_zeros() {
        let [left, right] = [Side::Left, Side::Right].map(|side| {
            let mut packed = Packed::new(side);
            packed.pack(Isa::detect(), 3, 0, Source::vectors(&[], 0));
            packed
        });
        let mut out = [f32::NAN; 9];
        bf16_product(Isa::detect(), &left, &right, 0..3, Start::Zero, &mut out);
        assert_eq!(out, [0.0; 9]);
    }

    #[test]
    #[should_panic(expected = "sides of the operands")]
    fn operands_on_the_wrong_side_are_refused() {
        let [left, right] = operands(Isa::detect(), &[1.0; 4], &[1.0; 4], 2);
        bf16_product(Isa::detect(), &right, &left, 0..2, Start::Zero, &mut [0.0; 4]);
    }
}
