"""InfoNCE with an anchor: contrastive estimation that also meets tuples without a joint sample."""

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from infobound.errors import SettingError
from infobound.estimators import bounds
from infobound.estimators.base import Bound, Estimator, surrogate
from infobound.models.critics.scores import Scores


@final
class InfoNCEAnchor(Estimator):
    """E_J[T], with T trained to find the joint sample among K samples, or to say that there is
    none, as in nu of K + nu cases.

    The best T is the log ratio itself: InfoNCE leaves a function of x unknown, and cannot read more
    than log(K + 1). Neither bound: a T that is not the best may read too much or too little. The
    variance of the value is that of a mean log ratio, and does not grow like exp(MI). It costs as
    much as InfoNCE. `nu` None is K, so that half of all cases have no joint sample: a small nu
    leaves the scale of exp T loose, and reads too much where information is high.

    Ryu et al. 2026, https://arxiv.org/abs/2510.25983

    Raises ValueError for `nu` that is not positive.
    """

    kind = "neither"

    def __init__(self, *, nu: float | None = None) -> None:
        super().__init__()
        if nu is not None and not 0 < nu < math.inf:
            raise SettingError(
                "nu", "must be positive, or null for the number of product samples", nu
            )
        self.nu = nu

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        nu = scores.product.shape[-1] if self.nu is None else self.nu
        return surrogate(bounds.anchored(scores, nu), scores.joint.mean())

    def log_normaliser(
        self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
    ) -> Float[Tensor, " B"]:
        return torch.zeros_like(scores.joint)
