//! Attention over blocks of keys and values, which sequences may share.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::attention::Scoring;
use crate::bf16_product::Unit;
#[cfg(target_arch = "x86_64")]
use crate::block_attention_tiles;
use crate::isa::{Isa, on_isa};
use crate::kv_block::{BLOCK_POSITIONS, Block, BlockForm, Stored};
use crate::lanes::{LANES, Lanes};
use crate::packed::{EMPTY, TILE_DEPTH, Tile, round};
use crate::scratch::Scratch;
use crate::softmax_weights::{Slope, prepare, total};
use crate::{block_attention_codes, block_attention_lanes, block_attention_weights};
use std::ops::Range;

/// Blocks whose weights are computed, then used, before the next: what they take stays in the
/// first cache.
pub(crate) const CHUNK: usize = 8;

/// Rows of a block up to which its products are no work for tiles: as many as lanes multiply while
/// memory gives the next block. Tiles are no faster then, and are at times held up.
pub(crate) const FEW_ROWS: usize = 4;

/// A block that some tokens see.
#[derive(Clone, Debug)]
pub struct Visit<'a> {
    /// Keys and values.
    pub block: Block<'a>,
    /// Which 32 positions it holds: the first of them, divided by 32.
    pub index: usize,
    /// The tokens whose sequences it belongs to.
    pub tokens: Range<usize>,
}

/// Attention of several tokens over keys and values in blocks of one form: `queries` and `out` are
/// `[tokens, group, head_dim]`; token t sees `positions[t]` of its sequence, and `scoring` says
/// how. The visits of a token are sorted by index and are at least the blocks with positions that
/// it sees.
///
/// Sums and weights are those of `docs/numerics.md`, "Attention over a cache in bf16". Each token
/// has the bits that it has alone, whoever shares its blocks.
///
/// # Panics
/// When a slice does not fit the shapes, a token sees no position, a block is missing, there are
/// sinks for another number of queries, or the scale is not positive.
pub fn attend_blocks(
    isa: Isa,
    queries: &[f32],
    visits: &[Visit],
    positions: &[Range<usize>],
    scoring: &Scoring,
    out: &mut [f32],
    scratch: &mut Scratch,
) {
    attend_on(Unit::of(isa), isa, queries, visits, positions, scoring, out, scratch);
}

#[allow(clippy::too_many_arguments)] // those of `attend_blocks` and the unit
pub(crate) fn attend_on(
    unit: Unit,
    isa: Isa,
    queries: &[f32],
    visits: &[Visit],
    positions: &[Range<usize>],
    scoring: &Scoring,
    out: &mut [f32],
    scratch: &mut Scratch,
) {
    assert!(!positions.is_empty() && scoring.scale > 0.0, "tokens, and a scale above zero");
    let share = queries.len() / positions.len();
    let Some(head_dim) = visits.first().map(|visit| visit.block.head_dim()) else {
        panic!("no blocks to attend to");
    };
    let shaped = share.is_multiple_of(head_dim) && share * positions.len() == queries.len();
    assert!(shaped && share > 0, "queries are [tokens, group, head_dim]");
    assert_eq!(out.len(), queries.len(), "out is [tokens, group, head_dim]");
    let group = share / head_dim;
    assert!([0, group].contains(&scoring.sinks.len()), "sinks are [group]");
    let band = Band::new(head_dim, group, visits, positions);
    let buffers = &mut scratch.blocks;
    buffers.make_room(&band);
    buffers.pack_queries(isa, &band, queries);
    match form(&band.visits) {
        BlockForm::Bf16 => score(unit, isa, &band, &band.visits, buffers),
        BlockForm::Mxint8 => block_attention_codes::score(unit, isa, &band, buffers),
    }
    buffers.prepare(isa, &band, scoring);
    let mut rest = &band.visits[..];
    while let Some(first) = rest.first() {
        let by_lanes = is_by_lanes(unit, &band, first);
        let alike = rest.iter().take(CHUNK);
        let alike = alike.take_while(|visit| is_by_lanes(unit, &band, visit) == by_lanes);
        let (visits, ahead) = rest.split_at(alike.count());
        block_attention_weights::weigh(isa, &band, visits, buffers);
        match form(visits) {
            BlockForm::Bf16 => mix(by_lanes, isa, &band, visits, ahead, buffers),
            BlockForm::Mxint8 => {
                block_attention_codes::mix(by_lanes, isa, &band, visits, ahead, buffers);
            }
        }
        rest = ahead;
    }
    buffers.divide(isa, &band, out);
}

/// How blocks that are of one kind are kept.
fn form(visits: &[Visit]) -> BlockForm {
    match visits.first().map(|visit| &visit.block.stored) {
        Some(Stored::Codes(_)) => BlockForm::Mxint8,
        _ => BlockForm::Bf16,
    }
}

/// Whether the products of a visit are no work for tiles, which 16 rows fill.
pub(crate) fn is_by_lanes(unit: Unit, band: &Band, visit: &Visit) -> bool {
    matches!(unit, Unit::Lanes(_)) || band.rows_of(visit).len() <= FEW_ROWS
}

/// The scores of visits whose keys are tiles.
pub(crate) fn score(
    unit: Unit,
    isa: Isa,
    band: &Band,
    visits: &[Visit],
    buffers: &mut BlockBuffers,
) {
    let by_lanes = |visit: &Visit| is_by_lanes(unit, band, visit);
    let few = visits.iter().filter(|visit| by_lanes(visit)).count();
    if few > 0 {
        block_attention_lanes::score(isa, band, visits, buffers, by_lanes);
    }
    #[cfg(target_arch = "x86_64")]
    if few < visits.len() {
        block_attention_tiles::score(band, visits, buffers, |visit| !by_lanes(visit));
    }
}

/// Adds weighted values, which are tiles, of visits that are alike; those of `ahead` come next.
pub(crate) fn mix(
    by_lanes: bool,
    isa: Isa,
    band: &Band,
    visits: &[Visit],
    ahead: &[Visit],
    buffers: &mut BlockBuffers,
) {
    // What is infinite or no number may not be multiplied by the zero of one who does not see it.
    if !visits.iter().all(|visit| visit.block.facts.finite) {
        return block_attention_lanes::mix_cleaned(band, visits, buffers);
    }
    match by_lanes {
        #[cfg(target_arch = "x86_64")]
        false => {
            let ahead = &ahead[..ahead.len().min(CHUNK)];
            block_attention_tiles::mix(band, visits, ahead, buffers);
        }
        _ => block_attention_lanes::mix(isa, band, visits, ahead, buffers),
    }
}

/// The rows of a product: the queries of all tokens, token after token.
pub(crate) struct Band<'a> {
    pub head_dim: usize,
    pub group: usize,
    pub rows: usize,
    pub positions: &'a [Range<usize>],
    /// Those that any token sees something of.
    pub visits: Vec<Visit<'a>>,
    /// The first block that scores are kept of.
    pub first: usize,
    /// Floats from one row of scores to the next.
    pub stride: usize,
    /// Floats of a row of sums: elements of a head and room for whole tiles.
    pub width: usize,
}

impl<'a> Band<'a> {
    fn new(
        head_dim: usize,
        group: usize,
        visits: &[Visit<'a>],
        positions: &'a [Range<usize>],
    ) -> Band<'a> {
        assert!(positions.iter().all(|seen| seen.start < seen.end), "no positions to attend to");
        let layout = visits[0].block.layout();
        let first = positions.iter().map(|seen| seen.start / BLOCK_POSITIONS).min().unwrap_or(0);
        let end = positions.iter().map(|seen| seen.end.div_ceil(BLOCK_POSITIONS)).max();
        let end = end.unwrap_or(first);
        let mut found = vec![0; positions.len()];
        let mut kept = Vec::with_capacity(visits.len());
        for visit in visits {
            assert_eq!(visit.block.layout(), layout, "blocks of one form and head");
            let sees = |token: &usize| sees(&positions[*token], visit.index);
            let (Some(from), Some(to)) =
                (visit.tokens.clone().find(sees), visit.tokens.clone().rfind(sees))
            else {
                continue;
            };
            let tokens = from..to + 1;
            tokens.clone().filter(sees).for_each(|token| found[token] += 1);
            kept.push(Visit { tokens, ..*visit });
        }
        let missing = positions.iter().zip(&found).any(|(seen, found)| {
            seen.end.div_ceil(BLOCK_POSITIONS) - seen.start / BLOCK_POSITIONS != *found
        });
        assert!(!missing, "a token sees positions of which there is no block, or several");
        let width = head_dim.next_multiple_of(4 * LANES);
        // Rows of tiles at a large power of two would all compete for one set of the first cache.
        let stride = (end - first) * BLOCK_POSITIONS + LANES;
        let rows = positions.len() * group;
        Band { head_dim, group, rows, positions, visits: kept, first, stride, width }
    }

    /// The rows of a visit.
    pub fn rows_of(&self, visit: &Visit) -> Range<usize> {
        visit.tokens.start * self.group..visit.tokens.end * self.group
    }

    /// Groups of 16 rows.
    pub fn strips(&self) -> usize {
        self.rows.div_ceil(LANES)
    }

    /// Whether a row sees something of a visit's block.
    pub fn sees(&self, row: usize, visit: &Visit) -> bool {
        let token = row / self.group;
        visit.tokens.contains(&token) && sees(&self.positions[token], visit.index)
    }

    /// Where a row's scores of a block begin, counted from its first score.
    pub fn score_of(&self, index: usize) -> usize {
        (index - self.first) * BLOCK_POSITIONS
    }
}

fn sees(seen: &Range<usize>, index: usize) -> bool {
    let (start, end) = (index * BLOCK_POSITIONS, (index + 1) * BLOCK_POSITIONS);
    seen.start < end && start < seen.end
}

/// What attention over blocks keeps while it works.
#[derive(Clone, Default)]
pub(crate) struct BlockBuffers {
    /// The queries: `[strips of rows][steps]`.
    pub queries: Vec<Tile>,
    /// `[rows up to a multiple of 16][stride]`
    pub scores: Vec<f32>,
    /// `[strips of rows][CHUNK]`
    pub weights: Vec<Tile>,
    /// Sums of weighted values: `[rows up to a multiple of 16][width]`.
    pub mixed: Vec<f32>,
    /// By row.
    pub lanes: Vec<Lanes>,
    pub slopes: Vec<(Slope, f32)>,
    /// Rows on the left of a product, as floats.
    pub left: Vec<f32>,
    /// Keys or values of a few blocks that are kept as codes.
    pub expanded: Vec<Tile>,
}

impl BlockBuffers {
    fn make_room(&mut self, band: &Band) {
        let (strips, steps) = (band.strips(), band.visits[0].block.layout().steps());
        self.queries.resize((strips * steps).max(self.queries.len()), EMPTY);
        self.weights.resize((strips * CHUNK).max(self.weights.len()), EMPTY);
        let scores = strips * LANES * band.stride;
        self.scores.resize(scores.max(self.scores.len()), 0.0);
        self.mixed.clear();
        self.mixed.resize(strips * LANES * band.width, 0.0);
        self.lanes.clear();
        self.lanes.resize(band.rows, [0.0; LANES]);
    }

    fn pack_queries(&mut self, isa: Isa, band: &Band, queries: &[f32]) {
        let (steps, head_dim) = (band.visits[0].block.layout().steps(), band.head_dim);
        let tiles = &mut self.queries[..];
        on_isa!(
            isa,
            pack_body(tiles: &mut [Tile], steps: usize, head_dim: usize, queries: &[f32])
        );
    }

    /// Makes scores ready to become weights.
    fn prepare(&mut self, isa: Isa, band: &Band, scoring: &Scoring) {
        self.slopes.clear();
        for row in 0..band.rows {
            let seen = &band.positions[row / band.group];
            let (first, end) = (seen.start / BLOCK_POSITIONS, seen.end.div_ceil(BLOCK_POSITIONS));
            let from = row * band.stride + band.score_of(first);
            let scores = &mut self.scores[from..][..(end - first) * BLOCK_POSITIONS];
            let base = first * BLOCK_POSITIONS;
            let seen = seen.start - base..seen.end - base;
            self.slopes.push(prepare(isa, scores, seen, scoring, row % band.group));
        }
    }

    fn divide(&self, isa: Isa, band: &Band, out: &mut [f32]) {
        let rows = out.chunks_exact_mut(band.head_dim).zip(self.mixed.chunks_exact(band.width));
        for ((out, mixed), (lanes, (_, sink))) in rows.zip(self.lanes.iter().zip(&self.slopes)) {
            let total = total(*lanes, *sink);
            on_isa!(isa, divide_body(mixed: &[f32], total: f32, out: &mut [f32]));
        }
    }
}

#[inline(always)]
fn pack_body(tiles: &mut [Tile], steps: usize, head_dim: usize, queries: &[f32]) {
    for (row, query) in queries.chunks_exact(head_dim).enumerate() {
        let tiles = &mut tiles[row / LANES * steps..][..steps];
        for (tile, chunk) in tiles.iter_mut().zip(query.chunks(TILE_DEPTH)) {
            let out = tile.0[row % LANES].as_flattened_mut();
            if let Ok(chunk) = <&[f32; TILE_DEPTH]>::try_from(chunk) {
                out.iter_mut().zip(chunk).for_each(|(out, x)| *out = round(*x));
                continue;
            }
            out[chunk.len()..].fill(0);
            out.iter_mut().zip(chunk).for_each(|(out, x)| *out = round(*x));
        }
    }
}

#[inline(always)]
fn divide_body(mixed: &[f32], total: f32, out: &mut [f32]) {
    // A sum that was flushed may be -0, or +0 if zeros were added to it for others.
    out.iter_mut().zip(mixed).for_each(|(out, mixed)| *out = (mixed + 0.0) / total);
}

#[cfg(test)]
mod tests;
