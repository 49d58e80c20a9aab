//! Tokens of an issuer: which are taken, what they give, and what is so while the issuer is away.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use allod_server::{ServeOptions, serve_until};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{Answer, House, Server, WASTE_QUESTION};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

const AUDIENCE: &str = "allod";
const END: i64 = 32_503_680_000;

/// An issuer on this machine, with a key that can be replaced.
struct Issuer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    key: (String, Ed25519KeyPair),
    /// Whether it answers at all.
    is_up: bool,
    /// How often the keys were asked for.
    asked: usize,
    /// What its discovery document says in the place of the truth.
    lies: Value,
}

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

impl Issuer {
    fn new() -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let key = ("first".to_owned(), key(1));
        let state = State { key, is_up: true, asked: 0, lies: json!({}) };
        let state = Arc::new(Mutex::new(state));
        let (own, name) = (Arc::clone(&state), format!("http://{address}"));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = BufReader::new(stream.try_clone().unwrap());
                let mut first = String::new();
                head.read_line(&mut first).unwrap();
                let mut line = String::new();
                while head.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
                    line.clear();
                }
                let body = own.lock().unwrap().page(&name, first.split(' ').nth(1).unwrap());
                let (status, body) =
                    body.map_or(("503 Away", String::new()), |body| ("200 OK", body));
                let length = body.len();
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n");
                let response = format!("{head}Connection: close\r\n\r\n{body}");
                drop(stream.write_all(response.as_bytes()));
            }
        });
        Issuer { address, state }
    }

    fn name(&self) -> String {
        format!("http://{}", self.address)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    fn asked(&self) -> usize {
        self.state.lock().unwrap().asked
    }

    /// A policy that takes this issuer's tokens.
    fn policy(&self, rest: &str) -> String {
        format!(
            "logging: {{citations: optional}}\nidentity:\n  oidc:\n    issuer: {}\n    \
             audience: {AUDIENCE}\n    tenant_claim: office\n    role_claim: groups\n    roles: \
             {{chiefs: operator, clerks: reviewer, checkers: auditor, staff: user}}\n    \
             labels_claim: clearance\n{rest}",
            self.name()
        )
    }

    fn claims(&self) -> Value {
        json!({"iss": self.name(), "aud": AUDIENCE, "sub": "anna", "exp": END, "office": "a",
               "groups": ["staff"]})
    }

    /// A token with these claims in the place of the usual ones; null takes one away.
    fn token(&self, other: Value) -> String {
        self.token_with(json!({}), other)
    }

    fn token_with(&self, header: Value, other: Value) -> String {
        let state = self.state.lock().unwrap();
        let mut claims = self.claims();
        let mut head = json!({"alg": "EdDSA", "kid": state.key.0, "typ": "JWT"});
        for (whole, other) in [(&mut claims, other), (&mut head, header)] {
            for (name, value) in other.as_object().unwrap() {
                match value {
                    Value::Null => drop(whole.as_object_mut().unwrap().remove(name)),
                    value => whole[name] = value.clone(),
                }
            }
        }
        let signed = format!("{}.{}", encoded(&head), encoded(&claims));
        let signature = URL_SAFE_NO_PAD.encode(state.key.1.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

impl State {
    fn page(&mut self, name: &str, path: &str) -> Option<String> {
        if !self.is_up {
            return None;
        }
        if path == "/keys" {
            self.asked += 1;
            let x = URL_SAFE_NO_PAD.encode(self.key.1.public_key());
            let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": self.key.0, "x": x});
            return Some(json!({"keys": [key]}).to_string());
        }
        let mut document = json!({"issuer": name, "jwks_uri": format!("{name}/keys")});
        for (name, value) in self.lies.as_object().unwrap() {
            document[name] = value.clone();
        }
        (path == "/.well-known/openid-configuration").then(|| document.to_string())
    }
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A running server that takes the issuer's tokens.
fn serve(issuer: &Issuer) -> (House, Server) {
    let house = House::with_policy(Some(&issuer.policy("")));
    let server = house.serve();
    (house, server)
}

fn ask_as(server: &Server, token: &str) -> Answer {
    server.client_with(token).get("/api/status")
}

fn refused(answer: &Answer) -> (u16, String) {
    (answer.status, answer.error_code())
}

#[test]
fn a_token_gives_what_the_policy_reads_from_its_claims() {
    let issuer = Issuer::new();
    let (house, server) = serve(&issuer);
    let caller = |token: &str| ask_as(&server, token).json()["caller"].clone();
    let plain = caller(&issuer.token(json!({"role": "operator", "tenant": "x", "labels": ["x"]})));
    assert_eq!((&plain["tenant"], &plain["role"]), (&json!("a"), &json!("user")));
    assert_eq!(plain["labels"], json!([]));
    let chief = json!({"groups": ["staff", "chiefs"], "clearance": ["confidential"]});
    let chief = caller(&issuer.token(chief));
    assert_eq!((&chief["role"], &chief["labels"]), (&json!("operator"), &json!(["confidential"])));
    assert_eq!(caller(&issuer.token(json!({"aud": ["x", AUDIENCE]})))["role"], "user");
    // The same person is the same subject, and no other person of any tenant is.
    let subject = |other: Value| caller(&issuer.token(other))["subject"].clone();
    assert_eq!(subject(json!({})), plain["subject"]);
    assert_ne!(subject(json!({"sub": "beat"})), plain["subject"]);
    assert_ne!(subject(json!({"office": "b"})), plain["subject"]);
    let client = server.client_with(&issuer.token(json!({})));
    client.ask(WASTE_QUESTION);
    assert_eq!(client.get("/api/receipts/0").json()["question"], WASTE_QUESTION);
    let receipt = house.desk.ledger().read(0).unwrap();
    assert_eq!(json!(receipt.request.subject), plain["subject"]);
    let colleague = server.client_with(&issuer.token(json!({"sub": "beat"})));
    assert_eq!(colleague.get("/api/receipts/0").json()["question"], json!(null));
    // What a field of the request says does not make the words somebody else's.
    let chat = json!({"model": "allod/documents", "user": "beat",
        "messages": [{"role": "user", "content": WASTE_QUESTION}]});
    let answer = client.post("/v1/chat/completions", &chat);
    let index = answer.json()["allod"]["receipt"]["index"].as_u64().unwrap();
    let receipt = house.desk.ledger().read(index).unwrap();
    assert_eq!(json!(receipt.request.subject), plain["subject"]);
    // A key goes on being a key.
    let key = house.key("b", &[], "reviewer");
    assert_eq!(caller(&key)["role"], "reviewer");
}

#[test]
fn a_token_that_proves_nothing_is_refused() {
    let issuer = Issuer::new();
    let (_house, server) = serve(&issuer);
    let now = jiff::Timestamp::now().as_second();
    for claims in [
        json!({"iss": "http://127.0.0.1:1"}),
        json!({"iss": null}),
        json!({"aud": "other"}),
        json!({"aud": []}),
        json!({"aud": null}),
        json!({"exp": now - 61}),
        json!({"exp": null}),
        json!({"exp": "32503680000"}),
        json!({"nbf": now + 120}),
    ] {
        let answer = ask_as(&server, &issuer.token(claims.clone()));
        assert_eq!(refused(&answer), (401, "invalid_token".into()), "{claims}");
    }
    // Clocks may differ by a minute.
    for claims in [json!({"exp": now - 30}), json!({"nbf": now + 30})] {
        assert_eq!(ask_as(&server, &issuer.token(claims.clone())).status, 200, "{claims}");
    }
    for claims in [
        json!({"sub": null}),
        json!({"office": null}),
        json!({"office": "*"}),
        json!({"groups": ["other"]}),
        json!({"clearance": [1]}),
    ] {
        let answer = ask_as(&server, &issuer.token(claims.clone()));
        assert_eq!(refused(&answer), (403, "not_permitted".into()), "{claims}");
    }
    let named = server.client_with(&issuer.token(json!({})));
    assert_eq!(named.get_with("/api/status", &[("x-allod-subject", "beat")]).status, 400);
}

#[test]
fn no_header_of_a_token_chooses_how_it_is_checked() {
    let issuer = Issuer::new();
    let (_house, server) = serve(&issuer);
    let good = issuer.token(json!({}));
    assert_eq!(ask_as(&server, &good).status, 200);
    let x = URL_SAFE_NO_PAD.encode(key(9).public_key());
    let own = json!({"kty": "OKP", "crv": "Ed25519", "x": x});
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "NONE"}),
        json!({"alg": "HS256"}),
        json!({"alg": "RS256"}),
        json!({"alg": "ES256"}),
        json!({"crit": ["exp"]}),
        json!({"typ": "logout+jwt"}),
        json!({"alg": null}),
    ] {
        let answer = ask_as(&server, &issuer.token_with(header.clone(), json!({})));
        assert_eq!(refused(&answer), (401, "invalid_token".into()), "{header}");
    }
    // A signature by a key that the token brings along.
    let (head, claims) = (json!({"alg": "EdDSA", "jwk": own, "kid": "first"}), issuer.claims());
    let signed = format!("{}.{}", encoded(&head), encoded(&claims));
    let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key(9).sign(signed.as_bytes())));
    let parts: Vec<&str> = good.split('.').collect();
    let raised = encoded(&json!({"groups": ["chiefs"]}));
    for text in [
        forged,
        format!("{}.{raised}.{}", parts[0], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)),
        format!("{good}="),
        format!("ey.{}.{}", parts[1], parts[2]),
    ] {
        assert_eq!(refused(&ask_as(&server, &text)), (401, "invalid_token".into()), "{text}");
    }
}

#[test]
fn a_new_key_of_the_issuer_is_taken_without_a_restart() {
    let issuer = Issuer::new();
    let house = House::with_policy(Some(&issuer.policy("")));
    let rest = Duration::from_millis(200);
    let server = house.serve_with(ServeOptions { issuer_rest: rest, ..ServeOptions::default() });
    let old = issuer.token(json!({}));
    assert_eq!(ask_as(&server, &old).status, 200);
    issuer.change(|state| state.key = ("second".into(), key(2)));
    std::thread::sleep(2 * rest);
    assert_eq!(ask_as(&server, &issuer.token(json!({}))).status, 200);
    assert_eq!(issuer.asked(), 2);
    assert_eq!(ask_as(&server, &old).status, 401, "the issuer has this key no more");
}

#[test]
fn names_of_keys_that_are_made_up_are_not_asked_for_each_time() {
    let issuer = Issuer::new();
    let (_house, server) = serve(&issuer);
    assert_eq!(ask_as(&server, &issuer.token(json!({}))).status, 200);
    assert_eq!(issuer.asked(), 1);
    // Whoever makes up the names of keys does not make the server ask each time.
    for number in 0..20 {
        let made_up = issuer.token_with(json!({"kid": format!("x{number}")}), json!({}));
        assert_eq!(ask_as(&server, &made_up).status, 401);
    }
    assert_eq!(issuer.asked(), 1, "the keys came a moment ago");
    assert_eq!(ask_as(&server, &issuer.token(json!({}))).status, 200);
}

#[test]
fn while_the_issuer_is_away_known_keys_work_and_others_are_not_believed() {
    let issuer = Issuer::new();
    issuer.change(|state| state.is_up = false);
    let house = House::with_policy(Some(&issuer.policy("")));
    let issuer_rest = Duration::from_millis(200);
    let server = house.serve_with(ServeOptions { issuer_rest, ..ServeOptions::default() });
    let token = issuer.token(json!({}));
    // The server asks before anybody does; that is still under way here, or failed.
    let away = ask_as(&server, &token);
    assert_eq!(refused(&away), (503, "issuer_unreachable".into()));
    assert!(away.header("retry-after").is_some());
    assert_eq!(ask_as(&server, &house.key("a", &[], "user")).status, 200, "a key is not concerned");
    issuer.change(|state| state.is_up = true);
    let begun = Instant::now();
    while ask_as(&server, &token).status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never comes back");
        std::thread::sleep(Duration::from_millis(200));
    }
    issuer.change(|state| state.is_up = false);
    assert_eq!(ask_as(&server, &token).status, 200, "its keys are known");
}

#[test]
fn only_the_address_that_the_policy_names_is_asked() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let keys = format!("{}/keys", stranger.name());
    issuer.change(|state| state.lies = json!({"jwks_uri": keys}));
    let (_house, server) = serve(&issuer);
    assert_eq!(ask_as(&server, &issuer.token(json!({}))).status, 503);
    assert_eq!(stranger.asked(), 0);
    let liar = Issuer::new();
    liar.change(|state| state.lies = json!({"issuer": "http://127.0.0.1:1"}));
    let (_house, server) = serve(&liar);
    assert_eq!(ask_as(&server, &liar.token(json!({}))).status, 503);
    // Where the policy names it, it is.
    let policy = issuer.policy(&format!("    jwks_url: {keys}\n"));
    let house = House::with_policy(Some(&policy));
    assert_eq!(ask_as(&house.serve(), &issuer.token(json!({}))).status, 200);
    assert!(stranger.asked() > 0);
}

/// Tokens and keys that another library made (Python's `cryptography` 48): RS256, ES256, EdDSA, and
/// a signature with RSA-PSS.
const MADE: &str = include_str!("data/tokens.json");

#[test]
fn tokens_are_checked_with_keys_from_a_file_and_no_connection() {
    let made: Value = serde_json::from_str(MADE).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    std::fs::write(&path, json!({"keys": made["keys"]}).to_string()).unwrap();
    let policy = format!(
        "identity: {{oidc: {{issuer: 'https://issuer.example', audience: {AUDIENCE}, jwks_file: \
         '{}'}}}}",
        path.display()
    );
    let house = House::with_policy(Some(&policy));
    let server = house.serve();
    for token in made["tokens"].as_array().unwrap() {
        let token = token.as_str().unwrap();
        let answer = ask_as(&server, token);
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json()["caller"]["role"], "user");
        // Every bit of the signature counts: the last but one of its letters has no spare ones.
        let (rest, last) = token.split_at(token.len() - 2);
        let other = if last.starts_with('A') { "B" } else { "A" };
        assert_eq!(ask_as(&server, &format!("{rest}{other}{}", &last[1..])).status, 401);
    }
    assert_eq!(ask_as(&server, made["pss"].as_str().unwrap()).status, 401);
    drop(server);
    std::fs::write(&path, "{}").unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let options = ServeOptions { listen, ..ServeOptions::default() };
    let served = serve_until(Arc::clone(&house.desk), options, |_| {}, async {});
    let error = served.unwrap_err().to_string();
    assert!(error.contains("jwks_file") && error.contains("keys.json"), "{error}");
}
