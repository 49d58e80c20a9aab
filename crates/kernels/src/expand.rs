//! Weights as the left operands of tiles: decoded, then rounded to `bf16`.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::avx512_expand;
use crate::isa::{Isa, on_isa};
use crate::lanes::LANES;
use crate::packed::{TILE_DEPTH, Tile, round, turn};
use crate::panel::Stored;

/// Fills `tiles[column / 32]` with 16 rows; columns beyond the last are zeros. Calls `after` for
/// each row, so that something else can be done between them.
pub(crate) fn expand(
    stored: &Stored,
    tiles: &mut [Tile],
    panel: &mut [f32],
    mut after: impl FnMut(usize),
) {
    let tiles = &mut tiles[..stored.len.div_ceil(TILE_DEPTH)];
    stored.check();
    assert!(avx512_expand::is_available(), "tiles without conversion to bf16");
    // SAFETY: the assertion saw the instructions (those that every unit of tiles has beside it were
    // asked for when it was chosen), `check` the rows, and the tiles are as many as they need.
    if unsafe { avx512_expand::expand(stored, tiles, &mut after) } {
        return;
    }
    stored.decode(Isa::Avx512, panel);
    let columns = &panel.as_chunks::<LANES>().0[..stored.len];
    on_isa!(Isa::Avx512, round_pairs(columns: &[[f32; LANES]], tiles: &mut [Tile]));
    turn(Isa::Avx512, tiles);
    (0..LANES).for_each(after);
}

/// Tiles as right operands, the columns of the matrix being the terms.
#[inline(always)]
fn round_pairs(columns: &[[f32; LANES]], tiles: &mut [Tile]) {
    for (columns, tile) in columns.chunks(TILE_DEPTH).zip(tiles) {
        for (pair, out) in tile.0.iter_mut().enumerate() {
            let zeros = [0.0; LANES];
            let [even, odd] = [0, 1].map(|i| columns.get(2 * pair + i).unwrap_or(&zeros));
            for ((out, even), odd) in out.iter_mut().zip(even).zip(odd) {
                *out = [round(*even), round(*odd)];
            }
        }
    }
}
