"""An adversary that predicts the pivot from the logits, and a classifier that makes it hard."""

from collections.abc import Callable
from typing import final

from torch import Tensor, nn

from infobound.models.adversaries.pivot_densities import Binned
from infobound.regularizers import of_pivot
from infobound.regularizers.base import Penalty, Terms
from infobound.regularizers.exposed import Exposed, required


@final
class Adversary(Penalty):
    """-L_r, L_r = E_J[-log q(pivot | logits)] of an adversary q that descends L_r while the
    classifier climbs it.

    L_r is at most the entropy H of the pivot for the best q, and equals it where the logits tell
    nothing; H - L_r bounds the information from below. `density` makes q of the number of logits
    and rows of the pivots as they are; q gives (B,) log densities.

    Louppe et al. 2017, https://arxiv.org/abs/1611.01046

    Raises ValueError for `lam` below 0, and what the density refuses.
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
