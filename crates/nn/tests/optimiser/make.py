"""Makes vectors.json: what PyTorch's optimisers do to a few small parameters.

usage: make.py > vectors.json      (needs: torch)

AdamW is torch.optim.AdamW. Muon is torch.optim.Muon, with its iteration in float32 instead of
bfloat16. AdEMAMix is arXiv 2409.03137, algorithm 1, in float64.
"""
import json
import math

import torch

STEPS, RATE = 6, 0.01
SHAPES = [[3, 5], [5, 2], [4]]


def start():
    generator = torch.Generator().manual_seed(5)
    values = [torch.randn(shape, generator=generator) for shape in SHAPES]
    gradients = [[torch.randn(shape, generator=generator) for shape in SHAPES] for _ in range(STEPS)]
    return values, gradients


def flat(tensors):
    return [tensor.flatten().tolist() for tensor in tensors]


def run(make):
    """The parameters after each step of the optimisers that `make` gives."""
    values, gradients = start()
    parameters = [torch.nn.Parameter(value) for value in values]
    optimisers, after = make(parameters), []
    for step in gradients:
        for parameter, gradient in zip(parameters, step):
            parameter.grad = gradient.clone()
        for optimiser in optimisers:
            optimiser.step()
        after.append(flat([parameter.detach() for parameter in parameters]))
    return after


def adamw(parameters):
    return torch.optim.AdamW(
        parameters, lr=RATE, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)


def iterate(matrix, coefficients, steps, least):
    a, b, c = coefficients
    x = matrix.T if matrix.size(0) > matrix.size(1) else matrix
    x = x / x.norm().clamp(min=least)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if matrix.size(0) > matrix.size(1) else x


def muon(shape_rule):
    def make(parameters):
        matrices = [p for p in parameters if p.ndim == 2]
        others = [p for p in parameters if p.ndim != 2]
        return [torch.optim.Muon(matrices, lr=RATE, adjust_lr_fn=shape_rule), adamw(others)]
    return make


def ademamix():
    beta1, beta2, beta3, alpha, decay, warm_up = 0.9, 0.999, 0.9999, 8.0, 0.1, 4
    values, gradients = start()
    values = [value.double() for value in values]
    zeros = [[torch.zeros_like(value) for value in values] for _ in range(3)]
    after = []
    for t, step in enumerate(gradients, 1):
        part = t / warm_up
        alpha_t = min(part * alpha, alpha)
        b3 = beta3 if part >= 1 else min(beta3, math.exp(
            math.log(beta1) * math.log(beta3)
            / ((1 - part) * math.log(beta3) + part * math.log(beta1))))
        for i, gradient in enumerate(step):
            g, (m1, m2, v) = gradient.double(), [zero[i] for zero in zeros]
            m1.mul_(beta1).add_(g, alpha=1 - beta1)
            m2.mul_(b3).add_(g, alpha=1 - b3)
            v.mul_(beta2).add_(g * g, alpha=1 - beta2)
            way = (m1 / (1 - beta1 ** t) + alpha_t * m2) / ((v / (1 - beta2 ** t)).sqrt() + 1e-8)
            values[i] -= RATE * (way + decay * values[i])
        after.append(flat(values))
    return after


torch.optim._muon._zeropower_via_newtonschulz = iterate
values, gradients = start()
clipped = [torch.nn.Parameter(value) for value in values]
for parameter, gradient in zip(clipped, gradients[0]):
    parameter.grad = gradient.clone()
norm = torch.nn.utils.clip_grad_norm_(clipped, 0.5).item()
print(json.dumps({
    "shapes": SHAPES, "rate": RATE, "start": flat(values),
    "gradients": [flat(step) for step in gradients],
    "adamw": run(lambda parameters: [adamw(parameters)]),
    "ademamix": ademamix(),
    "muon_rows": run(muon("original")), "muon_largest": run(muon("match_rms_adamw")),
    "norm": norm, "clipped": flat([parameter.grad for parameter in clipped]),
}))
