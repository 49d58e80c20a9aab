//! [`crate::linear_rounded`] by vectors: a lane is an output.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::bf16_product::{flush, flushed_fma};
use crate::block_attention_lanes::Begin;
use crate::chains::{CHAIN, Chains};
use crate::columns::Columns;
use crate::format::Format;
use crate::gated::GatedUnit;
use crate::isa::{Isa, on_isa};
use crate::lanes::LANES;
use crate::packed::round;
use crate::panel::{PANEL_COLUMNS, PANEL_ROWS};
use crate::patch::{Patch, parts};
use crate::rounded::Before;
use crate::scratch::Scratch;
use crate::strips::Strips;
use crate::weights::{Part, Weights};
use std::ops::Range;

/// Most tokens that use a decoded panel before it is decoded again: 256 terms of each, and their
/// sums of a group of outputs, stay in the second cache.
const BAND_TOKENS: usize = 576;
/// Outputs whose sums are kept from one part of the terms to the next: the activations of a part
/// come to the second cache once for all of them.
const GROUP_ROWS: usize = 128;
/// Floats from one token's sums to the next one's. No power of two: rows would share few places in
/// the first cache.
pub(crate) const STRIDE: usize = GROUP_ROWS + LANES;

/// A biased exponent, the least of several numbers; zeros have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Exponent(pub u32);

impl Exponent {
    pub const NONE: Exponent = Exponent(255);

    /// That of weights whose scales and minima are half-precision numbers, all multiples of 2^-24,
    /// times whole numbers: so each of them is a multiple of 2^-24 too.
    fn least_of(format: Format) -> Option<Exponent> {
        use Format::{IQ4_NL, IQ4_XS, Q2_K, Q3_K, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0};
        match format {
            Q8_0 | Q4_0 | Q4_1 | Q5_0 | Q5_1 | Q2_K | Q3_K | Q4_K | Q5_K | Q6_K | IQ4_NL
            | IQ4_XS => Some(Exponent(127 - 24)),
            _ => None,
        }
    }

    /// Whether sums of products of such numbers with `other`s never come near a denormal number.
    /// Each product is a multiple of the product of both units in the last place, 7 bits below the
    /// exponents; then so is every sum, rounded or not. Nothing is flushed if that is a normal
    /// number.
    pub fn keeps_clear_with(self, other: Exponent) -> bool {
        self.0 + other.0 >= 2 * (127 + 7) - 126
    }
}

/// Rounds to `bf16`, denormal numbers to zero, and gives the least exponent.
#[inline(always)]
pub(crate) fn round_all(values: &mut [f32]) -> Exponent {
    let mut least = u32::MAX;
    for value in values {
        let bits = u32::from(round(*value)) << 16;
        // Zeros become the largest number of all.
        least = least.min((bits << 1).wrapping_sub(1));
        *value = f32::from_bits(bits);
    }
    if least == u32::MAX { Exponent::NONE } else { Exponent((least + 1) >> 24) }
}

/// See [`crate::linear_rounded`]: groups of outputs, of each the terms part by part, of each part
/// 32 outputs with all tokens.
pub(crate) fn linear(
    (isa, before): (Isa, Before),
    x: &Strips,
    w: &Weights,
    rows: Range<usize>,
    out: &mut Columns,
    scratch: &mut Scratch,
) {
    for tokens in bands(0..x.tokens(), x.width()) {
        for group in parts(rows.clone(), GROUP_ROWS) {
            let (panel, sums) = scratch.rounded(tokens.len() * STRIDE);
            sum_group(isa, x, &tokens, w, &group, panel, sums);
            let columns = group.start - rows.start..group.end - rows.start;
            for (token, sums) in tokens.clone().zip(sums.chunks_exact(STRIDE)) {
                before.put(isa, out.of_row(token, columns.clone()), &sums[..group.len()]);
            }
        }
    }
}

/// See [`GatedUnit::fill`]: as [`linear`], for the outputs and tokens of a patch. The sums of both
/// products stay in the second cache until they are in the patch.
pub(crate) fn gated(
    isa: Isa,
    x: &Strips,
    unit: &GatedUnit,
    patch: &mut Patch,
    scratch: &mut Scratch,
) {
    let mut values = [0.0; GROUP_ROWS];
    for tokens in bands(patch.vectors(), x.width()) {
        for group in parts(patch.terms(), GROUP_ROWS) {
            let (panel, sums) = scratch.rounded(2 * tokens.len() * STRIDE);
            let (gates, ups) = sums.split_at_mut(tokens.len() * STRIDE);
            sum_group(isa, x, &tokens, &unit.gate, &group, panel, gates);
            sum_group(isa, x, &tokens, &unit.up, &group, panel, ups);
            let values = &mut values[..group.len()];
            for (token, at) in tokens.clone().zip((0..).step_by(STRIDE)) {
                let of_token = at..at + group.len();
                unit.by.forward(isa, &gates[of_token.clone()], &ups[of_token], values);
                patch.put(isa, token, group.start, values);
            }
        }
    }
}

/// Tokens in bands of about one length, each of whole strips.
fn bands(tokens: Range<usize>, width: usize) -> impl Iterator<Item = Range<usize>> {
    let most = tokens.len().div_ceil(tokens.len().div_ceil(BAND_TOKENS).max(1));
    parts(tokens, most.max(1).next_multiple_of(width))
}

/// `sums[t][r]` for some tokens and a group of outputs.
fn sum_group(
    isa: Isa,
    x: &Strips,
    tokens: &Range<usize>,
    w: &Weights,
    group: &Range<usize>,
    panel: &mut [f32],
    sums: &mut [f32],
) {
    let least = x.least();
    let mut is_clear = [true; GROUP_ROWS / PANEL_ROWS];
    for from in (0..x.columns()).step_by(PANEL_COLUMNS) {
        let len = PANEL_COLUMNS.min(x.columns() - from);
        for (place, rows) in parts(group.clone(), PANEL_ROWS).enumerate() {
            if !is_clear[place] {
                continue;
            }
            let halves = rows.len().div_ceil(LANES);
            let panels = panel.chunks_exact_mut(PANEL_COLUMNS * LANES).take(halves);
            is_clear[place] = panels.enumerate().all(|(half, panel)| {
                let part = Part { first: rows.start + half * LANES, end: rows.end, from, len };
                decode_rounded(isa, w, &part, &mut panel[..len * LANES]).keeps_clear_with(least)
            });
            if is_clear[place] {
                let (x, sums) = (x.part(from, tokens), &mut sums[place * PANEL_ROWS..]);
                let begin = if from == 0 { Begin::Zero } else { Begin::Out };
                Product { x, tokens: tokens.len(), len, panel, halves, sums, begin }.run(isa);
            }
        }
    }
    for (place, rows) in parts(group.clone(), PANEL_ROWS).enumerate() {
        if !is_clear[place] {
            sum_flushed(x, tokens, w, &rows, &mut sums[place * PANEL_ROWS..]);
        }
    }
}

/// Some terms of some tokens, and of up to 32 outputs.
pub(crate) struct Product<'a> {
    /// `[strip][len][token]`, as [`Strips::part`] gives them.
    pub x: &'a [f32],
    pub tokens: usize,
    /// Terms.
    pub len: usize,
    /// `[half][256][16]`, of each half `len` columns.
    pub panel: &'a [f32],
    /// Groups of 16 outputs.
    pub halves: usize,
    /// `[tokens][STRIDE]`
    pub sums: &'a mut [f32],
    /// What is added to: the sums, or zeros.
    pub begin: Begin,
}

impl Product<'_> {
    /// Floats from the columns of a half to those of the other.
    pub const HALF: usize = PANEL_COLUMNS * LANES;

    /// Adds the products.
    fn run(self, isa: Isa) {
        let (last, halves) = (self.tokens.saturating_sub(1), self.halves);
        assert_eq!(self.x.len(), self.tokens * self.len, "terms of the tokens");
        assert!((1..=2).contains(&halves) && self.len <= PANEL_COLUMNS, "shape of the panel");
        assert!(self.panel.len() >= (halves - 1) * Product::HALF + self.len * LANES, "panel");
        assert!(self.sums.len() >= last * STRIDE + halves * LANES, "sums of the tokens");
        match isa.checked() {
            // SAFETY: `checked` saw the instructions, the assertions above the bounds.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => unsafe { crate::avx2_strips::multiply(self) },
            isa => self.by_chains(isa),
        }
    }

    /// Where each strip is one token.
    fn by_chains(self, isa: Isa) {
        if self.begin == Begin::Zero {
            let sums = self.sums.chunks_mut(STRIDE).take(self.tokens);
            sums.for_each(|sums| sums[..self.halves * LANES].fill(0.0));
        }
        Chains {
            x: self.x,
            x_stride: self.len,
            tokens: self.tokens,
            panel: self.panel,
            step_stride: LANES,
            half_stride: Product::HALF,
            halves: self.halves,
            steps: 0..self.len,
            sums: self.sums,
            sums_stride: STRIDE,
        }
        .run(isa);
    }
}

/// Decodes a panel and rounds it to `bf16`, and gives the least exponent or one below.
fn decode_rounded(isa: Isa, w: &Weights, part: &Part, panel: &mut [f32]) -> Exponent {
    if let Some(least) = Exponent::least_of(w.format())
        && decode_finite(isa, w, part, panel)
    {
        return least;
    }
    w.decode(isa, part, panel);
    on_isa!(isa, round_all(panel: &mut [f32]) -> Exponent)
}

/// The same for weights that are zero or normal; false, and nothing of use in `panel`, when one is
/// infinite or no number.
fn decode_finite(isa: Isa, w: &Weights, part: &Part, panel: &mut [f32]) -> bool {
    #[cfg(target_arch = "x86_64")]
    if let (Weights::Coded(w), Isa::Avx2) = (w, isa.checked()) {
        let panel = &mut panel.as_chunks_mut::<LANES>().0[..part.len];
        // SAFETY: `checked` saw the instructions.
        return unsafe { crate::avx2_codes::decode(w, part.first / LANES, part.from, panel) };
    }
    w.decode(isa, part, panel);
    on_isa!(isa, round_finite(panel: &mut [f32]) -> bool)
}

/// Rounds to `bf16` numbers that are zero or normal; false, and nothing of use in `values`, when
/// one is infinite or no number.
#[inline(always)]
fn round_finite(values: &mut [f32]) -> bool {
    let mut most = 0;
    for value in values {
        let bits = value.to_bits();
        most = most.max(bits & 0x7fff_ffff);
        let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
        *value = f32::from_bits(nearest & 0xffff_0000);
    }
    most < f32::INFINITY.to_bits()
}

/// Up to 32 outputs whose sums may have to be flushed.
#[cold]
fn sum_flushed(
    x: &Strips,
    tokens: &Range<usize>,
    w: &Weights,
    rows: &Range<usize>,
    sums: &mut [f32],
) {
    let columns = x.columns();
    let mut weights = vec![0.0; columns * rows.len()];
    for (row, weights) in rows.clone().zip(weights.chunks_exact_mut(columns)) {
        w.decode_row(row, weights);
        round_all(weights);
    }
    for (token, sums) in tokens.clone().zip(sums.chunks_mut(STRIDE)) {
        let x = x.row(token);
        for (sum, weights) in sums.iter_mut().zip(weights.chunks_exact(columns)) {
            *sum = dot_flushed(&x, weights);
        }
    }
}

/// The rule of `docs/numerics.md`, "Products of bf16", for rounded operands.
pub(crate) fn dot_flushed(x: &[f32], weights: &[f32]) -> f32 {
    x.chunks(CHAIN).zip(weights.chunks(CHAIN)).fold(0.0, |sum, (x, weights)| {
        let mut chains = [0.0; 2];
        for k in 0..CHAIN {
            let at = |values: &[f32]| values.get(k).copied().unwrap_or(0.0);
            chains[k % 2] = flushed_fma(at(x), at(weights), chains[k % 2]);
        }
        flush(sum + flush(chains[0] + chains[1]))
    })
}
