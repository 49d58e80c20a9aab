"""Makes small random models of shapes that the shared fixtures do not have: what llama.cpp asks for (OLMoE with as many
key heads as heads, SmolLM3 with a layer in four without rotation), wide rows for blocks of 256, odd rows, eight experts,
every rope scaling, more layers than a pattern. With what transformers computes for each.

    pip install torch transformers safetensors
    python models.py OUT
"""

import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

SEED = 11
COMMON = dict(vocab_size=160, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
              intermediate_size=96, max_position_embeddings=512, bos_token_id=1, eos_token_id=2, pad_token_id=0)
WIDE = dict(COMMON, hidden_size=256, intermediate_size=512, num_hidden_layers=2)
ENCODER = dict(vocab_size=160, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96)
EXPERTS = dict(num_local_experts=8, num_experts_per_tok=2)
ORIGINAL = dict(original_max_position_embeddings=32)
DIVISORS = dict(short_factor=[1 + k / 9 for k in range(8)], long_factor=[2 + k for k in range(8)])
MODELS = {
    "wide": ("Llama", "ForCausalLM", WIDE),
    "wide-tied": ("Llama", "ForCausalLM", dict(WIDE, tie_word_embeddings=True)),
    "wide-mixtral": ("Mixtral", "ForCausalLM", dict(WIDE, **EXPERTS)),
    "odd-rows": ("Qwen2", "ForCausalLM", dict(COMMON, hidden_size=80, num_attention_heads=5, num_key_value_heads=5,
                                              intermediate_size=112)),
    "linear": ("Llama", "ForCausalLM", dict(COMMON, rope_parameters=dict(rope_type="linear", rope_theta=1e4, factor=3.0))),
    "yarn": ("Qwen3", "ForCausalLM", dict(COMMON, head_dim=16, rope_parameters=dict(
        rope_type="yarn", rope_theta=1e4, factor=4.0, **ORIGINAL))),
    "longrope": ("Phi3", "ForCausalLM", dict(COMMON, max_position_embeddings=512, original_max_position_embeddings=512,
                                             rope_parameters=dict(rope_type="longrope", rope_theta=1e4, **DIVISORS,
                                                                  original_max_position_embeddings=512))),
    "mistral-plain": ("Mistral", "ForCausalLM", dict(COMMON, sliding_window=None, head_dim=24)),
    "olmoe-heads": ("Olmoe", "ForCausalLM", dict(COMMON, num_key_value_heads=4, num_experts=8, num_experts_per_tok=3)),
    "smollm3-fourth": ("SmolLM3", "ForCausalLM", dict(COMMON, num_hidden_layers=5)),
    "gemma3-pattern": ("Gemma3Text", "Gemma3ForCausalLM", dict(COMMON, num_hidden_layers=7, head_dim=16, sliding_window=8,
                                                             query_pre_attn_scalar=16)),
    "gpt-oss-deep": ("GptOss", "ForCausalLM", dict(COMMON, num_hidden_layers=4, head_dim=32, sliding_window=8, **EXPERTS)),
    "granite-tied": ("Granite", "ForCausalLM", dict(COMMON, embedding_multiplier=12.0, logits_scaling=8.0,
                                                   residual_multiplier=0.22, attention_multiplier=0.05,
                                                   tie_word_embeddings=True)),
    "apertus-tied": ("Apertus", "ForCausalLM", dict(COMMON, tie_word_embeddings=True)),
    "bert-deep": ("Bert", "Model", dict(ENCODER, max_position_embeddings=96)),
    "xlmr-deep": ("XLMRoberta", "Model", dict(ENCODER, max_position_embeddings=98, pad_token_id=1)),
    "modernbert-5": ("ModernBert", "Model", dict(ENCODER, num_hidden_layers=5, max_position_embeddings=128,
                                                local_attention=12, pad_token_id=0)),
}


def make(folder, name, model, settings):
    torch.manual_seed(SEED)
    config = getattr(transformers, f"{name}Config")(**settings)
    config._attn_implementation = "eager"
    model = getattr(transformers, model)(config).float().eval()
    with torch.no_grad():
        for weight_name, weight in model.named_parameters():
            if weight.ndim == 1 or "norm" in weight_name:
                weight.add_(0.2 * torch.randn(weight.shape))
            else:
                weight.mul_(3.0)
        ids = torch.randint(3, settings["vocab_size"], (2, 40))
        out = model(input_ids=ids)
    model.save_pretrained(folder)
    found = {"last_hidden_state": out.last_hidden_state} if "last_hidden_state" in out else {"logits": out.logits}
    save_file({"input_ids": ids.int()} | {key: value.contiguous() for key, value in found.items()},
              folder / "reference.safetensors")


def main():
    for folder, (name, model, settings) in MODELS.items():
        whole = name + model if model in ("ForCausalLM", "Model") else model
        make(Path(sys.argv[1]) / folder, name, whole, settings)


if __name__ == "__main__":
    main()
