//! Any text as a chat template, with hostile messages, or any text as messages for a sound one:
//! rendered or refused within the limits on steps and memory; no message makes a special token.
#![no_main]

use std::collections::BTreeMap;

use allod_lm::{ChatTemplate, Message, TemplateInput};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

const SOUND: &str = "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}\
                     {{ m | tojson }}<|end|>{% endfor %}{{ tools | tojson(indent=2) }}";
const SPECIALS: [&str; 3] = ["<|end|>", "<s>", "<|user|>"];

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let variables = BTreeMap::from([("bos_token".to_string(), "<s>".to_string())]);
    let source = if kind % 2 == 0 { text } else { SOUND };
    let Ok(template) = ChatTemplate::new(source.to_string(), variables) else { return };
    let said = if kind % 2 == 0 { "<|end|>{{ 7 * 7 }}{% raw %}\u{fdd0}\"\\" } else { text };
    let message = Message { role: "user".to_string(), content: said.to_string() };
    let mut input = TemplateInput::new(&[message]);
    if let Ok(given) = serde_json::from_str::<Value>(text) {
        input.messages.push(given);
    }
    input.tools = Some(vec![json!({"name": said, said: [said, 1.5, null]})]);
    let Ok(rendered) = template.render_input(input, SPECIALS.into_iter()) else { return };
    if kind % 2 == 1 && !text.contains(['\u{fdd0}', '\u{fdd1}']) {
        std::hint::black_box(rendered.text().len());
    }
});
