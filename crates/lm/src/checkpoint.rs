//! A checkpoint: a spec, and weights that are known to fit it.

use crate::arch::{self, Architecture, Known, Place, Settings};
use crate::coded::{CodedWeights, Plan};
use crate::error::{Error, Result};
use crate::load::{Loader, Weight, place_of};
use crate::pause::{Pause, Urgent};
use crate::spec::{DecoderSpec, EncoderSpec, ModelSpec};
use crate::weight::{Part, WeightId};
use allod_kernels::{BlockSums, Isa, Matrix, Weights};
use allod_weights::{PackedFile, Quantisation, TensorFile};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

/// The settings file of a model folder.
const CONFIG: &str = "config.json";
/// Settings are a few kilobytes; some carry label lists.
const CONFIG_BYTES: u64 = 16 << 20;

/// The weights of a model and what is computed with them.
#[derive(Debug)]
pub struct Checkpoint<S = DecoderSpec> {
    spec: S,
    file: TensorFile,
    /// By [`WeightId::index`].
    weights: Vec<Option<Weight>>,
    /// In the form in which they are served.
    coded: OnceLock<CodedWeights>,
    /// Whether that is what packing the weights gives, where it was read from a file.
    is_right: OnceLock<bool>,
    /// Held while that is made.
    coding: Mutex<()>,
    /// Whose computing is waited for meanwhile.
    pause: Pause,
}

impl Checkpoint<DecoderSpec> {
    /// Opens a decoder: a GGUF file, or a folder with config.json and safetensors weights, and
    /// checks that every tensor the spec needs is there in the right shape and a format that can be
    /// computed with, and that no tensor is left over that would change the result.
    ///
    /// # Errors
    /// Whatever is missing, unknown or contradictory, by name.
    pub fn open(path: &Path) -> Result<Checkpoint> {
        if path.is_dir() { Checkpoint::open_folder(path) } else { Checkpoint::open_gguf(path) }
    }

    /// What the config.json of a folder describes, whether there are weights or not.
    ///
    /// # Errors
    /// What is missing, unknown or contradictory in it.
    pub fn spec_of_folder(folder: &Path) -> Result<DecoderSpec> {
        let path = folder.join(CONFIG);
        let config = read_object(&path, CONFIG_BYTES)?;
        arch::from_config(&Settings::json(&path, &config)).map(|(_, spec)| spec)
    }

    fn open_folder(folder: &Path) -> Result<Checkpoint> {
        let path = folder.join(CONFIG);
        let config = read_object(&path, CONFIG_BYTES)?;
        let (architecture, spec) = arch::from_config(&Settings::json(&path, &config))?;
        let quantisation = Quantisation::read(folder, &config)?;
        let file = TensorFile::open(folder)?;
        let place = Architecture::huggingface_place;
        Checkpoint::new(folder, architecture, spec, (file, quantisation), place)
    }

    /// [`Checkpoint::open`] of a decoder that gives hidden states: its output projection may be
    /// missing, and then counts as tied.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub(crate) fn open_body(path: &Path) -> Result<Checkpoint> {
        if !path.is_dir() {
            return Checkpoint::open_gguf(path);
        }
        let config_path = path.join(CONFIG);
        let config = read_object(&config_path, CONFIG_BYTES)?;
        let (architecture, mut spec) = arch::from_config(&Settings::json(&config_path, &config))?;
        let quantisation = Quantisation::read(path, &config)?;
        let file = TensorFile::open(path)?;
        let names = |name: &str| file.position(name).is_some();
        let known = Known { spec: &spec, names: &names };
        if !names(&architecture.huggingface_place(known, Part::Output).name) {
            (spec.tied, spec.outputs) = (true, spec.vocabulary);
        }
        let place = Architecture::huggingface_place;
        Checkpoint::new(path, architecture, spec, (file, quantisation), place)
    }

    fn open_gguf(path: &Path) -> Result<Checkpoint> {
        let file = TensorFile::open(path)?;
        let settings = gguf_settings(path, &file)?;
        let (architecture, spec) = arch::from_gguf(&settings, &file)?;
        Checkpoint::new(path, architecture, spec, (file, None), Architecture::gguf_place)
    }

    /// The names of its architecture.
    pub(crate) fn architecture(&self) -> &'static Architecture {
        arch::named(self.spec.architecture).expect("the spec came from an architecture")
    }

    /// Where a weight is: the output's projection may be the embedding.
    pub(crate) fn stored(&self, id: WeightId) -> WeightId {
        match id.part {
            Part::Output if self.spec.tied => WeightId { part: Part::TokenEmbedding, ..id },
            _ => id,
        }
    }

    /// Gives the output a projection of its own, with the embedding's values.
    pub(crate) fn untie(&mut self) {
        let [embedding, output] =
            [Part::TokenEmbedding, Part::Output].map(|part| WeightId { layer: 0, part }.index());
        if self.spec.tied {
            self.weights[output] = self.weights[embedding].clone();
            self.spec.tied = false;
        }
    }
}

/// Whether the model at `path` calls itself an encoder.
///
/// # Errors
/// If its settings cannot be read.
pub(crate) fn holds_encoder(path: &Path) -> Result<bool> {
    if path.is_dir() {
        let config_path = path.join(CONFIG);
        let config = read_object(&config_path, CONFIG_BYTES)?;
        return arch::names_encoder(&Settings::json(&config_path, &config));
    }
    let file = TensorFile::open(path)?;
    arch::names_encoder(&gguf_settings(path, &file)?)
}

impl Checkpoint<EncoderSpec> {
    /// [`Checkpoint::open`] of an encoder.
    ///
    /// # Errors
    /// Whatever is missing, unknown or contradictory, by name.
    pub fn open_encoder(path: &Path) -> Result<Checkpoint<EncoderSpec>> {
        if !path.is_dir() {
            let file = TensorFile::open(path)?;
            let settings = gguf_settings(path, &file)?;
            let (architecture, spec) = arch::from_gguf(&settings, &file)?;
            return Checkpoint::new(
                path,
                architecture,
                spec,
                (file, None),
                Architecture::gguf_place,
            );
        }
        let config_path = path.join(CONFIG);
        let config = read_object(&config_path, CONFIG_BYTES)?;
        let (architecture, spec) = arch::from_config(&Settings::json(&config_path, &config))?;
        let file = TensorFile::open(path)?;
        Checkpoint::new(path, architecture, spec, (file, None), Architecture::encoder_place)
    }
}

impl<S: ModelSpec> Checkpoint<S> {
    fn new(
        path: &Path,
        architecture: &Architecture<S>,
        spec: S,
        (file, quantisation): (TensorFile, Option<Quantisation>),
        place: fn(&Architecture<S>, Known<S>, Part) -> Place,
    ) -> Result<Checkpoint<S>> {
        let mut weights = Vec::new();
        let quantisation = quantisation.as_ref();
        let used = HashSet::new();
        let mut loader = Loader { path, file: &file, quantisation, packed: 0, used };
        let names = |name: &str| file.position(name).is_some();
        let place = |part| place(architecture, Known { spec: &spec, names: &names }, part);
        for (id, shape) in spec.inventory() {
            let place = place_of(spec.tied(), &file, &place, id.part);
            let weight = loader.load(&place, id, &shape)?;
            if weights.len() <= id.index() {
                weights.resize_with(id.index() + 1, || None);
            }
            weights[id.index()] = Some(weight);
        }
        if quantisation.is_some() && loader.packed == 0 {
            let what = "`quantization_config` is there, but no matrix is quantised".to_string();
            return Err(Error::Tensors { file: path.to_path_buf(), what });
        }
        let used = loader.used;
        let idle = |name: &str| quantisation.is_some_and(|how| how.is_idle(&file, name));
        let known =
            |name: &str| used.contains(name) || architecture.ignores(name, &spec) || idle(name);
        let surplus = file.tensors().map(|tensor| tensor.name).find(|name| !known(name));
        if let Some(name) = surplus {
            let kind = spec.architecture();
            let what = format!("the tensor `{name}` belongs to no weight of a {kind} model");
            return Err(Error::Tensors { file: path.to_path_buf(), what });
        }
        Ok(Checkpoint {
            spec,
            file,
            weights,
            coded: OnceLock::new(),
            is_right: OnceLock::new(),
            coding: Mutex::new(()),
            pause: Pause::default(),
        })
    }

    /// What is computed.
    pub fn spec(&self) -> &S {
        &self.spec
    }

    /// The file that holds the weights.
    pub fn file(&self) -> &TensorFile {
        &self.file
    }

    /// The values of a weight, decoded, in the shape that the spec gives it.
    ///
    /// # Panics
    /// If the spec has no such weight.
    pub fn values(&self, id: WeightId) -> Vec<f32> {
        self.weight(id).values(&self.file)
    }

    /// A weight matrix.
    ///
    /// # Panics
    /// If the spec has no such matrix.
    pub(crate) fn matrix(&self, id: WeightId) -> Matrix<'_> {
        let matrix = self.weight(id).matrix(&self.file);
        matrix.unwrap_or_else(|| panic!("{id:?} is not a matrix of this model"))
    }

    /// Makes the form of quantised matrices that models are served with, if it is not there; waits
    /// for whoever makes it already. What it is made from then leaves memory, as far as it lies in
    /// the file.
    ///
    /// # Errors
    /// When there is not memory enough.
    pub fn code(&self, isa: Isa) -> Result<()> {
        if self.is_coded() {
            return Ok(());
        }
        let _one_at_a_time = self.coding.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_coded() {
            let coded = self.plan().pack(isa, &self.pause)?;
            self.coded.set(coded).expect("made under the lock, once");
        }
        Ok(())
    }

    /// Uses that form as it lies in a file beside the weights, if it does and was made from them.
    ///
    /// # Errors
    /// Why not.
    pub fn map_packed(&self) -> Result<()> {
        let _one_at_a_time = self.coding.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_coded() {
            let mapped = self.plan().map()?;
            self.coded.set(mapped).expect("mapped under the lock, once");
        }
        Ok(())
    }

    /// The same as [`Checkpoint::code`]; and where the form was mapped from a file, it is copied to
    /// memory if that is faster.
    ///
    /// # Errors
    /// When there is not memory enough.
    pub fn settle(&self, isa: Isa) -> Result<()> {
        self.code(isa)?;
        self.coded.get().map_or(Ok(()), |coded| coded.settle(&self.pause))
    }

    /// Whether that form is there, and as fast as it can be.
    pub fn is_settled(&self) -> bool {
        self.coded.get().is_some_and(CodedWeights::is_settled)
    }

    /// Writes that form into a file beside the weights; says where, and how many bytes.
    ///
    /// # Errors
    /// When there is nothing to pack or not memory enough, or the system does not let them be
    /// written.
    pub fn write_packed(&self, isa: Isa) -> Result<(PathBuf, usize)> {
        let plan = self.plan();
        if plan.is_empty() {
            let file = self.file.paths().next().unwrap_or(Path::new("")).to_path_buf();
            let what = "has no quantised weights; others are used as they lie there";
            return Err(Error::Tensors { file, what: what.to_owned() });
        }
        plan.write(isa, &self.pause)
    }

    /// Deletes that file, and says where it was.
    ///
    /// # Errors
    /// If there is none, or the system does not let it be deleted.
    pub fn remove_packed(&self) -> Result<PathBuf> {
        Ok(PackedFile::remove(&self.file)?)
    }

    /// The file of packed weights, if it is used and holds other bytes than packing the weights
    /// gives, or was written to since it was opened. Waits for the comparison, which is made once;
    /// who makes it calls `between` before each piece.
    pub fn strange_packed(&self, isa: Isa, between: &dyn Fn()) -> Option<&Path> {
        let file = self.coded.get()?.file()?;
        let is_right = *self.is_right.get_or_init(|| self.plan().gives(isa, file, between));
        (!is_right || file.is_written()).then(|| file.path())
    }

    fn plan(&self) -> Plan<'_> {
        let tied = self.spec.tied();
        let ids = self.spec.inventory().map(|(id, _)| id);
        let multiplied = ids.filter(|id| id.part.is_multiplied(tied));
        Plan::new(&self.file, multiplied.map(|id| (id, self.weight(id))))
    }

    /// Whether that form is there.
    pub(crate) fn is_coded(&self) -> bool {
        self.coded.get().is_some()
    }

    /// Waits while a prompt is read, but no longer than until then.
    pub fn give_way(&self, until: Instant) {
        self.pause.wait_at_most(until);
    }

    /// What gives way waits until what this returns is dropped.
    pub(crate) fn hold_others(&self) -> Urgent<'_> {
        self.pause.begin()
    }

    /// What products with its matrices need of activations.
    pub(crate) fn block_sums(&self) -> BlockSums {
        self.coded.get().map_or(BlockSums::Unwanted, CodedWeights::sums)
    }

    /// A matrix, an expert's if one is named, as products are computed with it.
    ///
    /// # Panics
    /// If the spec has no such matrix.
    pub(crate) fn multiplied(&self, id: WeightId, expert: Option<usize>) -> Weights<'_> {
        let stored = match expert {
            Some(expert) => self.expert_matrix(id, expert),
            None => self.matrix(id),
        };
        let coded = self.coded.get().and_then(|coded| coded.matrix(id, expert, &stored));
        coded.map_or(Weights::Stored(stored), Weights::Coded)
    }

    /// Puts another matrix of the same shape in a weight's place.
    pub(crate) fn replace(&mut self, id: WeightId, expert: Option<usize>, matrix: Weight) {
        let weight = self.weights[id.index()].as_mut();
        let weight = weight.and_then(|weight| match expert {
            Some(expert) => weight.expert_mut(expert),
            None => Some(weight),
        });
        *weight.unwrap_or_else(|| panic!("{id:?} is no weight of this model")) = matrix;
        self.coded.take();
    }

    /// A weight vector.
    ///
    /// # Panics
    /// If the spec has no such vector.
    pub(crate) fn vector(&self, id: WeightId) -> &[f32] {
        let vector = self.weight(id).vector();
        vector.unwrap_or_else(|| panic!("{id:?} is not a vector of this model"))
    }

    /// The matrix of one expert.
    ///
    /// # Panics
    /// If the spec has no such matrix or not so many experts.
    pub(crate) fn expert_matrix(&self, id: WeightId, expert: usize) -> Matrix<'_> {
        let matrix = self.weight(id).expert(expert).and_then(|weight| weight.matrix(&self.file));
        matrix.unwrap_or_else(|| panic!("{id:?} is not a matrix of expert {expert}"))
    }

    /// The vector of one expert.
    ///
    /// # Panics
    /// If the spec has no such vector or not so many experts.
    pub(crate) fn expert_vector(&self, id: WeightId, expert: usize) -> &[f32] {
        let vector = self.weight(id).expert(expert).and_then(Weight::vector);
        vector.unwrap_or_else(|| panic!("{id:?} is not a vector of expert {expert}"))
    }

    /// A weight, in whatever form.
    ///
    /// # Panics
    /// If the spec has no such weight.
    pub(crate) fn weight(&self, id: WeightId) -> &Weight {
        let weight = self.weights.get(id.index()).and_then(Option::as_ref);
        weight.unwrap_or_else(|| panic!("{id:?} is no weight of this model"))
    }
}

/// The keys of a GGUF file that says what model it holds.
fn gguf_settings<'a>(path: &'a Path, file: &'a TensorFile) -> Result<Settings<'a>> {
    let settings = Settings::gguf(path, file.metadata());
    match settings.text_if_any("general.architecture")? {
        Some(_) => Ok(settings),
        None => {
            let what = "a tensor file without its model's settings".to_string();
            let supported = "give the folder that holds config.json and tokenizer.json".to_string();
            Err(Error::Unsupported { file: path.to_path_buf(), what, supported })
        }
    }
}

impl DecoderSpec {
    /// What the config.json at `path` describes, whether there are weights or not.
    ///
    /// # Errors
    /// Whatever is missing, unknown or contradictory, by name.
    pub fn from_config(path: &Path) -> Result<DecoderSpec> {
        let config = read_object(path, CONFIG_BYTES)?;
        arch::from_config(&Settings::json(path, &config)).map(|(_, spec)| spec)
    }
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
