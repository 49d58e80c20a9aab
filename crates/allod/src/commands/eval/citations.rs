//! `allod eval citations`: how well false claims are told from true ones.

use std::collections::BTreeMap;
use std::path::Path;

use allod_eval::citations::{self, Case, Counts, Half, Report};
use anyhow::Context;
use serde::Serialize;

use crate::Ending;
use crate::eval_arguments::EvalCitationsArguments;
use crate::output::Output;
use crate::samples;
use crate::scratch::Scratch;

/// The sets that were measured on, by name.
#[derive(Serialize)]
struct Measured {
    sets: BTreeMap<&'static str, Report>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mistakes: Vec<Case>,
}

/// Makes or reads cases, checks them and prints what came out.
pub fn run(arguments: &EvalCitationsArguments, output: &Output) -> anyhow::Result<Ending> {
    let mut measured = Measured { sets: BTreeMap::new(), mistakes: Vec::new() };
    for (name, cases) in cases(arguments)? {
        if arguments.mistakes {
            measured.mistakes.extend(citations::mistakes(&cases));
        }
        measured.sets.insert(name, citations::report(&cases));
    }
    output.print(&measured, text)?;
    Ok(Ending::Done)
}

fn cases(arguments: &EvalCitationsArguments) -> anyhow::Result<Vec<(&'static str, Vec<Case>)>> {
    if let Some(file) = &arguments.cases {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("the cases in {} cannot be read", file.display()))?;
        return Ok(vec![("given", citations::read_cases(&text)?)]);
    }
    let scratch = Scratch::new("eval")?;
    let mut folders: Vec<&Path> = arguments.folders.iter().map(AsRef::as_ref).collect();
    let documents = samples::write(&scratch.path)?;
    if folders.is_empty() {
        folders.push(&documents);
    }
    let half = if arguments.fitted { Half::Fitted } else { Half::Reported };
    let made = citations::make_cases(&folders, half, arguments.most, arguments.seed)
        .context("the folders cannot be read")?;
    Ok(vec![("made", made), ("by hand", citations::written_by_hand())])
}

fn text(measured: &Measured) -> String {
    let mut text = String::new();
    for (name, report) in &measured.sets {
        text.push_str(&format!("{name:<16} {}\n", line(&report.all)));
        for (name, counts) in report.languages.iter().chain(&report.kinds) {
            text.push_str(&format!("  {name:<14} {}\n", line(counts)));
        }
        let (error, seconds) = (report.calibration_error, report.seconds);
        text.push_str(&format!("  calibration error {error:.3}, {seconds:.1} s\n"));
    }
    for case in &measured.mistakes {
        let truth = if case.supported { "true, but lost" } else { "false, but let stand" };
        let (language, kind) = (case.language.code(), &case.kind);
        text.push_str(&format!("\n{truth} ({language}, {kind})\n  {}\n", case.claim));
        text.push_str(&format!("  cites: {}\n", case.cited));
    }
    text
}

fn line(counts: &Counts) -> String {
    let (lost, caught) = (counts.lost_share() * 100.0, counts.caught_share() * 100.0);
    format!(
        "{:>5} false, {caught:>5.1} % caught   {:>5} true, {lost:>5.1} % lost",
        counts.unsupported, counts.supported
    )
}
