#!/usr/bin/env python3
"""Writes modules.safetensors beside this file: small matrices that the libraries themselves quantised and packed,
each with what the library's own code makes of it again.

    make.py AUTOAWQ_SOURCE GPTQMODEL_SOURCE [EXTRA_PACKAGES]

AUTOAWQ_SOURCE and GPTQMODEL_SOURCE are the unpacked source archives of autoawq 0.2.9 and gptqmodel 7.7.0 (neither
needs to be installed); compressed-tensors 0.20.0 and torch are installed. Runs on a CPU.

A case NAME has its tensors as NAME.proj.*, the expected weight [out, in] as NAME.expected in the type that the
library gives it, and its `quantization_config` in the file's metadata under NAME.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

tensors, configs = {}, {}


def weights(rows, columns, dtype=torch.float32):
    # Rows of different sizes and centres, so that scales and zero points differ.
    size = torch.rand(rows, 1) * 0.2 + 0.01
    return ((torch.randn(rows, columns) + torch.randn(rows, 1) * 0.5) * size).to(dtype)


def keep(name, made):
    config, parts, expected = made
    configs[name] = json.dumps(config)
    for part, tensor in parts.items():
        tensors[f"{name}.proj.{part}"] = tensor.detach().clone().contiguous()
    tensors[f"{name}.expected"] = expected.detach().clone().contiguous()


def linear(weight):
    module = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False, dtype=weight.dtype)
    module.weight.data = weight
    return module


def scales_and_zeros(weight, bits, group, symmetric):
    """[out, groups] each, as GPTQ's and AWQ's quantisers find them: least and greatest value of each group."""
    parts = weight.split(group, dim=1)
    low = torch.stack([part.amin(1) for part in parts], 1).clamp(max=0)
    high = torch.stack([part.amax(1) for part in parts], 1).clamp(min=0)
    top = 2**bits - 1
    if symmetric:
        high = torch.maximum(-low, high)
        scale = 2 * high / top
        return scale, torch.full_like(scale, (top + 1) // 2)
    scale = (high - low) / top
    return scale, torch.round(-low / scale)


def brain(rows, columns):
    return weights(rows, columns, torch.bfloat16)


# Each of the following gives the settings, the tensors by the last part of their names, and the weight again.


def awq(weight, group):
    from awq.modules.linear.gemm import WQLinear_GEMM
    from awq.utils.packing_utils import dequantize_gemm

    length = weight.shape[1] if group == -1 else group
    scale, zero = scales_and_zeros(weight, 4, length, False)
    scale = scale.half().float()
    weight = torch.cat(
        [
            (torch.clamp(torch.round(part / s) + z, 0, 15) - z) * s
            for part, s, z in zip(weight.split(length, 1), scale.split(1, 1), zero.split(1, 1))
        ],
        1,
    )
    module = WQLinear_GEMM.from_linear(
        linear(weight), 4, length, scales=scale.t().contiguous(), zeros=zero.t().contiguous()
    )
    expected = dequantize_gemm(module.qweight, module.qzeros, module.scales, 4, length).t()
    config = {"quant_method": "awq", "bits": 4, "group_size": group, "zero_point": True, "version": "gemm"}
    parts = {"qweight": module.qweight, "qzeros": module.qzeros, "scales": module.scales}
    return config, parts, expected


def gptq(weight, bits, group, symmetric, version, shuffled=False):
    from gptqmodel.nn_modules.qlinear.torch import TorchLinear
    from gptqmodel.quantization import FORMAT
    from gptqmodel.utils.model import (
        convert_gptq_v1_to_v2_format_module,
        convert_gptq_v2_to_v1_format_module,
    )

    rows, columns = weight.shape
    length = columns if group == -1 else group
    order = torch.arange(columns) // length
    if shuffled:
        order = order[torch.randperm(columns)]
    by_group = torch.cat([weight[:, order == g] for g in range(int(order.max()) + 1)], 1)
    scale, zero = scales_and_zeros(by_group, bits, length, symmetric)
    module = TorchLinear(
        bits=bits, group_size=group, sym=symmetric, desc_act=shuffled, in_features=columns, out_features=rows,
        bias=False, pack_dtype=torch.int32, register_buffers=True, format=FORMAT.GPTQ_V2,
    )
    module.pack_original(linear(weight), scale, zero, order.to(torch.int32))
    module.post_init()
    expected = module.dequantize_weight().t().clone()
    if version == 1:
        class Config:
            pass

        Config.bits, Config.pack_dtype = bits, torch.int32
        convert_gptq_v2_to_v1_format_module(module, Config)
        stored = module.qzeros.clone()
        convert_gptq_v1_to_v2_format_module(module, bits, torch.int32)
        assert torch.equal(module.dequantize_weight().t(), expected)
        module.qzeros = stored
    config = {
        "quant_method": "gptq", "bits": bits, "group_size": group, "sym": symmetric, "desc_act": shuffled,
        "checkpoint_format": "gptq" if version == 1 else "gptq_v2", "meta": {"quantizer": ["gptqmodel:7.7.0"]},
    }
    parts = {part: getattr(module, part) for part in ("qweight", "qzeros", "scales", "g_idx")}
    return config, parts, expected


def compressed(weight, weight_args, layout, activations=None):
    from compressed_tensors.compressors.base import compress_module, decompress_module
    from compressed_tensors.quantization import (
        QuantizationArgs,
        QuantizationConfig,
        QuantizationScheme,
        QuantizationStatus,
        apply_quantization_config,
    )
    from compressed_tensors.quantization.utils import calculate_qparams, generate_gparam

    args = QuantizationArgs(**weight_args)
    inputs = QuantizationArgs(**activations) if activations else None
    scheme = QuantizationScheme(targets=["Linear"], weights=args, input_activations=inputs, format=layout)
    model = torch.nn.Sequential()
    model.add_module("proj", linear(weight))
    status = QuantizationStatus.FROZEN
    apply_quantization_config(
        model, QuantizationConfig(config_groups={"group_0": scheme}, quantization_status=status, format=layout)
    )
    module = model.proj
    weight = module.weight.data
    extra = {}
    if args.strategy == "tensor":
        low, high = weight.min().reshape(1), weight.max().reshape(1)
    elif args.strategy == "channel":
        low, high = weight.amin(1, keepdim=True), weight.amax(1, keepdim=True)
    elif args.strategy == "block":
        height, width = args.block_structure
        blocks = [[cell for cell in band.split(width, 1)] for band in weight.split(height, 0)]
        low = torch.stack([torch.stack([cell.min() for cell in band]) for band in blocks])
        high = torch.stack([torch.stack([cell.max() for cell in band]) for band in blocks])
    else:
        parts = weight.unflatten(1, (-1, args.group_size))
        low, high = parts.amin(2), parts.amax(2)
    if args.strategy == "tensor_group":
        whole = generate_gparam(weight.min().reshape(1), weight.max().reshape(1))
        module.weight_global_scale.data = whole.to(torch.float32)
        extra["global_scale"] = whole.to(torch.float32)
    scale, zero = calculate_qparams(low, high, args, **extra)
    module.weight_scale.data = scale.reshape(module.weight_scale.shape).to(module.weight_scale.dtype)
    if hasattr(module, "weight_zero_point"):
        point = module.weight_zero_point
        point.data = zero.reshape(point.shape).to(point.dtype)
    compress_module(module)
    parts = {part: tensor for part, tensor in module.state_dict().items()}
    config = QuantizationConfig(
        config_groups={"group_0": scheme}, quantization_status="compressed", format=layout, ignore=["lm_head"]
    )
    decompress_module(module)
    return json.loads(config.model_dump_json()), parts, module.weight


def ints(bits, strategy, **more):
    return {"num_bits": bits, "type": "int", "strategy": strategy, **more}


def floats(bits, strategy, **more):
    return {"num_bits": bits, "type": "float", "strategy": strategy, **more}


def main():
    sys.path[:0] = sys.argv[1:3]
    sys.path += sys.argv[3:]
    torch.manual_seed(20261121)
    keep("awq", awq(weights(32, 64), 32))
    keep("awq-odd", awq(weights(32, 48), 16))
    keep("awq-whole", awq(weights(32, 64), -1))
    for bits in (2, 3, 4, 8):
        for version in (1, 2):
            for symmetric in (True, False):
                kind = "sym" if symmetric else "asym"
                rows = 32 if bits in (2, 3) else 16
                keep(f"gptq{version}-{bits}-{kind}", gptq(weights(rows, 64), bits, 32, symmetric, version))
    keep("gptq1-4-shuffled", gptq(weights(16, 64), 4, 16, False, 1, shuffled=True))
    keep("gptq2-8-shuffled", gptq(weights(16, 64), 8, 32, True, 2, shuffled=True))
    keep("gptq1-4-whole", gptq(weights(16, 96), 4, -1, True, 1))
    for bits in range(2, 9):
        keep(f"pack-{bits}", compressed(brain(8, 64), ints(bits, "group", group_size=32), "pack-quantized"))
    asymmetric = ints(4, "group", group_size=32, symmetric=False)
    keep("pack-asym", compressed(brain(12, 96), asymmetric, "pack-quantized"))
    keep("pack-asym-f16", compressed(weights(12, 96, torch.float16), asymmetric, "pack-quantized"))
    keep("pack-asym-f32", compressed(weights(12, 96, torch.float32), asymmetric, "pack-quantized"))
    keep("pack-odd", compressed(brain(7, 50), ints(3, "channel", symmetric=False), "pack-quantized"))
    keep("pack-16", compressed(brain(8, 64), ints(4, "group", group_size=16), "pack-quantized"))
    keep("pack-8-asym", compressed(brain(8, 64), ints(8, "channel", symmetric=False), "pack-quantized"))
    token = {"num_bits": 8, "type": "int", "strategy": "token", "dynamic": True}
    keep("int8", compressed(brain(8, 64), ints(8, "channel"), "int-quantized", activations=token))
    keep("int8-asym", compressed(brain(8, 64), ints(8, "channel", symmetric=False), "int-quantized", activations=token))
    keep(
        "int8-tensor",
        compressed(weights(8, 64, torch.float32), ints(8, "tensor"), "int-quantized", activations=token),
    )
    token = {"num_bits": 8, "type": "float", "strategy": "token", "dynamic": True}
    keep("fp8-channel", compressed(brain(8, 64), floats(8, "channel"), "float-quantized", activations=token))
    keep(
        "fp8-tensor",
        compressed(weights(8, 64, torch.float16), floats(8, "tensor"), "float-quantized", activations=token),
    )
    keep("fp8-f32", compressed(weights(8, 64, torch.float32), floats(8, "channel"), "naive-quantized"))
    block = floats(8, "block", block_structure=[16, 32])
    keep("fp8-block", compressed(brain(24, 80), block, "float-quantized", activations=token))
    keep("fp8-block-32", compressed(brain(24, 96), block, "float-quantized", activations=token))
    keep(
        "mxfp4",
        compressed(brain(8, 64), floats(4, "group", group_size=32, scale_dtype="torch.uint8"), "mxfp4-pack-quantized"),
    )
    keep(
        "mxfp8",
        compressed(brain(8, 64), floats(8, "group", group_size=32, scale_dtype="torch.uint8"), "mxfp8-quantized"),
    )
    nv = floats(4, "tensor_group", group_size=16, scale_dtype="torch.float8_e4m3fn")
    keep("nvfp4", compressed(brain(8, 64), nv, "nvfp4-pack-quantized"))
    keep("nvfp4-odd", compressed(weights(8, 48, torch.float16), nv, "nvfp4-pack-quantized"))
    save_file(tensors, Path(__file__).parent / "modules.safetensors", metadata=configs)


if __name__ == "__main__":
    main()
