//! Models: what a decoder is, how its text becomes tokens, and its forward pass.
//!
//! A model is *data plus names*: a [`DecoderSpec`] says what is computed, a table of names in
//! `arch/` says which tensor of a checkpoint is which weight. The forward pass ([`Decoder`]) is
//! written once over the operations of [`Exec`]; [`Infer`] runs it over ragged batches with a
//! key-value cache and the weights as they lie in the file.
//!
//! An encoder is the same with an [`EncoderSpec`], an [`Encoder`] and no cache.
//!
//! Going in: [`Model::load`] for everything that writes text, [`Embedder::load`] for vectors of
//! texts, [`CrossEncoder::load`] for scores of pairs, [`Checkpoint::open`] for the weights alone.

mod adapter;
mod arch;
mod checkpoint;
mod coded;
mod convert;
mod decoder;
mod embed;
mod encoder;
mod error;
mod exec;
mod files;
mod infer;
mod inspect;
mod load;
mod model;
mod pause;
mod spec;
mod table;
mod tape;
mod template;
mod tokenizer;
mod unload;
mod weight;
mod work;

pub use adapter::{Adapter, LowRank, ModuleScale, PeftConfig, Target};
pub use allod_kernels::{
    Format, Isa, NUMERICS, RopePairing, Weighting, argmax, decode_row, float_multiplications,
    int8_multiplications, softmax, tile_multiplications,
};
pub use allod_weights::{PartDigest, Stamp, Watch, digest_bytes};
pub use checkpoint::Checkpoint;
pub use convert::{Container, ConvertOptions, ConvertReport, convert};
pub use decoder::Decoder;
pub use embed::{CrossEncoder, EmbedOptions, Embedder, Purpose};
pub use encoder::Encoder;
pub use error::{Error, Result};
pub use exec::Exec;
pub use files::{FileDifference, FileList, ModelFile, Use, Weights, holds_weights, settings_files};
pub use infer::{
    ActivationForm, Batch, CacheForm, Infer, InferOptions, Logits, Numerics, PAGE_FORMAT,
    PAGE_TOKENS, Page, PageShape, Role, Vectors,
};
pub use inspect::{
    ExpertFacts, FileFacts, FormatFacts, Inspection, ModelKind, RopeFacts, ShapeFacts,
    SpecialToken, TemplateFacts, TokenizerFacts, inspect, model_files,
};
pub use model::{EndTokens, Model, ModelDigests};
pub use spec::{
    Activation, AttentionSpec, Biases, DecoderSpec, EncoderBiases, EncoderNorm, EncoderSpec,
    ExpertSpec, HeadActivation, HeadSpec, Inventory, LayerSpec, ModelSpec, NormPlace, Norms,
    Pooling, Positions, QueryKeyNorm, RopeScaling, RopeSpec, Scales,
};
pub use table::{
    Bag, Lexicon, TABLE_WORDS, TableEmbedder, TableFacts, each_word, gather, unit, write_table,
};
pub use tape::{Documents, Initial, Intermediates, LowRankParameters, Residual, Tape, Trainable};
pub use template::{ChatTemplate, Message, Rendered, TemplateInput};
pub use tokenizer::{Detokenizer, Pair, Tokenizer};
pub use unload::{NamedTensor, Stored, huggingface_tensors};
pub use weight::{Part, WeightId};
pub use work::Work;
