//! Any bytes as a GGUF file: read, list, load as a model, and use its vocabulary and template.
#![no_main]

mod file;

use allod_lm::{Message, Model};
use file::with_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    with_file(".gguf", bytes, |path| {
        let Ok(tensors) = allod_weights::TensorFile::open(path) else { return };
        let bytes: usize = tensors.tensors().map(|tensor| tensor.bytes.len()).sum();
        std::hint::black_box(bytes);
        let _ = allod_lm::Tokenizer::from_gguf(path, tensors.metadata());
        let Ok(model) = Model::load(path) else { return };
        let _ = model.tokenizer.encode_prompt("Grüezi <s> 123");
        std::hint::black_box(model.tokenizer.decode(&[0, 1, u32::MAX]));
        let message = Message { role: "user".into(), content: "</s>".into() };
        let _ = model.template.render(&[message], None, model.tokenizer.special_texts());
    });
});
