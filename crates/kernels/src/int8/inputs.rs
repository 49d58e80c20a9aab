//! Activations as numbers of 8 bits.

use crate::coded::TILE_COLUMNS;
use crate::isa::{Isa, on_isa};
use std::ops::Range;

/// In which order the numbers of 8 columns lie: that in which their codes do in a word of
/// [`crate::Coded`]'s, four of them in each half of its bits.
pub(crate) const ORDER: [usize; 8] = [0, 4, 1, 5, 2, 6, 3, 7];

/// The least magnitude that counts (2^-100): the largest of 32 that is below it makes all of them
/// zero.
const LEAST: u32 = (127 - 100) << 23;
/// An infinity's magnitude; that of a NaN is above it.
const INFINITE: u32 = 0x7f80_0000;
/// 1.5 · 2^23: a small number that is added to it is rounded to a whole one, ties to even.
const ROUNDING: f32 = 12_582_912.0;
/// The largest number.
const MOST: f32 = 127.0;

/// What goes with the numbers of 32 columns.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub(crate) struct Block {
    /// What the numbers are multiplied with.
    pub scale: f32,
    /// Their sum times that.
    pub sum: f32,
    /// The negative of their sum.
    pub less: i32,
    /// That of the first 16.
    pub less_of_half: i32,
}

#[cfg(target_arch = "x86_64")]
impl Block {
    /// The negative of the sum of the numbers of a part, the tile having so many.
    #[inline(always)]
    pub fn less_of(self, part: usize, parts: usize) -> i32 {
        match (parts, part) {
            (1, _) => self.less,
            (_, 0) => self.less_of_half,
            _ => self.less - self.less_of_half,
        }
    }
}

/// Activations in 8 bits, with a scale for each 32, ready for [`crate::linear_int8`] with any
/// number of matrices.
#[derive(Clone, Debug)]
pub struct Int8Inputs {
    isa: Isa,
    tokens: usize,
    columns: usize,
    /// `[tokens, columns]`, each 8 in [`ORDER`].
    numbers: Vec<i8>,
    /// `[tokens, columns / 32]`
    blocks: Vec<Block>,
}

/// Where the activations of `T` tokens lie: as many numbers as there are columns, and a block for
/// each 32 of them.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places<const T: usize> {
    pub numbers: [*const i8; T],
    pub blocks: [*const Block; T],
}

/// Some tokens, for a thread to round.
#[derive(Debug)]
pub struct Int8Piece<'a> {
    isa: Isa,
    x: &'a [f32],
    numbers: &'a mut [i8],
    blocks: &'a mut [Block],
}

/// Tokens that a thread rounds together.
const PIECE_TOKENS: usize = 8;

impl Default for Int8Inputs {
    fn default() -> Int8Inputs {
        let (numbers, blocks) = (Vec::new(), Vec::new());
        Int8Inputs { isa: Isa::Scalar, tokens: 0, columns: 0, numbers, blocks }
    }
}

impl Int8Inputs {
    /// Takes the shape of `x` (`[tokens, columns]`) and returns the pieces to be rounded, each of
    /// which may be done by a thread of its own. Until all are, its values are any.
    ///
    /// # Panics
    /// When `x` is not whole rows, columns are not a multiple of 32, or this processor lacks the
    /// instructions.
    pub fn pieces<'a>(&'a mut self, isa: Isa, x: &'a [f32], columns: usize) -> Vec<Int8Piece<'a>> {
        assert!(columns > 0 && columns.is_multiple_of(TILE_COLUMNS), "columns are whole blocks");
        let tokens = x.len() / columns;
        assert_eq!(x.len(), tokens * columns, "x is [tokens, columns]");
        (self.isa, self.tokens, self.columns) = (isa.checked(), tokens, columns);
        if self.numbers.len() < x.len() {
            self.numbers.resize(x.len(), 0);
            self.blocks.resize(x.len() / TILE_COLUMNS, Block::default());
        }
        let len = PIECE_TOKENS * columns;
        let numbers = self.numbers[..x.len()].chunks_mut(len);
        let blocks = self.blocks.chunks_mut(len / TILE_COLUMNS);
        let pieces = x.chunks(len).zip(numbers).zip(blocks);
        pieces.map(|((x, numbers), blocks)| Int8Piece { isa, x, numbers, blocks }).collect()
    }

    /// Rows of the activations.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Length of each.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    pub(crate) fn isa(&self) -> Isa {
        self.isa
    }

    /// The numbers of a token.
    pub(crate) fn numbers(&self, token: usize) -> &[i8] {
        &self.numbers[token * self.columns..][..self.columns]
    }

    /// Where the numbers of `T` tokens lie, and what goes with them.
    ///
    /// # Panics
    /// When there are not so many.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub(crate) fn places<const T: usize>(&self, first: usize) -> Places<T> {
        let (columns, blocks) = (self.columns, self.columns / TILE_COLUMNS);
        let numbers = self.numbers[first * columns..][..T * columns].as_ptr();
        let of_blocks = self.blocks[first * blocks..][..T * blocks].as_ptr();
        Places {
            numbers: std::array::from_fn(|token| numbers.wrapping_add(token * columns)),
            blocks: std::array::from_fn(|token| of_blocks.wrapping_add(token * blocks)),
        }
    }

    /// What goes with each 32 of them.
    pub(crate) fn blocks(&self, token: usize) -> &[Block] {
        let blocks = self.columns / TILE_COLUMNS;
        &self.blocks[token * blocks..][..blocks]
    }
}

impl Int8Piece<'_> {
    /// Rounds this piece.
    pub fn pack(self) {
        let Int8Piece { isa, x, numbers, blocks } = self;
        on_isa!(isa, put(x: &[f32], numbers: &mut [i8], blocks: &mut [Block]));
    }
}

#[inline(always)]
fn put(x: &[f32], numbers: &mut [i8], blocks: &mut [Block]) {
    let x = x.as_chunks::<TILE_COLUMNS>().0;
    let numbers = numbers.as_chunks_mut::<TILE_COLUMNS>().0;
    for ((x, numbers), block) in x.iter().zip(numbers).zip(blocks) {
        *block = put_block(x, numbers);
    }
}

/// Numbers of 32 activations, and what goes with them.
#[inline(always)]
fn put_block(x: &[f32; TILE_COLUMNS], numbers: &mut [i8; TILE_COLUMNS]) -> Block {
    let most = x.iter().fold(0, |most, x| most.max(x.to_bits() & 0x7fff_ffff));
    if !(LEAST..INFINITE).contains(&most) {
        *numbers = [0; TILE_COLUMNS];
        let scale = if most < LEAST { 0.0 } else { f32::NAN };
        return Block { scale, sum: scale, less: 0, less_of_half: 0 };
    }
    let most = f32::from_bits(most);
    let (scale, by) = (most / MOST, MOST / most);
    let mut whole = [0; TILE_COLUMNS];
    for (whole, x) in whole.iter_mut().zip(x) {
        *whole = (x * by + ROUNDING).to_bits() as i32 - ROUNDING.to_bits() as i32;
    }
    let eights = whole.as_chunks::<8>().0.iter().zip(numbers.as_chunks_mut::<8>().0);
    for (whole, numbers) in eights {
        for (place, number) in numbers.iter_mut().enumerate() {
            *number = whole[ORDER[place]] as i8;
        }
    }
    let sum = |columns: Range<usize>| whole[columns].iter().sum::<i32>();
    let (first, second) = (sum(0..TILE_COLUMNS / 2), sum(TILE_COLUMNS / 2..TILE_COLUMNS));
    let all = first + second;
    Block { scale, sum: scale * all as f32, less: -all, less_of_half: -first }
}
