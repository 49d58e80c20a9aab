//! What turns texts into vectors for the dense side of a search.

/// What a text is encoded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A question.
    Query,
    /// A passage of a document, with what stands above it.
    Passage,
}

/// Turns texts into vectors whose cosine says how near their meanings are.
pub trait Encoder: Send + Sync {
    /// Changes whenever any vector would change: the model's digest, its pooling, its numerics. The
    /// vectors of an index are computed anew when it does.
    fn identity(&self) -> &str;

    /// Elements of a vector, from 1 to 65,536; the same for every text.
    fn dimension(&self) -> usize;

    /// One vector for each text, in order; of any length, for it is normalised here. The same text
    /// gives the same bits whatever its neighbours are. A text longer than the model reads is cut.
    ///
    /// # Errors
    /// Why the texts cannot be encoded, in words.
    fn encode(&self, purpose: Purpose, texts: &[&str]) -> Result<Vec<Vec<f32>>, String>;

    /// The vector of each of these words by itself, of length 1, or 0 for one that it does not
    /// know. `None` from an encoder that only knows words in their text.
    fn words(&self, _words: &[&str]) -> Option<Vec<Vec<f32>>> {
        None
    }
}
