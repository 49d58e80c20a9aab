//! What people type for keys and reviews, and what they are shown.
#![allow(clippy::unwrap_used)]

mod common;

use common::{allod, json, run, small_library, told};

#[test]
fn a_key_needs_a_name_that_a_list_can_show() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["", "  ", "two\nlines", "\u{1b}[2J"] {
        run(allod(folder.path()).args(["key", "create", "--name", name]), 2);
        run(allod(folder.path()).args(["key", "create", "--name", "a", "--tenant", name]), 2);
        run(allod(folder.path()).args(["key", "create", "--name", "a", "--clearance", name]), 2);
    }
    assert_eq!(json(&run(allod(folder.path()).args(["--json", "key", "list"]), 0)), json("[]"));
}

/// The wish reaches the queue though the documents are silent; there is no draft to approve, and
/// the question gives the reviewer's terminal no commands.
#[test]
fn a_wish_for_a_person_waits_for_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    small_library(data);
    let wish = "I want to speak to a person about \u{1b}]0;spaceships\nplease";
    let reply = json(&run(allod(data).args(["--json", "ask", wish]), 0));
    assert_eq!(reply["outcome"], "escalated");
    let id = reply["review"].as_str().unwrap();
    let list = run(allod(data).args(["review", "list"]), 0);
    assert!(list.contains(id) && !list.contains('\u{1b}'), "{list}");
    assert_eq!(list.lines().count(), 1, "{list}");

    let resolve = |more: &[&str]| {
        let mut command = allod(data);
        command.args(["review", "resolve", id]).args(more).output().unwrap()
    };
    assert_eq!(resolve(&["--verdict", "reject", "--by", ""]).status.code(), Some(2));
    let approved = resolve(&["--verdict", "approve", "--by", "Ada"]);
    assert!(told(&approved).contains("no draft to approve"), "{}", told(&approved));
    assert_eq!(
        resolve(&["--verdict", "amend", "--by", "Ada", "--answer", " "]).status.code(),
        Some(1)
    );
    let amended = resolve(&["--verdict", "amend", "--by", "Ada", "--answer", "Ring 12."]);
    assert_eq!(amended.status.code(), Some(0), "{}", told(&amended));
}
