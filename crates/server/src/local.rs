//! The local operator has no key, so the request itself must show that it comes from this machine
//! and was not sent by a web page of someone else that runs in the operator's browser.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderMap, Method, Uri, header};

use crate::problem::Problem;

/// A proxy says so; behind one, every caller seems to be local.
const PROXY_HEADERS: [&str; 6] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// Checks a request without a key.
pub(crate) fn check(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    if PROXY_HEADERS.iter().any(|name| headers.contains_key(*name)) {
        let message =
            "this request came through a proxy; behind one, every caller needs an API key";
        return Err(Problem::unauthenticated("no_api_key", message));
    }
    let host = text(headers, header::HOST.as_str()).unwrap_or_default();
    let hosts = headers.get_all(header::HOST).iter().count();
    // `GET http://name/path`: such an address counts before the header.
    let addressed = uri.authority().is_none_or(|authority| is_loopback_name(authority.as_str()));
    if hosts != 1 || !addressed || !is_loopback_name(host) {
        // A name of someone else that resolves to this machine: DNS rebinding.
        let message = "without an API key, use http://127.0.0.1 or http://localhost";
        return Err(Problem::forbidden("not_local", message));
    }
    let site = text(headers, "sec-fetch-site").unwrap_or("none");
    let foreign_site = !matches!(site, "none" | "same-origin");
    if foreign_site || !(method.is_safe() || has_own_origin(headers, host)) {
        let message = "without an API key, requests of other web pages are not served";
        return Err(Problem::forbidden("cross_site", message));
    }
    Ok(())
}

/// No origin is a program, not a page.
fn has_own_origin(headers: &HeaderMap, host: &str) -> bool {
    if !headers.contains_key(header::ORIGIN) {
        return true;
    }
    let origin = text(headers, header::ORIGIN.as_str()).unwrap_or_default();
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

fn is_loopback_name(host: &str) -> bool {
    // A colon within the brackets is part of the address, not before a port.
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => host,
    };
    match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()),
        None => {
            name.eq_ignore_ascii_case("localhost")
                || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_names_of_this_machine_are_local() {
        for name in
            ["127.0.0.1", "127.0.0.1:7999", "localhost:80", "LOCALHOST", "[::1]:7999", "[::1]"]
        {
            assert!(is_loopback_name(name), "{name}");
        }
        for name in ["", "evil.example", "127.0.0.1.evil.example:80", "10.0.0.1", "[::2]:80"] {
            assert!(!is_loopback_name(name), "{name}");
        }
        for name in ["[::1]evil", "[127.0.0.1]", "::1", "127.0.0.1:80@evil.example", "[::1"] {
            assert!(!is_loopback_name(name), "{name}");
        }
    }

    #[test]
    fn a_request_has_one_host_and_it_is_this_machine() {
        let host = ("host", "127.0.0.1:7999");
        let foreign = Uri::from_static("http://evil.example/api/status");
        assert!(check(&Method::GET, &foreign, &headers(&[host])).is_err());
        let mut two = headers(&[host]);
        two.append("host", "evil.example".parse().unwrap());
        assert!(check(&Method::GET, &Uri::default(), &two).is_err());
    }

    #[test]
    fn a_page_of_another_origin_is_turned_away() {
        let host = ("host", "127.0.0.1:7999");
        let own = headers(&[host, ("origin", "http://127.0.0.1:7999")]);
        assert!(check(&Method::POST, &Uri::default(), &own).is_ok());
        for foreign in ["http://evil.example", "null", "http://127.0.0.1:3000", "127.0.0.1:7999"] {
            let request = headers(&[host, ("origin", foreign)]);
            assert!(check(&Method::POST, &Uri::default(), &request).is_err(), "{foreign}");
        }
        let fetched = headers(&[host, ("sec-fetch-site", "cross-site")]);
        assert!(check(&Method::GET, &Uri::default(), &fetched).is_err());
    }

    #[test]
    fn behind_a_proxy_a_key_is_needed() {
        for (name, value) in [("x-forwarded-for", "10.1.2.3"), ("via", "1.1 proxy")] {
            let request = headers(&[("host", "127.0.0.1"), (name, value)]);
            assert!(check(&Method::GET, &Uri::default(), &request).is_err(), "{name}");
        }
    }
}
