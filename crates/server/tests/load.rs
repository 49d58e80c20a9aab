//! Limits, back-pressure, streams that break off, and stopping, with a slow model behind the desk.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use allod_server::ServeOptions;
use common::{House, events};
use serde_json::{Value, json};

const TEXT: &str = "Once upon a time there was a lighthouse.";

/// A model's server that takes its time for every completion. Ends with the test.
fn slow_upstream(delay: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            std::thread::spawn(move || drop(complete(stream, delay)));
        }
    });
    port
}

fn complete(mut stream: TcpStream, delay: Duration) -> std::io::Result<()> {
    let mut seen = Vec::new();
    let mut piece = [0; 4096];
    while !is_whole(&seen) {
        let length = stream.read(&mut piece)?;
        seen.extend_from_slice(&piece[..length]);
    }
    std::thread::sleep(delay);
    let body = json!({
        "choices": [{"message": {"content": TEXT}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 9},
    })
    .to_string();
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\
                    Content-Length: {length}\r\n\r\n{body}"
    )
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    body.len() >= length.unwrap_or(0)
}

fn house(delay: Duration) -> House {
    let port = slow_upstream(delay);
    House::with_policy(Some(&format!(
        "model: storyteller\nruntime: vllm\nupstream:\n  url: http://127.0.0.1:{port}/v1\n\
         logging:\n  citations: optional\n"
    )))
}

fn chat(extra: Value) -> Value {
    let mut body = json!({
        "model": "storyteller",
        "messages": [{"role": "user", "content": "Tell a story about a lighthouse"}],
    });
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

const CHAT: &str = "/v1/chat/completions";

#[test]
fn the_model_itself_answers_under_its_own_name() {
    let house = house(Duration::ZERO);
    let server = house.serve();
    let models = server.client().get("/v1/models").json();
    assert_eq!(models["data"][1]["id"], "storyteller");
    let whole = server.client().post(CHAT, &chat(json!({"temperature": 0.5, "top_p": 0.9})));
    assert_eq!(whole.status, 200, "{}", whole.text);
    let value = whole.json();
    assert_eq!(value["choices"][0]["message"]["content"], TEXT);
    assert_eq!(value["usage"]["total_tokens"], 14);
    assert_eq!(value["allod"]["receipt"]["index"], 0);
    let streamed = server.client().post(CHAT, &chat(json!({"stream": true})));
    let mut events = events(&streamed.text);
    assert_eq!(events.pop().unwrap(), "[DONE]");
    let chunks: Vec<Value> = events.iter().map(|e| serde_json::from_str(e).unwrap()).collect();
    let text: String =
        chunks.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, TEXT);
    let last = chunks.last().unwrap();
    assert_eq!(
        (&last["choices"][0]["finish_reason"], &last["allod"]["receipt"]["index"]),
        (&json!("stop"), &json!(1))
    );
}

#[test]
fn an_upstream_that_is_not_there_is_an_honest_error() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let house = House::with_policy(Some(&format!(
        "model: gone\nruntime: vllm\nupstream:\n  url: http://127.0.0.1:{port}/v1\n\
         logging:\n  citations: optional\n"
    )));
    let server = house.serve();
    for stream in [false, true] {
        let body = chat(json!({"model": "gone", "stream": stream}));
        let answer = server.client().post(CHAT, &body);
        assert_eq!((answer.status, answer.error_code().as_str()), (502, "upstream_failed"));
        assert!(!answer.text.contains("127.0.0.1"), "{}", answer.text);
    }
}

#[test]
fn more_requests_than_there_is_room_for_are_turned_away_at_once() {
    let house = house(Duration::from_millis(1500));
    let options = ServeOptions { answering_max: 1, waiting_max: 1, ..ServeOptions::default() };
    let server = house.serve_with(options);
    let client = server.client();
    let post = || {
        let client = client.clone();
        std::thread::spawn(move || client.post(CHAT, &chat(json!({}))))
    };
    let first = [post(), post()];
    wait_until(|| client.get("/metrics").text.contains("\nallod_requests_waiting 1\n"));
    let begun = Instant::now();
    let turned_away = client.post(CHAT, &chat(json!({})));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!((turned_away.status, turned_away.error_code().as_str()), (503, "overloaded"));
    assert_eq!(turned_away.header("retry-after"), Some("2"));
    assert_eq!(client.get("/api/status").status, 200, "reading goes on");
    for thread in first {
        assert_eq!(thread.join().unwrap().status, 200);
    }
    assert_eq!(house.desk.ledger().checkpoint().size, 2, "who was turned away left no receipt");
}

#[test]
fn a_request_that_takes_too_long_ends() {
    let house = house(Duration::from_secs(3));
    let options =
        ServeOptions { request_timeout: Duration::from_millis(300), ..ServeOptions::default() };
    let server = house.serve_with(options);
    let answer = server.client().post(CHAT, &chat(json!({})));
    assert_eq!((answer.status, answer.error_code().as_str()), (504, "timeout"));
}

#[test]
fn a_client_that_sends_its_head_too_slowly_is_cut_off() {
    let house = House::new();
    let options =
        ServeOptions { head_timeout: Duration::from_millis(300), ..ServeOptions::default() };
    let server = house.serve_with(options);
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n").unwrap();
    let begun = Instant::now();
    let mut rest = Vec::new();
    // Cut off with or without a last word; both end the reading.
    drop(stream.read_to_end(&mut rest));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
}

#[test]
fn connections_beyond_the_limit_wait_their_turn() {
    let house = House::new();
    let options = ServeOptions { connections_max: 1, ..ServeOptions::default() };
    let server = house.serve_with(options);
    let idle = TcpStream::connect(server.address).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let client = server.client();
    let waits = std::thread::spawn(move || client.get("/healthz").status);
    std::thread::sleep(Duration::from_millis(300));
    assert!(!waits.is_finished(), "served although the only place was taken");
    drop(idle);
    assert_eq!(waits.join().unwrap(), 200);
}

#[test]
fn what_is_in_flight_is_finished_before_the_server_stops() {
    let house = house(Duration::from_secs(1));
    let mut server = house.serve();
    let client = server.client();
    let in_flight = {
        let client = client.clone();
        std::thread::spawn(move || client.post(CHAT, &chat(json!({"stream": true}))))
    };
    wait_until(|| client.get("/metrics").text.contains("\nallod_requests_in_flight 1\n"));
    let address = server.address;
    server.begin_to_stop();
    wait_until(|| TcpStream::connect(address).is_err());
    let answer = in_flight.join().unwrap();
    assert!(answer.text.ends_with("data: [DONE]\n\n"), "{}", answer.text);
    server.wait();
    assert_eq!(house.desk.ledger().checkpoint().size, 1);
}

#[test]
fn a_client_that_goes_away_leaves_a_receipt_and_frees_its_place() {
    let house = house(Duration::from_millis(600));
    let options = ServeOptions { answering_max: 1, waiting_max: 0, ..ServeOptions::default() };
    let server = house.serve_with(options);
    let body = chat(json!({"stream": true})).to_string();
    let mut stream = TcpStream::connect(server.address).unwrap();
    write!(
        stream,
        "POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
                    Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let client = server.client();
    wait_until(|| client.get("/metrics").text.contains("\nallod_requests_in_flight 1\n"));
    drop(stream);
    wait_until(|| client.get("/metrics").text.contains("\nallod_requests_in_flight 0\n"));
    assert_eq!(house.desk.ledger().checkpoint().size, 1);
    assert_eq!(client.post(CHAT, &chat(json!({}))).status, 200);
}

fn wait_until(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never came to hold");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_body_that_does_not_arrive_holds_no_connection() {
    let house = House::new();
    let options =
        ServeOptions { body_timeout: Duration::from_millis(200), ..ServeOptions::default() };
    let server = house.serve_with(options);
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = "POST /api/ask HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
                Content-Length: 1000\r\n\r\n{";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}
