//! A table of cases: what a policy should decide, said by whoever writes the policy.

use crate::classify::observe;
use crate::facts::{AnswerFacts, EvidenceFacts, Facts};
use crate::policy::Policy;
use crate::route::RouteFacts;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What is wrong with a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotCases(pub String);

/// A table of cases.
#[derive(Debug, Clone, PartialEq)]
pub struct Cases(pub Vec<Case>);

/// One case.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What it is called.
    pub name: String,
    /// Whether documents are asked or the model itself.
    pub kind: CaseKind,
    question: Option<String>,
    facts: Value,
    /// What should come of it.
    pub expect: Expect,
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseKind {
    /// The documents.
    #[default]
    Ask,
    /// The model itself, without documents.
    Chat,
}

/// What should come of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The outcome.
    pub outcome: crate::decide::Outcome,
    /// The rule that decides: the first of those that fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// All rules that fire, in their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    cases: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    #[serde(default)]
    kind: CaseKind,
    question: Option<String>,
    #[serde(default)]
    facts: Value,
    expect: Expect,
}

impl Cases {
    /// Reads a table: YAML with the key `cases`.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &str) -> Result<Cases, NotCases> {
        let table: Table =
            serde_saphyr::from_str(text).map_err(|error| NotCases(error.to_string()))?;
        if table.cases.is_empty() {
            return Err(NotCases("`cases` is empty".into()));
        }
        let cases = table.cases.into_iter().map(|row| {
            let Row { name, kind, question, facts, expect } = row;
            let case = Case { name, kind, question, facts, expect };
            case.laid_over(&Facts::default())?;
            Ok(case)
        });
        cases.collect::<Result<Vec<Case>, NotCases>>().map(Cases)
    }
}

impl Case {
    /// The facts of the case: what the policy finds in its question, if it has one, and over that
    /// the facts that it gives. `language` tells the language of a text.
    ///
    /// # Errors
    /// If a fact is given that there is not.
    pub fn facts(
        &self,
        policy: &Policy,
        language: impl Fn(&str) -> String,
    ) -> Result<Facts, NotCases> {
        let mut facts = Facts::default();
        if let Some(question) = &self.question {
            let given = self.facts["request"]["language"].as_str().map(str::to_owned);
            let language = given.unwrap_or_else(|| language(question));
            facts.request = observe(policy, question, &language);
        }
        self.laid_over(&facts)
    }

    fn laid_over(&self, facts: &Facts) -> Result<Facts, NotCases> {
        let wrong = |what: String| NotCases(format!("case `{}`: {what}", self.name));
        let mut value = serde_json::to_value(facts).expect("facts are plain data");
        let given = match &self.facts {
            Value::Null => &Map::new(),
            Value::Object(given) => given,
            _ => return Err(wrong("`facts` is no group".into())),
        };
        for (name, own) in given {
            let base = match name.as_str() {
                "request" => value["request"].take(),
                "evidence" => serde_json::to_value(EvidenceFacts::default()).expect("plain data"),
                "answer" => serde_json::to_value(AnswerFacts::default()).expect("plain data"),
                "route" => usual_route(),
                other => return Err(wrong(format!("`facts.{other}` is no fact"))),
            };
            value[name] = laid(base, own, name).map_err(wrong)?;
        }
        serde_json::from_value(value).map_err(|error| wrong(error.to_string()))
    }
}

/// A route with every fact, so that each can be given.
fn usual_route() -> Value {
    let mut route = serde_json::to_value(RouteFacts::default()).expect("plain data");
    for (name, empty) in [
        ("hidden", Value::Object(Map::new())),
        ("blocked", Value::Array(Vec::new())),
        ("attempts", Value::Array(Vec::new())),
    ] {
        route[name] = empty;
    }
    route
}

/// A group of facts with what is given in place of what is usual.
fn laid(mut base: Value, own: &Value, name: &str) -> Result<Value, String> {
    let own = own.as_object().ok_or_else(|| format!("`facts.{name}` is no group"))?;
    for (key, value) in own {
        if base.get(key).is_none() && key != "calibrated" {
            let known: Vec<&str> =
                base.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
            return Err(format!("`facts.{name}.{key}` is no fact; there are {}", known.join(", ")));
        }
        base[key] = value.clone();
    }
    Ok(base)
}

impl Expect {
    /// How a decision differs from what is expected, in words; `None` if it does not.
    #[must_use]
    pub fn differs(&self, outcome: crate::decide::Outcome, rules: &[&str]) -> Option<String> {
        let listed = |rules: &[&str]| match rules.is_empty() {
            true => "none".to_owned(),
            false => rules.join(", "),
        };
        let wanted: Option<Vec<&str>> =
            self.rules.as_ref().map(|rules| rules.iter().map(String::as_str).collect());
        let first = rules.first().copied();
        let other_rule = self.rule.is_some() && self.rule.as_deref() != first;
        let other_rules = wanted.as_ref().is_some_and(|wanted| wanted != rules);
        if self.outcome == outcome && !other_rule && !other_rules {
            return None;
        }
        let rule = self.rule.as_deref().map(|rule| format!(" by {rule}")).unwrap_or_default();
        let all = wanted.map(|rules| format!(" (rules: {})", listed(&rules))).unwrap_or_default();
        Some(format!(
            "  - expected {}{rule}{all}\n  + decided  {} (rules: {})",
            self.outcome.word(),
            outcome.word(),
            listed(rules),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{Outcome, decide};

    const TABLE: &str = "
cases:
  - name: a person is asked for
    question: Bitte verbinden Sie mich mit einem Mitarbeiter.
    expect: {outcome: escalated, rule: routing.user_request}
  - name: too little is found
    facts:
      request: {language: de}
      evidence: {confidence: 0.2, passages: 3, documents: 1}
    expect: {outcome: escalated, rules: [retrieval.low_confidence]}
  - name: this is wrong
    facts: {evidence: {confidence: 0.9, passages: 3}}
    expect: {outcome: refused, rule: answer.empty}
";

    #[test]
    fn cases_are_decided_and_what_differs_is_shown() {
        let policy =
            Policy::parse("routing: {escalate_on: [user_request, low_retrieval_confidence]}\n")
                .unwrap();
        let cases = Cases::parse(TABLE).unwrap();
        let decided = |case: &Case| {
            let decision = decide(&policy, &case.facts(&policy, |_| "de".into()).unwrap());
            let rules: Vec<&str> = decision.rules.iter().map(|rule| rule.id.as_str()).collect();
            case.expect.differs(decision.outcome, &rules)
        };
        assert_eq!(decided(&cases.0[0]), None);
        assert_eq!(decided(&cases.0[1]), None);
        let shown = decided(&cases.0[2]).unwrap();
        assert_eq!(
            shown,
            "  - expected refused by answer.empty\n  + decided  answered (rules: none)"
        );
        assert_eq!(cases.0[1].expect.outcome, Outcome::Escalated);
    }

    #[test]
    fn what_is_no_fact_is_named() {
        let with = |facts: &str| {
            let text =
                format!("cases: [{{name: x, facts: {facts}, expect: {{outcome: answered}}}}]");
            Cases::parse(&text).unwrap_err().to_string()
        };
        assert!(
            with("{evidence: {confidance: 1}}").contains("`facts.evidence.confidance` is no fact")
        );
        assert!(with("{proof: {}}").contains("`facts.proof` is no fact"));
        assert!(with("{evidence: {passages: many}}").contains("case `x`"));
        assert!(Cases::parse("cases: []").is_err());
        assert!(Cases::parse("cases: [{name: x, expect: {outcome: maybe}}]").is_err());
    }
}
