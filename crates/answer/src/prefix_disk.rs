//! Prefixes that survive a restart: pages of keys and values that requests begin with, sealed in
//! files of the data folder.
//!
//! The model's process has no files and no keys; it gives pages and takes them, and everything else
//! is done here. A page is written once a second request begins with it, in a thread of its own,
//! and slowly while there are requests. It is read when a request begins with it and the model does
//! not have it. No request fails for want of a page.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use allod_engine::{Beginning, GenerateRequest, PAGE_FORMAT, PAGE_TOKENS, Prefix, Prompt, Runner};
use allod_store::{PAGE_BYTES_MAX, PageCounts, PageFiles, PageKey, PageName, Store};

/// Prompts whose pages wait to be written.
const VISITS_MAX: usize = 256;
/// Pages are handed to the model in runs of about so many bytes.
const RUN_BYTES: usize = 16 << 20;
/// While there are requests, a page is written only so often.
const BUSY_PACE: Duration = Duration::from_millis(250);
/// After the disk failed it is left alone for a while.
const REST: Duration = Duration::from_secs(60);
/// How often one who waits looks again.
const LOOK: Duration = Duration::from_millis(20);

/// The pages of a model on disk.
pub(crate) struct PrefixDisk {
    shared: Arc<Shared>,
    visits: SyncSender<Visit>,
}

struct Shared {
    runner: Arc<dyn Runner>,
    store: Arc<dyn Store>,
    files: PageFiles,
    /// What pages depend on beside tokens and adapter; known once the weights have been read.
    computed_with: OnceLock<String>,
    /// Held by the one that reads: others that begin alike then find it done.
    reading: Mutex<()>,
    /// Requests that are being answered.
    requests: AtomicUsize,
    /// Prompts whose pages are not written yet.
    pending: AtomicUsize,
    /// There is no time to be slow.
    in_haste: AtomicBool,
    over: AtomicBool,
}

/// A prompt that was asked, and the names of those of its pages that had been computed before.
pub(crate) struct Visit {
    key: PageKey,
    names: Vec<PageName>,
    beginning: Beginning,
}

/// A request that is being answered.
pub(crate) struct Answering<'a>(&'a AtomicUsize);

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl PrefixDisk {
    /// Keeps pages of `runner` in these files.
    ///
    /// # Errors
    /// If there can be no more threads.
    pub(crate) fn new(
        runner: Arc<dyn Runner>,
        store: Arc<dyn Store>,
        files: PageFiles,
    ) -> std::io::Result<PrefixDisk> {
        let shared = Arc::new(Shared {
            runner,
            store,
            files,
            computed_with: OnceLock::new(),
            reading: Mutex::default(),
            requests: AtomicUsize::new(0),
            pending: AtomicUsize::new(0),
            in_haste: AtomicBool::new(false),
            over: AtomicBool::new(false),
        });
        let (visits, waiting) = sync_channel(VISITS_MAX);
        let own = Arc::clone(&shared);
        thread::Builder::new().name("allod-prefixes".into()).spawn(move || own.work(&waiting))?;
        Ok(PrefixDisk { shared, visits })
    }

    /// How the files fare.
    pub(crate) fn counts(&self) -> PageCounts {
        self.shared.files.counts()
    }

    /// A request is being answered until this is dropped.
    pub(crate) fn answering(&self) -> Answering<'_> {
        self.shared.requests.fetch_add(1, Ordering::Relaxed);
        Answering(&self.shared.requests)
    }

    /// Gives the model the pages that a request begins with and that it does not have. What comes
    /// back is for [`PrefixDisk::note`] once the request was answered.
    pub(crate) fn prepare(&self, request: &GenerateRequest) -> Option<Visit> {
        if request.max_tokens == 0 {
            return None;
        }
        self.shared.prepare(request)
    }

    /// Lets the pages be written that a second request began with.
    pub(crate) fn note(&self, visit: Visit) {
        if visit.names.is_empty() {
            return;
        }
        self.shared.pending.fetch_add(1, Ordering::Relaxed);
        let refused = match self.visits.try_send(visit) {
            Ok(()) => return,
            Err(TrySendError::Full(visit) | TrySendError::Disconnected(visit)) => visit,
        };
        self.shared.pending.fetch_sub(1, Ordering::Relaxed);
        self.shared.files.pass_over(refused.names.len());
    }

    /// Waits until all is written, at most so long.
    pub(crate) fn settle(&self, longest: Duration) {
        let end = Instant::now() + longest;
        self.shared.in_haste.store(true, Ordering::Relaxed);
        while self.shared.pending.load(Ordering::Relaxed) > 0 && Instant::now() < end {
            sleep(LOOK);
        }
        self.shared.in_haste.store(false, Ordering::Relaxed);
    }
}

impl Drop for PrefixDisk {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn prepare(&self, request: &GenerateRequest) -> Option<Visit> {
        // What is wrong with the prompt is said by who answers it.
        let Prefix { beginning, known } = self.runner.prefix(request).ok()?;
        if beginning.pages() == 0 {
            return None;
        }
        let adapter = match &request.adapter {
            None => None,
            Some(name) => {
                let loaded = self.runner.adapters();
                Some(loaded.into_iter().find(|one| one.name == *name)?.digest)
            }
        };
        let key = self.store.page_key(&request.tenant);
        let key = key.inspect_err(|error| self.files.fail(error)).ok()?;
        let computed_with = format!(
            "{}\0{}",
            self.computed_with.get_or_init(|| computed_with(&*self.runner)),
            adapter.as_deref().unwrap_or("none")
        );
        let mut names = key.names(&computed_with, beginning.paged_tokens(), PAGE_TOKENS);
        let known = self.fill((&key, &names), (request, &beginning), known);
        names.truncate(known);
        Some(Visit { key, names, beginning })
    }

    /// Hands pages over from the first on that is not known; says how many are known then.
    fn fill(
        &self,
        (key, names): (&PageKey, &[PageName]),
        (request, beginning): (&GenerateRequest, &Beginning),
        known: usize,
    ) -> usize {
        let is_there = |number: usize| {
            names.get(number).is_some_and(|name| self.files.touch(key, name, number))
        };
        if !is_there(known) {
            return known;
        }
        let _alone = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        // Another request may have begun alike.
        let (tenant, adapter) = (request.tenant.clone(), request.adapter.clone());
        let prompt = Prompt::Tokens(beginning.tokens.clone());
        let again = GenerateRequest { prompt, tenant, adapter, ..GenerateRequest::default() };
        let Ok(Prefix { mut known, .. }) = self.runner.prefix(&again) else { return known };
        loop {
            let run = self.run((key, names), known);
            let count = run.len();
            if count == 0 {
                return known;
            }
            match self.runner.put_pages(beginning, known, run) {
                Ok(now) if now >= known + count => known += count,
                // There is no memory for more.
                Ok(now) => return now.min(known + count),
                Err(error) => {
                    tracing::warn!(%error, "pages on disk were not taken");
                    let wrong = names.iter().skip(known).take(count);
                    wrong.for_each(|name| self.files.forget(key, name));
                    return known;
                }
            }
        }
    }

    /// Pages from one on, about as many as are handed over together.
    fn run(&self, (key, names): (&PageKey, &[PageName]), first: usize) -> Vec<Vec<u8>> {
        let (mut run, mut bytes) = (Vec::new(), 0);
        for name in names.iter().skip(first) {
            let Some(page) = self.files.read(key, name) else { break };
            bytes += page.len();
            run.push(page);
            if bytes >= RUN_BYTES {
                break;
            }
        }
        run
    }

    /// The life of the thread that writes.
    fn work(&self, visits: &Receiver<Visit>) {
        if let Err(error) = self.store.sweep_pages() {
            tracing::warn!(%error, "prefixes on disk whose key is gone could not be deleted");
        }
        self.files.tidy();
        let mut rest_until = None;
        // It ends with those who could send.
        while let Ok(visit) = visits.recv() {
            let rests = rest_until.is_some_and(|until| Instant::now() < until);
            if rests || self.over.load(Ordering::Relaxed) {
                self.files.pass_over(visit.names.len());
            } else if !self.write(&visit) {
                rest_until = Some(Instant::now() + REST);
            }
            self.pending.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Writes what is not there; `false` if the disk failed.
    fn write(&self, visit: &Visit) -> bool {
        let Visit { key, names, beginning } = visit;
        for (number, name) in names.iter().enumerate() {
            if self.over.load(Ordering::Relaxed) {
                return true;
            }
            if self.files.touch(key, name, number) {
                continue;
            }
            self.wait_for_quiet();
            // What was computed with weights that were written to is nobody's.
            if self.runner.overwritten().is_some() {
                return true;
            }
            // What is not in memory any more is written when it has been computed again.
            let Ok(Some(page)) = self.runner.page(beginning, number) else { return true };
            let failed = self.files.counts().failed;
            if page.len() > PAGE_BYTES_MAX || !self.files.write(key, name, (number, &page)) {
                return self.files.counts().failed == failed;
            }
        }
        true
    }

    /// Lets requests go before.
    fn wait_for_quiet(&self) {
        let end = Instant::now() + BUSY_PACE;
        let is_busy = || self.requests.load(Ordering::Relaxed) > 0;
        let may_wait = || !self.in_haste.load(Ordering::Relaxed);
        while is_busy() && may_wait() && Instant::now() < end {
            sleep(LOOK);
        }
    }
}

/// All that the values of pages depend on beside tokens and adapter. The name of the numerics fixes
/// every bit and the form of the values; some models turn positions by the length of the context.
fn computed_with(runner: &dyn Runner) -> String {
    let identity = runner.identity();
    let files = identity.files.as_ref().map_or("none", |files| files.digest());
    let (numerics, context) = (identity.numerics, runner.context_length());
    format!("{PAGE_FORMAT}\0{}\0{files}\0{numerics}\0{context}", identity.digest)
}
