//! What this machine can do at best, measured in the same process just after the run.

use std::hint::black_box;
use std::time::{Duration, Instant};

use allod_lm::{
    ActivationForm, Isa, float_multiplications, int8_multiplications, tile_multiplications,
};

/// So long each yardstick is measured.
const TIME: Duration = Duration::from_millis(400);

/// Bytes that are read for the bandwidth: more than caches hold.
const BYTES: usize = 1 << 30;

/// The yardsticks.
pub struct Peak {
    /// Bytes that all threads together read from memory in a second.
    pub bytes_per_second: f64,
    /// Multiplications with addition that all threads together do in a second.
    pub multiplications_per_second: f64,
    /// The unit that does them.
    pub unit: &'static str,
    /// How many threads.
    pub threads: usize,
}

impl Peak {
    /// Measures with `threads` threads: the unit is the one that multiplies such activations, and
    /// `f32` multiplication of the instruction set where there is none.
    pub fn measure(isa: Isa, activations: ActivationForm, threads: usize) -> Peak {
        let of_form: Option<f64> = together(threads, || match activations {
            ActivationForm::Bf16 if isa == Isa::Amx => tile_multiplications(TIME),
            ActivationForm::Bf16 => None,
            ActivationForm::Int8 => int8_multiplications(isa, TIME),
        })
        .into_iter()
        .sum();
        let floats = || together(threads, || float_multiplications(isa, TIME)).into_iter().sum();
        Peak {
            bytes_per_second: bandwidth(threads),
            multiplications_per_second: of_form.unwrap_or_else(floats),
            unit: unit(isa, activations, of_form.is_some()),
            threads,
        }
    }
}

fn unit(isa: Isa, activations: ActivationForm, is_of_form: bool) -> &'static str {
    match (is_of_form, activations, isa) {
        (true, ActivationForm::Bf16, _) => "bf16 tiles",
        (true, ActivationForm::Int8, _) => "8 bits in vectors",
        (false, _, Isa::Avx512 | Isa::Amx) => "f32 in AVX-512",
        (false, _, Isa::Avx2) => "f32 in AVX2",
        (false, _, Isa::Neon) => "f32 in NEON",
        (false, _, Isa::Scalar) => "f32, portable",
    }
}

fn together<T: Send>(threads: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(&work)).collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.map(|result| result.expect("a yardstick does not panic")).collect()
    })
}

/// The best of a few readings of a large area, each thread reading its own part of it.
fn bandwidth(threads: usize) -> f64 {
    let words = BYTES / size_of::<u64>();
    // Written once, so that every page is there.
    let area: Vec<u64> = (0..words as u64).collect();
    let part = words.div_ceil(threads);
    let read = || {
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for part in area.chunks(part) {
                scope.spawn(move || black_box(sum(part)));
            }
        });
        BYTES as f64 / begun.elapsed().as_secs_f64()
    };
    (0..4).map(|_| read()).fold(0.0, f64::max)
}

/// Sums that do not wait for each other, so that nothing but memory is waited for.
fn sum(words: &[u64]) -> u64 {
    const CHAINS: usize = 16;
    let mut sums = [0_u64; CHAINS];
    let (chunks, rest) = words.as_chunks::<CHAINS>();
    for chunk in chunks {
        for (sum, word) in sums.iter_mut().zip(chunk) {
            *sum = sum.wrapping_add(*word);
        }
    }
    sums.iter().chain(rest).fold(0, |sum, word| sum.wrapping_add(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read() {
        let words: Vec<u64> = (0..1_003).collect();
        assert_eq!(sum(&words), 1_003 * 1_002 / 2);
    }
}
