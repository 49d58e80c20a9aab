"""What `cargo xtask train DIR TEXT` does, with PyTorch and transformers: same windows of the text in
the same order, same optimiser and schedule, transformers' own first weights, which `--first` keeps
for that program to begin with too.

usage: train_reference.py DIR TEXT [--steps N] [--seeds N] [--bf16] [--first FOLDER]
"""
import argparse
import math
import time

import torch
import transformers

WINDOWS, WINDOW, KEPT, CHECKED = 8, 128, 10, 128
MASK = (1 << 64) - 1


def place(seed, number, places):
    x = ((seed << 32) + number & MASK) * 0x9E3779B97F4A7C15 & MASK
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return (x ^ (x >> 31)) % places


def windows(text, seed, first, count):
    starts = [place(seed, number, len(text) - WINDOW) for number in range(first, first + count)]
    rows = torch.tensor([list(text[start:start + WINDOW + 1]) for start in starts])
    return rows[:, :-1], rows[:, 1:]


def rate(step, steps):
    warm_up, peak, floor = steps // 10, 3e-3, 3e-4
    if step < warm_up:
        return peak * (step + 1) / (warm_up + 1)
    done = (step - warm_up) / (steps - warm_up)
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * done))


def train(config, text, arguments, seed):
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config).float()
    if arguments.first:
        model.save_pretrained(f"{arguments.first}/seed-{seed}")
    groups = [
        {"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95), eps=1e-8)
    kept = len(text) - len(text) // KEPT

    def loss_of(batch):
        inputs, targets = batch
        with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bf16):
            logits = model(input_ids=inputs).logits
        return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten())

    losses = []
    for step in range(arguments.steps):
        loss = loss_of(windows(text[:kept], seed, step * WINDOWS, WINDOWS))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimiser.param_groups:
            group["lr"] = rate(step, arguments.steps)
        optimiser.step()
        losses.append(loss.item())
    last = losses[len(losses) - math.ceil(len(losses) / 10):]
    with torch.no_grad():
        checked = loss_of(windows(text[kept:], MASK, 0, CHECKED)).item()
    return sum(last) / len(last), checked


parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("text")
parser.add_argument("--steps", type=int, default=600)
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--bf16", action="store_true")
parser.add_argument("--first")
arguments = parser.parse_args()
config = transformers.AutoConfig.from_pretrained(arguments.folder)
text = open(arguments.text, "rb").read()
for seed in range(arguments.seeds):
    start = time.time()
    train_loss, checked = train(config, text, arguments, seed)
    ms = (time.time() - start) * 1e3 / arguments.steps
    print(f"seed {seed}: loss {train_loss:.4f} at the end, {checked:.4f} on text kept back, "
          f"{ms:.0f} ms a step", flush=True)
