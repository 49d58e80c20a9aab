//! The console in a real browser: headless Chromium loads it from a live server. Where there is no
//! Chromium the tests say that they were skipped. `ALLOD_CHROMIUM` names one that is not in PATH.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use allod_server::{Keyless, ServeOptions};
use common::browser::{chromium, page};
use common::{House, LIBRARY_QUESTION, SECRET_QUESTION, Server, WASTE_QUESTION};

/// The page at `hash` with the result of a check that the browser makes with its own cryptography.
/// Virtual time waits for the network, but not for the threads that compute a digest or check a
/// signature: on a busy machine the page can be taken before they are done, so it is taken again.
fn checked_page(chromium: &str, server: &Server, hash: &str) -> String {
    const TRIES: usize = 8;
    let mut taken = page(chromium, server, hash);
    for _ in 1..TRIES {
        if taken.contains("<li class=\"good\">") || taken.contains("<li class=\"bad\">") {
            break;
        }
        taken = page(chromium, server, hash);
    }
    taken
}

fn query(question: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    question.bytes().map(encode).collect()
}

#[test]
fn an_answer_its_citation_and_the_marked_passage_are_shown() {
    let Some(chromium) = chromium() else { return };
    let house = House::new();
    let server = house.serve();
    let page = page(&chromium, &server, &format!("#/ask?q={}&source=1", query(WASTE_QUESTION)));
    for part in [
        "<span class=\"badge answered\">answered</span>",
        "class=\"cite\"",
        "<b>Abfallreglement</b>",
        "Receipt 0",
        // The cited words are marked in the text of the document, which is open beside the answer.
        "35-Liter-Kehrichtsack kostet CHF 2.40.</mark>",
        "Sperrgut wird am ersten Donnerstag",
        "in force since 2019-01-01",
    ] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    assert!(!page.contains("Harbour"), "a restricted document is on the page");
}

#[test]
fn a_refusal_is_shown_as_one() {
    let Some(chromium) = chromium() else { return };
    let house = House::new();
    let server = house.serve();
    let page = page(&chromium, &server, &format!("#/ask?q={}", query(SECRET_QUESTION)));
    assert!(page.contains("<span class=\"badge refused\">"), "{page}");
    assert!(!page.contains("123456"), "{page}");
}

#[test]
fn documents_receipts_and_the_queue_are_shown() {
    let Some(chromium) = chromium() else { return };
    let policy = "logging:\n  citations: optional\n  human_review: required_for_all\n";
    let house = House::with_policy(Some(policy));
    let server = house.serve();
    let reply = server.client().ask(LIBRARY_QUESTION);
    let documents = page(&chromium, &server, "#/documents");
    assert!(documents.contains("Library rules") && documents.contains("map.pdf"), "{documents}");
    let receipt = page(&chromium, &server, "#/receipts/0");
    assert!(receipt.contains("allod-receipt-1") && receipt.contains(LIBRARY_QUESTION), "{receipt}");
    let queue = page(&chromium, &server, "#/reviews");
    assert!(queue.contains(LIBRARY_QUESTION), "{queue}");
    let review =
        page(&chromium, &server, &format!("#/reviews/{}", reply["review"].as_str().unwrap()));
    assert!(review.contains("09:00 to 12:00") && review.contains("value=\"approve\""), "{review}");
}

#[test]
fn the_browser_checks_the_proof_itself() {
    let Some(chromium) = chromium() else { return };
    let house = House::new();
    let server = house.serve();
    for _ in 0..5 {
        server.client().ask(WASTE_QUESTION);
    }
    let page = checked_page(&chromium, &server, "#/receipts/3?verify=1");
    for part in ["✓ The log proves it", "followed the path to the root", "checked the signature"]
    {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    assert!(!page.contains("<li class=\"bad\">"), "{page}");
}

#[test]
fn where_a_key_is_needed_the_console_asks_for_it() {
    let Some(chromium) = chromium() else { return };
    let house = House::new();
    let server =
        house.serve_with(ServeOptions { keyless: Keyless::Refused, ..ServeOptions::default() });
    let page = page(&chromium, &server, "#/documents");
    assert!(page.contains("This server wants an API key."), "{page}");
    assert!(!page.contains("Library rules"), "{page}");
}

#[test]
fn markup_in_a_document_stays_text() {
    let Some(chromium) = chromium() else { return };
    let house = House::new();
    let version =
        house.desk.store().version(&house.digest_of("library.md"), None).unwrap().unwrap();
    let mut row = house.desk.store().document(&version.path).unwrap().unwrap();
    let mut hostile = version;
    hostile.text = "<img src=x onerror=\"document.title='taken'\">".into();
    hostile.title = "<script>document.title='taken'</script>".into();
    hostile.blocks_json =
        format!(r#"[{{"kind":"paragraph","range":{{"start":0,"end":{}}}}}]"#, hostile.text.len());
    hostile.digest = format!("sha256:{}", "a".repeat(64));
    row.digest = Some(hostile.digest.clone());
    house.desk.store().put_document(&row, Some(&hostile)).unwrap();
    let server = house.serve();
    let page = page(&chromium, &server, &format!("#/documents/{}", hostile.digest));
    assert!(page.contains("&lt;img src=x") && page.contains("&lt;script&gt;"), "{page}");
    assert!(!page.contains("<title>taken"), "{page}");
}
