//! The rule written as plainly as possible: what every kernel is compared with.
