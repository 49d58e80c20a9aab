//! A strip of codes, decoded once for many tokens.

use crate::coded::Factors;
use crate::lanes::{LANES, Lanes};

/// Words of a tile's row.
pub(crate) const WORDS: usize = 8;

/// Four codes of each row, as bytes.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Words(pub [[u8; 4]; LANES]);

/// A tile's codes, and its factors.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Decoded {
    pub words: [Words; WORDS],
    /// One, or one for each half.
    pub scale: [Lanes; 2],
    pub least: Lanes,
}

impl Decoded {
    const EMPTY: Decoded = Decoded {
        words: [Words([[0; 4]; LANES]); WORDS],
        scale: [[0.0; LANES]; 2],
        least: [0.0; LANES],
    };

    /// Takes the factors of tile `tile` of a span; `parts` is how many scales it has.
    #[inline(always)]
    pub fn take(&mut self, factors: &Factors, tile: usize, parts: usize) {
        self.scale[..parts].copy_from_slice(&factors.scale[parts * tile..][..parts]);
        self.least = factors.least[tile];
    }
}

/// The tiles of a strip.
#[derive(Clone, Debug, Default)]
pub(crate) struct Panel(Vec<Decoded>);

impl Panel {
    /// Room for so many tiles, which hold anything.
    pub fn reach(&mut self, tiles: usize) -> &mut [Decoded] {
        if self.0.len() < tiles {
            self.0.resize(tiles, Decoded::EMPTY);
        }
        &mut self.0[..tiles]
    }
}
