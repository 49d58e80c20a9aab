//! The matrix product with quantised weights: sums of codes, then scales. How models are served.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

mod inputs;
mod lanes;
mod layout;
mod scales;

use crate::bf16_product::Unit;
use crate::columns::Columns;
use crate::format::Format;
use crate::isa::{Isa, on_isa};
use crate::lanes::{LANES, Lanes};
use crate::matrix::Matrix;
use crate::scratch::Scratch;
pub use inputs::{BlockSums, CodedInputs, CodedPiece};
#[cfg(target_arch = "x86_64")]
pub(crate) use lanes::Job;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) use layout::Codes;
pub(crate) use layout::{Layout, SPAN_TILES, TILE_COLUMNS, are_whole_spans, values};
pub(crate) use scales::Factors;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) use scales::Scales;
use std::ops::Range;

/// A matrix of codes and scales in the order in which they are read; see [`Coded::pack`].
#[derive(Clone, Copy, Debug)]
pub struct Coded<'a> {
    /// The format that the codes and scales are from.
    pub format: Format,
    /// Number of outputs.
    pub rows: usize,
    /// Number of inputs.
    pub columns: usize,
    pub(crate) layout: Layout,
    bytes: &'a [u8],
}

impl<'a> Coded<'a> {
    /// Bytes of such a matrix; none when weights of the format are no codes with scales, when a row
    /// is not whole blocks, or there are too many.
    pub fn size(format: Format, rows: usize, columns: usize) -> Option<usize> {
        let layout = Layout::of(format)?;
        format.row_bytes(columns)?;
        layout.strip_bytes(columns).checked_mul(rows.div_ceil(LANES))
    }

    /// Which activations products with a format need.
    pub fn sums(format: Format) -> BlockSums {
        match Layout::of(format).is_some_and(|layout| layout.scales.has_least()) {
            true => BlockSums::Wanted,
            false => BlockSums::Unwanted,
        }
    }

    /// A packed matrix.
    ///
    /// # Panics
    /// When the bytes are not as many as [`Coded::size`] says.
    pub fn new(format: Format, rows: usize, columns: usize, bytes: &'a [u8]) -> Coded<'a> {
        assert_eq!(Coded::size(format, rows, columns), Some(bytes.len()), "bytes of the codes");
        let layout = Layout::of(format).expect("it has a size");
        Coded { format, rows, columns, layout, bytes }
    }

    /// Packs `matrix` into `out`: strips of 16 rows, the last one filled up with zeros.
    ///
    /// # Panics
    /// When weights of its format are no codes, or `out` is not as long as [`Coded::size`] says.
    pub fn pack(isa: Isa, matrix: &Matrix, out: &mut [u8]) {
        matrix.check(&(0..matrix.rows));
        let size = Coded::size(matrix.format, matrix.rows, matrix.columns);
        assert_eq!(size, Some(out.len()), "room for the codes");
        let layout = Layout::of(matrix.format).expect("it has a size");
        let strips = out.chunks_exact_mut(layout.strip_bytes(matrix.columns).max(1));
        for (strip, out) in strips.enumerate() {
            let row = strip * LANES;
            on_isa!(isa, pack_strip(layout: Layout, matrix: &Matrix, row: usize, out: &mut [u8]));
        }
    }

    /// Panics unless there are such rows, from a multiple of 16 on.
    pub(crate) fn check(&self, rows: &Range<usize>) {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "rows {rows:?} of {}", self.rows);
        assert!(rows.start.is_multiple_of(LANES), "rows start at a multiple of 16");
    }

    /// The exact values of the columns of a strip from `from` (a multiple of 256) on, `[column]
    /// [row]`: as many as `panel` has room for, at most 256, a multiple of 32.
    pub(crate) fn decode(&self, isa: Isa, strip: usize, from: usize, panel: &mut [Lanes]) {
        let (layout, span) = (self.layout, self.span(strip, from));
        on_isa!(isa, decode_span(layout: Layout, span: &[u8], panel: &mut [Lanes]));
    }

    /// The bytes of a strip's span that begins with column `from`.
    pub(crate) fn span(&self, strip: usize, from: usize) -> &'a [u8] {
        let tiles = SPAN_TILES.min(self.tiles() - from / TILE_COLUMNS);
        let at = from / TILE_COLUMNS / SPAN_TILES * self.layout.span_bytes(SPAN_TILES);
        &self.strip(strip)[at..at + self.layout.span_bytes(tiles)]
    }

    /// The bytes of strip `strip`.
    pub(crate) fn strip(&self, strip: usize) -> &'a [u8] {
        let len = self.layout.strip_bytes(self.columns);
        &self.bytes[strip * len..][..len]
    }

    /// The bytes of strip `strip` and all that follow.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn strips_from(&self, strip: usize) -> &'a [u8] {
        &self.bytes[strip * self.layout.strip_bytes(self.columns)..]
    }

    /// Where a strip goes on at byte `at`; at its end, where the one `strips` further begins, if
    /// there is one. Only to prefetch.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn ahead(&self, strip: usize, at: usize, strips: usize) -> *const u8 {
        let len = self.layout.strip_bytes(self.columns);
        let place = if at < len { strip * len + at } else { (strip + strips) * len };
        self.bytes.as_ptr().wrapping_add(place)
    }

    /// Tiles of a row.
    pub(crate) fn tiles(&self) -> usize {
        self.columns / TILE_COLUMNS
    }
}

/// Packs the strip of 16 rows from `first`.
#[inline(always)]
fn pack_strip(layout: Layout, matrix: &Matrix, first: usize, out: &mut [u8]) {
    let (format, tiles) = (matrix.format, matrix.columns / TILE_COLUMNS);
    let (block_len, block_bytes) = (format.block_len(), format.block_bytes());
    let per_block = block_len / TILE_COLUMNS;
    let mut rest = out;
    for from in (0..tiles).step_by(SPAN_TILES) {
        let count = SPAN_TILES.min(tiles - from);
        let (span, others) = rest.split_at_mut(layout.span_bytes(count));
        rest = others;
        let (scales, codes) = span.split_at_mut(layout.scales.bytes(count));
        let range = from / per_block * block_bytes..(from + count) / per_block * block_bytes;
        let mut blocks: [&[u8]; LANES] = [&[]; LANES];
        for (row, blocks) in blocks.iter_mut().enumerate().take(matrix.rows - first) {
            *blocks = &matrix.row(first + row)[range.clone()];
        }
        scales::put_scales(format, layout.scales, count, &blocks, scales);
        for (tile, out) in codes.chunks_exact_mut(layout.codes.bytes()).enumerate() {
            let mut codes = [[0; TILE_COLUMNS]; LANES];
            for (bytes, codes) in blocks.iter().zip(&mut codes) {
                let at = tile / per_block * block_bytes;
                if let Some(block) = bytes.get(at..at + block_bytes) {
                    layout::codes_of(format, block, tile % per_block, codes);
                }
            }
            layout::put_codes(layout.codes, &codes, out);
        }
    }
}

/// Codes times scales, and least values added: each of these is the weight's own value, as no
/// product of a code and a scale is rounded.
#[inline(always)]
fn decode_span(layout: Layout, span: &[u8], panel: &mut [Lanes]) {
    let tiles = panel.len() / TILE_COLUMNS;
    let mut factors = Factors::NONE;
    let (scales, codes) = span.split_at(layout.scales.bytes(tiles));
    factors.read(layout.scales, scales, tiles);
    let (len, has_least) = (layout.codes.scale_len(), layout.scales.has_least());
    let bytes = codes.chunks_exact(layout.codes.bytes());
    let columns = panel.as_chunks_mut::<TILE_COLUMNS>().0;
    for (tile, (bytes, columns)) in bytes.zip(columns).enumerate() {
        values(layout.codes, bytes, columns);
        for (part, columns) in columns.chunks_exact_mut(len).enumerate() {
            let scale = &factors.scale[tile * TILE_COLUMNS / len + part];
            let least = &factors.least[tile];
            for column in columns {
                for lane in 0..LANES {
                    column[lane] = match has_least {
                        true => scale[lane].mul_add(column[lane], least[lane]),
                        false => scale[lane] * column[lane],
                    };
                }
            }
        }
    }
}

/// How far ahead codes are asked for: the processor alone looks no further than a page. Twice as
/// far gives a tenth less of what memory can give, four times as far a third less
/// (`docs/kernel-notes.md`).
#[cfg(target_arch = "x86_64")]
pub(crate) const AHEAD_BYTES: usize = 2048;

/// Asks for what lies that far ahead of these bytes.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn prefetch(bytes: &[u8]) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    for line in (0..bytes.len()).step_by(64) {
        let line = bytes.as_ptr().wrapping_add(AHEAD_BYTES + line);
        // SAFETY: a prefetch never faults and changes no value, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast::<i8>()) };
    }
}

/// Whether products of so many tokens are computed in tiles: where vectors are slower.
fn on_tiles(unit: Unit, tokens: usize, columns: usize) -> bool {
    let few = if are_whole_spans(columns) { 2 } else { 3 };
    !matches!(unit, Unit::Lanes(_)) && tokens > few
}

/// `out[t][r - rows.start] = sum over k of w[r][k] * x[t][k]` for the outputs `rows` of `w`, summed
/// as `docs/numerics.md` says ("Products with codes"): codes times rounded activations, then
/// scales.
///
/// An output has the same bits whichever rows and tokens are computed with it, and on every
/// processor.
///
/// # Panics
/// When the inputs, `rows` or `out` do not fit together, or `rows` does not start at a multiple of
/// 16.
pub fn linear_coded(
    inputs: &CodedInputs,
    w: &Coded,
    rows: Range<usize>,
    out: &mut Columns,
    scratch: &mut Scratch,
) {
    w.check(&rows);
    assert_eq!(inputs.columns(), w.columns, "columns of the activations");
    if inputs.tokens() == 0 || rows.is_empty() {
        return;
    }
    assert!(inputs.has_sums() || !w.layout.scales.has_least(), "sums of the activations");
    assert_eq!([out.rows(), out.len()], [inputs.tokens(), rows.len()], "out is [tokens, rows]");
    match inputs.unit() {
        #[cfg(target_arch = "x86_64")]
        Unit::Tiles if on_tiles(inputs.unit(), inputs.tokens(), w.columns) => {
            crate::coded_tiles::linear(inputs, w, rows, out, scratch);
        }
        #[cfg(target_arch = "x86_64")]
        Unit::Tiles => lanes::linear(Isa::Avx512, inputs, w, rows, out, scratch),
        Unit::Lanes(isa) => lanes::linear(isa, inputs, w, rows, out, scratch),
    }
}

#[cfg(test)]
mod tests;
