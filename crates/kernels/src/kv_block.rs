//! Keys and values of 32 positions of one kv head, in the order of the tile unit.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::isa::{Isa, on_isa};
use crate::kv_codes::{self, Codes, CodesMut};
use crate::lanes::LANES;
use crate::packed::{TILE_DEPTH, Tile, round, turn};
use crate::tile_memory::{Piece, TileMemory};
use std::ops::Range;
use std::sync::Arc;

/// Positions of a block: one step of a product over positions.
pub const BLOCK_POSITIONS: usize = TILE_DEPTH;

/// How the elements of a block are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockForm {
    /// Rounded to `bf16`.
    Bf16,
    /// Whole numbers of 8 bits, 32 of a position with one power of two: half the memory.
    Mxint8,
}

/// The shape of a block. Keys are two columns of tiles, one for each 16 positions, `[pair of
/// elements][position]`; values one tile for each 16 elements, `[pair of positions][element]`.
/// Elements beyond the head's are zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLayout {
    form: BlockForm,
    head_dim: usize,
}

impl BlockLayout {
    /// For heads of `head_dim` elements.
    ///
    /// # Panics
    /// When `head_dim` is 0.
    pub fn new(form: BlockForm, head_dim: usize) -> BlockLayout {
        assert!(head_dim > 0, "a head has at least one element");
        BlockLayout { form, head_dim }
    }

    /// Elements per head.
    pub fn head_dim(self) -> usize {
        self.head_dim
    }

    /// Tiles along the elements of keys.
    pub(crate) fn steps(self) -> usize {
        self.head_dim.div_ceil(TILE_DEPTH)
    }

    /// Tiles across the elements of values.
    pub(crate) fn strips(self) -> usize {
        self.head_dim.div_ceil(LANES)
    }

    /// Tiles of keys and values in `bf16`.
    pub(crate) fn rounded_tiles(self) -> usize {
        2 * self.steps() + self.strips()
    }

    /// Tiles of memory.
    fn tiles(self) -> usize {
        match self.form {
            BlockForm::Bf16 => self.rounded_tiles(),
            BlockForm::Mxint8 => kv_codes::tiles_of(self),
        }
    }

    /// Bytes of scales.
    fn scales(self) -> usize {
        match self.form {
            BlockForm::Bf16 => 0,
            BlockForm::Mxint8 => kv_codes::scales_of(self),
        }
    }
}

/// Makes [`Blocks`] of one shape, side by side in memory: many are read faster so than each by
/// itself. What they leave behind serves others, and goes back to the system in larger parts.
#[derive(Clone, Debug)]
pub struct BlockMemory {
    layout: BlockLayout,
    heads: usize,
    memory: Arc<TileMemory>,
}

impl BlockMemory {
    /// For `heads` heads.
    pub fn new(layout: BlockLayout, heads: usize) -> BlockMemory {
        BlockMemory { layout, heads, memory: TileMemory::new(heads * layout.tiles()) }
    }

    /// Zeros.
    ///
    /// # Panics
    /// When the system has no memory.
    pub fn blocks(&self) -> Blocks {
        let (layout, facts) = (self.layout, vec![NOTHING; self.heads]);
        let scales = vec![0; self.heads * layout.scales()];
        Blocks { layout, tiles: self.memory.zeros(), scales, facts }
    }

    /// Bytes that [`Blocks::put`] writes.
    pub fn stored_bytes(&self) -> usize {
        let Self { layout, heads, .. } = self;
        heads * (layout.tiles() * size_of::<Tile>() + layout.scales() + FACT_BYTES)
    }

    /// Blocks that [`Blocks::put`] wrote; `None` if these bytes are none of this shape.
    ///
    /// # Panics
    /// When the system has no memory.
    pub fn read(&self, bytes: &[u8]) -> Option<Blocks> {
        if bytes.len() != self.stored_bytes() {
            return None;
        }
        let mut blocks = self.blocks();
        let (tiles, rest) = bytes.split_at(blocks.tiles.len() * size_of::<Tile>());
        for (tile, bytes) in blocks.tiles.iter_mut().zip(tiles.chunks_exact(size_of::<Tile>())) {
            let elements = tile.0.as_flattened_mut().as_flattened_mut();
            for (element, pair) in elements.iter_mut().zip(bytes.chunks_exact(2)) {
                *element = u16::from_le_bytes([pair[0], pair[1]]);
            }
        }
        let (scales, facts) = rest.split_at(blocks.scales.len());
        blocks.scales.copy_from_slice(scales);
        for (own, bytes) in blocks.facts.iter_mut().zip(facts.chunks_exact(FACT_BYTES)) {
            *own = Facts::read(bytes)?;
        }
        Some(blocks)
    }
}

/// Bytes of a head's facts as they are stored.
const FACT_BYTES: usize = 3;

/// Blocks of several heads (of all layers, say) for the same 32 positions.
#[derive(Clone)]
pub struct Blocks {
    layout: BlockLayout,
    /// `[heads][tiles]`
    tiles: Piece,
    /// `[heads][scales]`
    scales: Vec<u8>,
    /// By head.
    facts: Vec<Facts>,
}

/// What is known of everything that was ever written to a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// No key that is not zero has a smaller biased exponent.
    pub least_key: u32,
    /// No value that is not zero has a smaller biased exponent.
    pub least_value: u32,
    /// Whether all values are finite.
    pub finite: bool,
}

const NOTHING: Facts = Facts { least_key: 255, least_value: 255, finite: true };

impl Facts {
    /// Exponents have 8 bits.
    fn put(self, out: &mut Vec<u8>) {
        out.extend([self.least_key as u8, self.least_value as u8, u8::from(self.finite)]);
    }

    fn read(bytes: &[u8]) -> Option<Facts> {
        let [least_key, least_value, finite @ (0 | 1)] = *bytes else { return None };
        let (least_key, least_value) = (least_key.into(), least_value.into());
        Some(Facts { least_key, least_value, finite: finite == 1 })
    }
}

impl std::fmt::Debug for Blocks {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "Blocks {{ {} heads of {} }}", self.facts.len(), self.layout.head_dim)
    }
}

impl Blocks {
    /// Zeros for `heads` heads, in memory of their own; see [`BlockMemory`] for many.
    ///
    /// # Panics
    /// When the system has no memory.
    pub fn new(layout: BlockLayout, heads: usize) -> Blocks {
        let memory = TileMemory::of_shelves(heads * layout.tiles(), 1);
        BlockMemory { layout, heads, memory }.blocks()
    }

    /// Their shape.
    pub fn layout(&self) -> BlockLayout {
        self.layout
    }

    /// How many heads there are.
    pub fn heads(&self) -> usize {
        self.facts.len()
    }

    /// Bytes that the blocks of `heads` heads take.
    pub fn bytes_of(layout: BlockLayout, heads: usize) -> usize {
        heads * (layout.tiles() * size_of::<Tile>() + layout.scales() + size_of::<Facts>())
    }

    /// Bytes that these take.
    pub fn bytes(&self) -> usize {
        Blocks::bytes_of(self.layout, self.facts.len())
    }

    /// Writes them as bytes, the same on every machine: tiles, scales, and what is known of each
    /// head. [`BlockMemory::read`] reads them.
    pub fn put(&self, out: &mut Vec<u8>) {
        let mut bytes = [0; size_of::<Tile>()];
        for tile in self.tiles.iter() {
            let elements = tile.0.as_flattened().as_flattened();
            for (pair, element) in bytes.chunks_exact_mut(2).zip(elements) {
                pair.copy_from_slice(&element.to_le_bytes());
            }
            out.extend_from_slice(&bytes);
        }
        out.extend_from_slice(&self.scales);
        self.facts.iter().for_each(|facts| facts.put(out));
    }

    /// The block of a head, to read.
    ///
    /// # Panics
    /// When there is no such head.
    pub fn block(&self, head: usize) -> Block<'_> {
        let (layout, facts) = (self.layout, self.facts[head]);
        let (len, scales) = (layout.tiles(), layout.scales());
        let tiles = &self.tiles[head * len..][..len];
        match layout.form {
            BlockForm::Bf16 => Block::rounded(layout, tiles, facts),
            BlockForm::Mxint8 => {
                let scales = &self.scales[head * scales..][..scales];
                Block { layout, stored: Stored::Codes(Codes::new(layout, tiles, scales)), facts }
            }
        }
    }

    /// The blocks of some heads, to write, each by a thread of its own if wanted.
    ///
    /// # Panics
    /// When there are no such heads.
    pub fn blocks_mut(&mut self, heads: Range<usize>) -> impl Iterator<Item = BlockMut<'_>> {
        let layout = self.layout;
        let (len, of_scales) = (layout.tiles(), layout.scales());
        let tiles = self.tiles[heads.start * len..heads.end * len].chunks_exact_mut(len);
        let mut scales = &mut self.scales[heads.start * of_scales..heads.end * of_scales];
        let facts = self.facts[heads].iter_mut();
        tiles.zip(facts).map(move |(tiles, facts)| {
            let own = scales.split_off_mut(..of_scales).unwrap_or_default();
            BlockMut { layout, tiles, scales: own, facts }
        })
    }
}

/// One head's keys and values at 32 positions.
#[derive(Clone, Copy)]
pub struct Block<'a> {
    layout: BlockLayout,
    pub(crate) stored: Stored<'a>,
    pub(crate) facts: Facts,
}

/// What a block holds.
#[derive(Clone, Copy)]
pub(crate) enum Stored<'a> {
    Rounded(Rounded<'a>),
    Codes(Codes<'a>),
}

/// Tiles of `bf16`.
#[derive(Clone, Copy)]
pub(crate) struct Rounded<'a> {
    /// `[2][steps]`, or none while only values are asked for
    keys: &'a [Tile],
    /// `[strips]`, or none while only keys are asked for
    values: &'a [Tile],
}

impl std::fmt::Debug for Block<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "Block {{ {:?} }}", self.facts)
    }
}

impl<'a> Block<'a> {
    fn rounded(layout: BlockLayout, tiles: &'a [Tile], facts: Facts) -> Block<'a> {
        let (keys, values) = tiles.split_at(2 * layout.steps());
        Block { layout, stored: Stored::Rounded(Rounded { keys, values }), facts }
    }

    /// The same block with its keys expanded to these tiles.
    pub(crate) fn with_keys(&self, keys: &'a [Tile]) -> Block<'a> {
        Block { stored: Stored::Rounded(Rounded { keys, values: &[] }), ..*self }
    }

    /// The same block with its values expanded to these tiles.
    pub(crate) fn with_values(&self, values: &'a [Tile]) -> Block<'a> {
        Block { stored: Stored::Rounded(Rounded { keys: &[], values }), ..*self }
    }

    /// Its shape.
    pub(crate) fn layout(&self) -> BlockLayout {
        self.layout
    }

    /// Elements of the head.
    pub(crate) fn head_dim(&self) -> usize {
        self.layout.head_dim
    }

    /// The tiles of the first 16 keys and of the others.
    pub(crate) fn keys(&self) -> [&'a [Tile]; 2] {
        let keys = self.all_keys();
        let (first, second) = keys.split_at(keys.len() / 2);
        [first, second]
    }

    /// The tiles of all keys, in the order of memory.
    pub(crate) fn all_keys(&self) -> &'a [Tile] {
        match self.stored {
            Stored::Rounded(rounded) => rounded.keys,
            Stored::Codes(_) => unreachable!("keys are expanded before they are tiles"),
        }
    }

    /// The tile of each 16 elements of the values.
    pub(crate) fn values(&self) -> &'a [Tile] {
        match self.stored {
            Stored::Rounded(rounded) => rounded.values,
            Stored::Codes(_) => unreachable!("values are expanded before they are tiles"),
        }
    }
}

/// The same, to write.
pub struct BlockMut<'a> {
    layout: BlockLayout,
    tiles: &'a mut [Tile],
    scales: &'a mut [u8],
    facts: &'a mut Facts,
}

/// Rows of one head among those of others.
#[derive(Clone, Copy, Debug)]
pub struct HeadRows<'a> {
    /// From the first row's first element on.
    pub values: &'a [f32],
    /// Floats from one row to the next.
    pub stride: usize,
}

impl<'a> HeadRows<'a> {
    #[inline(always)]
    fn row(&self, row: usize, head_dim: usize) -> &'a [f32] {
        &self.values[row * self.stride..][..head_dim]
    }
}

impl BlockMut<'_> {
    /// Stores keys (rotated already) and values of `count` positions from place `first` of the
    /// block on, rounded to what the block keeps.
    ///
    /// # Panics
    /// When the places are not in the block, or there are fewer rows.
    pub fn write(
        &mut self,
        isa: Isa,
        first: usize,
        count: usize,
        keys: HeadRows,
        values: HeadRows,
    ) {
        assert!(first + count <= BLOCK_POSITIONS, "places of a block");
        let (block, places) = (self, first..first + count);
        if block.layout.form == BlockForm::Mxint8 {
            return on_isa!(
                isa,
                write_codes_body(
                    block: &mut BlockMut, isa: Isa, places: Range<usize>, keys: HeadRows,
                    values: HeadRows
                )
            );
        }
        on_isa!(
            isa,
            write_body(
                block: &mut BlockMut, isa: Isa, places: Range<usize>, keys: HeadRows,
                values: HeadRows
            )
        );
    }

    /// Sixteen keys, from row `first` of `keys` on.
    #[inline(always)]
    fn write_half(&mut self, isa: Isa, half: usize, first: usize, keys: HeadRows) {
        let (head_dim, steps) = (self.layout.head_dim, self.layout.steps());
        let tiles = &mut self.tiles[half * steps..][..steps];
        for row in 0..LANES {
            let chunks = keys.row(first + row, head_dim).chunks(TILE_DEPTH);
            for (tile, chunk) in tiles.iter_mut().zip(chunks) {
                let out = tile.0[row].as_flattened_mut();
                out[chunk.len()..].fill(0);
                out.iter_mut().zip(chunk).for_each(|(out, x)| *out = round(*x));
            }
        }
        turn(isa, tiles);
    }

    #[inline(always)]
    fn write_key(&mut self, place: usize, key: &[f32]) {
        let steps = self.layout.steps();
        let tiles = &mut self.tiles[place / LANES * steps..][..steps];
        for (tile, chunk) in tiles.iter_mut().zip(key.chunks(TILE_DEPTH)) {
            for (row, pair) in tile.0.iter_mut().zip(chunk.chunks(2)) {
                row[place % LANES] = [round(pair[0]), pair.get(1).map_or(0, |x| round(*x))];
            }
        }
    }

    #[inline(always)]
    fn write_values(&mut self, places: Range<usize>, values: HeadRows) {
        let (first, end) = (places.start, places.end);
        let head_dim = self.layout.head_dim;
        let (_, tiles) = self.tiles.split_at_mut(2 * self.layout.steps());
        let mut place = first;
        while place < end {
            let row = values.row(place - first, head_dim).chunks(LANES);
            if place % 2 == 0 && place + 1 < end {
                let next = values.row(place + 1 - first, head_dim).chunks(LANES);
                for ((tile, even), odd) in tiles.iter_mut().zip(row).zip(next) {
                    let pairs = even.iter().zip(odd);
                    for (out, (even, odd)) in tile.0[place / 2].iter_mut().zip(pairs) {
                        *out = [round(*even), round(*odd)];
                    }
                }
                place += 2;
                continue;
            }
            for (tile, chunk) in tiles.iter_mut().zip(row) {
                for (out, x) in tile.0[place / 2].iter_mut().zip(chunk) {
                    out[place % 2] = round(*x);
                }
            }
            place += 1;
        }
    }
}

#[inline(always)]
fn write_body(
    block: &mut BlockMut,
    isa: Isa,
    places: Range<usize>,
    keys: HeadRows,
    values: HeadRows,
) {
    let (first, head_dim) = (places.start, block.layout.head_dim);
    let mut place = first;
    while place < places.end {
        let half = place / LANES;
        let end = ((half + 1) * LANES).min(places.end);
        match end - place {
            LANES => block.write_half(isa, half, place - first, keys),
            _ => (place..end).for_each(|at| block.write_key(at, keys.row(at - first, head_dim))),
        }
        place = end;
    }
    block.write_values(places.clone(), values);
    let facts = &mut block.facts;
    for row in 0..places.len() {
        let (least, _) = sizes(keys.row(row, head_dim));
        facts.least_key = facts.least_key.min(least);
        let (least, finite) = sizes(values.row(row, head_dim));
        facts.least_value = facts.least_value.min(least);
        facts.finite &= finite;
    }
}

#[inline(always)]
fn write_codes_body(
    block: &mut BlockMut,
    isa: Isa,
    places: Range<usize>,
    keys: HeadRows,
    values: HeadRows,
) {
    let (first, head_dim) = (places.start, block.layout.head_dim);
    let mut codes = CodesMut::new(block.layout, block.tiles, block.scales);
    let facts = &mut block.facts;
    let mut place = first;
    while place < places.end {
        let half = place / LANES;
        let end = ((half + 1) * LANES).min(places.end);
        let key = |at: usize| keys.row(at - first, head_dim);
        let least = match end - place {
            LANES => codes.write_half(isa, half, |lane| key(place + lane)),
            _ => (place..end).map(|at| codes.write_key(at, key(at))).min().unwrap_or(255),
        };
        facts.least_key = facts.least_key.min(least);
        place = end;
    }
    for (row, place) in places.enumerate() {
        let value = values.row(row, head_dim);
        facts.least_value = facts.least_value.min(codes.write_value(place, value));
        facts.finite &= codes.is_number(place);
    }
}

/// The least biased exponent of what is not zero when rounded, and whether all is finite then.
#[inline(always)]
pub(crate) fn sizes(values: &[f32]) -> (u32, bool) {
    /// What rounds to infinity.
    const TOO_LARGE: u32 = 0x7f7f_8000;
    let (mut least, mut most) = (255 << 23, 0);
    for value in values {
        let size = value.to_bits() & 0x7fff_ffff;
        least = least.min(if size < 0x80_0000 { 255 << 23 } else { size });
        most = most.max(size);
    }
    (least >> 23, most < TOO_LARGE)
}
