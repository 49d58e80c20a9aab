//! `cargo xtask parity DIR... [--json]`: models against what another implementation computed.
//!
//! A folder counts when it holds a `reference.safetensors`: token ids `[B, T]`, and what they give:
//! logits (or the last hidden states of an encoder), the mean loss of each row's next token, slopes
//! of that loss along parameters by name, a greedy continuation, losses of AdamW steps.

mod bounds;
mod decoder;
mod encoder;
mod measure;
mod reference;

use allod_lm::{Checkpoint, Container, ConvertOptions, Format};
use allod_weights::TensorFile;
use anyhow::Result;
use bounds::complaints;
use reference::Reference;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was measured of a model; none where the reference does not hold it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Name of the folder.
    pub model: String,
    /// Largest difference of a logit or hidden state.
    pub max_abs_diff: Option<f64>,
    /// The same, relative to the largest of the reference.
    pub max_rel_diff: Option<f64>,
    /// Whether the greedy continuation is the same.
    pub greedy_equal: Option<bool>,
    /// Difference of the loss.
    pub loss_abs_diff: Option<f64>,
    /// Largest norm of a difference of gradients, relative to the gradient's norm.
    pub grad_max_rel_diff: Option<f64>,
    /// Largest difference of a loss in a run of AdamW steps.
    pub adamw_max_abs_diff: Option<f64>,
    /// Whether both executors give the same bits.
    pub executor_bits_equal: Option<bool>,
}

impl Report {
    /// Nothing measured yet.
    fn of(model: &str) -> Report {
        Report {
            model: model.to_string(),
            max_abs_diff: None,
            max_rel_diff: None,
            greedy_equal: None,
            loss_abs_diff: None,
            grad_max_rel_diff: None,
            adamw_max_abs_diff: None,
            executor_bits_equal: None,
        }
    }
}

/// Measures every folder and prints a line for each. Gives the number of bounds that were missed.
#[allow(clippy::print_stdout, clippy::print_stderr)]
pub fn run(arguments: &[String]) -> Result<usize> {
    let json = arguments.iter().any(|argument| argument == "--json");
    let paths = arguments.iter().filter(|argument| !argument.starts_with("--"));
    let folders: Vec<PathBuf> =
        paths.map(PathBuf::from).filter(|path| is_reference(path)).collect();
    anyhow::ensure!(!folders.is_empty(), "no folder given holds a reference.safetensors");
    let mut missed = 0;
    for folder in folders {
        let report = match measure(&folder) {
            Ok(report) => report,
            Err(error) => {
                eprintln!("{}: {error:#}", folder.display());
                missed += 1;
                continue;
            }
        };
        match json {
            true => println!("{}", serde_json::to_string(&report)?),
            false => println!("{}", line(&report)),
        }
        for complaint in complaints(&report) {
            eprintln!("{}: {complaint}", report.model);
            missed += 1;
        }
    }
    Ok(missed)
}

fn is_reference(folder: &Path) -> bool {
    folder.join(reference::FILE).is_file()
}

/// Measures the model in a folder, with its weights in `f32`: weights of fewer bits are served by
/// products of `bf16`, which a reference in `f32` does not round to.
pub fn measure(folder: &Path) -> Result<Report> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let reference = Reference::open(folder)?;
    if reference.is_of_encoder() {
        let checkpoint = single(folder, Checkpoint::open_encoder, Checkpoint::file)?;
        encoder::measure(&name, Arc::new(checkpoint), &reference)
    } else {
        let checkpoint = single(folder, Checkpoint::open, Checkpoint::file)?;
        decoder::measure(&name, Arc::new(checkpoint), &reference)
    }
}

/// The checkpoint in a folder; a copy of it in F32 if any of its tensors is something else.
fn single<C>(
    folder: &Path,
    open: fn(&Path) -> allod_lm::Result<C>,
    file: fn(&C) -> &TensorFile,
) -> Result<C> {
    let checkpoint = open(folder)?;
    if file(&checkpoint).tensors().all(|tensor| tensor.data_type.to_string() == "F32") {
        return Ok(checkpoint);
    }
    // The copy stays mapped when the folder goes.
    let scratch = tempfile::tempdir()?;
    let copy = scratch.path().join("single");
    let options = ConvertOptions { container: Container::Safetensors, format: Some(Format::F32) };
    allod_lm::convert(folder, &copy, options)?;
    Ok(open(&copy)?)
}

/// Threads to compute with: results do not depend on them.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A report for people.
fn line(report: &Report) -> String {
    let number = |name: &str, value: Option<f64>| match value {
        Some(value) => format!(" {name} {value:.1e}"),
        None => String::new(),
    };
    let truth = |name: &str, value: Option<bool>| match value {
        Some(value) => format!(" {name} {}", if value { "yes" } else { "NO" }),
        None => String::new(),
    };
    [
        format!("{:<12}", report.model),
        number("abs", report.max_abs_diff),
        number("rel", report.max_rel_diff),
        truth("greedy", report.greedy_equal),
        number("loss", report.loss_abs_diff),
        number("grad", report.grad_max_rel_diff),
        number("adamw", report.adamw_max_abs_diff),
        truth("bits", report.executor_bits_equal),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every model among the shared fixtures is within the bounds.
    #[test]
    #[allow(clippy::unwrap_used, clippy::print_stderr)]
    fn the_fixtures_are_within_the_bounds() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/model-fixtures");
        let Ok(entries) = std::fs::read_dir(&root) else {
            eprintln!("skipped: model-fixtures is not in the folder of shared test data");
            return;
        };
        let folders = entries.flatten().map(|entry| entry.path()).filter(|path| is_reference(path));
        for folder in folders {
            let report = measure(&folder).unwrap();
            assert_eq!(complaints(&report), Vec::<String>::new(), "{report:?}");
        }
    }
}
