"""Codes: the inputs of a generator, a latent and optionally a label.

R copies, B batch, L numbers in a latent, C classes.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from infobound.errors import SettingError
from infobound.runners.runs.written import State
from infobound.runners.training.randomness import generator
from infobound.runners.training.settings import Execution, Settings

Prior = Literal["uniform", "gaussian"]


class Code(NamedTuple):
    """Codes as latent and label."""

    latent: Tensor
    """(..., L)"""
    label: Tensor | None
    """(..., C) one-hot, None if the generator gets no label."""

    @property
    def whole(self) -> Tensor:
        """Latent and label together, (..., L + C)."""
        return self.latent if self.label is None else torch.cat([self.latent, self.label], dim=-1)


@dataclass(frozen=True, kw_only=True)
class CodeSettings(Settings):
    """The inputs of generators: `latent` numbers from `prior`, and the one-hot label if
    `conditional`.

    With `inference` an encoder infers the latents of data, and the discriminator scores samples
    together with their latents.

    Raises ValueError for a latent with less than one number.
    """

    latent: int
    prior: Prior
    conditional: bool
    inference: Literal["bigan"] | None

    def __post_init__(self) -> None:
        if self.latent < 1:
            raise SettingError(
                "latent",
                "must be a positive integer",
                self.latent,
                "2 is enough for points in the plane",
            )

    def distribution(self, classes: int) -> "CodeDistribution":
        """The distribution of codes for data with this number of classes."""
        return CodeDistribution(self.latent, self.prior, classes if self.conditional else 0)


@dataclass(frozen=True)
class CodeDistribution:
    """The distribution of latents, and the number of classes of labels, 0 without labels."""

    latent: int
    prior: Prior
    classes: int

    @property
    def size(self) -> int:
        """The number of numbers in a whole code."""
        return self.latent + self.classes

    def draw(self, labels: Tensor, source: torch.Generator) -> Code:
        """Draw codes with fresh latents for labels (N,) int64."""
        return Code(self._latents(len(labels), source), self.one_hot(labels))

    def one_hot(self, labels: Tensor) -> Tensor | None:
        """One-hot labels (..., C) from labels (...), None if generators get none."""
        return torch.eye(self.classes, device=labels.device)[labels] if self.classes else None

    def _latents(self, rows: int, source: torch.Generator) -> Tensor:
        """Draw latents (rows, L), normal or uniform from -1 to 1."""
        if self.prior == "gaussian":
            return torch.randn(rows, self.latent, generator=source, device=source.device)
        return torch.rand(rows, self.latent, generator=source, device=source.device).mul_(2).sub_(1)


class FreshCodes:
    """An endless source of codes for every copy, each from its own generator."""

    def __init__(self, codes: CodeDistribution, execution: Execution) -> None:
        self._codes = codes
        self._sources = [
            generator(execution.place, execution.seed, copy, "latent")
            for copy in range(execution.replicates)
        ]

    def draw(self, labels: Tensor) -> Code:
        """Draw codes (R, B, ...) for labels (R, B)."""
        drawn = [
            self._codes.draw(each, source)
            for each, source in zip(labels, self._sources, strict=True)
        ]
        told = [each.label for each in drawn if each.label is not None]
        return Code(
            torch.stack([each.latent for each in drawn]), torch.stack(told) if told else None
        )

    def shares(self, rows: int) -> Tensor:
        """Draw numbers (R, rows), uniform from 0 to 1."""
        return torch.stack(
            [torch.rand(rows, generator=each, device=each.device) for each in self._sources]
        )

    def state(self) -> State:
        return {"latents": [each.get_state() for each in self._sources]}

    def load(self, state: State) -> None:
        for each, saved in zip(self._sources, state["latents"], strict=True):
            each.set_state(saved)
