//! Who a token says is asking, by the claims that the policy names and no other.

use allod_policy::Oidc;
use serde_json::{Map, Value};

use crate::role::{ALL_TENANTS, Role};

/// The tenant of everyone, where no claim names one.
const TENANT: &str = "local";
const NAME_CHARS_MAX: usize = 128;
const SUBJECT_BYTES_MAX: usize = 255;
const LABELS_MAX: usize = 100;

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// Issuer and subject: nobody else has both.
    pub(crate) name: String,
    pub(crate) tenant: String,
    pub(crate) role: Role,
    pub(crate) labels: Vec<String>,
}

/// Why a token whose signature holds says too little, for who sent it.
pub(super) type Lack = String;

impl Person {
    pub(super) fn of(oidc: &Oidc, claims: &Map<String, Value>) -> Result<Person, Lack> {
        let subject = claims.get("sub").and_then(Value::as_str);
        let subject = subject.filter(|subject| (1..=SUBJECT_BYTES_MAX).contains(&subject.len()));
        let subject = subject.ok_or("it names nobody (`sub`)")?;
        Ok(Person {
            name: format!("{} {subject}", oidc.issuer),
            tenant: tenant(oidc, claims)?,
            role: role(oidc, claims)?,
            labels: labels(oidc, claims)?,
        })
    }
}

fn tenant(oidc: &Oidc, claims: &Map<String, Value>) -> Result<String, Lack> {
    let Some(name) = &oidc.tenant_claim else { return Ok(TENANT.into()) };
    let tenant = claim(claims, name).and_then(Value::as_str).filter(|tenant| is_name(tenant));
    // All tenants are not one of them.
    let tenant = tenant.filter(|tenant| *tenant != ALL_TENANTS);
    tenant.map(str::to_owned).ok_or_else(|| format!("it names no tenant in the claim `{name}`"))
}

fn role(oidc: &Oidc, claims: &Map<String, Value>) -> Result<Role, Lack> {
    let Some(name) = &oidc.role_claim else { return Ok(Role::User) };
    let values = texts(claim(claims, name)).unwrap_or_default();
    let held = oidc.roles.iter().find(|(value, _)| values.contains(&value.as_str()));
    let role = held.and_then(|(_, role)| Role::known(role.word()));
    role.ok_or_else(|| format!("the policy gives no role to what its claim `{name}` holds"))
}

fn labels(oidc: &Oidc, claims: &Map<String, Value>) -> Result<Vec<String>, Lack> {
    let Some(name) = &oidc.labels_claim else { return Ok(Vec::new()) };
    let Some(value) = claim(claims, name) else { return Ok(Vec::new()) };
    let labels = texts(Some(value)).filter(|labels| labels.len() <= LABELS_MAX);
    let labels = labels.filter(|labels| labels.iter().all(|label| is_name(label)));
    let labels = labels.ok_or_else(|| format!("its claim `{name}` is no list of labels"))?;
    Ok(labels.into_iter().map(str::to_owned).collect())
}

/// A claim by its name, or by a path of names with dots between.
fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    let mut value = claims.get(first)?;
    for part in rest.split('.') {
        value = value.as_object()?.get(part)?;
    }
    Some(value)
}

/// A text, or a list of nothing but texts.
fn texts(value: Option<&Value>) -> Option<Vec<&str>> {
    match value? {
        Value::String(text) => Some(vec![text.as_str()]),
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

fn is_name(text: &str) -> bool {
    let length = text.chars().count();
    (1..=NAME_CHARS_MAX).contains(&length)
        && text.trim() == text
        && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use allod_policy::Policy;
    use serde_json::json;

    fn oidc(rest: &str) -> Oidc {
        let text = format!("identity: {{oidc: {{issuer: https://i, audience: a{rest}}}}}");
        Policy::parse(&text).unwrap().identity.oidc.clone().unwrap()
    }

    fn person(rest: &str, claims: Value) -> Result<Person, Lack> {
        Person::of(&oidc(rest), claims.as_object().unwrap())
    }

    #[test]
    fn claims_that_the_policy_does_not_name_have_no_effect() {
        let claims = json!({"sub": "7", "tenant": "other", "role": "operator",
                            "roles": ["operator"], "labels": ["confidential"],
                            "groups": ["operator"]});
        let person = person("", claims).unwrap();
        assert_eq!((person.tenant.as_str(), person.role), ("local", Role::User));
        assert!(person.labels.is_empty());
        assert_eq!(person.name, "https://i 7");
    }

    #[test]
    fn the_first_role_of_the_policy_that_a_token_has_counts() {
        let rest = ", role_claim: r.a, roles: {chief: operator, clerk: reviewer}";
        let role = |claim: Value| person(rest, json!({"sub": "7", "r": {"a": claim}}));
        assert_eq!(role(json!(["clerk", "chief"])).unwrap().role, Role::Operator);
        assert_eq!(role(json!("clerk")).unwrap().role, Role::Reviewer);
        for claim in [json!(["operator"]), json!([]), json!(null), json!({"clerk": 1}), json!([1])]
        {
            assert!(role(claim.clone()).unwrap_err().contains("`r.a`"), "{claim}");
        }
    }

    #[test]
    fn who_has_no_tenant_is_nobody() {
        let tenant = |claim: Value| person(", tenant_claim: t", json!({"sub": "7", "t": claim}));
        assert_eq!(tenant(json!("school")).unwrap().tenant, "school");
        for claim in [json!(null), json!(""), json!("*"), json!(" a"), json!("a\nb"), json!(["a"])]
        {
            assert!(tenant(claim.clone()).is_err(), "{claim}");
        }
        assert!(person(", tenant_claim: t", json!({"sub": "7"})).is_err());
        assert!(person("", json!({"sub": ""})).is_err() && person("", json!({})).is_err());
    }

    #[test]
    fn labels_are_a_text_or_a_list_of_texts() {
        let labels = |claims: Value| person(", labels_claim: l", claims).map(|one| one.labels);
        assert_eq!(labels(json!({"sub": "7", "l": ["a", "b"]})).unwrap(), ["a", "b"]);
        assert_eq!(labels(json!({"sub": "7", "l": "a"})).unwrap(), ["a"]);
        assert!(labels(json!({"sub": "7"})).unwrap().is_empty());
        assert!(labels(json!({"sub": "7", "l": [1]})).is_err());
    }
}
