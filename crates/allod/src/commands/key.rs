//! `allod key`

use allod_server::ALL_TENANTS;
use allod_store::KeyRow;
use serde_json::{Value, json};

use crate::Ending;
use crate::arguments::KeyCommand;
use crate::folder::Place;
use crate::output::{Output, say};

/// Makes, lists and ends API keys.
pub fn run(command: &KeyCommand, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let store = allod_answer::open_store(&place.data)?;
    match command {
        KeyCommand::Create { name, tenant, labels, role } => {
            anyhow::ensure!(
                tenant != ALL_TENANTS || role == "auditor",
                "--tenant {ALL_TENANTS} is all tenants, and goes only with --role auditor"
            );
            let (row, secret) = store.create_key(name, tenant, labels, role)?;
            let mut value = key(&row);
            value["secret"] = json!(secret);
            if !output.json {
                say("This key is shown once and stored only as a hash:");
            }
            output.print(&value, |_| secret.clone())?;
        }
        KeyCommand::List => {
            let rows = store.list_keys()?;
            let values: Vec<Value> = rows.iter().map(key).collect();
            output.print(&values, |_| rows.iter().map(line).collect())?;
        }
        KeyCommand::Revoke { id } => {
            anyhow::ensure!(store.revoke_key(id)?, "there is no key {id} that is still valid");
            output.print(&json!({"revoked": id}), |_| format!("revoked {id}"))?;
        }
    }
    Ok(Ending::Done)
}

fn key(row: &KeyRow) -> Value {
    json!({
        "id": row.id,
        "name": row.name,
        "tenant": row.tenant,
        "labels": row.labels,
        "role": row.role,
        "created_at": row.created_at,
        "revoked_at": row.revoked_at,
    })
}

fn line(row: &KeyRow) -> String {
    let state = row.revoked_at.as_ref().map_or("valid".into(), |at| format!("revoked {at}"));
    let labels = if row.labels.is_empty() { "public".into() } else { row.labels.join(",") };
    format!("{}  {}  {}  {}  {labels}  {state}\n", row.id, row.name, row.tenant, row.role)
}
