//! Even and odd chains: the one order in which products are added.
//!
//! `sums[t][lane] += (even + odd)` for each 32 steps k, where even is the FMA chain over the even k
//! and odd the one over the odd k, both from zero. [`crate::linear`], the scores of attention and
//! its weighted sum of values are all this one operation on different panels.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::isa::Isa;
use crate::lanes::{LANES, Lanes};
use std::ops::Range;

/// Steps after which the two chains are closed and added.
pub(crate) const CHAIN: usize = 32;

/// One run of the chains over a panel.
pub(crate) struct Chains<'a> {
    /// `[tokens, x_stride]`; element k of a token is its factor at step k.
    pub x: &'a [f32],
    pub x_stride: usize,
    pub tokens: usize,
    /// Lane l of half h at step k is `panel[h * half_stride + k * step_stride + l]`.
    pub panel: &'a [f32],
    pub step_stride: usize,
    pub half_stride: usize,
    /// 1 or 2: groups of 16 lanes worked on together.
    pub halves: usize,
    /// Steps, counted from a multiple of 32 in the canonical order.
    pub steps: Range<usize>,
    /// `[tokens, sums_stride]`; lane l of half h of a token is at `h * 16 + l`. Added to.
    pub sums: &'a mut [f32],
    pub sums_stride: usize,
}

impl Chains<'_> {
    /// Panics unless every index that [`Chains::run`] touches is inside its slice; the vector code
    /// relies on it.
    fn check(&self) {
        let Range { start, end } = self.steps;
        assert!(start <= end && (1..=2).contains(&self.halves), "steps {start}..{end}");
        if start == end || self.tokens == 0 {
            return;
        }
        let (last_token, last_half) = (self.tokens - 1, self.halves - 1);
        assert!(last_token * self.x_stride + end <= self.x.len(), "x of the chains");
        let panel_end = last_half * self.half_stride + (end - 1) * self.step_stride + LANES;
        assert!(panel_end <= self.panel.len(), "panel of the chains");
        let sums_end = last_token * self.sums_stride + self.halves * LANES;
        assert!(sums_end <= self.sums.len(), "sums of the chains");
    }

    /// Adds the products of `steps` to the sums.
    pub(crate) fn run(self, isa: Isa) {
        self.check();
        if self.steps.is_empty() || self.tokens == 0 {
            return;
        }
        match isa.checked() {
            // SAFETY: `checked` saw the instructions, `check` the bounds.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => unsafe { crate::avx2::chains(self) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe { crate::avx512::chains(self) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => unsafe { crate::neon::chains(self) },
            _ => run_portable(self),
        }
    }
}

fn run_portable(job: Chains) {
    for token in 0..job.tokens {
        let x = &job.x[token * job.x_stride..][..job.steps.end];
        for half in 0..job.halves {
            let panel = &job.panel[half * job.half_stride..];
            let sums = &mut job.sums[token * job.sums_stride + half * LANES..][..LANES];
            let mut lanes: Lanes = [0.0; LANES];
            lanes.copy_from_slice(sums);
            sums.copy_from_slice(&run_lanes(lanes, x, panel, job.step_stride, &job.steps));
        }
    }
}

/// One token against 16 lanes.
fn run_lanes(
    mut sums: Lanes,
    x: &[f32],
    panel: &[f32],
    step_stride: usize,
    steps: &Range<usize>,
) -> Lanes {
    let mut at = steps.start;
    while at < steps.end {
        let end = (at / CHAIN * CHAIN + CHAIN).min(steps.end);
        let mut chains: [Lanes; 2] = [[0.0; LANES]; 2]; // even, odd
        for k in at..end {
            let column = &panel[k * step_stride..][..LANES];
            for (chain, weight) in chains[k % 2].iter_mut().zip(column) {
                *chain = weight.mul_add(x[k], *chain);
            }
        }
        for lane in 0..LANES {
            sums[lane] += chains[0][lane] + chains[1][lane];
        }
        at = end;
    }
    sums
}
