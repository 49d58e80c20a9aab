//! The log's public files as C2SP tlog-tiles lays them out, read only.
//!
//! Checkpoint and hash tiles tell nothing of what was asked. Bundles of entries hold the receipts
//! themselves, so they are served only to a caller who may see every receipt in them.

use std::path::PathBuf;

use allod_answer::Desk;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;

use crate::identity::Identity;
use crate::problem::Problem;
use crate::sight::Sight;
use crate::state::Shared;

/// How many entries a whole bundle holds.
const BUNDLE_ENTRIES: u64 = 256;

/// A public file of the log.
#[derive(Debug, PartialEq, Eq)]
enum File {
    Checkpoint,
    /// A tile of hashes.
    Tile,
    /// The entries from `first` on.
    Bundle {
        first: u64,
        entries: u64,
    },
}

/// `GET /ledger/{path}`
#[utoipa::path(get, path = "/ledger/{path}", tag = "ledger",
    params(("path" = String, Path, description = "`checkpoint`, `tile/<level>/<index>` or \
            `tile/entries/<index>` (C2SP tlog-tiles)")),
    responses((status = 200, description = "The file", body = Vec<u8>),
              (status = 404, description = "No such file, or not for this caller")))]
pub(crate) async fn file(
    State(state): State<Shared>,
    Extension(identity): Extension<Identity>,
    Path(path): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let file = File::parse(&path).ok_or_else(|| Problem::absent("file"))?;
    let kind = match file {
        File::Checkpoint => "text/plain; charset=utf-8",
        File::Tile | File::Bundle { .. } => "application/octet-stream",
    };
    let bytes = state.read(move |desk| read(desk, &identity, &file, &path)).await?;
    let headers: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, kind)];
    Ok((headers, bytes))
}

fn read(desk: &Desk, identity: &Identity, file: &File, path: &str) -> Result<Vec<u8>, Problem> {
    match *file {
        File::Checkpoint => drop(desk.ledger().publish()?),
        File::Tile => {}
        File::Bundle { first, entries } => {
            let mut sight = Sight::new(desk, identity);
            for index in first..first + entries {
                sight.receipt_at(index).map_err(|_| Problem::absent("file"))?;
            }
        }
    }
    let path: PathBuf = desk.ledger().dir().join(path);
    std::fs::read(path).map_err(|_| Problem::absent("file"))
}

impl File {
    /// Reads a path. Only digits and the few fixed words get through, so that no path leaves the
    /// folder or names one of the log's other files.
    fn parse(path: &str) -> Option<File> {
        if path == "checkpoint" {
            return Some(File::Checkpoint);
        }
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, Some(number(width, 1..=255)?)),
            None => (rest, None),
        };
        let index = tile_index(index)?;
        if level == "entries" {
            let first = index.checked_mul(BUNDLE_ENTRIES)?;
            return Some(File::Bundle { first, entries: width.unwrap_or(BUNDLE_ENTRIES) });
        }
        number(level, 0..=63).map(|_| File::Tile)
    }
}

/// An index as `x001/x234/067`: groups of three digits, all but the last behind an x.
fn tile_index(text: &str) -> Option<u64> {
    let groups: Vec<&str> = text.split('/').collect();
    let (last, first) = groups.split_last()?;
    let digits = |group: &str| {
        let three = group.len() == 3 && group.bytes().all(|byte| byte.is_ascii_digit());
        three.then(|| group.parse::<u64>().ok()).flatten()
    };
    let mut index = 0_u64;
    for group in first {
        index = index.checked_mul(1000)?.checked_add(digits(group.strip_prefix('x')?)?)?;
    }
    index.checked_mul(1000)?.checked_add(digits(last)?)
}

fn number(text: &str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
    let number = text.parse::<u64>().ok().filter(|number| range.contains(number))?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_files_have_these_names() {
        assert_eq!(File::parse("checkpoint"), Some(File::Checkpoint));
        assert_eq!(File::parse("tile/0/x001/x234/067"), Some(File::Tile));
        assert_eq!(File::parse("tile/1/000.p/5"), Some(File::Tile));
        let bundle = File::Bundle { first: 512, entries: 7 };
        assert_eq!(File::parse("tile/entries/002.p/7"), Some(bundle));
        let bundle = File::Bundle { first: 1_067 * 256, entries: 256 };
        assert_eq!(File::parse("tile/entries/x001/067"), Some(bundle));
    }

    #[test]
    fn no_other_name_is_a_public_file() {
        for path in [
            "",
            "head",
            "vkey",
            "tail.0",
            "checkpoint.new",
            "../keys/ledger.key",
            "tile",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/00/000",
            "tile/64/000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/05",
            "tile/0/../../keys/ledger.key",
            "tile/0/x00/000",
            "tile/0/001/000",
            "tile/0/x001",
            "tile/entries/000.p/../1",
            "tile/entries/+01",
            "tile//000",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(File::parse(path), None, "{path}");
        }
    }
}
