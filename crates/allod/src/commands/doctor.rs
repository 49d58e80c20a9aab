//! `allod doctor`

use std::path::Path;

use allod_answer::read_policy;
use allod_lm::Isa;
use allod_sandbox::Report;
use allod_store::DATABASE_FILE;
use serde_json::{Value, json};

use crate::Ending;
use crate::cells;
use crate::engine_cells;
use crate::folder::{Place, left_in_plain};
use crate::output::Output;

/// Says what this machine can do and what of the installation is not as it should be.
pub fn run(place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let (sandbox, sandbox_holds) = sandbox(cells::test(&place.data));
    let tested = engine_cells::test(&place.data, cells::Weaker::Allowed);
    let (engine_cell, engine_cell_holds) = self::sandbox(tested);
    let (policy, policy_is_valid) = policy(place);
    let found = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "machine": machine(),
        "data": data(&place.data),
        "policy": policy,
        "operator_key": operator_key(&place.data),
        "models": models(place),
        "sandbox": sandbox,
        "engine_cell": engine_cell,
    });
    output.print(&found, text)?;
    Ok(if sandbox_holds && engine_cell_holds && policy_is_valid {
        Ending::Done
    } else {
        Ending::Failed
    })
}

fn machine() -> Value {
    let sets: Vec<&str> = Isa::available().into_iter().map(Isa::name).collect();
    json!({
        "system": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
        "kernel": first_line("/proc/sys/kernel/osrelease"),
        "processor": field("/proc/cpuinfo", "model name"),
        "threads": std::thread::available_parallelism().map_or(1, usize::from),
        "instruction_set": Isa::detect().name(),
        "instruction_sets": sets,
        "memory_mib": mebibytes("MemTotal"),
        "memory_available_mib": mebibytes("MemAvailable"),
    })
}

fn first_line(file: &str) -> Option<String> {
    Some(std::fs::read_to_string(file).ok()?.lines().next()?.to_owned())
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let (_, value) = text.lines().find(|line| line.starts_with(name))?.split_once(':')?;
    Some(value.trim().to_owned())
}

fn mebibytes(name: &str) -> Option<u64> {
    let kibibytes = field("/proc/meminfo", name)?;
    Some(kibibytes.split_whitespace().next()?.parse::<u64>().ok()? >> 10)
}

fn data(folder: &Path) -> Value {
    let exists = folder.is_dir();
    let read_only = folder.metadata().is_ok_and(|about| about.permissions().readonly());
    json!({"folder": folder, "exists": exists, "read_only": read_only})
}

fn policy(place: &Place) -> (Value, bool) {
    match read_policy(&place.data, place.policy.as_deref()) {
        Ok(policy) => {
            (json!({"valid": true, "name": policy.name, "digest": policy.digest()}), true)
        }
        Err(error) => (json!({"valid": false, "mistakes": error.to_string()}), false),
    }
}

fn models(place: &Place) -> Value {
    match place.models().list() {
        Ok(models) => models.iter().map(|model| json!(model.name.to_string())).collect(),
        Err(error) => json!({"error": error.to_string()}),
    }
}

/// Whether the operator's key can be had, and whether it lies where it should not any more.
fn operator_key(folder: &Path) -> Value {
    if !folder.join(DATABASE_FILE).exists() {
        return json!({"available": Value::Null, "left_in_plain": Value::Null});
    }
    match allod_answer::open_store(folder) {
        Ok(store) => {
            let left = store.plain_key_left();
            let advice = left.as_deref().map(left_in_plain);
            json!({"available": true, "left_in_plain": left, "advice": advice})
        }
        Err(error) => json!({"available": false, "error": error.to_string()}),
    }
}

/// What a self-test found, and whether all held.
fn sandbox(tested: allod_sandbox::Result<Report>) -> (Value, bool) {
    match tested {
        Ok(report) => {
            let mut value = json!(report);
            value["holds"] = json!(report.holds());
            value["summary"] = json!(report.summary());
            (value, report.holds())
        }
        Err(error) => {
            let value = json!({
                "holds": false, "denied": [], "failed": ["start"], "layers": {}, "missing": [],
                "acts": {}, "summary": error.to_string(),
            });
            (value, false)
        }
    }
}

fn text(found: &Value) -> String {
    let mut text = format!("Allod {}\n", plain(&found["version"]));
    for part in ["machine", "data", "policy"] {
        text.push_str(&format!("\n{part}\n"));
        for (name, value) in found[part].as_object().into_iter().flatten() {
            text.push_str(&format!("  {:<22}{}\n", name.replace('_', " "), plain(value)));
        }
    }
    let (key, advice) = (&found["operator_key"], &found["operator_key"]["advice"]);
    text.push_str(&format!("\noperator key\n  {:<22}{}\n", "available", plain(&key["available"])));
    for words in [advice, &key["error"]].into_iter().filter(|words| !words.is_null()) {
        text.push_str(&format!("  {}\n", plain(words)));
    }
    text.push_str(&format!("\nmodels\n  {}\n", plain(&found["models"])));
    text.push_str(&cell("sandbox (documents)", &found["sandbox"]));
    text.push_str(&cell("engine cell (models)", &found["engine_cell"]));
    text.push_str(
        "\nforbidden acts, and the layers that deny each alone to documents; to models\n",
    );
    let alone = |sandbox: &str, name: &str| {
        let act = &found[sandbox]["acts"][name];
        if act.is_null() { "needed".to_owned() } else { plain(&act["denied_alone_by"]) }
    };
    for (name, act) in found["sandbox"]["acts"].as_object().into_iter().flatten() {
        let of_models = &found["engine_cell"]["acts"][name];
        let done =
            act["error"].is_null() || (of_models.is_object() && of_models["error"].is_null());
        let verdict = if done { "DONE" } else { "denied" };
        let (what, by) = (plain(&act["what"]), alone("sandbox", name));
        let by_models = alone("engine_cell", name);
        text.push_str(&format!("  {verdict:<7}{name:<24}{what} ({by}; {by_models})\n"));
    }
    text
}

/// The layers of a cell.
fn cell(title: &str, sandbox: &Value) -> String {
    let mut text = format!("\n{title}\n  {}\n", plain(&sandbox["summary"]));
    for (layer, detail) in sandbox["layers"].as_object().into_iter().flatten() {
        text.push_str(&format!("  {layer:<22}{}\n", plain(detail)));
    }
    text
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "unknown".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
