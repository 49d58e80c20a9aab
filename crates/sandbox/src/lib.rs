//! Cells: processes that can reach nothing but what they were handed.
//!
//! A file from outside is read by a large program (a reader of PDF, of ZIP, of HTML) that someone
//! may know how to take over. So it is read in a process that has nothing: no files, no network, no
//! other process, no new rights, bounded memory and time. It gets the bytes through a pipe and
//! gives the text back through another.
//!
//! # Who is who
//!
//! - [`Cells`] stands in the program that has files to be read. It starts *keepers* and asks them.
//! - A **keeper** is the same program, executed anew with an empty environment. It gives up its
//!   rights and its namespaces, and then does nothing but fork: it never sees a byte of a file.
//! - A **cell** is a fork of a keeper. It waits with all doors shut ([`Layer`]), reads one request,
//!   answers and ends. So nothing that one file did to its reader can meet the next file.
//!
//! A keeper forks the next cell while the last answer is being used, so a file costs no start of a
//! program. A program calls [`enter`] first of all in its `main`: that is where keepers begin.
//!
//! # What is proved
//!
//! [`self_test`] really tries what a cell must not do ([`ACTS`]), with all layers together and with
//! each layer alone for what that layer must deny by itself.
//!
//! On systems other than Linux there is no layer, and [`Cells`] says so instead of starting.

mod arenas;
mod error;
mod layer;
mod limits;
mod report;

#[cfg(target_os = "linux")]
mod act;
#[cfg(target_os = "linux")]
mod acts;
#[cfg(target_os = "linux")]
mod cell;
#[cfg(target_os = "linux")]
mod cells;
#[cfg(target_os = "linux")]
mod end;
#[cfg(target_os = "linux")]
mod frame;
#[cfg(target_os = "linux")]
mod grounds;
#[cfg(target_os = "linux")]
mod inside;
#[cfg(target_os = "linux")]
mod keep;
#[cfg(target_os = "linux")]
mod keeper;
#[cfg(target_os = "linux")]
mod lacking;
#[cfg(target_os = "linux")]
mod raise;
#[cfg(target_os = "linux")]
mod resident;
#[cfg(target_os = "linux")]
mod seal;
#[cfg(target_os = "linux")]
mod self_test;
#[cfg(target_os = "linux")]
mod setup;
#[cfg(target_os = "linux")]
mod shelf;
#[cfg(target_os = "linux")]
mod spawner;

#[cfg(not(target_os = "linux"))]
mod elsewhere;

pub use arenas::limit_arenas;
pub use error::{Error, Result};
pub use layer::{Layer, Raised};
pub use limits::Limits;
pub use report::{ActReport, Report};

#[cfg(target_os = "linux")]
pub use act::{ACTS, Act};
#[cfg(target_os = "linux")]
pub use cells::Cells;
#[cfg(target_os = "linux")]
pub use grounds::{Grounds, Prepared};
#[cfg(target_os = "linux")]
pub use inside::{Inside, enter_resident};
#[cfg(target_os = "linux")]
pub use keep::enter;
#[cfg(target_os = "linux")]
pub use lacking::lack;
#[cfg(target_os = "linux")]
pub use resident::{Resident, Words};
#[cfg(target_os = "linux")]
pub use seal::seal;
#[cfg(target_os = "linux")]
pub use self_test::{attempt_all, self_test};
#[cfg(target_os = "linux")]
pub use setup::{Missing, Purpose, Setup};
#[cfg(target_os = "linux")]
pub use shelf::{Shelf, ShelfRule};

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{Cells, Missing, Setup, enter, seal, self_test};

/// What a cell does with a request: bytes in, bytes out.
pub type Work = fn(&[u8]) -> Vec<u8>;
