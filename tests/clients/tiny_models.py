"""Writes three tiny models with random weights: tiny_models.py FOLDER

FOLDER/writer is a Llama over bytes, FOLDER/adapters/helper an adapter of it, FOLDER/embedder the same
Llama with a pooling, FOLDER/ranker a BERT that scores pairs. They say nothing that means anything; the clients only look at the form.
"""

import json
import random
import struct
import sys
from pathlib import Path

WIDTH = 16
INNER = 32


def numbers(count):
    return [random.uniform(-0.5, 0.5) for _ in range(count)]


def write_tensors(path, shapes):
    header, data = {}, b""
    for name, shape in shapes.items():
        count = 1
        for length in shape:
            count *= length
        values = [1.0] * count if "norm" in name.lower() and name.endswith("weight") else numbers(count)
        packed = struct.pack(f"<{count}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def letters_of_bytes():
    """One printable letter for each byte, as byte-level vocabularies write them."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain}
    letters.update({byte: chr(256 + at) for at, byte in enumerate(others)})
    return [letters[byte] for byte in range(256)]


def special(number, content):
    return {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True}


def framed(before, after=()):
    def tokens(names):
        return [{"SpecialToken": {"id": name, "type_id": 0}} for name, _ in names]
    return {
        "type": "TemplateProcessing",
        "single": [*tokens(before), {"Sequence": {"id": "A", "type_id": 0}}, *tokens(after)],
        "pair": [*tokens(before), {"Sequence": {"id": "A", "type_id": 0}}, *tokens(after),
                 {"Sequence": {"id": "B", "type_id": 1}}, *tokens(after)],
        "special_tokens": {name: {"id": name, "ids": [number], "tokens": [name]}
                           for name, number in [*before, *after]},
    }


def write_writer(folder):
    folder.mkdir(parents=True)
    vocabulary = {letter: byte for byte, letter in enumerate(letters_of_bytes())}
    vocabulary.update({"<s>": 256, "</s>": 257})
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    tokenizer = {
        "version": "1.0", "added_tokens": [special(256, "<s>"), special(257, "</s>")], "normalizer": None,
        "pre_tokenizer": byte_level, "post_processor": framed([("<s>", 256)]), "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                  "vocab": vocabulary, "merges": []},
    }
    config = {
        "model_type": "llama", "hidden_size": WIDTH, "num_attention_heads": 2, "vocab_size": 258,
        "num_hidden_layers": 1, "intermediate_size": INNER, "tie_word_embeddings": True,
        "hidden_act": "silu", "max_position_embeddings": 2048, "rms_norm_eps": 1e-5,
    }
    shapes = {"model.embed_tokens.weight": [258, WIDTH], "model.norm.weight": [WIDTH]}
    layer = {
        "input_layernorm": [WIDTH], "post_attention_layernorm": [WIDTH],
        "self_attn.q_proj": [WIDTH, WIDTH], "self_attn.k_proj": [WIDTH, WIDTH],
        "self_attn.v_proj": [WIDTH, WIDTH], "self_attn.o_proj": [WIDTH, WIDTH],
        "mlp.gate_proj": [INNER, WIDTH], "mlp.up_proj": [INNER, WIDTH], "mlp.down_proj": [WIDTH, INNER],
    }
    shapes.update({f"model.layers.0.{name}.weight": shape for name, shape in layer.items()})
    template = (
        "{% if tools %}<s>{{ tools | tojson }}{% endif %}{% for m in messages %}<s>{{ m.role }}: "
        "{{ m.content }}{% for c in m.tool_calls %}<tool_call>{{ c.function | tojson }}{% endfor %}"
        "{% endfor %}<s>assistant: {# 'tool' </think> #}{% if enable_thinking is defined %}<think>"
        "{% if not enable_thinking %}</think>{% endif %}{% endif %}"
    )
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text('{"bos_token": "<s>", "eos_token": "</s>"}')
    (folder / "chat_template.jinja").write_text(template)
    write_tensors(folder / "model.safetensors", shapes)


def write_adapter(folder):
    folder.mkdir(parents=True)
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 16, "target_modules": ["down_proj"], "bias": "none"}
    name = "base_model.model.model.layers.0.mlp.down_proj.lora"
    shapes = {f"{name}_A.weight": [2, INNER], f"{name}_B.weight": [WIDTH, 2]}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    write_tensors(folder / "adapter_model.safetensors", shapes)


def write_embedder(folder):
    write_writer(folder)
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    listed = [{"idx": at, "path": path, "type": f"sentence_transformers.models.{kind}"}
              for at, (path, kind) in enumerate(modules)]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps({"pooling_mode_lasttoken": True}))


def write_ranker(folder):
    folder.mkdir(parents=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "fee", "library", "opens", "saturday", "costs", "the"]
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [special(at, words[at]) for at in range(4)],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": framed([("[CLS]", 2)], [("[SEP]", 3)]),
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": {word: at for at, word in enumerate(words)}},
    }
    config = {
        "model_type": "bert", "architectures": ["BertForSequenceClassification"], "vocab_size": len(words),
        "hidden_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": INNER,
        "hidden_act": "gelu", "type_vocab_size": 2, "max_position_embeddings": 128, "layer_norm_eps": 1e-12,
        "pad_token_id": 0, "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0},
    }
    shapes = {
        "bert.embeddings.word_embeddings.weight": [len(words), WIDTH],
        "bert.embeddings.position_embeddings.weight": [128, WIDTH],
        "bert.embeddings.token_type_embeddings.weight": [2, WIDTH],
    }
    layer = "bert.encoder.layer.0"
    pairs = {
        "bert.embeddings.LayerNorm": [WIDTH], f"{layer}.attention.output.LayerNorm": [WIDTH],
        f"{layer}.output.LayerNorm": [WIDTH], f"{layer}.attention.self.query": [WIDTH, WIDTH],
        f"{layer}.attention.self.key": [WIDTH, WIDTH], f"{layer}.attention.self.value": [WIDTH, WIDTH],
        f"{layer}.attention.output.dense": [WIDTH, WIDTH], f"{layer}.intermediate.dense": [INNER, WIDTH],
        f"{layer}.output.dense": [WIDTH, INNER], "bert.pooler.dense": [WIDTH, WIDTH], "classifier": [1, WIDTH],
    }
    for name, shape in pairs.items():
        shapes[f"{name}.weight"] = shape
        shapes[f"{name}.bias"] = shape[:1]
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    write_tensors(folder / "model.safetensors", shapes)


if __name__ == "__main__":
    random.seed(7)
    place = Path(sys.argv[1])
    write_writer(place / "writer")
    write_embedder(place / "embedder")
    write_ranker(place / "ranker")
    write_adapter(place / "adapters/helper")
