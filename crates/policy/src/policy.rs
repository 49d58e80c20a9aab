//! What a policy says.

use crate::approved::{ApprovedUpstream, Destinations};
use crate::choice::choice;
use crate::identity::{Identity, Quota};
use crate::mistake::Mistakes;
use crate::office::Office;
use crate::read;
use crate::rule::Rule;
use crate::tools::Tools;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Deref;

const BUILT_IN: &str = include_str!("built_in.yaml");

choice! {
    /// What runs the model.
    Runtime {
        /// The built-in engine.
        Allod => "allod",
        /// A vLLM server.
        Vllm => "vllm",
        /// Any other server with the OpenAI interface.
        OpenAiCompatible => "openai-compatible",
    }
}

choice! {
    /// The form of the weights that the policy asks for.
    Quantization {
        /// Not quantised: F32, F16 or BF16.
        None => "none",
        /// 32-bit floats.
        F32 => "f32",
        /// 16-bit floats.
        F16 => "f16",
        /// 16-bit brain floats.
        Bf16 => "bf16",
        /// 8-bit floats.
        Fp8 => "fp8",
        /// Any 8-bit integer form.
        Int8 => "int8",
        /// Any 4-bit integer form.
        Int4 => "int4",
        /// GGUF Q8_0.
        Q8_0 => "q8_0",
        /// GGUF Q4_0.
        Q4_0 => "q4_0",
        /// GGUF Q4_K.
        Q4K => "q4_k",
        /// Activation-aware 4 bit.
        Awq => "awq",
        /// GPTQ.
        Gptq => "gptq",
    }
}

choice! {
    /// What can turn a question away from the ordinary path.
    Trigger {
        /// Needs reasoning over several rules.
        ComplexReasoning => "complex_reasoning",
        /// Retrieval is less sure than `retrieval.minimum_confidence`.
        LowRetrievalConfidence => "low_retrieval_confidence",
        /// Asks to decide a person's case.
        RegulatedDecision => "regulated_decision",
        /// Asks for a person.
        UserRequest => "user_request",
        /// Asks for an act against a person.
        AdverseAction => "adverse_action",
    }
}

choice! {
    /// What becomes of prompts and answers.
    Prompts {
        /// Kept, in the local data folder only; and never sent to another region.
        RetainedInRegion => "retained_in_region",
        /// Kept.
        Retained => "retained",
        /// Not kept: receipts hold commitments that nobody can open.
        NotRetained => "not_retained",
    }
}

choice! {
    /// Whether an answer without a citation may be given.
    Citations {
        /// No answer without a citation, plain chat included.
        Required => "required",
        /// Plain chat may answer without.
        Optional => "optional",
    }
}

choice! {
    /// Which answers a person must approve.
    HumanReview {
        /// Those that act against a person.
        RequiredForAdverseActions => "required_for_adverse_actions",
        /// All.
        RequiredForAll => "required_for_all",
        /// None.
        NotRequired => "not_required",
    }
}

choice! {
    /// What becomes of personal data in a text.
    Personal {
        /// It stays as it is.
        Keep => "keep",
        /// A mark takes its place.
        Redact => "redact",
        /// A pseudonym takes its place, and is mapped back in answers.
        Pseudonymise => "pseudonymise",
        /// A text that holds any goes nowhere.
        Block => "block",
    }
}

choice! {
    /// A kind of personal data, as `allod-privacy` finds it.
    PersonalKind {
        /// Swiss social insurance number.
        Ahv => "ahv",
        /// Bank account.
        Iban => "iban",
        /// Payment card.
        CreditCard => "credit_card",
        /// German tax number.
        GermanTaxId => "german_tax_id",
        /// German identity card or passport.
        GermanIdCard => "german_id_card",
        /// French social security number.
        FrenchNir => "french_nir",
        /// Italian tax code.
        ItalianTaxCode => "italian_tax_code",
        /// Social security number of the United States.
        UsSsn => "us_ssn",
        /// Driver's licence.
        DriverLicence => "driver_licence",
        /// Telephone number.
        Phone => "phone",
        /// E-mail address.
        Email => "email",
        /// Web address.
        Url => "url",
        /// Internet address.
        IpAddress => "ip_address",
        /// Plate of a vehicle.
        LicencePlate => "licence_plate",
        /// Date of birth.
        DateOfBirth => "date_of_birth",
        /// Postal address.
        Address => "address",
        /// Postal code.
        PostalCode => "postal_code",
        /// Name of a person.
        Person => "person",
        /// Form of address or profession.
        Title => "title",
        /// Town, region or country.
        Place => "place",
        /// Organisation.
        Organization => "organization",
        /// Nationality, religion or political group.
        Nationality => "nationality",
        /// Date or time.
        Date => "date",
        /// Age.
        Age => "age",
    }
}

/// What becomes of personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privacy {
    /// In prompts to the server that runs the model.
    pub upstream: Personal,
    /// In the lines that the program writes about its running.
    pub logs: Personal,
    /// In data that an artifact is trained from.
    pub training: Personal,
    /// Which kinds; those that lead to a person by themselves if empty.
    pub kinds: BTreeSet<PersonalKind>,
}

/// How long things are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    /// Days that prompts and answers are kept; without end if `None`.
    pub payloads_days: Option<u32>,
    /// Days that resolved entries of the review queue are kept; without end if `None`.
    pub reviews_days: Option<u32>,
}

/// How documents are used.
#[derive(Debug, Clone, PartialEq)]
pub struct Retrieval {
    /// Questions about rules are answered from documents only.
    pub required_for_policy_answers: bool,
    /// Answers from documents show their sources.
    pub cite_source_documents: bool,
    /// Below this confidence (0 to 1) nothing is answered.
    pub minimum_confidence: f64,
    /// How many passages are looked at.
    pub passages: u32,
}

/// What answers must keep to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answers {
    /// At most this share of the answers that are given may be wrong (above 0, below 1), as far as
    /// the calibration in use can prove it. Takes the place of `retrieval.minimum_confidence`.
    pub max_error: Option<f64>,
}

/// Which questions leave the ordinary path.
#[derive(Debug, Clone, PartialEq)]
pub struct Routing {
    /// These go to a person or an approved stronger model.
    pub escalate_on: BTreeSet<Trigger>,
    /// These are refused.
    pub refuse_on: BTreeSet<Trigger>,
    /// Where escalated questions go that do not go to the review queue.
    pub escalate_to: Destinations,
    /// From which score on (0 to 1) the classifier's word is enough for `complex_reasoning`.
    pub minimum_complexity: f64,
}

/// What is recorded and who looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// What becomes of prompts and answers.
    pub prompts: Prompts,
    /// Whether an answer without a citation may be given.
    pub citations: Citations,
    /// Which answers a person must approve.
    pub human_review: HumanReview,
    /// Persons that must decide the same on an entry of the queue: 1 or 2.
    pub reviewers: u32,
}

/// Bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest question, in characters.
    pub question_chars_max: u32,
    /// Longest answer, in tokens.
    pub answer_tokens_max: u32,
    /// Most answers that one request can have written.
    pub answer_choices_max: u32,
}

/// What is told of the running of this installation, and to whom.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Telemetry {
    /// Where traces go, as OTLP in JSON; nowhere if `None`.
    pub traces_url: Option<String>,
}

/// Somebody outside who remembers the log's head, so that nobody here can rewrite it unnoticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Its address, before `/add-checkpoint` (C2SP tlog-witness).
    pub url: String,
    /// The key that checks its signatures, `name+id+base64`.
    pub vkey: String,
}

/// Everything that a policy sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Name of the policy.
    pub name: String,
    /// Name of the model; `None` = answers quote.
    pub model: Option<String>,
    /// What runs the model.
    pub runtime: Runtime,
    /// The form of the weights that the policy asks for.
    pub quantization: Option<Quantization>,
    /// Region of this installation.
    pub region: String,
    /// The server that runs the model, if the runtime is one: like those of `upstreams`, under the
    /// name [`crate::MAIN_UPSTREAM`].
    pub upstream: Option<ApprovedUpstream>,
    /// The servers that escalated questions may go to.
    pub upstreams: Vec<ApprovedUpstream>,
    /// How documents are used.
    pub retrieval: Retrieval,
    /// What answers must keep to.
    pub answers: Answers,
    /// Which questions leave the ordinary path.
    pub routing: Routing,
    /// What is recorded and who looks at it.
    pub logging: Logging,
    /// What becomes of personal data.
    pub privacy: Privacy,
    /// How long things are kept.
    pub retention: Retention,
    /// What is told of the running of this installation, and to whom.
    pub telemetry: Telemetry,
    /// Who cosigns the log's checkpoints.
    pub witnesses: Vec<Witness>,
    /// Who callers are, beside those with a key.
    pub identity: Identity,
    /// Bounds.
    pub limits: Limits,
    /// How much tenants may use.
    pub quotas: Vec<Quota>,
    /// Which tools may be called.
    pub tools: Tools,
    /// The offices that requests go to.
    pub offices: Vec<Office>,
    /// The policy's own rules.
    pub rules: Vec<Rule>,
}

impl Settings {
    /// The quota of a tenant: the one that names it, or else the one that names none.
    #[must_use]
    pub fn quota_of(&self, tenant: &str) -> Option<&Quota> {
        let named = |quota: &&Quota| quota.tenants.iter().any(|name| name == tenant);
        let rest = || self.quotas.iter().find(|quota| quota.tenants.is_empty());
        self.quotas.iter().find(named).or_else(rest)
    }
}

/// A policy: its settings, which cannot be changed, and the text that says them.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    settings: Settings,
    text: String,
    digest: String,
}

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// All mistakes that can be found in one go, in the order of the file. A mistake in the YAML
    /// itself stops the reading and stands alone.
    pub fn parse(text: &str) -> Result<Policy, Mistakes> {
        Ok(Policy { settings: read::settings(text)?, text: text.to_owned(), digest: digest(text) })
    }

    /// The policy of a fresh data folder: quotes from documents, refuses what it does not find,
    /// and asks a person before anything is done against a person.
    pub fn built_in() -> Policy {
        Policy::parse(BUILT_IN).expect("a test parses the built-in policy")
    }

    /// The text that was parsed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// `sha256:…` of the text.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

impl Deref for Policy {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

fn digest(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().fold("sha256:".to_owned(), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_policy_is_what_its_docs_say() {
        let policy = Policy::built_in();
        assert_eq!(policy.runtime, Runtime::Allod);
        assert_eq!(policy.model, None);
        assert!(policy.retrieval.minimum_confidence > 0.0);
        assert_eq!(policy.routing.escalate_on, BTreeSet::from([Trigger::UserRequest]));
        assert!(policy.routing.refuse_on.contains(&Trigger::LowRetrievalConfidence));
        assert_eq!(policy.logging.human_review, HumanReview::RequiredForAdverseActions);
    }

    #[test]
    fn the_digest_is_that_of_the_text() {
        let policy = Policy::parse("name: x\n").unwrap();
        assert_eq!(policy.text(), "name: x\n");
        // printf 'name: x\n' | sha256sum
        let expected = "sha256:a2a79ea37edb1963efaae29281523ab441a8a99df048d204f22f3f413e325afc";
        assert_eq!(policy.digest(), expected);
    }
}
