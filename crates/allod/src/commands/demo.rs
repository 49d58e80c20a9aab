//! `allod demo`

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use allod_answer::{Ask, Caller, Desk, DeskOptions};
use allod_eval::{Question, Scores, judge, read_questions};
use allod_retrieval::{Clearance, IngestOptions};
use allod_server::ServeOptions;
use anyhow::Context;

use super::ingest;
use crate::Ending;
use crate::arguments::DemoArguments;
use crate::cells::{self, Confined};
use crate::folder::Place;
use crate::output::{Output, say};
use crate::progress::Bar;
use crate::samples;
use crate::scratch::Scratch;

/// The date on which the sample municipality is asked; its documents are in force or not by it.
const TODAY: jiff::civil::Date = jiff::civil::date(2026, 11, 21);

const QUESTIONS_SHOWN: [&str; 5] = [
    "Wann wird das Sperrgut abgeholt?",
    "Quand la déchetterie est-elle ouverte ?",
    "Quanto costa un ingresso singolo in piscina?",
    "Cura è averta la biblioteca?",
    "How do I register when I move to Pradaval?",
];

/// Sets up the sample municipality in a scratch folder; serves it, or answers all its questions.
pub fn run(arguments: &DemoArguments, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let scratch = Scratch::new("demo")?;
    let desk = Arc::new(set_up(&scratch.path, place, output)?);
    if arguments.once {
        let scores = answer_all(&desk)?;
        desk.rest()?;
        output.print(&scores, text)?;
        return Ok(Ending::Done);
    }
    let examples = QUESTIONS_SHOWN.map(String::from).to_vec();
    let options = ServeOptions { listen: arguments.listen, examples, ..ServeOptions::default() };
    allod_server::serve(Arc::clone(&desk), options, |address| {
        invite(&format!("http://{address}/"));
        if !arguments.no_browser {
            open_browser(&format!("http://{address}/"));
        }
    })?;
    Ok(Ending::Done)
}

fn set_up(scratch: &Path, place: &Place, output: &Output) -> anyhow::Result<Desk> {
    let documents = samples::write(scratch)?;
    let data = scratch.join("data");
    samples::furnish(&data)?;
    let Confined { reader, confinement } = cells::confine(&data, place.weaker)?;
    let options = DeskOptions { confinement, ..DeskOptions::default() };
    let desk = Desk::open(&data, &options)?;
    let bar = Bar::new();
    // Documents are known by the path as given: from inside the folder it is the short one.
    std::env::set_current_dir(&documents).context("the scratch folder cannot be entered")?;
    let options = IngestOptions { reader, ..IngestOptions::default() };
    let report = desk.library().ingest(&[".".into()], &options, &bar)?;
    bar.finish();
    if !output.json {
        say(&ingest::text(&report));
    }
    Ok(desk)
}

fn answer_all(desk: &Desk) -> anyhow::Result<Scores> {
    let questions = read_questions(&samples::questions()).context("samples/questions.jsonl")?;
    let mut scores = Scores::default();
    let started = Instant::now();
    for question in &questions {
        let reply = desk.ask(&anyone_asks(question))?;
        let mut text_of = |digest: &str| {
            desk.store().version(digest, None).ok().flatten().map(|version| version.text)
        };
        scores.count(question, judge(question, &reply, &mut text_of));
    }
    scores.seconds = (started.elapsed().as_secs_f64() * 1e3).round() / 1e3;
    Ok(scores)
}

fn anyone_asks(question: &Question) -> Ask {
    Ask {
        question: question.question.clone(),
        caller: Caller::operator(Clearance::default()),
        on: Some(TODAY),
        language: None,
    }
}

fn text(scores: &Scores) -> String {
    format!(
        "{} questions, {} of them answerable\n\
         answered correctly {}, of these with the exact words {}\n\
         refused correctly  {}\n\
         wrong              {}\n\
         refused wrongly    {}\n\
         {:.1} s",
        scores.questions,
        scores.answerable,
        scores.answered_correctly,
        scores.citation_exact,
        scores.refused_correctly,
        scores.wrong,
        scores.refused_wrongly,
        scores.seconds,
    )
}

fn invite(address: &str) {
    say(&format!("The console of the sample municipality: {address}\nTry:"));
    for question in QUESTIONS_SHOWN {
        say(&format!("  {question}"));
    }
    say("Stop with Ctrl-C; the scratch folder goes with it.");
}

/// Opens the console in the person's browser, if there is a desktop to do it.
fn open_browser(address: &str) {
    let has_desktop = cfg!(target_os = "macos")
        || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    if has_desktop {
        // Without a browser the address that is printed anyway does as well.
        let _ = std::process::Command::new(opener).arg(address).spawn();
    }
}
