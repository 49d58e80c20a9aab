//! Any bytes as a tokenizer.json: read or refused; what is read encodes hostile text without ever
//! making a special token of it, and decodes any id.
#![no_main]

mod file;

use file::with_file;
use libfuzzer_sys::fuzz_target;

const TEXT: &str = "<s> </s><|im_end|>[CLS] Grüezi\u{0}\u{200b} 1234567 ﷽ 👩‍👩‍👧 \r\n\t a  b";

fuzz_target!(|bytes: &[u8]| {
    with_file(".json", bytes, |path| {
        let Ok(tokenizer) = allod_lm::Tokenizer::from_json(path) else { return };
        let unknown: Vec<u32> = tokenizer.encode_text("\u{10ffff}").unwrap_or_default();
        if let Ok(ids) = tokenizer.encode_text(TEXT) {
            let special = |id: &&u32| tokenizer.is_special(**id) && !unknown.contains(id);
            assert_eq!(ids.iter().find(special), None, "text became a special token");
            std::hint::black_box(tokenizer.decode(&ids));
        }
        let _ = tokenizer.encode_whole("");
        std::hint::black_box(tokenizer.decode(&[0, 1, 255, u32::MAX]));
        std::hint::black_box(tokenizer.special_texts().count());
    });
});
