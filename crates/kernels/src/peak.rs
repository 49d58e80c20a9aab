//! How many multiplications a processor does at best: a yardstick for speeds, and part of no
//! result. Nothing is loaded or stored, so no product of real matrices is faster.
#![allow(unsafe_code)] // assembly

use crate::isa::{Isa, on_isa};
use std::time::{Duration, Instant};

/// Sums that do not wait for each other; enough to fill two units of latency 5.
const CHAINS: usize = 10;
const ROUNDS: usize = 20_000;

/// `f32` multiplications with addition, per second, on the calling thread for about `time`.
pub fn float_multiplications(isa: Isa, time: Duration) -> f64 {
    match isa {
        Isa::Avx512 | Isa::Amx => per_second(time, || wide(isa), CHAINS * 16 * ROUNDS),
        _ => per_second(time, || narrow(isa), CHAINS * 8 * ROUNDS),
    }
}

/// bf16 multiplications with addition in tiles, per second, on the calling thread for about `time`;
/// `None` where there are no tiles.
pub fn tile_multiplications(time: Duration) -> Option<f64> {
    #[cfg(target_arch = "x86_64")]
    if crate::amx::is_available() {
        let tiles = crate::amx::Tiles::new();
        let rate = per_second(time, tile_rounds, ROUNDS * 4 * 16 * 16 * 32);
        drop(tiles);
        return Some(rate);
    }
    let _ = time;
    None
}

fn per_second(time: Duration, mut work: impl FnMut(), each: usize) -> f64 {
    work();
    let (begun, mut done) = (Instant::now(), 0.0);
    loop {
        work();
        done += each as f64;
        let took = begun.elapsed();
        if took >= time {
            return done / took.as_secs_f64();
        }
    }
}

fn wide(isa: Isa) {
    on_isa!(isa, rounds_of_sixteen());
}

fn narrow(isa: Isa) {
    on_isa!(isa, rounds_of_eight());
}

#[inline(always)]
fn rounds_of_sixteen() {
    rounds::<16>();
}

#[inline(always)]
fn rounds_of_eight() {
    rounds::<8>();
}

#[inline(always)]
fn rounds<const LANES: usize>() {
    let factor = std::hint::black_box(0.999_f32);
    let mut sums = [[1.0_f32; LANES]; CHAINS];
    for _ in 0..ROUNDS {
        for sum in &mut sums {
            for lane in sum {
                *lane = lane.mul_add(factor, factor);
            }
        }
    }
    std::hint::black_box(&sums);
}

/// Four tile products that do not wait for each other, [`ROUNDS`] times.
#[cfg(target_arch = "x86_64")]
fn tile_rounds() {
    // SAFETY: only called while `Tiles` are set up on this thread; nothing but tiles and a counter
    // is touched.
    unsafe {
        std::arch::asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "tilezero tmm4",
            "tilezero tmm5",
            "tilezero tmm6",
            "tilezero tmm7",
            "2:",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "dec {rounds}",
            "jnz 2b",
            rounds = inout(reg) ROUNDS => _,
            options(nomem, nostack),
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wider_instruction_set_does_more() {
        let time = Duration::from_millis(20);
        let rates: Vec<f64> =
            Isa::available().into_iter().map(|isa| float_multiplications(isa, time)).collect();
        assert!(rates.iter().all(|rate| rate.is_finite() && *rate > 1e6), "{rates:?}");
        // Some have the same width, and speeds vary.
        assert!(rates[rates.len() - 1] >= rates[0] / 2.0, "{rates:?}");
        if let Some(rate) = tile_multiplications(time) {
            assert!(rate > rates[rates.len() - 1], "{rate} {rates:?}");
        }
    }
}
