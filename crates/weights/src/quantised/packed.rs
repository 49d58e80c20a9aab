//! A quantised matrix: put into blocks that the kernels compute with, or decoded.

use super::codes::Codes;
use super::scales::{Element, Scales};
use super::zeros::Zeros;
use allod_kernels::{Format, Grouped, Scale};

/// Weights in a block.
const BLOCK: usize = 32;
/// Rows that are read together.
const BAND: usize = 32;

/// A matrix whose small numbers, scales and zero points stand in tensors of their own.
#[derive(Debug)]
pub struct Packed<'a> {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// What the numbers mean.
    pub(super) kind: Grouped,
    pub(super) codes: Codes<'a>,
    pub(super) scales: Scales<'a>,
    pub(super) zeros: Zeros<'a>,
    pub(super) groups: Groups,
    /// Names of the tensors.
    pub(super) tensors: Vec<&'a str>,
}

/// Which columns share a scale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Groups {
    /// So many columns in a row.
    Every(usize),
    /// The group of each column.
    Listed(Vec<usize>),
}

impl Groups {
    /// The group of a column.
    fn of(&self, column: usize) -> usize {
        match self {
            Groups::Every(length) => column / length,
            Groups::Listed(groups) => groups[column],
        }
    }

    /// How many there are over `columns`.
    fn count(&self, columns: usize) -> usize {
        match self {
            Groups::Every(length) => columns.div_ceil(*length),
            Groups::Listed(groups) => groups.iter().max().map_or(0, |last| last + 1),
        }
    }

    /// Whether each `len` columns are of one group.
    fn are_whole(&self, len: usize, columns: usize) -> bool {
        match self {
            Groups::Every(length) => length.is_multiple_of(len) || *length >= columns,
            Groups::Listed(groups) => {
                groups.chunks(len).all(|chunk| chunk.iter().all(|group| *group == chunk[0]))
            }
        }
    }
}

impl<'a> Packed<'a> {
    /// Names of the tensors that it is made of.
    pub fn tensors(&self) -> impl Iterator<Item = &'a str> {
        self.tensors.iter().copied()
    }

    /// The format that [`Packed::matrix`] gives: blocks of 32 where each has one scale, else floats
    /// that every weight fits without loss.
    pub fn format(&self) -> Format {
        let whole = self.columns.is_multiple_of(BLOCK)
            && self.groups.are_whole(self.kind.scale_len(), self.columns);
        let power = self.scales.element == Element::Exponent && self.kind == Grouped::Float4;
        match self.kind.value_type() {
            // In that format 255 is a number like the others.
            _ if whole && power && !self.scales.bytes.contains(&u8::MAX) => Format::MXFP4,
            _ if whole && !power => Format::Grouped(self.kind),
            Scale::F32 => Format::F32,
            Scale::F16 => Format::F16,
            Scale::BF16 => Format::BF16,
        }
    }

    /// Some of the rows, in [`Packed::format`].
    ///
    /// # Panics
    /// When there is no such row.
    pub fn matrix(&self, rows: &[usize]) -> Vec<u8> {
        let format = self.format();
        let row_bytes = format.row_bytes(self.columns).expect("rows are whole blocks");
        let mut bytes = Vec::with_capacity(rows.len() * row_bytes);
        let mut codes = vec![0; BAND.min(rows.len()) * self.columns];
        for band in rows.chunks(BAND) {
            let codes = &mut codes[..band.len() * self.columns];
            self.codes.read(band, self.rows, self.columns, codes);
            for (row, codes) in band.iter().zip(codes.chunks_exact(self.columns)) {
                self.put_row(*row, codes, format, &mut bytes);
            }
        }
        bytes
    }

    fn put_row(&self, row: usize, codes: &[u8], format: Format, out: &mut Vec<u8>) {
        let count = self.groups.count(self.columns);
        let scales: Vec<f32> = (0..count).map(|group| self.scales.get(row, group)).collect();
        let zero = |group: usize| self.zeros.get(row, group, self.rows, count);
        let zeros: Vec<u8> = (0..count).map(zero).collect();
        match format {
            Format::Grouped(kind) => {
                for (block, codes) in codes.chunks_exact(BLOCK).enumerate() {
                    let first = self.groups.of(block * BLOCK);
                    let second = self.groups.of(block * BLOCK + BLOCK / 2);
                    kind.put_block(codes, &[scales[first], scales[second]], zeros[first], out);
                }
            }
            Format::MXFP4 => {
                for (block, codes) in codes.chunks_exact(BLOCK).enumerate() {
                    let at = row * self.scales.row_stride + self.groups.of(block * BLOCK);
                    let (low, high) = codes.split_at(BLOCK / 2);
                    out.push(self.scales.bytes[at]);
                    out.extend(low.iter().zip(high).map(|(low, high)| low | high << 4));
                }
            }
            _ => {
                for (column, code) in codes.iter().enumerate() {
                    let group = self.groups.of(column);
                    let value = self.kind.value(*code, zeros[group], scales[group]);
                    self.kind.value_type().put(value, out);
                }
            }
        }
    }
}
