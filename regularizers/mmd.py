"""The distance between the kernel means of joint and of product samples.

B batch, D and E features.
"""

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from infobound.errors import SettingError
from infobound.regularizers import of_pivot
from infobound.regularizers.base import PurePenalty
from infobound.regularizers.exposed import Exposed, required

FLOOR = 1e-12
"""Lower limit of the squared distance, because a square root has an infinite gradient at 0."""


@final
class MMD(PurePenalty):
    """sqrt(sum_s MMD^2), with MMD^2 = tr(K H L H) / B^2 of normal kernels K of the logits and L of
    the pivots, both of standard deviation s.

    It is the maximum mean discrepancy between joint samples and all pairs of a batch, which is 0
    only for independent samples, up to a chance term of order 1/B. The logits are standardised
    within the batch, so that they cannot shrink instead of becoming independent. It costs B^2
    kernels for each of `sigmas`.

    Gretton et al. 2005, https://doi.org/10.1007/11564089_7

    Raises ValueError for `lam` below 0, and for `sigmas` that are not positive.
    """

    quantity = "mmd"
    of_pivots = True

    def __init__(
        self,
        rows: Exposed,
        *,
        sigmas: Sequence[float] = (0.5, 1.0, 2.0, 5.0),
        lam: float = 1.0,
        warmup: int = 0,
    ) -> None:
        super().__init__(of_pivot.PAIR, of_pivot.strength(lam), warmup)
        required(rows, self.requires)
        if not sigmas or not min(sigmas) > 0:
            raise SettingError("sigmas", "must list positive deviations", list(sigmas))
        self._sigmas = sigmas

    def cost(self, exposed: Exposed) -> Float[Tensor, ""]:
        logits, pivot = required(exposed, self.requires)
        return discrepancy(standardised(logits), pivot, self._sigmas).clamp_min(FLOOR).sqrt()


def discrepancy(
    x: Float[Tensor, "B D"], y: Float[Tensor, "B E"], sigmas: Sequence[float]
) -> Float[Tensor, ""]:
    """sum_s MMD^2 of x and y."""
    apart_x, apart_y = of_pivot.squared_distances(x), of_pivot.squared_distances(y)
    each = [of_pivot.centred(_kernel(apart_x, sigma)) * _kernel(apart_y, sigma) for sigma in sigmas]
    return torch.stack(each).mean((1, 2)).sum()


def _kernel(squared_distances: Float[Tensor, "B B"], sigma: float) -> Float[Tensor, "B B"]:
    return torch.exp(-squared_distances / (2 * sigma**2))


def standardised(x: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
    """x with mean 0 and standard deviation 1 in the batch; constant columns become 0."""
    x = x - x.mean(0)
    return x / (x.square().mean(0) + FLOOR).sqrt()
