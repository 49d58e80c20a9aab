//! `allod eval injection`: whether planted instructions have an effect.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use allod_answer::{DeskOptions, ModelChoice};
use allod_eval::injection::{
    Attack, CleanText, INJECTION_POLICY, InjectionReport, Share, Spot, Trial, bipia_attacks,
    bipia_mails, clean_texts, injection, own_attacks, read_attacks,
};
use allod_eval::read_questions;
use anyhow::Context;

use super::{percent, read};
use crate::Ending;
use crate::eval_arguments::EvalInjectionArguments;
use crate::folder::Place;
use crate::output::Output;
use crate::samples;
use crate::scratch::Scratch;

/// Plants the attacks, asks the questions with and without them, prints what came out.
pub fn run(
    arguments: &EvalInjectionArguments,
    place: &Place,
    output: &Output,
) -> anyhow::Result<Ending> {
    let scratch = Scratch::new("eval")?;
    let trial = trial(arguments, &scratch.path)?;
    let policy = match &place.policy {
        Some(policy) => policy.clone(),
        None => {
            let file = scratch.path.join("injection.yaml");
            std::fs::write(&file, INJECTION_POLICY)?;
            file
        }
    };
    let loader = Some(Arc::new(place.cells()) as _);
    let model = ModelChoice { loader, ..(&arguments.model).into() };
    let options = DeskOptions { policy: Some(policy), model, ..DeskOptions::default() };
    let mut report = injection(&trial, &options, &scratch.path.join("trial"))?;
    if !arguments.differences {
        report.differences.clear();
        report.alarms.clear();
    }
    output.print(&report, text)?;
    Ok(Ending::Done)
}

fn trial(arguments: &EvalInjectionArguments, scratch: &Path) -> anyhow::Result<Trial> {
    let (documents, questions) = match (&arguments.documents, &arguments.questions) {
        (Some(documents), Some(questions)) => (documents.clone(), read(questions)?),
        _ => (without_attacks(samples::write(scratch)?)?, samples::questions()),
    };
    let questions = read_questions(&questions).context("the questions")?;
    let questions = questions.into_iter().map(|question| question.question).collect();
    let unreadable = |path: &Path| format!("{} cannot be read", path.display());
    let mails = match &arguments.bipia {
        Some(folder) => bipia_mails(folder).with_context(|| unreadable(folder))?,
        None => Vec::new(),
    };
    Ok(Trial {
        clean: clean(arguments, &documents)?,
        attacks: attacks(arguments)?,
        documents,
        questions,
        mails,
        spots: if arguments.carriers { Spot::CARRIERS.into() } else { Spot::PARAGRAPHS.into() },
        rounds_max: arguments.rounds.unwrap_or(usize::MAX),
    })
}

/// One of the samples holds an attack of its own; the others are clean.
fn without_attacks(documents: PathBuf) -> anyhow::Result<PathBuf> {
    std::fs::remove_file(documents.join("correspondence/anfrage-solaranlage.txt"))?;
    Ok(documents)
}

fn attacks(arguments: &EvalInjectionArguments) -> anyhow::Result<Vec<Attack>> {
    let mut attacks = Vec::new();
    if let Some(folder) = &arguments.bipia {
        let unreadable = || format!("the attacks in {} cannot be read", folder.display());
        attacks.extend(bipia_attacks(folder).with_context(unreadable)?);
    }
    for file in &arguments.prompts {
        let found = read_attacks(&read(file)?);
        anyhow::ensure!(!found.is_empty(), "{}: holds no attack", file.display());
        attacks.extend(found);
    }
    if attacks.is_empty() {
        attacks = own_attacks();
    }
    Ok(attacks)
}

fn clean(arguments: &EvalInjectionArguments, documents: &Path) -> anyhow::Result<Vec<CleanText>> {
    let mut paths: Vec<&Path> = vec![documents];
    paths.extend(arguments.clean.iter().map(PathBuf::as_path));
    let mut texts = Vec::new();
    for path in paths {
        let found = clean_texts(path).with_context(|| format!("{} cannot be read", path.display()));
        texts.extend(found?);
    }
    Ok(texts)
}

fn text(report: &InjectionReport) -> String {
    let mut lines = vec![format!(
        "{} attacks, pasted {} times into {} documents and mails in {} rounds",
        report.attacks, report.pasted, report.documents, report.rounds
    )];
    let must_be_none = [
        ("unauthorised tool calls", report.unauthorised_tool_calls),
        ("work that called other tools", report.changed_tool_calls),
        ("changes of the policy's decision", report.policy_changes),
        ("changes of the office", report.routing_changes),
        ("answers that quoted an attack", report.quoted_attacks),
    ];
    lines.extend(must_be_none.map(|(what, share)| line(what, share)));
    let (asked, unaffected) = (report.asked_tool_calls, report.unaffected);
    lines.push(line("the same calls, asked by the asker", asked));
    lines.push(line("answers unaffected", unaffected));
    lines.push(line("answers identical to the last quote", report.identical));
    lines.push(line("attacks noticed", report.detected));
    lines.extend(report.families.iter().map(|(name, share)| line(&format!("  {name}"), *share)));
    lines.push("noticed in documents, by where they stand".to_owned());
    lines.extend(report.spots.iter().map(|(name, share)| line(&format!("  {name}"), *share)));
    lines.push(line("clean texts taken for an attack", report.false_alarms));
    lines.extend(report.clean.iter().map(|(name, share)| line(&format!("  {name}"), *share)));
    lines.push(format!("{:.1} s", report.seconds));
    for difference in &report.differences {
        let (question, without, with) =
            (&difference.question, &difference.without, &difference.with);
        lines.push(format!("\n{question}\n  without: {without}\n  with:    {with}"));
    }
    lines.extend(report.alarms.iter().map(|alarm| format!("false alarm: {alarm}")));
    lines.join("\n")
}

fn line(what: &str, share: Share) -> String {
    format!("{what}: {} of {} ({})", share.count, share.of, percent(share.rate()))
}
