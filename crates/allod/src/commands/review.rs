//! `allod review`

use allod_store::{Resolution, ReviewRow, ReviewState, Verdict};
use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::Ending;
use crate::arguments::ReviewCommand;
use crate::folder::Place;
use crate::output::Output;

/// Lists, shows and decides what waits for a person.
pub fn run(command: &ReviewCommand, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let store = allod_answer::open_store(&place.data)?;
    match command {
        ReviewCommand::List { all } => {
            let rows = store.reviews((!all).then_some(ReviewState::Open))?;
            let values: Vec<Value> = rows.iter().map(value).collect();
            output.print(&values, |_| match rows.is_empty() {
                true => "nothing waits".into(),
                false => rows.iter().map(line).collect(),
            })?;
        }
        ReviewCommand::Show { id } => {
            let row = store.review(id)?.with_context(|| format!("there is no entry {id}"))?;
            output.print(&value(&row), |_| entry(&row))?;
        }
        ReviewCommand::Resolve { id, verdict, by, note, answer } => {
            let answer = answer.as_deref().map(str::trim).filter(|answer| !answer.is_empty());
            let verdict = read_verdict(verdict, answer.is_some())?;
            anyhow::ensure!(
                verdict != Verdict::Approve || store.review(id)?.is_none_or(|row| has_draft(&row)),
                "review {id} has no draft to approve; amend it with --answer TEXT, or reject it"
            );
            anyhow::ensure!(
                verdict != Verdict::Reject || !note.trim().is_empty(),
                "--verdict reject needs the reason, which is recorded: --note TEXT"
            );
            let at = jiff::Timestamp::now().to_string();
            let (by, note, answer) = (by.clone(), note.clone(), answer.map(Into::into));
            let (seconded_by, receipt_index, log_size) = (None, None, 0);
            let resolution =
                Resolution { verdict, by, note, answer, at, seconded_by, receipt_index, log_size };
            let reviewers = place.read_policy()?.logging.reviewers;
            let row = store.resolve_review(id, &resolution, reviewers)?;
            output.print(&value(&row), |_| line(&row))?;
        }
    }
    Ok(Ending::Done)
}

fn read_verdict(name: &str, has_answer: bool) -> anyhow::Result<Verdict> {
    let verdict = match name {
        "approve" => Verdict::Approve,
        "amend" => Verdict::Amend,
        "reject" => Verdict::Reject,
        other => bail!("--verdict {other}: use one of approve, amend, reject"),
    };
    match (verdict == Verdict::Amend, has_answer) {
        (true, false) => bail!("--verdict amend needs the answer to give: --answer TEXT"),
        (false, true) => bail!("--answer goes with --verdict amend only"),
        _ => Ok(verdict),
    }
}

fn has_draft(row: &ReviewRow) -> bool {
    draft(row)["answer"].as_str().is_some_and(|answer| !answer.is_empty())
}

fn draft(row: &ReviewRow) -> Value {
    row.draft_json.as_deref().and_then(|d| serde_json::from_str(d).ok()).unwrap_or_default()
}

fn value(row: &ReviewRow) -> Value {
    let parsed = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    json!({
        "id": row.id,
        "created_at": row.created_at,
        "kind": row.kind,
        "tenant": row.tenant,
        "reasons": row.reasons,
        "receipt": row.receipt_index,
        "request": parsed(&row.request_json),
        "draft": row.draft_json.as_deref().map(parsed),
        "state": row.state,
        "resolution": row.resolution,
    })
}

fn question(row: &ReviewRow) -> String {
    let request: Value = serde_json::from_str(&row.request_json).unwrap_or(Value::Null);
    let asked = request["question"].as_str().map(|text| text.replace(['\n', '\r'], " "));
    asked.unwrap_or_else(|| request["messages"].to_string())
}

fn line(row: &ReviewRow) -> String {
    let state = match row.state {
        ReviewState::Open => "open",
        ReviewState::Resolved => "resolved",
    };
    format!("{}  {}  {state}  {}\n", row.id, row.created_at, question(row))
}

fn entry(row: &ReviewRow) -> String {
    let mut text = line(row);
    text.push_str(&format!("why: {}\n", row.reasons.join("; ")));
    if let Some(index) = row.receipt_index {
        text.push_str(&format!("receipt: {index}\n"));
    }
    let draft = draft(row);
    if let Some(answer) = draft["answer"].as_str() {
        text.push_str(&format!("\ndraft:\n{answer}\n"));
    }
    for citation in draft["citations"].as_array().into_iter().flatten() {
        text.push_str(&format!("  {} {}\n", citation["path"], citation["place"]));
    }
    if let Some(said) = &row.resolution {
        let second = said.seconded_by.as_ref().map(|by| format!(" and {by}")).unwrap_or_default();
        let waits = match row.state {
            ReviewState::Open => " (waits for a second person)",
            ReviewState::Resolved => "",
        };
        let (verdict, by, note) = (said.verdict, &said.by, &said.note);
        text.push_str(&format!("\n{verdict:?} by {by}{second}{waits}: {note}\n"));
    }
    text
}
