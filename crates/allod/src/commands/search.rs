//! `allod search`

use allod_retrieval::{Evidence, EvidenceSet};
use serde_json::{Value, json};

use super::{query, question};
use crate::Ending;
use crate::arguments::SearchArguments;
use crate::folder::Place;
use crate::output::Output;

/// Prints the passages that bear on a query. Nothing is answered, so nothing is recorded.
pub fn run(arguments: &SearchArguments, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let ask = question(&arguments.query, &arguments.caller)?;
    let found = place.library()?.search(&query(&ask, arguments.limit))?;
    let passages: Vec<Value> = found.evidence.iter().map(passage).collect();
    let value = json!({"confidence": found.confidence, "passages": passages});
    output.print(&value, |_| text(&found))?;
    Ok(Ending::Done)
}

fn passage(evidence: &Evidence) -> Value {
    json!({
        "path": evidence.path,
        "title": evidence.title,
        "place": evidence.place,
        "digest": evidence.digest.to_string(),
        "start": evidence.range.start,
        "end": evidence.range.end,
        "score": evidence.score,
        "text": evidence.text,
    })
}

fn text(found: &EvidenceSet) -> String {
    let mut text = String::new();
    for item in &found.evidence {
        text.push_str(&format!(
            "{:.2}  {} {}  ({})\n{}\n\n",
            item.score, item.title, item.place, item.path, item.text
        ));
    }
    text.push_str(&format!(
        "{} passages; confidence that they answer it: {:.2}\n",
        found.evidence.len(),
        found.confidence
    ));
    text
}
