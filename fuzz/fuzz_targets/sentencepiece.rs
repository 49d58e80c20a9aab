//! Any bytes as a SentencePiece model: read or refused; what is read encodes and decodes.
#![no_main]

mod file;

use file::with_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    with_file(".model", bytes, |path| {
        let Ok(tokenizer) = allod_lm::Tokenizer::from_sentencepiece(path) else { return };
        if let Ok(ids) = tokenizer.encode_text("  Grüezi </s> ﷽ 1234\u{0} ") {
            std::hint::black_box(tokenizer.decode(&ids));
        }
        std::hint::black_box(tokenizer.decode(&[0, 1, u32::MAX]));
    });
});
