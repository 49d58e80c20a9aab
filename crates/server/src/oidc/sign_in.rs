//! People who sign in with a browser: the issuer is asked for their token, and that is checked as
//! any other is, and that it answers what was begun here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use allod_policy::SignIn;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::exchange::{Client, Doors, Secrets};
use super::fetch::origin;
use super::token::Token;
use super::{CALLBACK, Issuer, Person, REST_FAILED, invalid};
use crate::problem::Problem;

/// The issuer is asked again where its doors are after so long.
const FRESH: Duration = Duration::from_secs(60 * 60);

/// What is known of the issuer's doors, and since when.
#[derive(Default)]
pub(super) struct KnownDoors {
    found: Option<(Doors, Instant)>,
    failed: Option<Instant>,
}

impl Issuer {
    /// Whether people can sign in with a browser.
    pub(crate) fn lets_sign_in(&self) -> bool {
        self.oidc.sign_in.is_some()
    }

    /// The issuer, as its tokens name it.
    pub(crate) fn name(&self) -> &str {
        &self.oidc.issuer
    }

    /// Scheme, host and port of the console, as browsers name them.
    pub(crate) fn console_origin(&self) -> String {
        let url = self.oidc.sign_in.as_ref().map(|sign_in| sign_in.console_url.as_str());
        url.and_then(origin).unwrap_or_default()
    }

    /// Where a browser is sent to sign in.
    ///
    /// # Errors
    /// 503 if the issuer does not say where.
    pub(crate) async fn sign_in_address(&self, secrets: &Secrets) -> Result<String, Problem> {
        let (sign_in, doors) = self.doors().await?;
        Ok(doors.address(&self.client(sign_in), secrets))
    }

    /// Where a browser is sent to sign out at the issuer too, with the token that it signed in
    /// with; `None` if the issuer has no such place, or is away.
    pub(crate) async fn sign_out_address(&self, token: &str) -> Option<String> {
        let (sign_in, doors) = self.doors().await.ok()?;
        doors.end_address(&self.client(sign_in), token)
    }

    /// Who signed in, for the code that came back, and the token that says so.
    ///
    /// # Errors
    /// 401 if the token proves nothing, 403 if it gives nothing, 503 if none could be had.
    pub(crate) async fn signed_in(
        self: &Arc<Issuer>,
        code: &str,
        secrets: &Secrets,
    ) -> Result<(Person, String), Problem> {
        let _place = self.exchanges.try_acquire().map_err(|_| Problem::overloaded())?;
        let (sign_in, doors) = self.doors().await?;
        let (issuer, asked) = (Arc::clone(self), sign_in.clone());
        let (code, verifier) = (code.to_owned(), secrets.verifier.clone());
        let given = move || doors.token(&issuer.client(&asked), &code, &verifier);
        let given = tokio::task::spawn_blocking(given).await;
        let text = given.unwrap_or_else(|error| Err(error.to_string())).map_err(|why| {
            tracing::warn!(why, "who signed in could not be asked for");
            Problem::forbidden("sign_in", "your organisation's sign-in did not confirm who you are")
        })?;
        let token = Token::parse(&text).map_err(invalid)?;
        let keys = self.keys_for(token.algorithm, token.key.as_deref()).await?;
        let whom = (self.oidc.issuer.as_str(), sign_in.client_id.as_str());
        let claims = token.check(&keys, whom, Timestamp::now().as_second()).map_err(invalid)?;
        check_answer(&claims, &sign_in.client_id, &secrets.nonce)?;
        Ok((self.person_of(&claims)?, text))
    }

    async fn doors(&self) -> Result<(&SignIn, Doors), Problem> {
        let sign_in = self.oidc.sign_in.as_ref().ok_or_else(Problem::issuer_away)?;
        let mut known = self.doors.lock().await;
        if let Some((doors, _)) = known.found.as_ref().filter(|(_, at)| at.elapsed() < FRESH) {
            return Ok((sign_in, doors.clone()));
        }
        if known.failed.is_some_and(|at| at.elapsed() < REST_FAILED.min(self.rest)) {
            return Err(Problem::issuer_away());
        }
        let (name, token_url) = (self.oidc.issuer.clone(), sign_in.token_url.clone());
        let find = move || Doors::find(&name, token_url.as_deref());
        let found = tokio::task::spawn_blocking(find).await;
        match found.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(doors) => {
                known.found = Some((doors.clone(), Instant::now()));
                Ok((sign_in, doors))
            }
            Err(why) => {
                tracing::warn!(why, "where people sign in could not be asked for");
                known.failed = Some(Instant::now());
                Err(Problem::issuer_away())
            }
        }
    }

    fn client<'a>(&'a self, sign_in: &'a SignIn) -> Client<'a> {
        let console = sign_in.console_url.trim_end_matches('/');
        Client {
            id: &sign_in.client_id,
            secret: self.secret.as_deref(),
            scopes: &sign_in.scopes,
            callback: format!("{console}{CALLBACK}"),
            console: format!("{console}/"),
        }
    }
}

/// A token that was made for another sign-in, or for several programs at once, proves nothing here
/// (OpenID Connect Core 1.0, 3.1.3.7).
fn check_answer(claims: &Map<String, Value>, client: &str, nonce: &str) -> Result<(), Problem> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("nonce") != Some(nonce) {
        return Err(invalid("it answers another sign-in (`nonce`)"));
    }
    let several = claims.get("aud").and_then(Value::as_array).is_some_and(|all| all.len() > 1);
    let party = text("azp");
    if several && party.is_none() || party.is_some_and(|party| party != client) {
        return Err(invalid("it was given to another program (`azp`)"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_token_answers_what_was_begun_and_is_for_this_program_alone() {
        let check = |claims: Value| check_answer(claims.as_object().unwrap(), "me", "n").is_ok();
        assert!(check(json!({"nonce": "n", "aud": "me"})));
        assert!(check(json!({"nonce": "n", "aud": ["me"], "azp": "me"})));
        assert!(check(json!({"nonce": "n", "aud": ["me", "other"], "azp": "me"})));
        for claims in [
            json!({"aud": "me"}),
            json!({"nonce": "other", "aud": "me"}),
            json!({"nonce": "n", "aud": ["me", "other"]}),
            json!({"nonce": "n", "aud": "me", "azp": "other"}),
        ] {
            assert!(!check(claims.clone()), "{claims}");
        }
    }
}
