//! Publication: the partial tiles for a checkpoint, and the file `checkpoint` itself.
//!
//! Full tiles are there anyway. Partial ones would be too much to write with each receipt, so they
//! are written for some heads only, and `checkpoint` is the last such head. So the folder can at
//! any time be served as it is.

use std::collections::BTreeSet;
use std::path::Path;

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::head::{Head, read_signed};
use crate::key::VerifierKey;
use crate::round::{adopt_draft, create_all, write_draft};
use crate::tiles::{CHECKPOINT, bundle_path, full_tiles, levels, partial_width, tile_path};

/// Publishes `head`. The caller holds the lock.
pub(crate) fn publish(dir: &Path, disk: &dyn Disk, head: &Head, key: &VerifierKey) -> Result<()> {
    let (published, note) = read_signed(dir, CHECKPOINT, key)?;
    if note == head.note {
        return Ok(());
    }
    let old = partial_paths(published.size);
    let mut partials = head.edge.partials();
    let new: BTreeSet<String> = partials.iter().map(|partial| partial.path.clone()).collect();
    // A partial tile of both is complete already and must stay so while the old checkpoint stands.
    partials.retain(|partial| !old.contains(&partial.path));
    create_all(dir, disk, &partials)?;
    write_draft(dir, disk, CHECKPOINT, &head.note)?;
    adopt_draft(dir, disk, CHECKPOINT)?;
    old.difference(&new).try_for_each(|path| remove(dir, disk, path))
}

fn remove(dir: &Path, disk: &dyn Disk, path: &str) -> Result<()> {
    let path = dir.join(path);
    disk.remove(&path).map_err(|error| Error::file("remove", &path, error))?;
    // The folder `000.p` goes when it is empty; it may hold the new partial tile.
    let _ = path.parent().map(std::fs::remove_dir);
    Ok(())
}

/// The partial tiles and the partial bundle of a published size.
pub(crate) fn partial_paths(size: u64) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for level in levels(size) {
        let width = partial_width(size, level);
        if width == 0 {
            continue;
        }
        let index = full_tiles(size, level);
        paths.insert(tile_path(level, index, Some(width)));
        if level == 0 {
            paths.insert(bundle_path(index, Some(width)));
        }
    }
    paths
}
