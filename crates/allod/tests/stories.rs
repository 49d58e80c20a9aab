//! A real model runs: the text of a small public model is known.
#![allow(clippy::unwrap_used)]

mod common;

use common::{allod, run, shared};

#[test]
fn the_published_text_of_stories260k_is_reproduced() {
    let Some(model) = shared("models/stories260K/stories260Ktok512.gguf") else { return };
    let Some(golden) = shared("models/stories260K/stories260K.golden.md") else { return };
    let golden = std::fs::read_to_string(golden).unwrap();
    let begin = golden.find("Once upon a time, there was a little girl").unwrap();
    let story = golden[begin..].split("\n```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--temperature", "0", "--max-tokens", "256", "--prompt", ""];
    let mut command = allod(folder.path());
    let text = run(command.arg("generate").args(arguments).arg("--model").arg(model), 0);
    assert_eq!(text.trim_end(), story.trim_end());
}
