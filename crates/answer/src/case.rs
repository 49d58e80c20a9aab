//! One question on its way through the house.

use std::ops::ControlFlow;
use std::time::Instant;

use allod_corpus::Language;
use allod_engine::{GenerateRequest, Generated, Prompt};
use allod_ledger::receipt::Model;
use allod_policy::{CalibrationFacts, Decision, EvidenceFacts, Facts, Outcome, Policy, RouteFacts};
use allod_policy::{decide, destination, observe};
use allod_retrieval::{Evidence, EvidenceSet, Manifest, Query};
use jiff::Zoned;
use jiff::civil::Date;

use crate::ask::Ask;
use crate::derive::given;
use crate::desk::Desk;
use crate::draft::{Draft, whole};
use crate::elsewhere::Elsewhere;
use crate::error::Error;
use crate::explanation::{Explanation, Look};
use crate::generator::{Finished, Generator};
use crate::means::Means;
use crate::page;
use crate::prompt;
use crate::quote::{Quotation, quote};
use crate::record::Record;
use crate::reply::{BesideQuote, Check, Mode, Reply, Tokens};
use crate::say;
use crate::work::Done;

/// One question, and all that is known of it so far.
pub struct Case<'a> {
    pub(crate) means: Means<'a>,
    pub(crate) ask: &'a Ask,
    pub(crate) language: Language,
    pub(crate) on: Date,
    pub(crate) facts: Facts,
    pub(crate) decision: Decision,
    pub(crate) found: Option<EvidenceSet>,
    /// All documents that could have been found, where that is known.
    pub(crate) listed: Option<Manifest>,
    pub(crate) draft: Option<Draft>,
    pub(crate) prompt: Option<GenerateRequest>,
    pub(crate) written: Option<Generated>,
    pub(crate) opened: Instant,
    pub(crate) retrieval_ms: u64,
    pub(crate) generation_ms: u64,
    quotation: Option<Quotation>,
    /// What tools were called, where the question came with work.
    pub(crate) work: Option<Done>,
    /// The document that was summed up.
    pub(crate) summed_up: Option<Vec<Evidence>>,
    /// The model of the approved server that wrote the draft.
    pub(crate) elsewhere: Option<Model>,
}

impl<'a> Case<'a> {
    /// Takes a question in: its language, its date, what kind of request it is.
    ///
    /// # Errors
    /// [`Error::Limit`] when it is empty or longer than the policy allows.
    pub(crate) fn open(means: Means<'a>, ask: &'a Ask) -> Result<Case<'a>, Error> {
        let question = ask.question.trim();
        within_limits(question, means.policy)?;
        let language = ask.language.unwrap_or_else(|| Language::detect(question));
        let request = observe(means.policy, question, language.code());
        let facts = Facts { request, ..Facts::default() };
        let decision = decide(means.policy, &facts);
        Ok(Case {
            means,
            ask,
            language,
            on: ask.on.unwrap_or_else(|| Zoned::now().date()),
            facts,
            decision,
            found: None,
            listed: None,
            draft: None,
            prompt: None,
            written: None,
            opened: Instant::now(),
            retrieval_ms: 0,
            generation_ms: 0,
            quotation: None,
            work: None,
            summed_up: None,
            elsewhere: None,
        })
    }

    /// Looks for evidence, unless the request is refused already.
    ///
    /// # Errors
    /// When the library fails.
    pub fn search(&mut self) -> Result<(), Error> {
        if self.decision.outcome == Outcome::Refused {
            return Ok(());
        }
        let started = Instant::now();
        let (found, listed) = self.means.library.search_listed(&self.query())?;
        // From here on nobody sees what speaks to a model, neither who quotes nor who writes.
        let found = found.cleared();
        // The library knows the words of the documents too: its guess holds for key words.
        self.language = found.searched.language;
        let quotation = quote(self.ask.question.trim(), self.language, &found);
        let facts = evidence_facts(&found.evidence, quotation.confidence);
        let calibrated = self.calibrated(&quotation);
        self.facts.evidence = Some(EvidenceFacts { calibrated, ..facts });
        self.decision = decide(self.means.policy, &self.facts);
        let found = self.with_beside(found, &quotation)?;
        self.found = Some(found);
        self.listed = listed;
        self.quotation = Some(quotation);
        self.retrieval_ms = millis(started);
        Ok(())
    }

    /// The evidence with what is needed to read the best quote: paragraphs that it refers to, and
    /// definitions of its words. What was found anyway is marked.
    fn with_beside(
        &self,
        mut found: EvidenceSet,
        quotation: &Quotation,
    ) -> Result<EvidenceSet, Error> {
        let Some(best) = quotation.quotes.first() else { return Ok(found) };
        let own = quotation.quotes.iter().filter(|quote| quote.evidence == best.evidence);
        let quoted: Vec<String> = own.map(|quote| quote.text(&found.evidence)).collect();
        let passage = &found.evidence[best.evidence];
        let query = self.query();
        let more = self.means.library.beside(passage, &quoted.join("\n"), &query)?;
        for one in more {
            let known = |item: &&mut Evidence| {
                (&item.path, item.range.start) == (&one.path, one.range.start)
            };
            match found.evidence.iter_mut().find(known) {
                Some(item) => item.beside = one.beside,
                None => found.evidence.push(one.cleared()),
            }
        }
        Ok(found)
    }

    /// What is looked for.
    fn query(&self) -> Query<'_> {
        Query {
            text: self.ask.question.trim(),
            language: self.ask.language,
            clearance: &self.ask.caller.clearance,
            on: self.on,
            limit: self.means.policy.retrieval.passages as usize,
            filter: None,
        }
    }

    /// What the calibration says of a quotation, and which score the policy wants.
    fn calibrated(&self, quotation: &Quotation) -> Option<CalibrationFacts> {
        if quotation.quotes.is_empty() {
            return None;
        }
        let calibrated = self.means.calibrated;
        let judged = calibrated.judge(self.ask.question.trim(), &quotation.features);
        let max_error = self.means.policy.answers.max_error;
        let facts = CalibrationFacts {
            score: judged.score,
            probability: judged.probability,
            least_score: max_error.and_then(|rate| calibrated.calibration().least_score(rate)),
            calibration: judged.calibration,
            built_in: judged.built_in,
        };
        Some(facts.recorded())
    }

    /// Drafts an answer. A request that a person will decide gets a draft too, as a quote, if the
    /// evidence would do: the person sees it, and no model runs for nothing.
    ///
    /// # Errors
    /// When the model fails.
    pub fn draft(&mut self) -> Result<(), Error> {
        let (Some(found), Some(quotation)) = (&self.found, &self.quotation) else {
            return Ok(());
        };
        let too_little = quotation.confidence < self.means.policy.retrieval.minimum_confidence;
        let nothing = found.evidence.is_empty() || too_little;
        if self.decision.outcome == Outcome::Refused || nothing {
            return Ok(());
        }
        let started = Instant::now();
        let draft = match self.means.generator {
            Some(generator) if self.decision.outcome == Outcome::Answered => {
                let wrote = self.write(generator, &found.evidence)?;
                self.prompt = Some(wrote.request);
                self.written = Some(wrote.written);
                self.facts.server = wrote.server;
                wrote.draft
            }
            _ => Draft::quoted(&quotation.quotes, &found.evidence),
        };
        let draft = self.disputed(draft);
        self.facts.answer = Some(draft.facts());
        self.decision = decide(self.means.policy, &self.facts);
        self.draft = Some(draft);
        self.generation_ms = millis(started);
        Ok(())
    }

    /// The draft, with what says otherwise.
    fn disputed(&self, draft: Draft) -> Draft {
        let dispute = self.quotation.as_ref().and_then(|quotation| quotation.dispute.as_ref());
        match (dispute, &self.found) {
            (Some(dispute), Some(found)) => {
                draft.with_dispute(dispute, &found.evidence, self.language, self.on)
            }
            _ => draft,
        }
    }

    /// Sends an escalated question to the approved server that the policy names for it, if nothing
    /// stands against it; whatever comes of it is in the facts. What the server does not answer
    /// stays with the review queue.
    ///
    /// # Errors
    /// When the server of the policy was not opened.
    pub(crate) fn escalate(&mut self, elsewhere: &Elsewhere) -> Result<(), Error> {
        let policy = self.means.policy;
        let escalated = self.work.is_none() && self.decision.outcome == Outcome::Escalated;
        let to = destination(policy, &self.facts).filter(|_| escalated);
        let (Some(to), Some(found)) = (to, &self.found) else { return Ok(()) };
        let started = Instant::now();
        let evidence: Vec<Evidence> = with_text(&found.evidence);
        let request = self.request(&evidence);
        let plan = elsewhere.plan(&to.name, &request)?;
        let model = plan.model();
        // The quotes that were drafted for a person are no answer of the server's.
        let quoted = self.facts.answer.take();
        self.facts.route = Some(plan.facts.clone());
        self.decision = decide(policy, &self.facts);
        if self.decision.outcome == Outcome::Answered {
            let sent = plan.send();
            self.facts.route = Some(sent.facts);
            if let Ok(written) = sent.written {
                let draft = Draft::written(&written, &evidence, self.language, Mode::Upstream);
                let draft = self.disputed(draft);
                self.facts.answer = Some(draft.facts());
                self.draft = Some(draft);
                (self.prompt, self.elsewhere) = (Some(request), Some(model));
            }
        }
        self.facts.answer = self.facts.answer.take().or(quoted);
        self.decision = decide(policy, &self.facts);
        self.generation_ms += millis(started);
        Ok(())
    }

    /// What a model is asked: the question, with this evidence.
    fn request(&self, evidence: &[Evidence]) -> GenerateRequest {
        let question = self.ask.question.trim();
        GenerateRequest {
            prompt: Prompt::Chat(prompt::grounded(question, self.language, evidence)),
            max_tokens: self.means.policy.limits.answer_tokens_max as usize,
            tenant: self.ask.caller.tenant.clone(),
            ..GenerateRequest::default()
        }
    }

    /// Lets the model write from the evidence, with fewer passages if they do not all fit.
    pub(crate) fn write(
        &self,
        generator: &Generator,
        evidence: &[Evidence],
    ) -> Result<Wrote, Error> {
        let evidence = with_text(evidence);
        let mut passages = evidence.len();
        loop {
            let shown = &evidence[..passages];
            let request = self.request(shown);
            match generator.generate(&request, &mut |_| ControlFlow::Continue(())) {
                Ok(Finished { completion, server }) => {
                    let written = completion.first().clone();
                    let draft = Draft::written(&written, shown, self.language, generator.mode());
                    return Ok(Wrote { request, written, draft, server });
                }
                Err(Error::Engine(allod_engine::Error::PromptTooLong { .. })) if passages > 1 => {
                    passages = passages.div_ceil(2).min(passages - 1);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Records what happened and makes the reply. The receipt is durable when this returns.
    ///
    /// # Errors
    /// When the record cannot be written; then there is no reply.
    pub(crate) fn close(self, desk: &Desk) -> Result<Reply, Error> {
        let outcome = self.outcome();
        let (review, receipt) = Record::new(&self, outcome).write(desk)?;
        let draft = self.draft.as_ref().filter(|_| outcome == Outcome::Answered);
        let mut citations = draft.map(|draft| draft.citations.clone()).unwrap_or_default();
        page::place(desk.store.as_ref(), &mut citations)?;
        Ok(Reply {
            answer: say::reply(&self, outcome, review.as_deref()),
            outcome,
            mode: draft.map_or(Mode::None, |draft| draft.mode),
            confidence: self.confidence(),
            calibrated: self.facts.evidence.as_ref().and_then(|facts| facts.calibrated.clone()),
            citations,
            beside: draft.map(|_| beside(self.evidence())).unwrap_or_default(),
            checks: draft.map(|draft| checks(&draft.checks)).unwrap_or_default(),
            disputes: draft.map(|draft| draft.disputes.clone()).unwrap_or_default(),
            language: self.language.code().into(),
            receipt,
            review,
            rules: self.decision.rules.clone(),
            tokens: self.draft.as_ref().map_or(Tokens::default(), |draft| draft.tokens),
        })
    }

    /// What would be quoted, whatever the policy decides on it.
    pub(crate) fn look(self) -> Look {
        let (Some(found), Some(quotation)) = (self.found, self.quotation) else {
            return Look::default();
        };
        Look {
            citations: Draft::quoted(&quotation.quotes, &found.evidence).citations,
            confidence: quotation.confidence,
            features: quotation.features,
        }
    }

    /// What would happen, and why.
    #[must_use]
    pub(crate) fn explanation(self) -> Explanation {
        Explanation {
            citations: self.draft.map(|draft| draft.citations).unwrap_or_default(),
            policy: self.means.policy.digest().into(),
            upstream: destination(self.means.policy, &self.facts).map(|to| to.name.clone()),
            decision: self.decision,
            facts: self.facts,
        }
    }

    /// The decision's outcome; without a supported sentence there is nothing to answer with,
    /// whatever the policy says.
    pub(crate) fn outcome(&self) -> Outcome {
        given(self.decision.outcome, &self.facts)
    }

    /// The passages that the answer rests on.
    pub(crate) fn evidence(&self) -> &[Evidence] {
        let found = self.found.as_ref().map(|found| &found.evidence);
        found.or(self.summed_up.as_ref()).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn confidence(&self) -> f64 {
        self.facts.evidence.as_ref().map_or(0.0, |evidence| evidence.confidence)
    }
}

/// What a model wrote from evidence.
pub(crate) struct Wrote {
    pub(crate) request: GenerateRequest,
    pub(crate) written: Generated,
    pub(crate) draft: Draft,
    /// What the server took for it, if one runs the model.
    pub(crate) server: Option<RouteFacts>,
}

/// The passages that hold any text.
fn with_text(evidence: &[Evidence]) -> Vec<Evidence> {
    evidence.iter().filter(|item| !item.text.trim().is_empty()).cloned().collect()
}

/// What stands beside the quotes, as it is shown.
fn beside(evidence: &[Evidence]) -> Vec<BesideQuote> {
    let shown = |item: &Evidence| Some(BesideQuote { why: item.beside?, passage: whole(item) });
    evidence.iter().filter_map(shown).collect()
}

fn checks(checks: &[crate::grounded::Checked]) -> Vec<Check> {
    let check = |one: &crate::grounded::Checked| Check {
        verdict: one.verdict,
        score: one.score,
        because: one.because.clone(),
    };
    checks.iter().map(check).collect()
}

fn within_limits(question: &str, policy: &Policy) -> Result<(), Error> {
    if question.is_empty() {
        return Err(Error::Limit("the question is empty".into()));
    }
    let (chars, most) = (question.chars().count(), policy.limits.question_chars_max as usize);
    if chars > most {
        return Err(Error::Limit(format!(
            "the question has {chars} characters; the policy allows {most} \
             (limits.question_chars_max)"
        )));
    }
    Ok(())
}

fn evidence_facts(evidence: &[Evidence], confidence: f64) -> EvidenceFacts {
    let mut documents: Vec<_> = evidence.iter().map(|item| item.path.as_str()).collect();
    documents.sort_unstable();
    documents.dedup();
    let mut labels: Vec<String> = evidence.iter().filter_map(|item| item.label.clone()).collect();
    labels.sort_unstable();
    labels.dedup();
    let best_score = evidence.first().map_or(0.0, |item| item.score);
    let (passages, documents) = (evidence.len() as u32, documents.len() as u32);
    EvidenceFacts { labels, ..EvidenceFacts::new(confidence, passages, documents, best_score) }
}

pub(crate) fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
