//! A progress bar on a terminal; nothing elsewhere.

use allod_retrieval::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar that hides itself when standard error is no terminal.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar that has not begun.
    pub fn new() -> Bar {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {wide_msg}");
        bar.set_style(style.expect("the template is well formed"));
        Bar(bar)
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn begin(&self, files: usize) {
        self.0.set_length(files as u64);
    }

    fn advance(&self, path: &str) {
        self.0.set_message(path.to_owned());
        self.0.inc(1);
    }
}
