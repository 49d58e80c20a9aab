//! Unpacking streams without trusting how small they are: a kilobyte can unpack to a megabyte, and
//! that again.

use std::io::Read;

use flate2::read::{DeflateDecoder, ZlibDecoder};
use hayro_syntax::Filter;
use hayro_syntax::object::{Dict, Stream};

use super::fuel::{Fuel, MAX_STREAM_BYTES};
use crate::Unreadable;

/// A stream that is packed twice or with an old method may be so large, because its unpacked size
/// is known only by unpacking it.
const MAX_BLIND_BYTES: usize = 256 << 10;

/// How much all streams that are not pictures may unpack to before the file is opened.
const MAX_FILE_BYTES: usize = 1 << 30;

/// How far before its data the dictionary of a stream is looked for.
const DICTIONARY_BYTES: usize = 2 << 10;

/// The content of a stream, if it stays within the limits and can be unpacked.
pub(super) fn unpack(stream: &Stream<'_>, fuel: &Fuel) -> Option<Vec<u8>> {
    fits(stream, fuel).then(|| stream.decoded_data().ok().map(|data| data.into_owned()))?
}

/// Whether a stream stays within the limits when it is unpacked.
pub(super) fn fits(stream: &Stream<'_>, fuel: &Fuel) -> bool {
    let raw = stream.raw_data();
    let filters = stream.filters();
    let size = match filters.as_slice() {
        [] | [Filter::AsciiHexDecode] | [Filter::Ascii85Decode] => Some(raw.len()),
        [Filter::FlateDecode] => inflated_size(&raw, MAX_STREAM_BYTES),
        _ if filters.iter().filter(|filter| expands(**filter)).count() > 1 => None,
        _ => (raw.len() <= MAX_BLIND_BYTES).then_some(raw.len()),
    };
    size.is_some_and(|size| fuel.unpack(size))
}

/// Whether every stream that a font dictionary leads to stays within the limits.
pub(super) fn font_fits(dict: &Dict<'_>, fuel: &Fuel) -> bool {
    let descendant = dict
        .get::<hayro_syntax::object::Array<'_>>("DescendantFonts")
        .and_then(|fonts| fonts.iter::<Dict<'_>>().next());
    let parts = [Some(dict.clone()), descendant];
    parts.into_iter().flatten().all(|dict| {
        let descriptor = dict.get::<Dict<'_>>("FontDescriptor").unwrap_or_default();
        let own = ["ToUnicode", "Encoding", "CIDToGIDMap"].map(|key| dict.get::<Stream<'_>>(key));
        let programs =
            ["FontFile", "FontFile2", "FontFile3"].map(|key| descriptor.get::<Stream<'_>>(key));
        own.iter().chain(&programs).flatten().all(|stream| fits(stream, fuel))
    })
}

fn expands(filter: Filter) -> bool {
    !matches!(filter, Filter::AsciiHexDecode | Filter::Ascii85Decode | Filter::Crypt)
}

/// How many bytes packed data unpack to, counted without keeping them; `None` beyond the limit.
fn inflated_size(data: &[u8], limit: usize) -> Option<usize> {
    let with_header = counted(ZlibDecoder::new(data), limit)?;
    match with_header {
        0 => counted(DeflateDecoder::new(data.get(2..).unwrap_or_default()), limit),
        size => Some(size),
    }
}

fn counted(mut reader: impl Read, limit: usize) -> Option<usize> {
    let mut buffer = [0; 16 << 10];
    let mut size = 0;
    // Damaged data end where they are damaged; so does what is read from them later.
    while let Ok(count) = reader.read(&mut buffer) {
        size += count;
        if count == 0 {
            break;
        }
        if size > limit {
            return None;
        }
    }
    Some(size)
}

/// Refuses a file whose tables unpack beyond all measure; opening it would unpack them unasked.
pub(super) fn refuse_bombs(bytes: &[u8]) -> Result<(), Unreadable> {
    let mut budget = MAX_FILE_BYTES;
    for at in memmem(bytes, b"stream") {
        let is_end = bytes[..at].ends_with(b"end");
        let head = &bytes[at.saturating_sub(DICTIONARY_BYTES)..at];
        let head = &head[object_start(head)..];
        if is_end || is_picture(head) {
            continue;
        }
        let data = &bytes[at + b"stream".len()..];
        let blanks = data.iter().take(2).take_while(|byte| b"\r\n".contains(byte)).count();
        let limit = budget.min(4 * MAX_STREAM_BYTES);
        let size = match is_table(head) && is_packed_twice(head) {
            true => None,
            false => inflated_size(&data[blanks..], limit),
        };
        let left = size.and_then(|size| budget.checked_sub(size));
        budget = left.ok_or(Unreadable::Bomb { offset: at, limit: MAX_FILE_BYTES })?;
    }
    Ok(())
}

/// Where the last object begins: after "obj", before which stands a blank and not "end".
fn object_start(head: &[u8]) -> usize {
    let begins = |at: &usize| head[..*at].last().is_some_and(|byte| byte.is_ascii_whitespace());
    memmem(head, b"obj").filter(begins).last().unwrap_or(0)
}

fn is_table(dictionary: &[u8]) -> bool {
    let names: [&[u8]; 3] = [b"ObjStm", b"XRef", b"#"];
    names.iter().any(|name| memmem(dictionary, name).next().is_some())
}

/// Pictures are never unpacked.
fn is_picture(dictionary: &[u8]) -> bool {
    memmem(dictionary, b"/Image").next().is_some() && !is_table(dictionary)
}

fn is_packed_twice(dictionary: &[u8]) -> bool {
    memmem(dictionary, b"Decode")
        .filter(|at| !dictionary[*at..].starts_with(b"DecodeParms"))
        .count()
        > 1
}

/// Whether these bytes stand anywhere in a file.
pub(super) fn says(bytes: &[u8], needle: &[u8]) -> bool {
    memmem(bytes, needle).next().is_some()
}

/// Where `needle` stands in `bytes`.
fn memmem<'a>(bytes: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let first = needle[0];
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + bytes.get(from..)?.iter().position(|byte| *byte == first)?;
            from = at + 1;
            if bytes[at..].starts_with(needle) {
                return Some(at);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn sizes_are_counted_up_to_the_limit() {
        let data = packed(&[7; 100_000]);
        assert!(data.len() < 1000);
        assert_eq!(inflated_size(&data, 100_000), Some(100_000));
        assert_eq!(inflated_size(&data, 90_000), None);
        assert_eq!(inflated_size(b"no packed data", 100), Some(0));
    }

    #[test]
    fn what_stands_before_an_object_is_not_its_dictionary() {
        let before = b"1 0 obj <</Filter /FlateDecode>> stream\n#\nendstream endobj\n";
        let table = b"2\n0\nobj\n<</Filter /FlateDecode>>\nstream\nno data\nendstream endobj";
        assert_eq!(refuse_bombs(&[before.as_slice(), table].concat()), Ok(()));
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_opened() {
        let zeros = packed(&vec![0; 16 << 20]);
        let object = |kind: &str| {
            let head = format!("1 0 obj <</Type /{kind} /Filter /FlateDecode>> stream\n");
            [head.as_bytes(), &zeros, b"\nendstream endobj\n"].concat()
        };
        assert_eq!(refuse_bombs(&object("ObjStm").repeat(3)), Ok(()));
        assert!(matches!(refuse_bombs(&object("ObjStm").repeat(70)), Err(Unreadable::Bomb { .. })));
        assert_eq!(refuse_bombs(&object("Image").repeat(70)), Ok(()));
    }
}
