//! A server in the place of an upstream, which keeps every byte that it is sent.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

pub struct Stub {
    pub url: String,
    requests: Arc<Mutex<Vec<(String, String)>>>,
}

impl Stub {
    pub fn start() -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (head, body) = read(&mut BufReader::new(&stream));
                let number = {
                    let mut kept = kept.lock().unwrap();
                    kept.push((head, body.clone()));
                    kept.len()
                };
                answer(&mut stream, number, &body);
            }
        });
        Stub { url, requests }
    }

    /// Every request as it came, and what its body says: all texts, one after another.
    pub fn got(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        let whole = |(head, body): &(String, String)| {
            let mut said = String::new();
            if let Ok(body) = serde_json::from_str(body) {
                texts(&body, &mut said);
            }
            format!("{head}\n{body}\n{said}")
        };
        requests.iter().map(whole).collect()
    }
}

/// Contents only, so that a number that is parted over two messages stands in one piece.
fn texts(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => {
            out.push('\n');
            out.push_str(text);
        }
        Value::Array(list) => list.iter().for_each(|one| texts(one, out)),
        Value::Object(fields) => {
            for (name, field) in fields.iter().filter(|(name, _)| *name != "role") {
                if field.is_number() {
                    out.push_str(&format!("\n{name} {field}\n"));
                }
                texts(field, out);
            }
        }
        Value::Number(_) | Value::Null | Value::Bool(_) => {}
    }
}

fn read(reader: &mut impl BufRead) -> (String, String) {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

/// Now and then an error that repeats what was asked, as servers do.
fn answer(stream: &mut TcpStream, number: usize, body: &str) {
    let (status, said) = match number % 9 {
        0 => ("400 Bad Request", format!("cannot read {body}")),
        _ => {
            let text = "A stall costs CHF 35 a day [1].";
            let said = json!({
                "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 11, "completion_tokens": 7},
            });
            ("200 OK", said.to_string())
        }
    };
    let head = "Content-Type: application/json\r\nConnection: close";
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {}\r\n\r\n{said}",
        said.len()
    );
}
