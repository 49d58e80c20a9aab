//! A real, small model: the text that its author published, to the letter.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

use allod_engine::{Engine, Finish, GenerateRequest, Generated, Isa, Options, Prompt, Sampling};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

const FOLDER: &str = "models/stories260K";

fn shared(path: &str) -> Option<PathBuf> {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    if full.exists() {
        return Some(full);
    }
    eprintln!("skipped: {path} is not in the folder of shared test data");
    None
}

fn stories(options: Options) -> Option<Engine> {
    let path = shared(&format!("{FOLDER}/stories260Ktok512.gguf"))?;
    Some(Engine::load(&path, options).unwrap())
}

/// The text between the command and the end of its block in the author's page.
fn golden() -> Option<String> {
    let page =
        std::fs::read_to_string(shared(&format!("{FOLDER}/stories260K.golden.md"))?).unwrap();
    let start = page.find("-t 0.0\n").unwrap() + "-t 0.0\n".len();
    let end = start + page[start..].find("\n```").unwrap();
    Some(page[start..end].to_string())
}

fn write(engine: &Engine, prompt: &str, max_tokens: usize) -> Generated {
    let request = GenerateRequest {
        prompt: Prompt::Text(prompt.to_string()),
        max_tokens,
        ..GenerateRequest::default()
    };
    let mut text = String::new();
    let generated = engine.generate(&request, &mut |piece| {
        text += piece;
        ControlFlow::Continue(())
    });
    let generated = generated.unwrap();
    assert_eq!(generated.text, text);
    generated
}

#[test]
fn greedy_text_is_the_one_published() {
    let (Some(engine), Some(golden)) = (stories(Options::default()), golden()) else { return };
    let generated = write(&engine, "", 256);
    assert_eq!(generated.text, golden);
    // The author's program counts the prompt's tokens (without the first) among the 256.
    let prompt = "Once upon a time";
    let prompt_tokens = engine.count_tokens(&Prompt::Text(prompt.to_string())).unwrap();
    let rest = write(&engine, prompt, 256 - (prompt_tokens - 1));
    assert_eq!(format!("{prompt}{}", rest.text), golden);
}

#[test]
fn threads_and_instruction_sets_give_the_same_tokens() {
    let sampling = Sampling { temperature: 1.0, top_p: 0.9, seed: 133742, ..Sampling::default() };
    let request = GenerateRequest {
        prompt: Prompt::Text("Lily and the dog went".to_string()),
        sampling,
        max_tokens: 100,
        ..GenerateRequest::default()
    };
    let mut found = Vec::new();
    for isa in Isa::available() {
        for threads in [1, 2] {
            let options = Options { threads: Some(threads), isa: Some(isa), ..Options::default() };
            let Some(engine) = stories(options) else { return };
            let generated = engine.generate(&request, &mut |_| ControlFlow::Continue(())).unwrap();
            found.push(generated.tokens);
        }
    }
    assert!(found.iter().all(|tokens| *tokens == found[0]), "{found:?}");
    assert_eq!(found[0].len(), 100);
}

#[test]
fn the_declared_context_of_128_tokens_can_be_enforced() {
    let options = Options { context_tokens: Some(128), ..Options::default() };
    let Some(engine) = stories(options) else { return };
    let generated = write(&engine, "", 256);
    assert_eq!((generated.finish, generated.prompt_tokens), (Finish::Length, 1));
    assert_eq!(generated.completion_tokens, 127);
}
