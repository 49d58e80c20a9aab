//! More than the engine can take, and clients that go away, with a model behind the desk.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use allod_engine::Options;
use common::{Answer, House, Server};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";

/// Answers that the model does not end by itself.
fn long(extra: Value) -> Value {
    let mut body = json!({"model": "tiny", "max_tokens": 400, "temperature": 1, "n": 4,
                          "logit_bias": {"2": -100},
                          "messages": [{"role": "user", "content": "ab"}]});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

/// Twelve requests at once.
fn flood(server: &Server, body: &Value) -> Vec<Answer> {
    let threads: Vec<_> = (0..12)
        .map(|_| {
            let (client, body) = (server.client(), body.clone());
            std::thread::spawn(move || client.post(CHAT, &body))
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

fn check_turned_away(answers: &[Answer], status: u16, code: &str) {
    let turned_away: Vec<&Answer> = answers.iter().filter(|one| one.status != 200).collect();
    assert!(!turned_away.is_empty() && turned_away.len() < answers.len());
    for answer in turned_away {
        assert_eq!((answer.status, answer.error_code().as_str()), (status, code));
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=120).contains(&seconds), "{seconds}");
    }
}

#[test]
fn whoever_comes_to_a_full_engine_is_told_when_to_come_back() {
    let full = Options { slots: Some(1), waiting_max: Some(4), ..Options::default() };
    let house = House::with_engine(full);
    let server = house.serve();
    check_turned_away(&flood(&server, &long(json!({}))), 503, "overloaded");
    let streams = flood(&server, &long(json!({"stream": true})));
    check_turned_away(&streams, 503, "overloaded");
    let page = server.client().get("/metrics").text;
    assert!(!page.contains("vllm:admission_rejections_total{model_name=\"tiny\",engine=\"0\"} 0"));
}

#[test]
fn a_tenant_that_fills_its_own_line_is_told_so() {
    let own = Options { slots: Some(1), waiting_per_tenant_max: Some(4), ..Options::default() };
    let house = House::with_engine(own);
    let server = house.serve();
    check_turned_away(&flood(&server, &long(json!({}))), 429, "rate_limit_exceeded");
}

#[test]
fn the_model_stops_for_a_client_that_goes_away() {
    let house = House::with_engine(Options::default());
    let server = house.serve();
    for stream in [false, true] {
        let before = aborted(&server);
        let begun = Instant::now();
        // The model is quick: it may be done before the client is gone.
        while aborted(&server) == before {
            assert!(begun.elapsed() < Duration::from_secs(20), "the model never stopped");
            leave(&server, &long(json!({"stream": stream, "n": 8})));
        }
    }
    let begun = Instant::now();
    let idle = "vllm:num_requests_running{model_name=\"tiny\",engine=\"0\"} 0\n";
    while !server.client().get("/metrics").text.contains(idle) {
        assert!(begun.elapsed() < Duration::from_secs(20), "a sequence never ended");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(house.desk.ledger().checkpoint().size > 0, "what was written is recorded");
}

/// Sends a request, and closes the connection soon after.
fn leave(server: &Server, body: &Value) {
    let body = body.to_string();
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    drop(stream);
    std::thread::sleep(Duration::from_millis(100));
}

/// How many turns ended since nobody waited any more.
fn aborted(server: &Server) -> u64 {
    let page = server.client().get("/metrics").text;
    let line = page.lines().find(|line| line.contains("finished_reason=\"abort\""));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}
