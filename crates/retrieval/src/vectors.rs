//! The vectors of a compartment: a file beside its index, and the search through all of them.
//!
//! A passage keeps the number of its row for life; rows of passages that are gone are given to new
//! ones by the next ingest. A batch writes its rows before the index commits the passages that
//! they belong to, so that a crash leaves at most rows that nobody asks for.

use crate::code::{Code, Codes};
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use allod_corpus::Digest;
use allod_kernels::{Isa, scan};
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const FILE: &str = "vectors.bin";
const MAGIC: &[u8; 16] = b"allod vectors 2\n";
/// Magic, elements of a vector, digest of the encoder's identity in hex.
const HEADER_BYTES: usize = 16 + 4 + 64;
/// Rows that are scanned together.
const CHUNK_ROWS: usize = 1024;
/// Rows that one thread scans at least.
const THREAD_ROWS: usize = 16 * CHUNK_ROWS;

/// What the title counts beside the rest.
const TITLE: f32 = 1.0;
/// A direction has at least so much, as a share of the squares, that is not its title's.
const LEAST_REST: f32 = 0.05;

/// The vectors of a compartment as they were when they were loaded.
#[derive(Debug, Default)]
pub(crate) struct Vectors {
    dimension: usize,
    scales: Vec<f32>,
    /// `[scales.len(), dimension]`
    steps: Vec<i8>,
    titles: Titles,
    /// The title of each row.
    title_of: Vec<u32>,
    /// The cosine of each row's text and its title.
    shared: Vec<f32>,
}

/// The vectors of titles, each once.
#[derive(Debug, Default)]
struct Titles {
    scales: Vec<f32>,
    /// `[scales.len(), dimension]`
    steps: Vec<i8>,
}

/// A query as the vectors of one compartment see it.
pub(crate) struct Sought<'a> {
    isa: Isa,
    code: &'a Code,
    /// Its cosine with each title.
    titles: Vec<f32>,
}

/// A row and how near it is.
pub(crate) type Near = (u32, f32);

/// How near a passage is to a query, from the cosines of query and text, query and title, and text
/// and title. All passages of a document share their title, and a query that names the document is
/// near all of them: what tells them apart is the rest. So the direction of the title is taken out
/// of query and text, the cosine of what is left is added to that of query and title.
fn nearness(text: f32, title: f32, shared: f32) -> f32 {
    let rests = (1.0 - title * title).max(LEAST_REST) * (1.0 - shared * shared).max(LEAST_REST);
    (text - title * shared) / rests.sqrt() + TITLE * title
}

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
        let isa = Isa::detect();
        let mut known: HashMap<&[u8], u32> = HashMap::new();
        for record in records {
            let (text, title) = record.split_at(4 + dimension);
            let at = *known.entry(title).or_insert_with(|| {
                vectors.titles.push(title);
                vectors.titles.scales.len() as u32 - 1
            });
            vectors.push(isa, text, at);
        }
        Ok(vectors)
    }

    fn push(&mut self, isa: Isa, record: &[u8], title: u32) {
        let start = self.steps.len();
        self.scales.push(read_code(record, &mut self.steps));
        self.title_of.push(title);
        let at = title as usize * self.dimension;
        let own = &self.titles.steps[at..at + self.dimension];
        let mut product = [0];
        scan(isa, own, &self.steps[start..], &mut product);
        let scale = self.titles.scales[title as usize] * self.scales[self.scales.len() - 1];
        self.shared.push(product[0] as f32 * scale);
    }

    /// What the search for a query needs.
    pub(crate) fn sought<'a>(&self, code: &'a Code) -> Sought<'a> {
        let isa = Isa::detect();
        let mut products = vec![0; self.titles.scales.len()];
        if code.steps.len() == self.dimension {
            scan(isa, &code.steps, &self.titles.steps, &mut products);
        }
        let cosine = |(product, scale): (&i32, &f32)| *product as f32 * (code.scale * scale);
        let titles = products.iter().zip(&self.titles.scales).map(cosine).collect();
        Sought { isa, code, titles }
    }

    /// Whether the row has a vector.
    pub(crate) fn has(&self, row: u32) -> bool {
        self.scales.get(row as usize).is_some_and(|scale| *scale > 0.0)
    }

    /// How near a row is to the query; `None` without a vector.
    pub(crate) fn near(&self, query: &Sought, row: u32) -> Option<f32> {
        let row = row as usize;
        self.scales.get(row).filter(|scale| **scale > 0.0)?;
        let start = row * self.dimension;
        let steps = &self.steps[start..start + self.dimension];
        let mut product = [0];
        scan(query.isa, &query.code.steps, steps, &mut product);
        Some(self.nearness(query, row, product[0]))
    }

    /// How near a row is by the product of its steps and the query's.
    fn nearness(&self, query: &Sought, row: usize, product: i32) -> f32 {
        let text = product as f32 * (query.code.scale * self.scales[row]);
        nearness(text, query.titles[self.title_of[row] as usize], self.shared[row])
    }

    /// The rows nearest to the query of those that count, nearest first; rows that are equally near
    /// in their order.
    pub(crate) fn nearest(
        &self,
        query: &Sought,
        limit: usize,
        counts: impl Fn(u32) -> bool + Sync,
    ) -> Vec<Near> {
        if query.code.scale <= 0.0 || query.code.steps.len() != self.dimension || limit == 0 {
            return Vec::new();
        }
        let parts = self.scales.len().div_ceil(THREAD_ROWS);
        let part = |part: usize| {
            let first = part * THREAD_ROWS;
            let last = (first + THREAD_ROWS).min(self.scales.len());
            self.nearest_of(query, limit, first..last, &counts)
        };
        let mut found: Vec<Near> = (0..parts).into_par_iter().flat_map_iter(part).collect();
        found.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found.truncate(limit);
        found
    }

    fn nearest_of(
        &self,
        query: &Sought,
        limit: usize,
        rows: std::ops::Range<usize>,
        counts: &impl Fn(u32) -> bool,
    ) -> Vec<Near> {
        let mut best: BinaryHeap<Reverse<Key>> = BinaryHeap::with_capacity(limit + 1);
        let (mut products, mut nears) = ([0i32; CHUNK_ROWS], [0f32; CHUNK_ROWS]);
        // A nearness below this one fits no more.
        let mut least = f32::NEG_INFINITY;
        for first in rows.clone().step_by(CHUNK_ROWS) {
            let last = (first + CHUNK_ROWS).min(rows.end);
            let products = &mut products[..last - first];
            let steps = &self.steps[first * self.dimension..last * self.dimension];
            scan(query.isa, &query.code.steps, steps, products);
            for ((row, product), near) in (first..last).zip(products).zip(&mut nears) {
                *near = self.nearness(query, row, *product);
            }
            for (row, near) in (first..last).zip(&nears) {
                if *near < least || self.scales[row] <= 0.0 || !counts(row as u32) {
                    continue;
                }
                best.push(Reverse(Key(*near, Reverse(row as u32))));
                if best.len() > limit {
                    best.pop();
                    least = best.peek().map_or(least, |one| one.0.0);
                }
            }
        }
        best.into_iter().map(|Reverse(Key(near, Reverse(row)))| (row, near)).collect()
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
        rows: &[(u32, Codes)],
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
    pub(crate) fn write(&mut self, rows: &[(u32, Codes)]) -> Result<()> {
        let Some(result) = (!rows.is_empty()).then(|| self.write_rows(rows)) else { return Ok(()) };
        result.map_err(|source| Error::Folder { path: self.path.clone(), source })
    }

    fn write_rows(&mut self, rows: &[(u32, Codes)]) -> std::io::Result<()> {
        let mut order: Vec<&(u32, Codes)> = rows.iter().collect();
        order.sort_unstable_by_key(|(row, _)| *row);
        let record_bytes = record_bytes(self.dimension);
        // Rows that follow one another are written at once.
        for run in order.chunk_by(|a, b| a.0 + 1 == b.0) {
            let mut bytes = Vec::with_capacity(run.len() * record_bytes);
            for code in run.iter().flat_map(|(_, codes)| [&codes.text, &codes.title]) {
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

/// A record holds the vector of the text, then that of the title: a scale and the steps of each.
fn record_bytes(dimension: usize) -> usize {
    2 * (4 + dimension)
}

/// Adds the steps of a vector in a record and returns its scale; 0 for one that is none.
fn read_code(record: &[u8], steps: &mut Vec<i8>) -> f32 {
    let (scale, own) = record.split_at(4);
    steps.extend(own.iter().map(|byte| *byte as i8));
    let scale = f32::from_le_bytes(scale.try_into().expect("it was split at four bytes"));
    if scale.is_normal() { scale.max(0.0) } else { 0.0 }
}

impl Titles {
    fn push(&mut self, record: &[u8]) {
        let scale = read_code(record, &mut self.steps);
        self.scales.push(scale);
    }
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

    /// A row with one of seven titles.
    fn codes(seed: u32, dimension: u32) -> Codes {
        Codes { text: code(seed, dimension), title: code(9000 + seed % 7, dimension) }
    }

    #[test]
    fn the_nearest_rows_are_those_of_a_plain_sort() {
        let folder = tempfile::tempdir().unwrap();
        let encoder = Named("a", 40);
        let rows: Vec<(u32, Codes)> = (0..3000).map(|r| (r, codes(r % 2900, 40))).collect();
        VectorFile::replace(folder.path(), &encoder, &rows).unwrap();
        let vectors = Vectors::load(folder.path(), &encoder).unwrap();
        let query = code(77, 40);
        let query = vectors.sought(&query);
        assert_eq!(vectors.titles.scales.len(), 7);
        let counts = |row: u32| !row.is_multiple_of(3);
        let mut expected: Vec<Near> = (0..3000)
            .filter(|r| counts(*r))
            .map(|r| (r, vectors.near(&query, r).unwrap()))
            .collect();
        expected.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        expected.truncate(50);
        assert_eq!(vectors.nearest(&query, 50, counts), expected);
        assert_eq!(vectors.nearest(&query, 0, counts), []);
        assert_eq!(vectors.nearest(&vectors.sought(&code(1, 39)), 5, counts), []);
    }

    #[test]
    fn passages_of_one_title_are_told_apart_by_the_rest() {
        // Query and both texts lean to the title; only one text shares the rest of the query.
        let (same, other) = (nearness(0.8, 0.7, 0.6), nearness(0.8, 0.7, 0.9));
        assert!((same - (0.8 - 0.42) / (0.51_f32 * 0.64).sqrt() - 0.7).abs() < 1e-6);
        assert!(same > other);
        // Without a title it is the cosine.
        assert_eq!(nearness(0.4, 0.0, 0.0), 0.4);
    }

    #[test]
    fn rows_are_written_over_and_a_torn_one_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let encoder = Named("a", 8);
        let mut file =
            VectorFile::replace(folder.path(), &encoder, &[(0, codes(0, 8)), (4, codes(4, 8))])
                .unwrap();
        file.write(&[(5, codes(5, 8)), (0, codes(9, 8))]).unwrap();
        let vectors = Vectors::load(folder.path(), &encoder).unwrap();
        let there: Vec<u32> = (0..9).filter(|row| vectors.has(*row)).collect();
        assert_eq!(there, [0, 4, 5]);
        let near = |seed| vectors.near(&vectors.sought(&code(seed, 8)), 0).unwrap();
        assert!(near(9) > 0.9 && near(9) > near(0), "{} {}", near(9), near(0));
        let path = folder.path().join(FILE);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(!Vectors::load(folder.path(), &encoder).unwrap().has(5));
        assert!(VectorFile::open(folder.path(), &encoder).unwrap().is_some());
    }

    #[test]
    fn another_encoders_file_and_a_broken_one_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        VectorFile::replace(folder.path(), &Named("a", 8), &[(0, codes(0, 8))]).unwrap();
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
