//! Progress bars on a terminal; nothing elsewhere.

use std::cell::RefCell;

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

/// A bar that counts bytes and names the file that they are of.
pub struct ByteBar {
    bar: ProgressBar,
    file: RefCell<String>,
}

impl ByteBar {
    /// A bar that has not begun.
    pub fn new() -> ByteBar {
        let bar = ProgressBar::new(0);
        let template = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}  {wide_msg}";
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.expect("the template is well formed"));
        ByteBar { bar, file: RefCell::default() }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl allod_registry::Progress for ByteBar {
    fn begin(&self, bytes: u64) {
        self.bar.set_length(bytes);
        self.bar.set_position(0);
    }

    fn advance(&self, name: &str, bytes: u64) {
        if *self.file.borrow() != name {
            self.file.replace(name.to_owned());
            self.bar.set_message(name.to_owned());
        }
        self.bar.inc(bytes);
    }
}
