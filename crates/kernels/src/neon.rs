//! NEON: four registers hold 16 lanes.
#![allow(unsafe_code)] // intrinsics on pointers; callers check bounds and processor first

use crate::chains::{CHAIN, Chains};
use crate::lanes::LANES;
use std::arch::aarch64::*;

/// Tokens whose chains are kept in registers together: 3 tokens x 4 registers x (even, odd), their
/// factors and the weights take 31 of the 32 registers.
const TOKENS: usize = 3;
/// Lanes of a register.
const WIDTH: usize = 4;
/// 16 lanes.
pub(crate) type Quads = [float32x4_t; LANES / WIDTH];

/// See [`Chains::run`].
///
/// # Safety
/// `Chains::check` has passed.
#[target_feature(enable = "neon")]
pub(crate) unsafe fn chains(mut job: Chains) {
    for half in 0..job.halves {
        let mut token = 0;
        // SAFETY: the tokens of each group are below `job.tokens`.
        unsafe {
            while token + TOKENS <= job.tokens {
                group::<TOKENS>(&mut job, token, half);
                token += TOKENS;
            }
            match job.tokens - token {
                1 => group::<1>(&mut job, token, half),
                2 => group::<2>(&mut job, token, half),
                _ => {}
            }
        }
    }
}

/// All steps for tokens `first..first + T` and one half.
///
/// # Safety
/// As [`chains`]; `first + T <= job.tokens` and `half < job.halves`.
#[target_feature(enable = "neon")]
unsafe fn group<const T: usize>(job: &mut Chains, first: usize, half: usize) {
    // SAFETY: `Chains::check` bounds x by its last token and step, the panel by its last half and
    // step, the sums by their last token and half; nothing below goes beyond those.
    unsafe {
        let panel = job.panel.as_ptr().add(half * job.half_stride);
        let mut rows = Rows::<T> { x: [job.x.as_ptr(); T], panel, step: job.step_stride };
        for (token, x) in rows.x.iter_mut().enumerate() {
            *x = x.add((first + token) * job.x_stride);
        }
        let out = job.sums.as_mut_ptr().add(first * job.sums_stride + half * LANES);
        let (steps, mut at) = (job.steps.clone(), job.steps.start);
        while at < steps.end {
            let end = (at / CHAIN * CHAIN + CHAIN).min(steps.end);
            let closed = rows.close(at, end);
            for (token, closed) in closed.into_iter().enumerate() {
                for (part, closed) in closed.into_iter().enumerate() {
                    let sum = out.add(token * job.sums_stride + part * WIDTH);
                    vst1q_f32(sum, vaddq_f32(vld1q_f32(sum), closed));
                }
            }
            at = end;
        }
    }
}

/// Where the factors and the panel of a group of tokens lie.
struct Rows<const T: usize> {
    x: [*const f32; T],
    panel: *const f32,
    step: usize,
}

impl<const T: usize> Rows<T> {
    /// Even + odd chain over the steps `at..end`.
    ///
    /// # Safety
    /// The steps lie in every row and in the panel.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn close(&self, at: usize, end: usize) -> [Quads; T] {
        let mut even = [zeros(); T];
        let mut odd = even;
        // From an odd step on the two chains change names; their sum stays the same.
        let mut k = at;
        // SAFETY: k stays in at..end.
        unsafe {
            while k + 4 <= end {
                let mut x = [vdupq_n_f32(0.0); T];
                for (x, row) in x.iter_mut().zip(self.x) {
                    *x = vld1q_f32(row.add(k));
                }
                self.fma::<0>(&mut even, k, &x);
                self.fma::<1>(&mut odd, k + 1, &x);
                self.fma::<2>(&mut even, k + 2, &x);
                self.fma::<3>(&mut odd, k + 3, &x);
                k += 4;
            }
            while k < end {
                let chain = if (k - at).is_multiple_of(2) { &mut even } else { &mut odd };
                self.fma::<0>(chain, k, &self.x.map(|row| vdupq_n_f32(*row.add(k))));
                k += 1;
            }
        }
        for (even, odd) in even.iter_mut().zip(odd) {
            *even = add(*even, odd);
        }
        even
    }

    /// One step of one chain: `chain = fma(weight, x, chain)`, the factors being lane `LANE` of x.
    ///
    /// # Safety
    /// Step k lies in the panel.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn fma<const LANE: i32>(&self, chain: &mut [Quads; T], k: usize, x: &[float32x4_t; T]) {
        for quad in 0..LANES / WIDTH {
            // SAFETY: as promised by the caller.
            let column = unsafe { vld1q_f32(self.panel.add(k * self.step + quad * WIDTH)) };
            for (chain, x) in chain.iter_mut().zip(x) {
                chain[quad] = vfmaq_laneq_f32::<LANE>(chain[quad], column, *x);
            }
        }
    }
}

/// Sixteen lanes of zero.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn zeros() -> Quads {
    [vdupq_n_f32(0.0); LANES / WIDTH]
}

/// Lane by lane.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn add(a: Quads, b: Quads) -> Quads {
    let mut out = a;
    for (out, b) in out.iter_mut().zip(b) {
        *out = vaddq_f32(*out, b);
    }
    out
}

/// Rows become columns: 4 x 4 words.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn turn_quad([a, b, c, d]: [uint32x4_t; WIDTH]) -> [uint32x4_t; WIDTH] {
    let wide = vreinterpretq_u64_u32;
    let (even, odd) = (
        [wide(vtrn1q_u32(a, b)), wide(vtrn1q_u32(c, d))],
        [wide(vtrn2q_u32(a, b)), wide(vtrn2q_u32(c, d))],
    );
    [
        vreinterpretq_u32_u64(vtrn1q_u64(even[0], even[1])),
        vreinterpretq_u32_u64(vtrn1q_u64(odd[0], odd[1])),
        vreinterpretq_u32_u64(vtrn2q_u64(even[0], even[1])),
        vreinterpretq_u32_u64(vtrn2q_u64(odd[0], odd[1])),
    ]
}
