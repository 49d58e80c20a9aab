//! Weights out of a tensor file, from where an architecture says that they are.

use crate::arch::{Holder, Place};
use crate::error::{Error, Result};
use crate::weight::{Part, WeightId};
use allod_kernels::{Format, Matrix, decode_row};
use allod_weights::{Quantisation, Tensor, TensorFile};
use std::ops::Range;
use std::path::Path;

/// A weight, ready to be used.
#[derive(Debug, Clone)]
pub(crate) enum Weight {
    /// A matrix as it lies in the file: rows and columns, and the bytes of a tensor.
    Stored { position: usize, bytes: Range<usize>, rows: usize, columns: usize },
    /// A matrix that had to be put in order.
    Owned { format: Format, bytes: Vec<u8>, rows: usize, columns: usize },
    /// A norm's factors or a bias, decoded.
    Vector(Vec<f32>),
    /// One of the above for each expert.
    Experts(Vec<Weight>),
}

impl Weight {
    /// The matrix, if it is one.
    pub fn matrix<'a>(&'a self, file: &'a TensorFile) -> Option<Matrix<'a>> {
        match self {
            Weight::Stored { position, bytes, rows, columns } => {
                let tensor = file.tensor_at(*position);
                let format = tensor.format().expect("checked when the file was opened");
                let bytes = &tensor.bytes[bytes.clone()];
                Some(Matrix { format, rows: *rows, columns: *columns, bytes })
            }
            Weight::Owned { format, bytes, rows, columns } => {
                Some(Matrix { format: *format, rows: *rows, columns: *columns, bytes })
            }
            _ => None,
        }
    }

    /// The vector, if it is one.
    pub fn vector(&self) -> Option<&[f32]> {
        match self {
            Weight::Vector(values) => Some(values),
            _ => None,
        }
    }

    /// How many bytes are read where all of it is.
    pub fn bytes(&self, file: &TensorFile) -> usize {
        match self {
            Weight::Vector(values) => size_of_val(values.as_slice()),
            Weight::Experts(experts) => experts.iter().map(|own| own.bytes(file)).sum(),
            _ => self.matrix(file).expect("it is a matrix").bytes.len(),
        }
    }

    /// All values, decoded, experts outermost.
    pub fn values(&self, file: &TensorFile) -> Vec<f32> {
        match self {
            Weight::Vector(values) => values.clone(),
            Weight::Experts(experts) => experts.iter().flat_map(|own| own.values(file)).collect(),
            _ => {
                let matrix = self.matrix(file).expect("it is a matrix");
                let mut values = vec![0.0; matrix.rows * matrix.columns];
                let rows = values.chunks_exact_mut(matrix.columns.max(1)).enumerate();
                rows.for_each(|(row, out)| matrix.decode_row(row, out));
                values
            }
        }
    }

    /// What an expert has, to be replaced.
    pub fn expert_mut(&mut self, expert: usize) -> Option<&mut Weight> {
        match self {
            Weight::Experts(weights) => weights.get_mut(expert),
            _ => None,
        }
    }

    /// What an expert has, if experts have it.
    pub fn expert(&self, expert: usize) -> Option<&Weight> {
        match self {
            Weight::Experts(weights) => weights.get(expert),
            _ => None,
        }
    }
}

/// Reads weights from a file and keeps account of the tensors that are used.
pub(crate) struct Loader<'a> {
    /// For messages.
    pub path: &'a Path,
    /// The file.
    pub file: &'a TensorFile,
    /// How its matrices were quantised, if they were.
    pub quantisation: Option<&'a Quantisation>,
    /// How many matrices were.
    pub packed: usize,
    /// Names of the tensors read so far.
    pub used: std::collections::HashSet<String>,
}

/// One of several equal pieces of a tensor, its outermost dimension: number and count.
type Slab = Option<(usize, usize)>;

impl Loader<'_> {
    /// The weight at `place`, of `shape` with experts outermost.
    pub fn load(&mut self, place: &Place, id: WeightId, shape: &[usize]) -> Result<Weight> {
        if !id.part.is_of_expert() {
            let name = place.name(id.layer, 0);
            return self.one(place, &name, id, shape, None);
        }
        let own = place.name.contains("{e}");
        let mut experts = Vec::new();
        for expert in 0..shape[0] {
            let name = place.name(id.layer, expert);
            let slab = (!own).then_some((expert, shape[0]));
            experts.push(self.one(place, &name, id, &shape[1..], slab)?);
        }
        Ok(Weight::Experts(experts))
    }

    fn one(
        &mut self,
        place: &Place,
        name: &str,
        id: WeightId,
        shape: &[usize],
        slab: Slab,
    ) -> Result<Weight> {
        match place.holder {
            Holder::Key => self.key(name, id),
            Holder::BlocksAndScales => self.blocks_and_scales(place, name, shape, slab),
            Holder::Tensor => {
                if let Some(weight) = self.quantised(place, name, shape, slab)? {
                    return Ok(weight);
                }
                let position = self.tensor(name)?;
                let tensor = self.file.tensor_at(position);
                self.check_shape(&tensor, place, shape, slab)?;
                match shape {
                    [length] => self.vector(&tensor, place, *length, slab),
                    _ => self.matrix(position, &tensor, place, shape, slab),
                }
            }
        }
    }

    /// The matrix, if it is one that was quantised.
    fn quantised(
        &mut self,
        place: &Place,
        name: &str,
        shape: &[usize],
        slab: Slab,
    ) -> Result<Option<Weight>> {
        let (Some(quantisation), &[rows, columns], None) = (self.quantisation, shape, slab) else {
            return Ok(None);
        };
        let (first, step, of) = place.rows.map_or((0, 1, rows), |r| (r.first, r.step, r.of));
        let Some(packed) = quantisation.packed(self.file, name, (of, columns))? else {
            return Ok(None);
        };
        if place.turned {
            let what = format!("the matrix `{name}`, which is stored turned, is quantised");
            return Err(self.fault(what));
        }
        self.used.extend(packed.tensors().map(str::to_string));
        self.packed += 1;
        let picked: Vec<usize> = (first..of).step_by(step).take(rows).collect();
        let (format, bytes) = (packed.format(), packed.matrix(&picked));
        Ok(Some(Weight::Owned { format, bytes, rows, columns }))
    }

    fn fault(&self, what: String) -> Error {
        Error::Tensors { file: self.path.to_path_buf(), what }
    }

    fn tensor(&mut self, name: &str) -> Result<usize> {
        let position = self.file.position(name);
        let position =
            position.ok_or_else(|| self.fault(format!("the tensor `{name}` is missing")))?;
        self.used.insert(name.to_string());
        Ok(position)
    }

    /// A number that stands under a key: one for each layer, or one for all.
    fn key(&self, name: &str, id: WeightId) -> Result<Weight> {
        let metadata = self.file.metadata();
        let list: Vec<f64> = match (metadata.array(name), metadata.number(name)) {
            (Some(list), _) => list.numbers().filter_map(|number| number.as_f64()).collect(),
            (None, Some(number)) => vec![number.as_f64().unwrap_or(f64::NAN); id.layer + 1],
            _ => return Err(self.fault(format!("the key `{name}` is missing"))),
        };
        let value = list.get(id.layer).filter(|value| value.is_finite()).ok_or_else(|| {
            self.fault(format!("the key `{name}` has no number for layer {}", id.layer))
        })?;
        Ok(Weight::Vector(vec![*value as f32]))
    }

    /// Whether the tensor has the shape that the place and the weight's shape ask for. A single
    /// number may have no dimension.
    fn check_shape(
        &self,
        tensor: &Tensor,
        place: &Place,
        shape: &[usize],
        slab: Slab,
    ) -> Result<()> {
        let mut expected = shape.to_vec();
        expected[0] = place.rows.map_or(shape[0], |rows| rows.of);
        if place.turned {
            expected.reverse();
        }
        if let Some((_, count)) = slab {
            expected.insert(0, count);
        }
        let (name, found) = (tensor.name, tensor.shape);
        if found == expected || found.is_empty() && expected == [1] {
            return Ok(());
        }
        Err(self.fault(format!("the tensor `{name}` has shape {found:?}, not {expected:?}")))
    }

    /// The bytes of a slab within its tensor.
    fn slab_bytes(&self, tensor: &Tensor, slab: Slab) -> Range<usize> {
        let (index, count) = slab.unwrap_or((0, 1));
        let length = tensor.bytes.len() / count;
        index * length..(index + 1) * length
    }

    fn vector(&self, tensor: &Tensor, place: &Place, length: usize, slab: Slab) -> Result<Weight> {
        let rows = place.rows.map_or((0, 1, length), |rows| (rows.first, rows.step, rows.of));
        let (first, step, of) = rows;
        let mut all = vec![0.0; of];
        let bytes = &tensor.bytes[self.slab_bytes(tensor, slab)];
        let format = tensor.format()?;
        if format.row_bytes(of) != Some(bytes.len()) {
            return Err(self.fault(format!("the rows of `{}` are no whole blocks", tensor.name)));
        }
        decode_row(format, bytes, &mut all);
        let values = all.iter().skip(first).step_by(step).take(length);
        Ok(Weight::Vector(values.map(|value| value + place.plus).collect()))
    }

    fn matrix(
        &self,
        position: usize,
        tensor: &Tensor,
        place: &Place,
        shape: &[usize],
        slab: Slab,
    ) -> Result<Weight> {
        let (rows, columns) = (shape[0], shape[1]);
        let format = tensor.format()?;
        let slab = self.slab_bytes(tensor, slab);
        if place.turned {
            return self.turned(tensor, place, shape, slab);
        }
        let row_bytes = format.row_bytes(columns).ok_or_else(|| {
            self.fault(format!("the rows of `{}` are no whole blocks", tensor.name))
        })?;
        let (first, step) = place.rows.map_or((0, 1), |rows| (rows.first, rows.step));
        if step == 1 {
            let start = slab.start + first * row_bytes;
            let bytes = start..start + rows * row_bytes;
            return Ok(Weight::Stored { position, bytes, rows, columns });
        }
        let all = tensor.bytes[slab].chunks_exact(row_bytes.max(1));
        let picked = all.skip(first).step_by(step).take(rows);
        let bytes: Vec<u8> = picked.flatten().copied().collect();
        Ok(Weight::Owned { format, bytes, rows, columns })
    }

    /// A matrix that is stored as `[columns, rows]`, one value at a time.
    fn turned(
        &self,
        tensor: &Tensor,
        place: &Place,
        shape: &[usize],
        slab: Range<usize>,
    ) -> Result<Weight> {
        let (rows, columns) = (shape[0], shape[1]);
        let format = tensor.format()?;
        if format.block_len() != 1 {
            let what = format!("the tensor `{}` is stored in blocks across its rows", tensor.name);
            return Err(self.fault(what));
        }
        let (first, step, of) =
            place.rows.map_or((0, 1, rows), |given| (given.first, given.step, given.of));
        let size = format.block_bytes();
        let from = &tensor.bytes[slab];
        let mut bytes = Vec::with_capacity(rows * columns * size);
        for row in 0..rows {
            for column in 0..columns {
                let at = (column * of + first + row * step) * size;
                bytes.extend_from_slice(&from[at..at + size]);
            }
        }
        Ok(Weight::Owned { format, bytes, rows, columns })
    }

    /// 4-bit floats and powers of two in tensors of their own, put together as blocks of
    /// the format MXFP4: there byte j of a block holds elements j and j + 16, here 2j and 2j + 1.
    fn blocks_and_scales(
        &mut self,
        place: &Place,
        name: &str,
        shape: &[usize],
        slab: Slab,
    ) -> Result<Weight> {
        const HALF: usize = 16;
        let format = Format::from_name("MXFP4")
            .ok_or_else(|| self.fault(format!("`{name}_blocks` needs the format MXFP4")))?;
        let (rows, columns) = (shape[0], shape[1]);
        let (first, step, of) =
            place.rows.map_or((0, 1, rows), |given| (given.first, given.step, given.of));
        let groups = columns / (2 * HALF);
        let experts = slab.map_or(1, |(_, count)| count);
        let names = [format!("{name}_blocks"), format!("{name}_scales")];
        let positions = [self.tensor(&names[0])?, self.tensor(&names[1])?];
        let [blocks, scales] = positions.map(|position| self.file.tensor_at(position));
        let expected = experts as u128 * of as u128 * groups as u128;
        let sound = columns.is_multiple_of(2 * HALF)
            && blocks.bytes.len() as u128 == expected * HALF as u128
            && scales.bytes.len() as u128 == expected;
        if !sound {
            let (found, scales) = (blocks.shape, scales.shape);
            let what = format!("`{}` {found:?} and its scales {scales:?}", names[0]);
            return Err(self.fault(format!("{what} are not {experts} of [{of}, {columns}]")));
        }
        let blocks = &blocks.bytes[self.slab_bytes(&blocks, slab)];
        let scales = &scales.bytes[self.slab_bytes(&scales, slab)];
        let mut bytes = Vec::with_capacity(rows * groups * (HALF + 1));
        for group in (0..rows).flat_map(|row| {
            let start = (first + row * step) * groups;
            start..start + groups
        }) {
            bytes.push(scales[group]);
            let pairs = &blocks[group * HALF..][..HALF];
            let nibble = |element: usize| pairs[element / 2] >> (4 * (element % 2)) & 15;
            bytes.extend((0..HALF).map(|j| nibble(j) | nibble(j + HALF) << 4));
        }
        Ok(Weight::Owned { format, bytes, rows, columns })
    }
}

/// The place of a weight in this file. Where embedding and output are one matrix, a file may hold
/// it under either name.
pub(crate) fn place_of(
    tied: bool,
    file: &TensorFile,
    place: &dyn Fn(Part) -> Place,
    part: Part,
) -> Place {
    let own = place(part);
    if !tied || part != Part::TokenEmbedding || file.position(&own.name).is_some() {
        return own;
    }
    let other = place(Part::Output);
    if file.position(&other.name).is_some() { other } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;
    use allod_weights::make::safetensors_with_header;

    /// Two experts with two rows of 32 that alternate between two weights: every value is its
    /// number in the table, its scale 2^row.
    #[test]
    fn blocks_and_scales_are_put_together_as_they_are_read() {
        let table = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
        let pairs =
            |row: u8| (0..16_u8).map(move |j| ((2 * j + row) % 8) | (((2 * j + 1 + row) % 8) << 4));
        let blocks: Vec<u8> = (0..4).flat_map(pairs).collect();
        let data = [blocks, (127..131).collect()].concat();
        let header = r#"{"x_blocks":{"dtype":"U8","shape":[2,2,1,16],"data_offsets":[0,64]},
            "x_scales":{"dtype":"U8","shape":[2,2,1],"data_offsets":[64,68]}}"#;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        std::fs::write(&path, safetensors_with_header(header, &data)).unwrap();
        let file = TensorFile::open(&path).unwrap();
        let used = std::collections::HashSet::new();
        let mut loader = Loader { path: &path, file: &file, quantisation: None, packed: 0, used };
        let id = WeightId { layer: 0, part: Part::ExpertUp };
        let packed = Place { holder: Holder::BlocksAndScales, ..Place::tensor("x") };
        let weight = loader.load(&packed.clone().every_other(1, 2), id, &[2, 1, 32]).unwrap();
        for expert in 0..2 {
            let matrix = weight.expert(expert).and_then(|own| own.matrix(&file)).unwrap();
            let mut found = [0.0; 32];
            matrix.decode_row(0, &mut found);
            let row = 2 * expert + 1;
            for (k, found) in found.into_iter().enumerate() {
                assert_eq!(found, table[(k + row) % 8] * 2.0_f32.powi(row as i32), "{expert} {k}");
            }
        }
        assert_eq!(loader.used.len(), 2);
        let message = loader.load(&packed, id, &[2, 3, 32]).unwrap_err().to_string();
        assert!(message.contains("x_blocks") && message.contains("[3, 32]"), "{message}");
    }
}
