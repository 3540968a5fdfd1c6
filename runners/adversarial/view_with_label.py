"""A view paired with its label."""

from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.datasets.interfaces import Examples, Views


@dataclass(frozen=True)
class ViewWithLabel:
    """Views with the label as second view."""

    views: Views

    @property
    def train_examples(self) -> Examples:
        return _labelled(self.views.train_examples)

    @property
    def test_examples(self) -> Examples:
        return _labelled(self.views.test_examples)

    def seen(self, x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return self.views.seen(x, x, generator)[0], y


def _labelled(examples: Examples) -> Examples:
    return examples._replace(y=examples.labels[:, None])
