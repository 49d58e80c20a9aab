//! The server that is loaded: one that is given, or one that is started for it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use allod_lm::{Adapter, Checkpoint, LowRank, Part, Target as Matrix, WeightId};
use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::arguments::BenchServeArguments;
use crate::folder::Place;

/// What the server that is started is allowed: conversations without documents, long ones too.
const POLICY: &str = "name: bench\nlogging:\n  citations: optional\n  prompts: not_retained\n\
                      limits:\n  question_chars_max: 1000000\n  answer_tokens_max: 4096\n";

/// So long a server may take to load its model.
const STARTING: Duration = Duration::from_secs(300);
/// A request without an answer for so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(280);
/// The rank of the adapters that are made.
const RANK: usize = 8;

/// A server and the keys of its tenants.
pub struct Target {
    url: String,
    keys: Vec<String>,
    started: Option<Started>,
}

/// A server that goes when the run ends, and the folder of its state.
struct Started {
    process: Child,
    folder: PathBuf,
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended by itself; what cannot be removed is left to the system's own cleaning.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Target {
    /// A server that runs already. Each key is taken for a tenant; without any, all clients are
    /// one.
    pub fn given(url: &str, keys: &[String]) -> anyhow::Result<Target> {
        let url = url.trim_end_matches('/').to_owned();
        Ok(Target { url, keys: keys.to_vec(), started: None })
    }

    /// Starts a server in a process of its own, with state in a scratch folder, a key for each
    /// tenant and adapters of random numbers.
    pub fn start(arguments: &BenchServeArguments, place: &Place) -> anyhow::Result<Target> {
        let given = arguments.model.as_deref().context("give --model MODEL, or --url URL")?;
        let model = place.model(given)?;
        let folder = std::env::temp_dir().join(format!("allod-bench-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("adapters"))?;
        std::fs::write(folder.join("allod.yaml"), POLICY)?;
        let store = allod_answer::open_store(&folder)?;
        let key = |tenant: usize| -> anyhow::Result<String> {
            Ok(store.create_key("bench", &format!("tenant-{tenant}"), &[], "user")?.1)
        };
        let keys = (0..arguments.tenants).map(key).collect::<anyhow::Result<_>>()?;
        let adapters = make_adapters(&model, &folder.join("adapters"), arguments.adapters)?;
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--data"]).arg(&folder).args(["serve", "--listen", &address]);
        command.args(["--model"]).arg(&model).args(arguments.engine.flags());
        command.args(adapters.iter().flat_map(|name| ["--adapter", name]));
        if let Some(threads) = arguments.threads {
            command.args(["--threads", &threads.to_string()]);
        }
        let process = command.stdout(Stdio::null()).stdin(Stdio::null()).spawn()?;
        let started = Some(Started { process, folder });
        let mut target = Target { url: format!("http://{address}"), keys, started };
        target.wait()?;
        Ok(target)
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            if self.get("/healthz").is_ok() {
                return Ok(());
            }
            let started = self.started.as_mut().expect("only what was started is waited for");
            if let Some(status) = started.process.try_wait()? {
                bail!("the server ended before it served: {status}");
            }
            ensure!(begun.elapsed() < STARTING, "the server does not begin to serve");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The process that serves, if it was started here.
    pub fn process(&self) -> Option<u32> {
        self.started.as_ref().map(|started| started.process.id())
    }

    /// How many tenants there are.
    pub fn tenants(&self) -> usize {
        self.keys.len().max(1)
    }

    /// The address of a path.
    pub fn address(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// What stands in the header `Authorization` of a tenant's requests.
    pub fn authorization(&self, tenant: usize) -> Option<String> {
        self.keys.get(tenant).map(|key| format!("Bearer {key}"))
    }

    /// Asks for something as the first tenant; nothing that is no JSON is null.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        let mut request = agent().get(self.address(path));
        if let Some(authorization) = self.authorization(0) {
            request = request.header("Authorization", authorization);
        }
        told(request.call()?)
    }

    /// Sends something as the first tenant.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let mut request = agent().post(self.address(path));
        if let Some(authorization) = self.authorization(0) {
            request = request.header("Authorization", authorization);
        }
        told(request.send_json(body)?)
    }
}

fn told(mut response: ureq::http::Response<ureq::Body>) -> anyhow::Result<Value> {
    let status = response.status();
    let text = response.body_mut().read_to_string()?;
    let value = serde_json::from_str(&text).unwrap_or(Value::Null);
    match status.is_success() {
        true => Ok(value),
        false => bail!("{status}: {}", problem(&value)),
    }
}

/// What an error's body says.
pub fn problem(value: &Value) -> String {
    let (code, param) = (&value["error"]["code"], &value["error"]["param"]);
    match param {
        Value::Null => code.to_string(),
        param => format!("{code} {param}"),
    }
}

/// A client's own connections.
pub fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .timeout_global(Some(PATIENCE));
    config.build().new_agent()
}

fn free_address() -> anyhow::Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.to_string())
}

/// Adapters of the model that change its queries by random numbers.
fn make_adapters(model: &Path, folder: &Path, count: usize) -> anyhow::Result<Vec<String>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let checkpoint = Checkpoint::open(model)?;
    let spec = checkpoint.spec();
    let shape = spec.shape(Part::Query);
    let &[outputs, inputs] = shape.as_slice() else { bail!("the model's queries are no matrix") };
    let make = |number: usize| -> anyhow::Result<String> {
        let mut random = allod_engine::Random::new(number as u64);
        let mut numbers = |count: usize| -> Vec<f32> {
            (0..count).map(|_| 0.05 * (random.next_unit() - 0.5)).collect()
        };
        let change = |layer| {
            let low = LowRank::new(RANK, &numbers(RANK * inputs), &numbers(outputs * RANK), 1.0);
            let weight = WeightId { layer, part: Part::Query };
            (Matrix { weight, expert: None }, low)
        };
        let changes: Vec<_> = (0..spec.layers).map(change).collect();
        let name = format!("adapter-{number}");
        let adapter = Adapter::new(&name, &checkpoint, changes)?;
        adapter.save_peft(&folder.join(&name), &checkpoint, "bench")?;
        Ok(name)
    };
    (0..count).map(make).collect()
}
