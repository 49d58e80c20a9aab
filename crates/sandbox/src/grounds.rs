//! What forbidden acts are aimed at: real things, so that an act that is not denied succeeds.

use std::fs;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::layer::Layer;
use crate::setup::Purpose;

/// What forbidden acts are aimed at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Grounds {
    /// The process that started the keeper.
    pub(crate) parent: i32,
    /// Ports on loopback where someone listens; 0 where there is none.
    pub(crate) tcp4: u16,
    pub(crate) tcp6: u16,
    pub(crate) udp: u16,
    /// An abstract Unix socket where someone listens.
    pub(crate) abstract_name: String,
    /// A folder open to all, with a file `page` that all may read and write, a `spare` one and
    /// a `socket`.
    pub(crate) folder: PathBuf,
    /// The folder that holds the program's state.
    pub(crate) data: PathBuf,
    /// What the cell is for that they are tried in.
    pub(crate) purpose: Purpose,
    /// More memory than a cell may have.
    pub(crate) memory_bytes: u64,
    /// Only the acts that this layer must deny alone, and only if it stands.
    pub(crate) alone: Option<Layer>,
    /// The version of Landlock that is expected to hold: the kernel's.
    pub(crate) landlock_abi: u32,
}

/// Keeps the things there while acts are tried, and removes them.
#[derive(Debug)]
pub struct Prepared {
    /// What is there.
    pub grounds: Grounds,
    _listeners: Listeners,
}

#[derive(Debug, Default)]
struct Listeners {
    tcp: Vec<TcpListener>,
    udp: Option<UdpSocket>,
    unix: Vec<UnixListener>,
}

impl Prepared {
    /// The same for a cell with this purpose.
    #[must_use]
    pub fn of(mut self, purpose: Purpose) -> Prepared {
        self.grounds.purpose = purpose;
        self
    }

    /// Listens on loopback and lays out a folder. What cannot be had here (IPv6, a folder on a
    /// read-only disk) is left out: the acts aimed at it are tried all the same.
    /// `data` is the folder with the program's state, `memory_bytes` what a cell may have.
    ///
    /// # Panics
    /// Never: process ids are positive.
    pub fn new(data: &Path, memory_bytes: u64) -> Prepared {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let id = std::process::id();
        let mark = format!("allod-grounds-{id}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut listeners = Listeners::default();
        let folder = std::env::temp_dir().join(&mark);
        if lay_out(&folder).is_ok() {
            listeners.unix.extend(UnixListener::bind(folder.join("socket")).ok());
        }
        let named = SocketAddr::from_abstract_name(&mark);
        listeners.unix.extend(named.and_then(|name| UnixListener::bind_addr(&name)).ok());
        let grounds = Grounds {
            parent: i32::try_from(id).expect("process ids are positive"),
            tcp4: listeners.listen("127.0.0.1:0").unwrap_or(0),
            tcp6: listeners.listen("[::1]:0").unwrap_or(0),
            udp: listeners.receive().unwrap_or(0),
            abstract_name: mark,
            folder,
            data: data.to_owned(),
            purpose: Purpose::Document,
            memory_bytes,
            alone: None,
            // Where there is none, it is missed all the same.
            landlock_abi: crate::raise::abi().max(1),
        };
        Prepared { grounds, _listeners: listeners }
    }
}

impl Listeners {
    fn listen(&mut self, address: &str) -> io::Result<u16> {
        let listener = TcpListener::bind(address)?;
        let port = listener.local_addr()?.port();
        self.tcp.push(listener);
        Ok(port)
    }

    fn receive(&mut self) -> io::Result<u16> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let port = socket.local_addr()?.port();
        self.udp = Some(socket);
        Ok(port)
    }
}

fn lay_out(folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777))?;
    fs::write(folder.join("spare"), "")?;
    fs::write(folder.join("page"), "A page that no cell may see.\n")?;
    fs::set_permissions(folder.join("page"), fs::Permissions::from_mode(0o666))
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning of temporary files.
        let _ = fs::remove_dir_all(&self.grounds.folder);
    }
}
