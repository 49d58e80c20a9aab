//! What the rule for sums costs (`docs/numerics.md`): its products beside ones in whatever order
//! and precision is fastest, as other programs compute them. Each is checked against the rule's.
//!
//! 1. Answers: one token, weights of Q4_0 from memory. Free: activations in 8 bits with a scale for
//!    32 of them, `vpdpbusd`.
//! 2. Prompts without a tile unit: 512 tokens, weights of BF16. Free: `vdpbf16ps`, eight tokens by
//!    48 outputs in registers, weights packed beforehand.
//!
//! On the tile unit there is nothing to compare: its own order is the rule.
//!
//! `cargo bench -p allod-kernels --bench free`. Runs where the processor has AVX-512 with VNNI and
//! bf16.
#![allow(clippy::print_stdout, missing_docs)]
#![allow(unsafe_code)] // intrinsics on pointers

#[cfg(not(target_arch = "x86_64"))]
fn main() {
    println!("skipped: these are kernels for x86-64");
}

#[cfg(target_arch = "x86_64")]
fn main() {
    if !is_x86_feature_detected!("avx512vnni") || !is_x86_feature_detected!("avx512bf16") {
        return println!("skipped: this processor has no AVX-512 with VNNI and bf16");
    }
    free::answers();
    free::prompts();
}

#[cfg(target_arch = "x86_64")]
mod free {
    use allod_kernels::{
        Coded, CodedInputs, Columns, Format, Inputs, Isa, Matrix, Memory, Scratch, Weights,
        encode_row, linear_coded, linear_rounded,
    };
    use std::arch::x86_64::*;
    use std::time::Instant;

    const COLUMNS: usize = 1024;
    const BLOCK: usize = 32;
    const LANES: usize = 16;
    /// Bytes of 16 rows and 64 columns: scales in half precision of both blocks, then their codes.
    const PAIR: usize = 2 * SCALES + 2 * CODES;
    const SCALES: usize = 32;
    const CODES: usize = 256;
    const AHEAD: usize = 2048;
    const REPEATS: usize = 9;
    /// 400 million weights in Q4_0.
    const ROWS: usize = 3072 * 128;
    /// Rows that are encoded; the others repeat them.
    const FIRST: usize = 3072;

    fn values(count: usize, seed: u64) -> Vec<f32> {
        let mut state = seed;
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed | 1);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    /// Memory in large pages.
    struct Large(Memory, usize);

    impl Large {
        fn repeated(bytes: &[u8], times: usize) -> Large {
            let len = bytes.len() * times;
            let mut large = Large(Memory::zeroed(len).expect("memory"), len);
            large
                .bytes_mut()
                .chunks_exact_mut(bytes.len())
                .for_each(|to| to.copy_from_slice(bytes));
            large
        }

        fn bytes(&self) -> &[u8] {
            // SAFETY: so many bytes were asked for.
            unsafe { std::slice::from_raw_parts(self.0.as_ptr(), self.1) }
        }

        fn bytes_mut(&mut self) -> &mut [u8] {
            // SAFETY: as above, and this is the only reference.
            unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr(), self.1) }
        }
    }

    /// The median of a few rounds, in seconds; both ways in turns.
    fn in_turns(mut ways: [&mut dyn FnMut(); 2]) -> [f64; 2] {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..REPEATS {
            for (way, times) in ways.iter_mut().zip(&mut times) {
                let begun = Instant::now();
                way();
                times.push(begun.elapsed().as_secs_f64());
            }
        }
        times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[REPEATS / 2]
        })
    }

    fn check(rule: &[f32], free: &[f32], most: f32) {
        let norm = |x: &mut dyn Iterator<Item = f32>| x.map(|x| x * x).sum::<f32>().sqrt();
        let error = norm(&mut rule.iter().zip(free).map(|(a, b)| a - b));
        assert!(error <= most * norm(&mut rule.iter().copied()), "off by {error}");
    }

    pub fn answers() {
        let row_bytes = Format::Q4_0.row_bytes(COLUMNS).expect("whole blocks");
        let mut stored = vec![0; FIRST * row_bytes];
        for (row, bytes) in stored.chunks_exact_mut(row_bytes).enumerate() {
            encode_row(Format::Q4_0, &values(COLUMNS, row as u64), bytes).expect("finite");
        }
        let matrix = Matrix::new(Format::Q4_0, FIRST, COLUMNS, &stored).expect("a matrix");
        let size = Coded::size(Format::Q4_0, FIRST, COLUMNS).expect("a format of codes");
        let mut packed = vec![0; size];
        Coded::pack(Isa::detect(), &matrix, &mut packed);
        let of_rule = Large::repeated(&packed, ROWS / FIRST);
        let of_free = Large::repeated(&tiles(&stored, row_bytes), ROWS / FIRST);
        let w = Coded::new(Format::Q4_0, ROWS, COLUMNS, of_rule.bytes());
        let (x, mut scratch) = (values(COLUMNS, 99), Scratch::new());
        let (mut rule, mut free) = (vec![0.0; ROWS], vec![0.0; ROWS]);
        let times = in_turns([
            &mut || {
                let mut inputs = CodedInputs::new();
                inputs.pack(Isa::detect(), &x, COLUMNS, Coded::sums(Format::Q4_0));
                let mut out = Columns::of(&mut rule, ROWS);
                linear_coded(&inputs, &w, 0..ROWS, &mut out, &mut scratch);
            },
            // SAFETY: `main` looked for the instructions.
            &mut || unsafe { by_whole_numbers(&Eighths::of(&x), of_free.bytes(), &mut free) },
        ]);
        check(&rule, &free, 0.02);
        let [rule, free] = times.map(|time| time * 1e9 / (ROWS * COLUMNS / 512) as f64);
        println!(
            "answers, Q4_0, one token, one thread: ns for 512 weights {rule:.1}, free {free:.1}"
        );
    }

    /// Weights for `vpdpbusd`: four columns of 16 rows in a vector, two vectors in each 64 bytes.
    fn tiles(stored: &[u8], row_bytes: usize) -> Vec<u8> {
        let mut tiles = Vec::new();
        for rows in stored.chunks_exact(row_bytes * LANES) {
            let of = |row: usize, block: usize| &rows[row * row_bytes + block * 18..][..18];
            for pair in (0..COLUMNS / BLOCK).step_by(2) {
                for block in [pair, pair + 1] {
                    (0..LANES).for_each(|row| tiles.extend(&of(row, block)[..2]));
                }
                // A block's low halves are its first 16 columns, the high ones the others.
                for (block, four) in
                    [pair, pair + 1].into_iter().flat_map(|b| (0..4).map(move |i| (b, i)))
                {
                    (0..LANES).for_each(|row| tiles.extend(&of(row, block)[2 + 4 * four..][..4]));
                }
            }
        }
        tiles
    }

    /// Activations in 8 bits.
    struct Eighths {
        codes: Vec<[i32; BLOCK / 4]>,
        scales: Vec<f32>,
        /// Eight times the sum of a block's codes, negative.
        least: Vec<i32>,
    }

    impl Eighths {
        fn of(x: &[f32]) -> Eighths {
            let mut all = Eighths { codes: Vec::new(), scales: Vec::new(), least: Vec::new() };
            for block in x.chunks_exact(BLOCK) {
                let scale = block.iter().fold(0.0_f32, |most, x| most.max(x.abs())) / 127.0;
                let codes: Vec<i8> = block.iter().map(|x| (x / scale).round() as i8).collect();
                let word = |four: &[i8]| i32::from_le_bytes([0, 1, 2, 3].map(|i| four[i] as u8));
                let words: Vec<i32> = codes.chunks_exact(4).map(word).collect();
                all.codes.push(words.try_into().expect("eight words"));
                all.scales.push(scale);
                all.least.push(-8 * codes.iter().map(|code| i32::from(*code)).sum::<i32>());
            }
            all
        }
    }

    /// # Safety
    /// The processor has these instructions.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,f16c")]
    unsafe fn by_whole_numbers(x: &Eighths, tiles: &[u8], out: &mut [f32]) {
        let blocks = x.codes.len();
        let low = _mm512_set1_epi8(15);
        for (strip, out) in tiles.chunks_exact(blocks / 2 * PAIR).zip(out.chunks_exact_mut(LANES)) {
            let mut sum = _mm512_setzero_ps();
            for (pair, bytes) in strip.chunks_exact(PAIR).enumerate() {
                for line in (0..PAIR).step_by(64) {
                    let ahead = bytes.as_ptr().wrapping_add(AHEAD + line);
                    _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                }
                for half in 0..2 {
                    let block = 2 * pair + half;
                    // SAFETY: a pair is that long.
                    let (scales, codes) = unsafe {
                        let scales = bytes.as_ptr().add(half * SCALES);
                        (scales, bytes.as_ptr().add(2 * SCALES + half * CODES))
                    };
                    let mut whole = _mm512_set1_epi32(x.least[block]);
                    let mut other = _mm512_setzero_si512();
                    for four in 0..4 {
                        // SAFETY: as above.
                        let codes = unsafe { _mm512_loadu_si512(codes.add(64 * four).cast()) };
                        let first = _mm512_and_si512(codes, low);
                        let second = _mm512_and_si512(_mm512_srli_epi16::<4>(codes), low);
                        let [a, b] = [four, four + 4].map(|i| x.codes[block][i]);
                        whole = _mm512_dpbusd_epi32(whole, first, _mm512_set1_epi32(a));
                        other = _mm512_dpbusd_epi32(other, second, _mm512_set1_epi32(b));
                    }
                    let whole = _mm512_cvtepi32_ps(_mm512_add_epi32(whole, other));
                    // SAFETY: as above.
                    let scale = _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(scales.cast()) });
                    let scale = _mm512_mul_ps(scale, _mm512_set1_ps(x.scales[block]));
                    sum = _mm512_fmadd_ps(whole, scale, sum);
                }
            }
            // SAFETY: 16 floats are written.
            unsafe { _mm512_storeu_ps(out.as_mut_ptr(), sum) };
        }
    }

    const TOKENS: usize = 512;
    const OUTPUTS: usize = 3072;
    /// Tokens and vectors of outputs whose sums are in registers.
    const HELD: [usize; 2] = [8, 3];

    pub fn prompts() {
        let weights = values(OUTPUTS * COLUMNS, 5);
        let mut stored = vec![0; 2 * weights.len()];
        encode_row(Format::BF16, &weights, &mut stored).expect("finite");
        let matrix = Matrix::new(Format::BF16, OUTPUTS, COLUMNS, &stored).expect("a matrix");
        let weights = Weights::Stored(matrix);
        let panels = panels(&stored);
        let x = values(TOKENS * COLUMNS, 6);
        let (mut inputs, mut scratch) = (Inputs::new(), Scratch::new());
        let mut rounded = vec![0; 2 * x.len()];
        let (mut rule, mut free) = (vec![0.0; TOKENS * OUTPUTS], vec![0.0; TOKENS * OUTPUTS]);
        let times = in_turns([
            &mut || {
                inputs.pack(Isa::Avx512, &x, COLUMNS);
                let mut out = Columns::of(&mut rule, OUTPUTS);
                linear_rounded(&inputs, &weights, 0..OUTPUTS, &mut out, &mut scratch);
            },
            &mut || {
                encode_row(Format::BF16, &x, &mut rounded).expect("finite");
                let pairs: Vec<i32> = rounded
                    .chunks_exact(4)
                    .map(|pair| i32::from_le_bytes([pair[0], pair[1], pair[2], pair[3]]))
                    .collect();
                // SAFETY: `main` looked for the instructions.
                unsafe { by_pairs(&pairs, &panels, &mut free) };
            },
        ]);
        check(&rule, &free, 0.001);
        let [rule, free] = times.map(|time| (TOKENS * OUTPUTS * COLUMNS) as f64 * 2e-9 / time);
        println!("prompts, BF16, no tiles, one thread: GFLOP/s {rule:.0}, free {free:.0}");
    }

    /// `[panels of 48 outputs][pairs of columns][48 outputs]`, a pair in a word.
    fn panels(stored: &[u8]) -> Vec<i32> {
        let across = HELD[1] * LANES;
        let word = |row: usize, pair: usize| {
            let at = 2 * (row * COLUMNS + 2 * pair);
            i32::from_le_bytes([stored[at], stored[at + 1], stored[at + 2], stored[at + 3]])
        };
        let mut panels = Vec::new();
        for first in (0..OUTPUTS).step_by(across) {
            for pair in 0..COLUMNS / 2 {
                panels.extend((first..first + across).map(|row| word(row, pair)));
            }
        }
        panels
    }

    /// # Safety
    /// The processor has these instructions.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn by_pairs(pairs: &[i32], panels: &[i32], out: &mut [f32]) {
        const ACROSS: usize = HELD[1] * LANES;
        for (number, panel) in panels.chunks_exact(ACROSS * COLUMNS / 2).enumerate() {
            for (band, pairs) in pairs.chunks_exact(HELD[0] * COLUMNS / 2).enumerate() {
                let mut sums = [[_mm512_setzero_ps(); HELD[1]]; HELD[0]];
                for (pair, weights) in panel.chunks_exact(ACROSS).enumerate() {
                    let weights = [0, 1, 2].map(|i| {
                        // SAFETY: 16 words are read; a word is a pair of bf16.
                        unsafe { _mm512_loadu_si512(weights.as_ptr().add(i * LANES).cast()) }
                    });
                    for (token, sums) in sums.iter_mut().enumerate() {
                        let x = _mm512_set1_epi32(pairs[token * COLUMNS / 2 + pair]);
                        for (sum, weights) in sums.iter_mut().zip(weights) {
                            // SAFETY: the types have the same bits.
                            let [x, w] = unsafe {
                                std::mem::transmute::<[__m512i; 2], [__m512bh; 2]>([x, weights])
                            };
                            *sum = _mm512_dpbf16_ps(*sum, x, w);
                        }
                    }
                }
                for (token, sums) in sums.into_iter().enumerate() {
                    for (part, sum) in sums.into_iter().enumerate() {
                        let at =
                            (band * HELD[0] + token) * OUTPUTS + number * ACROSS + part * LANES;
                        // SAFETY: 16 floats are written.
                        unsafe { _mm512_storeu_ps(out[at..at + LANES].as_mut_ptr(), sum) };
                    }
                }
            }
        }
    }
}
