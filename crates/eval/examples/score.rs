//! Scores an instance on questions: `score QUESTIONS.jsonl [ROOT] [DATE]`. Ingests `ROOT` (else
//! the sample municipality) into a scratch folder, asks every question on `DATE` (else today) as a
//! caller without clearance, prints the misses with their confidence, then the counts.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use allod_answer::{Ask, Caller, Desk, DeskOptions};
use allod_eval::{Question, Scores, Verdict, judge, read_questions};
use allod_retrieval::{Clearance, IngestOptions, Silent};
use jiff::civil::Date;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("usage: score QUESTIONS.jsonl [ROOT] [DATE]")?;
    let root = arguments.next().map_or_else(sample_documents, PathBuf::from);
    let on = arguments.next().map_or_else(|| Ok(jiff::Zoned::now().date()), |day| day.parse())?;
    let folder = tempfile::tempdir()?;
    let desk = Desk::open(folder.path(), &DeskOptions::default())?;
    desk.library().ingest(&[root], &IngestOptions::default(), &Silent)?;
    let mut scores = Scores::default();
    for question in read_questions(&std::fs::read_to_string(file)?)? {
        score(&desk, &question, on, &mut scores)?;
    }
    let unanswerable = scores.questions - scores.answerable;
    println!("{}", share("answered rightly", scores.answered_correctly, scores.answerable));
    println!("{}", share("quoted the gold words", scores.citation_exact, scores.answerable));
    println!("{}", share("refused rightly", scores.refused_correctly, unanswerable));
    println!("wrong {}, refused wrongly {}", scores.wrong, scores.refused_wrongly);
    println!("{:.1} ms a question", scores.seconds * 1000.0 / scores.questions.max(1) as f64);
    Ok(())
}

fn sample_documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/documents")
}

fn score(
    desk: &Desk,
    question: &Question,
    on: Date,
    scores: &mut Scores,
) -> Result<(), Box<dyn Error>> {
    let ask = Ask {
        question: question.question.clone(),
        caller: Caller::operator(Clearance::default()),
        on: Some(on),
        language: None,
    };
    let begin = Instant::now();
    let reply = desk.ask(&ask)?;
    scores.seconds += begin.elapsed().as_secs_f64();
    let (verdict, exact) = judge(question, &reply, &mut |digest| {
        desk.store().version(digest, None).ok().flatten().map(|version| version.text)
    });
    if matches!(verdict, Verdict::Wrong | Verdict::RefusedWrongly) {
        println!("{verdict:?} {:.3} {} {}", reply.confidence, question.id, question.question);
        for citation in &reply.citations {
            println!("    {} {}: {}", citation.path, citation.place, citation.quote);
        }
    }
    scores.count(question, (verdict, exact));
    Ok(())
}

fn share(what: &str, part: usize, whole: usize) -> String {
    let percent = part as f64 * 100.0 / whole.max(1) as f64;
    format!("{what} {part} of {whole} ({percent:.1} %)")
}
