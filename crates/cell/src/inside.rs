//! What a cell does inside: it loads the model that it is told to. An engine answers from threads
//! of its own; a model that only reads answers in order.

use crate::encoding;
use crate::frame::{self, ASK_BYTES_MAX};
use crate::message::{Ask, Asked, Profile, Say};
use crate::wire::Blob;
use allod_engine::{Engine, Error, Event, GenerateRequest, Inlet, Options, Submitted};
use allod_sandbox::Inside;
use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How soon a request that nobody wants any more is let go of.
const ASKING: Duration = Duration::from_millis(50);

/// How often it is looked whether the model has computed something.
const PULSE: Duration = Duration::from_millis(500);

/// Where a cell is asked.
pub(crate) type Ears = BufReader<File>;

/// Loads the model that it is told to and does what it is asked, until nobody asks any more: the
/// life of a cell.
pub fn serve(inside: Inside) -> ExitCode {
    let mut requests = BufReader::with_capacity(1 << 16, inside.requests);
    let mouth = Mouth(Mutex::new(inside.replies));
    match frame::read(&mut requests, ASK_BYTES_MAX) {
        Ok((number, Ask::Load { path, options })) => {
            let loaded = load(Path::new(&path), *options);
            write(requests, mouth, (number, loaded))
        }
        Ok((number, Ask::LoadEncoder { path, task, options })) => {
            let loaded = encoding::load(Path::new(&path), task, options);
            encoding::read(requests, &mouth, (number, loaded))
        }
        _ => ExitCode::FAILURE,
    }
}

/// The life of a model that writes.
fn write(
    mut requests: Ears,
    mouth: Mouth,
    (number, loaded): (u64, Result<Engine, Error>),
) -> ExitCode {
    let engine = match loaded {
        Ok(engine) => engine,
        Err(error) => {
            mouth.say(number, &Say::Failed(error));
            return ExitCode::SUCCESS;
        }
    };
    mouth.say(number, &Say::Ready(Box::new(profile(&engine))));
    let served = Arc::new(Served { engine, mouth, cancelled: Mutex::default() });
    let beating = Arc::clone(&served);
    // Without it, a long prompt on a slow machine is taken for silence, and no worse.
    drop(thread::Builder::new().name("allod-pulse".into()).spawn(move || beating.beat()));
    while let Ok((number, ask)) = frame::read(&mut requests, ASK_BYTES_MAX) {
        served.take(number, ask);
    }
    ExitCode::SUCCESS
}

fn load(path: &Path, options: Options) -> Result<Engine, Error> {
    if let Some(isa) = options.isa {
        // Another one cannot have been named before.
        let _ = isa.bound();
    }
    Engine::start(path, options)
}

fn profile(engine: &Engine) -> Profile {
    Profile {
        name: engine.model_name().to_owned(),
        tokenizer: engine.tokenizer_digest().to_owned(),
        template: engine.template().map(str::to_owned),
        parameters: engine.parameters(),
        format: engine.format(),
        context_tokens: engine.context_length(),
        adapters_max: engine.adapters_max(),
        tokens: engine.vocabulary_tokens(),
        vocabulary: engine.vocabulary().clone(),
    }
}

/// The way out.
pub(crate) struct Mouth(Mutex<File>);

impl Mouth {
    /// Where nobody listens any more, the end of the requests will come too.
    pub(crate) fn say(&self, number: u64, said: &Say) {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = frame::write(&mut *out, number, said);
    }
}

struct Served {
    engine: Engine,
    mouth: Mouth,
    /// Of the completions that are being written, whether nobody wants them any more.
    cancelled: Mutex<HashMap<u64, Arc<AtomicBool>>>,
}

impl Served {
    /// Says so whenever the model has computed something: a prompt that is long gives no token for
    /// a while.
    fn beat(&self) -> ! {
        let mut before = 0;
        loop {
            thread::sleep(PULSE);
            let steps = self.engine.stats().steps;
            if std::mem::replace(&mut before, steps) != steps {
                self.mouth.say(0, &Say::Pulse);
            }
        }
    }

    fn take(self: &Arc<Served>, number: u64, ask: Ask) {
        if matches!(ask, Ask::Cancel) {
            if let Some(flag) = self.flags().get(&number) {
                flag.store(true, Ordering::Relaxed);
            }
            return;
        }
        let flag = Arc::new(AtomicBool::new(false));
        self.flags().insert(number, Arc::clone(&flag));
        let served = Arc::clone(self);
        let work = move || {
            let done = catch_unwind(AssertUnwindSafe(|| served.answer(number, ask, &flag)));
            if done.is_err() {
                let what = "a part of it panicked".to_owned();
                served.mouth.say(number, &Say::Failed(Error::Run { what }));
            }
            served.flags().remove(&number);
        };
        if let Err(error) = thread::Builder::new().name("allod-asked".into()).spawn(work) {
            self.flags().remove(&number);
            self.mouth.say(number, &Say::Failed(Error::Thread(error)));
        }
    }

    fn answer(&self, number: u64, ask: Ask, cancelled: &AtomicBool) {
        let engine = &self.engine;
        let said = match ask {
            Ask::Generate(asked) => return self.generate(number, *asked, cancelled),
            Ask::Tokens(prompt) => engine.tokens(&prompt).map(Say::Tokens),
            Ask::Told { prompt, options } => {
                engine.told(&prompt, &options).map(|told| Say::Told(Box::new(told)))
            }
            Ask::Encode { text, framing } => engine.encode(&text, framing).map(Say::Tokens),
            Ask::Spelled(tokens) => Ok(Say::Text(engine.spelled(&tokens))),
            Ask::LoadAdapter { name, path } => {
                engine.load_adapter(&name, Path::new(&path)).map(|()| Say::Done)
            }
            Ask::UnloadAdapter(name) => engine.unload_adapter(&name).map(|()| Say::Done),
            Ask::StrangePacked => {
                // This thread is for this question alone.
                let _ = rustix::process::setpriority_process(None, 10);
                let strange = engine.strange_packed().unwrap_or(Path::new(""));
                Ok(Say::Text(strange.to_string_lossy().into_owned()))
            }
            Ask::Stats => Ok(Say::Stats(Box::new(engine.stats()))),
            Ask::Prefix { prompt, tenant, adapter } => {
                let request =
                    GenerateRequest { prompt, tenant, adapter, ..GenerateRequest::default() };
                engine.prefix(&request).map(|prefix| Say::Prefix(Box::new(prefix)))
            }
            Ask::Page { of, number } => Ok(Say::Page(engine.page(&of, number).map(Blob))),
            Ask::PutPages { of, first, pages } => {
                let pages: Vec<Vec<u8>> = pages.into_iter().map(|Blob(bytes)| bytes).collect();
                engine.put_pages(&of, first, &pages).map(|known| Say::Counts(vec![known]))
            }
            _ => Ok(Say::Done),
        };
        self.mouth.say(number, &said.unwrap_or_else(Say::Failed));
    }

    fn generate(&self, number: u64, asked: Asked, cancelled: &AtomicBool) {
        let request = asked.request(self.engine.dialect());
        match self.engine.submit(&request) {
            Err(error) => self.mouth.say(number, &Say::Failed(error)),
            Ok(Submitted { prompt_tokens, adapter, inlet }) => {
                let comes = inlet.is_some();
                self.mouth.say(number, &Say::Begun { prompt_tokens, adapter, comes });
                if let Some(inlet) = inlet {
                    self.pass_on(number, &inlet, request.written(), cancelled);
                }
            }
        }
    }

    /// Hands on what comes of so many completions.
    fn pass_on(&self, number: u64, inlet: &Inlet, mut open: usize, cancelled: &AtomicBool) {
        while open > 0 && !cancelled.load(Ordering::Relaxed) {
            let said = match inlet.events.recv_timeout(ASKING) {
                Ok(Event::Failed(error)) => Say::Failed(error),
                Ok(event) => {
                    let ends = matches!(event, Event::Text { finish: Some(_), .. });
                    open -= usize::from(ends);
                    Say::Event(event)
                }
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => Say::Failed(Error::Stopped),
            };
            self.mouth.say(number, &said);
            if matches!(said, Say::Failed(_)) {
                return;
            }
        }
    }

    fn flags(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<AtomicBool>>> {
        self.cancelled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
