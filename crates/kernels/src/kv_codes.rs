//! Keys and values of 32 positions of one kv head in MXINT8 (OCP Microscaling Formats 1.0,
//! section 5.3): groups of 32 elements of a position, each with a scale that is a power of two and
//! whole numbers of 8 bits. Such a number is one of `bf16`, so products have the bits that they
//! have with `bf16` blocks of the same numbers.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::isa::{Isa, on_isa};
use crate::kv_block::{BLOCK_POSITIONS, BlockLayout};
use crate::lanes::LANES;
use crate::packed::{EMPTY, TILE_DEPTH, Tile, turn};

/// Elements of a position that share a scale.
pub(crate) const GROUP: usize = TILE_DEPTH;

/// The largest code; the format's -128 is not used, as the specification allows.
const MOST: i32 = 127;

/// The biased exponent of the least magnitude that is not zero for a whole group.
const LEAST_SIZE: u32 = 27;

/// The scale of a group that holds what is infinite or no number: all its elements are none.
const NO_NUMBER: u8 = 255;

/// Where codes count 1/64 of the group's power of two.
const FRACTION_BITS: u32 = 6;

/// The codes of a tile: `[pair][parity][lane]`, pairs and lanes as in [`Tile`].
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(crate) struct CodeTile(pub [[[i8; LANES]; 2]; LANES]);

/// Tiles of codes that one [`Tile`] of memory holds.
const CODES_PER_TILE: usize = size_of::<Tile>() / size_of::<CodeTile>();

/// One head's keys and values, to read. Scales are the biased exponents of powers of two; 0 stands
/// for zeros, 255 for what is no number.
#[derive(Clone, Copy)]
pub(crate) struct Codes<'a> {
    /// `[2][steps]`
    pub keys: &'a [CodeTile],
    /// `[strips]`
    pub values: &'a [CodeTile],
    /// `[2][steps][16 positions]`
    pub key_scales: &'a [[u8; LANES]],
    /// `[steps][32 positions]`
    pub value_scales: &'a [[u8; BLOCK_POSITIONS]],
}

/// The same, to write.
pub(crate) struct CodesMut<'a> {
    pub keys: &'a mut [CodeTile],
    pub values: &'a mut [CodeTile],
    pub key_scales: &'a mut [[u8; LANES]],
    pub value_scales: &'a mut [[u8; BLOCK_POSITIONS]],
}

/// Tiles of memory that the codes of one head take.
pub(crate) fn tiles_of(layout: BlockLayout) -> usize {
    (2 * layout.steps() + layout.strips()).div_ceil(CODES_PER_TILE)
}

/// Scales of one head.
pub(crate) fn scales_of(layout: BlockLayout) -> usize {
    2 * layout.steps() * BLOCK_POSITIONS
}

impl<'a> Codes<'a> {
    /// What the tiles and scales of a head hold.
    pub fn new(layout: BlockLayout, tiles: &'a [Tile], scales: &'a [u8]) -> Codes<'a> {
        // SAFETY: the codes fill the tiles, have their alignment, and any bits are codes.
        let codes = unsafe {
            std::slice::from_raw_parts(tiles.as_ptr().cast(), tiles.len() * CODES_PER_TILE)
        };
        let (keys, values) = codes.split_at(2 * layout.steps());
        let (of_keys, of_values) = scales.split_at(scales.len() / 2);
        Codes {
            keys,
            values: &values[..layout.strips()],
            key_scales: of_keys.as_chunks().0,
            value_scales: of_values.as_chunks().0,
        }
    }

    /// The keys as tiles of `bf16`: `[2][steps]`.
    pub fn expand_keys(&self, isa: Isa, out: &mut [Tile]) {
        let of = self.keys.iter().zip(self.key_scales);
        for ((codes, scales), out) in of.zip(out) {
            on_isa!(
                isa,
                expand_keys_body(codes: &CodeTile, scales: &[u8; LANES], out: &mut Tile)
            );
        }
    }

    /// The values as tiles of `bf16`: `[strips]`.
    pub fn expand_values(&self, isa: Isa, out: &mut [Tile]) {
        for (strip, (codes, out)) in self.values.iter().zip(out).enumerate() {
            let scales = &self.value_scales[strip * LANES / GROUP];
            on_isa!(
                isa,
                expand_values_body(
                    codes: &CodeTile, scales: &[u8; BLOCK_POSITIONS], out: &mut Tile
                )
            );
        }
    }
}

impl<'a> CodesMut<'a> {
    /// See [`Codes::new`].
    pub fn new(layout: BlockLayout, tiles: &'a mut [Tile], scales: &'a mut [u8]) -> CodesMut<'a> {
        let len = tiles.len() * CODES_PER_TILE;
        // SAFETY: as there, and the tiles are borrowed by the caller alone.
        let codes = unsafe { std::slice::from_raw_parts_mut(tiles.as_mut_ptr().cast(), len) };
        let (keys, values) = codes.split_at_mut(2 * layout.steps());
        let (of_keys, of_values) = scales.split_at_mut(scales.len() / 2);
        CodesMut {
            keys,
            values: &mut values[..layout.strips()],
            key_scales: of_keys.as_chunks_mut().0,
            value_scales: of_values.as_chunks_mut().0,
        }
    }

    /// Stores sixteen keys, from the first of a half on; gives what [`CodesMut::write_key`] does.
    #[inline(always)]
    pub fn write_half<'k>(
        &mut self,
        isa: Isa,
        half: usize,
        key: impl Fn(usize) -> &'k [f32],
    ) -> u32 {
        let steps = self.keys.len() / 2;
        let mut least = 255;
        for step in 0..steps {
            let (at, mut tile) = (half * steps + step, EMPTY);
            for (lane, row) in tile.0.iter_mut().enumerate() {
                let key = key(lane);
                let (codes, scale) = encode(&key[step * GROUP..key.len().min((step + 1) * GROUP)]);
                let row = row.as_flattened_mut().iter_mut().zip(codes);
                row.for_each(|(out, code)| *out = code as u16);
                self.key_scales[at][lane] = scale;
                least = least.min(watch(scale));
            }
            turn(isa, std::slice::from_mut(&mut tile));
            for (out, pairs) in self.keys[at].0.iter_mut().zip(&tile.0) {
                *out = [pairs.map(|pair| pair[0] as i8), pairs.map(|pair| pair[1] as i8)];
            }
        }
        least
    }

    /// Stores the key of a position; gives the least scale of a group that is not zeros, or 0
    /// where sums have to be watched.
    #[inline(always)]
    pub fn write_key(&mut self, place: usize, key: &[f32]) -> u32 {
        let steps = self.keys.len() / 2;
        let (half, lane) = (place / LANES, place % LANES);
        let mut least = 255;
        for (step, group) in key.chunks(GROUP).enumerate() {
            let (codes, scale) = encode(group);
            let tile = &mut self.keys[half * steps + step];
            for (pair, codes) in tile.0.iter_mut().zip(codes.as_chunks::<2>().0) {
                pair[0][lane] = codes[0];
                pair[1][lane] = codes[1];
            }
            self.key_scales[half * steps + step][lane] = scale;
            least = least.min(watch(scale));
        }
        least
    }

    /// The same for the value of a position.
    #[inline(always)]
    pub fn write_value(&mut self, place: usize, value: &[f32]) -> u32 {
        let mut least = 255;
        for (step, group) in value.chunks(GROUP).enumerate() {
            let (codes, scale) = encode(group);
            let tiles = &mut self.values[step * GROUP / LANES..];
            for (tile, codes) in tiles.iter_mut().zip(codes.as_chunks::<LANES>().0) {
                tile.0[place / 2][place % 2] = *codes;
            }
            self.value_scales[step][place] = scale;
            least = least.min(watch(scale));
        }
        least
    }

    /// Whether all of the value of a position are finite.
    #[inline(always)]
    pub fn is_number(&self, place: usize) -> bool {
        self.value_scales.iter().all(|scales| scales[place] != NO_NUMBER)
    }
}

/// What a scale says of the numbers under it: their least biased exponent (255 for zeros), or 0
/// where they are so large, or no numbers, that a sum of codes might differ from a sum of them.
fn watch(scale: u8) -> u32 {
    const LARGE: u32 = 127 + 40;
    match u32::from(scale) {
        0 => 255,
        scale if scale > LARGE => 0,
        scale => scale,
    }
}

/// Codes of at most 32 elements, filled up with zeros, and their scale.
#[inline(always)]
fn encode(group: &[f32]) -> ([i8; GROUP], u8) {
    if let Ok(group) = group.try_into() {
        return encode_whole(group);
    }
    let mut whole = [0.0; GROUP];
    whole[..group.len()].copy_from_slice(group);
    encode_whole(&whole)
}

#[inline(always)]
fn encode_whole(group: &[f32; GROUP]) -> ([i8; GROUP], u8) {
    let mut most = [0; LANES];
    for group in group.as_chunks::<LANES>().0 {
        let lanes = most.iter_mut().zip(group);
        lanes.for_each(|(most, x)| *most = (x.to_bits() & 0x7fff_ffff).max(*most));
    }
    let size = most.into_iter().fold(0, u32::max) >> 23;
    if size < LEAST_SIZE {
        return ([0; GROUP], 0);
    }
    if size == 255 {
        return ([0; GROUP], NO_NUMBER);
    }
    let factor = f32::from_bits((127 + 127 + FRACTION_BITS - size) << 23);
    let mut codes = [0; GROUP];
    codes.iter_mut().zip(group).for_each(|(code, x)| *code = nearest(x * factor));
    (codes, (size - FRACTION_BITS) as u8)
}

/// The nearest code, ties to even, of a number of at most 128.
#[inline(always)]
fn nearest(x: f32) -> i8 {
    /// Beside it, whole numbers are the next ones.
    const SHIFT: f32 = 12_582_912.0;
    let whole = (x + SHIFT).to_bits().wrapping_sub(SHIFT.to_bits()) as i32;
    whole.clamp(-MOST, MOST) as i8
}

/// The power of two that a scale stands for.
#[inline(always)]
pub(crate) fn power(scale: u8) -> f32 {
    match scale {
        NO_NUMBER => f32::NAN,
        scale => f32::from_bits(u32::from(scale) << 23),
    }
}

/// `code * power` as `bf16`, which it is exactly.
#[inline(always)]
fn bf16(code: i8, power: f32) -> u16 {
    ((f32::from(code) * power).to_bits() >> 16) as u16
}

#[inline(always)]
fn expand_keys_body(codes: &CodeTile, scales: &[u8; LANES], out: &mut Tile) {
    let powers = scales.map(power);
    for ([even, odd], out) in codes.0.iter().zip(&mut out.0) {
        for lane in 0..LANES {
            out[lane] = [bf16(even[lane], powers[lane]), bf16(odd[lane], powers[lane])];
        }
    }
}

#[inline(always)]
fn expand_values_body(codes: &CodeTile, scales: &[u8; BLOCK_POSITIONS], out: &mut Tile) {
    for (([even, odd], scales), out) in
        codes.0.iter().zip(scales.as_chunks::<2>().0).zip(&mut out.0)
    {
        let powers = scales.map(power);
        for lane in 0..LANES {
            out[lane] = [bf16(even[lane], powers[0]), bf16(odd[lane], powers[1])];
        }
    }
}

/// The `bf16` numbers that are kept of a position's elements.
#[cfg(test)]
pub(crate) fn kept(row: &[f32]) -> Vec<u16> {
    let of_group = |group: &[f32]| {
        let (codes, scale) = encode(group);
        codes.into_iter().take(group.len()).map(move |code| bf16(code, power(scale)))
    };
    row.chunks(GROUP).flat_map(|group| of_group(group).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bf16_product::single;
    use proptest::prelude::*;

    #[test]
    fn codes_are_those_of_the_format() {
        // The largest gives the power of two; codes count its 64ths, ties to even.
        let (codes, scale) = encode(&[1.0, -1.5, 0.0078125, 0.0234375, 1.99, 0.0]);
        assert_eq!(codes[..6], [64, -96, 0, 2, 127, 0]);
        assert_eq!(power(scale), 1.0 / 64.0);
        assert_eq!(encode(&[0.0, -0.0]).1, 0);
        assert_eq!(encode(&[2f32.powi(-101); 32]), ([0; GROUP], 0));
        assert_eq!(encode(&[f32::MAX; 2]).0[..2], [127, 127]);
        assert_eq!(encode(&[1.0, f32::INFINITY]).1, NO_NUMBER);
        assert_eq!(encode(&[f32::NAN]).1, NO_NUMBER);
    }

    proptest! {
        #[test]
        fn what_is_read_is_near_what_was_written(
            values in prop::collection::vec(-1000f32..1000.0, 1..=32), power_of_two in -90i32..90,
        ) {
            let values: Vec<f32> =
                values.into_iter().map(|x| x * 2f32.powi(power_of_two)).collect();
            let most = values.iter().fold(0f32, |most, x| most.max(x.abs()));
            let (codes, scale) = encode(&values);
            for (code, x) in codes.iter().zip(&values) {
                let read = single(bf16(*code, power(scale)));
                prop_assert_eq!(read, f32::from(*code) * power(scale), "exact in bf16");
                prop_assert!((read - x).abs() <= most / 64.0, "{} became {}", x, read);
            }
        }
    }
}
