"""The information bottleneck with mutual information estimated by a critic."""

from collections.abc import Callable
from typing import final

from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

from infobound.errors import SettingError
from infobound.estimators.base import Estimator, SampleEstimator
from infobound.estimators.measurement import Critics
from infobound.regularizers import critics
from infobound.regularizers.base import Penalty, Terms
from infobound.regularizers.exposed import Exposed, required


@final
class MineBottleneck(Penalty):
    """`beta` times max(0, I(X; Z)) of inputs and representations: the critic maximises I, and the
    encoder minimises it.

    The encoder needs noise, with a known density or not; without noise the information is infinite.
    With a lower bound, the encoder may hide information from the critic, so the critic must keep
    up. Below 0, a bound has no meaning and no lower limit, so the encoder does not minimise it
    further.

    Belghazi et al. 2018, section 5.3, https://arxiv.org/abs/1801.04062

    Raises ValueError if the estimator has no critic, or `beta` is negative.
    """

    def __init__(
        self,
        rows: Exposed,
        *,
        estimator: Estimator | SampleEstimator,
        critic: Critics | None,
        optimizer: Callable[[list[Tensor]], Optimizer],
        beta: float = 1e-3,
        critic_steps: int = 1,
        until: float | None = None,
        clip: bool = False,
    ) -> None:
        super().__init__(
            ("input", "representation"), beta, optimizer, critic_steps, until=until, clip=clip
        )
        if not beta >= 0:
            raise SettingError("beta", "must be 0 or more", beta)
        self.measurement = critics.prepared(critic, estimator, *required(rows, self.requires))

    def terms(self, exposed: Exposed) -> Terms:
        bound = critics.bound(self.measurement, *required(exposed, self.requires))
        return Terms(bound.fit, bound.objective.relu(), bound.value)

    def fit(self, exposed: Exposed) -> Float[Tensor, ""]:
        return critics.fit(self.measurement, *required(exposed, self.requires))
