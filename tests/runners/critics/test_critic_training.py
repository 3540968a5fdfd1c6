"""The state of a training is complete, and with early stopping each copy is read at its own
best.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from infobound.datasets.files.arrays import Arrays
from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.estimators.club import CLUB
from infobound.estimators.mine import MINE
from infobound.models.critics.conditional_gaussian import ConditionalGaussian
from infobound.models.critics.dense import Concat
from infobound.runners.critics.task import CriticTraining
from infobound.runners.estimate.runner import Estimate
from infobound.runners.runs import checkpoint
from infobound.runners.runs.errors import DamagedState
from tests.settings import training_of

PAIRS = CorrelatedGaussians(2, None, 1.0).sample(200, torch.Generator().manual_seed(0))
ROWS = Arrays(*PAIRS, validation=0.2, test=0.2, transform="standardise")
OVERFIT = {
    "dataset": ROWS,
    "optimizer": partial(torch.optim.Adam, lr=0.05),
    "average": 0.0,
    "patience": None,
}
"""A table so small that critics are best long before the end."""
EVERY = 10
"""Steps between two readings."""


def trained(task: CriticTraining, first: int, last: int) -> list[list[float]]:
    """The readings of all copies from step `first` to step `last`."""
    readings = []
    for step in range(first + 1, last + 1):
        task.step()
        if step % EVERY == 0:
            readings.append([*task.evaluate(step)["mi"].copies])
    return readings


def places(state: object) -> Iterator[tuple[Any, ...]]:
    """The keys of every value in dictionaries and lists."""
    items = (
        state.items()
        if isinstance(state, dict)
        else enumerate(state)
        if isinstance(state, list)
        else ()
    )
    for key, value in items:
        yield (key,)
        yield from ((key, *below) for below in places(value))


@pytest.mark.parametrize(
    "changes",
    [
        {
            "estimator": MINE(alpha=0.01),
            "critic": partial(Concat, hidden=(8,), activation="ELU", negatives=1),
        },
        {"train_rows": 70},
        {"optimizer": partial(torch.optim.SGD, lr=0.05, momentum=0.9)},
        OVERFIT,
    ],
    ids=["moving averages", "fixed rows", "momentum", "early stopping"],
)
@pytest.mark.parametrize("replicates", [1, 3])
def test_a_resumed_training_is_identical_to_the_last_bit(
    changes: dict[str, Any], replicates: int, estimation: Callable[..., Estimate], tmp_path: Path
) -> None:
    straight, resumed = (
        training_of(estimation(replicates=replicates, **changes)) for _ in range(2)
    )
    trained(straight, 0, 93)
    checkpoint.save(tmp_path / "state", straight.state())
    state = checkpoint.load(tmp_path / "state")
    assert state is not None
    resumed.load(state)
    assert trained(resumed, 93, 120) == trained(straight, 93, 120)
    assert resumed.read(120) == straight.read(120)


@pytest.mark.parametrize("value", [None, -1, "x", [], {"a": 1}, torch.zeros(3), torch.zeros(2, 2)])
def test_a_state_of_other_types_or_shapes_is_refused_in_every_place(
    value: object, estimation: Callable[..., Estimate], tmp_path: Path
) -> None:
    """An optimiser would write past the end of a shorter tensor."""
    task = training_of(estimation(**OVERFIT))
    trained(task, 0, EVERY)
    state = task.state()
    refused = training_of(estimation(**OVERFIT))
    for place in places(state):
        *outer, last = place
        node: Any = dict(state)
        changed = node
        for key in outer:
            node[key] = type(node[key])(node[key])
            node = node[key]
        own, node[last] = node[last], value
        if own is None or own == [] or type(own) is type(value) is not Tensor:
            continue
        wrong = pytest.raises(DamagedState, match="is not the state of this training")
        with wrong, checkpoint.fitting(tmp_path):
            refused.load(changed)


def test_each_copy_of_a_table_is_read_at_its_own_best(estimation: Callable[..., Estimate]) -> None:
    task = training_of(estimation(replicates=3, **OVERFIT))
    readings = trained(task, 0, 150)
    best = np.argmax(readings, axis=0)
    assert len(set(best.tolist())) > 1, "the copies are best at different steps"
    assert max(best) < len(readings) - 1, "and none of them at the last"
    for copy, reading in enumerate(best):
        ended = training_of(estimation(replicates=3, **OVERFIT))
        trained(ended, 0, EVERY * (int(reading) + 1))
        assert ended.reading(150).values[copy] == task.reading(150).values[copy]


def test_an_upper_bound_is_not_read_where_it_is_loosest(
    estimation: Callable[..., Estimate],
) -> None:
    density = partial(
        ConditionalGaussian, hidden=(32,), activation="ReLU", covariance="diagonal", negatives=None
    )
    changes = {**OVERFIT, "estimator": CLUB(), "critic": density}
    task, loosest = (training_of(estimation(**changes)) for _ in range(2))
    values = trained(task, 0, 150)
    trained(loosest, 0, EVERY * (int(np.argmax(values)) + 1))
    loosest_value = loosest.evaluate(150)["mi"].value
    assert loosest_value == max(values)[0]
    assert task.reading(150).values[0] < loosest_value - 0.5
