//! A GGUF split over several files: which those are, and whether they belong together.

use crate::error::{Error, Result};
use crate::metadata::Metadata;
use std::path::{Path, PathBuf};

const NUMBER: &str = "split.no";
const COUNT: &str = "split.count";
const TENSORS: &str = "split.tensors.count";
/// More parts than any published model has.
const PARTS: u64 = 4096;
/// Digits of a part's number in its name.
const DIGITS: usize = 5;

/// What a part says about the whole, and where its siblings lie.
pub(crate) struct Split {
    /// The paths of all parts, in order.
    pub paths: Vec<PathBuf>,
    /// Which of them this one is.
    pub number: usize,
    /// Tensors of all parts together, if it says so.
    tensors: Option<u64>,
}

impl Split {
    /// What the part at `path` with `metadata` belongs to; `None` if it is whole.
    pub fn of(path: &Path, metadata: &Metadata) -> Result<Option<Split>> {
        let count = number(metadata, COUNT).unwrap_or(1);
        if count <= 1 {
            return Ok(None);
        }
        let unsupported = |what: String| Error::Unsupported { file: path.to_path_buf(), what };
        let part = format!("is one of {count} parts of a split GGUF");
        if count > PARTS {
            return Err(unsupported(format!("{part}; {PARTS} parts at most are read")));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some((stem, in_name, count_in_name)) = parse(&name) else {
            let what = format!(
                "{part} but not named like one (…-00001-of-{count:05}.gguf), so the others cannot \
                 be found; give all parts their published names"
            );
            return Err(unsupported(what));
        };
        let place = number(metadata, NUMBER);
        if count_in_name != count || place.and_then(|place| place.checked_add(1)) != Some(in_name) {
            let said = place.map_or("none".to_string(), |place| place.to_string());
            let what = format!(
                "is part {in_name} of {count_in_name} by its name, but {NUMBER} is {said} (from 0) \
                 and {COUNT} is {count} in it; give it back its published name"
            );
            return Err(unsupported(what));
        }
        let sibling = |at| path.with_file_name(format!("{stem}-{at:05}-of-{count:05}.gguf"));
        let paths = (1..=count).map(sibling).collect();
        let (number, tensors) = (in_name as usize - 1, number(metadata, TENSORS));
        Ok(Some(Split { paths, number, tensors }))
    }

    /// Refuses to go on unless all parts are there, naming those that are not.
    pub fn check_there(&self, path: &Path) -> Result<()> {
        let absent = self.paths.iter().filter(|part| !part.is_file());
        let name = |part: &PathBuf| part.file_name().unwrap_or_default().display().to_string();
        let absent: Vec<String> = absent.map(name).collect();
        if absent.is_empty() {
            return Ok(());
        }
        let shown = absent.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        let more = if absent.len() > 5 { ", …" } else { "" };
        let what = format!(
            "is one of {} parts of a split GGUF, of which {} are missing: {shown}{more}; fetch \
             them into the same folder",
            self.paths.len(),
            absent.len()
        );
        Err(Error::Unsupported { file: path.to_path_buf(), what })
    }

    /// Whether `other`, found at place `at`, says the same about the whole.
    pub fn agrees(&self, other: Option<&Split>, at: usize) -> bool {
        other.is_some_and(|other| {
            other.number == at
                && other.paths.len() == self.paths.len()
                && other.tensors.is_none_or(|count| self.tensors.is_none_or(|ours| ours == count))
        })
    }

    /// What is wrong with this many tensors in all parts together, if anything is.
    pub fn wrong_count(&self, found: usize) -> Option<String> {
        let said = self.tensors.filter(|said| *said != found as u64)?;
        Some(format!("{TENSORS} is {said}, but the parts hold {found} tensors"))
    }
}

fn number(metadata: &Metadata, key: &str) -> Option<u64> {
    metadata.number(key)?.as_u64()
}

/// Stem, number and count of a name like `stem-00001-of-00003.gguf`.
fn parse(name: &str) -> Option<(&str, u64, u64)> {
    let (rest, count) = name.strip_suffix(".gguf")?.rsplit_once("-of-")?;
    let (stem, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| {
        let plain = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse().ok()).flatten()
    };
    Some((stem, digits(number)?, digits(count)?))
}
