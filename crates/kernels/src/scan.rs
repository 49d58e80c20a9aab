//! Products of vectors of 8-bit integers, as a search through all of them needs.
#![allow(unsafe_code)] // dispatch to code compiled for an instruction set

use crate::isa::Isa;
#[cfg(target_arch = "x86_64")]
use crate::scan_avx;

/// Longer vectors could overflow the sum.
const LONGEST: usize = 1 << 16;

/// `out[row] = sum over k of query[k] * rows[row][k]`.
///
/// `query`: `[columns]`, `rows`: `[out.len(), columns]`. The sums are of integers and exact, so
/// that they are the same in any order and on any instruction set.
///
/// # Panics
/// When the slices do not fit together, or vectors are longer than 65,536.
pub fn scan(isa: Isa, query: &[i8], rows: &[i8], out: &mut [i32]) {
    assert!(query.len() <= LONGEST, "vectors of {} are too long to sum", query.len());
    assert_eq!(rows.len(), out.len() * query.len(), "rows is [out, columns]");
    if query.is_empty() {
        return out.fill(0);
    }
    match isa.checked() {
        // SAFETY: `checked` made sure of AVX-512, and this processor has VNNI beside it.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 if scan_avx::has_vnni() => unsafe { scan_avx::vnni(query, rows, out) },
        // SAFETY: `checked` made sure of AVX2, which is part of AVX-512 too.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 | Isa::Avx512 => unsafe { scan_avx::avx2(query, rows, out) },
        _ => portable(query, rows, out),
    }
}

fn portable(query: &[i8], rows: &[i8], out: &mut [i32]) {
    for (row, out) in rows.chunks_exact(query.len()).zip(out) {
        *out = product(query, row);
    }
}

/// Compilers turn this into multiplications of several at once (`smull`).
#[inline(always)]
fn product(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sums in 64 bits, the last product first.
    fn reference(query: &[i8], rows: &[i8]) -> Vec<i64> {
        let one = |row: &[i8]| {
            let products = query.iter().zip(row).map(|(a, b)| i64::from(*a) * i64::from(*b));
            products.rev().sum()
        };
        rows.chunks_exact(query.len()).map(one).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn every_isa_gives_the_exact_sums(
            columns in 1usize..300, count in 0usize..9, seed in any::<u64>(),
        ) {
            let mut state = seed | 1;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as i8
            };
            let query: Vec<i8> = (0..columns).map(|_| next()).collect();
            let rows: Vec<i8> = (0..columns * count).map(|_| next()).collect();
            let expected = reference(&query, &rows);
            for isa in Isa::available() {
                let mut out = vec![0; count];
                scan(isa, &query, &rows, &mut out);
                prop_assert!(out.iter().map(|x| i64::from(*x)).eq(expected.iter().copied()));
            }
        }
    }

    #[test]
    fn the_longest_vectors_of_extremes_do_not_overflow() {
        let extreme = vec![-128i8; LONGEST];
        for isa in Isa::available() {
            let mut out = [0];
            scan(isa, &extreme, &extreme, &mut out);
            assert_eq!(out, [128 * 128 * LONGEST as i32]);
        }
    }

    #[test]
    fn vectors_without_elements_have_product_zero() {
        let mut out = [7, 7];
        scan(Isa::Scalar, &[], &[], &mut out);
        assert_eq!(out, [0, 0]);
    }
}
