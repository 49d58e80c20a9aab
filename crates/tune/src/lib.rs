//! A *run*: training that starts from data and ends in an artifact with the same bytes every time.
//!
//! One recipe stands here, the table behind the built-in search vectors: [`train_table`].

mod embed;
mod error;

pub use embed::{Progress, TableRecipe, TrainedTable, TrainingData, train_table};
pub use error::{Error, Result};
