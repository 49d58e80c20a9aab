//! What can go wrong.

/// A fault in what was given, not in how it was called: shapes that do not fit in a call to an
/// operation are the caller's mistake and panic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The pool of threads could not be made.
    #[error("{threads} threads could not be started: {what}; ask for fewer")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// What the system said.
        what: String,
    },
    /// The saved state of an optimiser does not fit.
    #[error("the optimiser's state does not fit: {0}")]
    State(String),
    /// A parameter's values are not as many as its shape says.
    #[error("parameter `{name}` of shape {shape:?} was given {values} values")]
    Shape {
        /// The parameter's name.
        name: String,
        /// Outermost dimension first.
        shape: Vec<usize>,
        /// Values given.
        values: usize,
    },
    /// Two parameters have the same name.
    #[error("there is a parameter `{0}` already; names must differ")]
    Twice(String),
    /// The rows of a batch are not whole sequences one after the other.
    #[error(
        "row {row} is position {position} of sequence {sequence}, where position {expected} was \
         due; give each sequence's rows together and from position 0 on"
    )]
    Rows {
        /// The first row that is wrong.
        row: usize,
        /// Its sequence.
        sequence: usize,
        /// Its position.
        position: usize,
        /// The position that would be right.
        expected: usize,
    },
    /// A sequence goes on after another one has begun.
    #[error("row {row} goes on with sequence {sequence}; give each sequence's rows together")]
    Split {
        /// The row.
        row: usize,
        /// Its sequence.
        sequence: usize,
    },
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;
