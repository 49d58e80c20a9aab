"""What a Llama checkpoint in Hugging Face's layout computes, written down independently.

usage: llama_reference.py MODEL_FOLDER > expected.json      (needs: pip install numpy)

Everything is in 64-bit floats and in the most direct form: no cache, no batches, one matrix product
per weight, byte-pair merging by searching for the best pair again after every merge.
"""
import json
import struct
import sys

import numpy as np

PROMPTS = [
    "Once upon a time",
    "The dog and the cat were very happy. One day,",
    "Zoe said \u201cÄpfel\u201d!",
]
TOP = 8


def tensors(path):
    data = open(path, "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    found = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "F32", entry
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        values = np.frombuffer(data[start:end], "<f4").reshape(entry["shape"])
        found[name] = values.astype(np.float64)
    return found


def encode(text, tokenizer):
    vocabulary = tokenizer["model"]["vocab"]
    merges = tokenizer["model"]["merges"]
    merges = [merge.split(" ", 1) if isinstance(merge, str) else merge for merge in merges]
    ranks = {tuple(merge): rank for rank, merge in enumerate(merges)}
    parts = []
    for character in "\u2581" + text.replace(" ", "\u2581"):
        known = character in vocabulary
        parts += [character] if known else [f"<0x{byte:02X}>" for byte in character.encode()]
    while True:
        pairs = [(ranks[pair], i) for i, pair in enumerate(zip(parts, parts[1:])) if pair in ranks]
        if not pairs:
            break
        _, i = min(pairs)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    unknown = vocabulary[tokenizer["model"]["unk_token"]]
    ids = [vocabulary.get(part, unknown) for part in parts]
    # `fuse_unk`: neighbours that are unknown are one token
    return [a for i, a in enumerate(ids) if not (i and a == unknown == ids[i - 1])]


def norm(x, weight, epsilon):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * weight


def rotate(x, theta):
    """x: [tokens, heads, head_dim]; element i turns with element i + head_dim / 2."""
    half = x.shape[-1] // 2
    angle = np.arange(x.shape[0])[:, None] * theta ** (-np.arange(half) / half)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)


def logits(ids, config, weights):
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    width, epsilon, theta = config["hidden_size"], config["rms_norm_eps"], config["rope_theta"]
    head_dim, count = width // heads, len(ids)
    mask = np.triu(np.full((count, count), -np.inf), 1)
    x = weights["model.embed_tokens.weight"][ids]
    for layer in range(config["num_hidden_layers"]):
        w = lambda name: weights[f"model.layers.{layer}.{name}.weight"]
        n = norm(x, w("input_layernorm"), epsilon)
        q = rotate((n @ w("self_attn.q_proj").T).reshape(count, heads, head_dim), theta)
        k = rotate((n @ w("self_attn.k_proj").T).reshape(count, kv_heads, head_dim), theta)
        v = (n @ w("self_attn.v_proj").T).reshape(count, kv_heads, head_dim)
        k, v = (np.repeat(y, heads // kv_heads, 1) for y in (k, v))
        scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(head_dim) + mask
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        x = x + np.einsum("hqk,khd->qhd", shares, v).reshape(count, -1) @ w("self_attn.o_proj").T
        n = norm(x, w("post_attention_layernorm"), epsilon)
        gate = n @ w("mlp.gate_proj").T
        x = x + (gate / (1 + np.exp(-gate)) * (n @ w("mlp.up_proj").T)) @ w("mlp.down_proj").T
    return norm(x, weights["model.norm.weight"], epsilon) @ weights["model.embed_tokens.weight"].T


def main(folder):
    config = json.load(open(f"{folder}/config.json"))
    assert config["tie_word_embeddings"] and config["rope_scaling"] is None
    weights = tensors(f"{folder}/model.safetensors")
    # Tied: the file may hold the one matrix under the other's name.
    weights.setdefault("model.embed_tokens.weight", weights.get("lm_head.weight"))
    tokenizer = json.load(open(f"{folder}/tokenizer.json"))
    cases = []
    for text in PROMPTS:
        ids = [config["bos_token_id"]] + encode(text, tokenizer)
        rows = logits(ids, config, weights)
        last = rows[-1]
        top = sorted(range(len(last)), key=lambda i: -last[i])[:TOP]
        cases.append(
            {
                "text": text,
                "ids": ids,
                "top": [[i, round(float(last[i]), 6)] for i in top],
                "sum": round(float(rows.sum()), 4),
                "sum_of_squares": round(float((rows * rows).sum()), 2),
            }
        )
    json.dump(cases, sys.stdout, indent=1)
    print()


main(sys.argv[1])
