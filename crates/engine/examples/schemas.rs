//! What constraints guarantee, and what they cost.
//!
//! `schemas sample COUNT FILE [SET]` draws COUNT answers, in turn under each schema of
//! `tests/schemas.json`, or of another file, that is not to be refused, at temperature 1.5 from a
//! model with random weights, and writes a line of JSON for each: `schema` (its number), `whole`,
//! `text`. `tests/schemas.py FILE [SET]` validates them with Python's `jsonschema`.
//!
//! `schemas cost MODEL TOKENS ROUNDS` writes TOKENS tokens with a constraint and without, in turn,
//! ROUNDS times, and prints the median time for a token of each.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for measuring")]

#[path = "../tests/common/mod.rs"]
mod common;

use allod_engine::{Constraint, Engine, Finish, GenerateRequest, Options, Prompt, Sampling};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::time::Instant;

const SCHEMAS: &str = include_str!("../tests/schemas.json");
const TOKENS: usize = 30_000;

fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    match given[..] {
        ["sample", count, file] => sample(count.parse().unwrap(), file, SCHEMAS),
        ["sample", count, file, set] => {
            sample(count.parse().unwrap(), file, &std::fs::read_to_string(set).unwrap());
        }
        ["cost", model, tokens, rounds] => {
            cost(model, tokens.parse().unwrap(), rounds.parse().unwrap());
        }
        _ => println!("schemas sample COUNT FILE [SET] | schemas cost MODEL TOKENS ROUNDS"),
    }
}

fn sample(count: usize, file: &str, set: &str) {
    let all: Vec<Value> = serde_json::from_str(set).unwrap();
    let schemas: Vec<(usize, &Value)> =
        all.iter().enumerate().filter(|(_, one)| one["refused"].is_null()).collect();
    let context_tokens = Some(TOKENS + 50);
    let options = Options { threads: Some(1), context_tokens, ..Options::default() };
    let engine = common::engine_of(common::model(), options);
    let mut out = BufWriter::new(File::create(file).unwrap());
    let (mut whole, mut tokens) = (0, 0);
    for seed in 0..count {
        let (number, one) = schemas[seed % schemas.len()];
        let request = GenerateRequest {
            prompt: Prompt::Text("abc".into()),
            sampling: Sampling { temperature: 1.5, seed: seed as u64, ..Sampling::default() },
            max_tokens: TOKENS,
            constraint: Some(Constraint::JsonSchema(one["schema"].clone())),
            ..GenerateRequest::default()
        };
        let generated = engine.generate(&request, &mut |_| ControlFlow::Continue(())).unwrap();
        let ended = generated.finish == Finish::Stop;
        whole += usize::from(ended);
        tokens += generated.completion_tokens;
        let line = json!({"schema": number, "whole": ended, "text": generated.text});
        writeln!(out, "{line}").unwrap();
    }
    println!("{whole} of {count} are whole; {tokens} tokens");
}

fn cost(model: &str, tokens: usize, rounds: usize) {
    let engine = Engine::load(model.as_ref(), Options::default()).unwrap();
    let schemas: Vec<Value> = serde_json::from_str(SCHEMAS).unwrap();
    let named = |name: &str| schemas.iter().find(|one| one["name"] == name).unwrap();
    // It never ends, so that all tokens are written; between texts there are names and signs.
    let endless = |schema: &Value| json!({"type": "array", "items": schema, "minItems": 10_000});
    let kinds = [
        ("none", None),
        ("texts", Some(endless(&json!({"type": "string", "maxLength": 40})))),
        ("objects", Some(endless(&named("order status")["schema"]))),
        ("numbers", Some(endless(&named("geo point")["schema"]))),
        ("any object", Some(endless(&json!({"type": "object"})))),
    ];
    let mut times = vec![Vec::new(); kinds.len()];
    for round in 0..rounds {
        for (kind, (_, schema)) in kinds.iter().enumerate() {
            let mut first: Option<Instant> = None;
            let mut written = 0;
            let request = GenerateRequest {
                prompt: Prompt::Text("A list of orders".into()),
                sampling: Sampling { temperature: 1.0, seed: round as u64, ..Sampling::default() },
                max_tokens: tokens,
                constraint: schema.clone().map(Constraint::JsonSchema),
                ..GenerateRequest::default()
            };
            engine
                .complete(&request, &mut |piece| {
                    if piece.token.is_some() {
                        first.get_or_insert_with(Instant::now);
                        written += 1;
                    }
                    ControlFlow::Continue(())
                })
                .unwrap();
            let seconds = first.unwrap().elapsed().as_secs_f64();
            times[kind].push(seconds * 1e3 / f64::from(written - 1));
        }
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let medians: Vec<f64> = times.iter_mut().map(median).collect();
    for ((name, _), time) in kinds.iter().zip(&medians) {
        let more = (time / medians[0] - 1.0) * 100.0;
        println!("{name}: {time:.3} ms for a token, {more:+.1} %");
    }
}
