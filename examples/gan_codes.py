"""Maximise mutual information in a small GAN, so that each value of a code makes one mode.

    python examples/gan_codes.py

The generator makes points on eight modes of a ring from a code of eight values and some noise. Its
loss has the term -beta I(code; points), a lower bound by a critic of its own; the most that the
code can say is log 8 = 2.08 nats. Points within three standard deviations of a mode are good. It
prints, in 17 s on one core (fresh codes, seed 0):

    beta 0: I(code; points) = 0.01 nats, 11% good
    beta 1: I(code; points) = 2.07 nats, 98% good

Over seeds 0, 1 and 2 it is 0.01 ± 0.00 and 2.07 ± 0.00 nats, and 21 ± 12 and 95 ± 4 % are good.
"""

import argparse
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot, softplus

import infobound as ib

MODES = ib.datasets.GaussianModes.ring(modes=8, std=0.1)
BATCH, NOISE = 64, 4


class Trained(NamedTuple):
    generator: nn.Module
    mi: ib.MutualInformation


def network(inputs: int, outputs: int) -> nn.Module:
    layers = [nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(64, outputs))


def drawn(size: int) -> tuple[Tensor, Tensor]:
    """Codes (size, 8), one-hot, and what the generator makes points of: a code and some noise."""
    code = one_hot(torch.randint(MODES.classes, (size,)), MODES.classes).float()
    return code, torch.cat([code, torch.randn(size, NOISE)], dim=1)


def trained(beta: float, steps: int, seed: int) -> Trained:
    """A generator whose loss is the GAN's own less beta I(code; points)."""
    torch.manual_seed(seed)
    source = torch.Generator().manual_seed(seed)
    generator, judge = network(MODES.classes + NOISE, 2), network(2, 1)
    of_generator = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    of_judge = torch.optim.Adam(judge.parameters(), lr=1e-3, betas=(0.5, 0.999))
    mi = ib.MutualInformation(MODES.classes, 2, estimator="infonce", critic="separable")
    for _ in range(steps):
        real, _ = MODES.sample(BATCH, source)
        code, inputs = drawn(BATCH)
        made = generator(inputs)

        of_judge.zero_grad()
        (softplus(-judge(real)) + softplus(judge(made.detach()))).mean().backward()
        of_judge.step()

        of_generator.zero_grad()
        (softplus(-judge(made)).mean() - beta * mi(code, made)).backward()
        of_generator.step()
        mi.update(code, made)
    return Trained(generator, mi)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    for beta in (0.0, 1.0):
        generator, mi = trained(beta, chosen.steps, chosen.seed)
        code, inputs = drawn(2000)
        made = generator(inputs).detach()
        good = MODES.recognise(made).good.double().mean()
        print(f"beta {beta:g}: I(code; points) = {mi.value(code, made):.2f} nats, {good:.0%} good")


if __name__ == "__main__":
    main()
