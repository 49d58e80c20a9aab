//! GGUF, versions 2 and 3 (ggml `docs/gguf.md`), little endian.

use crate::cursor::Cursor;
use crate::data_type::{DataType, check_countable};
use crate::error::Fault;
use crate::metadata::{Array, Metadata, NumberKind, Value};
use crate::tensor::Entry;
use std::collections::BTreeMap;
use std::collections::HashSet;

/// The first four bytes of a GGUF file.
pub(crate) const MAGIC: &[u8; 4] = b"GGUF";

const ALIGNMENT_KEY: &str = "general.alignment";
const ALIGNMENT_DEFAULT: usize = 32;
/// Least bytes of a key with its value: length, empty key, type, one byte.
const KEY_VALUE_BYTES: usize = 8 + 4 + 1;
/// Least bytes of a tensor's description: length, empty name, dimensions, type, offset.
const TENSOR_INFO_BYTES: usize = 8 + 4 + 4 + 8;
const DIMENSIONS: u32 = 4;
/// Lists of lists go no deeper; files in use have none at all.
const NESTING: usize = 4;
const TYPE_TEXT: u32 = 8;
const TYPE_ARRAY: u32 = 9;

/// Reads all of a GGUF file but the tensors' elements.
pub(crate) fn read(bytes: &[u8]) -> Result<(Metadata, Vec<Entry>), Fault> {
    let mut cursor = Cursor::new(bytes);
    cursor.take(MAGIC.len(), "the magic number")?;
    version(&mut cursor)?;
    let tensor_count = cursor.count(TENSOR_INFO_BYTES, "the number of tensors")?;
    let value_count = cursor.count(KEY_VALUE_BYTES, "the number of metadata keys")?;
    let metadata = metadata(&mut cursor, value_count)?;
    let alignment = alignment(&metadata)?;
    let infos = infos(&mut cursor, tensor_count)?;
    let data = align(cursor.at(), alignment).unwrap_or(usize::MAX);
    let entries = infos.into_iter().map(|info| info.place(data, alignment, bytes.len()));
    Ok((metadata, entries.collect::<Result<_, _>>()?))
}

fn version(cursor: &mut Cursor) -> Result<(), Fault> {
    let at = cursor.at();
    let what = match cursor.u32("the version")? {
        2 | 3 => return Ok(()),
        1 => "GGUF version 1 is not read; convert the file with a current converter".to_string(),
        swapped if swapped.swap_bytes() <= 3 => {
            "the file is big endian; only little-endian files are read".to_string()
        }
        other => format!("GGUF version {other} is not known; versions 2 and 3 are read"),
    };
    Err(Fault::new(at, what))
}

fn metadata(cursor: &mut Cursor, count: usize) -> Result<Metadata, Fault> {
    let mut values = BTreeMap::new();
    for _ in 0..count {
        let at = cursor.at();
        let key = cursor.string("a metadata key")?;
        let kind = cursor.u32("a metadata type")?;
        let value = value(cursor, kind)?;
        if values.insert(key.to_string(), value).is_some() {
            return Err(Fault::new(at, format!("the key `{key}` occurs twice")));
        }
    }
    Ok(Metadata(values))
}

fn value(cursor: &mut Cursor, kind: u32) -> Result<Value, Fault> {
    match kind {
        TYPE_TEXT => Ok(Value::Text(cursor.string("a metadata text")?.to_string())),
        TYPE_ARRAY => Ok(Value::Array(array(cursor, NESTING)?)),
        _ => {
            let kind = number_kind(cursor, kind)?;
            let at = cursor.at();
            let bytes = cursor.take(kind.bytes(), "a metadata number")?;
            check_truth(kind, bytes, at)?;
            Ok(Value::Number(kind.read(bytes)))
        }
    }
}

fn array(cursor: &mut Cursor, depth: usize) -> Result<Array, Fault> {
    let at = cursor.at();
    if depth == 0 {
        return Err(Fault::new(at, format!("lists are nested more than {NESTING} deep")));
    }
    match cursor.u32("a list's type")? {
        TYPE_TEXT => {
            let count = cursor.count(8, "a list's length")?;
            let texts = (0..count).map(|_| cursor.string("a text in a list").map(str::to_string));
            Ok(Array::Texts(texts.collect::<Result<_, _>>()?))
        }
        TYPE_ARRAY => {
            let count = cursor.count(12, "a list's length")?;
            let lists = (0..count).map(|_| array(cursor, depth - 1));
            Ok(Array::Nested(lists.collect::<Result<_, _>>()?))
        }
        kind => {
            let kind = number_kind(cursor, kind)?;
            let count = cursor.count(kind.bytes(), "a list's length")?;
            let at = cursor.at();
            let bytes = cursor.take(count * kind.bytes(), "a list of numbers")?;
            check_truth(kind, bytes, at)?;
            Ok(Array::Numbers(kind, bytes.to_vec()))
        }
    }
}

fn number_kind(cursor: &Cursor, kind: u32) -> Result<NumberKind, Fault> {
    Ok(match kind {
        0 => NumberKind::U8,
        1 => NumberKind::I8,
        2 => NumberKind::U16,
        3 => NumberKind::I16,
        4 => NumberKind::U32,
        5 => NumberKind::I32,
        6 => NumberKind::F32,
        7 => NumberKind::Bool,
        10 => NumberKind::U64,
        11 => NumberKind::I64,
        12 => NumberKind::F64,
        other => {
            return Err(Fault::new(cursor.at() - 4, format!("metadata type {other} is not known")));
        }
    })
}

fn check_truth(kind: NumberKind, bytes: &[u8], at: usize) -> Result<(), Fault> {
    match bytes.iter().position(|byte| *byte > 1) {
        Some(index) if kind == NumberKind::Bool => {
            Err(Fault::new(at + index, "a truth value is neither 0 nor 1"))
        }
        _ => Ok(()),
    }
}

fn alignment(metadata: &Metadata) -> Result<usize, Fault> {
    let Some(value) = metadata.get(ALIGNMENT_KEY) else {
        return Ok(ALIGNMENT_DEFAULT);
    };
    let number = match value {
        Value::Number(number) => number.as_u64(),
        _ => None,
    };
    let alignment = number.and_then(|number| u32::try_from(number).ok());
    match alignment {
        Some(alignment) if alignment.is_power_of_two() => Ok(alignment as usize),
        _ => Err(Fault::new(0, format!("`{ALIGNMENT_KEY}` is not a power of two: {value:?}"))),
    }
}

fn align(at: usize, alignment: usize) -> Option<usize> {
    at.checked_next_multiple_of(alignment)
}

/// A tensor's description as the file has it.
struct Info<'a> {
    at: usize,
    name: &'a str,
    shape: Vec<usize>,
    data_type: DataType,
    offset: u64,
}

fn infos<'a>(cursor: &mut Cursor<'a>, count: usize) -> Result<Vec<Info<'a>>, Fault> {
    let mut names = HashSet::new();
    let mut infos = Vec::with_capacity(count);
    for _ in 0..count {
        let info = info(cursor)?;
        if !names.insert(info.name) {
            return Err(Fault::new(info.at, format!("the tensor `{}` occurs twice", info.name)));
        }
        infos.push(info);
    }
    Ok(infos)
}

fn info<'a>(cursor: &mut Cursor<'a>) -> Result<Info<'a>, Fault> {
    let at = cursor.at();
    let name = cursor.string("a tensor's name")?;
    let dimensions = cursor.u32("a tensor's number of dimensions")?;
    if dimensions > DIMENSIONS {
        let what = format!("tensor `{name}` has {dimensions} dimensions; {DIMENSIONS} at most");
        return Err(Fault::new(at, what));
    }
    let mut shape = Vec::new();
    for _ in 0..dimensions {
        let dimension = cursor.u64("a tensor's dimension")?;
        let dimension = usize::try_from(dimension).ok().filter(|dimension| *dimension > 0);
        let what = || format!("tensor `{name}` has an impossible dimension");
        shape.push(dimension.ok_or_else(|| Fault::new(at, what()))?);
    }
    shape.reverse();
    let fault = |what| Fault::new(at, format!("tensor `{name}` {what}"));
    check_countable(&shape).map_err(fault)?;
    let data_type = DataType::from_ggml(cursor.u32("a tensor's type")?);
    let offset = cursor.u64("a tensor's offset")?;
    Ok(Info { at, name, shape, data_type, offset })
}

impl Info<'_> {
    /// Where the elements lie, given where the data section starts and the file ends.
    fn place(self, data: usize, alignment: usize, file_bytes: usize) -> Result<Entry, Fault> {
        let fault = |what: &str| Fault::new(self.at, format!("tensor `{}` {what}", self.name));
        if !self.offset.is_multiple_of(alignment as u64) {
            return Err(fault(&format!("has offset {}, not aligned to {alignment}", self.offset)));
        }
        let size = match self.data_type.size(&self.shape) {
            Some(size) => size.map_err(|what| fault(&what))?,
            None => 0,
        };
        let start = usize::try_from(self.offset).ok().and_then(|offset| data.checked_add(offset));
        let end = start.and_then(|start| start.checked_add(size));
        match (start, end) {
            (Some(start), Some(end)) if end <= file_bytes => Ok(Entry {
                name: self.name.to_string(),
                shape: self.shape,
                data_type: self.data_type,
                range: start..end,
            }),
            _ => Err(fault(&format!("ends past the end of the file ({file_bytes} bytes)"))),
        }
    }
}
