//! What the policy permits, apart from the decision about a question. Closed when in doubt.

use crate::policy::{Citations, Policy, Prompts, Quantization, Runtime, Settings};
use std::net::IpAddr;

/// Why the policy does not permit something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The policy names no server.
    #[error("`runtime: {runtime}` names no server; set `upstream.url` to use one")]
    NoUpstream {
        /// The runtime.
        runtime: &'static str,
    },
    /// The server stands in another region.
    #[error(
        "`prompts: retained_in_region` keeps prompts in region `{ours}`, but the server is in \
         `{theirs}`"
    )]
    OtherRegion {
        /// The policy's region.
        ours: String,
        /// The server's region.
        theirs: String,
    },
    /// Nobody said where the server stands.
    #[error(
        "`prompts: retained_in_region` keeps prompts in region `{ours}`, but nothing says in which \
         region {host} stands"
    )]
    UnknownRegion {
        /// The policy's region.
        ours: String,
        /// The server.
        host: String,
    },
    /// The model's weights are in another form.
    #[error("the policy asks for `quantization: {wanted}`, but the model is {found}")]
    OtherQuantization {
        /// What the policy asks for.
        wanted: &'static str,
        /// What the model is.
        found: String,
    },
    /// Plain chat has no citations.
    #[error(
        "`logging.citations: required` permits no answer without a citation, so no plain chat; ask \
         the documents instead"
    )]
    CitationsRequired,
}

/// Whether a prompt may be sent to the policy's server.
///
/// Under `prompts: retained_in_region` the server must stand in the policy's region: it says so
/// itself (`upstream.region`), or it says nothing and is on this machine (a loopback address).
///
/// # Errors
/// Why not.
pub fn upstream_permitted(policy: &Policy) -> Result<(), Why> {
    permitted(policy)
}

pub(crate) fn permitted(settings: &Settings) -> Result<(), Why> {
    let none = || Why::NoUpstream { runtime: settings.runtime.word() };
    let upstream = settings.upstream.as_ref().ok_or_else(none)?;
    if settings.runtime == Runtime::Allod {
        return Err(none());
    }
    in_region(settings, &upstream.url, upstream.region.as_deref())
}

/// Whether prompts may go to a server at this address, in this region.
pub(crate) fn in_region(settings: &Settings, url: &str, region: Option<&str>) -> Result<(), Why> {
    let none = || Why::NoUpstream { runtime: settings.runtime.word() };
    let address = Address::parse(url).ok_or_else(none)?;
    let ours = settings.region.clone();
    match region {
        _ if settings.logging.prompts != Prompts::RetainedInRegion => Ok(()),
        Some(theirs) if theirs == ours => Ok(()),
        Some(theirs) => Err(Why::OtherRegion { ours, theirs: theirs.to_owned() }),
        None if address.is_loopback() => Ok(()),
        None => Err(Why::UnknownRegion { ours, host: address.host }),
    }
}

/// Whether plain chat, without documents, may answer at all. Single questions may still be
/// refused by [`decide`](crate::decide()).
///
/// # Errors
/// [`Why::CitationsRequired`].
pub fn plain_chat_permitted(policy: &Policy) -> Result<(), Why> {
    match policy.logging.citations {
        Citations::Required => Err(Why::CitationsRequired),
        Citations::Optional => Ok(()),
    }
}

/// Whether a model whose weights are in `format` (`Q8_0`, `bf16`, `awq`; `None` = not known, as
/// of a server) is what the policy asks for.
///
/// # Errors
/// [`Why::OtherQuantization`].
pub fn quantization_met(policy: &Policy, format: Option<&str>) -> Result<(), Why> {
    let (Some(wanted), Some(found)) = (policy.quantization, format) else {
        return Ok(());
    };
    let format = found.to_ascii_lowercase();
    let among = |words: &[&str]| words.contains(&format.as_str());
    let met = match wanted {
        Quantization::None => among(&["none", "f32", "f16", "bf16"]),
        Quantization::Int8 => among(&["int8", "q8_0"]),
        Quantization::Int4 => among(&["int4", "q4_0", "q4_k", "awq", "gptq"]),
        other => format == other.word(),
    };
    met.then_some(())
        .ok_or_else(|| Why::OtherQuantization { wanted: wanted.word(), found: found.to_owned() })
}

/// The host of a web address.
pub(crate) struct Address {
    host: String,
}

impl Address {
    /// Takes `http://host[:port][/path]` or `https://…` apart; no user names, no blanks.
    pub(crate) fn parse(url: &str) -> Option<Address> {
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?;
        if rest.contains(|c: char| c.is_whitespace() || c.is_control() || "@\\?#".contains(c)) {
            return None;
        }
        let authority = rest.split('/').next()?;
        let (host, port) = split_port(authority)?;
        let port_is_good = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        (port_is_good && is_host(host)).then(|| Address { host: host.to_ascii_lowercase() })
    }

    /// Whether the host is this machine. Only names that cannot mean anything else count.
    pub(crate) fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        bare == "localhost" || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }
}

fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    if authority.starts_with('[') {
        let end = authority.find(']')? + 1;
        let (host, rest) = authority.split_at(end);
        return match rest {
            "" => Some((host, None)),
            _ => Some((host, Some(rest.strip_prefix(':')?))),
        };
    }
    Some(match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    })
}

fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.trim_end_matches(']');
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let good = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    !host.is_empty() && host.len() <= 253 && host.chars().all(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(lines: &str) -> Result<Policy, String> {
        let text = format!("model: m\nruntime: openai-compatible\n{lines}");
        Policy::parse(&text).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn addresses() {
        let loopback = [
            "http://127.0.0.1:8000/v1",
            "http://127.9.9.9",
            "https://localhost/",
            "http://LOCALHOST:1",
            "http://[::1]:8000/v1",
        ];
        for url in loopback {
            assert!(Address::parse(url).unwrap().is_loopback(), "{url}");
        }
        let elsewhere = [
            "http://10.0.0.1",
            "http://127.1/",
            "http://localhost.example",
            "http://[::2]/",
            "http://0.0.0.0:80",
            "http://127.0.0.1.example/",
        ];
        for url in elsewhere {
            assert!(!Address::parse(url).unwrap().is_loopback(), "{url}");
        }
        let bad = [
            "",
            "ftp://x",
            "http://",
            "http:///v1",
            "http://a:0",
            "http://a:99999",
            "http://a:b",
            "http://user@127.0.0.1",
            "http://127.0.0.1\\@evil.example",
            "http://[::1",
            "http://[::1]x",
            "http://[zz]/",
            "http://a b",
            "http://ä.example",
        ];
        for url in bad {
            assert!(Address::parse(url).is_none(), "{url}");
        }
    }

    #[test]
    fn prompts_stay_in_the_region() {
        let permitted = |lines: &str| upstream_permitted(&server(lines).unwrap());
        assert_eq!(permitted("upstream: {url: 'http://127.0.0.1:1/v1'}"), Ok(()));
        assert_eq!(
            permitted("region: ch\nupstream: {url: 'https://a.example/v1', region: ch}"),
            Ok(())
        );
        let abroad = "upstream: {url: 'https://a.example/v1', region: us}\n";
        assert_eq!(permitted(&format!("{abroad}logging: {{prompts: retained}}")), Ok(()));
        assert_eq!(permitted(&format!("{abroad}logging: {{prompts: not_retained}}")), Ok(()));
    }

    #[test]
    fn a_server_elsewhere_or_nowhere_is_a_mistake_already_in_the_file() {
        let elsewhere = server("upstream: {url: 'https://a.example/v1', region: us}").unwrap_err();
        assert!(elsewhere.contains("the server is in `us`"), "{elsewhere}");
        let unknown = server("upstream: {url: 'https://a.example/v1'}").unwrap_err();
        assert!(unknown.contains("in which region a.example stands"), "{unknown}");
        // A tunnel on this machine that leads abroad: what is said outweighs the address.
        let tunnel = server("upstream: {url: 'http://127.0.0.1:1/v1', region: us}").unwrap_err();
        assert!(tunnel.contains("the server is in `us`"), "{tunnel}");
    }

    #[test]
    fn the_built_in_engine_permits_no_server() {
        let why = upstream_permitted(&Policy::built_in()).unwrap_err();
        assert_eq!(why, Why::NoUpstream { runtime: "allod" });
    }

    #[test]
    fn the_form_of_the_weights() {
        let met = |wanted: &str, format| {
            let text = format!("model: m\nquantization: {wanted}\n");
            quantization_met(&Policy::parse(&text).unwrap(), format).is_ok()
        };
        assert!(met("q8_0", Some("Q8_0")) && met("q8_0", None));
        assert!(met("int8", Some("Q8_0")) && met("int4", Some("awq")) && met("none", Some("BF16")));
        assert!(
            !met("awq", Some("Q4_0")) && !met("none", Some("Q8_0")) && !met("int8", Some("F32"))
        );
        assert!(quantization_met(&Policy::built_in(), Some("anything")).is_ok());
    }

    #[test]
    fn plain_chat_needs_a_policy_that_does_without_citations() {
        assert_eq!(plain_chat_permitted(&Policy::built_in()), Ok(()));
        let strict = Policy::parse("logging: {citations: required}").unwrap();
        assert_eq!(plain_chat_permitted(&strict), Err(Why::CitationsRequired));
    }
}
