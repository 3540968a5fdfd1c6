"""R copies trained at once are what R runs would have been, and whatever cannot be lifted is refused."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from datasets.arrays import Arrays
from datasets.gaussians import CorrelatedGaussians
from estimators.infonce import InfoNCE
from estimators.measurement import Measurement
from estimators.mine import MINE
from models.critics import Concat, Separable
from runners import evaluation, feeds
from runners.ensemble import Ensemble
from runners.estimate import Estimation
from runners.randomness import stream
from runners.records import InMemory, Outcome

CPU = torch.device("cpu")
STEPS = 50
PAIRS = CorrelatedGaussians(2, None, 1.0)
ROWS = Arrays(*PAIRS.sample(200, torch.Generator().manual_seed(0)), validation=0.2, test=0.2, transform="standardise")
SEPARABLE = partial(Separable, hidden=(8,), embed=4, activation="ReLU")
CONCAT = partial(Concat, hidden=(8, 8), activation="ELU", negatives=None)
ADAM = partial(torch.optim.Adam, lr=5e-3)


def estimation(**changes: Any) -> Estimation:
    settings: dict[str, Any] = {
        "dataset": PAIRS,
        "critic": SEPARABLE,
        "estimator": InfoNCE(),
        "optimizer": ADAM,
        "steps": STEPS,
        "batch_size": 16,
        "train_rows": None,
        "average": 0.9,
        "log_every": 10,
        "eval_every": 10,
        "eval_batches": 2,
        "eval_batch_size": 64,
        "patience": 3,
        "checkpoint_every": 1000,
        "checkpoint_seconds": None,
        "seed": 0,
        "replicates": 1,
        "device": "cpu",
        "precision": "fp32",
        "compile": False,
    }
    return Estimation(**{**settings, **changes})


def outcome(**changes: Any) -> Outcome:
    return estimation(**changes).prepare()(InMemory())


def values(**changes: Any) -> list[float]:
    return outcome(**changes).metrics["mi_replicates"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"critic": CONCAT},
        {"estimator": MINE(alpha=0.1), "critic": CONCAT},
        {"train_rows": 64},
        {"average": 0.0},
        {"dataset": ROWS},
    ],
    ids=["separable", "concat", "mine", "fixed rows", "no average", "table with early stopping"],
)
def test_a_copy_does_not_depend_on_how_many_run_beside_it(changes: dict[str, Any]) -> None:
    eight, three, one = (values(replicates=count, **changes) for count in (8, 3, 1))
    np.testing.assert_allclose(three, eight[:3], atol=1e-3)
    np.testing.assert_allclose(one, eight[:1], atol=1e-3)
    assert len({round(value, 4) for value in eight}) == 8, "every copy is one of its own"


@pytest.mark.parametrize("index", [0, 2])
def test_a_copy_is_what_a_bare_loop_over_its_pairs_trains(index: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(0, index, "init"))
        measurement = Measurement(SEPARABLE(2, 2), InfoNCE())
    feed = feeds.sampled(
        PAIRS,
        train_rows=None,
        batch_size=16,
        eval_batches=2,
        eval_batch_size=64,
        seed=0,
        replicates=index + 1,
        device=CPU,
    )
    optimizer = ADAM(measurement.parameters())
    for _ in range(STEPS):
        x, y = feed.batches.draw()
        optimizer.zero_grad()
        measurement(x[index], y[index]).fit.backward()
        optimizer.step()
    expected = evaluation.value(measurement.estimator, evaluation.pool(measurement, feed.held_out.blocks(index, "test", STEPS)))
    assert values(replicates=3, average=0.0)[index] == pytest.approx(expected, abs=1e-3)


def test_the_result_of_several_copies_is_their_mean_with_its_standard_error() -> None:
    metrics = outcome(replicates=4).metrics
    assert metrics["mi"] == pytest.approx(np.mean(metrics["mi_replicates"]))
    assert metrics["mi_stderr"] == pytest.approx(np.std(metrics["mi_replicates"], ddof=1) / 2)
    assert metrics["stderr_of"] == "replicates"
    alone = outcome().metrics
    assert alone["stderr_of"] == "test rows by influence values"
    assert alone["mi_stderr"] > 0


@pytest.mark.parametrize("replicates", [1, 3])
def test_a_run_neither_reads_nor_touches_the_global_generator(replicates: int) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = values(replicates=replicates)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert values(replicates=replicates) == first


def test_each_copy_of_a_table_is_read_at_its_own_best() -> None:
    task = estimation(
        dataset=ROWS, replicates=3, optimizer=partial(torch.optim.Adam, lr=0.05), average=0.0, patience=None
    ).task()
    readings = []
    for step in range(1, 151):
        task.step()
        if step % 10 == 0:
            readings.append(task.evaluate(step)["mi_replicates"])
    best = np.argmax(readings, axis=0)
    assert len(set(best.tolist())) > 1, "the copies are best at different steps"
    assert max(best) < len(readings) - 1, "and none at the last"
    kept = task.state()["stopping"]
    np.testing.assert_allclose(kept["readings"], np.max(readings, axis=0))
    at_best = task.read(150).values
    unstopped = estimation(
        dataset=ROWS, replicates=3, optimizer=partial(torch.optim.Adam, lr=0.05), average=0.0, patience=None
    ).task()
    for step in range(1, 10 * (int(best[0]) + 1) + 1):
        unstopped.step()
        if step % 10 == 0:
            unstopped.evaluate(step)
    assert unstopped.read(150).values[0] == pytest.approx(at_best[0], abs=1e-5)


def ensemble(build: Callable[[], nn.Module], replicates: int) -> Ensemble:
    return Ensemble(
        lambda index: build(), replicates=replicates, seed=0, device=CPU, precision="fp32", compiled=False, average=0.0
    )


class Branching(nn.Linear):
    """Looks at its data to decide what to do."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) if input.sum() >= 0 else input


def dropout() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))


def spectral() -> nn.Module:
    return nn.utils.parametrizations.spectral_norm(nn.Linear(3, 3))


@pytest.mark.parametrize("build", [lambda: Branching(3, 3), dropout, spectral, lambda: nn.LSTM(3, 3)])
def test_a_network_that_cannot_be_lifted_is_refused_with_the_way_out(build: Callable[[], nn.Module]) -> None:
    ensemble(build, 1).check(torch.zeros(1, 4, 3))
    with pytest.raises(ValueError, match=r"cannot run as several copies at once \(.*\); use replicates=1$"):
        ensemble(build, 2).check(torch.zeros(2, 4, 3))


def test_a_check_leaves_no_trace_in_the_buffers() -> None:
    networks = ensemble(lambda: nn.BatchNorm1d(3), 2)
    before = copy.deepcopy(networks.state())
    networks.check(torch.ones(2, 4, 3))
    assert all(torch.equal(tensor, before["buffers"][name]) for name, tensor in networks.state()["buffers"].items())


def test_batch_normalisation_keeps_statistics_of_each_copy() -> None:
    networks, x = ensemble(lambda: nn.BatchNorm1d(3), 3), torch.randn(3, 8, 3, generator=torch.Generator().manual_seed(0))
    output = networks(x)
    for index in range(3):
        alone = nn.BatchNorm1d(3)
        torch.testing.assert_close(output[index], alone(x[index]))
        lifted = networks.copy(index)
        assert isinstance(lifted, nn.BatchNorm1d)
        torch.testing.assert_close(lifted.running_mean, alone.running_mean)


def test_a_network_that_does_not_fit_its_data_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^this network cannot run on its data: "):
        ensemble(lambda: nn.Linear(2, 1), 1).check(torch.zeros(1, 4, 3))
