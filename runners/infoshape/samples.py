"""The rows for training and testing encoders of codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from infobound.datasets.interfaces import Joint
from infobound.runners.training import limits
from infobound.runners.training.randomness import generator
from infobound.runners.training.settings import Execution, Settings


class LabelledInputs(NamedTuple):
    """Inputs x (N, dim_x) with their one-hot labels y (N, dim_y)."""

    x: Tensor
    y: Tensor


@dataclass(frozen=True, kw_only=True)
class Samples(Settings):
    """Each copy has its own `train_rows` training rows and `test_rows` test rows.

    Raises ValueError for values out of range.
    """

    train_rows: int
    test_rows: int

    def __post_init__(self) -> None:
        limits.at_least(self, train_rows=4, test_rows=4)

    def train(self, dataset: Joint, execution: Execution) -> Sequence[LabelledInputs]:
        """The training rows of every copy."""
        return _drawn(dataset, execution, "rows", self.train_rows)

    def test(self, dataset: Joint, execution: Execution) -> Sequence[LabelledInputs]:
        """The test rows of every copy."""
        return _drawn(dataset, execution, "test", self.test_rows)


def one_hot(joint: Joint) -> bool:
    """Whether each row of y has one 1 and otherwise zeros."""
    _, y = joint.sample(64, torch.Generator().manual_seed(0))
    return bool(y.shape[1] > 1 and ((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all())


def _drawn(dataset: Joint, execution: Execution, name: str, size: int) -> list[LabelledInputs]:
    place, seed = execution.place, execution.seed
    sources = [generator(place, seed, copy, name) for copy in range(execution.replicates)]
    return [LabelledInputs(*dataset.sample(size, source)) for source in sources]
