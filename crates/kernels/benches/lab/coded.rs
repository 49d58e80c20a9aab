//! Products with codes: nanoseconds for a tile (512 weights) and 16 tokens or fewer, one thread,
//! with activations in bf16 and in 8 bits.
//!
//! `cargo bench -p allod-kernels --bench coded`.
#![allow(clippy::print_stdout, missing_docs)]

use allod_kernels::{
    Coded, CodedInputs, Columns, Format, Int8Inputs, Int8Piece, Isa, Matrix, Scratch, linear_coded,
    linear_int8,
};
use std::time::Instant;

/// 100 million weights: more than the caches hold.
const ROWS: usize = 3072 * 32;
const COLUMNS: usize = 1024;
const REPEATS: usize = 9;

fn main() {
    let row_bytes = |format: Format| format.row_bytes(COLUMNS).expect("whole blocks");
    for format in [Format::Q4_0, Format::Q8_0, Format::Q4_K, Format::Q5_K, Format::Q6_K] {
        let bytes: Vec<u8> = (0..ROWS * row_bytes(format)).map(|i| (i * 37 % 251) as u8).collect();
        let w = Matrix::new(format, ROWS, COLUMNS, &bytes).expect("bytes fit the shape");
        let mut packed = vec![0; Coded::size(format, ROWS, COLUMNS).expect("a format of codes")];
        let begun = Instant::now();
        Coded::pack(Isa::detect(), &w, &mut packed);
        let speed = bytes.len() as f64 / begun.elapsed().as_secs_f64() / 1e9;
        println!("{}: packed {speed:.2} GB a second", format.name());
        let w = Coded::new(format, ROWS, COLUMNS, &packed);
        for isa in [Isa::Avx2, Isa::detect()] {
            for bits in [16, 8] {
                let times = [1, 2, 4, 8, 16, 64, 512].map(|tokens| time(isa, &w, tokens, bits));
                println!("  {}, {bits} bits, 1 to 512 tokens: {times:.1?}", isa.name());
            }
        }
    }
}

/// The best of some rounds and their median, for activations of so many bits.
fn time(isa: Isa, w: &Coded, tokens: usize, bits: usize) -> [f64; 2] {
    let rows = if tokens > 4 { ROWS * 4 / tokens } else { ROWS };
    let x: Vec<f32> = (0..tokens * COLUMNS).map(|i| (i % 17) as f32 * 0.1 - 0.8).collect();
    let (mut inputs, mut scratch) = (CodedInputs::new(), Scratch::new());
    inputs.pack(isa, &x, COLUMNS, Coded::sums(w.format));
    let mut numbers = Int8Inputs::default();
    numbers.pieces(isa, &x, COLUMNS).into_iter().for_each(Int8Piece::pack);
    let mut out = vec![0.0; tokens * rows];
    let tiles = rows / 16 * COLUMNS / 32 * tokens.div_ceil(16);
    let mut times: Vec<f64> = (0..REPEATS)
        .map(|_| {
            let begun = Instant::now();
            let out = &mut Columns::of(&mut out, rows);
            match bits {
                8 => linear_int8(&numbers, w, 0..rows, out, &mut scratch),
                _ => linear_coded(&inputs, w, 0..rows, out, &mut scratch),
            }
            begun.elapsed().as_secs_f64() * 1e9 / tiles as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    [times[0], times[REPEATS / 2]]
}
