//! [`crate::linear_coded`] for at most 16 tokens on the tile unit. While a tile is decoded, an
//! earlier one is multiplied, the sums of one before are written to memory, and those of one still
//! earlier are scaled: vectors, tile unit and memory have work at the same time.
#![allow(unsafe_code)] // intrinsics on pointers

use crate::amx::CodedTiles;
use crate::code_operand::{operand, words};
use crate::coded::{Coded, CodedInputs, Codes, Factors, SPAN_TILES, prefetch};
use crate::coded_avx512::{EIGHT, FIVE, FOUR, SIX, bytes_of, put, read};
use crate::coded_tiles::{Square, add_least, scale};
use crate::columns::Columns;
use crate::lanes::{LANES, Lanes};
use crate::packed::Tile;
use crate::scratch::Scratch;
use std::arch::x86_64::*;
use std::ops::Range;

/// Fewer tokens fill half of a tile, which takes half of the unit's time.
const HALF: usize = LANES / 2;

/// Sums of products on their way.
const RING: usize = 8;
/// How many turns after its tile was decoded a product is begun, written to memory, and scaled:
/// each takes longer than a turn.
const MULTIPLIED: usize = 3;
const STORED: usize = 5;
const SCALED: usize = 7;

/// See [`crate::linear_coded`]; rows are whole spans.
pub(crate) fn linear(
    inputs: &CodedInputs,
    w: &Coded,
    rows: Range<usize>,
    out: &mut Columns,
    scratch: &mut Scratch,
) {
    let (tiles, squares) = scratch.coded(SPAN_TILES, RING);
    let tokens = if inputs.tokens() <= HALF { HALF } else { LANES };
    let mut stream = Stream {
        w,
        inputs,
        unit: CodedTiles::new(w.layout.codes.scale_len(), tokens),
        tiles: tiles.try_into().expect("as many as asked for"),
        squares: squares.try_into().expect("as many as asked for"),
        factors: [Factors::NONE; 2],
        sums: Square::EMPTY,
        done: Square::EMPTY,
    };
    match tokens {
        HALF => stream.all::<HALF>(rows, out),
        _ => stream.all::<LANES>(rows, out),
    }
}

/// A matrix on its way through the tile unit.
struct Stream<'a> {
    w: &'a Coded<'a>,
    inputs: &'a CodedInputs,
    unit: CodedTiles,
    tiles: &'a mut [Tile; SPAN_TILES],
    squares: &'a mut [Square; RING],
    /// Of the span that is decoded and the one before it.
    factors: [Factors; 2],
    /// Of the strip that is computed, and of one that is done.
    sums: Square,
    done: Square,
}

/// Eight products that follow each other: those of a span, or of half of one whose tiles have two.
#[derive(Clone, Copy)]
struct Block<'a> {
    left: &'a [Tile],
    /// Sums of the activations, if there are least values.
    of_x: &'a [Lanes],
    /// Which of the two factors are its own, and from which one on.
    factors: usize,
    first: usize,
    /// Where its tiles lie.
    slot: usize,
}

impl<'a> Block<'a> {
    /// Block `number` of all, in a matrix with `of_strip` of them in a strip.
    fn new(inputs: &'a CodedInputs, number: usize, of_strip: usize, parts: usize) -> Block<'a> {
        let tiles = RING / parts;
        let places = number % of_strip * tiles..(number % of_strip + 1) * tiles;
        let of_x = inputs.sums(0).get(places.clone()).unwrap_or_default();
        let (span, half) = (number / parts, number % parts);
        let (factors, first, slot) = (span % 2, half * RING, half * tiles);
        Block { left: &inputs.tiles(0)[places], of_x, factors, first, slot }
    }
}

/// What is done in turn `$turn` of a block with products that were begun before: those of block
/// `$before` first, then, unless it is the last, of `$now`.
macro_rules! go_on {
    ($stream:expr, $turn:expr, $parts:expr, $least:expr, $before:expr, $now:expr, $all:expr) => {{
        let turn: usize = $turn;
        if let Some(_) = if turn < STORED { Some($before) } else { $now } {
            let step = (turn + RING - STORED) % RING;
            $stream.unit.store(step, &mut $stream.squares[step]);
        }
        if let Some(block) = if turn < MULTIPLIED { Some($before) } else { $now } {
            let step = (turn + RING - MULTIPLIED) % RING;
            let right = &$stream.tiles[block.slot + step / $parts];
            match $parts {
                1 => $stream.unit.multiply(step, &block.left[step], right),
                _ => $stream.unit.multiply_half(step, &block.left[step / 2], right),
            }
        }
        if let Some(block) = if turn < SCALED { Some($before) } else { $now } {
            let step = (turn + RING - SCALED) % RING;
            let factors = &$stream.factors[block.factors];
            scale(&factors.scale[block.first + step], &$stream.squares[step], $all);
            if $least {
                add_least(&factors.least[step], &block.of_x[step], $all);
            }
        }
    }};
}

impl Stream<'_> {
    /// The outputs `rows` of all tokens, which are at most `TOKENS`.
    fn all<const TOKENS: usize>(&mut self, rows: Range<usize>, out: &mut Columns) {
        // SAFETY: the tile unit is there only where these instructions are; the kind is that of the
        // codes.
        unsafe {
            match (self.w.layout.codes, self.w.layout.scales.has_least()) {
                (Codes::Four(_), false) => self.multiply::<FOUR, false, TOKENS>(rows, out),
                (Codes::Four(_), true) => self.multiply::<FOUR, true, TOKENS>(rows, out),
                (Codes::Five(_), false) => self.multiply::<FIVE, false, TOKENS>(rows, out),
                (Codes::Five(_), true) => self.multiply::<FIVE, true, TOKENS>(rows, out),
                (Codes::Six, _) => self.multiply::<SIX, false, TOKENS>(rows, out),
                (Codes::Eight, _) => self.multiply::<EIGHT, false, TOKENS>(rows, out),
            }
        }
    }

    /// The outputs `rows` of all tokens, strip after strip without a pause.
    ///
    /// # Safety
    /// The processor has the features named; `KIND` is that of the codes, and `LEAST` says whether
    /// there are least values.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    unsafe fn multiply<const KIND: usize, const LEAST: bool, const TOKENS: usize>(
        &mut self,
        rows: Range<usize>,
        out: &mut Columns,
    ) {
        let (layout, inputs) = (self.w.layout, self.inputs);
        let tables = words(layout.codes);
        // Codes of 6 bits have a scale for each half of a tile, so a product.
        let parts = if KIND == SIX { 2 } else { 1 };
        let of_strip = self.w.tiles() / SPAN_TILES * parts;
        let strips = rows.len().div_ceil(LANES);
        let bytes = self.w.strips_from(rows.start / LANES);
        let mut columns = 0..LANES.min(rows.len());
        let mut before = Block::new(inputs, 0, of_strip, parts);
        let spans = bytes.chunks_exact(layout.span_bytes(SPAN_TILES));
        for (span, bytes) in spans.enumerate().take(strips * of_strip / parts) {
            let (scales, codes) = bytes.split_at(layout.scales.bytes(SPAN_TILES));
            prefetch(scales);
            read(&mut self.factors[span % 2], layout.scales, scales, SPAN_TILES);
            for (half, codes) in codes.chunks_exact(codes.len() / parts).enumerate() {
                let number = span * parts + half;
                let now = Block::new(inputs, number, of_strip, parts);
                let first = number % of_strip == 0;
                // SAFETY: the caller's promise.
                unsafe { self.block::<KIND, LEAST, TOKENS>(codes, tables, before, now, first) };
                if first && number > 0 {
                    self.write(&mut columns, rows.len(), out);
                }
                before = now;
            }
        }
        self.drain::<KIND, LEAST, TOKENS>(before);
        self.write(&mut columns, rows.len(), out);
    }

    /// Decodes block `now` and goes on with products that were begun. If it is the `first` of a
    /// strip, the sums of the strip before are complete meanwhile, and kept in `done`.
    ///
    /// # Safety
    /// As [`Stream::multiply`].
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    unsafe fn block<const KIND: usize, const LEAST: bool, const TOKENS: usize>(
        &mut self,
        codes: &[u8],
        tables: [__m512i; 2],
        before: Block,
        now: Block,
        first: bool,
    ) {
        let parts = if KIND == SIX { 2 } else { 1 };
        let mut all = load::<TOKENS>(&self.sums);
        macro_rules! turns {
            ($($turn:expr)+) => { $(
                if $turn % parts == 0 {
                    let codes = &codes[$turn / parts * bytes_of(KIND)..][..bytes_of(KIND)];
                    prefetch(codes);
                    let tile = &mut self.tiles[now.slot + $turn / parts];
                    // SAFETY: the caller's promise.
                    unsafe { operand::<KIND>(codes, tables, tile) };
                }
                go_on!(self, $turn, parts, LEAST, before, Some(now), &mut all);
            )+ };
        }
        turns!(0 1 2 3 4 5 6);
        if first {
            save(all, &mut self.done);
        }
        // What was computed before the first strip is nothing.
        let kept = if first { 0 } else { u16::MAX };
        for all in &mut all {
            *all = _mm512_maskz_mov_ps(kept, *all);
        }
        turns!(7);
        save(all, &mut self.sums);
    }

    /// The products of the last block that were begun.
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    fn drain<const KIND: usize, const LEAST: bool, const TOKENS: usize>(&mut self, last: Block) {
        let parts = if KIND == SIX { 2 } else { 1 };
        let mut all = load::<TOKENS>(&self.sums);
        for turn in 0..SCALED {
            go_on!(self, turn, parts, LEAST, last, None::<Block>, &mut all);
        }
        save(all, &mut self.done);
    }

    /// Writes the sums of a strip to `columns`, and goes on to the next ones of `len`.
    fn write(&self, columns: &mut Range<usize>, len: usize, out: &mut Columns) {
        for (token, sums) in self.done.0.iter().enumerate().take(self.inputs.tokens()) {
            let row = out.of_row(token, columns.clone());
            match row.as_mut_array::<LANES>() {
                Some(row) => *row = *sums,
                None => row.copy_from_slice(&sums[..row.len()]),
            }
        }
        *columns = columns.end..len.min(columns.end + LANES);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn load<const TOKENS: usize>(sums: &Square) -> [__m512; TOKENS] {
    let mut all = [_mm512_setzero_ps(); TOKENS];
    for (all, row) in all.iter_mut().zip(&sums.0) {
        // SAFETY: 16 floats are read.
        *all = unsafe { _mm512_loadu_ps(row.as_ptr()) };
    }
    all
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn save<const TOKENS: usize>(all: [__m512; TOKENS], sums: &mut Square) {
    for (all, row) in all.into_iter().zip(&mut sums.0) {
        put(all, row);
    }
}

const _: () = assert!(MULTIPLIED < STORED && STORED < SCALED && SCALED == 7);
const _: () = assert!(RING == SPAN_TILES);
