//! The person whom a request's own field names: OpenAI's `user` and `safety_identifier`,
//! Anthropic's `metadata.user_id`.

use serde_json::{Map, Value};

use crate::identity::{Identity, Subject};
use crate::problem::Problem;
use crate::state::Shared;

/// The longest name of a person.
const NAME_BYTES_MAX: usize = 256;

/// The identity, on behalf of the person whom the request names: its words then belong to that
/// person, and can be exported and erased as theirs. The header `x-allod-subject` goes before, and
/// a person whom an issuer proves is nobody else, whatever a field says.
///
/// # Errors
/// When the field holds something that is no name.
pub(crate) async fn on_behalf_of(
    state: &Shared,
    identity: Identity,
    fields: &Map<String, Value>,
) -> Result<Identity, Problem> {
    let is_open = identity.subject == Subject::Key;
    let Some(name) = named(fields)?.filter(|_| is_open) else { return Ok(identity) };
    let (tenant, name) = (identity.caller.tenant.clone(), name.to_owned());
    let subject = move |desk: &allod_answer::Desk| Ok(desk.store().pseudonym(&tenant, &name)?);
    let subject = state.read(subject).await?;
    let caller = allod_answer::Caller { subject, ..identity.caller };
    Ok(Identity { caller, subject: Subject::Program, ..identity })
}

/// The name that stands in the first of the fields that has one; a blank one names nobody.
fn named(fields: &Map<String, Value>) -> Result<Option<&str>, Problem> {
    let user_id = fields.get("metadata").and_then(|metadata| metadata.get("user_id"));
    let places = [
        ("user", fields.get("user")),
        ("safety_identifier", fields.get("safety_identifier")),
        ("metadata.user_id", user_id),
    ];
    for (field, value) in places {
        match value {
            None | Some(Value::Null) => {}
            Some(Value::String(name)) if name.len() <= NAME_BYTES_MAX => {
                if !name.trim().is_empty() {
                    return Ok(Some(name.trim()));
                }
            }
            Some(_) => {
                let message = format!("it must be a text of at most {NAME_BYTES_MAX} bytes");
                return Err(Problem::field(field, message));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_names_the_person() {
        let name = |fields: Value| {
            named(fields.as_object().unwrap()).map(|name| name.map(str::to_owned)).ok()
        };
        assert_eq!(name(json!({"user": " anna "})), Some(Some("anna".into())));
        assert_eq!(name(json!({"user": "", "safety_identifier": "b"})), Some(Some("b".into())));
        assert_eq!(name(json!({"metadata": {"user_id": "c"}})), Some(Some("c".into())));
        assert_eq!(name(json!({"user": null, "metadata": {"x": "y"}})), Some(None));
        assert_eq!(name(json!({"user": 7})), None);
        assert_eq!(name(json!({"user": "x".repeat(257)})), None);
    }
}
