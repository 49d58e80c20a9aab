//! `allod-answer`: an *answer*: quoted or written from evidence, checked sentence by sentence,
//! decided by the policy and recorded before anyone sees it.
//!
//! [`Desk`] is the one way to an answer; the server and the command line both go through it.

mod adapters;
mod ask;
mod bundle;
mod calibration;
mod case;
mod chat;
mod derive;
mod desk;
mod draft;
mod elsewhere;
mod encoder;
mod erasures;
mod error;
mod explanation;
mod feedback;
mod forget;
mod gate;
mod generator;
mod grounded;
mod kept;
mod means;
mod named;
mod output;
mod page;
mod prefix_disk;
mod prompt;
mod quote;
mod reader;
mod reason;
mod record;
mod replay;
mod reply;
mod review;
mod rounds;
mod say;
mod shelf;
mod shield;
pub mod support;
mod upstream;
mod witnessed;
mod wording;
mod work;

pub use allod_ledger::receipt::CallOutcome;
pub use allod_policy::{Fired, OfficeFacts, Outcome, ToolName, WorkName, office_of};
pub use ask::{Ask, Caller, Chat, Choices, Embed, Rerank};
pub use bundle::Bundle;
pub use calibration::{
    CALIBRATION_FILE, CALIBRATION_VERSION, Calibrated, Calibration, DOUBT, FittedOn, Forest,
    Judged, Node, Step, Tree, pick,
};
pub use chat::{ChatReply, Choice};
pub use derive::{Brief, Deriver, GoesOn, Recalled, Rederived, Under, derive};
pub use desk::{Desk, DeskOptions, LEDGER_ORIGIN, open_store, read_policy, remembered_head};
pub use elsewhere::{Approved, UpstreamCounts, UpstreamState};
pub use encoder::{EncoderChoice, open_library};
pub use erasures::{ErasedAgain, Erasure};
pub use error::Error;
pub use explanation::{Explanation, Look};
pub use feedback::{Feedback, FeedbackRecord, Thumb, is_answer};
pub use forget::{Erased, SubjectExport};
pub use gate::{Gate, Passed};
pub use generator::{Generator, Local, ModelChoice, locate};
pub use page::PagePlace;
pub use quote::feature_names;
pub use reader::{EmbedReader, Embedded, RankReader, Reader, Reranked};
pub use replay::{Difference, ReplayOptions, Replayed, Replayer};
pub use reply::{BesideQuote, Check, Citation, Mode, ReceiptRef, Reply, Tokens};
pub use shield::shield;
pub use witnessed::{Ahead, WITNESSED_FOLDER, Witnessed};
pub use work::{
    Call, Field, FieldKind, Filled, Origin, Template, Told, Work, WorkOffered, WorkReply, described,
};
