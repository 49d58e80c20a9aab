//! Scores of a few blocks turned into weights, as the left operand of a product.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::block_attention::{Band, BlockBuffers, CHUNK, Visit};
use crate::isa::{Isa, on_isa};
use crate::kv_block::BLOCK_POSITIONS;
use crate::lanes::{LANES, Lanes};
use crate::softmax_weights::{self, Slope};

/// Writes the weights of the blocks of `visits` (at most [`CHUNK`]) and adds them to the lanes of
/// their rows. What a row does not see has the weight 0.
pub(crate) fn weigh(isa: Isa, band: &Band, visits: &[Visit], buffers: &mut BlockBuffers) {
    match isa.checked() {
        // SAFETY: `checked` saw the instructions.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { crate::avx512_weights::weigh(band, visits, buffers) },
        _ => {
            on_isa!(isa, weigh_body(band: &Band, visits: &[Visit], buffers: &mut BlockBuffers));
        }
    }
}

#[inline(always)]
fn weigh_body(band: &Band, visits: &[Visit], buffers: &mut BlockBuffers) {
    each(band, visits, buffers, softmax_weights::weigh);
}

/// Calls `of_block` with each row's scores of each block that it sees, its slope, where the weights
/// go, and its lanes.
#[inline(always)]
pub(crate) fn each(
    band: &Band,
    visits: &[Visit],
    buffers: &mut BlockBuffers,
    of_block: impl Fn(&[f32; BLOCK_POSITIONS], Slope, &mut [u16; BLOCK_POSITIONS], &mut Lanes),
) {
    for row in 0..band.rows {
        let scores = &buffers.scores[row * band.stride..][..band.stride];
        let tiles = &mut buffers.weights[row / LANES * CHUNK..][..visits.len()];
        let (slope, mut lanes) = (buffers.slopes[row].0, buffers.lanes[row]);
        for (visit, tile) in visits.iter().zip(tiles) {
            let weights = tile.0[row % LANES].as_flattened_mut().first_chunk_mut();
            let weights: &mut [u16; BLOCK_POSITIONS] = weights.expect("a row of a tile");
            if !band.sees(row, visit) {
                weights.fill(0);
                continue;
            }
            let scores = scores[band.score_of(visit.index)..].first_chunk::<BLOCK_POSITIONS>();
            let scores = scores.expect("a row has scores of all that it sees");
            of_block(scores, slope, weights, &mut lanes);
        }
        buffers.lanes[row] = lanes;
    }
}
