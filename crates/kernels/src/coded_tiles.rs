//! [`crate::linear_coded`] on the tile unit: activations on the left, codes on the right, so that a
//! row of a tile of sums is a token. The sum over the columns of a scale is a product of its own,
//! which vectors scale and add to what there was.
#![allow(unsafe_code)] // intrinsics on pointers

use crate::amx::CodedTiles;
use crate::code_operand::{operand, words};
use crate::coded::{Coded, CodedInputs, Codes, Factors, SPAN_TILES, are_whole_spans};
use crate::coded_avx512::{EIGHT, FIVE, FOUR, SIX, read};
use crate::columns::Columns;
use crate::lanes::{LANES, Lanes};
use crate::packed::Tile;
use crate::scratch::Scratch;
use std::arch::x86_64::*;
use std::ops::Range;

/// Strips of 16 outputs that meet many tokens together: 32 KiB of codes in the first cache.
const GROUP_STRIPS: usize = 4;
/// Strips of 16 tokens whose activations and sums stay in the second cache.
const BAND_STRIPS: usize = 32;

/// The products of a step are on their way for some time: three steps are begun before the first is
/// looked at, and the second of them is written to memory meanwhile.
const BEHIND: usize = 3;

/// What is done in turn `$turn` of `$steps` steps and [`BEHIND`] more.
macro_rules! turn {
    ($turn:expr, $steps:expr, $unit:expr, $squares:expr, $multiply:expr, $with:expr) => {{
        let turn: usize = $turn;
        if turn + 1 >= BEHIND && turn + 1 - BEHIND < $steps {
            $unit.store(turn + 1 - BEHIND, &mut $squares[(turn + 1 - BEHIND) % 4]);
        }
        if turn < $steps {
            ($multiply)(turn);
        }
        if turn >= BEHIND && turn - BEHIND < $steps {
            ($with)(turn - BEHIND, &$squares[(turn - BEHIND) % 4]);
        }
    }};
}

/// All turns of as many steps as there are; those of a whole span one after the other, so that the
/// compiler knows which tile each is in.
macro_rules! turns {
    ($steps:expr, $unit:expr, $squares:expr, $multiply:expr, $with:expr) => {{
        macro_rules! those {
            ($from:expr, $count:expr) => {
                turn!($from, $count, $unit, $squares, $multiply, $with);
                turn!($from + 1, $count, $unit, $squares, $multiply, $with);
                turn!($from + 2, $count, $unit, $squares, $multiply, $with);
                turn!($from + 3, $count, $unit, $squares, $multiply, $with);
            };
        }
        let steps = $steps;
        if steps == SPAN_TILES {
            those!(0, SPAN_TILES);
            those!(4, SPAN_TILES);
            those!(8, SPAN_TILES);
        } else {
            for turn in 0..steps + BEHIND {
                turn!(turn, steps, $unit, $squares, $multiply, $with);
            }
        }
    }};
}

/// The sums of 16 tokens (rows) for 16 outputs.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Square(pub [Lanes; LANES]);

impl Square {
    pub const EMPTY: Square = Square([[0.0; LANES]; LANES]);
}

/// See [`crate::linear_coded`].
pub(crate) fn linear(
    inputs: &CodedInputs,
    w: &Coded,
    rows: Range<usize>,
    out: &mut Columns,
    scratch: &mut Scratch,
) {
    if inputs.tokens() <= LANES && are_whole_spans(w.columns) {
        return crate::coded_stream::linear(inputs, w, rows, out, scratch);
    }
    let (tiles, sums) = scratch.coded(GROUP_STRIPS * SPAN_TILES, BAND_STRIPS * GROUP_STRIPS);
    let unit = CodedTiles::new(w.layout.codes.scale_len(), LANES);
    let mut group = Group {
        inputs,
        w,
        unit,
        tiles,
        factors: [Factors::NONE; GROUP_STRIPS],
        squares: [Square::EMPTY; 4],
    };
    let strips = inputs.tokens().div_ceil(LANES);
    for band in (0..strips).step_by(BAND_STRIPS) {
        let band = band..(band + BAND_STRIPS).min(strips);
        // What few tokens meet is best read in the order of memory.
        let together = (strips.next_power_of_two() / 2).clamp(1, GROUP_STRIPS);
        for first in rows.clone().step_by(together * LANES) {
            let end = (first + together * LANES).min(rows.end);
            group.multiply(&band, first / LANES..end.div_ceil(LANES), sums);
            put(sums, &band, first - rows.start..end - rows.start, inputs.tokens(), out);
        }
    }
}

/// What will be read soon.
#[derive(Clone, Copy)]
struct Ahead {
    start: *const u8,
    lines: usize,
}

impl Ahead {
    /// Asks for an eighth of it, which one being `step`.
    #[inline]
    fn ask(self, step: usize) {
        for line in step * self.lines / SPAN_TILES..(step + 1) * self.lines / SPAN_TILES {
            let line = self.start.wrapping_add(64 * line).cast::<i8>();
            // SAFETY: a prefetch never faults and changes no value, whatever the address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line) };
        }
    }
}

/// A few strips of outputs: what is decoded of them.
struct Group<'a> {
    inputs: &'a CodedInputs,
    w: &'a Coded<'a>,
    unit: CodedTiles,
    /// `[strip of outputs][tile of the span]`
    tiles: &'a mut [Tile],
    factors: [Factors; GROUP_STRIPS],
    /// Products on their way.
    squares: [Square; 4],
}

impl Group<'_> {
    /// `sums[token strip][output strip]`
    fn multiply(&mut self, band: &Range<usize>, strips: Range<usize>, sums: &mut [Square]) {
        let (layout, tiles) = (self.w.layout, self.w.tiles());
        let mut at = 0;
        for from in (0..tiles).step_by(SPAN_TILES) {
            let count = SPAN_TILES.min(tiles - from);
            let len = layout.span_bytes(count);
            let outputs = strips.clone().zip(self.tiles.chunks_exact_mut(SPAN_TILES));
            for ((strip, tiles), factors) in outputs.zip(&mut self.factors) {
                let span = &self.w.strip(strip)[at..at + len];
                // SAFETY: the unit is there only where these instructions are.
                unsafe { decode(self.w, span, &mut tiles[..count], factors) };
            }
            for (token, sums) in band.clone().zip(sums.chunks_exact_mut(GROUP_STRIPS)) {
                for (output, sums) in sums.iter_mut().enumerate().take(strips.len()) {
                    // What is decoded next is asked for while the first tokens are computed.
                    let lines = if token == band.start { len / 64 } else { 0 };
                    let start = self.w.ahead(strips.start + output, at + len, strips.len());
                    let ahead = Ahead { start, lines };
                    // SAFETY: as above.
                    unsafe { self.add(token, output, from..from + count, ahead, sums) };
                }
            }
            at += len;
        }
    }

    /// Adds the products of 16 tokens with the span of 16 outputs.
    ///
    /// # Safety
    /// The processor has the features named.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    unsafe fn add(
        &mut self,
        token: usize,
        output: usize,
        places: Range<usize>,
        ahead: Ahead,
        sums: &mut Square,
    ) {
        let layout = self.w.layout;
        let left = &self.inputs.tiles(token)[places.clone()];
        let right = &self.tiles[output * SPAN_TILES..][..left.len()];
        let of_x = self.inputs.sums(token).get(places.clone()).unwrap_or_default();
        let factors = &self.factors[output];
        let mut all = [_mm512_setzero_ps(); LANES];
        if places.start > 0 {
            for (all, sum) in all.iter_mut().zip(&sums.0) {
                // SAFETY: a row of sums is 16 floats.
                *all = unsafe { _mm512_loadu_ps(sum.as_ptr()) };
            }
        }
        let (unit, squares) = (&self.unit, &mut self.squares);
        let multiply = |step: usize| {
            unit.multiply(step, &left[step], &right[step]);
            ahead.ask(step);
        };
        match (layout.codes, layout.scales.has_least()) {
            (Codes::Six, _) => {
                for turn in 0..2 * left.len() + BEHIND {
                    turn!(
                        turn,
                        2 * left.len(),
                        unit,
                        squares,
                        |step: usize| {
                            unit.multiply_half(step, &left[step / 2], &right[step / 2]);
                            if step.is_multiple_of(2) {
                                ahead.ask(step / 2);
                            }
                        },
                        |step: usize, square| scale(&factors.scale[step], square, &mut all)
                    );
                }
            }
            (_, false) => turns!(left.len(), unit, squares, multiply, |step: usize, square| {
                scale(&factors.scale[step], square, &mut all);
            }),
            (_, true) => turns!(left.len(), unit, squares, multiply, |step: usize, square| {
                scale(&factors.scale[step], square, &mut all);
                add_least(&factors.least[step], &of_x[step], &mut all);
            }),
        }
        for (all, sum) in all.into_iter().zip(&mut sums.0) {
            // SAFETY: as above.
            unsafe { _mm512_storeu_ps(sum.as_mut_ptr(), all) };
        }
    }
}

/// `all += scale * square`, a lane being an output.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) fn scale<const TOKENS: usize>(
    scale: &Lanes,
    square: &Square,
    all: &mut [__m512; TOKENS],
) {
    // SAFETY: rows of 16 floats are read.
    unsafe {
        let scale = _mm512_loadu_ps(scale.as_ptr());
        for (all, row) in all.iter_mut().zip(&square.0) {
            *all = _mm512_fmadd_ps(scale, _mm512_loadu_ps(row.as_ptr()), *all);
        }
    }
}

/// `all[token] += least * x[token]`
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) fn add_least<const TOKENS: usize>(least: &Lanes, x: &Lanes, all: &mut [__m512; TOKENS]) {
    // SAFETY: a row of 16 floats is read.
    let least = unsafe { _mm512_loadu_ps(least.as_ptr()) };
    for (all, x) in all.iter_mut().zip(x) {
        *all = _mm512_fmadd_ps(least, _mm512_set1_ps(*x), *all);
    }
}

/// Writes sums to their place: outputs `columns` of `out`.
fn put(
    sums: &[Square],
    band: &Range<usize>,
    columns: Range<usize>,
    tokens: usize,
    out: &mut Columns,
) {
    for (strip, sums) in band.clone().zip(sums.chunks_exact(GROUP_STRIPS)) {
        for token in strip * LANES..tokens.min((strip + 1) * LANES) {
            let row = out.of_row(token, columns.clone());
            let (whole, rest) = row.as_chunks_mut::<LANES>();
            for (out, square) in whole.iter_mut().zip(sums) {
                *out = square.0[token % LANES];
            }
            if let Some(square) = sums.get(whole.len()) {
                rest.copy_from_slice(&square.0[token % LANES][..rest.len()]);
            }
        }
    }
}

/// The codes of a span as right operands, `tile[pair of columns][output]`, and its scales.
///
/// # Safety
/// The processor has the features named.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn decode(w: &Coded, span: &[u8], tiles: &mut [Tile], factors: &mut Factors) {
    let layout = w.layout;
    let (scales, codes) = span.split_at(layout.scales.bytes(tiles.len()));
    read(factors, layout.scales, scales, tiles.len());
    let tables = words(layout.codes);
    for (codes, tile) in codes.chunks_exact(layout.codes.bytes()).zip(tiles) {
        // SAFETY: the caller's promise; the kind is that of the codes.
        unsafe {
            match layout.codes {
                Codes::Four(_) => operand::<FOUR>(codes, tables, tile),
                Codes::Five(_) => operand::<FIVE>(codes, tables, tile),
                Codes::Six => operand::<SIX>(codes, tables, tile),
                Codes::Eight => operand::<EIGHT>(codes, tables, tile),
            }
        }
    }
}
