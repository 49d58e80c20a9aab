//! `allod eval qa`

use std::path::Path;

use allod_answer::{Desk, DeskOptions};
use allod_eval::{Examination, QaReport};

use super::{percent, squad};
use crate::Ending;
use crate::eval_arguments::EvalQaArguments;
use crate::folder::Place;
use crate::output::Output;
use crate::scratch::Scratch;

/// Lets a fresh desk read the articles, asks it all questions, prints what its answers are worth.
pub fn run(arguments: &EvalQaArguments, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let squad = squad(&arguments.squad, &arguments.articles)?;
    let scratch = Scratch::new("eval")?;
    let (data, documents) = (scratch.path.join("data"), scratch.path.join("documents"));
    std::fs::create_dir_all(&documents)?;
    let policy = policy(arguments, place, &scratch.path)?;
    let calibration = arguments.calibration.clone();
    let desk = Desk::open(&data, &DeskOptions { policy, calibration, ..DeskOptions::default() })?;
    let report = Examination::new(&desk, &squad, &documents)?.report()?;
    output.print(&report, text)?;
    Ok(Ending::Done)
}

/// The policy to answer under: the one named, unless the arguments say what to keep to.
fn policy(
    arguments: &EvalQaArguments,
    place: &Place,
    scratch: &Path,
) -> anyhow::Result<Option<std::path::PathBuf>> {
    let text = match (arguments.max_error, arguments.answer_all) {
        (Some(rate), _) => format!("name: eval\nanswers:\n  max_error: {rate}\n"),
        (None, true) => "name: eval\nretrieval:\n  minimum_confidence: 0\n".to_owned(),
        (None, false) => return Ok(place.policy.clone()),
    };
    let file = scratch.join("eval.yaml");
    std::fs::write(&file, text)?;
    Ok(Some(file))
}

fn text(report: &QaReport) -> String {
    let wrong = report.answered - report.right;
    let mut lines = vec![
        format!("{} questions, {} of them answerable", report.questions, report.answerable),
        format!("answered {} ({})", report.answered, percent(report.coverage)),
        format!("wrong {wrong} ({} of those answered)", percent(report.error_rate)),
    ];
    let shares = [
        ("exact", report.exact),
        ("F1", report.f1),
        ("exact, where answered and answerable", report.exact_answered),
        ("F1, where answered and answerable", report.f1_answered),
        ("citations with a gold answer", report.citation_precision),
        ("answerable questions with such a citation", report.citation_recall),
        ("citations in the gold paragraph", report.paragraph_precision),
        ("refused of the answerable", report.refused_answerable),
        ("refused of the unanswerable", report.refused_unanswerable),
        ("calibration error", report.calibration_error),
    ];
    lines.extend(shares.map(|(what, share)| format!("{what}: {}", percent(share))));
    lines.push(format!("{:.1} questions/s", report.questions_per_second));
    lines.join("\n")
}
