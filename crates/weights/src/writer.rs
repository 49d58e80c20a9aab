//! Tensor files written as a stream: the header first, then one tensor after the other.

use crate::data_type::DataType;
use crate::error::{Error, Result};
use crate::metadata::Metadata;
use crate::replace::Replacement;
use crate::{gguf_header, safetensors};
use allod_kernels::Format;
use std::collections::{BTreeMap, HashSet};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A tensor that is going to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTensor {
    /// The name in the file.
    pub name: String,
    /// Dimensions, outermost first. (GGUF writes them the other way round; that is done here.)
    pub shape: Vec<usize>,
    /// How its elements are stored.
    pub format: Format,
}

impl NewTensor {
    /// Bytes of the elements, or why there cannot be such a tensor.
    fn size(&self) -> std::result::Result<usize, String> {
        let size = DataType::Format(self.format).size(&self.shape);
        match size.expect("a format's size is known") {
            Ok(size) if !self.shape.contains(&0) => Ok(size),
            Ok(_) => Err(format!("tensor `{}` has shape {:?}", self.name, self.shape)),
            Err(what) => Err(format!("tensor `{}`: {what}", self.name)),
        }
    }
}

/// Writes a GGUF or safetensors file whose tensors come in pieces of any size, in the order in
/// which they were announced.
///
/// Nothing is held but a buffer. The bytes go to a new file beside the target, which takes the
/// target's place only by [`TensorWriter::finish`], after all of it is on the disk: whatever goes
/// wrong before (a full disk, a crash, an error that drops the writer), the old file stays.
pub struct TensorWriter {
    out: BufWriter<Replacement>,
    /// What is to come: bytes of each tensor, last first, and of the padding after it.
    open: Vec<(String, usize, usize)>,
}

impl TensorWriter {
    /// Begins a GGUF file, version 3, with elements aligned to 32 bytes.
    ///
    /// A whole number of the metadata is stored in 32 bits where it fits and else in 64, a float
    /// in 32 bits where that loses nothing: the widths that readers of GGUF ask for.
    ///
    /// # Errors
    /// A tensor that GGUF cannot hold, by name, or what the operating system says.
    pub fn gguf(path: &Path, metadata: &Metadata, tensors: &[NewTensor]) -> Result<TensorWriter> {
        let sizes = sizes(path, tensors)?;
        let bad = |what| Error::Unwritable { file: path.to_path_buf(), what };
        let header = gguf_header::bytes(metadata, tensors, &sizes).map_err(bad)?;
        TensorWriter::begin(path, &header, tensors, &sizes, gguf_header::ALIGNMENT)
    }

    /// Begins a safetensors file.
    ///
    /// # Errors
    /// A tensor that safetensors cannot hold, by name, or what the operating system says.
    pub fn safetensors(
        path: &Path,
        metadata: &BTreeMap<String, String>,
        tensors: &[NewTensor],
    ) -> Result<TensorWriter> {
        let sizes = sizes(path, tensors)?;
        let bad = |what| Error::Unwritable { file: path.to_path_buf(), what };
        let header = safetensors::header(metadata, tensors, &sizes).map_err(bad)?;
        TensorWriter::begin(path, &header, tensors, &sizes, 1)
    }

    fn begin(
        path: &Path,
        header: &[u8],
        tensors: &[NewTensor],
        sizes: &[usize],
        alignment: usize,
    ) -> Result<TensorWriter> {
        let open = tensors.iter().zip(sizes).rev().map(|(tensor, size)| {
            (tensor.name.clone(), *size, size.next_multiple_of(alignment) - size)
        });
        let out = BufWriter::with_capacity(1 << 20, Replacement::create(path)?);
        let mut writer = TensorWriter { out, open: open.collect() };
        writer.put(header)?;
        Ok(writer)
    }

    /// Where the bytes go until they take the target's place.
    pub fn unfinished_path(&self) -> &Path {
        self.out.get_ref().unfinished_path()
    }

    fn target(&self) -> PathBuf {
        self.out.get_ref().target().to_path_buf()
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(|source| Error::Write { file: self.target(), source })
    }

    /// Writes the next elements of the tensor that is not yet complete.
    ///
    /// # Errors
    /// What the operating system says, or bytes beyond the end of the tensor.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let file = self.target();
        let Some((name, left, padding)) = self.open.last_mut() else {
            let what = "all tensors are complete, but more bytes come".to_string();
            return Err(Error::Unwritable { file, what });
        };
        if bytes.len() > *left {
            let what = format!("tensor `{name}` lacks {left} bytes but gets {}", bytes.len());
            return Err(Error::Unwritable { file, what });
        }
        *left -= bytes.len();
        let (complete, padding) = (*left == 0, *padding);
        self.put(bytes)?;
        if complete {
            self.open.pop();
            self.put(&vec![0; padding])?;
        }
        Ok(())
    }

    /// Makes what was written so far readable at [`TensorWriter::unfinished_path`], for a last
    /// look before it takes the target's place.
    ///
    /// # Errors
    /// A tensor that is not complete, or what the operating system says.
    pub fn complete(&mut self) -> Result<()> {
        if let Some((name, left, _)) = self.open.last() {
            let what = format!("tensor `{name}` lacks {left} bytes");
            return Err(Error::Unwritable { file: self.target(), what });
        }
        self.out.flush().map_err(|source| Error::Write { file: self.target(), source })
    }

    /// Puts the file in the target's place, once it is on the disk.
    ///
    /// # Errors
    /// As [`TensorWriter::complete`].
    pub fn finish(mut self) -> Result<()> {
        self.complete()?;
        let target = self.target();
        match self.out.into_inner() {
            Ok(replacement) => replacement.commit(),
            Err(error) => Err(Error::Write { file: target, source: error.into_error() }),
        }
    }
}

impl std::fmt::Debug for TensorWriter {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tensors = self.open.len();
        out.debug_struct("TensorWriter")
            .field("file", &self.target())
            .field("open", &tensors)
            .finish()
    }
}

/// Bytes of each tensor.
fn sizes(path: &Path, tensors: &[NewTensor]) -> Result<Vec<usize>> {
    let bad = |what| Error::Unwritable { file: path.to_path_buf(), what };
    let mut names = HashSet::new();
    if let Some(twice) = tensors.iter().find(|tensor| !names.insert(&tensor.name)) {
        return Err(bad(format!("the tensor `{}` occurs twice", twice.name)));
    }
    tensors.iter().map(|tensor| tensor.size().map_err(bad)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Array, Number, TensorFile, Value};
    use tempfile::tempdir;

    fn tensor(name: &str, shape: &[usize], format: Format) -> NewTensor {
        NewTensor { name: name.to_string(), shape: shape.to_vec(), format }
    }

    fn metadata() -> Metadata {
        let mut metadata = Metadata::default();
        metadata.insert("general.architecture", "x");
        metadata.insert("x.small", 7_u32);
        metadata.insert("x.negative", Value::Number(Number::Signed(-3)));
        metadata.insert("x.large", Value::Number(Number::Unsigned(1 << 40)));
        metadata.insert("x.float", 0.1_f32);
        metadata.insert("x.double", Value::Number(Number::Float(0.1)));
        metadata.insert("x.flag", true);
        metadata.insert("x.texts", vec!["a".to_string(), String::new(), "ß".to_string()]);
        metadata.insert("x.floats", vec![0.5_f32, -1.0]);
        metadata.insert("x.ids", vec![1_i32, -2]);
        metadata.insert("x.bytes", vec![0_u8, 255]);
        let nested = vec![Array::Texts(vec!["b".to_string()]), Array::Nested(Vec::new())];
        metadata.insert("x.nested", Value::Array(Array::Nested(nested)));
        metadata
    }

    #[test]
    fn gguf_is_read_back_as_written() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("m.gguf");
        let tensors = [tensor("a", &[3, 1], Format::F32), tensor("b", &[2, 32], Format::Q8_0)];
        let mut writer = TensorWriter::gguf(&path, &metadata(), &tensors).unwrap();
        [1.0_f32, 2.0, 3.0].iter().for_each(|v| writer.write(&v.to_le_bytes()).unwrap());
        writer.write(&[7; 68]).unwrap();
        assert!(!path.exists());
        writer.finish().unwrap();
        let file = TensorFile::open(&path).unwrap();
        assert_eq!(file.metadata(), &metadata());
        let a = file.tensor("a").unwrap();
        assert_eq!((a.shape, a.bytes[8..].to_vec()), (&[3, 1][..], 3_f32.to_le_bytes().to_vec()));
        assert_eq!(file.tensor("b").unwrap().bytes, [7; 68]);
        assert_eq!(std::fs::metadata(&path).unwrap().len() % 32, 0);
    }

    #[test]
    fn safetensors_is_read_back_as_written() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        let tensors = [tensor("b", &[], Format::F32), tensor("a", &[2, 2], Format::BF16)];
        let texts = BTreeMap::from([("format".to_string(), "pt".to_string())]);
        let mut writer = TensorWriter::safetensors(&path, &texts, &tensors).unwrap();
        writer.write(&4_f32.to_le_bytes()).unwrap();
        writer.write(&[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        writer.finish().unwrap();
        let file = TensorFile::open(&path).unwrap();
        assert_eq!(file.metadata().text("format"), Some("pt"));
        assert_eq!(file.tensor("b").unwrap().bytes, 4_f32.to_le_bytes());
        assert_eq!(file.tensor("a").unwrap().shape, [2, 2]);
        assert_eq!(file.tensor("a").unwrap().bytes, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn the_old_file_stays_until_the_new_one_is_whole() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("m.gguf");
        std::fs::write(&path, b"old").unwrap();
        let tensors = [tensor("a", &[2], Format::F32)];
        let mut writer = TensorWriter::gguf(&path, &Metadata::default(), &tensors).unwrap();
        writer.write(&[0; 4]).unwrap();
        let message = writer.write(&[0; 8]).unwrap_err().to_string();
        assert!(message.contains("`a` lacks 4 bytes but gets 8"), "{message}");
        let message = writer.finish().unwrap_err().to_string();
        assert!(message.contains("`a` lacks 4 bytes"), "{message}");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_is_refused_by_name() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("x");
        let gguf = |tensors: &[NewTensor]| {
            TensorWriter::gguf(&path, &Metadata::default(), tensors).unwrap_err().to_string()
        };
        assert!(gguf(&[tensor("a", &[33], Format::Q8_0)]).contains("`a`: rows of 33"));
        assert!(gguf(&[tensor("a", &[1; 5], Format::F32)]).contains("5 dimensions"));
        assert!(gguf(&[tensor("a", &[0, 3], Format::F32)]).contains("[0, 3]"));
        let twice = [tensor("a", &[1], Format::F32), tensor("a", &[1], Format::F32)];
        assert!(gguf(&twice).contains("occurs twice"));
        let block = [tensor("a", &[32], Format::Q4_0)];
        let refused = TensorWriter::safetensors(&path, &BTreeMap::new(), &block).unwrap_err();
        assert!(refused.to_string().contains("Q4_0"), "{refused}");
        let nowhere = folder.path().join("no/such/folder/x");
        let refused = TensorWriter::gguf(&nowhere, &Metadata::default(), &[]).unwrap_err();
        assert!(matches!(refused, Error::Write { .. }), "{refused}");
    }
}
