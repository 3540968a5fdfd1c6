"""The losses of discriminator and generator, from the discriminator's scores.

R copies, B batch.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor

from infobound.errors import SettingError


class AdversarialObjective(Protocol):
    """The two losses of a game."""

    @property
    def gradient_penalty(self) -> float:
        """The weight of the penalty on the discriminator's gradient, whose length between data and
        samples should be 1.
        """
        ...

    @property
    def least(self) -> float:
        """The loss of a discriminator that is never wrong."""
        ...

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """The discriminator's loss (R,) from scores (R, B) of data and of samples."""
        ...

    def generator(self, fake: Tensor) -> Tensor:
        """The generator's loss (R,) from scores (R, B) of samples; an encoder uses -1 times the
        scores of data.
        """
        ...


@dataclass(frozen=True)
class NonSaturating:
    """Binary cross-entropy; the generator maximises log D(G(z)). Targets of data are 1 -
    `smoothing`.

    Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661; Salimans et al. 2016,
    https://arxiv.org/abs/1606.03498
    """

    smoothing: float
    gradient_penalty = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing < 0.5:
            raise SettingError(
                "smoothing", "must be at least 0 (none) and below 0.5", self.smoothing
            )

    @property
    def least(self) -> float:
        """The entropy of a target for data in nats."""
        return -sum(each * math.log(each) for each in (self.smoothing, 1 - self.smoothing) if each)

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return (F.softplus(-real) + self.smoothing * real + F.softplus(fake)).mean(1)

    def generator(self, fake: Tensor) -> Tensor:
        return F.softplus(-fake).mean(1)


@dataclass(frozen=True)
class Wasserstein:
    """E[D(G(z))] - E[D(x)], where a penalty on D's gradient between data and samples keeps its
    slope near 1.

    Arjovsky et al. 2017, https://arxiv.org/abs/1701.07875; Gulrajani et al. 2017,
    https://arxiv.org/abs/1704.00028
    """

    gradient_penalty: float

    def __post_init__(self) -> None:
        if not self.gradient_penalty > 0:
            raise SettingError("gradient_penalty", "must be positive", self.gradient_penalty)

    @property
    def least(self) -> float:
        return -math.inf

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return (fake - real).mean(1)

    def generator(self, fake: Tensor) -> Tensor:
        return -fake.mean(1)
