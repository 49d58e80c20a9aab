//! `allod work`

use allod_answer::{Outcome, Work, WorkOffered, WorkReply};
use serde::Serialize;

use super::{ask, clearance, language};
use crate::Ending;
use crate::arguments::{WorkArguments, WorkCommand};
use crate::folder::Place;
use crate::output::Output;

/// What can be done.
#[derive(Serialize)]
struct Listed {
    work: Vec<WorkOffered>,
    templates: Vec<String>,
}

/// Shows what can be done, or does it.
pub fn run(command: &WorkCommand, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    match command {
        WorkCommand::List => list(place, output),
        WorkCommand::Run(arguments) => work(arguments, place, output),
    }
}

fn list(place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let none = allod_answer::ModelChoice { none: true, ..Default::default() };
    let desk = place.desk(none)?;
    let tenant = allod_answer::Caller::operator(clearance(&[])).tenant;
    let listed = Listed { work: desk.work_offered(&tenant), templates: desk.templates() };
    output.print(&listed, list_text)?;
    Ok(Ending::Done)
}

fn list_text(listed: &Listed) -> String {
    let mut text = String::new();
    for work in &listed.work {
        let tools: Vec<&str> = work.tools.iter().map(|tool| tool.word()).collect();
        let tools = if tools.is_empty() { "no tool is granted".into() } else { tools.join(", ") };
        let person = if work.ends_with_a_person { "   ends with a person" } else { "" };
        text.push_str(&format!("{:<10} {tools}{person}\n", work.name.word()));
    }
    match listed.templates.is_empty() {
        true => text.push_str("no templates (JSON files in `templates` of the data folder)\n"),
        false => text.push_str(&format!("templates: {}\n", listed.templates.join(", "))),
    }
    text
}

fn work(arguments: &WorkArguments, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let work = Work {
        name: arguments.name,
        request: arguments.request.clone(),
        document: arguments.document.clone(),
        template: arguments.template.clone(),
        fields: arguments.fields.iter().cloned().collect(),
        caller: allod_answer::Caller::operator(clearance(&arguments.caller.labels)),
        on: arguments.caller.on,
        language: language(&arguments.caller)?,
    };
    let desk = place.desk((&arguments.model).into())?;
    let reply = desk.work(&work)?;
    desk.rest()?;
    output.print(&reply, text)?;
    Ok(if reply.reply.outcome == Outcome::Refused { Ending::Refused } else { Ending::Done })
}

fn text(reply: &WorkReply) -> String {
    let mut text = ask::text(&reply.reply);
    for (step, call) in reply.calls.iter().enumerate() {
        let outcome = format!("{:?}", call.outcome).to_lowercase();
        text.push_str(&format!("  call {}: {} {outcome}", step + 1, call.tool.word()));
        let why = call.result.as_ref().and_then(serde_json::Value::as_str);
        text.push_str(&why.map_or_else(|| "\n".to_owned(), |why| format!(": {why}\n")));
    }
    if !reply.missing.is_empty() {
        text.push_str(&format!("  missing: {}\n", reply.missing.join(", ")));
    }
    for wrong in &reply.wrong {
        text.push_str(&format!("  wrong: {wrong}\n"));
    }
    text
}
