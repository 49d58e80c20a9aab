"""What PEFT computes with adapters on the shared model fixtures: writes adapters.json beside this script.

    python peft_reference.py FIXTURES             makes adapters.json
    python peft_reference.py FIXTURES check TMP   loads the folders that tests/adapters.rs saved under TMP and compares

Made with peft 0.21.2, transformers 5.23.0, torch 2.15.0 (CPU, float32, eager attention). The factors come from a
formula that the test repeats, so that only settings and results are stored.
"""
import base64
import json
import os
import sys
import tempfile

import peft
import torch
import transformers

TOKENS = [3, 17, 5, 88, 42, 9, 61, 23, 7, 77, 30, 2]
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
# name, fixture, settings
CASES = [
    ("llama", "llama", dict(r=8, lora_alpha=16, target_modules="all-linear")),
    ("ends", "llama-tied", dict(r=3, lora_alpha=7, target_modules=["embed_tokens", "lm_head", "q_proj"])),
    ("rslora", "qwen3", dict(r=5, lora_alpha=6, use_rslora=True, target_modules=["q_proj", "v_proj", "down_proj"])),
    ("fused", "phi3", dict(r=4, lora_alpha=4, target_modules=["qkv_proj", "gate_up_proj", "o_proj"],
                           rank_pattern={"gate_up_proj": 7, r"layers\.1\.self_attn\.qkv_proj": 2})),
    ("regex", "apertus", dict(r=4, lora_alpha=8, target_modules=r".*layers\.\d+\.(self_attn\.(q|o)|mlp\.(up|down))_proj",
                              alpha_pattern={r"^model\.layers\.0\..*": 3, "up_proj": 11})),
    ("layers", "gemma3", dict(r=4, lora_alpha=2, target_modules=["q_proj", "k_proj", "gate_proj"], layers_to_transform=[1])),
    ("embedding", "gemma2", dict(r=6, lora_alpha=3, target_modules=["embed_tokens", "o_proj"])),
    ("granite", "granite", dict(r=2, lora_alpha=4, target_modules="all-linear")),
    ("smollm3", "smollm3", dict(r=4, lora_alpha=4, target_modules="all-linear", exclude_modules=["up_proj"])),
    ("mistral", "mistral", dict(r=33, lora_alpha=16, target_modules="all-linear")),
    ("qwen2", "qwen2", dict(r=4, lora_alpha=8, target_modules=ATTENTION, init_lora_weights="gaussian")),
    ("gpt-oss", "gpt-oss", dict(r=4, lora_alpha=8, target_modules=ATTENTION)),
    ("mixtral", "mixtral", dict(r=4, lora_alpha=8, target_modules=ATTENTION)),
    ("olmoe", "olmoe", dict(r=4, lora_alpha=8, target_modules=ATTENTION)),
]


def numbers(count, seed):
    index = torch.arange(count, dtype=torch.int64)
    bits = (index * 747796405 + seed * 2891336453 + 1) % 2**32 // 256
    return (bits.to(torch.float32) / 2**24 - 0.5) * 0.5


def fill(model):
    """Factors by the order of their names."""
    factors = sorted((name, value) for name, value in model.named_parameters() if "lora_" in name)
    for seed, (_, value) in enumerate(factors):
        value.data = numbers(value.numel(), seed).reshape(value.shape)


def base_of(fixtures, fixture):
    path = os.path.join(fixtures, fixture)
    return transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()


def logits(model):
    with torch.no_grad():
        return model(torch.tensor([TOKENS])).logits[0].to(torch.float32)


def packed(values):
    return base64.b64encode(values.contiguous().numpy().tobytes()).decode()


def make(fixtures):
    cases = []
    for name, fixture, settings in CASES:
        model = peft.get_peft_model(base_of(fixtures, fixture), peft.LoraConfig(**settings)).eval()
        fill(model)
        plain = logits(base_of(fixtures, fixture))
        applied = logits(model)
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder, save_embedding_layers=False)
            config = json.load(open(os.path.join(folder, "adapter_config.json")))
            from safetensors import safe_open
            with safe_open(os.path.join(folder, "adapter_model.safetensors"), "pt") as file:
                tensors = {key: file.get_slice(key).get_shape() for key in file.keys()}
        config["target_modules"] = settings["target_modules"] if isinstance(settings["target_modules"], str) else sorted(config["target_modules"])
        config["base_model_name_or_path"] = fixture
        merged = logits(model.merge_and_unload())
        print(name, "changes", (applied - plain).abs().max().item(), "of", plain.abs().max().item(),
              "merged differs", (merged - applied).abs().max().item())
        cases.append({"name": name, "fixture": fixture, "config": config, "tensors": tensors,
                      "applied": packed(applied[-1]),
                      # PEFT merges a change of either end of a tied model into both.
                      "merged": packed(merged[-1]) if (merged - applied).abs().max() < 1e-3 else None})
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "adapters.json"), "w") as file:
        json.dump({"tokens": TOKENS, "cases": cases}, file, indent=1)
        file.write("\n")


def check(fixtures, saved):
    here = os.path.dirname(os.path.abspath(__file__))
    for case in json.load(open(os.path.join(here, "adapters.json")))["cases"]:
        folder = os.path.join(saved, "adapter-" + case["name"])
        model = peft.PeftModel.from_pretrained(base_of(fixtures, case["fixture"]), folder).eval()
        expected = torch.frombuffer(bytearray(base64.b64decode(case["applied"])), dtype=torch.float32)
        found = logits(model)[-1]
        error = ((found - expected).abs().max() / expected.abs().max()).item()
        print(f"{case['name']:12} {error:.2e}")
        assert error < 1e-5, case["name"]


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[2] == "check":
        check(sys.argv[1], sys.argv[3])
    else:
        make(sys.argv[1])
