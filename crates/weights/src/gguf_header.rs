//! What stands before the elements in a GGUF file, version 3.

use crate::data_type::DataType;
use crate::gguf::MAGIC;
use crate::metadata::{Array, Metadata, Number, NumberKind, Value};
use crate::writer::NewTensor;

/// Elements of a tensor start at multiples of this, counted from the first one's.
pub(crate) const ALIGNMENT: usize = 32;
const VERSION: u32 = 3;
const DIMENSIONS: usize = 4;
/// llama.cpp holds names in arrays of 64 bytes, the last of which is zero.
const NAME_BYTES: usize = 63;
/// Keys that stand last and in this order, as llama.cpp's quantiser leaves them; the others are
/// sorted.
const LAST: [&str; 2] = ["general.quantization_version", "general.file_type"];

/// All that stands before the first element, or why it cannot be written.
pub(crate) fn bytes(
    metadata: &Metadata,
    tensors: &[NewTensor],
    sizes: &[usize],
) -> Result<Vec<u8>, String> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((metadata.iter().count() as u64).to_le_bytes());
    let first = metadata.iter().filter(|(key, _)| !LAST.contains(key));
    let last = LAST.into_iter().filter_map(|key| Some((key, metadata.get(key)?)));
    for (key, value) in first.chain(last) {
        put_text(&mut bytes, key);
        put_value(&mut bytes, value);
    }
    let mut offset = 0_usize;
    for (tensor, size) in tensors.iter().zip(sizes) {
        put_info(&mut bytes, tensor, offset)?;
        let next =
            offset.checked_add(*size).and_then(|end| end.checked_next_multiple_of(ALIGNMENT));
        offset = next.ok_or_else(|| "the tensors together overflow".to_string())?;
    }
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
    Ok(bytes)
}

fn put_info(bytes: &mut Vec<u8>, tensor: &NewTensor, offset: usize) -> Result<(), String> {
    let NewTensor { name, shape, format } = tensor;
    if name.len() > NAME_BYTES {
        return Err(format!("the name `{name}` has more than {NAME_BYTES} bytes"));
    }
    if shape.len() > DIMENSIONS {
        return Err(format!(
            "tensor `{name}` has {} dimensions; {DIMENSIONS} at most",
            shape.len()
        ));
    }
    let number = DataType::Format(*format).to_ggml().expect("every format has a ggml number");
    put_text(bytes, name);
    bytes.extend((shape.len() as u32).to_le_bytes());
    shape.iter().rev().for_each(|size| bytes.extend((*size as u64).to_le_bytes()));
    bytes.extend(number.to_le_bytes());
    bytes.extend((offset as u64).to_le_bytes());
    Ok(())
}

/// A text: 64-bit length, then UTF-8.
pub(crate) fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// A value with its type before it.
pub(crate) fn put_value(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Number(number) => put_number(bytes, *number),
        Value::Text(text) => {
            bytes.extend(8_u32.to_le_bytes());
            put_text(bytes, text);
        }
        Value::Array(array) => {
            bytes.extend(9_u32.to_le_bytes());
            put_array(bytes, array);
        }
    }
}

fn put_number(bytes: &mut Vec<u8>, number: Number) {
    let mut put = |kind: NumberKind, value: &[u8]| {
        bytes.extend(type_number(kind).to_le_bytes());
        bytes.extend(value);
    };
    match number {
        Number::Bool(value) => put(NumberKind::Bool, &[u8::from(value)]),
        Number::Unsigned(value) => match u32::try_from(value) {
            Ok(value) => put(NumberKind::U32, &value.to_le_bytes()),
            Err(_) => put(NumberKind::U64, &value.to_le_bytes()),
        },
        Number::Signed(value) => match i32::try_from(value) {
            Ok(value) => put(NumberKind::I32, &value.to_le_bytes()),
            Err(_) => put(NumberKind::I64, &value.to_le_bytes()),
        },
        Number::Float(value) if f64::from(value as f32).to_bits() == value.to_bits() => {
            put(NumberKind::F32, &(value as f32).to_le_bytes());
        }
        Number::Float(value) => put(NumberKind::F64, &value.to_le_bytes()),
    }
}

fn put_array(bytes: &mut Vec<u8>, array: &Array) {
    let kind = match array {
        Array::Numbers(kind, _) => type_number(*kind),
        Array::Texts(_) => 8,
        Array::Nested(_) => 9,
    };
    bytes.extend(kind.to_le_bytes());
    bytes.extend((array.len() as u64).to_le_bytes());
    match array {
        Array::Numbers(_, numbers) => bytes.extend(numbers),
        Array::Texts(texts) => texts.iter().for_each(|text| put_text(bytes, text)),
        Array::Nested(lists) => lists.iter().for_each(|list| put_array(bytes, list)),
    }
}

fn type_number(kind: NumberKind) -> u32 {
    match kind {
        NumberKind::U8 => 0,
        NumberKind::I8 => 1,
        NumberKind::U16 => 2,
        NumberKind::I16 => 3,
        NumberKind::U32 => 4,
        NumberKind::I32 => 5,
        NumberKind::F32 => 6,
        NumberKind::Bool => 7,
        NumberKind::U64 => 10,
        NumberKind::I64 => 11,
        NumberKind::F64 => 12,
    }
}
