//! Time of the kernels around the matrix product, at the sizes of a small model.
#![allow(missing_docs)] // the macros below make public items

use allod_kernels::{
    CacheLayout, Isa, KeyValues, Scratch, attend, exp, rms_norm, silu_mul, softmax,
};
use criterion::{Criterion, criterion_group, criterion_main};

fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 37 % 101) as f32 * 0.02 - 1.0).collect()
}

fn bench_rows(criterion: &mut Criterion) {
    for isa in Isa::available() {
        let mut group = criterion.benchmark_group(isa.name());
        group.sample_size(10).measurement_time(std::time::Duration::from_millis(500));
        let (x, y, mut out) = (values(4096), values(4096), values(4096));
        group.bench_function("rms_norm 4096", |b| {
            b.iter(|| rms_norm(isa, &x, &y, 1e-5, &mut out));
        });
        group.bench_function("silu_mul 4096", |b| b.iter(|| silu_mul(isa, &x, &y, &mut out)));
        group.bench_function("softmax 4096", |b| b.iter(|| softmax(isa, &mut out)));
        group.bench_function("exp 4096", |b| {
            b.iter(|| {
                out.copy_from_slice(&x);
                exp(isa, &mut out);
            });
        });
    }
}

fn bench_attend(criterion: &mut Criterion) {
    let layout = CacheLayout::new(64);
    let (keys, cached) = (values(layout.keys_len(1024)), values(layout.values_len(1024)));
    let cache = KeyValues { layout, keys: &keys, values: &cached };
    for isa in Isa::available() {
        let mut group = criterion.benchmark_group(isa.name());
        group.sample_size(10).measurement_time(std::time::Duration::from_millis(500));
        for queries in [1, 4] {
            let (x, mut out) = (values(queries * 64), values(queries * 64));
            let mut scratch = Scratch::new();
            group.bench_function(format!("attend {queries} x 64 over 1024"), |b| {
                b.iter(|| attend(isa, &x, &cache, 0..1024, 0.125, &mut out, &mut scratch));
            });
        }
    }
}

criterion_group!(benches, bench_rows, bench_attend);
criterion_main!(benches);
