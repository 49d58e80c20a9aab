//! Tensor files: GGUF and safetensors, read from a memory map and distrusted throughout, and
//! written as a stream.
//!
//! A [`TensorFile`] is what a checkpoint is on disk: named tensors with shapes and element types,
//! and (in GGUF) typed metadata. Opening one checks every count, length, offset and size against
//! the size of the file before anything is allocated; a file that lies is refused with the place
//! where it lies. Tensor bytes are never copied: they are slices of the map. A [`TensorWriter`]
//! writes such a file; it takes the place of an older one only when it is whole.

mod cursor;
mod data_type;
mod digest;
mod error;
mod file;
mod gguf;
mod gguf_header;
pub mod make;
mod metadata;
mod mmap;
mod packed_file;
mod quantised;
mod replace;
mod safetensors;
mod split;
mod tensor;
mod watch;
mod writer;

pub use data_type::DataType;
pub use digest::{digest_bytes, digest_file};
pub use error::{Error, Result};
pub use file::{PartDigest, TensorFile};
pub use metadata::{Array, Metadata, Number, NumberKind, Value};
pub use packed_file::PackedFile;
pub use quantised::{Packed, Quantisation};
pub use tensor::Tensor;
pub use watch::{Stamp, Watch};
pub use writer::{NewTensor, TensorWriter};
