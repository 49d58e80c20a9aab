//! Makes the bytes of small tensor files in memory, for tests of what reads them.

use crate::data_type::DataType;
use crate::gguf_header::{ALIGNMENT, put_text, put_value};
use crate::metadata::Value;
use allod_kernels::{Format, encode_row};

/// Builds a GGUF version 3 file.
#[derive(Debug, Default, Clone)]
pub struct GgufBuilder {
    keys: Vec<u8>,
    key_count: u64,
    infos: Vec<u8>,
    tensor_count: u64,
    data: Vec<u8>,
}

impl GgufBuilder {
    /// An empty file.
    pub fn new() -> GgufBuilder {
        GgufBuilder::default()
    }

    /// Adds a key.
    pub fn key(mut self, key: &str, value: impl Into<Value>) -> GgufBuilder {
        put_text(&mut self.keys, key);
        put_value(&mut self.keys, &value.into());
        self.key_count += 1;
        self
    }

    /// Adds a text.
    pub fn text(self, key: &str, text: &str) -> GgufBuilder {
        self.key(key, text)
    }

    /// Adds an unsigned 32-bit integer.
    pub fn u32(self, key: &str, value: u32) -> GgufBuilder {
        self.key(key, value)
    }

    /// Adds a 32-bit float.
    pub fn f32(self, key: &str, value: f32) -> GgufBuilder {
        self.key(key, value)
    }

    /// Adds a truth value.
    pub fn truth(self, key: &str, value: bool) -> GgufBuilder {
        self.key(key, value)
    }

    /// Adds a list of texts.
    pub fn texts(self, key: &str, texts: &[&str]) -> GgufBuilder {
        self.key(key, texts.iter().map(|text| (*text).to_string()).collect::<Vec<String>>())
    }

    /// Adds a list of 32-bit floats.
    pub fn f32s(self, key: &str, values: &[f32]) -> GgufBuilder {
        self.key(key, values.to_vec())
    }

    /// Adds a list of 32-bit integers.
    pub fn i32s(self, key: &str, values: &[i32]) -> GgufBuilder {
        self.key(key, values.to_vec())
    }

    /// Adds a tensor of `shape`, outermost dimension first, with elements in `format`.
    pub fn tensor(self, name: &str, shape: &[usize], format: Format, bytes: &[u8]) -> GgufBuilder {
        let number = DataType::Format(format).to_ggml().expect("every format has a ggml number");
        self.raw_tensor(name, shape, number, bytes)
    }

    /// Adds a tensor of 32-bit floats.
    pub fn f32_tensor(self, name: &str, shape: &[usize], values: &[f32]) -> GgufBuilder {
        self.tensor(name, shape, Format::F32, &f32_bytes(values))
    }

    /// A tensor of floats, rounded to Q8_0.
    ///
    /// # Panics
    /// When its values are no numbers or no whole blocks.
    pub fn q8_0_tensor(self, name: &str, shape: &[usize], values: &[f32]) -> GgufBuilder {
        let format = Format::Q8_0;
        let mut bytes = vec![0; format.row_bytes(values.len()).expect("whole blocks")];
        encode_row(format, values, &mut bytes).expect("numbers");
        self.tensor(name, shape, format, &bytes)
    }

    /// Adds a tensor with any type number.
    pub fn raw_tensor(
        mut self,
        name: &str,
        shape: &[usize],
        number: u32,
        bytes: &[u8],
    ) -> GgufBuilder {
        put_text(&mut self.infos, name);
        self.infos.extend((shape.len() as u32).to_le_bytes());
        let dimensions = shape.iter().rev();
        dimensions.for_each(|dimension| self.infos.extend((*dimension as u64).to_le_bytes()));
        self.infos.extend(number.to_le_bytes());
        self.infos.extend((self.data.len() as u64).to_le_bytes());
        self.data.extend(bytes);
        pad(&mut self.data);
        self.tensor_count += 1;
        self
    }

    /// The file's bytes.
    pub fn build(self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend(self.tensor_count.to_le_bytes());
        bytes.extend(self.key_count.to_le_bytes());
        bytes.extend(self.keys);
        bytes.extend(self.infos);
        pad(&mut bytes);
        bytes.extend(self.data);
        bytes
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
}

fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The bytes of a safetensors file with the given 32-bit float tensors: name, shape, values.
pub fn safetensors(tensors: &[(String, Vec<usize>, Vec<f32>)]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (name, shape, values) in tensors {
        let start = data.len();
        data.extend(f32_bytes(values));
        let description = serde_json::json!({
            "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()],
        });
        header.insert(name.clone(), description);
    }
    safetensors_with_header(&serde_json::Value::Object(header).to_string(), &data)
}

/// The bytes of a safetensors file with any header text and data.
pub fn safetensors_with_header(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}
