"""A penalty by an adversary that predicts the pivot from the logits."""

from collections.abc import Callable
from typing import final

from torch import Tensor, nn

from infobound.models.adversaries.pivot_densities import Binned
from infobound.regularizers import of_pivot
from infobound.regularizers.base import Penalty, Terms
from infobound.regularizers.exposed import Exposed, required


@final
class Adversary(Penalty):
    """-L_r, with L_r = E_J[-log q(pivot | logits)] of an adversary q that minimises L_r while the
    classifier maximises it.

    For the best q, L_r is at most the entropy H of the pivot, which it reaches if logits and pivot
    are independent; H - L_r is a lower bound of their mutual information. `density` creates q from
    the number of logits and rows of the raw pivots; q gives log densities (B,).

    Louppe et al. 2017, https://arxiv.org/abs/1611.01046

    Raises ValueError for `lam` below 0, and the errors of the density.
    """

    quantity = "adversary_loss"
    of_pivots = True

    def __init__(
        self,
        rows: Exposed,
        settings: of_pivot.Game = of_pivot.Game(),
        *,
        density: Callable[[int, Tensor], nn.Module] = Binned,
    ) -> None:
        super().__init__(
            ("logits", "raw_pivot"),
            settings.lam,
            settings.optimizer,
            settings.critic_steps,
            warmup=settings.warmup,
        )
        logits, pivots = required(rows, self.requires)
        self._density = density(logits.shape[1], pivots)

    def terms(self, exposed: Exposed) -> Terms:
        logits, pivots = required(exposed, self.requires)
        loss = -self._density(logits, pivots).mean()
        return Terms(loss, -loss, loss.detach())
