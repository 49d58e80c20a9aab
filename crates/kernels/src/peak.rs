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

/// Multiplications of 8 bits with addition, per second, on the calling thread for about `time`;
/// `None` where there is no instruction for several of them.
pub fn int8_multiplications(isa: Isa, time: Duration) -> Option<f64> {
    #[cfg(target_arch = "x86_64")]
    match isa.checked() {
        Isa::Avx512 if crate::int8_avx512::is_available() => {
            return Some(per_second(time, wide_products, CHAINS * 64 * ROUNDS));
        }
        Isa::Avx512 | Isa::Avx2 => {
            return Some(per_second(time, narrow_products, CHAINS * 32 * ROUNDS));
        }
        _ => {}
    }
    #[cfg(target_arch = "aarch64")]
    if isa.checked() == Isa::Neon && std::arch::is_aarch64_feature_detected!("dotprod") {
        return Some(per_second(time, dot_products, CHAINS * 16 * ROUNDS));
    }
    let _ = (isa, time);
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

/// [`CHAINS`] sums of four products each in every lane, [`ROUNDS`] times.
#[cfg(target_arch = "x86_64")]
fn wide_products() {
    // SAFETY: only called where AVX-512 VNNI was seen; nothing but vectors and a counter is
    // touched.
    unsafe {
        std::arch::asm!(
            "2:",
            "vpdpbusd zmm0, zmm10, zmm11",
            "vpdpbusd zmm1, zmm10, zmm11",
            "vpdpbusd zmm2, zmm10, zmm11",
            "vpdpbusd zmm3, zmm10, zmm11",
            "vpdpbusd zmm4, zmm10, zmm11",
            "vpdpbusd zmm5, zmm10, zmm11",
            "vpdpbusd zmm6, zmm10, zmm11",
            "vpdpbusd zmm7, zmm10, zmm11",
            "vpdpbusd zmm8, zmm10, zmm11",
            "vpdpbusd zmm9, zmm10, zmm11",
            "dec {rounds}",
            "jnz 2b",
            rounds = inout(reg) ROUNDS => _,
            options(nomem, nostack),
            out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _,
            out("zmm5") _, out("zmm6") _, out("zmm7") _, out("zmm8") _, out("zmm9") _,
        );
    }
}

/// [`CHAINS`] times two products added in every lane and that to a sum, [`ROUNDS`] times.
#[cfg(target_arch = "x86_64")]
fn narrow_products() {
    // SAFETY: only called where AVX2 was seen; nothing but vectors and a counter is touched.
    unsafe {
        std::arch::asm!(
            "2:",
            "vpmaddubsw ymm10, ymm12, ymm13",
            "vpaddw ymm0, ymm0, ymm10",
            "vpmaddubsw ymm11, ymm12, ymm13",
            "vpaddw ymm1, ymm1, ymm11",
            "vpmaddubsw ymm10, ymm12, ymm13",
            "vpaddw ymm2, ymm2, ymm10",
            "vpmaddubsw ymm11, ymm12, ymm13",
            "vpaddw ymm3, ymm3, ymm11",
            "vpmaddubsw ymm10, ymm12, ymm13",
            "vpaddw ymm4, ymm4, ymm10",
            "vpmaddubsw ymm11, ymm12, ymm13",
            "vpaddw ymm5, ymm5, ymm11",
            "vpmaddubsw ymm10, ymm12, ymm13",
            "vpaddw ymm6, ymm6, ymm10",
            "vpmaddubsw ymm11, ymm12, ymm13",
            "vpaddw ymm7, ymm7, ymm11",
            "vpmaddubsw ymm10, ymm12, ymm13",
            "vpaddw ymm8, ymm8, ymm10",
            "vpmaddubsw ymm11, ymm12, ymm13",
            "vpaddw ymm9, ymm9, ymm11",
            "dec {rounds}",
            "jnz 2b",
            rounds = inout(reg) ROUNDS => _,
            options(nomem, nostack),
            out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _, out("ymm4") _,
            out("ymm5") _, out("ymm6") _, out("ymm7") _, out("ymm8") _, out("ymm9") _,
            out("ymm10") _, out("ymm11") _,
        );
    }
}

/// [`CHAINS`] sums of four products each in every lane, [`ROUNDS`] times.
#[cfg(target_arch = "aarch64")]
fn dot_products() {
    // SAFETY: only called where the instruction was seen; nothing but vectors and a counter is
    // touched.
    unsafe {
        std::arch::asm!(
            ".arch_extension dotprod",
            "2:",
            "sdot v0.4s, v10.16b, v11.16b",
            "sdot v1.4s, v10.16b, v11.16b",
            "sdot v2.4s, v10.16b, v11.16b",
            "sdot v3.4s, v10.16b, v11.16b",
            "sdot v4.4s, v10.16b, v11.16b",
            "sdot v5.4s, v10.16b, v11.16b",
            "sdot v6.4s, v10.16b, v11.16b",
            "sdot v7.4s, v10.16b, v11.16b",
            "sdot v8.4s, v10.16b, v11.16b",
            "sdot v9.4s, v10.16b, v11.16b",
            "subs {rounds}, {rounds}, #1",
            "b.ne 2b",
            rounds = inout(reg) ROUNDS => _,
            options(nomem, nostack),
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _,
            out("v5") _, out("v6") _, out("v7") _, out("v8") _, out("v9") _,
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
        for isa in Isa::available() {
            let rate = int8_multiplications(isa, time);
            assert!(rate.is_none_or(|rate| rate.is_finite() && rate > 1e6), "{isa:?} {rate:?}");
        }
    }
}
