//! `allod ask`

use allod_answer::{Outcome, Reply};

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
        let place = [citation.title.as_str(), citation.place.as_str()];
        let place: Vec<&str> = place.into_iter().filter(|part| !part.is_empty()).collect();
        text.push_str(&format!(
            "  [{}] {} ({}, bytes {}–{})\n",
            index + 1,
            place.join(", "),
            citation.path,
            citation.start,
            citation.end,
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
