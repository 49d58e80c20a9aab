//! Tables of decisions, and what holds for all of them.

use super::*;
use crate::classify::observe;
use crate::facts::{CalibrationFacts, WorkFacts};
use crate::office::{OfficeFacts, RoutedBy};
use crate::tools::WorkName;
use proptest::prelude::*;

const EXAMPLE_FILE: &str = "\
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

fn policy(text: &str) -> Policy {
    Policy::parse(text).unwrap()
}

fn question(text: &str) -> Facts {
    Facts { request: observe(&Policy::built_in(), text, "und"), ..Facts::default() }
}

fn with_evidence(mut facts: Facts, confidence: f64) -> Facts {
    facts.evidence = Some(EvidenceFacts::new(confidence, 3, 2, 9.0));
    facts
}

fn with_answer(mut facts: Facts) -> Facts {
    facts.answer = Some(AnswerFacts {
        mode: "generate".into(),
        sentences: 3,
        supported: 2,
        cited: true,
        ..AnswerFacts::default()
    });
    facts
}

/// Outcome and ids of the rules that fired.
fn decided(policy: &Policy, facts: &Facts) -> (Outcome, Vec<String>) {
    let decision = decide(policy, facts);
    let ids = decision.rules.into_iter().map(|fired| fired.id).collect();
    (decision.outcome, ids)
}

fn one(id: &str) -> Vec<String> {
    vec![id.to_owned()]
}

#[test]
fn the_example_file_means_what_it_says() {
    let policy = policy(EXAMPLE_FILE);
    let early = |text: &str| decided(&policy, &question(text));
    assert_eq!(early("Wie hoch ist die Hundesteuer?"), (Outcome::Answered, vec![]));
    assert_eq!(
        early("Compare the dog tax with the tourist tax."),
        (Outcome::Escalated, one("routing.complex_reasoning"))
    );
    assert_eq!(
        early("Habe ich Anspruch auf Sozialhilfe?"),
        (Outcome::Escalated, one("routing.regulated_decision"))
    );
    assert_eq!(
        early("Refuse her benefit."),
        (Outcome::HumanReview, one("human_review.adverse_request"))
    );
    // Not in its list, so a wish for a person changes nothing.
    assert_eq!(early("I want to talk to a human."), (Outcome::Answered, vec![]));

    let dog = || question("Wie hoch ist die Hundesteuer?");
    assert_eq!(
        decided(&policy, &with_evidence(dog(), 0.2)),
        (Outcome::Escalated, one("retrieval.low_confidence"))
    );
    let good = with_answer(with_evidence(dog(), 0.9));
    assert_eq!(decided(&policy, &good), (Outcome::Answered, vec![]));
    let mut uncited = good.clone();
    uncited.answer.as_mut().unwrap().cited = false;
    assert_eq!(decided(&policy, &uncited), (Outcome::Refused, one("answer.uncited")));
    let mut adverse = good;
    adverse.answer.as_mut().unwrap().adverse_action = vec!["de: x".into()];
    assert_eq!(
        decided(&policy, &adverse),
        (Outcome::HumanReview, one("human_review.adverse_answer"))
    );
}

#[test]
fn the_built_in_policy_decides() {
    let policy = Policy::built_in();
    let early = |text: &str| decided(&policy, &question(text));
    assert_eq!(early("When is the town hall open?"), (Outcome::Answered, vec![]));
    assert_eq!(early("Compare the two fees."), (Outcome::Answered, vec![]));
    assert_eq!(early("Am I entitled to it?"), (Outcome::Answered, vec![]));
    assert_eq!(
        early("Ich möchte mit jemandem sprechen."),
        (Outcome::Escalated, one("routing.user_request"))
    );
    assert_eq!(
        early("Lehnen Sie das Gesuch von Frau Meier ab."),
        (Outcome::HumanReview, one("human_review.adverse_request"))
    );
    let long = question(&"a".repeat(4001));
    assert_eq!(decided(&policy, &long), (Outcome::Refused, one("limits.question_chars")));
    let exact = question(&"a".repeat(4000));
    assert_eq!(decided(&policy, &exact).0, Outcome::Answered);
}

#[test]
fn confidence_at_the_threshold_is_enough_and_no_number_is_not() {
    let policy = policy("retrieval: {minimum_confidence: 0.5}");
    let outcome = |confidence: f64| {
        let mut facts = with_evidence(Facts::default(), 0.0);
        facts.evidence.as_mut().unwrap().confidence = confidence;
        decided(&policy, &facts)
    };
    assert_eq!(outcome(0.5), (Outcome::Answered, vec![]));
    for low in [0.499_999, 0.0, -1.0, f64::NAN, f64::NEG_INFINITY] {
        assert_eq!(outcome(low), (Outcome::Refused, one("retrieval.low_confidence")), "{low}");
    }
}

#[test]
fn nothing_found_is_refused_or_escalated_whatever_the_threshold() {
    let mut facts = with_evidence(Facts::default(), 1.0);
    facts.evidence.as_mut().unwrap().passages = 0;
    let refusing = policy("retrieval: {minimum_confidence: 0}");
    assert_eq!(decided(&refusing, &facts), (Outcome::Refused, one("retrieval.nothing_found")));
    let escalating = policy("routing: {escalate_on: [low_retrieval_confidence]}");
    assert_eq!(decided(&escalating, &facts).0, Outcome::Escalated);
}

#[test]
fn refusing_wins_over_review_over_escalating() {
    let text = "routing: {escalate_on: [regulated_decision], refuse_on: [complex_reasoning]}";
    let mut facts = Facts::default();
    facts.request.regulated_decision = vec!["x".into()];
    assert_eq!(decided(&policy(text), &facts).0, Outcome::Escalated);
    facts.request.adverse_action = vec!["x".into()];
    assert_eq!(
        decided(&policy(text), &facts),
        (
            Outcome::HumanReview,
            vec!["human_review.adverse_request".into(), "routing.regulated_decision".into()]
        )
    );
    facts.request.complex_reasoning = vec!["x".into()];
    let (outcome, rules) = decided(&policy(text), &facts);
    assert_eq!(outcome, Outcome::Refused);
    assert_eq!(rules[0], "routing.complex_reasoning", "the rule that decided comes first");
    assert_eq!(rules.len(), 3, "and the others are still named");
}

/// That the documents are silent does not keep a question from the person whom it asks for, nor
/// from the one who must decide it; what is forbidden is kept from both.
#[test]
fn a_wish_for_a_person_is_heard_when_nothing_is_found() {
    let built_in = Policy::built_in();
    let person = || question("I want to speak to a person about the library fees");
    let act = || question("Lehnen Sie das Gesuch von Frau Meier ab.");
    for confidence in [0.0, 0.2] {
        assert_eq!(
            decided(&built_in, &with_evidence(person(), confidence)),
            (
                Outcome::Escalated,
                vec!["routing.user_request".into(), "retrieval.low_confidence".into()]
            )
        );
        let reviewed = decided(&built_in, &with_evidence(act(), confidence));
        assert_eq!(reviewed.0, Outcome::HumanReview);
    }
    let mut empty = with_answer(with_evidence(person(), 0.9));
    empty.answer = Some(AnswerFacts { mode: "quote".into(), ..AnswerFacts::default() });
    assert_eq!(
        decided(&built_in, &empty),
        (Outcome::Escalated, vec!["routing.user_request".into(), "answer.empty".into()])
    );
    let mut found = with_evidence(act(), 0.9);
    found.evidence.as_mut().unwrap().passages = 0;
    assert_eq!(decided(&built_in, &found).0, Outcome::HumanReview);
    let forbidding = policy("routing: {escalate_on: [user_request], refuse_on: [adverse_action]}");
    let both = question("Refuse her benefit. I want to talk to a human.");
    assert_eq!(decided(&forbidding, &with_evidence(both, 0.2)).0, Outcome::Refused);
}

/// A person reviews answers; where there is none, asking for one would only fill the queue.
#[test]
fn an_answer_that_cannot_be_given_is_not_reviewed() {
    let all = policy("logging: {human_review: required_for_all}");
    let mut facts = with_answer(with_evidence(Facts::default(), 0.9));
    let answer = facts.answer.as_mut().unwrap();
    (answer.supported, answer.cited) = (0, false);
    assert_eq!(decided(&all, &facts), (Outcome::Refused, one("answer.unsupported")));
}

#[test]
fn human_review_as_the_policy_wants_it() {
    let answered = with_answer(with_evidence(Facts::default(), 0.9));
    let all = policy("logging: {human_review: required_for_all}");
    assert_eq!(decided(&all, &answered), (Outcome::HumanReview, one("human_review.all")));
    assert_eq!(decided(&all, &Facts::default()).0, Outcome::Answered, "no answer to review yet");
    let none = policy("logging: {human_review: not_required}");
    let mut adverse = answered;
    adverse.request.adverse_action = vec!["x".into()];
    adverse.answer.as_mut().unwrap().adverse_action = vec!["x".into()];
    assert_eq!(decided(&none, &adverse), (Outcome::Answered, vec![]));
}

#[test]
fn an_answer_with_nothing_behind_it_is_refused() {
    let policy = policy("logging: {citations: optional}");
    let mut facts = with_answer(with_evidence(Facts::default(), 0.9));
    facts.answer.as_mut().unwrap().supported = 0;
    assert_eq!(decided(&policy, &facts), (Outcome::Refused, one("answer.unsupported")));
    facts.answer.as_mut().unwrap().sentences = 0;
    assert_eq!(decided(&policy, &facts), (Outcome::Refused, one("answer.empty")));
}

#[test]
fn plain_chat_answers_only_what_needs_no_documents() {
    let mut chat = with_answer(question("Write a haiku about the sea"));
    chat.answer.as_mut().unwrap().cited = false;
    chat.answer.as_mut().unwrap().supported = 0;
    let built_in = Policy::built_in();
    assert_eq!(decided(&built_in, &chat), (Outcome::Answered, vec![]));
    let strict = policy("logging: {citations: required}");
    assert_eq!(decided(&strict, &chat), (Outcome::Refused, one("answer.uncited")));
    chat.request = question("What is the dog tax?").request;
    assert_eq!(decided(&built_in, &chat), (Outcome::Refused, one("retrieval.required")));
    let free =
        policy("retrieval: {required_for_policy_answers: false}\nlogging: {citations: optional}");
    assert_eq!(decided(&free, &chat), (Outcome::Answered, vec![]));
}

#[test]
fn own_rules_fire_when_every_condition_holds() {
    let policy = policy(
        "rules:
  - id: asylum-fr
    when: {language: fr, contains_any: [asile]}
    then: escalate
    because: asylum questions in French go to the canton
  - id: internal
    when: {label: [confidential, secret]}
    then: human_review
    because: internal papers are checked first
  - id: rights
    when: {signal: [policy_question, adverse_action], language: [de, fr]}
    then: refuse
    because: not yet
",
    );
    let ask = |text: &str, language: &str| Facts {
        request: observe(&policy, text, language),
        ..Facts::default()
    };
    assert_eq!(
        decided(&policy, &ask("l'asile", "fr")),
        (Outcome::Escalated, one("rules.asylum-fr"))
    );
    assert_eq!(decided(&policy, &ask("l'asile", "it")), (Outcome::Answered, vec![]));
    assert_eq!(decided(&policy, &ask("bonjour", "fr")), (Outcome::Answered, vec![]));
    let mut labelled = with_evidence(ask("hello", "en"), 0.9);
    assert_eq!(decided(&policy, &labelled), (Outcome::Answered, vec![]));
    labelled.evidence.as_mut().unwrap().labels = vec!["secret".into()];
    assert_eq!(decided(&policy, &labelled), (Outcome::HumanReview, one("rules.internal")));
    assert_eq!(
        decided(&policy, &ask("Was kostet es?", "de")),
        (Outcome::Refused, one("rules.rights"))
    );
    let fired = decide(&policy, &ask("l'asile", "fr")).rules.remove(0);
    assert_eq!(fired.because, "asylum questions in French go to the canton");
}

#[test]
fn stages_are_named_and_words_are_stable() {
    let policy = Policy::built_in();
    let stage = |facts: &Facts| decide(&policy, facts).stage;
    assert_eq!(stage(&Facts::default()), Stage::Request);
    assert_eq!(stage(&with_evidence(Facts::default(), 1.0)), Stage::Evidence);
    assert_eq!(stage(&with_answer(Facts::default())), Stage::Answer);
    for outcome in [Outcome::Answered, Outcome::Refused, Outcome::Escalated, Outcome::HumanReview] {
        let json = serde_json::to_string(&outcome).unwrap();
        assert_eq!(json, format!("\"{}\"", outcome.word()));
    }
}

/// Policies that differ in everything that a decision reads.
fn policies() -> impl Strategy<Value = Policy> {
    let lists =
        ["", "complex_reasoning", "regulated_decision, user_request", "low_retrieval_confidence"];
    let more = ["", "adverse_action"];
    let review = ["not_required", "required_for_all", "required_for_adverse_actions"];
    let rules = [
        "[]",
        "[{id: a, when: {language: de}, then: escalate, because: b}]",
        "[{id: a, when: {label: secret}, then: human_review, because: b}, \
          {id: c, when: {signal: user_request}, then: refuse, because: d}]",
    ];
    (0..4usize, 0..2usize, 0..3usize, 0..3usize, 1..=100u32, any::<bool>()).prop_map(
        move |(escalate, refuse, reviewed, own, percent, flag)| {
            let confidence = f64::from(percent) / 100.0;
            policy(&format!(
                "retrieval:
  minimum_confidence: {confidence}
  required_for_policy_answers: {flag}
routing: {{escalate_on: [{}], refuse_on: [{}]}}
logging: {{human_review: {}, citations: {}}}
limits: {{question_chars_max: {}}}
rules: {}
",
                lists[escalate],
                more[refuse],
                review[reviewed],
                if flag { "required" } else { "optional" },
                percent * 10,
                rules[own],
            ))
        },
    )
}

fn signals() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[a-z]{1,4}", 0..2)
}

fn requests() -> impl Strategy<Value = RequestFacts> {
    (
        0..2000u32,
        "de|fr|und|",
        signals(),
        signals(),
        signals(),
        any::<(bool, bool)>(),
        proptest::collection::vec("a|c", 0..2),
    )
        .prop_map(|(chars, language, complex, regulated, adverse, flags, rules)| {
            RequestFacts {
                question_chars: chars,
                language,
                complex_reasoning: complex,
                complexity: flags.0.then_some((chars % 1001) as u16),
                regulated_decision: regulated,
                adverse_action: adverse,
                policy_question: flags.0,
                user_wants_person: flags.1,
                matched_rules: rules,
                work: None,
            }
        })
}

fn evidences() -> impl Strategy<Value = EvidenceFacts> {
    (any::<f64>(), 0.0..1.0f64, any::<bool>(), 0..3u32, proptest::collection::vec("secret|x", 0..2))
        .prop_map(|(wild, tame, is_wild, passages, labels)| {
            let mut facts = EvidenceFacts::new(tame, passages, passages, 20.0 * tame);
            if is_wild {
                facts.confidence = wild;
            }
            EvidenceFacts { labels, ..facts }
        })
}

fn answers() -> impl Strategy<Value = AnswerFacts> {
    ("quote|none|[a-z]{0,3}", 0..4u32, 0..4u32, any::<bool>(), signals()).prop_map(
        |(mode, sentences, supported, cited, adverse_action)| AnswerFacts {
            mode,
            sentences,
            supported,
            cited,
            adverse_action,
            ..AnswerFacts::default()
        },
    )
}

proptest! {
    #[test]
    fn later_stages_are_never_milder_and_forget_no_rule(
        policy in policies(), request in requests(), evidence in evidences(), answer in answers(),
    ) {
        let mut facts = Facts { request, ..Facts::default() };
        let mut earlier = decide(&policy, &facts);
        facts.evidence = Some(evidence);
        let evidence_decision = decide(&policy, &facts);
        facts.answer = Some(answer);
        for later in [evidence_decision, decide(&policy, &facts)] {
            prop_assert!(later.outcome.severity() >= earlier.outcome.severity());
            prop_assert!(earlier.rules.iter().all(|rule| later.rules.contains(rule)));
            prop_assert!(later.stage > earlier.stage);
            earlier = later;
        }
    }

    #[test]
    fn the_same_input_gives_the_same_decision_for_ever(
        policy in policies(), request in requests(), evidence in proptest::option::of(evidences()),
        answer in proptest::option::of(answers()),
    ) {
        let facts = Facts { request, evidence, answer, ..Facts::default() };
        let decision = decide(&policy, &facts);
        prop_assert_eq!(&decision, &decide(&policy.clone(), &facts.clone()));
        // From what a receipt and the stored policy text say, too.
        let confidence = facts.evidence.as_ref().map_or(0.0, |evidence| evidence.confidence);
        if (0.0..1.0).contains(&confidence) {
            let json = serde_json::to_string(&facts).unwrap();
            let recorded: Facts = serde_json::from_str(&json).unwrap();
            let reread = Policy::parse(policy.text()).unwrap();
            prop_assert_eq!(&decision, &decide(&reread, &recorded));
        }
        prop_assert_eq!(decision.rules.is_empty(), decision.outcome == Outcome::Answered);
    }

    #[test]
    fn what_decides_on_a_person_never_goes_out_without_one(
        policy in policies(), request in requests(), evidence in proptest::option::of(evidences()),
        answer in proptest::option::of(answers()), which in 0..3,
    ) {
        let office = OfficeFacts {
            office: Some("building".into()),
            by: RoutedBy::Words,
            probability: 0.9,
            decides_on_persons: which == 1,
        };
        let (name, affects_person) = match which {
            0 => (WorkName::Letter, true),
            _ => (WorkName::Classify, false),
        };
        let office = Some(office);
        let work = Some(WorkFacts { affects_person, office, ..WorkFacts::of(name) });
        let decides = which < 2
            || !request.adverse_action.is_empty()
            || !request.regulated_decision.is_empty();
        let request = RequestFacts { work, ..request };
        let facts = Facts { request, evidence, answer, ..Facts::default() };
        let outcome = decide(&policy, &facts).outcome;
        prop_assert!(!decides || matches!(outcome, Outcome::HumanReview | Outcome::Refused));
    }

    #[test]
    fn every_text_is_classified(question in any::<String>(), language in any::<String>()) {
        let facts = observe(&Policy::built_in(), &question, &language);
        prop_assert_eq!(&facts, &observe(&Policy::built_in(), &question, &language));
        prop_assert_eq!(facts.question_chars as usize, question.chars().count());
    }
}

#[test]
fn a_score_must_keep_to_the_rate_of_wrong_answers() {
    let rated = policy("name: x\nanswers:\n  max_error: 0.05\n");
    let asked = with_evidence(question("Wann ist das Bad offen?"), 0.1);
    let judged = |score: f64, least_score: Option<f64>| {
        let mut facts = asked.clone();
        let calibrated = CalibrationFacts {
            score,
            probability: 0.9,
            least_score,
            calibration: "sha256:0".into(),
            built_in: true,
        };
        facts.evidence.as_mut().unwrap().calibrated = Some(calibrated);
        decided(&rated, &facts)
    };
    let refused = (Outcome::Refused, one("answers.max_error"));
    assert_eq!(judged(2.0, Some(1.5)).0, Outcome::Answered);
    assert_eq!(judged(1.5, Some(1.5)).0, Outcome::Answered);
    assert_eq!(judged(1.0, Some(1.5)), refused);
    assert_eq!(judged(f64::NAN, Some(1.5)), refused);
    assert_eq!(judged(9.0, None), refused);
    assert_eq!(decided(&rated, &asked), refused);
    let routing = "routing:\n  escalate_on: [low_retrieval_confidence]\n";
    let routed = policy(&format!("answers:\n  max_error: 0.05\n{routing}"));
    assert_eq!(decided(&routed, &asked).0, Outcome::Escalated);
}

#[test]
fn the_classifier_is_believed_from_the_minimum_on_and_patterns_whatever_it_says() {
    let decided = |more: &str, complexity: Option<u16>, patterns: &[&str]| {
        let text = format!("routing: {{escalate_on: [complex_reasoning]{more}}}\n");
        let policy = Policy::parse(&text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let complex_reasoning = patterns.iter().map(ToString::to_string).collect();
        let request = RequestFacts { complexity, complex_reasoning, ..RequestFacts::default() };
        decide(&policy, &Facts { request, ..Facts::default() }).outcome
    };
    assert_eq!(decided("", Some(900), &[]), Outcome::Escalated);
    assert_eq!(decided("", Some(899), &[]), Outcome::Answered);
    assert_eq!(decided(", minimum_complexity: 0.5", Some(500), &[]), Outcome::Escalated);
    assert_eq!(decided(", minimum_complexity: 1", Some(999), &[]), Outcome::Answered);
    assert_eq!(decided(", minimum_complexity: 1", Some(0), &["compare"]), Outcome::Escalated);
    // Receipts from before there was a classifier.
    assert_eq!(decided("", None, &[]), Outcome::Answered);
    assert_eq!(decided("", None, &["compare"]), Outcome::Escalated);
    assert!(Policy::parse("routing: {minimum_complexity: 1.5}\n").is_err());
}
