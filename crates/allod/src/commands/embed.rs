//! `allod embed`

use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::Path;

use allod_engine::LoadEncoder;
use allod_lm::{EmbedOptions, Isa, Purpose};
use anyhow::Context;
use serde_json::json;

use crate::Ending;
use crate::arguments::EmbedArguments;
use crate::folder::Place;
use crate::output::Output;

/// Lines that are read before their vectors are printed.
const LINES: usize = 256;

/// Prints one line for each line of text: its vector.
pub fn run(arguments: &EmbedArguments, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = arguments.threads.filter(|threads| *threads > 0).unwrap_or_else(cores);
    let options = EmbedOptions { threads, isa: Isa::detect() };
    let embedder = place.cells().load_embedder(&place.model(&arguments.model)?, options)?;
    let purpose = match (arguments.query, arguments.document) {
        (true, _) => Purpose::Query,
        (_, true) => Purpose::Document,
        _ => Purpose::Any,
    };
    let mut lines = input(arguments.input.as_deref())?.lines();
    let mut number = 0;
    loop {
        let batch: Vec<String> = lines
            .by_ref()
            .take(LINES)
            .collect::<Result<_, _>>()
            .context("the texts cannot be read as UTF-8")?;
        if batch.is_empty() {
            return Ok(Ending::Done);
        }
        let texts: Vec<&str> = batch.iter().map(String::as_str).collect();
        let (first, last) = (number + 1, number + texts.len());
        let vectors = embedder.embed(purpose, &texts);
        let vectors = vectors.with_context(|| format!("in lines {first} to {last}"))?;
        for vector in vectors {
            print(number, &vector, output)?;
            number += 1;
        }
    }
}

/// Numbers as the shortest text that gives the same single-precision value.
fn print(index: usize, vector: &[f32], output: &Output) -> anyhow::Result<()> {
    output.print(&json!({"index": index, "embedding": vector}), |_| {
        let numbers: Vec<String> = vector.iter().map(f32::to_string).collect();
        numbers.join(" ")
    })
}

fn input(path: Option<&Path>) -> anyhow::Result<Box<dyn BufRead>> {
    match path {
        Some(path) if path != Path::new("-") => {
            let file =
                File::open(path).with_context(|| format!("{} cannot be read", path.display()));
            Ok(Box::new(BufReader::new(file?)))
        }
        _ => Ok(Box::new(stdin().lock())),
    }
}
