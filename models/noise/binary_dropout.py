"""Binary dropout, with noise from generators that the training sets."""

import math
from statistics import NormalDist
from typing import final

import torch
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.models.noise.gaussian_noise import Noise
from infobound.models.noise.interface import Block, NoiseLayer


class Dropout(nn.Module):
    """Returns x / keep with probability `keep` and 0 otherwise; x itself while its `noise` is in
    evaluation mode.

    Raises ValueError unless `keep` is above 0 and at most 1.
    """

    def __init__(self, keep: float, noise: Noise) -> None:
        super().__init__()
        if not 0 < keep <= 1:
            raise SettingError("keep", "must be a probability above 0, 1 for no dropout", keep)
        self.noise, self.keep = noise, keep
        self._quantile = NormalDist().inv_cdf(keep) if keep < 1 else math.inf

    def forward(self, x: Tensor) -> Tensor:
        if not self.noise.training:
            return x
        return torch.where(self.noise.normal(x) < self._quantile, x / self.keep, 0)


@final
class BinaryDropout(NoiseLayer):
    """Drops outputs of a layer; its rate is unknown.

    Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html

    Raises ValueError unless `keep` is above 0 and at most 1.
    """

    def __init__(self, block: Block, *, keep: float) -> None:
        super().__init__()
        self.layer = nn.Sequential(
            block.affine(block.outputs), block.after(), Dropout(keep, self.noise)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return self.layer(x), None
