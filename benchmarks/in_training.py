"""Cost of a penalty by `MutualInformation`, compared with the same code written by hand: `python -m
benchmarks.in_training`.

A step is `mi(x, z)`, its backward pass to x and z, and `update`: NWJ with a separable critic, 2 x
(20-256-256-32), on 20-d Gaussians. Both take turns in one process on one thread, so that a busy
machine slows them equally.
"""

import argparse
import math
import operator
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import Adam

from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.in_training.mutual_information import MutualInformation

WIDTH, EMBED, DIM = 256, 32, 20
PAIRS = CorrelatedGaussians(DIM, None, 4.0)
Run = Callable[[int], None]
"""Runs this many steps."""


def by_hand(batch: int) -> Run:
    """The loop in plain PyTorch; the penalty's gradient is taken only with respect to x and z."""
    g, h = (
        nn.Sequential(
            nn.Linear(DIM, WIDTH),
            nn.ReLU(),
            nn.Linear(WIDTH, WIDTH),
            nn.ReLU(),
            nn.Linear(WIDTH, EMBED),
        )
        for _ in range(2)
    )
    parameters = [*g.parameters(), *h.parameters()]
    optimizer = Adam(parameters, lr=5e-4, fused=True)
    source = torch.Generator().manual_seed(0)
    off_diagonal = ~torch.eye(batch, dtype=torch.bool)

    def nwj(x: Tensor, z: Tensor) -> Tensor:
        scores = g(x) @ h(z).T
        product = scores.masked_select(off_diagonal)
        log_mean = product.logsumexp(0) - math.log(product.numel())
        return scores.diagonal().mean() - torch.exp(log_mean - 1)

    def run(steps: int) -> None:
        for _ in range(steps):
            x, z = (rows.requires_grad_() for rows in PAIRS.sample(batch, source))
            for parameter in parameters:
                parameter.requires_grad_(False)
            nwj(x, z).backward()
            for parameter in parameters:
                parameter.requires_grad_(True)
            optimizer.zero_grad()
            (-nwj(x.detach(), z.detach())).backward()
            optimizer.step()

    return run


def ours(batch: int) -> Run:
    mi = MutualInformation(DIM, DIM, "nwj", "separable", goal="maximise")
    source = torch.Generator().manual_seed(0)

    def run(steps: int) -> None:
        for _ in range(steps):
            x, z = (rows.requires_grad_() for rows in PAIRS.sample(batch, source))
            mi(x, z).backward()
            mi.update(x, z)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=10, help="CPU seconds for each")
    parser.add_argument("--rounds", type=int, default=50, help="turns of each contestant")
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 128, 512])
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("CPU milliseconds a step, and the median ratio to the bare loop")
    for batch in options.batches:
        runs = {"bare": by_hand(batch), "ours": ours(batch)}
        times: dict[str, list[float]] = {name: [] for name in runs}
        for run in runs.values():
            run(5)
        for _ in range(options.rounds):
            for name, run in runs.items():
                done, begun = 0, time.process_time()
                while time.process_time() - begun < options.seconds / options.rounds:
                    run(5)
                    done += 5
                times[name].append((time.process_time() - begun) / done)
        bare, own = (1e3 * statistics.median(times[name]) for name in ("bare", "ours"))
        ratio = statistics.median(map(operator.truediv, times["ours"], times["bare"]))
        print(f"batch {batch:4}: bare {bare:6.2f}, ours {own:6.2f} ({ratio:.2f})", flush=True)


if __name__ == "__main__":
    main()
