//! How fast a model runs, at the command line.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/tiny.rs"]
mod tiny;

use allod_lm::{ActivationForm, Isa};
use common::{allod, json, run};

#[test]
fn a_run_is_measured_against_what_the_machine_can_do() {
    let folder = tempfile::tempdir().unwrap();
    let model = tiny::write_gguf(folder.path());
    let mut command = allod(folder.path());
    command.args(["bench", "--json", "--prompt", "40", "--generate", "8", "--depth", "10"]);
    command.args(["--batch", "2", "--threads", "1", "--repeat", "2", "--model"]).arg(&model);
    let report = json(&run(command.env_remove("ALLOD_ISA"), 0));
    for key in [
        "pp_tok_s",
        "tg_tok_s",
        "ttft_ms_cold",
        "ttft_ms_warm",
        "load_ms",
        "kv_mb",
        "fraction_of_bandwidth",
        "fraction_of_peak",
    ] {
        assert!(report[key].as_f64().unwrap() > 0.0, "{key} in {report}");
    }
    // So small a model cannot be what memory or arithmetic bound.
    assert!(report["fraction_of_peak"].as_f64().unwrap() < 1.0, "{report}");
    if cfg!(target_os = "linux") {
        assert!(report["rss_mb"].as_f64().unwrap() > 1.0, "{report}");
    }
    let taken = ActivationForm::fastest_with(Isa::detect());
    assert_eq!(report["activations"], taken.name(), "{report}");
    // Two sequences of 18 tokens are kept at once; two times eight numbers each.
    assert_eq!(report["kv_mb"], 40.0_f64.max(36.0) * 16.0 * 2.0 / f64::from(1 << 20));
    run(allod(folder.path()).args(["bench", "--generate", "1", "--model"]).arg(&model), 1);
    // What is measured with another instruction set is as on a processor that has no more.
    let measured = |flags: &[&str]| {
        let mut command = allod(folder.path());
        command.args(flags).args(["bench", "--json", "--generate", "2", "--repeat", "1"]);
        json(&run(command.args(["--prompt", "4", "--threads", "1", "--model"]).arg(&model), 0))
    };
    assert_eq!(measured(&["--isa", "scalar"])["activations"], "int8");
}

#[test]
fn a_server_is_loaded_with_a_mixture_of_requests() {
    let folder = tempfile::tempdir().unwrap();
    let model = tiny::write_gguf(folder.path());
    let mut command = allod(folder.path());
    command.args([
        "bench",
        "serve",
        "--json",
        "--clients",
        "6",
        "--seconds",
        "2",
        "--tenants",
        "2",
    ]);
    command.args(["--adapters", "2", "--threads", "1", "--answer-tokens", "8"]);
    command.args(["--slots", "3", "--model"]).arg(&model);
    let report = json(&run(&mut command, 0));
    assert_eq!(report["errors"], 0, "{report}");
    assert!(report["requests"].as_u64().unwrap() > 6, "{report}");
    assert!(report["kinds"]["short"]["ttft_ms"]["p50"].as_f64().unwrap() > 0.0, "{report}");
    assert_eq!(report["tenant_tokens"].as_object().unwrap().len(), 2, "{report}");
    assert!(report["tenant_spread"].is_number(), "{report}");
    if cfg!(target_os = "linux") {
        assert!(report["rss_mb"]["end"].as_f64().unwrap() > 1.0, "{report}");
    }
    run(allod(folder.path()).args(["bench", "serve"]), 2);
}
