//! Any bytes as a safetensors file: read and list.
#![no_main]

mod file;

use file::with_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    with_file(".safetensors", bytes, |path| {
        let Ok(tensors) = allod_weights::TensorFile::open(path) else { return };
        let mut bytes = 0;
        for tensor in tensors.tensors() {
            bytes += tensor.bytes.len();
            if let Ok(matrix) = tensor.matrix()
                && matrix.rows > 0
            {
                let mut row = vec![0.0; matrix.columns];
                matrix.decode_row(matrix.rows - 1, &mut row);
            }
            let _ = tensor.vector();
        }
        std::hint::black_box((bytes, tensors.main_type(), tensors.parameters()));
    });
});
