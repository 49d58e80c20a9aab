//! SIGTERM stops the server in good order. Alone in its file: the signal is for the whole process.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![cfg(unix)]

mod common;

use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use allod_server::{ServeOptions, serve};
use common::House;

#[test]
fn a_signal_stops_the_server() {
    let house = House::new();
    let desk = Arc::clone(&house.desk);
    let (tell, told) = mpsc::channel();
    let options =
        ServeOptions { listen: "127.0.0.1:0".parse().unwrap(), ..ServeOptions::default() };
    let server = std::thread::spawn(move || {
        serve(desk, options, move |address| tell.send(address).unwrap())
    });
    let address = told.recv_timeout(Duration::from_secs(20)).unwrap();
    let own = std::process::id().to_string();
    assert!(Command::new("kill").args(["-TERM", &own]).status().unwrap().success());
    server.join().unwrap().unwrap();
    assert!(std::net::TcpStream::connect(address).is_err());
}
