"""The game with a critic whose gradient is held."""

from collections.abc import Callable, Mapping
from typing import final

import torch
from torch import Tensor
from torch.optim import Optimizer

from infobound.errors import SettingError
from infobound.estimators.base import Bound, Estimator, SampleEstimator
from infobound.models.critics.scores import Scores
from infobound.regularizers import critics
from infobound.regularizers.base import Terms
from infobound.regularizers.pivot_critic import PivotCritic


@final
class JSDGradient(PivotCritic):
    """max(0, I), as in Minmax, of a critic that climbs I - gamma / 2 Omega.

    Omega = E_J[(1 - s)^2 |grad f|^2] + E_M[s^2 |grad f|^2], s = sigmoid(f) and f the critic's score
    of a pair, trained as a classifier of pairs (estimator=js or jsd); its gradient is by both sides
    of the pair, and E_M over one shuffled partner a row. It smooths both distributions, as noise
    would. The classifier's own loss has no Omega.

    Roth et al. 2017, https://arxiv.org/abs/1705.09367

    Raises ValueError for `gamma` below 0 and what PivotCritic refuses.
    """

    def __init__(
        self,
        rows: Mapping[str, Tensor],
        *,
        estimator: Estimator | SampleEstimator,
        critic: critics.Critics | None,
        optimizer: Callable[[list[Tensor]], Optimizer],
        lam: float,
        warmup: int,
        critic_steps: int,
        gamma: float,
    ) -> None:
        super().__init__(
            rows,
            estimator=estimator,
            critic=critic,
            optimizer=optimizer,
            lam=lam,
            warmup=warmup,
            critic_steps=critic_steps,
        )
        if not gamma >= 0:
            raise SettingError("gamma", "must be 0 or more", gamma)
        self._gamma = gamma

    def descended(self, bound: Bound, scores: Scores, x: Tensor, y: Tensor) -> Tensor:
        return bound.objective.relu()

    def terms(self, exposed: Mapping[str, Tensor]) -> Terms:
        read = super().terms(exposed)
        if not self.learning:
            return read
        return read._replace(
            fit=read.fit + self._gamma / 2 * self.omega(*(exposed[name] for name in self.requires))
        )

    def omega(self, x: Tensor, y: Tensor) -> Tensor:
        """() of a batch x (B, dim_x), y (B, dim_y)."""
        joint, along_joint = self._steepness(x, y)
        product, along_product = self._steepness(x, y.roll(-1, 0))
        return (
            torch.sigmoid(-joint).square() * along_joint
            + torch.sigmoid(product).square() * along_product
        ).mean()

    def _steepness(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """(B,) scores of pairs, and the squared length of the gradient of each by its pair."""

        def summed(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            scores = self.reader.scores(x, y).joint
            return scores.sum(), scores

        gradients, scores = torch.func.grad(summed, argnums=(0, 1), has_aux=True)(x, y)
        return scores, torch.cat(gradients, dim=-1).square().sum(-1)
