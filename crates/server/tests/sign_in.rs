//! Signing in with a browser: a local issuer, a client that does what a browser does, and what
//! others try.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use allod_server::{Keyless, ServeOptions};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::browser::{Driven, chromium, page};
use common::{House, Server, WASTE_QUESTION};
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

const CONSOLE: &str = "http://localhost:7999";
const CODE: &str = "the code";

/// An issuer on this machine: one person signs in there.
struct Issuer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    key: Ed25519KeyPair,
    /// What the browser was sent with.
    sent: BTreeMap<String, String>,
    /// What came with the code, and how the client proved itself.
    exchanged: Vec<(BTreeMap<String, String>, Option<String>)>,
    /// Claims in the place of the usual ones.
    claims: Value,
    /// What the discovery document says in the place of the truth.
    lies: Value,
}

impl Issuer {
    fn new() -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            key: Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap(),
            sent: BTreeMap::new(),
            exchanged: Vec::new(),
            claims: json!({}),
            lies: json!({}),
        }));
        let (own, name) = (Arc::clone(&state), format!("http://localhost:{}", address.port()));
        std::thread::spawn(move || {
            listener.incoming().for_each(|stream| answer(&own, &name, stream.unwrap()));
        });
        Issuer { address, state }
    }

    fn name(&self) -> String {
        format!("http://localhost:{}", self.address.port())
    }

    fn policy(&self, more: &str) -> String {
        self.policy_at(CONSOLE, more)
    }

    fn policy_at(&self, console: &str, more: &str) -> String {
        format!(
            "logging: {{citations: optional}}\nidentity:\n  oidc:\n    issuer: {}\n    audience: \
             programs\n    role_claim: groups\n    roles: {{clerks: reviewer, staff: user}}\n    \
             sign_in:\n      client_id: allod\n      console_url: {console}\n{more}",
            self.name()
        )
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    /// The person is known there already: the browser goes back at once.
    fn sent_back(&mut self, query: &str) -> String {
        self.sent = fields(query);
        format!("{}?code=the%20code&state={}", self.sent["redirect_uri"], self.sent["state"])
    }

    fn page(&mut self, name: &str, path: &str, proof: Option<String>, body: &str) -> Option<Value> {
        match path {
            "/keys" => {
                let x = URL_SAFE_NO_PAD.encode(self.key.public_key());
                Some(json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x}]}))
            }
            "/.well-known/openid-configuration" => {
                let mut document = json!({"issuer": name, "jwks_uri": format!("{name}/keys"),
                    "authorization_endpoint": format!("{name}/authorize"),
                    "token_endpoint": format!("{name}/token")});
                replace(&mut document, &self.lies);
                Some(document)
            }
            "/token" => {
                let fields = fields(body);
                let challenge = digest(&SHA256, fields["code_verifier"].as_bytes());
                let proven = self.sent["code_challenge"] == URL_SAFE_NO_PAD.encode(challenge)
                    && fields["redirect_uri"] == self.sent["redirect_uri"]
                    && fields["code"] == CODE;
                self.exchanged.push((fields, proof));
                proven.then(|| json!({"id_token": self.token(name), "access_token": "unused"}))
            }
            _ => None,
        }
    }

    fn token(&self, name: &str) -> String {
        let mut claims = json!({"iss": name, "aud": "allod", "sub": "anna", "groups": ["clerks"],
            "exp": 32_503_680_000_i64, "nonce": self.sent["nonce"]});
        replace(&mut claims, &self.claims);
        let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = json!({"alg": "EdDSA", "kid": "k", "typ": "JWT"});
        let signed = format!("{}.{}", encoded(&head), encoded(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

fn replace(whole: &mut Value, other: &Value) {
    for (name, value) in other.as_object().unwrap() {
        whole[name] = value.clone();
    }
}

/// The fields of a form or a query.
fn fields(text: &str) -> BTreeMap<String, String> {
    let plain = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                byte => byte,
            });
        }
        String::from_utf8(bytes).unwrap()
    };
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (plain(name), plain(value))).collect()
}

fn answer(state: &Mutex<State>, name: &str, mut stream: TcpStream) {
    let mut head = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut proof, mut length) = (String::new(), None, 0);
    head.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        if head.read_line(&mut line).is_ok_and(|bytes| bytes <= 2) {
            break;
        }
        let (key, value) = line.trim().split_once(": ").unwrap();
        match key.to_ascii_lowercase().as_str() {
            "authorization" => proof = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    head.read_exact(&mut body).unwrap();
    let path = first.split(' ').nth(1).unwrap();
    let body = String::from_utf8(body).unwrap();
    if let Some(query) = path.strip_prefix("/authorize?") {
        let back = state.lock().unwrap().sent_back(query);
        let head = format!("HTTP/1.1 302 Found\r\nLocation: {back}\r\nContent-Length: 0\r\n");
        drop(stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()));
        return;
    }
    let page = state.lock().unwrap().page(name, path, proof, &body);
    let (status, body) =
        page.map_or(("400 No", String::new()), |page| ("200 OK", page.to_string()));
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
    drop(stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes()));
}

/// What came back to a browser.
struct Page {
    status: u16,
    location: Option<String>,
    cookies: Vec<String>,
    text: String,
}

/// Does what a browser does, but for what it is told; cookies are given with each request.
fn browse(server: &Server, method: &str, path: &str, headers: &[(&str, &str)]) -> Page {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
    let agent = config.max_redirects(0).max_redirects_will_error(false).build().new_agent();
    let mut request = ureq::http::Request::builder().method(method);
    request = request.uri(format!("http://{}{path}", server.address));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if path == "/api/ask" {
        json!({"question": WASTE_QUESTION}).to_string()
    } else {
        String::new()
    };
    let request = request.header("content-type", "application/json").body(body).unwrap();
    let mut response = agent.run(request).unwrap();
    let header =
        |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let location = header("location");
    let cookies = response.headers().get_all("set-cookie").iter();
    let cookies = cookies.map(|value| value.to_str().unwrap().to_owned()).collect();
    let text = response.body_mut().read_to_string().unwrap();
    Page { status: response.status().as_u16(), location, cookies, text }
}

/// Name and value of a cookie.
fn pair(cookie: &str) -> String {
    cookie.split(';').next().unwrap().to_owned()
}

/// Goes to the issuer: the cookie, and the state to come back with.
fn begin(server: &Server, issuer: &Issuer) -> (String, String) {
    let page = browse(server, "GET", "/sign-in", &[]);
    assert_eq!(page.status, 302, "{}", page.text);
    let location = page.location.unwrap();
    let (address, query) = location.split_once('?').unwrap();
    assert_eq!(address, format!("{}/authorize", issuer.name()));
    let sent = fields(query);
    let state = sent["state"].clone();
    issuer.state().sent = sent;
    (page.cookies[0].clone(), state)
}

/// Comes back; the page.
fn back(server: &Server, cookie: &str, state: &str, more: &str) -> Page {
    let path = format!("/sign-in/callback?state={state}&code=the%20code{more}");
    browse(server, "GET", &path, &[("cookie", cookie)])
}

/// Signs in; the session's cookie.
fn sign_in(server: &Server, issuer: &Issuer) -> String {
    let (cookie, state) = begin(server, issuer);
    let page = back(server, &pair(&cookie), &state, "");
    assert_eq!(page.status, 200, "{}", page.text);
    page.cookies[1].clone()
}

fn serve(issuer: &Issuer, more: &str) -> (House, Server) {
    let house = House::with_policy(Some(&issuer.policy(more)));
    let server = house.serve();
    (house, server)
}

#[test]
fn who_signed_in_asks_by_a_cookie_until_they_sign_out() {
    let issuer = Issuer::new();
    let (house, server) = serve(&issuer, "");
    assert_eq!(browse(&server, "GET", "/sign-in/offer", &[]).text, r#"{"offered":true}"#);
    let (kept, state) = begin(&server, &issuer);
    for part in ["HttpOnly", "SameSite=Lax", "Path=/sign-in/callback", "Max-Age=600"] {
        assert!(kept.contains(part), "{part}: {kept}");
    }
    {
        let sent = &issuer.state().sent;
        assert_eq!(sent["redirect_uri"], format!("{CONSOLE}/sign-in/callback"));
        assert_eq!((sent["scope"].as_str(), sent["client_id"].as_str()), ("openid", "allod"));
        assert_eq!(sent["code_challenge_method"], "S256");
    }
    let page = back(&server, &pair(&kept), &state, "");
    let [over, session] = &page.cookies[..] else { panic!("{:?}", page.cookies) };
    assert!(over.starts_with("allod_sign_in=; ") && over.contains("Max-Age=0"), "{over}");
    assert!(session.contains("; Path=/; HttpOnly; SameSite=Strict"), "{session}");
    assert!(page.text.contains("url=/"), "{}", page.text);
    let (exchanged, proof) = issuer.state().exchanged[0].clone();
    assert_eq!((exchanged["client_id"].as_str(), proof), ("allod", None));

    let cookie = pair(session);
    let cookie = ("cookie", cookie.as_str());
    let status = browse(&server, "GET", "/api/status", &[cookie]);
    let caller: Value = serde_json::from_str::<Value>(&status.text).unwrap()["caller"].clone();
    assert_eq!((&caller["role"], &caller["signed_in"]), (&json!("reviewer"), &json!(true)));
    let asked = browse(&server, "POST", "/api/ask", &[cookie, ("origin", CONSOLE)]);
    assert_eq!(asked.status, 200, "{}", asked.text);
    let receipt = house.desk.ledger().read(0).unwrap();
    assert_eq!(json!(receipt.request.subject), caller["subject"]);

    // This issuer has no place to sign out.
    assert_eq!(browse(&server, "POST", "/sign-out", &[cookie, ("origin", CONSOLE)]).status, 204);
    assert_eq!(browse(&server, "GET", "/api/status", &[cookie]).status, 401);
}

#[test]
fn who_signs_out_here_signs_out_at_the_issuer() {
    let issuer = Issuer::new();
    let end = format!("{}/end?a=1", issuer.name());
    issuer.state().lies = json!({"end_session_endpoint": end});
    let (_house, server) = serve(&issuer, "");
    let cookie = pair(&sign_in(&server, &issuer));
    let own = [("cookie", cookie.as_str()), ("origin", CONSOLE)];
    let page = browse(&server, "POST", "/sign-out", &own);
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.cookies[0].starts_with("allod_session=; "), "{:?}", page.cookies);
    let told: Value = serde_json::from_str(&page.text).unwrap();
    let address = told["end_session_url"].as_str().unwrap();
    let query = address.strip_prefix(&format!("{end}&")).unwrap();
    let sent = fields(query);
    assert_eq!(sent["id_token_hint"], issuer.state().token(&issuer.name()));
    assert_eq!(sent["post_logout_redirect_uri"], format!("{CONSOLE}/"));
    assert_eq!(sent["client_id"], "allod");
    // The session is over here, wherever the browser goes; and a second time there is nothing.
    assert_eq!(browse(&server, "GET", "/api/status", &own[..1]).status, 401);
    assert_eq!(browse(&server, "POST", "/sign-out", &own).status, 204);
}

#[test]
fn nobody_is_sent_to_sign_out_without_tls() {
    let issuer = Issuer::new();
    issuer.state().lies = json!({"end_session_endpoint": "http://evil.example/end"});
    let (_house, server) = serve(&issuer, "");
    let cookie = pair(&sign_in(&server, &issuer));
    let own = [("cookie", cookie.as_str()), ("origin", CONSOLE)];
    assert_eq!(browse(&server, "POST", "/sign-out", &own).status, 204);
    assert_eq!(browse(&server, "GET", "/api/status", &own[..1]).status, 401);
}

#[test]
fn pages_of_others_cannot_use_the_cookie() {
    let issuer = Issuer::new();
    let (_house, server) = serve(&issuer, "");
    let cookie = pair(&sign_in(&server, &issuer));
    let cookie = ("cookie", cookie.as_str());
    for headers in [
        &[cookie][..],
        &[cookie, ("origin", "http://evil.example")],
        &[cookie, ("origin", "null")],
        &[cookie, ("origin", CONSOLE), ("sec-fetch-site", "cross-site")],
    ] {
        assert_eq!(browse(&server, "POST", "/api/ask", headers).status, 403, "{headers:?}");
        assert_eq!(browse(&server, "POST", "/sign-out", headers).status, 403, "{headers:?}");
    }
    let foreign = [cookie, ("sec-fetch-site", "same-site")];
    assert_eq!(browse(&server, "GET", "/api/status", &foreign).status, 403);
    let own = [cookie, ("sec-fetch-site", "same-origin")];
    assert_eq!(browse(&server, "GET", "/api/status", &own).status, 200);
    let guessed = [("cookie", "allod_session=guessed")];
    assert_eq!(browse(&server, "GET", "/api/status", &guessed).status, 401);
}

#[test]
fn what_was_not_begun_here_is_not_ended_here() {
    let issuer = Issuer::new();
    let (_house, server) = serve(&issuer, "");
    let (cookie, state) = begin(&server, &issuer);
    let cookie = pair(&cookie);
    // Another browser; another state; no browser at all.
    assert_eq!(back(&server, "allod_sign_in=other", &state, "").status, 400);
    assert_eq!(back(&server, &cookie, "other", "").status, 400);
    let (_, state) = begin(&server, &issuer);
    assert_eq!(
        browse(&server, "GET", &format!("/sign-in/callback?state={state}&code=x"), &[]).status,
        400
    );
    let (cookie, state) = begin(&server, &issuer);
    let mixed = back(&server, &pair(&cookie), &state, "&iss=http%3A%2F%2Fevil.example");
    assert_eq!(mixed.status, 400, "another issuer's answer");
    let (cookie, state) = begin(&server, &issuer);
    let path = format!("/sign-in/callback?state={state}&error=access_denied");
    assert_eq!(browse(&server, "GET", &path, &[("cookie", &pair(&cookie))]).status, 403);
    assert!(issuer.state().exchanged.is_empty(), "no code was brought to the issuer");
    // A code of somebody else's sign-in: the verifier does not fit.
    let (cookie, state) = begin(&server, &issuer);
    let challenge = "x".to_owned();
    issuer.state().sent.insert("code_challenge".into(), challenge);
    assert_eq!(back(&server, &pair(&cookie), &state, "").status, 403);
}

#[test]
fn a_token_that_does_not_answer_lets_nobody_in() {
    let issuer = Issuer::new();
    let (_house, server) = serve(&issuer, "");
    for (claims, status) in [
        (json!({"nonce": "other"}), 401),
        (json!({"aud": "programs"}), 401),
        (json!({"aud": ["allod", "programs"]}), 401),
        (json!({"azp": "programs"}), 401),
        (json!({"iss": "http://127.0.0.1:1"}), 401),
        (json!({"exp": 1}), 401),
        (json!({"groups": ["others"]}), 403),
    ] {
        issuer.state().claims = claims.clone();
        let (cookie, state) = begin(&server, &issuer);
        let page = back(&server, &pair(&cookie), &state, "");
        assert_eq!(page.status, status, "{claims}: {}", page.text);
        assert!(page.text.contains("You are not signed in") && page.text.contains("/sign-in\""));
        assert!(page.cookies.iter().all(|cookie| !cookie.starts_with("allod_session")));
    }
}

#[test]
fn a_secret_proves_the_program_and_other_hosts_are_not_asked() {
    let issuer = Issuer::new();
    let more = "      client_secret_file: secret\n";
    let house = House::with_policy(Some(&issuer.policy(more)));
    std::fs::write(house.data().join("secret"), "a b\n").unwrap();
    let server = house.serve();
    sign_in(&server, &issuer);
    let (exchanged, proof) = issuer.state().exchanged[0].clone();
    assert!(!exchanged.contains_key("client_id"));
    assert_eq!(proof.as_deref(), Some("Basic YWxsb2Q6YSUyMGI="));

    for lies in [
        json!({"token_endpoint": "http://127.0.0.1:1/token"}),
        json!({"authorization_endpoint": "http://evil.example/"}),
        json!({"issuer": "http://127.0.0.1:1"}),
    ] {
        let issuer = Issuer::new();
        issuer.state().lies = lies.clone();
        let (_house, server) = serve(&issuer, "");
        assert_eq!(browse(&server, "GET", "/sign-in", &[]).status, 503, "{lies}");
    }
}

#[test]
fn nobody_signs_in_where_the_policy_does_not_say_how() {
    let house = House::new();
    let server = house.serve();
    assert_eq!(browse(&server, "GET", "/sign-in/offer", &[]).text, r#"{"offered":false}"#);
    for path in ["/sign-in", "/sign-in/callback?state=a&code=b"] {
        assert_eq!(browse(&server, "GET", path, &[]).status, 404, "{path}");
    }
    // A cookie is nothing there.
    let page = browse(&server, "GET", "/api/status", &[("cookie", "allod_session=x")]);
    assert_eq!(page.status, 200);
}

#[test]
fn under_tls_no_neighbour_can_set_the_cookies() {
    let issuer = Issuer::new();
    let house = House::with_policy(Some(&issuer.policy_at("https://allod.example", "")));
    let server = house.serve();
    let (cookie, state) = begin(&server, &issuer);
    assert!(cookie.starts_with("__Secure-allod_sign_in=") && cookie.ends_with("; Secure"));
    let page = back(&server, &pair(&cookie), &state, "");
    let session = &page.cookies[1];
    assert!(session.starts_with("__Host-allod_session="), "{session}");
    assert!(session.ends_with("; Path=/; HttpOnly; SameSite=Strict; Secure"), "{session}");
    let plain = pair(session).replace("__Host-", "");
    let options = ServeOptions { keyless: Keyless::Refused, ..ServeOptions::default() };
    drop(server);
    let server = house.serve_with(options);
    assert_eq!(browse(&server, "GET", "/api/status", &[("cookie", &plain)]).status, 401);
}

#[test]
fn a_browser_signs_in_and_shows_the_console() {
    let Some(chromium) = chromium() else { return };
    let issuer = Issuer::new();
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let house = House::with_policy(Some(&issuer.policy_at(&format!("http://{listen}"), "")));
    let keyless = Keyless::Refused;
    let server = house.serve_at(ServeOptions { listen, keyless, ..ServeOptions::default() });
    let before = page(&chromium, &server, "#/documents");
    assert!(before.contains("href=\"/sign-in\""), "{before}");
    assert!(!before.contains("Library rules"), "{before}");
    // To the issuer on another site, back, and on to the console.
    let after = page(&chromium, &server, "sign-in");
    for part in ["Ask your documents", "loopback · local · reviewer", ">Sign out</button>"] {
        assert!(after.contains(part), "{part} is not in\n{after}");
    }
    assert_eq!(issuer.state().exchanged.len(), 1);
    issuer.state().claims = json!({"groups": ["others"]});
    let refused = page(&chromium, &server, "sign-in");
    assert!(refused.contains("You are not signed in") && refused.contains("no role"), "{refused}");
}

/// Someone else sits down at the machine.
#[test]
fn who_clicks_sign_out_leaves_nothing_behind_the_back_button() {
    let Some(chromium) = chromium() else { return };
    let issuer = Issuer::new();
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let house = House::with_policy(Some(&issuer.policy_at(&format!("http://{listen}"), "")));
    let keyless = Keyless::Refused;
    let _server = house.serve_at(ServeOptions { listen, keyless, ..ServeOptions::default() });
    let mut browser = Driven::new(&chromium);
    browser.go(&format!("http://{listen}/sign-in"));
    browser.shows("Sign out");
    browser.go(&format!("http://{listen}/#/documents"));
    browser.shows("Library rules");
    browser.go(&format!("http://{listen}/#/ask?q=When+is+the+library+open+on+Saturday%3F"));
    browser.waits("the answer", |page| page.to_lowercase().contains("sources"));
    // The browser keeps addresses, so what was asked is not in them.
    assert_eq!(browser.run("location.hash"), "#/ask?n=0");
    let click = "[...document.querySelectorAll('button')]
                     .find((button) => button.textContent === 'Sign out').click()";
    browser.run(click);
    let out = browser.shows("Sign in at your organisation");
    for gone in ["Library rules", "Sign out", "reviewer", "Documents"] {
        assert!(!out.contains(gone), "{gone} is still in\n{out}");
    }
    browser.run("history.back()");
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(browser.run("location.hash"), "#/documents");
    let back = browser.shows("Sign in at your organisation");
    assert!(!back.contains("Library rules"), "{back}");
    browser.run("history.forward()");
    std::thread::sleep(std::time::Duration::from_secs(1));
    let forward = browser.shows("Sign in at your organisation");
    assert!(!forward.contains("library open"), "{forward}");
    let whole = browser.run("document.documentElement.outerHTML");
    assert!(!whole.as_str().unwrap().contains("Library rules"), "{whole}");
    let asked = "fetch('/api/documents').then((reply) => document.title = reply.status)";
    browser.run(asked);
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(browser.run("document.title"), "401");
}
