//! Acts aimed at others over sockets.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketType, bind, connect, ipproto, listen, sendto,
    socket,
};

use crate::act::Act;
use crate::act::Hold::{Landlock, Limits, Privileges, Seccomp};
use crate::grounds::Grounds;

type Result = std::result::Result<(), Errno>;

/// The one act that a server needs.
pub(crate) const LISTEN: &str = "listen_tcp";

/// The acts.
pub(crate) const ACTS: &[Act] = &[
    Act {
        name: "connect_ipv4",
        what: "connect to an IPv4 address",
        held_by: &[Limits, Landlock(4), Seccomp],
        attempt: connect_ipv4,
    },
    Act {
        name: "connect_ipv6",
        what: "connect to an IPv6 address",
        held_by: &[Limits, Landlock(4), Seccomp],
        attempt: connect_ipv6,
    },
    Act {
        name: "connect_unix",
        what: "connect to a Unix socket in a folder",
        held_by: &[Limits, Seccomp],
        attempt: connect_unix,
    },
    Act {
        name: "connect_abstract",
        what: "connect to an abstract Unix socket",
        held_by: &[Limits, Landlock(6), Seccomp],
        attempt: connect_abstract,
    },
    Act {
        name: "send_udp",
        what: "send a UDP packet",
        held_by: &[Limits, Seccomp],
        attempt: send_udp,
    },
    Act {
        name: "ask_dns",
        what: "ask a name server",
        held_by: &[Limits, Seccomp],
        attempt: ask_dns,
    },
    Act {
        name: LISTEN,
        what: "listen on a TCP port",
        held_by: &[Limits, Landlock(4), Seccomp],
        attempt: listen_tcp,
    },
    Act {
        name: "raw_socket",
        what: "open a raw socket",
        held_by: &[Privileges, Limits, Seccomp],
        attempt: raw_socket,
    },
    Act {
        name: "packet_socket",
        what: "open a packet socket",
        held_by: &[Privileges, Limits, Seccomp],
        attempt: packet_socket,
    },
    Act {
        name: "netlink_socket",
        what: "open a netlink socket",
        held_by: &[Limits, Seccomp],
        attempt: netlink_socket,
    },
    Act {
        name: "vsock_socket",
        what: "open a socket to the host of a virtual machine",
        held_by: &[Limits, Seccomp],
        attempt: vsock_socket,
    },
];

fn connect_ipv4(grounds: &Grounds) -> Result {
    let stream = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    connect(&stream, &SocketAddr::from((Ipv4Addr::LOCALHOST, grounds.tcp4)))
}

fn connect_ipv6(grounds: &Grounds) -> Result {
    let stream = socket(AddressFamily::INET6, SocketType::STREAM, None)?;
    connect(&stream, &SocketAddr::from((Ipv6Addr::LOCALHOST, grounds.tcp6)))
}

fn connect_unix(grounds: &Grounds) -> Result {
    let stream = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    connect(&stream, &SocketAddrUnix::new(grounds.folder.join("socket"))?)
}

fn connect_abstract(grounds: &Grounds) -> Result {
    let stream = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    connect(&stream, &SocketAddrUnix::new_abstract_name(grounds.abstract_name.as_bytes())?)
}

fn send_udp(grounds: &Grounds) -> Result {
    let packets = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, grounds.udp);
    sendto(&packets, b"secret", SendFlags::empty(), &to).map(drop)
}

/// A question for `secret.example` to the resolver that most Linux systems have on loopback.
fn ask_dns(_grounds: &Grounds) -> Result {
    let question = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x06secret\x07example\0\0\x01\0\x01";
    let packets = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    let to = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 53), 53);
    sendto(&packets, question, SendFlags::empty(), &to).map(drop)
}

fn listen_tcp(_grounds: &Grounds) -> Result {
    let stream = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&stream, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    listen(&stream, 1)
}

fn raw_socket(_grounds: &Grounds) -> Result {
    socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::ICMP)).map(drop)
}

fn packet_socket(_grounds: &Grounds) -> Result {
    socket(AddressFamily::PACKET, SocketType::RAW, None).map(drop)
}

fn netlink_socket(_grounds: &Grounds) -> Result {
    socket(AddressFamily::NETLINK, SocketType::RAW, None).map(drop)
}

fn vsock_socket(_grounds: &Grounds) -> Result {
    socket(AddressFamily::VSOCK, SocketType::STREAM, None).map(drop)
}
