//! A sealed day: in a network of its own with a trap at the end of the only cable, all that the
//! program can do is done, and the trap counts every packet that leaves this machine.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../../../engine/tests/common/mod.rs"]
mod bytes;
#[path = "../common/mod.rs"]
mod common;
mod day;
#[path = "../common/tiny.rs"]
mod tiny;
mod trap;

use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::path::Path;
use std::time::Duration;

use common::{Server, small_library};
use trap::{HOST, Trap};

/// Set in the process that runs the test in the network of its own.
const INSIDE: &str = "ALLOD_TEST_TRAP";

#[test]
fn a_sealed_day_sends_nothing() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let mut command = match trap::command(&std::env::current_exe().unwrap()) {
        Ok(command) => command,
        Err(why) => return println!("skipped: no network namespace can be made here: {why}"),
    };
    command.args(["--exact", "a_sealed_day_sends_nothing", "--nocapture"]).env(INSIDE, "1");
    assert!(command.status().unwrap().success());
}

fn inside() {
    let folder = tempfile::tempdir().unwrap();
    let mut trap = Trap::set(folder.path());
    the_trap_counts(&mut trap, folder.path());
    let done = day::live(&folder.path().join("day"));
    let caught = trap.caught();
    println!("{done} commands and requests: {caught} packets reached the trap");
    assert_eq!(caught, 0, "packets left the machine");
    // And it would still have counted.
    UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"x", (HOST, 9)).unwrap();
    assert_eq!(trap.caught(), 1);
}

/// What is sent on purpose is caught: one packet, a connection by IPv6, a name that is looked up,
/// and a server that is not sealed and asks an upstream.
fn the_trap_counts(trap: &mut Trap, folder: &Path) {
    UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"x", (HOST, 9)).unwrap();
    assert_eq!(trap.caught(), 1, "one packet was sent");
    let far = "[2001:db8:1::1]:80".parse().unwrap();
    assert!(TcpStream::connect_timeout(&far, Duration::from_millis(300)).is_err());
    let by_ipv6 = trap.caught();
    assert!("huggingface.co:443".to_socket_addrs().is_err());
    let by_name = trap.caught();
    let data = folder.join("open");
    small_library(&data);
    let policy = format!(
        "name: open\nmodel: m\nruntime: vllm\nupstream: {{url: 'http://{HOST}', region: local}}\n\
         logging: {{citations: optional}}\n"
    );
    std::fs::write(data.join("allod.yaml"), policy).unwrap();
    let before = trap.caught();
    let server = Server::start(day::allod(&data).args(["serve", "--listen", "127.0.0.1:0"]));
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
    let agent = config.timeout_global(Some(Duration::from_secs(3))).build().new_agent();
    let asked = serde_json::json!({"model": "m", "messages": [{"role": "user", "content": "a"}]});
    // Nobody answers there.
    let _ = agent.post(format!("http://{}/v1/chat/completions", server.address)).send_json(asked);
    drop(server);
    let upstream = trap.caught();
    println!("caught: 1, {by_ipv6} by IPv6, {by_name} for a name, {upstream} to an upstream");
    assert!(by_ipv6 > 0 && by_name > 0 && upstream > 0);
    assert_eq!(before, 0, "to ingest sends nothing");
}
