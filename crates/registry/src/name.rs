//! What an artifact is called.

use crate::error::{Error, Result};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

const LENGTH_MAX: usize = 100;

/// A name: safe as a file's name on every system, and never mistaken for an option.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// The name that a file or folder suggests: its own, without `.gguf` and without the numbers
    /// of a part.
    ///
    /// # Errors
    /// If that cannot be a name.
    pub fn suggested_by(path: &Path) -> Result<Name> {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let name = absolute.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let stem = if path.is_dir() { &name } else { name.strip_suffix(".gguf").unwrap_or(&name) };
        let is_part = |end: &str| {
            let numbers = end.split_once("-of-");
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            numbers.is_some_and(|(number, count)| digits(number) && digits(count))
        };
        let cut = stem.match_indices('-').map(|(at, _)| at).find(|at| is_part(&stem[at + 1..]));
        stem[..cut.unwrap_or(stem.len())].parse()
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Name> {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        let begins = text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
        match begins && text.len() <= LENGTH_MAX && text.bytes().all(letter) {
            true => Ok(Name(text.to_string())),
            false => Err(Error::Name(text.to_string())),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for good in ["a", "Apertus-8B:q4_0", "m.v1", "7"] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", "-x", "a/b", "a\\b", "a b", "é", "a\0", &"x".repeat(101)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn files_suggest_their_names() {
        let name = |path: &str| Name::suggested_by(Path::new(path)).unwrap().to_string();
        assert_eq!(name("/x/Qwen3-8B-Q4_K_M.gguf"), "Qwen3-8B-Q4_K_M");
        assert_eq!(name("/x/big-00001-of-00003.gguf"), "big");
        assert_eq!(name("/x/smol"), "smol");
        assert!(Name::suggested_by(Path::new("/x/a b.gguf")).is_err());
    }
}
