//! The vectors of a compartment: a file beside its index, and the search through all of them.
//!
//! A passage keeps the number of its row for life; rows of passages that are gone are given to new
//! ones by the next ingest. A batch writes its rows before the index commits the passages that
//! they belong to, so that a crash leaves at most rows that nobody asks for.

use crate::code::Code;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use allod_corpus::Digest;
use allod_kernels::{Isa, scan};
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const FILE: &str = "vectors.bin";
const MAGIC: &[u8; 16] = b"allod vectors 1\n";
/// Magic, elements of a vector, digest of the encoder's identity in hex.
const HEADER_BYTES: usize = 16 + 4 + 64;
/// Rows that are scanned together.
const CHUNK_ROWS: usize = 1024;
/// Rows that one thread scans at least.
const THREAD_ROWS: usize = 16 * CHUNK_ROWS;

/// The vectors of a compartment as they were when they were loaded.
#[derive(Debug, Default)]
pub(crate) struct Vectors {
    dimension: usize,
    scales: Vec<f32>,
    /// `[scales.len(), dimension]`
    steps: Vec<i8>,
}

/// A row and how near it is, as a cosine.
pub(crate) type Near = (u32, f32);

impl Vectors {
    /// Loads the vectors that this encoder made; none where there is no such file.
    pub(crate) fn load(folder: &Path, encoder: &dyn Encoder) -> Result<Vectors> {
        let path = folder.join(FILE);
        let mut options = File::options();
        let Some(mut file) = open(options.read(true), &path, encoder)? else {
            return Ok(Vectors::default());
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|source| Error::Folder { path, source })?;
        let dimension = encoder.dimension();
        // A last row that is not whole was being written when the machine stopped.
        let records = bytes.chunks_exact(record_bytes(dimension));
        let mut vectors = Vectors { dimension, ..Vectors::default() };
        vectors.scales.reserve_exact(records.len());
        vectors.steps.reserve_exact(records.len() * dimension);
        for record in records {
            let (scale, steps) = record.split_at(4);
            let scale = f32::from_le_bytes(scale.try_into().expect("it was split at four bytes"));
            vectors.scales.push(if scale.is_normal() { scale.max(0.0) } else { 0.0 });
            vectors.steps.extend(steps.iter().map(|byte| *byte as i8));
        }
        Ok(vectors)
    }

    /// Whether the row has a vector.
    pub(crate) fn has(&self, row: u32) -> bool {
        self.scales.get(row as usize).is_some_and(|scale| *scale > 0.0)
    }

    /// How near a row is to the query; `None` without a vector.
    pub(crate) fn cosine(&self, query: &Code, row: u32) -> Option<f32> {
        let scale = *self.scales.get(row as usize).filter(|scale| **scale > 0.0)?;
        let start = row as usize * self.dimension;
        let mut product = [0];
        scan(Isa::Scalar, &query.steps, &self.steps[start..start + self.dimension], &mut product);
        Some(product[0] as f32 * (query.scale * scale))
    }

    /// The rows nearest to the query of those that count, nearest first; rows that are equally near
    /// in their order.
    pub(crate) fn nearest(
        &self,
        query: &Code,
        limit: usize,
        counts: impl Fn(u32) -> bool + Sync,
    ) -> Vec<Near> {
        let isa = Isa::detect();
        if query.scale <= 0.0 || query.steps.len() != self.dimension || limit == 0 {
            return Vec::new();
        }
        let parts = self.scales.len().div_ceil(THREAD_ROWS);
        let part = |part: usize| {
            let first = part * THREAD_ROWS;
            let last = (first + THREAD_ROWS).min(self.scales.len());
            self.nearest_of(isa, query, limit, first..last, &counts)
        };
        let mut found: Vec<Near> = (0..parts).into_par_iter().flat_map_iter(part).collect();
        found.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found.truncate(limit);
        found
    }

    fn nearest_of(
        &self,
        isa: Isa,
        query: &Code,
        limit: usize,
        rows: std::ops::Range<usize>,
        counts: &impl Fn(u32) -> bool,
    ) -> Vec<Near> {
        let mut best: BinaryHeap<Reverse<Key>> = BinaryHeap::with_capacity(limit + 1);
        let mut products = [0i32; CHUNK_ROWS];
        for first in rows.clone().step_by(CHUNK_ROWS) {
            let last = (first + CHUNK_ROWS).min(rows.end);
            let products = &mut products[..last - first];
            let steps = &self.steps[first * self.dimension..last * self.dimension];
            scan(isa, &query.steps, steps, products);
            for (row, product) in (first..last).zip(products) {
                let scale = self.scales[row];
                let key = Key(*product as f32 * (query.scale * scale), Reverse(row as u32));
                let fits = best.len() < limit || best.peek().is_some_and(|least| key > least.0);
                if fits && scale > 0.0 && counts(row as u32) {
                    best.push(Reverse(key));
                    if best.len() > limit {
                        best.pop();
                    }
                }
            }
        }
        best.into_iter().map(|Reverse(Key(cosine, Reverse(row)))| (row, cosine)).collect()
    }
}

/// Nearer first, then the lower row.
#[derive(PartialEq)]
struct Key(f32, Reverse<u32>);

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1))
    }
}

/// The file of a compartment's vectors, to be written.
pub(crate) struct VectorFile {
    path: PathBuf,
    file: File,
    dimension: usize,
}

impl VectorFile {
    /// Opens the file that this encoder wrote; `None` where there is no such file.
    pub(crate) fn open(folder: &Path, encoder: &dyn Encoder) -> Result<Option<VectorFile>> {
        let path = folder.join(FILE);
        let dimension = encoder.dimension();
        let file = open(File::options().read(true).write(true), &path, encoder)?;
        Ok(file.map(|file| VectorFile { path, file, dimension }))
    }

    /// Makes a file with these rows in place of the one that is there.
    pub(crate) fn replace(
        folder: &Path,
        encoder: &dyn Encoder,
        rows: &[(u32, Code)],
    ) -> Result<VectorFile> {
        let (path, new) = (folder.join(FILE), folder.join("vectors.new"));
        let io = |source| Error::Folder { path: new.clone(), source };
        let mut file = File::create(&new).map_err(io)?;
        file.write_all(&header(encoder)).map_err(io)?;
        let mut written = VectorFile { path: new.clone(), file, dimension: encoder.dimension() };
        written.write(rows)?;
        std::fs::rename(&new, &path).map_err(io)?;
        Ok(VectorFile { path, ..written })
    }

    /// Takes the file away: without an encoder, rows are given to passages that have no vector.
    pub(crate) fn remove(folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::Folder { path, source: error })
            }
            _ => Ok(()),
        }
    }

    /// Writes rows; they are durable when this returns.
    pub(crate) fn write(&mut self, rows: &[(u32, Code)]) -> Result<()> {
        let Some(result) = (!rows.is_empty()).then(|| self.write_rows(rows)) else { return Ok(()) };
        result.map_err(|source| Error::Folder { path: self.path.clone(), source })
    }

    fn write_rows(&mut self, rows: &[(u32, Code)]) -> std::io::Result<()> {
        let mut order: Vec<&(u32, Code)> = rows.iter().collect();
        order.sort_unstable_by_key(|(row, _)| *row);
        let record_bytes = record_bytes(self.dimension);
        // Rows that follow one another are written at once.
        for run in order.chunk_by(|a, b| a.0 + 1 == b.0) {
            let mut bytes = Vec::with_capacity(run.len() * record_bytes);
            for (_, code) in run {
                bytes.extend_from_slice(&code.scale.to_le_bytes());
                bytes.extend(code.steps.iter().map(|step| *step as u8));
            }
            let at = HEADER_BYTES as u64 + u64::from(run[0].0) * record_bytes as u64;
            self.file.seek(SeekFrom::Start(at))?;
            self.file.write_all(&bytes)?;
        }
        self.file.sync_data()
    }
}

fn record_bytes(dimension: usize) -> usize {
    4 + dimension
}

fn header(encoder: &dyn Encoder) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&(encoder.dimension() as u32).to_le_bytes());
    let digest = Digest::of(encoder.identity().as_bytes()).to_string();
    let hex = digest.rsplit(':').next().unwrap_or(&digest);
    header.extend_from_slice(hex.as_bytes());
    header.resize(HEADER_BYTES, 0);
    header
}

/// The file behind its header; `None` if it is not there or another encoder's.
fn open(how: &OpenOptions, path: &Path, encoder: &dyn Encoder) -> Result<Option<File>> {
    let io = |source| Error::Folder { path: path.to_owned(), source };
    let mut file = match how.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(io)?,
    };
    let mut found = [0; HEADER_BYTES];
    match file.read_exact(&mut found) {
        Ok(()) => Ok((found[..] == header(encoder)[..]).then_some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(io(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::Purpose;

    struct Named(&'static str, usize);

    impl Encoder for Named {
        fn identity(&self) -> &str {
            self.0
        }

        fn dimension(&self) -> usize {
            self.1
        }

        fn encode(&self, _: Purpose, _: &[&str]) -> std::result::Result<Vec<Vec<f32>>, String> {
            Err("it encodes nothing".to_owned())
        }
    }

    fn code(seed: u32, dimension: u32) -> Code {
        let element = |i| f64::from((seed + 1) * (i + 3)).sin() as f32;
        Code::of(&(0..dimension).map(element).collect::<Vec<f32>>())
    }

    #[test]
    fn the_nearest_rows_are_those_of_a_plain_sort() {
        let folder = tempfile::tempdir().unwrap();
        let encoder = Named("a", 40);
        let rows: Vec<(u32, Code)> = (0..3000).map(|r| (r, code(r % 2900, 40))).collect();
        VectorFile::replace(folder.path(), &encoder, &rows).unwrap();
        let vectors = Vectors::load(folder.path(), &encoder).unwrap();
        let query = code(77, 40);
        let counts = |row: u32| !row.is_multiple_of(3);
        let mut expected: Vec<Near> = (0..3000)
            .filter(|r| counts(*r))
            .map(|r| (r, vectors.cosine(&query, r).unwrap()))
            .collect();
        expected.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        expected.truncate(50);
        assert_eq!(vectors.nearest(&query, 50, counts), expected);
        assert_eq!(expected[0].0, 77);
        assert_eq!(vectors.nearest(&query, 0, counts), []);
        assert_eq!(vectors.nearest(&code(1, 39), 5, counts), []);
    }

    #[test]
    fn rows_are_written_over_and_a_torn_one_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let encoder = Named("a", 8);
        let mut file =
            VectorFile::replace(folder.path(), &encoder, &[(0, code(0, 8)), (4, code(4, 8))])
                .unwrap();
        file.write(&[(5, code(5, 8)), (0, code(9, 8))]).unwrap();
        let vectors = Vectors::load(folder.path(), &encoder).unwrap();
        let there: Vec<u32> = (0..9).filter(|row| vectors.has(*row)).collect();
        assert_eq!(there, [0, 4, 5]);
        assert!(vectors.cosine(&code(9, 8), 0).unwrap() > 0.999);
        let path = folder.path().join(FILE);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(!Vectors::load(folder.path(), &encoder).unwrap().has(5));
        assert!(VectorFile::open(folder.path(), &encoder).unwrap().is_some());
    }

    #[test]
    fn another_encoders_file_and_a_broken_one_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        VectorFile::replace(folder.path(), &Named("a", 8), &[(0, code(0, 8))]).unwrap();
        for other in [Named("b", 8), Named("a", 9)] {
            assert!(!Vectors::load(folder.path(), &other).unwrap().has(0));
            assert!(VectorFile::open(folder.path(), &other).unwrap().is_none());
        }
        std::fs::write(folder.path().join(FILE), b"allod vectors").unwrap();
        assert!(VectorFile::open(folder.path(), &Named("a", 8)).unwrap().is_none());
        VectorFile::remove(folder.path()).unwrap();
        VectorFile::remove(folder.path()).unwrap();
        assert!(!Vectors::load(folder.path(), &Named("a", 8)).unwrap().has(0));
    }
}
