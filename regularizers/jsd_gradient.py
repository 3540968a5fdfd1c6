"""The minmax penalty with a penalty on the critic's gradient."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from infobound.errors import SettingError
from infobound.regularizers import critics
from infobound.regularizers.base import PureTerms, Terms
from infobound.regularizers.exposed import Exposed, required
from infobound.regularizers.pivot_critic import OfPivotCritic, PivotCritic


@final
class JSDGradient(OfPivotCritic):
    """max(0, I), as in Minmax, with a critic that maximises I - gamma / 2 Omega.

    Omega = E_J[(1 - s)^2 |grad f|^2] + E_M[s^2 |grad f|^2], where s = sigmoid(f) and f is the
    critic's score of a pair, trained as a classifier of pairs (estimator=js or jsd). The gradient
    is with respect to both sides of the pair, and E_M is over one shuffled partner a row. Omega
    smooths both distributions, as noise would. It is not part of the classifier's loss.

    Roth et al. 2017, https://arxiv.org/abs/1705.09367

    Raises ValueError for `lam` or `gamma` below 0, and for an estimator that has no critic, does
    not give nats, or whose best critic is not the log-ratio.
    """

    def __init__(
        self, rows: Exposed, settings: PivotCritic = PivotCritic(), *, gamma: float = 0.1
    ) -> None:
        super().__init__(rows, settings)
        if not gamma >= 0:
            raise SettingError("gamma", "must be 0 or more", gamma)
        self._gamma = gamma

    def terms(self, exposed: Exposed) -> Terms:
        bound = critics.bound(self.measurement, *required(exposed, self.requires))
        return Terms(bound.fit + self._held(exposed), bound.objective.relu(), bound.value)

    def read(self, exposed: Exposed) -> PureTerms:
        bound = critics.bound(self.measurement, *required(exposed, self.requires))
        return PureTerms(bound.objective.relu(), bound.value)

    def fit(self, exposed: Exposed) -> Float[Tensor, ""]:
        return super().fit(exposed) + self._held(exposed)

    def _held(self, exposed: Exposed) -> Float[Tensor, ""]:
        return self._gamma / 2 * self.omega(*required(exposed, self.requires))

    def omega(self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Float[Tensor, ""]:
        joint, along_joint = self._steepness(x, y)
        product, along_product = self._steepness(x, y.roll(-1, 0))
        return (
            torch.sigmoid(-joint).square() * along_joint
            + torch.sigmoid(product).square() * along_product
        ).mean()

    def _steepness(
        self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Scores of pairs, and the squared length of each score's gradient with respect to its
        pair.
        """

        def summed(
            x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
        ) -> tuple[Float[Tensor, ""], Float[Tensor, " B"]]:
            scores = self.measurement.scores(x, y).joint
            return scores.sum(), scores

        gradients, scores = torch.func.grad(summed, argnums=(0, 1), has_aux=True)(x, y)
        return scores, torch.cat(gradients, dim=-1).square().sum(-1)
