//! AVX2: strips of tokens against a panel of weights.
#![allow(unsafe_code)] // intrinsics on pointers; callers check bounds and processor first

use crate::block_attention_lanes::Begin;
use crate::chains::CHAIN;
use crate::lanes::LANES;
use crate::rounded_lanes::{Product, STRIDE};
use crate::strips::MOST_TOKENS;
use std::arch::x86_64::*;
use std::hint::black_box;

/// Lanes of a register.
const WIDTH: usize = 8;
/// Steps of a chain that are written out.
const STEPS: usize = 4;

/// Chains of `T` tokens: with 6, they take 12 of the 16 registers, two of weights and one factor
/// three more. The even chains of a block wait in memory while the odd ones are computed: that
/// takes fewer loads for each multiplication than both at once of half as many tokens.
type Chain<const T: usize> = [[__m256; 2]; T];

/// See [`Product::run`].
///
/// # Safety
/// The processor has the features named, and the bounds that `Product::run` asserts hold.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn multiply(job: Product) {
    let (whole, len) = (job.tokens / MOST_TOKENS * MOST_TOKENS, job.len);
    let (x, sums) = (job.x.as_ptr(), job.sums.as_mut_ptr());
    let terms = (len, job.begin);
    for half in 0..job.halves {
        // SAFETY: the half is one of the panel, the tokens of each strip are the job's.
        unsafe {
            let panel = job.panel.as_ptr().add(half * Product::HALF);
            let strip =
                |token: usize| (x.add(token * len), sums.add(token * STRIDE + half * LANES));
            for token in (0..whole).step_by(MOST_TOKENS) {
                add_strip::<MOST_TOKENS>(strip(token), panel, terms);
            }
            let rest = strip(whole);
            match job.tokens - whole {
                1 => add_strip::<1>(rest, panel, terms),
                2 => add_strip::<2>(rest, panel, terms),
                3 => add_strip::<3>(rest, panel, terms),
                4 => add_strip::<4>(rest, panel, terms),
                5 => add_strip::<5>(rest, panel, terms),
                _ => {}
            }
        }
    }
}

/// All terms of a strip of `T` tokens, and where its sums are.
///
/// # Safety
/// As [`multiply`]: there are `len` terms of `T` tokens, as many columns, and sums of each token.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn add_strip<const T: usize>(
    (x, out): (*const f32, *mut f32),
    panel: *const f32,
    (len, begin): (usize, Begin),
) {
    if begin == Begin::Zero {
        // SAFETY: the sums are there, as promised by the caller.
        unsafe { clear::<T>(out, STRIDE) };
    }
    for at in (0..len).step_by(CHAIN) {
        // SAFETY: the terms from `at` on are among `len`.
        unsafe {
            let left = Left { x: x.add(at * T), row: 1, term: T };
            let closed = close::<T>(left, panel.add(at * LANES), CHAIN.min(len - at));
            closed.add(out, STRIDE);
        }
    }
}

/// Factors of some rows: where the first one's first is, how far it is to the next row and to the
/// next term.
#[derive(Clone, Copy)]
pub(crate) struct Left {
    pub x: *const f32,
    pub row: usize,
    pub term: usize,
}

impl Left {
    /// From a later term on.
    ///
    /// # Safety
    /// There are so many terms.
    #[inline]
    unsafe fn from(self, term: usize) -> Left {
        // SAFETY: as promised by the caller.
        Left { x: unsafe { self.x.add(term * self.term) }, ..self }
    }
}

/// Chains that are at their end: the odd ones, and where the even ones are kept.
pub(crate) struct Closed<const T: usize> {
    even: Chain<T>,
    odd: Chain<T>,
}

/// The chains of up to 32 terms of `T` rows.
///
/// # Safety
/// There are so many terms of as many rows, and columns of the panel.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn close<const T: usize>(
    left: Left,
    panel: *const f32,
    terms: usize,
) -> Closed<T> {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        let mut even = chain::<T>(left, panel, terms.div_ceil(2));
        // All of them at once to memory: left to itself the compiler moves them one by one in
        // between the steps of the other chains, which then take a twentieth longer.
        let even = black_box(&mut even);
        let odd = chain::<T>(left.from(1), panel.add(LANES), terms / 2);
        Closed { even: *even, odd }
    }
}

impl<const T: usize> Closed<T> {
    /// Added to the sums of each row.
    ///
    /// # Safety
    /// There are 16 of each row, `stride` floats from one to the next.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(crate) unsafe fn add(self, out: *mut f32, stride: usize) {
        for (row, (even, odd)) in self.even.into_iter().zip(self.odd).enumerate() {
            for part in 0..2 {
                // SAFETY: as promised by the caller.
                unsafe {
                    let sum = out.add(row * stride + part * WIDTH);
                    let closed = _mm256_add_ps(even[part], odd[part]);
                    _mm256_storeu_ps(sum, _mm256_add_ps(_mm256_loadu_ps(sum), closed));
                }
            }
        }
    }
}

/// Zeros as the sums of `T` rows.
///
/// # Safety
/// There are 16 of each row, `stride` floats from one to the next.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn clear<const T: usize>(out: *mut f32, stride: usize) {
    for row in 0..T {
        for part in 0..2 {
            // SAFETY: as promised by the caller.
            unsafe { _mm256_storeu_ps(out.add(row * stride + part * WIDTH), _mm256_setzero_ps()) };
        }
    }
}

/// A chain over every second term.
///
/// # Safety
/// There are `steps` of them, and as many columns.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn chain<const T: usize>(mut left: Left, mut panel: *const f32, steps: usize) -> Chain<T> {
    let mut sums = [[_mm256_setzero_ps(); 2]; T];
    // SAFETY: each step is below `steps`.
    unsafe {
        for _ in 0..steps / STEPS {
            for step in 0..STEPS {
                step_of::<T>(&mut sums, left.from(2 * step), panel.add(2 * LANES * step));
            }
            (left, panel) = (left.from(2 * STEPS), panel.add(2 * LANES * STEPS));
        }
        for step in 0..steps % STEPS {
            step_of::<T>(&mut sums, left.from(2 * step), panel.add(2 * LANES * step));
        }
    }
    sums
}

/// One step of a chain.
///
/// # Safety
/// There are a term of `T` rows, and 16 weights.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn step_of<const T: usize>(sums: &mut Chain<T>, left: Left, panel: *const f32) {
    // SAFETY: as promised by the caller.
    unsafe {
        let (low, high) = (_mm256_loadu_ps(panel), _mm256_loadu_ps(panel.add(WIDTH)));
        for (row, sums) in sums.iter_mut().enumerate() {
            let x = _mm256_set1_ps(*left.x.add(row * left.row));
            sums[0] = _mm256_fmadd_ps(low, x, sums[0]);
            sums[1] = _mm256_fmadd_ps(high, x, sums[1]);
        }
    }
}
