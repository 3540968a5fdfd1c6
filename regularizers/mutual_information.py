"""Mutual information that a generative model maximises, estimated by a critic."""

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
"""The two paired tensors, by the option that names them."""
WAYS = {
    "latent": "a generative model has latents",
    "label": "runner.conditional=true gives the generator labels",
    "inferred": "runner.inference=bigan infers codes",
}
"""How to make a model expose the tensors."""


@final
class MutualInformation(Penalty):
    """-I(G(z); z) for `latent`, -I(G(z, c); c) for `label`, or -I(x; E(x)) for `inferred`: the
    model maximises information.

    The critic maximises the estimator on its own batches, with its own optimiser. It reads the
    model's outputs with normal noise of standard deviation `noise`: without noise, a function of a
    continuous variable has infinite information about it.

    Belghazi et al. 2018, section 5, https://arxiv.org/abs/1801.04062

    Raises ValueError if `rows` (N, D), which the model exposes, lack a paired tensor, or if the
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
            raise SettingError("of", f"must be {' or '.join(able)} for this model", of, WAYS[of])
        self._noise = Noise(noise) if noise else nn.Identity()
        self.measurement = critics.prepared(critic, estimator, *required(rows, self.requires))

    def terms(self, exposed: Exposed) -> Terms:
        bound = critics.bound(self.measurement, *self._noisy(exposed))
        return Terms(bound.fit, -bound.objective, bound.value)

    def fit(self, exposed: Exposed) -> Float[Tensor, ""]:
        return critics.fit(self.measurement, *self._noisy(exposed))

    def _noisy(self, exposed: Exposed) -> tuple[Float[Tensor, "B D_x"], Float[Tensor, "B D_y"]]:
        """The two paired tensors, with noise on the model's output."""
        x, y = (
            self._noise(each) if name in MADE else each
            for name, each in zip(self.requires, required(exposed, self.requires), strict=True)
        )
        return x, y
