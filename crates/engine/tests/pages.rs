//! Pages that one engine computed and another one takes: the same bits, and nobody else's.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use allod_engine::{
    ActivationForm, Beginning, CacheForm, Completion, Engine, GenerateRequest, Numerics, Options,
    PAGE_TOKENS, Prefix, Sampling,
};
use common::{engine_of, model, request};
use std::ops::ControlFlow;

fn engine_by(rule: Numerics, threads: usize) -> Engine {
    let (cache, activations) = (Some(rule.cache), Some(rule.activations));
    let options = Options { cache, activations, threads: Some(threads), ..Options::default() };
    engine_of(model(), options)
}

fn engine(cache: CacheForm, threads: usize) -> Engine {
    engine_by(Numerics { activations: ActivationForm::fastest(), cache }, threads)
}

/// About 150 tokens.
fn long(seed: u64) -> GenerateRequest {
    let sampling = Sampling { temperature: 1.2, seed, ..Sampling::default() };
    let tenant = "city".to_owned();
    GenerateRequest { sampling, tenant, top_logprobs: Some(4), ..request(&"ab cba ".repeat(30)) }
}

fn complete(engine: &Engine, request: &GenerateRequest) -> Completion {
    engine.complete(request, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn pages(engine: &Engine, of: &Beginning) -> Vec<Vec<u8>> {
    (0..of.pages()).map(|number| engine.page(of, number).unwrap()).collect()
}

#[test]
fn pages_of_another_engine_change_no_bit() {
    let mut all = Vec::new();
    for rule in Numerics::all() {
        let first = engine_by(rule, 1);
        let expected: Vec<Completion> = (0..4).map(|seed| complete(&first, &long(seed))).collect();
        let Prefix { beginning, known } = first.prefix(&long(0)).unwrap();
        assert!(known >= 4 && known == beginning.pages(), "{known}");
        let stored = pages(&first, &beginning);
        // Pages tell the rules apart, so who keeps them must too.
        assert!(!all.contains(&stored), "{rule:?}");
        all.push(stored.clone());
        let second = engine_by(rule, 2);
        assert_eq!(second.prefix(&long(0)).unwrap().known, 0);
        assert_eq!(second.put_pages(&beginning, 0, &stored[..3]).unwrap(), 3);
        assert_eq!(second.put_pages(&beginning, 3, &stored[3..]).unwrap(), known);
        assert_eq!(pages(&second, &beginning), stored, "every bit went there and back");
        for (seed, expected) in (0..4).zip(&expected) {
            let answer = complete(&second, &long(seed));
            assert_eq!(answer.usage.cached_tokens, known * PAGE_TOKENS, "{rule:?}");
            assert_eq!(answer.choices, expected.choices, "{rule:?}");
        }
        assert_eq!(
            second.stats().prompt_tokens as usize,
            4 * (beginning.tokens.len() - known * 32)
        );
    }
}

#[test]
fn pages_are_of_one_tenant_and_one_adapter_and_in_order() {
    let first = engine(CacheForm::Bf16, 1);
    complete(&first, &long(0));
    let own = first.prefix(&long(0)).unwrap().beginning;
    let stored = pages(&first, &own);
    let other = Beginning { tenant: "other".into(), ..own.clone() };
    let adapted = Beginning { adapter: Some("sha256:1".into()), ..own.clone() };
    assert!(first.page(&other, 0).is_none() && first.page(&adapted, 0).is_none());
    assert!(first.page(&own, own.pages()).is_none() && first.page(&own, usize::MAX).is_none());
    let second = engine(CacheForm::Bf16, 1);
    // Nothing stands before them.
    assert_eq!(second.put_pages(&own, 1, &stored[1..]).unwrap(), 0);
    assert_eq!(second.put_pages(&own, 0, &stored).unwrap(), own.pages());
    for tenant in ["other", ""] {
        let request = GenerateRequest { tenant: tenant.into(), ..long(0) };
        assert_eq!(second.prefix(&request).unwrap().known, 0);
        assert_eq!(complete(&second, &request).usage.cached_tokens, 0);
    }
    // No memory is no error.
    let none = Options { prefix_bytes: Some(0), threads: Some(1), ..Options::default() };
    assert_eq!(engine_of(model(), none).put_pages(&own, 0, &stored).unwrap(), 0);
}

#[test]
fn what_is_no_page_of_the_model_is_refused() {
    let first = engine(CacheForm::Bf16, 1);
    complete(&first, &long(0));
    let own = first.prefix(&long(0)).unwrap().beginning;
    let page = first.page(&own, 0).unwrap();
    for form in [CacheForm::F32, CacheForm::Mxint8] {
        assert!(engine(form, 1).put_pages(&own, 0, std::slice::from_ref(&page)).is_err());
    }
    let second = engine(CacheForm::Bf16, 1);
    let mut strange = page.clone();
    *strange.last_mut().unwrap() = 7;
    for bytes in [Vec::new(), page[1..].to_vec(), strange] {
        let error = second.put_pages(&own, 0, &[bytes]).unwrap_err().to_string();
        assert!(error.contains("does not fit the model"), "{error}");
    }
    let many = vec![page; own.pages() + 1];
    assert!(second.put_pages(&own, 0, &many).is_err());
    assert!(second.put_pages(&own, usize::MAX, &many[..1]).is_err());
    assert_eq!(second.prefix(&long(0)).unwrap().known, 0);
    let short = GenerateRequest { tenant: "city".into(), ..request("ab") };
    assert_eq!(second.prefix(&short).unwrap().beginning.pages(), 0);
}
