//! Where escalated questions go, from a policy and facts.

use super::*;
use crate::decide::{Outcome, decide, destination};
use crate::facts::{AnswerFacts, EvidenceFacts, RequestFacts};
use crate::policy::{Personal, Policy};
use proptest::prelude::*;

const POLICY: &str = "\
routing:
  escalate_on: [complex_reasoning, low_retrieval_confidence, regulated_decision, user_request]
  escalate_to:
    complex_reasoning: strong
    low_retrieval_confidence: strong
    regulated_decision: other
    policy: strong
rules:
  - {id: asylum, when: {contains_any: [asyl]}, then: escalate, because: a matter of the canton}
upstreams:
  - name: strong
    url: http://127.0.0.1:9000/v1
    model: big
    data_class_max: {labels: [internal], personal: [date]}
    budget:
      tokens_per_day: 1000
      cost_per_day: 2.5
      cost_per_million_prompt_tokens: 500
      cost_per_million_completion_tokens: 1500
      currency: CHF
  - {name: other, url: 'http://127.0.0.1:9001/v1', model: m, privacy: block}
";

fn policy() -> Policy {
    Policy::parse(POLICY).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn complex() -> Facts {
    let request =
        RequestFacts { complex_reasoning: vec!["compares".into()], ..RequestFacts::default() };
    Facts { request, evidence: Some(EvidenceFacts::new(0.9, 3, 2, 9.0)), ..Facts::default() }
}

fn routed(facts: Facts, route: RouteFacts) -> Facts {
    Facts { route: Some(RouteFacts { upstream: "strong".into(), ..route }), ..facts }
}

fn answered(facts: Facts, supported: u32) -> Facts {
    let attempts = vec![AttemptFacts { end: AttemptEnd::Answered, waited_ms: 0 }];
    let answer = AnswerFacts {
        mode: "upstream".into(),
        sentences: 2,
        supported,
        cited: supported > 0,
        ..AnswerFacts::default()
    };
    Facts {
        answer: Some(answer),
        ..routed(facts, RouteFacts { attempts, ..RouteFacts::default() })
    }
}

fn rules(facts: &Facts) -> (Outcome, Vec<String>) {
    let decision = decide(&policy(), facts);
    (decision.outcome, decision.rules.into_iter().map(|rule| rule.id).collect())
}

#[test]
fn a_reason_sends_a_question_to_its_server() {
    let policy = policy();
    let to = |facts: &Facts| destination(&policy, facts).map(|to| to.name.as_str());
    assert_eq!(to(&complex()), Some("strong"));
    let mut low = complex();
    low.evidence = Some(EvidenceFacts::new(0.1, 3, 2, 9.0));
    assert_eq!(to(&low), Some("strong"), "two reasons, one server");
    let mut two = complex();
    two.request.regulated_decision = vec!["am_i_entitled".into()];
    assert_eq!(to(&two), None, "two servers: a person");
    let mut person = complex();
    person.request.user_wants_person = true;
    assert_eq!(to(&person), None, "one of the reasons goes to the queue");
    let mut own = complex();
    own.request.matched_rules = vec!["asylum".into()];
    assert_eq!(to(&own), Some("strong"));
    let mut adverse = complex();
    adverse.request.adverse_action = vec!["deny".into()];
    assert_eq!(to(&adverse), None, "human review goes before");
    assert_eq!(to(&Facts::default()), None, "nothing is escalated");
}

#[test]
fn nothing_is_settled_before_the_server_is_looked_at() {
    assert_eq!(rules(&complex()), (Outcome::Escalated, vec!["routing.complex_reasoning".into()]));
    let ready = routed(complex(), RouteFacts::default());
    assert_eq!(rules(&ready).0, Outcome::Answered, "it may be sent");
    let another = RouteFacts { upstream: "other".into(), ..RouteFacts::default() };
    let another = Facts { route: Some(another), ..complex() };
    assert_eq!(rules(&another).0, Outcome::Escalated, "facts of another server settle nothing");
}

#[test]
fn what_the_server_answers_is_answered_and_says_so() {
    let facts = answered(complex(), 2);
    let decision = decide(&policy(), &facts);
    assert_eq!(decision.outcome, Outcome::Answered);
    assert_eq!(decision.rules[0].id, "routing.complex_reasoning");
    assert!(decision.rules[0].because.ends_with("the upstream `strong` answers it"));
    let mut adverse = facts;
    adverse.answer.as_mut().unwrap().adverse_action = vec!["denied".into()];
    assert_eq!(rules(&adverse).0, Outcome::HumanReview);
}

#[test]
fn whatever_stands_against_it_keeps_it_with_the_queue() {
    let escalated = |facts: Facts, rule: &str| {
        let found = rules(&facts);
        assert_eq!(found.0, Outcome::Escalated, "{rule}: {found:?}");
        assert!(found.1.contains(&rule.to_owned()), "{rule}: {found:?}");
    };
    let mut labelled = complex();
    labelled.evidence.as_mut().unwrap().labels = vec!["internal".into()];
    assert_eq!(rules(&answered(labelled.clone(), 2)).0, Outcome::Answered);
    labelled.evidence.as_mut().unwrap().labels.push("secret".into());
    escalated(answered(labelled, 2), "upstreams.label");
    let mut nothing = complex();
    nothing.evidence = Some(EvidenceFacts::default());
    escalated(routed(nothing, RouteFacts::default()), "upstreams.no_evidence");
    let blocked = RouteFacts { blocked: ["ahv".to_owned()].into(), ..RouteFacts::default() };
    escalated(routed(complex(), blocked), "upstreams.personal_data");
    let spent = RouteFacts { spent_tokens: 900, asked_tokens: 101, ..RouteFacts::default() };
    escalated(routed(complex(), spent.clone()), "upstreams.budget");
    let left = RouteFacts { asked_tokens: 100, ..spent };
    assert_eq!(rules(&routed(complex(), left)).0, Outcome::Answered);
    let dear = RouteFacts { spent_cost: 2_500_000, asked_cost: 1, ..RouteFacts::default() };
    escalated(routed(complex(), dear), "upstreams.budget");
    let alone = RouteFacts { breaker_open: true, ..RouteFacts::default() };
    escalated(routed(complex(), alone), "upstreams.breaker");
    for end in
        [AttemptEnd::NoConnection, AttemptEnd::TurnedAway, AttemptEnd::Failed, AttemptEnd::Unfit]
    {
        let attempts = vec![AttemptFacts { end, waited_ms: 3 }];
        let failed = RouteFacts { attempts, ..RouteFacts::default() };
        escalated(routed(complex(), failed), "upstreams.failed");
    }
    escalated(answered(complex(), 0), "upstreams.unsupported");
}

#[test]
fn evidence_that_is_refused_is_no_evidence_for_a_server() {
    let strict = POLICY
        .replace("low_retrieval_confidence, ", "")
        .replace("    low_retrieval_confidence: strong\n", "");
    let policy = Policy::parse(&strict).unwrap();
    let mut low = complex();
    low.evidence = Some(EvidenceFacts::new(0.1, 3, 2, 9.0));
    let decision = decide(&policy, &routed(low, RouteFacts::default()));
    assert_eq!(decision.outcome, Outcome::Escalated);
    assert!(decision.rules.iter().any(|rule| rule.id == "upstreams.no_evidence"));
}

#[test]
fn the_stricter_word_on_personal_data_holds() {
    let with = |all: &str, own: &str| {
        let text = format!("{POLICY}privacy: {{upstream: {all}}}\n")
            .replace("model: big", &format!("model: big\n    privacy: {own}"));
        let policy = Policy::parse(&text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        policy.personal_at(&policy.upstreams[0])
    };
    assert_eq!(with("keep", "pseudonymise"), Personal::Pseudonymise);
    assert_eq!(with("redact", "pseudonymise"), Personal::Redact);
    assert_eq!(with("block", "redact"), Personal::Block);
}

fn routes() -> impl Strategy<Value = RouteFacts> {
    let end = prop_oneof![
        Just(AttemptEnd::Answered),
        Just(AttemptEnd::NoConnection),
        Just(AttemptEnd::TurnedAway),
        Just(AttemptEnd::Failed),
        Just(AttemptEnd::Unfit),
    ];
    let attempt = (end, 0..100_u64).prop_map(|(end, waited_ms)| AttemptFacts { end, waited_ms });
    (
        "strong|other|gone",
        proptest::collection::btree_set("ahv|iban", 0..2),
        any::<bool>(),
        [0..2000_u64, 0..2000, 0..4_000_000, 0..10],
        proptest::collection::vec(attempt, 0..3),
    )
        .prop_map(|(upstream, blocked, breaker_open, spent, attempts)| RouteFacts {
            upstream,
            blocked,
            breaker_open,
            spent_tokens: spent[0],
            asked_tokens: spent[1],
            spent_cost: spent[2],
            asked_cost: spent[3],
            attempts,
            ..RouteFacts::default()
        })
}

proptest! {
    /// Whatever is recorded of a route: it answers only what the policy sends to that server and
    /// nothing stands against, and the receipt's facts give the same decision again.
    #[test]
    fn a_route_opens_no_other_door(
        route in routes(), person in any::<bool>(), confidence in 0.0..1.0_f64,
        supported in 0..3_u32,
    ) {
        let mut facts = answered(complex(), supported);
        facts.request.user_wants_person = person;
        facts.evidence = Some(EvidenceFacts::new(confidence, 3, 2, 9.0));
        facts.route = Some(route.clone());
        let decision = decide(&policy(), &facts);
        let open = route.upstream == "strong"
            && !person
            && route.blocked.is_empty()
            && !route.breaker_open
            && route.spent_tokens + route.asked_tokens <= 1000
            && route.spent_cost + route.asked_cost <= 2_500_000
            && (route.attempts.is_empty() || route.is_answered())
            && supported > 0;
        prop_assert_eq!(decision.outcome == Outcome::Answered, open, "{:?}", decision);
        prop_assert!(open || decision.outcome == Outcome::Escalated);
        let json = serde_json::to_string(&facts).unwrap();
        let recorded: Facts = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(decision, decide(&policy(), &recorded));
    }
}
