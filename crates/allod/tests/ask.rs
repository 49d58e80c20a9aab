//! From documents to a cited answer and its receipt, at the command line.
#![allow(clippy::unwrap_used)]

mod common;

use common::{allod, json, run, small_library};

#[test]
fn an_answer_quotes_the_canonical_text_and_has_a_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    small_library(data);
    let reply = json(&run(allod(data).args(["ask", "--json", "How much does a stall cost?"]), 0));
    assert_eq!(reply["outcome"], "answered", "{reply}");
    assert_eq!(reply["mode"], "quote");
    let citation = &reply["citations"][0];
    let quote = citation["quote"].as_str().unwrap();
    assert!(quote.contains("CHF 35"), "{reply}");

    let digest = citation["digest"].as_str().unwrap();
    let text = run(allod(data).args(["show", digest]), 0);
    let start = usize::try_from(citation["start"].as_u64().unwrap()).unwrap();
    let end = usize::try_from(citation["end"].as_u64().unwrap()).unwrap();
    assert_eq!(&text[start..end], quote);
    assert_eq!(allod_corpus::Digest::of(text.as_bytes()).to_string(), digest);

    let index = reply["receipt"]["index"].as_u64().unwrap().to_string();
    let shown = json(&run(allod(data).args(["ledger", "show", "--json", "--payload", &index]), 0));
    assert_eq!(shown["receipt"]["outcome"], "answered", "{shown}");
    assert_eq!(shown["receipt"]["citations"][0]["digest"], digest);
    let prompt = shown["payload"]["prompt"]["content"].as_str().unwrap();
    assert!(prompt.contains("How much does a stall cost?"), "{shown}");
    run(allod(data).args(["ledger", "verify"]), 0);
    let proof = run(allod(data).args(["ledger", "prove", &index]), 0);
    assert!(proof.starts_with("c2sp.org/tlog-proof@v1\n"), "{proof}");
}

#[test]
fn what_the_documents_do_not_say_is_refused_with_what_was_searched() {
    let folder = tempfile::tempdir().unwrap();
    small_library(folder.path());
    let question = "Wer repariert die Strassenlampen am Bahnhof?";
    let reply = json(&run(allod(folder.path()).args(["ask", "--json", question]), 3));
    assert_eq!(reply["outcome"], "refused", "{reply}");
    assert_eq!(reply["citations"].as_array().unwrap().len(), 0);
    assert!(reply["answer"].as_str().unwrap().contains("Dokumente"), "{reply}");
    run(allod(folder.path()).args(["ledger", "verify"]), 0);
}

#[test]
fn a_policy_that_escalates_fills_the_queue() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    small_library(data);
    let policy = "routing:\n  escalate_on:\n    - low_retrieval_confidence\n";
    std::fs::write(data.join("allod.yaml"), policy).unwrap();
    let question = "Wer repariert die Strassenlampen am Bahnhof?";
    let reply = json(&run(allod(data).args(["ask", "--json", question]), 0));
    assert_eq!(reply["outcome"], "escalated", "{reply}");
    let id = reply["review"].as_str().unwrap();
    let queue = json(&run(allod(data).args(["review", "list", "--json"]), 0));
    assert_eq!(queue[0]["id"], id);
    assert_eq!(queue[0]["receipt"], reply["receipt"]["index"]);
    let resolve = ["review", "resolve", id, "--by", "Anna", "--verdict"];
    run(allod(data).args(resolve).arg("amend"), 1);
    let without_a_reason = allod(data).args(resolve).arg("reject").output().unwrap();
    assert_eq!(without_a_reason.status.code(), Some(1));
    assert!(String::from_utf8(without_a_reason.stderr).unwrap().contains("--note TEXT"));
    run(allod(data).args(resolve).args(["amend", "--answer", "Das Werk."]), 0);
    run(allod(data).args(resolve).args(["reject", "--note", "twice"]), 1);
    assert_eq!(json(&run(allod(data).args(["review", "list", "--json"]), 0)), json("[]"));
}

#[test]
fn a_runtime_that_is_not_there_says_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    small_library(folder.path());
    // A port on which nothing can listen.
    let policy = "model: m\nruntime: vllm\nupstream:\n  url: http://127.0.0.1:1/v1\n";
    std::fs::write(folder.path().join("allod.yaml"), policy).unwrap();
    let output =
        allod(folder.path()).args(["ask", "How much does a stall cost?"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = common::told(&output);
    assert!(said.contains("vllm serve m") && said.contains("upstream.url"), "{said}");
}

#[test]
fn the_log_is_checked_against_what_the_store_remembers() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    small_library(data);
    run(allod(data).args(["ask", "How much does a stall cost?"]), 0);
    let earlier = tempfile::tempdir().unwrap();
    copy(&data.join("ledger"), earlier.path());
    run(allod(data).args(["ask", "When does the market open?"]), 0);
    run(allod(data).args(["ledger", "verify"]), 0);
    // The whole ledger folder is put back to an earlier state that was valid in itself.
    std::fs::remove_dir_all(data.join("ledger")).unwrap();
    copy(earlier.path(), &data.join("ledger"));
    let said = run(allod(data).args(["ledger", "verify"]), 1);
    assert!(said.contains("does not verify"), "{said}");
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
