//! Who callers are beside those with a key, and how much tenants may use.

use std::collections::BTreeSet;

use super::reader::{Field, Reader, Section};
use super::{IDENTITY, OIDC, QUOTA, SIGN_IN, tools, url};
use crate::identity::{Identity, KeySource, Oidc, Quota, SignIn};
use crate::permit::Address;

const ROLES_MAX: usize = 100;
const QUOTAS_MAX: usize = 100;
const REQUESTS_MAX: u32 = 1_000_000;
const TOKENS_MAX: u64 = 1_000_000_000_000;

pub(super) fn read(reader: &mut Reader, root: &Section<'_>) -> Identity {
    let section = reader.section(root, "identity", IDENTITY);
    Identity { oidc: oidc(reader, &section) }
}

fn oidc(reader: &mut Reader, identity: &Section<'_>) -> Option<Oidc> {
    let section = reader.child(identity, "oidc", OIDC)?;
    let field = identity.field("oidc")?;
    for key in ["issuer", "audience"].into_iter().filter(|key| section.field(key).is_none()) {
        let hint = "an issuer is named with both `issuer` and `audience`";
        reader.reject(&field, format!("has no `{key}`"), hint);
    }
    let issuer = safe_url(reader, &section, "issuer");
    let audience = reader.text(&section, "audience");
    let keys = keys(reader, &section);
    let role_claim = reader.text(&section, "role_claim");
    let roles = reader.named_choices(&section, "roles", ROLES_MAX);
    roles_go_with_their_claim(reader, &section);
    let sign_in = sign_in(reader, &section);
    Some(Oidc {
        sign_in,
        issuer: issuer?,
        audience: audience?,
        keys,
        tenant_claim: reader.text(&section, "tenant_claim"),
        role_claim,
        roles,
        labels_claim: reader.text(&section, "labels_claim"),
    })
}

fn sign_in(reader: &mut Reader, oidc: &Section<'_>) -> Option<SignIn> {
    let section = reader.child(oidc, "sign_in", SIGN_IN)?;
    let field = oidc.field("sign_in")?;
    for key in ["client_id", "console_url"].into_iter().filter(|key| section.field(key).is_none()) {
        let hint = "people sign in with both `client_id` and `console_url`";
        reader.reject(&field, format!("has no `{key}`"), hint);
    }
    let client_id = reader.text(&section, "client_id");
    let console_url = safe_url(reader, &section, "console_url");
    if let (Some(url), Some(field)) = (&console_url, section.field("console_url"))
        && url.split_once("://").is_none_or(|(_, rest)| rest.trim_end_matches('/').contains('/'))
    {
        let problem = format!("is `{url}`, but the console has no path");
        reader.reject(&field, problem, "write it as https://allod.example.ch");
    }
    let scopes = reader.texts(&section, "scopes");
    Some(SignIn {
        client_id: client_id?,
        client_secret_file: reader.text(&section, "client_secret_file"),
        console_url: console_url?,
        scopes: scopes.into_iter().map(|(_, scope)| scope).collect(),
        token_url: safe_url(reader, &section, "token_url"),
    })
}

fn keys(reader: &mut Reader, section: &Section<'_>) -> KeySource {
    let (at, file) = (safe_url(reader, section, "jwks_url"), reader.text(section, "jwks_file"));
    if let (Some(_), Some(field)) = (section.field("jwks_url"), section.field("jwks_file")) {
        let problem = "stands beside `jwks_url`; keys come from one place".to_owned();
        reader.reject(&field, problem, "keep one of them");
    }
    match (at, file) {
        (_, Some(file)) => KeySource::File(file),
        (Some(url), None) => KeySource::Url(url),
        (None, None) => KeySource::Discovery,
    }
}

/// A role comes from a claim through the list, so neither is of use alone.
fn roles_go_with_their_claim(reader: &mut Reader, section: &Section<'_>) {
    match (section.field("role_claim"), section.field("roles")) {
        (Some(field), None) => {
            let hint = "say which of its values stand for which role: `roles: {staff: user}`";
            reader.reject(&field, "is of no use without `roles`".to_owned(), hint);
        }
        (None, Some(field)) => {
            let hint = "name the claim that holds these values with `role_claim`";
            reader.reject(&field, "is of no use without `role_claim`".to_owned(), hint);
        }
        _ => {}
    }
}

/// An address whose answers nobody on the way can replace.
fn safe_url(reader: &mut Reader, section: &Section<'_>, key: &'static str) -> Option<String> {
    let url = url(reader, section, key)?;
    let loopback = Address::parse(&url).is_some_and(|address| address.is_loopback());
    if url.starts_with("https://") || loopback {
        return Some(url);
    }
    let problem = format!("is `{url}`: what comes without TLS can be replaced on the way");
    reader.reject(&section.field(key)?, problem, "use an address that begins with https://");
    None
}

pub(super) fn quotas(reader: &mut Reader, root: &Section<'_>) -> Vec<Quota> {
    let Some(field) = root.field("quotas") else { return Vec::new() };
    let items = tools::items(reader, &field, QUOTAS_MAX, QUOTA);
    let mut named = BTreeSet::new();
    items.iter().filter_map(|item| quota(reader, item, &mut named)).collect()
}

/// Every tenant, and the rest of them, may stand in one quota only.
fn quota(reader: &mut Reader, field: &Field<'_>, named: &mut BTreeSet<String>) -> Option<Quota> {
    let section = reader.group(field, QUOTA)?;
    let tenants = reader.texts(&section, "tenants");
    let mut names: Vec<String> = Vec::new();
    for (place, name) in tenants {
        if !named.insert(name.clone()) {
            let message = format!("`{}` names `{name}` a second time", field.path);
            reader.note(place, message, "a tenant has one quota");
        }
        names.push(name);
    }
    match section.field("tenants") {
        Some(list) if names.is_empty() => {
            let hint = "leave `tenants` out for all that no other quota names";
            reader.reject(&list, "names nobody".to_owned(), hint);
        }
        None if !named.insert(String::new()) => {
            let problem = "is a second one without `tenants`".to_owned();
            reader.reject(field, problem, "one quota can be for all other tenants");
        }
        _ => {}
    }
    let requests_per_minute = reader.whole(&section, "requests_per_minute", 1..=REQUESTS_MAX);
    let tokens_per_day = reader.whole(&section, "tokens_per_day", 1..=TOKENS_MAX);
    if ["requests_per_minute", "tokens_per_day"].iter().all(|key| section.field(key).is_none()) {
        let hint = "set `requests_per_minute`, `tokens_per_day` or both";
        reader.reject(field, "bounds nothing".to_owned(), hint);
    }
    Some(Quota { tenants: names, requests_per_minute, tokens_per_day })
}
