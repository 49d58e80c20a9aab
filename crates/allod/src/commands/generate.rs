//! `allod generate`

use std::ops::ControlFlow;

use allod_engine::{GenerateRequest, LoadEngine, Message, Options, Prompt, Sampling};
use serde_json::json;

use crate::Ending;
use crate::arguments::GenerateArguments;
use crate::folder::Place;
use crate::output::Output;

/// Lets a model, in a cell, go on from a prompt and prints the prompt with what follows.
///
/// It answers nobody and uses no documents, so it leaves no receipt.
pub fn run(
    arguments: &GenerateArguments,
    place: &Place,
    output: &Output,
) -> anyhow::Result<Ending> {
    let options = Options { threads: arguments.threads, ..Options::default() };
    let engine = place.cells().load(&place.model(&arguments.model)?, options)?;
    let request = request(arguments);
    let shows_prompt = !output.json && !arguments.chat;
    if shows_prompt {
        output.raw(&arguments.prompt)?;
    }
    let mut printed = Ok(());
    let completion = engine.complete(&request, &mut |piece| {
        if !output.json {
            printed = output.raw(piece.text);
        }
        if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    printed?;
    let generated = completion.first();
    if output.json {
        let value = json!({
            "text": generated.text,
            "prompt_tokens": generated.prompt_tokens,
            "completion_tokens": generated.completion_tokens,
            "finish": generated.finish.name(),
            "model": engine.model_name(),
        });
        output.line(&value.to_string())?;
    } else {
        output.raw("\n")?;
    }
    Ok(Ending::Done)
}

fn request(arguments: &GenerateArguments) -> GenerateRequest {
    let text = arguments.prompt.clone();
    let prompt = match arguments.chat {
        true => Prompt::Chat(vec![Message { role: "user".into(), content: text }]),
        false => Prompt::Text(text),
    };
    GenerateRequest {
        prompt,
        sampling: Sampling {
            temperature: arguments.temperature,
            top_k: arguments.top_k,
            top_p: arguments.top_p,
            min_p: arguments.min_p,
            repetition_penalty: arguments.repetition_penalty,
            seed: arguments.seed,
            ..Sampling::default()
        },
        max_tokens: arguments.max_tokens,
        stop: arguments.stop.clone(),
        ..GenerateRequest::default()
    }
}
