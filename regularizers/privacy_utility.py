"""Codes that keep a label and hide what they are made of, by two critics."""

from collections.abc import Callable, Mapping
from typing import final

from torch import Tensor
from torch.optim import Optimizer

from infobound.errors import SettingError
from infobound.estimators.base import Bound, Estimator, SampleEstimator
from infobound.estimators.measurement import Measurement
from infobound.regularizers import critics
from infobound.regularizers.base import Penalty, Terms


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
        rows: Mapping[str, Tensor],
        *,
        estimator: Estimator | SampleEstimator,
        critic: critics.Critics | None,
        optimizer: Callable[[list[Tensor]], Optimizer],
        beta: float,
        critic_steps: int,
    ) -> None:
        super().__init__(
            ("input", "label", "representation"),
            1.0,
            optimizer,
            critic_steps,
            until=None,
            clip=False,
        )
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
        self.privacy = critics.measurement(critic, estimator, rows["input"], rows["representation"])
        self.utility = critics.measurement(critic, estimator, rows["label"], rows["representation"])

    def bounds(self, exposed: Mapping[str, Tensor]) -> tuple[Bound, Bound]:
        """What the critics read of a batch, (B, D) of each name: privacy and utility."""
        x, label, z = (exposed[name] for name in self.requires)
        return (
            critics.bound(self.privacy, x, z, self.learning),
            critics.bound(self.utility, label, z, self.learning),
        )

    def terms(self, exposed: Mapping[str, Tensor]) -> Terms:
        privacy, utility = self.bounds(exposed)
        loss = self._beta * privacy.objective - utility.objective
        return Terms(privacy.fit + utility.fit, loss, self._beta * privacy.value - utility.value)
