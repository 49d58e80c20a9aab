//! Weights of codes rounded to `bf16`, as right operands of the tile unit: tile by tile, or two
//! rows of a tile between the steps of a product, so that vectors and tile unit have work at the
//! same time.
#![allow(unsafe_code)] // intrinsics on pointers

use crate::amx::Tiles;
use crate::bf16_product::Block;
use crate::coded::{Coded, Codes, Factors, prefetch};
use crate::coded_avx512::{EIGHT, FIVE, FOUR, SIX, Tables, bytes_of, read};
use crate::lanes::{LANES, Lanes};
use crate::packed::{BLOCK_TILES, TILE_DEPTH, Tile};
use crate::weights::Part;
use std::arch::x86_64::*;

/// The spans of one or two strips.
pub(crate) struct Rounding<'a> {
    w: &'a Coded<'a>,
    tables: Tables,
    /// Of each strip: its codes, and its factors.
    strips: [(&'a [u8], Factors); 2],
}

/// Calls a function for the codes of a matrix, by their kind and whether there are least values.
macro_rules! by_kind {
    ($self:ident.$function:ident($($argument:expr),*)) => {
        // SAFETY: who made it saw the instructions; the kind is that of the codes.
        unsafe {
            let layout = $self.w.layout;
            match (layout.codes, layout.scales.has_least()) {
                (Codes::Four(_), false) => $self.$function::<FOUR, false>($($argument),*),
                (Codes::Four(_), true) => $self.$function::<FOUR, true>($($argument),*),
                (Codes::Five(_), false) => $self.$function::<FIVE, false>($($argument),*),
                (Codes::Five(_), true) => $self.$function::<FIVE, true>($($argument),*),
                (Codes::Six, _) => $self.$function::<SIX, false>($($argument),*),
                (Codes::Eight, _) => $self.$function::<EIGHT, false>($($argument),*),
            }
        }
    };
}

/// Whether this processor has what rounding needs beside AVX-512.
pub(crate) fn is_available() -> bool {
    is_x86_feature_detected!("avx512bf16")
}

impl<'a> Rounding<'a> {
    /// Nothing of a matrix yet.
    ///
    /// # Panics
    /// On a processor that lacks the instructions.
    pub(crate) fn new(w: &'a Coded<'a>) -> Rounding<'a> {
        assert!(is_available(), "tiles without conversion to bf16");
        crate::Isa::Avx512.checked();
        // SAFETY: the assertion saw the instructions.
        let tables = unsafe { Tables::of(w.layout.codes) };
        Rounding { w, tables, strips: [(&[], Factors::NONE), (&[], Factors::NONE)] }
    }

    /// The matrix.
    pub(crate) fn matrix(&self) -> &'a Coded<'a> {
        self.w
    }

    /// Goes on to a part, as strip `place` of two, and asks for what follows it.
    pub(crate) fn take(&mut self, place: usize, part: &Part) {
        let (layout, tiles) = (self.w.layout, part.len.div_ceil(TILE_DEPTH));
        let span = self.w.span(part.first / LANES, part.from);
        let (scales, codes) = span.split_at(layout.scales.bytes(tiles));
        let (kept, factors) = &mut self.strips[place];
        *kept = codes;
        // SAFETY: `new` saw the instructions.
        unsafe { read(factors, layout.scales, scales, tiles) };
        prefetch(span);
    }

    /// Rounds tile `tile` of both strips' tiles.
    pub(crate) fn round(&self, tile: usize, out: &mut Tile) {
        by_kind!(self.round_kind(tile, out));
    }

    /// Adds the products of a whole block, and rounds a tile meanwhile.
    pub(crate) fn round_during(
        &self,
        unit: &Tiles,
        block: &mut Block,
        tile: usize,
        out: &mut Tile,
    ) {
        by_kind!(self.round_kind_during(unit, block, tile, out));
    }

    /// # Safety
    /// `KIND` is that of the codes, and `LEAST` says whether there are least values.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
    unsafe fn round_kind<const KIND: usize, const LEAST: bool>(&self, tile: usize, out: &mut Tile) {
        let rows = self.rows::<KIND, LEAST>(tile, out);
        for pair in 0..16 {
            // SAFETY: the caller's promise.
            unsafe { rows.put::<KIND, LEAST>(pair) };
        }
    }

    /// # Safety
    /// As [`Rounding::round_kind`].
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
    unsafe fn round_kind_during<const KIND: usize, const LEAST: bool>(
        &self,
        unit: &Tiles,
        block: &mut Block,
        tile: usize,
        out: &mut Tile,
    ) {
        let rows = self.rows::<KIND, LEAST>(tile, out);
        // One by one: a copy of them all would be read back in larger pieces than it was written,
        // and wait for all stores before it.
        let (first, second) = (whole(block.left[0]), whole(block.left[1]));
        let (upper, lower) = (whole(block.right[0]), whole(block.right[1]));
        unit.begin(block);
        macro_rules! steps {
            ($($step:expr)+) => { $(
                unit.multiply_squares(
                    [&first[$step], &second[$step]],
                    [&upper[$step], &lower[$step]],
                );
                // SAFETY: the caller's promise.
                unsafe {
                    rows.put::<KIND, LEAST>(2 * $step);
                    rows.put::<KIND, LEAST>(2 * $step + 1);
                }
            )+ };
        }
        steps!(0 1 2 3 4 5 6 7);
        unit.end(block);
    }

    /// What the rows of a tile are made of.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
    fn rows<const KIND: usize, const LEAST: bool>(&self, tile: usize, out: &mut Tile) -> Rows {
        let (codes, factors) = &self.strips[tile / BLOCK_TILES];
        let place = tile % BLOCK_TILES;
        let codes = codes[place * bytes_of(KIND)..][..bytes_of(KIND)].as_ptr();
        let parts = if KIND == SIX { 2 } else { 1 };
        // SAFETY: 16 floats are read of each.
        let (scales, least) = unsafe {
            let scale = |part: usize| _mm512_loadu_ps(factors.scale[place * parts + part].as_ptr());
            (
                [scale(0), if KIND == SIX { scale(1) } else { scale(0) }],
                if LEAST {
                    _mm512_loadu_ps(factors.least[place].as_ptr())
                } else {
                    _mm512_setzero_ps()
                },
            )
        };
        Rows { codes, tables: self.tables, scales, least, out: out.0.as_mut_ptr().cast() }
    }
}

#[inline(always)]
fn whole(tiles: &[Tile]) -> &[Tile; BLOCK_TILES] {
    tiles.try_into().expect("a whole block")
}

/// A tile on its way: codes of 16 pairs of columns, a scale for each half of them.
#[derive(Clone, Copy)]
struct Rows {
    codes: *const u8,
    tables: Tables,
    scales: [__m512; 2],
    least: __m512,
    out: *mut __m512i,
}

impl Rows {
    /// Rounds a row of the tile.
    ///
    /// # Safety
    /// `codes` and `out` are those of a whole tile, of this kind.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
    unsafe fn put<const KIND: usize, const LEAST: bool>(self, pair: usize) {
        let (q, i) = (pair / 4, pair % 4);
        let scale = self.scales[pair / 8];
        // SAFETY: a tile of codes is read, a row of a tile is written.
        unsafe {
            let even = self.tables.column::<KIND>(self.codes, q, i);
            let odd = self.tables.column::<KIND>(self.codes, q, i + 4);
            let (even, odd) = if LEAST {
                (_mm512_fmadd_ps(even, scale, self.least), _mm512_fmadd_ps(odd, scale, self.least))
            } else {
                (_mm512_mul_ps(even, scale), _mm512_mul_ps(odd, scale))
            };
            _mm512_store_si512(self.out.add(pair), rounded_pairs(even, odd));
        }
    }
}

/// Decoded columns rounded to `bf16`, as right operands; those beyond the last are zeros.
///
/// # Safety
/// The processor has the features named.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
pub(crate) unsafe fn round_columns(columns: &[Lanes], tiles: &mut [Tile]) {
    const NOTHING: Lanes = [0.0; LANES];
    for (columns, tile) in columns.chunks(TILE_DEPTH).zip(tiles) {
        for (pair, row) in tile.0.iter_mut().enumerate() {
            let column = |index: usize| columns.get(index).unwrap_or(&NOTHING).as_ptr();
            // SAFETY: a column is 16 floats, a row of a tile is 64 bytes.
            unsafe {
                let even = _mm512_loadu_ps(column(2 * pair));
                let odd = _mm512_loadu_ps(column(2 * pair + 1));
                _mm512_storeu_si512(row.as_mut_ptr().cast(), rounded_pairs(even, odd));
            }
        }
    }
}

/// Two columns of 16 weights each, rounded to `bf16`, as a row of a right operand.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
fn rounded_pairs(even: __m512, odd: __m512) -> __m512i {
    let rounded = _mm512_cvtne2ps_pbh(odd, even);
    // SAFETY: registers of 64 bytes hold any bits.
    let rounded = unsafe { std::mem::transmute::<__m512bh, __m512i>(rounded) };
    _mm512_permutexvar_epi16(TURNS, rounded)
}

/// 0, 16, 1, 17 and so on.
const TURNS: __m512i = {
    let mut turns = [0u16; 32];
    let mut place = 0;
    while place < 32 {
        turns[place] = (place / 2 + 16 * (place % 2)) as u16;
        place += 1;
    }
    // SAFETY: both are 64 bytes, of which any are allowed.
    unsafe { std::mem::transmute(turns) }
};
