//! The facts that an inspection gives, in words and numbers that can be printed.

use crate::error::{Error, Result};
use crate::spec::{DecoderSpec, EncoderSpec, Positions, RopeScaling, RopeSpec};
use crate::tokenizer::Tokenizer;
use allod_weights::{TensorFile, digest_bytes};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// One file of the weights.
#[derive(Clone, Debug, Serialize)]
pub struct FileFacts {
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
}

impl FileFacts {
    pub(super) fn of(file: &TensorFile) -> Vec<FileFacts> {
        let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |about| about.len());
        file.paths().map(|path| FileFacts { path: path.into(), bytes: bytes(path) }).collect()
    }
}

/// What is stored in one element type.
#[derive(Clone, Debug, Serialize)]
pub struct FormatFacts {
    /// The element type.
    pub format: String,
    /// How many tensors are in it.
    pub tensors: usize,
    /// How many values they hold.
    pub values: u64,
    /// How many bytes they take.
    pub bytes: u64,
}

impl FormatFacts {
    /// The one with the most bytes first.
    pub(super) fn of(file: &TensorFile) -> Vec<FormatFacts> {
        let mut all: Vec<FormatFacts> = Vec::new();
        for tensor in file.tensors() {
            let format = tensor.data_type.to_string();
            let values = tensor.shape.iter().product::<usize>() as u64;
            let bytes = tensor.bytes.len() as u64;
            match all.iter_mut().find(|known| known.format == format) {
                Some(known) => {
                    known.tensors += 1;
                    known.values = known.values.saturating_add(values);
                    known.bytes += bytes;
                }
                None => all.push(FormatFacts { format, tensors: 1, values, bytes }),
            }
        }
        all.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.format.cmp(&b.format)));
        all
    }
}

/// The sizes of what is computed.
#[derive(Clone, Debug, Serialize)]
pub struct ShapeFacts {
    /// Blocks.
    pub layers: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Width of the feed-forward between its halves.
    pub feed_forward: usize,
    /// The experts of layers that have them.
    pub experts: Option<ExpertFacts>,
    /// Rows of the token embedding.
    pub vocabulary: usize,
    /// Tokens that can be predicted; none for encoders.
    pub outputs: usize,
    /// Whether the output projection is the token embedding.
    pub tied: bool,
    /// Positions that the model was trained for.
    pub context_tokens: usize,
    /// Positions that a query sees in layers with a window.
    pub window_tokens: Option<usize>,
    /// How many layers have a window.
    pub window_layers: usize,
    /// How positions enter, if by rotation.
    pub rope: Option<RopeFacts>,
    /// Scores that the model gives for a whole text, if it does.
    pub labels: Option<usize>,
}

/// The experts of a layer.
#[derive(Clone, Debug, Serialize)]
pub struct ExpertFacts {
    /// How many there are.
    pub count: usize,
    /// How many a token goes to.
    pub used: usize,
    /// Width of one between its halves.
    pub feed_forward: usize,
    /// How many layers have them.
    pub layers: usize,
}

/// Rotary positions.
#[derive(Clone, Debug, Serialize)]
pub struct RopeFacts {
    /// Base of the wavelengths.
    pub theta: f64,
    /// Elements of each head that are rotated.
    pub dimensions: usize,
    /// How frequencies are changed for longer contexts.
    pub scaling: String,
}

impl ShapeFacts {
    pub(super) fn of(spec: &DecoderSpec) -> ShapeFacts {
        let layers = || (0..spec.layers).map(|layer| spec.layer(layer));
        let sparse = layers().filter(|layer| layer.sparse).count();
        let experts = spec.experts.as_ref().map(|experts| ExpertFacts {
            count: experts.count,
            used: experts.used,
            feed_forward: experts.feed_forward,
            layers: sparse,
        });
        ShapeFacts {
            layers: spec.layers,
            width: spec.width,
            heads: spec.heads,
            kv_heads: spec.kv_heads,
            head_dim: spec.head_dim,
            feed_forward: spec.feed_forward,
            experts,
            vocabulary: spec.vocabulary,
            outputs: spec.outputs,
            tied: spec.tied,
            context_tokens: spec.context_length,
            window_tokens: layers().find_map(|layer| layer.window),
            window_layers: layers().filter(|layer| layer.window.is_some()).count(),
            rope: Some(RopeFacts::of(&spec.rope)),
            labels: None,
        }
    }

    pub(super) fn of_encoder(spec: &EncoderSpec) -> ShapeFacts {
        let windows = || spec.windows.iter().cycle().take(spec.layers).flatten();
        let rope = match &spec.positions {
            Positions::Rotary { rope, .. } => Some(RopeFacts::of(rope)),
            Positions::Learned { .. } => None,
        };
        ShapeFacts {
            layers: spec.layers,
            width: spec.width,
            heads: spec.heads,
            kv_heads: spec.heads,
            head_dim: spec.head_dim,
            feed_forward: spec.feed_forward,
            experts: None,
            vocabulary: spec.vocabulary,
            outputs: 0,
            tied: false,
            context_tokens: spec.context_length,
            window_tokens: windows().next().copied(),
            window_layers: windows().count(),
            rope,
            labels: spec.head.as_ref().map(|head| head.labels),
        }
    }
}

impl RopeFacts {
    fn of(rope: &RopeSpec) -> RopeFacts {
        let scaling = match &rope.scaling {
            RopeScaling::None => "none".to_string(),
            RopeScaling::Linear { factor } => format!("linear by {factor}"),
            RopeScaling::Dynamic { factor, original_context } => {
                format!("dynamic by {factor} from {original_context}")
            }
            RopeScaling::Llama3 { factor, original_context, .. } => {
                format!("llama3 by {factor} from {original_context}")
            }
            RopeScaling::Yarn { factor, original_context, .. } => {
                format!("yarn by {factor} from {original_context}")
            }
            RopeScaling::Long { original_context, .. } => {
                format!("longrope from {original_context}")
            }
            RopeScaling::Divisors(divisors) => format!("{} divisors", divisors.len()),
        };
        RopeFacts { theta: rope.theta, dimensions: rope.dimensions, scaling }
    }
}

/// A vocabulary.
#[derive(Clone, Debug, Serialize)]
pub struct TokenizerFacts {
    /// How many ids there are.
    pub vocabulary: usize,
    /// See [`Tokenizer::digest`].
    pub digest: String,
    /// What stands before every text.
    pub begin: Vec<SpecialToken>,
    /// All special tokens, in order of their ids.
    pub specials: Vec<SpecialToken>,
}

/// A token that text never makes.
#[derive(Clone, Debug, Serialize)]
pub struct SpecialToken {
    /// Its id.
    pub id: u32,
    /// What templates write for it.
    pub text: String,
}

impl TokenizerFacts {
    pub(super) fn of(tokenizer: &Tokenizer) -> TokenizerFacts {
        let named = |id: u32| SpecialToken { id, text: tokenizer.token_text(id) };
        let texts = tokenizer.special_texts().filter_map(|text| tokenizer.special_id(text));
        let mut ids: Vec<u32> = texts.collect();
        ids.sort_unstable();
        ids.dedup();
        TokenizerFacts {
            vocabulary: tokenizer.vocabulary(),
            digest: tokenizer.digest().to_string(),
            begin: tokenizer.frame().0.iter().copied().map(named).collect(),
            specials: ids.into_iter().map(named).collect(),
        }
    }
}

/// A chat template.
#[derive(Clone, Debug, Serialize)]
pub struct TemplateFacts {
    /// SHA-256 of its source.
    pub digest: String,
    /// The length of its source.
    pub bytes: usize,
}

impl TemplateFacts {
    pub(super) fn of(source: &str) -> TemplateFacts {
        TemplateFacts { digest: digest_bytes(source.as_bytes()), bytes: source.len() }
    }
}

/// What belongs to a model folder beside its weights: no file that could hold a program, and no
/// other weights than the ones that are loaded.
pub(super) fn settings_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in listed(folder)? {
        if path.is_dir() {
            // Pooling of sentence encoders, and templates beside the first.
            let inner = listed(&path)?.into_iter().filter(|path| path.is_file());
            files.extend(inner.filter(|path| has_extension(path, &["json", "jinja"])));
        } else if has_extension(&path, &["json", "jinja", "txt", "model", "md"])
            || is_licence(&path)
        {
            files.push(path);
        }
    }
    // An index of other weights would be taken for that of the ones that are copied.
    let index = "model.safetensors.index.json";
    let single = folder.join("model.safetensors").is_file();
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !name.ends_with(".index.json") || (name == index && !single)
    });
    Ok(files)
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>> {
    let io = |source| Error::Io { file: folder.to_path_buf(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    extensions.contains(&extension.as_str())
}

fn is_licence(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
    path.is_file() && ["LICENSE", "LICENCE", "NOTICE"].iter().any(|start| name.starts_with(start))
}
