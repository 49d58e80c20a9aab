//! The products of [`crate::attend_blocks`] where blocks are kept as codes: expanded a few at a
//! time, or multiplied as they are where a token of an answer reads each code once.

use crate::bf16_product::Unit;
use crate::block_attention::{self, Band, BlockBuffers, CHUNK, Visit, is_by_lanes};
use crate::isa::Isa;
use crate::kv_block::{Block, BlockLayout, Stored};
use crate::kv_codes::Codes;
use crate::packed::{EMPTY, Tile};
#[cfg(target_arch = "x86_64")]
use crate::{
    avx512_codes,
    block_attention::FEW_ROWS,
    block_attention_lanes::{expand_queries, expand_weights, keeps_clear},
    kv_block::BLOCK_POSITIONS,
    softmax_weights::LEAST_POWER,
};

/// All scores.
pub(crate) fn score(unit: Unit, isa: Isa, band: &Band, buffers: &mut BlockBuffers) {
    let mut rest = &band.visits[..];
    while let Some(first) = rest.first() {
        let by_lanes = is_by_lanes(unit, band, first);
        let alike = rest.iter().take_while(|visit| is_by_lanes(unit, band, visit) == by_lanes);
        let (visits, after) = rest.split_at(alike.count());
        rest = after;
        #[cfg(target_arch = "x86_64")]
        if by_lanes && score_codes(isa, band, visits, buffers) {
            continue;
        }
        for visits in visits.chunks(CHUNK) {
            expanded(visits, buffers, expand_keys(isa), |visits, buffers| {
                block_attention::score(unit, isa, band, visits, buffers);
            });
        }
    }
}

/// Adds weighted values of visits that are alike; those of `ahead` come next.
pub(crate) fn mix(
    by_lanes: bool,
    isa: Isa,
    band: &Band,
    visits: &[Visit],
    ahead: &[Visit],
    buffers: &mut BlockBuffers,
) {
    #[cfg(target_arch = "x86_64")]
    if by_lanes && mix_codes(isa, band, visits, ahead, buffers) {
        return;
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = ahead;
    expanded(visits, buffers, expand_values(isa), |visits, buffers| {
        block_attention::mix(by_lanes, isa, band, visits, &[], buffers);
    });
}

fn codes<'a>(block: &Block<'a>) -> Codes<'a> {
    match block.stored {
        Stored::Codes(codes) => codes,
        Stored::Rounded(_) => unreachable!("a band has blocks of one form"),
    }
}

/// How one part of a block becomes tiles, and the block with these.
struct Expand<F> {
    tiles: fn(BlockLayout) -> usize,
    write: F,
    with: for<'a> fn(&Block<'a>, &'a [Tile]) -> Block<'a>,
}

fn expand_keys(isa: Isa) -> Expand<impl Fn(&Codes, &mut [Tile])> {
    Expand {
        tiles: |layout| 2 * layout.steps(),
        write: move |codes: &Codes, out: &mut [Tile]| codes.expand_keys(isa, out),
        with: |block, tiles| block.with_keys(tiles),
    }
}

fn expand_values(isa: Isa) -> Expand<impl Fn(&Codes, &mut [Tile])> {
    Expand {
        tiles: |layout| layout.strips(),
        write: move |codes: &Codes, out: &mut [Tile]| codes.expand_values(isa, out),
        with: |block, tiles| block.with_values(tiles),
    }
}

/// Gives `work` the visits with tiles in the place of codes.
fn expanded(
    visits: &[Visit],
    buffers: &mut BlockBuffers,
    expand: Expand<impl Fn(&Codes, &mut [Tile])>,
    work: impl FnOnce(&[Visit], &mut BlockBuffers),
) {
    let Some(first) = visits.first() else { return };
    let len = (expand.tiles)(first.block.layout());
    let mut tiles = std::mem::take(&mut buffers.expanded);
    tiles.resize((visits.len() * len).max(tiles.len()), EMPTY);
    for (visit, tiles) in visits.iter().zip(tiles.chunks_exact_mut(len)) {
        (expand.write)(&codes(&visit.block), tiles);
    }
    let own: Vec<Visit> = visits
        .iter()
        .zip(tiles.chunks_exact(len))
        .map(|(visit, tiles)| Visit { block: (expand.with)(&visit.block, tiles), ..visit.clone() })
        .collect();
    work(&own, buffers);
    drop(own);
    buffers.expanded = tiles;
}

/// Visits by which what is multiplied is asked for beforehand.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 3;

/// Scores from codes as they are, if that gives the same bits: the scale, a power of two, is taken
/// out of a sum in which nothing comes near a denormal number or infinity.
#[cfg(target_arch = "x86_64")]
fn score_codes(isa: Isa, band: &Band, visits: &[Visit], buffers: &mut BlockBuffers) -> bool {
    if isa.checked() != Isa::Avx512 {
        return false;
    }
    let (width, least) = expand_queries(isa, band, buffers);
    let left = &buffers.left[..band.rows * width];
    let small = left.iter().all(|x| x.abs() < LARGE_QUERY);
    let fits = |visit: &Visit| {
        has_few_rows(band, visit) && keeps_clear(least, visit.block.facts.least_key)
    };
    if !small || !visits.iter().all(fits) {
        return false;
    }
    for (place, visit) in visits.iter().enumerate() {
        let ahead = match visits.get(place + AHEAD) {
            Some(visit) => codes(&visit.block).keys,
            None => codes(&visits[(place + AHEAD - visits.len()).min(place)].block).values,
        };
        let rows = band.rows_of(visit);
        let job = avx512_codes::Scores {
            left: &left[rows.start * width..rows.end * width],
            width,
            codes: codes(&visit.block),
            ahead,
        };
        let at = rows.start * band.stride + band.score_of(visit.index);
        // SAFETY: `checked` saw the instructions.
        #[allow(unsafe_code)]
        unsafe {
            avx512_codes::score(&job, &mut buffers.scores[at..], band.stride);
        }
    }
    true
}

/// Whether so few rows see a visit's block that expanding it would cost more than it saves.
#[cfg(target_arch = "x86_64")]
fn has_few_rows(band: &Band, visit: &Visit) -> bool {
    band.rows_of(visit).len() <= FEW_ROWS
}

/// Queries below this, times codes that [`Codes`] does not call large, sum up to no infinity.
#[cfg(target_arch = "x86_64")]
const LARGE_QUERY: f32 = 1e18;

/// Adds weighted values from codes as they are, if that gives the same bits.
#[cfg(target_arch = "x86_64")]
fn mix_codes(
    isa: Isa,
    band: &Band,
    visits: &[Visit],
    ahead: &[Visit],
    buffers: &mut BlockBuffers,
) -> bool {
    let least = (127.0 + LEAST_POWER) as u32;
    let fits = |visit: &Visit| {
        let facts = visit.block.facts;
        has_few_rows(band, visit) && facts.finite && keeps_clear(least, facts.least_value)
    };
    if isa.checked() != Isa::Avx512 || !visits.iter().all(fits) {
        return false;
    }
    let mut left = [0.0; FEW_ROWS * BLOCK_POSITIONS];
    for (place, visit) in visits.iter().enumerate() {
        let rows = band.rows_of(visit);
        let left = &mut left[..rows.len() * BLOCK_POSITIONS];
        let at = rows.start * band.width;
        expand_weights(isa, rows, place, &buffers.weights, left);
        let next = visits[place..].iter().chain(ahead).nth(AHEAD);
        let codes_ahead = next.map_or(&[][..], |visit| codes(&visit.block).values);
        let job = avx512_codes::Mix { left, codes: codes(&visit.block), ahead: codes_ahead };
        // SAFETY: `checked` saw the instructions.
        #[allow(unsafe_code)]
        unsafe {
            avx512_codes::mix(&job, &mut buffers.mixed[at..], band.width);
        }
    }
    true
}
