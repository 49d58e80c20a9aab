//! Generations of the product that models are served with, each checked and timed: time per call
//! in one thread, for 3072 x 1024 weights.
//!
//! 1. `linear`: weights decoded to `f32`, chains of `f32` (the rule `allod-1` for every format).
//! 2. `linear_rounded`, lanes: weights decoded and rounded, the same chains.
//! 3. `linear_rounded`, tiles: weights rounded straight into tiles, `tdpbf16ps`; up to 64 tokens
//!    while the weights go by (up to 16, two strips of weights share the activations), above that
//!    with 512 tokens of up to 1,536 terms kept in the second cache. Weights stand on the right,
//!    so that neither activations nor results are turned; they come from the codes of `coded.rs`,
//!    so that a model lies in memory once.
//!
//! Tried for the third, in a sketch of the loops alone, on a Xeon with AMX whose unit takes 4.57 ns
//! for a product of tiles; the best of many rounds:
//!
//! - 512 tokens, 1,024 terms: sums reloaded every 256 terms reach 68 % of the unit's peak, every
//!   512 63 %, never 53 %. With 3,072 terms of 512 tokens (3 MiB, more than the second cache)
//!   all reach 18 to 31 %; hence the parts.
//! - Asking ahead for activations by software: slower, in bursts or spread over the products.
//! - Rounding 512 weights of Q4_0 takes 20.7 ns, two blocks together 18.4 ns, from weights
//!   repacked so that four blocks come with one load 15.6 ns; with the products among them 29 and
//!   27 ns, as both wait for the same port. So answers, one token at a time, are computed in
//!   another way: `linear_coded`, timed by `coded.rs`.
//!
//! `cargo bench -p allod-kernels --bench serving`. The third runs where the processor has tiles.
#![allow(clippy::print_stdout, missing_docs)]

use allod_kernels::{
    Coded, Columns, Format, Inputs, Isa, Matrix, Scratch, Weights, linear, linear_rounded,
};
use std::time::Instant;

const ROWS: usize = 3072;
const COLUMNS: usize = 1024;
const REPEATS: usize = 9;

fn main() {
    for format in [Format::Q4_0, Format::Q8_0, Format::Q4_K, Format::Q6_K, Format::BF16] {
        let bytes = weights(format);
        let w = Matrix::new(format, ROWS, COLUMNS, &bytes).expect("bytes fit the shape");
        let mut codes = vec![0; Coded::size(format, ROWS, COLUMNS).unwrap_or(0)];
        let served = match codes.is_empty() {
            true => Weights::Stored(w),
            false => {
                Coded::pack(Isa::detect(), &w, &mut codes);
                Weights::Coded(Coded::new(format, ROWS, COLUMNS, &codes))
            }
        };
        for tokens in [1, 16, 64, 512] {
            let x: Vec<f32> = (0..tokens * COLUMNS).map(|i| (i % 17) as f32 * 0.1 - 0.8).collect();
            let (exact, first) = time(tokens, |out| {
                linear(Isa::detect(), &x, &w, 0..ROWS, out, &mut Scratch::new());
            });
            let generations =
                [Isa::Avx2, Isa::detect()].map(|isa| rounded(isa, &x, &served, tokens));
            check(&exact, &generations);
            let [(_, lanes), (_, tiles)] = generations;
            println!(
                "{} x {tokens}: linear {first:.3} ms, rounded by AVX2 {lanes:.3} ms, by {} \
                 {tiles:.3} ms",
                format.name(),
                Isa::detect().name(),
            );
        }
    }
}

fn rounded(isa: Isa, x: &[f32], w: &Weights, tokens: usize) -> (Vec<f32>, f64) {
    let (mut inputs, mut scratch) = (Inputs::new(), Scratch::new());
    time(tokens, |out| {
        inputs.pack(isa, x, COLUMNS);
        linear_rounded(&inputs, w, 0..ROWS, &mut Columns::of(out, ROWS), &mut scratch);
    })
}

/// What `product` gives, and the median of its milliseconds.
fn time(tokens: usize, mut product: impl FnMut(&mut [f32])) -> (Vec<f32>, f64) {
    let mut out = vec![0.0; tokens * ROWS];
    let mut times: Vec<f64> = (0..REPEATS)
        .map(|_| {
            let start = Instant::now();
            product(&mut out);
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (out, times[REPEATS / 2])
}

/// Both ways of rounding give the same bits, near the product of the numbers themselves.
fn check(exact: &[f32], [(lanes, _), (tiles, _)]: &[(Vec<f32>, f64); 2]) {
    assert!(lanes.iter().zip(tiles).all(|(a, b)| a.to_bits() == b.to_bits()), "the same bits");
    let norm = |x: &mut dyn Iterator<Item = f32>| x.map(|x| x * x).sum::<f32>().sqrt();
    let error = norm(&mut exact.iter().zip(tiles).map(|(a, b)| a - b));
    assert!(error <= 0.01 * norm(&mut exact.iter().copied()), "off by {error}");
}

/// Bytes that decode to small finite weights.
fn weights(format: Format) -> Vec<u8> {
    let row_bytes = format.row_bytes(COLUMNS).expect("1024 columns are whole blocks");
    let mut bytes: Vec<u8> = (0..ROWS * row_bytes).map(|i| (i * 37 % 251) as u8).collect();
    let high: &[usize] = match format {
        Format::Q4_K => &[1, 3],
        Format::Q6_K => &[209],
        _ => &[1], // the value's or the scale's high byte
    };
    for block in bytes.chunks_exact_mut(format.block_bytes()) {
        high.iter().for_each(|place| block[*place] = 0x2c);
    }
    bytes
}
