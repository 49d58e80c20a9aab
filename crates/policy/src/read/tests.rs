//! Files with mistakes: each mistake's exact place, what it says, what to do.

use crate::policy::{Citations, HumanReview, Policy, Prompts, Quantization, Runtime, Trigger};
use crate::rule::{Consequence, Signal};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// All mistakes of a file as `line:column`, message, hint.
fn mistakes(text: &str) -> Vec<(String, String, String)> {
    let mistakes = Policy::parse(text).map(|_| ()).expect_err(text);
    let place = |line, column| format!("{line}:{column}");
    mistakes
        .0
        .into_iter()
        .map(|found| (place(found.line, found.column), found.message, found.hint))
        .collect()
}

/// Asserts that the file has exactly this one mistake.
fn one(text: &str, place: &str, message: &str, hint: &str) {
    let found = mistakes(text);
    let shown = format!("{text}\n{found:#?}");
    assert_eq!(found.len(), 1, "{shown}");
    assert_eq!(found[0].0, place, "{shown}");
    assert!(found[0].1.contains(message), "{shown}");
    assert!(found[0].2.contains(hint), "{shown}");
}

#[test]
fn the_example_file_says_what_it_says() {
    let text = "\
model: apertus-mini-int4
runtime: vllm
quantization: awq
retrieval:
  required_for_policy_answers: true
  cite_source_documents: true
routing:
  escalate_on:
    - complex_reasoning
    - low_retrieval_confidence
    - regulated_decision
logging:
  prompts: retained_in_region
  citations: required
  human_review: required_for_adverse_actions
";
    let policy = Policy::parse(text).unwrap();
    assert_eq!(policy.model.as_deref(), Some("apertus-mini-int4"));
    assert_eq!(policy.runtime, Runtime::Vllm);
    assert_eq!(policy.quantization, Some(Quantization::Awq));
    assert!(policy.retrieval.required_for_policy_answers);
    assert!(policy.retrieval.cite_source_documents);
    let escalated =
        [Trigger::ComplexReasoning, Trigger::LowRetrievalConfidence, Trigger::RegulatedDecision];
    assert_eq!(policy.routing.escalate_on, BTreeSet::from(escalated));
    assert!(policy.routing.refuse_on.is_empty());
    assert_eq!(policy.logging.prompts, Prompts::RetainedInRegion);
    assert_eq!(policy.logging.citations, Citations::Required);
    assert_eq!(policy.logging.human_review, HumanReview::RequiredForAdverseActions);
    let upstream = policy.upstream.as_ref().unwrap();
    assert_eq!(upstream.url, "http://127.0.0.1:8000/v1");
    assert_eq!(crate::upstream_permitted(&policy), Ok(()));
    assert_eq!(policy.text(), text);
}

#[test]
fn every_key_can_be_set() {
    let text = "\
# comments are fine
name: town hall
model: apertus
runtime: openai-compatible
quantization: none
region: ch-1
upstream: {url: 'https://models.example/v1', api_key_env: KEY_1, region: ch-1, timeout_ms: 1500}
retrieval:
  required_for_policy_answers: false
  cite_source_documents: true
  minimum_confidence: 0.75
  passages: 12
routing:
  escalate_on: user_request
  refuse_on: [adverse_action]
logging: {prompts: not_retained, citations: optional, human_review: not_required}
telemetry: {traces_url: 'http://127.0.0.1:4318/v1/traces'}
limits: {question_chars_max: 100, answer_tokens_max: 200, answer_choices_max: 3}
rules:
  - id: asylum
    when: {language: [de, fr], contains_any: 'asyl*', label: internal, signal: policy_question}
    then: human_review
    because: the canton decides
";
    let policy = Policy::parse(text).unwrap();
    assert_eq!(policy.name, "town hall");
    let upstream = policy.upstream.as_ref().unwrap();
    assert_eq!(upstream.api_key_env.as_deref(), Some("KEY_1"));
    assert_eq!(upstream.timeout_ms, 1500);
    assert_eq!(policy.region, "ch-1");
    assert_eq!(policy.retrieval.minimum_confidence, 0.75);
    assert_eq!(policy.retrieval.passages, 12);
    assert_eq!(policy.routing.escalate_on, BTreeSet::from([Trigger::UserRequest]));
    assert_eq!(policy.limits.question_chars_max, 100);
    assert_eq!(policy.limits.answer_tokens_max, 200);
    assert_eq!(policy.limits.answer_choices_max, 3);
    let traces_url = policy.telemetry.traces_url.as_deref();
    assert_eq!(traces_url, Some("http://127.0.0.1:4318/v1/traces"));
    let rule = &policy.rules[0];
    assert_eq!(rule.when.language, ["de", "fr"]);
    assert_eq!(rule.when.contains_any, ["asyl*"]);
    assert_eq!(rule.when.label, ["internal"]);
    assert_eq!(rule.when.signal, [Signal::PolicyQuestion]);
    assert_eq!(rule.then, Consequence::HumanReview);
}

#[test]
fn what_is_left_out_has_a_safe_default() {
    let policy = Policy::parse("name: short").unwrap();
    assert_eq!(policy.runtime, Runtime::Allod);
    assert_eq!(policy.upstream, None);
    assert_eq!(policy.region, "local");
    assert!(policy.retrieval.required_for_policy_answers);
    assert!(policy.retrieval.cite_source_documents);
    assert_eq!(policy.retrieval.minimum_confidence, 0.5);
    assert_eq!(policy.logging.prompts, Prompts::RetainedInRegion);
    assert_eq!(policy.logging.citations, Citations::Required);
    assert_eq!(policy.logging.human_review, HumanReview::RequiredForAdverseActions);
}

#[test]
fn unknown_keys() {
    one("modle: x", "1:1", "unknown key `modle`", "did you mean `model`?");
    one("name: x\nretreival:\n  passages: 3\n", "2:1", "`retreival`", "`retrieval`?");
    one("retrieval:\n  passage: 3\n", "2:3", "in `retrieval`", "did you mean `passages`?");
    one("escalate_on: [user_request]", "1:1", "`escalate_on`", "belongs under `routing`");
    one("routing:\n  runtime: allod\n", "2:3", "`runtime` in `routing`", "at the left margin");
    one("colour: blue", "1:1", "unknown key `colour`", "known here: name, model");
    one("Name: x", "1:1", "unknown key `Name`", "did you mean `name`?");
    one(
        "logging: {prompts: retained, human-review: not_required}",
        "1:30",
        "`human-review`",
        "did you mean `human_review`?",
    );
}

#[test]
fn wrong_types() {
    one("name: 5", "1:7", "`name` must be text, but is a whole number", "quotation marks");
    one("name: true", "1:7", "must be text, but is true or false", "quotation marks");
    one("name: [a]", "1:7", "must be text, but is a list", "write text");
    one("name:\nregion: x", "1:1", "`name` has no value", "or remove the key");
    one("retrieval: yes", "1:12", "must be a group of keys, but is text", "indent keys");
    one("retrieval:\nname: x", "1:1", "`retrieval` has no value", "required_for_policy_answers");
    one(
        "retrieval:\n  cite_source_documents: yes",
        "2:26",
        "must be true or false, but is text",
        "write `true` or `false`",
    );
    one("retrieval:\n  passages: many", "2:13", "a whole number, but is text", "from 1 to 100");
    one("retrieval:\n  passages: 2.5", "2:13", "but is a decimal number", "from 1 to 100");
    one("retrieval:\n  minimum_confidence: high", "2:23", "a number from 0 to 1", "like 0.5");
    one("routing:\n  escalate_on: 5", "2:16", "must be a list", "allowed: complex_reasoning");
    one(
        "routing:\n  escalate_on:\n    - user_request\n    - [x]",
        "4:7",
        "lists a list",
        "allowed:",
    );
    one("rules: none", "1:8", "`rules` must be a list, but is text", "id, when, then");
    one("- a\n- b", "1:1", "the file is a list", "docs/policy.md");
    one("just text", "1:1", "the file is text", "docs/policy.md");
}

#[test]
fn unknown_and_impossible_values() {
    one("runtime: vlm", "1:10", "`runtime` does not know `vlm`", "did you mean `vllm`?");
    one("runtime: ollama", "1:10", "`ollama`", "allowed: allod, vllm, openai-compatible");
    one("model: m\nquantization: q5", "2:15", "`q5`", "allowed: none");
    one("logging:\n  prompts: retain", "2:12", "`retain`", "retained_in_region");
    one(
        "routing:\n  refuse_on:\n    - user_request\n    - complex_resoning",
        "4:7",
        "`complex_resoning`",
        "did you mean `complex_reasoning`?",
    );
    one("routing:\n  refuse_on: [user_request, user_request]", "2:29", "a second time", "keep one");
    one("retrieval: {minimum_confidence: 1.5}", "1:33", "is 1.5", "from 0 to 1");
    one("retrieval: {minimum_confidence: .nan}", "1:33", "is NaN", "from 0 to 1");
    one("retrieval: {minimum_confidence: -1}", "1:33", "is -1", "from 0 to 1");
    one("retrieval: {passages: 0}", "1:23", "is 0", "from 1 to 100");
    one("telemetry: {traces_url: nowhere}", "1:25", "no web address", "http");
    one("limits: {question_chars_max: 2000000}", "1:30", "is 2000000", "to 1000000");
    one("region: Zürich West", "1:9", "no simple name", "a-z");
    one("name: ''", "1:7", "`name` is empty", "one line");
    one("name: \"a\\nb\"", "1:7", "line breaks", "one line");
    one(&format!("name: {}", "x".repeat(501)), "1:7", "too long", "500");
}

#[test]
fn servers() {
    let head = "model: m\nruntime: openai-compatible\n";
    let file = |lines: &str| format!("{head}{lines}");
    one(&file("upstream: {url: models.example}"), "3:17", "no web address", "http://");
    one(
        &file("upstream: {url: 'http://me:secret@127.0.0.1/'}"),
        "3:17",
        "user name or password",
        "api_key_env",
    );
    one(
        &file("upstream: {url: 'http://[::1]/v1', api_key_env: sk-1234}"),
        "3:49",
        "not the name of an environment variable",
        "never the key itself",
    );
    one(&file("upstream: {url: 'http://[::1]/v1', timeout_ms: 0}"), "3:48", "is 0", "3600000");
    one(&file("name: x"), "2:10", "needs the address of a server", "upstream");
    one(&file("upstream: {region: ch}"), "2:10", "needs the address", "upstream");
    one(
        &file("upstream:\n  url: https://a.example/v1\n  region: us\n"),
        "5:11",
        "the server is in `us`",
        "`upstream.region`",
    );
    one(
        &file("upstream:\n  url: https://a.example/v1\n"),
        "4:8",
        "nothing says in which region a.example stands",
        "`upstream.region`",
    );
}

#[test]
fn secrets_are_not_repeated() {
    let text = "model: m\nruntime: vllm\nupstream: {url: 'http://u:hunter2@h/', \
                api_key_env: sk-hunter2}";
    let error = Policy::parse(text).unwrap_err();
    assert_eq!(error.0.len(), 2);
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn contradictions() {
    one("runtime: vllm", "1:10", "`runtime: vllm` needs a model", "`model:`");
    one(
        "model: m\nupstream:\n  url: http://127.0.0.1/\n",
        "2:1",
        "`runtime: allod` never uses a server",
        "vllm or openai-compatible",
    );
    one("quantization: awq", "1:15", "a form of no model", "name the model");
    one(
        "routing:\n  escalate_on: [user_request]\n  refuse_on: [user_request]\n",
        "3:3",
        "stands in escalate_on and in refuse_on",
        "keep it in one",
    );
    one(
        "retrieval:\n  cite_source_documents: false\nlogging:\n  citations: required\n",
        "2:26",
        "cannot stand with `logging.citations: required`",
        "optional",
    );
    one(
        "retrieval: {minimum_confidence: 0}\nrouting: {refuse_on: [low_retrieval_confidence]}",
        "1:33",
        "never undercut",
        "raise it",
    );
}

#[test]
fn own_rules() {
    let good = "id: a, when: {language: de}, then: refuse, because: b";
    let file = |rules: &str| format!("rules:\n{rules}");
    assert!(Policy::parse(&file(&format!("  - {{{good}}}"))).is_ok());
    one(
        &file(&format!("  - {{{good}}}\n  - {{{good}}}")),
        "3:10",
        "an earlier rule has too",
        "an id of its own",
    );
    one(&file("  - {id: a, then: refuse, because: b}"), "2:5", "has no `when`", "id, when");
    one(
        &file("  - {id: a, when: {}, then: refuse, because: b}"),
        "2:19",
        "has no condition",
        "contains_any",
    );
    one(
        &file("  - {id: a, when: {language: [deutsch]}, then: refuse, because: b}"),
        "2:31",
        "`deutsch`",
        "allowed: de, fr",
    );
    one(
        &file("  - {id: a, when: {contains_any: ['?!']}, then: refuse, because: b}"),
        "2:35",
        "can never be found",
        "write words",
    );
    one(
        &file("  - {id: a, when: {contain_any: x, label: y}, then: refuse, because: b}"),
        "2:20",
        "unknown key `contain_any` in `rules[0].when`",
        "did you mean `contains_any`?",
    );
    one(
        &file("  - {id: a, when: {label: x}, then: answer, because: b}"),
        "2:37",
        "`answer`",
        "allowed: refuse, escalate, human_review",
    );
    one(&file("  - {id: A B, when: {label: x}, then: refuse, because: b}"), "2:10", "`A B`", "a-z");
    one(&file("  - refuse everything"), "2:5", "must be a group of keys", "id, when");
}

#[test]
fn mistakes_in_the_yaml_itself() {
    one("", "1:1", "the file says nothing", "docs/policy.md");
    one("# nothing\n", "1:1", "the file says nothing", "docs/policy.md");
    one("name: a\nname: b\n", "2:1", "the key `name` stands here a second time", "keep one");
    one("name: [a\nregion: b\n", "2:7", "not valid YAML", "check indentation");
    one("a: b: c", "1:5", "not valid YAML", "check indentation");
    one("name: 'open\n", "2:1", "not valid YAML", "quotation marks");
    one("retrieval:\n\tpassages: 3", "2:2", "not valid YAML", "check indentation");
    one("name: !secret x", "1:15", "unsupported tag `!secret`", "check indentation");
    one("name: &a x\n", "1:10", "an anchor (`&`)", "write every value out");
    one("name: x\n---\nname: y\n", "2:1", "a second document", "one document");
    one("<<: {name: x}\n", "1:1", "merge key", "check");
    one("? [name]\n: x\n", "1:3", "not valid YAML", "check");
}

#[test]
fn all_mistakes_are_found_in_one_go_in_the_order_of_the_file() {
    let text = "\
nmae: x
runtime: vlm
upstream: {url: here}
retrieval:
  minimum_confidence: 2
  passages: many
routing:
  escalate_on: [everything]
logging: 5
";
    let places: Vec<String> = mistakes(text).into_iter().map(|(place, ..)| place).collect();
    assert_eq!(places, ["1:1", "2:10", "3:17", "5:23", "6:13", "8:17", "9:10"]);
}

#[test]
fn mistakes_print_one_to_a_line() {
    let error = Policy::parse("nmae: x\nruntime: vlm\n").unwrap_err();
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "line 1, column 1: unknown key `nmae`; did you mean `name`?");
    assert!(lines[1].starts_with("line 2, column 10: `runtime` does not know `vlm`; "));
    assert_eq!(lines.len(), 2);
}

#[test]
fn columns_count_characters() {
    one("{name: üüü, runtime: vlm}", "1:22", "`vlm`", "vllm");
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_do_not_matter() {
    let policy = Policy::parse("\u{feff}name: x\r\nregion: ch\r\n").unwrap();
    assert_eq!(policy.region, "ch");
}

#[test]
fn hostile_files_end_quickly() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
    }
    let hostile = [
        bomb,
        "[".repeat(200_000),
        "{a: ".repeat(50_000),
        "- ".repeat(100_000),
        "x: |\n".to_owned() + &"  y\n".repeat(60_000),
        "a: 1\n".repeat(50_000),
        (0..60_000).map(|number| format!("{number}: 1\n")).collect(),
        "x".repeat(100_000_000),
        format!("name: {}", "ü".repeat(100_000)),
        format!("{}: x", "k".repeat(100_000)),
    ];
    for text in hostile {
        let start = std::time::Instant::now();
        let error = Policy::parse(&text).unwrap_err();
        let elapsed = start.elapsed();
        assert!(elapsed.as_secs() < 2, "{:.60} took {elapsed:?}", text);
        assert!(error.0.len() <= 100);
        assert!(error.0.iter().all(|found| found.message.len() < 3000), "{:.60}", text);
    }
}

#[test]
fn every_key_and_value_is_documented() {
    use crate::choice::Choice;
    let docs = include_str!("../../../../docs/policy.md");
    let keys = [super::ROOT, super::UPSTREAM, super::RETRIEVAL, super::ROUTING, super::LOGGING];
    let more = [super::LIMITS, super::RULE, super::CONDITION, super::WITNESS, super::ANSWERS];
    let work = [super::TOOLS, super::GRANT, super::OFFICE];
    let callers = [super::IDENTITY, super::OIDC, super::QUOTA];
    let keys = keys.into_iter().chain(callers);
    let privacy = [super::TELEMETRY, super::PRIVACY, super::RETENTION];
    let sent = [super::APPROVED, super::DATA_CLASS, super::BUDGET, super::ESCALATE_TO];
    for key in keys.chain(more).chain(work).chain(privacy).chain(sent).flatten() {
        assert!(docs.contains(&format!("`{key}`")), "{key}");
    }
    fn words<T: Choice>() -> Vec<&'static str> {
        T::ALL.iter().map(|(word, _)| *word).collect()
    }
    let values = [
        words::<Runtime>(),
        words::<Quantization>(),
        words::<crate::Role>(),
        words::<Trigger>(),
        words::<Prompts>(),
        words::<Citations>(),
        words::<HumanReview>(),
        words::<crate::Personal>(),
        words::<crate::PersonalKind>(),
        words::<Consequence>(),
        words::<Signal>(),
        words::<crate::tools::ToolName>(),
        words::<crate::tools::WorkName>(),
    ];
    for value in values.iter().flatten() {
        assert!(docs.contains(&format!("`{value}`")), "{value}");
    }
}

#[test]
fn every_example_in_the_docs_parses() {
    let docs = include_str!("../../../../docs/policy.md");
    let examples: Vec<&str> =
        docs.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() >= 2);
    for example in examples {
        assert!(Policy::parse(example).is_ok(), "{example}\n{:?}", Policy::parse(example));
    }
}

/// Texts that look like YAML, so that more than the first byte is read.
fn yaml_like() -> impl Strategy<Value = String> {
    let pieces = proptest::sample::select(vec![
        "name",
        "model",
        "runtime",
        "upstream",
        "retrieval",
        "routing",
        "rules",
        "when",
        "id",
        "escalate_on",
        "vllm",
        "user_request",
        ": ",
        ":",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "'",
        "\"",
        "|",
        ">",
        "&a ",
        "*a",
        "!!int ",
        "<<",
        "#",
        "?",
        "0.5",
        "-1",
        ".inf",
        "~",
        "true",
        "ü",
        "\u{0}",
        "\t",
        "%YAML",
        "---\n",
        "...\n",
        "\\",
    ]);
    proptest::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn random_bytes_give_a_policy_or_placed_mistakes(bytes in any::<Vec<u8>>()) {
        check(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn random_yaml_gives_a_policy_or_placed_mistakes(text in yaml_like()) {
        check(&text)?;
    }
}

fn check(text: &str) -> Result<(), TestCaseError> {
    match Policy::parse(text) {
        Ok(policy) => prop_assert_eq!(policy.text(), text),
        Err(mistakes) => {
            prop_assert!(!mistakes.0.is_empty());
            prop_assert!(mistakes.0.is_sorted());
            for found in &mistakes.0 {
                // One past the last line: an end of file that came too early.
                prop_assert!((1..=text.lines().count() + 2).contains(&found.line));
                prop_assert!(found.column >= 1 && !found.message.is_empty());
            }
        }
    }
    Ok(())
}

#[test]
fn witnesses_have_an_address_and_a_key() {
    let text = "witnesses:\n  - {url: 'http://127.0.0.1:7998', vkey: 'w.example+0a0b0c0d+BAAA'}\n";
    let policy = Policy::parse(text).unwrap();
    assert_eq!(policy.witnesses.len(), 1);
    assert_eq!(policy.witnesses[0].url, "http://127.0.0.1:7998");
    for (wrong, what) in [
        ("witnesses: {url: 'http://a'}", "must be a list"),
        ("witnesses: [{url: 'http://127.0.0.1:1'}]", "has no `vkey`"),
        ("witnesses: [{url: 'nowhere', vkey: 'a+b+c'}]", "no web address"),
        ("witnesses: [{url: 'http://127.0.0.1:1', vkey: 'a'}]", "no verifier key"),
    ] {
        let mistakes = Policy::parse(wrong).unwrap_err().to_string();
        assert!(mistakes.contains(what), "{mistakes}");
    }
}

#[test]
fn a_rate_of_wrong_answers_is_a_share() {
    let policy = Policy::parse("answers:\n  max_error: 0.05\n").unwrap();
    assert_eq!(policy.answers.max_error, Some(0.05));
    assert_eq!(Policy::built_in().answers.max_error, None);
    one("answers:\n  max_error: 0\n", "2:14", "no calibration can keep to", "one in twenty");
    let both = "retrieval:\n  minimum_confidence: 0.4\nanswers:\n  max_error: 0.1\n";
    one(both, "2:23", "is not asked where", "keep one");
}

#[test]
fn an_issuer_is_named_with_what_its_claims_mean() {
    use crate::identity::{KeySource, Role};
    let text = "identity:\n  oidc:\n    issuer: https://i.example\n    audience: allod\n    \
                tenant_claim: office\n    role_claim: groups\n    roles: {b: reviewer, a: user}\n";
    let policy = Policy::parse(text).unwrap();
    let oidc = policy.identity.oidc.as_ref().unwrap();
    assert_eq!(oidc.roles, [("b".to_owned(), Role::Reviewer), ("a".to_owned(), Role::User)]);
    assert_eq!((&oidc.keys, oidc.labels_claim.as_ref()), (&KeySource::Discovery, None));
    let file = Policy::parse(&format!("{text}    jwks_file: keys.json\n")).unwrap();
    assert_eq!(file.identity.oidc.as_ref().unwrap().keys, KeySource::File("keys.json".into()));
}

#[test]
fn mistakes_about_an_issuer() {
    let file = |rest: &str| format!("identity: {{oidc: {{issuer: https://i, audience: a{rest}}}}}");
    assert!(Policy::parse(&file("")).is_ok());
    one("identity: {oidc: {issuer: https://i}}", "1:18", "has no `audience`", "both");
    one(
        "identity: {oidc: {audience: a, issuer: http://i.example}}",
        "1:40",
        "without TLS",
        "https",
    );
    assert!(Policy::parse("identity: {oidc: {audience: a, issuer: http://127.0.0.1:9}}").is_ok());
    one(&file(", role_claim: r"), "1:63", "of no use without `roles`", "roles: {");
    one(&file(", roles: {x: user}"), "1:58", "without `role_claim`", "role_claim");
    one(&file(", role_claim: r, roles: {x: admin}"), "1:77", "does not know `admin`", "operator");
    one(&file(", role_claim: r, roles: [x]"), "1:73", "a group of names", "allowed: user");
    one(&file(", jwks_file: f, jwks_url: https://i/k"), "1:62", "one place", "keep one");
    one(&file(", audiences: b"), "1:51", "unknown key `audiences`", "did you mean `audience`?");
    one("issuer: https://i", "1:1", "unknown key `issuer`", "belongs under `identity.oidc`");
}

#[test]
fn people_sign_in_where_the_policy_says_how() {
    let file = |rest: &str| format!("identity: {{oidc: {{issuer: https://i, audience: a{rest}}}}}");
    let text = file(
        ", sign_in: {client_id: c, console_url: 'https://a.example', scopes: [groups], \
         client_secret_file: s}",
    );
    let policy = Policy::parse(&text).unwrap();
    let sign_in = policy.identity.oidc.as_ref().unwrap().sign_in.as_ref().unwrap();
    assert_eq!((sign_in.client_id.as_str(), &sign_in.scopes[..]), ("c", &["groups".into()][..]));
    assert_eq!(sign_in.client_secret_file.as_deref(), Some("s"));
    for (rest, problem) in [
        ("client_id: c", "has no `console_url`"),
        ("console_url: 'https://a.example'", "has no `client_id`"),
        ("client_id: c, console_url: 'http://a.example'", "without TLS"),
        ("client_id: c, console_url: 'https://a.example/console'", "the console has no path"),
        ("client_id: c, console_url: 'https://a.example', secret: s", "unknown key `secret`"),
    ] {
        let mistakes = Policy::parse(&file(&format!(", sign_in: {{{rest}}}"))).unwrap_err();
        assert!(mistakes.to_string().contains(problem), "{rest}: {mistakes}");
    }
}

#[test]
fn quotas_name_each_tenant_once() {
    let text = "quotas:\n  - requests_per_minute: 5\n  - tenants: [a]\n    tokens_per_day: 7\n";
    let policy = Policy::parse(text).unwrap();
    let of = |tenant| policy.quota_of(tenant).map(|q| (q.requests_per_minute, q.tokens_per_day));
    assert_eq!(of("a"), Some((None, Some(7))));
    assert_eq!(of("b"), Some((Some(5), None)));
    assert!(Policy::built_in().quota_of("a").is_none());
    let bound = "requests_per_minute: 1";
    one(&format!("quotas:\n  - {{{bound}}}\n  - {{{bound}}}"), "3:5", "second one", "all other");
    one(
        &format!("quotas:\n  - {{tenants: [a], {bound}}}\n  - {{tenants: [b, a], {bound}}}"),
        "3:19",
        "names `a` a second time",
        "one quota",
    );
    one("quotas:\n  - tenants: [a]", "2:5", "bounds nothing", "tokens_per_day");
    one("quotas: [{requests_per_minute: 0}]", "1:32", "is 0", "from 1");
}

#[test]
fn mistakes_in_approved_servers_have_their_place() {
    let with =
        |more: &str| format!("upstreams:\n  - name: s\n    url: http://127.0.0.1:1/v1\n    {more}");
    one(&with("retries: 1\n"), "2:5", "has no `model`", "name, url and model");
    let with = |more: &str| with(&format!("model: m\n    {more}\n"));
    assert!(Policy::parse(&with("retries: 1")).is_ok());
    one(&with("retry: 1"), "5:5", "unknown key `retry`", "retries");
    one(&with("privacy: keep"), "5:14", "is `keep`", "personal");
    one(&with("budget: {cost_per_day: 3}"), "5:28", "but no price", "cost_per_million");
    one(&with("budget: {cost_per_day: much}"), "5:28", "must be a number", "2.50");
    one(&with("breaker: {failures: 0}"), "5:25", "is 0", "from 1");
    one(&with("data_class_max: {personal: [shoe_size]}"), "5:33", "shoe_size", "allowed");
    one(&with("region: us"), "2:5", "the server is in `us`", "change `logging.prompts`");
    let to = |to: &str| {
        format!(
            "{}routing: {{escalate_on: [user_request], escalate_to: {{{to}}}}}\n",
            with("retries: 0")
        )
    };
    assert!(Policy::parse(&to("user_request: s, policy: queue")).is_ok());
    one(&to("user_request: t"), "6:68", "names `t`, which is no upstream", "(s)");
    one(&to("complex_reasoning: s"), "6:73", "is not escalated", "escalate_on");
}
