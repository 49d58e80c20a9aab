//! JSON under two hundred schemas of the kinds that programs' interfaces have, drawn from a model
//! with random weights at a high temperature: whatever is whole is valid, as a validator of others
//! sees it. `examples/schemas.rs` draws more of them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use allod_engine::{
    Constraint, Engine, Finish, GenerateRequest, Options, Parallel, Part, Prompt, Sampling,
    SpeechOptions, Tool, ToolChoice,
};
use common::{engine_of, model};
use serde_json::Value;
use std::ops::ControlFlow;

const SCHEMAS: &str = include_str!("schemas.json");
const TOKENS: usize = 3_000;
/// They hold values of any kind.
const OPEN: [&str; 3] = ["anything", "any object", "open object"];

fn schemas() -> Vec<(String, Value)> {
    let all: Vec<Value> = serde_json::from_str(SCHEMAS).unwrap();
    let all = all.into_iter();
    all.map(|one| (one["name"].as_str().unwrap().to_string(), one["schema"].clone())).collect()
}

fn engine() -> Engine {
    let context_tokens = Some(TOKENS + 50);
    engine_of(model(), Options { threads: Some(1), context_tokens, ..Options::default() })
}

fn request(constraint: Option<Constraint>, seed: u64) -> GenerateRequest {
    GenerateRequest {
        prompt: Prompt::Text("abc".into()),
        sampling: Sampling { temperature: 1.5, seed, ..Sampling::default() },
        max_tokens: TOKENS,
        constraint,
        ..GenerateRequest::default()
    }
}

fn check(name: &str, schema: &Value, text: &str) {
    check_answer(name, schema, text, OPEN.contains(&name));
}

fn check_answer(name: &str, schema: &Value, text: &str, is_open: bool) {
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        // JSON has no largest number, and where a schema leaves a value open neither has the text.
        Err(error) if is_open && error.to_string().contains("out of range") => return,
        Err(error) => panic!("{name}: {error} in {text}"),
    };
    let validator = jsonschema::options().should_validate_formats(true).build(schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{name}: {errors:?} in {text}");
}

#[test]
fn whole_answers_are_valid_under_two_hundred_schemas() {
    let (engine, schemas) = (engine(), schemas());
    assert_eq!(schemas.len(), 200);
    let mut cut = Vec::new();
    for (seed, (name, schema)) in schemas.iter().enumerate() {
        let request = request(Some(Constraint::JsonSchema(schema.clone())), seed as u64);
        let generated = engine
            .generate(&request, &mut |_| ControlFlow::Continue(()))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        match generated.finish {
            Finish::Stop => check(name, schema, &generated.text),
            _ => cut.push(name),
        }
    }
    // A model that is not trained may write texts without end.
    assert!(cut.len() < 20, "{cut:?}");
}

/// Schemas of odd kinds, each with the keyword that it is refused for, if it is.
const ODD: &str = include_str!("odd_schemas.json");
/// Answers under each.
const ODD_ANSWERS: u64 = 4;

#[test]
fn odd_schemas_are_kept_to_or_refused_by_name() {
    let engine = engine();
    let all: Vec<Value> = serde_json::from_str(ODD).unwrap();
    let (mut cut, mut wrong) = (Vec::new(), Vec::new());
    for one in &all {
        let (name, schema) = (one["name"].as_str().unwrap(), &one["schema"]);
        for seed in 0..ODD_ANSWERS {
            let request = request(Some(Constraint::JsonSchema(schema.clone())), seed);
            let generated = engine.generate(&request, &mut |_| ControlFlow::Continue(()));
            match (generated, one["refused"].as_str()) {
                (Ok(generated), None) if generated.finish == Finish::Stop => {
                    check_answer(name, schema, &generated.text, one["open"] == true);
                }
                (Ok(_), None) => cut.push(name),
                (Err(error), Some(keyword)) if error.to_string().contains(keyword) => break,
                (Err(error), _) => {
                    wrong.push(format!("{name}: {error}"));
                    break;
                }
                (Ok(generated), Some(keyword)) => {
                    wrong.push(format!("{name}: {keyword} is not refused: {}", generated.text));
                    break;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(cut.len() < 20, "{cut:?}");
}

#[test]
fn arguments_are_valid_under_the_schemas_of_objects() {
    let engine = engine();
    let objects = schemas().into_iter().filter(|(_, schema)| schema["type"] == "object");
    let mut called = 0;
    for (seed, (name, schema)) in objects.enumerate().filter(|(at, _)| at % 4 == 0) {
        let tool = Tool { name: "f".into(), description: None, parameters: schema.clone() };
        let options = SpeechOptions {
            tools: vec![tool],
            choice: ToolChoice::Required,
            parallel: Parallel::One,
            ..SpeechOptions::default()
        };
        let request = request(None, seed as u64);
        let speech = engine.speech(&request.prompt, &options).unwrap();
        let request = GenerateRequest { constraint: speech.constraint, ..request };
        let generated = engine.generate(&request, &mut |_| ControlFlow::Continue(())).unwrap();
        if generated.finish != Finish::Stop {
            continue;
        }
        let mut reader = speech.reader;
        let mut parts = reader.push(&generated.text);
        parts.extend(reader.finish());
        let arguments = parts.iter().filter_map(|part| match part {
            Part::Arguments(text) => Some(text.as_str()),
            _ => None,
        });
        check(&name, &schema, &arguments.collect::<String>());
        called += 1;
    }
    assert!(called > 30, "{called}");
}
