"""R copies trained at once equal R single runs, and modules that cannot be lifted are refused."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from infobound.datasets.files.arrays import Arrays
from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.estimators.infonce import InfoNCE
from infobound.estimators.measurement import Measurement
from infobound.estimators.mine import MINE
from infobound.models.critics.dense import Concat
from infobound.runners.critics import evaluation, feeds
from infobound.runners.estimate.runner import Estimate
from infobound.runners.runs.records import InMemory
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.randomness import stream
from tests.settings import training_of

CPU = torch.device("cpu")
STEPS = 50
PAIRS = CorrelatedGaussians(2, None, 1.0)
ROWS = Arrays(
    *PAIRS.sample(200, torch.Generator().manual_seed(0)),
    validation=0.2,
    test=0.2,
    transform="standardise",
)
CONCAT = partial(Concat, hidden=(8, 8), activation="ELU", negatives=None)
NOISY = partial(Concat, hidden=(8, 8), activation="ELU", negatives=None, noise=[0.3, 0.5, 0.5])
Build = Callable[..., Estimate]


def values(estimation: Estimate) -> list[float]:
    """The estimate of each copy."""
    return estimation.prepare()(InMemory()).metrics["mi_replicates"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"critic": CONCAT},
        {"estimator": MINE(alpha=0.1), "critic": CONCAT},
        {"critic": NOISY},
        {"train_rows": 64},
        {"average": 0.0},
        {"dataset": ROWS},
    ],
    ids=[
        "separable",
        "concat",
        "mine",
        "noise",
        "fixed rows",
        "no average",
        "table with early stopping",
    ],
)
def test_a_copy_does_not_depend_on_the_number_of_other_copies(
    changes: dict[str, Any], estimation: Build
) -> None:
    changes = {"steps": 20, **changes}
    eight, three, one = (values(estimation(replicates=count, **changes)) for count in (8, 3, 1))
    np.testing.assert_allclose(three, eight[:3], atol=1e-3)
    np.testing.assert_allclose(one, eight[:1], atol=1e-3)
    assert len(set(eight)) == 8, "every copy is one of its own"


@pytest.mark.parametrize("index", [0, 2])
def test_a_copy_is_what_a_bare_loop_over_its_pairs_trains(index: int, estimation: Build) -> None:
    settings = estimation(replicates=3, average=0.0, steps=STEPS)
    assert settings.critic is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(0, index, "init"))
        measurement = Measurement(settings.critic(2, 2), InfoNCE())
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
    optimizer = settings.optimisation.optimizer(list(measurement.parameters()))
    for _ in range(STEPS):
        x, y = feed.batches.draw()
        optimizer.zero_grad()
        measurement(x[index], y[index]).fit.backward()
        optimizer.step()
    expected = evaluation.value(
        measurement.estimator,
        evaluation.pool(measurement, feed.held_out.blocks(index, "test", STEPS)),
    )
    assert values(settings)[index] == pytest.approx(expected, abs=1e-3)


def test_the_result_of_several_copies_is_their_mean_with_its_standard_error(
    estimation: Build,
) -> None:
    metrics = estimation(replicates=4).prepare()(InMemory()).metrics
    assert metrics["mi"] == pytest.approx(np.mean(metrics["mi_replicates"]))
    assert metrics["mi_stderr"] == pytest.approx(np.std(metrics["mi_replicates"], ddof=1) / 2)
    assert metrics["stderr_of"] == "replicates"
    alone = estimation().prepare()(InMemory()).metrics
    assert alone["stderr_of"] == "test rows by influence values"
    assert alone["mi_stderr"] > 0


@pytest.mark.parametrize("replicates", [1, 3])
def test_a_run_neither_reads_nor_touches_the_global_generator(
    replicates: int, estimation: Build
) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = values(estimation(replicates=replicates))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert values(estimation(replicates=replicates)) == first


def ensemble(build: Callable[[], nn.Module], replicates: int) -> Ensemble:
    return Ensemble(
        lambda index: build(),
        replicates=replicates,
        seed=0,
        device=CPU,
        precision="fp32",
        compiled=False,
        average=0.0,
    )


class Branching(nn.Linear):
    """A layer whose control flow depends on its data."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) if input.sum() >= 0 else input


def dropout() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))


def spectral() -> nn.Module:
    return nn.utils.parametrizations.spectral_norm(nn.Linear(3, 3))


@pytest.mark.parametrize(
    "build", [lambda: Branching(3, 3), dropout, spectral, lambda: nn.LSTM(3, 3)]
)
def test_a_network_that_cannot_be_lifted_is_refused_with_the_way_out(
    build: Callable[[], nn.Module],
) -> None:
    ensemble(build, 1).check(torch.zeros(1, 4, 3))
    with pytest.raises(
        ValueError, match=r"cannot run as several copies at once \(.*\); use replicates=1$"
    ):
        ensemble(build, 2).check(torch.zeros(2, 4, 3))


def test_a_check_leaves_no_trace_in_the_buffers() -> None:
    networks = ensemble(lambda: nn.BatchNorm1d(3), 2)
    before = copy.deepcopy(networks.state())
    networks.check(torch.ones(2, 4, 3))
    assert all(
        torch.equal(tensor, before["buffers"][name])
        for name, tensor in networks.state()["buffers"].items()
    )


def test_batch_normalisation_keeps_statistics_of_each_copy() -> None:
    networks, x = (
        ensemble(lambda: nn.BatchNorm1d(3), 3),
        torch.randn(3, 8, 3, generator=torch.Generator().manual_seed(0)),
    )
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


@pytest.mark.parametrize("replicates", [1, 2])
def test_frozen_parameters_stay_as_they_are_under_weight_decay(
    replicates: int, estimation: Build
) -> None:
    def frozen(dim_x: int, dim_y: int) -> nn.Module:
        critic = Concat(dim_x, dim_y, hidden=(8,), activation="ReLU", negatives=None)
        critic.first.requires_grad_(False)
        return critic

    decayed = partial(torch.optim.AdamW, lr=0.1, weight_decay=0.5)
    task = training_of(estimation(critic=frozen, replicates=replicates, optimizer=decayed))
    before = task.critics.networks.weights()
    for _ in range(8):
        task.step()
    after = task.critics.networks.weights()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"critic.rest.1.weight", "critic.rest.1.bias"}
