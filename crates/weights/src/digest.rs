//! SHA-256 of files and bytes, as the text that stands in receipts.

use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::Path;

const READ_BYTES: usize = 1 << 20;

/// The SHA-256 of `bytes` as `sha256:<64 hex>`.
pub fn digest_bytes(bytes: &[u8]) -> String {
    digest_text(&Sha256::digest(bytes))
}

/// The SHA-256 of the file at `path` as `sha256:<64 hex>`, read in pieces of 1 MiB.
pub fn digest_file(path: &Path) -> Result<String> {
    let io = |source| Error::Io { file: path.to_path_buf(), source };
    let mut file = File::open(path).map_err(io)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let count = file.read(&mut buffer).map_err(io)?;
        if count == 0 {
            return Ok(digest_text(&hasher.finalize()));
        }
        hasher.update(&buffer[..count]);
    }
}

/// A hash as text.
pub(crate) fn digest_text(hash: &[u8]) -> String {
    hash.iter().fold("sha256:".to_string(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_and_bytes_agree_across_read_borders() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let bytes: Vec<u8> = (0..READ_BYTES + 17).map(|i| (i * 7) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(digest_file(&path).unwrap(), digest_bytes(&bytes));
    }

    #[test]
    fn known_value() {
        assert_eq!(
            digest_bytes(b"abc"),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
