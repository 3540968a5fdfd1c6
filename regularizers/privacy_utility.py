"""The penalty of InfoShape: codes keep a label and hide their input, measured by two critics."""

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
    """`beta` I(X; Z) - I(Z; label), both in nats: a critic maximises each information, and the
    encoder minimises the difference.

    InfoShape minimises b I(X; Z) / H(X) - I(Z; label) / H(label), with 8 for H(X) and 0.7 for
    H(label), so its b is 8 / 0.7 `beta`. If `beta` is 1 or more, a constant code is optimal,
    because I(X; Z) >= I(Z; label). With a lower bound, the encoder may hide information from its
    critic, so the critic must keep up.

    Raises ValueError if `rows`, which the model exposes, lack a label, if the estimator has no
    critic, or if `beta` is negative.
    """

    quantity = "loss"
    privacy: Measurement
    """Reads I(X; Z), which should be small."""
    utility: Measurement
    """Reads I(Z; label), which should be large."""

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
                "needs a label to keep, but this model exposes no label",
                beta,
                "use runner=infoshape",
            )
        self._beta = beta
        x, label, z = required(rows, self.requires)
        self.privacy = critics.prepared(critic, estimator, x, z)
        self.utility = critics.prepared(critic, estimator, label, z)

    def bounds(self, exposed: Exposed) -> tuple[Bound, Bound]:
        """The critics' bounds for a batch, (B, D) of each name: privacy and utility."""
        x, label, z = required(exposed, self.requires)
        return critics.bound(self.privacy, x, z), critics.bound(self.utility, label, z)

    def terms(self, exposed: Exposed) -> Terms:
        privacy, utility = self.bounds(exposed)
        loss = self._beta * privacy.objective - utility.objective
        return Terms(privacy.fit + utility.fit, loss, self._beta * privacy.value - utility.value)

    def fit(self, exposed: Exposed) -> Float[Tensor, ""]:
        x, label, z = required(exposed, self.requires)
        return critics.fit(self.privacy, x, z) + critics.fit(self.utility, label, z)
