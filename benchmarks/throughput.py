"""Steps per CPU-second of this project's loop, compared with a bare loop written by hand: `python
-m benchmarks.throughput`.

All contestants of a workload take turns in one process on one thread, so that a busy machine slows
them equally. A step of R copies counts as R steps. W1: concat critic, one shuffled partner a row,
DV. W2: concat critic, all pairs, DV. W3: separable critic, InfoNCE. 20-d Gaussians at 4 nats, batch
128.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import Adam

from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.estimators.base import Estimator
from infobound.estimators.dv import DV
from infobound.estimators.infonce import InfoNCE
from infobound.estimators.measurement import Critics
from infobound.models.critics.dense import Concat, Separable
from infobound.runners.estimate.by_critic import ByCritic
from infobound.runners.estimate.evaluation import Evaluation
from infobound.runners.runs.records import InMemory
from infobound.runners.training.loop import Loop
from infobound.runners.training.settings import Cadence, Execution, Optimisation

BATCH, WIDTH, EMBED = 128, 256, 32
PAIRS = CorrelatedGaussians(20, None, 4.0)
Run = Callable[[int], None]
"""Runs this many steps."""


def bare(parameters: list[Tensor], objective: Callable[[Tensor, Tensor], Tensor]) -> Run:
    """The loop written by hand: sample, forward, backward, fused Adam."""
    optimizer = Adam(parameters, lr=5e-4, fused=True)
    source = torch.Generator().manual_seed(0)

    def run(steps: int) -> None:
        for _ in range(steps):
            x, y = PAIRS.sample(BATCH, source)
            loss = -objective(x, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return run


def bare_concat(all_pairs: bool) -> Run:
    first_x, first_y = nn.Linear(20, WIDTH), nn.Linear(20, WIDTH, bias=False)
    rest = nn.Sequential(nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1))

    def objective(x: Tensor, y: Tensor) -> Tensor:
        a, b = first_x(x), first_y(y)
        if all_pairs:
            scores = rest((a[:, None] + b[None]).flatten(0, 1)).view(BATCH, BATCH)
            off_diagonal = scores.masked_fill(torch.eye(BATCH, dtype=torch.bool), -math.inf)
            return (
                scores.diagonal().mean()
                - off_diagonal.flatten().logsumexp(0)
                + math.log(BATCH * (BATCH - 1))
            )
        joint, product = rest(torch.stack([a + b, a + b.roll(-1, 0)])).squeeze(-1)
        return joint.mean() - product.logsumexp(0) + math.log(BATCH)

    return bare([*first_x.parameters(), *first_y.parameters(), *rest.parameters()], objective)


def bare_separable() -> Run:
    def network() -> nn.Sequential:
        return nn.Sequential(
            nn.Linear(20, WIDTH),
            nn.ReLU(),
            nn.Linear(WIDTH, WIDTH),
            nn.ReLU(),
            nn.Linear(WIDTH, EMBED),
        )

    g, h = network(), network()

    def objective(x: Tensor, y: Tensor) -> Tensor:
        scores = g(x) @ h(y).T
        return (scores.diagonal() - scores.logsumexp(1)).mean() + math.log(BATCH)

    return bare([*g.parameters(), *h.parameters()], objective)


def ours(critic: Critics, estimator: Estimator, replicates: int) -> Run:
    """The launcher's own loop with its defaults: weight average, an evaluation every 500 steps, a
    log line every 100.
    """
    training = ByCritic(
        dataset=PAIRS,
        critic=critic,
        estimator=estimator,
        optimisation=Optimisation(
            optimizer=partial(Adam, lr=5e-4, fused=True),
            steps=1,
            batch_size=BATCH,
            average=0.999,
        ),
        cadence=Cadence(log_every=100, eval_every=500, checkpoint_every=10**9),
        execution=Execution(replicates=replicates),
        evaluation=Evaluation(eval_batches=1, eval_batch_size=1024),
    )
    loop = Loop(training.task(), 1, training.cadence, InMemory())
    return loop.advance


def interleaved(
    contestants: dict[str, tuple[Run, int, int]], seconds: float, rounds: int
) -> dict[str, float]:
    """Median steps per CPU-second of each contestant (run, steps a turn, copies); they take turns
    until each has used its time.
    """
    for run, _, _ in contestants.values():
        run(3)
    speeds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, (run, steps, copies) in contestants.items():
            done, begun = 0, time.process_time()
            while time.process_time() - begun < seconds / rounds:
                run(steps)
                done += steps * copies
            speeds[name].append(done / (time.process_time() - begun))
    return {name: statistics.median(values) for name, values in speeds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--seconds", type=float, default=20, help="CPU seconds for each contestant of a workload"
    )
    parser.add_argument("--rounds", type=int, default=10, help="turns of each contestant")
    parser.add_argument("--copies", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    concat = partial(Concat, hidden=[WIDTH, WIDTH], activation="ReLU")
    separable = partial(Separable, hidden=[WIDTH, WIDTH], embed=EMBED, activation="ReLU")
    workloads: dict[str, tuple[Run, Critics, Estimator, int]] = {
        "W1": (bare_concat(all_pairs=False), partial(concat, negatives=1), DV(), 200),
        "W2": (bare_concat(all_pairs=True), partial(concat, negatives=None), DV(), 8),
        "W3": (bare_separable(), separable, InfoNCE(), 200),
    }
    print("steps per CPU-second, and their ratio to the bare loop's")
    print(f"{'':4}{'bare':>10}{'one copy':>18}{f'{options.copies} copies':>18}")
    for name, (by_hand, critic, estimator, steps) in workloads.items():
        contestants = {
            "bare": (by_hand, steps, 1),
            "one": (ours(critic, estimator, 1), steps, 1),
            "many": (
                ours(critic, estimator, options.copies),
                max(1, steps // options.copies),
                options.copies,
            ),
        }
        speed = interleaved(contestants, options.seconds, options.rounds)
        columns = [
            f"{speed[key]:10.1f} ({speed[key] / speed['bare']:.2f})" for key in ("one", "many")
        ]
        print(f"{name:4}{speed['bare']:10.1f}{columns[0]:>18}{columns[1]:>18}", flush=True)


if __name__ == "__main__":
    main()
