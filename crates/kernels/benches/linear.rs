//! Throughput of the matrix product: bytes of weights per second for one token (what decoding
//! needs), multiply-adds per second for many (what reading a prompt needs).
#![allow(missing_docs)] // the macros below make public items

use allod_kernels::{Format, Isa, Matrix, Scratch, linear};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const ROWS: usize = 4096;
const COLUMNS: usize = 2048;

/// Bytes that decode to small finite weights in every format.
fn weights(format: Format) -> Vec<u8> {
    let row_bytes = format.row_bytes(COLUMNS).expect("2048 columns are whole blocks");
    let mut bytes: Vec<u8> = (0..ROWS * row_bytes).map(|i| (i * 37 % 251) as u8).collect();
    let high: &[usize] = match format {
        Format::F32 => &[3],
        Format::Q4_1 | Format::Q5_1 | Format::Q4_K | Format::Q5_K => &[1, 3],
        Format::Q2_K => &[81, 83],
        Format::Q3_K => &[109],
        Format::Q6_K => &[209],
        Format::MXFP4 => &[0],
        _ => &[1], // the value's or the scale's high byte
    };
    for block in bytes.chunks_exact_mut(format.block_bytes()) {
        high.iter().for_each(|place| block[*place] = 0x2c);
    }
    bytes
}

fn bench(criterion: &mut Criterion) {
    for isa in Isa::available().into_iter().filter(|isa| *isa != Isa::Scalar) {
        for format in Format::ALL {
            let bytes = weights(format);
            let matrix = Matrix::new(format, ROWS, COLUMNS, &bytes).expect("bytes fit the shape");
            for tokens in [1, 64] {
                let x: Vec<f32> =
                    (0..tokens * COLUMNS).map(|i| (i % 17) as f32 * 0.1 - 0.8).collect();
                let mut out = vec![0.0; tokens * ROWS];
                let mut scratch = Scratch::new();
                let name = format!("{}/{tokens} tokens", isa.name());
                let mut group = criterion.benchmark_group(name);
                group.sample_size(10).measurement_time(std::time::Duration::from_secs(1));
                group.throughput(match tokens {
                    1 => Throughput::Bytes(bytes.len() as u64),
                    _ => Throughput::Elements((tokens * ROWS * COLUMNS) as u64),
                });
                group.bench_function(BenchmarkId::from_parameter(format.name()), |bencher| {
                    bencher.iter(|| linear(isa, &x, &matrix, 0..ROWS, &mut out, &mut scratch));
                });
            }
        }
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
