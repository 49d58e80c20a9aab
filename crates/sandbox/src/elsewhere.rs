//! Systems without layers: everything says so.

use std::path::Path;
use std::process::ExitCode;

use crate::error::{Error, Result};
use crate::layer::Layers;
use crate::{Limits, Report, Work};

/// What to do where a required layer is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missing {
    /// Read nothing.
    #[default]
    Refuse,
    /// Read with the layers that there are.
    GoOn,
}

/// How cells are made.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// What one request may use.
    pub limits: Limits,
    /// What to do where a required layer is missing.
    pub missing: Missing,
}

/// Cells; on this system there are none.
#[derive(Debug)]
pub struct Cells {
    never: std::convert::Infallible,
}

impl Cells {
    /// Says that there are none.
    ///
    /// # Errors
    /// [`Error::NoSystem`], always.
    pub fn new(_setup: Setup) -> Result<Cells> {
        Err(Error::NoSystem)
    }

    /// Cannot be called, for there are none.
    ///
    /// # Errors
    /// None.
    pub fn ask(&self, _request: &[u8]) -> Result<Vec<u8>> {
        match self.never {}
    }
}

/// Nobody starts keepers here.
pub fn enter(_work: Work) -> Option<ExitCode> {
    None
}

/// Says that nothing can be sealed here.
///
/// # Errors
/// [`Error::NoSystem`], always.
pub fn seal(_data: &Path) -> Result<Vec<String>> {
    Err(Error::NoSystem)
}

/// A report that says that every layer is missing.
///
/// # Errors
/// None on this system.
pub fn self_test(_setup: &Setup, _data: &Path) -> Result<Report> {
    let mut report = Report::default();
    report.set_layers(&Layers::new());
    Ok(report)
}
