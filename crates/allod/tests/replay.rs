//! Answers and decisions made again at the command line.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/tiny.rs"]
mod tiny;

use std::fs;
use std::path::Path;

use common::{allod, json, run, small_library};
use serde_json::Value;

const STALL: &str = "What does a stall cost at the market?";

fn ask(data: &Path, question: &str) -> u64 {
    let mut command = allod(data);
    let output = command.args(["--json", "ask", question]).output().unwrap();
    json(&String::from_utf8(output.stdout).unwrap())["receipt"]["index"].as_u64().unwrap()
}

fn said(data: &Path, arguments: &[&str], code: i32) -> Value {
    json(&run(allod(data).arg("--json").args(arguments), code))
}

#[test]
fn a_recorded_answer_is_made_again_here_and_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    small_library(&data);
    let index = ask(&data, STALL).to_string();
    ask(&data, "Who discovered the moon?");
    assert_eq!(said(&data, &["replay", &index], 0)["identical"], true);
    let told = run(allod(&data).args(["replay", &index]), 0);
    assert!(told.starts_with("receipt 0: identical"), "{told}");

    let bundle = folder.path().join("bundle");
    let file = bundle.to_str().unwrap();
    let vkey = said(&data, &["export", "receipt", &index, "--bundle", file], 0)["vkey"].clone();
    let market = data.join("documents/market.md");
    let changed = fs::read_to_string(&market).unwrap().replace("CHF 35", "CHF 45");
    fs::write(&market, changed).unwrap();
    run(allod(&data).arg("ingest").arg(data.join("documents")), 0);
    let all = said(&data, &["replay", "--all"], 0);
    assert_eq!((&all["replayed"], &all["identical"]), (&2.into(), &2.into()));

    let elsewhere = folder.path().join("elsewhere");
    let vkey = vkey.as_str().unwrap();
    let there = said(&elsewhere, &["replay", "--bundle", file, "--vkey", vkey], 0);
    assert_eq!((&there["identical"], &there["receipt"]), (&true.into(), &0.into()));
    let text = fs::read_to_string(&bundle).unwrap();
    fs::write(&bundle, text.replace("CHF 35", "CHF 36")).unwrap();
    let there = said(&elsewhere, &["replay", "--bundle", file], 1);
    assert!(there["fault"].as_str().unwrap().contains("was changed"), "{there}");
}

#[test]
fn what_is_not_kept_cannot_be_made_again_but_its_decision_can() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    small_library(data);
    fs::write(data.join("allod.yaml"), "logging: {prompts: not_retained}\n").unwrap();
    let index = ask(data, STALL).to_string();
    let told = said(data, &["replay", &index], 2);
    assert!(told["impossible"].as_str().unwrap().contains("not kept"), "{told}");
    // The policy of that day is kept, whatever stands in its file now.
    fs::write(data.join("allod.yaml"), "retrieval: {minimum_confidence: 1}\n").unwrap();
    let made = said(data, &["policy", "replay"], 0);
    assert_eq!((&made["decisions"], &made["same"]), (&1.into(), &1.into()));
}

#[test]
fn what_another_policy_would_change_is_shown_before_it_is_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    small_library(data);
    fs::write(data.join("allod.yaml"), "name: now\n").unwrap();
    ask(data, STALL);
    ask(data, "Bitte verbinden Sie mich mit einem Mitarbeiter.");
    let file = |name: &str, text: &str| {
        let path = data.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let rule = "rules: [{id: stalls, when: {contains_any: [stall]}, then: human_review, \
                because: stalls are let by the office}]\n";
    let (old, new) = (file("old.yaml", "name: now\n"), file("new.yaml", rule));
    let told = said(data, &["policy", "diff", &old, &new], 0);
    assert_eq!((&told["requests"], &told["changed"]), (&2.into(), &1.into()), "{told}");
    let change = &told["changes"][0];
    assert_eq!(change["to"], "human_review (rules.stalls)");
    assert_eq!(change["examples"], serde_json::json!([{"receipt": 0}]));
    let told = run(allod(data).args(["policy", "diff", &old, &new, "--words"]), 0);
    assert!(told.contains(STALL), "{told}");
    let unknown = format!("sha256:{}", "0".repeat(64));
    run(allod(data).args(["policy", "diff", &unknown, &new]), 1);
}

#[test]
fn a_table_of_cases_is_decided() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("cases.yaml");
    let case = |outcome: &str| {
        format!(
            "cases:\n  - name: nothing is found\n    facts: {{evidence: {{passages: 0}}}}\n    \
             expect: {{outcome: {outcome}, rule: retrieval.nothing_found}}\n"
        )
    };
    let file = table.to_str().unwrap();
    fs::write(&table, case("refused")).unwrap();
    assert_eq!(said(folder.path(), &["policy", "test", file], 0)["failed"], serde_json::json!([]));
    fs::write(&table, case("answered")).unwrap();
    let told = run(allod(folder.path()).args(["policy", "test", file]), 1);
    assert!(told.contains("  - expected answered by retrieval.nothing_found"), "{told}");
    assert!(told.contains("  + decided  refused (rules: retrieval.nothing_found)"), "{told}");
    fs::write(
        &table,
        "cases: [{name: x, facts: {evidence: {found: 1}}, expect: {outcome: refused}}]",
    )
    .unwrap();
    run(allod(folder.path()).args(["policy", "test", file]), 1);
}

/// Weights are told by their digest, and settings beside them make another model of the same ones.
#[test]
fn models_are_found_by_their_weights_and_told_apart_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    small_library(&data);
    fs::write(data.join("allod.yaml"), "logging: {prompts: retained, citations: optional}\n")
        .unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    tiny::write_folder(&one);
    tiny::write_folder(&two);
    let mut settings = tiny::config();
    settings["rms_norm_eps"] = 0.5.into();
    fs::write(two.join("config.json"), settings.to_string()).unwrap();
    // This file calls its model `llama`, whatever it is called here.
    let file = tiny::write_gguf(folder.path());
    for (name, path) in [("one", &one), ("two", &two), ("three", &file)] {
        run(allod(&data).args(["model", "import", "--name", name]).arg(path), 0);
    }
    for name in ["one", "two", "three", "one"] {
        let server = common::Server::start(allod(&data).args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--model",
            name,
        ]));
        let url = format!("http://{}", server.address);
        let status = ureq::get(format!("{url}/api/status")).call().unwrap();
        let status: Value = status.into_body().read_json().unwrap();
        let asked = serde_json::json!({"model": status["model"], "prompt": "abc", "max_tokens": 9});
        ureq::post(format!("{url}/v1/completions")).send_json(asked).unwrap();
    }
    let all = said(&data, &["replay", "--all"], 0);
    assert_eq!((&all["replayed"], &all["identical"]), (&4.into(), &4.into()), "{all}");
    assert_eq!(all["unchecked"], serde_json::json!({}));
    swapped_settings_are_named(&data, &one, &two);
}

/// Where the model runs, in a cell or not, the same list of its files is recorded.
fn swapped_settings_are_named(data: &Path, one: &Path, two: &Path) {
    let receipt = said(data, &["ledger", "show", "0"], 0);
    let (_, list) = allod_lm::FileList::of_model(one).unwrap();
    assert_eq!(receipt["receipt"]["model"]["files"], list.unwrap().digest());
    let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());
    let differs = said(data, &["replay", "0", "--model", two], 1);
    let what = differs["difference"]["what"].as_str().unwrap();
    assert!(what.starts_with("the model's file config.json: another file"), "{differs}");

    let held = said(data, &["ledger", "verify", "--model", one], 0);
    assert_eq!((&held["verified"], &held["model"]["receipts"]), (&true.into(), &2.into()));
    let file = Path::new(two).join("generation_config.json");
    fs::write(file, "{}").unwrap();
    let held = said(data, &["ledger", "verify", "--model", two], 1);
    let fault = held["model"]["fault"].as_str().unwrap();
    assert!(fault.contains("generation_config.json: was not there when it wrote"), "{held}");
}
