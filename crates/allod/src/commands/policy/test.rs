//! `allod policy test`

use std::path::Path;

use allod_answer::{derive, read_policy};
use allod_corpus::Language;
use allod_ledger::receipt::RequestKind;
use allod_policy::{CaseKind, Cases};
use anyhow::Context;
use serde_json::json;

use crate::Ending;
use crate::folder::Place;
use crate::output::Output;

/// Decides every case of a table and shows those that are decided otherwise than expected.
pub fn run(file: &Path, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let policy = read_policy(&place.data, place.policy.as_deref())?;
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    let cases = Cases::parse(&text).with_context(|| format!("{} is no table", file.display()))?;
    let (mut failed, mut shown) = (Vec::new(), String::new());
    for case in &cases.0 {
        let facts = case.facts(&policy, |text| Language::detect(text).code().to_owned())?;
        let kind = match case.kind {
            CaseKind::Ask => RequestKind::Ask,
            CaseKind::Chat => RequestKind::Chat,
        };
        let decision = derive(&policy, kind, &facts);
        let rules: Vec<&str> = decision.rules.iter().map(|rule| rule.id.as_str()).collect();
        if let Some(differs) = case.expect.differs(decision.outcome, &rules) {
            shown += &format!("{}\n{differs}\n", case.name);
            failed.push(json!({
                "name": case.name,
                "expected": case.expect,
                "decided": {"outcome": decision.outcome.word(), "rules": rules},
            }));
        }
    }
    let value = json!({"policy": policy.digest(), "cases": cases.0.len(), "failed": failed});
    output.print(&value, |_| {
        format!("{shown}{} cases, {} decided otherwise", cases.0.len(), failed.len())
    })?;
    Ok(if failed.is_empty() { Ending::Done } else { Ending::Failed })
}
