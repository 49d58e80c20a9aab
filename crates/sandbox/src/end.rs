//! How a cell ended, as its keeper saw it.

/// How a cell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    /// As `waitpid(2)` gives it.
    pub(crate) status: i32,
    /// The bytes of the request that it did not read.
    pub(crate) left: u32,
}

/// So many bytes say it.
pub(crate) const END_BYTES: usize = 8;

impl End {
    pub(crate) fn encode(self) -> [u8; END_BYTES] {
        let [a, b, c, d] = self.status.to_le_bytes();
        let [e, f, g, h] = self.left.to_le_bytes();
        [a, b, c, d, e, f, g, h]
    }

    pub(crate) fn decode(bytes: [u8; END_BYTES]) -> End {
        let [a, b, c, d, e, f, g, h] = bytes;
        End { status: i32::from_le_bytes([a, b, c, d]), left: u32::from_le_bytes([e, f, g, h]) }
    }

    /// Its exit code, unless a signal ended it.
    pub(crate) fn code(self) -> Option<i32> {
        libc::WIFEXITED(self.status).then(|| libc::WEXITSTATUS(self.status))
    }

    /// The signal that ended it.
    pub(crate) fn signal(self) -> Option<i32> {
        libc::WIFSIGNALED(self.status).then(|| libc::WTERMSIG(self.status))
    }
}
