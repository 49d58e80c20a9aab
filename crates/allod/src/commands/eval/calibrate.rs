//! `allod eval calibrate`

use std::path::PathBuf;

use allod_answer::{CALIBRATION_FILE, Calibrated, Calibration, Desk, DeskOptions, ModelChoice};
use allod_corpus::Digest;
use allod_eval::{
    About, Examination, Labelled, Promise, Ranking, Trials, calibrate, label_questions, promise,
    read_questions,
};
use anyhow::Context;
use serde::Serialize;

use super::{percent, read, squad};
use crate::Ending;
use crate::eval_arguments::EvalCalibrateArguments;
use crate::folder::Place;
use crate::output::Output;
use crate::scratch::Scratch;

/// What was fitted.
#[derive(Serialize)]
struct Report {
    questions: usize,
    right: usize,
    target: f64,
    /// The least score that keeps to the target; nothing is answered where there is none.
    least_score: Option<f64>,
    /// Share of the calibration's own questions that reach it.
    coverage: f64,
    /// Share of these that are wrong.
    error_rate: f64,
    out: Option<PathBuf>,
    digest: String,
    #[serde(flatten)]
    trials: Trials,
}

/// Labels the questions, fits, writes the file and says what it promises.
pub fn run(
    arguments: &EvalCalibrateArguments,
    place: &Place,
    output: &Output,
) -> anyhow::Result<Ending> {
    let (labelled, about) = labelled(arguments, place)?;
    let current = Calibrated::built_in();
    let calibration = calibrate(&labelled, &about, current.calibration());
    let trials = match arguments.splits {
        0 => Trials::default(),
        splits => promise(&labelled, &arguments.target, splits, current.calibration()),
    };
    let text = calibration.to_text();
    let out = arguments.out.clone().unwrap_or_else(|| place.data.join(CALIBRATION_FILE));
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&out, &text).with_context(|| format!("{} cannot be written", out.display()))?;
    let target = arguments.target.first().copied().unwrap_or_default();
    let report = report(&calibration, &labelled, target);
    let digest = Digest::of(text.as_bytes()).to_string();
    output.print(&Report { out: Some(out), digest, trials, ..report }, told)?;
    Ok(Ending::Done)
}

fn labelled(
    arguments: &EvalCalibrateArguments,
    place: &Place,
) -> anyhow::Result<(Vec<Labelled>, About)> {
    let file = arguments.squad.as_ref().or(arguments.questions.as_ref());
    let file = file.context("name the questions with --squad or --questions")?;
    let digest = Digest::of(read(file)?.as_bytes()).to_string();
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    let about = About { name: name.unwrap_or_default(), digest };
    if arguments.questions.is_some() {
        let questions = read_questions(&read(file)?).context("the questions")?;
        let model = ModelChoice { none: true, ..ModelChoice::default() };
        let desk = place.desk(model)?;
        return Ok((label_questions(&desk, &questions, arguments.on)?, about));
    }
    let squad = squad(file, &arguments.articles)?;
    let scratch = Scratch::new("calibrate")?;
    let (data, documents) = (scratch.path.join("data"), scratch.path.join("documents"));
    std::fs::create_dir_all(&documents)?;
    let desk = Desk::open(&data, &DeskOptions::default())?;
    Ok((Examination::new(&desk, &squad, &documents)?.label(&mut || ())?, about))
}

fn report(calibration: &Calibration, labelled: &[Labelled], target: f64) -> Report {
    let least_score = calibration.least_score(target);
    let step = least_score.and_then(|least| calibration.steps.iter().rfind(|s| s.score >= least));
    let (answered, wrong) = step.map_or((0, 0), |step| (step.answered, step.wrong));
    Report {
        questions: labelled.len(),
        right: labelled.iter().filter(|one| one.right).count(),
        target,
        least_score,
        coverage: answered as f64 / labelled.len().max(1) as f64,
        error_rate: wrong as f64 / answered.max(1) as f64,
        out: None,
        digest: String::new(),
        trials: Trials::default(),
    }
}

fn told(report: &Report) -> String {
    let mut lines = vec![format!(
        "{} questions, {} of them answered rightly by the best quote",
        report.questions, report.right
    )];
    lines.push(match report.least_score {
        Some(least) => format!(
            "at most {} wrong: {} answered, {} of these wrong (score {least:.3} and above)",
            percent(report.target),
            percent(report.coverage),
            percent(report.error_rate),
        ),
        None => format!(
            "at most {} wrong: not provable on these questions; nothing would be answered",
            percent(report.target)
        ),
    });
    let trials = &report.trials;
    lines.extend(trials.promises.iter().map(tried));
    if !trials.promises.is_empty() {
        lines.push(ranked("ranked by the calibration", &trials.ranking));
        lines.push(ranked("ranked by the plain confidence", &trials.plain_ranking));
    }
    if let Some(out) = &report.out {
        lines.push(format!("{} ({})", out.display(), report.digest));
    }
    lines.join("\n")
}

fn tried(tried: &Promise) -> String {
    format!(
        "at most {} wrong, tried on {} divisions by article: {} answered, {} of these wrong (at \
         most {}), broken by more than two points in {}; a plain threshold answers {}, {} of these \
         wrong",
        percent(tried.max_error),
        tried.splits.len(),
        percent(tried.coverage),
        percent(tried.error_rate),
        percent(tried.error_rate_most),
        tried.broken,
        percent(tried.plain_coverage),
        percent(tried.plain_error_rate),
    )
}

fn ranked(how: &str, ranking: &Ranking) -> String {
    let best = |best: &allod_eval::Best| {
        format!("{} of the best {}", percent(best.right), percent(best.share))
    };
    let best: Vec<String> = ranking.best.iter().map(best).collect();
    format!(
        "{how}: right are {} (area under risk and coverage {:.3})",
        best.join(", "),
        ranking.risk_coverage_area
    )
}
