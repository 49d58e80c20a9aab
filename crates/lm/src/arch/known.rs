//! What is known of a checkpoint when its weights are looked for.

use crate::spec::DecoderSpec;

/// What is known of a checkpoint when its weights are looked for.
pub(crate) struct Known<'a, S = DecoderSpec> {
    /// What is computed.
    pub spec: &'a S,
    /// Whether there is a tensor of a name.
    pub names: &'a dyn Fn(&str) -> bool,
}

impl<S> Known<'_, S> {
    /// Whether there is a tensor called `name`.
    pub fn has(&self, name: &str) -> bool {
        (self.names)(name)
    }
}

impl<S> Clone for Known<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Known<'_, S> {}
