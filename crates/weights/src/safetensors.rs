//! safetensors: a JSON header, then the elements back to back.

use crate::cursor::Cursor;
use crate::data_type::{DataType, check_countable};
use crate::error::Fault;
use crate::tensor::Entry;
use crate::writer::NewTensor;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::collections::HashSet;
use std::fmt;

/// Longest header that is read; the reference implementation has the same limit.
const HEADER_BYTES: u64 = 100_000_000;
const METADATA_KEY: &str = "__metadata__";

/// Reads the header of a safetensors file: where its tensors lie, and its text metadata.
pub(crate) fn read(bytes: &[u8]) -> Result<(BTreeMap<String, String>, Vec<Entry>), Fault> {
    let mut cursor = Cursor::new(bytes);
    let length = cursor.u64("the length of the header")?;
    if length > HEADER_BYTES || length > cursor.remaining() as u64 {
        let what = format!(
            "the header is said to have {length} bytes; the file has {} left and {HEADER_BYTES} \
             is the most that is read",
            cursor.remaining()
        );
        return Err(Fault::new(0, what));
    }
    let header = cursor.take(length as usize, "the header")?;
    let data = cursor.at();
    let members = parse(header)?;
    place(members, data, bytes.len())
}

/// All that stands before the first element: the tensors back to back, in the order given.
pub(crate) fn header(
    metadata: &BTreeMap<String, String>,
    tensors: &[NewTensor],
    sizes: &[usize],
) -> Result<Vec<u8>, String> {
    let mut members = serde_json::Map::new();
    if !metadata.is_empty() {
        members.insert(METADATA_KEY.to_string(), serde_json::json!(metadata));
    }
    let mut start = 0_usize;
    for (tensor, size) in tensors.iter().zip(sizes) {
        let NewTensor { name, shape, format } = tensor;
        let dtype = DataType::Format(*format).to_safetensors().ok_or_else(|| {
            format!("safetensors has no type for `{name}`, which is {}", format.name())
        })?;
        let end = start.checked_add(*size).ok_or("the tensors together overflow")?;
        let offsets = [start, end];
        let description = serde_json::json!({
            "dtype": dtype, "shape": shape, "data_offsets": offsets,
        });
        members.insert(name.clone(), description);
        start = end;
    }
    let mut text = serde_json::Value::Object(members).to_string();
    // Blanks at the end, so that the elements are aligned.
    text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    Ok(bytes)
}

/// Whether `bytes` could begin a safetensors file: eight bytes of length, then `{`.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{')
}

/// A tensor as the header describes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

/// The header's members in order, so that a name that occurs twice is seen.
#[derive(Default)]
struct Members {
    metadata: Option<BTreeMap<String, String>>,
    tensors: Vec<(String, Description)>,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Members::default();
        while let Some(name) = map.next_key::<String>()? {
            if name != METADATA_KEY {
                members.tensors.push((name, map.next_value()?));
            } else if members.metadata.replace(map.next_value()?).is_some() {
                return Err(serde::de::Error::custom("`__metadata__` occurs twice"));
            }
        }
        Ok(members)
    }
}

fn parse(header: &[u8]) -> Result<Members, Fault> {
    if header.first() != Some(&b'{') {
        return Err(Fault::new(8, "the header does not begin with `{`"));
    }
    serde_json::from_slice(header)
        .map_err(|error| Fault::new(8 + error.column().min(header.len()), error.to_string()))
}

type Placed = (BTreeMap<String, String>, Vec<Entry>);

/// Checks that the tensors fill the data section without gap or overlap.
fn place(members: Members, data: usize, file_bytes: usize) -> Result<Placed, Fault> {
    let mut tensors = members.tensors;
    tensors.sort_by_key(|(_, description)| description.data_offsets);
    let mut names = HashSet::new();
    let mut entries = Vec::with_capacity(tensors.len());
    let mut end = 0;
    for (name, description) in tensors {
        if !names.insert(name.clone()) {
            return Err(Fault::new(8, format!("the tensor `{name}` occurs twice")));
        }
        let entry = entry(name, description, end, data, file_bytes)?;
        end = entry.range.end - data;
        entries.push(entry);
    }
    if data + end != file_bytes {
        let what = format!("{} bytes belong to no tensor", file_bytes - data - end);
        return Err(Fault::new(data + end, what));
    }
    Ok((members.metadata.unwrap_or_default(), entries))
}

fn entry(
    name: String,
    description: Description,
    expected: usize,
    data: usize,
    file_bytes: usize,
) -> Result<Entry, Fault> {
    let (start, end) = description.data_offsets;
    let fault = |what: String| Fault::new(8, format!("tensor `{name}` {what}"));
    if start != expected {
        return Err(fault(format!(
            "begins at {start}, not where the one before ends ({expected})"
        )));
    }
    if end < start || end > file_bytes - data {
        return Err(fault(format!("ends at {end}, outside the file's data")));
    }
    let data_type = DataType::from_safetensors(&description.dtype)
        .ok_or_else(|| fault(format!("has type `{}`, which is not known", description.dtype)))?;
    check_countable(&description.shape).map_err(&fault)?;
    let size = data_type.size(&description.shape).unwrap_or(Ok(end - start)).map_err(&fault)?;
    if size != end - start {
        let what = format!("has {} bytes but its shape and type make {size}", end - start);
        return Err(fault(what));
    }
    Ok(Entry { name, shape: description.shape, data_type, range: data + start..data + end })
}
