//! Who callers are, beside those who hold a key of this installation.

use crate::choice::choice;

choice! {
    /// What a caller is to this installation.
    Role {
        /// Asks.
        User => "user",
        /// Also decides reviews.
        Reviewer => "reviewer",
        /// Checks the records, without words.
        Auditor => "auditor",
        /// Collects metrics.
        Monitor => "monitor",
        /// Does everything, for all tenants.
        Operator => "operator",
    }
}

/// Where callers come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// An OpenID Connect issuer whose tokens are taken beside keys.
    pub oidc: Option<Oidc>,
}

/// An issuer of tokens, and what its claims mean here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oidc {
    /// The issuer, as its tokens name it.
    pub issuer: String,
    /// Whom tokens must be meant for.
    pub audience: String,
    /// Where the issuer's keys come from.
    pub keys: KeySource,
    /// The claim that names the tenant; everyone is of the tenant `local` if `None`.
    pub tenant_claim: Option<String>,
    /// The claim that roles are told from; everyone is a user if `None`.
    pub role_claim: Option<String>,
    /// Values of that claim with the role they stand for; the first that a token has counts.
    pub roles: Vec<(String, Role)>,
    /// The claim that lists access labels; nobody has any if `None`.
    pub labels_claim: Option<String>,
    /// How people sign in with a browser; they do not if `None`.
    pub sign_in: Option<SignIn>,
}

/// How people sign in at the issuer and come back to the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// What the issuer calls this installation.
    pub client_id: String,
    /// The file with what proves it to the issuer; PKCE alone does if `None`.
    pub client_secret_file: Option<String>,
    /// Where browsers find the console: scheme, host and port.
    pub console_url: String,
    /// What is asked for beside `openid`, so that the token holds the claims that count.
    pub scopes: Vec<String>,
    /// Where tokens are given for codes, if that is another host than the issuer's.
    pub token_url: Option<String>,
}

/// Where the keys of an issuer come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// The issuer's discovery document says where, at its own address.
    Discovery,
    /// This address.
    Url(String),
    /// This file: no connection is made.
    File(String),
}

/// How much the tenants may use; at least one bound is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// The tenants that it holds for, each for itself; all that no other quota names if empty.
    pub tenants: Vec<String>,
    /// Requests that run a model or the search, in a minute.
    pub requests_per_minute: Option<u32>,
    /// Tokens of prompts and answers, in a day (UTC).
    pub tokens_per_day: Option<u64>,
}
