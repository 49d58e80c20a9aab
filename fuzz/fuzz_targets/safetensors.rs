//! Any bytes as a safetensors file: read and list.
#![no_main]

use std::cell::RefCell;
use std::io::{Seek, SeekFrom, Write};

use libfuzzer_sys::fuzz_target;
use tempfile::NamedTempFile;

thread_local! {
    static FILE: RefCell<NamedTempFile> = RefCell::new(
        tempfile::Builder::new().suffix(".safetensors").tempfile().expect("a temporary file"),
    );
}

fuzz_target!(|bytes: &[u8]| {
    FILE.with_borrow_mut(|file| {
        let handle = file.as_file_mut();
        handle.set_len(0).expect("the temporary file can be cut");
        handle.seek(SeekFrom::Start(0)).expect("the temporary file can be rewound");
        handle.write_all(bytes).expect("the temporary file can be written");
        if let Ok(tensors) = allod_weights::TensorFile::open(file.path()) {
            let bytes: usize = tensors.tensors().map(|tensor| tensor.bytes.len()).sum();
            std::hint::black_box(bytes);
        }
    });
});
