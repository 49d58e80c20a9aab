//! A full bundle as it was read: going through a log in order reads each file once, and not once
//! for each of its entries.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::disk;
use crate::error::Result;
use crate::fault::{Fault, Place, Wrong};
use crate::hash::Hash;
use crate::tiles::{TILE_WIDTH, bundle_path, read_tile, whole_bundle};

/// The entries of a full bundle. It never changes on the disk, and what was read of it is held
/// against its hash, so it can be kept.
#[derive(Debug)]
struct Page {
    /// Which bundle, from 0.
    number: u64,
    bytes: Vec<u8>,
    ranges: Vec<Range<usize>>,
    hashes: Vec<Hash>,
}

impl Page {
    fn read(dir: &Path, number: u64) -> Result<Page> {
        let path = bundle_path(number, None);
        let bytes = disk::read(dir, &path)?;
        let ranges = whole_bundle(&path, &bytes, TILE_WIDTH)?;
        let hashes = read_tile(dir, 0, number)?;
        Ok(Page { number, bytes, ranges, hashes })
    }

    fn entry(&self, index: u64) -> Result<Vec<u8>> {
        let place = (index % TILE_WIDTH) as usize;
        let entry = &self.bytes[self.ranges[place].clone()];
        if self.hashes[place] != Hash::leaf(entry) {
            let path = bundle_path(self.number, None);
            return Err(Fault::new(Wrong::Entry, path, Place::Entry(index)).into());
        }
        Ok(entry.to_vec())
    }
}

/// The bundle that was read last.
#[derive(Debug, Default)]
pub(crate) struct LastPage(Mutex<Option<Arc<Page>>>);

impl LastPage {
    /// The entry at `index`, which lies in a full bundle.
    ///
    /// # Errors
    /// If the bundle or its tile cannot be read, or the entry has another hash.
    pub fn entry(&self, dir: &Path, index: u64) -> Result<Vec<u8>> {
        let number = index / TILE_WIDTH;
        let last = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last().clone().filter(|page| page.number == number);
        let page = match known {
            Some(page) => page,
            None => {
                let page = Arc::new(Page::read(dir, number)?);
                *last() = Some(Arc::clone(&page));
                page
            }
        };
        page.entry(index)
    }
}
