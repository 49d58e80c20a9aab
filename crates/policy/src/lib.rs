//! A policy and the decisions that follow from it.
//!
//! [`Policy::parse`] reads `allod.yaml` and names every mistake with its line and column.
//! [`observe`] turns a question into [`Facts`], and [`decide`] turns policy and facts into a
//! [`Decision`]: pure functions, so a recorded decision can be made again at any time. The facts
//! hold no words of the question and go into the receipt whole.

mod approved;
mod cases;
mod choice;
mod classify;
mod decide;
mod facts;
mod identity;
mod mistake;
mod node;
mod office;
mod permit;
mod policy;
mod read;
mod route;
mod rule;
mod tools;

pub use approved::{
    ApprovedUpstream, Breaker, Budget, DataClass, Destinations, EscalationReason, MAIN_UPSTREAM,
};
pub use cases::{Case, CaseKind, Cases, Expect, NotCases};
pub use classify::{
    Complexity, ComplexityExample, adverse_in_answer, classify, observe, train_complexity,
};
pub use decide::{Decision, Fired, Outcome, Stage, decide, destination};
pub use facts::{
    AnswerFacts, CalibrationFacts, DisputeFacts, EvidenceFacts, Facts, RequestFacts, WorkFacts,
};
pub use identity::{Identity, KeySource, Oidc, Quota, Role, SignIn};
pub use mistake::{Mistake, Mistakes};
pub use office::{Office, OfficeFacts, RoutedBy, office_of};
pub use permit::{Why, plain_chat_permitted, quantization_met, upstream_permitted};
pub use policy::{
    Answers, Citations, HumanReview, Limits, Logging, Personal, PersonalKind, Policy, Privacy,
    Prompts, Quantization, Retention, Retrieval, Routing, Runtime, Settings, Telemetry, Trigger,
    Witness,
};
pub use route::{AttemptEnd, AttemptFacts, Held, RouteFacts, withheld};
pub use rule::{Condition, Consequence, Rule, Signal};
pub use tools::{CallFacts, Grant, NotGranted, ToolName, Tools, WorkName, tool_permitted};
