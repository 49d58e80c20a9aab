//! The desk: the one way to an answer.
//!
//! Everything that answers goes through here, so that the order holds for all of it: decide,
//! search, decide, draft, decide, write the receipt, and only then reply.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use allod_engine::{InProcess, LoadEncoder};
use allod_ledger::receipt::Confinement;
use allod_ledger::{Checkpoint, Ledger};
use allod_policy::Policy;
use allod_retrieval::Library;
use allod_store::{HeadRow, OperatorKey, SqliteStore, Store, Token};

use crate::adapters::AdapterFolder;
use crate::ask::Ask;
use crate::calibration::Calibrated;
use crate::case::Case;
use crate::elsewhere::{Elsewhere, UpstreamState};
use crate::encoder::{EncoderChoice, open_library};
use crate::error::Error;
use crate::explanation::{Explanation, Look};
use crate::forget::Erased;
use crate::generator::{Generator, ModelChoice};
use crate::means::Means;
use crate::reader::{EmbedReader, RankReader, Reader};
use crate::reply::Reply;
use crate::rounds::Rounds;
use crate::shelf::Shelf;

/// The name under which the ledger of a data folder signs.
pub const LEDGER_ORIGIN: &str = "allod.local/ledger";

/// How long is waited at the end until prefixes are written.
const SETTLE: Duration = Duration::from_secs(5);

/// How to open a desk.
#[derive(Clone, Debug, Default)]
pub struct DeskOptions {
    /// The policy file; `allod.yaml` in the data folder, else the built-in policy, when absent.
    pub policy: Option<PathBuf>,
    /// The model, apart from what the policy says.
    pub model: ModelChoice,
    /// What turns passages and questions into vectors for the search.
    pub encoder: EncoderChoice,
    /// A model that turns texts into vectors: a file, a folder, or a name in the registry.
    pub embedder: Option<PathBuf>,
    /// A model that scores documents beside a query: a folder, or a name in the registry.
    pub reranker: Option<PathBuf>,
    /// Where models that read run; in this process when absent.
    pub encoders: Option<Arc<dyn LoadEncoder>>,
    /// The folder that adapters can be loaded from; `adapters` in the data folder when absent.
    pub adapters: Option<PathBuf>,
    /// What this program can reach, for the receipts.
    pub confinement: Confinement,
    /// The calibration; `calibration.json` in the data folder, else the built-in one, when absent.
    pub calibration: Option<PathBuf>,
}

/// Library, policy, model, ledger and store of one data folder.
pub struct Desk {
    pub(crate) data: PathBuf,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) library: Library,
    pub(crate) ledger: Ledger,
    pub(crate) policy: Policy,
    pub(crate) generator: Option<Generator>,
    pub(crate) embedder: Option<EmbedReader>,
    pub(crate) reranker: Option<RankReader>,
    pub(crate) adapters: AdapterFolder,
    pub(crate) confinement: Confinement,
    pub(crate) calibrated: Calibrated,
    pub(crate) shelf: Shelf,
    /// Where requests that end at the same time share their writes.
    pub(crate) rounds: Rounds,
    /// How many entries the log's head covers that the store remembers, of what this process knows.
    pub(crate) remembered: AtomicU64,
    /// Held while decisions of persons get their receipts.
    pub(crate) signing: Mutex<()>,
    pub(crate) elsewhere: Elsewhere,
    /// Who was erased again at the start.
    pub(crate) mended: Vec<Erased>,
}

impl Desk {
    /// Opens the data folder, making it if it is not there.
    ///
    /// # Errors
    /// Whatever of it cannot be used, with what to do.
    pub fn open(data: &Path, options: &DeskOptions) -> Result<Desk, Error> {
        let policy = read_policy(data, options.policy.as_deref())?;
        let calibrated = Calibrated::open(data, options.calibration.as_deref())?;
        let (models, threads) = (data.join("models"), options.model.threads);
        let mut generator = Generator::open(&policy, &models, &options.model)?;
        let place = (options.encoders.as_deref().unwrap_or(&InProcess), threads);
        let embedder = options.embedder.as_deref();
        let embedder = embedder.map(|given| Reader::embedder(&models, given, place)).transpose()?;
        let reranker = options.reranker.as_deref();
        let reranker = reranker.map(|given| Reader::reranker(&models, given, place)).transpose()?;
        let store = open_store(data)?;
        if let (Some(generator), Some(most)) = (&mut generator, options.model.prefix_disk_bytes) {
            generator.keep_prefixes(&policy, (data, &store), most)?;
        }
        let library = open_library(data, Arc::clone(&store), (&options.encoder, place))?;
        let ledger = open_ledger(&data.join("ledger"), store.as_ref())?;
        let elsewhere =
            Elsewhere::open(&policy, &ledger, generator.as_ref().and_then(Generator::server))?;
        let adapters = options.adapters.clone().unwrap_or_else(|| data.join("adapters"));
        let adapters = AdapterFolder(adapters);
        let confinement = options.confinement.clone();
        let mut desk = Desk {
            data: data.into(),
            store,
            library,
            ledger,
            policy,
            generator,
            embedder,
            reranker,
            adapters,
            confinement,
            calibrated,
            shelf: Shelf::default(),
            rounds: Rounds::default(),
            remembered: AtomicU64::new(0),
            signing: Mutex::default(),
            elsewhere,
            mended: Vec::new(),
        };
        desk.finish_erasures()?;
        desk.mended = desk.erase_what_the_log_says()?;
        desk.sign_decisions()?;
        Ok(desk)
    }

    /// Answers a question, refuses it, or hands it on; whatever it does, the receipt is durable
    /// when this returns.
    ///
    /// # Errors
    /// When no receipt could be written or a part failed; then nothing was answered.
    pub fn ask(&self, ask: &Ask) -> Result<Reply, Error> {
        let mut case = Case::open(self.means(), ask)?;
        case.search()?;
        case.draft()?;
        case.escalate(&self.elsewhere)?;
        case.close(self)
    }

    /// What would happen to a question, and why, up to the draft. Nothing is recorded.
    ///
    /// # Errors
    /// When a part failed.
    pub fn explain(&self, ask: &Ask) -> Result<Explanation, Error> {
        let mut case = Case::open(self.means(), ask)?;
        case.search()?;
        case.draft()?;
        Ok(case.explanation())
    }

    /// What would be quoted in answer to a question, whether the policy lets it be given or not:
    /// what calibrations are fitted on. Nothing is recorded, so it is no way to an answer.
    ///
    /// # Errors
    /// When a part failed.
    pub fn look(&self, ask: &Ask) -> Result<Look, Error> {
        let mut case = Case::open(self.means(), ask)?;
        case.search()?;
        Ok(case.look())
    }

    /// What answers are made with.
    pub(crate) fn means(&self) -> Means<'_> {
        Means {
            policy: &self.policy,
            library: &self.library,
            generator: self.generator.as_ref(),
            calibrated: &self.calibrated,
        }
    }

    /// The documents.
    #[must_use]
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// The log of receipts.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The durable state.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// What this program can reach.
    #[must_use]
    pub fn confinement(&self) -> &Confinement {
        &self.confinement
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The calibration in use.
    #[must_use]
    pub fn calibrated(&self) -> &Calibrated {
        &self.calibrated
    }

    /// The model that writes, if there is one.
    #[must_use]
    pub fn generator(&self) -> Option<&Generator> {
        self.generator.as_ref()
    }

    /// How the servers of the policy fare, by name.
    #[must_use]
    pub fn upstreams(&self) -> Vec<UpstreamState> {
        self.elsewhere.states()
    }

    /// The model that turns texts into vectors, if there is one.
    #[must_use]
    pub fn embedder(&self) -> Option<&EmbedReader> {
        self.embedder.as_ref()
    }

    /// The model that scores documents beside a query, if there is one.
    #[must_use]
    pub fn reranker(&self) -> Option<&RankReader> {
        self.reranker.as_ref()
    }

    /// Publishes the log for outside readers and remembers its head beside it, so that a log that
    /// is cut off later is noticed. Called when a process ends in good order.
    ///
    /// # Errors
    /// When the log or the store cannot be written.
    pub fn rest(&self) -> Result<(), Error> {
        self.generator.iter().for_each(|generator| generator.settle(SETTLE));
        self.ledger.publish()?;
        self.remember_head()
    }

    /// Remembers the log's present head in the store.
    fn remember_head(&self) -> Result<(), Error> {
        self.store.raise_ledger_head(&self.head_row())?;
        Ok(())
    }

    /// The log's present head, as the store remembers it.
    pub(crate) fn head_row(&self) -> HeadRow {
        let head = self.ledger.checkpoint();
        HeadRow { size: head.size, root: head.root.to_string() }
    }
}

/// Opens the log, if it continues the head that the store remembers. To go on from an older log
/// would write a second history over what was acknowledged.
fn open_ledger(log: &Path, store: &dyn Store) -> Result<Ledger, Error> {
    let Some(seen) = remembered_head(store)? else {
        return Ok(Ledger::open(log, LEDGER_ORIGIN)?);
    };
    Ledger::open_seen(log, LEDGER_ORIGIN, &seen).map_err(|error| Error::Folder {
        path: log.into(),
        reason: format!(
            "{error}; the log is not as it was left: put back what belongs there, or its newest \
             backup"
        ),
    })
}

/// The log's head that the store remembers; a log that is shorter was cut.
///
/// # Errors
/// When the store cannot be read, or what it remembers is no head.
pub fn remembered_head(store: &dyn Store) -> Result<Option<Checkpoint>, Error> {
    let Some(head) = store.ledger_head()? else { return Ok(None) };
    let root = head.root.parse().map_err(|error| Error::Folder {
        path: allod_store::DATABASE_FILE.into(),
        reason: format!("the head of the log that it remembers is damaged: {error}"),
    })?;
    Ok(Some(Checkpoint { origin: LEDGER_ORIGIN.into(), size: head.size, root }))
}

/// Opens the store of a data folder.
///
/// # Errors
/// When the folder cannot be made or the database cannot be used.
pub fn open_store(data: &Path) -> Result<Arc<dyn Store>, Error> {
    let mut folder = std::fs::DirBuilder::new();
    folder.recursive(true);
    // For its owner only: there are files in it that others would otherwise be let read.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(data).map_err(|error| Error::Folder {
        path: data.into(),
        reason: format!("{error}; choose another with --data DIR"),
    })?;
    let store = match operator_key(data)? {
        Some(key) => SqliteStore::open_with(data, &key)?,
        None => SqliteStore::open(data)?,
    };
    Ok(Arc::new(store))
}

/// The operator's key that the environment names; `keys/operator.key` in the data folder is used
/// when it names none.
fn operator_key(data: &Path) -> Result<Option<OperatorKey>, Error> {
    if let Ok(uri) = std::env::var("ALLOD_OPERATOR_KEY_PKCS11") {
        let wrapped = data.join("keys").join("operator.wrapped");
        return Ok(Some(OperatorKey::Token(Token::from_uri(&uri)?, wrapped)));
    }
    let given = std::env::var("ALLOD_OPERATOR_KEY").ok().map(OperatorKey::Given);
    Ok(given.or_else(|| {
        std::env::var_os("ALLOD_OPERATOR_KEY_FILE").map(|path| OperatorKey::File(path.into()))
    }))
}

/// The policy of a data folder: the file given, else `allod.yaml` in the folder, else the built-in
/// one.
///
/// # Errors
/// When the file cannot be read or has mistakes.
pub fn read_policy(data: &Path, given: Option<&Path>) -> Result<Policy, Error> {
    let standard = data.join("allod.yaml");
    let path = match given {
        Some(path) => path,
        None if standard.exists() => &standard,
        None => return Ok(Policy::built_in()),
    };
    let text = std::fs::read_to_string(path).map_err(|error| Error::Folder {
        path: path.into(),
        reason: format!("the policy cannot be read: {error}"),
    })?;
    Policy::parse(&text).map_err(|mistakes| Error::Policy { path: path.into(), mistakes })
}
