"""Codes that keep a label and hide what they are made of, by two critics."""

from collections.abc import Callable
from typing import final

from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

from infobound.errors import SettingError
from infobound.estimators.base import Bound, Estimator, SampleEstimator
from infobound.estimators.measurement import Critics, Measurement
from infobound.regularizers import critics
from infobound.regularizers.base import Penalty, Terms
from infobound.regularizers.exposed import Exposed, required


@final
class PrivacyUtility(Penalty):
    """`beta` I(X; Z) - I(Z; label), both in nats: each has a critic that climbs it, and the encoder
    descends the difference.

    InfoShape descends b I(X; Z) / H(X) - I(Z; label) / H(label) with H(X) taken for 8 and H(label)
    for 0.7: its b is 8 / 0.7 `beta`. With `beta` of 1 or more no code is better than none, because
    I(X; Z) >= I(Z; label). By an estimator that is a lower bound the encoder may hide from its
    critic what another one finds, so the critic must keep up.

    Raises ValueError where `rows`, what the model exposes, lack a label, an estimator has no
    critic, or `beta` is negative.
    """

    quantity = "loss"
    privacy: Measurement
    """Reads I(X; Z), which is to be small."""
    utility: Measurement
    """Reads I(Z; label), which is to be large."""

    def __init__(
        self,
        rows: Exposed,
        *,
        estimator: Estimator | SampleEstimator,
        critic: Critics | None,
        optimizer: Callable[[list[Tensor]], Optimizer],
        beta: float = 0.1,
        critic_steps: int = 5,
    ) -> None:
        super().__init__(("input", "label", "representation"), 1.0, optimizer, critic_steps)
        if not beta >= 0:
            raise SettingError("beta", "must be 0 or more", beta)
        if "label" not in rows:
            raise SettingError(
                "beta",
                "must weigh privacy against what is told of a label, which is not there",
                beta,
                "use runner=infoshape",
            )
        self._beta = beta
        x, label, z = required(rows, self.requires)
        self.privacy = critics.prepared(critic, estimator, x, z)
        self.utility = critics.prepared(critic, estimator, label, z)

    def bounds(self, exposed: Exposed) -> tuple[Bound, Bound]:
        """What the critics read of a batch, (B, D) of each name: privacy and utility."""
        x, label, z = required(exposed, self.requires)
        return critics.bound(self.privacy, x, z), critics.bound(self.utility, label, z)

    def terms(self, exposed: Exposed) -> Terms:
        privacy, utility = self.bounds(exposed)
        loss = self._beta * privacy.objective - utility.objective
        return Terms(privacy.fit + utility.fit, loss, self._beta * privacy.value - utility.value)

    def fit(self, exposed: Exposed) -> Float[Tensor, ""]:
        x, label, z = required(exposed, self.requires)
        return critics.fit(self.privacy, x, z) + critics.fit(self.utility, label, z)
