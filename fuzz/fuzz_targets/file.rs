//! A temporary file that each run writes anew: the readers take paths, as users do.

use std::cell::RefCell;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use tempfile::NamedTempFile;

thread_local! {
    static FILE: RefCell<Option<NamedTempFile>> = const { RefCell::new(None) };
}

/// Runs `read` on a file with these bytes, whose name ends in `suffix`.
pub fn with_file(suffix: &str, bytes: &[u8], read: impl FnOnce(&Path)) {
    let make = || tempfile::Builder::new().suffix(suffix).tempfile().expect("a temporary file");
    FILE.with_borrow_mut(|file| {
        let file = file.get_or_insert_with(make);
        let handle = file.as_file_mut();
        handle.set_len(0).expect("the temporary file can be cut");
        handle.seek(SeekFrom::Start(0)).expect("the temporary file can be rewound");
        handle.write_all(bytes).expect("the temporary file can be written");
        read(file.path());
    });
}
