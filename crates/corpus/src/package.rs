//! ZIP containers, opened with limits, so that a small file cannot become a large one.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::Unreadable;
use crate::clean::MAX_BYTES;

/// What any container may unpack to, and how many times its own size it may beyond that.
const FREE_BYTES: u64 = 16 << 20;
const MAX_GROWTH: u64 = 200;
/// And what no container may unpack to.
const MAX_UNPACKED_BYTES: u64 = 512 << 20;

/// How many entries a container may have.
pub(crate) const MAX_ENTRIES: usize = 20_000;

/// A container that was opened.
pub(crate) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    /// The parts by their plain names.
    names: HashMap<String, usize>,
    format: &'static str,
    limit_bytes: u64,
    left_bytes: u64,
}

/// One file of a container, not yet unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub index: usize,
    /// As it stands in the container.
    pub name: String,
}

impl<'a> Package<'a> {
    pub(crate) fn open(bytes: &'a [u8], format: &'static str) -> Result<Package<'a>, Unreadable> {
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| damaged(format, &e))?;
        if archive.len() > MAX_ENTRIES {
            return Err(Unreadable::TooManyFiles { limit: MAX_ENTRIES });
        }
        let grown = MAX_GROWTH.saturating_mul(bytes.len() as u64);
        let limit_bytes = grown.clamp(FREE_BYTES, MAX_UNPACKED_BYTES);
        let mut names = HashMap::new();
        for index in 0..archive.len() {
            if let Some(Ok(name)) = archive.name_for_index(index) {
                names.entry(plain(&name)).or_insert(index);
            }
        }
        Ok(Package { archive, names, format, limit_bytes, left_bytes: limit_bytes })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.index(name).is_some()
    }

    /// Where a part stands.
    fn index(&self, name: &str) -> Option<usize> {
        self.names.get(&plain(name)).copied()
    }

    /// The files in it, in their order; folders are none.
    pub(crate) fn entries(&mut self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for index in 0..self.archive.len() {
            let Ok(file) = self.archive.by_index_raw(index) else { continue };
            let name = match std::str::from_utf8(file.name_raw()) {
                Ok(name) => name.to_owned(),
                Err(_) => file.name().map(|name| name.into_owned()).unwrap_or_default(),
            };
            if !name.ends_with(['/', '\\']) && !file.is_symlink() {
                entries.push(Entry { index, name });
            }
        }
        entries
    }

    /// Unpacks one file.
    pub(crate) fn unpack(&mut self, index: usize) -> Result<Vec<u8>, Unreadable> {
        let format = self.format;
        let file = self.archive.by_index(index).map_err(|error| match error {
            ZipError::InvalidPassword => Unreadable::Encrypted { format },
            ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => {
                Unreadable::Encrypted { format }
            }
            error => damaged(format, &error),
        })?;
        let part_limit = self.left_bytes.min(MAX_BYTES as u64);
        let mut bytes = Vec::new();
        file.take(part_limit + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| Unreadable::Broken { format, detail: error.to_string() })?;
        if bytes.len() as u64 > part_limit {
            let limit = self.limit_bytes.min(MAX_BYTES as u64);
            return Err(Unreadable::Expands { limit });
        }
        self.left_bytes -= bytes.len() as u64;
        Ok(bytes)
    }

    /// A part by its name.
    pub(crate) fn part(&mut self, name: &str) -> Result<Option<Vec<u8>>, Unreadable> {
        self.index(name).map(|index| self.unpack(index)).transpose()
    }

    /// A part that has to be there.
    pub(crate) fn required(&mut self, name: &str) -> Result<Vec<u8>, Unreadable> {
        let detail = format!("{name} is missing");
        self.part(name)?.ok_or(Unreadable::Broken { format: self.format, detail })
    }
}

/// A part's name as it is looked for: it may have other capitals, and `\` where `/` belongs.
fn plain(name: &str) -> String {
    name.replace('\\', "/").trim_start_matches('/').to_ascii_lowercase()
}

fn damaged(format: &'static str, error: &ZipError) -> Unreadable {
    let detail = match error.to_string() {
        // The list of what a container holds stands at its end.
        text if text.contains("EOCD") => {
            "its end is missing or damaged, so it was not copied or sent whole".to_owned()
        }
        text => text,
    };
    Unreadable::Broken { format, detail }
}
