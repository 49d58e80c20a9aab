"""Quantises the matrices of model fixtures as AutoAWQ, GPTQModel and compressed-tensors do, loads the checkpoints and
compares every weight, bit for bit, with what the library's own code makes of it again. What transformers computes with
those weights is written beside each checkpoint.

    cargo build --release -p allod-lm --example convert
    python quantised.py target/release/examples/convert FIXTURES OUT AUTOAWQ_SOURCE GPTQMODEL_SOURCE [EXTRA_PACKAGES]
    cargo xtask parity OUT/*

The last three arguments as in `crates/weights/tests/quantised/make.py`, whose functions are used.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

sys.path.insert(0, str(Path(__file__).parents[3] / "weights/tests/quantised"))
from make import awq, compressed, floats, gptq, ints  # noqa: E402

# Matrices that libraries leave alone: ends, and what chooses experts.
LEFT = re.compile(r".*(embed|lm_head|router|mlp\.gate\.|block_sparse_moe\.gate\.|norm)")
BRAIN, HALF, SINGLE = torch.bfloat16, torch.float16, torch.float32


def by_awq(group):
    return lambda name, weight: awq(weight, group)


def by_gptq(bits, group, symmetric, version, shuffled=False, dynamic=None):
    """`dynamic`: settings of some modules, as GPTQModel spells them."""

    def quantise(name, weight):
        own = next((more for key, more in (dynamic or {}).items() if re.match(key[2:], name)), {})
        key = next((key for key in dynamic or {} if re.match(key[2:], name)), "+:")
        if key.startswith("-:"):
            return None
        few, many = own.get("bits", bits), own.get("group_size", group)
        _, parts, expected = gptq(weight, few, many, own.get("sym", symmetric), version, shuffled)
        config = {
            "quant_method": "gptq", "bits": bits, "group_size": group, "sym": symmetric, "desc_act": shuffled,
            "checkpoint_format": "gptq" if version == 1 else "gptq_v2", "pack_dtype": "int32", "lm_head": False,
            "meta": {"quantizer": ["gptqmodel:7.7.0"]},
        }
        if dynamic:
            config["dynamic"] = dynamic
        return config, parts, expected

    return quantise


def by_compressed(args, layout, dtype=BRAIN, **more):
    return lambda name, weight: compressed(weight.to(dtype), args, layout, **more)


def mixed(groups, ignore=("lm_head",)):
    """`groups`: targets (expressions or the kind Linear) with how they are quantised; the first that fits."""

    def quantise(name, weight):
        if any(re.match(pattern.removeprefix("re:"), name) for pattern in ignore):
            return None
        config = {"quant_method": "compressed-tensors", "format": "mixed-precision", "ignore": list(ignore)}
        config["config_groups"], made = {}, None
        for at, (target, how) in enumerate(groups):
            one, parts, expected = how(name, weight)
            config["config_groups"][f"group_{at}"] = one["config_groups"]["group_0"] | {"targets": [target]}
            if made is None and (target == "Linear" or re.match(target.removeprefix("re:"), name)):
                made = parts, expected
        return config, *made

    return quantise


def cases():
    for group in (16, 32, 64, -1):
        yield f"awq-{group}", by_awq(group)
    for bits in (2, 3, 4, 8):
        for group in (32, 64, 128, -1):
            for symmetric in (True, False):
                for version in (1, 2):
                    kind = "sym" if symmetric else "asym"
                    yield f"gptq{version}-{bits}-{group}-{kind}", by_gptq(bits, group, symmetric, version)
        yield f"gptq1-{bits}-desc_act", by_gptq(bits, 32, True, 1, shuffled=True)
        yield f"gptq2-{bits}-desc_act", by_gptq(bits, 32, False, 2, shuffled=True)
    special = {
        r"+:.*\.down_proj": {"bits": 8, "group_size": 64},
        r"-:.*layers\.1\..*o_proj": {},
        r"+:.*\.v_proj": {"bits": 8, "sym": False, "group_size": 32},
    }
    yield "gptq1-dynamic", by_gptq(4, 32, True, 1, dynamic=special)
    yield "gptq2-dynamic", by_gptq(4, 16, False, 2, dynamic=special)
    for bits in range(1, 9):
        for group in (32, 64):
            args = ints(bits, "group", group_size=group, symmetric=bits % 2 == 0 or bits == 1)
            yield f"pack-{bits}-{group}", by_compressed(args, "pack-quantized")
        yield f"pack-{bits}-channel", by_compressed(ints(bits, "channel"), "pack-quantized", HALF)
    for group in (8, 16, 32, 64):
        args = ints(4, "group", group_size=group, symmetric=False)
        yield f"pack-asym-{group}", by_compressed(args, "pack-quantized", SINGLE)
    yield "pack-asym-channel", by_compressed(ints(4, "channel", symmetric=False), "pack-quantized")
    yield "pack-tensor", by_compressed(ints(8, "tensor"), "pack-quantized")
    for strategy in ("tensor", "channel"):
        token = {"num_bits": 8, "type": "int", "strategy": "token", "dynamic": True}
        whole = by_compressed(ints(8, strategy), "int-quantized", activations=token)
        yield f"int8-{strategy}", whole
        asymmetric = ints(8, strategy, symmetric=False)
        yield f"int8-{strategy}-asym", by_compressed(asymmetric, "int-quantized", HALF, activations=token)
        token = {**token, "type": "float"}
        for name, dtype in (("bf16", BRAIN), ("f16", HALF), ("f32", SINGLE)):
            whole = by_compressed(floats(8, strategy), "float-quantized", dtype, activations=token)
            yield f"fp8-{strategy}-{name}", whole
    yield "int8-group", by_compressed(ints(8, "group", group_size=32), "int-quantized")
    yield "int4-naive", by_compressed(ints(4, "channel"), "naive-quantized")
    yield "fp8-group", by_compressed(floats(8, "group", group_size=32), "float-quantized")
    for block in ([16, 16], [32, 32], [128, 128]):
        args = floats(8, "block", block_structure=block)
        yield f"fp8-block-{block[0]}", by_compressed(args, "float-quantized")
    mx = {"group_size": 32, "scale_dtype": "torch.uint8"}
    yield "mxfp4", by_compressed(floats(4, "group", **mx), "mxfp4-pack-quantized")
    yield "mxfp8", by_compressed(floats(8, "group", **mx), "mxfp8-quantized")
    nv = floats(4, "tensor_group", group_size=16, scale_dtype="torch.float8_e4m3fn")
    yield "nvfp4", by_compressed(nv, "nvfp4-pack-quantized")
    yield "nvfp4-f32", by_compressed(nv, "nvfp4-pack-quantized", SINGLE)
    four = by_compressed(ints(4, "group", group_size=16), "pack-quantized")
    eight = by_compressed(floats(8, "channel"), "float-quantized")
    plain = by_compressed(ints(8, "channel"), "int-quantized")
    groups = [(r"re:.*\.(up|gate|w1|w3)(_proj)?$", four), (r"re:.*self_attn\.[qk].*", eight), ("Linear", plain)]
    yield "mixed", mixed(groups, ("lm_head", r"re:.*layers\.1\..*o_proj", "re:.*router"))


def make(fixture, quantise, folder):
    """Writes a checkpoint; gives the weights that the library makes of it."""
    tensors, expected, config = {}, {}, None
    for name, tensor in load_file(fixture / "model.safetensors").items():
        module = name.removesuffix(".weight")
        made = None
        if tensor.ndim == 2 and module != name and not LEFT.match(name):
            made = quantise(module, tensor)
        if made is None:
            tensors[name] = expected[name] = tensor
            continue
        config, parts, weight = made
        for part, values in parts.items():
            tensors[f"{module}.{part}"] = values.detach().clone().contiguous()
        expected[name] = weight.detach().float().contiguous()
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    settings = json.loads((fixture / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"quantization_config": config}, indent=1))
    return settings, expected


def reference(settings, expected, path):
    """Logits that transformers computes with the weights."""
    with tempfile.TemporaryDirectory() as plain:
        save_file(expected, Path(plain) / "model.safetensors", metadata={"format": "pt"})
        (Path(plain) / "config.json").write_text(json.dumps(settings))
        model = AutoModelForCausalLM.from_pretrained(plain, dtype=SINGLE, attn_implementation="eager").eval()
    ids = torch.randint(3, settings["vocab_size"], (1, 24))
    with torch.no_grad():
        logits = model(input_ids=ids).logits.contiguous()
    save_file({"input_ids": ids.to(torch.int32), "logits": logits}, path)


def compare(convert, folder, expected):
    """Weights of matrices that differ; zeros of another sign count by themselves. (Gemma's norms are kept with one
    added, so that their last bits may change on the way back.)"""
    with tempfile.TemporaryDirectory() as target:
        target = Path(target) / "plain"
        subprocess.run([convert, folder, target, "safetensors", "F32"], check=True, capture_output=True, text=True)
        found = load_file(target / "model.safetensors")
    assert found.keys() == expected.keys(), found.keys() ^ expected.keys()
    differ = zeros = 0
    expected = {name: weight for name, weight in expected.items() if weight.ndim > 1}
    for name, weight in expected.items():
        other = found[name].reshape(weight.shape).view(torch.int32) != weight.view(torch.int32)
        zero = other & (found[name].reshape(weight.shape) == 0) & (weight == 0)
        differ, zeros = differ + int((other ^ zero).sum()), zeros + int(zero.sum())
    return sum(weight.numel() for weight in expected.values()), differ, zeros


def main():
    convert, fixtures, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    sys.path[:0] = sys.argv[4:6]
    sys.path += sys.argv[6:]
    torch.manual_seed(20261122)
    failed = 0
    for fixture in sorted(path.parent for path in fixtures.glob("*/model.safetensors")):
        if "CausalLM" not in (fixture / "config.json").read_text():
            continue
        for name, quantise in cases():
            folder = out / f"{fixture.name}-{name}"
            try:
                settings, expected = make(fixture, quantise, folder)
            except Exception as error:  # the library has rules of its own about shapes
                print(f"{folder.name}: not made: {type(error).__name__}: {str(error)[:120]}", flush=True)
                continue
            reference(settings, expected, folder / "reference.safetensors")
            try:
                count, differ, zeros = compare(convert, folder, expected)
            except subprocess.CalledProcessError as error:
                # Some architectures have a packing of their own and refuse others by name.
                refused = "Unsupported" in error.stderr
                verdict = "refused" if refused else "NOT LOADED"
                print(f"{folder.name}: {verdict}: {error.stderr.strip()[:300]}", flush=True)
                failed += not refused
                continue
            print(f"{folder.name}: {count} weights, {differ} differ, {zeros} zeros of another sign", flush=True)
            failed += differ > 0
    print(f"{failed} checkpoints failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
