//! `allod export subject`

use allod_answer::SubjectExport;
use anyhow::ensure;

use crate::Ending;
use crate::arguments::ExportSubjectArguments;
use crate::folder::Place;
use crate::output::Output;

/// Gives out what is kept of a subject.
pub fn run(
    arguments: &ExportSubjectArguments,
    place: &Place,
    output: &Output,
) -> anyhow::Result<Ending> {
    let desk = place.desk_without_model()?;
    let (tenant, name) = (&arguments.tenant, &arguments.subject);
    let mut exports = Vec::new();
    for subject in desk.subjects_named(tenant, name)? {
        exports.push(desk.export_subject(tenant, &subject)?);
    }
    exports.retain(|export| {
        !(export.payloads.is_empty() && export.reviews.is_empty() && export.receipts.is_empty())
    });
    ensure!(
        !exports.is_empty(),
        "nothing is kept of `{name}` of the tenant `{tenant}`; --tenant names another tenant"
    );
    output.print(&exports, |exports| exports.iter().map(readable).collect())?;
    Ok(Ending::Done)
}

/// The same for a person to read.
fn readable(export: &SubjectExport) -> String {
    let mut text = format!(
        "What is kept of `{}` (tenant `{}`)\n\n{} receipts, {} prompts and answers, {} reviews\n",
        export.subject,
        export.tenant,
        export.receipts.len(),
        export.payloads.len(),
        export.reviews.len()
    );
    for row in &export.payloads {
        text += &format!("\n{}  {}\n{}\n", row.created_at, row.kind, row.content);
    }
    for review in &export.reviews {
        text += &format!(
            "\n{}  review {}: {}\n{}\n",
            review.created_at,
            review.id,
            review.reasons.join("; "),
            review.request_json
        );
        if let Some(end) = &review.resolution {
            text += &format!("decided by {} on {}: {}\n", end.by, end.at, end.note);
        }
    }
    text += "\nReceipts (they hold no words)\n";
    for (index, receipt) in &export.receipts {
        let (kind, outcome) = (word(&receipt.request.kind), word(&receipt.outcome));
        text += &format!("{index:>6}  {}  {kind}  {outcome}\n", receipt.time);
    }
    text
}

fn word(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
