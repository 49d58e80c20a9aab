//! A token: a JWT signed as a JWS in compact form (RFC 7515, 7519), checked as RFC 8725 asks.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::keys::{Algorithm, Keys};

/// A token goes into one header.
const BYTES_MAX: usize = 16 << 10;

/// Clocks may differ by so many seconds.
const LEEWAY_SECONDS: f64 = 60.0;

/// What is wrong with a token, in words for who sent it.
pub(super) type Fault = &'static str;

/// A token that was taken apart; nothing in it is to be believed before it is checked.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) algorithm: Algorithm,
    /// The key that the token names.
    pub(super) key: Option<String>,
    signed: &'a str,
    signature: Vec<u8>,
    claims: Map<String, Value>,
}

/// What of a header is read. Keys and addresses of keys in it (`jwk`, `jku`, `x5c`, `x5u`) are not:
/// who can write a header would choose the key.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

impl<'a> Token<'a> {
    /// Whether a text could be a token at all.
    pub(super) fn looks_like(text: &str) -> bool {
        text.starts_with("ey") && text.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// Takes a token apart.
    pub(super) fn parse(text: &'a str) -> Result<Token<'a>, Fault> {
        if text.len() > BYTES_MAX {
            return Err("it is too long");
        }
        let (signed, signature) = text.rsplit_once('.').ok_or("it has no signature")?;
        let (header, claims) = signed.split_once('.').ok_or("it has no claims")?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "it is no base64url");
        let header: Header = serde_json::from_slice(&decoded(header)?)
            .map_err(|_| "its header is not that of a signed token")?;
        let claims: Map<String, Value> = serde_json::from_slice(&decoded(claims)?)
            .map_err(|_| "its claims are no JSON object")?;
        let algorithm = Algorithm::known(&header.alg)
            .ok_or("its `alg` is not accepted; RS256, ES256 and EdDSA are")?;
        header.check()?;
        let signature = decoded(signature)?;
        Ok(Token { algorithm, key: header.kid, signed, signature, claims })
    }

    /// The claims, if one of the keys signed them, the issuer made them for this audience, and they
    /// hold at `now` (seconds since 1970).
    pub(super) fn check(
        self,
        keys: &Keys,
        (issuer, audience): (&str, &str),
        now: i64,
    ) -> Result<Map<String, Value>, Fault> {
        let named = (self.algorithm, self.key.as_deref());
        if !keys.verify(named, self.signed.as_bytes(), &self.signature) {
            return Err("its signature is wrong");
        }
        let claims = self.claims;
        if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
            return Err("it is of another issuer");
        }
        if !is_meant_for(claims.get("aud"), audience) {
            return Err("it is meant for somebody else (`aud`)");
        }
        check_time(&claims, now as f64)?;
        Ok(claims)
    }
}

impl Header {
    fn check(&self) -> Result<(), Fault> {
        if self.crit.is_some() {
            return Err("its header asks for something that is not known here (`crit`)");
        }
        // A token for another purpose, such as a logout, is none for this one.
        let kinds = ["jwt", "at+jwt", "application/at+jwt", "application/jwt"];
        let is_known = |kind: &String| kinds.iter().any(|known| kind.eq_ignore_ascii_case(known));
        match self.typ.as_ref().is_none_or(is_known) {
            true => Ok(()),
            false => Err("it is a token for another purpose (`typ`)"),
        }
    }
}

fn is_meant_for(claim: Option<&Value>, audience: &str) -> bool {
    match claim {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(several)) => several.iter().any(|one| one == audience),
        _ => false,
    }
}

fn check_time(claims: &Map<String, Value>, now: f64) -> Result<(), Fault> {
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or("a time in it is no number"),
    };
    let until = time("exp")?.ok_or("it has no end (`exp`)")?;
    if until <= now - LEEWAY_SECONDS {
        return Err("it has expired");
    }
    if time("nbf")?.is_some_and(|from| from > now + LEEWAY_SECONDS) {
        return Err("it is not valid yet (`nbf`)");
    }
    Ok(())
}
