"""Distance correlation between the logits and the pivot.

B batch, D and E features.
"""

from typing import final

from jaxtyping import Float
from torch import Tensor

from infobound.regularizers import of_pivot
from infobound.regularizers.base import PurePenalty
from infobound.regularizers.exposed import Exposed, required

FLOOR = 1e-12
"""Lower limit of squares, because a square root has an infinite gradient at 0."""


@final
class DistanceCorrelation(PurePenalty):
    """dCorr^2 = dCov^2(x, y) / sqrt(dCov^2(x, x) dCov^2(y, y)) of logits x and pivots y, between 0
    and 1.

    dCov^2 is the mean product of the distances within a batch, centred by rows and columns; it is 0
    only for independent samples, up to a chance term of order 1/B. The correlation does not depend
    on scale. It costs B^2 distances.

    Székely et al. 2007, https://arxiv.org/abs/0803.4101; Kasieczka and Shih 2020,
    https://arxiv.org/abs/2001.05310

    Raises ValueError for `lam` below 0.
    """

    quantity = "distance_correlation"
    of_pivots = True

    def __init__(self, rows: Exposed, *, lam: float = 1.0, warmup: int = 0) -> None:
        super().__init__(of_pivot.PAIR, of_pivot.strength(lam), warmup)
        required(rows, self.requires)

    def cost(self, exposed: Exposed) -> Float[Tensor, ""]:
        return squared_correlation(*required(exposed, self.requires))


def squared_correlation(x: Float[Tensor, "B D"], y: Float[Tensor, "B E"]) -> Float[Tensor, ""]:
    """dCorr^2 of x and y, 0 if either is constant."""
    of_x, of_y = of_pivot.centred(distances(x)), of_pivot.centred(distances(y))
    scale = of_x.square().mean() * of_y.square().mean()
    return (of_x * of_y).mean() / (scale + FLOOR).sqrt()


def distances(x: Float[Tensor, "B D"]) -> Float[Tensor, "B B"]:
    """Distances of all pairs of rows."""
    return (of_pivot.squared_distances(x) + FLOOR).sqrt()
