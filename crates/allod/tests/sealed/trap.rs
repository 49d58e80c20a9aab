//! A network of one cable: what leaves this machine by it is counted at its other end, where nobody
//! answers. It is made in a network namespace of its own, in which there is nothing else.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Addresses at the other end: a gateway, and behind it all others.
pub const HOST: &str = "192.0.2.1";
const RESOLVER: &str = "nameserver 192.0.2.1\noptions timeout:1 attempts:1\n";
/// One end is this machine's, the other the trap's. The neighbours are told, so that nothing has to
/// be asked before the first packet can go.
const CABLE: &str = r#"
set -e
ip link set lo up
ip link add near type veth peer name far
for key in accept_ra autoconf accept_dad router_solicitations; do
    echo 0 > /proc/sys/net/ipv6/conf/near/$key
done
echo 1 > /proc/sys/net/ipv6/conf/far/disable_ipv6
ip address add 192.0.2.2/24 dev near
ip link set far up
ip link set near up
ip -6 address add 2001:db8::2/64 dev near nodad
mac=$(ip -o link show far | sed 's/.*ether \([^ ]*\).*/\1/')
ip route add default via 192.0.2.1 dev near
ip -6 route add default via 2001:db8::1 dev near
ip neighbour replace 192.0.2.1 lladdr "$mac" dev near nud permanent
ip -6 neighbour replace 2001:db8::1 lladdr "$mac" dev near nud permanent
"#;
/// The kernel itself says what addresses it has, several times; then it is silent.
const QUIET: Duration = Duration::from_secs(4);
const QUIET_AT_MOST: Duration = Duration::from_secs(40);

/// `program` in a network namespace of its own, where one may be made; else why not.
pub fn command(program: &Path) -> Result<Command, String> {
    let mut why = String::new();
    for more in [&[][..], &["--user", "--map-root-user"]] {
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "--mount"]).args(more);
        let mut probe = Command::new("unshare");
        probe.args(unshare.get_args()).args(["sh", "-c", CABLE]);
        match probe.output() {
            Ok(output) if output.status.success() => {
                unshare.arg(program);
                return Ok(unshare);
            }
            Ok(output) => why = String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => why = format!("unshare: {error}"),
        }
    }
    Err(why)
}

/// The trap; from when it is made, every name is asked for there.
pub struct Trap {
    counted: u64,
}

impl Trap {
    /// Lays the cable, in the namespace that this process is in, and waits until it is silent.
    pub fn set(folder: &Path) -> Trap {
        let laid = Command::new("sh").args(["-c", CABLE]).status().unwrap();
        assert!(laid.success());
        let resolver = folder.join("resolv.conf");
        std::fs::write(&resolver, RESOLVER).unwrap();
        let bound =
            Command::new("mount").arg("--bind").arg(resolver).arg("/etc/resolv.conf").status();
        assert!(bound.unwrap().success());
        let begun = Instant::now();
        let (mut since, mut last) = (begun, frames());
        while since.elapsed() < QUIET {
            assert!(begun.elapsed() < QUIET_AT_MOST, "the cable does not become silent");
            std::thread::sleep(Duration::from_millis(50));
            if frames() != last {
                (since, last) = (Instant::now(), frames());
            }
        }
        Trap { counted: last }
    }

    /// Frames that came since the last call.
    pub fn caught(&mut self) -> u64 {
        // What was sent is there at once; what waits for a moment before it is sent is not.
        std::thread::sleep(Duration::from_millis(1500));
        let before = std::mem::replace(&mut self.counted, frames());
        self.counted - before
    }
}

/// All frames that have come to the other end.
fn frames() -> u64 {
    let devices = std::fs::read_to_string("/proc/self/net/dev").unwrap();
    let far = devices.lines().find_map(|line| line.trim().strip_prefix("far:"));
    far.expect("the cable is laid").split_whitespace().nth(1).unwrap().parse().unwrap()
}
