//! `allod eval privacy`

use allod_eval::privacy::{Half, PrivacyCounts, PrivacyScores, generate, read_privacy_set};
use allod_privacy::{Example, scan};
use anyhow::Context;
use serde_json::{Map, Value, json};
use std::time::Instant;

use super::read;
use crate::Ending;
use crate::eval_arguments::EvalPrivacyArguments;
use crate::output::Output;

/// Scans a set and prints the scores.
pub fn run(arguments: &EvalPrivacyArguments, output: &Output) -> anyhow::Result<Ending> {
    let (name, examples) = examples(arguments)?;
    anyhow::ensure!(!examples.is_empty(), "{name}: holds no texts");
    let bytes: usize = examples.iter().map(|example| example.text.len()).sum();
    let started = Instant::now();
    for example in &examples {
        std::hint::black_box(scan(&example.text));
    }
    let speed = bytes as f64 / 1e6 / started.elapsed().as_secs_f64();
    let scores = PrivacyScores::of(&examples, scan);
    let value = value(&name, examples.len(), speed, &scores);
    output.print(&value, |_| table(&name, examples.len(), speed, &scores))?;
    Ok(Ending::Done)
}

fn examples(arguments: &EvalPrivacyArguments) -> anyhow::Result<(String, Vec<Example>)> {
    let Some(file) = arguments.presidio.as_ref().or(arguments.set.as_ref()) else {
        let made = generate(Half::Second, arguments.times, arguments.seed);
        return Ok(("five languages".into(), made));
    };
    let set = read_privacy_set(&read(file)?).with_context(|| file.display().to_string())?;
    let in_part =
        |template: usize| arguments.part.is_none_or(|part| template % part.of == part.number - 1);
    let kept = set.into_iter().filter(|one| in_part(one.template)).map(|one| one.example);
    Ok((file.display().to_string(), kept.collect()))
}

fn value(name: &str, texts: usize, speed: f64, scores: &PrivacyScores) -> Value {
    let kinds: Map<String, Value> =
        scores.kinds.iter().map(|(kind, counts)| (kind.word().into(), of(counts))).collect();
    json!({
        "set": name,
        "texts": texts,
        "overall": of(&scores.overall()),
        "f1": rounded(scores.overall().f1()),
        "precision": rounded(scores.overall().precision()),
        "recall": rounded(scores.overall().recall()),
        "checksum_identifiers": of(&scores.checked()),
        "exact": of(&scores.exact),
        "bytes": of(&scores.bytes),
        "kinds": kinds,
        "mb_per_second": (speed * 100.0).round() / 100.0,
    })
}

fn rounded(share: f64) -> f64 {
    (share * 1e4).round() / 1e4
}

fn of(counts: &PrivacyCounts) -> Value {
    json!({
        "f1": rounded(counts.f1()),
        "precision": rounded(counts.precision()),
        "recall": rounded(counts.recall()),
        "right": counts.right,
        "wrong": counts.wrong,
        "missed": counts.missed,
    })
}

fn table(name: &str, texts: usize, speed: f64, scores: &PrivacyScores) -> String {
    let row = |name: &str, counts: &PrivacyCounts| {
        format!(
            "{name:<20}  {:.3}  {:.3}  {:.3}  {:>6}  {:>6}  {:>6}\n",
            counts.f1(),
            counts.precision(),
            counts.recall(),
            counts.right,
            counts.wrong,
            counts.missed
        )
    };
    let head = format!(
        "{name}: {texts} texts, {speed:.2} MB/s\n{:<20}  F1     prec.  recall  right   wrong  \
         missed\n",
        "kind"
    );
    let kinds: String =
        scores.kinds.iter().map(|(kind, counts)| row(kind.word(), counts)).collect();
    let sums = row("all", &scores.overall())
        + &row("with a checksum", &scores.checked())
        + &row("to the letter", &scores.exact)
        + &row("bytes, any kind", &scores.bytes);
    head + &kinds + &sums
}
