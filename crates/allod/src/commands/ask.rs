//! `allod ask`

use allod_answer::{Citation, Outcome, Reply};
use allod_retrieval::Beside;

use super::question;
use crate::Ending;
use crate::arguments::AskArguments;
use crate::folder::Place;
use crate::output::Output;

/// Asks, prints the answer, and says by the exit code whether the policy refused.
pub fn run(arguments: &AskArguments, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let ask = question(&arguments.question, &arguments.caller)?;
    let desk = place.desk((&arguments.model).into())?;
    let reply = desk.ask(&ask)?;
    desk.rest()?;
    output.print(&reply, text)?;
    Ok(if reply.outcome == Outcome::Refused { Ending::Refused } else { Ending::Done })
}

/// The answer, its sources, and where the proof is.
pub fn text(reply: &Reply) -> String {
    let mut text = format!("{}\n", reply.answer);
    if !reply.citations.is_empty() {
        text.push('\n');
    }
    for (index, citation) in reply.citations.iter().enumerate() {
        let page = citation.page.map_or_else(String::new, |page| format!("page {page}, "));
        text.push_str(&format!(
            "  [{}] {} ({}, {page}bytes {}–{})\n",
            index + 1,
            name(citation),
            citation.path,
            citation.start,
            citation.end,
        ));
    }
    for item in &reply.beside {
        let why = match item.why {
            Beside::Referred => "the quoted passage refers to it",
            Beside::Defines => "it defines a word of the quoted passage",
        };
        let passage = &item.passage;
        let (path, start, end) = (&passage.path, passage.start, passage.end);
        text.push_str(&format!(
            "  beside: {} ({path}, bytes {start}–{end}): {why}\n",
            name(passage)
        ));
    }
    text.push_str(&format!(
        "\n  confidence {:.2} · receipt {} · leaf {}…\n",
        reply.confidence,
        reply.receipt.index,
        &reply.receipt.leaf[..16.min(reply.receipt.leaf.len())],
    ));
    text
}

/// Title and place.
fn name(citation: &Citation) -> String {
    let place = [citation.title.as_str(), citation.place.as_str()];
    let place: Vec<&str> = place.into_iter().filter(|part| !part.is_empty()).collect();
    place.join(", ")
}
