//! Block formats against the `gguf` package: `vectors/make.py` wrote what it decodes and encodes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use allod_kernels::{Format, decode_row, encode_row};

const VECTORS: &[u8] = include_bytes!("vectors/blocks.bin");
const DECODE: u32 = 0;
const ENCODE: u32 = 1;

/// Blocks and the weights that belong to them.
struct Record {
    format: Format,
    kind: u32,
    blocks: Vec<u8>,
    weights: Vec<f32>,
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(count);
    *bytes = rest;
    taken
}

fn word(bytes: &mut &[u8]) -> u32 {
    u32::from_le_bytes(take(bytes, 4).try_into().unwrap())
}

fn record(bytes: &mut &[u8]) -> Record {
    let name = String::from_utf8(take(bytes, 8).to_vec()).unwrap();
    let format = Format::from_name(name.trim_end_matches('\0')).unwrap();
    let (kind, count) = (word(bytes), word(bytes) as usize);
    assert_eq!(word(bytes) as usize, format.block_bytes(), "{name}: bytes per block");
    assert_eq!(word(bytes) as usize, format.block_len(), "{name}: weights per block");
    let blocks = take(bytes, count * format.block_bytes()).to_vec();
    let weights = take(bytes, count * format.block_len() * 4).as_chunks::<4>().0;
    let weights = weights.iter().map(|weight| f32::from_le_bytes(*weight)).collect();
    Record { format, kind, blocks, weights }
}

fn records(kind: u32) -> Vec<Record> {
    let mut bytes = VECTORS;
    let mut records = Vec::new();
    while !bytes.is_empty() {
        records.push(record(&mut bytes));
    }
    records.retain(|record| record.kind == kind);
    records
}

#[test]
fn every_block_format_decodes_bit_for_bit() {
    let records = records(DECODE);
    let block_formats = Format::ALL.into_iter().filter(|format| format.block_len() > 1);
    for format in block_formats {
        assert!(records.iter().any(|record| record.format == format), "{format:?} has no vectors");
    }
    for Record { format, blocks, weights, .. } in records {
        let mut found = vec![0.0; weights.len()];
        decode_row(format, &blocks, &mut found);
        for (i, (found, expected)) in found.iter().zip(&weights).enumerate() {
            let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
            assert!(same, "{format:?}: weight {i} is {found:e}, not {expected:e}");
        }
    }
}

#[test]
fn rows_encode_byte_for_byte() {
    let records = records(ENCODE);
    assert!(!records.is_empty());
    for Record { format, blocks, weights, .. } in records {
        let (length, bytes) = (format.block_len(), format.block_bytes());
        for (i, (row, expected)) in
            weights.chunks_exact(length).zip(blocks.chunks_exact(bytes)).enumerate()
        {
            let mut found = vec![0; bytes];
            encode_row(format, row, &mut found).unwrap();
            assert_eq!(found, expected, "{format:?}: block {i}");
        }
    }
}
