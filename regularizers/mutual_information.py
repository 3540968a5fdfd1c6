"""Mutual information that a generative model is to have, read by a critic."""

import math
from collections.abc import Callable
from typing import Literal, final

from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from infobound.errors import SettingError
from infobound.estimators.base import Estimator, SampleEstimator
from infobound.estimators.measurement import Critics
from infobound.models.noise.gaussian_noise import Noise
from infobound.regularizers import critics
from infobound.regularizers.base import Penalty, Terms
from infobound.regularizers.exposed import MADE, Exposed, required

PAIRS = {
    "latent": ("sample", "latent"),
    "label": ("sample", "label"),
    "inferred": ("data", "inferred"),
}
"""What is paired, by the option that names it."""
WAYS = {
    "latent": "a generative model has one",
    "label": "runner.conditional=true tells the generator the label",
    "inferred": "runner.inference=bigan infers codes",
}
"""What makes a model expose it."""


@final
class MutualInformation(Penalty):
    """-I(G(z); z) of `latent`, -I(G(z, c); c) of `label`, or -I(x; E(x)) of `inferred`: the model
    maximises information.

    The critic climbs the estimator on batches of its own, by an optimiser of its own. What the
    model makes is read with normal `noise` of that standard deviation: a function of a continuous
    variable has infinite information about it, and with noise no more than its resolution allows.

    Belghazi et al. 2018, section 5, https://arxiv.org/abs/1801.04062

    Raises ValueError where `rows`, what the model exposes (N, D), lack what is to be paired, or an
    estimator has no critic.
    """

    def __init__(
        self,
        rows: Exposed,
        *,
        of: Literal["latent", "label", "inferred"] = "latent",
        estimator: Estimator | SampleEstimator,
        critic: Critics | None,
        optimizer: Callable[[list[Tensor]], Optimizer],
        beta: float = 1.0,
        critic_steps: int = 1,
        until: float | None = None,
        clip: bool = True,
        noise: float = 0.0,
    ) -> None:
        super().__init__(PAIRS[of], beta, optimizer, critic_steps, until=until, clip=clip)
        for name, value in {"beta": beta, "noise": noise}.items():
            if not 0 <= value < math.inf:
                raise SettingError(name, "must be 0 or more and finite", value)
        able = [name for name, pair in PAIRS.items() if all(part in rows for part in pair)]
        if able and of not in able:
            raise SettingError(
                "of", f"must be what this model has, {' or '.join(able)}", of, WAYS[of]
            )
        self._noise = Noise(noise) if noise else nn.Identity()
        self.measurement = critics.prepared(critic, estimator, *required(rows, self.requires))

    def terms(self, exposed: Exposed) -> Terms:
        bound = critics.bound(self.measurement, *self._noisy(exposed))
        return Terms(bound.fit, -bound.objective, bound.value)

    def fit(self, exposed: Exposed) -> Float[Tensor, ""]:
        return critics.fit(self.measurement, *self._noisy(exposed))

    def _noisy(self, exposed: Exposed) -> tuple[Float[Tensor, "B D_x"], Float[Tensor, "B D_y"]]:
        """The two that are paired, what the model makes with noise."""
        x, y = (
            self._noise(each) if name in MADE else each
            for name, each in zip(self.requires, required(exposed, self.requires), strict=True)
        )
        return x, y
