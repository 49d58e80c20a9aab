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

sys.path[:0] = sys.argv[1:3]
sys.path += sys.argv[3:]

tensors, configs = {}, {}


def weights(rows, columns, dtype=torch.float32):
    # Rows of different sizes and centres, so that scales and zero points differ.
    size = torch.rand(rows, 1) * 0.2 + 0.01
    return ((torch.randn(rows, columns) + torch.randn(rows, 1) * 0.5) * size).to(dtype)


def keep(name, config, parts, expected):
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


def awq(name, rows, columns, group):
    from awq.modules.linear.gemm import WQLinear_GEMM
    from awq.utils.packing_utils import dequantize_gemm

    weight = weights(rows, columns)
    length = columns if group == -1 else group
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
    keep(name, config, parts, expected)


def gptq(name, rows, columns, bits, group, symmetric, version, shuffled=False):
    from gptqmodel.nn_modules.qlinear.torch import TorchLinear
    from gptqmodel.quantization import FORMAT
    from gptqmodel.utils.model import (
        convert_gptq_v1_to_v2_format_module,
        convert_gptq_v2_to_v1_format_module,
    )

    length = columns if group == -1 else group
    order = torch.arange(columns) // length
    if shuffled:
        order = order[torch.randperm(columns)]
    weight = weights(rows, columns)
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
        assert torch.equal(module.dequantize_weight().t(), expected), name
        module.qzeros = stored
    config = {
        "quant_method": "gptq", "bits": bits, "group_size": group, "sym": symmetric, "desc_act": shuffled,
        "checkpoint_format": "gptq" if version == 1 else "gptq_v2", "meta": {"quantizer": ["gptqmodel:7.7.0"]},
    }
    parts = {part: getattr(module, part) for part in ("qweight", "qzeros", "scales", "g_idx")}
    keep(name, config, parts, expected)


def compressed(name, rows, columns, weight_args, layout, dtype=torch.bfloat16, activations=None):
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
    model.add_module("proj", linear(weights(rows, columns, dtype)))
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
    keep(name, json.loads(config.model_dump_json()), parts, module.weight)


def ints(bits, strategy, **more):
    return {"num_bits": bits, "type": "int", "strategy": strategy, **more}


def floats(bits, strategy, **more):
    return {"num_bits": bits, "type": "float", "strategy": strategy, **more}


def main():
    torch.manual_seed(20261121)
    awq("awq", 32, 64, 32)
    awq("awq-odd", 32, 48, 16)
    awq("awq-whole", 32, 64, -1)
    for bits in (2, 3, 4, 8):
        for version in (1, 2):
            for symmetric in (True, False):
                kind = "sym" if symmetric else "asym"
                rows = 32 if bits in (2, 3) else 16
                gptq(f"gptq{version}-{bits}-{kind}", rows, 64, bits, 32, symmetric, version)
    gptq("gptq1-4-shuffled", 16, 64, 4, 16, False, 1, shuffled=True)
    gptq("gptq2-8-shuffled", 16, 64, 8, 32, True, 2, shuffled=True)
    gptq("gptq1-4-whole", 16, 96, 4, -1, True, 1)
    for bits in range(2, 9):
        compressed(f"pack-{bits}", 8, 64, ints(bits, "group", group_size=32), "pack-quantized")
    asymmetric = ints(4, "group", group_size=32, symmetric=False)
    compressed("pack-asym", 12, 96, asymmetric, "pack-quantized")
    compressed("pack-asym-f16", 12, 96, asymmetric, "pack-quantized", torch.float16)
    compressed("pack-asym-f32", 12, 96, asymmetric, "pack-quantized", torch.float32)
    compressed("pack-odd", 7, 50, ints(3, "channel", symmetric=False), "pack-quantized")
    compressed("pack-16", 8, 64, ints(4, "group", group_size=16), "pack-quantized")
    compressed("pack-8-asym", 8, 64, ints(8, "channel", symmetric=False), "pack-quantized")
    token = {"num_bits": 8, "type": "int", "strategy": "token", "dynamic": True}
    compressed("int8", 8, 64, ints(8, "channel"), "int-quantized", activations=token)
    compressed("int8-asym", 8, 64, ints(8, "channel", symmetric=False), "int-quantized", activations=token)
    compressed("int8-tensor", 8, 64, ints(8, "tensor"), "int-quantized", torch.float32, activations=token)
    token = {"num_bits": 8, "type": "float", "strategy": "token", "dynamic": True}
    compressed("fp8-channel", 8, 64, floats(8, "channel"), "float-quantized", activations=token)
    compressed("fp8-tensor", 8, 64, floats(8, "tensor"), "float-quantized", torch.float16, activations=token)
    compressed("fp8-f32", 8, 64, floats(8, "channel"), "naive-quantized", torch.float32)
    block = floats(8, "block", block_structure=[16, 32])
    compressed("fp8-block", 24, 80, block, "float-quantized", activations=token)
    compressed("fp8-block-32", 24, 96, block, "float-quantized", activations=token)
    compressed("mxfp4", 8, 64, floats(4, "group", group_size=32, scale_dtype="torch.uint8"), "mxfp4-pack-quantized")
    compressed("mxfp8", 8, 64, floats(8, "group", group_size=32, scale_dtype="torch.uint8"), "mxfp8-quantized")
    nv = floats(4, "tensor_group", group_size=16, scale_dtype="torch.float8_e4m3fn")
    compressed("nvfp4", 8, 64, nv, "nvfp4-pack-quantized")
    compressed("nvfp4-odd", 8, 48, nv, "nvfp4-pack-quantized", torch.float16)
    save_file(tensors, Path(__file__).parent / "modules.safetensors", metadata=configs)


main()
