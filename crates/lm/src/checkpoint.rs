//! A checkpoint: a spec, and weights that are known to fit it.

use crate::arch::{self, Architecture, Settings};
use crate::error::{Error, Result};
use crate::spec::DecoderSpec;
use crate::weight::{Part, WeightId};
use allod_kernels::Matrix;
use allod_weights::{Tensor, TensorFile};
use std::collections::HashSet;
use std::path::Path;

/// The settings file of a model folder.
const CONFIG: &str = "config.json";
/// Settings are a few kilobytes; some carry label lists.
const CONFIG_BYTES: u64 = 16 << 20;

/// The weights of a model and what is computed with them.
#[derive(Debug)]
pub struct Checkpoint {
    spec: DecoderSpec,
    file: TensorFile,
    /// By [`WeightId::index`].
    weights: Vec<Option<Weight>>,
}

/// A weight, ready to be used.
#[derive(Debug)]
enum Weight {
    /// Position of a matrix in the file.
    Matrix(usize),
    /// A norm's factors or a bias, decoded.
    Vector(Vec<f32>),
}

impl Checkpoint {
    /// Opens a GGUF file, or a folder with config.json and safetensors weights, and checks that
    /// every tensor the spec needs is there in the right shape and a format that can be computed
    /// with, and that no tensor is left over that would change the result.
    ///
    /// # Errors
    /// Whatever is missing, unknown or contradictory, by name.
    pub fn open(path: &Path) -> Result<Checkpoint> {
        if path.is_dir() { Checkpoint::open_folder(path) } else { Checkpoint::open_gguf(path) }
    }

    fn open_folder(folder: &Path) -> Result<Checkpoint> {
        let path = folder.join(CONFIG);
        let config = read_object(&path, CONFIG_BYTES)?;
        let (architecture, spec) = arch::from_config(&Settings::json(&path, &config))?;
        let file = TensorFile::open(folder)?;
        let name = |id| architecture.config_name(id);
        Checkpoint::new(folder, architecture, spec, file, &name)
    }

    fn open_gguf(path: &Path) -> Result<Checkpoint> {
        let file = TensorFile::open(path)?;
        let settings = Settings::gguf(path, file.metadata());
        if settings.text_if_any("general.architecture")?.is_none() {
            let what = "a tensor file without its model's settings".to_string();
            let supported = "give the folder that holds config.json and tokenizer.json".to_string();
            return Err(Error::Unsupported { file: path.to_path_buf(), what, supported });
        }
        let (architecture, spec) = arch::from_gguf(&settings, &file)?;
        let name = |id| architecture.gguf_name(id);
        Checkpoint::new(path, architecture, spec, file, &name)
    }

    fn new(
        path: &Path,
        architecture: &Architecture,
        spec: DecoderSpec,
        file: TensorFile,
        name: &dyn Fn(WeightId) -> String,
    ) -> Result<Checkpoint> {
        let (mut weights, mut used) = (Vec::new(), HashSet::new());
        for (id, shape) in spec.weights() {
            let name = stored_name(&spec, &file, name, id);
            let weight = weight(path, &file, &name, &shape)?;
            if weights.len() <= id.index() {
                weights.resize_with(id.index() + 1, || None);
            }
            weights[id.index()] = Some(weight);
            used.insert(name);
        }
        let known = |name: &str| used.contains(name) || (architecture.ignored)(name, &spec);
        let surplus = file.tensors().map(|tensor| tensor.name).find(|name| !known(name));
        if let Some(name) = surplus {
            let kind = spec.architecture;
            let what = format!("the tensor `{name}` belongs to no weight of a {kind} model");
            return Err(Error::Tensors { file: path.to_path_buf(), what });
        }
        Ok(Checkpoint { spec, file, weights })
    }

    /// What is computed.
    pub fn spec(&self) -> &DecoderSpec {
        &self.spec
    }

    /// The file that holds the weights.
    pub fn file(&self) -> &TensorFile {
        &self.file
    }

    /// A weight matrix.
    ///
    /// # Panics
    /// If the spec has no such matrix.
    pub(crate) fn matrix(&self, id: WeightId) -> Matrix<'_> {
        match &self.weights[id.index()] {
            Some(Weight::Matrix(position)) => {
                self.file.tensor_at(*position).matrix().expect("checked when the file was opened")
            }
            _ => panic!("{id:?} is not a matrix of this model"),
        }
    }

    /// A weight vector.
    ///
    /// # Panics
    /// If the spec has no such vector.
    pub(crate) fn vector(&self, id: WeightId) -> &[f32] {
        match &self.weights[id.index()] {
            Some(Weight::Vector(values)) => values,
            _ => panic!("{id:?} is not a vector of this model"),
        }
    }
}

/// The name that a weight has in this file. Where embedding and output are one matrix, a file may
/// hold it under either name.
fn stored_name(
    spec: &DecoderSpec,
    file: &TensorFile,
    name: &dyn Fn(WeightId) -> String,
    id: WeightId,
) -> String {
    let own = name(id);
    let other = || name(WeightId { layer: 0, part: Part::Output });
    let is_tied = spec.tied && id.part == Part::TokenEmbedding;
    let elsewhere = is_tied && file.position(&own).is_none() && file.position(&other()).is_some();
    if elsewhere { other() } else { own }
}

fn weight(path: &Path, file: &TensorFile, name: &str, shape: &[usize]) -> Result<Weight> {
    let fault = |what: String| Error::Tensors { file: path.to_path_buf(), what };
    let position =
        file.position(name).ok_or_else(|| fault(format!("the tensor `{name}` is missing")))?;
    let tensor: Tensor = file.tensor_at(position);
    if tensor.shape != shape {
        let found = tensor.shape;
        return Err(fault(format!("the tensor `{name}` has shape {found:?}, not {shape:?}")));
    }
    if shape.len() == 1 {
        return Ok(Weight::Vector(tensor.vector()?));
    }
    tensor.matrix()?;
    Ok(Weight::Matrix(position))
}

/// Reads a file of at most `most` bytes.
pub(crate) fn read_text(path: &Path, most: u64) -> Result<String> {
    let io = |source| Error::Io { file: path.to_path_buf(), source };
    let length = std::fs::metadata(path).map_err(io)?.len();
    if length > most {
        let text = format!("the file has {length} bytes; {most} is the most that is read");
        return Err(io(std::io::Error::other(text)));
    }
    std::fs::read_to_string(path).map_err(io)
}

/// Reads a JSON object from a file of at most `most` bytes.
pub(crate) fn read_object(
    path: &Path,
    most: u64,
) -> Result<serde_json::Map<String, serde_json::Value>> {
    let text = read_text(path, most)?;
    serde_json::from_str(&text).map_err(|error| Error::Setting {
        file: path.to_path_buf(),
        key: "the whole".to_string(),
        what: format!("is not a JSON object: {error}"),
    })
}
