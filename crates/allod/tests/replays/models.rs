//! The models that answer: one made here, and where they are beside the checkout, tiny ones of many
//! architectures, some of them quantised.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::bytes;
use crate::common::{allod, run, shared};

const TEMPLATE: &str = "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}\n{% endfor %}";
/// Decoders of random weights, with 256 tokens and no words for them.
const WORDLESS: [&str; 14] = [
    "apertus",
    "gemma2",
    "gemma3",
    "gpt-oss",
    "granite",
    "llama",
    "mistral",
    "mixtral",
    "olmoe",
    "phi3",
    "qwen2",
    "qwen3",
    "qwen3-moe",
    "smollm3",
];
/// Models of children's stories, trained by others.
const STORIES: [(&str, &str); 2] = [
    ("stories260k", "models/stories260K/stories260Ktok512.gguf"),
    ("stories656k", "models/tinystories-656k-llama-hf"),
];
/// Some of them in other formats.
const CONVERTED: [(&str, &str); 5] = [
    ("stories260k", "q4_0"),
    ("stories260k", "bf16"),
    ("stories656k", "q8_0"),
    ("stories656k", "q5_1"),
    ("stories656k", "f16"),
];

/// Brings models into a data folder, and gives their names.
pub fn import_all(data: &Path, scratch: &Path) -> Vec<String> {
    let made = scratch.join("made.gguf");
    fs::write(&made, bytes::model().build()).unwrap();
    let mut models = vec![("made".to_owned(), made)];
    let stories = STORIES.into_iter().filter_map(|(name, path)| Some((name, shared(path)?)));
    models.extend(stories.map(|(name, path)| (name.to_owned(), path)));
    let worded = WORDLESS.into_iter().filter_map(|name| Some((name, with_words(name, scratch)?)));
    models.extend(worded.map(|(name, path)| (name.to_owned(), path)));
    let known = models.clone();
    for (name, format) in CONVERTED {
        let Some((_, source)) = known.iter().find(|(known, _)| known == name) else { continue };
        let target = scratch.join(format!("{name}-{format}.gguf"));
        let mut command = allod(data);
        command.args(["model", "convert", "--format", format]).arg(source).arg(&target);
        run(&mut command, 0);
        models.push((format!("{name}-{format}"), target));
    }
    let import = |(name, path): (String, PathBuf)| {
        run(allod(data).args(["model", "import", "--name", &name]).arg(path), 0);
        name
    };
    models.into_iter().map(import).collect()
}

/// A copy of a model without words, with a token for each byte.
fn with_words(name: &str, scratch: &Path) -> Option<PathBuf> {
    let source = shared(&format!("model-fixtures/{name}"))?;
    let folder = scratch.join(name);
    fs::create_dir_all(&folder).unwrap();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(source.join(file), folder.join(file)).unwrap();
    }
    let put = |file: &str, text: String| fs::write(folder.join(file), text).unwrap();
    put("tokenizer.json", tokenizer().to_string());
    put("tokenizer_config.json", json!({"bos_token": "<s>", "eos_token": "</s>"}).to_string());
    put("chat_template.jinja", TEMPLATE.into());
    Some(folder)
}

/// How a byte is written in vocabularies of byte-level tokenizers: those that can be seen as
/// themselves, the others from U+0100 on.
fn letters() -> Vec<char> {
    let seen = |byte: u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let mut next = 0x100..;
    let letter = |byte: u32| if seen(byte) { byte } else { next.next().unwrap() };
    (0..256).map(letter).map(|code| char::from_u32(code).unwrap()).collect()
}

/// 256 tokens: four special ones, and each byte that UTF-8 has, in order.
fn tokenizer() -> Value {
    let special = ["<pad>", "<s>", "</s>", "<unk>"];
    let mut tokens: Map<String, Value> = Map::new();
    let written = letters().into_iter().enumerate();
    let written = written.filter(|(byte, _)| !matches!(byte, 0xc0 | 0xc1 | 0xf5..=0xff));
    let all = special.map(String::from).into_iter().chain(written.map(|(_, one)| one.to_string()));
    for (id, token) in all.enumerate() {
        tokens.insert(token, json!(id));
    }
    let added = |(id, content): (usize, &str)| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false,
               "rstrip": false, "normalized": false, "special": true})
    };
    let byte_level = |use_regex: bool| {
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
               "use_regex": use_regex})
    };
    json!({
        "version": "1.0",
        "added_tokens": special.into_iter().enumerate().map(added).collect::<Vec<_>>(),
        "normalizer": null, "pre_tokenizer": byte_level(false), "post_processor": null,
        "decoder": byte_level(false),
        "model": {"type": "BPE", "dropout": null, "unk_token": null,
                  "continuing_subword_prefix": null, "end_of_word_suffix": null,
                  "fuse_unk": false, "byte_fallback": false, "vocab": tokens, "merges": []},
    })
}
