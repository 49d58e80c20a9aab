"""Times one training step of the same model here and in PyTorch, on this processor, by turns.

    python crates/lm/benches/train_step.py [--rounds N] [--threads N] [--f32]

PyTorch computes in bf16 in two ways: `autocast` (weights and optimiser in float32, as here) and
`pure` (weights, gradients and optimiser in bf16 as well). Each round is a step of each of the three;
the first round is not counted. With `--f32` both compute in float32 throughout. Prints medians of
wall-clock seconds and of processor seconds, and how many times those of the first each takes.
On a machine that is busy with other work compare processor seconds of one thread: threads that wait
for each other count as busy.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

VOCABULARY, WIDTH, LAYERS, HEADS, KV_HEADS, INNER = 8192, 512, 6, 8, 4, 1408
BATCH, TOKENS, HEAD = 16, 512, 64


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x):
        return F.rms_norm(x, (WIDTH,), self.weight, 1e-5)


def linear(inputs, outputs):
    return nn.Linear(inputs, outputs, bias=False)


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList([Norm(), Norm()])
        self.q, self.k = linear(WIDTH, HEADS * HEAD), linear(WIDTH, KV_HEADS * HEAD)
        self.v, self.o = linear(WIDTH, KV_HEADS * HEAD), linear(HEADS * HEAD, WIDTH)
        self.gate, self.up, self.down = linear(WIDTH, INNER), linear(WIDTH, INNER), linear(INNER, WIDTH)

    def forward(self, x, cos, sin):
        h = self.norms[0](x)
        q, k, v = (p(h).view(BATCH, TOKENS, -1, HEAD).transpose(1, 2) for p in (self.q, self.k, self.v))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + self.o(a.transpose(1, 2).reshape(BATCH, TOKENS, -1))
        h = self.norms[1](x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm, self.head = Norm(), linear(WIDTH, VOCABULARY)

    def forward(self, tokens, cos, sin):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, cos, sin)
        return self.head(self.norm(x))


class Torch:
    def __init__(self, manner):
        torch.manual_seed(0)
        self.autocast = manner == "autocast"
        self.model = Model().bfloat16() if manner == "pure bf16" else Model()
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=1e-3, fused=True)
        angles = torch.arange(TOKENS)[:, None] * 10000.0 ** (-torch.arange(0, HEAD, 2) / HEAD)[None]
        kind = torch.float32 if manner == "float32" else torch.bfloat16
        self.cos, self.sin = angles.cos().to(kind), angles.sin().to(kind)
        self.tokens = torch.randint(0, VOCABULARY, (BATCH, TOKENS + 1))

    def step(self):
        start, used = time.perf_counter(), time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            logits = self.model(self.tokens[:, :-1], self.cos, self.sin)
        targets = self.tokens[:, 1:].reshape(-1)
        loss = F.cross_entropy(logits.view(-1, VOCABULARY).float(), targets)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        return time.perf_counter() - start, time.process_time() - used


class Allod:
    def __init__(self, arguments):
        command = ["cargo", "bench", "-q", "-p", "allod-lm", "--bench", "train_step", "--", "wait"]
        command += ["--threads", str(arguments.threads)] + ["--f32"] * arguments.f32
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def step(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        words = self.process.stdout.readline().split()
        return float(words[0]), float(words[2])


def parsed():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--f32", action="store_true")
    return parser.parse_args()


def main():
    arguments = parsed()
    torch.set_num_threads(arguments.threads)
    runners = {"allod": Allod(arguments)}
    for manner in ["float32"] if arguments.f32 else ["autocast", "pure bf16"]:
        runners[f"torch {manner}"] = Torch(manner)
    times = {name: [] for name in runners}
    load = os.getloadavg()[0]
    for number in range(arguments.rounds + 1):
        for name, runner in runners.items():
            taken = runner.step()
            if number > 0:
                times[name].append(taken)
    print(f"torch {torch.__version__}, {arguments.rounds} rounds of {arguments.threads} threads; "
          f"load {load:.1f} before, {os.getloadavg()[0]:.1f} after")
    medians = {name: [statistics.median(column) for column in zip(*taken)]
               for name, taken in times.items()}
    for name, (wall, used) in medians.items():
        least = min(wall for wall, _ in times[name])
        ratios = [own / first for own, first in zip(medians[name], medians["allod"])]
        print(f"{name}: median {wall:.3f} s (least {least:.3f}), processor {used:.3f} s; "
              f"times ours: {ratios[0]:.2f}, processor {ratios[1]:.2f}")


main()
