//! The thread that starts keepers.

use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread;

use crate::layer::Layer;
use crate::setup::{Order, Setup};

type Reply = Sender<io::Result<Child>>;

/// Starts processes from one thread that lives as long as this: a process that is to die with its
/// parent dies with the parent's *thread* that started it, and those of a pool come and go.
#[derive(Debug)]
pub(crate) struct Spawner {
    ask: Sender<(Command, Reply)>,
}

impl Spawner {
    pub(crate) fn new() -> io::Result<Spawner> {
        let (ask, asked) = mpsc::channel::<(Command, Reply)>();
        thread::Builder::new().name("allod-keepers".to_owned()).spawn(move || {
            for (mut command, reply) in asked {
                // Whoever asked may have gone; then the child is dropped, and ends with its pipe.
                let _ = reply.send(command.spawn());
            }
        })?;
        Ok(Spawner { ask })
    }

    pub(crate) fn spawn(&self, command: Command) -> io::Result<Child> {
        let (reply, replied) = mpsc::channel();
        let gone = || io::Error::other("the thread that starts processes has ended");
        self.ask.send((command, reply)).map_err(|_| gone())?;
        replied.recv().map_err(|_| gone())?
    }
}

/// The command that starts a keeper or, where the command line begins otherwise, a resident: with
/// pipes, an empty environment, and in a folder that says nothing.
pub(crate) fn command(setup: &Setup, first: &str) -> Command {
    let mut command = Command::new(&setup.program);
    if setup.layers.contains(&Layer::Environment) {
        command.env_clear();
    }
    let parent = i32::try_from(std::process::id()).expect("process ids are positive");
    command.args(Order::of(setup, parent).arguments(first));
    command.current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
