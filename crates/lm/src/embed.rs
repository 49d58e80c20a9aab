//! Vectors of texts, and scores of pairs of texts, as a model's own files say.

mod cross_encoder;
mod manner;

use crate::checkpoint::{Checkpoint, holds_encoder};
use crate::error::{Error, Result};
use crate::infer::{ActivationForm, Batch, CacheForm, Infer, InferOptions, Vectors};
use crate::spec::{DecoderSpec, EncoderSpec, ModelSpec, Pooling};
use crate::tokenizer::Tokenizer;
use allod_kernels::Isa;
use allod_weights::TensorFile;
pub use cross_encoder::CrossEncoder;
use manner::Manner;
pub(crate) use manner::{files, files_read, pooling_of};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Sequences that are run together at most, and tokens beyond which no further one joins. They
/// bound memory; results do not depend on them.
const BATCH_SEQUENCES: usize = 64;
const BATCH_TOKENS: usize = 2048;

/// How an [`Embedder`] or a [`CrossEncoder`] runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbedOptions {
    /// Threads that compute; at least one.
    pub threads: usize,
    /// The instruction set.
    pub isa: Isa,
}

/// What a text is embedded for. Some models put different words before each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Nothing in particular: what the model puts before texts by default.
    Any,
    /// A question, to be compared with documents.
    Query,
    /// A document, to be found.
    Document,
}

/// Turns texts into vectors. Equal texts have equal bits, whatever else is embedded with them.
pub struct Embedder {
    tokenizer: Tokenizer,
    runner: Runner,
    pooling: Pooling,
    normalise: bool,
    prompts: BTreeMap<String, String>,
    default_prompt: Option<String>,
    max_tokens: usize,
    dimensions: usize,
}

/// What computes.
enum Runner {
    Encoder(Infer<EncoderSpec>),
    Decoder(Infer<DecoderSpec>),
}

impl Embedder {
    /// Loads a folder in Hugging Face's layout, with the files of sentence-transformers where there
    /// are any, or a `.gguf` file.
    ///
    /// Where nothing says how tokens become a vector, encoders take the mean (as
    /// sentence-transformers does) and decoders are refused. GGUF files do not say whether vectors
    /// are scaled to length 1; they are, as llama.cpp does it.
    ///
    /// # Errors
    /// What is missing, damaged or not supported, by name.
    pub fn load(path: &Path, options: EmbedOptions) -> Result<Embedder> {
        let (manner, tokenizer) = match path.is_dir() {
            true => {
                let manner = Manner::of_folder(path)?;
                let tokenizer = Tokenizer::from_folder(&manner.folder)?;
                (manner, tokenizer)
            }
            false => of_gguf(path)?,
        };
        let (runner, pooling, max_tokens, dimensions) = match holds_encoder(&manner.folder)? {
            true => {
                let checkpoint = Arc::new(Checkpoint::open_encoder(&manner.folder)?);
                let spec = checkpoint.spec();
                let (width, most) = (spec.width, limit(manner.max_tokens, spec.context_length));
                let infer = Infer::new(checkpoint, infer_options(options, most))?;
                let default = (!manner.lists_modules).then_some(Pooling::Mean);
                let pooling = manner.pooling.or(default).ok_or_else(|| unsaid(path))?;
                (Runner::Encoder(infer), pooling, most, width)
            }
            false => {
                let checkpoint = Arc::new(Checkpoint::open_body(&manner.folder)?);
                let spec = checkpoint.spec();
                let (width, most) = (spec.width, limit(manner.max_tokens, spec.context_length));
                let pooling = manner.pooling.ok_or_else(|| unsaid(path))?;
                let infer = Infer::new(checkpoint, infer_options(options, most))?;
                (Runner::Decoder(infer), pooling, most, width)
            }
        };
        let Manner { normalise, prompts, default_prompt, .. } = manner;
        Ok(Embedder {
            tokenizer,
            runner,
            pooling,
            normalise,
            prompts,
            default_prompt,
            max_tokens,
            dimensions,
        })
    }

    /// The vectors of texts, in their order. Texts longer than [`Embedder::max_tokens`] are cut.
    ///
    /// # Errors
    /// If a text cannot be turned into tokens.
    pub fn embed(&mut self, purpose: Purpose, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        let prompt = self.prompt(purpose).to_string();
        self.embed_after(&prompt, texts)
    }

    /// [`Embedder::embed`] with `prompt` put before every text.
    ///
    /// # Errors
    /// If a text cannot be turned into tokens.
    pub fn embed_after(&mut self, prompt: &str, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        let mut sequences = Vec::with_capacity(texts.len());
        for text in texts {
            let tokens =
                self.tokenizer.encode_within(&format!("{prompt}{text}"), self.max_tokens)?;
            if tokens.is_empty() {
                return Err(Error::Text("an empty text has no tokens to embed".to_string()));
            }
            let segments = vec![0; tokens.len()];
            sequences.push(Sequence { tokens, segments });
        }
        let (pooling, runner) = (self.pooling, &mut self.runner);
        let mut vectors = in_batches(&sequences, |batch| match runner {
            Runner::Encoder(infer) => infer.pool(batch, pooling),
            Runner::Decoder(infer) => infer.pool(batch, pooling),
        })?;
        if self.normalise {
            vectors.iter_mut().for_each(|vector| normalise(vector));
        }
        Ok(vectors)
    }

    /// What the model puts before texts of a purpose; nothing where it does not say.
    pub fn prompt(&self, purpose: Purpose) -> &str {
        let named = |name: &str| self.prompts.get(name).map(String::as_str);
        let found = match purpose {
            Purpose::Any => self.default_prompt.as_deref().and_then(named),
            Purpose::Query => named("query"),
            Purpose::Document => ["document", "passage", "corpus"].into_iter().find_map(named),
        };
        found.unwrap_or_default()
    }

    /// Elements of a vector.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Tokens that a text is cut to, what the vocabulary puts around it included.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// How a text's tokens become one vector.
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// Text to tokens.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The file that holds the weights.
    pub fn file(&self) -> &TensorFile {
        match &self.runner {
            Runner::Encoder(infer) => infer.checkpoint().file(),
            Runner::Decoder(infer) => infer.checkpoint().file(),
        }
    }

    /// Name of the architecture.
    pub fn architecture(&self) -> &'static str {
        match &self.runner {
            Runner::Encoder(infer) => infer.checkpoint().spec().architecture(),
            Runner::Decoder(infer) => infer.checkpoint().spec().architecture(),
        }
    }
}

fn unsaid(path: &Path) -> Error {
    Error::Unsupported {
        file: path.to_path_buf(),
        what: "a model that does not say how its tokens become a vector".to_string(),
        supported: "one with modules.json and 1_Pooling/config.json, or the key `pooling_type`, is"
            .to_string(),
    }
}

/// Tokens that a text is cut to.
fn limit(said: Option<usize>, context_length: usize) -> usize {
    said.unwrap_or(context_length).min(context_length)
}

/// Vectors in an index do not depend on the machine that made them: one form for all.
fn infer_options(options: EmbedOptions, context_tokens: usize) -> InferOptions {
    let EmbedOptions { threads, isa } = options;
    InferOptions {
        threads,
        isa,
        slots: BATCH_SEQUENCES,
        context_tokens,
        activations: ActivationForm::Bf16,
        cache: CacheForm::F32,
    }
}

/// As the keys of a GGUF file say it.
fn of_gguf(path: &Path) -> Result<(Manner, Tokenizer)> {
    let file = TensorFile::open(path)?;
    let metadata = file.metadata();
    let tokenizer = Tokenizer::from_gguf(path, metadata)?;
    let pooling = manner::of_keys(path, metadata)?;
    let manner = Manner {
        lists_modules: false,
        folder: path.to_path_buf(),
        pooling,
        normalise: true,
        prompts: BTreeMap::new(),
        default_prompt: None,
        max_tokens: None,
    };
    Ok((manner, tokenizer))
}

/// One sequence to be run, and the segment of each token.
struct Sequence {
    tokens: Vec<u32>,
    segments: Vec<u32>,
}

/// Runs sequences together, those of like length first, and gives the results in their order.
fn in_batches(
    sequences: &[Sequence],
    mut run: impl FnMut(&Batch) -> Result<Vectors>,
) -> Result<Vec<Vec<f32>>> {
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    order.sort_by_key(|index| sequences[*index].tokens.len());
    let mut results = vec![Vec::new(); sequences.len()];
    for range in cut(&order, sequences) {
        let mut batch = Batch::new();
        for (slot, index) in order[range.clone()].iter().enumerate() {
            let Sequence { tokens, segments } = &sequences[*index];
            for (position, (token, segment)) in tokens.iter().zip(segments).enumerate() {
                batch.push_of_segment(slot, position, *token, *segment);
            }
        }
        let vectors = run(&batch)?;
        for (index, vector) in order[range].iter().zip(vectors.rows()) {
            results[*index] = vector.to_vec();
        }
    }
    Ok(results)
}

/// Ranges of `order` that are run together.
fn cut(order: &[usize], sequences: &[Sequence]) -> Vec<Range<usize>> {
    let (mut ranges, mut start, mut tokens) = (Vec::new(), 0, 0);
    for (at, index) in order.iter().enumerate() {
        let length = sequences[*index].tokens.len();
        if at > start && (at - start == BATCH_SEQUENCES || tokens + length > BATCH_TOKENS) {
            ranges.push(start..at);
            (start, tokens) = (at, 0);
        }
        tokens += length;
    }
    if start < order.len() {
        ranges.push(start..order.len());
    }
    ranges
}

/// Scales a vector to length 1, in `f64`, element after element; a length below 10^-12 counts as
/// that.
fn normalise(vector: &mut [f32]) {
    let squares = vector.iter().fold(0.0, |sum, x| f64::from(*x).mul_add(f64::from(*x), sum));
    let length = squares.sqrt().max(1e-12);
    vector.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_cut_into_batches_that_hold_them_all() {
        let sequence = |length| Sequence { tokens: vec![1; length], segments: vec![0; length] };
        let lengths = [10, 3000, 5, 700, 900, 800, 2, 2, 2100];
        let sequences: Vec<Sequence> = lengths.into_iter().map(sequence).collect();
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        order.sort_by_key(|index| lengths[*index]);
        assert_eq!(cut(&order, &sequences), [0..6, 6..7, 7..8, 8..9]);
        let many: Vec<Sequence> = (0..130).map(|_| sequence(1)).collect();
        let order: Vec<usize> = (0..130).collect();
        assert_eq!(cut(&order, &many), [0..64, 64..128, 128..130]);
        assert!(cut(&[], &[]).is_empty());
    }

    #[test]
    fn a_vector_is_scaled_to_length_one_unless_it_is_nothing() {
        let mut vector = [3.0, 0.0, -4.0];
        normalise(&mut vector);
        assert_eq!(vector, [0.6, 0.0, -0.8]);
        let mut nothing = [0.0; 3];
        normalise(&mut nothing);
        assert_eq!(nothing, [0.0; 3]);
    }
}
