//! Quantised matrices in the order in which products read them: made once, or mapped from a file in
//! which they were kept, and used by everyone who runs the model.

use crate::error::{Error, Result};
use crate::load::Weight;
use crate::pause::Pause;
use crate::weight::WeightId;
use allod_kernels::{BlockSums, Coded, Isa, Matrix, Memory};
use allod_weights::{PackedFile, TensorFile};
use rayon::prelude::*;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::OnceLock;

/// Where a matrix may begin: a line of the caches.
const ALIGNMENT: usize = 64;
/// Rows that a thread packs at a time, a multiple of 16.
const PIECE_ROWS: usize = 1024;
/// Bytes that are copied together, at least: some large pages.
const GROUP_BYTES: usize = 16 << 20;

/// The order of packed bytes, by name: another number for each change of what packing gives.
const ORDER: &str = "codes-1";

/// All matrices of a checkpoint whose products are those of codes.
#[derive(Debug)]
pub(crate) struct CodedWeights {
    bytes: Bytes,
    /// By [`WeightId::index`] and expert.
    places: Vec<Vec<Option<Range<usize>>>>,
    sums: BlockSums,
}

#[derive(Debug)]
enum Bytes {
    Own(Memory),
    Kept(Kept),
}

/// Bytes in a file, of which some have been copied to memory.
#[derive(Debug)]
struct Kept {
    file: PackedFile,
    /// In order, whole matrices each.
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    place: Range<usize>,
    own: OnceLock<Memory>,
}

impl Kept {
    fn at(&self, place: Range<usize>) -> &[u8] {
        let after = self.groups.partition_point(|group| group.place.start <= place.start);
        let group = self.groups[..after].last();
        match group.and_then(|group| Some((group.place.start, group.own.get()?))) {
            Some((start, own)) => &own[place.start - start..place.end - start],
            None => &self.file[place],
        }
    }

    /// Copies what is not copied yet, and lets go of it where it was.
    fn copy(&self, pause: &Pause) -> Result<()> {
        for Group { place, own } in &self.groups {
            pause.wait();
            let bytes = &self.file[place.clone()];
            let mut memory = zeroed(bytes.len())?;
            memory.copy_from_slice(bytes);
            own.get_or_init(|| memory);
            self.file.release(bytes);
        }
        self.file.release(&self.file);
        Ok(())
    }

    fn is_copied(&self) -> bool {
        self.groups.iter().all(|group| group.own.get().is_some())
    }
}

fn zeroed(bytes: usize) -> Result<Memory> {
    Memory::zeroed(bytes).map_err(|source| Error::Memory { bytes, source })
}

impl CodedWeights {
    /// What products with the matrices need of activations.
    pub fn sums(&self) -> BlockSums {
        self.sums
    }

    /// The file that they lie in, if they do.
    pub fn file(&self) -> Option<&PackedFile> {
        match &self.bytes {
            Bytes::Kept(kept) => Some(&kept.file),
            Bytes::Own(_) => None,
        }
    }

    /// Whether they are read as fast as they can be.
    pub fn is_settled(&self) -> bool {
        match &self.bytes {
            Bytes::Own(_) => true,
            Bytes::Kept(kept) => kept.file.is_in_large_pages() || kept.is_copied(),
        }
    }

    /// Copies them out of the file, if small pages are what it lies in; waits between two pieces
    /// while something is urgent. They can be used meanwhile.
    ///
    /// # Errors
    /// When the system does not give the memory.
    pub fn settle(&self, pause: &Pause) -> Result<()> {
        match &self.bytes {
            Bytes::Kept(kept) if !self.is_settled() => kept.copy(pause),
            _ => Ok(()),
        }
    }

    /// A matrix, of which `stored` is the original.
    pub fn matrix(
        &self,
        id: WeightId,
        expert: Option<usize>,
        stored: &Matrix,
    ) -> Option<Coded<'_>> {
        let place = self.places.get(id.index())?.get(expert.unwrap_or(0))?.clone()?;
        Some(Coded::new(stored.format, stored.rows, stored.columns, self.at(place)))
    }

    fn at(&self, place: Range<usize>) -> &[u8] {
        match &self.bytes {
            Bytes::Own(memory) => &memory[place],
            Bytes::Kept(kept) => kept.at(place),
        }
    }
}

/// Which matrices are packed, and where each one goes.
pub(crate) struct Plan<'a> {
    file: &'a TensorFile,
    matrices: Vec<(Matrix<'a>, Range<usize>)>,
    places: Vec<Vec<Option<Range<usize>>>>,
    end: usize,
}

impl<'a> Plan<'a> {
    /// That of the weights that `multiplied` gives.
    pub fn new(
        file: &'a TensorFile,
        multiplied: impl Iterator<Item = (WeightId, &'a Weight)>,
    ) -> Plan<'a> {
        let mut plan = Plan { file, matrices: Vec::new(), places: Vec::new(), end: 0 };
        for (id, weight) in multiplied {
            let matrices = matrices_of(weight, file).into_iter();
            let of_experts = matrices.map(|matrix| plan.place(matrix?)).collect();
            if plan.places.len() <= id.index() {
                plan.places.resize_with(id.index() + 1, Vec::new);
            }
            plan.places[id.index()] = of_experts;
        }
        plan
    }

    fn place(&mut self, matrix: Matrix<'a>) -> Option<Range<usize>> {
        let size = Coded::size(matrix.format, matrix.rows, matrix.columns)?;
        let start = self.end.next_multiple_of(ALIGNMENT);
        self.end = start + size;
        self.matrices.push((matrix, start..self.end));
        Some(start..self.end)
    }

    /// Whether there is no such matrix.
    pub fn is_empty(&self) -> bool {
        self.matrices.is_empty()
    }

    fn sums(&self) -> BlockSums {
        let wants = |(matrix, _): &(Matrix, _)| Coded::sums(matrix.format) == BlockSums::Wanted;
        let wanted = self.matrices.iter().any(wants);
        if wanted { BlockSums::Wanted } else { BlockSums::Unwanted }
    }

    fn coded(self, bytes: Bytes) -> CodedWeights {
        CodedWeights { sums: self.sums(), bytes, places: self.places }
    }

    /// Packs the matrices; waits between two pieces while something is urgent.
    ///
    /// # Errors
    /// When the system does not give the memory.
    pub fn pack(self, isa: Isa, pause: &Pause) -> Result<CodedWeights> {
        let mut memory = zeroed(self.end)?;
        pieces(&self.matrices, &mut memory).into_par_iter().for_each(|(matrix, out)| {
            pause.wait();
            Coded::pack(isa, &matrix, out);
            self.file.release(matrix.bytes);
        });
        // What was packed early may have been read once more by a prompt that did not wait.
        self.matrices.iter().for_each(|(matrix, _)| self.file.release(matrix.bytes));
        Ok(self.coded(Bytes::Own(memory)))
    }

    /// What lies packed beside the file, if it does.
    ///
    /// # Errors
    /// As [`PackedFile::open`].
    pub fn map(self) -> Result<CodedWeights> {
        let file = PackedFile::open(self.file, ORDER, self.end)?;
        let mut groups: Vec<Group> = Vec::new();
        for (_, place) in &self.matrices {
            match groups.last_mut().filter(|group| group.place.len() < GROUP_BYTES) {
                Some(group) => group.place.end = place.end,
                None => groups.push(Group { place: place.clone(), own: OnceLock::new() }),
            }
        }
        Ok(self.coded(Bytes::Kept(Kept { file, groups })))
    }

    /// Whether packing the matrices gives the bytes of a file. What is read for it does not stay in
    /// memory if it is not used there. `between` is called before each piece of it.
    pub fn gives(&self, isa: Isa, all: &PackedFile, between: &dyn Fn()) -> bool {
        let mut packed = Vec::new();
        let mut is_of = |rows: Matrix, bytes: &[u8]| {
            between();
            packed.clear();
            packed.resize(bytes.len(), 0);
            Coded::pack(isa, &rows, &mut packed);
            let is_same = packed == bytes;
            self.file.release(rows.bytes);
            if !all.is_in_large_pages() {
                all.release(bytes);
            }
            is_same
        };
        all.len() == self.end
            && self.matrices.iter().all(|(matrix, place)| {
                let bytes = &all[place.clone()];
                rows_of(matrix).all(|(rows, range)| is_of(rows, &bytes[range]))
            })
    }

    /// Packs the matrices and writes the bytes beside the file; says where, and how many they are.
    ///
    /// # Errors
    /// As [`Plan::pack`] and [`PackedFile::write`].
    pub fn write(self, isa: Isa, pause: &Pause) -> Result<(PathBuf, usize)> {
        let file = self.file;
        match self.pack(isa, pause)?.bytes {
            Bytes::Own(bytes) => Ok((PackedFile::write(file, ORDER, &bytes)?, bytes.len())),
            Bytes::Kept(_) => unreachable!("what was packed now lies in memory"),
        }
    }
}

/// A matrix in pieces of some rows, each with its place among its packed bytes.
fn rows_of<'a>(matrix: &Matrix<'a>) -> impl Iterator<Item = (Matrix<'a>, Range<usize>)> + use<'a> {
    let (matrix, mut end) = (*matrix, 0);
    (0..matrix.rows).step_by(PIECE_ROWS).map(move |first| {
        let rows = PIECE_ROWS.min(matrix.rows - first);
        let size = Coded::size(matrix.format, rows, matrix.columns).expect("as the whole has");
        let bytes = &matrix.bytes[first * matrix.row_bytes()..][..rows * matrix.row_bytes()];
        end += size;
        (Matrix { rows, bytes, ..matrix }, end - size..end)
    })
}

/// The matrices in pieces, each with its place in memory.
fn pieces<'a, 'm>(
    matrices: &[(Matrix<'a>, Range<usize>)],
    memory: &'m mut [u8],
) -> Vec<(Matrix<'a>, &'m mut [u8])> {
    let (mut pieces, mut rest, mut at) = (Vec::new(), memory, 0);
    for (matrix, place) in matrices {
        let (before, others) = std::mem::take(&mut rest).split_at_mut(place.end - at);
        let mut own = &mut before[place.start - at..];
        (rest, at) = (others, place.end);
        for (rows, range) in rows_of(matrix) {
            let (piece, others) = own.split_at_mut(range.len());
            own = others;
            pieces.push((rows, piece));
        }
    }
    pieces
}

/// The matrix of a weight, or those of its experts; none for what is a vector.
fn matrices_of<'a>(weight: &'a Weight, file: &'a TensorFile) -> Vec<Option<Matrix<'a>>> {
    match weight {
        Weight::Experts(experts) => experts.iter().map(|own| own.matrix(file)).collect(),
        _ => vec![weight.matrix(file)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weight::Part;
    use allod_weights::make::GgufBuilder;

    const ROWS: usize = 40;
    const COLUMNS: usize = 96;

    fn weights(file: &TensorFile) -> Vec<(WeightId, Weight)> {
        let parts = [Part::Query, Part::Key, Part::Value].into_iter().enumerate();
        let weight = |(position, part)| {
            let bytes = 0..file.tensor_at(position).bytes.len();
            let weight = Weight::Stored { position, bytes, rows: ROWS, columns: COLUMNS };
            (WeightId { layer: 0, part }, weight)
        };
        parts.map(weight).collect()
    }

    #[test]
    fn what_is_mapped_is_what_is_packed_before_and_after_it_is_copied() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.gguf");
        let builder =
            ["a", "b", "c"].iter().enumerate().fold(GgufBuilder::new(), |file, (at, name)| {
                let value = |index: usize| ((index * 37 + at) % 101) as f32 - 50.0;
                let values: Vec<f32> = (0..ROWS * COLUMNS).map(value).collect();
                file.q8_0_tensor(name, &[ROWS, COLUMNS], &values)
            });
        std::fs::write(&path, builder.build()).unwrap();
        let file = TensorFile::open(&path).unwrap();
        let weights = weights(&file);
        let plan = || Plan::new(&file, weights.iter().map(|(id, weight)| (*id, weight)));
        let pause = Pause::default();
        let packed = plan().pack(Isa::detect(), &pause).unwrap();
        assert!(plan().map().is_err(), "there is no file yet");
        plan().write(Isa::detect(), &pause).unwrap();
        let mut mapped = plan().map().unwrap();
        assert!(plan().gives(Isa::detect(), mapped.file().unwrap(), &|| ()));
        // As if these few bytes were many.
        let Bytes::Kept(kept) = &mut mapped.bytes else { panic!("it lies in a file") };
        let groups = plan().matrices.into_iter();
        kept.groups = groups.map(|(_, place)| Group { place, own: OnceLock::new() }).collect();
        let places: Vec<Range<usize>> =
            weights.iter().map(|(id, _)| packed.places[id.index()][0].clone().unwrap()).collect();
        let same = |mapped: &CodedWeights| {
            places.iter().all(|place| mapped.at(place.clone()) == packed.at(place.clone()))
        };
        let Bytes::Kept(kept) = &mapped.bytes else { panic!("it lies in a file") };
        assert!(same(&mapped) && !kept.is_copied());
        kept.copy(&pause).unwrap();
        assert!(same(&mapped) && kept.is_copied() && mapped.is_settled());
        let own = kept.at(places[1].clone()).as_ptr();
        assert!(!kept.file.as_ptr_range().contains(&own), "read from memory");
    }
}
