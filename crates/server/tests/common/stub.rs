//! A server of models that answers as it is told to.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// What the server does when it is asked.
#[derive(Clone)]
pub enum Act {
    /// Sends these bytes.
    Send(String),
    /// Says nothing for so long, and then ends the connection.
    Wait(Duration),
}

/// It does these things in turn, and then the last for ever.
pub struct Stub {
    pub url: String,
    bodies: Arc<Mutex<Vec<Value>>>,
}

/// A chat completion.
pub fn says(text: &str) -> Act {
    let body = json!({
        "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
    });
    responds("200 OK", "", &body.to_string())
}

/// Any response.
pub fn responds(status: &str, headers: &str, body: &str) -> Act {
    let length = body.len();
    Act::Send(format!(
        "HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

impl Stub {
    pub fn doing(acts: &[Act]) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let (kept, acts) = (Arc::clone(&bodies), acts.to_vec());
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                kept.lock().unwrap().push(read_body(&mut BufReader::new(&stream)));
                match acts.get(number).or(acts.last()).unwrap() {
                    // Whoever asked may have gone.
                    Act::Send(response) => drop(stream.write_all(response.as_bytes())),
                    Act::Wait(time) => std::thread::sleep(*time),
                }
            }
        });
        Stub { url, bodies }
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Value> {
        self.bodies.lock().unwrap().clone()
    }
}

fn read_body(reader: &mut impl BufRead) -> Value {
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    serde_json::from_slice(&body).unwrap()
}
