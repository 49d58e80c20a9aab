//! What comes out of an executor: logits of a decoder, vectors of either kind of model.

use super::{Batch, Infer, Logits, Vectors};
use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::spec::{DecoderSpec, EncoderSpec, ModelSpec, Pooling};

impl Infer<DecoderSpec> {
    /// Runs the rows of `batch` and appends their keys and values to their sequences. Returns the
    /// logits of the rows that asked for them, in order.
    ///
    /// # Errors
    /// If a row's token, slot or position is not possible; then nothing has changed.
    pub fn run(&mut self, batch: &Batch) -> Result<Logits> {
        self.take(batch)?;
        let logits = self.forward(|exec, spec| Decoder(spec).forward(exec));
        Ok(Logits::new(self.checkpoint.spec().outputs, logits.values))
    }

    /// Takes back the memory of logits that are read, for those of a later run: they are megabytes,
    /// which the system would have to clear for each run.
    pub fn recycle(&mut self, logits: Logits) {
        self.keep(logits.into_values());
    }

    /// Does every task with the threads that compute, each as soon as one is free: what is done
    /// between two runs then needs no thread woken.
    ///
    /// # Panics
    /// When a task does, after all others are done.
    pub fn each<T: Send>(&self, tasks: Vec<T>, work: impl Fn(T) + Sync) {
        self.workers.each_task(tasks, |task, _| work(task));
    }

    /// One vector of each sequence of `batch`, which holds whole sequences, in order: of the normed
    /// last hidden states of their tokens. Whatever was there before is forgotten.
    ///
    /// # Errors
    /// As [`Infer::run`].
    pub fn pool(&mut self, batch: &Batch, pooling: Pooling) -> Result<Vectors> {
        self.clear();
        self.take(batch)?;
        self.batch.want(pooling);
        let pooled = self.forward(|exec, spec| Decoder(spec).pooled(exec, pooling));
        Ok(Vectors::new(pooled.width, pooled.values))
    }
}

impl Infer<EncoderSpec> {
    /// The last hidden states of the wanted rows of `batch`, which holds whole sequences.
    ///
    /// # Errors
    /// If a row's token, segment, slot or position is not possible.
    pub fn encode(&mut self, batch: &Batch) -> Result<Vectors> {
        self.begin(batch)?;
        let hidden = self.forward(|exec, spec| Encoder(spec).forward(exec));
        Ok(Vectors::new(hidden.width, hidden.values))
    }

    /// One vector of each sequence of `batch`, in order.
    ///
    /// # Errors
    /// As [`Infer::encode`].
    pub fn pool(&mut self, batch: &Batch, pooling: Pooling) -> Result<Vectors> {
        self.begin(batch)?;
        self.batch.want(pooling);
        let pooled = self.forward(|exec, spec| Encoder(spec).pooled(exec, pooling));
        Ok(Vectors::new(pooled.width, pooled.values))
    }

    /// The scores of each sequence of `batch` by the model's head, in order.
    ///
    /// # Errors
    /// As [`Infer::encode`], and if the model has no head.
    pub fn scores(&mut self, batch: &Batch) -> Result<Vectors> {
        let head = self.checkpoint.spec().head.clone();
        let head = head.ok_or_else(|| Error::Batch("the model has no head for scores".into()))?;
        self.begin(batch)?;
        self.batch.want(head.pooling);
        let scores = self.forward(|exec, spec| Encoder(spec).scores(exec, &head));
        Ok(Vectors::new(scores.width, scores.values))
    }

    /// Takes a batch of whole sequences, whatever was there before.
    fn begin(&mut self, batch: &Batch) -> Result<()> {
        batch.check_segments(self.checkpoint.spec().segments.unwrap_or(usize::MAX))?;
        self.clear();
        self.take(batch)
    }
}

impl<S: ModelSpec> Infer<S> {
    /// Forgets all sequences.
    fn clear(&mut self) {
        (0..self.cache.slots()).for_each(|slot| self.cache.truncate(slot, 0));
    }
}
