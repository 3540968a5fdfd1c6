"""The rate of a model's noise layers as a penalty."""

from typing import final

from jaxtyping import Float
from torch import Tensor

from infobound.errors import SettingError
from infobound.regularizers.base import PurePenalty
from infobound.regularizers.exposed import Exposed, required


@final
class Rate(PurePenalty):
    """`beta` times the mean rate of a batch in nats, an upper bound of the information of the
    representation about the input.

    Achille and Soatto 2018, https://arxiv.org/abs/1611.01353; Alemi et al. 2017,
    https://arxiv.org/abs/1612.00410

    Raises ValueError if `rows`, which the model exposes, lack a rate, or if `beta` is negative.
    """

    quantity = "rate"

    def __init__(self, rows: Exposed, *, beta: float = 1e-3) -> None:
        super().__init__(("rate",), beta)
        if not beta >= 0:
            raise SettingError("beta", "must be 0 or more", beta)
        if "rate" not in rows:
            raise SettingError(
                "beta",
                "needs a rate to weigh, but this model has no rate",
                beta,
                "use model/noise=gaussian_bottleneck",
            )

    def cost(self, exposed: Exposed) -> Float[Tensor, ""]:
        (rate,) = required(exposed, self.requires)
        return rate.mean()
