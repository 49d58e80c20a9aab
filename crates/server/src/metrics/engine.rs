//! How the built-in engine fares, under vLLM's names where they mean the same.

use allod_engine::{STEP_ROWS, Stats};
use allod_store::PageCounts;
use jiff::Timestamp;

use super::{Page, escaped};

impl Page {
    /// What the engine counts, and what is so at this moment.
    pub(super) fn engine(&mut self, stats: &Stats, labels: &str, adapters_max: usize) {
        self.cache(stats, labels);
        self.steps(stats, labels);
        self.guesses(stats, labels);
        self.adapters(stats, labels, adapters_max);
        let help = "How often a sequence lost its place to another.";
        self.counted("vllm:num_preemptions_total", labels, help, stats.preemptions);
        let help = "Sequences that ended since the model computed no number.";
        self.counted("vllm:corrupted_requests_total", labels, help, stats.damaged);
    }

    fn cache(&mut self, stats: &Stats, labels: &str) {
        let used = stats.cache_bytes as f64 / stats.cache_bytes_max.max(1) as f64;
        let help = "Keys and values that sequences hold, of what they may; from 0 to 1.";
        self.measured("vllm:kv_cache_usage_perc", labels, help, used);
        let asked = stats.prompt_tokens + stats.cached_tokens;
        let help = "Tokens of prompts that were looked up.";
        self.counted("vllm:prefix_cache_queries_total", labels, help, asked);
        let help = "Tokens of prompts that did not have to be read again.";
        self.counted("vllm:prefix_cache_hits_total", labels, help, stats.cached_tokens);
        let help = "Bytes of keys and values that are kept to be used again.";
        self.measured("allod_engine_prefix_bytes", "", help, stats.prefix_bytes);
        let pages = stats.cache_bytes_max / stats.page_bytes.max(1);
        let labels = format!(
            "{labels},block_size=\"{}\",num_gpu_blocks=\"{pages}\",page_bytes=\"{}\"",
            stats.page_tokens, stats.page_bytes
        );
        let help = "How keys and values are kept; blocks are pages in memory.";
        self.measured("vllm:cache_config_info", &labels, help, 1);
    }

    /// Pages of prompts in files.
    pub(super) fn prefix_disk(&mut self, counts: &PageCounts) {
        let help = "Bytes of files of keys and values that the next start finds.";
        self.measured("allod_prefix_disk_bytes", "", help, counts.bytes);
        let help = "Bytes above which the files go that were not used for longest.";
        self.measured("allod_prefix_disk_bytes_max", "", help, counts.bytes_max);
        for (name, help, value) in [
            ("read", "Pages that were read from disk.", counts.read),
            ("written", "Pages that were written to disk.", counts.written),
            ("evicted", "Pages that were deleted as there was no room.", counts.evicted),
            ("refused", "Files that were deleted as they were damaged or foreign.", counts.refused),
            ("failed", "How often the disk failed.", counts.failed),
            ("passed_over", "Pages that were not written, for want of time.", counts.passed_over),
        ] {
            self.counted(&format!("allod_prefix_disk_{name}_total"), "", help, value);
        }
    }

    fn steps(&mut self, stats: &Stats, labels: &str) {
        self.counted("allod_engine_steps_total", "", "Forward passes.", stats.steps);
        let help = "Tokens that went through the model in a step.";
        self.buckets(
            "vllm:iteration_tokens_total",
            labels,
            help,
            (&STEP_ROWS, &stats.rows.counts, stats.rows.sum),
        );
    }

    fn guesses(&mut self, stats: &Stats, labels: &str) {
        for (name, help, value) in [
            ("num_drafts", "How often tokens were guessed.", stats.drafts),
            ("num_draft_tokens", "Tokens that were guessed.", stats.draft_tokens),
            ("num_accepted_tokens", "Guessed tokens that were right.", stats.accepted_tokens),
        ] {
            self.counted(&format!("vllm:spec_decode_{name}_total"), labels, help, value);
        }
    }

    fn adapters(&mut self, stats: &Stats, labels: &str, most: usize) {
        let listed = |names: &std::collections::BTreeSet<std::sync::Arc<str>>| {
            escaped(&names.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(","))
        };
        let labels = format!(
            "{labels},max_lora=\"{most}\",waiting_lora_adapters=\"{}\",\
             running_lora_adapters=\"{}\"",
            listed(&stats.waiting_adapters),
            listed(&stats.running_adapters),
        );
        let help = "Adapters of the sequences in the line and of those being computed; the value \
                    is the time, in seconds since 1970.";
        self.measured("vllm:lora_requests_info", &labels, help, Timestamp::now().as_second());
    }
}
