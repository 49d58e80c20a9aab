//! Working memory of a thread.

use crate::block_attention::BlockBuffers;
use crate::chains::CHAIN;
#[cfg(target_arch = "x86_64")]
use crate::coded_tiles::Square;
use crate::memory::Buffer;
use crate::packed::{BLOCK_TILES, EMPTY, Tile};
use crate::panel::{BAND_TOKENS, PANEL_COLUMNS, PANEL_ROWS};
use crate::weight_gradient::TURNED;

/// Working memory for [`crate::linear`], its gradients and [`crate::attend`]: one per thread, made
/// once, used for every call. Its contents never influence a result.
#[derive(Clone)]
pub struct Scratch {
    panel: Vec<f32>,
    sums: Vec<f32>,
    /// Of attention; sums of tiles too.
    scores: Buffer<f32>,
    turned: Vec<f32>,
    tiles: Vec<Tile>,
    #[cfg(target_arch = "x86_64")]
    squares: Vec<Square>,
    pub(crate) blocks: BlockBuffers,
    /// Of products with activations of 8 bits.
    #[cfg(target_arch = "x86_64")]
    pub(crate) panel_of_codes: crate::int8::Panel,
    #[cfg(target_arch = "aarch64")]
    pub(crate) bytes: crate::int8_neon::BytePanel,
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "Scratch")
    }
}

/// Floats by which a buffer may have to be shifted to start on a cache line.
const SLACK: usize = 16;

impl Scratch {
    /// Scratch that serves any [`crate::linear`]; [`crate::attend`] grows it when a context is
    /// longer than any before (see [`Scratch::reserve_attention`]).
    pub fn new() -> Scratch {
        Scratch {
            panel: vec![0.0; PANEL_ROWS * PANEL_COLUMNS + SLACK],
            sums: vec![0.0; BAND_TOKENS * PANEL_ROWS + SLACK],
            scores: Buffer::EMPTY,
            turned: Vec::new(),
            tiles: Vec::new(),
            #[cfg(target_arch = "x86_64")]
            squares: Vec::new(),
            blocks: BlockBuffers::default(),
            #[cfg(target_arch = "x86_64")]
            panel_of_codes: crate::int8::Panel::default(),
            #[cfg(target_arch = "aarch64")]
            bytes: crate::int8_neon::BytePanel::default(),
        }
    }

    /// Makes room for attention of `queries` heads over `positions`, so that [`crate::attend`]
    /// up to that size allocates nothing.
    pub fn reserve_attention(&mut self, queries: usize, positions: usize) {
        self.scores.reach(queries * scores_stride(positions));
    }

    /// A decoded panel and its running sums, each on a cache line.
    pub(crate) fn linear(&mut self) -> (&mut [f32], &mut [f32]) {
        (aligned(&mut self.panel), aligned(&mut self.sums))
    }

    /// A panel on a cache line, and `sums` running sums.
    pub(crate) fn rounded(&mut self, sums: usize) -> (&mut [f32], &mut [f32]) {
        (aligned(&mut self.panel), self.scores.reach(sums))
    }

    /// Turned factors (made at first use), a panel and its running sums.
    pub(crate) fn weight_gradient(&mut self) -> (&mut [f32], &mut [f32], &mut [f32]) {
        self.turned.resize(TURNED + SLACK, 0.0);
        (aligned(&mut self.turned), aligned(&mut self.panel), aligned(&mut self.sums))
    }

    /// Four blocks of tiles (made at first use), a decoded panel and `sums` running sums.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // only there are tiles
    pub(crate) fn tiles(&mut self, sums: usize) -> TileScratch<'_> {
        if self.tiles.len() < 4 * BLOCK_TILES {
            self.tiles.resize(4 * BLOCK_TILES, EMPTY);
        }
        let (tiles, panel) = (&mut self.tiles[..4 * BLOCK_TILES], aligned(&mut self.panel));
        TileScratch { tiles, panel, sums: self.scores.reach(sums) }
    }

    /// Tiles, and sums of products with tiles, made at first use.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn coded(&mut self, tiles: usize, squares: usize) -> (&mut [Tile], &mut [Square]) {
        if self.tiles.len() < tiles {
            self.tiles.resize(tiles, EMPTY);
        }
        if self.squares.len() < squares {
            self.squares.resize(squares, Square::EMPTY);
        }
        (&mut self.tiles[..tiles], &mut self.squares[..squares])
    }

    /// Score rows `[queries, scores_stride(positions)]` and the running sums.
    pub(crate) fn attention(
        &mut self,
        queries: usize,
        positions: usize,
    ) -> (&mut [f32], &mut [f32]) {
        self.reserve_attention(queries, positions);
        (&mut self.scores, aligned(&mut self.sums))
    }
}

/// See [`Scratch::tiles`].
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // as there
pub(crate) struct TileScratch<'a> {
    pub tiles: &'a mut [Tile],
    pub panel: &'a mut [f32],
    pub sums: &'a mut [f32],
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch::new()
    }
}

/// Floats per row of scores for a span of `positions` that may start and end inside a block.
pub(crate) fn scores_stride(positions: usize) -> usize {
    (positions + 2 * CHAIN).next_multiple_of(CHAIN)
}

fn aligned(buffer: &mut [f32]) -> &mut [f32] {
    let shift = buffer.as_ptr().align_offset(64).min(SLACK);
    let len = buffer.len() - SLACK;
    &mut buffer[shift..shift + len]
}
